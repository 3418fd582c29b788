"""Study mode: what is due comes first, certainty is asked before the verdict, and the curve says how far it was true."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fsrs import Rating

from labs.errors import Refusal
from quizzes import attempts, bank, figures, notebook, take
from quizzes.cli import cli
from quizzes.study import certainty, pick
from quizzes.study.schedule import Deck, card_of, rating

TRIAL = Path(__file__).parent / "bank"
NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    return tmp_path


def run(*args: str, typed: str = "") -> Result:
    return CliRunner().invoke(cli, ["study", *args, "--bank", str(TRIAL)], input=typed)


def letter_of(item_id: str, option: str, attempt: int = 1) -> str:
    item = {i.id: i for i in figures.fill_quiz(bank.load("trial", TRIAL)).items}[item_id]
    order = take.order_of(item, attempts.reader_name(attempts.folder()), attempt)
    return chr(ord("A") + order.index(option))


# --- when


def test_what_is_known_well_comes_back_later(tmp_path: Path) -> None:
    waits = []
    for name, how in (("a", Rating.Again), ("b", Rating.Hard), ("c", Rating.Good), ("d", Rating.Easy)):
        waits.append(Deck(tmp_path / name / "cards.json").review(name, how, NOW) - NOW)
    assert waits == sorted(waits)
    assert waits[0] < timedelta(minutes=5)
    assert waits[3] > timedelta(days=5)


def test_each_success_moves_it_further_away_and_a_lapse_brings_it_back(tmp_path: Path) -> None:
    deck, now, waits = Deck(tmp_path / "cards.json"), NOW, []
    for _ in range(5):
        due = deck.review("a", Rating.Good, now)
        waits.append(due - now)
        now = due
    assert waits[2] < waits[3] < waits[4]
    assert deck.review("a", Rating.Again, now) - now < waits[2]


@pytest.mark.parametrize(
    ("score", "sure", "how"),
    [(1.0, 3, Rating.Easy), (1.0, 2, Rating.Good), (1.0, 1, Rating.Hard), (0.5, 3, Rating.Hard), (0.4, 3, Rating.Again), (1.0, None, Rating.Again)],
)  # fmt: skip
def test_a_right_guess_is_not_knowledge(score: float, sure: int | None, how: Rating) -> None:
    assert rating(score, sure) == how


def test_the_longest_overdue_comes_first_then_what_is_new(tmp_path: Path) -> None:
    deck, found = Deck(tmp_path / "cards.json"), pick.candidates(["trial"], TRIAL)
    deck.review("trial-ordering", Rating.Again, NOW)
    deck.review("trial-single", Rating.Again, NOW - timedelta(hours=1))
    deck.review("trial-matching", Rating.Easy, NOW)
    asked = pick.pick(deck, found, NOW + timedelta(minutes=10), items=4, new=3)
    assert [one.card for one in asked] == ["trial-single", "trial-ordering", "trial-multiple", "trial-numeric"]
    assert [one.is_new for one in asked] == [False, False, True, True]


def test_a_computed_item_comes_back_as_another_one_of_its_family() -> None:
    assert card_of("token-bill-7") == "token-bill"
    assert card_of("trial-single") == "trial-single"
    asked = pick.Asked("token-bill", "x", figures.fill(notebook.generate.quiz("token-bill", 1).items[0]))
    assert pick._again(asked, False, 8).item.id == "token-bill-8"


def test_what_is_kept_for_exams_is_not_studied_unless_named() -> None:
    found = pick.candidates([])
    assert found
    assert not [one for one in found.values() if one.quiz.startswith("exam-")]


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cards.json").write_text('{"cards": {"a": 3}}', "utf-8")
    with pytest.raises(Refusal, match="does not hold study cards"):
        Deck(tmp_path / "cards.json").cards()


# --- how sure


def test_the_marks_make_an_honest_level_the_best_one() -> None:
    for p in (0.3, 0.6, 0.7, 0.78, 0.85, 0.99):
        expected = {
            level: p * certainty.mark(True, level) + (1 - p) * certainty.mark(False, level) for level in (1, 2, 3)
        }
        best = max(expected, key=expected.__getitem__)
        assert certainty.PROMISED[best][0] <= p <= certainty.PROMISED[best][1]


def test_who_is_sure_and_wrong_is_told(tmp_path: Path) -> None:
    levels = certainty.calibration([(3, False)] * 12 + [(3, True)] * 8 + [(1, True)] * 9 + [(2, True)] * 3)
    assert [levels[n].verdict for n in (1, 2, 3)] == ["surer than you say", "too few to say", "too sure"]
    rows = certainty.curve(levels)
    assert "8 of 20 right: too sure" in rows[3]
    assert rows[3].index("●") == 13 + round(0.4 * certainty.WIDTH)
    assert all(len(row) <= 79 for row in rows)
    assert "layer" in certainty.chart(levels).to_dict()
    assert certainty.calibration(certainty.answers(tmp_path))[1].n == 0


# --- in the terminal


def test_a_session_asks_how_sure_before_it_tells(home: Path) -> None:
    typed = f"{letter_of('trial-single', 'four')}\n7\n3\n{letter_of('trial-multiple', 'a')}{letter_of('trial-multiple', 'b')}\n2\nq\n"
    done = run("trial", typed=typed)
    assert done.exit_code == 0, done.output
    first = done.output.partition("How sure are you")[0]
    assert "counting shows" not in first
    assert "1, 2 or 3." in done.output
    assert "1 of 2 points, 1 certainty marks of 6" in done.output  # 3 - 2
    log = [json.loads(line) for line in (home / "attempts" / "trial.jsonl").read_text("utf-8").splitlines()]
    assert [said["context"]["extensions"]["urn:deployment-dilemma:certainty"] for said in log] == [3, 2]
    cards = Deck(home / "study" / "cards.json").cards()
    assert cards["trial-single"].due > cards["trial-multiple"].due
    again = json.loads(run("trial", "--json", typed="q\n").stdout)
    assert (again["answered"], [level["n"] for level in again["calibration"]]) == (0, [0, 1, 1])


@pytest.mark.usefixtures("home")
def test_what_is_known_is_not_asked_again_today() -> None:
    run("trial", "--items", "1", typed=f"{letter_of('trial-single', 'four')}\n3\n")
    said = run("trial", "--items", "1", typed="q\n").output
    assert "0 due, 1 new" in said
    assert "Five letters stand in a row" in said
    assert "Nothing is due, and nothing is new." in run("trial", "--new", "0").output


# --- in a notebook


def said(name: str, response: str, sure: int | None = None) -> dict[str, Any]:
    extensions: dict[str, Any] = {f"{attempts.URN}order": ["three", "four", "five", "ten"]}
    if sure:
        extensions[f"{attempts.URN}certainty"] = sure
    return {
        "object": {"id": f"{attempts.URN}item:{name}"},
        "result": {"response": response},
        "context": {"extensions": extensions},
    }


def test_a_notebook_studies_the_same_cards(home: Path) -> None:
    widget = notebook.study("trial", items=3, folder=TRIAL)
    assert 'data-certainty="yes"' in widget.html
    widget._received(widget, said("trial-single", "four", 3), [])
    due = Deck(home / "study" / "cards.json").cards()["trial-single"].due
    widget._received(widget, said("trial-single", "five", 3), [])  # a second answer moves no card
    assert Deck(home / "study" / "cards.json").cards()["trial-single"].due == due
    assert certainty.calibration(certainty.answers(home / "attempts"))[3].n == 2
    assert "layer" in widget.calibration().to_dict()
    assert (home / "attempts" / "trial.jsonl").is_file()
    assert [one.card for one in pick.pick(widget.deck, pick.candidates(["trial"], TRIAL), datetime.now(UTC), 1)] == [
        "trial-multiple"
    ]
