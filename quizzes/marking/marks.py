"""From files to marks: statements gathered into attempts, each attempt marked or set aside with its reason.

    for name in marks.run(folder, ring, book): ...        # each file as it is done

What this can detect: a line that is none, an item or form that is not the key's, an answer that the item does not have, two answers to one
item in one attempt, a mark that the answer does not earn, an order of options that this reader or sitting was never shown, a time in the
future, the same statements twice. What it cannot: an answer and its mark both changed to fit, or somebody else answering. A static page and a
learner's own terminal hold no secret, so no checksum could prove who typed.
"""

import gc
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from quizzes.forms import form_id
from quizzes.marking.book import Attempt, Book, Sheet
from quizzes.marking.folder import Found, TooLong, find
from quizzes.marking.keys import Keyring, Mark
from quizzes.marking.statements import Aside, Blank, Other, Said, match_ours, parse
from quizzes.shuffle import seed, shuffled

Fields = tuple[Any, ...]
"""a Said without its names: making a name for each field of each line would take as long as marking it"""
(
    ID,
    TIMESTAMP,
    READER,
    ITEM,
    RESPONSE,
    SUCCESS,
    SCALED,
    _,
    REGISTRATION,
    QUIZ,
    ATTEMPT,
    VERSION,
    _,
    PROFILE,
    MODE,
    FORM,
) = range(16)
AHEAD = timedelta(days=1)
"""how far a learner's clock may be wrong before a time counts as the future"""
MOST_NAMED = 20
"""bad lines named one by one, of one file"""
CHECKED_ORDERS = 2
"""items of an attempt whose order is worked out anew; a made-up one passes with a chance of about 1 in 500"""


Elsewhere = Callable[[Iterable[Found], Keyring, str], Iterator[tuple[Found, Sheet]]]
"""Marks files in another place, and gives their sheets in their order (see `spreading.py`)."""


def run(
    folder: Path,
    ring: Keyring,
    book: Book,
    most_mb: float = 64.0,
    now: datetime | None = None,
    elsewhere: Elsewhere | None = None,
) -> Iterator[str]:
    """Mark every file that is not in the book yet, and take out those that are gone; the name of each file marked now."""
    limit = ((now or datetime.now(UTC)) + AHEAD).strftime("%Y-%m-%dT%H:%M:%S")
    gone = book.known()

    def new() -> Iterator[Found]:
        for found in find(folder, most_mb):
            known = gone.pop(found.name, None)
            if known == (found.size, found.changed_ns):
                continue
            if known is not None:
                book.forget(found.name)
            yield found

    for found, sheet in (elsewhere or _here)(new(), ring, limit):
        book.keep(found, sheet)
        yield found.name
    for name in gone:
        book.forget(name)
    book.commit()


def _here(files: Iterable[Found], ring: Keyring, limit: str) -> Iterator[tuple[Found, Sheet]]:
    for found in files:
        yield found, Sheet() if found.problem else sheet_of(found, ring, limit)


def sheet_of(found: Found, ring: Keyring, limit: str) -> Sheet:
    """All attempts of one file; `limit` is the time from which on a time is in the future."""
    collects = gc.isenabled()
    gc.disable()  # nothing in here goes round in circles, and looking for that in every line kept takes a quarter of the time
    try:
        return _sheet_of(found, ring, limit)
    finally:
        if collects:
            gc.enable()


def _sheet_of(found: Found, ring: Keyring, limit: str) -> Sheet:
    sheet = Sheet()
    drafts: dict[str, list[Fields]] = {}
    bad: list[str] = []
    lost = number = 0
    cut_off = False
    withheld, items, quiz = ring.withheld, ring.items, ring.quiz
    try:
        for chunk in found.chunks():
            if not number and b"\0" in chunk[:400]:
                sheet.problem = "not text in UTF-8"
                return sheet
            text = chunk.decode("utf-8", "surrogateescape")
            for line in (
                text.removesuffix("\n").split("\n") if number else text.removesuffix("\n").lstrip("\ufeff").split("\n")
            ):
                number += 1
                ours = match_ours(line)
                try:
                    said = ours.groups() if ours else parse(line)
                except Other:
                    _count(sheet, "not an answer")
                    continue
                except Aside as reason:
                    lost += 1
                    if len(bad) < MOST_NAMED:
                        bad.append(f"line {number}: {reason}")
                    continue
                except Blank:
                    continue
                sheet.statements += 1
                if withheld:
                    if said[ITEM] not in items and said[QUIZ] != quiz:
                        _count(sheet, "about another quiz")
                        continue
                elif said[MODE] == "guess":
                    _count(sheet, "a guess, which nobody marks")
                    continue
                sitting = said[REGISTRATION] or f"{said[READER]}/{said[QUIZ]}/{said[ATTEMPT]}"
                if sitting in drafts:
                    drafts[sitting].append(said)
                else:
                    drafts[sitting] = [said]
            cut_off = not chunk.endswith(b"\n")
    except (OSError, TooLong) as wrong:
        sheet.problem = f"it could not be read to its end: {getattr(wrong, 'strerror', None) or wrong}"
        lost += 1
    if bad and cut_off and bad[-1] == f"line {number}: it is not JSON":
        bad[-1] = f"line {number}: it is cut off"
    if bad:
        more = f"; and {lost - len(bad)} more" if lost > len(bad) else ""
        sheet.problem = "; ".join(filter(None, [sheet.problem, *bad])) + more
    sheet.attempts = [_attempt(found, said, sitting, ring, limit, sheet, lost) for sitting, said in drafts.items()]
    if not sheet.attempts and not sheet.problem:
        what = f"of the form {ring.form}" if ring.withheld else "that can be marked"
        sheet.problem = f"there is no answer {what} in it"
    return sheet


