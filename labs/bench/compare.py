"""Runs side by side: judged in one sentence that does not claim more than their intervals, with what to mind and what to do next.

compared = compare(load([Path("bedrock.json"), Path("gpu.jsonl")]))
compared.says, compared.next, compared.cautions
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labs.bench.opened import Compared
from labs.bench.statistics import between_runs


@dataclass(frozen=True)
class Comparison:
    """What is to be said of runs."""

    runs: tuple[Compared, ...]
    says: str
    next: str
    cautions: tuple[str, ...]
    repeats: tuple[tuple[str, Mapping[str, Any]], ...]
    """runs of one series at one load: (label, spread of their TTFT p99 between runs)"""
    front: frozenset[int]
    """places of the runs that no other beats in both cost and E2E p99"""


def compare(runs: Sequence[Compared]) -> Comparison:
    """Judge runs that `load` has opened."""
    return Comparison(
        tuple(runs), _meaning(runs), _next(runs), tuple(cautions(runs)), tuple(_repeats(runs)), pareto(runs)
    )


def pareto(runs: Sequence[Compared]) -> frozenset[int]:
    """The runs for which no other is both cheaper and faster (E2E p99)."""
    points = {
        place: (cost, latency)
        for place, run in enumerate(runs)
        if (cost := run.cost) is not None and (latency := run.figure("e2e_ms", "p99")) is not None
    }
    return frozenset(
        place
        for place, (cost, latency) in points.items()
        if not any(c <= cost and e <= latency and (c, e) != (cost, latency) for c, e in points.values())
    )


def cautions(runs: Sequence[Compared]) -> list[str]:
    """Why these runs may not be set side by side, a sentence each."""
    found = []
    if len({run.summary["provenance"] for run in runs}) > 1:
        found.append(
            "some of these are predicted and some measured: the difference between them is the model's error too"
        )
    shapes = {_shape(run): run for run in runs}
    if len(shapes) > 1:
        (one, a), (other, b) = list(shapes.items())[:2]
        found.append(
            f"the workloads differ ({a.letter}: {one}; {b.letter}: {other}): latencies and costs are of different work"
        )
    if len({(run.summary.get("loop") or "open") for run in runs}) > 1:
        found.append(
            "some were offered on a schedule (open loop), some by clients that wait (closed loop): the latter hide queues"
        )
    objectives = {(run.summary.get("objective") or {}).get("words") for run in runs}
    if len(objectives) > 1:
        found.append("their objectives differ, or some have none: goodput is not compared")
    for run in runs:
        found += [f"{run.label}: invalid, {reason}" for reason in run.summary.get("invalid") or ()]
        steady = run.summary.get("steady_state") or {}
        if steady.get("reached") is False:
            found.append(f"{run.label}: {steady['says']}")
    return found


def _shape(run: Compared) -> str:
    offered = run.summary.get("offered")
    if not offered:
        tokens, requests = run.summary.get("output_tokens_per_s"), run.summary.get("requests_per_s")
        return f"{round(tokens / requests)} tokens out" if tokens and requests else "unknown tokens"
    if "trace" in offered:
        return f"trace {offered['trace']}"
    return f"{offered.get('input_tokens', '?')} tokens in, {offered.get('output_tokens', '?')} out"


def _repeats(runs: Sequence[Compared]) -> list[tuple[str, Mapping[str, Any]]]:
    groups: dict[str, list[float]] = {}
    for run in runs:
        if (p99 := run.figure("ttft_ms", "p99")) is not None:
            groups.setdefault(f"{run.what}, {run.summary['provenance']}", []).append(p99)
    return [(label, between_runs(values)) for label, values in groups.items() if len(values) > 1]


def _meaning(runs: Sequence[Compared]) -> str:
    answered = [run for run in runs if run.figure("e2e_ms", "p99") is not None]
    if not answered:
        return "Nobody was answered in any of these runs."
    if len(runs) == 1:
        run = answered[0]
        failed = (run.summary.get("shares") or {}).get("failed") or 0.0
        lost = f" {100 * failed:.1f} % of the requests got no answer." if failed else ""
        return f"{run.label}: 1 request in 100 waited longer than {_ms(run.figure('e2e_ms', 'p99'))} for its last token.{lost}"
    fastest = min(answered, key=lambda run: run.figure("e2e_ms", "p99") or 0.0)
    others = [run for run in answered if run is not fastest and _overlap(run, fastest)]
    speed = f"{fastest.label} ends soonest (E2E p99 {_ms(fastest.figure('e2e_ms', 'p99'))})"
    if unsure := [run.letter for run in others if run.letter != fastest.letter]:
        speed += f", but not surely sooner than {', '.join(dict.fromkeys(unsure))}"
    priced = [run for run in answered if run.cost is not None]
    if not priced:
        return f"{speed}. None of them has a price."
    cheapest = min(priced, key=lambda run: run.cost or 0.0)
    price = f"${cheapest.cost or 0.0:,.2f} per million output tokens at this load"
    if cheapest is fastest:
        return f"{speed}, and is cheapest too: {price}."
    against = "" if fastest.cost is None else f", against ${fastest.cost:,.2f}"
    return f"{speed}; {cheapest.label} is cheapest: {price}{against}."


def _overlap(one: Compared, other: Compared) -> bool:
    """Can their E2E p99 not be told apart? Without an interval they cannot."""
    a, b = one.interval("e2e_ms", "p99"), other.interval("e2e_ms", "p99")
    return a is None or b is None or (a[0] <= b[1] and b[0] <= a[1])


def _next(runs: Sequence[Compared]) -> str:
    if bad := [run for run in runs if run.summary.get("invalid")]:
        return f"run {bad[0].label} again: {bad[0].summary['invalid'][0]}"
    for run in runs:
        wanting = (run.summary.get("e2e_ms") or {}).get("no_ci") or {}
        if why := wanting.get("p99"):
            return f"run {run.label} longer: {why}"
    if len({run.load for run in runs}) == 1:
        return "see how each behaves under more load: 'lab bench TARGET --find-knee', or several --rate; --html FILE draws all of it"
    return "--html FILE draws the curves, with the table behind each"


def _ms(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f} ms" if value < 10_000 else f"{value / 1e3:,.1f} s"


# As a table

COLUMNS = (
    "run",
    "answers (1/s)",
    "TTFT p50 (ms)",
    "TTFT p99 (ms)",
    "TPOT p50 (ms)",
    "E2E p99 (ms)",
    "good (%)",
    "failed (%)",
    "per M out ($)",
)


def rows(runs: Sequence[Compared]) -> list[tuple[str, ...]]:
    """The table, a row a run, as text; columns are `COLUMNS`."""
    return [
        (
            f"{run.label} ({run.summary['provenance']})",
            f"{run.summary.get('requests_per_s') or 0.0:,.2f}",
            _number(run.figure("ttft_ms", "p50")),
            _with_interval(run, "ttft_ms"),
            _number(run.figure("tpot_ms", "p50")),
            _with_interval(run, "e2e_ms"),
            _share(_good(run)),
            _share(_failed(run)),
            "-" if run.cost is None else f"{run.cost:,.2f}",
        )
        for run in runs
    ]


SHORT = (
    "run",
    "done (1/s)",
    "TTFT p50 (ms)",
    "p99 (ms)",
    "TPOT p50 (ms)",
    "E2E p99 (ms)",
    "good (%)",
    "failed (%)",
    "cost ($/M)",
)


def narrow(runs: Sequence[Compared]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The same for a terminal: series by letter, intervals below their figures, no column that says nothing."""
    lines = [
        (
            f"{run.letter} {run.load}{f', {run.repetition}' if run.repetition else ''}",
            *(cell.replace(" [", "\n").replace(", ", "-").removesuffix("]") for cell in cells),
        )
        for run, (_, *cells) in zip(runs, rows(runs), strict=True)
    ]
    keep = [
        place for place in range(len(SHORT)) if place == 0 or any(line[place] not in ("-", "0.0") for line in lines)
    ]
    return tuple(SHORT[place] for place in keep), [tuple(line[place] for place in keep) for line in lines]


def _good(run: Compared) -> float | None:
    objective = run.summary.get("objective")
    if objective:
        return float(objective["share"])
    good, all_ = run.summary.get("goodput_per_s"), run.summary.get("requests_per_s")
    return good / all_ if good is not None and all_ else None


def _failed(run: Compared) -> float | None:
    shares = run.summary.get("shares")
    if shares:
        return float(shares["failed"])
    requests = run.summary.get("requests")
    return sum((run.summary.get("errors") or {}).values()) / requests if requests else None


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _with_interval(run: Compared, name: str) -> str:
    interval = run.interval(name, "p99")
    text = _number(run.figure(name, "p99"))
    return text if interval is None else f"{text} [{_number(interval[0])}, {_number(interval[1])}]"
