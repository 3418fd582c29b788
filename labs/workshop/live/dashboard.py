"""What the room looks like, to a student and to the instructor; and the report between two blocks. Views of `state.Room`, nothing else.

No view names who answered what: a poll is shown as counts, and those only once it is closed.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable
from html import unescape
from typing import Any

from labs.workshop.live.state import Place, Plan, Room, Round, Seat

SLOW = 1.5
"""times the planned minutes at one task: then somebody may want help"""
MANY_FAILURES = 3
MOST_BELIEFS = 8
"""on the page; the report has all of them"""
Ready = Callable[[str], list[dict[str, Any]]]
"""A readiness code in words: [{"what": "Python 3.12 ...", "ok": true, "required": true}, ...]"""


# -- a student's


def for_student(room: Room, seat: Seat | None, mine: tuple[str, ...] | None) -> dict[str, Any]:
    """What one browser shows. `mine`: what this seat has answered to the poll that is open."""
    shown = room.rounds[-1] if room.rounds else None
    return {
        "name": seat.name if seat else None,
        "number": seat.number if seat else None,
        "code": seat.code if seat else "",
        "place": where(room.plan, seat.place) if seat and seat.place else None,
        "seats": len(room.seats),
        "poll": None if shown is None else {**as_asked(shown), "mine": list(mine) if mine else []},
    }


def as_asked(asked: Round) -> dict[str, Any]:
    """A poll, with as much of its answers as may be seen now."""
    poll = asked.poll
    said: dict[str, Any] = {
        "round": asked.number,
        "state": "open" if asked.is_open else "key" if asked.is_key_shown else "closed",
        "id": poll["id"],
        "quiz_title": poll["quiz_title"],
        "case_title": poll["case_title"],
        "case_html": poll["case_html"],
        "stem_html": poll["stem_html"],
        "criterion_html": poll["criterion_html"],
        "type": poll["type"],
        "select": poll["select"],
        "unit": poll.get("unit", ""),
        # what there is to choose from; the values of a number would be its key
        "options": [
            {"id": option["id"], "html": option["html"]}
            for option in asked.shown
            if not (asked.is_numeric and asked.is_open)
        ],
        "answered": len(asked.ballots) if asked.is_open else asked.voters,
    }
    if not asked.is_open:
        for shown, option in zip(said["options"], asked.shown, strict=True):
            shown["count"] = asked.counts[option["id"]]
            shown["percent"] = percent(asked.counts[option["id"]], asked.voters)
            if asked.is_key_shown:
                shown |= {name: option[name] for name in ("correct", "why_html", "belief")}
    return said


def where(plan: Plan, place: Place | None) -> str:
    """A place in words: "06-squid, task 3: Hidden is not locked"."""
    if place is None:
        return "no report yet"
    if place.task is None:
        return f"{place.lab}: at the end"
    title = next((task.title for task in plan.get(place.lab, ()) if task.number == place.task), "")
    return f"{place.lab}, task {place.task}{f': {title}' if title else ''}"


def percent(part: int, whole: int) -> int:
    """Rounded half up; 0 of 0 is 0."""
    return int(100 * part / whole + 0.5) if whole else 0


# -- the instructor's


def for_instructor(room: Room, now: float, read: Ready) -> dict[str, Any]:
    """Everything on the instructor's page but the questions that could be asked."""
    asked = room.open_round
    return {
        "seats": [_row(room, seat, now, read) for seat in stuck_first(room, now)],
        "labs": progress(room),
        "rounds": [
            {**as_asked(each), "block": each.block, "seats": len(room.seats) if each.is_open else each.seats}
            for each in reversed(room.rounds)
        ],
        "open": asked.number if asked is not None else None,
        "beliefs": [
            {"percent": percent(chose, answered), "chose": chose, "answered": answered, "belief": belief}
            for chose, answered, belief in beliefs(_of(room, len(room.blocks)))[:MOST_BELIEFS]
        ],
        "blocks": [{"number": block.number, "title": block.title} for block in room.blocks],
        "ready": {
            "codes": sum(bool(seat.code) for seat in room.seats.values()),
            "fine": sum(bool(seat.code) and is_ready(read(seat.code)) for seat in room.seats.values()),
        },
    }


def is_ready(parts: list[dict[str, Any]]) -> bool:
    """Whether nothing is missing that the course does not work without."""
    return all(part["ok"] for part in parts if part["required"])


def stuck_first(room: Room, now: float) -> list[Seat]:
    """Who is longest at one task first; then who has sent nothing yet; at last who is at the end of a lab."""

    def order(seat: Seat) -> tuple[int, float, int]:
        group = 1 if seat.place is None else 2 if seat.place.task is None else 0
        return group, -(now - seat.since), seat.number

    return sorted(room.seats.values(), key=order)


