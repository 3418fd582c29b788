"""A session's agenda: when what begins, with the minutes that lessons and tasks say themselves, slack, and what to drop when it is late.

    made = agenda.plan("half-day")
    made.sessions[0].rows            # from 9:00 on, each with its minutes; slack stands before every pause and at the end
    agenda.overruns(made)            # sentences; a book with one is not built
    agenda.cuts(made.sessions[0], late_min=15)

What is held is data (`agendas.yaml`); nobody adds up by hand, and a task that gets longer moves everything after it.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from labs.check.labs import load
from labs.course import layout
from labs.errors import FALSE, USAGE, Refusal

DATA = Path(__file__).with_name("agendas.yaml")
SLACK = 0.15
"""Of what is taught: so much at least is left free before each pause and before the end."""
EVEN_MIN = 5
"""Pauses and ends stand at full five minutes: what is missing to them is slack too."""
WORDS = {"read": "lesson", "lab": "lab", "core": "lab", "quiz": "questions"}
"""what is taken of a lesson: what it is called"""


@dataclass(frozen=True)
class TaskPart:
    """One task of a lab."""

    number: int
    title: str
    minutes: int
    stretch: bool
    keep: bool = False
    """Is it held however late it gets?"""


@dataclass(frozen=True)
class Row:
    """A stretch of a session."""

    at_min: int
    """Minutes since midnight."""
    minutes: int
    kind: str
    """read, lab, quiz; or pause, do, slack."""
    title: str
    slug: str = ""
    tasks: tuple[TaskPart, ...] = ()

    @property
    def taught(self) -> bool:
        """Does it need slack?"""
        return self.kind not in ("pause", "slack")


@dataclass(frozen=True)
class Session:
    """What is held without going home."""

    title: str
    rows: tuple[Row, ...]
    until_min: int
    """When the room has to be left, in minutes since midnight."""

    @property
    def end_min(self) -> int:
        """When it is over, in minutes since midnight."""
        return self.rows[-1].at_min + self.rows[-1].minutes

    def minutes(self, *kinds: str) -> int:
        """The minutes of these kinds of rows."""
        return sum(row.minutes for row in self.rows if row.kind in kinds)


@dataclass(frozen=True)
class Agenda:
    """Sessions that belong together."""

    name: str
    title: str
    audience: str
    sessions: tuple[Session, ...]


@dataclass(frozen=True)
class Dropped:
    """One thing that is left out."""

    what: str
    minutes: int
    slug: str
    task: int | None = None


@dataclass(frozen=True)
class Cut:
    """What to leave out when it is so late at this point."""

    at_min: int
    late_min: int
    before: str
    """What begins there."""
    drop: tuple[Dropped, ...]
    catch_up: tuple[str, ...]
    """Commands for everyone, where a task that is held stands behind one that is not."""
    slack_min: int
    """What slack is still to come in the session."""

    @property
    def missing_min(self) -> int:
        """What dropping does not win back."""
        return max(0, self.late_min - sum(each.minutes for each in self.drop))

    @property
    def rest(self) -> str:
        """Where the missing minutes come from, in words; empty when none are missing."""
        if not self.missing_min:
            return ""
        if self.missing_min <= self.slack_min:
            return f"{self.missing_min} minutes come out of the slack"
        over = self.missing_min - self.slack_min
        return f"the slack is gone then, and the session ends {over} minutes later"


def names() -> list[str]:
    """The agendas there are."""
    return list(_data())


def labs_of(words: Sequence[str]) -> list[str]:
    """The labs that are meant: an agenda's name stands for the labs that are held there, every other word for itself."""
    found: list[str] = []
    for word in words:
        lines = [line for session in _data()[word]["sessions"] for line in session["lines"]] if word in _data() else []
        held = [line["lesson"] for line in lines if {"lab", "core"} & set(line.get("take", ()))]
        found += held if lines else [word]
    return list(dict.fromkeys(found))


def plan(name: str, start: str = "", end: str = "", *, book: Path | None = None) -> Agenda:
    """The agenda of this name; `start` moves its sessions ("10:00"), `end` says when the room has to be left.

    Raises Refusal for a name or a time that means nothing, and for a line of the data that does.
    """
    return read(name, _of(name), start, end, book=book)


