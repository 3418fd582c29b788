"""Which assumption flips the answer, and which options cannot be told apart inside the range of what is unknown.

costs = lambda a: {"tokens": 0.72 * a["tokens_millions"], "endpoint": 11373.0}
verdict = compare(costs, [Assumption("tokens_millions", 1_000, 3_066, 20_000)])
verdict.best, verdict.tied, verdict.flips      # 'tokens', ('endpoint',), (Flip(... at 15795.8 ...),)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

Costs = Callable[[Mapping[str, float]], Mapping[str, float]]
"""From a value for every assumption to the cost of every option."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """A number that is not known: the range it may lie in and the value that is used meanwhile."""

    name: str
    low: float
    central: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.central <= self.high:
            raise ValueError(f"{self.name}: {self.low} <= {self.central} <= {self.high} does not hold")


@dataclass(frozen=True, slots=True)
class Flip:
    """With every other assumption central, `becomes` is cheapest from `at` on, in the direction of `towards`."""

    assumption: str
    at: float
    towards: str
    becomes: str
    distance: float
    """How far `at` lies from the central value, as a part of the way to the end of the range: 0 is near, 1 far."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`best` at the central values; `tied`: options that some corner of the ranges makes as cheap as `best` or cheaper."""

    best: str
    tied: tuple[str, ...]
    costs: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]]
    flips: tuple[Flip, ...]


def compare(costs: Costs, assumptions: Sequence[Assumption]) -> Verdict:
    """Rank options by cost, but not inside the range of an unknown. Every corner of the ranges is tried (2**n of them)."""
    if len(assumptions) > 12:
        raise ValueError(f"{len(assumptions)} assumptions have too many corners; keep the twelve that matter")
    central = {each.name: each.central for each in assumptions}
    at_centre = dict(costs(central))
    if not at_centre:
        raise ValueError("no options to compare")
    best = min(at_centre, key=lambda option: at_centre[option])
    names = [each.name for each in assumptions]
    corners = [
        dict(costs(dict(zip(names, values, strict=True))))
        for values in product(*((each.low, each.high) for each in assumptions))
    ]
    worlds = [*corners, at_centre]
    ranges = {option: (min(w[option] for w in worlds), max(w[option] for w in worlds)) for option in at_centre}
    tied = tuple(
        option
        for option in sorted(at_centre, key=lambda name: at_centre[name])
        if option != best and any(world[option] <= world[best] for world in worlds)
    )
    flips = [
        flip
        for each in assumptions
        for towards, end in (("low", each.low), ("high", each.high))
        if (flip := _flip(costs, central, each, towards, end, best)) is not None
    ]
    return Verdict(best, tied, at_centre, ranges, tuple(sorted(flips, key=lambda flip: flip.distance)))


def _flip(
    costs: Costs, central: Mapping[str, float], assumption: Assumption, towards: str, end: float, best: str
) -> Flip | None:
    """The point nearest to the centre at which `best` stops being cheapest on the way to `end`, by bisection."""

    def winner(part: float) -> str:
        value = assumption.central + part * (end - assumption.central)
        at = costs({**central, assumption.name: value})
        return min(at, key=lambda option: (at[option], option != best))

    # A winner may change and change back: look at 32 points before halving.
    parts = [step / 32 for step in range(33)]
    changed = next((part for part in parts if winner(part) != best), None)
    if changed is None or changed == 0.0:
        return None
    near, far = changed - 1 / 32, changed
    for _ in range(50):
        middle = (near + far) / 2
        near, far = (near, middle) if winner(middle) != best else (middle, far)
    at = assumption.central + far * (end - assumption.central)
    return Flip(assumption.name, at, towards, winner(far), far)
