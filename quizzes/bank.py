"""Reads the question bank: one YAML file per quiz.

    quiz = bank.load("06-squid")       # references followed, figures not yet filled in
    for quiz in bank.load_all(): ...

A mistake in a file is reported as file, line and reason, all mistakes of a file at once.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from labs.errors import FALSE, USAGE, Refusal
from labs.facts.documents import BadDocument, Document, read, shown
from quizzes import families
from quizzes.model import AnyItem, CaseSet, Drawn, Part, Quiz, QuizFile, Reference, Text

BANK = Path(__file__).parent / "bank"
MISCONCEPTIONS = "misconceptions.yaml"
"""the one file of the bank that is not a quiz"""

M = TypeVar("M", bound=BaseModel)
Loc = tuple[int | str, ...]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a bank file."""

    path: Path
    line: int
    where: str
    reason: str

    def __str__(self) -> str:
        return ": ".join(part for part in (f"{shown(self.path)}:{self.line}", self.where, self.reason) if part)


class BadBank(Refusal):
    """A bank file is not what it must be; the message has one line per problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems), FALSE)
        self.problems = tuple(problems)


class Misconceptions(Part):
    """What people get wrong, in a sentence each: the same names mark distractors, reports and computed items' wrong models."""

    misconceptions: dict[str, Text]


def slugs(folder: Path = BANK) -> list[str]:
    """The quizzes of a bank, in order."""
    return sorted(path.stem for path in folder.glob("*.yaml") if path.name != MISCONCEPTIONS)


def load(slug: str, folder: Path = BANK) -> Quiz:
    """One quiz. Refusal if there is none of this name, BadBank if its file is wrong."""
    path = folder / f"{slug}.yaml"
    if not path.is_file() or path.name == MISCONCEPTIONS:
        raise Refusal(f"there is no quiz '{slug}'; there are: {', '.join(slugs(folder)) or 'none'}", USAGE)
    document = _read(path)
    written = _validated(document, QuizFile)
    problems = list(_inconsistencies(document, written, folder))
    entries: list[AnyItem | CaseSet] = []
    for index, entry in enumerate(written.items):
        if isinstance(entry, Drawn):
            try:
                entries.append(_draw(entry))
            except (Refusal, families.CannotDraw) as refusal:
                problems.append(Problem(path, document.line(("items", index, "family")), entry.family, str(refusal)))
            continue
        if not isinstance(entry, Reference):
            entries.append(entry)
            continue
        other, _, item_id = entry.ref.partition("/")
        found = None
        if other != slug and (folder / f"{other}.yaml").is_file():
            target = _validated(_read(folder / f"{other}.yaml"), QuizFile)
            found = next((e for e in target.items if not isinstance(e, Reference) and e.id == item_id), None)
        if found is None:
            problems.append(Problem(path, document.line(("items", index, "ref")), entry.ref, "no item stands there"))
        elif isinstance(found, CaseSet):
            entries.append(found)
        else:
            guess, found = entry.mode == "guess", _draw(found) if isinstance(found, Drawn) else found
            entries.append(found.model_copy(update={"mode": entry.mode, "scored_in": other if guess else None}))
    if problems:
        raise BadBank(problems)
    return Quiz(slug=written.quiz, title=written.title, entries=tuple(entries))


def written(slug: str, folder: Path = BANK) -> QuizFile:
    """One file as its author wrote it: references and computed items not followed."""
    return _validated(_read(folder / f"{slug}.yaml"), QuizFile)


def _draw(entry: Drawn) -> AnyItem:
    return families.draw(entry.family, entry.seed).model_copy(update={"mode": entry.mode})


def load_all(folder: Path = BANK) -> list[Quiz]:
    """Every quiz. BadBank, with the problems of all files, if one of them is wrong or an id stands in two."""
    quizzes: list[Quiz] = []
    problems: list[Problem] = []
    for slug in slugs(folder):
        try:
            quizzes.append(load(slug, folder))
        except BadBank as bad:
            problems.extend(bad.problems)
    home: dict[str, str] = {}
    for quiz in quizzes:
        document = _read(folder / f"{quiz.slug}.yaml")
        for loc, item_id in _ids(document.data):
            if item_id in home and home[item_id] != quiz.slug:
                reason = f"'{item_id}' is the id of an item in {home[item_id]}.yaml already"
                problems.append(Problem(document.path, document.line(loc), "", reason))
            home.setdefault(item_id, quiz.slug)
    if problems:
        raise BadBank(problems)
    return quizzes


