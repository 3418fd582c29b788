"""The JSON of an advice: keys are promises, and everything in it is plain data."""

import json
from typing import Any

import pytest

from labs import facts
from labs.decide.advisor import advise
from labs.decide.requirements import Requirements, names
from tests.labs.decide.asked import FLAGSHIP, TWIN

TOP = {
    "requirements", "workload", "exam", "engineering", "targets", "flips", "what_ifs", "unknowns", "notes", "facts", "provenance",
}  # fmt: skip
TARGET = {
    "target", "family", "what", "kinds", "feasible", "rank", "tied", "ruled_out", "cautions", "to_do", "usd_per_month",
    "usd_per_month_range", "bill", "unpriced", "over_budget", "latency", "unpredicted", "meets_objective", "utilisation",
    "sizing", "considered", "break_even", "deploy",
}  # fmt: skip
PARTS = {
    ("exam",): {"says", "family", "target", "steps", "rows", "notes"},
    ("engineering",): {"says", "family", "target", "tied", "chart", "agrees", "steps"},
    ("workload",): {"model", "requests_per_month", "tokens_per_minute", "input_tokens_per_month", "output_tokens_per_month"},
    ("exam", "steps", 0): {"asks", "answer", "because", "sure"},
    ("exam", "rows", 0): {"id", "requirement", "why", "textbook", "today", "verdict", "because", "facts"},
    ("flips", 0): {"assumption", "label", "unit", "now", "at", "becomes", "usd_per_month", "distance", "known", "because"},
    ("what_ifs", 0): {"change", "becomes", "usd_per_month", "requirements"},
    ("unknowns", 0): {"id", "label", "unit", "low", "central", "high", "why"},
    ("facts", 0): {"id", "value", "says", "as_of", "confidence", "source"},
}  # fmt: skip


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(json.dumps(advise(TWIN).as_dict()))
    return loaded


def test_the_shape_is_as_promised(data: dict[str, Any]) -> None:
    assert set(data) == TOP
    assert set(data["requirements"]) == set(names())
    assert all(set(target) == TARGET for target in data["targets"])
    for path, keys in PARTS.items():
        part: Any = data
        for step in path:
            part = part[step]
        assert set(part) == keys, path


def test_targets_stand_in_order_of_rank_and_carry_predicted_latencies_with_their_range(data: dict[str, Any]) -> None:
    ranked = [target for target in data["targets"] if target["feasible"]]
    assert [target["rank"] for target in ranked] == list(range(1, len(ranked) + 1))
    assert ranked[0]["target"] == data["engineering"]["target"]
    first = ranked[0]["latency"]
    assert first["provenance"] == "predicted"
    low, high = first["range"]["ttft_ms"]["p99"]
    assert low < first["ttft_ms"]["p99"] < high
    assert ranked[0]["bill"]["usd"] == ranked[0]["usd_per_month"]
    assert {line["name"] for line in ranked[0]["bill"]["dimensions"]} == {
        "input tokens",
        "output tokens",
        "model storage",
    }
    assert all(target["ruled_out"] for target in data["targets"] if not target["feasible"])


def test_every_fact_that_is_named_is_listed_with_its_date(data: dict[str, Any]) -> None:
    listed = {fact["id"] for fact in data["facts"]}
    named = {
        id
        for target in data["targets"]
        for part in (*target["ruled_out"], *target["cautions"], *target["to_do"])
        for id in part["facts"]
    }
    named |= {
        id
        for target in data["targets"]
        if target["bill"]
        for line in target["bill"]["dimensions"]
        for id in line["facts"]
    }
    assert named <= listed
    assert all(fact["as_of"] == facts.get(fact["id"]).as_of for fact in data["facts"])


def test_an_advice_without_an_answer_is_plain_data_too() -> None:
    data = json.loads(json.dumps(advise(Requirements(model="claude-haiku-4.5", edge=True)).as_dict()))
    assert data["engineering"]["target"] is None
    assert data["what_ifs"][0]["becomes"] == "bedrock-on-demand"
    assert not any(target["feasible"] for target in data["targets"])


def test_both_views_walk_with_a_reason_at_every_step() -> None:
    data = advise(FLAGSHIP).as_dict()
    for view in ("exam", "engineering"):
        assert data[view]["steps"]
        assert all(step["because"] and step["answer"] in ("yes", "no") for step in data[view]["steps"])
