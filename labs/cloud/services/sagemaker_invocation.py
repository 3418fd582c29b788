"""One invocation of a container: its body understood, answered, and the answer's time taken from the engine.

The same for InvokeEndpoint, its stream, an asynchronous request and a batch transform; they differ in their limits and in what a failure becomes.
"""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from labs.cloud.services.errors import ServiceError
from labs.cloud.services.sagemaker_answers import Words, answer, content_type, part, whole
from labs.cloud.services.sagemaker_bodies import Asked, BadBody, Served, parse
from labs.cloud.services.sagemaker_hosting import Hosting
from labs.cloud.services.sagemaker_targets import Destination
from labs.cloud.wallclock import Rejected, Stream
from labs.serving.engine import Event, Request

TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency metrics for each container in Amazon CloudWatch, "
    "resolve the issue, and try again."
)


class ContainerFailed(Exception):  # noqa: N818 - becomes ModelError, or an asynchronous failure
    """The container answered with an error, or not in time (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Invocation:
    """A request that the container has taken."""

    to: Destination
    asked: Asked
    words: Words
    stream: Stream
    cold_s: float
    began: float
    request_id: str

    def go_on_until(self, seconds: float) -> None:
        """Move its time limit to so many seconds after it was submitted."""
        if self.to.fleet is not None:
            self.to.fleet.limit(self.request_id, self.stream.submitted_at + seconds)

    def wait(self) -> bytes:
        """The whole answer, when it is there. Raises ContainerFailed."""
        ended = self._end()
        self.told(200, ended)
        return b"".join(self.parts()) if self.asked.stream else whole(self.asked, self.words)

    def _end(self) -> Event:
        try:
            event = list(self.stream)[-1]
        except Rejected as rejected:
            self.told(503, None)
            raise ContainerFailed(503, refused_by_engine(rejected)) from None
        if event.kind == "cancelled":
            self.told(0, event)
            raise ContainerFailed(0, TIMED_OUT)
        return event

    def parts(self) -> Iterator[bytes]:
        """The stream's lines, token by token."""
        for number in range(len(self.words.pieces)):
            yield part(self.asked, self.words, number, number + 1)

    def told(self, status: int, event: Event | None) -> None:
        """Tell CloudWatch how it ended, and a serverless variant that it did."""
        if self.to.variant.serverless is not None:
            self.to.variant.serverless.used()
        model_s = (event.t - self.stream.submitted_at) if event is not None else 0.0
        overhead_s = max(0.0, time.monotonic() - self.began - model_s)
        self.to.metrics.answered(status, model_s, overhead_s)
        if self.cold_s:
            self.to.metrics.put("ModelSetupTime", self.cold_s * 1e6, "Microseconds")


def begin(to: Destination, body: bytes, limit_s: float, *, every_token: bool) -> Invocation:
    """Hand a body to a container. Raises ContainerFailed."""
    began = time.monotonic()
    container = to.placed.container
    stream_format = container.option("output_formatter") or container.server.stream_format
    if stream_format not in ("jsonlines", "sse"):
        stream_format = container.server.stream_format
    to.count()
    name = to.served_name or container.served_name
    try:
        asked = parse(Served(container.server, name, to.placed.context_tokens, stream_format), body)
        words = answer(asked)
        request = Request(uuid.uuid4().hex, asked.input_tokens, len(words.pieces), asked.max_tokens)
        stream, cold_s = to.offer(request, limit_s, every_token=every_token and asked.stream)
    except BadBody as bad:
        to.metrics.answered(bad.status, 0.0, time.monotonic() - began)
        raise ContainerFailed(bad.status, str(bad)) from None
    except Rejected as rejected:
        to.metrics.answered(503, 0.0, time.monotonic() - began)
        raise ContainerFailed(503, refused_by_engine(rejected)) from None
    return Invocation(to, asked, words, stream, cold_s, began, request.id)


def refused_by_engine(rejected: Rejected) -> str:
    """What a server says when it does not take a request."""
    if rejected.reason == "context":
        return "The request is longer than the model's KV cache can hold."
    return "The server is overloaded: its queue of waiting requests is full."


def model_error(hosting: Hosting, endpoint_name: str, failed: ContainerFailed) -> ServiceError:
    """AWS's ModelError for a container's failure."""
    group = f"/aws/sagemaker/Endpoints/{endpoint_name}"
    kind = "client" if 400 <= failed.status < 500 else "server"
    message = (
        f'Received {kind} error ({failed.status}) from primary with message "{failed}". '
        f"See https://{hosting.region}.console.aws.amazon.com/cloudwatch/home?region={hosting.region}#logEventViewer:group={group} "
        f"in account {hosting.account_id} for more information."
    )
    members: dict[str, Any] = {
        "OriginalStatusCode": failed.status,
        "OriginalMessage": str(failed),
        "LogStreamArn": f"arn:aws:logs:{hosting.region}:{hosting.account_id}:log-group:{group}",
    }
    return ServiceError("ModelError", message, **members)


def shadow(to: Destination, body: bytes, limit_s: float) -> None:
    """Send a copy to a shadow variant and drop its answer; its metrics are what it is for."""

    def follow() -> None:
        with suppress(ContainerFailed):
            begin(to, body, limit_s, every_token=False).wait()

    threading.Thread(target=follow, name="shadow", daemon=True).start()


__all__ = ["TIMED_OUT", "ContainerFailed", "Invocation", "begin", "content_type", "model_error", "shadow"]
