"""What an exam of ours asks: its length, its time, its areas and their shares, and what it leaves out of the real exam.

plan = blueprint.load("deployment-practice")
plan.quotas(75)          # {'deployment': 19, 'integration': 15, ...}
blueprint.disclosure(plan)   # what is said before the first question
"""

import json
import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError, model_validator

from labs import facts
from labs.errors import FALSE, USAGE, Refusal
from quizzes import figures, outline
from quizzes.grading import ItemType
from quizzes.model import Expression, FactId, Id, Part, Text

FOLDER = Path(__file__).parent / "blueprints"
Share = Annotated[float, Field(ge=0, le=1)]
TYPE_WORDS: Mapping[ItemType, str] = {
    "single": "one answer",
    "multiple": "several answers",
    "ordering": "ordering",
    "matching": "matching",
    "numeric": "a number",
}


class Area(Part):
    """Some tasks of the exam guide that we report together, and the lessons that teach them."""

    id: Id
    title: Text
    tasks: Annotated[tuple[Text, ...], Field(min_length=1)]
    share: Share
    lessons: tuple[Id, ...]


class Blueprint(Part):
    """One kind of exam."""

    name: Id
    title: Text
    questions: Expression
    minutes: Expression
    facts: tuple[FactId, ...]
    """what length and time rest on"""
    types: tuple[ItemType, ...]
    ordering_share: Share
    matching_share: Share
    forms_on_a_page: Annotated[int, Field(ge=1, le=4)]
    areas: Annotated[tuple[Area, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _adds_up(self) -> "Blueprint":
        if not math.isclose(sum(area.share for area in self.areas), 1, abs_tol=1e-6):
            raise ValueError("the areas' shares must add up to 1")
        tasks = [task for area in self.areas for task in area.tasks]
        if strange := [task for task in tasks if task not in outline.SKILLS_PER_TASK or tasks.count(task) > 1]:
            raise ValueError(f"'{strange[0]}' is not a task of the guide, or stands in two areas")
        return self

    @cached_property
    def length(self) -> int:
        """Questions of a whole form."""
        return round(figures.calculate(self.questions))

    @cached_property
    def time_min(self) -> float:
        """Minutes for a whole form."""
        return figures.calculate(self.minutes)

    def area_of(self, objective: str) -> Area | None:
        """Where a skill belongs; None if this exam does not ask it."""
        task = objective.rpartition(".")[0]
        return next((area for area in self.areas if task in area.tasks), None)

    def quotas(self, questions: int) -> dict[str, int]:
        """So many questions for each area: the largest remainders are rounded up."""
        exact = {area.id: area.share * questions for area in self.areas}
        quota = {name: math.floor(value) for name, value in exact.items()}
        by_remainder = sorted(exact, key=lambda name: quota[name] - exact[name])
        for name in by_remainder[: questions - sum(quota.values())]:
            quota[name] += 1
        return quota


def names() -> list[str]:
    """Every kind of exam."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name: str) -> Blueprint:
    """The blueprint of this name; Refusal if there is none, or if it is wrong."""
    path = FOLDER / f"{name}.yaml"
    if name not in names():
        raise Refusal(f"there is no exam '{name}'; there are: {', '.join(names())}", USAGE)
    try:
        return Blueprint.model_validate_json(json.dumps(yaml.safe_load(path.read_text("utf-8"))))
    except ValidationError as wrong:
        raise Refusal(f"{path.name}: {wrong.errors()[0]['msg']}", FALSE) from None


def left_out(plan: Blueprint) -> list[tuple[int, list[str], float]]:
    """Domain by domain: the tasks of the real exam that this one does not ask, and what the domain weighs there (in percent)."""
    asked = {task for area in plan.areas for task in area.tasks}
    rows = []
    for domain in range(1, 6):
        tasks = [t for t in outline.SKILLS_PER_TASK if t.startswith(f"{domain}.") and t not in asked]
        if tasks:
            rows.append((domain, tasks, facts.number(f"exam.domain{domain}.weight_percent")))
    return rows


def disclosure(plan: Blueprint) -> list[str]:
    """What a taker is told first: what is asked, what is not, and on what sources disagree."""
    skills = sum(outline.SKILLS_PER_TASK[task] for area in plan.areas for task in area.tasks)
    every = sum(outline.SKILLS_PER_TASK.values())
    missing = "; ".join(
        f"{', '.join(tasks)} (in domain {domain}, which weighs {weight:g} % there)"
        for domain, tasks, weight in left_out(plan)
    )
    said = [
        f"It asks about deployment and what touches it: tasks with {skills} of the {every} skills of the exam guide. "
        f"Of the real exam it leaves out the tasks {missing}."
    ]
    time = facts.get("exam.duration_min")
    if "exam.duration_min" in plan.facts and time.conflict:
        said.append(
            f"The exam's own length in minutes is not in its guide, and sources disagree: {time.value:g} or {time.conflict.value:g}. "
            f"We take {plan.time_min:g} for {plan.length} questions, and in proportion for fewer."
        )
    kinds = facts.get("exam.question_types")
    if "exam.question_types" in plan.facts and kinds.conflict and isinstance(kinds.value, tuple):
        shares = f"{100 * plan.ordering_share:.0f} % ordering and {100 * plan.matching_share:.0f} % matching"
        said.append(
            f"The guide names {' and '.join(kinds.value)}; other sources report ordering and matching as well. Nobody publishes how "
            f"many; here it is {shares}, all or nothing."
        )
    said.append(
        "The result is a raw percentage with its interval. It is no score from 100 to 1,000: how AWS scales its own is not published."
    )
    return said
