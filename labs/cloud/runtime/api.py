"""The server side of AWS's runtime API, for one process at a time and without a thread: whoever invokes does the talking.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. The client asks for the next invocation, and posts its result, an error,
or the error that ended its initialisation. A result may be streamed (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html):
then its request is told of before its body is there, and `chunk` gives the body as it arrives.
"""

import socket
from dataclasses import dataclass, field
from http import HTTPStatus

MAX_HEAD_BYTES = 2 * 1024 * 1024
"""A failed invocation's stack trace travels in a header, up to 1 MiB of it."""

SEND_TIMEOUT_S = 10.0
"""How long a process that does not read is waited for."""


class Malformed(ValueError):  # noqa: N818 - a statement about the sender
    """What the process sent is not HTTP."""


@dataclass(frozen=True)
class Request:
    """One request of the process."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    streams: bool = False
    """The body is still to come, in chunks."""


@dataclass(frozen=True)
class End:
    """A streamed body is over; an error of the function's that came in the middle is in the trailers."""

    trailers: dict[str, str]


@dataclass
class Connection:
    """A connection from the process; non-blocking."""

    socket: socket.socket
    streaming: bool = False
    """Is a streamed body on its way?"""
    _data: bytearray = field(default_factory=bytearray)
    _continued: bool = False

    def fileno(self) -> int:
        return self.socket.fileno()

    def read(self) -> bool:
        """Take in what has arrived; False when the process has closed its end."""
        while True:
            try:
                data = self.socket.recv(262_144)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            self._data += data

    def request(self) -> Request | None:
        """The next complete request, if one has arrived whole."""
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > MAX_HEAD_BYTES:
                raise Malformed("a head without an end")
            return None
        first, *lines = bytes(self._data[:end]).decode("latin-1").split("\r\n")
        try:
            method, path, _ = first.split(" ")
        except ValueError:
            raise Malformed(first[:100]) from None
        headers = fields(lines)
        if headers.get("lambda-runtime-function-response-mode", "").lower() == "streaming":
            if headers.get("transfer-encoding", "").lower() != "chunked":
                raise Malformed("a streamed response that is not chunked")
            del self._data[: end + 4]
            self.streaming = True
            return Request(method, path, headers, b"", streams=True)
        body = self._body(end + 4, headers)
        if body is None:
            if headers.get("expect", "").lower() == "100-continue" and not self._continued:
                self._continued = True  # libcurl waits a second for this before it sends a large body
                self.socket.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        self._continued = False
        return Request(method, path, headers, body)

    def chunk(self) -> bytes | End | None:
        """The next piece of a streamed body, or its end; None while more must arrive first."""
        line_end = self._data.find(b"\r\n")
        if line_end < 0:
            return None
        size = int(self._data[:line_end].split(b";")[0], 16)
        start = line_end + 2
        if size:
            if len(self._data) < start + size + 2:
                return None
            piece = bytes(self._data[start : start + size])
            del self._data[: start + size + 2]
            return piece
        end = start if self._data[start : start + 2] == b"\r\n" else self._data.find(b"\r\n\r\n", start)
        if end < 0 or len(self._data) < start + 2:
            return None
        trailers = fields(bytes(self._data[start:end]).decode("latin-1").split("\r\n"))
        del self._data[: end + (2 if end == start else 4)]
        self.streaming = False
        return End(trailers)

    def _body(self, start: int, headers: dict[str, str]) -> bytes | None:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            end = start + int(headers.get("content-length", 0))
            if len(self._data) < end:
                return None
            body = bytes(self._data[start:end])
            del self._data[:end]
            return body
        at = start
        parts: list[bytes] = []
        while True:
            line_end = self._data.find(b"\r\n", at)
            if line_end < 0:
                return None
            size = int(self._data[at:line_end].split(b";")[0], 16)
            at = line_end + 2
            if len(self._data) < at + size + 2:
                return None
            if size == 0:
                del self._data[: at + 2]
                return b"".join(parts)
            parts.append(bytes(self._data[at : at + size]))
            at += size + 2

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Send one answer. A process that has gone meanwhile is noticed where it is next listened to."""
        lines = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        try:
            self.socket.settimeout(SEND_TIMEOUT_S)
            self.socket.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
            self.socket.setblocking(False)
        except OSError:
            return

    def close(self) -> None:
        self.socket.close()


def fields(lines: list[str]) -> dict[str, str]:
    """Header (or trailer) lines by lower-case name."""
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def listen() -> socket.socket:
    """A listening socket on loopback, on any free port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4)
    listener.setblocking(False)
    return listener


def accept(listener: socket.socket) -> Connection | None:
    try:
        connected, _ = listener.accept()
    except OSError:
        return None
    connected.setblocking(False)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Connection(connected)
