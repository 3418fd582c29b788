"""From twelve answers to a plan: what of each lesson, on which evening. `web/pretest.js` has the same rules; tests/quizzes/plans.json holds both to them.

    plan = evenings(lessons, {"06-squid": (1, 1)}, evening_min=120)
    plan[0].steps          # (Step('01-decision', 'read', 25), ...)

All answers of a lesson right: skim it. Some right: read it and answer its questions. None right, or none asked: its lab too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from quizzes import blueprint
from quizzes.sections import BOOK

SHORTEST_SKIM_MIN = 5
EVENING_MIN = 120
EXAM_ROOM = "09-exam-room"
EXAM = "exam"
WORDS = {"skim": "skim", "read": "read", "lab": "lab", "quiz": "questions", "exam": "half a practice exam"}


@dataclass(frozen=True)
class Lesson:
    """A lesson and what its front matter says each part takes, in minutes."""

    slug: str
    title: str
    read: int = 0
    lab: int = 0
    quiz: int = 0
    exam: int = 0


@dataclass(frozen=True)
class Step:
    """One thing to do."""

    lesson: str
    what: str
    minutes: int


@dataclass(frozen=True)
class Evening:
    """What fits into one."""

    steps: tuple[Step, ...]

    @property
    def minutes(self) -> int:
        """Of all its steps."""
        return sum(step.minutes for step in self.steps)

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {"minutes": self.minutes, "steps": [asdict(step) for step in self.steps]}


def evenings(
    lessons: Sequence[Lesson], right: Mapping[str, tuple[int, int]], evening_min: int = EVENING_MIN
) -> list[Evening]:
    """The plan: lessons in their order, a new evening as soon as a step no longer fits. A step is never cut, so a long one has its evening alone.

    `right` says for a lesson how many answers were right, of how many.
    """
    plan: list[list[Step]] = []
    used = evening_min + 1
    for lesson in lessons:
        for what, minutes in _parts(lesson, right.get(lesson.slug, (0, 0))):
            if not minutes:
                continue
            if used + minutes > evening_min:
                plan.append([])
                used = 0
            plan[-1].append(Step(lesson.slug, what, minutes))
            used += minutes
    return [Evening(tuple(steps)) for steps in plan]


def _parts(lesson: Lesson, score: tuple[int, int]) -> list[tuple[str, int]]:
    right, asked = score
    if asked and right == asked:
        return [("skim", min(lesson.read, max(SHORTEST_SKIM_MIN, -(-lesson.read // 4))))]
    lab = 0 if right else lesson.lab
    return [("read", lesson.read), ("lab", lab), ("quiz", lesson.quiz), ("exam", lesson.exam)]


def lessons(folder: Path = BOOK) -> list[Lesson]:
    """The book's lessons after the first page, with their minutes; then the exam room, with half a practice exam."""
    found = []
    for path in sorted(folder.glob("[0-9][0-9]-*.md")):
        if path.stem.startswith("00-"):
            continue
        front = yaml.safe_load(path.read_text("utf-8").split("\n---", 1)[0]) or {}
        minutes = {
            part: int(value) for part, value in (front.get("minutes") or {}).items() if part in ("read", "lab", "quiz")
        }
        heading = next(
            (line for line in path.read_text("utf-8").splitlines() if line.startswith("# ")), f"# {path.stem}"
        )
        found.append(Lesson(path.stem, heading[2:].strip(), **minutes))
    exam = blueprint.load("deployment-practice")
    return [*found, Lesson(EXAM, "Practice exam", exam=round(exam.time_min / 2))]
