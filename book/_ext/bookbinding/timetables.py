"""The directive {timetable}: what a session takes, with the minutes that the lessons' own front matter says.

    ```{timetable} 9:00
    00-start: quiz
    01-decision: read, lab
    Coffee: 15
    ```

A line is a lesson and what is taken of it, or anything else and its minutes. Nobody adds up by hand, and a lesson that gets longer
moves everything after it.
"""

from dataclasses import dataclass
from pathlib import Path

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from bookbinding.lessons import KINDS

logger = logging.getLogger(__name__)

WORDS = {"read": "lesson", "lab": "lab", "quiz": "questions"}
"""kind of minutes: what it is called in a row"""


@dataclass(frozen=True)
class Row:
    """A stretch of a session."""

    what: str
    """A lesson's slug, or words."""
    parts: dict[str, int]
    """What is taken of a lesson, in minutes; empty key for what is no lesson."""

    @property
    def minutes(self) -> int:
        return sum(self.parts.values())


def clock(minutes: int) -> str:
    """Minutes since midnight as 9:05."""
    return f"{minutes // 60}:{minutes % 60:02}"


def lesson_minutes(page: Path) -> dict[str, int]:
    """The `minutes` of a page's front matter. Raises ValueError if it has none."""
    _, _, rest = page.read_text("utf-8").partition("---\n")
    found = (yaml.safe_load(rest.partition("\n---")[0]) or {}).get("minutes") or {}
    if not found:
        raise ValueError(f"{page.name} says no minutes")
    return {kind: int(found[kind]) for kind in KINDS if kind in found}


def rows(lines: list[str], book: Path) -> list[Row]:
    """A timetable's lines, read. Raises ValueError for a line that means nothing."""
    made = []
    for line in (line.strip() for line in lines if line.strip()):
        what, _, taken = (part.strip() for part in line.rpartition(":"))
        if taken.isdigit() and what:
            made.append(Row(what, {"": int(taken)}))
            continue
        page = book / f"{what}.md"
        if not what or not page.exists():
            raise ValueError(f"'{line}': a lesson and read, lab or quiz, or anything else and its minutes")
        has = lesson_minutes(page)
        kinds = [kind.strip() for kind in taken.split(",")]
        for kind in kinds:
            if kind not in has:
                raise ValueError(f"'{line}': {what} has minutes for {', '.join(has)}")
        made.append(Row(what, {kind: has[kind] for kind in kinds}))
    return made


class Timetable(SphinxDirective):
    """A session as a table: from when, what, how long."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """The table; its last line says when it ends and how much of it is lab."""
        book = Path(self.env.srcdir)
        try:
            hour, _, minute = self.arguments[0].partition(":")
            now = 60 * int(hour) + int(minute)
            made = rows(list(self.content), book)
        except ValueError as wrong:
            logger.warning("%s", wrong, location=self.get_location(), type="timetable", subtype="timetable")
            return []
        lines = ["| From | What | Minutes |", "|--:|---|--:|"]
        for row in made:
            page = book / f"{row.what}.md"
            what, minutes = row.what, str(row.minutes)
            if "" not in row.parts:
                self.env.note_dependency(str(page))
                what = f"[](/{row.what}.md): {', '.join(WORDS[kind] for kind in row.parts)}"
                if len(row.parts) > 1:
                    minutes = f"{' + '.join(str(part) for part in row.parts.values())} = {row.minutes}"
            lines.append(f"| {clock(now)} | {what} | {minutes} |")
            now += row.minutes
        together, labs = sum(row.minutes for row in made), sum(row.parts.get("lab", 0) for row in made)
        end = f"**End**, {labs} minutes of it in labs" if labs else "**End**"
        lines.append(f"| **{clock(now)}** | {end} | **{together}** |")
        holder = nodes.Element()
        self.state.nested_parse(StringList(lines, source=__file__), self.content_offset, holder)
        return holder.children


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("timetable", Timetable)
