"""A bill is named dimensions added up, so that a report can say what each part costs.

bill = Bill("two endpoints", (Line("instance hours", 1460, "hour", 15.58, ("sagemaker.price.inf2-48xlarge",)),))
bill.usd                       # 22746.8
bill.usd_per(4_380_000)        # per request
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

HOURS_PER_MONTH = 730.0
"""The month that price lists and this course mean: 8,760 hours over twelve."""


@dataclass(frozen=True, slots=True)
class Line:
    """One cost dimension: `quantity` of `unit` at `usd_per_unit`; `facts` are the register ids that the price rests on."""

    name: str
    quantity: float
    unit: str
    usd_per_unit: float
    facts: tuple[str, ...] = ()
    assumption: str = ""

    def __post_init__(self) -> None:
        for field in ("quantity", "usd_per_unit"):
            value = getattr(self, field)
            if not isfinite(value) or value < 0:
                raise ValueError(f"{self.name}: {field} is {value}, and a bill takes finite amounts of zero or more")

    @property
    def usd(self) -> float:
        return self.quantity * self.usd_per_unit


@dataclass(frozen=True, slots=True)
class Bill:
    """Lines added up. Bills of the same period add with `+`; `scaled` repeats one."""

    title: str
    lines: tuple[Line, ...]

    @property
    def usd(self) -> float:
        return sum(line.usd for line in self.lines)

    def __add__(self, other: Bill) -> Bill:
        return Bill(self.title, self.lines + other.lines)

    def scaled(self, factor: float) -> Bill:
        """The same bill for `factor` times as much of everything."""
        return Bill(
            self.title,
            tuple(
                Line(line.name, line.quantity * factor, line.unit, line.usd_per_unit, line.facts, line.assumption)
                for line in self.lines
            ),
        )

    def usd_per(self, quantity: float) -> float:
        """US dollars for each of `quantity` things (requests, million tokens). Raises ValueError for none."""
        if quantity <= 0:
            raise ValueError(f"{self.title}: cannot spread a bill over {quantity} things")
        return self.usd / quantity

    def shares(self) -> dict[str, float]:
        """Each dimension's part of the total, 0 to 1, largest first; equal names are added up."""
        total = self.usd
        sums: dict[str, float] = {}
        for line in self.lines:
            sums[line.name] = sums.get(line.name, 0.0) + line.usd
        ranked = sorted(sums.items(), key=lambda item: -item[1])
        return {name: usd / total if total else 0.0 for name, usd in ranked}

    def facts(self) -> tuple[str, ...]:
        """Register ids of every price in the bill, in order, each once."""
        return tuple(dict.fromkeys(fact for line in self.lines for fact in line.facts))

    def as_dict(self) -> dict[str, Any]:
        """The bill as JSON-ready data: title, usd, and each dimension with its own usd."""
        return {
            "title": self.title,
            "usd": self.usd,
            "dimensions": [
                {
                    "name": line.name,
                    "quantity": line.quantity,
                    "unit": line.unit,
                    "usd_per_unit": line.usd_per_unit,
                    "usd": line.usd,
                    "facts": list(line.facts),
                    **({"assumption": line.assumption} if line.assumption else {}),
                }
                for line in self.lines
            ],
        }


def total(title: str, bills: Iterable[Bill]) -> Bill:
    """All lines of `bills` under one title."""
    return Bill(title, tuple(line for bill in bills for line in bill.lines))


def cheapest(bills: Mapping[str, Bill]) -> str:
    """The key of the bill with the lowest total. Raises ValueError for no bills."""
    if not bills:
        raise ValueError("no bills to compare")
    return min(bills, key=lambda key: bills[key].usd)
