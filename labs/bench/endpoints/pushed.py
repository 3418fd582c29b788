"""Answers that are told of: hand in, then listen on one WebSocket for the pieces of every job. For SQUID with its Event API.

A job's first token is the first piece that is heard. Pieces can be lost, so what counts as the end is still the table: it is read when
the end was told, and now and then beside, as whoever follows a job does.
https://docs.aws.amazon.com/appsync/latest/eventapi/event-api-websocket-protocol.html
"""

import asyncio
import base64
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from labs.bench.clock import now
from labs.bench.endpoints.queued import Desk, Queued
from labs.bench.exchange import Ask, Attempt, Failed
from labs.cloud.addresses import without_tls
from labs.squid.functions.jobs import FINAL
from labs.squid.functions.push import channel
from labs.squid.listening import Place

SELDOM_S = 2.0
"""how often the table is read of a job of whose end nothing was heard"""
OPENING_S = 10.0


@dataclass
class _Heard:
    attempt: Attempt
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    worker: int = 0
    """whose pieces they are; another worker begins the answer anew"""


class Pushed(Queued):
    """A client of a desk that has a voice."""

    def __init__(self, desk: Desk, place: Place) -> None:
        super().__init__(desk, SELDOM_S)
        self._place = place
        self._listened: dict[str, _Heard] = {}
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._ear: asyncio.Task[None] | None = None

    async def reach(self) -> None:
        """Open the socket. Raises Failed where the stack pushes nothing, or nobody takes the connection."""
        if not self._place.realtime_host:
            raise Failed("NoPush", "this stack pushes nothing; leave out --push, and its table is polled")
        self._http = aiohttp.ClientSession()
        header = base64.urlsafe_b64encode(json.dumps(self._authorization).encode()).decode().rstrip("=")
        url = without_tls(f"wss://{self._place.realtime_host}/event/realtime")
        protocols = ("aws-appsync-event-ws", f"header-{header}")
        try:
            async with asyncio.timeout(OPENING_S):
                self._socket = await self._http.ws_connect(url, protocols=protocols)
                await self._socket.send_json({"type": "connection_init"})
        except (aiohttp.ClientError, OSError, TimeoutError) as broken:
            await self._http.close()
            raise Failed("ConnectError", f"the event API cannot be listened to: {broken}") from None
        self._ear = asyncio.create_task(self._listen(self._socket))

    async def ask(self, prepared: Ask, attempt: Attempt) -> None:
        """See `exchange.Client`."""
        assert self._socket is not None
        job_id = await self._in_thread(self._desk.submit, prepared)
        attempt.sent = now()
        heard = self._listened[job_id] = _Heard(attempt)
        wish = {"type": "subscribe", "id": job_id, "channel": channel(job_id), "authorization": self._authorization}
        try:
            await self._say(wish)
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(SELDOM_S):
                        await heard.ended.wait()
                answer = (await self._in_thread(self._desk.poll, [job_id])).get(job_id)
                if answer is not None:
                    break
                if heard.ended.is_set():  # the table says so in a moment
                    await asyncio.sleep(0.01)
        finally:
            self._listened.pop(job_id, None)
            await self._say({"type": "unsubscribe", "id": job_id})
        attempt.ended = now()
        if isinstance(answer, Failed):
            raise answer
        if not (attempt.tokens and heard.ended.is_set()):
            attempt.tokens.append(attempt.ended)  # what was not heard is there now
        attempt.input_tokens, attempt.output_tokens = answer.input_tokens, answer.output_tokens

    async def close(self) -> None:
        """Stop listening."""
        await super().close()
        if self._ear is not None:
            self._ear.cancel()
        if self._http is not None:
            await self._http.close()

    @property
    def _authorization(self) -> dict[str, str]:
        return {"host": self._place.host, "x-api-key": self._place.key}

    async def _say(self, message: dict[str, Any]) -> None:
        """To the socket while there is one; without it the table is all there is, and that is enough."""
        if self._socket is not None and not self._socket.closed:
            with suppress(aiohttp.ClientError, OSError):
                await self._socket.send_json(message)

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            said = json.loads(message.data)
            if said.get("type") == "data":
                self._hear(json.loads(said["event"]))

    def _hear(self, event: dict[str, Any]) -> None:
        heard = self._listened.get(str(event.get("job_id")))
        if heard is None or int(event["attempt"]) < heard.worker:
            return
        if int(event["attempt"]) > heard.worker:
            heard.worker = int(event["attempt"])
            heard.attempt.tokens.clear()
        if event.get("text"):
            heard.attempt.tokens.append(now())
        if event.get("status") in FINAL:
            heard.ended.set()
