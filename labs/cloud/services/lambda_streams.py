"""A function's answer that arrives piece by piece, while the function still runs; and InvokeWithResponseStream, which sends it on.

streamed = Streamed(lambda sink: runner.run(function, event, sink=sink), limits)
streamed.content_type()      # blocks until the answer begins, or has come whole; raises what `run` raised
for piece in streamed: ...
streamed.outcome             # afterwards: was it an error, what stands in the log
"""

import base64
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from labs.cloud.runtime.execution import Sink, TooLarge
from labs.cloud.runtime.outcome import Outcome
from labs.cloud.runtime.pool import Throttled

MEGABYTE = 1024 * 1024
HTTP_ANSWER = "application/vnd.awslambda.http-integration-response"
"""The content type of an answer that begins with its own HTTP head, as JSON, and eight zero bytes."""


@dataclass(frozen=True)
class StreamLimits:
    """How much may be streamed, and how fast once the first megabytes are through."""

    total_bytes: float
    unthrottled_bytes: float
    bytes_per_s: float

    @staticmethod
    def of_lambda() -> "StreamLimits":
        from labs import facts

        return StreamLimits(
            facts.number("lambda.payload.streamed_max_mb") * MEGABYTE,
            facts.number("lambda.payload.streamed_unthrottled_mb") * MEGABYTE,
            facts.number("lambda.payload.streamed_rate_mb_per_s") * MEGABYTE,
        )


class Streamed:
    """See the module's docstring. It runs on a thread of its own, and runs to its end also when nobody listens any longer, as on AWS."""

    def __init__(self, run: Callable[[Sink], Outcome], limits: StreamLimits) -> None:
        self._limits = limits
        self._pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._begun = threading.Event()
        self._content_type = "application/json"
        self._sent_bytes = 0
        self._throttled_since: float | None = None
        self._failure: Exception | None = None
        self._abandoned = False
        self.outcome: Outcome | None = None
        self._thread = threading.Thread(target=self._work, args=(run,), name="invoke-streamed", daemon=True)
        self._thread.start()

    def _work(self, run: Callable[[Sink], Outcome]) -> None:
        try:
            outcome = run(self)
            if not outcome.streamed and not outcome.error:
                self.begin(outcome.content_type)
                self._pieces.put(outcome.body)
            self.outcome = outcome
        except Exception as failed:
            self._failure = failed
        finally:
            self._begun.set()
            self._pieces.put(None)

    def begin(self, content_type: str) -> None:
        """The function begins to answer (called by the runtime)."""
        self._content_type = content_type
        self._begun.set()

    def write(self, data: bytes) -> None:
        """A piece has come (called by the runtime). Waits where AWS limits the bandwidth."""
        self._sent_bytes += len(data)
        if self._sent_bytes > self._limits.total_bytes:
            raise TooLarge(int(self._limits.total_bytes))
        beyond = self._sent_bytes - self._limits.unthrottled_bytes
        if beyond > 0 and not self._abandoned:
            self._throttled_since = self._throttled_since or time.monotonic()
            due = self._throttled_since + beyond / self._limits.bytes_per_s
            time.sleep(max(0.0, due - time.monotonic()))
        if not self._abandoned:
            self._pieces.put(data)

    def content_type(self) -> str:
        """What the answer is. Blocks until it begins. Raises Throttled and whatever else kept the function from running."""
        self._begun.wait()
        if self._failure is not None:
            raise self._failure
        return self._content_type

    def __iter__(self) -> Iterator[bytes]:
        while (piece := self._pieces.get()) is not None:
            yield piece

    def close(self) -> None:
        """Nobody wants the rest."""
        self._abandoned = True


def head_of(streamed: Streamed) -> tuple[dict[str, Any] | None, Iterator[bytes]]:
    """The HTTP head with which the answer begins, if it begins with one, and the pieces after it. Raises as `content_type` does."""
    if streamed.content_type().split(";")[0].strip().lower() != HTTP_ANSWER:
        return None, iter(streamed)
    pieces = iter(streamed)
    prelude = bytearray()
    for piece in pieces:
        prelude += piece
        if (end := prelude.find(bytes(8))) >= 0:
            rest = bytes(prelude[end + 8 :])
            try:
                head = json.loads(prelude[:end])
            except ValueError:
                head = {"statusCode": 502}
            return (head if isinstance(head, dict) else {"statusCode": 502}), after(rest, pieces)
    return {"statusCode": 502}, iter(())


def after(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from pieces


def invocation_events(streamed: Streamed, *, tail: bool) -> Iterator[dict[str, Any]]:
    """What InvokeWithResponseStream sends: the pieces, then that it is complete, with the error if there was one."""
    for piece in streamed:
        if piece:
            yield {"PayloadChunk": {"Payload": piece}}
    complete: dict[str, Any] = {}
    outcome = streamed.outcome
    if outcome is None:
        complete = {"ErrorCode": "ServiceException", "ErrorDetails": "The invocation did not end."}
    elif outcome.error:
        said = json.loads(outcome.body or b"{}")
        complete = {"ErrorCode": str(said.get("errorType", "Unhandled")), "ErrorDetails": json.dumps(said)}
    if tail and outcome is not None:
        complete["LogResult"] = base64.b64encode(outcome.tail).decode()
    yield {"InvokeComplete": complete}


__all__ = ["HTTP_ANSWER", "StreamLimits", "Streamed", "Throttled", "head_of", "invocation_events"]
