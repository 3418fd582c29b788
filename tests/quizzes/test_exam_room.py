"""The exam room without a terminal: keys answer, nothing is told before the end, every key is kept, and time runs out."""

import re
from pathlib import Path

import pytest

from labs.errors import Refusal
from quizzes import bank, blueprint, figures, forms, results, sections
from quizzes.exam import screen
from quizzes.exam.room import Room, clock
from quizzes.exam.sitting import Desk

TRIAL = Path(__file__).parent / "bank"
PLAN = blueprint.load("deployment-practice")
NOW = 1_800_000_000.0
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def trial_form() -> forms.Form:
    """All items of the trial bank, in its order."""
    quiz = figures.fill_quiz(bank.load("trial", TRIAL))
    questions = tuple(forms.Question(item, "trial", "integration") for item in quiz.items)
    area = next(area for area in PLAN.areas if area.id == "integration")
    return forms.Form("trial", "Trial exam", 10, questions, len(questions), ((area, 7, 7),))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "exams" / "trial.json")


@pytest.fixture
def room(desk: Desk) -> Room:
    form = trial_form()
    return Room(form, desk.begin(form, NOW), desk.keep)


def seen(room: Room, width: int = 80, height: int = 24, now: float = NOW) -> str:
    return COLOURS.sub("", "\n".join(room.lines(width, height, now)))


def press(room: Room, *keys: str, now: float = NOW) -> None:
    for key in keys:
        room.press(key, now)


def go_to(room: Room, name: str) -> None:
    room._go([q.item.id for q in room.form.questions].index(name))


def answer_right(room: Room) -> None:
    """By keys alone, page by page."""
    for question in room.form.questions:
        item, key, order = question.item, question.item.key(), room.order(question.item)
        if item.type in ("single", "multiple"):
            press(room, *(chr(ord("a") + order.index(right)) for right in key.correct))
        elif item.type == "ordering":
            press(room, *(str(order.index(step) + 1) for step in key.correct))
        elif item.type == "matching":
            press(room, *(chr(ord("A") + order.index(key.pairs[prompt.id])) for prompt in item.prompts))
        else:
            press(room, *f"{key.answer:g}")
        press(room, "right")


def test_every_kind_of_item_is_answered_by_keys(room: Room, desk: Desk) -> None:
    answer_right(room)
    assert room.view == "review"
    assert room.open_questions() == []
    press(room, "s", "y")
    assert room.done
    kept = desk.last()
    assert kept is not None
    result = results.mark(room.form, kept.answers, sections.Book.read())
    assert (result.right, len(result.marked), result.mistaken) == (7, 7, ())
    assert [line.title for line in result.skills] == sorted({q.item.objective for q in room.form.questions})


def test_nothing_says_what_is_right_before_the_end(room: Room) -> None:
    reasons = re.findall(r'"why": ?"([^"]+)"', room.form.quiz.model_dump_json())
    for _ in room.form.questions:
        before = seen(room, 120, 60)
        press(room, "a")
        shown = before + seen(room, 120, 60)
        assert [why for why in reasons if why in " ".join(shown.split())] == []
        assert not {"✓", "✗", "right.", "wrong"} & set(shown.split())
        press(room, "right")


def test_a_choice_is_changed_and_taken_back(room: Room) -> None:
    press(room, "a")
    assert seen(room).count("●") == 1
    press(room, "c")
    assert "● C" in seen(room)
    assert "● A" not in seen(room)
    press(room, "c")
    assert "●" not in seen(room)
    assert room.sitting.answers == {}


def test_of_several_no_more_are_chosen_than_asked_for(room: Room) -> None:
    go_to(room, "trial-multiple")
    press(room, "a", "b")
    assert 1 not in room.open_questions()
    press(room, "d")
    assert len(room.sitting.answers["trial-multiple"] or ()) == 2
    assert "■ D" in seen(room)
    assert "□ A" in seen(room)


def test_an_order_grows_number_by_number(room: Room) -> None:
    go_to(room, "trial-ordering")
    press(room, "3", "1", "9")
    assert "first to last: 3 1" in seen(room)
    assert 2 in room.open_questions()
    press(room, "backspace", "2", "1", "4")
    assert "first to last: 3 2 1 4" in seen(room)
    assert 2 not in room.open_questions()
    press(room, "2")
    assert "first to last: 3 1 4" in seen(room)


def test_a_choice_that_is_taken_moves_to_the_line_that_takes_it(room: Room) -> None:
    go_to(room, "trial-matching")
    press(room, "b", "b")
    given = room.sitting.answers["trial-matching"]
    assert isinstance(given, dict)
    item = room.question.item
    assert given == {item.prompts[1].id: room.order(item)[1]}  # type: ignore[union-attr]
    press(room, "up", "up", "a", "backspace")
    assert list(room.sitting.answers["trial-matching"] or ()) == [item.prompts[0].id]  # type: ignore[union-attr]


