"""The house has floors: a room of `labs` imports only from rooms below it, and nothing in `labs` imports `quizzes`."""

import ast
from functools import cache
from pathlib import Path

import pytest

import labs
from labs.facts import catalogue

ROOT = Path(labs.__file__).parent
CELLAR = ("errors", "terminal")  # what every floor stands on
QUIZZES_MAY_USE = {"spread", "facts", "serving", "economics", "decide", *CELLAR}


@cache
def imported_names(source: Path) -> frozenset[str]:
    """Dotted names of every module of ours that a file imports, at its top or inside a function."""
    names: set[str] = set()
    package = [source.relative_to(ROOT.parent).parts[0], *source.relative_to(ROOT.parent).parts[1:-1]]
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            names |= {start} | {f"{start}.{alias.name}" for alias in node.names}
    return frozenset(name for name in names if name.split(".")[0] in ("labs", "quizzes"))


def rooms_imported(source: Path) -> set[str]:
    return {name.split(".")[1] for name in imported_names(source) if name.startswith("labs.") and name.count(".") >= 1}


def files_of(room: str) -> list[Path]:
    # Code that Lambda runs is not part of the house: it imports what its package holds.
    return [path for path in (ROOT / room).rglob("*.py") if "functions" not in path.parts]


@pytest.mark.parametrize("room", labs.FLOORS)
def test_a_room_imports_only_from_floors_below(room: str) -> None:
    allowed = {*labs.FLOORS[: labs.FLOORS.index(room) + 1], *CELLAR}
    offences = {
        f"{path.relative_to(ROOT)} imports labs.{other}"
        for path in files_of(room)
        for other in rooms_imported(path) & {*labs.FLOORS, "cli"}
        if other not in allowed
    }
    assert not offences


def test_targets_do_not_know_each_other() -> None:
    folder = ROOT / "targets"
    modules = {name.replace("-", "_") for name in catalogue.targets()}
    offences = {
        f"{path.name} imports {name}"
        for path in folder.glob("*.py")
        if path.stem in modules
        for name in imported_names(path)
        if name.startswith("labs.targets.") and name.split(".")[2] in modules - {path.stem}
    }
    assert not offences


def test_nothing_in_labs_imports_quizzes() -> None:
    offences = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in ROOT.rglob("*.py")
        for name in imported_names(path)
        if name.split(".")[0] == "quizzes"
    }
    assert not offences


def test_quizzes_use_only_the_lower_rooms() -> None:
    offences = {
        f"{path} imports labs.{other}"
        for path in (ROOT.parent / "quizzes").rglob("*.py")
        for other in rooms_imported(path) & {*labs.FLOORS, "cli"}
        if other not in QUIZZES_MAY_USE
    }
    assert not offences


def test_every_room_stands_on_a_floor() -> None:
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert rooms <= set(labs.FLOORS)
