"""Through the queue: from handing a job in to SQUID until its final answer is seen in the table, or told of by push."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labs.bench.endpoints.pushed import Pushed
from labs.bench.endpoints.queued import Arrived, Queued
from labs.bench.exchange import Ask, Failed
from labs.squid.client import Squid

POLL_S = 0.1
"""how often the table is read: an answer is seen so much late at most, half of it on average"""


@dataclass(frozen=True)
class ThroughSquid:
    """A SQUID stack, whatever answers behind it. Its answers come in one piece."""

    stack: str = "squid"

    @property
    def streaming(self) -> bool:
        return False

    def describe(self) -> Mapping[str, Any]:
        return {**_described(self.stack), "streaming": False, "poll_s": POLL_S}

    def open(self, *, only_loopback: bool) -> Queued:  # noqa: ARG002 - its clients are boto3's, which keep to the environment
        return Queued(_Table(Squid(self.stack)), POLL_S)


@dataclass(frozen=True)
class ThroughSquidByPush:
    """The same, listened to: pieces come while the answer is written, ten times a second at most, several tokens in each."""

    stack: str = "squid"

    @property
    def streaming(self) -> bool:
        return True

    def describe(self) -> Mapping[str, Any]:
        return {**_described(self.stack), "streaming": True, "pushed": True}

    def open(self, *, only_loopback: bool) -> Pushed:  # noqa: ARG002 - as above; the event API's host is one of the stack's outputs
        squid = Squid(self.stack)
        return Pushed(_Table(squid), squid.events)


def _described(stack: str) -> dict[str, Any]:
    squid = Squid(stack)
    return {
        "endpoint": "squid",
        "through": "squid",
        "stack": stack,
        "target": squid.target,
        "model": squid.model_id,
    }


class _Table:
    def __init__(self, squid: Squid) -> None:
        self._squid = squid

    def submit(self, ask: Ask) -> str:
        return self._squid.submit(ask.prompt, max_tokens=min(ask.output_tokens, self._squid.max_tokens))

    def poll(self, tickets: Sequence[str]) -> Mapping[str, Arrived | Failed]:
        return {
            answer.job_id: Arrived(answer.input_tokens, answer.output_tokens)
            if answer.status == "DONE"
            else Failed("JobFailed", answer.error)
            for answer in self._squid.results(tickets, timeout_s=0)
        }
