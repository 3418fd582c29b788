"""Feedback while a lab is worked on: the checks run in a process of their own, and this one only prints what they found."""

import json
import os
import subprocess
import sys
from typing import Any

from labs.check import log, room

GRADING = "LAB_GRADING"
"""Set while a submission is graded: its own calls of `check` then say nothing, since the checks come after the last cell."""


def show(slug: str, task: int | None) -> None:
    """Print each check's mark, points and sentence."""
    if os.environ.get(GRADING):
        return
    command = [sys.executable, "-P", "-m", "labs.check.feedback", slug, *([] if task is None else [str(task)])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        said = done.stderr.strip().splitlines()
        print(f"The checks could not run: {said[-1] if said else f'status {done.returncode}'}")
        return
    log.add(slug, report)
    room.tell(slug, report)
    print("\n".join(lines(report)))


def lines(report: dict[str, Any]) -> list[str]:
    """A report for people."""
    if "refused" in report:
        return [report["refused"]]
    marks = [(("✓" if each["passed"] else "✗"), each) for each in report["checks"]]
    return [
        *(f"{mark} {each['id']} ({each['score']:g} of {each['max']:g}): {each['message']}" for mark, each in marks),
        f"{report['score']:g} of {report['max']:g} points",
    ]


def main() -> None:
    """`python -m labs.check.feedback SLUG [TASK]`: the report as JSON, of the cloud that the environment names."""
    from labs.check import model
    from labs.check.labs import load
    from labs.errors import Refusal

    slug, *task = sys.argv[1:]
    try:
        report = model.as_json(model.run(load(slug), model.Account(), int(task[0]) if task else None))
    except Refusal as refused:
        report = {"refused": str(refused)}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
