"""The book on paper: the menu's order, every fold open, bookmarks; and a sentence where it cannot be printed."""

import os
from pathlib import Path

import pypdf
import pytest

from labs.course import pdf
from labs.errors import Refusal

CONTENTS = """\
root: index
parts:
  - chapters:
      - {file: 01-one, title: One}
      - {file: reference/facts}
      - {file: 02-two, sections: [{file: labs/02-two}]}
"""
PAGE = "<!doctype html><title>{name} — The book</title><h1>{name}</h1><details><summary>Solution</summary><p>The answer of {name}.</p></details>"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "html"
    (folder / "labs").mkdir(parents=True)
    for name in ("index", "01-one", "02-two", "labs/02-two"):
        (folder / f"{name}.html").write_text(PAGE.format(name=name), "utf-8")
    (tmp_path / "_toc.yml").write_text(CONTENTS, "utf-8")
    return folder


def test_the_order_is_the_menus_and_what_is_not_for_paper_is_left_out(site: Path) -> None:
    assert pdf.order(site.parent / "_toc.yml") == ["index", "01-one", "02-two", "labs/02-two"]


@pytest.fixture
def chromium() -> None:
    """Without one: skipped; under CI=true a failure."""
    try:
        pdf.browser()
    except Refusal as refusal:
        if os.environ.get("CI") == "true":
            pytest.fail(str(refusal))
        pytest.skip(str(refusal))


@pytest.mark.browser
@pytest.mark.usefixtures("chromium")
def test_pages_are_printed_unfolded_and_joined(site: Path) -> None:
    told: list[str] = []
    to = site.parent / "out" / "book.pdf"
    sheets = pdf.write(site, site.parent / "_toc.yml", to, told.append)
    read = pypdf.PdfReader(to)
    assert sheets == len(read.pages) == 4
    assert [item.title for item in read.outline] == told == ["index", "01-one", "02-two", "labs/02-two"]
    assert "The answer of 02-two" in read.pages[2].extract_text()
    assert not list(site.rglob(".print-*"))


def test_what_is_missing_is_said(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(site))
    with pytest.raises(Refusal, match="Printing the book needs Chromium or Chrome on the PATH"):
        pdf.write(site, site.parent / "_toc.yml", site / "book.pdf")
    monkeypatch.setattr(pdf, "browser", lambda: "chromium")
    (site / "index.html").unlink()
    with pytest.raises(Refusal, match="the built book has no page 'index'; build it first: make book"):
        pdf.write(site, site.parent / "_toc.yml", site / "book.pdf")
