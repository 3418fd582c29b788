"""The sentences of a page: front matter, code, directives' options and what stands in roles left out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BOOK = Path(__file__).parents[2]
FENCE = re.compile(r"^(\s*)(`{3,}|~{3,}|:{3,})(.*)$")
SILENT = (
    "{chart}",
    "{diagram}",
    "{quiz}",
    "{facts}",
    "{claims}",
    "{exam}",
    "{pretest}",
    "{explorer}",
    "{calibration}",
    "{image}",
)
"""directives without sentences of the page's own; so is any fence with a language or with nothing"""
ROLE = re.compile(r"\{[a-z-]+\}`[^`]*`")
CODE = re.compile(r"`[^`]*`")
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)[^)]*\)")


@dataclass(frozen=True)
class Line:
    """A line of prose, and where it stands."""

    number: int
    text: str


def all_pages(folder: Path = BOOK) -> list[Path]:
    """Every page that a person wrote."""
    own = [path for path in folder.rglob("*.md") if not {"_ext", "_build", "_static", "_templates"} & set(path.parts)]
    return sorted(own)


def prose(text: str) -> Iterator[Line]:
    """The lines that are read as sentences, with roles and code taken out and links reduced to their words."""
    fences: list[tuple[str, bool]] = []
    lines = text.splitlines()
    start = 0
    if lines and lines[0] == "---":
        start = lines.index("---", 1) + 1
    for number, line in enumerate(lines[start:], start + 1):
        if fence := FENCE.match(line):
            mark, info = fence[2], fence[3].strip()
            if fences and not info and mark.startswith(fences[-1][0]):
                fences.pop()
            else:
                silent = not info.startswith("{") or info.startswith(SILENT) or info.startswith("{code")
                fences.append((mark, silent))
            continue
        if any(silent for _, silent in fences) or line.startswith((":", "%")):
            continue
        yield Line(number, CODE.sub(" ", ROLE.sub(" ", LINK.sub(r"\1", line))))


def links(text: str) -> Iterator[tuple[int, str]]:
    """Every address that the page links to, with its line."""
    for number, line in enumerate(text.splitlines(), 1):
        for found in LINK.finditer(line):
            yield number, found[2]
