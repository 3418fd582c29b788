"""The numbers that nobody outside knows, or only you know, each with its range; and the world in which an option is priced.

unknown("throughput").central      # 1.0
World().with_value("throughput", 0.7)["throughput"]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from labs.economics.prices import usd
from labs.economics.sensitivity import Assumption
from labs.facts.documents import read

DATA = Path(__file__).parent / "data"
ENDS = ("low", "central", "high")

REQUESTS, TOKENS, DISCOUNT = "requests", "tokens", "discount"
"""What you may know and still change: the two factors on the traffic that was asked about, and what a commitment saves."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A number with a range: `central` is used until somebody knows better."""

    id: str
    label: str
    unit: str
    low: float
    central: float
    high: float
    why: str

    @property
    def assumption(self) -> Assumption:
        """For labs.economics.sensitivity."""
        return Assumption(self.id, self.low, self.central, self.high)

    @property
    def is_open(self) -> bool:
        """Is there a range at all?"""
        return self.low < self.high


@cache
def _data() -> Mapping[str, Mapping[str, Any]]:
    data: dict[str, dict[str, Any]] = read(DATA / "assumptions.yaml").data
    return data


@cache
def _plain(id: str) -> Unknown | None:
    """An assumption that rests on no fact never changes."""
    return None if any(isinstance(_data()[id][name], str) for name in ENDS) else _made(id)


def _made(id: str) -> Unknown:
    entry = _data()[id]
    low, central, high = (usd(given) if isinstance(given := entry[name], str) else float(given) for name in ENDS)
    return Unknown(id, entry["label"], entry["unit"], low, central, high, entry["why"])


def unknown(id: str) -> Unknown:
    """An assumption of `data/assumptions.yaml`. A value there that is the id of a fact is that fact's value."""
    return _plain(id) or _made(id)


def ids() -> tuple[str, ...]:
    """Every assumption in the file."""
    return tuple(_data())


@dataclass(frozen=True, slots=True)
class World:
    """Values for what is not fixed: levers that are 1 (or 0) unless moved, unknowns that are central unless moved."""

    requests: float = 1.0
    """factor on the requests per minute that were asked about"""
    tokens: float = 1.0
    """factor on the tokens of a request, in and out alike"""
    discount: float = 0.0
    """what a commitment takes off hourly prices, 0 to 1"""
    unknowns: Mapping[str, float] = field(default_factory=dict)

    def value(self, unknown: Unknown) -> float:
        """The value that this world gives to an unknown."""
        return self.unknowns.get(unknown.id, unknown.central)

    @property
    def load(self) -> float:
        """Factor on tokens per minute."""
        return self.requests * self.tokens

    @classmethod
    def of(cls, values: Mapping[str, float]) -> World:
        """From the names and values that labs.economics.sensitivity tries."""
        levers = {name: values[name] for name in (REQUESTS, TOKENS, DISCOUNT) if name in values}
        return cls(**levers, unknowns={name: at for name, at in values.items() if name not in levers})
