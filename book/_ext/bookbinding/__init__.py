"""How the book is bound: Sphinx extensions that turn lessons into light, accessible pages.

One subject a module: `tokens` (the colours), `drawings` (SVG that follows them), `diagrams`, `charts` and `runs` (what is drawn),
`boxes` and `lessons` (what a page is made of), `icons`, `mends` (where the theme is at fault), `tables` (on a phone), `styles`, `scripts` and
`bundles` (two files instead of forty), `mathematics`, `downloads`, `knobs` (a lab's widgets), `pages` (the page as a whole), `cards` (what it is shared with).
"""

from importlib import import_module

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

MODULES = (
    "boxes",
    "lessons",
    "diagrams",
    "charts",
    "runs",
    "mathematics",
    "downloads",
    "knobs",
    "mends",
    "tables",
    "pages",
    "cards",
    "bundles",
)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Sphinx's entry point: let each module connect itself."""
    # Jupyter Book sets this always, for an extension that `_config.yml` leaves out.
    app.add_config_value("comments_config", {}, "", dict)
    for name in MODULES:
        import_module(f"bookbinding.{name}").setup(app)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
