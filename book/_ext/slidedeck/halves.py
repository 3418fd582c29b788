"""A diagram that is taller than a slide stands there in two halves, side by side; a sequence's heads stand above both.

The cut goes where it meets no box and no word, as near to the middle as there is such a place.
"""

import copy
import re
from collections import Counter
from xml.etree import ElementTree

from bookbinding import drawings
from bookbinding.diagrams import Diagram
from docutils import nodes

WIDTH, HEIGHT, GAP = 1_112.0, 470.0, 32.0
"""What a slide has for a drawing, and what stands between two halves; pixels at 1280 by 720."""
WORTH = 1.3
"""So much larger must two halves be than the whole."""
LEGIBLE = 0.55
"""Below this part of its size nobody reads a drawing's words: then better two halves, though more than one line is torn."""
LINE = 19.0
"""A line of a diagram's words is so high."""
Span = tuple[float, float]


class SlideDiagram(Diagram):
    """As in a lesson; in halves where that makes its words larger."""

    def run(self) -> list[nodes.Node]:
        """The drawing, whole or in two columns."""
        made = super().run()
        for node in made:
            if isinstance(node, nodes.raw):
                html = re.sub(
                    r"<svg.*</svg>", lambda found: in_halves(found[0]), node.astext(), count=1, flags=re.DOTALL
                )
                node.children[:] = [nodes.Text(html)]
                node.rawsource = html
        return made


def in_halves(svg: str) -> str:
    """The drawing as it is, or its two halves."""
    root = drawings.parse(svg)
    x, y, width, height = (float(part) for part in root.get("viewBox", "0 0 1 1").split())
    whole = min(WIDTH / width, HEIGHT / height)
    spans = list(occupied(root))
    head = head_of(root)
    cut = cut_near(y + height / 2, spans, (y + 0.3 * height, y + 0.7 * height))
    tallest = max(cut - y, y + height - cut + head)
    halved = min((WIDTH - GAP) / 2 / width, HEIGHT / tallest)
    torn = sum(top < cut < bottom for top, bottom in connections(root))
    if halved < WORTH * whole or (not head and torn > 1 and whole >= LEGIBLE):
        return svg
    first = part_of(root, (x, y, width, cut - y))
    second = part_of(root, (x, cut, width, y + height - cut), hidden=True)
    above = part_of(root, (x, y, width, head), hidden=True, kind="head") if head else ""
    return f'<div class="halves"><div>{first}</div><div>{above}{second}</div></div>'


def part_of(
    root: ElementTree.Element, box: tuple[float, float, float, float], hidden: bool = False, kind: str = ""
) -> str:
    """The same drawing, seen through a window."""
    seen = copy.deepcopy(root)
    seen.set("viewBox", " ".join(f"{each:g}" for each in box))
    seen.set("style", f"aspect-ratio:{box[2]:g}/{box[3]:g};overflow:hidden")
    seen.set("preserveAspectRatio", "xMidYMin meet")
    if kind:
        seen.set("class", kind)
    if hidden:  # told once is enough
        for name in ("aria-labelledby", "aria-describedby", "role"):
            seen.attrib.pop(name, None)
        seen.set("aria-hidden", "true")
        for told in [each for each in seen if each.tag in (drawings.tag("title"), drawings.tag("desc"))]:
            seen.remove(told)
    return drawings.write(seen)


def occupied(root: ElementTree.Element) -> list[Span]:
    """From where to where boxes and words reach, downwards."""
    found: list[Span] = []
    for element in _placed(root):
        if element.tag == drawings.tag("rect"):
            top = float(element.get("y", "0"))
            found.append((top, top + float(element.get("height", "0"))))
        elif element.tag == drawings.tag("path") and element.get("fill") != "none" and (reach := _reach(element)):
            found.append(reach)
        elif element.tag == drawings.tag("text"):
            lines = max(1, len(element.findall(drawings.tag("tspan"))))
            first = float(element.get("y", "0"))
            found.append((first - LINE, first + LINE * (lines - 0.6)))
    return found


def connections(root: ElementTree.Element) -> list[Span]:
    """From where to where lines reach, downwards; a sequence's lifelines too."""
    paths = [each for each in _placed(root) if each.tag == drawings.tag("path") and each.get("fill") == "none"]
    return [reach for each in paths if (reach := _reach(each))]


def _reach(path: ElementTree.Element) -> Span | None:
    """Of its points: D2 writes absolute coordinates, x before y."""
    numbers = [float(each) for each in re.findall(r"-?\d+(?:\.\d+)?", path.get("d", ""))]
    return (min(numbers[1::2]), max(numbers[1::2])) if len(numbers) > 1 else None


def _placed(root: ElementTree.Element) -> list[ElementTree.Element]:
    """What stands where its attributes say: not masks, and not the families' badges, which are moved."""
    apart = [
        *root.iter(drawings.tag("mask")),
        *(each for each in root.iter() if "badge" in each.get("class", "").split()),
    ]
    inside = {part for each in apart for part in each.iter()}
    return [each for each in root.iter() if each not in inside]


def head_of(root: ElementTree.Element) -> float:
    """How high the heads of a sequence are: a row of three boxes or more at the top. 0 for another diagram."""
    boxes = [each for each in _placed(root) if each.tag == drawings.tag("rect")]
    if not boxes:
        return 0.0
    rows = Counter((each.get("y"), each.get("height")) for each in boxes)
    top = min(float(each.get("y", "0")) for each in boxes)
    [((row, height), count)] = rows.most_common(1)
    y = float(root.get("viewBox", "0 0 1 1").split()[1])
    return top - y + float(height or 0) + 6 if count >= 3 and float(row or 0) == top else 0.0


def cut_near(middle: float, spans: list[Span], within: Span) -> float:
    """The place nearest to the middle, and within these bounds, that meets none of the spans; the middle where there is none."""
    edges = [middle, *(top - 4 for top, _ in spans), *(bottom + 4 for _, bottom in spans)]
    free = [at for at in edges if within[0] <= at <= within[1] and not any(top < at < bottom for top, bottom in spans)]
    return min(free, key=lambda at: abs(at - middle), default=middle)
