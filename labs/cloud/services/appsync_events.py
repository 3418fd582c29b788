"""AppSync Events' data plane: publish over HTTP, connect over WebSocket, each Event API on a loopback port of its own.

https://docs.aws.amazon.com/appsync/latest/eventapi/event-api-websocket-protocol.html

All Event APIs of a cloud share one thread with one event loop; a connection that waits costs nothing.
"""

import asyncio
import base64
import json
import logging
import threading
import uuid
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from aiohttp import WSCloseCode, WSMsgType, web

from labs.cloud.listener import bind, refusal
from labs.cloud.services.appsync_channels import (
    Limits,
    Refused,
    authorize,
    bad_request,
    checked_events,
    compact,
    matches,
    modes_for,
    namespace_of,
    segments_of,
    unauthorized,
)

logger = logging.getLogger(__name__)
PROTOCOL = "aws-appsync-event-ws"
CONNECTION_TIMEOUT_MS = 300_000
KEEP_ALIVE_S = 60.0
MAX_UNSENT_FRAMES = 2000
"""A subscriber that is so far behind is let go."""
MAX_SUBSCRIPTIONS = 100
"""of one connection"""
T = TypeVar("T")


class Loop:
    """An event loop on a thread of its own, started when first needed."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float = 10.0) -> T:
        """Do `work` on the loop and wait for it."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="event-apis", daemon=True).start()
            loop = self._loop
        return asyncio.run_coroutine_threadsafe(work, loop).result(timeout_s)

    def close(self) -> None:
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)


