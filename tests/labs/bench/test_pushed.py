"""Through the queue by push: the first piece is the first token, lost or doubled pieces change nothing at the end, and the table has the last word."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from labs.bench.endpoints.pushed import Pushed
from labs.bench.endpoints.queued import Arrived
from labs.bench.exchange import Ask, Attempt, Failed
from labs.bench.loops import run
from labs.squid.listening import Place
from tests.labs.bench.kit import an_ask, result

Event = Mapping[str, Any]


class Desk:
    """Answers are in the table at once, or are never told of."""

    def __init__(self, failed: str = "") -> None:
        self._failed = failed

    def submit(self, ask: Ask) -> str:
        return f"job-{ask.id}"

    def poll(self, tickets: Sequence[str]) -> Mapping[str, Arrived | Failed]:
        return {ticket: Failed("JobFailed", self._failed) if self._failed else Arrived(7, 30) for ticket in tickets}


def told(events: Sequence[Event], desk: Desk | None = None) -> Attempt:
    """One attempt, whose subscription is answered with these events, a hundredth of a second between two."""

    async def speak(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("aws-appsync-event-ws",))
        await socket.prepare(request)
        async for message in socket:
            said = json.loads(message.data) if message.type is WSMsgType.TEXT else {}
            if said.get("type") == "subscribe":
                assert said["channel"] == f"/jobs/{said['id']}"
                for event in events:
                    await asyncio.sleep(0.01)
                    await socket.send_json(
                        {"type": "data", "id": said["id"], "event": json.dumps({"job_id": said["id"], **event})}
                    )
        return socket

    async def main() -> Attempt:
        app = web.Application()
        app.router.add_get("/event/realtime", speak)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host = f"127.0.0.1:{runner.addresses[0][1]}"
        client = Pushed(desk or Desk(), Place(host, host, "da2-key"))
        try:
            await client.reach()
            return await result(client, an_ask())
        finally:
            await client.close()
            await runner.cleanup()

    return run(main())


def piece(seq: int, text: str = "word ", attempt: int = 1, **more: str) -> Event:
    return {"attempt": attempt, "seq": seq, "text": text, **more}


def test_the_first_piece_is_the_first_token() -> None:
    attempt = told([piece(0), piece(1), piece(2, "", status="DONE")])
    assert attempt.status == "ok"
    assert len(attempt.tokens) == 2
    assert attempt.sent is not None
    assert attempt.ended is not None
    assert attempt.sent < attempt.tokens[0] < attempt.tokens[1] <= attempt.ended
    assert (attempt.input_tokens, attempt.output_tokens) == (7, 30)


def test_another_worker_begins_the_answer_anew() -> None:
    attempt = told([piece(0), piece(1), piece(0, attempt=2), piece(2), piece(1, "", attempt=2, status="DONE")])
    assert len(attempt.tokens) == 1  # the second worker's; the first one's late piece is not heard any more


def test_an_end_that_nobody_tells_is_found_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labs.bench.endpoints.pushed.SELDOM_S", 0.05)
    began = time.monotonic()
    attempt = told([])
    assert attempt.status == "ok"
    assert attempt.tokens == [attempt.ended]  # in one piece, when it was seen
    assert attempt.ended is not None
    assert attempt.ended - began >= 0.05


def test_a_job_that_failed_is_a_failure() -> None:
    attempt = told([piece(0, "", status="FAILED")], Desk("the model is gone"))
    assert (attempt.status, attempt.message) == ("JobFailed", "the model is gone")


def test_a_stack_without_push_is_refused() -> None:
    async def main() -> None:
        await Pushed(Desk(), Place("", "", "")).reach()

    with pytest.raises(Failed, match="leave out --push"):
        run(main())
