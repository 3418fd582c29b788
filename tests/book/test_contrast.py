"""Every pairing of colours that the pages use can be read: WCAG 2.2 AA, light and dark. Computed from tokens.css itself."""

import re
from itertools import pairwise, product
from pathlib import Path

import pytest
from bookbinding import tokens

STATIC = Path(__file__).parents[2] / "book" / "_static"
LIGHT, DARK = tokens.themes(STATIC / "tokens.css")
THEMES = {"light": LIGHT, "dark": DARK}

TEXT = 4.5
"""WCAG 1.4.3: text."""
GRAPHICS = 3.0
"""WCAG 1.4.11: what must be seen to understand or to use."""

FAMILIES = ("bedrock", "sagemaker", "own")
GROUNDS = ("paper", "surface", "accent-soft", *(f"{family}-soft" for family in FAMILIES))
TEXT_PAIRS = [
    *product(("ink",), GROUNDS),
    *product(("ink-soft",), GROUNDS),
    *product(("accent",), ("paper", "surface", "accent-soft")),
    *((family, ground) for family in FAMILIES for ground in ("paper", "surface", f"{family}-soft")),
    *(("paper", family) for family in FAMILIES),  # the letter on a family's mark
    ("paper", "accent"),  # the words on a button
]
GRAPHICS_PAIRS = [
    *product(("line-strong",), ("paper", "surface")),
    *((family, f"{family}-soft") for family in FAMILIES),
    ("ink-soft", "surface"),  # a diagram's lines around its boxes
]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("front", "ground"), TEXT_PAIRS)
def test_text_can_be_read(theme: str, front: str, ground: str) -> None:
    colours = THEMES[theme]
    assert tokens.contrast(colours[front], colours[ground]) >= TEXT


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("front", "ground"), GRAPHICS_PAIRS)
def test_what_carries_meaning_can_be_seen(theme: str, front: str, ground: str) -> None:
    colours = THEMES[theme]
    assert tokens.contrast(colours[front], colours[ground]) >= GRAPHICS


@pytest.mark.parametrize("theme", THEMES)
def test_the_families_differ_in_hue(theme: str) -> None:
    def hue(colour: str) -> float:
        import colorsys

        return colorsys.rgb_to_hls(*(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)))[0] * 360

    hues = sorted(hue(THEMES[theme][family]) for family in FAMILIES)
    assert all(later - earlier >= 25 for earlier, later in pairwise(hues))


def test_the_measure_itself() -> None:
    assert tokens.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert tokens.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # WCAG's own near miss
    assert tokens.contrast("#ffffff", "#777777") == tokens.contrast("#777777", "#ffffff")


def test_no_two_light_values_are_equal_so_that_drawings_can_be_themed() -> None:
    assert len(set(LIGHT.values())) == len(LIGHT)


def test_every_colour_has_its_dark_counterpart() -> None:
    css = (STATIC / "tokens.css").read_text()
    dark = css[css.index("data-theme") :]
    assert {name for name in LIGHT if f"--dd-{name}:" not in dark} == set()


def test_styles_name_colours_and_do_not_spell_them() -> None:
    spelled = {
        f"{sheet.name}: {match[0]}"
        for sheet in STATIC.glob("*.css")
        if sheet.name not in ("tokens.css", "print.css")  # paper is white
        for match in re.finditer(r"#[0-9a-fA-F]{3,8}\b(?=[;\s])", re.sub(r'url\("data:.*?"\)', "", sheet.read_text()))
    }
    assert spelled == set()


def test_styles_use_only_colours_that_exist() -> None:
    known = {match[1] for match in re.finditer(r"(--dd-[\w-]+):", "".join(s.read_text() for s in STATIC.glob("*.css")))}
    used = {match[1] for s in STATIC.glob("*.css") for match in re.finditer(r"var\((--dd-[\w-]+)", s.read_text())}
    assert used - known == set()
