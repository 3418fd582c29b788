"""The advisor: requirements in; two views out, always together, with every target ranked or ruled out.

    advice = advise(Requirements(model="llama-3-70b", custom_weights=True, training_data_kept=False, requests_per_minute=100))
    advice.exam.says                       # what the exam's own wording leads to
    advice.best.target, advice.best.usd    # what the arithmetic leads to
    advice.option("bedrock-on-demand").reasons[0].because

Costs come from labs.economics, latencies from labs.serving (predicted, never measured), every figure from the register of facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labs.decide.advice_json import as_dict
from labs.decide.build import drafts
from labs.decide.case import Case, case
from labs.decide.chart import Walk, chart, walk
from labs.decide.exam import ExamView, Note, exam_view
from labs.decide.flips import Flip, WhatIf, break_even, flips, what_ifs
from labs.decide.managed import callable_id
from labs.decide.option import Draft, Option
from labs.decide.ranking import Ranking, open_unknowns, rank
from labs.decide.requirements import Requirements, check
from labs.decide.unknowns import Unknown, World
from labs.facts import catalogue


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer to one set of requirements."""

    case: Case
    exam: ExamView
    engineering: Walk
    options: tuple[Option, ...]
    """ranked first, then what is ruled out, in the catalogue's order"""
    says: str
    """the engineering answer, in a sentence"""
    agrees: str
    """how it stands to the engineering chart"""
    flips: tuple[Flip, ...]
    what_ifs: tuple[WhatIf, ...]
    unknowns: tuple[Unknown, ...]
    """of the targets that are feasible"""
    notes: tuple[Note, ...]

    @property
    def asked(self) -> Requirements:
        """The requirements."""
        return self.case.asked

    @property
    def best(self) -> Option | None:
        """The first in rank; None when nothing is feasible."""
        return next((option for option in self.options if option.rank == 1), None)

    @property
    def ranked(self) -> tuple[Option, ...]:
        """What is feasible, in order."""
        return tuple(option for option in self.options if option.feasible)

    @property
    def ruled_out(self) -> tuple[Option, ...]:
        """What is not."""
        return tuple(option for option in self.options if not option.feasible)

    @property
    def tied(self) -> tuple[Option, ...]:
        """What cannot be told from the best."""
        return tuple(option for option in self.ranked if option.tied and option.rank != 1)

    def option(self, target: str) -> Option:
        """One target's option. Raises UnknownEntry, with the nearest names, for a target that does not exist."""
        catalogue.target(target)
        return next(option for option in self.options if option.target == target)

    def facts(self) -> tuple[str, ...]:
        """Every fact that the advice rests on, each once."""
        said = [option.facts() for option in self.options]
        said += [note.facts for note in (*self.exam.notes, *self.notes)]
        return tuple(dict.fromkeys(id for ids in said for id in ids))

    def as_dict(self) -> dict[str, Any]:
        """The whole advice as JSON-ready data; the shape is described in labs.decide.advice_json."""
        return as_dict(self)

    def _repr_html_(self) -> str:
        from labs.decide.card import card

        return card(self)


def advise(asked: Requirements) -> Advice:
    """Both views of one workload. Raises Refusal when the requirements contradict each other, naming which."""
    looked_up = case(check(asked))
    drafted = drafts(looked_up)
    way = walk(chart("engineering"), asked)
    ranking = rank(looked_up, drafted, way)
    options = _options(looked_up, drafted, ranking)
    return Advice(
        looked_up,
        exam_view(asked),
        way,
        options,
        _says(options),
        _agrees(way, options),
        flips(looked_up, ranking),
        what_ifs(asked, ranking),
        tuple(open_unknowns(ranking.order)),
        _notes(looked_up, options),
    )


def _options(looked_up: Case, drafted: dict[str, Draft], ranking: Ranking) -> tuple[Option, ...]:
    places = {draft.target: place for place, draft in enumerate(ranking.order, 1)}
    feasible = [_option(looked_up, draft, places, ranking, drafted) for draft in ranking.order]
    out = [_option(looked_up, draft, places, ranking, drafted) for draft in drafted.values() if not draft.feasible]
    return (*feasible, *out)


