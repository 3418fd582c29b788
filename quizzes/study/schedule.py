"""When a question comes back: one FSRS card a question, kept in LAB_HOME.

    deck = Deck(folder() / "cards.json")
    deck.review("squid-first-clock", rating(score=1.0, certainty=3), now)
    deck.due(names, now)

A card is a question; of a computed item it is the family, so that another item of it comes back. FSRS (the scheduler of the `fsrs` package) plans
each next time for a 90 % chance of still knowing it.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fsrs import Card, Rating, Scheduler, State

from labs.errors import NOT_READY, Refusal
from quizzes import attempts, families

_SCHEDULER = Scheduler(enable_fuzzing=False)


def folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the cards are kept: beside the attempts."""
    return attempts.folder(environ).parent / "study"


def card_of(item_id: str) -> str:
    """The card's name: the family of a computed item, else the item."""
    family, _, seed = item_id.rpartition("-")
    return family if seed.isdecimal() and family in families.families() else item_id


def rating(score: float, certainty: int | None) -> Rating:
    """How well it was known: a right guess is not knowledge, and half an answer is hard work."""
    if score < 0.5 or certainty is None:
        return Rating.Again
    if score < 1 or certainty == 1:
        return Rating.Hard
    return Rating.Good if certainty == 2 else Rating.Easy


@dataclass(frozen=True)
class Deck:
    """The file with the cards."""

    path: Path

    def cards(self) -> dict[str, Card]:
        """Name → card. Refusal if the file was written by something else."""
        if not self.path.is_file():
            return {}
        try:
            kept = json.loads(self.path.read_text("utf-8"))["cards"]
            return {name: Card.from_dict(card) for name, card in kept.items()}
        except (json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            raise Refusal(f"{self.path} does not hold study cards; move it away", NOT_READY) from None

    def due(self, names: Iterable[str], now: datetime) -> list[str]:
        """Those of `names` that have a card whose time has come, the longest overdue first."""
        cards = self.cards()
        ripe = [name for name in dict.fromkeys(names) if name in cards and cards[name].due <= now]
        return sorted(ripe, key=lambda name: cards[name].due)

    def new(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that have no card yet."""
        cards = self.cards()
        return [name for name in dict.fromkeys(names) if name not in cards]

    def next_due(self, names: Iterable[str]) -> datetime | None:
        """When the first of them comes back."""
        cards = self.cards()
        return min((cards[name].due for name in names if name in cards), default=None)

    def review(self, name: str, how: Rating, now: datetime) -> datetime:
        """Note a review; when the card comes back."""
        cards = self.cards()
        card, _ = _SCHEDULER.review_card(cards.get(name) or Card(card_id=len(cards) + 1, due=now), how, now)
        cards[name] = card
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(f".{os.getpid()}.new")
        beside.write_text(json.dumps({"cards": {n: c.to_dict() for n, c in cards.items()}}), "utf-8")
        beside.replace(self.path)
        return card.due


__all__ = ["Deck", "Rating", "State", "card_of", "folder", "rating"]
