"""Where two ways of paying cost the same: in tokens per request, in requests per month, in utilisation.

A dedicated endpoint costs the same empty or full; pay-per-token costs nothing when nobody asks. The crossing decides.
"""

from __future__ import annotations

from collections.abc import Callable

from labs.economics.bill import Bill
from labs.economics.traffic import Traffic


def tokens_per_request(per_token: Callable[[Traffic], Bill], fixed: Bill, traffic: Traffic) -> float:
    """Tokens in and out of one request at which paying per token costs as much as `fixed` for the same month.

    The proportion of input to output stays that of `traffic`. Raises ValueError when tokens cost nothing.
    """
    return traffic.tokens_per_request * _times(per_token(traffic), fixed, "tokens")


def requests_per_month(per_token: Callable[[Traffic], Bill], fixed: Bill, traffic: Traffic) -> float:
    """Requests a month, each as long as in `traffic`, at which paying per token costs as much as `fixed`."""
    return traffic.requests_per_month * _times(per_token(traffic), fixed, "requests")


def _times(variable: Bill, fixed: Bill, what: str) -> float:
    if variable.usd <= 0:
        raise ValueError(f"{variable.title}: {what} cost nothing here, so no number of them reaches {fixed.title}")
    return fixed.usd / variable.usd


def usd_per_million_tokens(usd_per_hour: float, tokens_per_s: float) -> float:
    """What a million tokens cost on capacity paid by the hour that really produces `tokens_per_s`."""
    if tokens_per_s <= 0:
        raise ValueError("an endpoint that produces no tokens has no price per token")
    return usd_per_hour / (tokens_per_s * 3600) * 1e6


def utilisation(usd_per_hour: float, capacity_tokens_per_s: float, usd_per_million: float) -> float:
    """The part of an endpoint's capacity that must be in use for it to match `usd_per_million`; above 1 it never does."""
    if usd_per_million <= 0:
        raise ValueError("a price of zero cannot be matched by paid capacity")
    return usd_per_million_tokens(usd_per_hour, capacity_tokens_per_s) / usd_per_million
