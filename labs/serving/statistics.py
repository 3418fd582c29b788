"""Percentiles and means of a simulated run, from its table of times.

TTFT: from arrival to first token. TPOT: (last - first) / (tokens - 1), one figure for each request: its percentiles are over
requests, not over tokens, and answers of one token have none. E2E: from arrival to last token.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import compress
from math import floor
from operator import sub

from labs.serving.requests import NEVER, Table


@dataclass(frozen=True)
class Summary:
    """Mean and percentiles, in milliseconds."""

    mean: float
    p50: float
    p90: float
    p99: float


def percentile(ascending: Sequence[float], q: float) -> float:
    """The `q`-quantile (0 to 1) of sorted values, linear between neighbours."""
    place = q * (len(ascending) - 1)
    low = floor(place)
    high = min(low + 1, len(ascending) - 1)
    return ascending[low] + (ascending[high] - ascending[low]) * (place - low)


def summary(values_s: list[float], scale: float = 1e3) -> Summary | None:
    """Mean and percentiles of values in seconds; sorts them in place. None of nothing."""
    if not values_s:
        return None
    values_s.sort()
    return Summary(
        mean=scale * sum(values_s) / len(values_s),
        p50=scale * percentile(values_s, 0.5),
        p90=scale * percentile(values_s, 0.9),
        p99=scale * percentile(values_s, 0.99),
    )


@dataclass(frozen=True)
class Objective:
    """What a request must meet to count as good, in milliseconds; None: no such limit."""

    ttft_ms: float | None = None
    tpot_ms: float | None = None
    e2e_ms: float | None = None

    @property
    def stated(self) -> bool:
        """Is there any limit at all?"""
        return any(limit is not None for limit in (self.ttft_ms, self.tpot_ms, self.e2e_ms))


@dataclass(frozen=True)
class Statistics:
    """A run in numbers."""

    requests: int
    finished: int
    duration_s: float
    """from the first arrival to the last token"""
    ttft_ms: Summary | None
    tpot_ms: Summary | None
    e2e_ms: Summary | None
    output_tokens_per_s: float
    requests_per_s: float
    goodput_per_s: float | None
    """None where no objective was stated"""

    def as_dict(self) -> dict[str, object]:
        """Summaries as plain mappings; a summary of nothing has None for every figure."""
        data = asdict(self)
        nothing = {"mean": None, "p50": None, "p90": None, "p99": None}
        return {**data, **{name: data[name] or nothing for name in ("ttft_ms", "tpot_ms", "e2e_ms")}}


def statistics(table: Table, objective: Objective | None = None) -> Statistics:
    """The numbers of a table that an engine has run."""
    n = len(table)
    arrival, first, finish, outputs = table.arrival, table.first, table.finish, table.output_tokens
    last = max(finish, default=NEVER)
    if last == NEVER:  # some were rejected: leave them out
        done = [t < NEVER for t in finish]
        arrival_of, first = list(compress(arrival, done)), list(compress(first, done))  # type: ignore[assignment]
        finish, outputs = list(compress(finish, done)), list(compress(outputs, done))  # type: ignore[assignment]
        last = max(finish, default=arrival[0] if n else 0.0)
    else:
        arrival_of = arrival  # type: ignore[assignment]
    duration = last - arrival[0] if n else 0.0
    per_s = 1.0 / duration if duration > 0 else 0.0
    good = None
    if objective is not None and objective.stated:
        good = sum(_good(objective, *row) for row in zip(arrival_of, first, finish, outputs, strict=True)) * per_s
    total = sum(outputs)
    # One list of floats at a time: each is as large as the rest of the table.
    ttft = summary(list(map(sub, first, arrival_of)))
    e2e = summary(list(map(sub, finish, arrival_of)))
    shortest, longest = (min(outputs), max(outputs)) if len(outputs) else (0, 0)
    if shortest == longest:
        tpot = summary(list(map(sub, finish, first)), 1e3 / (longest - 1)) if longest > 1 else None
    else:
        tpot = summary([(b - a) / (k - 1) for a, b, k in zip(first, finish, outputs, strict=True) if k > 1])
    return Statistics(
        requests=n,
        finished=len(finish),
        duration_s=duration,
        ttft_ms=ttft,
        tpot_ms=tpot,
        e2e_ms=e2e,
        output_tokens_per_s=total * per_s,
        requests_per_s=len(finish) * per_s,
        goodput_per_s=good,
    )


def _good(objective: Objective, arrival: float, first: float, finish: float, tokens: int) -> bool:
    return (
        (objective.ttft_ms is None or (first - arrival) * 1e3 <= objective.ttft_ms)
        and (objective.e2e_ms is None or (finish - arrival) * 1e3 <= objective.e2e_ms)
        and (objective.tpot_ms is None or tokens < 2 or (finish - first) * 1e3 / (tokens - 1) <= objective.tpot_ms)
    )