def line_of(quiz: str, item_id: str, folder: Path = BANK) -> tuple[Path, int]:
    """File and line where an item of this quiz is written (for a reference: where it points to)."""
    document = _read(folder / f"{quiz}.yaml")
    for loc, found in _ids(document.data):
        if found == item_id:
            return document.path, document.line((*loc, "id"))
    for index, entry in enumerate(document.data.get("items", ())):
        if isinstance(entry, dict) and str(entry.get("ref", "")).endswith(f"/{item_id}"):
            return document.path, document.line(("items", index))
    return document.path, 1


@cache
def misconceptions(folder: Path = BANK) -> dict[str, str]:
    """id → sentence: those that the bank lists, and those that the wrong models of computed items stand for."""
    return {**families.beliefs(), **listed_misconceptions(folder)}


def listed_misconceptions(folder: Path = BANK) -> dict[str, str]:
    """Those in the bank's own file."""
    path = folder / MISCONCEPTIONS
    return dict(_validated(_read(path), Misconceptions).misconceptions) if path.is_file() else {}


def _read(path: Path) -> Document:
    try:
        return read(path)
    except BadDocument as bad:
        raise BadBank([Problem(bad.path, bad.line, "", bad.reason)]) from None


def _validated(document: Document, model: type[M]) -> M:
    try:
        return model.model_validate_json(json.dumps(document.data, default=_plain))
    except ValidationError as invalid:
        errors = [dict(error) for error in invalid.errors(include_url=False)]
        # A list whose only items are wrong is called too short as well.
        own = [error for error in errors if error["type"] != "too_short"] or errors
        raise BadBank([_problem(document, error) for error in own]) from None


def _plain(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{value!r} cannot stand in a bank file")


def _problem(document: Document, error: dict[str, Any]) -> Problem:
    loc, place, data = error["loc"], [], document.data
    names: list[str] = []
    for part in loc:
        in_list = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if in_list or (isinstance(data, dict) and part in data):
            data = data[part]
            place.append(part)
            if isinstance(part, str):
                names.append(part)
            elif isinstance(data, dict) and "id" in data:
                names[-1:] = [str(data["id"])]
            else:
                names.append(str(part + 1))
    last = loc[-1] if loc else ""
    if error["type"] == "missing":
        reason = f"`{last}` is missing"
    elif error["type"] == "extra_forbidden":
        known = _fields_beside(error)
        near = get_close_matches(str(last), known, 1)
        reason = f"`{last}` is not a field here" + (f"; did you mean `{near[0]}`?" if near else "")
        names = names[:-1] if names and names[-1] == last else names
    else:
        reason = error["msg"].removeprefix("Value error, ")
    return Problem(document.path, document.line(tuple(place)), " › ".join(names), reason)


def _fields_beside(error: dict[str, Any]) -> list[str]:
    def everything(model: type[BaseModel]) -> Iterator[str]:
        for inner in model.__subclasses__():
            yield from inner.model_fields
            yield from everything(inner)

    return sorted({name for name in everything(Part) if name != error["loc"][-1]})


def _ids(data: dict[str, Any]) -> Iterator[tuple[Loc, str]]:
    for index, entry in enumerate(data.get("items", ())):
        if isinstance(entry, dict) and "family" in entry:
            yield ("items", index), f"{entry['family']}-{entry.get('seed')}"
        elif isinstance(entry, dict) and "id" in entry:
            yield ("items", index), str(entry["id"])
            for inner, item in enumerate(entry.get("items", ())):
                yield ("items", index, "items", inner), str(item["id"])


def _inconsistencies(document: Document, written: QuizFile, folder: Path) -> Iterator[Problem]:
    if written.quiz != document.path.stem:
        reason = f"the file is called {document.path.name}, so `quiz` must be {document.path.stem}"
        yield Problem(document.path, document.line(("quiz",)), "quiz", reason)
    seen: dict[str, int] = {}
    for loc, item_id in _ids(document.data):
        line = document.line((*loc, "id"))
        if item_id in seen:
            yield Problem(document.path, line, item_id, f"this id stands on line {seen[item_id]} already")
        seen.setdefault(item_id, line)
    known = misconceptions(folder)
    for place, name in _named(document.data, ()):
        if name not in known:
            near = get_close_matches(name, known, 1)
            reason = f"'{name}' is not in {MISCONCEPTIONS}" + (f"; did you mean '{near[0]}'?" if near else "")
            yield Problem(document.path, document.line(place), "misconception", reason)


def _named(data: Any, place: Loc) -> Iterator[tuple[Loc, str]]:
    for part, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        if part == "misconception" and isinstance(value, str):
            yield (*place, part), value
        else:
            yield from _named(value, (*place, part))
