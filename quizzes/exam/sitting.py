"""One sitting of an exam, kept in a file after every key: closing the terminal loses nothing, and stops no clock.

desk = Desk(folder() / "deployment-practice.json")
sitting = desk.begin(form, now)          # its clock runs from here, whatever happens to this process
desk.open()                              # the same, from another process
desk.seen()                              # every item of every sitting, the latest last
"""

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from labs.errors import NOT_READY, Refusal
from quizzes import attempts
from quizzes.forms import Form
from quizzes.grading import Response

State = Literal["open", "done", "given up"]


def folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where sittings are kept: beside the attempts."""
    return attempts.folder(environ).parent / "exams"


@dataclass
class Sitting:
    """Which questions, until when, and what has been answered. Times are seconds since 1970."""

    form: str
    registration: str
    items: list[str]
    asked_for: int
    minutes: int
    started: float
    ends: float
    answers: dict[str, Response] = field(default_factory=dict)
    flagged: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """item id → how long it stood on the screen"""
    at: int = 0
    ended: float | None = None
    state: State = "open"

    def left_s(self, now: float) -> float:
        """Seconds until time is up, not below 0."""
        return max(0.0, self.ends - now)


@dataclass(frozen=True)
class Desk:
    """The file with all sittings of one exam."""

    path: Path

    def all(self) -> list[Sitting]:
        """Every sitting, oldest first. Refusal if the file was written by something else."""
        if not self.path.is_file():
            return []
        try:
            return [Sitting(**kept) for kept in json.loads(self.path.read_text("utf-8"))["sittings"]]
        except (json.JSONDecodeError, KeyError, TypeError):
            raise Refusal(f"{self.path} does not hold sittings of an exam; move it away", NOT_READY) from None

    def open(self) -> Sitting | None:
        """The sitting that is going on."""
        return next((one for one in self.all() if one.state == "open"), None)

    def last(self) -> Sitting | None:
        """The latest that was handed in."""
        return next((one for one in reversed(self.all()) if one.state == "done"), None)

    def begin(self, form: Form, now: float) -> Sitting:
        """Start the clock."""
        sitting = Sitting(
            form=form.id,
            registration=str(uuid.uuid4()),
            items=[question.item.id for question in form.questions],
            asked_for=form.asked_for,
            minutes=form.minutes,
            started=now,
            ends=now + 60 * form.minutes,
        )
        self.keep(sitting)
        return sitting

    def keep(self, sitting: Sitting) -> None:
        """Write this sitting down, in place of what was kept of it."""
        others = [one for one in self.all() if one.registration != sitting.registration]
        said: dict[str, Any] = {"sittings": [asdict(one) for one in (*others, sitting)]}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(f".{os.getpid()}.new")
        beside.write_text(json.dumps(said, ensure_ascii=False), "utf-8")
        beside.replace(self.path)

    def seen(self) -> list[str]:
        """Every item that a sitting had, the longest ago first."""
        ids = [name for one in self.all() for name in one.items]
        return list(dict.fromkeys(reversed(ids)))[::-1]
