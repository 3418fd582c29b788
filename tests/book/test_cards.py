"""A page is shared with a picture of its own, where it is known at which address it will stand."""

import re
import struct
from collections.abc import Callable

import pytest
from bookbinding import cards, tokens
from mini_book import BOOK, Built

LIGHT, _ = tokens.themes(BOOK / "_static" / "tokens.css")
PAGE = '---\ndescription: Where a request waits, & why.\n---\n# Wait "here" for *us*\n'


def test_a_page_names_its_card_which_is_a_picture_of_the_usual_size(
    build_book: Callable[..., Built], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOK_URL", "https://course.example.org/book")
    built = build_book({"deep/waits": PAGE})
    page = built.page("deep/waits")
    address = "https://course.example.org/book/_static/cards/deep-waits.png"
    assert f'<meta property="og:image" content="{address}">' in page
    assert '<meta name="twitter:card" content="summary_large_image">' in page
    picture = (built.html / "_static" / "cards" / "deep-waits.png").read_bytes()
    assert struct.unpack(">II", picture[16:24]) == (cards.WIDTH, cards.HEIGHT)
    assert len(picture) < 200_000
    assert "og:image" not in built.page("404")


def test_without_an_address_there_is_none(mini_book: Built) -> None:
    assert "og:image" not in mini_book.page("plain")
    assert not (mini_book.html / "_static" / "cards").exists()


@pytest.mark.parametrize("title", ["Short", "A title of one line and a bit", "word " * 60, "x" * 400])
def test_any_title_stays_on_the_card(title: str) -> None:
    drawn = cards.svg(title, "about " * 100, "The course", LIGHT)
    lowest = max(int(y) for y in re.findall(r' y="(\d+)"', drawn))
    assert lowest < cards.HEIGHT - 20
    assert len(re.findall("font-weight", drawn)) <= 4


def test_what_a_title_says_is_quoted() -> None:
    assert "&lt;b&gt; &amp; c" in cards.svg("<b> & c", "", "The course", LIGHT)