def _count(sheet: Sheet, what: str) -> None:
    sheet.about[what] = sheet.about.get(what, 0) + 1


def _attempt(
    found: Found, lines: list[Fields], sitting: str, ring: Keyring, limit: str, sheet: Sheet, lost: int
) -> Attempt:
    head = lines[0]
    reader, quiz, attempt, form = head[READER], head[QUIZ], head[ATTEMPT], head[FORM]
    problems, notes = dict[str, None](), list[str]()
    seen: dict[str, Fields] = {}
    for said in lines:
        name = said[ITEM]
        if name in seen:
            before = seen[name]
            if before == said:
                _count(sheet, "a line that stands there twice")
            elif not (ring.withheld and said[MODE] == before[MODE] == "guess"):
                # (a form without a key lets its taker change an answer)
                problems[f"it answers '{name}' twice"] = None
        seen[name] = said
        if said[QUIZ] != quiz or said[FORM] != form or said[READER] != reader:
            problems["its lines disagree on who answered, or in which quiz or form"] = None
    answers: dict[str, str] = {}
    answered, right, points, given, version_of = 0, 0, 0.0, ring.marks.get, ring.version
    for name, said in seen.items():
        response, version, success = said[RESPONSE], said[VERSION], said[SUCCESS]
        mark = given((name, response)) or ring.mark(name, response)
        if mark.problem:
            problems[mark.problem] = None
            continue
        if version is not None and version != version_of(name):
            problems[f"'{name}' was answered under another key ({version})"] = None
        elif (
            success is not None
            and not (success == mark.success and said[SCALED] == mark.scaled and said[PROFILE] == "exam")
            and _edited(said, mark)
        ):
            problems[f"edited: the mark it claims for '{name}' is not what its answer earns"] = None
        answers[name] = response
        if mark.answered:
            answered += 1
            right += mark.correct
            points += mark.points
    stamps = [said[TIMESTAMP] for said in lines]
    first, last = min(stamps), max(stamps)
    if ring.withheld and form not in (None, ring.form):
        problems[f"it is of another form ({form})"] = None
    if last > limit:
        problems[f"its time is in the future ({last})"] = None
    for stamp in (first, last):
        try:
            datetime.fromisoformat(stamp)
        except ValueError:
            problems[f"there is no time {stamp}"] = None
    if not problems and (wrong := _never_shown(seen, sitting, ring)):
        problems[f"edited: nobody who sat there was shown '{wrong}' in that order"] = None
    n = _asked(seen, quiz, form, int(attempt), ring, notes)
    still_open = n - answered
    if lost and still_open and not problems and ring.withheld:
        problems[f"{lost} lines of the file cannot be read, and {still_open} answers are missing: one may be lost"] = (
            None
        )
    elif still_open:
        notes.append(f"{still_open} of {n} left open")
    return Attempt(
        student=found.student,
        reader=reader,
        quiz=quiz,
        form=ring.form if ring.withheld else form or "",
        sitting=sitting,
        mark=min([said[ID] for said in lines]),
        attempt=int(attempt),
        started=first,
        ended=last,
        answered=answered,
        n=n,
        right=right,
        points=points,
        problem="; ".join(list(problems)[:3]),
        notes=notes,
        answers=answers,
    )


def _asked(seen: dict[str, Fields], quiz: str, form: str | None, attempt: int, ring: Keyring, notes: list[str]) -> int:
    """How many items the taker was asked. Lines that were left out of a file must not make its share of right answers larger."""
    if ring.withheld:
        return len(ring.items)
    if form is not None:
        if form_id(quiz, [(name, ring.version(name)) for name in seen]) != form:
            notes.append("a half of its form, or lines are missing")
        return len(seen)
    every = ring.quizzes.get(quiz, frozenset())
    return len(every) if attempt == 1 and every >= seen.keys() else len(seen)


def _edited(said: Fields, mark: Mark) -> bool:
    """Whether a claimed mark contradicts the answer beside it."""
    if said[SUCCESS] != ("true" if mark.correct else "false"):
        return True
    if said[SCALED] is None:
        return False
    earned = mark.points if said[PROFILE] == "study" else mark.correct
    try:
        return not abs(float(said[SCALED]) - earned) < 1e-3  # NaN is no mark
    except ValueError:
        return True


def _never_shown(seen: dict[str, Fields], sitting: str, ring: Keyring) -> str:
    """The first item whose options stand in an order that our shuffle never gives this reader; empty if all is well.

    A notebook's order is the browser's, and its reader is the kernel's; there is nothing to compare.
    """
    checked = 0
    for name, fields in seen.items():
        said = Said._make(fields)
        if said.platform == "notebook":
            return ""
        options, avoid = ring.shuffled_options(name)
        if not options:
            continue
        orders = [seed(said.reader, name, int(said.attempt))]
        if said.registration is not None:
            orders.insert(0, seed(sitting, name, 1))
        shown = said.order.replace('", "', '","')
        if not any('["' + '","'.join(shuffled(options, one, avoid)) + '"]' == shown for one in orders):
            return name
        checked += 1
        if checked == CHECKED_ORDERS:
            break
    return ""
