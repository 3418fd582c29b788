"""The engine: every request is accounted for, live driving equals a run, quotas hold, clients may leave."""

from collections import Counter
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.serving.admission import Admission, TokenQuota
from labs.serving.autoscaling import Policy, ScaleToZero, TargetTracking
from labs.serving.batching import ReplicaSpec
from labs.serving.engine import ConstantLaw, Engine, EngineConfig, Event, Request
from labs.serving.replica import Spec
from labs.serving.requests import NEVER, Table
from labs.serving.router import ROUTERS
from labs.serving.service import ServiceSpec
from labs.serving.static_batching import StaticSpec
from labs.serving.stepwise import stepwise


@dataclass(frozen=True)
class LinearLaw:
    per_cached_token_s: float = 1.37e-7

    @property
    def least_step_s(self) -> float:
        return 0.0123

    def decode_s(self, batch: int) -> float:
        return 0.0123 + 3.1e-5 * batch

    def mixed_s(self, batch: int, prefill_tokens: int, prefill_attention: float) -> float:
        return 0.0123 + 3.1e-5 * batch + 2.3e-5 * prefill_tokens + 1.1e-9 * prefill_attention


CONTINUOUS = ReplicaSpec(LinearLaw(), max_num_seqs=6, token_budget=70, kv_capacity_tokens=600, cold_start_s=7.3)
STATIC = StaticSpec(ConstantLaw(0.31, 0.017), max_batch=3, buckets=(64, 256, 1024), cold_start_s=4.1)
SERVICE = ServiceSpec(0.3, 1e-4, 0.011, spread=0.4, cold_start_s=2.2)

Offer = tuple[float, int, int, int]
"""(arrival, input tokens, output tokens, max_tokens)"""


@st.composite
def offers(draw: st.DrawFn) -> list[Offer]:
    t, made = draw(st.sampled_from([0.0, 1.76e9])), []
    for _ in range(draw(st.integers(1, 30))):
        t += draw(st.one_of(st.just(0.0), st.floats(0.0, 0.3), st.floats(0.0, 40.0)))
        out = draw(st.integers(1, 150))
        made.append((t, draw(st.integers(1, 150)), out, out + draw(st.integers(0, 60))))
    return made


limits = st.one_of(
    st.none(),
    st.builds(
        Admission,
        quota=st.one_of(
            st.none(),
            st.builds(
                TokenQuota,
                st.sampled_from([None, 900, 2000]),
                st.sampled_from([None, 3000]),
                st.sampled_from([None, 5]),
            ),
        ),
        max_concurrency=st.sampled_from([None, 1, 4]),
        max_queue=st.sampled_from([None, 0, 3]),
        reject_when_cold=st.booleans(),
    ),
)
policies = st.sampled_from(
    [
        None,
        None,
        TargetTracking(
            "concurrency",
            2.0,
            maximum=4,
            period_s=10.0,
            scale_out_cooldown_s=20.0,
            in_periods=3,
            scale_in_cooldown_s=20.0,
        ),
        ScaleToZero(idle_s=20.0),
    ]
)
specs: st.SearchStrategy[Spec] = st.sampled_from(
    [CONTINUOUS, replace(CONTINUOUS, evict=False), stepwise(CONTINUOUS), STATIC, SERVICE]
)


@st.composite
def configs(draw: st.DrawFn) -> EngineConfig:
    policy: Policy | None = draw(policies)
    return EngineConfig(
        draw(specs),
        replicas=draw(st.integers(1, 3)),
        router=draw(st.sampled_from(ROUTERS)),
        admission=draw(limits),
        autoscaling=policy,
        seed=3,
    )


def table_of(offered: list[Offer]) -> Table:
    arrival, inputs, outputs, ceilings = zip(*offered, strict=True)
    return Table.of(arrival, inputs, outputs, ceilings)


def request(row: int, offer: Offer) -> Request:
    return Request(str(row), offer[1], offer[2], offer[3])


def drive(engine: Engine, offered: list[Offer], stops: list[float]) -> list[Event]:
    """Offer each request at its time, stop at other times too, then go from event to event until all is told."""
    events: list[Event] = []
    for t, row in sorted(
        [(offer[0], i) for i, offer in enumerate(offered)] + [(stop, -1) for stop in stops],
        key=lambda at: (at[0], at[1] < 0),
    ):
        if row >= 0:
            engine.submit(t, request(row, offered[row]))
        events += engine.advance(t)
    told = Counter(event.kind for event in events)
    while told["finished"] + told["rejected"] + told["cancelled"] < len(offered):
        at = engine.next_event_at()
        assert at is not None, "the engine has forgotten somebody"
        new = engine.advance(at)
        told.update(event.kind for event in new)
        events += new
    return events


