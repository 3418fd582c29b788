"""An agenda adds up what lessons and tasks say, leaves slack, fails when it is too long, and says what to drop."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from labs import terminal
from labs.check.labs import load
from labs.course import layout
from labs.errors import Refusal
from labs.workshop import agenda
from labs.workshop.pace_commands import agenda as command

BOOK = layout.find().book
SQUID = {"lesson": "06-squid", "take": ["read", "lab", "quiz"]}


def of(*lines: dict[str, Any], end: str = "18:00") -> agenda.Agenda:
    data = {
        "title": "A day",
        "audience": "",
        "sessions": [{"title": "Day", "start": "9:00", "end": end, "lines": lines}],
    }
    return agenda.read("a-day", data, book=BOOK)


@pytest.mark.parametrize("name", agenda.names())
def test_every_agenda_fits_with_its_slack(name: str) -> None:
    made = agenda.plan(name)
    assert not agenda.overruns(made)
    for session in made.sessions:
        now, taught = session.rows[0].at_min, 0
        for row in session.rows:
            assert row.at_min == now, "rows leave no gap"
            now += row.minutes
            if row.kind == "slack":
                assert row.minutes >= agenda.SLACK * taught
                taught = 0
            elif row.kind != "pause":
                taught += row.minutes
        assert session.rows[-1].kind == "slack"
        assert now == session.end_min <= session.until_min


@pytest.mark.parametrize("slug", sorted(path.stem for path in layout.find().notebooks.glob("*.md")))
def test_a_lesson_says_as_many_minutes_of_lab_as_its_tasks_take(slug: str) -> None:
    assert agenda.lesson(BOOK / f"{slug}.md")["lab"] == sum(task.minutes for task in load(slug).tasks)


def test_minutes_are_those_of_lessons_and_tasks() -> None:
    rows = of(SQUID).sessions[0].rows
    page = agenda.lesson(BOOK / "06-squid.md")
    assert [(row.kind, row.minutes) for row in rows[:3]] == [
        ("read", page["read"]),
        ("lab", sum(task.minutes for task in load("06-squid").tasks)),
        ("quiz", page["quiz"]),
    ]


def test_a_lab_without_its_stretch_tasks_is_shorter_by_them() -> None:
    core, whole = (of({**SQUID, "take": [take]}).sessions[0].rows[0] for take in ("core", "lab"))
    assert whole.minutes - core.minutes == sum(task.minutes for task in load("06-squid").tasks if task.stretch) > 0


def test_a_session_that_is_longer_than_its_room_fails_and_says_what_to_leave_out() -> None:
    made = of(SQUID, end="10:25")
    with pytest.raises(
        Refusal, match=r"ends at 10:\d\d, \d+ minutes after .* leave out task 7 of lab 6 \(stretch"
    ) as said:
        agenda.require_fit(made)
    assert said.value.exit_status == 1


def test_stretch_goes_first_then_questions_then_the_last_core_tasks_and_what_is_kept_stays() -> None:
    session = of({**SQUID, "keep": [3]}).sessions[0]
    tasks = {task.number: task for task in load("06-squid").tasks}
    everything = agenda.cut(session, 0, 240)
    assert [(each.task, each.what[:13]) for each in everything.drop] == [
        (7, "task 7 of lab"),
        (None, "the questions"),
        *((number, f"task {number} of lab") for number in (6, 5, 4, 2)),
    ]
    assert everything.catch_up == ("lab catch-up 06-squid --task 3",)
    assert "ends" in everything.rest
    a_little = agenda.cut(session, 0, tasks[7].minutes)
    assert [each.task for each in a_little.drop] == [7]
    assert not a_little.rest
    assert not a_little.catch_up


@settings(max_examples=40)
@given(late=st.integers(1, 120), name=st.sampled_from(agenda.names()))
def test_a_cut_wins_back_what_is_late_with_nothing_too_much(late: int, name: str) -> None:
    for session in agenda.plan(name).sessions:
        for cut in agenda.cuts(session, late):
            won = [each.minutes for each in cut.drop]
            assert sum(won[:-1]) < late
            assert sum(won) >= late or cut.rest
            kept = {(row.slug, task.number) for row in session.rows for task in row.tasks if task.keep}
            assert not kept & {(each.slug, each.task) for each in cut.drop}


def test_moved_to_another_hour_everything_moves() -> None:
    before, after = agenda.plan("half-day"), agenda.plan("half", "10:30")
    assert {b.at_min - a.at_min for a, b in zip(before.sessions[0].rows, after.sessions[0].rows, strict=True)} == {90}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"lesson": "06-nowhere", "take": ["read"]}, "there is no lesson '06-nowhere'"),
        ({"lesson": "06-squid", "take": ["sleep"]}, "a line is"),
        ({"lesson": "09-exam-room", "take": ["quiz"]}, "a line is"),
        ({"lesson": "06-squid", "take": ["lab"], "keep": [70]}, "keeps task 70"),
        ({"lunch": 60}, "a line is"),
        ({"pause": "Lunch", "minutes": "long"}, "a line is"),
    ],
)
def test_a_line_that_means_nothing_is_refused(line: dict[str, Any], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        of(line)


@pytest.mark.parametrize(
    ("arguments", "said", "status"),
    [
        (["brunch"], "there is no agenda 'brunch'; there are half-day", 2),
        (["half-day", "--start", "9 o'clock"], "no time of day", 2),
        (["half-day", "--end", "8:00"], "before it begins", 2),
        (["half-day", "--end", "11:00"], "leave out", 1),
    ],
)
def test_the_command_refuses_in_a_sentence(
    arguments: list[str], said: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert terminal.run(command, "lab agenda", arguments) == status
    assert said in capsys.readouterr().err


def test_the_command_prints_rows_cuts_and_catch_up() -> None:
    told = json.loads(CliRunner().invoke(command, ["half-day", "--json", "--late", "20"]).output)
    session = told["sessions"][0]
    assert session["rows"][0] == {
        "at": "9:00",
        "minutes": 10,
        "kind": "quiz",
        "title": "Guess first",
        "lesson": "00-start",
    }
    assert {cut["late_min"] for cut in session["cuts"]} == {20}
    tasks = next(row for row in session["rows"] if row["kind"] == "lab")["tasks"]
    assert tasks[3]["catch_up"] == "lab catch-up 01-decision --task 4"
    text = CliRunner().invoke(command, ["half-day", "--tasks"]).output
    assert "15 minutes late from 9:00 on: drop task 6 of lab 1 (stretch, 5 min), then" in " ".join(text.split())
    assert [entry["name"] for entry in json.loads(CliRunner().invoke(command, ["--json"]).output)] == agenda.names()


def test_a_page_without_minutes_is_no_lesson(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text("---\ndescription: x\n---\n# X\n")
    with pytest.raises(Refusal, match="says no minutes"):
        agenda.lesson(tmp_path / "x.md")
