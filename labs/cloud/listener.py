"""An address of its own on loopback for a data plane: a function's URL, an HTTP API, an event API, a model server on an instance.

    listener = open_listener(application)          # any free port of 127.0.0.1
    listener.url                                   # "http://127.0.0.1:40123"
    listener.close()

On AWS each of these has a host name of its own, and with it an origin of its own. Here each has a port (an instance: an address) of its
own, so that paths, cookies and origins mean the same, and clients build addresses from what the API answers, as on AWS.
"""

import errno
import logging
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from labs.cloud import guard
from labs.cloud.wsgi import Server

logger = logging.getLogger(__name__)
LOOPBACK = "127.0.0.1"


class AddressTaken(Exception):  # noqa: N818 - an answer of the system's
    """Something listens there already, or this machine has no such address, or it is not ours to take."""


@dataclass(frozen=True)
class Listener:
    """A served address."""

    host: str
    port: int
    server: Server

    @property
    def authority(self) -> str:
        """Host and port, as a URL and the Host header have them."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.authority}"

    def close(self) -> None:
        self.server.stop()


def bind(host: str = LOOPBACK, port: int = 0) -> socket.socket:
    """A socket bound to a loopback address. Raises AddressTaken."""
    if not guard.is_loopback(host):
        raise ValueError(f"{host} is not loopback")
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen()
    except OSError as failed:
        bound.close()
        if failed.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
            raise AddressTaken(f"{host}:{port}: {failed.strerror}") from None
        raise
    return bound


def open_listener(application: Any, host: str = LOOPBACK, port: int = 0, *, name: str = "data-plane") -> Listener:
    """Serve a WSGI application from a thread, to whom the guard lets through. Raises AddressTaken."""
    bound = bind(host, port)
    host, port = bound.getsockname()
    server = Server(bound, Guarded(application))
    server.start(name)
    return Listener(host, port, server)


class Guarded:
    """A data plane's application behind the guard; whatever fails in it is an answer, not a lost connection."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if (reason := refusal(environ)) is not None:
            return plain(start_response, "403 Forbidden", reason)
        try:
            answer: Iterable[bytes] = self._application(environ, start_response)
        except Exception:
            logger.exception("%s %s", environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"))
            return plain(start_response, "500 Internal Server Error", "Internal Server Error")
        return answer


def refusal(environ: dict[str, Any]) -> str | None:
    """As `guard.refusal`, but a page of this machine may call an API of this machine, as a web front end does."""
    origin = environ.get("HTTP_ORIGIN")
    if origin and guard.is_loopback_url(origin):
        environ = {name: value for name, value in environ.items() if name != "HTTP_SEC_FETCH_SITE"}
    return guard.refusal(environ)


def plain(start_response: Any, status: str, text: str) -> Iterable[bytes]:
    body = f"{text}\n".encode()
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]
