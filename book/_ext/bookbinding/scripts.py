"""One deferred script for the site: what every page uses, joined and minified. The rest is left out, or stays with its page."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import rjsmin
from sphinx.application import Sphinx

from bookbinding.styles import name_of

ORDER = (
    "documentation_options.js",
    "doctools.js",
    "sphinx_highlight.js",
    "clipboard.min.js",
    "copybutton.js",
    "design-tabs.js",
)
"""The libraries' scripts that every page uses, in the order in which they need each other; the book's own come after them."""

UNUSED = (
    "scripts/pydata-sphinx-theme.js",  # page.js does what we use of it, without laying a long page out again for each box
    "scripts/bootstrap.js",  # its menus and tooltips are switched off
    "scripts/fontawesome.js",  # 1.5 MB; the book has icons of its own
    "scripts/sphinx-book-theme.js",  # full screen and margin notes, neither of which we have
    "searchtools.js",
    "language_data.js",
    "searchindex.js",  # the search page brings these three itself
)


def own(app: Sphinx) -> list[str]:
    """The book's own scripts; Jupyter Book has put them on every page."""
    return sorted(path.name for path in (Path(app.srcdir) / "_static").glob("*.js"))


def everywhere(app: Sphinx) -> list[str]:
    """The scripts of every page, in order."""
    return [*ORDER, *own(app)]


def only_here(app: Sphinx, assets: Iterable[Any]) -> list[Any]:
    """Of a page's scripts those that are neither in the bundle nor unused; inline settings of the theme's are dropped."""
    known = {*everywhere(app), *UNUSED}
    return [asset for asset in assets if (name := name_of(asset)) and name not in known]


def join(static: Path, names: Iterable[str]) -> str:
    """Scripts one after the other, each minified and closed."""
    return "\n".join(_read(static / name) for name in names if (static / name).exists())


def _read(path: Path) -> str:
    text = re.sub(r"//# sourceMappingURL.*", "", path.read_text("utf-8"))
    if path.name == "design-tabs.js":
        # It looks for a setting on its own script element, which it no longer has.
        text = text.replace(
            'document.currentScript?.getAttribute("data-sd-tabs-storage-prefix")', '"sphinx-design-tab-id-"'
        )
    if path.name == "sphinx_highlight.js":
        # A found word in a diagram's title or description has no box to mark.
        text = text.replace("if (isInSVG) {", "if (isInSVG && !parent.getBBox) return;\n      if (isInSVG) {", 1)
    return str(rjsmin.jsmin(text)).strip().rstrip(";") + ";"


def bundle(app: Sphinx) -> str:
    """The site's script."""
    return join(Path(app.outdir) / "_static", everywhere(app))
