"""Decks in a real browser: everything fits on 1280 by 720, nothing is fetched from elsewhere, notes are there and not shown."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labs.course import layout
from labs.course.layout import Layout
from labs.workshop import slides

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HERE = layout.find()
FIRST = "03-sagemaker"
"""Every kind of slide is in it."""
OTHERS = sorted(path.stem for path in HERE.book.glob("[0-9][0-9]-*.md") if path.stem != FIRST)
OUTSIDE = """() => {
  const slide = Reveal.getCurrentSlide(), found = [];
  for (const each of slide.querySelectorAll("*")) {
    if (each.closest("aside") || (each.closest("svg") && each.tagName.toLowerCase() !== "svg")) continue;
    const box = each.getBoundingClientRect();
    if (box.width && box.height && (box.left < 0 || box.right > 1240 || box.bottom > 681 || box.top < 0))
      found.push(`${each.tagName} ${each.className} to ${Math.round(box.right)}, ${Math.round(box.bottom)}`);
  }
  return found;
}"""


def decks(root: Path, slugs: list[str]) -> Path:
    (root / "book").symlink_to(HERE.book)
    return slides.build(Layout(root), slugs)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return decks(tmp_path_factory.mktemp("slides"), [FIRST])


def seen(browser: "Browser", deck: Path, look: Callable[[Any, int], None], theme: str = "light") -> list[str]:
    """Go through a deck with a look at every slide; what it asked for on the way."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    try:
        page.goto(f"{deck.as_uri()}?theme={theme}")
        page.wait_for_function("window.Reveal && Reveal.isReady()")
        page.evaluate("Reveal.configure({fragments: false})")
        count = page.evaluate("Reveal.getTotalSlides()")
        for number in range(count):
            look(page, number)
            if number < count - 1:
                page.evaluate("Reveal.next()")
    finally:
        page.close()
    return asked


def too_large(browser: "Browser", deck: Path) -> dict[str, list[str]]:
    """Slides with what reaches beyond them; and nothing may be fetched from elsewhere."""
    outside: dict[str, list[str]] = {}

    def look(page: Any, number: int) -> None:
        if found := page.evaluate(OUTSIDE):
            outside[f"{deck.stem} {number + 1}"] = found

    asked = seen(browser, deck, look)
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    return outside


def test_every_slide_fits_and_nothing_comes_from_elsewhere(browser: "Browser", first: Path) -> None:
    assert not too_large(browser, first / f"{FIRST}.html")


def test_a_chart_waits_for_a_click_and_notes_are_the_speakers(browser: "Browser", first: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto((first / f"{FIRST}.html").as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    chart, section = page.locator(".slide-body.chart").first, page.locator("section:has(> .slide-body.chart)").first
    page.evaluate(
        "node => { const at = Reveal.getIndices(node); Reveal.slide(at.h, at.v, -1); }", section.element_handle()
    )
    page.wait_for_function("node => getComputedStyle(node).visibility === 'hidden'", arg=chart.element_handle())
    page.keyboard.press("Space")
    page.wait_for_function("node => getComputedStyle(node).visibility === 'visible'", arg=chart.element_handle())
    assert page.evaluate("Reveal.hasPlugin('notes')")
    assert not page.locator("aside.notes").first.is_visible()
    notes = [each.evaluate("node => node.textContent") for each in page.locator("aside.notes").all()]
    assert any("Most choose concurrency, and that is right" in each for each in notes)
    assert any("What stands behind each wrong answer" in each for each in notes)
    page.close()


def test_dark_rooms_have_a_dark_deck(browser: "Browser", first: Path) -> None:
    grounds = []

    def look(page: Any, number: int) -> None:
        if number == 0:
            grounds.append(page.evaluate("getComputedStyle(document.querySelector('.reveal')).backgroundColor"))

    seen(browser, first / f"{FIRST}.html", look, "dark")
    assert grounds == ["rgb(21, 23, 28)"]


def test_the_list_leads_to_the_deck(browser: "Browser", first: Path) -> None:
    page = browser.new_page()
    page.goto((first / "index.html").as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    page.get_by_role("link", name="3 · Renting endpoints").click()
    page.wait_for_url("**/03-sagemaker.html*")
    page.close()


@pytest.mark.soak
def test_every_deck_fits(browser: "Browser", tmp_path: Path) -> None:
    folder = decks(tmp_path, OTHERS)
    found = [too_large(browser, folder / f"{slug}.html") for slug in OTHERS]
    assert not [each for each in found if each]
