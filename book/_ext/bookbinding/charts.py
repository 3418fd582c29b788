"""Charts that a lab draws stand inline in the page: no request for each, and they follow the page's colours.

A cell's SVG output becomes a picture file in Sphinx's hands; before the page is written it is read back and put in place,
with the cell's description (`:alt:` of the output, or the drawing's own title) as its name.
"""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from bookbinding import drawings, tokens

logger = logging.getLogger(__name__)
OUTPUTS = "jupyter_execute"
"""The folder in which MyST-NB keeps what cells have drawn."""


class InlineCharts(SphinxPostTransform):
    """Replace pictures that cells have drawn as SVG by the drawings themselves."""

    default_priority = 5
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:  # noqa: ARG002 - Sphinx's signature
        """Walk over the page's pictures."""
        light, _ = tokens.themes(Path(self.app.srcdir) / "_static" / "tokens.css")
        number = 0
        for image in list(self.document.findall(nodes.image)):
            path = picture(Path(self.app.srcdir), image.get("uri", ""))
            if path is None:
                continue
            number += 1
            try:
                root = drawings.parse(path.read_text("utf-8"))
            except (drawings.DrawingError, OSError) as error:
                logger.warning("chart %s: %s", path.name, error, location=image)
                continue
            image.replace_self(
                nodes.raw("", inline(root, f"chart-{number}", image.get("alt", ""), light), format="html")
            )


def picture(source: Path, uri: str) -> Path | None:
    """The file of an SVG that a cell has drawn; None for any other picture."""
    if not uri.endswith(".svg") or OUTPUTS not in Path(uri).parts:
        return None
    return Path(uri) if Path(uri).is_absolute() else (source / uri)


def inline(root: Any, prefix: str, alt: str, light: tokens.Theme) -> str:
    """A chart as HTML."""
    title = root.findtext(drawings.tag("title")) or ""
    width, height = drawings.size(root)
    drawings.follow_theme(root, light)
    drawings.prefix_ids(root, prefix)
    drawings.describe(root, prefix, alt or title or "Chart", "")
    for side in ("width", "height"):
        root.attrib.pop(side, None)
    if not root.get("viewBox"):
        root.set("viewBox", f"0 0 {width:g} {height:g}")
    return f'<div class="drawing chart" style="--w:{width:.0f}px;--h:{height:.0f}"><div class="drawing-scroll">{drawings.write(root)}</div></div>'


def setup(app: Sphinx) -> None:
    """Register the transform."""
    app.add_post_transform(InlineCharts)
