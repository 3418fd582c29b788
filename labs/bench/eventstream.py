"""AWS's event-stream format with little work per event: the same messages as botocore's own parser makes, at a fraction of its time.

    decoder = Decoder()
    for headers, payload in decoder.feed(data): ...

Format: https://smithy.io/2.0/aws/amazon-eventstream.html. A stream repeats the same few header blocks thousands of times, so each block is
parsed once (by botocore) and looked up after that; both checksums of every message are checked.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from zlib import crc32

from botocore.eventstream import EventStreamHeaderParser, ParserError

from labs.bench.exchange import Failed

MAX_HEADERS_BYTES = 128 * 1024
MAX_PAYLOAD_BYTES = 24 * 1024 * 1024
"""both as botocore has them"""

Message = tuple[Mapping[str, Any], bytes]
_PRELUDE = struct.Struct("!III")
_UINT = struct.Struct("!I")
_FRAME_BYTES = 16


class Malformed(Failed):
    """These bytes are not an event stream."""

    def __init__(self, what: str) -> None:
        super().__init__("MalformedStream", what)


class Decoder:
    """Takes bytes as they come, gives whole messages."""

    __slots__ = ("_buffer", "_largest", "_wanted")

    def __init__(self, largest_payload_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        self._buffer = bytearray()
        self._wanted = _PRELUDE.size
        self._largest = largest_payload_bytes

    @property
    def pending_bytes(self) -> int:
        """Bytes of a message that is not whole yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterable[Message]:
        """Every message that is whole now. Raises Malformed, while it is iterated, after the last good one."""
        if not self._buffer and len(data) >= _FRAME_BYTES:
            total, headers_length, prelude_crc = _PRELUDE.unpack_from(data)
            if (
                # One event in one piece, as tokens come.
                total == len(data)
                and headers_length <= total - _FRAME_BYTES <= MAX_HEADERS_BYTES
                and crc32(data[:8]) == prelude_crc
                and crc32(data[8:-4], prelude_crc) == _UINT.unpack_from(data, total - 4)[0]
            ):
                payload_at = _PRELUDE.size + headers_length
                return ((_headers(data[_PRELUDE.size : payload_at]), data[payload_at:-4]),)
        return self._feed(data)

    def _feed(self, data: bytes) -> Iterator[Message]:
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._wanted:
                return
            data = bytes(self._buffer)
            self._buffer.clear()
        at, end = 0, len(data)
        while end - at >= _PRELUDE.size:
            total, headers_length, prelude_crc = _PRELUDE.unpack_from(data, at)
            if crc32(data[at : at + 8]) != prelude_crc:
                raise Malformed("the checksum of a message's prelude is wrong")
            payload_length = total - headers_length - _FRAME_BYTES
            if payload_length < 0 or headers_length > MAX_HEADERS_BYTES:
                raise Malformed(f"a message of {total} bytes says that its headers are {headers_length} bytes")
            if payload_length > self._largest:
                raise Oversized(payload_length)
            if end - at < total:
                self._wanted = total
                break
            message = data[at : at + total]
            if crc32(message[8:-4], prelude_crc) != _UINT.unpack_from(message, total - 4)[0]:
                raise Malformed("the checksum of a message is wrong")
            payload_at = _PRELUDE.size + headers_length
            yield _headers(message[_PRELUDE.size : payload_at]), message[payload_at:-4]
            at += total
        else:
            self._wanted = _PRELUDE.size
        if at < end:
            self._buffer += data[at:]


class Oversized(Failed):
    """One event of more bytes than any token has."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__("OversizedEvent", f"one event of {size_bytes:,} bytes or more")


@lru_cache(maxsize=512)
def _headers(block: bytes) -> Mapping[str, Any]:
    try:
        headers: dict[str, Any] = EventStreamHeaderParser().parse(block)
    except (ParserError, struct.error, UnicodeDecodeError, KeyError) as wrong:
        raise Malformed(f"the headers of a message cannot be read: {wrong}") from None
    return headers


def encode(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message, all of its headers strings."""
    block = b"".join(
        struct.pack("!B", len(name)) + name.encode() + b"\x07" + struct.pack("!H", len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", _FRAME_BYTES + len(block) + len(payload), len(block))
    message = prelude + _UINT.pack(crc32(prelude)) + block + payload
    return message + _UINT.pack(crc32(message))


def event(kind: str, payload: bytes, content_type: str = "application/json") -> bytes:
    """An event of a service's stream."""
    return encode({":event-type": kind, ":content-type": content_type, ":message-type": "event"}, payload)


def exception(kind: str, payload: bytes) -> bytes:
    """An exception in the middle of a stream."""
    return encode({":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}, payload)
