"""Paying for capacity on Amazon Bedrock: model units by the hour, imported copies by the minute.

custom_import(cmus_per_copy=8, copy_minutes=active_minutes([(0, 90), (4_000, 30)])).usd
provisioned("llama-2", 1, "six_months").usd
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from labs import facts
from labs.economics.bill import HOURS_PER_MONTH, Bill, Line
from labs.economics.prices import known, usd
from labs.errors import USAGE, Refusal

Term = Literal["no_commitment", "one_month", "six_months"]

TERM_MONTHS: dict[Term, int] = {"no_commitment": 0, "one_month": 1, "six_months": 6}
"""Months that a term binds you for; a commitment cannot be ended early."""


def terms(model: str) -> list[Term]:
    """The terms for which the register has a model-unit price of this model ('llama-2', 'claude-instant', ...)."""
    return [term for term in get_args(Term) if known(f"bedrock.pt.price.{model}.{term}")]


def provisioned(model: str, model_units: float, term: Term, hours: float = HOURS_PER_MONTH) -> Bill:
    """Provisioned Throughput: model units billed by the hour until deleted, used or not. Raises Refusal for an unknown price."""
    if term not in terms(model):
        have = ", ".join(terms(model))
        raise Refusal(
            f"the register has no {term.replace('_', ' ')} price of a model unit of '{model}'"
            + (f"; it has {have}" if have else ": AWS names most of them only to account managers"),
            USAGE,
        )
    id = f"bedrock.pt.price.{model}.{term}"
    return Bill(
        f"{model_units:g} MU of {model}, {term.replace('_', ' ')}",
        (Line("model-unit hours", model_units * hours, "MU-hour", usd(id), (id,)),),
    )


def prices(term: Term) -> list[Line]:
    """One hour of one model unit of every model for which the register has a price on this term."""
    suffix = f".{term}"
    ids = [fact.id for fact in facts.where("bedrock.pt.price.") if fact.id.endswith(suffix)]
    return [Line("model-unit hours", 1, "MU-hour", usd(id), (id,)) for id in ids]


def commitment(model: str, model_units: float, term: Term) -> Bill:
    """Everything that signing `term` binds you to, whatever you use. Raises Refusal for a term that binds to nothing."""
    if not TERM_MONTHS[term]:
        raise Refusal("no commitment binds you to nothing: it bills by the hour until you delete it", USAGE)
    return provisioned(model, model_units, term, TERM_MONTHS[term] * HOURS_PER_MONTH)


def active_minutes(calls: Iterable[tuple[float, float]]) -> float:
    """Billed minutes of one imported copy for spells of use, each `(start minute, minutes)`, in order of start.

    Bedrock bills a copy in whole windows counted from the first successful call; a call after the last window has ended
    begins new windows. Spells that fall into windows already billed add nothing.
    """
    window_minutes = usd("bedrock.import.billing_window_s") / 60
    billed, paid_until = 0.0, float("-inf")
    for start, minutes in sorted(calls):
        end = start + minutes
        if start >= paid_until:
            paid_until = start
        while paid_until < end or paid_until == start:
            paid_until += window_minutes
            billed += window_minutes
    return billed


def custom_import(
    cmus_per_copy: float, copy_minutes: float, stored_models: float = 1, months: float = 1, region: str = "us-east-1"
) -> Bill:
    """Custom Model Import: custom model units for every minute that a copy is active (all copies added up), and storage.

    `region` in eu-* takes the European price; elsewhere that of us-east-1.
    """
    minute = "bedrock.import.price_per_cmu_minute" + ("_eu" if region.startswith("eu-") else "")
    storage = "bedrock.import.storage_per_cmu_month"
    return Bill(
        "custom model import",
        (
            Line("CMU minutes", cmus_per_copy * copy_minutes, "CMU-minute", usd(minute), (minute,)),
            Line("model storage", cmus_per_copy * stored_models * months, "CMU-month", usd(storage), (storage,)),
        ),
    )


def cmus_per_copy(model: str) -> float | None:
    """Custom model units of one copy ('llama-3-70b'), or None where nobody has published them."""
    id = f"bedrock.import.cmu_{model}"
    value = facts.value(id) if known(id) else None
    return float(value) if isinstance(value, int | float) else None
