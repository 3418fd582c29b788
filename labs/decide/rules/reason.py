"""Why a target is out: the rule that says so, a sentence, and the facts that it rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labs.decide.case import Case


@dataclass(frozen=True, slots=True)
class Reason:
    """`rule` is the name of the function that spoke."""

    rule: str
    because: str
    facts: tuple[str, ...] = ()


Rule = Callable[[Case], Reason | None]
"""None: nothing against it."""
