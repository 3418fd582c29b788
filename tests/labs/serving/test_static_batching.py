"""Static batches: padded, compiled, refilled only when the longest answer is done."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.serving.requests import THE_END, Table
from labs.serving.static_batching import StaticSpec


@dataclass(frozen=True)
class BucketLaw:
    def prefill_s(self, batch: int, padded_tokens: int) -> float:
        return 0.01 + batch * padded_tokens * 1e-4

    def step_s(self, batch: int, bucket_tokens: int) -> float:
        return 0.005 + batch * (1e-4 + bucket_tokens * 1e-6)


SPEC = StaticSpec(BucketLaw(), max_batch=4, buckets=(32, 128, 512), batches=(1, 2, 4))


def serve(table: Table, spec: StaticSpec = SPEC) -> Table:
    spec.build(table, None, False, range(len(table))).advance(THE_END)
    return table


@given(st.integers(1, 300), st.integers(1, 200))
@settings(max_examples=80, deadline=None)
def test_a_lone_request_takes_its_prefill_and_every_step_of_its_buckets(inputs: int, outputs: int) -> None:
    table = serve(Table.of([2.0], [inputs], [outputs]))
    bucket = next(size for size in SPEC.buckets if size >= inputs)
    assert table.first[0] == pytest.approx(2.0 + BucketLaw().prefill_s(1, bucket))
    steps = 0.0
    for token in range(1, outputs):
        steps += BucketLaw().step_s(1, next(size for size in SPEC.buckets if size >= inputs + token))
    assert table.finish[0] - table.first[0] == pytest.approx(steps)


def test_whoever_comes_together_is_served_together_and_leaves_when_done() -> None:
    table = serve(Table.of([0.0, 0.0, 0.0], [20, 30, 25], [5, 50, 20]))
    assert table.first[0] == table.first[1] == table.first[2] == pytest.approx(BucketLaw().prefill_s(4, 32))
    assert table.finish[0] < table.finish[2] < table.finish[1]


def test_a_late_comer_waits_for_the_longest_answer() -> None:
    table = serve(Table.of([0.0, 0.0, 0.01], [20, 20, 20], [5, 50, 5]))
    assert table.first[2] == pytest.approx(table.finish[1] + BucketLaw().prefill_s(1, 32))


def test_a_batch_is_as_large_as_was_compiled_and_no_larger() -> None:
    table = serve(Table.of([0.0] * 6, [20] * 6, [10] * 6))
    assert len({round(t, 9) for t in table.first}) == 2
    assert sorted(table.first)[3] < sorted(table.first)[4]


def test_what_outgrows_the_largest_bucket_is_refused() -> None:
    assert SPEC.refuses(500, 20)
    assert not SPEC.refuses(500, 12)
