"""One stylesheet for the site: every style registered for all pages, joined, without the rules that no page uses, minified.

The theme brings 420 kB of CSS, most of it Bootstrap's; a page uses about a fifth.
"""

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import rcssmin
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

THEME = ("styles/theme.css", "styles/pydata-sphinx-theme.css", "styles/sphinx-book-theme.css")
"""Linked by the theme's layout, in this order, before what extensions register."""

_IMPORT = re.compile(r'@import\s+(?:url\()?["\']?([^"\')]+\.css)["\']?\)?\s*;')
_URL = re.compile(r"url\((['\"]?)(?!data:|#|https?:)([^'\")]+)\1\)")
_NAME = re.compile(r"[.#]((?:[\w-]|\\.)+)")
_SCRIPT = re.compile(r'<script[^>]*\ssrc="(?:[^"]*/)?_static/([^"?]+)')
_BRACE = re.compile(r"[{}]")
_NOT = re.compile(r":not\([^)]*\)|\[[^\]]*\]")
_EITHER = re.compile(r":(?:is|where)\(([^)]*)\)")
_COMMA = re.compile(r",(?![^()]*\))")
_NESTING = ("@media", "@supports", "@layer", "@container")


def name_of(asset: Any) -> str:
    """The file behind one of Sphinx's assets, without its checksum."""
    return str(getattr(asset, "filename", asset) or "").partition("?")[0].removeprefix("_static/")


def everywhere(app: Sphinx) -> list[str]:
    """The stylesheets of every page, in the order of the cascade: theme, extensions, and last the book's own."""
    own = sorted(path.name for path in (Path(app.srcdir) / "_static").glob("*.css"))
    registered = [name_of(name) for name, _ in app.registry.css_files]
    pygments = ["pygments.css", "basic.css"]
    others = [
        name
        for name in dict.fromkeys((*pygments, *registered))
        if name not in own and name not in THEME and "://" not in name
    ]
    return [*THEME, *others, *own]


def only_here(app: Sphinx, assets: Iterable[Any]) -> list[Any]:
    """Of a page's stylesheets those that are not in the bundle."""
    bundled = set(everywhere(app))
    return [asset for asset in assets if name_of(asset) not in bundled]


def join(static: Path, names: Iterable[str]) -> str:
    """The text of stylesheets one after the other, imports resolved and addresses made relative to `static`."""
    return "\n".join(_read(static, name) for name in names if (static / name).exists())


def _read(static: Path, name: str) -> str:
    folder = posixpath.dirname(name)

    def relative(css: str) -> str:
        return _URL.sub(lambda match: f"url({posixpath.normpath(posixpath.join(folder, match[2]))})", css)

    css = re.sub(r"@charset[^;]+;|/\*# sourceMappingURL.*?\*/", "", (static / name).read_text("utf-8"))
    parts, place = [], 0
    for statement in _IMPORT.finditer(css):
        parts.append(relative(css[place : statement.start()]))
        other = posixpath.normpath(posixpath.join(folder, statement[1]))
        if (static / other).exists():
            parts.append(_read(static, other))
        place = statement.end()
    return "".join([*parts, relative(css[place:])])


def words(page: str) -> set[str]:
    """The class names and ids of an HTML page."""
    found = re.findall(r'\s(?:class|id)="([^"]*)"', page)
    return {word for value in found for word in value.split()}


def purge(css: str, used: set[str]) -> str:
    """Leave out the rules whose selectors name a class or id that is not among `used`."""
    kept: list[str] = []
    for prelude, body in blocks(css):
        if body is None:
            kept.append(prelude)
        elif prelude.startswith(_NESTING):
            inner = purge(body, used)
            if inner.strip():
                kept.append(f"{prelude}{{{inner}}}")
        elif prelude.startswith("@font-face"):
            # The only fonts the theme ships are Font Awesome's, which the book's own icons replace.
            if "Awesome" not in body:
                kept.append(f"{prelude}{{{body}}}")
        elif prelude.startswith("@"):
            kept.append(f"{prelude}{{{body}}}")
        else:
            selectors = [one for one in _COMMA.split(prelude) if _is_used(one, used)]
            if selectors:
                kept.append(f"{','.join(selectors)}{{{body}}}")
    return "".join(kept)


def _is_used(selector: str, used: set[str]) -> bool:
    positive = _NOT.sub("", selector)
    if not all(name.replace("\\", "") in used for name in _NAME.findall(_EITHER.sub("", positive))):
        return False
    return all(any(_is_used(one, used) for one in group.split(",")) for group in _EITHER.findall(positive))


def blocks(css: str) -> Iterable[tuple[str, str | None]]:
    """A stylesheet's top-level rules as (prelude, body), statements without a body as (text, None)."""
    depth, place, opening = 0, 0, 0
    for brace in _BRACE.finditer(css):
        if brace[0] == "{":
            if depth == 0:
                opening = brace.start()
            depth += 1
            continue
        depth -= 1
        if depth == 0:
            statements, semicolon, prelude = css[place:opening].rpartition(";")
            if semicolon:
                yield statements + semicolon, None
            yield prelude.strip(), css[opening + 1 : brace.start()]
            place = brace.end()
    if css[place:].strip():
        yield css[place:], None


def bundle(app: Sphinx, pages: Iterable[str], script: str) -> str:
    """The site's stylesheet for these pages; a name that a script of theirs mentions counts as used."""
    static = Path(app.outdir) / "_static"
    used: set[str] = set()
    sources: set[str] = set()
    for page in pages:
        used |= words(page)
        sources |= set(_SCRIPT.findall(page))
    separate = [(static / name).read_text("utf-8") for name in sorted(sources) if (static / name).exists()]
    for text in (script, *separate):
        used |= set(re.findall(r"[A-Za-z_][\w-]+", text))
    css: str = rcssmin.cssmin(join(static, everywhere(app)))
    return purge(css, used)
