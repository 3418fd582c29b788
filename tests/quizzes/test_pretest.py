"""The pretest: twelve questions over all lessons, and a plan that anybody could have reckoned by hand."""

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from quizzes import attempts, bank, sections
from quizzes.cli import cli
from quizzes.pretest import draw, plan
from quizzes.take import order_of

TRIAL = Path(__file__).parent / "bank"
VECTORS = json.loads((Path(__file__).parent / "plans.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_plan_is_what_the_vectors_say(vector: dict) -> None:  # type: ignore[type-arg]
    lessons = [plan.Lesson(**lesson) for lesson in vector["lessons"]]
    right = {slug: tuple(score) for slug, score in vector["right"].items()}
    assert [one.to_json() for one in plan.evenings(lessons, right, vector["evening"])] == vector["plan"]


LESSONS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 20)), max_size=8)


@given(LESSONS, st.integers(30, 240), st.data())
def test_no_evening_is_too_long_and_nothing_is_lost(
    minutes: list[tuple[int, int, int]], evening: int, data: st.DataObject
) -> None:
    lessons = [plan.Lesson(f"l{n}", "L", *parts) for n, parts in enumerate(minutes)]
    right = {lesson.slug: data.draw(st.sampled_from([(0, 0), (0, 2), (1, 2)])) for lesson in lessons}
    made = plan.evenings(lessons, right, evening)
    for one in made:
        assert one.minutes <= evening or len(one.steps) == 1
    done = Counter(step.lesson for one in made for step in one.steps)
    for lesson in lessons:
        parts = [lesson.read, lesson.quiz, *([] if right[lesson.slug][0] else [lesson.lab])]
        assert done[lesson.slug] == sum(part > 0 for part in parts)


def test_twelve_are_asked_and_every_lesson_is() -> None:
    asked = draw.draw()
    assert len(asked) == 12
    assert [one.lesson for one in asked] == sorted(one.lesson for one in asked)
    assert {one.lesson for one in asked} == {
        slug for slug in sections.Book.read().minutes if slug not in ("00-start", "09-exam-room")
    }
    assert len({one.item.id for one in asked}) == 12
    guessed = {item.id for item in bank.load("00-start").items}
    assert not guessed & {one.item.id for one in asked}  # the first page asks those already
    assert {one.item.type for one in asked} <= {"single", "multiple"}
    assert [one.item.id for one in draw.draw()] == [one.item.id for one in asked]


def test_a_lesson_without_questions_is_asked_computed_ones() -> None:
    asked = draw.draw(TRIAL)
    assert len(asked) == 12
    assert [one.item.id.rpartition("-")[0] for one in asked][:3] == ["kv-cache-size", "one-reader-speed", "token-bill"]


def test_the_books_lessons_have_minutes() -> None:
    lessons = plan.lessons()
    assert lessons[-1].slug == plan.EXAM
    assert lessons[-1].exam == 90
    assert all(lesson.read for lesson in lessons[:-1])


# --- in the terminal


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    return tmp_path


def run(*args: str, typed: str) -> Result:
    return CliRunner().invoke(cli, ["pretest", *args, "--bank", str(TRIAL)], input=typed)


def right_answer(one: draw.Pretested) -> str:
    order = order_of(one.item, attempts.reader_name(attempts.folder()), 1)
    return "".join(chr(ord("A") + order.index(name)) for name in one.item.key().correct)


def test_answers_make_a_plan_and_tell_nothing(home: Path) -> None:
    asked = draw.draw(TRIAL)
    typed = "\n".join(right_answer(one) if one.lesson in ("06-squid", "02-bedrock") else "s" for one in asked)
    done = run(typed=typed + "\n")
    assert done.exit_code == 0, done.output
    assert "3 of 12 right" in done.output
    assert "06-squid: skim (5)" in " ".join(done.output.split())
    assert not {"✓", "✗"} & set(done.output)
    assert len((home / "attempts" / "pretest.jsonl").read_text("utf-8").splitlines()) == 12
    again = run("--evening", "60", "--json", typed="s\n" * 12)
    made = json.loads(again.stdout)
    assert (made["right"], made["n"]) == (0, 12)
    assert all(evening["minutes"] <= 60 or len(evening["steps"]) == 1 for evening in made["evenings"])


@pytest.mark.usefixtures("home")
def test_half_a_pretest_makes_no_plan() -> None:
    assert "a plan needs all the answers" in str(run(typed="s\nq\n").exception)
    assert "a plan needs all the answers" in str(run(typed="s\n").exception)
