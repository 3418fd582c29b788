"""A chart's specification as SVG that stands in a page: drawn here and now, in the page's own colours, with a name for who cannot see it."""

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import vl_convert

SVG = "http://www.w3.org/2000/svg"
TOKENS = {
    "#ffffff": "paper",
    "#f6f5f1": "surface",
    "#dad7ce": "line",
    "#1c1d22": "ink",
    "#555a66": "ink-soft",
    "#3a43a8": "accent",
    "#1b6b3a": "bedrock",
    "#8a5300": "sagemaker",
    "#a8271f": "own",
    "#000": "ink",
    "#000000": "ink",
    "black": "ink",
    "white": "paper",
}
"""what charts are drawn in, and the name that the page's stylesheet gives it in light and dark"""


def inline(specification: Mapping[str, Any], name: str, prefix: str) -> str:
    """SVG with colours by name, ids that are the page's only ones, and `name` as what a screen reader says."""
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(dict(specification)))
    for element in root.iter():
        # vega names every axis and mark for screen readers one by one; the table behind the chart says it better.
        for attribute in [key for key in element.attrib if key.startswith("aria-") or key == "role"]:
            del element.attrib[attribute]
        styles = [style for style in [element.attrib.pop("style", "")] if style]
        for attribute in ("fill", "stroke"):
            token = TOKENS.get(element.get(attribute, "").lower())
            if token is not None:
                # A presentation attribute may not hold var(); a style may.
                del element.attrib[attribute]
                styles.append(f"{attribute}:var(--dd-{token})")
        if styles:
            element.set("style", ";".join(styles))
        if id := element.get("id"):
            element.set("id", f"{prefix}-{id}")
        for attribute, value in element.attrib.items():
            if "url(#" in value:
                element.set(attribute, re.sub(r"url\(#", f"url(#{prefix}-", value))
    root.set("role", "img")
    root.set("aria-label", name)
    return ElementTree.tostring(root, encoding="unicode")
