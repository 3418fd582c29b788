"""Lab 3 run from top to bottom against a local cloud: what its cells leave there, and what they measure."""

from statistics import median
from typing import Any

import boto3
import pytest

from labs import facts
from tests.notebooks import kit

TIME_SCALE = 900.0
"""The quotas' quarter of an hour passes in a second; datapoints and tokens take what they take."""


def look(_: dict[str, Any]) -> dict[str, Any]:
    """What stands there before the clean-up."""
    endpoints = boto3.client("sagemaker").list_endpoints()["Endpoints"]
    return {each["EndpointName"]: each["EndpointStatus"] for each in endpoints}


lab, test_the_checks = kit.proof(
    "03-sagemaker",
    kit.Wrong(
        "a quota for the first instance only",
        edits={"GPU: 2, INFERENTIA: 1": "GPU: 1, INFERENTIA: 1"},
        fails={"quotas"},
    ),
    kit.Wrong(
        "a target above the seats",
        edits={'"TargetValue": 3.0': '"TargetValue": 30.0'},
        fails={"concurrency-policy"},
        after=(1,),
    ),
    kit.Wrong(
        "counts requests instead of what is in hand",
        edits={"SageMakerVariantConcurrentRequestsPerModelHighResolution": "SageMakerVariantInvocationsPerInstance"},
        fails={"concurrency-policy"},
        after=(1,),
    ),
    kit.Wrong(
        "the other clock",
        edits={"ContainerStartupHealthCheckTimeoutInSeconds=3600": "ModelDataDownloadTimeoutInSeconds=3600"},
        fails={"large-in-service"},
        after=(1,),
    ),
    kit.Wrong(
        "starts when people come",
        edits={"cron(50 8": "cron(0 9"},
        fails={"monday"},
        after=(1,),
    ),
    kit.Wrong(
        "CPU as if there were one core",
        edits={"twelve[1] / (100 * cores)": "twelve[1] / 100"},
        fails={"cpu-parts"},
        after=(1,),
        slow=True,
    ),
    look=look,
    time_scale=TIME_SCALE,
)


def test_the_same_cpu_with_one_caller_and_with_twelve(lab: kit.Solved) -> None:
    assert lab["twelve"][0] >= 8 > lab["one"][0]
    assert lab["twelve"][1] == pytest.approx(lab["one"][1], rel=0.4), "twelve times the load"
    assert lab["twelve"][1] < 70 * lab["cores"] / 4, "a policy at 70 % of the machine never fires"


def test_a_policy_on_what_is_in_hand_adds_an_instance_and_callers_wait_less(lab: kit.Solved) -> None:
    assert [each["Description"] for each in lab["activities"]][-1].endswith("to 2.")
    before = [took for asked, took in lab["answers"] if lab["rush_began"] < asked < lab["rush_began"] + 15]
    after = [took for asked, took in lab["answers"] if asked > lab["woke_at"] + 1]
    assert median(after) < median(before)


def test_the_large_model_fails_on_the_default_clock_and_starts_on_a_longer_one(lab: kit.Solved) -> None:
    status, why = lab["first_start"]
    assert (status, "ping health check" in why) == ("Failed", True)
    assert lab["weights_s"] > facts.number("sagemaker.container.health_timeout_default_s")
    assert lab.looked == {"sagemaker-lab-chat": "InService", "sagemaker-lab-large": "InService"}


def test_the_lesson_s_sum_for_a_faster_morning_has_no_target(lab: kit.Solved) -> None:
    assert lab["highest_target"] > 0 > 40 - 11 * lab["late_s"] / 60


def test_the_knobs_find_where_no_target_helps(lab: kit.Solved) -> None:
    assert f"aim at <b>{lab['highest_target']:.0f}</b>" in lab["target_says"].value
    lab["growth_knob"].value = 11
    assert "no target helps" in lab["target_says"].value
    lab["start_knob"].value = 60
    assert "aim at" in lab["target_says"].value, "a start that is short enough leaves room again"
