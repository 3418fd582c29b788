"""Is a worker of the same make as the command that gives it work? What it must have in common, and the sentence for what it has not."""

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import labs
from labs.errors import NOT_READY, Refusal

PACKAGE = "deployment-dilemma"
COUNTED = (".py", ".yaml", ".json", ".jsonl")
"""Files that decide what a worker finds: code, checks, the register, the question bank."""


@cache
def own() -> dict[str, str]:
    """This process's: Python (to its minor version), distributed, ours, and a digest of our code and data as they were when first asked for."""
    return {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "distributed": version("distributed"),
        PACKAGE: f"{_ours()} (code {_digest()})",
    }


def _ours() -> str:
    try:
        return version(PACKAGE)
    except PackageNotFoundError:  # a checkout on the path, not installed
        return "not installed"


def _digest() -> str:
    """The version alone says little: two checkouts of one version may hold different checks."""
    found = hashlib.sha256()
    house = Path(labs.__path__[0]).parent
    for room in ("labs", "quizzes"):
        for path in sorted((house / room).rglob("*")):
            if path.suffix in COUNTED and "__pycache__" not in path.parts and path.is_file():
                found.update(path.relative_to(house).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:12]


def compare(who: str, theirs: Mapping[str, str], ours: Mapping[str, str]) -> None:
    """Raises Refusal with one sentence when whoever has `theirs` is of another make."""
    for name, mine in ours.items():
        if (its := theirs.get(name, "none")) != mine:
            raise Refusal(
                f"{who} has {name} {its}, and this command has {name} {mine}; "
                "install the same on both, and start it again",
                NOT_READY,
            )
