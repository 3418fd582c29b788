"""A latency in numbers, the shape of its distribution, and how much runs differ from one another.

latency(ttft_s_of_every_answer, failed=3)     # mean, p50, p90, p99 in ms, the interval of each, and why where there is none
between_runs([812.0, 797.3, 845.1])           # their mean, spread and interval
"""

from collections.abc import Sequence
from math import sqrt
from typing import Any

from labs.bench.intervals import Estimate, Series, student
from labs.serving.statistics import percentile

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
LEVELS = (0.01, 0.02, 0.05, *(i / 20 for i in range(2, 19)), 0.92, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
"""at which a distribution is kept for its curve"""


def latency(seconds: Sequence[float] | Series, failed: int = 0, seed: int = 0) -> dict[str, Any]:
    """Mean and percentiles in milliseconds of values in order of arrival.

    They are of requests that were answered. `with_failures` has the percentiles over all requests, where one that failed waits for
    ever: None is a percentile at which there was no answer.
    """
    if not len(seconds):
        nothing = dict.fromkeys(("mean", *PERCENTILES))
        return {**nothing, "ci": dict(nothing), "n": 0, "with_failures": dict.fromkeys(PERCENTILES), "no_ci": {}}
    series = seconds if isinstance(seconds, Series) else milliseconds(seconds)
    estimates = {
        "mean": series.mean_estimate(seed),
        **{name: series.percentile(q) for name, q in PERCENTILES.items()},
    }
    return {
        **{name: each.value for name, each in estimates.items()},
        "ci": {name: pair(each) for name, each in estimates.items()},
        "no_ci": {name: each.why_not for name, each in estimates.items() if each.why_not},
        "n": len(series),
        "worth_separate": int(len(series) / series.memory),
        "with_failures": {name: _with_failures(series.ascending, failed, q) for name, q in PERCENTILES.items()},
    }


def milliseconds(seconds: Sequence[float]) -> Series:
    """Latencies in milliseconds, to the nanosecond: what a subtraction leaves over must not look like a pattern."""
    return Series([round(1e3 * value, 6) for value in seconds])


def pair(estimate: Estimate) -> list[float] | None:
    """An interval as JSON."""
    return None if estimate.interval is None else list(estimate.interval)


def _with_failures(ascending: Sequence[float], failed: int, q: float) -> float | None:
    """The percentile over all requests, failures counted as infinitely slow."""
    place = q * (len(ascending) + failed - 1)
    return percentile([*ascending, *[float("inf")] * failed], q) if place <= len(ascending) - 1 else None


def distribution(series: Series) -> list[dict[str, float | None]]:
    """Points of the curve "so many requests within so many milliseconds", each with its interval where the run supports one."""
    if not len(series):
        return []
    rows: list[dict[str, float | None]] = []
    for q in LEVELS:
        if q not in PERCENTILES.values() and min(q, 1 - q) * len(series) < 1:
            continue
        each = series.percentile(q)
        low, high = each.interval or (None, None)
        rows.append({"share": q, "ms": each.value, "low": low, "high": high})
    return rows


def between_runs(values: Sequence[float]) -> dict[str, Any]:
    """What repeated runs say: their mean, standard deviation and spread, and a 95 % interval for the mean of runs from three on."""
    n = len(values)
    if n == 0:
        raise ValueError("no runs")
    mean = sum(values) / n
    deviation = sqrt(sum((v - mean) ** 2 for v in values) / (n - 1)) if n > 1 else None
    interval = None
    if deviation is not None and n >= 3:
        half = student(n - 1) * deviation / sqrt(n)
        interval = [mean - half, mean + half]
    return {
        "runs": n,
        "mean": mean,
        "sd": deviation,
        "spread": deviation / mean if deviation is not None and mean else None,
        "ci": interval,
        "no_ci": None
        if interval
        else f"an interval between runs needs 3 of them, and there {'is' if n == 1 else 'are'} {n}",
    }
