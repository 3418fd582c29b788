"""The directive {calibration}: every point's error, cross-validation and where not to trust the engine, worked out when the book is built."""

from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from labs.serving.calibration import report
from labs.serving.profiles import DATA as PROFILE_DATA


class Calibration(SphinxDirective):
    """The calibration report, its headings those of the page."""

    def run(self) -> list[nodes.Node]:
        """Sections, as the page's own Markdown would give them."""
        for folder in (Path(report.__file__).parent / "data", PROFILE_DATA):
            for path in folder.iterdir():
                self.env.note_dependency(str(path))
        holder = nodes.Element()
        text = StringList(report.markdown().splitlines(), source=report.__file__)
        self.state.nested_parse(text, self.content_offset, holder, match_titles=True)
        return holder.children


def setup(app: Sphinx) -> ExtensionMetadata:
    """Sphinx's entry point."""
    app.add_directive("calibration", Calibration)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
