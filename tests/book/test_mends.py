"""Each mend cures something that still needs curing."""

import re

import pytest
from bookbinding import mends
from mini_book import Built


@pytest.mark.parametrize("mend", mends.MENDS, ids=lambda mend: mend.why[:40])
def test_what_a_mend_cures_is_still_ill(mini_book: Built, mend: mends.Mend) -> None:
    assert any(mend.pattern.search(body) for body in mini_book.bodies.values()), "the library is cured: delete the mend"


def test_mending_twice_is_mending_once(mini_book: Built) -> None:
    for body in mini_book.bodies.values():
        assert mends.mend(mends.mend(body)) == mends.mend(body)


def test_the_fold_of_a_hidden_cell_is_called_what_it_shows(mini_book: Built) -> None:
    page = mini_book.page("labs/01-lab")
    assert "<summary>" in page
    assert "Toggle hidden content" not in page


def test_pictures_wait_until_they_are_near(mini_book: Built) -> None:
    assert re.search(r'<img loading="lazy" decoding="async" [^>]*alt="A picture"', mini_book.page("lesson"))


def test_an_empty_header_row_is_dropped_and_a_full_one_kept(mini_book: Built) -> None:
    page = mini_book.page("lesson")
    assert page.count("<table") == 3
    assert page.count("<thead") == 2
    assert '<th scope="col" class="head"><p>Head</p></th>' in page


def test_the_empty_corner_of_a_table_is_no_header_and_its_rows_are_named(mini_book: Built) -> None:
    page = mini_book.page("lesson")
    assert re.search(r'<td></td>\s*<th scope="col" class="head"><p>Corner</p></th>', page)
    assert len(re.findall(r'<th scope="row"><p>one</p></th>\s*<td><p>two</p></td>', page)) == 2
    assert len(re.findall(r"<td><p>one</p></td>\s*<td><p>two</p></td>", page)) == 1
