"""A build is skipped exactly when nothing that may change it has changed."""

from pathlib import Path

import pytest

from labs.course import stamp
from labs.course.layout import Layout


def test_nothing_changed_means_the_same_digests(course: Layout) -> None:
    assert stamp.everything(course) == stamp.everything(course)
    assert stamp.machinery(course) == stamp.machinery(course)
    assert stamp.lab_code(course) == stamp.lab_code(course)


@pytest.mark.parametrize(
    ("path", "everything", "machinery", "lab_code"),
    [
        ("book/01-lesson.md", True, False, False),
        ("notebooks/01-lab.md", True, False, False),
        ("book/_static/look.css", True, False, False),
        ("book/_static/tokens.css", True, True, False),
        ("book/_config.yml", True, True, False),
        ("book/_ext/bookbinding/pages.py", True, True, False),
        ("labs/serving/engine.py", True, True, True),
        ("labs/facts/data/sqs.yaml", True, False, True),
        ("labs/course/server.py", True, True, False),
        ("quizzes/bank/06-squid.yaml", True, False, False),
        ("quizzes/grading.py", True, True, False),
        ("constraints.txt", True, True, True),
        ("README.md", False, False, False),
        ("labs/__pycache__/engine.pyc", False, False, False),
        ("book/.DS_Store", False, False, False),
    ],
)
def test_what_each_change_makes_old(
    course: Layout, path: str, everything: bool, machinery: bool, lab_code: bool
) -> None:
    digests = (stamp.everything, stamp.machinery, stamp.lab_code)
    before = [digest(course) for digest in digests]
    file = course.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("changed")
    changed = [digest(course) != old for digest, old in zip(digests, before, strict=True)]
    assert changed == [everything, machinery, lab_code]


def test_a_renamed_file_is_a_change(course: Layout) -> None:
    before = stamp.everything(course)
    (course.book / "01-lesson.md").rename(course.book / "02-lesson.md")
    assert stamp.everything(course) != before


@pytest.mark.parametrize("name", ["BOOK_URL", "BOOK_EDIT_URL"])
def test_where_the_site_will_stand_is_part_of_it(course: Layout, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    before = stamp.everything(course), stamp.machinery(course)
    monkeypatch.setenv(name, "https://course.example/")
    after = stamp.everything(course), stamp.machinery(course)
    assert before[0] != after[0]
    assert before[1] != after[1], "every page says it"


def test_a_broken_stamp_is_no_stamp(tmp_path: Path) -> None:
    broken = tmp_path / "stamp.json"
    for text in ("", "{", "[]", '"x"'):
        broken.write_text(text)
        assert stamp.read(broken) == {}
    assert stamp.read(tmp_path / "nowhere.json") == {}
    stamp.write(broken, everything="abc")
    assert stamp.read(broken) == {"everything": "abc"}
