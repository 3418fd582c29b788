"""The room as a state machine: commands become events, events become the room. No clock, no file and no network.

    room = Room(plan)
    event = room.join(key, "Anna")                 # a Refusal says why not; None: nothing would change
    room.apply(event | {"at": 1_764_169_351.2})    # seconds since 1970, by the server's clock

An event is a line of the room's journal. Who voted is known by a pseudonym, and only while a poll is open: the pseudonym is made with a
key that is thrown away when the poll closes (`labs.workshop.live.journal`).
"""

import math
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labs.errors import FALSE, USAGE, Refusal
from labs.workshop.live import numbers
from labs.workshop.live.polls import wrong_with

Event = dict[str, Any]

FORMAT = 1
LONGEST_NAME = 30
LONGEST_TITLE = 60
MOST_SEATS = 500
MOST_REPORTS = 1_000
"""of one seat; more than a workshop of days brings, and a bound for a client that runs wild"""
MOST_CHANGES = 30
"""of one answer, or of one seat's name or code"""
MOST_ROUNDS = 500


ANY_OTHER = {
    "id": numbers.OTHER,
    "html": "another number",
    "text": "another number",
    "correct": False,
    "why_html": "",
    "misconception": "",
    "belief": "",
}


class BadEventError(ValueError):
    """A line of the journal that is no event of ours."""


@dataclass(frozen=True)
class Task:
    """One task of a lab, as the room needs it."""

    number: int
    title: str
    minutes: int


Plan = Mapping[str, Sequence[Task]]
"""A lab's slug: its tasks in order."""


@dataclass
class Mark:
    """What the checks said of one task."""

    passed: bool = False
    """ever"""
    failures: int = 0
    """before it was passed"""


@dataclass(frozen=True)
class Place:
    """Where somebody is: in front of a task, or at the end of a lab (no task)."""

    lab: str
    task: int | None


@dataclass
class Seat:
    """Somebody in the room."""

    number: int
    name: str
    joined_at: float
    wanted: str = ""
    """the name as it was given; `name` may have a number behind it"""
    code: str = ""
    """of `lab doctor --code`"""
    changes: int = 0
    reports: int = 0
    marks: dict[str, dict[int, Mark]] = field(default_factory=dict)
    place: Place | None = None
    since: float = 0.0
    """when they came to their place; before the first report, when they joined"""
    heard_at: float = 0.0
    """of the last report"""

    @property
    def failures(self) -> int:
        """How often the task in front of them has failed."""
        if self.place is None or self.place.task is None:
            return 0
        return self.marks.get(self.place.lab, {}).get(self.place.task, Mark()).failures


@dataclass
class Round:
    """A poll that was opened once. The same question may be asked again, in another round."""

    number: int
    poll: Mapping[str, Any]
    """the item as it was asked (`labs.workshop.live.polls`)"""
    opened_at: float
    block: int
    closed_at: float | None = None
    is_key_shown: bool = False
    ballots: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """pseudonym: what they chose, or the number that they typed; empty once it is closed"""
    changes: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    """option: how many chose it; counted when it closes"""
    voters: int = 0
    all_right: int = 0
    seats: int = 0
    """in the room when it closed"""

    @property
    def is_open(self) -> bool:
        """May it be answered?"""
        return self.closed_at is None

    @property
    def options(self) -> tuple[str, ...]:
        """Ids, in the order in which they are shown."""
        return tuple(option["id"] for option in self.poll["options"])

    @property
    def is_numeric(self) -> bool:
        """Does it ask for a number?"""
        return bool(self.poll["type"] == "numeric")

    @property
    def shown(self) -> list[Mapping[str, Any]]:
        """The options as its results name them: of a number also every other one."""
        options: list[Mapping[str, Any]] = list(self.poll["options"])
        return [*options, ANY_OTHER] if self.is_numeric else options

    def chosen(self, ballot: tuple[str, ...]) -> tuple[str, ...]:
        """The options that a ballot stands for."""
        return (numbers.bucket(self.poll, float(ballot[0])),) if self.is_numeric else ballot

    @property
    def right(self) -> frozenset[str]:
        """Ids of the right options."""
        return frozenset(option["id"] for option in self.poll["options"] if option["correct"])


@dataclass(frozen=True)
class Block:
    """A part of the day, for which there is a report."""

    number: int
    title: str
    began_at: float


