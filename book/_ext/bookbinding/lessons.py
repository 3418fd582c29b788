"""A lesson's front matter, shown under its title: how long it takes, what it asks, what you can do after it.

---
description: Why synchronous model calls time out, and the queue that lets the caller stop waiting.
minutes: {read: 20, lab: 45, quiz: 8}
questions: ["Which clock rang?"]
objectives: ["Nest the time-outs."]
---
"""

import html
import json
from collections.abc import Mapping
from typing import Any

from docutils import nodes
from markdown_it import MarkdownIt
from sphinx.application import Sphinx
from sphinx.util import logging

from bookbinding.icons import icon

logger = logging.getLogger(__name__)

KINDS = {"read": "to read", "lab": "of lab", "quiz": "of questions"}
"""key of `minutes`: the words after its figure"""

_inline = MarkdownIt()


def front_matter(meta: Mapping[str, Any], key: str) -> Any:
    """A value of the page's front matter; MyST keeps lists and mappings as JSON text."""
    value = meta.get(key)
    if isinstance(value, str) and value[:1] in "[{":
        return json.loads(value)
    return value


def header(meta: Mapping[str, Any]) -> str:
    """The block under the title as HTML; empty for a page that is no lesson."""
    minutes = front_matter(meta, "minutes") or {}
    unknown = set(minutes) - set(KINDS)
    if unknown:
        raise ValueError(f"front matter: minutes of {', '.join(sorted(unknown))}? There are {', '.join(KINDS)}")
    parts = []
    times = [
        f"<li>{icon(kind)}<strong>{int(minutes[kind])} min</strong> {words}</li>"
        for kind, words in KINDS.items()
        if minutes.get(kind)
    ]
    if times:
        parts.append(f'<ul class="lesson-times">{"".join(times)}</ul>')
    lists = [
        f"<div><p>{title}</p><ul>{''.join(f'<li>{_inline.renderInline(str(line))}</li>' for line in lines)}</ul></div>"
        for title, lines in (
            ("Questions", front_matter(meta, "questions")),
            ("After it you can", front_matter(meta, "objectives")),
        )
        if lines
    ]
    if lists:
        parts.append(f'<div class="lesson-aims">{"".join(lists)}</div>')
    return f'<div class="lesson-header">{"".join(parts)}</div>' if parts else ""


def description(meta: Mapping[str, Any]) -> str:
    """The page's one-sentence description for search engines and shared links; empty if it has none."""
    return " ".join(str(front_matter(meta, "description") or "").split())


def _show(app: Sphinx, doctree: nodes.document) -> None:
    """Put the block under the page's title."""
    docname = app.env.docname
    meta = app.env.metadata.get(docname, {})
    try:
        block = header(meta)
    except (ValueError, TypeError, AttributeError) as error:
        logger.warning("%s", error, location=docname, type="lesson", subtype="front-matter")
        return
    if not description(meta) and not doctree.next_node(nodes.meta):
        logger.warning(
            "the page has no description; write `description: one sentence` into its front matter",
            location=docname,
            type="lesson",
            subtype="description",
        )
    title = doctree.next_node(nodes.title)
    if block and title is not None and title.parent is not None:
        title.parent.insert(title.parent.index(title) + 1, nodes.raw("", block, format="html"))


def escape(text: str) -> str:
    """Text for an HTML attribute."""
    return html.escape(text, quote=True)


def setup(app: Sphinx) -> None:
    """Connect to the moment when a page has been read (and its metadata collected)."""
    app.connect("doctree-read", _show, priority=900)
