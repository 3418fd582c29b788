"""Classical item statistics, in plain Python: shares with intervals, item-rest correlations, KR-20 and alpha.

    difficulty([1, 0, 1, 1])                     # Share(0.75, low, high, n)
    item_rest(items, 3)                          # corrected point-biserial of the fourth item
    alpha(items)                                 # KR-20, where every mark is 0 or 1

`items` is a list of columns: one list of marks (0 to 1) for each item, all takers in the same order.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pvariance

from quizzes.results import Z95, wilson

FEW = 30
"""takers below which a figure is printed with the words 'too few'"""


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; None where it does not exist (everybody answered alike)."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0

    def to_json(self) -> dict[str, object]:
        """For programs."""

        def short(value: float | None) -> float | None:
            return None if value is None else round(value, 4)

        return {"value": short(self.value), "interval": [short(self.low), short(self.high)], "n": self.n}


def difficulty(marks: Sequence[float]) -> Estimate:
    """The share of takers who have it entirely right, with Wilson's interval."""
    right, n = sum(mark >= 1 for mark in marks), len(marks)
    if not n:
        return Estimate(None)
    low, high = wilson(right, n)
    return Estimate(right / n, low, high, n)


def correlation(one: Sequence[float], other: Sequence[float]) -> Estimate:
    """Pearson's r (of a 0/1 column: the point-biserial) with Fisher's interval, tanh(artanh r ± 1.96/√(n-3))."""
    n = len(one)
    if n < 3:
        return Estimate(None, n=n)
    mean, other_mean = fmean(one), fmean(other)
    across = sum((a - mean) * (b - other_mean) for a, b in zip(one, other, strict=True))
    spread = math.sqrt(sum((a - mean) ** 2 for a in one) * sum((b - other_mean) ** 2 for b in other))
    if spread < 1e-12:
        return Estimate(None, n=n)
    r = max(-1.0, min(1.0, across / spread))
    if n == 3 or abs(r) > 1 - 1e-12:
        return Estimate(r, -1.0, 1.0, n) if n == 3 else Estimate(r, r, r, n)
    half = Z95 / math.sqrt(n - 3)
    return Estimate(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half), n)


def item_rest(items: Sequence[Sequence[float]], index: int) -> Estimate:
    """The correlation of an item with the sum of all others: an item that counts in its own yardstick always looks better."""
    rest = [sum(row) - row[index] for row in zip(*items, strict=True)]
    return correlation(items[index], rest)


def alpha(items: Sequence[Sequence[float]]) -> Estimate:
    """Cronbach's alpha, k/(k-1)·(1 - Σ var(item)/var(total)); of 0/1 marks it is KR-20 (Kuder and Richardson, 1937).

    Interval: D. G. Bonett (2002), 1 - exp(ln(1-α) ± 1.96·√(2k/((k-1)(n-2)))). Negative values are possible, and mean that the items do not
    measure one thing.
    """
    k, n = len(items), len(items[0]) if items else 0
    if k < 2 or n < 3:
        return Estimate(None, n=n)
    total = pvariance([sum(row) for row in zip(*items, strict=True)])
    if total < 1e-12:
        return Estimate(None, n=n)
    value = k / (k - 1) * (1 - sum(pvariance(column) for column in items) / total)
    if value >= 1:
        return Estimate(value, value, value, n)
    half = Z95 * math.sqrt(2 * k / ((k - 1) * (n - 2)))
    middle = math.log(1 - value)
    return Estimate(value, 1 - math.exp(middle + half), 1 - math.exp(middle - half), n)


def standard_error(items: Sequence[Sequence[float]], reliability: float | None) -> float | None:
    """Of one taker's total, in points: the spread of totals times √(1 - reliability)."""
    if reliability is None:
        return None
    total = math.sqrt(pvariance([sum(row) for row in zip(*items, strict=True)]))
    return total * math.sqrt(max(0.0, 1 - reliability))
