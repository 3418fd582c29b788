"""The directive {chart}: a chart from a run of the course's own engine, advisor or price arithmetic, made when the book is built.

    ```{chart} decision.load
    :title: How long does an answer take as the load grows?
    :desc: Flat at first, then steep: about eleven seconds at 10 requests a minute, nineteen at 100.
    ```

`decision.load` is the function `load` of `lessoncharts/decision.py`. The chart says under it where its figures come from, and has
them as a folded table behind it: nobody needs to read a value off a line.
"""

from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import vl_convert
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from bookbinding import charts, drawings, tokens
from labs.facts import register

logger = logging.getLogger(__name__)


class Chart(SphinxDirective):
    """A chart by the name of the function that makes it."""

    required_arguments = 1
    option_spec: ClassVar = {"title": directives.unchanged_required, "desc": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """The picture, its provenance, and its table."""
        module_name, _, name = self.arguments[0].partition(".")
        title, description = (" ".join(self.options.get(key, "").split()) for key in ("title", "desc"))
        if not title or not description:
            self._warn("a chart needs :title: and :desc:, for readers who cannot see it")
        try:
            module = import_module(f"lessoncharts.{module_name}")
            made = getattr(module, name)()
        except (ImportError, AttributeError) as missing:
            self._warn(f"there is no chart '{self.arguments[0]}': {missing}")
            return []
        self._depend(Path(str(module.__file__)))
        light, _ = tokens.themes(Path(self.env.srcdir) / "_static" / "tokens.css")
        drawing = charts.inline(
            quiet(drawings.parse(vl_convert.vegalite_to_svg(made.specification))),
            f"run-{self.env.new_serialno('chart') + 1}",
            f"{title} {description}",
            light,
        )
        caption = f"<figcaption>{title} <em>{made.provenance}</em></figcaption>"
        figure = nodes.raw("", f'<figure class="chart-of-a-run">{drawing}{caption}</figure>', format="html")
        self.set_source_info(figure)
        return [figure, *self._table(made.header, made.rows)]

    def _table(self, header: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> list[nodes.Node]:
        lines = ["```{dropdown} The figures behind this chart", "| " + " | ".join(header) + " |"]
        lines.append("|" + "--:|" * len(header))
        lines += ["| " + " | ".join(row) + " |" for row in rows]
        holder = nodes.Element()
        self.state.nested_parse(StringList([*lines, "```"], source=__file__), self.content_offset, holder)
        return holder.children

    def _depend(self, module: Path) -> None:
        for path in (module, module.with_name("__init__.py"), *register.installed().files()):
            self.env.note_dependency(str(path))

    def _warn(self, text: str) -> None:
        logger.warning(text, location=self.get_location(), type="chart", subtype="chart")


def quiet(root: Any) -> Any:
    """The drawing without Vega's words for every axis and mark: the description says it better."""
    for element in root.iter():
        for attribute in [key for key in element.attrib if key.startswith("aria-") or key == "role"]:
            del element.attrib[attribute]
    return root


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("chart", Chart)
