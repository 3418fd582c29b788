"""The textbook's decision matrix as data: which of its rows the requirements bring a reader to, and how far each is true.

    [row.id for row in matching(Requirements(model="llama-3-70b", custom_weights=True))]      # ['custom']

A row's verdict is that of the claim in the register of facts which says the same; its figures are there too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from labs.decide.questions import QUESTIONS
from labs.decide.requirements import Requirements
from labs.facts import catalogue, claims
from labs.facts.documents import read

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement of the matrix: what the textbook prefers for it, and what holds today."""

    id: str
    requirement: str
    textbook: tuple[str, ...]
    """targets, the preferred first"""
    today: tuple[str, ...]
    by: str
    """the question of labs.decide.questions that brings a reader here"""
    claim: str
    """its claim in the register"""
    because: str

    @property
    def verdict(self) -> str:
        """How far the row is true: a word of labs.facts.claims.VERDICTS."""
        return claims.get(self.claim).verdict

    @property
    def facts(self) -> tuple[str, ...]:
        """What the verdict rests on."""
        return claims.get(self.claim).facts


@dataclass(frozen=True, slots=True)
class Match:
    """A row that the requirements meet, and why."""

    row: Row
    why: str


@cache
def rows() -> Mapping[str, Row]:
    """The rows by id, in the textbook's order. Raises ValueError for a row that asks or names what does not exist."""
    data = read(DATA / "matrix.yaml").data["rows"]
    found = {}
    for id, entry in data.items():
        row = Row(
            id,
            entry["requirement"],
            tuple(entry["textbook"]),
            tuple(entry["today"]),
            entry["by"],
            entry["claim"],
            entry["because"].strip(),
        )
        if row.by not in QUESTIONS:
            raise ValueError(f"matrix: row '{id}' is found by '{row.by}', which is no question")
        for target in (*row.textbook, *row.today):
            if target not in catalogue.targets():
                raise ValueError(f"matrix: row '{id}' names '{target}', which is no target")
        claims.get(row.claim)
        found[id] = row
    return MappingProxyType(found)


def matches(asked: Requirements) -> tuple[Match, ...]:
    """The rows that these requirements meet, in the textbook's order."""
    answered = ((row, QUESTIONS[row.by](asked)) for row in rows().values())
    return tuple(Match(row, said.because) for row, said in answered if said.yes)


def matching(asked: Requirements) -> tuple[Row, ...]:
    """The same without the reasons."""
    return tuple(match.row for match in matches(asked))
