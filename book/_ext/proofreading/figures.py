"""Figures in prose that stand in the register: they must come from there, or they grow old where nobody looks.

A figure counts as the register's when amount and unit are the same and the page uses facts of that service. Amounts that a lesson
computes are not in the register; tests in tests/book recompute them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from labs.facts import register
from proofreading import pages

FIGURE = re.compile(
    r"(?<![\w.,$])(?P<usd>\$ ?)?(?P<number>\d[\d,]*(?:\.\d+)?)[ \u00a0-]?"
    r"(?P<unit>KiB|MiB|GiB|KB|MB|GB|ms|milliseconds?|seconds?|s|minutes?|min|hours?|days?|tokens per minute|%|per cent)?(?![\w.,]\d|\w)"
)
DATE = re.compile(
    r"\b(20\d\d-\d\d-\d\d|\d{1,2} (?:January|February|March|April|May|June|July|August|September|October|November|December) 20\d\d)\b"
)
SECONDS = {
    "ms": 0.001,
    "millisecond": 0.001,
    "second": 1.0,
    "minute": 60.0,
    "min": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
}
BYTES = {"KiB": 1024.0, "MiB": 1024.0**2, "GiB": 1024.0**3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "B": 1.0}
ALLOWED = Path(__file__).with_name("allowed.txt")
"""`page: figure` a line: amounts that only happen to equal one of the register, such as a wait in a story"""


@dataclass(frozen=True)
class Finding:
    """A figure that the register has."""

    page: str
    line: int
    figure: str
    fact: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: “{self.figure}” stands in the register: write {{fact}}`{self.fact}`"


def measure(number: float, unit: str) -> tuple[str, float] | None:
    """(dimension, amount), when the unit says enough."""
    if unit in BYTES:
        return "bytes", number * BYTES[unit]
    if unit == "s" or unit.rstrip("s") in SECONDS:
        return "seconds", number * SECONDS.get(unit.rstrip("s") or "second", 1.0)
    if unit in ("tokens per minute", "tokens/min"):
        return "tokens/min", number
    return ("usd", number) if unit == "USD" else None


@cache
def known(group: str) -> dict[tuple[str, float], str]:
    """measure: the fact that has it, for one service of the register."""
    found: dict[tuple[str, float], str] = {}
    for fact in register.installed().group(group).values():
        unit = "USD" if fact.unit.startswith("USD") else fact.unit
        if isinstance(fact.value, int | float) and not isinstance(fact.value, bool):
            measured = measure(float(fact.value), unit)
            if measured:
                found.setdefault(measured, fact.id)
    return found


def allowed() -> set[tuple[str, str]]:
    """(page, figure) pairs that were looked at and may stand."""
    lines = ALLOWED.read_text("utf-8").splitlines() if ALLOWED.exists() else []
    pairs = (line.partition(":") for line in lines if line.strip() and not line.startswith("#"))
    return {(page.strip(), figure.strip()) for page, _, figure in pairs}


def check(path: Path, name: str) -> Iterator[Finding]:
    """Every figure of a page that should have come from the register, and every date in figures or words."""
    text = path.read_text("utf-8")
    groups = {id.partition(".")[0] for id in re.findall(r"\{fact\}`([a-z0-9._-]+)", text)} & set(
        register.installed().groups()
    )
    may = allowed()
    for line in pages.prose(text):
        for found in DATE.finditer(line.text):
            if (name, found[0]) not in may:
                yield Finding(name, line.number, found[0], "…, a date")
        for found in FIGURE.finditer(line.text):
            unit = "USD" if found["usd"] else found["unit"] or ""
            measured = measure(float(found["number"].replace(",", "")), unit)
            shown = found[0].strip()
            if measured is None or (name, shown) in may:
                continue
            for group in sorted(groups):
                if measured in known(group):
                    yield Finding(name, line.number, shown, known(group)[measured])
                    break
