"""Tables on a phone: one that is too wide for it is stacked there, each cell on a line of its own with its column's name before it.

Whether a table is too wide is judged from its text, since a build has no window: a column is as wide as its longest word, or as a
dozen characters where a cell has that many.
"""

import re
from html import escape, unescape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

PHONE = 42
"""characters on a line at 390 pixels"""
PHONE_SMALL = 46
"""and in the smaller letters of a table of figures"""
COMFORTABLE = 12
"""A column of sentences that is narrower than this many characters is a column of single words."""
GAP = 2

_TABLE = re.compile(r"<table\b[^>]*>(?:(?!<table\b).)*?</table>", re.S)
_HEAD = re.compile(r"<thead>\s*<tr\b[^>]*>(.*?)</tr>\s*</thead>", re.S)
_ROW = re.compile(r"<tr\b[^>]*>.*?</tr>", re.S)
_CELL = re.compile(r"<(t[hd])\b([^>]*)>(.*?)</\1>", re.S)


def text_of(html: str) -> str:
    """What a reader sees of a piece of HTML."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", re.sub(r"</p>|<br\s*/?>", " ", html))).split())


def characters(rows: list[list[str]], comfortable: int = COMFORTABLE) -> int:
    """How many characters wide a table of these texts wants to be."""
    return sum(GAP + max(_longest(cell, comfortable) for cell in column) for column in zip(*rows, strict=True))


def _longest(cell: str, comfortable: int) -> int:
    return max(min(len(cell), comfortable), *map(len, re.split(r"[\s‑-]+", cell)))


def for_a_phone(table: re.Match[str]) -> str:
    """The table with what a phone needs of it: `narrow` for one of figures that fits in smaller letters, `stacks` for one that does not fit.

    As it was when it fits, or has no heads, or cells that span.
    """
    html, head = table[0], _HEAD.search(table[0])
    if head is None or "colspan" in html or "rowspan" in html:
        return html
    names = [text_of(cell[3]) for cell in _CELL.finditer(head[1])]
    start, body = html[: head.end()], html[head.end() :]
    rows = [[text_of(cell[3]) for cell in _CELL.finditer(row[0])] for row in _ROW.finditer(body)]
    if len(names) < 3 or any(len(row) != len(names) for row in rows) or characters([names, *rows]) <= PHONE:
        return html
    short = all(len(cell) <= COMFORTABLE for row in rows for cell in row[1:])
    if short and characters([names, *rows], comfortable=0) <= PHONE_SMALL:
        return _classed(start, "narrow") + body

    def named(row: re.Match[str]) -> str:
        labels = iter(names)
        return _CELL.sub(lambda cell: _labelled(cell, next(labels)), row[0])

    return _classed(start, "stacks") + _ROW.sub(named, body)


def _classed(start: str, name: str) -> str:
    if re.match(r"<table\b[^>]*\bclass=", start):
        return start.replace('class="', f'class="{name} ', 1)
    return start.replace("<table", f'<table class="{name}"', 1)


def _labelled(cell: re.Match[str], name: str) -> str:
    kind, attributes, html = cell[1], cell[2], cell[3]
    label = f' data-label="{escape(name)}"' if name else ""
    return f"<{kind}{attributes}{label}>{html}</{kind}>"


def _stack(_app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: nodes.document | None) -> None:
    if isinstance(context.get("body"), str):
        context["body"] = _TABLE.sub(for_a_phone, context["body"])


def setup(app: Sphinx) -> None:
    """Connect to the moment before a page is written, after the mends, which name the rows."""
    app.connect("html-page-context", _stack, priority=920)
