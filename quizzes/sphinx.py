"""Questions in a page of the book.

    ```{quiz} 06-squid
    :items: squid-first-clock
    ```

The argument is a quiz of the bank. `:items:` picks some of its items; without it the page shows those that it has not shown yet.
The score stands below the last quiz of the page. A page is built again when the bank, or a figure in it, changes.
"""

from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from labs.errors import Refusal
from labs.facts.sphinx import depend_on
from quizzes import bank, figures, page
from quizzes.model import AnyItem, Quiz

WEB = Path(__file__).parent / "web"


class QuizNode(nodes.General, nodes.Element):
    """Some items of one quiz at one place of a page."""


def _ids(argument: str | None) -> list[str]:
    return (argument or "").replace(",", " ").split()


class QuizDirective(SphinxDirective):
    """```{quiz} slug```, with `:items:` if not all are meant."""

    required_arguments = 1
    has_content = False
    option_spec: ClassVar = {"items": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """A node that holds the filled items."""
        slug, folder = self.arguments[0], Path(self.config.quiz_bank)
        for path in sorted(folder.glob("*.yaml")):
            self.env.note_dependency(str(path))
        try:
            quiz = bank.load(slug, folder)
            items = self._chosen(quiz)
            depend_on(self.env, *(fact_id for entry in quiz.entries for fact_id in figures.fact_ids(entry)))
            filled = figures.fill_quiz(quiz)
        except (Refusal, figures.BadExpression) as refusal:
            raise self.error(f"{{quiz}} {slug}: {refusal}") from None
        shown = {item.id for item in items}
        node = QuizNode(quiz=filled, items=[item for item in filled.items if item.id in shown])
        self.set_source_info(node)
        return [node]

    def _chosen(self, quiz: Quiz) -> list[AnyItem]:
        wanted = _ids(self.options.get("items"))
        known = {item.id: item for item in quiz.items}
        if strange := [name for name in wanted if name not in known]:
            raise Refusal(f"there is no item '{strange[0]}'; there are: {', '.join(known)}")
        shown: set[str] = self.env.temp_data.setdefault("quiz_items_shown", set())
        if twice := [name for name in wanted if name in shown]:
            raise Refusal(f"'{twice[0]}' stands on this page already")
        chosen = [known[name] for name in wanted] or [item for name, item in known.items() if name not in shown]
        if not chosen:
            raise Refusal("this page shows every item of the quiz already")
        shown.update(item.id for item in chosen)
        return chosen


def _visit_html(translator: Any, node: QuizNode) -> None:
    last = [other for other in translator.document.findall(QuizNode) if other["quiz"].slug == node["quiz"].slug][-1]
    env, builder = translator.builder.env, translator.builder

    def link(slug: str) -> tuple[str, str] | None:
        if slug not in env.found_docs:
            return None
        title = env.titles[slug].astext() if slug in env.titles else slug
        return builder.get_relative_uri(builder.current_docname, slug), title

    setting = page.Setting(
        heading_level=min(translator.section_level + 1, 6),
        misconceptions=bank.misconceptions(Path(translator.builder.config.quiz_bank)),
        link_to_quiz=link,
        with_score=node is last,
    )
    translator.body.append(page.render_quiz(node["quiz"], node["items"], setting))
    raise nodes.SkipNode


def _visit_other(translator: Any, node: QuizNode) -> None:  # noqa: ARG001 - the shape that Sphinx calls
    raise nodes.SkipNode


def _assets(app: Sphinx, _page: str, _template: str, _context: dict[str, Any], doctree: nodes.document | None) -> None:
    """The script and the style on pages with a question, and on no others."""
    if doctree is not None and next(iter(doctree.findall(QuizNode)), None) is not None:
        # Of the builder, not of the application: the latter would note them down as files of every page.
        app.builder.add_css_file("quiz.css")  # type: ignore[attr-defined]
        app.builder.add_js_file("quiz.js", defer="defer")  # type: ignore[attr-defined]


def _start(app: Sphinx) -> None:
    """A server that rebuilds in one process must not show yesterday's bank."""
    bank.misconceptions.cache_clear()
    app.config.html_static_path.append(str(WEB))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Sphinx's entry point."""
    app.add_config_value("quiz_bank", str(bank.BANK), "env")
    app.add_node(
        QuizNode,
        html=(_visit_html, None),
        latex=(_visit_other, None),
        text=(_visit_other, None),
        man=(_visit_other, None),
        texinfo=(_visit_other, None),
    )
    app.add_directive("quiz", QuizDirective)
    for part in ("quizzes.exam.sphinx", "quizzes.pretest.sphinx", "quizzes.reference"):
        app.setup_extension(part)
    app.connect("builder-inited", _start)
    app.connect("html-page-context", _assets, priority=400)  # before anyone sorts the page's scripts
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
