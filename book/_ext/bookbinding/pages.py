"""The page as a whole: what its templates are given, and which of its styles and scripts go into the site's two files.

A style or script that an extension registers for every page goes into the bundle (`styles`, `scripts`); one that is added
to a single page stays a file of its own, so only the pages that use it pay for it.
"""

import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

from bookbinding import lessons, scripts, styles
from bookbinding.downloads import is_lab
from bookbinding.icons import icon

logger = logging.getLogger(__name__)
_RELATIVE = re.compile(r'\b(href|src|action)="(?![#/]|\w+:)([^"]*)"')


def _address(_app: Sphinx, config: Config) -> None:
    """Where the site will stand, from BOOK_URL: for canonical links, shared links and the page for lost readers."""
    address = str(os.environ.get("BOOK_URL", config.html_baseurl)).rstrip("/")
    config.html_baseurl = f"{address}/" if address else ""


def _dress(
    app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: nodes.document | None
) -> None:
    """Give the templates what they need, after every other extension has had its say."""
    meta = context.get("meta") or {}
    context["icon"] = icon
    context["page_styles"] = styles.only_here(app, context.get("css_files", ()))
    context["page_scripts"] = scripts.only_here(app, context.get("script_files", ()))
    context["description"] = lessons.description(meta)
    context["is_lab"] = is_lab(pagename)
    context["notebook_name"] = f"{Path(pagename).name}.ipynb"
    context["lab_slug"] = Path(pagename).name
    context["source_file"] = source_file(pagename) if pagename in app.env.all_docs else ""
    context["edit_url"] = str(os.environ.get("BOOK_EDIT_URL", "")).rstrip("/")
    # Sphinx's writer adds a viewport of its own to the one in the layout.
    context["metatags"] = re.sub(r'<meta name="viewport"[^>]*>\s*', "", context.get("metatags") or "")


def source_file(pagename: str) -> str:
    """Where a page is written, from the top of the repository; the labs' pages are the notebooks."""
    return f"notebooks/{Path(pagename).name}.md" if is_lab(pagename) else f"book/{pagename}.md"


def root_address(config: Config) -> str:
    """The path below which the site will stand, `/` if it is not said."""
    return "/" + "/".join(config.html_baseurl.split("/")[3:])


def from_root(page: str, root: str) -> str:
    """A page with its relative addresses made absolute: the one that is shown for an address at any depth."""
    return _RELATIVE.sub(lambda match: f'{match[1]}="{root}{match[2]}"', page)


def setup(app: Sphinx) -> None:
    """Connect to the configuration and to every page."""
    app.connect("config-inited", _address)
    app.connect("html-page-context", _dress, priority=950)
