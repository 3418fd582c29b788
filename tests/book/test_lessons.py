"""A lesson opens with how long it takes, what it asks and what it teaches; each page is described; boxes mean one thing each."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from bookbinding import boxes, lessons
from mini_book import BOOK, Built


def test_the_block_under_the_title(mini_book: Built) -> None:
    page = mini_book.page("lesson")
    header = page[page.index('<div class="lesson-header">') : page.index("own stack")]
    assert page.index("<h1>") < page.index('<div class="lesson-header">')
    assert re.findall(r"<strong>(\d+) min</strong> ([\w ]+)", header) == [
        ("20", "to read"),
        ("45", "of lab"),
        ("8", "of questions"),
    ]
    assert "<li>Why <code>429</code> &amp; not 503?</li>" in header
    assert "<li>Nest the <em>time-outs</em>.</li>" in header


def test_a_page_without_such_front_matter_has_no_block(mini_book: Built) -> None:
    assert "lesson-header" not in mini_book.page("plain")


def test_what_the_minutes_are_for_is_known() -> None:
    with pytest.raises(ValueError, match="minutes of swim"):
        lessons.header({"minutes": '{"swim": 20}'})


def test_wrong_front_matter_is_a_warning(build_book: Callable[..., Built]) -> None:
    built = build_book({"page": "---\ndescription: x\nminutes: {swim: 20}\n---\n# P\n"})
    assert "minutes of swim" in built.warnings


def test_a_page_without_description_is_a_warning(build_book: Callable[..., Built]) -> None:
    built = build_book({"page": "# P\n\nText.\n"})
    assert "page.md: WARNING: the page has no description" in built.warnings.replace(str(built.folder) + "/", "")


def test_the_description_is_in_the_page_for_search_engines_and_shared_links(mini_book: Built) -> None:
    page = mini_book.page("lesson")
    told = "A lesson that &#34;quotes&#34; &amp; more."
    assert page.count(f'<meta name="description" content="{told}">') == 1
    assert f'<meta property="og:description" content="{told}">' in page
    assert '<meta property="og:title" content="Every box">' in page
    assert len(re.findall('name="description"', mini_book.page("search"))) == 1
    assert len(re.findall('name="viewport"', page)) == 1


@pytest.mark.parametrize(("kind", "label"), boxes.BOXES.items())
def test_each_kind_of_box_says_which_it_is(mini_book: Built, kind: str, label: str) -> None:
    found = re.search(
        rf'<div class="box {kind} admonition[^>]*>\s*<p class="admonition-title">(.*?)</p>', mini_book.page("lesson")
    )
    assert found is not None
    assert found[1].startswith(label)


def test_a_box_may_say_more_in_its_title(mini_book: Built) -> None:
    assert "Engineering answer: and then measure</p>" in mini_book.page("lesson")


@pytest.mark.parametrize("family", boxes.FAMILIES)
def test_a_family_is_tagged(mini_book: Built, family: str) -> None:
    assert f'<span class="family {family}">' in mini_book.page("lesson")
    css = (BOOK / "_static" / "lesson.css").read_text()
    assert re.search(rf'\.family\.{family}::before \{{ content: "{family[0].upper()}"', css)


def test_every_lesson_of_the_course_is_in_the_menu_and_described() -> None:
    toc = (BOOK / "_toc.yml").read_text()
    pages = [path for path in BOOK.glob("*.md") if path.stem != "index"]
    assert {path.stem for path in pages if f"file: {path.stem}," not in toc} == set()
    slugs = (
        "00-start 01-decision 02-bedrock 03-sagemaker 04-custom 05-economics 06-squid 07-bench 08-bridge 09-exam-room"
    )
    assert {path.stem for path in pages} >= set(slugs.split())
    for path in [*pages, BOOK / "index.md"]:
        front = path.read_text().split("---")[1]
        assert re.search(r"^description: .{40,}", front, re.M), path.name


def test_every_lab_is_in_the_menu() -> None:
    toc = (BOOK / "_toc.yml").read_text()
    labs = {path.stem for path in (BOOK.parent / "notebooks").glob("*.md")}
    assert len(labs) >= 8
    assert {slug for slug in labs if f"labs/{slug}" not in toc} == set()


def test_the_flagship_question_is_asked_as_a_guess_first_and_scored_in_economics() -> None:
    assert "```{quiz} 00-start" in (BOOK / "00-start.md").read_text()
    assert "```{quiz} 05-economics" in (BOOK / "05-economics.md").read_text()


def test_folds_are_made_the_way_that_works_without_a_script() -> None:
    offenders = [
        path.name
        for path in Path(BOOK).glob("*.md")
        if re.search(r"^:class:.*\b(dropdown|toggle)\b", path.read_text(), re.M)
    ]
    assert offenders == []
