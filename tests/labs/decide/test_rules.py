"""Rules: each rules out what it should, with a reason and facts that exist, and none is there for nothing."""

import inspect

import pytest

from labs import facts
from labs.decide.case import case
from labs.decide.requirements import Requirements
from labs.decide.rules import RULES, against, bedrock, hosts, places
from labs.facts import catalogue

CUSTOM = {"model": "llama-3-70b", "custom_weights": True}
SPOKEN: list[tuple[dict[str, object], str, str]] = [
    ({"model": "nova-lite", "edge": True}, "bedrock-on-demand", "must_run_at_the_edge"),
    ({"model": "llama-3-8b"}, "edge-greengrass", "nothing_asks_for_the_edge"),
    ({"model": "llama-3-70b", "edge": True}, "edge-greengrass", "small_enough_for_a_device"),
    ({"model": "nova-lite", "residency": "on-premises"}, "bedrock-on-demand", "data_stay_on_the_premises"),
    ({"model": "llama-3-70b", "control": "host"}, "sagemaker-gpu", "host_is_yours"),
    ({"model": "nova-lite", "control": "container"}, "bedrock-on-demand", "container_is_yours"),
    ({"model": "qwen3-0.6b", "control": "hardware"}, "sagemaker-serverless", "hardware_is_yours"),
    ({"model": "nova-lite", "proprietary_engine": True}, "bedrock-on-demand", "engine_is_yours"),
    ({"model": "llama-3-8b", "proprietary_engine": True}, "sagemaker-inferentia", "engine_is_for_gpus"),
    ({"model": "llama-3-8b", "kubernetes_estate": True, "team": "platform"}, "ec2-vllm", "runs_on_the_cluster"),
    ({"model": "llama-3-8b"}, "ec2-vllm", "somebody_runs_it"),
    ({"model": "nova-lite"}, "sagemaker-gpu", "weights_are_public"),
    ({"model": "llama-3-70b", "input_tokens": 9_000}, "sagemaker-gpu", "fits_the_context"),
    ({"model": "qwen3-30b-a3b"}, "bedrock-on-demand", "in_the_catalogue"),
    ({"model": "llama-3.1-8b"}, "bedrock-on-demand", "still_alive"),
    ({"model": "nova-lite", "region": "sa-east-1"}, "bedrock-on-demand", "offered_here"),
    ({"model": "nova-2-lite", "residency": "region"}, "bedrock-on-demand", "data_stay_where_they_may"),
    ({"model": "nova-lite", "custom_weights": True}, "bedrock-on-demand", "takes_base_models"),
    ({"model": "nova-lite"}, "bedrock-custom-on-demand", "takes_customised_models"),
    ({**CUSTOM, "guaranteed_throughput": True}, "bedrock-custom-import", "guarantees_throughput"),
    ({"model": "qwen3-32b", "guaranteed_throughput": True}, "bedrock-on-demand", "guarantees_throughput"),
    ({"model": "nova-lite"}, "bedrock-batch", "nobody_waits"),
    ({"model": "mistral-7b", "answer_can_wait": True}, "bedrock-batch", "has_a_batch_price"),
    ({"model": "claude-haiku-4.5"}, "bedrock-provisioned", "sold_in_model_units_here"),
    ({"model": "llama-3.1-8b", "region": "us-west-2"}, "bedrock-provisioned", "sells_new_model_units"),
    ({"model": "nova-lite", "custom_weights": True, "training_data_kept": False}, "bedrock-custom-on-demand", "can_be_tuned_in_bedrock"),
    ({**CUSTOM}, "bedrock-custom-on-demand", "deployed_on_demand_here"),
    ({"model": "qwen3-32b", "region": "ap-south-1"}, "bedrock-custom-import", "imports_this_architecture"),
    ({**CUSTOM, "weights_format": "other"}, "bedrock-custom-import", "imports_this_format"),
    ({"parameters_b": 120, "architecture": "LlamaForCausalLM"}, "bedrock-custom-import", "imports_this_size"),
    ({"model": "llama-3.1-8b", "input_tokens": 127_900}, "bedrock-custom-import", "imports_this_context"),
    ({**CUSTOM}, "sagemaker-jumpstart", "is_in_the_library"),
    ({"model": "llama-3-8b", "control": "container"}, "sagemaker-jumpstart", "container_is_jumpstarts"),
    ({"model": "llama-3-8b"}, "sagemaker-async", "answers_into_s3"),
    ({"parameters_b": 13}, "sagemaker-serverless", "fits_without_a_gpu"),
    ({**CUSTOM}, "sagemaker-graviton", "small_enough_for_a_processor"),
    ({"parameters_b": 3, "input_tokens": 1_100_000}, "sagemaker-serverless", "request_fits"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "target", "rule"), SPOKEN, ids=[f"{rule}" for _, _, rule in SPOKEN])
def test_a_rule_speaks_when_it_should(asked: dict[str, object], target: str, rule: str) -> None:
    reasons = against(target, case(Requirements(**asked)))  # type: ignore[arg-type]
    said = {reason.rule: reason for reason in reasons}
    assert rule in said
    assert len(said[rule].because) > 20
    assert all(facts.get(id) for id in said[rule].facts)


