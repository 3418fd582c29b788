"""Listening to a stack's Event API: a job's pieces, in order, for as long as the connection lasts.

    with Ear(Place("host", "realtime-host", "da2-..."), job_id) as ear:
        for piece in ear.wait(2.0): print(piece.text, end="")

Events can be lost, doubled and overtaken: `Line` puts them in order. Whoever listens polls as well, for the end is in the table.
https://docs.aws.amazon.com/appsync/latest/eventapi/event-api-websocket-protocol.html
"""

import asyncio
import base64
import json
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from labs.cloud.addresses import without_tls
from labs.squid.functions.jobs import FINAL
from labs.squid.functions.push import channel

OPENING_S = 5.0


@dataclass(frozen=True)
class Place:
    """Where a stack's events are; empty where it pushes nothing."""

    host: str
    realtime_host: str
    key: str


@dataclass(frozen=True)
class Piece:
    """Some text of an answer that is being written."""

    text: str
    attempt: int
    """Which worker's; a higher one begins the text anew."""


@dataclass
class Line:
    """The events of one job, put in order: each once, none before its predecessor, only the latest attempt's."""

    attempt: int = 0
    _next: int = 0
    _early: dict[int, dict[str, Any]] = field(default_factory=dict)

    def take(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """What can be shown now that this one is here."""
        attempt, seq = int(event["attempt"]), int(event["seq"])
        if attempt < self.attempt:
            return []
        if attempt > self.attempt:
            self.attempt, self._next, self._early = attempt, 0, {}
        if seq >= self._next:
            self._early[seq] = event
        shown = []
        while (event_now := self._early.pop(self._next, None)) is not None:
            shown.append(event_now)
            self._next += 1
        return shown


class Ear:
    """A connection on a thread of its own; what it hears waits in line. Never raises: it hears something, or it is closed."""

    def __init__(self, place: Place, job_id: str) -> None:
        self._place, self._job_id = place, job_id
        self._heard: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._line = Line()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._opened, self._closed = threading.Event(), threading.Event()
        self.told_of_end = False

    @property
    def is_open(self) -> bool:
        """Whether it can hear anything."""
        return self._opened.is_set() and not self._closed.is_set()

    def __enter__(self) -> "Ear":
        if not self._place.realtime_host:
            self._closed.set()
            return self
        threading.Thread(target=lambda: asyncio.run(self._listen()), name="squid-ear", daemon=True).start()
        deadline = time.monotonic() + OPENING_S
        while not (self._opened.wait(0.01) or self._closed.is_set()) and time.monotonic() < deadline:
            pass
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._task is not None and not self._closed.is_set():
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._closed.wait(OPENING_S)

    def wait(self, timeout_s: float) -> Iterator[Piece]:
        """Pieces that come within the time; returns at the first, at the end of the job, or when the connection is lost."""
        if self._closed.is_set() and self._heard.empty():
            time.sleep(timeout_s)
            return
        try:
            event = self._heard.get(timeout=timeout_s)
        except queue.Empty:
            return
        yield from self._shown(event)
        yield from self.heard()

    def heard(self) -> Iterator[Piece]:
        """What is here already."""
        while True:
            try:
                event = self._heard.get_nowait()
            except queue.Empty:
                return
            yield from self._shown(event)

    def _shown(self, event: dict[str, Any] | None) -> Iterator[Piece]:
        if event is None:
            return
        self.told_of_end = self.told_of_end or event.get("status") in FINAL  # in order or not
        for each in self._line.take(event):
            if each.get("text"):
                yield Piece(each["text"], self._line.attempt)

    async def _listen(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        try:
            await self._connect()
        except (aiohttp.ClientError, OSError, ValueError, KeyError, TimeoutError, asyncio.CancelledError):
            pass  # whoever listens polls as well
        finally:
            self._closed.set()
            self._heard.put(None)  # wakes whoever waits

    async def _connect(self) -> None:
        authorization = {"host": self._place.host, "x-api-key": self._place.key}
        header = base64.urlsafe_b64encode(json.dumps(authorization).encode()).decode().rstrip("=")
        url = without_tls(f"wss://{self._place.realtime_host}/event/realtime")
        protocols = ("aws-appsync-event-ws", f"header-{header}")
        async with aiohttp.ClientSession() as session, session.ws_connect(url, protocols=protocols) as socket:
            await socket.send_json({"type": "connection_init"})
            wish = {"type": "subscribe", "id": self._job_id, "channel": channel(self._job_id)}
            await socket.send_json(wish | {"authorization": authorization})
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return
                said = json.loads(message.data)
                if said["type"] == "subscribe_success":
                    self._opened.set()
                elif said["type"].endswith("error"):
                    return
                elif said["type"] == "data":
                    self._heard.put(json.loads(said["event"]))
