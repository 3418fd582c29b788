"""The questions that the room can be asked: `polls.json`, as `quiz export room` writes it, read as data.

    bank = polls.load(Path("polls.json"))
    bank["throttled-at-night"]["options"][0]["html"]

Texts are HTML that the exporter made of the bank's Markdown. Nothing but harmless tags is let in, whoever wrote the file.
"""

import json
import math
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from labs.errors import FALSE, Refusal

FORMAT = "deployment-dilemma-polls/1"
NAME = "polls.json"
LARGEST_BYTES = 20_000_000
TAGS = frozenset(
    [
        "p",
        "em",
        "strong",
        "code",
        "pre",
        "ul",
        "ol",
        "li",
        "br",
        "hr",
        "blockquote",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "sub",
        "sup",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "span",
    ]
)
"""what Markdown makes; a link's text comes without its link, since the room has no network"""
Poll = dict[str, Any]
TEXTS = {
    "id": str,
    "quiz": str,
    "quiz_title": str,
    "skill": str,
    "type": str,
    "case_title": str,
    "case_html": str,
    "stem_html": str,
    "criterion_html": str,
    "select": int,
    "seconds": int,
    "options": list,
}
OPTION = {"id": str, "html": str, "text": str, "correct": bool, "why_html": str, "misconception": str, "belief": str}


class _Harmless(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.wrong = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        harmful = [name for name, _ in attrs if name not in ("class", "start", "align")]
        if tag not in TAGS or harmful:
            self.wrong = self.wrong or f"<{tag}{' ' + harmful[0] if harmful else ''}>"

    def handle_decl(self, decl: str) -> None:
        self.wrong = self.wrong or f"<!{decl[:20]}>"

    def handle_pi(self, data: str) -> None:
        self.wrong = self.wrong or f"<?{data[:20]}>"

    def unknown_decl(self, data: str) -> None:
        self.wrong = self.wrong or f"<![{data[:20]}"

    def handle_comment(self, data: str) -> None:
        self.wrong = self.wrong or f"<!--{data[:20]}"


def harmful(html: str) -> str:
    """The first thing in it that is not plain text in plain tags; nothing when there is none."""
    reader = _Harmless()
    reader.feed(html)
    reader.close()
    return reader.wrong


def load(path: Path) -> dict[str, Poll]:
    """Id: poll, in the order of the file. Refusal, in one sentence, for a file that is not as `quiz export room` writes it."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise Refusal(f"{path} is too large for questions: more than {LARGEST_BYTES // 1_000_000} MB", FALSE)
        said = json.loads(path.read_text("utf-8"))
    except OSError as missing:
        raise Refusal(
            f"{path} cannot be read ({missing.strerror}); 'quiz export room -o {path}' writes it", FALSE
        ) from None
    except (ValueError, RecursionError) as wrong:
        raise Refusal(
            f"{path} is not JSON ({str(wrong)[:100]}); 'quiz export room -o {path}' writes it", FALSE
        ) from None
    if not isinstance(said, dict) or said.get("format") != FORMAT or not isinstance(said.get("polls"), list):
        raise Refusal(f"{path} is not a file of polls ({FORMAT}); 'quiz export room -o {path}' writes one", FALSE)
    found: dict[str, Poll] = {}
    for number, poll in enumerate(said["polls"], 1):
        if problem := wrong_with(poll):
            name = poll["id"] if isinstance(poll, dict) and isinstance(poll.get("id"), str) else f"number {number}"
            raise Refusal(f"{path}: poll {name[:60]}: {problem}; export it again", FALSE)
        if poll["id"] in found:
            raise Refusal(f"{path}: poll {poll['id'][:60]} stands there twice; export it again", FALSE)
        found[poll["id"]] = poll
    return found


def wrong_with(poll: object) -> str:
    """What is wrong with one poll; nothing when all is well."""
    if not isinstance(poll, dict) or (bad := _misshapen(poll, TEXTS)):
        return bad if isinstance(poll, dict) else "it is no object"
    options = poll["options"]
    if not all(isinstance(option, dict) and not _misshapen(option, OPTION) for option in options):
        return "an option is not as it should be"
    ids = [option["id"] for option in options]
    right = sum(option["correct"] for option in options)
    if len(set(ids)) != len(ids) or not 2 <= len(ids) <= 12:
        return "it needs from 2 to 12 different options"
    if poll["type"] == "numeric" and (bad := _no_numbers(poll)):
        return bad
    if poll["type"] not in ("single", "multiple", "numeric") or right != poll["select"] or not 1 <= right < len(ids):
        return f"it asks for {poll['select']} options, and {right} are right"
    texts = [poll["stem_html"], poll["case_html"], poll["criterion_html"]]
    texts += [option[name] for option in options for name in ("html", "why_html")]
    found = next(filter(None, map(harmful, texts)), "")
    return f"a text holds {found}, which is not let into a page" if found else ""


def _no_numbers(poll: Mapping[str, Any]) -> str:
    """What a poll that asks for a number lacks."""
    given = [poll.get("tolerance"), *(option.get("value") for option in poll["options"])]
    if not isinstance(poll.get("unit"), str) or not all(
        isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one) for one in given
    ):
        return "its unit, its tolerance or a value is missing"
    return "it asks for one number" if poll["select"] != 1 else ""


def _misshapen(given: Mapping[str, Any], shape: Mapping[str, type]) -> str:
    for name, kind in shape.items():
        value = given.get(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            return f"'{name}' is missing, or is not what it should be"
    return ""
