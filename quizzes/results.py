"""What came of an exam: a raw percentage with its interval, by area and by misconception, each with the place that teaches it.

    result = results.mark(form, responses)
    result.percent, result.interval        # 67.0, (54.1, 77.8)

Marking is all or nothing, and no answer is a wrong one, as in the exam.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quizzes.forms import Form
from quizzes.grading import BadResponse, Grade, Response, grade, parse_number
from quizzes.model import AnyItem, Matching, Multiple, Numeric, Ordering, Single
from quizzes.sections import Book, Section

Z95 = 1.959963984540054
"""the standard normal quantile of 97.5 %"""


def wilson(right: int, n: int, z: float = Z95) -> tuple[float, float]:
    """The score interval of a share (E. B. Wilson, 1927): sound for small n and near 0 and 1, unlike p ± 2 s."""
    if n == 0:
        return 0.0, 1.0
    p = right / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def misconceptions(item: AnyItem, response: Response) -> list[str]:
    """Which mistakes a wrong answer points to, each once; the page's script says the same."""
    try:
        if not response or grade(item.key(), response, "exam").correct:
            return []
        return list(dict.fromkeys(filter(None, _suggested(item, response))))
    except BadResponse:
        return []


def _suggested(item: AnyItem, response: Response) -> Sequence[str | None]:
    given = list(response) if not isinstance(response, str | None) else []
    match item:
        case Single() | Multiple():
            return [o.misconception for o in item.options if o.id in given and not o.correct]
        case Ordering():
            return [s.misconception for s, had in zip(item.steps, given, strict=True) if s.id != had]
        case Matching():
            assert isinstance(response, Mapping)
            spare = {choice.id: choice.misconception for choice in item.unused}
            wrong = [p for p in item.prompts if response.get(p.id) != p.choice]
            return [spare.get(response.get(p.id, "")) or p.misconception for p in wrong]
        case Numeric():
            number = parse_number(str(response), item.unit)
            return [m.misconception for m in item.mistakes if math.isclose(number, float(m.value), rel_tol=1e-6)]


@dataclass(frozen=True)
class Line:
    """So many right of so many, about one thing."""

    title: str
    right: int
    n: int
    sections: tuple[Section, ...] = ()
    """what to read: where the wrong answers are taught"""


@dataclass(frozen=True)
class Marked:
    """One question with what was answered."""

    id: str
    area: str
    skill: str
    grade: Grade
    section: Section
    misconceptions: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """The whole of it."""

    marked: tuple[Marked, ...]
    areas: tuple[Line, ...]
    skills: tuple[Line, ...]
    """each skill of the exam guide that was asked, in the guide's order"""
    mistaken: tuple[tuple[str, int, Section], ...]
    """a misconception, how often it showed, and where the course takes it up; the commonest first"""

    @property
    def right(self) -> int:
        """Questions entirely right."""
        return sum(one.grade.correct for one in self.marked)

    @property
    def percent(self) -> float:
        """Raw."""
        return 100 * self.right / len(self.marked) if self.marked else 0.0

    @property
    def to_read(self) -> list[tuple[Section, int]]:
        """Where the wrong answers are taught, with how many each; in the order of the course."""
        wrong = Counter(one.section for one in self.marked if not one.grade.correct)
        return sorted(wrong.items(), key=lambda pair: (pair[0].lesson, -pair[1], pair[0].title))

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the percentage."""
        low, high = wilson(self.right, len(self.marked))
        return 100 * low, 100 * high

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "right": self.right,
            "n": len(self.marked),
            "percent": self.percent,
            "interval_percent": list(self.interval),
            "areas": [
                {"area": a.title, "right": a.right, "n": a.n, "read": [s.href for s in a.sections]} for a in self.areas
            ],
            "skills": [{"skill": s.title, "right": s.right, "n": s.n} for s in self.skills],
            "misconceptions": [{"id": name, "count": n, "read": s.href} for name, n, s in self.mistaken],
            "items": [
                {"id": m.id, "correct": m.grade.correct, "answered": m.grade.answered, "read": m.section.href}
                for m in self.marked
            ],
        }


def mark(form: Form, responses: Mapping[str, Response], book: Book) -> Result:
    """Mark what was answered (item id → response); what cannot be an answer counts as none."""
    lessons = {area.id: area.lessons for area, _, _ in form.areas}
    marked = []
    for question in form.questions:
        item, response = question.item, responses.get(question.item.id)
        try:
            given = grade(item.key(), response, "exam")
        except BadResponse:
            given = grade(item.key(), None, "exam")
        section = book.teaches(item, question.home, lessons.get(question.area, ()))
        marked.append(
            Marked(item.id, question.area, item.objective, given, section, tuple(misconceptions(item, response)))
        )
    areas = []
    for area, _, there in form.areas:
        own = [one for one in marked if one.area == area.id]
        read = dict.fromkeys(one.section for one in own if not one.grade.correct)
        if there:
            areas.append(Line(area.title, sum(one.grade.correct for one in own), len(own), tuple(read)))
    skills = []
    for skill in sorted({one.skill for one in marked}, key=lambda skill: [int(part) for part in skill.split(".")]):
        own = [one for one in marked if one.skill == skill]
        skills.append(Line(skill, sum(one.grade.correct for one in own), len(own)))
    counted = Counter(name for one in marked for name in one.misconceptions)
    where = {name: one.section for one in reversed(marked) for name in one.misconceptions}
    mistaken = tuple((name, n, where[name]) for name, n in counted.most_common())
    return Result(tuple(marked), tuple(areas), tuple(skills), mistaken)
