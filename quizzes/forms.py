"""Draws the form of an exam from the whole bank: authored items, case sets, and one computed item of a family.

    form = forms.draw(blueprint.load("deployment-practice"), forms.pool(), seed="ab12/1")
    form.shortages           # what the bank is too small for, in words

The same seed draws the same form, as long as the bank and the prices stay. What a taker has seen is not drawn again.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from quizzes import bank, families, figures, outline
from quizzes.blueprint import TYPE_WORDS, Area, Blueprint
from quizzes.generate import SEEDS
from quizzes.grading import ItemType
from quizzes.model import AnyItem, CaseSet, Quiz
from quizzes.shuffle import fnv1a, shuffled

_FAMILY_TYPES: dict[str, ItemType] = {
    "amounts": "single",
    "choice": "single",
    "several": "multiple",
    "order": "ordering",
    "number": "numeric",
}


@dataclass(frozen=True)
class Unit:
    """What is drawn as one: an item, a case set, or a family of which one item is drawn."""

    id: str
    home: str
    """the quiz whose file holds it; empty for a family"""
    objective: str
    types: tuple[ItemType, ...]
    entry: AnyItem | CaseSet | None = None
    """filled; None for a family"""

    @property
    def item_ids(self) -> list[str]:
        """The ids of its items (of a family none: its next item is always new)."""
        if self.entry is None:
            return []
        return [item.id for item in _items(self.entry)]


@dataclass(frozen=True)
class Question:
    """One question of a form."""

    item: AnyItem
    home: str
    area: str
    scenario: str = ""
    """of the case set that it belongs to"""


@dataclass(frozen=True)
class Form:
    """One sitting's questions."""

    name: str
    title: str
    minutes: int
    questions: tuple[Question, ...]
    asked_for: int
    areas: tuple[tuple[Area, int, int], ...]
    """area, questions wanted, questions there are"""
    types: tuple[tuple[ItemType, int, int], ...] = field(default=())
    """ordering and matching: wanted, there are"""
    seen_before: int = 0
    """how many of the questions the taker has had in another sitting"""

    @property
    def id(self) -> str:
        """Names exactly these questions with these keys."""
        return form_id(self.name, [(q.item.id, q.item.version) for q in self.questions])

    @property
    def skills(self) -> dict[str, int]:
        """Skill of the exam guide → questions, in the guide's order."""
        asked = Counter(question.item.objective for question in self.questions)
        return {skill: asked[skill] for skill in outline.skills() if asked[skill]}

    @property
    def quiz(self) -> Quiz:
        """The same as a quiz, without the scenarios."""
        return Quiz(slug=self.name, title=self.title, entries=tuple(q.item for q in self.questions))

    @property
    def shortages(self) -> list[str]:
        """What the bank is too small for, in words."""
        said = []
        if len(self.questions) < self.asked_for:
            short = "; ".join(f"{a.title} {got} of {want}" for a, want, got in self.areas if got < want)
            said.append(
                f"The bank is too small for the {self.asked_for} questions asked for: this form has {len(self.questions)} ({short})."
            )
        said.extend(
            f"It has {got} of the {want} {TYPE_WORDS[kind]} questions that it should have."
            for kind, want, got in self.types
            if got < want
        )
        return said


