"""HTTP/1.1 over asyncio with as little between the socket and the clock as there can be: what arrives is stamped before it is read.

A request is bytes that an endpoint made; an answer's body goes to the endpoint's reader piece by piece, as it arrives.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from labs.bench.clock import now
from labs.bench.exchange import Ask, Attempt, Failed
from labs.errors import USAGE, Refusal

MAX_HEAD_BYTES = 64 * 1024
MAX_ERROR_BYTES = 64 * 1024


@dataclass(frozen=True)
class Origin:
    """Where a server is."""

    host: str
    port: int
    tls: bool

    @staticmethod
    def of(url: str) -> "Origin":
        """The server that a URL names. Raises Refusal when it names none."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refusal(f"'{url}' is not the address of a server; write it as http://127.0.0.1:8000", USAGE)
        return Origin(parts.hostname, port or (443 if parts.scheme == "https" else 80), parts.scheme == "https")

    @property
    def authority(self) -> str:
        """As the Host header has it: without the port that the scheme implies."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


class Reader(Protocol):
    """Understands one answer."""

    def feed(self, data: bytes, t: float) -> None:
        """The next piece of the body, which arrived at `t`. Raises Failed."""

    def end(self, t: float) -> None:
        """The body is complete. Raises Failed when the answer is not."""


class Dialect(Protocol):
    """What an endpoint says and how it is answered."""

    origin: Origin

    def message(self, ask: Ask) -> bytes:
        """A whole HTTP request."""

    def reader(self, attempt: Attempt, headers: dict[bytes, bytes]) -> Reader:
        """For an answer with status 200."""

    def refused(self, http_status: int, headers: dict[bytes, bytes], body: bytes) -> Failed:
        """What any other answer means."""


_HEAD, _SIZE, _DATA, _DATA_END, _TRAILER, _LENGTH, _UNTIL_CLOSE, _IDLE = range(8)


class Connection(asyncio.Protocol):
    """One connection and the request that is on it."""

    __slots__ = (
        *("_answered", "_attempt", "_dialect", "_done", "_error_body", "_error_headers", "_keep", "_left", "_loop"),
        *("_reader", "_rest", "_state", "_transport", "idle_since"),
    )

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] | None = None
        self._attempt = Attempt()
        self._reader: Reader | None = None
        self._error_headers: dict[bytes, bytes] = {}
        self._error_body = bytearray()
        self._state = _IDLE
        self._rest = b""
        self._left = 0
        self._answered = False
        self._keep = True
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    @property
    def usable(self) -> bool:
        """May another request go over it?"""
        return self._transport is not None and self._state == _IDLE and not self._transport.is_closing()

    def ask(self, message: bytes, attempt: Attempt) -> "asyncio.Future[None]":
        """Send a request; the future is done when its answer is."""
        assert self._transport is not None
        self._attempt, self._reader = attempt, None
        self._state, self._rest, self._answered, self._keep = _HEAD, b"", False, True
        self._done = self._loop.create_future()
        self._transport.write(message)
        attempt.sent = now()
        return self._done

    def abort(self) -> None:
        """Close at once, whatever is going on."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        t = now()
        if self._done is None:
            self.abort()  # nobody asked
            return
        self._answered = True
        try:
            if self._state == _SIZE and not self._rest and self._reader is not None:
                # A chunk in one piece, as tokens come.
                size_end = data.find(b"\r\n", 0, 10)
                if size_end > 0 and data[-2:] == b"\r\n":
                    size = _chunk_size(data[:size_end])
                    if 0 < size == len(data) - size_end - 4:
                        self._reader.feed(data[size_end + 2 : -2], t)
                        return
            self._read(self._rest + data if self._rest else data, t)
        except Failed as failed:
            self._over(t, failed)

    def connection_lost(self, exc: Exception | None) -> None:
        t = now()
        self._transport = None
        if self._done is None or self._done.done():
            return
        if self._state == _UNTIL_CLOSE and exc is None:
            try:
                self._body_ends(t)
            except Failed as failed:
                self._over(t, failed)
        elif self._answered:
            self._over(t, Failed("Truncated", "the server closed the connection in the middle of its answer"))
        else:
            self._over(t, Failed("ConnectionClosed", "the server closed the connection without an answer"))

    def _over(self, t: float, failed: Failed | None = None, *, whole: bool = False) -> None:
        """The request is done. A `whole` answer, even an error's, leaves the connection as good as before."""
        done, self._done = self._done, None
        self._attempt.ended = t
        self._state, self._reader, self.idle_since = _IDLE, None, t
        if not (whole and self._keep):
            self.abort()
        if done is not None and not done.done():
            if failed is None:
                done.set_result(None)
            else:
                if failed.http_status is None:
                    failed.http_status = self._attempt.http_status
                done.set_exception(failed)

    def _read(self, data: bytes, t: float) -> None:
        """Take an answer apart: head, then its body in chunks, of a length, or until the connection closes."""
        self._rest = b""
        at, end = 0, len(data)
        while at < end and self._done is not None:
            state = self._state
            if state == _SIZE:
                line_end = data.find(b"\r\n", at)
                if line_end < 0:
                    self._keep_rest(data[at:], 1024)
                    return
                self._left = _chunk_size(data[at:line_end])
                at = line_end + 2
                self._state = _DATA if self._left else _TRAILER
            elif state in (_DATA, _LENGTH):
                take = min(self._left, end - at)
                self._feed(data[at : at + take], t)
                at += take
                self._left -= take
                if self._left == 0:
                    if state == _LENGTH:
                        self._body_ends(t)
                    else:
                        self._state = _DATA_END
            elif state == _DATA_END:
                if end - at < 2:
                    self._keep_rest(data[at:], 2)
                    return
                if data[at : at + 2] != b"\r\n":
                    raise Failed("MalformedResponse", "a chunk is not as long as it says")
                at += 2
                self._state = _SIZE
            elif state == _TRAILER:
                line_end = data.find(b"\r\n", at)
                if line_end < 0:
                    self._keep_rest(data[at:], MAX_HEAD_BYTES)
                    return
                if line_end == at:
                    self._body_ends(t)
                at = line_end + 2
            elif state == _HEAD:
                head_end = data.find(b"\r\n\r\n", at)
                if head_end < 0:
                    if not b"HTTP/1."[: end - at] == data[at : at + 7]:
                        raise Failed("MalformedResponse", f"not HTTP: it begins with {data[at : at + 20]!r}")
                    self._keep_rest(data[at:], MAX_HEAD_BYTES)
                    return
                self._head(data[at:head_end], t)
                at = head_end + 4
            else:  # until close
                self._feed(data[at:], t)
                return

    def _keep_rest(self, rest: bytes, most: int) -> None:
        if len(rest) > most:
            raise Failed("MalformedResponse", f"more than {most:,} bytes where a line should end")
        self._rest = rest

    def _head(self, head: bytes, t: float) -> None:
        status, headers = _parse_head(head)
        if 100 <= status < 200:
            return  # an interim answer; the real one follows
        self._attempt.http_status = status
        self._keep = not (head.startswith(b"HTTP/1.0") or headers.get(b"connection", b"").lower() == b"close")
        if status == 200:
            self._reader = self._dialect.reader(self._attempt, headers)
        else:
            self._error_headers, self._error_body = headers, bytearray()
        if headers.get(b"transfer-encoding", b"").lower().endswith(b"chunked"):
            self._state = _SIZE
        elif b"content-length" in headers:
            try:
                self._left = int(headers[b"content-length"])
            except ValueError:
                self._left = -1
            if self._left < 0:
                raise Failed("MalformedResponse", f"a body of {headers[b'content-length']!r} bytes")
            self._state = _LENGTH
            if self._left == 0:
                self._body_ends(t)
        else:
            self._state, self._keep = _UNTIL_CLOSE, False

    def _feed(self, data: bytes, t: float) -> None:
        if self._reader is not None:
            self._reader.feed(data, t)
        elif len(self._error_body) < MAX_ERROR_BYTES:
            self._error_body += data

    def _body_ends(self, t: float) -> None:
        if self._reader is not None:
            self._reader.end(t)
            self._over(t, whole=True)
        else:
            status = self._attempt.http_status or 0
            failed = self._dialect.refused(status, self._error_headers, bytes(self._error_body))
            self._over(t, failed, whole=True)


def _chunk_size(line: bytes) -> int:
    try:
        size = int(line.split(b";", 1)[0], 16)
    except ValueError:
        size = -1
    if size < 0:
        raise Failed("MalformedResponse", f"a chunk of {line[:20]!r} bytes")
    return size


def _parse_head(head: bytes) -> tuple[int, dict[bytes, bytes]]:
    first, *lines = head.split(b"\r\n")
    try:
        version, status = first.split(b" ", 2)[:2]
        if not version.startswith(b"HTTP/1."):
            raise ValueError
        code = int(status)
    except ValueError:
        raise Failed("MalformedResponse", f"not HTTP: it begins with {first[:20]!r}") from None
    headers = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise Failed("MalformedResponse", f"a header line without a colon: {line[:40]!r}")
        headers[name.strip().lower()] = value.strip()
    return code, headers
