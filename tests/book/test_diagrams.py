"""A diagram is drawn from text when the book is built, tells what it shows, and follows the page's colours."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from bookbinding import diagrams, tokens
from mini_book import Built

LIGHT, _ = tokens.themes(Path(__file__).parents[2] / "book" / "_static" / "tokens.css")


def figures(page: str) -> list[str]:
    return re.findall(r'<figure class="drawing diagram".*?</figure>', page, re.S)


def test_a_diagram_stands_in_the_page_as_a_picture_with_title_and_description(mini_book: Built) -> None:
    first = figures(mini_book.page("lesson"))[0]
    assert ">Where a request waits</title>" in first
    assert ">A caller, a queue, and a model behind it.</desc>" in first
    assert "<figcaption>Where a request waits</figcaption>" in first
    assert 'role="img"' in first
    assert ">caller</text>" in first


def test_it_brings_no_fonts_no_styles_and_no_colours_of_its_own(mini_book: Built) -> None:
    for figure in figures(mini_book.page("lesson")):
        assert "<style" not in figure
        assert "font-face" not in figure
        assert "base64" not in figure
        drawn = re.sub(r"<mask.*?</mask>", "", figure, flags=re.S)
        assert re.findall(r'(?:fill|stroke)="(?!none)[^"]*"|#[0-9a-f]{6}', drawn) == []


def test_a_family_shows_by_colour_letter_and_shape(mini_book: Built) -> None:
    figure = figures(mini_book.page("lesson"))[0]
    badges = re.findall(r'<g [^>]*class="badge".*?</g>', figure, re.S)
    shapes = {re.search(r"--dd-(\w+)", badge)[1]: re.search(r"<(circle|rect|path)", badge)[1] for badge in badges}  # type: ignore[index]
    letters = {re.search(r"--dd-(\w+)", badge)[1]: re.search(r">(\w)</text>", badge)[1] for badge in badges}  # type: ignore[index]
    assert shapes == {"bedrock": "circle", "sagemaker": "rect", "own": "path"}
    assert letters == {"bedrock": "B", "sagemaker": "S", "own": "O"}


def test_ids_of_two_diagrams_on_a_page_do_not_collide(mini_book: Built) -> None:
    ids = re.findall(r'\sid="([^"]+)"', mini_book.page("lesson"))
    assert len(figures(mini_book.page("lesson"))) == 2
    assert len(ids) == len(set(ids))


def test_the_same_text_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = diagrams.draw("a -> b", LIGHT, tmp_path)
    monkeypatch.setattr(diagrams, "_d2", lambda *_: pytest.fail("drawn again"))
    assert diagrams.draw("a -> b\n", LIGHT, tmp_path) == first
    with pytest.raises(pytest.fail.Exception):
        diagrams.draw("a -> c", LIGHT, tmp_path)
    with pytest.raises(pytest.fail.Exception):
        diagrams.draw("a -> b", {**LIGHT, "accent": "#010203"}, tmp_path)


def test_drawing_is_the_same_every_time(tmp_path: Path) -> None:
    assert diagrams.draw("a -> b", LIGHT, tmp_path / "1") == diagrams.draw("a -> b", LIGHT, tmp_path / "2")


@pytest.mark.parametrize(
    ("options", "missing"),
    [(":title: T\n", "needs :desc:"), (":desc: D\n", "needs :title:"), (":title: T\n:alt: A\n", None)],
)
def test_a_diagram_that_is_not_told_is_a_warning(
    build_book: Callable[..., Built], options: str, missing: str | None
) -> None:
    built = build_book({"page": f"---\ndescription: x\n---\n# P\n\n```{{diagram}}\n{options}a -> b\n```\n"})
    if missing:
        assert missing in built.warnings
        assert "page.md:6" in built.warnings
    else:
        assert built.warnings == ""


def test_text_that_d2_refuses_is_a_warning_with_its_reason(build_book: Callable[..., Built]) -> None:
    built = build_book({"page": "---\ndescription: x\n---\n# P\n\n```{diagram}\n:title: T\n:desc: D\na -> {\n```\n"})
    assert "diagram 'T'" in built.warnings
    assert "page.md:6" in built.warnings


def test_without_d2_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(diagrams.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(diagrams.shutil, "which", lambda _: None)
    with pytest.raises(diagrams.DiagramError, match="make setup"):
        diagrams.draw("a -> b", LIGHT, tmp_path)
