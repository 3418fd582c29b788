"""`lab check`, `lab notebook`, `lab catch-up`, `lab progress`: a learner's own look at the labs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from labs import cloud, terminal
from labs.check import feedback, log, room, student
from labs.check.labs import load
from labs.errors import FALSE, NOT_READY, USAGE, Refusal

PATIENCE_S = 300


@click.command()
@click.argument("slug")
@click.option("--task", type=int, help="Only this task.")
@click.option("--real", is_flag=True, help="Look into your AWS account instead of the local cloud.")
@click.option(
    "--submission",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Run this notebook in a cloud of its own, as 'lab grade' does, and look there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(slug: str, task: int | None, real: bool, submission: Path | None, as_json: bool) -> int:
    """Look at what a lab has left in the cloud, and say what is missing."""
    lab = load(slug)
    if submission is not None:
        if real or task is not None:
            raise Refusal(
                "a submission is run and checked as a whole, in a cloud of its own: leave --real and --task away", USAGE
            )
        return _graded(lab.slug, submission, as_json)
    here = cloud.connect(real=real)
    if not as_json:
        terminal.say(escape(str(here)))
    report = _look(lab.slug, task)
    log.add(lab.slug, report)
    room.tell(lab.slug, report)
    if as_json:
        terminal.emit_json(report)
    else:
        for line in feedback.lines(report):
            terminal.say(escape(line))
    return 0 if all(each["passed"] for each in report["checks"]) else FALSE


def _graded(slug: str, submission: Path, as_json: bool) -> int:
    """In a process of its own, too: this one has the checks in its memory, which no submission may be forked from."""
    command = [sys.executable, "-P", "-m", "labs.check.grade", slug, str(submission)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    try:
        result: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise Refusal(
            f"{submission} was not graded: its grader ended with status {done.returncode}", NOT_READY
        ) from None
    if as_json:
        terminal.emit_json(result)
    else:
        for line in [*filter(None, [result["problem"]]), *result["notes"], *feedback.lines(result)]:
            terminal.say(escape(line))
        for missing in result.get("unconfined", []):
            terminal.err.print(f"Not confined: {missing}.", markup=False)
    return 0 if result["checks"] and all(each["passed"] for each in result["checks"]) else FALSE


def _look(slug: str, task: int | None) -> dict[str, Any]:
    """The report of a process that has just this to do."""
    command = [sys.executable, "-P", "-m", "labs.check.feedback", slug, *([] if task is None else [str(task)])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S, check=False, env=os.environ)
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise Refusal(f"the checks of {slug} ended with status {done.returncode} and no result", NOT_READY) from None
    if "refused" in report:
        raise Refusal(str(report["refused"]), FALSE)
    return report


@click.command()
@click.argument("slug")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where to put the copy."
)
@click.option("--no-open", is_flag=True, help="Write the copy, and do not start JupyterLab.")
def notebook(slug: str, folder: Path, no_open: bool) -> None:
    """Write your copy of a lab, without its solutions, and open it in JupyterLab. A copy that is there is left as it is."""
    source = student.find(slug)
    copy = folder / f"{source.stem}.ipynb"
    if not copy.exists():
        student.write(source, copy)
        terminal.say(f"Your copy is {escape(str(copy))}.")
    if no_open:
        return
    try:
        subprocess.run([sys.executable, "-m", "jupyterlab", str(copy)], check=True)
    except (subprocess.CalledProcessError, FileNotFoundError):
        raise Refusal(
            f"JupyterLab did not start; open {copy} in Jupyter, VS Code or Colab, with the kernel 'The Deployment Dilemma'.",
            NOT_READY,
        ) from None


@click.command("catch-up")
@click.argument("slug")
@click.option("--task", type=int, required=True, help="The task that you want to begin with.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def catch_up(slug: str, task: int, as_json: bool) -> None:
    """Put the local cloud into the state that a task of a lab starts from, by our solutions to the tasks before it."""
    from labs.check import catchup

    path = student.find(slug)
    here = cloud.connect(real=False)

    def tell(done: int, of: int) -> None:
        terminal.err.print(f"cell {done + 1} of {of}", end="\r", markup=False)

    quiet = as_json or not terminal.err.is_terminal
    cells = catchup.catch_up(path.stem, task, {"__name__": "__main__"}, path=path, tell=None if quiet else tell)
    if as_json:
        terminal.emit_json({"lab": path.stem, "task": task, "cells": cells, "endpoint_url": here.endpoint_url})
        return
    terminal.say(escape(str(here)))
    terminal.say(f"{cells} cells run, with our solutions: the cloud is where task {task} starts.")
    terminal.say("A notebook has names as well; there, this gives you both:")
    terminal.say(escape(f'  from labs.check import catch_up; catch_up("{path.stem}", task={task})'))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def progress(as_json: bool) -> None:
    """How far you are: labs, quizzes, and the exam's skills that want work. Read from this machine's logs, and sent nowhere."""
    from labs.check import progress as read

    found = read.read()
    if as_json:
        terminal.emit_json(read.as_json(found))
        return
    if not (found.labs or found.quizzes):
        terminal.say("There is nothing yet. Begin with 'lab notebook 01', or 'quiz take 01-decision'.")
        return
    if found.labs:
        rows = [
            (line.slug, f"{line.score:g} of {line.max:g}", line.last, escape("; ".join(line.open)) or "all done")
            for line in found.labs
        ]
        terminal.table("Labs, the best of each check", ["Lab", "Points", "Last", "Tasks still open"], rows)
    if found.quizzes:
        right = [(escape(share.name), f"{share.right} of {share.answered}") for share in found.quizzes]
        terminal.table("Quizzes, last answers", ["Quiz", "Right"], right)
    if found.weak:
        weak = [(share.name, f"{share.right} of {share.answered}") for share in found.weak[:8]]
        terminal.table("Skills of the exam guide to work at", ["Skill", "Right"], weak)
