"""The state that a task starts from: the cells before it, with our solutions, run on the local cloud.

catchup.catch_up("06-squid", task=4)      # in a notebook: the cloud, and the names that Task 4 uses
"""

import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from labs.check import source, student
from labs.check.feedback import GRADING
from labs.errors import FALSE, USAGE, Refusal


def catch_up(
    slug: str,
    task: int,
    names: dict[str, Any] | None = None,
    *,
    path: Path | None = None,
    including: bool = False,
    tell: Callable[[int, int], object] | None = None,
) -> int:
    """Run the cells before `task` (`including`: and its own), with solutions, and return how many.

    Their names go into `names`; without one, into the notebook's own when it is called from one. What the cells print is not shown.
    Raises Refusal for a task that the lab does not have, and when a cell fails.
    """
    path = path or student.find(slug)
    cells = source.cells(path)
    tasks = sorted({cell.task for cell in cells} - {source.PREAMBLE, source.AFTERWARDS})
    if task not in tasks:
        raise Refusal(f"lab {path.stem} has no task {task}; it has {', '.join(map(str, tasks))}", USAGE)
    wanted = source.part(cells, [number for number in tasks if number < task + including])
    names = _notebooks_own() if names is None else names
    before = os.environ.get(GRADING)
    os.environ[GRADING] = "1"  # no feedback on our own solutions
    try:
        for done, cell in enumerate(wanted):
            if tell is not None:
                tell(done, len(wanted))
            _run(cell, path, names)
    finally:
        if before is None:
            del os.environ[GRADING]
        else:
            os.environ[GRADING] = before
    return len(wanted)


def _notebooks_own() -> dict[str, Any]:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return {"__name__": "__main__"} if shell is None else shell.user_ns


def _run(cell: source.Cell, path: Path, names: dict[str, Any]) -> None:
    code = compile(cell.source, f"{path.name}, cell {cell.number}", "exec")
    try:
        with redirect_stdout(StringIO()):
            exec(code, names)
    except Exception as failed:  # whatever way a cell fails, the state is not reached
        raise Refusal(
            f"cell {cell.number} of {path.name} (task {cell.task}) failed: {type(failed).__name__}: {failed}. "
            "'lab cloud down' and then this again begins with an empty cloud.",
            FALSE,
        ) from failed
