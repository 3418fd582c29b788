"""The lab behind a page, to take away: `labs/06-squid.html` offers `labs/06-squid.ipynb`, without outputs.

Cells tagged `solution` stay in the book and are left out of the copy; so are cells tagged `book-only`.
"""

from pathlib import Path
from typing import Any

import jupytext
import nbformat
from docutils import nodes
from sphinx.application import Sphinx

LEFT_OUT = {"solution", "book-only"}
"""Tags of cells that the copy does not have."""


def copy_of(source: Path) -> nbformat.NotebookNode:
    """The notebook of a MyST source, as a learner gets it."""
    notebook: nbformat.NotebookNode = jupytext.read(source)  # type: ignore[no-untyped-call]
    notebook.cells = [cell for cell in notebook.cells if not LEFT_OUT & set(cell.metadata.get("tags", ()))]
    for number, cell in enumerate(notebook.cells):
        # Numbered instead of random, so that the same source makes the same file.
        cell["id"] = f"cell-{number:03d}"
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def is_lab(docname: str) -> bool:
    """Whether a page of the book is a lab."""
    return docname.startswith("labs/")


def _write(
    app: Sphinx, pagename: str, _template: str, _context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Write the copy whenever the lab's page is written."""
    if app.builder.name != "html" or doctree is None or not is_lab(pagename):
        return
    target = Path(app.outdir) / f"{pagename}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    notebook = copy_of(Path(app.env.doc2path(pagename)))
    target.write_text(f"{nbformat.writes(notebook)}\n", "utf-8")  # type: ignore[no-untyped-call]


def setup(app: Sphinx) -> None:
    """Connect to the moment before a page is written."""
    app.connect("html-page-context", _write)
