"""Quotas: reserved at the start, settled at the end, never exceeded in a window."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labs.serving.admission import MovingWindow, QuotaMeter, TokenQuota


def test_a_large_max_tokens_throttles_though_it_costs_nothing() -> None:
    modest, greedy = QuotaMeter(TokenQuota(10_000)), QuotaMeter(TokenQuota(10_000))
    admitted = [
        sum(meter.admit(0.0, row, 100, ceiling) is None for row in range(50))
        for meter, ceiling in ((modest, 100), (greedy, 4000))
    ]
    assert admitted == [50, 2]


def test_settlement_gives_the_rest_of_the_reservation_back() -> None:
    meter = QuotaMeter(TokenQuota(5000))
    assert meter.admit(0.0, 0, 500, 4000) is None
    assert meter.admit(1.0, 1, 500, 4000) == "tokens per minute"
    meter.settle(2.0, 0, 500, 200)
    assert meter.admit(3.0, 1, 500, 3800) is None


def test_burndown_makes_output_dearer_than_it_is_long() -> None:
    meter = QuotaMeter(TokenQuota(3000, burndown=5.0))
    assert meter.admit(0.0, 0, 100, 400) is None
    meter.settle(1.0, 0, 100, 400)
    # 100 in and 5 x 400 out are charged: 900 are left.
    assert meter.admit(2.0, 1, 500, 401) == "tokens per minute"
    assert meter.admit(2.0, 1, 500, 400) is None


def test_a_charge_lapses_after_a_minute_and_a_day_has_its_own_window() -> None:
    meter = QuotaMeter(TokenQuota(1000, tokens_per_day=1500))
    assert meter.admit(0.0, 0, 500, 500) is None
    meter.settle(1.0, 0, 500, 500)
    assert meter.admit(59.9, 1, 1, 1) == "tokens per minute"
    assert meter.admit(60.0, 1, 250, 250) is None
    meter.settle(61.0, 1, 250, 250)
    assert meter.admit(121.0, 2, 1, 1) == "tokens per day"


def test_requests_per_minute_count_requests() -> None:
    meter = QuotaMeter(TokenQuota(requests_per_minute=2))
    assert [meter.admit(t, i, 1, 1) for i, t in enumerate((0.0, 1.0, 2.0, 60.5))] == [
        None,
        None,
        "requests per minute",
        None,
    ]


def test_a_quota_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        TokenQuota(tokens_per_minute=0)


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 100), st.integers(0, 150), st.floats(0, 90)), max_size=40))
def test_a_window_remembers_exactly_what_it_should(calls: list[tuple[float, int, int, float]]) -> None:
    """Against the plain definition: the sum of the charges of the last 60 seconds, each as it stands."""
    window, charges, t = MovingWindow(1e9, 60.0), [], 0.0
    open_charges = []
    for gap, amount, settled, later in calls:
        t += gap
        for entry in [e for e in open_charges if e[0] <= t]:
            open_charges.remove(entry)
            _, charge, final, place = entry
            window.settle(charge, t, final)
            if final <= charges[place][1]:
                charges[place] = (charges[place][0], final)
            else:
                charges.append((t, final - charges[place][1]))
        open_charges.append((t + later, window.charge(t, amount), settled, len(charges)))
        charges.append((t, amount))
        assert window.used(t) == pytest.approx(sum(a for at, a in charges if t - 60.0 < at <= t))