def test_what_is_marked_and_open_is_found_from_the_review(room: Room) -> None:
    press(room, "a", "right", "right", "m", "right", "r")
    page = seen(room)
    assert "1●" in page
    assert "3○⚑" in page
    assert "1 of 7 answered · 1 marked" in page
    press(room, "f")
    assert (room.view, room.sitting.at) == ("question", 2)
    press(room, "r", "home", "o")
    assert room.sitting.at == 1
    press(room, "r", "s")
    assert "6 are still open. Hand in now?" in seen(room)
    press(room, "n")
    assert (room.view, room.done) == ("review", False)


def test_what_was_answered_outlives_the_process(room: Room, desk: Desk) -> None:
    press(room, "b", "right", "m")
    back = Desk(desk.path).open()
    assert back is not None
    again = Room(room.form, back, desk.keep)
    assert (back.at, back.flagged, back.answers) == (1, ["trial-multiple"], room.sitting.answers)
    press(again, "left")
    assert "● B" in seen(again)  # in the same order as before


def test_the_clock_runs_to_an_absolute_end_and_hands_in(room: Room, desk: Desk) -> None:
    press(room, "a")
    assert "10:00 left" in seen(room)
    assert "00:01 left" in seen(room, now=NOW + 599)
    back = desk.open()
    assert back is not None
    late = Room(room.form, back, desk.keep)
    press(late, "c", now=NOW + 601)  # after the end nothing counts any more
    assert late.done
    kept = desk.last()
    assert kept is not None
    assert (kept.ended, kept.answers) == (NOW + 600, room.sitting.answers)


def test_the_time_of_each_question_is_counted(room: Room) -> None:
    press(room, "a", now=NOW)
    press(room, "right", now=NOW + 40)
    press(room, "r", now=NOW + 55)
    press(room, "escape", now=NOW + 100)  # a look at the review belongs to no question
    assert room.sitting.seconds["trial-single"] == 40
    assert room.sitting.seconds["trial-multiple"] == 15


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (60, 16)])
def test_a_screen_has_the_size_of_its_terminal(room: Room, width: int, height: int) -> None:
    for key in ["right"] * 7 + ["s"]:
        lines = [COLOURS.sub("", line) for line in room.lines(width, height, NOW)]
        assert len(lines) == height
        assert max(map(len, lines)) <= width
        assert lines[0].rstrip().endswith("left")
        press(room, key)


def test_a_long_question_is_scrolled(room: Room) -> None:
    item = room.form.questions[0].item.model_copy(update={"stem": "\n\n".join(f"Line {n}." for n in range(40))})
    room.form = forms.Form(
        "trial", "Trial exam", 10, (forms.Question(item, "trial", "integration"),), 1, room.form.areas
    )
    assert "▼" in seen(room)
    assert "○ D" not in seen(room)
    press(room, " ", " ", " ", " ", " ", " ")
    assert "○ D" in seen(room)
    assert "▲" in seen(room)
    press(room, "home")
    assert "Line 0." in seen(room)


def test_whoever_leaves_is_let_out_and_in_again(room: Room, desk: Desk) -> None:
    press(room, "q")
    assert room.left
    assert not room.done
    assert desk.open() is not None


def test_what_was_sat_is_not_drawn_again_while_there_is_anything_else(desk: Desk) -> None:
    units = forms.pool(TRIAL)
    first = forms.draw_unseen(PLAN, units, "ab/1", 12, desk.seen())
    desk.begin(first, NOW)
    second = forms.draw_unseen(PLAN, units, "ab/2", 12, desk.seen())
    had = {question.item.id for question in first.questions}
    assert first.seen_before == 0
    assert second.seen_before == len([q for q in second.questions if q.item.id in had])
    assert {q.item.id for q in second.questions if q.item.id in had} <= {q.item.id for q in first.questions if q.home}


def test_two_forms_share_nothing_and_halves_share_out_a_form() -> None:
    units = forms.pool()
    first, second = forms.two(PLAN, units, "page")
    ids = [{q.item.id for q in form.questions} for form in (first, second)]
    assert not ids[0] & ids[1]
    assert abs(len(ids[0]) - len(ids[1])) <= 6
    for form in (first, second):
        one, other = forms.halves(form)
        assert sorted([*one, *other]) == list(range(len(form.questions)))
        assert abs(len(one) - len(other)) <= 4
        for area, _, there in form.areas:
            shares = [sum(form.questions[place].area == area.id for place in half) for half in (one, other)]
            assert sum(shares) == there


def test_a_file_of_something_else_is_refused(desk: Desk) -> None:
    desk.path.parent.mkdir(parents=True)
    desk.path.write_text("[]", "utf-8")
    with pytest.raises(Refusal, match="does not hold sittings"):
        desk.open()


@pytest.mark.parametrize(
    ("sent", "means"),
    [("a\x1b[Cb", ["a", "right", "b"]), ("\x1b", ["escape"]), ("\x1bOA\x1b[6~", ["up", "pagedown"]), ("\x1b[1;5Cx", ["x"]), ("\r\x7f", ["enter", "backspace"])],
)  # fmt: skip
def test_keys_are_told_apart(sent: str, means: list[str]) -> None:
    assert list(screen.keys(sent)) == means


def test_a_clock_has_hours_only_while_there_are_any() -> None:
    assert [clock(3599.9), clock(3600), clock(0)] == ["59:59", "1:00:00", "00:00"]
