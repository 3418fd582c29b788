"""A timetable adds up what the lessons themselves say, and refuses what they do not say."""

from collections.abc import Callable
from html import unescape
from pathlib import Path
from re import DOTALL, findall, sub

import pytest
from bookbinding import timetables
from mini_book import Built

LESSON = "---\ndescription: x\nminutes: {read: 20, lab: 45}\n---\n# A lesson\n\nText.\n"


def page(lines: str) -> str:
    return f"---\ndescription: x\n---\n# A session\n\n```{{timetable}} 9:50\n{lines}\n```\n"


def cells(html: str) -> list[list[str]]:
    text = html[html.index("<table") : html.index("</table>")]
    rows = findall(r"<tr.*?</tr>", text, DOTALL)
    return [[unescape(sub("<.*?>", "", cell)).strip() for cell in findall(r"<td.*?</td>", row, DOTALL)] for row in rows]


def test_minutes_come_from_the_lessons_and_the_clock_goes_on(build_book: Callable[..., Built]) -> None:
    built = build_book({"one": LESSON, "session": page("one: read, lab\nCoffee, standing: 15\none: read")})
    assert not built.warnings
    assert cells(built.page("session"))[1:] == [
        ["9:50", "A lesson: lesson, lab", "20 + 45 = 65"],
        ["10:55", "Coffee, standing", "15"],
        ["11:10", "A lesson: lesson", "20"],
        ["11:30", "End, 45 minutes of it in labs", "100"],
    ]


def test_a_session_without_a_lab_ends_without_a_word_about_labs(build_book: Callable[..., Built]) -> None:
    built = build_book({"one": LESSON, "session": page("one: read")})
    assert cells(built.page("session"))[-1] == ["10:10", "End", "20"]


def test_what_a_lesson_does_not_have_is_a_warning(build_book: Callable[..., Built]) -> None:
    built = build_book({"one": LESSON, "session": page("one: quiz")})
    assert "one has minutes for read, lab" in built.warnings


@pytest.mark.parametrize("line", ["nowhere: read", ": 15", "Coffee"])
def test_a_line_that_means_nothing_is_refused(line: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a lesson and read, lab or quiz"):
        timetables.rows([line], tmp_path)
