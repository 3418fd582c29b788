"""The pretest of a page: ```{pretest}```. `web/pretest.js` asks one question after the other and makes the plan."""

import json
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from labs.errors import Refusal
from labs.facts.sphinx import depend_on
from quizzes import figures, page
from quizzes.pretest import draw, plan
from quizzes.text import about


class PretestNode(nodes.General, nodes.Element):
    """The twelve questions, and the lessons that a plan is made of."""


class PretestDirective(SphinxDirective):
    """```{pretest}```"""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """A node that holds questions and lessons."""
        folder, book = Path(self.config.quiz_bank), Path(self.env.srcdir)
        for path in (*sorted(folder.glob("*.yaml")), *sorted(book.glob("[0-9][0-9]-*.md"))):
            self.env.note_dependency(str(path))
        try:
            asked = draw.draw(folder)
        except (Refusal, figures.BadExpression) as refusal:
            raise self.error(f"{{pretest}}: {refusal}") from None
        depend_on(self.env, *dict.fromkeys(fact for one in asked for fact in one.item.facts), "exam.duration_min")
        node = PretestNode(asked=asked, lessons=plan.lessons(book))
        self.set_source_info(node)
        return [node]


def _visit_html(translator: Any, node: PretestNode) -> None:
    builder = translator.builder
    env = builder.env
    level = min(translator.section_level + 1, 6)
    setting = page.Setting(heading_level=level, with_score=False, with_reasons=False)
    listed = [
        {
            "slug": lesson.slug,
            "title": lesson.title,
            "href": builder.get_relative_uri(builder.current_docname, lesson.slug)
            if lesson.slug in env.found_docs
            else "",
            **{part: getattr(lesson, part) for part in ("read", "lab", "quiz", "exam")},
        }
        for lesson in node["lessons"]
    ]
    asked = node["asked"]
    items = "\n".join(
        f'<div class="dd-pretest-one" data-lesson="{one.lesson}">\n{page.render_item(one.item, setting)}\n</div>'
        for one in asked
    )
    seconds = sum(one.item.est_seconds for one in asked)
    translator.body.append(
        f'<dd-pretest class="dd-quiz" data-quiz="pretest" data-evening="{plan.EVENING_MIN}" data-level="{level}" '
        f'data-size="{len(asked)} questions, {about(seconds)}" data-lessons="{escape(json.dumps(listed))}">\n'
        f'<div class="dd-pretest-items">\n{items}\n</div>\n'
        '<p class="dd-quiz-note dd-no-script">Without JavaScript this page cannot make your plan; <code>quiz pretest</code> in a terminal does.</p>\n'
        "</dd-pretest>\n"
    )
    raise nodes.SkipNode


def _visit_other(translator: Any, node: PretestNode) -> None:  # noqa: ARG001 - the shape that Sphinx calls
    raise nodes.SkipNode


def _assets(app: Sphinx, _page: str, _template: str, _context: dict[str, Any], doctree: nodes.document | None) -> None:
    if doctree is not None and next(iter(doctree.findall(PretestNode)), None) is not None:
        app.builder.add_css_file("quiz.css")  # type: ignore[attr-defined]
        for name in ("quiz", "pretest"):
            app.builder.add_js_file(f"{name}.js", defer="defer")  # type: ignore[attr-defined]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Set up by `quizzes.sphinx`, whose bank and files these are."""
    other = (_visit_other, None)
    app.add_node(PretestNode, html=(_visit_html, None), latex=other, text=other, man=other, texinfo=other)
    app.add_directive("pretest", PretestDirective)
    app.connect("html-page-context", _assets, priority=410)  # its script stands after the questions' own
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