@given(configs(), offers(), st.lists(st.floats(0.0, 1.0), max_size=20))
@settings(max_examples=200, deadline=None)
def test_driving_live_in_many_small_steps_equals_one_run(
    config: EngineConfig, offered: list[Offer], places: list[float]
) -> None:
    table = table_of(offered)
    batch = Engine(config)
    batch.run(table)
    start, end = offered[0][0], offered[-1][0]
    events = drive(Engine(config), offered, [start + place * (end - start) for place in places])
    first, finish, rejected = {}, {}, set()
    for event in events:
        if event.kind == "tokens":
            first.setdefault(event.request_id, event.t)
        elif event.kind == "finished":
            finish[event.request_id] = event.t
        elif event.kind == "rejected":
            rejected.add(event.request_id)
    for row in range(len(table)):
        assert first.get(str(row), NEVER) == table.first[row]
        assert finish.get(str(row), NEVER) == table.finish[row]
        assert (str(row) in rejected) == (table.finish[row] == NEVER)


@given(configs(), offers(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_every_request_ends_once_and_time_never_goes_back(
    config: EngineConfig, offered: list[Offer], stream: bool
) -> None:
    engine = Engine(replace(config, stream_tokens=stream))
    events = drive(engine, offered, [])
    assert [event.t for event in events] == sorted(event.t for event in events)
    ends = Counter(event.request_id for event in events if event.kind in ("finished", "rejected"))
    assert ends == Counter(str(row) for row in range(len(offered)))
    counts = engine.snapshot()
    assert counts.submitted == counts.finished + counts.rejected == len(offered)
    assert counts.waiting == counts.running == 0
    written: Counter[str] = Counter()
    for event in events:
        if event.kind == "tokens":
            written[event.request_id] += event.tokens
        if event.kind == "finished":
            assert event.tokens == offered[int(event.request_id)][2]
            assert written[event.request_id] == (event.tokens if stream else 1)


@given(offers(), st.sampled_from([400, 900, 2500]))
@settings(max_examples=100, deadline=None)
def test_no_quota_is_exceeded_in_any_window_and_nobody_is_turned_away_who_fits(
    offered: list[Offer], quota: int
) -> None:
    engine = Engine(
        EngineConfig(replace(SERVICE, spread=0.0), admission=Admission(TokenQuota(tokens_per_minute=quota)))
    )
    events = drive(engine, offered, [])
    rejected = {event.request_id for event in events if event.kind == "rejected"}
    finished = {event.request_id: event.t for event in events if event.kind == "finished"}
    for row, (t, inputs, _, ceiling) in enumerate(offered):
        charged = 0
        for earlier, (at, used, out, reserved) in enumerate(offered[:row]):
            if str(earlier) not in rejected and t - 60.0 < at:
                charged += used + (out if finished[str(earlier)] <= t else reserved)
        assert (str(row) in rejected) == (charged + inputs + ceiling > quota)
    settled = [(at, used + out) for row, (at, used, out, _) in enumerate(offered) if str(row) not in rejected]
    for end, _ in settled:
        assert sum(tokens for at, tokens in settled if end - 60.0 < at <= end) <= quota


@given(offers(), st.data())
@settings(max_examples=100, deadline=None)
def test_clients_may_leave_at_any_time(offered: list[Offer], data: st.DataObject) -> None:
    spec = data.draw(specs)
    engine = Engine(
        EngineConfig(spec, replicas=2, admission=Admission(max_concurrency=5), stream_tokens=data.draw(st.booleans()))
    )
    events, leaving = [], data.draw(st.lists(st.integers(0, len(offered) - 1), max_size=10))
    for row, offer in enumerate(offered):
        engine.submit(offer[0], request(row, offer))
        events += engine.advance(offer[0])
        for gone in leaving:
            if gone <= row:
                engine.cancel(offer[0], str(gone))
    told = Counter(event.kind for event in events)
    while told["finished"] + told["rejected"] + told["cancelled"] < len(offered):
        at = engine.next_event_at()
        assert at is not None
        new = engine.advance(at)
        told.update(event.kind for event in new)
        events += new
    assert [event.t for event in events] == sorted(event.t for event in events)
    ends = Counter(event.request_id for event in events if event.kind in ("finished", "rejected", "cancelled"))
    assert ends == Counter(str(row) for row in range(len(offered)))
    counts = engine.snapshot()
    assert (counts.waiting, counts.running) == (0, 0)
    over = {event.request_id for event in events if event.kind == "cancelled"}
    after = {event.request_id for event in events if event.kind in ("finished", "rejected")}
    assert not over & after


def test_a_place_that_a_client_leaves_is_taken_at_the_next_step() -> None:
    engine = Engine(EngineConfig(ReplicaSpec(ConstantLaw(0.5, 0.1), max_num_seqs=1)))
    engine.submit(0.0, Request("long", 5, 100))
    engine.submit(0.1, Request("next", 5, 1))
    engine.advance(1.05)
    assert engine.cancel(1.05, "long")
    events = {(event.request_id, event.kind): event.t for event in engine.advance(3.0)}
    assert events["long", "cancelled"] == pytest.approx(1.1)
    assert events["next", "started"] == pytest.approx(1.1)
    assert events["next", "finished"] == pytest.approx(1.6)
    assert not engine.cancel(3.0, "long")


def test_cancelled_cache_is_free_again() -> None:
    engine = Engine(EngineConfig(replace(CONTINUOUS, evict=False)))
    for row in range(30):
        engine.submit(float(row), Request(str(row), 150, 140))
        engine.cancel(float(row) + 0.2, str(row))
    engine.submit(40.0, Request("last", 150, 140))
    assert [event.kind for event in engine.advance(60.0)].count("finished") == 1


def test_surplus_replicas_finish_what_they_hold() -> None:
    engine = Engine(EngineConfig(ReplicaSpec(ConstantLaw(0.5, 0.1), max_num_seqs=1), replicas=2))
    engine.submit(0.0, Request("a", 5, 10))
    engine.submit(0.0, Request("b", 5, 10))
    engine.advance(0.2)
    engine.set_replicas(1)
    assert engine.snapshot().replicas_draining == 1
    assert [event.kind for event in engine.advance(5.0)].count("finished") == 2
    assert engine.snapshot().replicas_draining == 0


def test_a_new_replica_answers_after_its_cold_start_and_not_before() -> None:
    engine = Engine(EngineConfig(ReplicaSpec(ConstantLaw(0.5, 0.1), cold_start_s=30.0), replicas=0))
    engine.submit(10.0, Request("a", 5, 1))
    engine.advance(12.0)
    engine.set_replicas(1)
    assert engine.next_event_at() == pytest.approx(42.0)
    assert [event.t for event in engine.advance(50.0) if event.kind == "finished"] == [pytest.approx(42.5)]


def test_a_deployment_may_turn_requests_away_while_it_is_cold() -> None:
    config = EngineConfig(CONTINUOUS, replicas=0, admission=Admission(reject_when_cold=True), autoscaling=ScaleToZero())
    engine = Engine(config)
    engine.submit(0.0, Request("early", 5, 1))
    assert [(event.kind, event.reason) for event in engine.advance(0.0)] == [("rejected", "not ready")]
    engine.submit(8.0, Request("later", 5, 1))
    assert "finished" in [event.kind for event in engine.advance(9.0)]


def test_what_can_never_fit_is_rejected() -> None:
    engine = Engine(EngineConfig(CONTINUOUS))
    engine.submit(0.0, Request("long", 500, 200))
    assert [(event.kind, event.reason) for event in engine.advance(0.0)] == [("rejected", "context")]


def test_max_tokens_cuts_an_answer() -> None:
    engine = Engine(EngineConfig(CONTINUOUS))
    engine.submit(0.0, Request("cut", 10, 100, max_tokens=7))
    assert [event.tokens for event in engine.advance(60.0) if event.kind == "finished"] == [7]


def test_one_id_cannot_be_in_flight_twice() -> None:
    engine = Engine(EngineConfig(CONTINUOUS))
    engine.submit(0.0, Request("a", 5, 100))
    with pytest.raises(ValueError, match="in flight already"):
        engine.submit(0.1, Request("a", 5, 100))


def test_time_may_not_go_backwards() -> None:
    engine = Engine(EngineConfig(CONTINUOUS))
    engine.advance(5.0)
    with pytest.raises(ValueError, match="backwards"):
        engine.advance(4.0)


def test_live_rows_are_reused() -> None:
    """A cloud that runs for a week must not grow."""
    engine = Engine(EngineConfig(CONTINUOUS, stream_tokens=True))
    for row in range(500):
        engine.submit(float(row), Request(str(row), 5, 3))
        engine.advance(float(row) + 0.9)
    assert len(engine._table) == 1


def test_replica_time_is_counted_for_whoever_pays() -> None:
    engine = Engine(EngineConfig(CONTINUOUS, replicas=2))
    engine.submit(0.0, Request("a", 5, 1))
    engine.advance(100.0)
    engine.set_replicas(3)
    engine.advance(150.0)
    assert engine.snapshot().replica_s == pytest.approx(2 * 100 + 3 * 50)
