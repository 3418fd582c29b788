"""The local cloud's metrics: what services record of themselves and what callers put, where CloudWatch finds both.

    metrics.put(context, "us-east-1", "AWS/Lambda", "Invocations", 1, "Count", FunctionName="worker")
    metrics.every(context, 60, lambda now: metrics.put(context, ..., depth))      # a gauge

A value costs a dictionary look-up and an addition; nothing of moto is called. A series keeps, for each second or minute, count, sum,
extremes and a histogram of at most `MOST_VALUES` values, so that memory does not grow with traffic. As on AWS, a metric has a resolution
of one minute or of less, and what is older than its retention is gone.

Metric time is real time: no time scale touches it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import floor, log10
from typing import Any

from labs.cloud.context import Context

logger = logging.getLogger(__name__)
Dimensions = tuple[tuple[str, str], ...]
"""(name, value) in order of name"""

MOST_VALUES = 512
"""Different values that one bucket tells apart; beyond that it rounds to `DIGITS`."""
DIGITS = 3
FINE_KEPT_S = 3 * 3600
"""How long periods of less than a minute can be asked for, as on AWS."""
COARSE_KEPT_S = 15 * 86_400
"""How long periods of a minute can be asked for, as on AWS; what is older is gone here."""
MOST_SERIES = 5_000
"""Series that one Region of this cloud keeps; beyond that the one unused for longest goes."""
FINE = frozenset({"ConcurrentRequestsPerModel", "ConcurrentRequestsPerCopy", "NoCapacityInvocationFailures"})
"""Metrics of AWS's own that come more often than once a minute."""


class Bucket:
    """What was recorded in one second or minute."""

    __slots__ = ("count", "maximum", "minimum", "total", "unit", "values")

    def __init__(self) -> None:
        self.count = 0.0
        self.total = 0.0
        self.minimum = float("inf")
        self.maximum = float("-inf")
        self.values: dict[float, float] | None = {}
        """how often each value occurred; None when a statistic set was put, whose values nobody knows"""
        self.unit = "None"

    def add(self, value: float, times: float = 1.0) -> None:
        self.count += times
        self.total += value * times
        self.minimum = min(self.minimum, value)
        self.maximum = max(self.maximum, value)
        values = self.values
        if values is None:
            return
        if value not in values and len(values) >= MOST_VALUES:
            value = rounded(value)
        values[value] = values.get(value, 0.0) + times

    def add_set(self, count: float, total: float, minimum: float, maximum: float) -> None:
        """Add a statistic set. Its values are known only where they are all the same."""
        if minimum == maximum:
            self.add(minimum, count)
            return
        self.count += count
        self.total += total
        self.minimum = min(self.minimum, minimum)
        self.maximum = max(self.maximum, maximum)
        self.values = None

    def merge(self, other: "Bucket") -> None:
        self.count += other.count
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        self.unit = other.unit
        if self.values is not None and other.values is not None:
            for value, times in other.values.items():
                kept = rounded(value) if value not in self.values and len(self.values) >= MOST_VALUES else value
                self.values[kept] = self.values.get(kept, 0.0) + times
        else:
            self.values = None


def rounded(value: float) -> float:
    """`value` to three significant digits."""
    return value if value == 0 else round(value, DIGITS - 1 - floor(log10(abs(value))))


@dataclass
class Series:
    """One metric: a namespace, a name and a value for each dimension."""

    namespace: str
    name: str
    dimensions: Dimensions
    fine: dict[int, Bucket] = field(default_factory=dict)
    """by second of Unix time, oldest first or nearly"""
    coarse: dict[int, Bucket] = field(default_factory=dict)
    """by minute's first second"""
    touched: float = 0.0

    def buckets(self, start_s: float, end_s: float) -> Iterator[tuple[int, Bucket]]:
        """(second, bucket) of what lies in start <= second < end."""
        for kept in (self.coarse, self.fine):
            for at, bucket in kept.items():
                if start_s <= at < end_s:
                    yield at, bucket