def test_every_target_has_rules_and_every_rule_has_a_target_and_a_test() -> None:
    assert set(RULES) == set(catalogue.targets())
    in_use = {rule.__name__ for rules in RULES.values() for rule in rules}
    written = {
        name
        for module in (places, bedrock, hosts)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_")
        and function.__module__ == module.__name__
        and str(inspect.signature(function)) == "(case: 'Case') -> 'Reason | None'"
    }
    assert in_use == written
    tested = {rule for _, _, rule in SPOKEN}
    indirect = {
        "reserved_tier": "guarantees_throughput",
        "request_fits_real_time": "request_fits",
        "request_fits_async": "request_fits",
        "request_fits_serverless": "request_fits",
        "within_the_fixed_quota_per_minute": "its own test below",
        "within_the_fixed_quota_per_day": "its own test below",
    }
    assert written - set(indirect) <= tested


def quiet(target: str, **asked: object) -> bool:
    return not against(target, case(Requirements(**asked)))  # type: ignore[arg-type]


def test_a_model_in_use_already_may_stay_on_bedrock_although_it_is_legacy() -> None:
    assert quiet("bedrock-on-demand", model="llama-3.3-70b", already_in_bedrock=True)
    assert quiet(
        "bedrock-custom-on-demand",
        model="llama-3.3-70b",
        custom_weights=True,
        already_in_bedrock=True,
        region="us-west-2",
    )


def test_the_legacy_rule_says_how_a_newcomer_would_know() -> None:
    [reason] = against("bedrock-on-demand", case(Requirements(model="llama-3.3-70b")))
    assert "existing users only" in reason.because
    assert "2027-03-30" in reason.because
    assert "bedrock.lifecycle.llama-3-3-70b.eol" in reason.facts


@pytest.mark.parametrize(
    ("residency", "model", "region", "allowed"),
    [
        ("anywhere", "nova-2-lite", "il-central-1", True),
        ("geography", "nova-2-lite", "us-east-1", True),
        ("geography", "nova-2-lite", "ap-northeast-1", True),  # the Japanese profile
        ("geography", "nova-2-lite", "ap-south-1", False),  # only the global one reaches it
        ("geography", "nova-2-lite", "ca-central-1", False),  # the US profile would take data out of Canada
        ("region", "nova-lite", "us-east-1", True),
        ("region", "nova-lite", "us-west-2", False),
    ],
)
def test_residency_decides_which_profile_may_be_used(residency: str, model: str, region: str, allowed: bool) -> None:
    assert quiet("bedrock-on-demand", model=model, region=region, residency=residency) is allowed


def test_the_fixed_quota_binds_per_minute_and_per_day() -> None:
    asked = {
        "model": "llama-3.3-70b",
        "custom_weights": True,
        "already_in_bedrock": True,
        "region": "us-west-2",
        "requests_per_minute": 100,
        "input_tokens": 2_000,
    }
    assert quiet("bedrock-custom-on-demand", **asked, output_tokens=1_000)
    reasons = against("bedrock-custom-on-demand", case(Requirements(**asked, output_tokens=1_001)))  # type: ignore[arg-type]
    assert [reason.rule for reason in reasons] == [
        "within_the_fixed_quota_per_minute",
        "within_the_fixed_quota_per_day",
    ]
    nightly = against("bedrock-custom-on-demand", case(Requirements(**asked, output_tokens=1_001, profile="nightly")))  # type: ignore[arg-type]
    assert [reason.rule for reason in nightly] == ["within_the_fixed_quota_per_minute"]


def test_a_quota_that_aws_raises_rules_nothing_out() -> None:
    assert not bedrock.quota_is_fixed("bedrock.tpm.custom-on-demand.nova-pro")
    assert quiet("bedrock-custom-on-demand", model="nova-pro", custom_weights=True, requests_per_minute=5_000)


def test_output_counts_by_the_models_burndown_rate() -> None:
    rate = {"nova-lite": 1, "llama-3.3-70b": 1, "claude-sonnet-4.5": 5, "claude-sonnet-5": 10, "qwen3-32b": 1}
    for model, times in rate.items():
        looked_up = case(Requirements(model=model, input_tokens=100, output_tokens=10))
        assert bedrock.quota_tokens_per_request(looked_up) == 100 + 10 * times


def test_an_adapter_is_merged_first_and_does_not_rule_import_out() -> None:
    assert quiet("bedrock-custom-import", model="llama-3-70b", custom_weights=True, weights_format="adapter")


def test_a_size_alone_is_in_no_catalogue_but_an_architecture_can_be_imported() -> None:
    assert not quiet("bedrock-on-demand", parameters_b=13)
    assert not quiet("bedrock-custom-import", parameters_b=13)
    assert quiet("bedrock-custom-import", parameters_b=13, architecture="LlamaForCausalLM")
    assert not quiet("bedrock-custom-import", parameters_b=13, architecture="FalconForCausalLM")
