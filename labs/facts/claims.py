"""What is taught and how far it is true: the textbook view that the course starts from, and common teaching, kept apart.

from labs.facts import claims
claims.get("textbook.cpu-70").verdict             # 'wrong signal'
[claim.says for claim in claims.textbook("5")]    # the rows of the textbook view's matrix
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from labs.errors import FALSE, Refusal
from labs.facts import register
from labs.facts.documents import read
from labs.facts.schema import FactId, Line, Record, Source

Section = Literal["1", "2", "3", "4", "5", "6", "summary", "question"]

VERDICTS = MappingProxyType(
    {
        "true": "true as it is said",
        "mostly true": "true, with exceptions worth knowing",
        "simplified": "true in outline; decisions need more",
        "conditional": "true under conditions that are usually left out",
        "right under assumptions": "right if what it does not say is as it assumes",
        "outdated": "was true once",
        "marketing ceiling": "the best case that a vendor advertises, taken for the usual one",
        "wrong signal": "works, and measures the wrong thing",
        "wrong as stated": "not so",
        "discontinued": "about something that no longer exists",
        "open": "cannot be answered as put",
    }
)
"""verdict: what we mean by it"""

Ids = Annotated[tuple[FactId, ...], BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)]
Long = Annotated[str, Field(min_length=1, max_length=600, pattern=r"\S")]


class Claim(Record):
    """One thing that is taught, our verdict on it, and why."""

    id: str
    origin: Literal["textbook", "common"]
    section: Section | None = None
    """where the textbook view says it; None for common teaching, which the textbook view does not say"""
    says: Line
    verdict: str
    truth: Long
    """the figures in it come from the register"""
    facts: Ids = ()
    sources: tuple[Source, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.verdict not in VERDICTS:
            raise ValueError(f"'{self.verdict}' is not a verdict; there are {', '.join(VERDICTS)}")
        if not self.id.startswith(f"{self.origin}."):
            raise ValueError(f"the id of a claim of origin '{self.origin}' begins with '{self.origin}.'")
        if (self.section is None) == (self.origin == "textbook"):
            raise ValueError("a claim of the textbook view names its section, and common teaching has none")
        if not self.facts and not self.sources:
            raise ValueError("a verdict rests on facts or sources, and none is named")
        return self


class UnknownClaim(Refusal, KeyError):  # noqa: N818 - like labs.errors.Refusal, it is said to a user
    """No claim has this id; the message offers the nearest ones."""

    def __str__(self) -> str:
        return str(self.args[0])


def all() -> Mapping[str, Claim]:
    """Every claim by id: the textbook view by section, then common teaching."""
    return _installed()


def get(id: str) -> Claim:
    """The claim with this id; UnknownClaim (a KeyError) with the nearest ids if there is none."""
    if id not in _installed():
        near = get_close_matches(id, _installed(), 3, 0.4)
        raise UnknownClaim(f"there is no claim '{id}'" + (f"; nearest: {', '.join(near)}" if near else ""), FALSE)
    return _installed()[id]


def textbook(section: str | None = None) -> list[Claim]:
    """What the textbook view says, in one section or in all."""
    return [c for c in _installed().values() if c.origin == "textbook" and section in (None, c.section)]


def common() -> list[Claim]:
    """What is commonly taught and the textbook view does not say."""
    return [claim for claim in _installed().values() if claim.origin == "common"]


@cache
def _installed() -> Mapping[str, Claim]:
    return MappingProxyType(load(register.installed()))


def forget() -> None:
    """Read the file anew at the next question."""
    _installed.cache_clear()


def load(facts: register.Register) -> dict[str, Claim]:
    """Read the claims that stand beside these facts; every fact and source they name must be there."""
    document = read(facts.folder / "claims.yaml")
    found = {}
    for id, entry in document.data.get("claims", {}).items():
        place = ("claims", id)
        if not isinstance(entry, dict):
            raise document.wrong(place, f"{id}: must be a mapping with origin, says, verdict and truth")
        filled: dict[str, Any] = {"id": id, **entry, "sources": facts.named(document, place, entry.get("sources", ()))}
        try:
            filled["truth"] = filled_in(str(entry.get("truth", "")), facts)
            claim = document.validate(Claim, filled, place)
            for fact in claim.facts:
                facts.get(fact)
        except register.UnknownFact as unknown:
            raise document.wrong(place, f"{id}: {unknown}") from None
        found[claim.id] = claim
    return found


def filled_in(text: str, facts: register.Register) -> str:
    """`text` with every {fact.id} in it replaced by that fact as a reader should see it."""
    return re.sub(r"\{([a-z0-9]+(?:\.[a-z0-9_-]+)+)\}", lambda found: facts.get(found[1]).readable, text)
