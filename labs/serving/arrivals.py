"""When requests come and how long they are: seeded, so that the same words give the same workload.

times = arrivals("poisson", rate_per_s=20.0, duration_s=60.0, seed=1)
table = Table.of(times, lengths(500, len(times)), lengths(200, len(times)))
"""

import csv
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice, repeat, takewhile
from math import log, sqrt
from pathlib import Path
from random import Random
from typing import Literal

from labs.errors import USAGE, Refusal
from labs.serving.requests import Table

Process = Literal["constant", "poisson", "gamma", "daily"]
PROCESSES: tuple[Process, ...] = ("constant", "poisson", "gamma", "daily")

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
WORKING_DAY = (3, 2, 2, 2, 3, 5, 9, 15, 24, 30, 32, 31, 28, 30, 32, 31, 29, 25, 20, 16, 13, 10, 7, 5)
"""share of each hour, from midnight: an invented office day, whose busiest hour has 1.9 times the mean"""


def arrivals(
    process: Process,
    rate_per_s: float,
    *,
    requests: int | None = None,
    duration_s: float | None = None,
    seed: int = 0,
    cv: float = 2.0,
    profile: Sequence[float] = WORKING_DAY,
) -> "array[float]":
    """Times in seconds from 0, ascending: so many requests, or all within a duration (whichever ends first).

    `cv` is the gamma process's coefficient of variation of the gaps: 0 would be constant, 1 is Poisson, above 1 is bursty.
    `profile` is the daily process's share of each part of a day; `rate_per_s` is its mean over the day.
    """
    if rate_per_s <= 0 or (requests is None and duration_s is None):
        raise ValueError("arrivals need a rate above 0, and a number of requests or a duration")
    random = Random(seed)
    if process == "constant":
        gap = 1.0 / rate_per_s
        times: Iterator[float] = (i * gap for i in iter_count())
    elif process == "poisson":
        times = accumulate(_exponential(random, rate_per_s))
    elif process == "gamma":
        shape = 1.0 / (cv * cv)
        draw, scale = random.gammavariate, 1.0 / (rate_per_s * shape)
        times = accumulate(draw(shape, scale) for _ in repeat(None))
    elif process == "daily":
        times = _daily(random, rate_per_s, profile)
    else:
        raise ValueError(f"no arrival process is called {process!r}; there are {', '.join(PROCESSES)}")
    if duration_s is not None:
        end = duration_s
        times = takewhile(lambda t: t < end, times)
    return array("d", times if requests is None else islice(times, requests))


def iter_count() -> Iterator[int]:
    """0, 1, 2 ..."""
    n = 0
    while True:
        yield n
        n += 1


def _exponential(random: Random, rate: float) -> Iterator[float]:
    draw, scale = random.random, -1.0 / rate
    return (scale * log(1.0 - draw()) for _ in repeat(None))


def _daily(random: Random, rate: float, profile: Sequence[float]) -> Iterator[float]:
    """A Poisson process whose rate follows the profile: a steady one, with its time bent by the inverse of the cumulative rate."""
    part_s = DAY_S / len(profile)
    mean = sum(profile) / len(profile)
    whole = rate * DAY_S
    ends = list(accumulate(rate * part_s * share / mean for share in profile))
    for due in accumulate(_exponential(random, 1.0)):
        day, rest = divmod(due, whole)
        part = min(bisect_right(ends, rest), len(profile) - 1)
        before = ends[part - 1] if part else 0.0
        yield day * DAY_S + (part + (rest - before) / (ends[part] - before)) * part_s


def lengths(mean: int, n: int, cv: float = 0.0, seed: int = 0, maximum: int | None = None) -> "array[int]":
    """Token counts: all `mean`, or lognormal about it with a coefficient of variation; at least 1, at most `maximum`."""
    if cv <= 0:
        return array("i", [mean]) * n
    sigma = sqrt(log(1.0 + cv * cv))
    mu = log(mean) - 0.5 * sigma * sigma
    draw = Random(seed).lognormvariate
    top = maximum or 1 << 30
    return array("i", (max(1, min(top, round(draw(mu, sigma)))) for _ in range(n)))


COLUMNS = ("arrival_s", "input_tokens", "output_tokens")


def read_trace(path: Path) -> Table:
    """A trace: CSV with the columns arrival_s, input_tokens, output_tokens and, if wanted, max_tokens; any others are ignored."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise Refusal(f"{path} has no column {', '.join(missing)}; a trace needs {', '.join(COLUMNS)}", USAGE)
            has_ceiling = "max_tokens" in (reader.fieldnames or ())
            rows: list[tuple[float, int, int, int]] = []
            for number, row in enumerate(reader, 2):
                try:
                    out = int(row["output_tokens"])
                    ceiling = int(row["max_tokens"]) if has_ceiling and row["max_tokens"] else out
                    rows.append((float(row["arrival_s"]), int(row["input_tokens"]), min(out, ceiling), ceiling))
                except (TypeError, ValueError):
                    raise Refusal(
                        f"{path}:{number}: a time and whole numbers of tokens are wanted, not {row}", USAGE
                    ) from None
                if rows[-1][1] < 1 or rows[-1][2] < 1 or not 0 <= rows[-1][0] < float("inf"):
                    raise Refusal(f"{path}:{number}: times must not be below 0, tokens not below 1", USAGE)
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}", USAGE) from None
    if not rows:
        raise Refusal(f"{path} holds no request", USAGE)
    rows.sort(key=lambda row: row[0])
    times, inputs, outputs, ceilings = zip(*rows, strict=True)
    return Table.of(times, inputs, outputs, ceilings if has_ceiling else None)
