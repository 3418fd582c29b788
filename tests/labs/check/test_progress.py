"""`lab progress`: what it makes of this machine's logs, of damaged ones too."""

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from labs.check import log, progress
from labs.check.commands import progress as command
from quizzes import attempts, bank
from quizzes.grading import Grade


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    return tmp_path


def checked(**scores: float) -> dict[str, object]:
    tasks = {"queue": 1, "table": 2}
    return {
        "checks": [
            {
                "id": name,
                "task": tasks[name],
                "stretch": False,
                "score": score,
                "max": 2.0,
                "passed": False,
                "message": "",
            }
            for name, score in scores.items()
        ]
    }


def answer(folder: Path, item: object, right: bool) -> None:
    context = attempts.Context("06-squid", "reader", 1, [])
    said = attempts.statement(item, "x", Grade(float(right), right, True), context)
    attempts.Log(folder / "attempts" / "06-squid.jsonl").append(said)


def test_of_each_check_the_best_counts_and_what_is_open_is_named() -> None:
    log.add("00-small", checked(queue=2.0))
    log.add("00-small", checked(queue=1.0, table=0.0))
    (line,) = progress.read().labs
    assert (line.score, line.max, line.open) == (2.0, 3.0, ["2 A table of jobs"])


def test_the_last_answer_to_an_item_counts_and_skills_with_few_right_are_weak(home: Path) -> None:
    items = [item for item in bank.load("02-bedrock").items if item.objective in progress.skill_of().values()]
    skill, often = Counter(item.objective for item in items).most_common(1)[0]
    assert often >= progress.FEWEST, "this test needs two items of one skill"
    same = [item for item in items if item.objective == skill]
    for item in same:
        answer(home, item, right=True)
        answer(home, item, right=False)
    found = progress.read()
    assert [(share.right, share.answered) for share in found.quizzes] == [(0, len(same))]
    assert [(share.name, share.right) for share in found.weak] == [(skill, 0)]


def test_damaged_logs_are_read_as_far_as_they_go(home: Path) -> None:
    log.add("00-small", checked(queue=2.0))
    with (home / "checks.jsonl").open("a") as file:
        file.write(
            '{"lab": "00-small", "checks": {"queue": 7}}\n{"lab"\n[1]\n'
            + json.dumps({"lab": "99-gone", "checks": {}})
            + "\n"
        )
    (home / "attempts").mkdir()
    (home / "attempts" / "x.jsonl").write_text('{"object": {}}\n[]\nnull\n{"object": {"id": "a"}, "context": 1}\n')
    found = progress.read()
    assert [line.slug for line in found.labs] == ["00-small"]
    assert found.quizzes == []


def test_the_command_prints_a_page_or_json_and_says_where_to_begin() -> None:
    assert "Begin with" in CliRunner().invoke(command, []).output
    log.add("00-small", checked(queue=2.0, table=0.5))
    assert "2.5 of 3" in CliRunner().invoke(command, []).output
    assert json.loads(CliRunner().invoke(command, ["--json"]).output)["labs"][0]["score"] == 2.5
