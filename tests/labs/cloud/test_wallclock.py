"""The engine's times become real ones: never early, hardly late, for one stream or a hundred, and nobody polls."""

import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from labs.cloud.wallclock import Rejected, WallClock
from labs.serving.engine import ConstantLaw, Engine, EngineConfig, Event, ReplicaSpec, Request

TTFT_S, TPOT_S = 0.05, 0.01


def config(**more: int) -> EngineConfig:
    law = ConstantLaw(ttft_s=TTFT_S, tpot_s=TPOT_S)
    return EngineConfig(
        replica=ReplicaSpec(law, max_num_seqs=more.pop("max_num_seqs", 256)), stream_tokens=True, **more
    )


class Counting(Engine):
    """Counts how often it is asked to advance."""

    advances = 0

    def advance(self, t: float) -> list[Event]:
        self.advances += 1
        return super().advance(t)


class Scripted:
    """An engine that rejects: at once, or after a while."""

    def __init__(self, reject_after_s: float) -> None:
        self.reject_after_s = reject_after_s
        self.pending: list[Event] = []

    def submit(self, t: float, request: Request) -> None:
        self.pending.append(Event(t + self.reject_after_s, request.id, "rejected", 0, "quota"))

    def advance(self, t: float) -> list[Event]:
        due = [event for event in self.pending if event.t <= t]
        self.pending = [event for event in self.pending if event.t > t]
        return due

    def next_event_at(self) -> float | None:
        return min((event.t for event in self.pending), default=None)

    def cancel(self, t: float, request_id: str) -> bool:  # noqa: ARG002
        return False


def in_threads(work: Callable[[int], None], n: int) -> None:
    threads = [threading.Thread(target=work, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)


def test_every_token_comes_at_its_time_and_none_before() -> None:
    clock = WallClock(Engine(config()))
    stream = clock.submit(Request("a", 100, 10))
    arrivals = [(event, time.monotonic()) for event in stream]
    tokens = [(event.t, at) for event, at in arrivals if event.kind == "tokens"]
    assert len(tokens) == 10
    assert all(due <= at < due + 1.0 for due, at in tokens)
    assert tokens[0][0] - stream.submitted_at == pytest.approx(TTFT_S)
    assert all(after - before == pytest.approx(TPOT_S) for (before, _), (after, _) in pairwise(tokens))
    assert arrivals[-1][0].kind == "finished"


def test_without_every_token_only_the_end_is_waited_for() -> None:
    stream = WallClock(Engine(config())).submit(Request("a", 100, 10), every_token=False)
    assert [(event.kind, event.tokens) for event in stream] == [("finished", 10)]


@pytest.mark.parametrize("replicas", [1, 60])
def test_many_streams_share_one_clock(replicas: int) -> None:
    clock, got = WallClock(Engine(config(replicas=replicas))), {}

    def follow(i: int) -> None:
        time.sleep(i * 0.002)
        got[i] = sum(event.tokens for event in clock.submit(Request(str(i), 100, 15 + i % 7)) if event.kind == "tokens")

    in_threads(follow, 60)
    assert got == {i: 15 + i % 7 for i in range(60)}


def test_many_streams_are_attended_to_together() -> None:
    clock, got = WallClock(Engine(config(replicas=60))), {}

    def follow(i: int) -> None:
        events: list[Event] = []
        clock.submit(Request(str(i), 100, 20)).attend(lambda due, _: events.extend(due) is None)
        got[i] = events

    in_threads(follow, 60)
    for events in got.values():
        assert sum(event.tokens for event in events if event.kind == "tokens") == 20
        assert [event.t for event in events] == sorted(event.t for event in events)
        assert events[-1].kind == "finished"


def test_nobody_polls() -> None:
    engine = Counting(config(replicas=20))
    clock = WallClock(engine)
    in_threads(lambda i: list(clock.submit(Request(str(i), 100, 10))) and None, 20)  # type: ignore[func-returns-value]
    # 20 x 12 events; a little over one look at the engine for each, and nothing like one a millisecond and stream
    assert engine.advances < 3 * 20 * 12


def test_a_new_request_is_served_while_others_wait_for_a_distant_event() -> None:
    clock = WallClock(Engine(config(replicas=2)))
    slow = threading.Thread(target=lambda: list(clock.submit(Request("slow", 100, 200))))
    slow.start()
    time.sleep(0.02)
    started = time.monotonic()
    assert len(list(clock.submit(Request("quick", 100, 1)))) >= 2
    assert time.monotonic() - started < 1.0
    assert slow.is_alive()
    slow.join(timeout=60)


def test_when_the_one_that_keeps_the_time_stops_early_another_takes_over() -> None:
    clock = WallClock(Engine(config(replicas=5)))
    first = clock.submit(Request("first", 100, 50))
    done = threading.Event()
    other = threading.Thread(target=lambda: list(clock.submit(Request("other", 100, 20))) and done.set())  # type: ignore[func-returns-value]
    next(first)
    other.start()
    next(first)
    first.close()
    assert done.wait(timeout=30)
    assert list(first) == []
    other.join()


def test_closing_a_stream_frees_its_seat() -> None:
    engine = Engine(config(max_num_seqs=1))
    clock = WallClock(engine)
    long = clock.submit(Request("long", 100, 100_000))
    next(long)
    long.close()
    long.close()
    assert [event.kind for event in clock.submit(Request("next", 100, 1), every_token=False)] == ["finished"]
    assert engine.snapshot().cancelled == 1


def test_a_rejection_at_once_is_raised_by_submit() -> None:
    with pytest.raises(Rejected) as rejected:
        WallClock(Scripted(0)).submit(Request("a", 1, 1))  # type: ignore[arg-type]
    assert rejected.value.reason == "quota"


def test_a_rejection_later_is_raised_by_the_stream() -> None:
    stream = WallClock(Scripted(0.02)).submit(Request("a", 1, 1))  # type: ignore[arg-type]
    with pytest.raises(Rejected):
        next(stream)
    assert list(stream) == []


def test_one_that_cannot_keep_up_goes_on_by_itself_and_loses_nothing() -> None:
    clock = WallClock(Engine(config(replicas=2)))
    calls: list[tuple[int, bool]] = []

    def deliver(due: list[Event], may_wait: bool) -> bool:
        calls.append((sum(event.tokens for event in due if event.kind == "tokens"), may_wait))
        return len(calls) < 3

    clock.submit(Request("a", 100, 20)).attend(deliver)
    assert sum(tokens for tokens, _ in calls) == 20
    assert [may_wait for _, may_wait in calls][:3] == [False, False, False]
    assert all(may_wait for _, may_wait in calls[3:])
    assert len(calls) > 3


def test_one_that_fails_does_not_stop_the_others() -> None:
    clock, finished = WallClock(Engine(config(replicas=10))), []

    def follow(i: int) -> None:
        def deliver(due: list[Event], _: bool) -> bool:
            if i == 0:
                raise OSError("gone")
            return bool(due)

        try:
            clock.submit(Request(str(i), 100, 20)).attend(deliver)
        except OSError:
            return
        finished.append(i)

    in_threads(follow, 10)
    assert sorted(finished) == list(range(1, 10))


def test_those_who_read_and_those_who_are_attended_to_share_a_clock() -> None:
    clock, got = WallClock(Engine(config(replicas=8))), []

    def follow(i: int) -> None:
        stream = clock.submit(Request(str(i), 100, 20))
        if i % 2:
            stream.attend(lambda due, _: bool(due))
            got.append(20)
        else:
            got.append(sum(event.tokens for event in stream if event.kind == "tokens"))

    in_threads(follow, 8)
    assert got == [20] * 8
