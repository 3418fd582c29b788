"""Prices from the register of facts, as the numbers that bills are made of."""

from __future__ import annotations

from labs import facts
from labs.errors import Refusal
from labs.facts.register import installed


def usd(fact_id: str) -> float:
    """The value of a price fact in US dollars per its unit. Raises Refusal for an unknown id or one that is no number."""
    value = facts.value(fact_id)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refusal(f"the fact {fact_id} is '{value}', and a price must be a number")
    return float(value)


def known(fact_id: str) -> bool:
    """Whether the register has this price; unlike a failed `facts.get`, a miss looks for no nearest ids."""
    return fact_id in installed().group(fact_id.partition(".")[0])
