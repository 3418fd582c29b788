"""Lab 8 run from top to bottom against a local cloud: four policies in the same storm, and an answer that its API does not wait for."""

import pytest

from tests.notebooks import kit

pytestmark = pytest.mark.timeout(300)  # the whole lab runs in the first test that needs it


lab, test_the_checks = kit.proof(
    "08-bridge",
    kit.Wrong(
        "a check that costs nothing",
        edits={' + call_usd("nova-lite", 1_300, 20)': ""},
        fails={"cascade"},
        after=(),
    ),
    kit.Wrong(
        "the output is free",
        edits={'+ output_tokens * facts.number(f"{price}.output_per_million")': ""},
        fails={"cascade"},
        after=(),
    ),
    kit.Wrong(
        "a new key for every click",
        edits={'**{"Idempotency-Key": key}': '**{"Idempotency-Key": uuid.uuid4().hex}'},
        fails={"double-click"},
        after=(),
    ),
    kit.Wrong(
        "what was read for what was not",
        edits={'wasted = 1 - storm["answered"]': 'wasted = storm["answered"]'},
        fails={"wasted"},
        after=(),
        slow=True,
    ),
    kit.Wrong(
        "a budget that is always full",
        edits={"self.tokens -= 1": "self.tokens -= 0"},
        fails={"budget"},
        after=(1,),
        slow=True,
    ),
    kit.Wrong(
        "a door as wide as the burst",
        edits={"threading.Semaphore(most)": "threading.Semaphore(1_000)"},
        fails={"door"},
        after=(1,),
        slow=True,
    ),
    kit.Wrong(
        "calls a minute for calls a second",
        edits={'"ThrottlingRateLimit": 2.0': '"ThrottlingRateLimit": 120.0'},
        fails={"throttle"},
        after=(3,),
        slow=True,
    ),
    look=lambda names: names["paid"](),
    time_scale=600,
    slow_blank=True,
)


def test_a_storm_stays_and_one_attempt_comes_back(lab: kit.Solved) -> None:
    storm, once = lab["results"]["storm"], lab["results"]["once"]
    assert storm["repeats"] > once["repeats"] == 0
    assert storm["last two seconds"] < once["last two seconds"]
    assert lab["wasted"] > 0.5


def test_a_door_answers_more_than_anything_else(lab: kit.Solved) -> None:
    answered = {name: each["answered"] for name, each in lab["results"].items()}
    assert max(answered, key=answered.__getitem__) == "door"
    assert lab["results"]["door"]["refused"] > 0


def test_the_api_gives_up_and_the_function_pays(lab: kit.Solved) -> None:
    assert lab["status"] == 503
    assert lab.looked, "the log says what was paid for"


def test_the_chart_says_where_its_numbers_come_from(lab: kit.Solved) -> None:
    assert "predicted by the serving model" in str(lab["chart"].to_dict())


def test_nothing_is_left(lab: kit.Solved) -> None:
    assert lab["left"] == lab.left == []


def test_the_knobs_find_a_cascade_that_never_pays(lab: kit.Solved) -> None:
    assert "12.2%" in lab["says"].value
    lab["ratio_knob"].value = 1
    assert lab["says"].value == "<b>it never pays</b>"
