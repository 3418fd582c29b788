"""The `quiz` command: taking a quiz in the terminal, lint and bots, and what they print for programs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from quizzes import attempts, bank, figures, take
from quizzes.cli import cli
from quizzes.grading import BadResponse
from quizzes.shuffle import seed, shuffled
from quizzes.text import letter

TRIAL = Path(__file__).parent / "bank"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    folder = tmp_path / "attempts"
    folder.mkdir()
    (folder / "reader").write_text("ab12\n", "ascii")
    return tmp_path


def run(*args: str, typed: str = "") -> Result:
    return CliRunner().invoke(cli, [*args, "--bank", str(TRIAL)], input=typed)


def shown(item_id: str, attempt: int = 1) -> list[str]:
    """The ids in the order in which reader ab12 sees them."""
    item = next(i for i in figures.fill_quiz(bank.load("trial", TRIAL)).items if i.id == item_id)
    key = item.key()
    if not item.shuffle:
        return list(key.options)
    return shuffled(key.options, seed("ab12", item_id, attempt), key.correct if item.type == "ordering" else ())


def letters(item_id: str, *ids: str) -> str:
    return "".join(letter(shown(item_id).index(one)) for one in ids)


def right_answers() -> list[str]:
    steps = [str(shown("trial-ordering").index(step) + 1) for step in ("ant", "mouse", "dog", "whale")]
    pairs = [f"{n}{letters('trial-matching', choice)}" for n, choice in enumerate(("cow", "horse", "sheep"), 1)]
    return [
        letters("trial-single", "four"),
        letters("trial-multiple", "a", "e").lower(),
        " ".join(steps),
        ", ".join(pairs),
        "540 s",
        letters("trial-case-one", "moo"),
        letters("trial-case-two", "baa"),
    ]


def statements(home: Path, slug: str = "trial") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home / "attempts" / f"{slug}.jsonl").read_text("utf-8").splitlines()]


def test_a_quiz_is_taken_by_letters_and_numbers(home: Path) -> None:
    result = run("take", "trial", typed="\n".join(right_answers()) + "\n")
    assert result.exit_code == 0, result.output
    assert "7 of 7 points" in result.output
    assert [said["result"]["success"] for said in statements(home)] == [True] * 7


def test_every_option_gives_its_reason(home: Path) -> None:  # noqa: ARG001
    output = " ".join(run("take", "trial", typed="\n".join(right_answers()) + "\n").output.split())
    quiz = figures.fill_quiz(bank.load("trial", TRIAL))
    reasons = [o.why for i in quiz.items if i.type in ("single", "multiple") for o in i.options]  # type: ignore[union-attr]
    reasons += [
        "It weighs more than the others together.",
        "Flocks call their young so.",
        "Its young are goslings and swim.",
    ]
    reasons += ["The multiple of the function's time is 540 s.", "That is the function's time itself."]
    assert [reason for reason in reasons if reason not in output] == []
    assert "A farm sends messages of at most 1 MiB" in output


def test_partial_credit_depends_on_the_profile(home: Path) -> None:  # noqa: ARG001
    half = letters("trial-multiple", "a", "e")[0] + letters("trial-multiple", "b")
    for profile, points in (("study", 0.0), ("exam", 0.0)):
        done = run("take", "trial", "--items", "trial-multiple", "--profile", profile, "--json", typed=half + "\n")
        assert json.loads(done.stdout)["score"] == points
    pairs = "1{} 2{} 3{}".format(*(letters("trial-matching", c) for c in ("cow", "sheep", "horse")))
    scores = {}
    for attempt, profile in enumerate(("study", "exam"), 1):
        order = shown("trial-matching", attempt)
        pairs = " ".join(f"{n}{letter(order.index(c))}" for n, c in enumerate(("cow", "sheep", "horse"), 1))
        done = run("take", "trial", "--items", "trial-matching", "--profile", profile, "--json", typed=pairs + "\n")
        scores[profile] = json.loads(done.stdout)["score"]
    assert scores == {"study": pytest.approx(1 / 3), "exam": 0}


def test_what_is_no_answer_is_asked_again(home: Path) -> None:  # noqa: ARG001
    typed = "\n".join(["", "Z", "AB", right_answers()[0]]) + "\n"
    result = run("take", "trial", "--items", "trial-single", typed=typed)
    assert "nothing given, 1 wanted" in result.output
    assert "'Z' is none of A B C D" in result.output
    assert "2 given, 1 wanted" in result.output
    assert "1 of 1 points" in result.output


@pytest.mark.parametrize(
    ("line", "reason"),
    [("1A 2A 3B", "stands there twice"), ("1A 1B 3C", "stands there twice"), ("1A 2B", "2 given, 3 wanted"), ("1Z 2B 3C", "is not a pair"),
     ("0A 2B 3C", "is not a pair"), ("A1 2B 3C", "is not a pair"), ("1 2 3", "is not a pair")],
)  # fmt: skip
def test_what_is_no_set_of_pairs_is_told(line: str, reason: str) -> None:
    item = next(i for i in bank.load("trial", TRIAL).items if i.type == "matching")
    with pytest.raises(BadResponse, match=reason):
        take.read_answer(item, ["cow", "horse", "sheep", "goose"], line)


def test_a_skipped_question_is_wrong_and_still_explained(home: Path) -> None:
    result = run("take", "trial", "--items", "trial-single", typed="s\n")
    assert "Skipped" in result.output
    assert "One short of it as counting shows." in result.output
    (said,) = statements(home)
    assert (said["result"]["success"], said["result"]["response"]) == (False, "")


def test_who_stops_keeps_the_answers_given(home: Path) -> None:
    result = run("take", "trial", typed=right_answers()[0] + "\nq\n")
    assert result.exit_code == 0
    assert "1 of 1 points" in result.output
    assert len(statements(home)) == 1


def test_an_input_that_ends_is_one_sentence_and_keeps_the_answers(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "quizzes.cli", "take", "trial", "--bank", str(TRIAL)],
        input=right_answers()[0] + "\n", capture_output=True, text=True, env={**os.environ, "LAB_HOME": str(home)}, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "1 of 7 answers are kept in" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(statements(home)) == 1


def test_the_summary_for_programs_is_json_alone(home: Path) -> None:
    result = run("take", "trial", "--json", typed="\n".join(right_answers()) + "\n")
    summary = json.loads(result.stdout)
    assert (summary["quiz"], summary["answered"], summary["score"], summary["max"]) == ("trial", 7, 7, 7)
    assert summary["log"] == str(home / "attempts" / "trial.jsonl")


def test_a_guess_is_kept_unmarked_and_remembered_when_the_item_is_scored(home: Path) -> None:
    result = run("take", "trial-guess", typed=letters("trial-single", "five") + "\n")
    assert "Your guess is kept." in result.output
    assert "quiz take trial" in result.output
    assert "One too far" not in result.output
    (said,) = statements(home, "trial-guess")
    assert said["result"]["response"] == "five"
    assert not {"success", "score"} & set(said["result"])
    later = run("take", "trial", "--items", "trial-single", typed=right_answers()[0] + "\n")
    assert "Your guess at the start: The number five." in later.output


def test_a_second_attempt_has_an_order_of_its_own(home: Path) -> None:
    for _ in range(2):
        run("take", "trial", "--items", "trial-single", typed="s\n")
    first, second = (said["context"]["extensions"] for said in statements(home))
    assert (first["urn:deployment-dilemma:attempt"], second["urn:deployment-dilemma:attempt"]) == (1, 2)
    assert first["urn:deployment-dilemma:order"] == shown("trial-single", 1)
    assert second["urn:deployment-dilemma:order"] == shown("trial-single", 2)


def test_a_statement_has_the_shape_of_xapi(home: Path) -> None:
    run("take", "trial", "--items", "trial-multiple", typed=letters("trial-multiple", "a", "b") + "\n")
    (said,) = statements(home)
    assert said["actor"] == {"account": {"homePage": "urn:deployment-dilemma:reader", "name": "ab12"}}
    assert said["verb"]["id"] == "http://adlnet.gov/expapi/verbs/answered"
    assert said["object"]["id"] == "urn:deployment-dilemma:item:trial-multiple"
    assert said["object"]["definition"]["interactionType"] == "choice"
    assert said["result"]["response"] == "a[,]b"
    assert said["result"]["score"] == {"scaled": 0.0}
    assert said["context"]["contextActivities"]["grouping"] == [{"id": "urn:deployment-dilemma:quiz:trial"}]
    assert said["timestamp"].endswith("Z")


def test_a_cut_off_line_in_the_log_is_passed_over(tmp_path: Path) -> None:
    log = attempts.Log(tmp_path / "x.jsonl")
    log.append({"object": {"id": "urn:deployment-dilemma:item:x"}})
    with log.path.open("a") as file:
        file.write('{"object": {"id": "urn:depl\n[1]\n')
    log.append({"object": {"id": "urn:deployment-dilemma:item:y"}})
    assert [said["object"]["id"][-1] for said in log] == ["x", "y"]


def test_attempts_stand_in_the_state_folder() -> None:
    assert attempts.folder({"LAB_HOME": "/a"}) == Path("/a/attempts")
    assert attempts.folder({"XDG_STATE_HOME": "/b"}) == Path("/b/deployment-dilemma/attempts")
    assert attempts.folder({}) == Path.home() / ".local/state/deployment-dilemma/attempts"


def test_without_a_name_the_quizzes_are_listed() -> None:
    assert [row["quiz"] for row in json.loads(run("take", "--json").stdout)] == ["trial", "trial-guess"]
    assert "Take one with" in run("take").output


def test_a_wrong_name_lists_the_right_ones(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "quizzes.cli", "take", "nosuch"],
        capture_output=True, text=True, env={**os.environ, "LAB_HOME": str(home)}, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "there is no quiz 'nosuch'; there are: 00-start" in done.stderr
    assert not (home / "attempts" / "nosuch.jsonl").exists()


def test_lint_and_bots_speak_json() -> None:
    clean = json.loads(CliRunner().invoke(cli, ["lint", "--json"]).stdout)
    assert clean["errors"] == 0
    assert clean["items"] == len({i.id for quiz in bank.load_all() for i in quiz.items})
    found = json.loads(CliRunner().invoke(cli, ["bots", "--json"]).stdout)
    assert set(found["bots"]["longest"]) == {"score", "chance", "limit", "n", "passed"}
    assert (len(found["halves"]), len(found["forms"])) == (2, 2)
    assert len(found["halves"]) == 2


def test_lint_fails_on_an_error_and_names_the_place(tmp_path: Path) -> None:
    for path in TRIAL.glob("*.yaml"):
        (tmp_path / path.name).write_text(
            path.read_text("utf-8").replace("Which TWO are vowels?", "Which THREE are vowels?"), "utf-8"
        )
    result = CliRunner().invoke(cli, ["lint", "--bank", str(tmp_path)])
    assert result.exit_code == 1
    assert "trial.yaml:19: error: trial-multiple: select-n: the question says THREE, the key has TWO" in result.output


def test_bots_fail_when_a_bank_falls_to_one(tmp_path: Path) -> None:
    for path in TRIAL.glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text("utf-8"), "utf-8")
    text = (tmp_path / "trial.yaml").read_text("utf-8")
    head, single = text.split("items:\n", 1)[0], text.split("  - id: trial-multiple")[0].split("items:\n")[1]
    long = single.replace("The number four.", "The number four and nothing that is either less or more.")
    many = "".join(long.replace("trial-single", f"trial-{n}") for n in range(12))
    (tmp_path / "trial.yaml").write_text(f"{head}items:\n{many}", "utf-8")
    (tmp_path / "trial-guess.yaml").unlink()
    result = CliRunner().invoke(cli, ["bots", "--bank", str(tmp_path)])
    assert result.exit_code == 1
    assert "too good" in result.output
