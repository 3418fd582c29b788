"""A book in miniature: pages of a test's own, built with the real book's extensions, look and templates."""

import io
import shutil
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

BOOK = Path(__file__).parents[2] / "book"

Pages = dict[str, str]


@dataclass(frozen=True)
class Built:
    """What a miniature book became."""

    folder: Path
    html: Path
    warnings: str
    bodies: Pages
    """Each page's text before the mends."""

    def page(self, name: str) -> str:
        return (self.html / f"{name}.html").read_text("utf-8")


def build(folder: Path, pages: Pages, static: Pages | None = None, **settings: object) -> Built:
    """Build pages with the book's own extensions, look and templates. An `index` lists them all.

    A second build in the same folder builds what has changed; `static` replaces files of `_static`.
    """
    source = folder / "source"
    for name in ("_static", "_templates", "_assets"):
        shutil.copytree(BOOK / name, source / name, dirs_exist_ok=True)
    for name, text in (static or {}).items():
        (source / "_static" / name).write_text(text, "utf-8")
    listed = "\n".join(name for name in pages if name != "index")
    pages = {"index": f"---\ndescription: All.\n---\n# A book\n\n```{{toctree}}\n{listed}\n```\n", **pages}
    for name, text in pages.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        page = source / f"{name}.md"
        if not page.exists() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")
    warnings, bodies = io.StringIO(), {}

    def keep(_app: Sphinx, pagename: str, _template: str, context: dict[str, object], _doctree: nodes.document) -> None:
        bodies[pagename] = str(context.get("body", ""))

    configuration = {
        "extensions": ["myst_nb", "sphinx_copybutton", "sphinx_design", "sphinx_book_theme", "bookbinding"],
        "html_theme": "sphinx_book_theme",
        "html_title": "A book",
        "html_math_renderer": "mathml",
        "html_static_path": ["_static"],
        "html_additional_pages": {"404": "404.html"},
        "html_context": {"default_mode": "auto"},
        "html_favicon": "_assets/favicon.svg",
        "templates_path": ["_templates"],
        "nb_execution_mode": "off",
        "myst_enable_extensions": ["colon_fence"],
        "html_css_files": sorted(path.name for path in (BOOK / "_static").glob("*.css")),
        **settings,
    }
    with patch_docutils(str(source)), docutils_namespace():
        app = Sphinx(
            str(source),
            None,
            str(folder / "html"),
            str(folder / "doctrees"),
            "html",
            configuration,
            status=None,
            warning=warnings,
        )
        app.connect("html-page-context", keep, priority=1)
        app.build()
    return Built(source, folder / "html", warnings.getvalue(), bodies)
