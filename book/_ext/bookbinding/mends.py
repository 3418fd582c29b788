"""Small mends to the HTML of a page's text, where a library we stand on writes something that is not accessible or not light.

What the theme's own templates get wrong is put right in `_templates/`. Each mend here says whose fault it cures;
tests/book/test_mends.py holds that each still has something to do, so that a cured library sheds its mend.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx


@dataclass(frozen=True)
class Mend:
    """What is wrong, whose fault it is, and the text that replaces it."""

    why: str
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]


EMPTY_HEAD = r"<th[^>]*>\s*(?:<p>\s*</p>)?\s*</th>"


def name_rows(table: re.Match[str]) -> str:
    """A table whose corner is empty: its first column becomes the rows' names; a header row that is empty altogether goes."""
    html = re.sub(rf"<thead>\s*<tr[^>]*>\s*(?:{EMPTY_HEAD}\s*)+</tr>\s*</thead>", "", table[0])
    html = re.sub(rf"(<thead>\s*<tr[^>]*>\s*){EMPTY_HEAD}", r"\1<td></td>", html)
    head, body, rows = html.partition("<tbody>")
    rows = re.sub(r"(<tr[^>]*>\s*)<td([^>]*)>(.*?)</td>", r'\1<th scope="row"\2>\3</th>', rows, flags=re.S)
    return head + body + rows


MENDS = (
    Mend(
        "MyST-NB names the fold of a hidden cell 'Toggle hidden content' while it shows other words (axe: label-content-name-mismatch)",
        re.compile(r'<summary aria-label="Toggle hidden content">'),
        "<summary>",
    ),
    Mend(
        "docutils loads every picture at once, though most are far below the fold",
        re.compile(r"<img (?![^>]*\bloading=)"),
        '<img loading="lazy" decoding="async" ',
    ),
    Mend(
        "Markdown has no way to say that a table's rows are named: its corner is left empty, and announced all the same (axe: empty-table-header)",
        re.compile(rf"<table[^>]*>(?:(?!</table>|<th\b).)*<thead>\s*<tr[^>]*>\s*{EMPTY_HEAD}.*?</table>", re.S),
        name_rows,
    ),
    Mend(
        "Sphinx writes header cells without a scope, which some screen readers need in tables with a stub column",
        re.compile(r'<th class="head'),
        '<th scope="col" class="head',
    ),
)


def mend(body: str) -> str:
    """The page's text with every mend made."""
    for one in MENDS:
        body = one.pattern.sub(one.replacement, body)
    return body


def _mend_page(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: nodes.document | None
) -> None:
    if isinstance(context.get("body"), str):
        context["body"] = mend(context["body"])


def setup(app: Sphinx) -> None:
    """Connect to the moment before a page is written."""
    app.connect("html-page-context", _mend_page, priority=900)
