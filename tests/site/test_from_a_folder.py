"""The site works when it is opened from a folder, without a server: theme, menu, search, tabs, copying."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect


def test_every_page_opens_without_complaint(open_page: Callable[..., Page], site_dir: Path, pages: list[str]) -> None:
    page = open_page((site_dir / "index.html").as_uri())
    for name in pages:
        if name != "404.html":  # its links start at a host's root, on purpose
            page.goto((site_dir / name).as_uri())
            expect(page.locator("h1")).to_have_count(1)


def test_the_theme_is_switched_and_remembered(open_page: Callable[..., Page], site_dir: Path) -> None:
    page = open_page((site_dir / "index.html").as_uri(), theme="light")
    seen = []
    for _ in range(3):
        page.click(".theme-switch-button")
        seen.append(page.evaluate("document.documentElement.dataset.mode"))
    assert sorted(seen) == ["auto", "dark", "light"]
    while page.evaluate("document.documentElement.dataset.mode") != "dark":
        page.click(".theme-switch-button")
    page.goto((site_dir / "06-squid.html").as_uri())
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 28)"


def test_search_finds_the_lesson(open_page: Callable[..., Page], site_dir: Path) -> None:
    page = open_page((site_dir / "index.html").as_uri())
    page.keyboard.press("Control+k")
    page.fill("#pst-search-dialog input", "visibility")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=visibility*")
    hit = page.locator("#search-results a", has_text="Queue it").first
    expect(hit).to_be_visible()
    hit.click()
    expect(page.locator("h1")).to_contain_text("Queue it")


def test_the_menu_leads_on_a_phone(open_page: Callable[..., Page], site_dir: Path) -> None:
    page = open_page((site_dir / "index.html").as_uri(), width=390, height=844)
    page.click(".primary-toggle")
    page.click("#pst-primary-sidebar-modal a:has-text('Queue it') >> nth=0")
    expect(page.locator("h1")).to_have_text("Queue it#")
    page.click(".secondary-toggle")
    page.click("#pst-secondary-sidebar-modal a:has-text('How it breaks')")
    page.wait_for_function("location.hash === '#how-it-breaks'")


def test_a_menu_can_be_closed_by_hand(open_page: Callable[..., Page], site_dir: Path) -> None:
    page = open_page((site_dir / "06-squid.html").as_uri(), width=390, height=844)
    for toggle, dialog in (
        (".primary-toggle", "#pst-primary-sidebar-modal"),
        (".secondary-toggle", "#pst-secondary-sidebar-modal"),
    ):
        page.click(toggle)
        page.locator(f"{dialog} [aria-label=Close]").click()
        expect(page.locator(dialog)).to_be_hidden()


def test_code_is_copied_without_its_prompt(open_page: Callable[..., Page], site_dir: Path) -> None:
    page = open_page((site_dir / "00-start.html").as_uri(), permissions=["clipboard-read", "clipboard-write"])
    block = page.locator("div.highlight-console").first
    block.hover()
    block.locator("button.copybtn").click()
    assert page.evaluate("navigator.clipboard.readText()").strip() == "make course"


def test_pages_turn_forward_and_back(open_page: Callable[..., Page], site_dir: Path) -> None:
    page = open_page((site_dir / "index.html").as_uri())
    for _ in range(3):
        page.click("a.book-turn__next")
    page.click("a.book-turn__prev")
    expect(page.locator("h1")).to_contain_text("One flowchart, four numbers")
