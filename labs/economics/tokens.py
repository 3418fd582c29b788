"""Paying per token on Amazon Bedrock: base models in every tier, batch, prompt caching, custom models on demand.

on_demand("llama-3-3-70b", Traffic.steady(100, 500, 200)).usd      # 2207.52 a month
"""

from __future__ import annotations

from typing import Literal

from labs.economics.bill import Bill, Line
from labs.economics.prices import known, usd
from labs.economics.traffic import Traffic
from labs.errors import USAGE, Refusal

Tier = Literal["standard", "priority", "flex", "batch", "latency-optimised"]

PREFIX: dict[Tier, str] = {
    "standard": "",
    "priority": "priority_",
    "flex": "flex_",
    "batch": "batch_",
    "latency-optimised": "latency_",
}
"""How each tier's price ids begin: `bedrock.price.<model>.<prefix>input_per_million`."""


def tiers(model: str) -> list[Tier]:
    """The tiers for which the register has a price of this model, e.g. 'nova-pro'."""
    return [tier for tier in PREFIX if known(_id(model, tier, "input"))]


def _id(model: str, tier: Tier, direction: Literal["input", "output"]) -> str:
    return f"bedrock.price.{model}.{PREFIX[tier]}{direction}_per_million"


def on_demand(model: str, traffic: Traffic, tier: Tier = "standard") -> Bill:
    """A month of `traffic` on a base model, by its price id ('llama-3-3-70b', 'claude-haiku-4-5-global', ...).

    Raises Refusal when the register has no price of the model in that tier.
    """
    if tier not in tiers(model):
        offered = ", ".join(tiers(model))
        raise Refusal(
            f"there is no {tier} price for '{model}' in the register"
            + (f"; it has {offered}" if offered else "; `lab facts list bedrock.price` shows the models that have one"),
            USAGE,
        )
    if tier == "batch" and traffic.cached_input_tokens:
        raise Refusal("batch inference has no prompt cache: price it without cached input tokens", USAGE)
    lines = [
        Line(
            "input tokens",
            traffic.input_millions,
            "million tokens",
            usd(_id(model, tier, "input")),
            (_id(model, tier, "input"),),
        ),
        Line(
            "output tokens",
            traffic.output_millions,
            "million tokens",
            usd(_id(model, tier, "output")),
            (_id(model, tier, "output"),),
        ),
    ]
    if traffic.cached_input_tokens:
        cache = f"bedrock.price.{model}.cache_read_per_million"
        lines.insert(1, Line("cached input tokens", traffic.cached_millions, "million tokens", usd(cache), (cache,)))
    return Bill(f"{model}, {tier}", tuple(lines))


def custom_on_demand(base: str, traffic: Traffic) -> Bill:
    """A model customised in Bedrock and deployed on demand, at its base model's price: AWS only points to its price page."""
    bill = on_demand(base, traffic)
    assumed = "charged as its base model, which no source that we could read confirms"
    return Bill(
        f"{base} customised, on demand",
        tuple(Line(line.name, line.quantity, line.unit, line.usd_per_unit, line.facts, assumed) for line in bill.lines),
    )
