"""`lab compare RUN...`: runs side by side, as a table, as JSON, or as a page."""

from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from labs import terminal
from labs.bench.compare import Comparison, narrow
from labs.bench.compare import compare as judge
from labs.bench.opened import Compared, load
from labs.bench.overlay import Overlay, engine_for, overlay
from labs.errors import NOT_READY, USAGE, Refusal
from labs.serving.profiles import Choices


@click.command("compare", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page that needs nothing else.")
@click.option(
    "--overlay", "laid", is_flag=True, help="Lay the serving engine's own figures over each run with records."
)
@click.option("--model", help="With --overlay: the model that answered, where the run does not say.")
@click.option(
    "--hardware", "hardware_name", help="With --overlay: the accelerator, instance type or service it ran on."
)
@click.option("--tensor-parallel", type=click.IntRange(1), help="With --overlay.")
@click.option("--dtype", help="With --overlay: precision of the weights.")
@click.option("--replicas", type=click.IntRange(1), help="With --overlay.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def compare(
    runs: tuple[Path, ...],
    html: Path | None,
    laid: bool,
    model: str | None,
    hardware_name: str | None,
    tensor_parallel: int | None,
    dtype: str | None,
    replicas: int | None,
    as_json: bool,
) -> int:
    """Runs side by side: JSON summaries (`--json FILE` of lab bench or lab simulate) or JSONL records (`--records FILE`).

    \b
    lab compare bedrock.json gpu.json
    lab compare runs/*.jsonl --html report.html
    lab compare gpu.jsonl --overlay --model llama-3.1-8b --hardware ml.g5.2xlarge
    """
    compared = judge(load(runs))
    choices = Choices(tensor_parallel=tensor_parallel, dtype=dtype) if tensor_parallel or dtype else None
    overlays = []
    if laid:
        with_records = [run for run in compared.runs if run.run is not None]
        if not with_records:
            raise Refusal(
                "--overlay needs records to replay: give the JSONL that 'lab bench --records FILE' wrote", USAGE
            )
        if hardware_name is not None and len({run.letter for run in with_records}) > 1:
            raise Refusal(
                "--hardware says what one target ran on: with --overlay give runs of that target alone", USAGE
            )
        overlays = [_lay(run, model, hardware_name, choices, replicas) for run in with_records]
    if html is not None:
        write_page(html, compared, overlays)
    if as_json:
        terminal.emit_json(_json(compared, overlays, html))
    else:
        _print(compared, overlays, html)
    return 0


def _lay(
    run: Compared, model: str | None, hardware_name: str | None, choices: Choices | None, replicas: int | None
) -> Overlay:
    assert run.run is not None
    try:
        engine, notes = engine_for(
            run.run.header.target, model=model, hardware_name=hardware_name, choices=choices, replicas=replicas
        )
        return overlay(run.run, engine, notes)
    except Refusal as refusal:
        raise Refusal(f"{run.label}: {refusal}", refusal.exit_status) from None


def write_page(path: Path, compared: Comparison, overlays: list[Overlay]) -> None:
    """One page that needs nothing else."""
    from labs.bench.report import page  # Altair and its renderer take a second to import: only who wants a page waits

    text = page(compared, overlays)
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise Refusal(f"the report cannot be written to {path}: {error.strerror}", NOT_READY) from None


def _json(compared: Comparison, overlays: list[Overlay], html: Path | None) -> dict[str, Any]:
    return {
        "runs": [
            {"label": run.label, "letter": run.letter, "family": run.family, "file": run.path, "on_the_front": place in compared.front, **run.summary}
            for place, run in enumerate(compared.runs)
        ],
        "repeats": [{"runs_alike": label, **spread} for label, spread in compared.repeats],
        "overlays": [laid.as_dict() for laid in overlays],
        "cautions": list(compared.cautions),
        "says": compared.says,
        "next": compared.next,
        "html": html,
    }  # fmt: skip


def _print(compared: Comparison, overlays: list[Overlay], html: Path | None) -> None:
    columns, lines = narrow(compared.runs)
    terminal.table("Runs, 95 % intervals below their figures", columns, lines)
    for letter, run in {run.letter: run for run in compared.runs}.items():
        terminal.say(f"[bold]{letter}[/bold] {escape(run.series)}: {escape(run.origin)}")
    if columns[-1].startswith("cost"):
        terminal.say("[dim]cost: US dollars per million output tokens, at the load of the run[/dim]")
    for label, spread in compared.repeats:
        between = f"{100 * spread['spread']:.1f} %" if spread["spread"] is not None else "unknown"
        terminal.say(
            f"[dim]{escape(label)}: {spread['runs']} runs, whose TTFT p99 differs by {between} (standard deviation)[/dim]"
        )
    for laid in overlays:
        terminal.table(
            laid.title,
            ("figure", f"{laid.observed_as} (ms)", "engine (ms)", "error (%)"),
            (
                (
                    row.figure,
                    f"{row.observed:,.1f}",
                    f"{row.engine:,.1f}",
                    "-" if row.error is None else f"{100 * row.error:+.1f}",
                )
                for row in laid.rows
            ),
        )
        terminal.say(escape(laid.says))
    for caution in compared.cautions:
        terminal.say(f"[bold]mind:[/bold] {escape(caution)}")
    terminal.say(escape(compared.says))
    written = f"The page is in {html}. " if html is not None else ""
    terminal.say(f"{written}Next: {escape(compared.next)}.")
