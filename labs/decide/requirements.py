"""What somebody needs from a model in production: the questions that a deployment decision asks, with 'not said' as an answer.

Requirements(model="llama-3-70b", custom_weights=True, requests_per_minute=100, input_tokens=500, output_tokens=200)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from labs.economics.traffic import Traffic
from labs.errors import USAGE, Refusal
from labs.facts import catalogue

Profile = Literal["steady", "office-hours", "spiky", "nightly"]
Residency = Literal["anywhere", "geography", "region", "on-premises"]
Control = Literal["none", "container", "hardware", "host"]
Team = Literal["small", "platform"]
Weights = Literal["safetensors", "adapter", "other"]
Dtype = Literal["bf16", "fp8"]

REGION = re.compile(r"[a-z]{2}(-gov)?-[a-z]+-\d")

ACTIVE_HOURS_PER_MONTH: dict[Profile, float] = {"steady": 730.0, "office-hours": 173.0, "spiky": 73.0, "nightly": 122.0}
"""Hours of a month in which each profile sends its rate: always; 40 hours a week; a tenth of the time; four hours a night."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """One workload and what surrounds it. None means that nobody has said."""

    model: str | None = None
    """id in the catalogue of models"""
    parameters_b: float | None = None
    """size in billions, for a model that the catalogue does not have"""
    custom_weights: bool = False
    weights_format: Weights | None = None
    architecture: str | None = None
    """as in config.json: 'LlamaForCausalLM'"""
    training_data_kept: bool | None = None
    """whether the tuning could be done again elsewhere"""
    already_in_bedrock: bool = False
    """the account uses this model on Bedrock today; with custom weights: it was customised there, and the customised model exists"""
    dtype: Dtype | None = None
    """precision of the weights on hardware that you choose; None keeps the one in which they are published"""
    region: str = "us-east-1"
    requests_per_minute: float = 60.0
    profile: Profile = "steady"
    input_tokens: int = 500
    output_tokens: int = 200
    ttft_ms: float | None = None
    """objective for the 99th percentile of time to first token"""
    e2e_ms: float | None = None
    """objective for the 99th percentile from send to last token"""
    answer_can_wait: bool = False
    """nobody waits for an answer: hours are fine"""
    guaranteed_throughput: bool = False
    control: Control = "none"
    """what must be set by hand: the serving container, the instance type, or the host below it (kernel, drivers, scheduler)"""
    kubernetes_estate: bool = False
    proprietary_engine: bool = False
    """an inference engine of one's own, for instance vLLM or Triton with custom extensions"""
    residency: Residency = "anywhere"
    edge: bool = False
    """inference on devices or where the network fails"""
    team: Team = "small"
    redundancy: int = 1
    """instances that must be up, for instance one in each of two zones"""
    budget_usd_per_month: float | None = None

    @property
    def traffic(self) -> Traffic:
        """A month of it."""
        return Traffic.steady(
            self.requests_per_minute, self.input_tokens, self.output_tokens, ACTIVE_HOURS_PER_MONTH[self.profile]
        )

    @property
    def tokens_per_minute(self) -> float:
        return self.requests_per_minute * (self.input_tokens + self.output_tokens)


def check(asked: Requirements) -> Requirements:
    """The same requirements; raises Refusal, naming them, when two of them contradict each other or one is impossible."""
    wrong = [
        *(_not_one_of(asked, name) for name in ONE_OF),
        *(
            f"{name.replace('_', ' ')} is {getattr(asked, name)}, and must be more than 0"
            for name in (
                "requests_per_minute",
                "input_tokens",
                "output_tokens",
                "redundancy",
                "parameters_b",
                "ttft_ms",
                "e2e_ms",
            )
            if getattr(asked, name) is not None and not getattr(asked, name) > 0
        ),
    ]
    if asked.budget_usd_per_month is not None and asked.budget_usd_per_month < 0:
        wrong.append("the budget is negative")
    if asked.model is not None and asked.model not in catalogue.models():
        catalogue.model(asked.model)  # raises, offering the nearest ids
    if asked.model is None and asked.parameters_b is None:
        wrong.append("neither a model nor a size is named: give --model or --parameters-b")
    if asked.model is not None and asked.parameters_b is not None:
        wrong.append("a model and a size are both given: the model has a size of its own")
    if asked.model is not None and asked.architecture is not None:
        known = catalogue.model(asked.model).architecture
        if known is not None and known != asked.architecture:
            wrong.append(f"{asked.model} is a {known}, and the architecture given is {asked.architecture}")
    if asked.weights_format is not None and not asked.custom_weights:
        wrong.append("a weights format is given, but no custom weights are asked for")
    if asked.training_data_kept is not None and not asked.custom_weights:
        wrong.append("training data matters only with custom weights, which are not asked for")
    if not REGION.fullmatch(asked.region):
        wrong.append(f"'{asked.region}' is not a Region: write a code such as us-east-1")
    if asked.already_in_bedrock and asked.model is not None and catalogue.model(asked.model).bedrock is None:
        wrong.append(f"{asked.model} is said to be in use on Bedrock, whose catalogue does not have it")
    if asked.already_in_bedrock and asked.model is None:
        wrong.append("a model known only by its size is said to be in use on Bedrock: name it with --model")
    if asked.answer_can_wait and (asked.ttft_ms is not None or asked.e2e_ms is not None):
        wrong.append("answers can wait for hours, and a latency objective is set: only one of the two can hold")
    if asked.ttft_ms is not None and asked.e2e_ms is not None and asked.e2e_ms < asked.ttft_ms:
        wrong.append(f"the last token is wanted within {asked.e2e_ms:g} ms, before the first ({asked.ttft_ms:g} ms)")
    if (
        asked.residency == "on-premises"
        and asked.guaranteed_throughput
        and not asked.kubernetes_estate
        and not asked.edge
        and asked.team == "small"
    ):
        wrong.append(
            "data that may not leave the premises, guaranteed throughput and a small team: nobody is left to run it; drop one of the three"
        )
    wrong = [reason for reason in wrong if reason]
    if wrong:
        raise Refusal("these requirements cannot hold together: " + "; ".join(wrong), USAGE)
    return asked


ONE_OF: dict[str, tuple[Any, ...]] = {
    "profile": get_args(Profile),
    "residency": get_args(Residency),
    "control": get_args(Control),
    "team": get_args(Team),
    "weights_format": (*get_args(Weights), None),
    "dtype": (*get_args(Dtype), None),
}


def _not_one_of(asked: Requirements, name: str) -> str:
    allowed = ONE_OF[name]
    value = getattr(asked, name)
    if value in allowed:
        return ""
    return f"{name.replace('_', ' ')} is '{value}', and can be {', '.join(str(each) for each in allowed if each)}"


def names() -> tuple[str, ...]:
    """The requirement names, in order."""
    return tuple(field.name for field in fields(Requirements))


__all__ = ["ACTIVE_HOURS_PER_MONTH", "Requirements", "check", "names"]
