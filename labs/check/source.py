"""A lab's source, cell by cell: which task a cell belongs to, and whether it is a solution.

    for cell in source.cells(student.find("06-squid")): ...

A task begins with a heading `## Task 3 · Its title`. What stands before the first is the preamble; any other heading of that level ends the last.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PREAMBLE, AFTERWARDS = 0, 1_000
"""What stands for a task's number in cells before the first task, and after the last."""
SOLUTION, CLEAN_UP = "solution", "clean-up"


@dataclass(frozen=True)
class Cell:
    """One code cell."""

    number: int
    """Its place among all cells, from 0."""
    task: int
    tags: frozenset[str]
    source: str

    @property
    def is_solution(self) -> bool:
        """Left out of the students' copies?"""
        return SOLUTION in self.tags

    @property
    def is_clean_up(self) -> bool:
        """Removes what the lab made?"""
        return CLEAN_UP in self.tags


def cells(path: Path) -> list[Cell]:
    """The code cells of a lab's source (MyST) or of a copy of it (.ipynb), in order."""
    import jupytext

    read = jupytext.read(path)  # type: ignore[no-untyped-call]
    found, task = [], PREAMBLE
    for number, cell in enumerate(read.cells):
        if cell.cell_type == "code":
            found.append(Cell(number, task, frozenset(cell.metadata.get("tags", [])), cell.source))
        elif cell.cell_type == "markdown":
            task = task_after(cell.source, task)
    return found


def task_after(markdown: str, task: int) -> int:
    """The task that one is in after this text, having been in `task` before it."""
    for heading in re.findall(r"^## (.*)$", markdown, re.MULTILINE):
        if named := re.match(r"Task (\d+)\b", heading):
            task = int(named[1])
        elif task != PREAMBLE:
            task = AFTERWARDS
    return task


def part(of: Iterable[Cell], tasks: Sequence[int]) -> list[Cell]:
    """The preamble and these tasks, clean-up left out."""
    return [cell for cell in of if cell.task in (PREAMBLE, *tasks) and not cell.is_clean_up]
