"""Formulas as MathML, which browsers draw themselves: no script, no fonts, and nothing fetched from anywhere.

In MyST: {math}`L = \\lambda W`, or a ```{math}``` block.
"""

from importlib import import_module

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)


def mathml(latex: str, block: bool) -> str:
    """LaTeX as a MathML element; raises ValueError if it is not LaTeX that we can convert."""
    try:
        converter = import_module("latex2mathml.converter")
    except ImportError:
        raise ValueError("a formula needs the package latex2mathml, which is not installed") from None
    try:
        return str(converter.convert(latex, display="block" if block else "inline"))
    except Exception as error:  # the library has one exception class for each of many faults
        raise ValueError(f"cannot convert the formula {latex!r}: {type(error).__name__} {error}") from error


def _visit(translator: HTML5Translator, node: nodes.Element, block: bool) -> None:
    try:
        markup = mathml(node.astext(), block)
    except ValueError as problem:
        logger.warning("%s", problem, location=node)
        markup = translator.encode(node.astext())
    translator.body.append(f'<div class="math">{markup}</div>' if block else markup)
    raise nodes.SkipNode


def _inline(translator: HTML5Translator, node: nodes.math) -> None:
    _visit(translator, node, block=False)


def _block(translator: HTML5Translator, node: nodes.math_block) -> None:
    _visit(translator, node, block=True)


def setup(app: Sphinx) -> None:
    """Register the renderer; `_config.yml` chooses it."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
