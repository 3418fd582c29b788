"""axe finds nothing on any page: light and dark, phone and desktop, menu closed and open."""

from collections.abc import Callable, Iterable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

PHONE, DESKTOP = 390, 1280
OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],  # what passed would be megabytes to bring over, and half of the time
}
FIRST = """() => {
    for (const body of document.querySelectorAll('tbody')) [...body.rows].slice(30).forEach(row => row.remove());
    [...document.querySelectorAll('main div.highlight')].slice(12).forEach(code => code.remove());
}"""
"""Of rows and of pieces of code, which are made alike, the first of a page stand for the rest: facts and prices alone take minutes.
`make soak` looks at them all."""


def violations(page: Page) -> list[str]:
    """What axe has against the page as it stands."""
    found = Axe().run(page, options=OPTIONS).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['target']} {node['html'][:160]}"
        for rule in found
        for node in rule["nodes"]
    ]


KINDS = (
    "index.html",
    "00-start.html",
    "05-economics.html",
    "exam.html",
    "explore-break-even.html",
    "labs/06-squid.html",
    "reference/card.html",
    "instructor/index.html",
    "404.html",
)
"""one page of each kind"""


def look_at(page: Page, site_url: str, names: Iterable[str], whole: bool) -> dict[str, list[str]]:
    """The violations by page, with all of its rows and code or with the first."""
    found = {}
    for name in names:
        page.goto(f"{site_url}/{name}")
        if not whole:
            page.evaluate(FIRST)
        if complaints := violations(page):
            found[name] = complaints
    return found


def test_no_page_has_a_violation(open_page: Callable[..., Page], site_url: str, pages: list[str]) -> None:
    assert look_at(open_page(f"{site_url}/index.html", width=PHONE), site_url, pages, whole=False) == {}


def test_nor_has_any_kind_of_page_in_the_dark(open_page: Callable[..., Page], site_url: str, pages: list[str]) -> None:
    assert set(KINDS) <= set(pages)
    page = open_page(f"{site_url}/index.html", width=DESKTOP, theme="dark")
    assert look_at(page, site_url, KINDS, whole=False) == {}


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_nor_has_any_page_down_to_its_last_row(
    open_page: Callable[..., Page], site_url: str, pages: list[str], width: int, theme: str
) -> None:
    page = open_page(f"{site_url}/index.html", width=width, theme=theme)
    assert look_at(page, site_url, pages, whole=True) == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "06-squid.html", "labs/06-squid.html"])
def test_nor_with_a_menu_open(open_page: Callable[..., Page], site_url: str, name: str, theme: str) -> None:
    page = open_page(f"{site_url}/{name}", width=PHONE, theme=theme)
    for toggle, dialog in (
        (".primary-toggle", "#pst-primary-sidebar-modal"),
        (".secondary-toggle", "#pst-secondary-sidebar-modal"),
    ):
        page.click(toggle)
        page.wait_for_selector(f"{dialog}[open]")
        assert violations(page) == []
        page.keyboard.press("Escape")
        page.wait_for_selector(dialog, state="hidden")
    page.click(".search-button__button")
    page.wait_for_selector("#pst-search-dialog[open]")
    assert violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nor_when_folds_are_open_and_tabs_turned(open_page: Callable[..., Page], site_url: str, theme: str) -> None:
    page = open_page(f"{site_url}/06-squid.html", theme=theme)
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    assert violations(page) == []
    page.goto(f"{site_url}/labs/06-squid.html")
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    assert violations(page) == []


def test_a_page_can_be_walked_by_keyboard(open_page: Callable[..., Page], site_url: str) -> None:
    page = open_page(f"{site_url}/06-squid.html", width=PHONE)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to main content"
    page.wait_for_function("document.activeElement.getBoundingClientRect().top >= 0")  # it slides in
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Menu"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    page.wait_for_selector("#pst-primary-sidebar-modal[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#pst-primary-sidebar-modal", state="hidden")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Menu"


def test_what_scrolls_sideways_can_be_reached_by_keyboard(
    open_page: Callable[..., Page], site_url: str, pages: list[str]
) -> None:
    page = open_page(f"{site_url}/index.html", width=PHONE)
    unreachable = """[...document.querySelectorAll('main *')].filter(one =>
        one.scrollWidth > one.clientWidth + 1 && ['auto', 'scroll'].includes(getComputedStyle(one).overflowX)
        && one.offsetParent && one.tabIndex < 0 && !one.querySelector('a, button, input, [tabindex="0"]')
    ).map(one => one.outerHTML.slice(0, 120))"""
    found = {}
    for name in pages:
        page.goto(f"{site_url}/{name}")
        page.wait_for_timeout(50)
        if stuck := page.evaluate(unreachable):
            found[name] = stuck
    assert found == {}
