"""Student copies: no line of a solution, every exercise, a valid notebook, the same bytes each time."""

import json

import jupytext
import nbformat
import pytest

from labs.check import student
from labs.errors import Refusal

SOURCES = sorted(student.NOTEBOOKS.glob("*.md"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_copy_holds_the_exercises_and_nothing_of_the_solutions(source) -> None:  # type: ignore[no-untyped-def]
    text = student.render(source)
    copy = nbformat.reads(text, as_version=4)
    nbformat.validate(copy)
    cells = jupytext.read(source).cells
    solutions = [cell.source for cell in cells if "solution" in cell.metadata.get("tags", [])]
    others = "\n".join(cell.source for cell in cells if "solution" not in cell.metadata.get("tags", []))
    copied = "\n".join(cell.source for cell in copy.cells)
    assert solutions
    assert copied == others
    own = {line.strip() for solution in solutions for line in solution.splitlines() if len(line.strip()) > 25}
    assert not {line for line in own if line in copied and line not in others}
    exercises = [cell for cell in cells if "exercise" in cell.metadata.get("tags", [])]
    assert sum("exercise" in cell.metadata.get("tags", []) for cell in copy.cells) == len(exercises)
    assert text == student.render(source)
    assert json.loads(text)["metadata"]["kernelspec"]["name"] == "deployment-dilemma"


def test_a_lab_is_found_by_its_number_and_an_unknown_one_is_refused() -> None:
    assert student.find("06").stem == "06-squid"
    with pytest.raises(Refusal, match="there is no lab '77'"):
        student.find("77")
