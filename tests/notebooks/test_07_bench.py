"""Lab 7 run from top to bottom against a local cloud: an Inferentia endpoint, a stall that one test sees, refusals that one client counts."""

import pytest

from labs.check.labs import bench_07
from tests.notebooks import kit

pytestmark = pytest.mark.timeout(300)  # the whole lab runs in the first test that needs it

CLOSED = """
def on_schedule(rate_per_s, seconds):
    return polite(3, seconds)
"""

lab, test_the_checks = kit.proof(
    "07-bench",
    kit.Wrong(
        "one, and none for its replacement", edits={"DesiredValue=2": "DesiredValue=1"}, fails={"quota"}, after=()
    ),
    kit.Wrong(
        "three threads, and the clock starts when one is free",
        edits={
            "ThreadPoolExecutor(requests) as threads:\n        return list(threads.map(one, range(requests)))": "ThreadPoolExecutor(3) as threads:\n        return list(threads.map(one, range(requests)))",
            "done - due": "done - sent",
        },
        fails={"on-time", "from-due"},
        after=(1,),
    ),
    kit.Wrong(
        "a closed loop by another name",
        cells={"def on_schedule": CLOSED},
        fails={"schedule"},
        after=(1,),
        slow=True,
    ),
    kit.Wrong(
        "what the caller was told",
        edits={"refusals = throttles() - throttles_before": 'refusals = helpful["failed"]'},
        fails={"hidden-refusals"},
        after=(),
    ),
    kit.Wrong(
        "two attempts are nearly one",
        edits={'"total_max_attempts": 1': '"total_max_attempts": 2'},
        fails={"one-attempt"},
        after=(),
    ),
    kit.Wrong("one end of the interval", edits={"log(0.025)": "log(0.05)"}, fails={"least"}, after=()),
    kit.Wrong(
        "answers after the reader has left",
        edits={'first_rush["useful"]': 'first_rush["answers"]'},
        fails={"useful-cost"},
        after=(1,),
        slow=True,
    ),
    kit.Wrong(
        "compiled, and not deployed",
        edits={"sagemaker.update_endpoint(": "dict("},
        fails={"batch"},
        after=(1,),
    ),
    kit.Wrong(
        "the lowest price by the hour",
        cells={"def winner": "patient = hurried = crowded = INSTANCE"},
        fails={"choice"},
        after=(),
    ),
    time_scale=2400,
)


def test_the_schedule_sees_the_neighbour_and_the_polite_test_does_not(lab: kit.Solved) -> None:
    assert len(lab["opened"]) == lab["RATE"] * lab["SECONDS"]
    slow = [sum(row["e2e"] > bench_07.SLOW_S for row in lab[rows]) for rows in ("closed", "opened")]
    assert slow[1] >= bench_07.FEWEST_SLOW
    assert slow[1] > slow[0]


def test_the_helpful_client_hides_what_the_other_counts(lab: kit.Solved) -> None:
    assert lab["refusals"] > lab["helpful"]["failed"]
    assert lab["counted"]["sent"] == lab["counted"]["asked"]
    assert lab["counted"]["failed"] > 0


def test_the_widgets_say_what_the_knobs_mean(lab: kit.Solved) -> None:
    lab["requests_knob"].value = 368
    assert "between" in lab["says"].value
    lab["requests_knob"].value = 360
    assert "no interval" in lab["says"].value
    lab["rate_knob"].value = 2.0
    assert all(machine in lab["verdict"].value for machine in bench_07.MACHINES)


def test_eight_at_once_are_useful_more_often_than_four(lab: kit.Solved) -> None:
    assert lab["first_rush"]["useful"] < lab["first_rush"]["answers"]
    assert lab["second_rush"]["useful"] > lab["first_rush"]["useful"]


def test_the_winner_changes_with_the_load_and_with_the_patience(lab: kit.Solved) -> None:
    assert (lab["patient"], lab["hurried"], lab["crowded"]) == ("ml.inf2.xlarge", "ml.g5.2xlarge", "ml.g5.2xlarge")


def test_the_chart_says_where_its_numbers_come_from(lab: kit.Solved) -> None:
    assert "predicted by the serving model" in str(lab["stall_chart"].to_dict())
