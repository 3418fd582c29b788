"""Event streams that leave event by event: what moto 5.2 lacks for a model's answer to arrive token by token.

A response method returns `ActionResult({"stream": events})`. `events` is any iterable of event dictionaries, each of which is on the wire
before the next is asked for, or a `TimedEvents`, whose events the server sends at their time without waking a thread for each.
A ServiceException raised by `events` ends the stream as an exception event, which boto3 raises as EventStreamError.
"""

import base64
import json
import struct
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import lru_cache
from typing import Any

from labs.cloud.context import Context
from labs.cloud.wallclock import Stream
from labs.serving.engine import Event

Send = Callable[[bytes, bool], bool]
"""`send(data, may_wait)`: put data on the wire. Without `may_wait` it never blocks, keeps what did not fit, and says by False that it did."""


class TimedEvents:
    """An event stream made of a serving engine's events: `translate` says what each one is on the wire."""

    def __init__(
        self, first: Iterable[dict[str, Any]], stream: Stream, translate: Callable[[Event], list[dict[str, Any]]]
    ) -> None:
        self.first, self.stream, self.translate = first, stream, translate

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from self.first
        for event in self.stream:
            yield from self.translate(event)

    def close(self) -> None:
        """Nobody wants the rest."""
        self.stream.close()


def install(context: Context) -> None:
    """Apply to moto's serializer and to its in-process entrance."""
    from moto.core import botocore_stubber
    from moto.core.serialize import ResponseSerializer

    # Cures: moto joins all events of a stream into one bytes object before it sends the first ("TODO: Allow for actual streaming bodies").
    context.patch(ResponseSerializer, "_serialize_event_stream_result", _serialize_lazily)
    # Cures: in-process, moto wraps every body in a BytesIO, which a generator is not.
    context.patch(botocore_stubber, "MockRawResponse", _raw_response(botocore_stubber.MockRawResponse))


def _serialize_lazily(self: Any, response: dict[str, Any], result: Any) -> dict[str, Any]:
    response["body"] = Frames(self, result)
    response["headers"]["Content-Type"] = "application/vnd.amazon.eventstream"
    return response


class Frames:
    """The body of an answer that streams: iterate it for one frame an event, or have it pushed."""

    def __init__(self, serializer: Any, result: Any) -> None:
        self._serializer = serializer
        self._output_shape = serializer.operation_model.output_shape
        self._member = self._output_shape.event_stream_name
        self._events = result[self._member]
        self._frames = self._encoded(self._events)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._frames)

    def close(self) -> None:
        """The client has gone, or has all."""
        self._frames.close()
        if hasattr(self._events, "close"):
            self._events.close()

    def push(self, send: Send) -> None:
        """Send every frame at its time; returns when the last one is sent."""
        if not isinstance(self._events, TimedEvents):
            for frame in self:
                send(frame, True)
            return
        events = self._events
        send(b"".join(self._encoded(events.first)), True)

        def deliver(due: list[Event], may_wait: bool) -> bool:
            return send(b"".join(self._encoded(part for event in due for part in events.translate(event))), may_wait)

        events.stream.attend(deliver)

    def _encoded(self, events: Iterable[dict[str, Any]]) -> Generator[bytes, None, None]:
        from moto.core.eventstream import EventStream, EventStreamEncoder
        from moto.core.exceptions import ServiceException

        variants = self._output_shape.members[self._member].members
        try:
            for event in events:
                [(variant, content)] = event.items()
                if _is_plain_json(variants[variant], content):
                    yield _json_frame(variant, content)
                else:
                    one = EventStream(
                        {self._member: [event]}, self._output_shape, self._serializer._event_stream_serializer
                    )
                    for message in one:
                        yield EventStreamEncoder().encode_event(message)
        except ServiceException as failed:
            yield exception_frame(failed.code[:1].lower() + failed.code[1:], failed.message)


_JSON_AS_IS = frozenset({"string", "integer", "long", "boolean", "float", "double", "blob"})
_NOT_IN_THE_BODY = frozenset({"eventpayload", "eventheader", "name", "jsonvalue"})


def _is_plain_json(shape: Any, content: Any) -> bool:
    """Is this event on the wire just its dictionary as JSON: nothing in it that goes into a header, is the payload itself or a time, or changes its name?

    Moto's serializer would walk the whole shape for every token; that takes ten times as long as all the rest of sending it.
    """
    if shape.serialization and not _NOT_IN_THE_BODY.isdisjoint(shape.serialization):
        return False
    if shape.type_name == "structure":
        return all(_is_plain_json(shape.members[name], value) for name, value in content.items())
    return shape.type_name in _JSON_AS_IS


def _json_frame(kind: str, content: dict[str, Any], *, is_exception: bool = False) -> bytes:
    """One message of the event-stream format: https://smithy.io/2.0/aws/amazon-eventstream.html#amazon-event-stream-specification"""
    headers = _headers(kind, is_exception)
    payload = json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=_base64).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack("!I", zlib.crc32(message))


def exception_frame(kind: str, message: str) -> bytes:
    """The event with which a stream fails; boto3 raises it as EventStreamError."""
    return _json_frame(kind, {"message": message}, is_exception=True)


def _base64(blob: bytes) -> str:
    return base64.b64encode(blob).decode()


@lru_cache(maxsize=256)
def _headers(kind: str, is_exception: bool) -> bytes:
    message_type = "exception" if is_exception else "event"
    pairs = ((f":{message_type}-type", kind), (":content-type", "application/json"), (":message-type", message_type))
    return b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
        for name, value in pairs
    )


def _raw_response(base: type[Any]) -> type[Any]:
    class RawResponse(base):  # type: ignore[misc]
        """Moto's raw response, of bytes as before or of an iterator of bytes."""

        def __init__(self, body: Any) -> None:
            self._events = body if hasattr(body, "__next__") else None
            super().__init__(b"" if self._events is not None else body)

        def stream(self, **how: Any) -> Any:
            return self._events if self._events is not None else super().stream(**how)

        def close(self) -> None:
            if self._events is not None:
                self._events.close()
            super().close()

    return RawResponse
