"""Requests are sent when they are due, whatever has come back, and each leaves one record."""

import asyncio
import sys
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from labs.bench.clock import now
from labs.bench.endpoints.bedrock import Bedrock
from labs.bench.endpoints.openai import OpenAi
from labs.bench.exchange import Ask, Attempt, Failed
from labs.bench.loops import loop_name, run
from labs.bench.quality import judge
from labs.bench.records import Record, WorkerQuality
from labs.bench.runner import Part, Row, Runner
from tests.labs.bench.kit import TOKENS, FakeServer, a_workload, run_here


@dataclass
class Model:
    """A client that answers after so long, without a network."""

    seconds: float = 0.0
    until_asked: int = 0
    """no answer before so many have been asked"""
    fails: Any = None
    asked: list[Ask] = field(default_factory=list)
    at_once: int = 0
    most: int = 0
    closed: bool = False

    async def reach(self) -> None: ...

    def prepare(self, ask: Ask) -> Ask:
        return ask

    async def ask(self, prepared: Ask, attempt: Attempt) -> None:
        self.asked.append(prepared)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        attempt.sent = now()
        try:
            await asyncio.sleep(self.seconds)
            while len(self.asked) < self.until_asked:
                await asyncio.sleep(0.005)
        finally:
            self.at_once -= 1
        if self.fails is not None:
            raise self.fails
        attempt.tokens.append(now())

    async def close(self) -> None:
        self.closed = True


def test_every_request_is_sent_once_and_none_before_its_time() -> None:
    model = Model()
    rows, quality = run_here(a_workload(arrival="poisson", rate_per_s=200, duration_s=0.5), model)
    assert sorted(id for id, *_ in rows) == list(range(len(rows)))
    assert len(rows) == len(model.asked) == quality.requests
    assert all(attempt.sent is not None and attempt.sent >= due for _, due, attempt, _ in rows)
    assert [ask.id for ask in model.asked] == sorted(ask.id for ask in model.asked)
    assert model.closed


def test_an_open_loop_does_not_wait_for_answers() -> None:
    model = Model(until_asked=20)
    rows, _ = run_here(a_workload(rate_per_s=100, duration_s=0.2), model)
    assert model.most == 20
    assert {attempt.status for _, _, attempt, _ in rows} == {"ok"}


def test_a_closed_loop_has_as_many_requests_at_once_as_clients() -> None:
    model = Model(seconds=0.02)
    rows, quality = run_here(a_workload(concurrency=3, requests=12), model)
    assert model.most == 3
    assert len(rows) == 12
    assert quality.lag_ms["p99"] is None  # its clients are never late
    by_time = sorted(rows, key=lambda row: row[1])
    assert by_time[3][1] >= by_time[0][2].ended  # the fourth request waited for an answer


def test_a_closed_loop_ends_with_its_duration() -> None:
    rows, _ = run_here(a_workload(concurrency=2, duration_s=0.2), Model(seconds=0.03))
    assert 2 <= len(rows) <= 14


def test_a_client_that_was_refused_does_not_ask_again_at_once() -> None:
    model = Model(fails=Failed("ThrottlingException"))
    rows, _ = run_here(a_workload(concurrency=2, duration_s=0.4), model)
    assert len(rows) == 2


def test_a_request_that_breaks_the_client_is_one_error_and_not_the_end() -> None:
    rows, _ = run_here(a_workload(rate_per_s=50, duration_s=0.1), Model(fails=KeyError("oops")))
    assert [attempt.status for _, _, attempt, _ in rows] == ["KeyError"] * 5


def test_a_run_that_is_stopped_keeps_what_it_has() -> None:
    rows: list[Row] = []
    model = Model(seconds=0.3)

    async def main() -> WorkerQuality:
        def told(row: Row) -> None:
            rows.append(row)
            runner.stop()  # at the first answer, when the requests after it are on their way

        runner = Runner(Part(0, 1, a_workload(rate_per_s=20, duration_s=60), 20), model, told)
        return await runner.run(now())

    quality = run(main())
    statuses = [attempt.status for _, _, attempt, _ in rows]
    assert quality.requests == len(rows)
    assert set(statuses) == {"ok", "Interrupted"}
    assert model.at_once == 0
    assert model.closed


