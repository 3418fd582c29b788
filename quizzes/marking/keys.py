"""What attempts are marked against: the bank, or the key of a form that was handed out without one.

    ring = keys.of_bank()                    # items by id, computed ones too
    ring = keys.of_file(Path("key.json"))    # one withheld form
    mark = ring.mark("x22-first-product", "unit")

A mark is worked out once for each different answer to an item, so that a class costs little more than reading its files.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from labs.errors import FALSE, Refusal
from quizzes import bank, families, figures
from quizzes.grading import BadResponse, decode_response, grade
from quizzes.model import AnyItem, Item

FORMAT = "deployment-dilemma/key/1"
MOST_ANSWERS = 50_000
"""different answers whose marks are remembered"""
_ITEMS: TypeAdapter[list[AnyItem]] = TypeAdapter(list[Item])


@dataclass(frozen=True)
class Mark:
    """What one answer is worth; `problem` says why it is none."""

    correct: bool = False
    points: float = 0.0
    """with partial credit, 0 to 1"""
    answered: bool = True
    problem: str = ""
    success: str = "false"
    """how an exam's log writes the mark"""
    scaled: str = "0.0"


@dataclass
class Keyring:
    """Items by id, and the marks that were given so far."""

    items: dict[str, AnyItem]
    digest: str
    """changes with any key"""
    quiz: str = ""
    """of a withheld form: the name under which its answers are logged"""
    form: str = ""
    title: str = ""
    withheld: bool = False
    origins: Mapping[str, str] = field(default_factory=dict)
    """of a withheld form: which item of the bank each of its own is"""
    quizzes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """of a bank: the scored items of each quiz"""
    draws_families: bool = False
    marks: dict[tuple[str, str], Mark] = field(default_factory=dict)
    """those that were given so far: item and response → mark"""
    _versions: dict[str, str] = field(default_factory=dict)
    _shuffled: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)

    def item(self, item_id: str) -> AnyItem | None:
        """The item of this id; a computed one is drawn when it is asked for."""
        found = self.items.get(item_id)
        if found is None and self.draws_families:
            family, _, seed = item_id.rpartition("-")
            if family in families.families() and seed.isdecimal() and len(seed) < 10:
                try:
                    found = figures.fill(families.draw(family, int(seed)))
                except (Refusal, families.CannotDraw):
                    return None
                if len(self.items) < MOST_ANSWERS:
                    self.items[item_id] = found
        return found

    def version(self, item_id: str) -> str:
        """Of the item's key; empty if there is no such item."""
        if item_id not in self._versions:
            found = self.item(item_id)
            self._versions[item_id] = found.version if found else ""
        return self._versions[item_id]

    def shuffled_options(self, item_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The ids that a face puts in an order of its own, and the order that it avoids; empty where nothing is shuffled."""
        if item_id not in self._shuffled:
            found, none = self.item(item_id), tuple[str, ...]()
            if found is None or found.type == "numeric" or not found.shuffle:
                self._shuffled[item_id] = (none, none)
            else:
                key = found.key()
                avoid = key.correct if found.type == "ordering" else none
                # The page of a withheld form has the steps by name, since the order in which they are written is the key.
                hidden = self.withheld and found.type == "ordering"
                self._shuffled[item_id] = (tuple(sorted(key.options)), none) if hidden else (key.options, avoid)
        return self._shuffled[item_id]

    def mark(self, item_id: str, text: str) -> Mark:
        """The mark of a response as an attempt log writes it."""
        known = self.marks.get((item_id, text))
        if known is not None:
            return known
        found = self.item(item_id)
        if found is None:
            return Mark(problem=f"there is no item '{item_id}'")
        key = found.key()
        try:
            if not text.isprintable():
                raise BadResponse("it has control characters in it")
            response = decode_response(key.type, text)
            whole, part = grade(key, response, "exam"), grade(key, response, "study")
            written = {"success": "true", "scaled": "1.0"} if whole.correct else {}
            mark = Mark(whole.correct, part.score, whole.answered, **written)
        except BadResponse as bad:
            mark = Mark(problem=f"what it gives for '{item_id}' is no answer to it ({bad})"[:200])
        if len(self.marks) >= MOST_ANSWERS:
            self.marks.clear()
        self.marks[item_id, text] = mark
        return mark


def of_bank(folder: Path = bank.BANK) -> Keyring:
    """Every item of a bank, and every computed item."""
    items: dict[str, AnyItem] = {}
    quizzes: dict[str, frozenset[str]] = {}
    for quiz in bank.load_all(folder):
        filled = figures.fill_quiz(quiz).items
        quizzes[quiz.slug] = frozenset(item.id for item in filled if item.mode == "score")
        for item in filled:
            if item.id not in items or item.mode == "score":
                items[item.id] = item
    return Keyring(items, _digest(items.values()), quizzes=quizzes, draws_families=True)


def of_file(path: Path) -> Keyring:
    """The key that `write` wrote. Refusal if the file is none."""
    try:
        said = json.loads(path.read_text("utf-8"))
        if said["format"] != FORMAT:
            raise ValueError
        items = {item.id: item for item in _ITEMS.validate_json(json.dumps(said["items"]))}
        ring = Keyring(
            items, _digest(items.values()), said["quiz"], said["form"], said["title"], True, dict(said["origins"])
        )
    except OSError as wrong:
        raise Refusal(f"the key {path} cannot be read: {wrong.strerror}", FALSE) from None
    except (ValueError, KeyError, TypeError, ValidationError):
        raise Refusal(
            f"{path} is not the key of a form; `quiz form --withhold FOLDER` writes one as key.json", FALSE
        ) from None
    return ring


def write(path: Path, ring: Keyring) -> None:
    """Write a key that only its owner may read."""
    said: dict[str, Any] = {
        "format": FORMAT,
        "quiz": ring.quiz,
        "form": ring.form,
        "title": ring.title,
        "origins": dict(ring.origins),
        "items": [item.model_dump(mode="json") for item in ring.items.values()],
    }
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(json.dumps(said, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _digest(items: Sequence[AnyItem] | Any) -> str:
    lines = sorted(f"{item.id}:{item.version}" for item in items)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
