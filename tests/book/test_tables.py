"""Which tables a phone shows as they are, which in smaller letters, and which stacked, with the names of their columns."""

import re

import pytest
from bookbinding import tables


def table(*rows: str, css: str = ' class="table"') -> str:
    """The HTML of a table whose rows are written with bars; the first row is its head."""
    head, *body = ([f"<p>{cell.strip()}</p>" for cell in row.split("|")] for row in rows)
    names = "".join(f"<th>{cell}</th>" for cell in head)
    cells = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in body)
    return f"<table{css}><thead><tr>{names}</tr></thead><tbody>{cells}</tbody></table>"


def made(html: str) -> str:
    """What becomes of it."""
    found = re.fullmatch(tables._TABLE, html)
    assert found is not None
    return tables.for_a_phone(found)


ERRORS = table(
    "Error | Whose | What to do", "<code>ModelNotReadyException</code> 429 | nobody's | wait, then ask again"
)


def test_long_words_and_sentences_beside_each_other_are_stacked() -> None:
    page = made(ERRORS)
    assert page.startswith('<table class="stacks table">')
    assert '<td data-label="Error"><p><code>' in page
    assert '<td data-label="What to do"><p>wait' in page
    assert 'class="stacks"' in made(table("Error | Whose | What to do", f"{'x' * 40} | b | c", css=""))


def test_a_name_is_quoted() -> None:
    assert 'data-label="a &quot;b&quot; &amp; c"' in made(table(f'a "b" &amp; c | {"x" * 40} | d', "1 | 2 | 3"))


@pytest.mark.parametrize(
    "rows",
    [
        ("You want to | Go", "know everything in seven minutes | to the first lesson, and read it to its end"),
        ("Requirement | The card says | Today", "small | Bedrock | holds while a model is on the list"),
        ("a | b | c | d", "1 | 2 | 3 | 4"),
    ],
)
def test_what_fits_stays_as_it_is(rows: tuple[str, ...]) -> None:
    assert made(table(*rows)) == table(*rows)


def test_figures_are_compared_side_by_side_in_smaller_letters_while_they_fit() -> None:
    figures = made(table("Requests a minute | Mean (s) | p99 (s) | In flight", "120 | 2.41 | 12.09 | 48"))
    assert '<table class="narrow table">' in figures
    assert "data-label" not in figures
    assert 'class="stacks' in made(table("machine | " * 5 + "machine", "1 | 2 | 3 | 4 | 5 | 6"))


def test_a_corner_without_a_name_gets_no_label() -> None:
    page = made(
        table(" | Polling | Subscriptions_of_GraphQL_over_WebSockets", "How | asks | is told everything there is")
    )
    assert page.count("data-label") == 2


def test_cells_that_span_are_left_alone() -> None:
    spanning = ERRORS.replace("<td>", '<td colspan="3">', 1)
    assert made(spanning) == spanning
