"""What a study session asks: what is due first, then what is new, from the lessons' questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from quizzes import bank, families, figures, generate
from quizzes.model import AnyItem, CaseSet
from quizzes.study.schedule import Deck, card_of

ITEMS = 15
NEW = 10


@dataclass(frozen=True)
class Asked:
    """One question of a session."""

    card: str
    quiz: str
    item: AnyItem
    """filled; of a family, another one than last time"""
    scenario: str = ""
    is_new: bool = False


def candidates(slugs: Sequence[str], folder: Path = bank.BANK) -> dict[str, Asked]:
    """Card → question, of these quizzes, or of all lessons; what is kept for exams only where it is named."""
    named = list(slugs) or [slug for slug in bank.slugs(folder) if not slug.startswith("exam-")]
    found: dict[str, Asked] = {}
    for slug in named:
        for entry in figures.fill_quiz(bank.load(slug, folder)).entries:
            scenario = f"**{entry.title}.** {entry.scenario}" if isinstance(entry, CaseSet) else ""
            for item in entry.items if isinstance(entry, CaseSet) else (entry,):
                if item.mode == "score":
                    found.setdefault(card_of(item.id), Asked(card_of(item.id), slug, item, scenario))
    return found


def pick(
    deck: Deck, found: dict[str, Asked], now: datetime, items: int = ITEMS, new: int = NEW, seed: int | None = None
) -> list[Asked]:
    """At most `items` questions, of which at most `new` are new."""
    due = deck.due(found, now)[:items]
    fresh = deck.new(found)[: min(new, items - len(due))]
    return [_again(found[name], name in fresh, seed) for name in (*due, *fresh)]


def _again(asked: Asked, is_new: bool, seed: int | None) -> Asked:
    item = asked.item
    if asked.card in families.families():
        item = figures.fill(families.draw(asked.card, generate.some_seed() if seed is None else seed))
    return Asked(asked.card, asked.quiz, item, asked.scenario, is_new)
