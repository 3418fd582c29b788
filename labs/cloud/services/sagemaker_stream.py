"""A streamed answer of SageMaker's on the wire: bytes of the container as PayloadPart events, a failure as ModelStreamError.

Moto's serializer would walk the service's model for each token, and names an exception's members otherwise than botocore reads them.
"""

import json
import struct
import zlib
from collections.abc import Generator, Iterable
from functools import lru_cache
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from labs.cloud.streaming import Frames, TimedEvents


class Parts(Frames):
    """The body of a streamed answer; see `streaming.Frames`."""

    def __init__(self, events: TimedEvents) -> None:
        self._events = events
        self._frames = self._encoded(events)

    def _encoded(self, events: Iterable[dict[str, Any]]) -> Generator[bytes, None, None]:
        try:
            for event in events:
                yield frame("event", "PayloadPart", "application/octet-stream", event["PayloadPart"]["Bytes"])
        except ServiceException as failed:
            said = {"Message": failed.message, "ErrorCode": getattr(failed, "ErrorCode", failed.code)}
            yield frame("exception", failed.code, "application/json", json.dumps(said).encode())


class Streamed(ActionResult):
    """The result of InvokeEndpointWithResponseStream: parts, and what stands in headers beside them."""

    def __init__(self, events: TimedEvents, headers: dict[str, Any]) -> None:
        super().__init__({})
        self._events, self._own_headers = events, headers

    def execute_result(self, context: Any) -> Any:  # noqa: ARG002 - as moto calls it
        """Status, headers and body."""
        head = {"Content-Type": "application/vnd.amazon.eventstream", **self._own_headers}
        return 200, head, Parts(self._events)


def frame(message_type: str, kind: str, content_type: str, payload: bytes) -> bytes:
    """One message of the event-stream format: https://smithy.io/2.0/aws/amazon-eventstream.html#amazon-event-stream-specification"""
    headers = _headers(message_type, kind, content_type)
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack("!I", zlib.crc32(message))


@lru_cache(maxsize=16)
def _headers(message_type: str, kind: str, content_type: str) -> bytes:
    pairs = ((f":{message_type}-type", kind), (":content-type", content_type), (":message-type", message_type))
    return b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
        for name, value in pairs
    )
