"""`quiz export room` and what the room's server makes of its file: what the bank says, in plain tags, and one sentence for any other file."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.errors import Refusal
from labs.workshop.live import numbers, polls
from quizzes import bank
from quizzes.cli import cli
from quizzes.exports import gather, room
from quizzes.grading import BadResponse, parse_number
from quizzes.model import Multiple, Numeric, Single
from quizzes.text import inline_html
from tests.labs.workshop.live_kit import number_poll, poll


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("polls") / "polls.json"
    room.write(gather.items(), path)
    return path


def test_the_room_reads_every_question_with_its_key_reasons_and_beliefs(exported: Path) -> None:
    read, beliefs = polls.load(exported), bank.misconceptions()
    asked = {one.item.id: one.item for one in gather.items() if isinstance(one.item, Single | Multiple | Numeric)}
    assert list(read) == list(asked)
    assert len(read) > 100
    for name, item in asked.items():
        if isinstance(item, Numeric):
            continue
        found = {option["id"]: option for option in read[name]["options"]}
        assert {one for one, option in found.items() if option["correct"]} == set(item.key().correct)
        assert read[name]["select"] == len(item.key().correct)
        for option in item.options:
            said = found[option.id]
            assert "<a" not in said["html"] + said["why_html"]
            if "](" not in option.why:
                assert said["why_html"] == inline_html(option.why)
            assert bool(said["belief"]) != option.correct
            assert said["belief"] == (beliefs[option.misconception] if option.misconception else "")


def test_every_number_has_its_right_value_and_each_mistake_with_its_belief(exported: Path) -> None:
    read, beliefs = polls.load(exported), bank.misconceptions()
    asked = [one.item for one in gather.items() if isinstance(one.item, Numeric)]
    assert len(asked) > 10
    for item in asked:
        shown = read[item.id]
        [right] = [option for option in shown["options"] if option["correct"]]
        assert numbers.bucket(shown, item.key().answer) == right["id"]
        values = [option["value"] for option in shown["options"]]
        assert values == sorted(values), "their order says nothing of which is right"
        for mistake in item.mistakes:
            found = numbers.bucket(shown, float(mistake.value))
            [option] = [one for one in shown["options"] if one["id"] == found]
            assert option["belief"] == beliefs[mistake.misconception]
        at_edge = item.key().answer + item.key().tolerance
        assert numbers.bucket(shown, at_edge) == right["id"], "as the quizzes mark it"


def test_what_is_typed_is_read_as_in_a_quiz() -> None:
    for text in ("9200", "9,200", " 9 200 tokens", "$4.5", "-3", "\u22123", "1e3", ".5", "5.", "1,5", "1,50", "1.2.3", "", "-", "e5", "x", "9" * 400, "1e999", "tokens", "12 MB"):  # fmt: skip
        same_as_in_a_quiz(text)


@given(st.text("0123456789.,-+e $_mMbB\u00a0\u2212", max_size=10))
@settings(max_examples=200)
def test_whatever_is_typed_is_read_as_in_a_quiz(text: str) -> None:
    same_as_in_a_quiz(text)


def same_as_in_a_quiz(text: str) -> None:
    try:
        wanted: float | None = parse_number(text, "MB")
    except BadResponse:
        wanted = None
    try:
        found: float | None = numbers.read(text, "MB")
    except Refusal:
        found = None
    assert found == wanted


@pytest.mark.parametrize(
    ("number", "stands_for"),
    [(5.5, "v1"), (5.61, "v1"), (5.39, "v1"), (2.5, "v0"), (2.51, "v0"), (8.1, "v2"), (5.3, "other"), (0, "other"), (-2.5, "other"), (1e300, "other")],
)  # fmt: skip
def test_a_number_stands_for_the_nearest_mistake_or_for_none(number: float, stands_for: str) -> None:
    assert numbers.bucket(number_poll(), number) == stands_for


def test_the_command_writes_where_the_server_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    done = CliRunner().invoke(cli, ["export", "room", "05-economics", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert Path(said["path"]) == tmp_path / "room" / "polls.json"
    read = polls.load(tmp_path / "room" / "polls.json")
    assert len(read) == said["items"] > 0
    assert {each["quiz"] for each in read.values()} == {"05-economics"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a file of polls"),
        ('{"format": "other", "polls": []}', "not a file of polls"),
        ('{"format": "deployment-dilemma-polls/1", "polls": {}}', "not a file of polls"),
        ('{"format": "deployment-dilemma-polls/1", "polls": [7]}', "poll number 1: it is no object"),
    ],
)
def test_another_file_is_refused_in_a_sentence(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "polls.json"
    path.write_text(text)
    with pytest.raises(Refusal, match=why):
        polls.load(path)


def test_no_file_is_refused_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="quiz export room -o"):
        polls.load(tmp_path / "polls.json")


def written(folder: Path, *shown: dict[str, Any]) -> Path:
    path = folder / "polls.json"
    path.write_text(json.dumps({"format": polls.FORMAT, "polls": shown}))
    return path


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"stem_html": "<script>alert(1)</script>"}, "holds <script>"),
        ({"stem_html": '<p onclick="x()">a</p>'}, "holds <p onclick>"),
        ({"criterion_html": '<img src="https://example.com/x.png">'}, "holds <img src>"),
        ({"case_html": "<!-- <b> -->"}, "holds <!--"),
        ({"case_html": '<a href="javascript:x()">a</a>'}, "holds <a href>"),
        ({"case_html": "<svg/onload=x()>"}, "holds <svg"),
        ({"select": 2}, "asks for 2 options, and 1 are right"),
        ({"type": "ordering"}, "are right"),
        ({"options": []}, "options"),
        ({"options": [{"id": "a"}]}, "option"),
        ({"seconds": True}, "'seconds'"),
        ({"skill": None}, "'skill'"),
        ({"type": "numeric"}, "a value is missing"),
        ({"type": "numeric", "unit": "MB", "tolerance": float("nan")}, "a value is missing"),
    ],
)
def test_a_poll_that_is_none_or_holds_a_script_is_named(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    with pytest.raises(Refusal, match="poll whole-bill") as refused:
        polls.load(written(tmp_path, poll() | change))
    assert why in str(refused.value)


def test_a_poll_that_stands_there_twice_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="twice"):
        polls.load(written(tmp_path, poll(), poll()))
