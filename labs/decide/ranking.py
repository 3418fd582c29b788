"""The order of what is feasible: by cost, but not inside the range of an unknown, and not past an objective that may be missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from labs.decide.case import Case
from labs.decide.chart import Walk
from labs.decide.option import Draft
from labs.decide.unknowns import Unknown, World
from labs.economics.sensitivity import Flip, compare
from labs.facts import catalogue


@dataclass(frozen=True, slots=True)
class Ranking:
    """Feasible targets in order."""

    order: tuple[Draft, ...]
    tied: tuple[str, ...]
    """targets that some value of what is unknown makes as cheap as the best, or cheaper"""
    ranges: Mapping[str, tuple[float, float]]
    flips: tuple[Flip, ...]
    """unknowns whose range holds another answer"""

    @property
    def best(self) -> Draft | None:
        """The first, if anything is feasible at all."""
        return self.order[0] if self.order else None


def rank(case: Case, drafts: Mapping[str, Draft], way: Walk, *, closely: bool = True) -> Ranking:
    """Rank what is feasible. With `closely` also say what cannot be told apart; without, only the order.

    A target on software that only gets critical fixes is not put first while another cannot be told from it.
    """
    catalogued = list(catalogue.targets())
    here = World()

    def place(draft: Draft) -> tuple[bool, bool, float, int, int]:
        preferred = way.end.targets
        by_chart = preferred.index(draft.target) if draft.target in preferred else len(preferred)
        return (
            draft.price is None,
            draft.meets == "unsure",
            draft.usd(here),
            by_chart,
            _own_engine_first(case, draft, catalogued),
        )

    order = tuple(sorted((draft for draft in drafts.values() if draft.feasible), key=place))
    priced = [draft for draft in order if draft.price is not None]
    if not closely or not priced:
        return Ranking(order, (), {}, ())
    ranges = {draft.target: _range(draft) for draft in priced}
    tied, flips = _ties(priced[0], priced[1:], ranges)
    lasting = next((draft for draft in priced if draft.target in tied and not draft.fading), None)
    if priced[0].fading and lasting is not None:
        order = (lasting, *(draft for draft in order if draft is not lasting))
        tied, flips = _ties(lasting, [draft for draft in priced if draft is not lasting], ranges)
    return Ranking(order, tied, ranges, flips)


def _ties(
    best: Draft, others: Sequence[Draft], ranges: Mapping[str, tuple[float, float]]
) -> tuple[tuple[str, ...], tuple[Flip, ...]]:
    """What cannot be told from the best, and the values of unknowns at which it is cheaper."""
    tied: list[str] = []
    flips: list[Flip] = []
    for other in others:
        if other.meets == "unsure" and best.meets != "unsure":
            continue
        if ranges[other.target][0] > ranges[best.target][1]:
            continue
        # Both at once: an unknown that both share moves both.
        pair = [best, other]
        verdict = compare(
            lambda values, pair=pair: {draft.target: draft.usd(World.of(values)) for draft in pair},  # type: ignore[misc]
            [unknown.assumption for unknown in open_unknowns(pair)],
        )
        if verdict.tied or verdict.best != best.target:
            tied.append(other.target)
            flips += [flip for flip in verdict.flips if flip.becomes == other.target]
    return tuple(tied), tuple(flips)


def _own_engine_first(case: Case, draft: Draft, catalogued: Sequence[str]) -> int:
    if case.asked.proprietary_engine and draft.target == "eks-triton":
        return -1
    return catalogued.index(draft.target)


def open_unknowns(drafts: Sequence[Draft]) -> list[Unknown]:
    """What is unknown about any of them, each once."""
    found = {unknown.id: unknown for draft in drafts for unknown in draft.unknowns if unknown.is_open}
    return list(found.values())


def _range(draft: Draft) -> tuple[float, float]:
    unknowns = open_unknowns([draft])
    corners = product(*((unknown.low, unknown.central, unknown.high) for unknown in unknowns))
    names = [unknown.id for unknown in unknowns]
    costs = [draft.usd(World(unknowns=dict(zip(names, values, strict=True)))) for values in corners]
    return min(costs), max(costs)