def _option(
    looked_up: Case, draft: Draft, places: dict[str, int], ranking: Ranking, drafted: dict[str, Draft]
) -> Option:
    bill = draft.price(World()) if draft.price and draft.feasible else None
    budget = looked_up.asked.budget_usd_per_month
    return Option(
        target=draft.target,
        family=catalogue.target(draft.target).family,
        what=draft.what,
        feasible=draft.feasible,
        rank=places.get(draft.target),
        tied=draft.target in ranking.tied,
        reasons=draft.reasons,
        cautions=draft.cautions,
        todo=draft.todo,
        bill=bill,
        usd_range=ranking.ranges.get(draft.target),
        unpriced=draft.unpriced,
        prediction=draft.prediction,
        unpredicted=draft.unpredicted,
        meets=draft.meets,
        sizing=draft.sizing,
        considered=draft.considered,
        utilisation=draft.utilisation,
        over_budget=bill is not None and budget is not None and bill.usd > budget,
        break_even=break_even(looked_up, draft, list(drafted.values())) if draft.feasible else (),
        deploy=_deploy(looked_up, draft.target),
    )


def _deploy(looked_up: Case, target: str) -> str:
    """The course's command for a target; a base model on demand is also an option of it."""
    if target == "bedrock-on-demand" and looked_up.model is not None and looked_up.model.bedrock is not None:
        return f"lab deploy {target} --model {callable_id(looked_up)}"
    return f"lab deploy {target}"


def _says(options: tuple[Option, ...]) -> str:
    ranked = [option for option in options if option.feasible]
    if not ranked:
        return "None of the sixteen targets satisfies all of this."
    best = ranked[0]
    cost = f"${best.usd:,.0f} a month" if best.usd is not None else f"at a price nobody publishes ({best.unpriced})"
    said = f"{best.target} ({best.what}), {cost}"
    if best.meets == "unsure":
        said += "; it may miss the latency objective"
    if best.over_budget:
        said += "; that is over the budget, and nothing cheaper is left"
    same = [option.target for option in ranked[1:] if option.tied and option.usd == best.usd]
    open_ = [option.target for option in ranked[1:] if option.tied and option.usd != best.usd]
    if same:
        said += f"; {_and(same, 'and')} cost{'s' if len(same) == 1 else ''} the same"
    if open_:
        said += f"; not to be told from {_and(open_, 'or')} before what is unknown is known"
    further = [option for option in ranked[1:] if option.usd is not None and not option.tied]
    if further and not open_:
        said += f"; next {further[0].target}, ${further[0].usd:,.0f}"
    return said if len(ranked) > 1 else f"{said}; nothing else is left"


def _and(names: list[str], word: str) -> str:
    return f"{', '.join(names[:-1])} {word} {names[-1]}" if len(names) > 1 else names[0]


def _agrees(way: Walk, options: tuple[Option, ...]) -> str:
    """Chart and arithmetic, side by side."""
    best = next((option for option in options if option.rank == 1), None)
    if best is None:
        return f"The chart ends at: {way.end.says}. Arithmetic and rules leave nothing there."
    if best.target in way.end.targets:
        return f"The chart ends there too: {way.end.says}."
    meant = [option for option in options if option.target in way.end.targets]
    if not any(option.feasible for option in meant):
        first = meant[0]
        return f"The chart ends at: {way.end.says}. That is out: {first.reasons[0].because}."
    nearest = next(option for option in meant if option.feasible)
    if nearest.usd is None or best.usd is None:
        return f"The chart ends at: {way.end.says}."
    unsure = ", which may miss the objective" if nearest.meets == "unsure" and best.meets != "unsure" else ""
    return (
        f"The chart ends at: {way.end.says}, ${nearest.usd:,.0f} a month with {nearest.target}{unsure}; "
        f"the arithmetic prefers {best.target}."
    )


def _notes(looked_up: Case, options: tuple[Option, ...]) -> tuple[Note, ...]:
    asked, notes = looked_up.asked, []
    if asked.ttft_ms is None and asked.e2e_ms is None and not asked.answer_can_wait:
        notes.append(
            Note(
                "No latency objective is set: machines are sized for a first token within 10 s for 99 of 100 requests."
            )
        )
    if any(option.bill and not _priced_here(option, asked.region) for option in options):
        notes.append(Note(f"Prices are those of us-east-1 where the register has none of {asked.region}."))
    if looked_up.shaped_like is not None:
        notes.append(Note(f"Only the size is known; the proportions of {looked_up.shaped_like} were taken."))
    if looked_up.dtype == "fp8":
        notes.append(Note("Weights in FP8: evaluate the answers against the published precision first."))
    return tuple(notes)


def _priced_here(option: Option, region: str) -> bool:
    from labs import facts

    where = [facts.get(id).region for id in option.bill.facts()] if option.bill else []
    return all(each == "any" or region in each.split(", ") for each in where)
