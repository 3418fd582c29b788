"""How sure is a percentile, a mean, a ratio? 95 % intervals that hold for latencies as they come: skewed, and each like the one before.

    series = Series(ttft_ms_in_order_of_arrival)
    series.percentile(0.99)      # Estimate(value=812.4, interval=(640.1, 1183.0), why_not=None)
    mean(values), ratio(good, seconds)

A percentile's interval is a pair of order statistics, by the exact binomial distribution: no shape is assumed. It needs samples on both
sides of the percentile, 368 of them for a p99; below that it is refused, and says so. Requests that queue behind each other are not so
many separate samples: the *effective* number is estimated from how long the run stays on one side of a level, and takes the place of the
number. Means and ratios are bootstrapped in blocks, which keeps neighbours together. `labs.bench.coverage` holds all this to its 95 %.

Where the run is too short for its own memory no interval is given. The bounds of that were chosen by simulation, not by a theorem.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import ceil, exp, floor, lgamma, log, pi, sqrt, tan
from random import Random
from statistics import NormalDist

from labs.serving.statistics import percentile

CONFIDENCE = 0.95
RESAMPLES = 999
MOST_BLOCKS = 250
"""blocks in one resample: longer runs get longer blocks, not more of them"""
FEWEST_BLOCKS = 10
FEWEST_OUTSIDE = 10.0
"""effective samples wanted beyond a percentile where requests depend on each other"""
MEMORY_LEVELS = (0.5, 0.75, 0.9)
"""where the dependence of requests is looked for: levels with enough requests on both sides to see it"""
LAGS_TESTED = 3
SURE_OF_DEPENDENCE = 2.0
"""standard deviations by which neighbours must agree more often than by chance"""
BLOCK_MEMORIES = 4.0
"""length of a bootstrap's block, in memories of the run"""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval, or with the sentence that says why it has none."""

    value: float
    interval: tuple[float, float] | None
    why_not: str | None = None


# Ranks


def least_samples(q: float, confidence: float = CONFIDENCE) -> int:
    """The fewest independent samples that bound the `q`-quantile on both sides: 368 for 0.99, 36 for 0.9, 6 for 0.5, at 95 %."""
    return ceil(log((1.0 - confidence) / 2.0) / log(max(q, 1.0 - q)))


@lru_cache(maxsize=4096)
def ranks(n: int, q: float, confidence: float = CONFIDENCE) -> tuple[int, int] | None:
    """Which of `n` sorted samples (counted from 1) bound the `q`-quantile with at least this confidence; None where none do.

    Equal tails at first, each at most half of what may be missed; then the side that can spare a rank gives it up, since whole
    ranks make the interval wider than it need be.
    """
    if n < least_samples(q, confidence):
        return None
    spread = sqrt(n * q * (1.0 - q))
    low, high = max(0, floor(n * q - 12 * spread - 20)), min(n, ceil(n * q + 12 * spread + 20))
    log_all, log_q, log_p = lgamma(n + 1), log(q), log(1.0 - q)
    chance = {
        k: exp(log_all - lgamma(k + 1) - lgamma(n - k + 1) + k * log_q + (n - k) * log_p) for k in range(low, high + 1)
    }
    tail = (1.0 - confidence) / 2.0
    lower, below = low, 0.0
    while below + chance[lower] <= tail:
        below += chance[lower]
        lower += 1
    upper, above = high + 1, 0.0
    while above + chance[upper - 1] <= tail:
        above += chance[upper - 1]
        upper -= 1
    if lower < 1 or upper > n:
        return None
    spare = 1.0 - confidence - below - above
    shorter = [(chance[lower], (lower + 1, upper)), (chance[upper - 1], (lower, upper - 1))]
    fitting = [(cost, pair) for cost, pair in shorter if cost <= spare and pair[0] < pair[1]]
    return max(fitting)[1] if fitting else (lower, upper)


# Dependence


@dataclass(frozen=True)
class Memory:
    """How long the run stays on one side of a level."""

    requests: float
    """so many neighbours are worth one independent sample; 1: they do not depend on each other"""
    lags: int
    """over how many neighbours it was summed"""


NO_MEMORY = Memory(1.0, 1)


def memory(values: Sequence[float], level: float) -> Memory:
    """The integrated autocorrelation time of "is it above `level`?", by Geyer's initial monotone sequence.

    The indicators are the bits of one whole number: shifting it and counting what agrees gives an autocovariance in microseconds.
    """
    n = len(values)
    bits = int("".join(["1" if value > level else "0" for value in values]), 2) if n else 0
    above = bits.bit_count()
    if above in (0, n):
        return NO_MEMORY
    share = above / n
    variance = share * (1.0 - share)

    def excess(lag: int) -> float:
        return (bits & (bits >> lag)).bit_count() - (n - lag) * share * share

    near = sum(excess(lag) for lag in range(1, LAGS_TESTED + 1))
    if near - 1.0 <= SURE_OF_DEPENDENCE * variance * sqrt(LAGS_TESTED * n):
        return NO_MEMORY
    total, pair, least = 0.0, 0, float("inf")
    while 2 * pair + 1 < n // 2:
        correlation = ((n * variance if pair == 0 else excess(2 * pair)) + excess(2 * pair + 1)) / (n * variance)
        if correlation <= 0:
            break
        least = min(least, correlation)
        total += least
        pair += 1
    lags = 2 * pair
    # The estimate is itself uncertain, and a memory taken too short makes an interval that misses: lean to the long side.
    return Memory(max(1.0, 2.0 * total - 1.0) * (1.0 + sqrt(2.0 * (2 * lags + 1) / n)), lags)


