"""SVG made fit to stand inside a page: it follows the page's colours, light and dark, and its ids collide with nobody's.

A drawing is made in the light theme's values (tokens.css), so it looks right anywhere; inside the page each value is
replaced by its name (`#1b6b3a` becomes `var(--dd-bedrock)`), so one drawing serves both themes.
"""

import re
from xml.etree import ElementTree

from bookbinding.tokens import Theme

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)

_HEX = re.compile(r"#(?:[0-9a-f]{6}|[0-9a-f]{3})\b", re.I)
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_COLOURED = ("fill", "stroke", "stop-color", "color", "flood-color", "style")


class DrawingError(ValueError):
    """The text is not an SVG drawing."""


def parse(svg: str) -> ElementTree.Element:
    """The drawing's root element."""
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise DrawingError(f"not well-formed: {error}") from error
    if root.tag != tag("svg"):
        raise DrawingError(f"the root element is {root.tag}, not svg")
    return root


def tag(name: str) -> str:
    """An SVG element's name as ElementTree spells it."""
    return f"{{{SVG}}}{name}"


def size(root: ElementTree.Element) -> tuple[float, float]:
    """Width and height in CSS pixels, from the viewBox, else from the attributes."""
    box = root.get("viewBox")
    if box:
        _, _, width, height = (float(part) for part in box.replace(",", " ").split())
        return width, height
    return tuple(float(re.sub(r"[a-z%]+$", "", root.get(side, "0"))) for side in ("width", "height"))  # type: ignore[return-value]


def follow_theme(root: ElementTree.Element, light: Theme) -> None:
    """Replace every colour that is one of the light theme's by its name; leave the others as they are."""
    names = {value: f"var(--dd-{name})" for name, value in light.items()}
    names |= {"white": names[light["paper"]], "black": names[light["ink"]], "#000000": names[light["ink"]]}
    masked = {part for mask in root.iter(tag("mask")) for part in mask.iter()}  # black and white there are not colours
    for element in root.iter():
        if element in masked:
            continue
        styled = dict(re.findall(r"\s*([\w-]+)\s*:\s*([^;]+)", element.get("style", "")))
        for attribute in _COLOURED[:-1]:
            value = element.attrib.get(attribute, "")
            named = names.get(_long(value))
            if named:
                # A presentation attribute may not hold var(); a style may.
                del element.attrib[attribute]
                styled.setdefault(attribute, named)
        for key, value in styled.items():
            styled[key] = names.get(_long(value), value) if key in _COLOURED else value
        if styled:
            element.set("style", ";".join(f"{key}:{value}" for key, value in styled.items()))


def _long(colour: str) -> str:
    colour = colour.strip().lower()
    rgb = re.fullmatch(r"rgb\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)", colour)
    if rgb:
        return "#" + "".join(f"{int(part):02x}" for part in rgb.groups())
    if re.fullmatch(r"#[0-9a-f]{3}", colour):
        return "#" + "".join(2 * digit for digit in colour[1:])
    return colour


def prefix_ids(root: ElementTree.Element, prefix: str) -> None:
    """Make every id of the drawing begin with `prefix`, and every reference follow."""
    ids = {element.get("id", "") for element in root.iter()} - {""}
    for element in root.iter():
        for attribute, value in element.attrib.items():
            if attribute == "id":
                element.set("id", f"{prefix}-{value}")
            elif attribute in ("href", f"{{{XLINK}}}href") and value[:1] == "#" and value[1:] in ids:
                element.set(attribute, f"#{prefix}-{value[1:]}")
            elif "url(#" in value:
                element.set(
                    attribute, _REFERENCE.sub(lambda m: f"url(#{prefix}-{m[1]})" if m[1] in ids else m[0], value)
                )


def describe(root: ElementTree.Element, prefix: str, title: str, description: str) -> None:
    """Give the drawing the role of a picture, with a title and a description that assistive technology reads."""
    for old in [child for child in root if child.tag in (tag("title"), tag("desc"))]:
        root.remove(old)
    for place, (name, text) in enumerate((("title", title), ("desc", description))):
        if text:
            element = ElementTree.Element(tag(name), {"id": f"{prefix}-{name}"})
            element.text = text
            root.insert(place, element)
    root.set("role", "img")
    root.set("aria-labelledby", f"{prefix}-title")
    if description:
        root.set("aria-describedby", f"{prefix}-desc")


def write(root: ElementTree.Element) -> str:
    """The drawing as text to stand in HTML: one namespace declaration, no XML header, numbers no finer than a hundredth."""
    for element in root.iter():
        for attribute in ("d", "points", "transform", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy"):
            if attribute in element.attrib:
                element.set(attribute, re.sub(r"(\d+\.\d{2})\d+", r"\1", element.get(attribute, "")))
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)
