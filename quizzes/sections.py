"""Where the course teaches what an item asks: the section of a lesson that names the same facts, else the lesson itself.

book = sections.Book.read(Path("book"))
book.teaches(item, home="06-squid", fallback=("06-squid",))    # Section('06-squid', 'How long a message hides', ...)
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quizzes.model import BaseItem

BOOK = Path(__file__).parents[1] / "book"
_HEADING = re.compile(r"^(#{1,4}) +(.+?)\s*$")
_FACT = re.compile(r"\{fact\}`([^`]+)`")
_ROLE = re.compile(r"\{[\w:-]+\}`([^`]*)`")
_MINUTES = re.compile(r"^minutes: *\{(.*)\}", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """A heading of a lesson and the facts below it."""

    lesson: str
    title: str
    anchor: str
    """empty for the lesson as a whole"""
    facts: frozenset[str] = frozenset()

    @property
    def href(self) -> str:
        """The address of the section in the site, from a page beside the lesson."""
        return f"{self.lesson}.html" + (f"#{self.anchor}" if self.anchor else "")


@dataclass(frozen=True)
class Book:
    """Lessons by slug: title, minutes and sections."""

    sections: tuple[Section, ...]
    minutes: dict[str, int]

    @classmethod
    def read(cls, folder: Path = BOOK) -> "Book":
        """Every numbered lesson of the folder; an empty book where there is none."""
        found: list[Section] = []
        minutes: dict[str, int] = {}
        for path in sorted(folder.glob("[0-9][0-9]-*.md")):
            text = path.read_text("utf-8")
            front = _MINUTES.search(text)
            minutes[path.stem] = sum(int(n) for n in re.findall(r"\d+", front.group(1))) if front else 0
            found.extend(_sections(path.stem, text))
        return cls(tuple(found), minutes)

    def lesson(self, slug: str) -> Section:
        """The lesson as a whole."""
        title = next((section.title for section in self.sections if section.lesson == slug), slug)
        return Section(slug, title, "")

    def teaches(self, item: BaseItem, home: str, fallback: Sequence[str]) -> Section:
        """The section with most of the item's facts, in its own lesson if it has one; else that lesson; else the first of `fallback`."""
        here = [s for s in self.sections if s.lesson == home] or list(self.sections)
        best = max(here, key=lambda section: len(section.facts & set(item.facts)), default=None)
        if best is not None and best.facts & set(item.facts):
            return best
        own = home if home in self.minutes else ""
        return self.lesson(own or next((slug for slug in fallback if slug in self.minutes), "01-decision"))


def _sections(slug: str, text: str) -> list[Section]:
    found: list[tuple[str, str, set[str]]] = []
    fence = ""
    for line in text.splitlines():
        mark = re.match(r"^(`{3,}|~{3,}|:{3,})", line)
        if mark and not fence:
            fence = mark.group(1)
        elif fence and line.strip() == fence:
            fence = ""
        heading = None if fence else _HEADING.match(line)
        if heading:
            title = _ROLE.sub(r"\1", heading.group(2)).replace("`", "").replace("*", "")
            found.append((title, "" if len(heading.group(1)) == 1 else _anchor(title), set()))
        elif found:
            found[-1][2].update(_FACT.findall(line))
    return [Section(slug, title, anchor, frozenset(named)) for title, anchor, named in found]


def _anchor(title: str) -> str:
    """As docutils makes an id of a title."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
