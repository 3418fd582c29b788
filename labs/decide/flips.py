"""What would change the answer: traffic, tokens and commitments by degrees, requirements one at a time, and where money breaks even."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log10
from typing import Any

from labs import facts
from labs.decide.build import drafts as draft_all
from labs.decide.case import Case, case
from labs.decide.chart import chart, walk
from labs.decide.option import BreakEven, Draft
from labs.decide.ranking import Ranking, open_unknowns, rank
from labs.decide.requirements import Requirements
from labs.decide.unknowns import DISCOUNT, REQUESTS, TOKENS, World
from labs.economics import breakeven
from labs.economics.bill import Bill, Line
from labs.economics.sensitivity import Assumption, compare
from labs.economics.sensitivity import Flip as RawFlip

TENFOLD = 10.0
NOTICEABLE = 0.8
"""A requirement is worth naming when dropping it changes the target, or makes it cost less than this part."""


@dataclass(frozen=True, slots=True)
class Flip:
    """At `at` instead of `now`, with everything else as it is, another target is best."""

    assumption: str
    label: str
    unit: str
    now: float
    at: float
    becomes: str
    usd_per_month: float
    """what it costs there"""
    distance: float
    """0 is near. For traffic and tokens: the decimal logarithm of the factor; for an unknown: part of the way to its end"""
    known: bool
    """False for what nobody outside knows: the answer is open until somebody measures or asks"""
    because: str = ""

    @property
    def says(self) -> str:
        """In words."""
        why = f" ({self.because})" if self.because else ""
        if self.assumption == DISCOUNT:
            return f"a commitment that saves {self.at:.0%} on machines: {self.becomes}{why}"
        unit = f" {self.unit}" if self.unit not in ("x", "") else ""
        return f"{self.label}: {_amount(self.at)} instead of {_amount(self.now)}{unit}: {self.becomes}{why}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "assumption": self.assumption,
            "label": self.label,
            "unit": self.unit,
            "now": self.now,
            "at": self.at,
            "becomes": self.becomes,
            "usd_per_month": self.usd_per_month,
            "distance": self.distance,
            "known": self.known,
            "because": self.because,
        }


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One requirement otherwise, everything else as it is."""

    change: str
    becomes: str
    usd_per_month: float | None
    changes: tuple[str, ...]
    """the requirements that differ"""

    @property
    def says(self) -> str:
        """In words."""
        cost = "" if self.usd_per_month is None else f", ${self.usd_per_month:,.0f} a month"
        return f"{self.change}: {self.becomes}{cost}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "change": self.change,
            "becomes": self.becomes,
            "usd_per_month": self.usd_per_month,
            "requirements": list(self.changes),
        }


def flips(looked_up: Case, ranking: Ranking) -> tuple[Flip, ...]:
    """By degrees, the nearest first; what is unknown before what is merely not so today, at equal distance."""
    best = ranking.best
    if best is None or best.price is None:
        return ()
    found = [*_of_levers(looked_up, ranking, best), *_of_unknowns(ranking)]
    nearest: dict[tuple[str, bool], Flip] = {}
    for flip in sorted(found, key=lambda each: (each.distance, each.known)):
        nearest.setdefault((flip.assumption, flip.at > flip.now), flip)
    return tuple(nearest.values())


def _of_levers(looked_up: Case, ranking: Ranking, best: Draft) -> Iterator[Flip]:
    priced = [
        draft
        for draft in ranking.order
        if draft is best or (draft.price is not None and draft.meets == best.meets and not draft.fading)
    ]
    asked = looked_up.asked
    now = {
        REQUESTS: (asked.requests_per_minute, "requests a minute"),
        TOKENS: (float(looked_up.tokens_per_request), "tokens a request, in and out"),
        DISCOUNT: (1.0, "saved by a commitment"),
    }
    for lever in _levers(looked_up):
        verdict = compare(
            lambda values: {draft.target: draft.usd(World.of(values)) for draft in priced}, [lever.assumption]
        )
        value, label = now[lever.assumption.name]
        for raw in verdict.flips:
            if raw.becomes == best.target:
                continue
            there = World.of({lever.assumption.name: raw.at})
            ends = best.usd(there) == float("inf")
            yield Flip(
                lever.assumption.name,
                label,
                "",
                0.0 if lever.assumption.name == DISCOUNT else value,
                value * raw.at,
                raw.becomes,
                next(draft for draft in priced if draft.target == raw.becomes).usd(there),
                raw.distance if lever.assumption.name == DISCOUNT else abs(log10(raw.at)),
                known=True,
                because=_quota_says(best) if ends else "",
            )


def _quota_says(best: Draft) -> str:
    limit = best.fixed_quota_tokens_per_minute
    return f"{best.target} ends at its fixed quota of {limit:,.0f} tokens a minute" if limit else ""


@dataclass(frozen=True, slots=True)
class _Lever:
    assumption: Assumption


def _levers(looked_up: Case) -> list[_Lever]:
    """Ten times more or less; no request longer than the context; no commitment better than the best that is advertised."""
    longest = TENFOLD
    if looked_up.shape is not None and looked_up.shaped_like is None:
        longest = max(1.0, min(TENFOLD, looked_up.shape.context_tokens / looked_up.tokens_per_request))
    most = facts.number("sagemaker.savings-plan.max_percent") / 100
    return [
        _Lever(Assumption(TOKENS, 1 / TENFOLD, 1.0, longest)),
        _Lever(Assumption(REQUESTS, 1 / TENFOLD, 1.0, TENFOLD)),
        _Lever(Assumption(DISCOUNT, 0.0, 0.0, most)),
    ]


