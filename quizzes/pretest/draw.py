"""Which twelve: one or two of each lesson's own questions, of middling difficulty; where a lesson has too few, computed ones on its subject.

The same twelve on the page and in the terminal, as long as the bank stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quizzes import bank, families, figures
from quizzes.generate import SEEDS
from quizzes.model import AnyItem, Multiple, Single
from quizzes.shuffle import fnv1a

ASKED: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("01-decision", 2, ("kv-cache-size", "one-reader-speed")),
    ("02-bedrock", 2, ("token-bill", "quota-steady-rate")),
    ("03-sagemaker", 2, ("endpoint-month", "scale-out-backlog")),
    ("04-custom", 1, ("instance-that-fits",)),
    ("05-economics", 2, ("break-even-requests", "import-windows")),
    ("06-squid", 1, ("visibility-timeout",)),
    ("07-bench", 1, ("longest-wait",)),
    ("08-bridge", 1, ("function-that-waits",)),
)
"""lesson, how many questions, and the families that fill its gaps"""
MIDDLING = 0.6
"""the difficulty that tells most: neither everybody nor nobody gets it right"""


@dataclass(frozen=True)
class Pretested:
    """One question and the lesson that it stands for."""

    lesson: str
    item: AnyItem
    """filled"""


def draw(folder: Path = bank.BANK) -> list[Pretested]:
    """All of them, in the order of the lessons."""
    here = bank.slugs(folder)
    guessed = {item.id for slug in here for item in bank.load(slug, folder).items if item.mode == "guess"}
    drawn: list[Pretested] = []
    for lesson, count, spare in ASKED:
        entries = figures.fill_quiz(bank.load(lesson, folder)).entries if lesson in here else ()
        fit = [e for e in entries if isinstance(e, Single | Multiple) and e.mode == "score" and e.id not in guessed]
        picked = _spread(sorted(fit, key=lambda item: (abs(item.difficulty_prior - MIDDLING), fnv1a(item.id))), count)
        for family in spare[: count - len(picked)]:
            picked.append(figures.fill(families.draw(family, fnv1a(f"pretest/{family}") % SEEDS)))
        drawn.extend(Pretested(lesson, item) for item in picked)
    return drawn


def _spread(items: Sequence[AnyItem], count: int) -> list[AnyItem]:
    """The first `count`, of different skills where there are such."""
    first = {item.objective: item for item in reversed(items)}
    varied = [item for item in items if first[item.objective] is item]
    return [*varied, *(item for item in items if item not in varied)][:count]
