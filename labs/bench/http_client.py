"""A client of one HTTP server: connections are kept and used again, as many as there are requests at once. Nothing is ever sent twice."""

import asyncio
import errno
import os
import ssl

from labs.bench.clock import now
from labs.bench.exchange import Ask, Attempt, Failed
from labs.bench.http1 import Connection, Dialect

IDLE_S = 30.0
"""A connection unused for longer is not used again: somewhere on the way it may have been forgotten without a word."""
CONNECT_TIMEOUT_S = 10.0


def _trust() -> ssl.SSLContext:
    """Whom to trust: the system's authorities, boto3's (which some systems need), and those that AWS_CA_BUNDLE names."""
    from botocore.httpsession import where  # only here: most of a worker's start would go into it

    context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
    context.load_verify_locations(where())
    return context


class HttpClient:
    """A client of one server."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect, self._origin = dialect, dialect.origin
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._tls = _trust() if self._origin.tls else None

    async def reach(self) -> None:
        """See `exchange.Client`; the connection is kept for the first request."""
        connection = await self._connect()
        connection.idle_since = now()
        self._idle.append(connection)

    def prepare(self, ask: Ask) -> bytes:
        """See `exchange.Client`."""
        return self._dialect.message(ask)

    async def ask(self, prepared: bytes, attempt: Attempt) -> None:
        """See `exchange.Client`."""
        connection = self._take() or await self._connect()
        try:
            await connection.ask(prepared, attempt)
        finally:
            if connection.usable:
                self._idle.append(connection)
            else:  # cancelled, or closed
                connection.abort()
                self._all.discard(connection)

    async def close(self) -> None:
        """Close every connection."""
        for connection in self._all:
            connection.abort()
        self._all.clear()
        self._idle.clear()
        await asyncio.sleep(0)

    def _take(self) -> Connection | None:
        oldest = now() - IDLE_S
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.idle_since > oldest:
                return connection
            connection.abort()
            self._all.discard(connection)
        return None

    async def _connect(self) -> Connection:
        host, port = self._origin.host, self._origin.port
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._dialect),
                    host,
                    port,
                    ssl=self._tls,
                    server_hostname=host if self._tls else None,
                )
        except ssl.SSLError as error:
            raise Failed("TlsError", f"{host}:{port}: {error.reason or error}") from None
        except TimeoutError:
            raise Failed("ConnectTimeout", f"{host}:{port} took no connection in {CONNECT_TIMEOUT_S:g} s") from None
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise Failed(
                    "TooManyOpenFiles", "this machine lets the client open no more connections (ulimit -n)"
                ) from None
            raise Failed("ConnectError", f"{host}:{port}: {error.strerror or error}") from None
        self._all.add(connection)
        return connection
