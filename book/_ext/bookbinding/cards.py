"""The picture that a page is shared with: its title, what kind of page it is, and the course's mark. 1200 by 630 pixels, as readers of Open Graph expect.

A shared picture needs a whole address, so there are cards only where BOOK_URL says where the site will stand.
"""

import textwrap
from html import escape, unescape
from pathlib import Path
from re import sub
from typing import Any

import vl_convert
from docutils import nodes
from sphinx.application import Sphinx

from bookbinding import tokens

WIDTH, HEIGHT = 1200, 630
FOLDER = "_static/cards"
FONT = "Liberation Sans, Arial, sans-serif"
MARK = (
    '<circle cx="12" cy="5" r="4.5" fill="{bedrock}"/><rect x="2" y="12.5" width="9" height="9" rx="1" fill="{sagemaker}"/>'
    '<path d="m18 12 5.3 9.5H12.7z" fill="{own}"/>'
)


def svg(title: str, about: str, course: str, theme: tokens.Theme) -> str:
    """The card's drawing; a title takes three lines at most, and what the page is about two."""
    size, per_line = (84, 25) if len(title) <= 40 else (68, 31)
    title_lines = textwrap.wrap(title, per_line, max_lines=3, placeholder=" …")
    about_lines = textwrap.wrap(about, 68, max_lines=2, placeholder=" …")
    top = 220
    rows = [
        f'<text x="80" y="{top + n * size * 1.15:.0f}" font-size="{size}" font-weight="700" fill="{theme["ink"]}">{escape(line)}</text>'
        for n, line in enumerate(title_lines)
    ]
    below = top + (len(title_lines) - 1) * size * 1.15 + 75
    rows += [
        f'<text x="80" y="{below + n * 44:.0f}" font-size="32" fill="{theme["ink-soft"]}">{escape(line)}</text>'
        for n, line in enumerate(about_lines)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="{FONT}">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{theme["paper"]}"/>'
        f'<g transform="translate(80 60) scale(2.6)">{MARK.format(**theme)}</g>'
        f'<text x="160" y="101" font-size="34" font-weight="700" fill="{theme["ink"]}">{escape(course)}</text>{"".join(rows)}</svg>'
    )


def _share(
    app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: nodes.document | None
) -> None:
    """Draw the page's card when the page is written, and give the template its address."""
    context["card"] = ""
    if app.builder.name != "html" or not app.config.html_baseurl or pagename not in app.env.all_docs:
        return
    light, _ = tokens.themes(Path(app.srcdir) / "_static" / "tokens.css")
    title = unescape(sub(r"<[^>]+>", "", str(context.get("title") or "")))
    name = f"{FOLDER}/{pagename.replace('/', '-')}.png"
    target = Path(app.outdir) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(
        vl_convert.svg_to_png(
            svg(title, context.get("description") or "", app.config.html_title or app.config.project, light)
        )
    )
    context["card"] = f"{app.config.html_baseurl}{name}"


def setup(app: Sphinx) -> None:
    """Connect to the moment before a page is written, once its description is known."""
    app.connect("html-page-context", _share, priority=960)
