"""Intervals cover what they claim to, are refused where they would not, and neighbours that wait on each other count for fewer."""

from math import comb, exp, log
from random import Random
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.bench import coverage, intervals
from labs.bench.intervals import Series, least_samples, ranks, ratio, student
from labs.bench.statistics import between_runs, latency
from labs.bench.steady import start_up


@pytest.mark.parametrize(("q", "needed"), [(0.5, 6), (0.9, 36), (0.99, 368)])
def test_a_percentile_needs_so_many_samples(q: float, needed: int) -> None:
    assert least_samples(q) == needed
    assert ranks(needed, q) is not None
    assert ranks(needed - 1, q) is None


@given(n=st.integers(6, 400), q=st.sampled_from([0.1, 0.5, 0.75, 0.9, 0.99]))
@settings(max_examples=60, deadline=None)
def test_ranks_cover_by_the_exact_binomial(n: int, q: float) -> None:
    found = ranks(n, q)
    if found is None:
        return
    lower, upper = found
    inside = sum(comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(lower, upper))
    assert inside >= 0.95 - 1e-9
    if min(q, 1 - q) * n > 8:  # whole ranks are coarse only where few lie outside
        assert inside <= 0.98


def test_a_p99_of_367_requests_has_no_interval_and_says_what_it_needs() -> None:
    draw = Random(1).random
    few = latency([draw() for _ in range(367)])
    assert few["ci"]["p99"] is None
    assert few["no_ci"]["p99"] == "an interval for p99 needs 368 requests, and there are 367"
    assert few["ci"]["p90"][0] < few["p90"] < few["ci"]["p90"][1]
    assert latency([draw() for _ in range(368)])["ci"]["p99"] is not None


def test_requests_that_wait_on_each_other_are_worth_fewer() -> None:
    alone = Series(coverage.independent(3000, Random(2)))
    queue = Series(coverage.queue(0.7)(3000, Random(2)))
    assert alone.memory == 1.0
    assert queue.memory > 10
    refused = queue.percentile(0.99)
    assert refused.interval is None
    assert refused.why_not is not None
    assert "worth" in refused.why_not


@pytest.mark.parametrize(
    ("freedom", "t"), [(1, 12.706), (2, 4.303), (5, 2.571), (10, 2.228), (30, 2.042), (None, 1.960)]
)
def test_student(freedom: int | None, t: float) -> None:
    assert student(freedom) == pytest.approx(t, abs=2e-3)


def test_coverage_of_the_printed_intervals() -> None:
    """Printed 95 % intervals, 30 runs of each kind, pooled; the bench has more, and each figure by itself."""
    rows = [row for case in coverage.CASES if case.requests <= 2000 for row in coverage.measure(case, runs=30)]
    printed, held = sum(row.printed for row in rows), sum(row.held for row in rows)
    assert printed > 700
    assert 0.93 <= held / printed <= 0.98
    dependent = [row for row in rows if row.case.dependent]
    assert 0.92 <= sum(r.held for r in dependent) / sum(r.printed for r in dependent) <= 0.99


def test_intervals_that_took_requests_for_independent_would_be_too_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above could fail: without the memory, it does."""
    case = next(case for case in coverage.CASES if case.name.startswith("queue") and case.requests == 2000)
    monkeypatch.setattr(intervals, "memory", lambda *_: intervals.NO_MEMORY)
    rows = coverage.measure(case, runs=40)
    assert sum(row.held for row in rows) / sum(row.printed for row in rows) < 0.85


def test_blocks_go_round_the_end() -> None:
    assert intervals._block_sums([1.0, 2.0, 3.0, 4.0], 3) == pytest.approx([6, 9, 8, 7])


def test_a_ratio_is_bootstrapped_in_pairs() -> None:
    random = Random(3)
    spans = [random.expovariate(10) for _ in range(800)]
    rate = ratio([1.0] * 800, spans)
    assert rate.interval is not None
    assert rate.interval[0] < 10 < rate.interval[1]
    proportional = ratio([2 * s for s in spans], spans)
    assert proportional.interval == pytest.approx((2.0, 2.0))


def test_the_same_seed_gives_the_same_interval() -> None:
    values = coverage.independent(500, Random(4))
    assert latency(values, seed=7) == latency(values, seed=7)


def test_percentiles_with_failures_wait_for_ever() -> None:
    seen = latency([0.1] * 90, failed=10)
    assert seen["p99"] == pytest.approx(100)
    assert seen["with_failures"] == {"p50": pytest.approx(100), "p90": None, "p99": None}


def test_a_start_up_is_cut_and_an_incident_is_not() -> None:
    random = Random(5)
    calm = [0.6 * random.lognormvariate(0, 0.2) for _ in range(600)]
    starting = [5 - 0.1 * i + calm[i] for i in range(40)] + calm[40:]
    assert 35 <= start_up(starting).dropped <= 100
    stalled = list(calm)
    for i in range(30, 50):
        stalled[i] += 2 - 0.1 * (i - 30)
    assert start_up(stalled).dropped == 0
    assert start_up(calm).dropped == 0


def test_latency_that_grows_to_the_end_has_no_steady_state() -> None:
    growing = start_up([0.5 + 0.01 * i for i in range(600)])
    assert not growing.reached
    assert growing.dropped == 0


def test_spread_between_runs() -> None:
    random = Random(6)
    held = 0
    for _ in range(200):
        interval = between_runs([random.gauss(10, 1) for _ in range(5)])["ci"]
        held += interval[0] <= 10 <= interval[1]
    assert 180 <= held <= 200
    assert between_runs([1.0, 2.0])["ci"] is None
    assert "needs 3" in between_runs([1.0, 2.0])["no_ci"]


def test_the_truths_of_the_coverage_study_are_true() -> None:
    """By drawing very many: the quantiles and the mean that coverage is judged by."""
    draw = sorted(coverage.independent(200_000, Random(8)))
    truth = coverage.lognormal_truth
    assert draw[100_000] == pytest.approx(truth(0.5), rel=0.02)
    assert sum(draw) / len(draw) == pytest.approx(truth(None), rel=0.02)
    assert truth(0.9) == pytest.approx(exp(0.8 * NormalDist().inv_cdf(0.9)))
    assert coverage.queue_truth(0.5)(0.5) == pytest.approx(2 * log(2))
