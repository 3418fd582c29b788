"""A chart that a cell has drawn stands inline and follows the page's colours; other pictures stay pictures."""

from pathlib import Path

import pytest
from bookbinding import charts, drawings
from docutils import nodes

LIGHT = {"paper": "#ffffff", "ink": "#1c1d22", "bedrock": "#1b6b3a"}
CHART = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="150"><defs><clipPath id="clip"/></defs>'
    '<rect fill="#ffffff" clip-path="url(#clip)"/><path stroke="#1b6b3a"/></svg>'
)


def test_a_chart_follows_the_theme_and_is_named_by_its_description() -> None:
    html = charts.inline(drawings.parse(CHART), "chart-1", "Time to first token by load", LIGHT)
    assert "var(--dd-bedrock)" in html
    assert "var(--dd-paper)" in html
    assert 'viewBox="0 0 300 150"' in html
    assert 'url(#chart-1-clip)"' in html
    assert ">Time to first token by load</title>" in html
    assert 'class="drawing chart"' in html


def test_without_a_description_its_own_title_names_it() -> None:
    root = drawings.parse(CHART.replace("<defs>", "<title>Own title</title><defs>"))
    assert ">Own title</title>" in charts.inline(root, "c", "", LIGHT)


@pytest.mark.parametrize(
    ("uri", "is_chart"),
    [
        ("../_build/jupyter_execute/abc.svg", True),
        ("_build/jupyter_execute/labs/abc.svg", True),
        ("_build/jupyter_execute/abc.png", False),
        ("pictures/drawn-by-hand.svg", False),
        ("https://example.org/jupyter_execute.svg", False),
    ],
)
def test_only_what_a_cell_has_drawn_is_taken(uri: str, is_chart: bool) -> None:
    assert (charts.picture(Path("/book"), nodes.image(uri=uri)["uri"]) is not None) is is_chart
