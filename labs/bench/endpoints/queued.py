"""Answers that are fetched, not waited for on a connection: hand in, then ask again and again. For SQUID and for asynchronous inference.

The libraries that do it block, so they work in threads of their own; what they cost is the client's, and its share of a core says so.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from labs.bench.clock import now
from labs.bench.exchange import Ask, Attempt, Failed
from labs.errors import Refusal

THREADS = 10


@dataclass(frozen=True)
class Arrived:
    """A whole answer."""

    input_tokens: int | None = None
    output_tokens: int | None = None


class Desk(Protocol):
    """Where requests are handed in and answers are fetched; called from threads."""

    def submit(self, ask: Ask) -> Any:
        """Hand in one request; a ticket, hashable, by which its answer is fetched."""

    def poll(self, tickets: Sequence[Any]) -> Mapping[Any, Arrived | Failed]:
        """Those of these tickets whose end has come."""


class Queued:
    """A client of a desk."""

    def __init__(self, desk: Desk, poll_s: float) -> None:
        self._desk, self._poll_s = desk, poll_s
        self._pending: dict[Any, asyncio.Future[tuple[float, Arrived | Failed]]] = {}
        self._pool = ThreadPoolExecutor(THREADS, "desk")
        self._poller: asyncio.Task[None] | None = None

    async def reach(self) -> None:
        """Whoever opened the desk has called it already."""

    def prepare(self, ask: Ask) -> Ask:
        """Nothing can be done before it is due."""
        return ask

    async def ask(self, prepared: Ask, attempt: Attempt) -> None:
        """See `exchange.Client`."""
        loop = asyncio.get_running_loop()
        ticket = await self._in_thread(self._desk.submit, prepared)
        attempt.sent = now()
        future = self._pending[ticket] = loop.create_future()
        if self._poller is None or self._poller.done():
            self._poller = loop.create_task(self._poll())
        try:
            attempt.ended, answer = await future
        finally:
            self._pending.pop(ticket, None)
        if isinstance(answer, Failed):
            raise answer
        attempt.tokens.append(attempt.ended)
        attempt.input_tokens, attempt.output_tokens = answer.input_tokens, answer.output_tokens

    async def close(self) -> None:
        """Stop asking."""
        if self._poller is not None:
            self._poller.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _poll(self) -> None:
        while self._pending:
            try:
                found = await self._in_thread(self._desk.poll, list(self._pending))
            except Failed as failed:
                found = dict.fromkeys(self._pending, failed)
            t = now()
            for ticket, answer in found.items():
                future = self._pending.pop(ticket, None)
                if future is not None and not future.done():
                    future.set_result((t, answer))
            await asyncio.sleep(self._poll_s)

    async def _in_thread(self, work: Any, given: Any) -> Any:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, given)
        except (ClientError, BotoCoreError, Refusal) as error:
            raise as_failed(error) from None


def as_failed(error: ClientError | BotoCoreError | Refusal) -> Failed:
    """A library's error, as it is counted."""
    if isinstance(error, ClientError):
        about = error.response["Error"]
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return Failed(about["Code"], about.get("Message", ""), status)
    if isinstance(error, Refusal):
        return Failed("Refused", str(error))
    return Failed("ConnectError" if isinstance(error, HTTPClientError) else type(error).__name__, str(error))
