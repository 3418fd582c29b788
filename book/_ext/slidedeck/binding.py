"""Runs Sphinx over a deck's sources, with its builder for reveal.js: everything local, warnings returned.

warnings = binding.bind(Path("_build/slides-source"), Path("_build/slides"))      # "" is as it should be
"""

import io
import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

USED = ("LICENSE", "dist/reset.css", "dist/reveal.css", "dist/reveal.js", "plugin/notes")
"""Of reveal.js; the rest (themes, mathematics, code colours) would only make the decks large."""
WEB = Path(__file__).parent / "web"
SETTINGS = {
    "extensions": ["myst_parser", "sphinx_revealjs", "labs.facts.sphinx", "slidedeck"],
    "project": "The Deployment Dilemma",
    "html_title": "The Deployment Dilemma",
    "html_copy_source": False,
    "html_show_sourcelink": False,
    "html_math_renderer": "mathml",
    "language": "en",
    "myst_enable_extensions": ["colon_fence", "attrs_inline"],
    "suppress_warnings": ["myst.header"],
    "revealjs_style_theme": "slides.css",
    "revealjs_css_files": ["tokens.css"],
    "revealjs_js_files": [("slides.js", {"loading_method": "defer"})],
    "revealjs_script_plugins": [{"src": "revealjs/plugin/notes/notes.js", "name": "RevealNotes"}],
    "revealjs_use_section_ids": False,
    "revealjs_script_conf": {
        "width": 1280,
        "height": 720,
        "margin": 0,
        "center": False,
        "hash": True,
        "slideNumber": "c/t",
        "navigationMode": "linear",
        "transition": "none",
        "backgroundTransition": "none",
        "pdfSeparateFragments": False,
        "scrollActivationWidth": None,
    },
}


def bind(source: Path, out: Path) -> str:
    """Build all decks of a folder; returns the warnings."""
    warnings = io.StringIO()
    shutil.rmtree(out, ignore_errors=True)
    static = source / "_static"
    static.mkdir(exist_ok=True)
    for path in WEB.iterdir():
        shutil.copy(path, static / path.name)
    settings = SETTINGS | {
        "revealjs_static_path": [str(static)],
        "revealjs_script_conf": dict(SETTINGS["revealjs_script_conf"]),
    }  # type: ignore[call-overload]
    with patch_docutils(str(source)), docutils_namespace():
        app = Sphinx(
            str(source),
            None,
            str(out),
            str(source.parent / "slides-doctrees"),
            "revealjs",
            settings,
            status=None,
            warning=warnings,
            freshenv=True,
        )
        app.build(force_all=True)
    _keep_what_is_used(out / "_static" / "revealjs")
    return warnings.getvalue()


def _keep_what_is_used(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder comes before it
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif not name.startswith(USED):
            path.unlink()
