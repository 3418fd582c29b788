"""One target as an answer: what it would be, what it costs, how fast it is predicted to be, what is against it and what is to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from labs.decide.rules import Reason
from labs.decide.sizing import Prediction
from labs.decide.unknowns import Unknown, World
from labs.economics.bill import Bill
from labs.economics.traffic import Traffic

Price = Callable[[World], Bill | None]
"""A month's bill in some world; None where the target cannot carry that world's load."""

Meets = Literal["yes", "unsure", "no", "not asked", "not predicted"]


@dataclass(frozen=True, slots=True)
class ToDo:
    """What somebody must do before this target works."""

    what: str
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sizing:
    """So many instances of a type, for a target that is paid by the hour."""

    instance: str
    count: int
    per_instance_rps: float
    """requests per second of one within the objective, predicted"""
    usd_per_month: float
    usd_per_month_of_one: float
    """one of them, up all month"""
    describes: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "instance": self.instance,
            "count": self.count,
            "requests_per_s_of_one": round(self.per_instance_rps, 4),
            "usd_per_month": self.usd_per_month,
            "usd_per_month_of_one": self.usd_per_month_of_one,
            "setup": self.describes,
        }


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Where instances of one type cost what tokens cost, and what comes before that."""

    instance: str
    usd_per_month: float
    """one instance, up all month"""
    against: str
    """the target that is paid per token"""
    tokens_per_request: float
    """at which one instance costs as much, by money alone"""
    carries_tokens_per_request: float
    """what one instance carries at this rate, about: it is predicted for requests as long as asked and taken in proportion"""
    quota_tokens_per_request: float | None
    """where a quota that AWS does not raise ends the per-token side"""

    def as_dict(self) -> dict[str, Any]:
        return {
            "instance": self.instance,
            "usd_per_month": self.usd_per_month,
            "against": self.against,
            "tokens_per_request": self.tokens_per_request,
            "carries_tokens_per_request": self.carries_tokens_per_request,
            "quota_tokens_per_request": self.quota_tokens_per_request,
        }


@dataclass(frozen=True, slots=True)
class Draft:
    """A target before it is ranked: `price` can still be asked about other worlds."""

    target: str
    what: str = ""
    reasons: tuple[Reason, ...] = ()
    cautions: tuple[Reason, ...] = ()
    todo: tuple[ToDo, ...] = ()
    price: Price | None = None
    unpriced: str = ""
    """why there is no price"""
    unknowns: tuple[Unknown, ...] = ()
    prediction: Prediction | None = None
    unpredicted: str = ""
    """why there is no prediction"""
    meets: Meets = "not predicted"
    may_miss: bool = False
    """for a reason that the prediction does not hold, such as a cold start"""
    fading: bool = False
    """what it stands on gets critical fixes only: not a place to begin while another does as well"""
    sizing: Sizing | None = None
    considered: tuple[Sizing, ...] = ()
    """every sizing that was looked at, cheapest first"""
    utilisation: float | None = None
    """of what it could carry within the objective, over the hours that are paid (per token: of the quota)"""
    fixed_quota_tokens_per_minute: float | None = None
    per_token: Callable[[Traffic], Bill] | None = None
    """the tokens' part of the bill, for targets that are paid so"""

    @property
    def feasible(self) -> bool:
        """Nothing rules it out."""
        return not self.reasons

    def usd(self, world: World) -> float:
        """Its cost in a world; infinite where it cannot carry the load."""
        bill = self.price(world) if self.price else None
        return bill.usd if bill is not None else float("inf")


@dataclass(frozen=True, slots=True)
class Option:
    """A target in an advice: ranked, or ruled out with reasons."""

    target: str
    family: str
    what: str
    feasible: bool
    rank: int | None
    """1 is best; None when ruled out"""
    tied: bool
    """inside the ranges of what is unknown it cannot be told from the best"""
    reasons: tuple[Reason, ...]
    cautions: tuple[Reason, ...]
    todo: tuple[ToDo, ...]
    bill: Bill | None
    usd_range: tuple[float, float] | None
    unpriced: str
    prediction: Prediction | None
    unpredicted: str
    meets: Meets
    sizing: Sizing | None
    considered: tuple[Sizing, ...]
    utilisation: float | None
    over_budget: bool
    break_even: tuple[BreakEven, ...]
    deploy: str
    """the command that deploys it"""

    @property
    def usd(self) -> float | None:
        """A month of it, in US dollars."""
        return self.bill.usd if self.bill else None

    def facts(self) -> tuple[str, ...]:
        """Every fact that it rests on."""
        said: list[Sequence[str]] = [reason.facts for reason in (*self.reasons, *self.cautions)]
        said += [todo.facts for todo in self.todo]
        said.append(self.bill.facts() if self.bill else ())
        return tuple(dict.fromkeys(id for ids in said for id in ids))
