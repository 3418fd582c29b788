"""The card for notebooks: accessible, nothing loaded from elsewhere, nothing let through unescaped."""

import re
from html.parser import HTMLParser

import pytest

from labs.decide.advisor import advise
from labs.decide.requirements import Requirements
from tests.labs.decide.asked import TWIN

VOID = {"br", "path", "circle", "rect"}


class Balanced(HTMLParser):
    """Collects tags, and whether every one is closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def html() -> str:
    return advise(TWIN)._repr_html_()


def parsed(html: str) -> Balanced:
    parser = Balanced()
    parser.feed(html)
    assert not parser.open
    return parser


def test_it_is_well_formed_and_loads_nothing(html: str) -> None:
    tags = parsed(html).seen
    assert not {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"""(src|href)=|url\(|@import|https?://""", html)


def test_tables_have_captions_and_header_cells_and_every_mark_has_a_name(html: str) -> None:
    tags = parsed(html).seen
    assert sum(tag == "table" for tag, _ in tags) == sum(tag == "caption" for tag, _ in tags) == 2
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in tags if tag == "th")
    marks = [attributes for tag, attributes in tags if tag == "svg"]
    assert {mark["aria-label"] for mark in marks} == {"Amazon Bedrock", "Amazon SageMaker AI", "Your own stack"}
    assert all(mark["role"] == "img" for mark in marks)
    assert {tag for tag, _ in tags} >= {"circle", "rect", "path"}  # a shape for each family, not only a colour


def test_the_section_is_named_by_its_heading_and_two_cards_do_not_share_an_id(html: str) -> None:
    [label] = re.findall(r'aria-labelledby="([^"]+)"', html)
    assert f'<h3 id="{label}">' in html
    assert label not in advise(TWIN)._repr_html_()


def test_both_views_stand_beside_each_other(html: str) -> None:
    assert html.index("Exam view") < html.index("Engineering view")
    assert "sagemaker-gpu" in html
    assert "$2,209" in html


def test_what_comes_from_outside_is_escaped() -> None:
    html = advise(Requirements(parameters_b=7, architecture="<script>alert(1)</script>"))._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    parsed(html)
