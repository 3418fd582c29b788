"""Is this the steady state? The start-up that a run begins with, found by MSER-5; and Little's law as a check on the whole.

    start_up(e2e_s)        # Transient(dropped=35, reached=True, says='the first 35 of 600 requests are start-up (MSER-5) ...')
    balance(run.measured)  # in flight on average, beside rate x time

MSER-5 (White 1997) cuts where the standard error of the mean of what remains is least. A cut is made only where the beginning itself is
out of line: an incident in the middle of a run (a stall, a throttled minute) is a result, and stays in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median

from labs.bench.intervals import Series
from labs.bench.records import Record

BATCH = 5
FEWEST_BATCHES = 10
SURE = 4.0
"""standard errors by which a start-up must differ from the rest to be cut"""
DRIFT = 0.5
"""part by which the last third may be slower than the middle third before a run counts as still changing"""


@dataclass(frozen=True)
class Transient:
    """What a run begins with."""

    dropped: int
    """requests left out of every statistic because they belong to the start-up"""
    reached: bool
    """False: latencies were still changing at the end; the figures are of the run, not of a steady state"""
    says: str


def start_up(latencies_s: Sequence[float]) -> Transient:
    """Find the start-up in latencies in order of arrival."""
    n = len(latencies_s)
    means = [sum(latencies_s[i : i + BATCH]) / BATCH for i in range(0, n - n % BATCH, BATCH)]
    if len(means) < FEWEST_BATCHES:
        return Transient(0, True, f"{n:,} requests are too few to look for a start-up; none was left out")
    cut = _least_error(means)
    dropped = cut * BATCH if cut and _out_of_line(means, cut, Series(latencies_s[cut * BATCH :]).memory) else 0
    rest = means[dropped // BATCH :]
    if _still_changing(rest):
        return Transient(
            0, False, "latency was still rising at the end: this load has no steady state here; nothing was left out"
        )
    if dropped:
        return Transient(dropped, True, f"the first {dropped:,} of {n:,} requests are start-up and left out (MSER-5)")
    return Transient(0, True, f"steady from the first of {n:,} requests (MSER-5); none was left out")


def _least_error(means: Sequence[float]) -> int:
    """How many batches to drop, at most a quarter: where the squared standard error of the remaining mean is least."""
    total = squares = 0.0
    best, at = float("inf"), 0
    for i in range(len(means) - 1, -1, -1):
        total += means[i]
        squares += means[i] * means[i]
        count = len(means) - i
        if i <= len(means) // 4 and count > 1:
            error = max(0.0, squares - total * total / count) / (count * count)
            if error <= best:
                best, at = error, i
    return at


def _out_of_line(means: Sequence[float], cut: int, memory_requests: float) -> bool:
    """Does the cut begin with a start-up: its first batch and its middle both far from where the rest lies?

    Requests that queue behind each other wander; so many of them (`memory_requests`) say no more than one.
    """
    rest = means[cut:]
    centre = sum(rest) / len(rest)
    error = sqrt(sum((m - centre) ** 2 for m in rest) / (len(rest) - 1)) if len(rest) > 1 else 0.0
    gap = median(means[:cut]) - centre
    far = abs(means[0] - centre) > 2 * error and abs(gap) > SURE * error * min(
        1.0, sqrt(max(1.0, memory_requests / BATCH) / min(cut, len(rest)))
    )
    return far and gap * (means[0] - centre) > 0


def _still_changing(means: Sequence[float]) -> bool:
    """Growing throughout: every third slower than the one before, the last by a large part."""
    third = len(means) // 3
    if third < 3:
        return False
    first, middle, last = (sorted(means[i * third : (i + 1) * third]) for i in range(3))
    grows = median(first) < median(middle) * (1 - DRIFT / 4) and median(middle) < median(last) / (1 + DRIFT / 4)
    return grows and median(last) > median(first) * (1 + DRIFT) and last[0] > first[-1]


@dataclass(frozen=True)
class Balance:
    """Little's law over the time in which requests arrived: in flight = rate x time in the system."""

    in_flight: float
    """on average, counted from the intervals in which requests were open"""
    rate_x_time: float
    holds: bool

    @property
    def difference(self) -> float:
        """As a part of the larger."""
        top = max(self.in_flight, self.rate_x_time)
        return abs(self.in_flight - self.rate_x_time) / top if top else 0.0


TOLERANCE = 0.15


def balance(records: Sequence[Record]) -> Balance | None:
    """The law's two sides. They part when the system holds more at the end than at the beginning: it is not keeping up.

    None where fewer than two requests were offered. Failed requests are in the system until they fail.
    """
    spans = [(r.intended_s, r.ended_s) for r in records if r.ended_s is not None]
    if len(spans) < 2:
        return None
    begin, end = min(s for s, _ in spans), max(s for s, _ in spans)
    if end <= begin:
        return None
    inside = sum(min(done, end) - due for due, done in spans) / (end - begin)
    rate_x_time = sum(done - due for due, done in spans) / (end - begin)
    difference = abs(inside - rate_x_time) / max(rate_x_time, 1e-12)
    # One request more or less at the edge is no imbalance.
    return Balance(inside, rate_x_time, difference <= TOLERANCE or abs(inside - rate_x_time) < 1.0)
