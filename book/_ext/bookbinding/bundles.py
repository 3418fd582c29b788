"""The end of a build: write the site's stylesheet and script, stamp the pages with their versions, sweep away what nobody asks for."""

import filecmp
import hashlib
import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx

from bookbinding import scripts, styles
from bookbinding.pages import from_root, root_address

_VERSION = re.compile(r"(site\.(?:css|js))\?v=\w+")


def _finish(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.name != "html":
        return
    static = Path(app.outdir) / "_static"
    _copy_static(app, static)
    pages = {
        path: path.read_text("utf-8") for path in sorted(Path(app.outdir).rglob("*.html")) if static not in path.parents
    }
    script = scripts.bundle(app)
    style = styles.bundle(app, pages.values(), script)
    versions = {}
    for name, text in (("site.js", script), ("site.css", style)):
        _write(static / name, text)
        versions[name] = hashlib.sha256(text.encode()).hexdigest()[:10]
    lost = Path(app.outdir) / "404.html"
    if lost in pages:
        pages[lost] = from_root(pages[lost], root_address(app.config))
    for path, text in pages.items():
        _write(path, _VERSION.sub(lambda m: f"{m[1]}?v={versions[m[1]]}", text))


def _copy_static(app: Sphinx, static: Path) -> None:
    """Bring changed styles and scripts over: Sphinx does so only in a build that writes a page."""
    for entry in app.config.html_static_path:
        folder = Path(app.srcdir) / entry
        for source in sorted(folder.rglob("*")) if folder.is_dir() else ():
            target = static / source.relative_to(folder)
            if source.is_file() and (not target.exists() or not filecmp.cmp(source, target, shallow=False)):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)


def _write(path: Path, text: str) -> None:
    """Write only what is new, so that an unchanged build leaves every file as it was."""
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def setup(app: Sphinx) -> None:
    """Connect to the end of the build, after everyone else."""
    app.connect("build-finished", _finish, priority=900)
