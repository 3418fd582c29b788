"""Lab 4 run from top to bottom against a local cloud: four machines, a full cache, a copy that runs and is not ready."""

from typing import Any

import pytest

from labs.check.labs import custom_04
from tests.notebooks import kit

pytestmark = pytest.mark.timeout(300)  # the whole lab runs in the first test that needs it


lab, test_the_checks = kit.proof(
    "04-custom",
    kit.Wrong(
        "a key without its value",
        edits={"token_bytes = 2 * shape.layers": "token_bytes = shape.layers"},
        fails={"room"},
        after=(),
    ),
    kit.Wrong(
        "the answer takes no room",
        edits={"readers = cache_tokens // REQUEST_TOKENS": "readers = round(cache_tokens / REQUEST_TOKENS)"},
        fails={"room"},
        after=(),
    ),
    kit.Wrong(
        "whoever has an address is in rotation",
        edits={'get(instance["PublicIpAddress"], "/health")[0] == 200': 'instance["PublicIpAddress"] != ""'},
        fails={"ready-first"},
        after=(1, 2),
    ),
    kit.Wrong(
        "half a minute to start", edits={"failureThreshold: 70": "failureThreshold: 3"}, fails={"startup"}, after=()
    ),
    kit.Wrong(
        "alive or killed within ten seconds",
        edits={"periodSeconds: 15": "periodSeconds: 1"},
        fails={"liveness"},
        after=(),
    ),
    kit.Wrong(
        "people for nothing",
        edits={"fixed_usd = 40 * 100 + 730": "fixed_usd = 730"},
        fails={"machines"},
        after=(),
    ),
    time_scale=240,
)


def test_four_readers_fit_and_the_fifth_waits(lab: kit.Solved) -> None:
    plain = lab["measured"]["lab-04-plain"]
    assert lab["readers"] == 4 >= plain["running"] > 0
    assert plain["waiting"] > 0


def test_with_fp8_more_run_at_once(lab: kit.Solved) -> None:
    assert 4 < lab["measured"]["lab-04-cache"]["running"] <= lab["readers_small_cache"] == 9
    assert lab["measured"]["lab-04-both"]["running"] > 4
    assert lab["readers_small_both"] == custom_04.readers("fp8", "fp8") > 90


def test_what_runs_fails_and_what_is_ready_does_not(lab: kit.Solved) -> None:
    assert lab["by_state"]["failed"] > 0
    assert lab["by_rule"]["failed"] == 0 < lab["by_rule"]["by the second copy"]


def test_the_chart_says_where_its_numbers_come_from(lab: kit.Solved) -> None:
    assert "predicted by the serving model" in str(lab["chart"].to_dict())
    assert len(lab["spans"]) == 5 + 9 + 9


def test_no_machine_is_left(lab: kit.Solved) -> None:
    left: Any = lab["described"]
    assert left.__name__ == "described"
    assert lab["ids"] == [], "the second clean-up finds nothing to end"


def test_the_knobs_say_what_the_arithmetic_says(lab: kit.Solved) -> None:
    assert lab["says"].value == "<b>4</b> readers"
    lab["cache_knob"].value = "fp8"
    assert lab["says"].value == "<b>9</b> readers"
    lab["share_knob"].value = 0.5
    assert lab["says"].value == "the model does not fit"
