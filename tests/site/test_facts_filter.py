"""The field above the register: it leaves the rows with all of the words typed into it, on a desktop and where tables are stacked."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

SHOWN = """() => [...document.querySelectorAll('table.facts tbody tr')].filter(row => row.offsetParent).map(row => row.textContent.toLowerCase())"""


@pytest.mark.parametrize("width", [390, 1280])
def test_the_rows_with_all_of_the_words_stay(open_page: Callable[..., Page], site_url: str, width: int) -> None:
    page = open_page(f"{site_url}/reference/facts.html", width=width)
    field, told = page.get_by_label("Show rows that have all of these words"), page.locator("#facts-filter output")
    all_of_them = page.locator("table.facts tbody tr").count()
    expect(told).to_have_text(f"{all_of_them} facts")
    field.fill("Sqs message BYTES")
    shown = page.evaluate(SHOWN)
    assert 0 < len(shown) < 20
    assert all("sqs" in row and "message" in row and "bytes" in row for row in shown)
    expect(told).to_have_text(f"{len(shown)} of {all_of_them} facts")
    field.fill("nothing-has-this-word")
    assert page.evaluate(SHOWN) == []
    assert page.evaluate("[...document.querySelectorAll('table.facts')].every(table => !table.offsetParent)")
    field.fill("")
    expect(told).to_have_text(f"{all_of_them} facts")
    assert len(page.evaluate(SHOWN)) == all_of_them


def test_without_a_script_the_whole_list_stands_there_and_no_field(
    open_page: Callable[..., Page], site_url: str
) -> None:
    page = open_page(f"{site_url}/reference/facts.html", java_script_enabled=False)
    expect(page.locator("#facts-filter")).to_be_hidden()
    expect(page.locator("table.facts tbody tr").first).to_be_visible()