class MetricStore:
    """All metrics of one cloud, by account and Region. Safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._series: dict[tuple[str, str], dict[tuple[str, str, Dimensions], Series]] = {}
        self._swept_at = clock()

    def put(
        self,
        where: tuple[str, str],
        namespace: str,
        name: str,
        dimensions: Dimensions,
        value: float,
        *,
        unit: str = "None",
        times: float = 1.0,
        at: float | None = None,
        fine: bool = False,
    ) -> None:
        """Record `value`, `times` over. `where` is (account, Region), `at` Unix time."""
        with self._lock:
            self._bucket(where, namespace, name, dimensions, unit, at, fine).add(value, times)

    def put_set(
        self,
        where: tuple[str, str],
        namespace: str,
        name: str,
        dimensions: Dimensions,
        statistics: Mapping[str, float],
        *,
        unit: str = "None",
        at: float | None = None,
        fine: bool = False,
    ) -> None:
        """Record a statistic set: SampleCount, Sum, Minimum, Maximum."""
        numbers = (statistics[key] for key in ("SampleCount", "Sum", "Minimum", "Maximum"))
        with self._lock:
            self._bucket(where, namespace, name, dimensions, unit, at, fine).add_set(*numbers)

    def read(
        self, where: tuple[str, str], namespace: str, name: str, dimensions: Dimensions, start_s: float, end_s: float
    ) -> list[tuple[int, Bucket]]:
        """What was recorded of one series, in order of time; as on AWS, other dimensions are another series."""
        with self._lock:
            series = self._series.get(where, {}).get((namespace, name, dimensions))
            if series is None:
                return []
            found = []
            for at, bucket in series.buckets(start_s, end_s):  # copies: the store's own go on growing
                copy = Bucket()
                copy.merge(bucket)
                found.append((at, copy))
        return sorted(found, key=lambda pair: pair[0])

    def all(self, where: tuple[str, str]) -> list[Series]:
        """Every series of an account in a Region, in the order in which they began."""
        with self._lock:
            return list(self._series.get(where, {}).values())

    def _bucket(
        self,
        where: tuple[str, str],
        namespace: str,
        name: str,
        dimensions: Dimensions,
        unit: str,
        at: float | None,
        fine: bool,
    ) -> Bucket:
        now = self.clock()
        here = self._series.setdefault(where, {})
        key = (namespace, name, dimensions)
        series = here.get(key)
        if series is None:
            if len(here) >= MOST_SERIES:
                del here[min(here, key=lambda each: here[each].touched)]
            series = here[key] = Series(namespace, name, dimensions)
        series.touched = now
        second = int(now if at is None else at)
        kept = series.fine if fine else series.coarse
        start = second if fine else second - second % 60
        bucket = kept.get(start)
        if bucket is None:
            bucket = kept[start] = Bucket()
            if now - self._swept_at > 60:
                self._sweep(now)
        bucket.unit = unit
        return bucket

    def _sweep(self, now: float) -> None:
        """Fold seconds that are too old into minutes, and forget minutes that are."""
        self._swept_at = now
        for here in self._series.values():
            for series in here.values():
                for second in [each for each in series.fine if each < now - FINE_KEPT_S]:
                    series.coarse.setdefault(second - second % 60, Bucket()).merge(series.fine.pop(second))
                for minute in [each for each in series.coarse if each < now - COARSE_KEPT_S]:
                    del series.coarse[minute]


@dataclass
class _Repeated:
    period_s: float
    action: Callable[[float], object]
    due_at: float


class Ticker:
    """What must happen from time to time in one cloud: gauges, alarms, policies. A cloud with a server has a thread for it; in one
    inside a process (a browser has no threads) whoever asks for a result calls `settle` first."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._repeated: list[_Repeated] = []
        self._woken = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def every(self, period_s: float, action: Callable[[float], object], *, in_thread: bool) -> None:
        """Call `action(now)` every `period_s` seconds from now on."""
        with self._lock:
            self._repeated.append(_Repeated(period_s, action, self._clock() + period_s))
            if in_thread and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="cloud-ticker", daemon=True)
                self._thread.start()
        self._woken.set()

    def settle(self) -> None:
        """Do what is due."""
        now = self._clock()
        with self._lock:  # and not while anything is done: it may wait for others, who may wait to register here
            due = [each for each in self._repeated if each.due_at <= now]
            for each in due:
                each.due_at = now + each.period_s
        for each in due:
            try:
                each.action(now)
            except Exception:  # one bad gauge must not stop every alarm of the cloud
                logger.exception("something that the local cloud does from time to time failed")

    def close(self) -> None:
        self._closed = True
        self._woken.set()

    def _run(self) -> None:
        while not self._closed:
            self._woken.clear()
            self.settle()
            with self._lock:
                next_at = min((each.due_at for each in self._repeated), default=None)
            self._woken.wait(None if next_at is None else max(0.05, next_at - self._clock()))


def store(context: Context) -> MetricStore:
    """The metrics of this cloud."""
    found = context.__dict__.get("_metrics")
    if found is None:
        found = context.__dict__.setdefault("_metrics", MetricStore())
    result: MetricStore = found
    return result


def put(
    context: Context,
    region: str,
    namespace: str,
    name: str,
    value: float,
    unit: str = "None",
    **dimensions: str,
) -> None:
    """Record a service's own metric now, as if it had been put with PutMetricData. `unit` is CloudWatch's word ("Count", "Seconds")."""
    store(context).put(
        (context.account_id, region),
        namespace,
        name,
        tuple(sorted(dimensions.items())),
        float(value),
        unit=unit,
        fine=name in FINE,
    )


def every(context: Context, period_s: float, action: Callable[[float], object]) -> None:
    """Call `action(now)` every `period_s` real seconds while this cloud lives, for gauges and whatever watches them."""
    ticker(context).every(period_s, action, in_thread=context.endpoint_url is not None)


def settle(context: Context) -> None:
    """Do what is due of what `every` has registered; for a cloud without a server, before its metrics are read."""
    if context.endpoint_url is None:
        ticker(context).settle()


def ticker(context: Context) -> Ticker:
    """What keeps this cloud's gauges, alarms and policies going."""
    found = context.__dict__.get("_ticker")
    if found is None:
        mine = Ticker()
        found = context.__dict__.setdefault("_ticker", mine)
        if found is mine:
            context.on_close(mine.close)
    result: Ticker = found
    return result


def as_dimensions(listed: Iterable[Mapping[str, Any]] | None) -> Dimensions:
    """The API's list of {"Name", "Value"} as this module keeps it."""
    return tuple(sorted((each["Name"], each["Value"]) for each in listed or ()))
