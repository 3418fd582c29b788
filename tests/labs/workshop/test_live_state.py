"""The room's rules, in whatever order joins, reports, answers and closes come."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from labs.errors import Refusal
from labs.workshop.live import dashboard
from labs.workshop.live.state import LONGEST_NAME, MOST_SEATS, BadEventError, Event, Place, Room, Seat, clean_name
from tests.labs.workshop.live_kit import PLAN, number_poll, poll

KEYS = [f"key-{n}" for n in range(6)]


class Clocked:
    """A room, and a clock that each event moves."""

    def __init__(self) -> None:
        self.room, self.at, self.events = Room(PLAN), 0.0, list[Event]()

    def do(self, event: Event | None, after_s: float = 60.0) -> None:
        self.at += after_s
        if event is not None:
            stamped = json.loads(json.dumps({**event, "at": self.at}))
            self.events.append(stamped)
            self.room.apply(stamped)

    def join(self, key: str, name: str) -> Seat:
        self.do(self.room.join(key, name))
        return self.room.seated(key)

    def report(self, key: str, **tasks: bool) -> Seat:
        self.do(self.room.report(key, "06-squid", {name[1:]: passed for name, passed in tasks.items()}))
        return self.room.seated(key)

    def ask(self, **more: Any) -> int:
        self.do(self.room.open(poll(**more)))
        return len(self.room.rounds)

    def answer(self, key: str, number: int, *options: str) -> None:
        self.do(self.room.answer(key, f"voter-{key}", number, list(options)))


@pytest.fixture
def here() -> Clocked:
    return Clocked()


# -- seats


def test_joining_twice_is_one_seat(here: Clocked) -> None:
    first = here.join("key-1", "Anna")
    assert here.join("key-1", "  anna  ".title()) is first
    assert [seat.name for seat in here.room.seats.values()] == ["Anna"]
    assert here.room.join("key-1", "Anna") is None


def test_a_second_anna_is_anna_2_and_stays_it(here: Clocked) -> None:
    here.join("key-1", "Anna")
    assert here.join("key-2", "anna").name == "anna 2"
    assert here.join("key-3", "ANNA").name == "ANNA 3"
    assert here.room.join("key-2", "anna") is None, "asking for the same name again is no third Anna"
    here.do(here.room.remove(1))
    assert here.room.join("key-2", "anna") is None
    assert here.join("key-4", "Anna").name == "Anna"


def test_somebody_called_anna_2_already_is_passed_over(here: Clocked) -> None:
    here.join("key-1", "Anna 2")
    here.join("key-2", "Anna")
    assert here.join("key-3", "Anna").name == "Anna 3"


def test_another_name_is_the_same_seat(here: Clocked) -> None:
    seat = here.join("key-1", "Anna")
    here.report("key-1", t1=True)
    assert here.join("key-1", "17") is seat
    assert seat.name == "17"
    assert seat.place == Place("06-squid", 2)


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("  Anna \n\t Maria ", "Anna Maria"),
        ("Zoë", "Zoë"),
        ("17", "17"),
        ("\u202eAnna\u0000\u200b", "Anna"),
        ("李雷", "李雷"),
    ],
)
def test_a_name_is_what_people_can_read(given_name: str, shown: str) -> None:
    assert clean_name(given_name) == shown


@pytest.mark.parametrize("bad", ["", "   ", "\u200b\u202e", "!!!", "x" * (LONGEST_NAME + 1), None, 17, ["Anna"]])
def test_what_is_no_name_is_refused(here: Clocked, bad: object) -> None:
    with pytest.raises(Refusal):
        here.room.join("key-1", bad)


def test_a_room_has_an_end(here: Clocked) -> None:
    for number in range(MOST_SEATS):
        here.do(here.room.join(f"k{number}", str(number)))
    with pytest.raises(Refusal, match="full"):
        here.room.join("one-more", "Late")
    here.do(here.room.remove(7))
    assert here.join("one-more", "Late").number == MOST_SEATS + 1


def test_who_was_removed_may_join_anew_and_is_somebody_else(here: Clocked) -> None:
    here.join("key-1", "Anna")
    here.report("key-1", t1=True)
    here.do(here.room.remove(1))
    with pytest.raises(Refusal, match="no seat"):
        here.room.report("key-1", "06-squid", {"2": True})
    seat = here.join("key-1", "Anna")
    assert (seat.number, seat.place) == (2, None)


# -- tasks


def test_a_passed_task_leads_to_the_next_and_a_failed_one_keeps_you(here: Clocked) -> None:
    here.join("key-1", "Anna")
    assert here.report("key-1", t1=True).place == Place("06-squid", 2)
    since = here.at
    seat = here.report("key-1", t2=False)
    seat = here.report("key-1", t2=False)
    assert (seat.place, seat.since, seat.failures) == (Place("06-squid", 2), since, 2)
    assert here.report("key-1", t2=True, t3=True).place == Place("06-squid", None)


def test_a_report_of_all_tasks_puts_you_at_the_first_that_failed(here: Clocked) -> None:
    here.join("key-1", "Anna")
    assert here.report("key-1", t1=True, t2=False, t3=False).place == Place("06-squid", 2)


def test_a_task_that_was_passed_before_is_not_next_again(here: Clocked) -> None:
    here.join("key-1", "Anna")
    here.report("key-1", t2=True)
    assert here.report("key-1", t1=True).place == Place("06-squid", 3)
    assert here.report("key-1", t1=False).place == Place("06-squid", 1)


def test_a_lab_may_be_named_by_its_number(here: Clocked) -> None:
    here.join("key-1", "Anna")
    here.do(here.room.report("key-1", "06", {"1": True}))
    assert here.room.seated("key-1").place == Place("06-squid", 2)


@pytest.mark.parametrize(
    ("lab", "tasks"),
    [
        ("99-nothing", {"1": True}),
        ("0", {"1": True}),
        ("", {"1": True}),
        (None, {"1": True}),
        ("06-squid", {}),
        ("06-squid", None),
        ("06-squid", ["1"]),
        ("06-squid", {"9": True}),
        ("06-squid", {"1": "yes"}),
        ("06-squid", {"1": 1}),
    ],
)
def test_what_is_no_report_is_refused(here: Clocked, lab: object, tasks: object) -> None:
    here.join("key-1", "Anna")
    with pytest.raises(Refusal):
        here.room.report("key-1", lab, tasks)


def test_stuck_longest_first_and_who_is_at_the_end_last(here: Clocked) -> None:
    for key, name in (("key-1", "Early"), ("key-2", "Stuck"), ("key-3", "Silent"), ("key-4", "Done")):
        here.join(key, name)
    here.report("key-2", t1=True)
    here.report("key-4", t3=True)
    here.report("key-1", t1=True)
    here.report("key-2", t2=False)
    assert [seat.name for seat in dashboard.stuck_first(here.room, here.at)] == ["Stuck", "Early", "Silent", "Done"]


def test_long_at_a_task_is_half_as_long_again_as_planned_or_three_failures(here: Clocked) -> None:
    here.join("key-1", "Slow")
    here.join("key-2", "Failing")
    here.report("key-1", t1=True)
    began = here.at
    rows = lambda now: {row["name"]: row for row in dashboard.for_instructor(here.room, now, lambda _: [])["seats"]}  # noqa: E731
    assert not rows(began + 60 * 10.4)["Slow"]["slow"], "7 minutes are planned for task 2"
    assert rows(began + 60 * 11)["Slow"]["slow"]
    for _ in range(3):
        here.report("key-2", t1=False)
    assert rows(here.at)["Failing"]["slow"]
    assert rows(here.at)["Failing"]["failures"] == 3


# -- polls


def test_the_last_answer_before_the_close_counts_once(here: Clocked) -> None:
    here.join("key-1", "Anna")
    number = here.ask()
    here.answer("key-1", number, "b")
    here.answer("key-1", number, "a")
    assert here.room.answer("key-1", "voter-key-1", number, ["a"]) is None
    here.do(here.room.close(number, show_key=True))
    closed = here.room.rounds[0]
    assert (dict(closed.counts), closed.voters, closed.all_right) == ({"a": 1}, 1, 1)


def test_an_answer_after_the_close_is_told_so_and_does_not_count(here: Clocked) -> None:
    here.join("key-1", "Anna")
    number = here.ask()
    here.do(here.room.close(number, show_key=False))
    with pytest.raises(Refusal, match="closed before your answer came, so it does not count"):
        here.answer("key-1", number, "a")
    assert here.room.rounds[0].voters == 0


@pytest.mark.parametrize(
    ("options", "why"),
    [([], "choose 2"), (["a"], "choose 2"), (["a", "a"], "choose 2"), (["a", "b", "c"], "choose 2"), (["a", "x"], "no option"), ("ab", "list"), ([1, 2], "list"), (None, "list")],
)  # fmt: skip
def test_as_many_options_as_the_question_asks_for(here: Clocked, options: object, why: str) -> None:
    here.join("key-1", "Anna")
    number = here.ask(right="ac", select=2)
    with pytest.raises(Refusal, match=why):
        here.room.answer("key-1", "voter", number, options)


def test_only_who_sits_here_answers(here: Clocked) -> None:
    number = here.ask()
    with pytest.raises(Refusal, match="join first"):
        here.answer("nobody", number, "a")


def test_one_poll_at_a_time_and_the_same_question_again(here: Clocked) -> None:
    number = here.ask()
    with pytest.raises(Refusal, match="still open"):
        here.ask()
    here.do(here.room.close(number, show_key=False))
    assert here.ask() == number + 1


def test_the_key_is_not_in_any_view_before_it_is_shown(here: Clocked) -> None:
    here.join("key-1", "Anna")
    number = here.ask()
    here.answer("key-1", number, "b")

    def words() -> str:
        seat = here.room.seated("key-1")
        return json.dumps(
            [dashboard.for_student(here.room, seat, None), dashboard.for_instructor(here.room, here.at, lambda _: [])]
        )

    for secret in ("correct", "Because of", "Left out", "count", "percent"):
        assert f'"{secret}' not in words()
        assert secret in ("count", "correct", "percent") or secret not in words()
    here.do(here.room.close(number, show_key=False))
    assert '"percent": 100' in words()
    assert "Because of" not in words()
    here.do(here.room.show_key(number))
    assert "Because of" in words()
    assert "Left out b." in words()


def test_once_closed_the_room_knows_counts_and_no_voter(here: Clocked) -> None:
    here.join("key-1", "Anna")
    number = here.ask()
    here.answer("key-1", number, "b")
    here.do(here.room.close(number, show_key=True))
    assert here.room.rounds[0].ballots == {}
    assert "voter" not in json.dumps(dashboard.for_instructor(here.room, here.at, lambda _: []))


# -- numbers


def test_a_number_is_counted_as_the_mistake_that_it_looks_like(here: Clocked) -> None:
    for key in KEYS:
        here.join(key, key)
    here.do(here.room.open(number_poll()))
    for key, typed in zip(KEYS, ("5.5", "5,5", "2.5 MB", "2.49", "8", "77"), strict=True):
        if key == "key-1":
            with pytest.raises(Refusal, match=r"write it as 1234\.5"):
                here.answer(key, 1, typed)
            typed = "5.45"
        here.answer(key, 1, typed)
    asked = dashboard.as_asked(here.room.rounds[0])
    assert (asked["options"], asked["unit"], asked["answered"]) == ([], "MB", 6), "its values would be its key"
    here.do(here.room.close(1, show_key=False))
    closed = here.room.rounds[0]
    assert (closed.counts, closed.all_right) == ({"v0": 2, "v1": 2, "v2": 1, "other": 1}, 2)
    shown = dashboard.as_asked(closed)["options"]
    assert [(one["html"], one["count"]) for one in shown] == [
        ("2.5 MB", 2),
        ("5.5 MB", 2),
        ("8 MB", 1),
        ("another number", 1),
    ]
    text = dashboard.report(here.room)
    assert "- 33 % (2 of 6): Only input tokens are on the bill." in text
    assert "| another number | 1 | 17 % |  |" in text
    assert "how-many,1,another number,1,6,17,no," in dashboard.table(here.room)


@pytest.mark.parametrize("chosen", [[], ["1", "2"], ["one"], ["nan"], ["inf"], [5.5], "5.5"])
def test_what_is_no_number_is_refused(here: Clocked, chosen: object) -> None:
    here.join("key-1", "Anna")
    here.do(here.room.open(number_poll()))
    with pytest.raises(Refusal):
        here.room.answer("key-1", "voter", 1, chosen)


# -- the report


def test_the_report_says_what_share_left_something_out(here: Clocked) -> None:
    for key in KEYS:
        here.join(key, key)
    here.do(here.room.begin_block("Before lunch"))
    number = here.ask()
    for key, option in zip(KEYS, "aabbbc", strict=True):
        here.answer(key, number, option)
    here.do(here.room.close(number, show_key=True))
    shown = [each["belief"] for each in dashboard.for_instructor(here.room, here.at, lambda _: [])["beliefs"]]
    assert shown == ["Left out b.", "Left out c."]
    here.do(here.room.begin_block("After lunch"))
    assert dashboard.for_instructor(here.room, here.at, lambda _: [])["beliefs"] == []
    text = dashboard.report(here.room, 1)
    assert "# Before lunch" in text
    assert "- 50 % (3 of 6): Left out b." in text
    assert "- 17 % (1 of 6): Left out c." in text
    assert "Left out d." not in text.partition("## Polls")[0]
    assert "| Option a | 2 | 33 % | right |" in text
    assert "6 of 6 answered, 33 % right" in text
    assert "Left out b" not in dashboard.report(here.room, 2)
    assert "Left out b" in dashboard.report(here.room)


def test_a_belief_that_two_questions_offer_is_counted_over_both(here: Clocked) -> None:
    for key in KEYS:
        here.join(key, key)
    for name, options in (("one", "abbbbb"), ("two", "aaaaab")):
        number = here.ask(name=name)
        for key, option in zip(KEYS, options, strict=True):
            here.answer(key, number, option)
        here.do(here.room.close(number, show_key=True))
    assert dashboard.beliefs(here.room.rounds) == [(6, 12, "Left out b.")]


def test_of_a_question_that_was_asked_again_the_last_time_counts(here: Clocked) -> None:
    here.join("key-1", "Anna")
    for option in "ba":
        number = here.ask()
        here.answer("key-1", number, option)
        here.do(here.room.close(number, show_key=True))
    assert dashboard.beliefs(here.room.rounds) == []


def test_a_spreadsheet_takes_no_text_for_a_formula(here: Clocked) -> None:
    here.do(here.room.begin_block("=1+1"))
    number = here.ask()
    here.do(here.room.close(number, show_key=True))
    table = dashboard.table(here.room)
    assert table.startswith("\ufeffblock,poll,asked,option,chosen,answered,percent,right,misconception")
    assert "\n'=1+1,whole-bill,1,Option a,0,0,0,yes," in table.replace("\r\n", "\n")


# -- whatever comes


class AnyOrder(RuleBasedStateMachine):
    """Commands in any order, by people who may or may not sit here; beside the room, a plain account of what must be so."""

    def __init__(self) -> None:
        super().__init__()
        self.here = Clocked()
        self.seated: set[str] = set()
        self.ballots: dict[str, tuple[str, ...]] = {}
        self.closed: list[Mapping[str, tuple[str, ...]]] = []
        self.asking: set[str] | None = None

    def attempt(self, command: Any, allowed: bool) -> bool:
        version = self.here.room.version
        try:
            self.here.do(command())
        except Refusal:
            assert self.here.room.version == version
            assert not allowed
            return False
        return True

    @rule(key=st.sampled_from(KEYS), name=st.sampled_from(["Anna", "anna", "Ben", "17", "Anna 2", " "]))
    def join(self, key: str, name: str) -> None:
        if self.attempt(lambda: self.here.room.join(key, name), bool(name.strip())):
            self.seated.add(key)

    @rule(key=st.sampled_from(KEYS), task=st.integers(1, 4), passed=st.booleans())
    def report(self, key: str, task: int, passed: bool) -> None:
        allowed = key in self.seated and task <= 3
        if self.attempt(lambda: self.here.room.report(key, "06-squid", {str(task): passed}), allowed):
            assert allowed
            seat = self.here.room.seated(key)
            assert passed or seat.place == Place("06-squid", task)

    @rule(right=st.sampled_from(["a", "b", "ab"]))
    def open(self, right: str) -> None:
        allowed = self.asking is None
        if self.attempt(lambda: self.here.room.open(poll(right=right, select=len(right))), allowed):
            assert allowed
            self.asking, self.ballots = set(right), {}

    @rule(key=st.sampled_from(KEYS), chosen=st.lists(st.sampled_from("abcdx"), max_size=3), back=st.integers(0, 2))
    def answer(self, key: str, chosen: list[str], back: int) -> None:
        number = len(self.here.room.rounds) - back
        allowed = (
            key in self.seated and self.asking is not None and back == 0
            and len(chosen) == len(set(chosen)) == len(self.asking) and "x" not in chosen
        )  # fmt: skip
        if self.attempt(lambda: self.here.room.answer(key, f"voter-{key}", number, chosen), allowed):
            assert allowed
            self.ballots[key] = tuple(sorted(chosen))

    @precondition(lambda self: self.here.room.rounds)
    @rule(show=st.booleans())
    def close(self, show: bool) -> None:
        number, allowed = len(self.here.room.rounds), self.asking is not None
        if self.attempt(lambda: self.here.room.close(number, show_key=show), allowed):
            assert allowed
            self.closed.append(dict(self.ballots))
            last = self.here.room.rounds[-1]
            assert last.all_right == sum(set(one) == self.asking for one in self.ballots.values())
            self.asking = None

    @precondition(lambda self: self.here.room.seats)
    @rule(data=st.data())
    def remove(self, data: Any) -> None:
        number = data.draw(st.sampled_from(sorted(self.here.room.seats)))
        self.here.do(self.here.room.remove(number))
        self.seated = {key for key in self.seated if self.here.room.seat(key) is not None}

    @invariant()
    def names_are_different(self) -> None:
        names = [seat.name.casefold() for seat in self.here.room.seats.values()]
        assert len(set(names)) == len(names) == len(self.seated)

    @invariant()
    def closed_polls_have_counted_each_voter_once(self) -> None:
        finished = [each for each in self.here.room.rounds if not each.is_open]
        assert [each.voters for each in finished] == [len(ballots) for ballots in self.closed]
        for each, ballots in zip(finished, self.closed, strict=True):
            assert each.counts == {o: n for o in "abcd" if (n := sum(o in one for one in ballots.values()))}

    @invariant()
    def what_was_written_down_is_the_same_room(self) -> None:
        again = Room(PLAN)
        for event in self.here.events:
            again.apply(event)
        views = [dashboard.for_instructor(room, self.here.at, lambda _: []) for room in (again, self.here.room)]
        assert views[0] == views[1]


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=40, stateful_step_count=25)

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
TYPES = ["room", "join", "rename", "ready", "report", "open", "answer", "close", "key", "block", "remove", "other"]


@given(
    event=st.fixed_dictionaries(
        {"type": st.sampled_from(TYPES) | anything},
        optional=dict.fromkeys(
            ["at", "seat", "key", "name", "wanted", "code", "lab", "tasks", "round", "poll", "voter", "options", "seats", "title", "format"],
            anything,
        ),
    )
)  # fmt: skip
@settings(max_examples=150)
def test_a_line_that_is_no_event_changes_nothing_or_is_one(event: dict[str, Any]) -> None:
    here = Clocked()
    here.join("key-1", "Anna")
    here.ask()
    before, version = dashboard.for_instructor(here.room, 0.0, lambda _: []), here.room.version
    try:
        here.room.apply(event)
    except BadEventError:
        assert here.room.version == version
        assert dashboard.for_instructor(here.room, 0.0, lambda _: []) == before
    else:
        dashboard.for_instructor(here.room, 0.0, lambda _: [])
        dashboard.report(here.room)
