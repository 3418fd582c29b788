"""A clock that is read from afar is known to within half the way there and back, however lopsided the way is."""

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labs.spread import clocks
from labs.spread.clocks import Reading, offset, read

delays = st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2)), min_size=1, max_size=8)


@given(delays=delays, skew_s=st.floats(-1e6, 1e6))
def test_the_true_offset_is_within_what_is_said(delays: list[tuple[float, float]], skew_s: float) -> None:
    now_s = 100.0
    way: Iterator[tuple[float, float]] = iter(delays)

    def probe() -> Reading:
        nonlocal now_s
        there, back = next(way)
        now_s += there
        said = Reading("another machine", now_s + skew_s)
        now_s += back
        return said

    found = offset(probe, len(delays), lambda: now_s)
    assert abs(found.seconds - skew_s) <= found.within_s + 1e-9
    assert found.within_s == pytest.approx(min(there + back for there, back in delays) / 2)
    assert not found.here


def test_processes_of_one_machine_have_one_clock() -> None:
    ticks = count()
    found = offset(read, 5, lambda: float(next(ticks)))
    assert (found.seconds, found.within_s, found.here) == (0.0, 0.0, True)
    assert clocks.read().machine == clocks.read().machine
