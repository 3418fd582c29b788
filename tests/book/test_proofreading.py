"""The proofreader: what it takes for prose, which figures it finds, and that the book has none of them."""

from pathlib import Path

import pytest
from proofreading import figures, pages, reading

PAGE = """\
---
description: "60 s in the front matter is no prose"
---

A message may have {fact}`sqs.visibility.default_s`. It is hidden for 30 seconds, or for `30 seconds` in code.

```{exam-answer}
Retention is 4 days by default.
```

```console
$ sleep 30 seconds
```

% a note to oneself: 30 seconds
"""


def test_sentences_are_read_and_code_roles_options_and_notes_are_not() -> None:
    lines = {line.number: line.text for line in pages.prose(PAGE)}
    assert "It is hidden for 30 seconds" in lines[5]
    assert "in code" in lines[5]
    assert "`" not in lines[5]
    assert "Retention is 4 days" in lines[8]
    assert not any("sleep" in text or "oneself" in text or "front matter" in text for text in lines.values())


def test_a_figure_of_the_register_is_found_by_amount_and_unit(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE + "\nIt ended on 2026-10-07, after 31 seconds and $7.\n", "utf-8")
    found = {finding.figure: finding.fact for finding in figures.check(page, "page.md")}
    assert found["30 seconds"] == "sqs.visibility.default_s"
    assert found["4 days"] == "sqs.retention.default_s"
    assert "2026-10-07" in found
    assert not {"31 seconds", "$7"} & set(found)
    assert "write {fact}`sqs.visibility.default_s`" in str(next(figures.check(page, "page.md")))


@pytest.mark.parametrize("path", pages.all_pages(), ids=lambda path: path.stem)
def test_no_page_has_a_bare_figure(path: Path) -> None:
    assert [str(f) for f in figures.check(path, path.relative_to(pages.BOOK).as_posix())] == []


def test_what_is_allowed_is_still_there() -> None:
    for page, figure in figures.allowed():
        assert figure in (pages.BOOK / page).read_text("utf-8"), f"{page} has no “{figure}” any more"


def test_long_words_and_sentences_raise_the_grade() -> None:
    plain = reading.level("The queue holds the job. The worker takes it.")
    heavy = reading.level(
        "Asynchronous intermediation necessitates organisational reconsideration of responsibilities."
    )
    assert plain.words == 9
    assert plain.words_per_sentence == pytest.approx(4.5)
    assert heavy.grade > plain.grade + 10
