"""How far a learner is, from what lies on this machine: the checks of the labs, the answers to the quizzes, and the exam's skills that want work.

The quizzes' attempt log is read as data (xAPI statements, a file a quiz), and so are the banks, for the skill that an item belongs to:
this room does not import the quizzes.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from labs.check import labs, log
from labs.check.labs import load
from labs.cloud import state
from labs.errors import Refusal

BANKS = Path(__file__).parents[2] / "quizzes" / "bank"
URN = "urn:deployment-dilemma:"
FEWEST = 2
"""Of one answer nothing is concluded."""
WEAK = 0.75
"""A skill with a smaller share of right last answers is one to work at."""


@dataclass
class LabLine:
    """One lab."""

    slug: str
    score: float
    max: float
    open: list[str] = field(default_factory=list)
    """The tasks of which a check has not been passed yet, as "3 Hidden is not locked"."""
    last: str = ""


@dataclass
class Share:
    """So many right of so many items answered, by their last answers."""

    name: str
    right: int = 0
    answered: int = 0

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.right / self.answered if self.answered else 0.0


@dataclass
class Progress:
    """All of it."""

    labs: list[LabLine]
    quizzes: list[Share]
    weak: list[Share]
    """Skills of the exam guide, the weakest first."""


def read() -> Progress:
    """What there is on this machine."""
    last: dict[str, tuple[str, bool]] = {}
    for quiz, item, right in answers():
        last[item] = (quiz, right)
    quizzes: dict[str, Share] = {}
    skills: dict[str, Share] = {}
    known = skill_of() if last else {}
    for item, (quiz, right) in last.items():
        for shares, name in ((quizzes, quiz), (skills, known.get(item))):
            if name is not None:
                share = shares.setdefault(name, Share(name))
                share.answered += 1
                share.right += right
    weak = [share for share in skills.values() if share.answered >= FEWEST and share.share < WEAK]
    weak.sort(key=lambda share: (share.share, -share.answered, share.name))
    return Progress(of_labs(), [quizzes[name] for name in sorted(quizzes)], weak)


def of_labs() -> list[LabLine]:
    """Each lab that was ever checked: the best of each check."""
    best: dict[str, dict[str, float]] = {}
    last: dict[str, str] = {}
    for said in log.entries():
        mine = best.setdefault(said["lab"], {})
        last[said["lab"]] = str(said.get("at", ""))[:10]
        for name, check in said["checks"].items():
            if isinstance(check, dict) and isinstance(check.get("score"), int | float):
                mine[name] = max(mine.get(name, 0.0), float(check["score"]))
    lines = []
    for slug in labs.known():
        if slug not in best:
            continue
        with suppress(Refusal):
            lab, mine = load(slug), best[slug]
            checks = [check for task in lab.tasks for check in task.checks]
            line = LabLine(slug, 0.0, sum(check.points for check in checks), last=last[slug])
            line.score = sum(min(mine.get(check.id, 0.0), check.points) for check in checks)
            line.open = [
                f"{task.number} {task.title}"
                for task in lab.tasks
                if any(mine.get(check.id, 0.0) < check.points for check in task.checks)
            ]
            lines.append(line)
    return lines


def answers() -> Iterator[tuple[str, str, bool]]:
    """Quiz, item and whether it was right, of each answer that was marked, oldest first in each quiz."""
    for path in sorted((state.home_folder() / "attempts").glob("*.jsonl")):
        for line in path.read_text("utf-8", "replace").splitlines():
            with suppress(ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
                said = json.loads(line)
                item = str(said["object"]["id"]).removeprefix(f"{URN}item:")
                (quiz, *_) = said["context"]["contextActivities"]["grouping"]
                if isinstance(right := said["result"].get("success"), bool):
                    yield str(quiz["id"]).removeprefix(f"{URN}quiz:"), item, right


@cache
def skill_of() -> Mapping[str, str]:
    """Item: the exam guide's skill, of every item in the banks."""
    import yaml

    found: dict[str, str] = {}
    for path in sorted(BANKS.glob("*.yaml")):
        with suppress(yaml.YAMLError, OSError):
            loaded = yaml.load(path.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            items = loaded.get("items") if isinstance(loaded, dict) else loaded
            for item in items if isinstance(items, list) else []:
                if isinstance(item, dict) and "id" in item and "objective" in item:
                    found[str(item["id"])] = str(item["objective"])
    return found


def as_json(found: Progress) -> dict[str, Any]:
    """`lab progress --json`."""
    return {
        "labs": [vars(line) for line in found.labs],
        "quizzes": [vars(share) | {"share": round(share.share, 3)} for share in found.quizzes],
        "weak_skills": [vars(share) | {"share": round(share.share, 3)} for share in found.weak],
    }