def test_requests_of_a_session_share_their_beginning() -> None:
    model = Model()
    rows, _ = run_here(a_workload(rate_per_s=100, duration_s=0.3, sessions=2, prefix_tokens=10), model)
    by_session: dict[str | None, set[str]] = {}
    for ask in model.asked:
        by_session.setdefault(ask.session, set()).add(ask.prompt[: ask.prompt.index("#")])
    assert len(by_session) == 2
    assert all(len(prefixes) == 1 for prefixes in by_session.values())
    assert {session for *_, session in rows} == set(by_session)


@pytest.mark.usefixtures("fake")
def test_each_token_is_noted_in_order() -> None:
    rows, _ = run_here(a_workload(rate_per_s=100, duration_s=0.2), Bedrock("fake").open(only_loopback=True))
    for _, due, attempt, _ in rows:
        assert attempt.status == "ok", attempt.message
        assert len(attempt.tokens) == TOKENS == attempt.output_tokens
        assert due <= (attempt.sent or 0) <= attempt.tokens[0]
        assert attempt.tokens == sorted(attempt.tokens)


def test_it_works_without_uvloop(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    monkeypatch.setattr("labs.bench.clock._TimerFd.make", lambda: None)  # nor timerfd, as on macOS
    assert loop_name() == "asyncio"
    rows, _ = run_here(a_workload(rate_per_s=50, duration_s=0.2), OpenAi(fake.url, "fake").open(only_loopback=True))
    assert [(attempt.status, len(attempt.tokens)) for _, _, attempt, _ in rows] == [("ok", TOKENS)] * 10
    assert all(attempt.sent is not None and attempt.sent >= due for _, due, attempt, _ in rows)


def test_a_stall_of_the_server_shows_in_the_latency_of_those_who_were_due(fake: FakeServer) -> None:  # noqa: ARG001
    client = Bedrock("stall-0.6-at-0.2").open(only_loopback=True)
    rows, _ = run_here(a_workload(rate_per_s=40, duration_s=1.0), client)
    ttfts = sorted(attempt.tokens[0] - due for _, due, attempt, _ in rows)
    assert (
        ttfts[-1] >= 0.45
    )  # a closed loop would have sent next to nothing during the stall, and have seen next to nothing of it
    assert sum(ttft >= 0.1 for ttft in ttfts) >= 15


def quality_of(lag_ms: float = 0.1, cpu_s: float = 1.0, stalled_s: float = 0.0) -> WorkerQuality:
    lags = {"p50": lag_ms / 2, "p99": lag_ms, "max": lag_ms}
    return WorkerQuality(0, 1, cpu_s, 10.0, lags, 5, 100.0, stalled_s)


RECORD = Record(0, 0.0, 0.0, 0.2, (0.2, 0.3), 0.3, 0.3, 1, 2, "ok", 200, "", False, 0, None)


@pytest.mark.parametrize(
    ("worker", "reason"),
    [
        (quality_of(), None),
        (quality_of(lag_ms=9.9), None),
        (quality_of(lag_ms=10.1), "sent late"),
        (quality_of(cpu_s=9.1), "91 % of a core"),
        (quality_of(stalled_s=0.2), "stood still"),
    ],
)
def test_a_run_that_the_client_spoiled_does_not_count(worker: WorkerQuality, reason: str | None) -> None:
    quality = judge([RECORD], (worker,), [], finished=True)
    assert quality.valid == (reason is None)
    assert all((reason or "") in found for found in quality.reasons)


def test_a_worker_without_a_request_spoils_nothing() -> None:
    assert judge([RECORD], (quality_of(), replace(quality_of(cpu_s=99.0), requests=0)), [], finished=True).valid


def test_a_run_that_was_stopped_does_not_count() -> None:
    assert not judge([RECORD], (quality_of(),), [], finished=False).valid
