"""Lab 5 run from top to bottom against a local cloud: what its cells leave there, and what they compute."""

from typing import Any

import boto3
import pytest

from labs.economics import instances, tokens
from labs.economics.traffic import Traffic
from tests.notebooks import kit

TIME_SCALE = 900.0
"""The quota's quarter of an hour and the endpoint's start pass in about a second and a half."""


def look(_: dict[str, Any]) -> dict[str, Any]:
    """The endpoint and the plan before the clean-up."""
    sagemaker = boto3.client("sagemaker")
    plan = sagemaker.describe_endpoint_config(EndpointConfigName="economics-choice")["ProductionVariants"][0]
    return {"plan": (plan["InstanceType"], plan["InitialInstanceCount"])}


lab, test_the_checks = kit.proof(
    "05-economics",
    kit.Wrong(
        "forgot the output tokens",
        edits={
            "Traffic.steady(PER_MINUTE, input_tokens, output_tokens)": "Traffic.steady(PER_MINUTE, input_tokens, 0)"
        },
        fails={"whole-bill"},
    ),
    kit.Wrong(
        "a full machine makes only the answers",
        edits={"full_per_minute / 60 * (500 + 200)": "full_per_minute / 60 * 200"},
        fails={"break-even"},
        after=(),
    ),
    kit.Wrong(
        "the spare is free",
        edits={"2 * needed_per_minute": "needed_per_minute"},
        fails={"pair-needs"},
        after=(2,),
    ),
    kit.Wrong(
        "a spare on paper",
        edits={'"DesiredInstanceCount": 2}': '"DesiredInstanceCount": 1}'},
        fails={"two-instances"},
        after=(2,),
    ),
    kit.Wrong(
        "the night allows one and leaves two",
        edits={"night_most = 1": "night_most = 2"},
        fails={"schedule"},
        after=(2, 3),
        slow=True,
    ),
    kit.Wrong(
        "a fleet without a spare",
        edits={"SPARE = 1": "SPARE = 0"},
        fails={"survives", "cheapest"},
        after=(2,),
    ),
    look=look,
    time_scale=TIME_SCALE,
    twice=("try:\n    sagemaker.describe_endpoint", "scaling.register_scalable_target"),
)


def test_the_bill_has_both_halves(lab: kit.Solved) -> None:
    lines = {line.name: line.usd for line in lab["bill"].lines}
    assert lines["output tokens"] > 0
    assert lab["month_usd"] == pytest.approx(sum(lines.values()))
    assert lab["month_usd"] / lab["sheet_usd"] > 2


def test_the_break_even_is_the_lesson_s(lab: kit.Solved) -> None:
    assert lab["break_even"] == pytest.approx(0.30, abs=0.005)
    at_that = Traffic.steady(lab["needed_per_minute"], 500, 200)
    assert tokens.on_demand("llama-3-1-8b", at_that).usd == pytest.approx(instances.endpoint("ml.g6e.xlarge").usd)


def test_the_knobs_answer(lab: kit.Solved) -> None:
    lab["hours_knob"].value = 730
    lab["requests_knob"].value = 100
    assert "<b>tokens</b>" in lab["says"].value
    lab["requests_knob"].value = 800
    assert "<b>the machine</b>" in lab["says"].value


def test_the_text_s_numbers_follow_from_the_register(lab: kit.Solved) -> None:
    page = " ".join(kit.find("05-economics").read_text().split())
    pair = instances.endpoint("ml.g6e.xlarge", 2).usd
    by_token = tokens.on_demand("llama-3-1-8b", Traffic.steady(800, 500, 200)).usd
    assert f"the pair costs ${pair:,.0f} a month and tokens ${by_token:,.0f}" in page
    assert f"saves {1 - lab['shift_usd'] / pair:.0%}".replace("%", " %") in page
    assert lab["pair_needed_per_minute"] < lab["full_per_minute"], "the page says that one alone carries it"


def test_the_rehearsed_night_takes_an_instance_away(lab: kit.Solved) -> None:
    assert lab["after_the_night"] == 1


def test_small_machines_make_the_cheapest_fleet(lab: kit.Solved) -> None:
    assert lab.looked["plan"] == (lab["best_type"], lab["best_count"])
    assert lab["best_count"] >= 3
    assert lab["best_usd"] < instances.endpoint("ml.g6e.xlarge", 2).usd
