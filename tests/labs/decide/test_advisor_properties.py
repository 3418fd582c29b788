"""What holds for any requirements: nothing forbidden is offered, more traffic never costs less, cheaper comes first."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labs import facts
from labs.decide.advisor import Advice, advise
from labs.decide.build import drafts
from labs.decide.case import case
from labs.decide.chart import chart, walk
from labs.decide.ranking import rank
from labs.decide.requirements import Requirements, check
from labs.decide.unknowns import World
from labs.errors import Refusal
from labs.facts import catalogue

FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
OWN = {"ec2-vllm", "eks-vllm", "eks-triton"}


@st.composite
def requirements(draw: st.DrawFn) -> Requirements:
    custom = draw(st.booleans())
    wait = draw(st.booleans())
    given_: dict[str, Any] = {
        "model": draw(st.sampled_from(["nova-lite", "nova-2-lite", "claude-sonnet-5", "llama-3.3-70b", "mistral-7b", "qwen3-32b"])),
        "custom_weights": custom,
        "weights_format": draw(st.sampled_from([None, "safetensors", "other"])) if custom else None,
        "training_data_kept": draw(st.sampled_from([None, True, False])) if custom else None,
        "already_in_bedrock": draw(st.booleans()),
        "region": draw(st.sampled_from(["us-east-1", "us-west-2", "eu-central-1", "ap-south-1"])),
        "requests_per_minute": draw(st.sampled_from([1.0, 100.0, 2_000.0])),
        "profile": draw(st.sampled_from(["steady", "office-hours", "spiky"])),
        "input_tokens": draw(st.sampled_from([200, 2_000])),
        "output_tokens": 200,
        "ttft_ms": None if wait else draw(st.sampled_from([None, 1_500.0])),
        "answer_can_wait": wait,
        "guaranteed_throughput": draw(st.booleans()),
        "control": draw(st.sampled_from(["none", "container", "host"])),
        "kubernetes_estate": draw(st.booleans()),
        "residency": draw(st.sampled_from(["anywhere", "geography", "region", "on-premises"])),
        "team": draw(st.sampled_from(["small", "platform"])),
    }  # fmt: skip
    return Requirements(**given_)


def possible(asked: Requirements) -> bool:
    try:
        check(asked)
    except Refusal:
        return False
    return True


def ranked(asked: Requirements) -> Any:
    looked_up = case(asked)
    return rank(looked_up, drafts(looked_up), walk(chart("engineering"), asked), closely=False)


@FEW
@given(requirements().filter(possible))
def test_no_target_is_offered_that_a_requirement_forbids(asked: Requirements) -> None:
    feasible = {draft.target for draft in ranked(asked).order}
    bedrock = {target for target in feasible if target.startswith("bedrock-")}
    on = catalogue.model(asked.model or "").bedrock
    if asked.residency == "on-premises":
        assert feasible <= OWN
    if asked.residency == "region" and on is not None and asked.region not in on.in_region:
        assert not feasible & {"bedrock-on-demand", "bedrock-batch"}
    if (
        asked.residency == "geography"
        and asked.region == "ap-south-1"
        and asked.model in ("nova-2-lite", "claude-sonnet-5")
    ):
        assert not feasible & {"bedrock-on-demand", "bedrock-batch"}
    if asked.control in ("container", "host"):
        assert not bedrock
    if asked.control == "host":
        assert feasible <= OWN
    if asked.custom_weights:
        assert not feasible & {"bedrock-on-demand", "bedrock-batch", "sagemaker-jumpstart"}
    if catalogue.model(asked.model or "").shape is None:
        assert feasible <= {"bedrock-on-demand", "bedrock-batch", "bedrock-provisioned", "bedrock-custom-on-demand"}
    if not asked.answer_can_wait:
        assert not feasible & {"bedrock-batch", "sagemaker-async"}
    assert "edge-greengrass" not in feasible


@FEW
@given(requirements().filter(possible))
def test_every_target_is_answered_and_every_exclusion_has_a_reason_and_facts_that_exist(asked: Requirements) -> None:
    drafted = drafts(case(asked))
    assert set(drafted) == set(catalogue.targets())
    for draft in drafted.values():
        if draft.feasible:
            assert draft.price is not None or draft.unpriced
            assert draft.prediction is not None or draft.unpredicted
        for reason in (*draft.reasons, *draft.cautions):
            assert reason.because
            assert all(facts.get(id) for id in reason.facts)


@FEW
@given(requirements().filter(possible), st.sampled_from([1.5, 4.0, 20.0]))
def test_more_traffic_never_costs_less(asked: Requirements, factor: float) -> None:
    more = replace(asked, requests_per_minute=asked.requests_per_minute * factor)
    before, after = drafts(case(asked)), drafts(case(more))
    for target, draft in before.items():
        if draft.feasible and draft.price is not None and after[target].feasible:
            assert after[target].usd(World()) >= draft.usd(World()) * (1 - 1e-9)
            assert draft.usd(World(requests=factor)) >= draft.usd(World()) * (1 - 1e-9)


@FEW
@given(requirements().filter(possible), st.sampled_from([1.05, 1.3]))
def test_the_same_machines_cost_less_per_request_the_more_they_serve(asked: Requirements, factor: float) -> None:
    more = replace(asked, requests_per_minute=asked.requests_per_minute * factor)
    before, after = drafts(case(asked)), drafts(case(more))
    for target, draft in before.items():
        then = after[target]
        both = draft.feasible and then.feasible and not asked.answer_can_wait
        if both and draft.sizing is not None and then.sizing is not None:
            same = (draft.sizing.instance, draft.sizing.count) == (then.sizing.instance, then.sizing.count)
            assert not same or then.usd(World()) / factor <= draft.usd(World()) * (1 + 1e-9)


@FEW
@given(requirements().filter(possible))
def test_what_is_ranked_is_ranked_by_cost_behind_what_may_miss_its_objective(asked: Requirements) -> None:
    order = ranked(asked).order
    keys = [(draft.price is None, draft.meets == "unsure", draft.usd(World())) for draft in order]
    assert keys == sorted(keys)


@pytest.mark.parametrize("model", ["nova-lite", "llama-3.3-70b", "qwen3-0.6b", "claude-sonnet-5"])
@pytest.mark.parametrize("profile", ["steady", "spiky", "nightly"])
def test_the_whole_advice_holds_together(model: str, profile: str) -> None:
    advice: Advice = advise(Requirements(model=model, profile=profile, team="platform"))  # type: ignore[arg-type]
    best = advice.best
    assert best is not None
    assert best.rank == 1
    assert not best.tied
    assert all(flip.becomes != best.target for flip in advice.flips)
    assert [flip.distance for flip in advice.flips] == sorted(flip.distance for flip in advice.flips)
    assert all(unknown.low < unknown.high for unknown in advice.unknowns)