def read(name: str, data: Any, start: str = "", end: str = "", *, book: Path | None = None) -> Agenda:
    """An agenda from its data. Raises Refusal, which names the line, for one that means nothing."""
    book = book or layout.find().book
    sessions = []
    for given in data["sessions"]:
        begins, until = minute_of(given["start"]), minute_of(given["end"])
        if start:
            begins, until = minute_of(start), minute_of(start) + until - begins
        if end:
            until = minute_of(end)
        if until <= begins:
            raise Refusal(f"{name} would end at {clock(until)}, before it begins at {clock(begins)}", USAGE)
        rows = tuple(_with_slack(_rows(given["lines"], book), begins))
        sessions.append(Session(given["title"], rows, until))
    return Agenda(name, data["title"], data["audience"], tuple(sessions))


def overruns(agenda: Agenda) -> list[str]:
    """A sentence for each session that does not fit into its room; none is as it should be."""
    return [
        f"{agenda.name}, {session.title}: it ends at {clock(session.end_min)}, {session.end_min - session.until_min} minutes after the room "
        f"has to be left ({clock(session.until_min)})"
        for session in agenda.sessions
        if session.end_min > session.until_min
    ]


def require_fit(agenda: Agenda) -> None:
    """Return when every session fits. Raises Refusal that says what to leave out."""
    for session, said in ((s, said) for s in agenda.sessions for said in overruns(replace(agenda, sessions=(s,)))):
        first = cut(session, 0, session.end_min - session.until_min)
        words = f"leave out {listed(first.drop)}" if first.drop else "there is nothing to leave out but a lesson"
        more = f", and {first.missing_min} minutes more" if first.drop and first.missing_min else ""
        raise Refusal(f"{said}; {words}{more}", FALSE)


def cuts(session: Session, late_min: int) -> list[Cut]:
    """What to drop if it is so late, from the beginning on, from each pause and each lab on; where nothing changes, nothing is said again."""
    found: list[Cut] = []
    for number, row in enumerate(session.rows):
        if row.taught and (row.kind == "lab" or number == 0 or session.rows[number - 1].kind == "pause"):
            made = cut(session, number, late_min)
            if made.drop and (not found or made.drop != found[-1].drop):
                found.append(made)
    return found


def cut(session: Session, number: int, late_min: int) -> Cut:
    """What to drop from row `number` on: stretch tasks, then questions, then the last core tasks; never a lesson, nor what is to be kept."""
    coming = session.rows[number:]
    dropped: list[Dropped] = []
    for each in _droppable(coming):
        if sum(one.minutes for one in dropped) >= late_min:
            break
        dropped.append(each)
    out = {(each.slug, each.task) for each in dropped}
    commands = tuple(command for row in coming if row.kind == "lab" for command in _catch_up_after(row, out))
    row = session.rows[number]
    slack = sum(each.minutes for each in coming if each.kind == "slack")
    return Cut(row.at_min, late_min, called(row), tuple(dropped), commands, slack)


def _droppable(coming: Sequence[Row]) -> Iterator[Dropped]:
    """What may go, in the order in which it goes: the soonest first, since nobody knows yet what the afternoon brings."""
    labs = [row for row in coming if row.kind == "lab"]
    for row in labs:
        yield from (_task(row, task) for task in row.tasks if task.stretch and not task.keep)
    for row in coming:
        if row.kind == "quiz" and row is not coming[0]:
            yield Dropped(f"the questions of lesson {int(row.slug[:2])} ({row.minutes} min)", row.minutes, row.slug)
    for row in labs:
        core = [task for task in row.tasks if not task.stretch and not task.keep]
        yield from (_task(row, task) for task in reversed(core[1:]))


def _task(row: Row, task: TaskPart) -> Dropped:
    what = f"task {task.number} of lab {int(row.slug[:2])} ({'stretch, ' if task.stretch else ''}{task.minutes} min)"
    return Dropped(what, task.minutes, row.slug, task.number)


def _catch_up_after(row: Row, out: set[tuple[str, int | None]]) -> Iterator[str]:
    """For each held task right behind a dropped one."""
    for before, task in zip(row.tasks, row.tasks[1:], strict=False):
        if (row.slug, before.number) in out and (row.slug, task.number) not in out:
            yield catch_up(row.slug, task.number)


