"""The attempt log: one JSON object a line, in the shape of an xAPI statement, the same from the terminal and from a page.

    log = attempts.Log(attempts.folder() / "06-squid.jsonl")
    log.append(attempts.statement("06-squid", item, response, result, reader="ab12"))

A log is data for others: `lab` reads progress from it, `quiz grade` marks it, a learning record store can take it as it is.
"""

import json
import os
import secrets
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from quizzes.grading import Grade, Profile, Response, encode_response
from quizzes.model import AnyItem

URN = "urn:deployment-dilemma:"
INTERACTION = {
    "single": "choice",
    "multiple": "choice",
    "ordering": "sequencing",
    "matching": "matching",
    "numeric": "numeric",
}


def folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where attempts are kept: LAB_HOME/attempts, else in the user's state folder."""
    if home := environ.get("LAB_HOME"):
        return Path(home) / "attempts"
    state = environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "deployment-dilemma" / "attempts"


def reader_name(where: Path) -> str:
    """A made-up name for whoever uses this machine, the same on every call."""
    path = where / "reader"
    if not path.is_file():
        where.mkdir(parents=True, exist_ok=True)
        path.write_text(secrets.token_hex(8) + "\n", encoding="ascii")
    return path.read_text(encoding="ascii").strip()


@dataclass(frozen=True)
class Context:
    """What surrounds one answer."""

    quiz: str
    reader: str
    attempt: int
    order: Sequence[str]
    """the ids in the order in which they were shown"""
    profile: Profile = "study"
    seconds: float | None = None
    platform: str = "terminal"
    registration: str | None = None
    """the sitting that this answer belongs to (xAPI's word), for an exam"""
    form: str | None = None
    """which form of an exam"""
    certainty: int | None = None
    """how sure the taker was, from 1 to 3"""


def statement(item: AnyItem, response: Response, grade: Grade | None, context: Context) -> dict[str, Any]:
    """One answer; `grade` is None for what nobody has marked: a guess, or an item of a form whose key is kept elsewhere."""
    result: dict[str, Any] = {"response": encode_response(response)}
    if grade is not None:
        result |= {"success": grade.correct, "score": {"scaled": grade.score}}
    if context.seconds is not None:
        result["duration"] = f"PT{round(context.seconds)}S"
    return {
        "id": str(uuid.uuid4()),
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "actor": {"account": {"homePage": f"{URN}reader", "name": context.reader}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/answered", "display": {"en": "answered"}},
        "object": {
            "objectType": "Activity",
            "id": f"{URN}item:{item.id}",
            "definition": {
                "type": "http://adlnet.gov/expapi/activities/cmi.interaction",
                "interactionType": INTERACTION[item.type],
            },
        },
        "result": result,
        "context": {
            "platform": context.platform,
            **({"registration": context.registration} if context.registration else {}),
            "contextActivities": {"grouping": [{"id": f"{URN}quiz:{context.quiz}"}]},
            "extensions": {
                f"{URN}attempt": context.attempt,
                **({} if context.form and grade is None else {f"{URN}version": item.version}),
                f"{URN}order": list(context.order),
                f"{URN}profile": context.profile,
                f"{URN}mode": item.mode,
                **({f"{URN}form": context.form} if context.form else {}),
                **({f"{URN}certainty": context.certainty} if context.certainty else {}),
            },
        },
    }


@dataclass(frozen=True)
class Log:
    """One file of statements, only ever added to."""

    path: Path

    def append(self, said: Mapping[str, Any]) -> None:
        """Add one statement, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(said, ensure_ascii=False, separators=(",", ":")) + "\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The statements; a line that is none (cut off, edited) is passed over."""
        if not self.path.is_file():
            return
        for line in self.path.read_text(encoding="utf-8", errors="replace").split("\n"):
            try:
                said = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(said, dict) and isinstance(said.get("object"), dict):
                yield said

    def of_item(self, item_id: str, mode: str) -> list[dict[str, Any]]:
        """The statements about one item, in one mode, oldest first."""
        return [
            said
            for said in self
            if said["object"].get("id") == f"{URN}item:{item_id}"
            and said.get("context", {}).get("extensions", {}).get(f"{URN}mode") == mode
        ]
