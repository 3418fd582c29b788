"""The directive {explorer}: a page's sliders over the course's own formulas, without a kernel.

    ```{explorer} break-even
    ```

The controls stand in the page; `web/explorers.js` makes them answer. The script and the style load on such pages only, the data stand in
the page, so it works from a folder too. Where there is no script, a table of the settings it begins with stands in its place.
"""

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from explorers import data, forms
from labs.facts.sphinx import depend_on

WEB = Path(__file__).parent / "web"


class ExplorerNode(nodes.General, nodes.Element):
    """One explorer, as HTML."""


class Explorer(SphinxDirective):
    """```{explorer} break-even``` or ```{explorer} memory```."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The controls, the data, and the place of the answer."""
        kind = self.arguments[0]
        if kind not in forms.FORMS:
            raise self.error(f"there is no explorer '{kind}'; there are {', '.join(forms.FORMS)}")
        depend_on(self.env, *data.fact_ids())
        for path in data.FILES:
            self.env.note_dependency(str(path))
        made = data.data()
        # In a script element only "</" could end it early.
        text = json.dumps(made, separators=(",", ":")).replace("</", "<\\/")
        html = forms.FORMS[kind](made)
        return [ExplorerNode(html=f'{html}<script type="application/json" id="dd-explorer-data">{text}</script>')]


def _visit(translator: Any, node: ExplorerNode) -> None:
    translator.body.append(node["html"])
    raise nodes.SkipNode


def _skip(translator: Any, node: ExplorerNode) -> None:  # noqa: ARG001 - the shape that Sphinx calls
    raise nodes.SkipNode


def _assets(app: Sphinx, _page: str, _template: str, _context: dict[str, Any], doctree: nodes.document | None) -> None:
    if doctree is not None and next(iter(doctree.findall(ExplorerNode)), None) is not None:
        # Of the builder, not of the application: the latter would note them down as files of every page.
        app.builder.add_css_file("explorers.css")  # type: ignore[attr-defined]
        app.builder.add_js_file("explorers.js", defer="defer")  # type: ignore[attr-defined]


def _start(app: Sphinx) -> None:
    app.config.html_static_path.append(str(WEB))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Sphinx's entry point."""
    app.add_node(ExplorerNode, html=(_visit, None), latex=(_skip, None), text=(_skip, None))
    app.add_directive("explorer", Explorer)
    app.connect("builder-inited", _start)
    app.connect("html-page-context", _assets, priority=400)  # before anyone sorts the page's scripts
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
