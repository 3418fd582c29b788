"""A run for people: what it measured, on a small page."""

from collections.abc import Mapping
from typing import Any

from rich.markup import escape

from labs import terminal
from labs.bench.crew import Outcome
from labs.bench.where import Place


def show(summary: Mapping[str, Any], outcome: Outcome, place: Place) -> None:
    """Tables, what is wrong with the run if anything is, an example of each error, and what it means."""
    names = {"ttft_ms": "TTFT, first token", "tpot_ms": "TPOT, each later token", "e2e_ms": "E2E, last token"}
    loop = "closed loop" if summary["loop"] == "closed" else "open loop"
    terminal.table(
        escape(f"{place.name}, {loop}, {place.note}"),
        ("", "mean (ms)", "p50 (ms)", "p90 (ms)", "p99 (ms)", "p99, 95 % interval (ms)"),
        (
            [
                label,
                *(_milliseconds(summary[name][figure]) for figure in ("mean", "p50", "p90", "p99")),
                _interval(summary[name].get("ci")),
            ]
            for name, label in names.items()
        ),
    )
    quality = outcome.run.quality
    facts = [
        ("requests, without warm-up", f"{summary['requests']:,}"),
        ("answered per second", f"{summary['requests_per_s']:,.2f}"),
        ("output tokens per second", f"{summary['output_tokens_per_s']:,.1f}"),
    ]
    if summary["goodput_per_s"] is not None:
        facts.append(("within the objective, per second", f"{summary['goodput_per_s']:,.2f}"))
    facts += [
        (f"errors: {name}", f"{count:,} ({100 * count / summary['requests']:.1f} %)")
        for name, count in summary["errors"].items()
    ]
    if quality is not None and quality.workers:
        lags = [worker.lag_ms["p99"] for worker in quality.workers if worker.lag_ms["p99"] is not None]
        cpu = ", ".join(f"{100 * worker.cpu_share:.0f} %" for worker in quality.workers)
        late = f"p99 {max(lags):.2f} ms late, " if lags else ""
        facts.append(("the client itself", f"{late}{cpu} of a core"))
        within = [worker.start_within_ms for worker in quality.workers if worker.start_within_ms is not None]
        if within:
            facts.append(("spread over", f"{len(within)} workers, started together within {max(within):.2f} ms"))
            facts += [
                (f"worker {worker.worker}", f"{worker.place}, p99 {worker.lag_ms['p99'] or 0.0:.2f} ms late")
                for worker in quality.workers
            ]
    terminal.table("", ("what", "value"), facts)
    for reason in summary["invalid"]:
        terminal.say(f"[bold red]This run does not count:[/] {escape(reason)}.")
    examples = {record.status: record.message for record in outcome.run.measured if not record.ok}
    for status, message in examples.items():
        terminal.say(f"[dim]{escape(status)}: {escape(message)}[/dim]")
    terminal.say(_meaning(summary))


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}" if value < 1e4 else f"{value:,.0f}"


def _interval(ci: Mapping[str, Any] | None) -> str:
    pair = (ci or {}).get("p99")
    return (
        f"{_milliseconds(pair[0])} to {_milliseconds(pair[1])}"
        if isinstance(pair, list | tuple)
        else "too few requests"
    )


def _meaning(summary: Mapping[str, Any]) -> str:
    ttft = summary["ttft_ms"]
    if ttft["p50"] is None:
        return "Nobody was answered. Next: see the errors above; 'lab doctor' says whether this machine is ready."
    return (
        f"Half of the users see their first token within {ttft['p50'] / 1e3:.2f} s; 1 in 100 waits longer than {ttft['p99'] / 1e3:.2f} s. "
        "Next: twice the --rate shows where it breaks; --records F.jsonl keeps every request."
    )