class Connection:
    """One WebSocket: its subscriptions, and the frames on their way to it."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.subscriptions: dict[str, tuple[str, ...]] = {}
        self._unsent: asyncio.Queue[str] = asyncio.Queue(MAX_UNSENT_FRAMES)
        self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._keep_alive())]

    def send(self, **frame: Any) -> None:
        """Put a frame in line; a client that does not read is let go."""
        try:
            self._unsent.put_nowait(json.dumps(frame, ensure_ascii=False, separators=(",", ":")))
        except asyncio.QueueFull:
            self._tasks.append(asyncio.create_task(self._let_go()))

    async def flush(self) -> None:
        """Wait until everything so far is sent."""
        await asyncio.wait_for(self._unsent.join(), 5)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _write(self) -> None:
        while True:
            frame = await self._unsent.get()
            try:
                with suppress(ConnectionError):
                    await self.socket.send_str(frame)
            finally:
                self._unsent.task_done()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEP_ALIVE_S)
            self.send(type="ka")

    async def _let_go(self) -> None:
        await self.socket.close(code=WSCloseCode.TRY_AGAIN_LATER)


class EventApi:
    """One Event API, served."""

    def __init__(self, api: Any, limits: Limits, loop: Loop) -> None:
        self._api, self._limits, self._loop = api, limits, loop
        self._connections: set[Connection] = set()
        self._bound = bind()
        host, port = self._bound.getsockname()
        self.authority = f"{host}:{port}"
        self._runner: web.AppRunner | None = None
        loop.run(self._open())

    async def _open(self) -> None:
        application = web.Application(middlewares=[guarded], client_max_size=2 * self._limits.publish_bytes)
        application.router.add_post("/event", self._publish_over_http)
        application.router.add_get("/event/realtime", self._connect)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.SockSite(self._runner, self._bound, backlog=1024).start()

    def close(self) -> None:
        with suppress(TimeoutError, RuntimeError):
            self._loop.run(self._close())

    async def _close(self) -> None:
        for connection in list(self._connections):
            await connection.socket.close(code=WSCloseCode.GOING_AWAY)
        if self._runner is not None:
            await self._runner.cleanup()

    # -- HTTP

    async def _publish_over_http(self, request: web.Request) -> web.Response:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return refused_over_http(bad_request("The request is too large."))
        try:
            message = parsed(body)
            headers = {name.lower(): value for name, value in request.headers.items()}
            if len(body) > self._limits.publish_bytes:
                raise bad_request("The request is too large.")
            return web.json_response(self._publish(message, headers, body))
        except Refused as refused:
            return refused_over_http(refused)

    def _publish(self, message: Mapping[str, Any], headers: Mapping[str, str], signed: bytes) -> dict[str, Any]:
        channel = segments_of(message.get("channel"), self._limits)
        namespace = namespace_of(self._api, channel)
        authorize(self._api, modes_for(self._api, "publish", namespace), headers, signed)
        events = checked_events(message.get("events"), self._limits)
        for connection in list(self._connections):
            for identifier, pattern in list(connection.subscriptions.items()):
                if matches(pattern, channel):
                    for event in events:
                        connection.send(type="data", id=identifier, event=event)
        return {"failed": [], "successful": [{"identifier": str(uuid.uuid4()), "index": i} for i in range(len(events))]}

    # -- WebSocket

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(
            protocols=(PROTOCOL,), max_msg_size=2 * self._limits.publish_bytes, heartbeat=KEEP_ALIVE_S, compress=False
        )
        if not socket.can_prepare(request):
            return web.Response(status=400, text="A WebSocket is expected here.\n")
        await socket.prepare(request)
        connection = Connection(socket)
        try:
            try:
                self._let_in(request)
            except Refused as refused:
                connection.send(type="connection_error", errors=refused.errors)
                await connection.flush()
                await socket.close(code=WSCloseCode.POLICY_VIOLATION)
                return socket
            self._connections.add(connection)
            async for message in socket:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                self._take(connection, message.data)
        finally:
            self._connections.discard(connection)
            await connection.end()
        return socket

    def _let_in(self, request: web.Request) -> None:
        """Check the handshake's subprotocols: the protocol's own, and the authorisation as one. Raises Refused."""
        offered = [part.strip() for part in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        given = next((part.removeprefix("header-") for part in offered if part.startswith("header-")), None)
        if PROTOCOL not in offered or given is None:
            raise bad_request(f"Both subprotocols are required: {PROTOCOL} and header-<authorization>.")
        try:
            headers = parsed(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)))
        except ValueError:
            raise bad_request("The authorization header is not base64.") from None
        headers = lower(headers)
        if headers.get("host") != self.authority:
            raise unauthorized()  # the host is the HTTP endpoint's, not the realtime endpoint's
        authorize(self._api, modes_for(self._api, "connect"), headers, b"{}")

    def _take(self, connection: Connection, data: str | bytes) -> None:
        """One frame of the client's."""
        try:
            message = parsed(data)
        except Refused as refused:
            connection.send(type="error", errors=refused.errors)
            return
        identifier, kind = message.get("id"), message.get("type")
        if kind == "connection_init":
            connection.send(type="connection_ack", connectionTimeoutMs=CONNECTION_TIMEOUT_MS)
            return
        if kind not in ("subscribe", "unsubscribe", "publish"):
            unknown = Refused("UnsupportedOperation", "Operation not supported through the realtime channel")
            connection.send(
                type="error", **({"id": identifier} if identifier is not None else {}), errors=unknown.errors
            )
            return
        try:
            if not isinstance(identifier, str) or not 1 <= len(identifier) <= 128:
                raise bad_request("A message needs an id of 1 to 128 characters.")
            answer: dict[str, Any] = {}
            if kind == "subscribe":
                self._subscribe(connection, identifier, message)
            elif kind == "unsubscribe":
                unsubscribe(connection, identifier)
            else:
                signed = compact({"channel": message.get("channel"), "events": message.get("events")})
                answer = self._publish(message, lower(message.get("authorization")), signed)
            connection.send(type=f"{kind}_success", id=identifier, **answer)
        except Refused as refused:
            connection.send(type=f"{kind}_error", id=identifier, errors=refused.errors)
        except Exception:
            logger.exception("an Event API failed at %s", kind)
            connection.send(type=f"{kind}_error", id=identifier, errors=Refused("InternalFailure", "It failed.").errors)

    def _subscribe(self, connection: Connection, identifier: str, message: Mapping[str, Any]) -> None:
        channel = segments_of(message.get("channel"), self._limits, wildcard=True)
        namespace = namespace_of(self._api, channel)
        headers = lower(message.get("authorization"))
        signed = compact({"channel": message["channel"]})
        authorize(self._api, modes_for(self._api, "subscribe", namespace), headers, signed)
        if identifier in connection.subscriptions:
            raise bad_request(f"There is a subscription with the id {identifier} already.")
        if len(connection.subscriptions) >= MAX_SUBSCRIPTIONS:
            raise Refused("LimitExceededException", f"A connection may have {MAX_SUBSCRIPTIONS} subscriptions.")
        connection.subscriptions[identifier] = channel


def unsubscribe(connection: Connection, identifier: str) -> None:
    if connection.subscriptions.pop(identifier, None) is None:
        raise Refused("UnknownOperationError", f"Unknown operation id {identifier}")


@web.middleware
async def guarded(request: web.Request, handler: Any) -> web.StreamResponse:
    """Let in whom the guard lets in; answer across origins as AppSync does."""
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()}
    if (reason := refusal(environ)) is not None:
        return web.Response(status=403, text=f"{reason}\n")
    if request.method == "OPTIONS":
        answer: web.StreamResponse = web.Response(status=200)
    else:
        answer = await handler(request)
    if not answer.prepared:
        answer.headers["Access-Control-Allow-Origin"] = "*"
        answer.headers["Access-Control-Allow-Headers"] = "*"
        answer.headers["Access-Control-Allow-Methods"] = "POST, OPTIONS"
    return answer


def refused_over_http(refused: Refused) -> web.Response:
    return web.json_response({"errors": refused.errors}, status=refused.status)


def parsed(data: str | bytes) -> dict[str, Any]:
    """A JSON object. Raises Refused."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise bad_request("The message is not JSON.") from None
    if not isinstance(value, dict):
        raise bad_request("The message is not an object.")
    return value


def lower(headers: Any) -> dict[str, str]:
    """Headers by lower-case name; none when these are no headers."""
    if not isinstance(headers, dict):
        return {}
    return {str(name).lower(): str(value) for name, value in headers.items()}