def _row(room: Room, seat: Seat, now: float, read: Ready) -> dict[str, Any]:
    minutes = max(0, int((now - seat.since) // 60))
    planned = planned_minutes(room.plan, seat.place)
    return {
        "number": seat.number,
        "name": seat.name,
        "place": where(room.plan, seat.place),
        "lab": seat.place.lab if seat.place else None,
        "task": seat.place.task if seat.place else None,
        "minutes": minutes,
        "planned": planned,
        "failures": seat.failures,
        "slow": bool(planned) and (minutes >= SLOW * planned or seat.failures >= MANY_FAILURES),
        "code": seat.code,
        "ready": read(seat.code) if seat.code else [],
    }


def planned_minutes(plan: Plan, place: Place | None) -> int:
    """For the task in front of somebody; 0 where there is none."""
    if place is None or place.task is None:
        return 0
    return next((task.minutes for task in plan.get(place.lab, ()) if task.number == place.task), 0)


def progress(room: Room) -> list[dict[str, Any]]:
    """Each lab that somebody has reported on: how many are at each task, and how many have passed it."""
    seen = sorted({lab for seat in room.seats.values() for lab in seat.marks})
    found = []
    for lab in seen:
        at = Counter(seat.place.task for seat in room.seats.values() if seat.place and seat.place.lab == lab)
        passed = Counter(
            number for seat in room.seats.values() for number, mark in seat.marks.get(lab, {}).items() if mark.passed
        )
        tasks = [
            {"number": task.number, "title": task.title, "at": at[task.number], "passed": passed[task.number]}
            for task in room.plan.get(lab, ())
        ]
        found.append({"lab": lab, "tasks": tasks, "end": at[None]})
    return found


# -- the report


def beliefs(rounds: Iterable[Round]) -> list[tuple[int, int, str]]:
    """(chose it, answered, the belief) for each misconception that somebody's answer stands for, the largest share first.

    A misconception that several polls offer is counted over all of them. Of a poll that was asked again, the last time counts.
    """
    last = {each.poll["id"]: each for each in rounds if not each.is_open}
    chose: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    for each in last.values():
        offered = Counter[str]()
        for option in each.poll["options"]:
            if option["belief"]:
                offered[option["belief"]] += each.counts[option["id"]]
        for belief, count in offered.items():
            chose[belief] += min(
                count, each.voters
            )  # of several answers one person may choose two with the same belief
            answered[belief] += each.voters
    found = [(chose[belief], answered[belief], belief) for belief in chose if chose[belief]]
    return sorted(found, key=lambda one: (-one[0] / one[1], -one[0], one[2]))


def report(room: Room, block: int | None = None) -> str:
    """The report of one block (None: of the whole day) as Markdown."""
    rounds = _of(room, block)
    title = "The whole day" if block is None else _block_title(room, block)
    lines = [f"# {title}", ""]
    there = len(room.seats)
    lines += [f"{there} {'seat' if there == 1 else 'seats'} taken; {len(rounds)} polls closed.", ""]
    lines += ["## What to take up again", ""]
    found = beliefs(rounds)
    lines += [
        f"- {percent(chose, answered)} % ({chose} of {answered}): {one_line(belief)}"
        for chose, answered, belief in found
    ] or ["Nothing: no poll was closed, or nobody chose a wrong answer."]
    lines += ["", "## Polls", ""]
    for each in rounds:
        right = percent(each.all_right, each.voters)
        lines += [f"### {each.number}. {one_line(plain(each.poll['criterion_html']))}", ""]
        lines += [f"`{each.poll['id']}`: {each.voters} of {each.seats} answered, {right} % right.", ""]
        lines += ["| Answer | Chosen | Share | |", "|---|---:|---:|---|"]
        lines += [
            f"| {_cell(option['text'])} | {each.counts[option['id']]} | {percent(each.counts[option['id']], each.voters)} % "
            f"| {'right' if option['correct'] else _cell(option['belief'])} |"
            for option in each.shown
        ]
        lines.append("")
    if not rounds:
        lines += ["None.", ""]
    lines += ["## Where everybody is", ""]
    for lab in progress(room):
        lines += [f"### {lab['lab']}", "", "| Task | Passed | Here now |", "|---|---:|---:|"]
        lines += [
            f"| {task['number']} {_cell(task['title'])} | {task['passed']} | {task['at']} |" for task in lab["tasks"]
        ]
        lines += [f"| at the end | | {lab['end']} |", ""]
    silent = sum(seat.place is None for seat in room.seats.values())
    lines.append(f"{silent} have sent no report from a lab.")
    return "\n".join(lines) + "\n"


COLUMNS = ("block", "poll", "asked", "option", "chosen", "answered", "percent", "right", "misconception")


def table(room: Room, block: int | None = None) -> str:
    """The polls of one block (None: of all) as CSV, a row for each option; with a byte order mark for spreadsheets."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for each in _of(room, block):
        for option in each.shown:
            count = each.counts[option["id"]]
            row = [_block_title(room, each.block), each.poll["id"], each.number, option["text"], count, each.voters]
            row += [percent(count, each.voters), "yes" if option["correct"] else "no", option["belief"]]
            writer.writerow([_as_text(cell) for cell in row])
    return "\ufeff" + out.getvalue()


def _of(room: Room, block: int | None) -> list[Round]:
    return [each for each in room.rounds if not each.is_open and block in (None, each.block)]


def _block_title(room: Room, block: int) -> str:
    return room.blocks[block - 1].title if 1 <= block <= len(room.blocks) else "Before the first block"


def plain(html: str) -> str:
    """A text without its tags."""
    return unescape(re.sub(r"<[^>]*>", "", html)).strip()


def one_line(text: str) -> str:
    """In one line."""
    return " ".join(text.split())


def _cell(text: str) -> str:
    return one_line(text).replace("|", "\\|")


def _as_text(cell: object) -> object:
    """A text that a spreadsheet would take for a formula, marked as text."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