def timed(row: Row) -> Iterator[tuple[int, TaskPart]]:
    """A lab's tasks, each with the minute of the day at which it begins."""
    now = row.at_min
    for task in row.tasks:
        yield now, task
        now += task.minutes


def catch_up(slug: str, task: int) -> str:
    """The command that puts the local cloud where a task begins."""
    return f"lab catch-up {slug} --task {task}"


def listed(drop: Sequence[Dropped]) -> str:
    """In words: first this, then that."""
    return ", then ".join(each.what for each in drop)


def clock(minute: int) -> str:
    """Minutes since midnight as 9:05."""
    return f"{minute // 60}:{minute % 60:02}"


def minute_of(text: str) -> int:
    """9:05 as minutes since midnight. Raises Refusal for what is no time of day."""
    found = re.fullmatch(r"(\d{1,2}):(\d\d)", str(text).strip())
    if not found or int(found[1]) > 23 or int(found[2]) > 59:
        raise Refusal(f"'{text}' is no time of day; write it as 9:00 or 18:30", USAGE)
    return 60 * int(found[1]) + int(found[2])


def lesson(page: Path) -> dict[str, Any]:
    """A lesson's title and its minutes by kind. Raises Refusal if there is no such page, or it says no minutes."""
    if not page.exists():
        raise Refusal(f"there is no lesson '{page.stem}'", USAGE)
    text = page.read_text("utf-8")
    _, _, rest = text.partition("---\n")
    found = (yaml.safe_load(rest.partition("\n---")[0]) or {}).get("minutes") or {}
    if not found:
        raise Refusal(f"{page.name} says no minutes", USAGE)
    title = re.search(r"^# (.+)$", rest, re.MULTILINE)
    return {"title": title[1] if title else page.stem, **{kind: int(minutes) for kind, minutes in found.items()}}


def _with_slack(rows: Sequence[Row], begins: int) -> Iterator[Row]:
    now, taught = begins, 0
    for row in (*rows, None):
        if (row is None or row.kind == "pause") and taught:
            least = now + math.ceil(SLACK * taught)
            even = -(-least // EVEN_MIN) * EVEN_MIN
            yield Row(now, even - now, "slack", "Slack")
            now, taught = even, 0
        if row is not None:
            yield replace(row, at_min=now)
            now += row.minutes
            taught += row.minutes if row.taught else 0


def _rows(lines: Sequence[dict[str, Any]], book: Path) -> list[Row]:
    made = []
    for line in lines:
        try:
            made += _line(line, book)
        except (KeyError, TypeError, ValueError):
            raise Refusal(
                f"{line}: a line is {{lesson, take}} with read, lab, core or quiz, or {{pause, minutes}}, or {{do, minutes}}",
                USAGE,
            ) from None
    return made


def _line(line: dict[str, Any], book: Path) -> list[Row]:
    for kind in ("pause", "do"):
        if kind in line:
            return [Row(0, int(line["minutes"]), kind, line[kind])]
    slug, keep = line["lesson"], frozenset(line.get("keep", ()))
    page = lesson(book / f"{slug}.md")
    made = []
    for part in line["take"]:
        if part in ("lab", "core"):
            tasks = tuple(
                TaskPart(task.number, task.title, task.minutes, task.stretch, task.number in keep)
                for task in load(slug).tasks
                if part == "lab" or not task.stretch
            )
            if unknown := keep - {task.number for task in tasks}:
                raise Refusal(f"{slug} keeps task {min(unknown)}, which it does not have", USAGE)
            made.append(Row(0, sum(task.minutes for task in tasks), "lab", page["title"], slug, tasks))
        elif part in ("read", "quiz"):
            made.append(Row(0, page[part], part, page["title"], slug))
        else:
            raise ValueError(part)
    return made


def called(row: Row) -> str:
    """A row in words: a lesson and what is taken of it, or what else is done."""
    return f"{row.title}: {WORDS[row.kind]}" if row.slug else row.title


@cache
def _data() -> dict[str, Any]:
    read_in: dict[str, Any] = yaml.safe_load(DATA.read_text("utf-8"))
    return read_in


def _of(name: str) -> Any:
    fits = [each for each in _data() if each == name] or [each for each in _data() if name and each.startswith(name)]
    if len(fits) != 1:
        raise Refusal(f"there is no agenda '{name}'; there are {', '.join(_data())}", USAGE)
    return _data()[fits[0]]
