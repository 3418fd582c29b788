"""Do the printed 95 % intervals hold what they say? Simulated latencies whose truth is known, as often as it takes.

    python -m labs.bench.coverage

Latencies that scatter independently, that drift (each like the one before), and that come from a queue (M/M/1, where a request waits for
all before it). An interval is judged only where it is printed: refusing is honest, but how often it happens is said beside it.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log, sqrt
from random import Random
from statistics import NormalDist

import click

from labs import terminal
from labs.bench.intervals import Series
from labs.errors import FALSE

SIGMA = 0.8
Draw = Callable[[int, Random], list[float]]
Truth = Callable[[float | None], float]
"""of a quantile; None: the mean"""
LOW, HIGH = 0.93, 0.98


def independent(n: int, random: Random) -> list[float]:
    """Lognormal, one not knowing of the other."""
    return [exp(SIGMA * random.gauss(0, 1)) for _ in range(n)]


def drifting(correlation: float) -> Draw:
    """Lognormal of a first-order autoregression."""

    def draw(n: int, random: Random) -> list[float]:
        rest = sqrt(1 - correlation**2)
        level, values = random.gauss(0, 1), []
        for _ in range(n):
            values.append(exp(SIGMA * level))
            level = correlation * level + rest * random.gauss(0, 1)
        return values

    return draw


def queue(load: float) -> Draw:
    """Times in an M/M/1 queue in its steady state, by Lindley's recursion; the mean service time is 1."""

    def draw(n: int, random: Random) -> list[float]:
        wait = 0.0 if random.random() < 1 - load else random.expovariate(1 - load)
        values = []
        for _ in range(n):
            served = wait + random.expovariate(1)
            values.append(served)
            wait = max(0.0, served - random.expovariate(load))
        return values

    return draw


def lognormal_truth(q: float | None) -> float:
    """The quantile, or the mean."""
    return exp(SIGMA**2 / 2) if q is None else exp(SIGMA * NormalDist().inv_cdf(q))


def queue_truth(load: float) -> Truth:
    """The time in an M/M/1 system is exponential."""
    return lambda q: (1.0 if q is None else -log(1 - q)) / (1 - load)


@dataclass(frozen=True)
class Case:
    """Latencies of one kind, so many in a run."""

    name: str
    draw: Draw
    truth: Truth
    requests: int
    dependent: bool


KINDS = (
    ("independent", independent, lognormal_truth, False),
    ("drifting, 0.5", drifting(0.5), lognormal_truth, True),
    ("drifting, 0.8", drifting(0.8), lognormal_truth, True),
    ("queue, half full", queue(0.5), queue_truth(0.5), True),
    ("queue, 70 % full", queue(0.7), queue_truth(0.7), True),
)
CASES = tuple(Case(name, draw, truth, n, dep) for name, draw, truth, dep in KINDS for n in (500, 2000, 10_000))
FIGURES: dict[str, float | None] = {"mean": None, "p50": 0.5, "p90": 0.9, "p99": 0.99}


@dataclass(frozen=True)
class Row:
    """One figure of one case."""

    case: Case
    figure: str
    runs: int
    printed: int
    held: int


def measure(case: Case, runs: int) -> list[Row]:
    """Seeded runs of a case: how many intervals were printed, and how many held the truth."""
    printed, held = dict.fromkeys(FIGURES, 0), dict.fromkeys(FIGURES, 0)
    for run in range(runs):
        series = Series(case.draw(case.requests, Random(1_000_003 * run + case.requests)))
        for name, q in FIGURES.items():
            interval = (series.mean_estimate(run) if q is None else series.percentile(q)).interval
            if interval is not None:
                printed[name] += 1
                held[name] += interval[0] <= case.truth(q) <= interval[1]
    return [Row(case, name, runs, printed[name], held[name]) for name in FIGURES]


@click.command()
@click.option("--runs", type=click.IntRange(10), default=200, show_default=True, help="Simulated runs of each kind.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def main(runs: int, as_json: bool) -> int:
    """Coverage of the 95 % intervals that `lab bench` prints."""
    rows = [row for case in CASES for row in measure(case, runs)]
    printed, held = sum(row.printed for row in rows), sum(row.held for row in rows)
    whole = held / printed
    if as_json:
        terminal.emit_json(
            {
                "coverage": whole,
                "rows": [
                    {
                        "case": r.case.name,
                        "requests": r.case.requests,
                        "figure": r.figure,
                        "runs": r.runs,
                        "printed": r.printed,
                        "held": r.held,
                    }
                    for r in rows
                ],
            }
        )
    else:
        _print(rows, runs)
        terminal.say(
            f"Of {printed:,} printed 95 % intervals {100 * whole:.1f} % held the truth; the bar is {100 * LOW:.0f} to {100 * HIGH:.0f} %. "
            "A dash: refused in nine runs of ten or more."
        )
        terminal.say(
            "Next: `lab bench` prints them beside every percentile; a refused one says how many requests it wants."
        )
    return 0 if LOW <= whole <= HIGH else FALSE


def _print(rows: list[Row], runs: int) -> None:
    def cell(row: Row) -> str:
        if row.printed < runs / 10:
            return "-"
        often = "" if row.printed == runs else f" ({100 * row.printed / runs:.0f} % printed)"
        return f"{100 * row.held / row.printed:.1f}{often}"

    by_case: dict[Case, list[Row]] = {}
    for row in rows:
        by_case.setdefault(row.case, []).append(row)
    terminal.table(
        f"Coverage of 95 % intervals, {runs} simulated runs of each kind, percent",
        ("latencies", "requests ()", *(f"{name} (%)" for name in FIGURES)),
        ((case.name, f"{case.requests:,}", *map(cell, found)) for case, found in by_case.items()),
    )


if __name__ == "__main__":
    sys.exit(terminal.run(main, "python -m labs.bench.coverage"))
