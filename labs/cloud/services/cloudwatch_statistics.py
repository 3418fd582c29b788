"""What CloudWatch answers about one metric: its buckets gathered into periods, and a statistic of each.

    series = points(store.read(...), "p99", start_s=0, end_s=600, period_s=60)     # {0: 41.0, 60: 43.5}

A percentile is interpolated linearly between the two values around it. AWS says what a percentile means and not how it interpolates.
Trimmed and winsorised means, IQM, TC, TS and PR are refused by name.
"""

import re
from collections.abc import Iterable

from labs.cloud.metrics import Bucket

SIMPLE = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100(?:\.0*)?)")
OTHERS = re.compile(r"(?:tm|wm|tc|ts)\d+(?:\.\d+)?|(?:TM|WM|TC|TS|PR)\(.*\)|IQM", re.IGNORECASE)
FINE_PERIODS_S = (1, 5, 10, 20, 30)


class Unsupported(ValueError):  # noqa: N818 - an answer to the caller
    """AWS has it, the local cloud has not; the message says so."""


def check_statistic(name: str) -> None:
    """Raises ValueError for what is no statistic, Unsupported for one that the local cloud does not compute."""
    if name in SIMPLE or PERCENTILE.fullmatch(name):
        return
    if OTHERS.fullmatch(name):
        raise Unsupported(
            f"The local cloud computes {', '.join(SIMPLE)} and percentiles (p50, p99.9), and not {name}, which AWS does."
        )
    raise ValueError(f"The value {name} for parameter Stat is not supported.")


def check_period(period_s: int, name: str = "Period") -> None:
    """Raises ValueError for a period that no metric has."""
    if period_s not in FINE_PERIODS_S and (period_s < 60 or period_s % 60):
        raise ValueError(
            f"The parameter {name} must be equal to one of [1, 5, 10, 20, 30] or a multiple of 60, and is {period_s}."
        )


def statistic(bucket: Bucket, name: str) -> float | None:
    """One statistic of a bucket; None for a percentile of values that nobody knows."""
    if name == "SampleCount":
        return bucket.count
    if name == "Sum":
        return bucket.total
    if name == "Average":
        return bucket.total / bucket.count
    if name == "Minimum":
        return bucket.minimum
    if name == "Maximum":
        return bucket.maximum
    return None if bucket.values is None else percentile(bucket.values, float(name[1:]))


def percentile(values: dict[float, float], percent: float) -> float:
    """The percentile of values that occur so many times each, interpolated between neighbours."""
    ordered = sorted(values.items())
    rank = percent / 100.0 * (sum(values.values()) - 1)
    seen = 0.0
    for index, (value, times) in enumerate(ordered):
        seen += times
        if rank <= seen - 1 or index == len(ordered) - 1:
            return value
        if rank < seen:  # between the last of this value and the first of the next
            return value + (ordered[index + 1][0] - value) * (rank - (seen - 1))
    raise ValueError("a percentile of no values")


def aligned_start(start_s: float, period_s: int) -> int:
    """Where the first period begins when somebody asks from `start_s`: at a whole minute, or at a whole short period."""
    step = period_s if period_s < 60 else 60
    return int(start_s // step) * step


def periods(
    buckets: Iterable[tuple[int, Bucket]], start_s: int, period_s: int, unit: str | None = None
) -> dict[int, Bucket]:
    """The buckets gathered by period; a period without any is left out."""
    gathered: dict[int, Bucket] = {}
    for at, bucket in buckets:
        if unit in (None, bucket.unit):
            begin = start_s + (at - start_s) // period_s * period_s
            gathered.setdefault(begin, Bucket()).merge(bucket)
    return gathered


def points(
    buckets: Iterable[tuple[int, Bucket]], name: str, start_s: int, period_s: int, unit: str | None = None
) -> dict[int, float]:
    """{begin of a period: statistic}, in order of time."""
    found = {}
    for begin, bucket in sorted(periods(buckets, start_s, period_s, unit).items()):
        value = statistic(bucket, name)
        if value is not None:
            found[begin] = value
    return found
