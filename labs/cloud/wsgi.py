"""HTTP/1.1 on loopback for a WSGI application: one thread a connection, connections kept alive, each token on the wire at once.

Werkzeug's own handler closes every connection after one answer and waits 10 ms for stragglers before it does; at the rates that draining
a queue takes, that is most of the cost. What it does well (parsing, the WSGI environment, moto's additions) is kept.
"""

import io
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

MAX_BODY_BYTES = 256 * 1024 * 1024
"""More than any AWS call in the course carries (a Lambda package uploads up to 70 MB as base64); a limit so that one request cannot take all memory."""
IDLE_TIMEOUT_S = 120.0


class BadRequest(Exception):  # noqa: N818 - the client's error, not ours
    """The bytes are not an HTTP request that can be answered; the connection closes after `status`."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Handler(MotoRequestHandler):
    """Answers the requests of one connection, one after another."""

    server: "Server"

    protocol_version = "HTTP/1.1"
    # A token is a small packet, and must not wait for the acknowledgement of the one before.
    disable_nagle_algorithm = True
    # Buffered, so that `flush` sends a chunk and its frame as one packet.
    wbufsize = -1
    timeout = IDLE_TIMEOUT_S
    _unsent = b""

    def run_wsgi(self) -> None:
        """Called when a request's head has been parsed."""
        with self.server.answering():
            self._answer()

    def _answer(self) -> None:
        """Hand the request to the application and send what it answers."""
        try:
            body = self._read_body()
        except BadRequest as wrong:
            self.close_connection = True
            self.send_error(wrong.status, str(wrong))
            return
        environ: dict[str, Any] = self.make_environ()
        environ["wsgi.input"], environ["wsgi.input_terminated"] = io.BytesIO(body), True
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        self.environ = environ

        head: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:  # noqa: ARG001
            head[:] = [status, headers]

        chunks = self.server.app(environ, start_response)
        try:
            self._send(head[0], head[1], chunks)
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the client has gone; nobody is left to tell
        finally:
            if hasattr(chunks, "close"):
                chunks.close()

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(self._chunks())
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdecimal():
            raise BadRequest(400, "Content-Length is not a number")
        if int(length) > MAX_BODY_BYTES:
            raise BadRequest(413, "Request body too large")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise BadRequest(400, "Request body ended early")
        return body

    def _chunks(self) -> Any:
        total = 0
        while True:
            try:
                size = int(self.rfile.readline(64).split(b";")[0], 16)
            except ValueError:
                raise BadRequest(400, "Chunk size is not a hexadecimal number") from None
            total += size
            if size < 0 or total > MAX_BODY_BYTES:
                raise BadRequest(413, "Request body too large")
            data = self.rfile.read(size)
            if size == 0:
                while self.rfile.readline(8192).strip():  # trailers
                    pass
                return
            self.rfile.readline(2)
            yield data

    def _send(self, status: str, headers: list[tuple[str, str]], chunks: Any) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        names = set()
        for name, value in headers:
            self.send_header(name, value)
            names.add(name.lower())
        bodiless = self.command == "HEAD" or code in ("204", "304") or code.startswith("1")
        chunked = not bodiless and "content-length" not in names
        if chunked:
            if self.request_version == "HTTP/1.0":
                chunked, self.close_connection = False, True
            else:
                self.send_header("Transfer-Encoding", "chunked")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if chunked:
            self.wfile.flush()  # a stream's head goes out before its first token is ready
        if chunked and hasattr(chunks, "push"):
            chunks.push(self._push)
        else:
            for data in chunks:
                if data and not bodiless:
                    self.wfile.write(framed(data) if chunked else data)
                    if chunked:
                        self.wfile.flush()
        if chunked:
            self._push(b"", True)
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _push(self, data: bytes, may_wait: bool) -> bool:
        """Send a chunk straight to the socket. Without `may_wait` never block: what does not fit waits for the next call, which False asks for."""
        self._unsent += framed(data) if data else b""
        if may_wait:
            self.connection.sendall(self._unsent)
            self._unsent = b""
            return True
        try:
            # The socket has a timeout, so its descriptor does not block; its own `send` would wait for room.
            sent = os.write(self.connection.fileno(), self._unsent)
        except BlockingIOError:
            sent = 0
        self._unsent = self._unsent[sent:]
        return not self._unsent

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The time for a head, made once a second."""
        return _dated(int(time.time() if timestamp is None else timestamp))

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing of ordinary requests."""


@lru_cache(8)
def _dated(second: int) -> str:
    return formatdate(second, usegmt=True)


def framed(data: bytes) -> bytes:
    """One chunk of a body in chunked transfer encoding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Server(ThreadedWSGIServer):
    """Serves on a socket that is already bound, until `is_wanted` says no."""

    request_queue_size = 1024

    def __init__(self, listener: socket.socket, app: Any, is_wanted: Callable[[], bool] = lambda: True) -> None:
        listener.listen(self.request_queue_size)
        host, port = listener.getsockname()
        super().__init__(host, port, app, handler=Handler, fd=listener.fileno())
        listener.close()
        self._is_wanted = is_wanted
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._connections: set[Any] = set()
        self._lock = threading.Lock()
        self._in_flight = 0
        self._quiet_since = time.monotonic()

    def service_actions(self) -> None:
        """Twice a second, and after each new connection."""
        super().service_actions()
        if self._stopping or not self._is_wanted():
            raise SystemExit(0)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Called for each new connection."""
        with self._lock:
            if not self._stopping:
                self._connections.add(request)
        if self._stopping:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Called when a connection ends."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def start(self, name: str) -> None:
        """Serve from a thread of its own until `stop`."""
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(SystemExit):  # how `service_actions` ends it
            self.serve_forever()

    def stop(self) -> None:
        """Let go of the address and cut every connection, whatever is on its way."""
        with self._lock:
            self._stopping = True
            connections = list(self._connections)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            socket.create_connection((self.host, self.port), timeout=1).close()  # wakes the thread that accepts
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=2)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Around the answer to one request, its stream included."""
        with self._lock:
            self._in_flight += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1
                self._quiet_since = time.monotonic()

    def quiet_s(self) -> float:
        """How long no request has been in flight."""
        with self._lock:
            return 0.0 if self._in_flight else time.monotonic() - self._quiet_since
