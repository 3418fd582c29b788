"""`lab grade`: a class's submissions, graded."""

import signal
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from labs import terminal
from labs.check import exports
from labs.errors import FALSE, USAGE, Refusal
from labs.spread.cluster import processors
from labs.spread.options import SCHEDULER

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--lab", help="The lab of notebooks that do not say which they are.")
@click.option(
    "--workers", type=click.IntRange(1, 64), help="So many at a time; as many as there are processors unless you say."
)
@SCHEDULER
@click.option("--seconds", type=click.FloatRange(1), help="For one notebook; each lab has its own limit.")
@click.option("--memory", "memory_mb", type=click.IntRange(256), default=2048, help="Megabytes for one submission.")
@click.option("--again", is_flag=True, help="Also run those that have a result from an earlier run.")
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV, a column for each check.")
@click.option("--html", "form", flag_value="html", help="Print a page of HTML.")
@click.option("--nbgrader", type=FOLDER, help="Write nbgrader's grades.csv and feedback into this folder.")
@click.option("--gradescope", type=FOLDER, help="Write Gradescope's results.json, one for each, into this folder.")
@click.option("--sources", type=click.Path(path_type=Path, exists=True, file_okay=False), hidden=True)
def grade(
    folder: Path,
    lab: str | None,
    workers: int | None,
    scheduler: str | None,
    seconds: float | None,
    memory_mb: int,
    again: bool,
    form: str | None,
    nbgrader: Path | None,
    gradescope: Path | None,
    sources: Path | None,
) -> int:
    """Run every notebook in FOLDER (also in zip files) in a cloud of its own, confined, and look at what it left there.

    Results are kept in FOLDER/_grades; run it again after an interruption, and it goes on where it was.
    """
    from labs.check.grade import Plan, name_twins, run
    from labs.check.labs import known
    from labs.check.supervise import Allowed

    if lab is not None:
        fits = [slug for slug in known() if slug == lab] or [slug for slug in known() if slug.startswith(lab)]
        if len(fits) != 1:
            raise Refusal(f"there are no checks for a lab '{lab}'; there are some for {', '.join(known())}", USAGE)
        lab = fits[0]
    if scheduler is not None and workers is not None:
        raise Refusal("--workers is for this machine; the workers of a --scheduler are started with it", USAGE)
    plan = Plan(workers or processors(), lab, again, sources, Allowed(seconds, memory_mb), scheduler)
    results: list[dict[str, Any]] = []
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is under way is ended
    with closing(run(folder, plan)) as coming:
        for result in coming:
            results.append(result)
            _progress(result, len(results))
    if not results:
        raise Refusal(f"there is no notebook (.ipynb) and no zip file in {folder}", USAGE)
    results.sort(key=lambda result: result["submission"])
    name_twins(results)
    if nbgrader is not None:
        terminal.err.print(f"nbgrader's files: {exports.write_nbgrader(results, nbgrader)}", markup=False)
    if gradescope is not None:
        exports.write_gradescope(results, gradescope)
        terminal.err.print(f"Gradescope's files: {gradescope}", markup=False)
    _show(results, form, time.monotonic() - began, folder)
    return FALSE if any(result["problem"] for result in results) else 0


def _progress(result: dict[str, Any], number: int) -> None:
    if result.get("kept"):
        return
    mark = "not graded" if result["problem"] else f"{result['score']:g} of {result['max']:g}"
    terminal.err.print(f"{number:4d}  {result['submission']}: {mark} ({result.get('seconds', 0):.1f} s)", markup=False)


def _show(results: list[dict[str, Any]], form: str | None, seconds: float, folder: Path) -> None:
    if form == "json":
        unconfined: list[str] = next((result["unconfined"] for result in results if "unconfined" in result), [])
        terminal.emit_json({"unconfined": unconfined, "results": results})
    elif form == "csv":
        click.echo(exports.as_csv(results), nl=False)
    elif form == "html":
        click.echo(exports.as_html(results), nl=False)
    else:
        rows = [
            (
                escape(result["submission"]),
                result["lab"] or "?",
                "-" if result["problem"] else f"{result['score']:g} of {result['max']:g}",
                escape(result["problem"] or " ".join(result["notes"])),
            )
            for result in results
        ]
        terminal.table(f"{len(results)} submissions", ["Submission", "Lab", "Points", "To know"], rows)
        run = sum(not result.get("kept") for result in results)
        terminal.say(f"{run} run in {seconds:.0f} s, {len(results) - run} kept from before.")
        terminal.say(escape(f"Each check's sentence: 'lab grade {folder} --html > results.html'."))
    for missing in sorted({each for result in results for each in result.get("unconfined", [])}):
        terminal.err.print(f"Not confined: {missing}.", markup=False)
