"""axe finds nothing on any page: light and dark, phone and desktop, menu closed and open."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

PHONE, DESKTOP = 390, 1280
OPTIONS = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


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


@pytest.mark.parametrize(
    ("width", "theme", "whole"),
    [
        (PHONE, "light", True),
        (DESKTOP, "dark", False),
        *(
            pytest.param(width, theme, True, marks=pytest.mark.soak)
            for width, theme in ((PHONE, "dark"), (DESKTOP, "light"), (DESKTOP, "dark"))
        ),
    ],
)
def test_no_page_has_a_violation(
    open_page: Callable[..., Page], site_url: str, pages: list[str], width: int, theme: str, whole: bool
) -> None:
    page = open_page(f"{site_url}/index.html", width=width, theme=theme)
    found = {}
    assert set(KINDS) <= set(pages)
    for name in pages if whole else KINDS:
        page.goto(f"{site_url}/{name}")
        if complaints := violations(page):
            found[name] = complaints
    assert found == {}


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
