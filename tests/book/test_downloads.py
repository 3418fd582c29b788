"""A lab can be taken away: without outputs, without its solutions."""

import json

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
    assert "download" not in mini_book.page("plain")
