"""The directive {what-it-costs}: every target's worst case by dimension, worked out from the register when the book is built."""

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from labs.facts.register import DATA
from labs.targets import costs
from labs.targets.stacked import SHEETS


class WhatItCosts(SphinxDirective):
    """The tables, their headings those of the page."""

    def run(self) -> list[nodes.Node]:
        """Sections, as the page's own Markdown would give them."""
        for path in (*DATA.rglob("*.yaml"), *SHEETS.glob("*.md")):
            self.env.note_dependency(str(path))
        holder = nodes.Element()
        text = StringList(costs.markdown().splitlines(), source=costs.__file__)
        self.state.nested_parse(text, self.content_offset, holder, match_titles=True)
        return holder.children


def setup(app: Sphinx) -> ExtensionMetadata:
    """Sphinx's entry point."""
    app.add_directive("what-it-costs", WhatItCosts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
