"""Polls for the room's server (`lab serve --room`): `polls.json`, which is read there as data.

    text = room.document(gather.items(["06-squid"]))

Questions with one or several answers, and those that ask for a number: a room answers with its thumbs. Options stand in the one fixed order
that exports have, since everybody talks about the same "B"; a number's right value and its mistakes stand by their size.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quizzes import attempts, bank
from quizzes.exports.gather import Exported, shown_order
from quizzes.exports.poll import plain_text
from quizzes.figures import readable
from quizzes.model import Multiple, Numeric, Option, Single
from quizzes.text import block_html, inline_html

FORMAT = "deployment-dilemma-polls/1"


def home() -> Path:
    """Where the room's server looks, unless it is given another folder: LAB_HOME/room/polls.json."""
    return attempts.folder().parent / "room" / "polls.json"


def write(exported: Sequence[Exported], path: Path) -> None:
    """Write the file, in one step: a server that runs reads the old one or the new one. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(document(exported), "utf-8")
    draft.replace(path)


def polls(exported: Sequence[Exported], beliefs: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """One object for each question that can be asked; `beliefs`: misconception → the sentence, the bank's unless given."""
    known = bank.misconceptions() if beliefs is None else beliefs
    return [_poll(one, one.item, known) for one in exported if isinstance(one.item, Single | Multiple | Numeric)]


def document(exported: Sequence[Exported], beliefs: Mapping[str, str] | None = None) -> str:
    """The whole file."""
    return json.dumps({"format": FORMAT, "polls": polls(exported, beliefs)}, ensure_ascii=False, indent=1) + "\n"


def _poll(one: Exported, item: Single | Multiple | Numeric, known: Mapping[str, str]) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "id": item.id,
        "quiz": one.quiz,
        "quiz_title": one.quiz_title,
        "skill": item.objective,
        "type": item.type,
        "select": item.select if isinstance(item, Multiple) else 1,
        "seconds": item.est_seconds,
        "case_title": one.case_title,
        "case_html": _unlinked(block_html(one.scenario)) if one.scenario else "",
        "stem_html": _unlinked(block_html(item.stem)),
        "criterion_html": _unlinked(inline_html(item.criterion)),
    }
    if isinstance(item, Numeric):
        return asked | {"unit": item.unit, "tolerance": item.key().tolerance, "options": _values(item, known)}
    by_id = {option.id: option for option in item.options}
    return asked | {"options": [_option(by_id[name], known) for name in shown_order(item)]}


def _values(item: Numeric, known: Mapping[str, str]) -> list[dict[str, Any]]:
    """The right value and the mistakes' values, by size: their order and their ids say nothing."""
    found = [(float(mistake.value), mistake.why, mistake.misconception) for mistake in item.mistakes]
    found.append((item.key().answer, item.why, ""))
    return [
        {
            "id": f"v{place}",
            "html": inline_html(f"{readable(value)} {item.unit}"),
            "text": f"{readable(value)} {item.unit}",
            "value": value,
            "correct": not name,
            "why_html": _unlinked(inline_html(why)),
            "misconception": name,
            "belief": _belief(name, known),
        }
        for place, (value, why, name) in enumerate(sorted(found))
    ]


def _belief(name: str, known: Mapping[str, str]) -> str:
    return known.get(name, name.replace("-", " "))


def _option(option: Option, known: Mapping[str, str]) -> dict[str, Any]:
    name = option.misconception or ""
    return {
        "id": option.id,
        "html": _unlinked(inline_html(option.text)),
        "text": plain_text(option.text),
        "correct": option.correct,
        "why_html": _unlinked(inline_html(option.why)),
        "misconception": name,
        "belief": _belief(name, known),
    }


def _unlinked(html: str) -> str:
    """A link's words without the link: the room has no network, and a poll no way back."""
    return re.sub(r"</?a\b[^>]*>", "", html)
