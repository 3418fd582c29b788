"""The notebook's face: what a browser says is marked again in Python, and kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from labs.errors import Refusal
from quizzes import attempts, notebook

TRIAL = Path(__file__).parent / "bank"


@pytest.fixture
def widget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> notebook.QuizWidget:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    return notebook.show("trial", folder=TRIAL)


def said(item_id: str, response: str, **result: Any) -> dict[str, Any]:
    return {
        "object": {"id": f"{attempts.URN}item:{item_id}"},
        "result": {"response": response, **result},
        "context": {"extensions": {f"{attempts.URN}order": ["four", "three"]}},
    }


def test_every_item_of_a_quiz_is_in_the_widget_case_sets_too(widget: notebook.QuizWidget) -> None:
    for item in widget.quiz.items:
        assert f'id="q-{item.id}"' in widget.html
    assert "A farm sends messages" in widget.html


def test_an_answer_reaches_python_and_the_log(widget: notebook.QuizWidget) -> None:
    widget._received(widget, said("trial-single", "four"), [])
    widget._received(widget, said("trial-matching", "calf[.]cow[,]foal[.]goose[,]lamb[.]horse"), [])
    points, marked = widget.score()
    assert (points, marked) == (pytest.approx(4 / 3), 2)
    kept = [json.loads(line) for line in widget.attempt_log.path.read_text("utf-8").splitlines()]
    assert [one["context"]["platform"] for one in kept] == ["notebook"] * 2


def test_a_mark_that_the_browser_gives_itself_does_not_count(widget: notebook.QuizWidget) -> None:
    widget._received(widget, said("trial-single", "ten", success=True, score={"scaled": 1}), [])
    assert widget.score() == (0, 1)
    widget._received(widget, said("trial-single", "four"), [])
    assert widget.score() == (0, 1)  # the first answer is the one that counts


@pytest.mark.parametrize(
    "strange", [None, {}, "x", said("nosuch", "four"), said("trial-single", "twelve"), {"object": 3}]
)
def test_what_is_no_answer_is_passed_over(widget: notebook.QuizWidget, strange: Any) -> None:
    widget._received(widget, strange, [])
    assert widget.answers == []
    assert not widget.attempt_log.path.exists()


@pytest.mark.usefixtures("widget")
def test_a_computed_item_is_drawn() -> None:
    assert len(notebook.draw("token-bill", 7).quiz.items) == 1


@pytest.mark.usefixtures("widget")
def test_a_wrong_name_is_refused() -> None:
    with pytest.raises(Refusal, match="no item 'nosuch' in trial"):
        notebook.show("trial", ["nosuch"], TRIAL)
