"""A lab can be taken away: without outputs, without its solutions."""

import json
from collections.abc import Callable

import pytest
from bookbinding import downloads
from mini_book import Built


def test_the_copy_has_the_tasks_and_not_the_solutions(mini_book: Built) -> None:
    text = (mini_book.html / "labs" / "01-lab.ipynb").read_text()
    notebook = json.loads(text)
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    assert any("1 + 1" in source for source in sources)
    assert "the solution" not in text
    assert "only in the book" not in text
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook["cells"])
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"


def test_the_same_source_makes_the_same_copy(mini_book: Built) -> None:
    source = mini_book.folder / "labs" / "01-lab.md"
    assert downloads.copy_of(source) == downloads.copy_of(source)


def test_a_lab_offers_it_and_a_lesson_does_not(mini_book: Built) -> None:
    assert '<a href="01-lab.ipynb" download>' in mini_book.page("labs/01-lab")
    assert "<code>lab notebook 01-lab</code>" in mini_book.page("labs/01-lab")
    assert "download" not in mini_book.page("plain")
    assert "lab notebook" not in mini_book.page("plain")


def test_every_page_names_the_file_to_mend_it_in(mini_book: Built) -> None:
    assert "This page is <code>book/plain.md</code>" in mini_book.page("plain")
    assert "This page is <code>notebooks/01-lab.md</code>" in mini_book.page("labs/01-lab")
    assert "Something wrong" not in mini_book.page("404")


def test_where_the_repository_is_known_each_page_can_be_edited_there(
    build_book: Callable[..., Built], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOK_EDIT_URL", "https://code.example.org/course/edit/main/")
    page = build_book({"deep/plain": "---\ndescription: Plain.\n---\n# Plain\n"}).page("deep/plain")
    assert 'href="https://code.example.org/course/edit/main/book/deep/plain.md">Edit this page</a>' in page
