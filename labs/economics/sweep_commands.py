"""`lab simulate --sweep`: the options, the running of it here or elsewhere, and the table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from labs import terminal
from labs.economics import sweep
from labs.economics.sweep import Notes, Point
from labs.errors import FALSE, NOT_READY, USAGE, Refusal
from labs.spread.options import SCHEDULER

OWN = ("sweep_", "into", "workers", "scheduler")
NOT_VARIED = (*OWN, "json_")
MOST_TOGETHER = 32
"""Points in one piece of work, where there are many: sending one costs as much as running a small one"""

TELL_EVERY_S = 5.0


def with_sweep(command: click.Command) -> click.Command:
    """The command, with `--sweep` and what belongs to it."""
    alone = command.callback
    assert alone is not None

    def callback(**asked: Any) -> int:
        own = {name: asked.pop(name) for name in OWN}
        if own["sweep_"] is None:
            if given := [name for name in OWN if own[name] is not None]:
                raise Refusal(f"--{given[0]} goes with --sweep FILE", USAGE)
            return int(alone(**asked))
        return _sweep(command, own, asked["json_"])

    made: Callable[..., Any] = callback
    for add in (
        SCHEDULER,
        click.option("--workers", type=click.IntRange(1, 64), help="With --sweep: so many processes of this machine."),
        click.option(
            "--into",
            type=click.Path(path_type=Path, dir_okay=False),
            help="With --sweep: write a line of JSON for each point to this file; what stands there is not run again.",
        ),
        click.option(
            "--sweep",
            "sweep_",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Run at every combination of the values in this YAML or JSON file, 'rate: [1, 2, 5]'.",
        ),
    ):
        made = add(made)
    command.params += reversed(made.__click_params__)  # type: ignore[attr-defined]
    command.callback = callback
    return command


def _sweep(command: click.Command, own: Mapping[str, Any], as_json: bool) -> int:
    from labs.spread import versions

    if own["scheduler"] is not None and own["workers"] is not None:
        raise Refusal("--workers is for this machine; the workers of a --scheduler are started with it", USAGE)
    wanted = sweep.points(own["sweep_"], _without_own(command), _base(command))
    files = sweep.files_of(wanted, _without_own(command))
    notes = Notes(own["into"], f"{versions.own()[versions.PACKAGE]} {sweep.digest(files)}".strip())
    waiting = [point for point in wanted if point.key not in notes.known]
    notes.begin(wanted)
    told = time.monotonic()
    for done, (point, answer) in enumerate(_run(waiting, files, own), 1):
        notes.keep(point, answer)
        if time.monotonic() - told > TELL_EVERY_S:
            terminal.err.print(f"{done} of {len(waiting)} points", markup=False)
            told = time.monotonic()
    answers = [(point, notes.known[point.key]) for point in wanted]
    refused = sum("refused" in answer for _, answer in answers)
    if as_json:
        terminal.emit_json(
            {
                "points": [
                    {name: answer[name] for name in ("given", "result", "refused") if name in answer}
                    for _, answer in answers
                ]
            }
        )
    else:
        _show(answers, len(wanted) - len(waiting), own["into"])
    return FALSE if refused else 0


def _without_own(command: click.Command) -> click.Command:
    """What a point may say: a sweep in a sweep is none."""
    return click.Command("simulate", params=[param for param in command.params if param.name not in NOT_VARIED])


def _base(command: click.Command) -> sweep.Given:
    """What the command line says for every point."""
    context = click.get_current_context()
    found: sweep.Given = {}
    for param in command.params:
        source = context.get_parameter_source(param.name or "")
        if param.name not in NOT_VARIED and source is not None and source.name == "COMMANDLINE":
            found[max(param.opts, key=len).removeprefix("--")] = context.params[param.name or ""]
    return found


def _run(
    waiting: Sequence[Point], files: Mapping[str, bytes], own: Mapping[str, Any]
) -> Iterator[tuple[Point, dict[str, Any]]]:
    if not waiting:
        return
    if own["scheduler"] is None and own["workers"] is None:
        for point in waiting:
            yield point, sweep.run([point], files)[0]
        return
    from labs.spread import cluster

    with cluster.connect(own["scheduler"]) if own["scheduler"] else cluster.local(own["workers"]) as workers:
        threads = sum(worker.threads for worker in workers.there())
        together = max(1, min(MOST_TOGETHER, len(waiting) // (8 * max(1, threads))))
        parts = {str(start): waiting[start : start + together] for start in range(0, len(waiting), together)}
        with closing(workers.each(sweep.run, ((key, (part, files)) for key, part in parts.items()))) as coming:
            for done in coming:
                if done.problem:
                    raise Refusal(
                        f"a part of the sweep could not be run ({done.problem}); what was is kept where there is an --into",
                        NOT_READY,
                    )
                yield from zip(parts[done.key], done.value, strict=True)


def _show(answers: Sequence[tuple[Point, Mapping[str, Any]]], kept: int, into: Path | None) -> None:
    values: dict[str, set[str]] = {}
    for point, _ in answers:
        for name, value in point.given.items():
            values.setdefault(name, set()).add(str(value))
    varied = [
        name
        for name, different in values.items()
        if len(different) > 1 or sum(name in p.given for p, _ in answers) < len(answers)
    ]
    columns = [*varied, "TTFT (ms)", "p99 (ms)", "TPOT (ms)", "(tokens/s)", "Errors (n)", "(USD/M)"]
    rows = []
    for point, answer in answers:
        head = [escape(str(point.given.get(name, ""))) for name in varied]
        if "refused" in answer:
            rows.append([*head, *["-"] * 6])
            continue
        result = answer["result"]
        cost = (result["cost"] or {}).get("usd_per_million_output_tokens")
        rows.append(
            [
                *head,
                _number(result["ttft_ms"]["p50"], 0),
                _number(result["ttft_ms"]["p99"], 0),
                _number(result["tpot_ms"]["p50"], 1),
                _number(result["output_tokens_per_s"], 0),
                str(sum(result["errors"].values())),
                _number(cost, 2),
            ]
        )
    terminal.table(f"{len(answers)} points, predicted by the serving model", columns, rows)
    terminal.say("TTFT and TPOT are medians, p99 is TTFT's, USD/M is the price of a million output tokens.")
    for why in dict.fromkeys(str(answer["refused"]) for _, answer in answers if "refused" in answer):
        number = sum(answer.get("refused") == why for _, answer in answers)
        terminal.say(f"{number} cannot be run: {escape(why)}")
    if kept:
        terminal.say(f"{kept} kept from before.")
    terminal.say(f"Every figure: {into}" if into else "Every figure: --json, or --into F.jsonl.")


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
