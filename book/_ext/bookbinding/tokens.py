"""The book's colours as data, read from `_static/tokens.css`: for drawings (which become themable) and for the contrast test.

light, dark = themes(Path("book/_static/tokens.css"))
contrast(light["ink"], light["paper"])      # 16.9
"""

import re
from pathlib import Path

Theme = dict[str, str]
"""name without the `--dd-` prefix: `#rrggbb`"""

_RULE = re.compile(r"(?P<selector>[^{}]+)\{(?P<body>[^{}]*)\}")
_COLOUR = re.compile(r"--dd-(?P<name>[\w-]+):\s*(?P<hex>#[0-9a-fA-F]{6})\b")


def themes(stylesheet: Path) -> tuple[Theme, Theme]:
    """The light and the dark theme of a stylesheet that has one rule for each; what dark leaves out it takes from light."""
    css = re.sub(r"/\*.*?\*/", "", stylesheet.read_text("utf-8"), flags=re.S)
    light: Theme = {}
    dark: Theme = {}
    for rule in _RULE.finditer(css):
        found = {colour["name"]: colour["hex"].lower() for colour in _COLOUR.finditer(rule["body"])}
        (dark if "dark" in rule["selector"] else light).update(found)
    return light, light | dark


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)
