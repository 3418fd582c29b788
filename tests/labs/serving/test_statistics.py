"""Percentiles, and what counts as TTFT, TPOT, E2E and goodput."""

import statistics as standard

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labs.serving.requests import NEVER, Table
from labs.serving.statistics import Objective, percentile, statistics


def table() -> Table:
    made = Table.of([0.0, 1.0, 2.0], [5, 5, 5], [11, 1, 21])
    made.first[:] = type(made.first)("d", [0.5, 1.25, 4.0])
    made.finish[:] = type(made.finish)("d", [1.5, 1.25, 8.0])
    return made


def test_latencies_are_counted_from_arrival_and_tpot_leaves_the_first_token_out() -> None:
    numbers = statistics(table())
    assert numbers.ttft_ms is not None
    assert numbers.tpot_ms is not None
    assert numbers.e2e_ms is not None
    assert numbers.ttft_ms.mean == pytest.approx((500 + 250 + 2000) / 3)
    assert numbers.tpot_ms.mean == pytest.approx((1000 / 10 + 4000 / 20) / 2)  # an answer of one token has none
    assert numbers.e2e_ms.p50 == pytest.approx(1500)
    assert numbers.output_tokens_per_s == pytest.approx(33 / 8)
    assert numbers.requests_per_s == pytest.approx(3 / 8)
    assert numbers.goodput_per_s is None


def test_goodput_counts_requests_that_met_every_stated_limit() -> None:
    assert statistics(table(), Objective(ttft_ms=600)).goodput_per_s == pytest.approx(2 / 8)
    assert statistics(table(), Objective(ttft_ms=600, tpot_ms=90)).goodput_per_s == pytest.approx(1 / 8)
    assert statistics(table(), Objective(e2e_ms=10_000)).goodput_per_s == pytest.approx(3 / 8)


def test_rejected_requests_are_offered_but_have_no_latency() -> None:
    made = table()
    made.first[1] = made.finish[1] = NEVER
    numbers = statistics(made)
    assert (numbers.requests, numbers.finished) == (3, 2)
    assert numbers.ttft_ms is not None
    assert numbers.ttft_ms.mean == pytest.approx(1250)


def test_of_nothing_every_figure_is_none() -> None:
    made = table()
    for row in range(3):
        made.first[row] = made.finish[row] = NEVER
    assert statistics(made).as_dict()["ttft_ms"] == {"mean": None, "p50": None, "p90": None, "p99": None}


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=50))
def test_percentiles_are_those_of_the_standard_library(values: list[float]) -> None:
    values.sort()
    hundredths = standard.quantiles(values, n=100, method="inclusive")
    for q in (50, 90, 99):
        assert percentile(values, q / 100) == pytest.approx(hundredths[q - 1])