def clean_name(name: object, longest: int = LONGEST_NAME, what: str = "a name") -> str:
    """A name without what no name has: control characters, marks that turn the writing round, spaces in a row. Refusal for none."""
    if not isinstance(name, str):
        raise Refusal(f"{what} is a text", USAGE)
    kept = "".join(
        " " if char.isspace() else char
        for char in unicodedata.normalize("NFKC", name[:1_000])
        if char.isspace() or unicodedata.category(char)[0] != "C"
    )
    kept = " ".join(kept.split())
    if not any(char.isalnum() for char in kept):
        raise Refusal(f"{what} has at least one letter or digit", USAGE)
    if len(kept) > longest:
        raise Refusal(f"{what} has at most {longest} letters; this one has {len(kept)}", USAGE)
    return kept


class Room:
    """Everything that the room knows. Commands (verbs) return the event that would happen; `apply` lets it happen."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.seats: dict[int, Seat] = {}
        self.rounds: list[Round] = []
        self.blocks: list[Block] = []
        self.version = 0
        """Raised by every event."""
        self._by_key: dict[str, int] = {}
        self._last_seat = 0

    # -- what is so

    def seat(self, key: str) -> Seat | None:
        """Whose key this is (a digest of the secret that a browser or a terminal holds); None for nobody here."""
        number = self._by_key.get(key)
        return None if number is None else self.seats.get(number)

    @property
    def open_round(self) -> Round | None:
        """The poll that may be answered now."""
        return self.rounds[-1] if self.rounds and self.rounds[-1].is_open else None

    def seated(self, key: str) -> Seat:
        """The same; Refusal for nobody here."""
        mine = self.seat(key)
        if mine is None:
            raise Refusal("you have no seat here yet: join first", FALSE)
        return mine

    # -- commands

    def join(self, key: str, name: object) -> Event | None:
        """Take a seat; who has one keeps it, under another name if it is another. A name that is taken gets a number behind it."""
        wanted = clean_name(name)
        mine = self.seat(key)
        if mine is None:
            if len(self.seats) >= MOST_SEATS:
                raise Refusal(f"the room is full: it has {MOST_SEATS} seats", FALSE)
            name = self._free(wanted, None)
            return {"type": "join", "seat": self._last_seat + 1, "key": key, "name": name, "wanted": wanted}
        if wanted in (mine.wanted, mine.name):
            return None
        if mine.changes >= MOST_CHANGES:
            raise Refusal("this seat has changed too often; ask the instructor", FALSE)
        return {"type": "rename", "seat": mine.number, "name": self._free(wanted, mine.number), "wanted": wanted}

    def _free(self, wanted: str, mine: int | None) -> str:
        """The name itself, or the first of 'Anna 2', 'Anna 3' ... that nobody else has."""
        taken = {seat.name.casefold() for seat in self.seats.values() if seat.number != mine}
        found, number = wanted, 1
        while found.casefold() in taken:
            number += 1
            found = f"{wanted} {number}"
        return found

    def ready(self, key: str, code: str) -> Event | None:
        """Put down a readiness code that has been read already."""
        mine = self.seated(key)
        if mine.code == code:
            return None
        if mine.changes >= MOST_CHANGES:
            raise Refusal("this seat has changed too often; ask the instructor", FALSE)
        return {"type": "ready", "seat": mine.number, "code": code}

    def report(self, key: str, lab: object, tasks: object) -> Event:
        """What the checks said of some tasks of a lab: {"3": true}."""
        mine = self.seated(key)
        fits = [slug for slug in self.plan if isinstance(lab, str) and lab and slug.startswith(lab)]
        if lab not in self.plan and len(fits) != 1:
            raise Refusal(f"there is no lab '{str(lab)[:40]}' in this course", USAGE)
        lab = str(lab) if lab in self.plan else fits[0]
        if not isinstance(tasks, dict) or not tasks:
            raise Refusal("a report names at least one task, and whether it was passed", USAGE)
        known = {str(task.number) for task in self.plan[lab]}
        for number, passed in tasks.items():
            if number not in known:
                raise Refusal(f"lab {lab} has no task {str(number)[:10]}", USAGE)
            if not isinstance(passed, bool):
                raise Refusal("a task is passed or it is not: true or false", USAGE)
        if mine.reports >= MOST_REPORTS:
            raise Refusal("this seat has sent too many reports; ask the instructor", FALSE)
        return {"type": "report", "seat": mine.number, "lab": lab, "tasks": tasks}

    def open(self, poll: Mapping[str, Any]) -> Event:
        """Ask a question."""
        if self.open_round is not None:
            raise Refusal("another poll is still open: close it first", FALSE)
        if len(self.rounds) >= MOST_ROUNDS:
            raise Refusal(f"{MOST_ROUNDS} polls have been asked here; begin with a new folder", FALSE)
        return {"type": "open", "round": len(self.rounds) + 1, "poll": dict(poll)}

    def answer(self, key: str, voter: str, number: object, chosen: object) -> Event | None:
        """Answer the open poll; until it closes, the last answer counts. `voter` is the pseudonym."""
        self.seated(key)
        asked = self._round(number)
        if not asked.is_open:
            raise Refusal("the poll was closed before your answer came, so it does not count", FALSE)
        if not isinstance(chosen, list) or not all(isinstance(one, str) for one in chosen):
            raise Refusal("an answer is a list of options", USAGE)
        if asked.is_numeric:
            if len(chosen) != 1:
                raise Refusal("type one number", USAGE)
            options = [repr(numbers.read(chosen[0], asked.poll["unit"]))]
        else:
            options = self._options(asked, chosen)
        if asked.ballots.get(voter) == tuple(options):
            return None
        if asked.changes[voter] > MOST_CHANGES:
            raise Refusal("you have changed this answer too often; the last one counts", FALSE)
        return {"type": "answer", "round": asked.number, "voter": voter, "options": options}

    @staticmethod
    def _options(asked: Round, chosen: list[str]) -> list[str]:
        """In the order of the question, as many as it asks for."""
        if unknown := set(chosen) - set(asked.options):
            raise Refusal(f"this poll has no option '{min(unknown)[:60]}'", USAGE)
        if len(chosen) != asked.poll["select"] or len(set(chosen)) != len(chosen):
            wanted = asked.poll["select"]
            raise Refusal("choose one option" if wanted == 1 else f"choose {wanted} options", USAGE)
        return [name for name in asked.options if name in chosen]

    def close(self, number: object, *, show_key: bool) -> Event:
        """No more answers; the bars are shown, and with `show_key` the key with its reasons."""
        asked = self._round(number)
        if not asked.is_open:
            raise Refusal("this poll is closed already", FALSE)
        return {"type": "close", "round": asked.number, "key": show_key, "seats": len(self.seats)}

    def show_key(self, number: object) -> Event | None:
        """Show the key of a closed poll."""
        asked = self._round(number)
        if asked.is_open:
            raise Refusal("the key is shown when the poll is closed", FALSE)
        return None if asked.is_key_shown else {"type": "key", "round": asked.number}

    def _round(self, number: object) -> Round:
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= len(self.rounds):
            raise Refusal("there is no such poll here", USAGE)
        return self.rounds[number - 1]

    def begin_block(self, title: object) -> Event:
        """Begin another part of the day; the report of the last one ends here."""
        if len(self.blocks) >= MOST_ROUNDS:
            raise Refusal("too many blocks have been begun here", FALSE)
        return {"type": "block", "title": clean_name(title, LONGEST_TITLE, "a block's title")}

    def remove(self, number: object) -> Event:
        """Take a seat away: somebody who sits here twice, or has gone. Answers that were counted stay."""
        if isinstance(number, bool) or not isinstance(number, int) or number not in self.seats:
            raise Refusal("there is no such seat here", USAGE)
        return {"type": "remove", "seat": number}

    # -- events

    def apply(self, event: Mapping[str, Any]) -> None:
        """Let an event happen. Raises BadEventError, and changes nothing, for what is none or does not fit what has happened so far."""
        try:
            at = float(event["at"])
            if not math.isfinite(at):
                raise BadEventError("it happened at no time")
            happen = getattr(self, f"_on_{event['type']}", None)
            if happen is None:
                raise BadEventError(f"no event is called '{event['type']}'")
            happen(at, event)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as wrong:
            raise BadEventError(
                f"it does not fit what has happened so far ({type(wrong).__name__}: {wrong})"
            ) from wrong
        self.version += 1

    def _on_room(self, at: float, event: Mapping[str, Any]) -> None:  # noqa: ARG002
        if event["format"] != FORMAT:
            raise BadEventError(f"the journal has format {event['format']}; this version reads {FORMAT}")

    def _on_join(self, at: float, event: Mapping[str, Any]) -> None:
        number, key, name = int(event["seat"]), str(event["key"]), str(event["name"])
        if number <= self._last_seat or key in self._by_key:
            raise BadEventError("this seat is taken")
        self.seats[number] = Seat(number, name, at, wanted=str(event["wanted"]), since=at, heard_at=at)
        self._by_key[key] = self._last_seat = number

    def _on_rename(self, at: float, event: Mapping[str, Any]) -> None:  # noqa: ARG002
        seat = self.seats[event["seat"]]
        seat.name, seat.wanted, seat.changes = str(event["name"]), str(event["wanted"]), seat.changes + 1

    def _on_ready(self, at: float, event: Mapping[str, Any]) -> None:  # noqa: ARG002
        seat = self.seats[event["seat"]]
        seat.code, seat.changes = str(event["code"]), seat.changes + 1

    def _on_report(self, at: float, event: Mapping[str, Any]) -> None:
        seat, lab = self.seats[event["seat"]], str(event["lab"])
        said = sorted((int(number), bool(passed)) for number, passed in event["tasks"].items())
        if not said:
            raise BadEventError("it names no task")
        marks = seat.marks.setdefault(lab, {})
        for number, passed in said:
            mark = marks.setdefault(number, Mark())
            mark.failures += not passed and not mark.passed
            mark.passed = mark.passed or passed
        seat.reports += 1
        seat.heard_at = at
        failed = [number for number, passed in said if not passed]
        place = Place(lab, failed[0] if failed else self._next(lab, said[-1][0], marks))
        if place != seat.place:
            seat.place, seat.since = place, at

    def _next(self, lab: str, task: int, marks: Mapping[int, Mark]) -> int | None:
        """The first task after this one that has not been passed; None at the end."""
        numbers = [each.number for each in self.plan.get(lab, ())]
        return next((n for n in numbers if n > task and not marks.get(n, Mark()).passed), None)

    def _on_open(self, at: float, event: Mapping[str, Any]) -> None:
        if self.open_round is not None or event["round"] != len(self.rounds) + 1:
            raise BadEventError("another poll is open")
        if problem := wrong_with(event["poll"]):
            raise BadEventError(problem)
        self.rounds.append(Round(event["round"], event["poll"], at, block=len(self.blocks)))

    def _on_answer(self, at: float, event: Mapping[str, Any]) -> None:  # noqa: ARG002
        asked, chosen = self.rounds[event["round"] - 1], tuple(event["options"])
        if not asked.is_open or event["round"] < 1:
            raise BadEventError("its poll is closed")
        if asked.is_numeric and (len(chosen) != 1 or not math.isfinite(float(chosen[0]))):
            raise BadEventError("it is not one number")
        if not asked.is_numeric and not set(chosen) <= set(asked.options):
            raise BadEventError("its poll has no such option")
        asked.ballots[str(event["voter"])] = chosen
        asked.changes[str(event["voter"])] += 1

    def _on_close(self, at: float, event: Mapping[str, Any]) -> None:
        asked = self.rounds[event["round"] - 1]
        if not asked.is_open or event["round"] < 1:
            raise BadEventError("its poll is closed")
        seats = int(event["seats"])
        asked.closed_at, asked.is_key_shown = at, bool(event["key"])
        ballots = [asked.chosen(ballot) for ballot in asked.ballots.values()]
        asked.counts = Counter(option for chosen in ballots for option in chosen)
        asked.voters, asked.seats = len(ballots), seats
        asked.all_right = sum(set(chosen) == asked.right for chosen in ballots)
        asked.ballots, asked.changes = {}, Counter()

    def _on_key(self, at: float, event: Mapping[str, Any]) -> None:  # noqa: ARG002
        asked = self.rounds[event["round"] - 1]
        if asked.is_open or event["round"] < 1:
            raise BadEventError("its poll is open")
        asked.is_key_shown = True

    def _on_block(self, at: float, event: Mapping[str, Any]) -> None:
        self.blocks.append(Block(len(self.blocks) + 1, str(event["title"]), at))

    def _on_remove(self, at: float, event: Mapping[str, Any]) -> None:  # noqa: ARG002
        del self.seats[event["seat"]]
        self._by_key = {key: number for key, number in self._by_key.items() if number != event["seat"]}