def _of_unknowns(ranking: Ranking) -> Iterator[Flip]:
    known = {unknown.id: unknown for unknown in open_unknowns(ranking.order)}
    by_target = {draft.target: draft for draft in ranking.order}
    raw: RawFlip
    for raw in ranking.flips:
        unknown = known[raw.assumption]
        there = by_target[raw.becomes].usd(World.of({raw.assumption: raw.at}))
        yield Flip(
            unknown.id,
            unknown.label,
            unknown.unit,
            unknown.central,
            raw.at,
            raw.becomes,
            there,
            raw.distance,
            known=False,
        )


# One requirement otherwise


def variations(asked: Requirements) -> Iterator[tuple[str, dict[str, Any]]]:
    """What one might ask for instead, in words and as changed requirements."""
    if asked.edge:
        yield "if it need not run at the edge", {"edge": False}
    if asked.residency != "anywhere":
        yield "if the data might be processed anywhere", {"residency": "anywhere"}
    if asked.control != "none":
        yield f"if the {asked.control} need not be yours", {"control": "none"}
    if asked.proprietary_engine:
        yield "if a common engine would do", {"proprietary_engine": False}
    if asked.kubernetes_estate and asked.team == "platform":
        yield "if it need not run on your cluster", {"kubernetes_estate": False}
    if asked.guaranteed_throughput:
        yield "if best effort were enough", {"guaranteed_throughput": False}
    if asked.custom_weights:
        yield (
            "if a base model would do",
            {
                "custom_weights": False,
                "weights_format": None,
                "training_data_kept": None,
                "already_in_bedrock": False,
            },
        )
        if not asked.training_data_kept and not asked.already_in_bedrock:
            yield "if the training data were kept", {"training_data_kept": True}
    on = case(asked).model
    if on is not None and on.bedrock is not None and on.bedrock.lifecycle == "legacy" and not asked.already_in_bedrock:
        what = "customised in Bedrock" if asked.custom_weights else "in use on Bedrock"
        yield f"if it were {what} already", {"already_in_bedrock": True}
    if asked.already_in_bedrock:
        yield "if it were not in Bedrock already", {"already_in_bedrock": False}
    if asked.ttft_ms is not None or asked.e2e_ms is not None:
        yield "without the latency objective", {"ttft_ms": None, "e2e_ms": None}
    if not asked.answer_can_wait:
        yield "if answers could wait for hours", {"answer_can_wait": True, "ttft_ms": None, "e2e_ms": None}
    if asked.team == "small":
        yield "with a team that runs platforms", {"team": "platform"}
    if asked.redundancy > 1:
        yield "without redundancy", {"redundancy": 1}
    if asked.dtype is None:
        yield "with weights in FP8", {"dtype": "fp8"}
    yield from _other_region(asked)


def _other_region(asked: Requirements) -> Iterator[tuple[str, dict[str, Any]]]:
    """The nearest Region that has a route of Bedrock for this model which this one has not."""
    model = case(asked).model
    if model is None or model.bedrock is None:
        return
    on = model.bedrock
    route = on.custom_on_demand if asked.custom_weights else (on.in_region or on.through_profile)
    if asked.region in route or (
        not asked.custom_weights and asked.region in on.regions and asked.residency != "region"
    ):
        return
    if route:
        yield f"in {route[0]}", {"region": route[0]}


def what_ifs(asked: Requirements, ranking: Ranking) -> tuple[WhatIf, ...]:
    """Requirements that, dropped or changed alone, lead elsewhere or to clearly less money; the greatest saving first."""
    best = ranking.best
    now = best.usd(World()) if best is not None else float("inf")
    found: list[tuple[float, WhatIf]] = []
    for change, changes in variations(asked):
        other = replace(asked, **changes)
        looked_up = case(other)
        way = walk(chart("engineering"), other)
        then = rank(looked_up, draft_all(looked_up), way, closely=False).best
        if then is None:
            continue
        usd = then.usd(World())
        elsewhere = best is None or then.target != best.target
        if not elsewhere and not usd < NOTICEABLE * now:
            continue
        if elsewhere and best is not None and usd >= now and not _loses(changes):
            continue
        found.append((usd, WhatIf(change, then.target, usd if usd < float("inf") else None, tuple(changes))))
    return tuple(what for _, what in sorted(found, key=lambda each: each[0]))


def _loses(changes: Mapping[str, Any]) -> bool:
    """A variation that takes something away may lead to more money, and is worth knowing."""
    return changes == {"already_in_bedrock": False}


# Where money breaks even


def break_even(looked_up: Case, draft: Draft, per_token: Sequence[Draft]) -> tuple[BreakEven, ...]:
    """For each sizing that was looked at: where one instance costs what the cheapest feasible tokens cost."""
    rivals = [each for each in per_token if each.feasible and each.per_token is not None]
    if not draft.considered or not rivals:
        return ()
    rival = min(rivals, key=lambda each: each.usd(World()))
    assert rival.per_token is not None
    asked, tokens = looked_up.asked, looked_up.tokens_per_request
    quota = rival.fixed_quota_tokens_per_minute
    found = []
    for sizing in draft.considered:
        one = Bill(f"1 x {sizing.instance}", (Line("instances", 1, "month", sizing.usd_per_month_of_one),))
        found.append(
            BreakEven(
                sizing.instance,
                sizing.usd_per_month_of_one,
                rival.target,
                breakeven.tokens_per_request(rival.per_token, one, looked_up.traffic()),
                tokens * sizing.per_instance_rps / looked_up.rate_per_s,
                quota / asked.requests_per_minute if quota else None,
            )
        )
    return tuple(found)


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 else f"{value:.3g}"
