"""Pages fit every width: nothing overflows, nothing overlaps, and text keeps its measure."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page


@pytest.mark.parametrize(
    "width", [320, *(pytest.param(width, marks=pytest.mark.soak) for width in (390, 768, 1024)), 1440]
)
def test_no_page_is_wider_than_its_window(
    open_page: Callable[..., Page], site_url: str, pages: list[str], width: int
) -> None:
    page = open_page(f"{site_url}/index.html", width=width)
    wide = {}
    for name in pages:
        page.goto(f"{site_url}/{name}")
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if over > 0:
            wide[name] = over
    assert wide == {}


def test_a_line_has_about_seventy_characters(open_page: Callable[..., Page], site_url: str) -> None:
    page = open_page(f"{site_url}/06-squid.html", width=1440)
    characters = page.evaluate("""() => {
        const paragraph = [...document.querySelectorAll('article section > p')].find(one => one.textContent.length > 300);
        const range = document.createRange(), text = document.createTreeWalker(paragraph, NodeFilter.SHOW_TEXT);
        const tops = new Map();
        while (text.nextNode()) for (let i = 0; i < text.currentNode.length; i++) {
            range.setStart(text.currentNode, i); range.setEnd(text.currentNode, i + 1);
            const top = Math.round(range.getBoundingClientRect().top / 8);
            tops.set(top, (tops.get(top) || 0) + 1);
        }
        return [...tops.values()].sort((a, b) => b - a)[0];
    }""")
    assert 60 <= characters <= 90


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_drawing_takes_the_colours_of_the_page(open_page: Callable[..., Page], site_url: str, theme: str) -> None:
    page = open_page(f"{site_url}/01-decision.html", theme=theme)
    token = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--dd-bedrock').trim()")
    fill = page.evaluate("getComputedStyle(document.querySelector('.diagram .badge circle')).fill")
    assert fill == "rgb({}, {}, {})".format(*(int(token[place : place + 2], 16) for place in (1, 3, 5)))


def test_a_wide_drawing_scrolls_in_its_own_box_on_a_phone(open_page: Callable[..., Page], site_url: str) -> None:
    page = open_page(f"{site_url}/06-squid.html", width=390)
    box = page.evaluate("""() => {
        const box = document.querySelector('.drawing-scroll');
        return [box.scrollWidth, box.clientWidth, parseFloat(getComputedStyle(box.querySelector('text')).fontSize)
            * box.querySelector('svg').getBoundingClientRect().width / box.querySelector('svg').viewBox.baseVal.width];
    }""")
    assert box[0] > box[1]
    assert box[2] >= 11  # pixels: still to be read


def test_text_in_a_diagram_stays_inside_its_box(
    open_page: Callable[..., Page], site_url: str, pages: list[str]
) -> None:
    page = open_page(f"{site_url}/index.html")
    outside = {}
    for name in pages:
        page.goto(f"{site_url}/{name}")
        found = page.evaluate("""() => [...document.querySelectorAll('.diagram svg > g')].flatMap(group => {
            const shape = group.querySelector(':scope > g:not(.badge) > rect'), text = group.querySelector(':scope > text.text-bold');
            if (!shape || !text) return [];
            const box = shape.getBoundingClientRect(), words = text.getBoundingClientRect();
            return words.left < box.left || words.right > box.right ? [text.textContent] : [];
        })""")
        if found:
            outside[name] = found
    assert outside == {}


def test_paper_shows_the_text_and_nothing_to_click(open_page: Callable[..., Page], site_url: str) -> None:
    page = open_page(f"{site_url}/06-squid.html", theme="dark")
    page.emulate_media(media="print")
    for gone in (".book-bar", "#pst-primary-sidebar", ".book-turn", ".copybtn"):
        assert page.evaluate(f"getComputedStyle(document.querySelector('{gone}')).display") == "none"
    assert page.evaluate("document.querySelector('article').getBoundingClientRect().height") > 1000


def test_a_wide_diagram_begins_at_its_first_shape_on_a_phone(open_page: Callable[..., Page], site_url: str) -> None:
    page = open_page(f"{site_url}/01-decision.html", width=390)
    page.wait_for_selector(".diagram .drawing-scroll[data-begun]")
    shown = page.evaluate("""() => [...document.querySelectorAll('.diagram .drawing-scroll[data-begun]')].map(box => {
        const frame = box.getBoundingClientRect(), first = box.querySelector('svg > g').getBoundingClientRect();
        return box.scrollLeft > 0 && first.left >= frame.left && first.right <= frame.right;
    })""")
    assert shown == [True]


def test_no_cell_of_a_stacked_table_breaks_a_price_on_a_phone(open_page: Callable[..., Page], site_url: str) -> None:
    page = open_page(f"{site_url}/reference/prices.html", width=390)
    heights = page.evaluate("""() => {
        const cells = [...document.querySelectorAll('table.stacks td[data-label="Value"] p')].filter(p => p.textContent.length < 24);
        return [cells.length, Math.max(...cells.slice(0, 60).map(p => p.getBoundingClientRect().height / parseFloat(getComputedStyle(p).lineHeight)))];
    }""")
    assert heights[0] > 20
    assert heights[1] < 1.5, "a value takes one line"
    head = page.evaluate("getComputedStyle(document.querySelector('table.stacks thead')).position")
    assert head == "absolute"