def form_id(name: str, items: Iterable[tuple[str, str]]) -> str:
    """The id of a form of these items: (id, version of its key), in their order."""
    parts = [name, *(f"{item}:{version}" for item, version in items)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _items(entry: AnyItem | CaseSet) -> tuple[AnyItem, ...]:
    return entry.items if isinstance(entry, CaseSet) else (entry,)


def pool(folder: Path = bank.BANK, with_families: bool = True) -> list[Unit]:
    """Everything that can be drawn."""
    units: dict[str, Unit] = {}
    for quiz in bank.load_all(folder):
        for entry in figures.fill_quiz(quiz).entries:
            items = _items(entry)
            if items[0].mode == "score" and entry.id not in units:
                kinds = tuple(item.type for item in items)
                units[entry.id] = Unit(entry.id, quiz.slug, items[0].objective, kinds, entry)
    if with_families:
        for name, family in families.families().items():
            units[name] = Unit(name, "", family.objective, (_FAMILY_TYPES[family.kind],))
    return list(units.values())


def draw(
    plan: Blueprint,
    units: Sequence[Unit],
    seed: str,
    questions: int | None = None,
    seen: Collection[str] = frozenset(),
    minutes: float | None = None,
    had: Sequence[str] = (),
) -> Form:
    """A form with `questions` questions (a whole one unless said), none of them in `seen`; a shorter one if the bank gives no more.

    What is in `had` is taken only when there is nothing else, the first in it before the last.
    """
    ago = {name: place for place, name in enumerate(had)}
    asked_for = plan.length if questions is None else questions
    per_question = plan.time_min / plan.length if minutes is None else minutes / asked_for
    left = plan.quotas(asked_for)
    wanted: dict[ItemType, int] = {
        "ordering": round(plan.ordering_share * asked_for),
        "matching": round(plan.matching_share * asked_for),
    }
    picked: list[Unit] = []

    def place(unit: Unit) -> None:
        area = plan.area_of(unit.objective)
        if area is not None and left[area.id] >= len(unit.types):
            left[area.id] -= len(unit.types)
            picked.append(unit)

    def turn(unit: Unit) -> tuple[int, int, int]:
        return (
            max((ago.get(name, -1) for name in unit.item_ids), default=-1),
            _rank(unit),
            fnv1a(f"{seed}/{unit.id}"),
        )

    free = sorted(_allowed(plan, units, seen), key=turn)
    for kind in ("ordering", "matching"):
        for unit in free:
            if unit.types == (kind,) and sum(u.types.count(kind) for u in picked) < wanted[kind]:
                place(unit)
    for unit in free:
        if not {"ordering", "matching"} & set(unit.types):
            place(unit)
    drawn = [
        question
        for unit in _in_order(picked, seed)
        for question in _questions(unit, plan.area_of(unit.objective), seed, {*seen, *had})
    ]
    quotas = plan.quotas(asked_for)
    return Form(
        name=plan.name,
        title=plan.title,
        minutes=math.ceil(per_question * len(drawn)),
        questions=tuple(drawn),
        asked_for=asked_for,
        areas=tuple((area, quotas[area.id], sum(q.area == area.id for q in drawn)) for area in plan.areas),
        types=tuple((kind, want, sum(q.item.type == kind for q in drawn)) for kind, want in wanted.items()),
    )


def draw_unseen(
    plan: Blueprint, units: Sequence[Unit], seed: str, questions: int, had: Sequence[str], minutes: float | None = None
) -> Form:
    """A form of items that are not in `had`; where the bank is too small for that, those come back that stand first in it."""
    form = draw(plan, units, seed, questions, minutes=minutes, had=had)
    return replace(form, seen_before=sum(question.item.id in set(had) for question in form.questions))


def two(plan: Blueprint, units: Sequence[Unit], seed: str) -> tuple[Form, Form]:
    """Two whole forms that share no item: the bank is dealt out like cards, so that a small one makes two forms of one quality.

    A family goes to one of them; where that makes a form too short, to both, with other figures.
    """
    dealt: tuple[list[Unit], list[Unit]] = ([], [])
    sizes: tuple[Counter[Any], Counter[Any]] = (Counter(), Counter())
    for unit in sorted(units, key=lambda unit: (len(unit.types) == 1, fnv1a(f"{seed}/{unit.id}"))):
        area = plan.area_of(unit.objective)
        if area is None or not set(unit.types) <= set(plan.types):
            continue
        alike = (area.id, tuple(sorted(set(unit.types))), _rank(unit), unit.entry is None)
        first, second = ([size[alike], size[area.id], size[""]] for size in sizes)
        to = int(second < first)
        dealt[to].append(unit)
        for name in (alike, area.id, ""):
            sizes[to][name] += len(unit.types)
    families = [unit for unit in units if unit.entry is None]
    for piles in (dealt, tuple([unit for unit in pile if unit.entry] + families for pile in dealt)):
        one = draw(plan, piles[0], f"{seed}/a")
        other = draw(plan, piles[1], f"{seed}/b", seen=_ids_of(one))
        # What the one has to spare fills the gaps of the other.
        one = draw(plan, [*piles[0], *_spare(piles[1], other)], f"{seed}/a")
        other = draw(plan, [*piles[1], *_spare(piles[0], one)], f"{seed}/b", seen=_ids_of(one))
        if min(len(one.questions), len(other.questions)) >= plan.length:
            break
    return one, other


def _ids_of(form: Form) -> set[str]:
    return {question.item.id for question in form.questions}


def _spare(pile: Iterable[Unit], form: Form) -> list[Unit]:
    """What of a pile its form did not need, families aside."""
    used = _ids_of(form)
    return [unit for unit in pile if unit.entry and not used & set(unit.item_ids)]


def halves(form: Form) -> tuple[list[int], list[int]]:
    """The places of a form's questions in two halves with the areas' shares; a case set stays whole."""
    parts: tuple[list[int], list[int]] = ([], [])
    for area, _, _ in form.areas:
        groups: dict[str, list[int]] = {}
        for place, question in enumerate(form.questions):
            if question.area == area.id:
                groups.setdefault(question.scenario or question.item.id, []).append(place)
        size = [0, 0]
        for group in sorted(groups.values(), key=lambda group: (-len(group), group)):
            # The smaller half of the area takes it; between equals, the smaller half of all.
            to = 0 if (size[0], len(parts[0])) <= (size[1], len(parts[1])) else 1
            parts[to].extend(group)
            size[to] += len(group)
    return sorted(parts[0]), sorted(parts[1])


def _allowed(plan: Blueprint, units: Iterable[Unit], seen: Collection[str]) -> list[Unit]:
    return [u for u in units if set(u.types) <= set(plan.types) and not set(u.item_ids) & set(seen)]


def _rank(unit: Unit) -> int:
    """0 comes first: what a reader of the lessons has not seen."""
    return int(bool(unit.home) and not unit.home.startswith("exam-"))


def _in_order(picked: Sequence[Unit], seed: str) -> list[Unit]:
    by_id = {unit.id: unit for unit in picked}
    return [by_id[name] for name in shuffled(sorted(by_id), f"{seed}/order")]


def _questions(unit: Unit, area: Area | None, seed: str, seen: Collection[str]) -> list[Question]:
    name = area.id if area else ""
    if unit.entry is None:
        number = fnv1a(f"{seed}/{unit.id}") % SEEDS
        while f"{unit.id}-{number}" in seen:
            number = (number + 1) % SEEDS
        return [Question(figures.fill(families.draw(unit.id, number)), unit.home, name)]
    scenario = f"**{unit.entry.title}.** {unit.entry.scenario}" if isinstance(unit.entry, CaseSet) else ""
    return [Question(item, unit.home, name, scenario) for item in _items(unit.entry)]


def again(plan: Blueprint, item_ids: Sequence[str], folder: Path, asked_for: int, minutes: int) -> Form | None:
    """The form of these items, found again by their ids; None if one of them is gone."""
    units = pool(folder)
    found: dict[str, Question] = {}
    for unit in units:
        area = plan.area_of(unit.objective)
        for question in _questions(unit, area, "", ()) if unit.entry else ():
            found[question.item.id] = question
    drawn = {unit.id: unit for unit in units if unit.entry is None}
    for item_id in item_ids:
        family, _, number = item_id.rpartition("-")
        if item_id not in found and family in drawn and number.isdecimal():
            area = plan.area_of(drawn[family].objective)
            found[item_id] = Question(figures.fill(families.draw(family, int(number))), "", area.id if area else "")
    if any(item_id not in found for item_id in item_ids):
        return None
    questions = tuple(found[item_id] for item_id in item_ids)
    quotas = plan.quotas(asked_for)
    areas = tuple((area, quotas[area.id], sum(q.area == area.id for q in questions)) for area in plan.areas)
    return Form(plan.name, plan.title, minutes, questions, asked_for, areas)
