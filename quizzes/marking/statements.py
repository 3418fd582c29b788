"""One line of an attempt log: read fast when it is written as we write it, with care when it is not.

    said = statements.read(line)     # Said(...), or Aside with the reason

Our own faces write compact JSON with the same fields in the same order (`quizzes/attempts.py`, `web/quiz.js`). A pattern that matches
such a line from end to end reads it in a third of the time that a JSON parser needs; any other line goes through the parser.
"""

import json
import re
from typing import Any, NamedTuple

from quizzes.attempts import URN

LONGEST_LINE = 65_536
"""characters; ours have about a thousand"""
ANSWERED = "http://adlnet.gov/expapi/verbs/answered"
_T = r'[^"\\]{0,8000}'
_NAME = r"[a-z0-9-]{1,80}"
_U = re.escape(URN)
_TIME = r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d(?:\.\d{1,9})?Z"
_OURS = re.compile(
    rf'\{{"id":"([0-9a-f-]{{36}})","timestamp":"({_TIME})","actor":\{{"account":\{{"homePage":"{_U}reader","name":"([0-9A-Za-z-]{{1,64}})"\}}\}},'
    rf'"verb":\{{"id":"{re.escape(ANSWERED)}","display":\{{"en":"answered"\}}\}},"object":\{{"objectType":"Activity","id":"{_U}item:({_NAME})",'
    r'"definition":\{"type":"http://adlnet\.gov/expapi/activities/cmi\.interaction","interactionType":"[a-z]{1,20}"\}\},'
    rf'"result":\{{"response":"({_T})"(?:,"success":(true|false),"score":\{{"scaled":([01](?:\.[0-9]+)?)\}})?(?:,"duration":"PT[0-9]+S")?\}},'
    rf'"context":\{{"platform":"([a-z]{{1,20}})"(?:,"registration":"([0-9a-f-]{{36}})")?,"contextActivities":\{{"grouping":\[\{{"id":"{_U}quiz:({_NAME})"\}}\]\}},'
    rf'"extensions":\{{"{_U}attempt":([1-9][0-9]{{0,8}})(?:,"{_U}version":"([0-9a-f]{{12}})")?,"{_U}order":(\[(?:"{_T}"(?:,"{_T}")*+)?\]),'
    rf'"{_U}profile":"([a-z]{{1,20}})","{_U}mode":"([a-z]{{1,20}})"(?:,"{_U}form":"({_NAME})")?(?:,"{_U}certainty":[0-9])?\}}\}}\}}',
    re.ASCII,
)
_FIELDS = {  # what a line that went through the parser must have, so that both ways let the same things through
    "id": re.compile(r"[0-9A-Za-z:._-]{1,100}"),
    "timestamp": re.compile(_TIME, re.ASCII),
    "reader": re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}"),
    "item": re.compile(_NAME),
    "registration": re.compile(r"[0-9A-Za-z:._-]{1,100}"),
    "quiz": re.compile(_NAME),
    "version": re.compile(r"[0-9a-f]{12}"),
    "form": re.compile(_NAME),
}
_SAYS = {
    "timestamp": "its time is not one such as 2026-11-26T10:00:00Z",
    "reader": "it does not say who answered",
    "version": "its key's version is none of ours",
}


class Aside(Exception):  # noqa: N818 - said of the line, not of the program
    """This line is not a statement that can be marked; the message says why."""


class Blank(Exception):  # noqa: N818
    """A line with nothing in it."""


class Other(Exception):  # noqa: N818
    """A sound statement about something else, such as a page that was opened."""


class Said(NamedTuple):
    """One answer as its writer tells it; what it claims of its own mark is never taken for one."""

    id: str
    timestamp: str
    reader: str
    item: str
    response: str
    success: str | None
    """'true' or 'false', where a mark is claimed"""
    scaled: str | None
    platform: str
    registration: str | None
    quiz: str
    attempt: str
    version: str | None
    order: str
    """a JSON list of ids"""
    profile: str
    mode: str
    form: str | None


def read(line: str) -> Said:
    """The statement in a line. Aside if it is none; Other if it is not about an answer."""
    ours = match_ours(line) if len(line) < LONGEST_LINE else None
    return Said._make(ours.groups()) if ours else parse(line)


match_ours = _OURS.fullmatch
"""the groups of the match are Said's fields; whoever reads a hundred thousand lines a second does without the names"""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Aside("a name stands in it twice")
    return found


def parse(line: str) -> Said:
    """A line that is not as we write it, by way of a JSON parser; otherwise as `read`."""
    line = line.strip()
    if not line:
        raise Blank
    if len(line) > LONGEST_LINE:
        raise Aside(f"it has more than {LONGEST_LINE // 1024} K characters")
    if any("\ud800" <= letter <= "\udfff" for letter in line):
        raise Aside("it is not UTF-8")
    try:
        data = json.loads(line, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise Aside("it is not JSON") from None
    if not isinstance(data, dict):
        raise Aside("it is not a statement")
    try:
        verb = data["verb"]["id"]
        if verb != ANSWERED:
            raise Other
        thing, quiz = data["object"]["id"], data["context"]["contextActivities"]["grouping"][0]["id"]
        extensions, result = data["context"]["extensions"], data["result"]
        if not str(thing).startswith(f"{URN}item:"):
            raise Other
        attempt, order = extensions[f"{URN}attempt"], extensions[f"{URN}order"]
        if type(attempt) is not int or not 0 < attempt < 10**9:
            raise Aside("its attempt is not a number from 1")
        if not isinstance(order, list):
            raise Aside("the order of its options is not a list")
        success = result.get("success")
        texts: list[Any] = [
            data["id"],
            data["timestamp"],
            data["actor"]["account"]["name"],
            thing.removeprefix(f"{URN}item:"),
            result["response"],
            None if success is None else {True: "true", False: "false"}.get(success, success),
            str(result["score"]["scaled"]) if "score" in result else None,
            data["context"].get("platform", ""),
            data["context"].get("registration"),
            str(quiz).removeprefix(f"{URN}quiz:"),
            str(attempt),
            extensions.get(f"{URN}version"),
            json.dumps(order),
            extensions[f"{URN}profile"],
            extensions[f"{URN}mode"],
            extensions.get(f"{URN}form"),
        ]
    except (KeyError, TypeError, IndexError, AttributeError):
        raise Aside("it lacks what a statement about an answer has") from None
    if any(text is not None and not isinstance(text, str) for text in texts):
        raise Aside("one of its fields is not text")
    said = Said(*texts)
    for name, pattern in _FIELDS.items():
        value = getattr(said, name)
        if value is not None and not pattern.fullmatch(value):
            raise Aside(_SAYS.get(name, f"its {name} cannot be one of ours"))
    return said
