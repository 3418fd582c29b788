"""`lab replay`: a lab's calls to its cloud, recorded, and shown again at their own pace where there is no cloud to call."""

import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from labs import cloud, terminal
from labs.check import exchanges, student


@click.group()
def replay() -> None:
    """A lab's calls to its cloud: record them, or see a recording again without a cloud."""


@replay.command()
@click.argument("slug")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--task", type=int, help="As far as the beginning of this task; without it, all but the clean-up.")
def record(slug: str, file: Path, task: int | None) -> None:
    """Run a lab with our solutions on the local cloud, and write its calls into FILE."""
    from labs.check import catchup, source

    path = student.find(slug)
    here = cloud.connect(real=False)
    last = max(cell.task for cell in source.cells(path) if cell.task != source.AFTERWARDS)
    with exchanges.recording(file), redirect_stdout(StringIO()):
        names: dict[str, Any] = {"__name__": "__main__"}
        catchup.catch_up(path.stem, task or last, names, path=path, including=task is None)
    calls = exchanges.read(file)
    terminal.say(escape(str(here)))
    terminal.say(f"{len(calls)} calls in {file}; {exchanges.LABELS[exchanges.LOCAL]}.")
    terminal.say(f"Show them with 'lab replay show {escape(str(file))}'.")


@replay.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--speed", type=click.FloatRange(min=0.01), default=1.0, help="So many times as fast as it was.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, at once.")
def show(file: Path, speed: float, as_json: bool) -> None:
    """Show a recording: each call when it was made, what it was answered, and how long that took."""
    calls = exchanges.read(file)
    labels = sorted({exchanges.LABELS[said["cloud"]] for said in calls})
    if as_json:
        terminal.emit_json({"provenance": labels, "calls": calls})
        return
    for label in labels:
        terminal.say(f"{len(calls)} calls, {label}.")
    began = time.monotonic()
    for said in calls:
        time.sleep(max(0.0, began + float(said["at_s"]) / speed - time.monotonic()))
        answer = said.get("failed") or f"{said['status']}"
        tokens = f", in {len(said['chunks'])} pieces" if len(said.get("chunks", [])) > 1 else ""
        terminal.say(
            escape(
                f"{said['at_s']:9.2f} s  {said['operation']:45} {answer} after {said['took_s'] * 1000:.0f} ms{tokens}"
            )
        )
