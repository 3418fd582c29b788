"""Token prices at the advisor's pace: hundreds of bills for one answer.

The same bills as labs.economics.tokens makes (a test holds the two together), without its search for similar names whenever a model
has no price in some tier.
"""

from __future__ import annotations

from labs import facts
from labs.economics.bill import Bill, Line
from labs.economics.prices import usd
from labs.economics.tokens import PREFIX, Tier
from labs.economics.traffic import Traffic


def exists(fact_id: str) -> bool:
    """Whether the register has this fact."""
    return any(fact.id == fact_id for fact in facts.where(fact_id))


def _id(model: str, tier: Tier, direction: str) -> str:
    return f"bedrock.price.{model}.{PREFIX[tier]}{direction}_per_million"


def has_tier(model: str, tier: Tier) -> bool:
    """Whether the register has a price of this model ('llama-3-3-70b') in that tier."""
    return exists(_id(model, tier, "input")) and exists(_id(model, tier, "output"))


def per_token(model: str, traffic: Traffic, tier: Tier = "standard", factor: float = 1.0, assumption: str = "") -> Bill:
    """A month of `traffic` paid per token; `factor` on the list price is for customised models, whose price is not published."""
    lines = tuple(
        Line(f"{direction} tokens", millions, "million tokens", usd(id) * factor, (id,), assumption)
        for direction, millions in (("input", traffic.input_millions), ("output", traffic.output_millions))
        for id in (_id(model, tier, direction),)
    )
    return Bill(f"{model}, {tier}", lines)
