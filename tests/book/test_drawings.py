"""A drawing put into a page follows its colours and keeps its ids to itself."""

import pytest
from bookbinding import drawings

LIGHT = {"paper": "#ffffff", "ink": "#1c1d22", "accent": "#3a43a8"}


def themed(svg: str) -> str:
    root = drawings.parse(svg)
    drawings.follow_theme(root, LIGHT)
    return drawings.write(root)


def svg(inside: str, attributes: str = 'viewBox="0 0 10 20"') -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{inside}</svg>'


@pytest.mark.parametrize("colour", ["#3a43a8", "#3A43A8", "rgb(58, 67, 168)", "rgb(58,67,168)"])
def test_a_light_value_becomes_its_name_however_it_is_written(colour: str) -> None:
    assert 'style="fill:var(--dd-accent)"' in themed(svg(f'<rect fill="{colour}"/>'))


def test_white_and_black_are_paper_and_ink() -> None:
    out = themed(svg('<rect fill="white" stroke="#000"/><rect fill="#fff" stroke="black"/>'))
    assert out.count("fill:var(--dd-paper)") == 2
    assert out.count("stroke:var(--dd-ink)") == 2


def test_a_colour_in_a_style_becomes_its_name_and_the_rest_of_the_style_stays() -> None:
    assert 'style="fill:var(--dd-accent);stroke-width:2"' in themed(svg('<rect style="fill:#3a43a8; stroke-width:2"/>'))


def test_other_colours_and_none_stay() -> None:
    assert 'fill="#123456" stroke="none"' in themed(svg('<rect fill="#123456" stroke="none"/>'))


def test_a_mask_is_no_place_for_colours() -> None:
    out = themed(svg('<mask id="m"><rect fill="white"/><rect fill="black"/></mask>'))
    assert 'fill="white"' in out
    assert 'fill="black"' in out


def test_ids_and_everything_that_refers_to_them_get_a_prefix() -> None:
    root = drawings.parse(
        svg(
            '<marker id="end"/><path marker-end="url(#end)"/><use href="#end"/><a href="#elsewhere"/><path style="mask:url(#end)"/>'
        )
    )
    drawings.prefix_ids(root, "d1")
    out = drawings.write(root)
    assert 'id="d1-end"' in out
    assert 'marker-end="url(#d1-end)"' in out
    assert 'use href="#d1-end"' in out
    assert "mask:url(#d1-end)" in out
    assert 'href="#elsewhere"' in out


def test_a_drawing_is_a_picture_with_a_name_and_a_description() -> None:
    root = drawings.parse(svg("<title>former</title><rect/>"))
    drawings.describe(root, "d1", "A & B", "Told.")
    out = drawings.write(root)
    assert 'role="img"' in out
    assert 'aria-labelledby="d1-title"' in out
    assert 'aria-describedby="d1-desc"' in out
    assert '<title id="d1-title">A &amp; B</title><desc id="d1-desc">Told.</desc>' in out
    assert "former" not in out


@pytest.mark.parametrize(
    ("attributes", "size"),
    [('viewBox="0 0 10 20"', (10, 20)), ('viewBox="-1,-2,30,40.5"', (30, 40.5)), ('width="7px" height="8"', (7, 8))],
)
def test_the_size_of_a_drawing(attributes: str, size: tuple[float, float]) -> None:
    assert drawings.size(drawings.parse(svg("", attributes))) == size


@pytest.mark.parametrize("text", ["", "<svg", "<html/>", '<svg xmlns="http://example.org/other"/>'])
def test_what_is_no_drawing_is_refused(text: str) -> None:
    with pytest.raises(drawings.DrawingError):
        drawings.parse(text)


def test_coordinates_are_no_finer_than_a_hundredth() -> None:
    assert 'd="M 1.23 4.56 L 7 8"' in drawings.write(drawings.parse(svg('<path d="M 1.234567 4.569 L 7 8"/>')))