class Series:
    """A latency of every request, in the order in which they were due."""

    def __init__(self, values: Sequence[float]) -> None:
        self.values = values
        self.ascending = sorted(values)
        self._memories: dict[float, Memory] = {}

    def __len__(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        return sum(self.ascending) / len(self.ascending)

    @property
    def memory(self) -> float:
        """Requests worth one independent sample, at the level where that is most; 1 where they are independent."""
        return max(self._memory(q).requests for q in MEMORY_LEVELS)

    def percentile(self, q: float) -> Estimate:
        """The `q`-quantile (0 to 1) and its interval."""
        value = percentile(self.ascending, q)
        n, memory_of_run = len(self.values), self.memory
        need = least_samples(q)
        if n < need:
            return Estimate(value, None, f"an interval for p{100 * q:g} needs {need} requests, and there are {n:,}")
        effective = n
        if memory_of_run > 1.0:
            need = ceil(FEWEST_OUTSIDE / min(q, 1.0 - q))
            worth = int(n / memory_of_run)
            if worth < need:
                return Estimate(
                    value,
                    None,
                    f"requests waited on each other: {n:,} of them are worth {worth:,} separate ones, and an interval for "
                    f"p{100 * q:g} needs {need:,}",
                )
            effective = int(n / self._memory(q).requests)
        bounds = ranks(effective, q)
        if bounds is None:
            return Estimate(
                value, None, f"the slowest requests came in too few bunches for an interval of p{100 * q:g}"
            )
        # The ranks of so many effective samples, put in proportion among all.
        lower = max(1, floor(bounds[0] * (n + 1) / (effective + 1)))
        upper = min(n, ceil(bounds[1] * (n + 1) / (effective + 1)))
        return Estimate(value, (self.ascending[lower - 1], self.ascending[upper - 1]))

    def mean_estimate(self, seed: int = 0) -> Estimate:
        """The mean and its interval."""
        return ratio(self.values, None, memory_requests=self.memory, seed=seed)

    def _memory(self, q: float) -> Memory:
        if q not in self._memories:
            self._memories[q] = memory(self.values, self.ascending[max(0, ceil(q * len(self.values)) - 1)])
        return self._memories[q]


# Means and ratios


def mean(values: Sequence[float], seed: int = 0) -> Estimate:
    """The mean of values in order, with a block-bootstrap interval."""
    return Series(values).mean_estimate(seed)


def ratio(
    numerators: Sequence[float],
    denominators: Sequence[float] | None,
    *,
    memory_requests: float = 1.0,
    seed: int = 0,
    scale: float = 1.0,
) -> Estimate:
    """`scale` times the sum of one over the sum of the other (None: over their number), bootstrapped in circular moving blocks.

    A block is several memories long, or the cube root of the number of values if that is longer: neighbours stay together.
    `memory_requests` is the memory of the slowest thing that moves both (`Series.memory`). Raises ValueError for no values.
    """
    n = len(numerators)
    if n == 0:
        raise ValueError("a ratio of nothing")
    whole = float(n) if denominators is None else sum(denominators)
    value = scale * sum(numerators) / whole if whole else 0.0
    length = max(ceil(n ** (1 / 3)), ceil(BLOCK_MEMORIES * memory_requests) if memory_requests > 1.0 else 1)
    length = max(length, ceil(n / MOST_BLOCKS))
    blocks = n / length
    if blocks < FEWEST_BLOCKS:
        if memory_requests > 1.0:
            why = f"requests waited on each other for so long that {n:,} of them make only {int(blocks)} separate stretches, and an interval needs {FEWEST_BLOCKS}"
        else:
            why = f"{n:,} requests are too few for an interval of a mean"
        return Estimate(value, None, why)
    tops = _block_sums(numerators, length)
    bottoms = None if denominators is None else _block_sums(denominators, length)
    count = max(1, round(blocks))
    found: list[float] = []
    for drawn in _draws(n, count, seed):
        under = count * length if bottoms is None else sum(map(bottoms.__getitem__, drawn))
        found.append(sum(map(tops.__getitem__, drawn)) / under if under else value)
    found.sort()
    # So few blocks know their own spread only roughly: widen as Student's t does. And what reaches over a block's edge is lost to it.
    wider = student(count - 1) / student(None)
    if memory_requests > 1.0:
        wider /= sqrt(1.0 - min(0.5, memory_requests / length))
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = (scale * percentile(found, at) for at in (tail, 1.0 - tail))
    return Estimate(value, (value - wider * (value - low), value + wider * (high - value)))


@lru_cache(maxsize=8)
def _draws(n: int, count: int, seed: int) -> tuple["array[int]", ...]:
    """Where the blocks of each resample begin: the same for every figure of a run, which saves most of the time."""
    random = Random(seed)
    return tuple(array("l", random.choices(range(n), k=count)) for _ in range(RESAMPLES))


def _block_sums(values: Sequence[float], length: int) -> list[float]:
    """The sum of the block that begins at each place, going round the end."""
    upto = list(accumulate((*values, *values[: length - 1]), initial=0.0))
    return [end - start for start, end in zip(upto, upto[length:], strict=False)]


def student(freedom: int | None, confidence: float = CONFIDENCE) -> float:
    """Student's two-sided t for so many degrees of freedom (None: the normal's 1.96), by Hill's expansion; exact for 1 and 2."""
    tail = (1.0 - confidence) / 2.0
    z = NormalDist().inv_cdf(1.0 - tail)
    if freedom is None:
        return z
    if freedom < 1:
        return float("inf")
    if freedom == 1:
        return 1.0 / tan(pi * tail)
    if freedom == 2:
        a = 2.0 * tail * (2.0 - 2.0 * tail)
        return sqrt(2.0 / a - 2.0)
    v = float(freedom)
    terms = (
        z,
        (z**3 + z) / (4 * v),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3),
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * v**4),
    )
    return sum(terms)
