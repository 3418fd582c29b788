"""Continuous batching: the event-jumping replica does exactly what the step-by-step one does, and keeps its promises."""

import itertools
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.serving.batching import UNLIMITED, ReplicaSpec
from labs.serving.requests import NEVER, THE_END, Table
from labs.serving.stepwise import StepwiseReplica, stepwise

ROUNDING_S = 1e-7
"""how far two ways of adding up the same thousands of steps may drift apart"""


@dataclass(frozen=True)
class LinearLaw:
    """A law with every term that a real one has, and no round numbers."""

    per_cached_token_s: float = 1.37e-7

    @property
    def least_step_s(self) -> float:
        return 0.0123

    def decode_s(self, batch: int) -> float:
        return 0.0123 + 3.1e-5 * batch

    def mixed_s(self, batch: int, prefill_tokens: int, prefill_attention: float) -> float:
        return 0.0123 + 3.1e-5 * batch + 2.3e-5 * prefill_tokens + 1.1e-9 * prefill_attention


@st.composite
def specs(draw: st.DrawFn) -> ReplicaSpec:
    seats = draw(st.sampled_from([1, 2, 5, 16, 64]))
    return ReplicaSpec(
        LinearLaw(draw(st.sampled_from([0.0, 1.37e-7, 4.1e-6]))),
        max_num_seqs=seats,
        token_budget=seats + draw(st.sampled_from([1, 13, 64, 500])),
        kv_capacity_tokens=draw(st.sampled_from([UNLIMITED, 420, 700, 2500])),
        evict=draw(st.booleans()),
        ingress_s=draw(st.sampled_from([0.0, 0.0031])),
    )


@st.composite
def tables(draw: st.DrawFn) -> Table:
    gaps = draw(st.lists(st.one_of(st.just(0.0), st.floats(0.0, 0.2), st.floats(0.0, 6.0)), min_size=1, max_size=40))
    arrival, t = [], draw(st.sampled_from([0.0, 1000.7]))
    for gap in gaps:
        t += gap
        arrival.append(t)
    lengths = st.lists(st.integers(1, 200), min_size=len(gaps), max_size=len(gaps))
    inputs, outputs = draw(lengths), draw(lengths)
    ceilings = [out + draw(st.integers(0, 10)) for out in outputs] if draw(st.booleans()) else None
    return Table.of(arrival, inputs, outputs, ceilings)


def fresh(table: Table) -> Table:
    return Table.of(table.arrival, table.input_tokens, table.output_tokens, table.max_tokens)


@given(specs(), tables())
@settings(max_examples=200, deadline=None)
def test_jumping_equals_stepping(spec: ReplicaSpec, table: Table) -> None:
    slow_table = fresh(table)
    fast = spec.build(table, None, False, range(len(table)))
    slow = stepwise(spec).build(slow_table, None, False, range(len(table)))
    fast.advance(THE_END)
    slow.advance(THE_END)
    assert fast.steps == slow.steps
    assert fast.preemptions == slow.preemptions
    assert fast.outstanding == slow.outstanding == 0
    assert list(table.first) == pytest.approx(list(slow_table.first), abs=ROUNDING_S, rel=0)
    assert list(table.finish) == pytest.approx(list(slow_table.finish), abs=ROUNDING_S, rel=0)


def test_the_oracle_is_put_to_the_test_by_preemptions() -> None:
    """The property above would be empty if no workload of its kind ever preempted."""
    table = Table.of([0.0] * 20, [150] * 20, [150] * 20)
    replica = ReplicaSpec(LinearLaw(), 16, 64, kv_capacity_tokens=700).build(table, None, False, range(20))
    replica.advance(THE_END)
    assert replica.preemptions > 10


def test_a_replica_that_never_evicts_never_preempts() -> None:
    table = Table.of([0.0] * 20, [150] * 20, [150] * 20)
    replica = ReplicaSpec(LinearLaw(), 16, 64, kv_capacity_tokens=700, evict=False).build(table, None, False, range(20))
    replica.advance(THE_END)
    assert replica.preemptions == 0
    assert max(table.finish) < NEVER


@given(specs(), tables())
@settings(max_examples=60, deadline=None)
def test_the_cache_is_never_fuller_than_it_can_be(spec: ReplicaSpec, table: Table) -> None:
    spec = replace(spec, kv_capacity_tokens=420)
    replica = stepwise(spec).build(table, None, False, range(len(table)))
    assert isinstance(replica, StepwiseReplica)
    while replica.due < NEVER:
        replica.advance(max(replica.due, table.arrival[0]))
        assert sum(s.cached for s in replica.admitted) <= spec.kv_capacity_tokens
        assert len(replica.admitted) <= spec.max_num_seqs


@given(specs(), tables())
@settings(max_examples=60, deadline=None)
def test_first_tokens_leave_in_order_of_arrival(spec: ReplicaSpec, table: Table) -> None:
    spec.build(table, None, False, range(len(table))).advance(THE_END)
    assert list(table.first) == sorted(table.first)


@given(st.integers(1, 3000), st.integers(1, 500), st.sampled_from([64, 500, 2048]))
@settings(max_examples=60, deadline=None)
def test_a_lone_request_takes_what_the_closed_form_says(inputs: int, outputs: int, budget: int) -> None:
    law = LinearLaw()
    table = Table.of([5.0], [inputs], [outputs])
    ReplicaSpec(law, max_num_seqs=8, token_budget=budget, ingress_s=0.01).build(table, None, False, range(1)).advance(
        THE_END
    )
    chunks = [min(budget, inputs - done) for done in range(0, inputs, budget)]
    prefill = sum(law.mixed_s(0, chunk, chunk * (i * budget + chunk / 2)) for i, chunk in enumerate(chunks))
    assert table.first[0] == pytest.approx(5.01 + prefill)
    steps = outputs - 1
    decode = steps * law.decode_s(1) + law.per_cached_token_s * (steps * inputs + steps * (steps - 1) / 2)
    assert table.finish[0] - table.first[0] == pytest.approx(decode, abs=1e-9)


def test_a_decoding_sequence_is_not_held_up_for_more_than_a_budget_of_prompt() -> None:
    """Chunked prefill: the price of a long prompt is spread over steps that also decode."""
    table = Table.of([0.0, 0.5], [10, 2000], [200, 2])
    log: list[tuple[float, int, int, int]] = []
    replica = ReplicaSpec(LinearLaw(), 8, 256).build(table, log, True)
    replica.push(0, 0.0)
    replica.advance(0.5)
    replica.push(1, 0.5)
    replica.advance(THE_END)
    of_first = [t for t, kind, row, _ in log if row == 0 and kind == 1]
    longest = max(b - a for a, b in itertools.pairwise(of_first))
    assert longest < LinearLaw().mixed_s(1, 256, 256 * 2000.0) + 1e-3


def test_a_budget_without_room_for_prompts_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves no room for prompts"):
        ReplicaSpec(LinearLaw(), max_num_seqs=64, token_budget=64)
