"""When requests are due. `labs.serving.arrivals` has the processes; here are those whose rate changes within a run.

schedule("ramp", rate_per_s=5, rate_to_per_s=50, duration_s=60, seed=1)
"""

from array import array
from collections.abc import Callable
from itertools import islice, takewhile
from math import sqrt
from typing import Literal, get_args

from labs.serving.arrivals import DAY_S, arrivals

Arrival = Literal["constant", "poisson", "gamma", "steps", "ramp", "daily", "trace"]
ARRIVALS: tuple[Arrival, ...] = get_args(Arrival)


def schedule(
    arrival: Arrival,
    *,
    rate_per_s: float = 0.0,
    duration_s: float | None = None,
    requests: int | None = None,
    seed: int = 0,
    cv: float = 2.0,
    steps_per_s: tuple[float, ...] = (),
    rate_to_per_s: float | None = None,
) -> "array[float]":
    """Times in seconds from 0, ascending: all within the duration, or so many requests (whichever ends first).

    steps: a Poisson process that keeps each rate for an equal part of the duration; ramp: one whose rate goes from `rate_per_s` to
    `rate_to_per_s`; daily: a whole day of `labs.serving.arrivals.WORKING_DAY` in the time of the run. Those three need a duration.
    """
    if arrival in ("constant", "poisson", "gamma"):
        return arrivals(arrival, rate_per_s, requests=requests, duration_s=duration_s, seed=seed, cv=cv)
    if duration_s is None:
        raise ValueError(f"{arrival} arrivals need a duration")
    if arrival == "daily":
        squeeze = duration_s / DAY_S
        day = arrivals("daily", rate_per_s * squeeze, requests=requests, duration_s=DAY_S, seed=seed)
        return array("d", (t * squeeze for t in day))
    if arrival == "steps":
        when = _in_steps(steps_per_s, duration_s)
    elif arrival == "ramp":
        assert rate_to_per_s is not None
        when = _on_a_ramp(rate_per_s, rate_to_per_s, duration_s)
    else:
        raise ValueError(f"no arrival process is called {arrival!r}")
    # A Poisson process of rate 1, its time bent by the inverse of the cumulative rate.
    unit = arrivals(
        "poisson",
        1.0,
        requests=requests or 1 << 40,
        duration_s=_expected(arrival, rate_per_s, rate_to_per_s, steps_per_s, duration_s),
        seed=seed,
    )
    end = duration_s
    return array("d", islice(takewhile(lambda t: t < end, map(when, unit)), requests))


def _expected(arrival: Arrival, rate: float, rate_to: float | None, steps: tuple[float, ...], duration: float) -> float:
    """How many requests are expected in all."""
    return duration * (sum(steps) / len(steps) if arrival == "steps" else (rate + (rate_to or 0.0)) / 2)


def _in_steps(rates: tuple[float, ...], duration_s: float) -> Callable[[float], float]:
    part_s = duration_s / len(rates)

    def when(due: float) -> float:
        for n, rate in enumerate(rates):
            if due < rate * part_s:
                return (n + due / (rate * part_s)) * part_s
            due -= rate * part_s
        return duration_s

    return when


def _on_a_ramp(begin: float, end: float, duration_s: float) -> Callable[[float], float]:
    slope = (end - begin) / duration_s

    def when(due: float) -> float:
        # The cumulative rate is begin t + slope t^2 / 2; this is where it reaches `due`, in the form that does not cancel.
        root = sqrt(max(0.0, begin * begin + 2.0 * slope * due))
        return 2.0 * due / (begin + root) if begin + root else 0.0

    return when
