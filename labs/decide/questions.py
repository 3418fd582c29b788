"""The questions of the charts and the matrix, answered from requirements: yes or no, and the words that say why.

Every answer carries its reason, so that a walk through a chart can be read aloud.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labs.decide.case import case
from labs.decide.requirements import Requirements
from labs.decide.rules import bedrock
from labs.decide.rules.reason import Rule
from labs.facts import catalogue

HIGH_VOLUME_TOKENS_PER_MINUTE = 200_000
"""From here on the matrix's 'at scale' row is worth reading: a third of a large model's usual default quota."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer and its reason. `sure` is False where the requirements do not say and the usual case was taken."""

    yes: bool
    because: str
    sure: bool = True


Question = Callable[[Requirements], Said]


def _model(asked: Requirements) -> catalogue.Model | None:
    return catalogue.model(asked.model) if asked.model else None


def on_bedrock(asked: Requirements) -> Said:
    """The exam's question: is it in Bedrock's catalogue at all?"""
    model = _model(asked)
    if model is None:
        return Said(False, "a model that is known only by its size is in nobody's catalogue", sure=False)
    if model.bedrock is None:
        return Said(False, f"{model.name} is not in Bedrock's catalogue")
    if model.bedrock.lifecycle == "end-of-life":
        return Said(False, f"{model.name} has reached its end of life on Bedrock")
    return Said(True, f"{model.name} is in Bedrock's catalogue")


def on_bedrock_here(asked: Requirements) -> Said:
    """The engineer's question: in this Region, directly or through a profile, and with a life ahead of it?"""
    against = _first(
        asked, bedrock.in_the_catalogue, bedrock.still_alive, bedrock.offered_here, bedrock.data_stay_where_they_may
    )
    model = _model(asked)
    if against or model is None or model.bedrock is None:
        return Said(False, against, sure=model is not None)
    if asked.region in model.bedrock.in_region:
        return Said(True, f"{model.name} runs in {asked.region}")
    return Said(True, f"{model.name} is called from {asked.region} through a cross-Region profile")


def custom_weights(asked: Requirements) -> Said:
    return Said(asked.custom_weights, "the weights are your own" if asked.custom_weights else "a base model will do")


def extreme_control(asked: Requirements) -> Said:
    """Control of the host, or an engine that no managed container has. A cluster of one's own counts, as in the textbook."""
    if asked.control == "host":
        return Said(True, "kernel, drivers or scheduler must be yours")
    if asked.proprietary_engine:
        return Said(True, "the inference engine is your own")
    if asked.kubernetes_estate:
        return Said(True, "everything else runs on your Kubernetes cluster, and the model shall be near it")
    if asked.residency == "on-premises":
        return Said(True, "the data may not leave your premises")
    return Said(False, "nothing below the endpoint must be yours")


def below_the_endpoint(asked: Requirements) -> Said:
    """Like the exam's question, but an engine of one's own does not decide: SageMaker AI runs any container."""
    if asked.control == "host":
        return Said(True, "kernel, drivers or scheduler must be yours")
    if asked.kubernetes_estate and case(asked).shape is None:
        return Said(False, "a cluster exists, but the weights are not public: the model is called from the cluster")
    if asked.kubernetes_estate and asked.team == "platform":
        return Said(True, "a platform team runs a cluster already, and the model shall be on it")
    if asked.proprietary_engine:
        return Said(False, "an engine of your own, vLLM and Triton included, also runs in a container on SageMaker AI")
    if asked.kubernetes_estate:
        return Said(False, "a cluster exists, but nobody who would run accelerators on it")
    return Said(False, "nothing below the endpoint must be yours")


def serving_control(asked: Requirements) -> Said:
    """Container, hardware or engine: what a managed endpoint lets you set and Bedrock does not."""
    if asked.control in ("container", "hardware"):
        return Said(True, f"the {asked.control} must be yours to set")
    if asked.proprietary_engine:
        return Said(True, "an engine of your own needs a container")
    return Said(False, "neither container nor hardware must be set by hand")


def custom_on_demand_possible(asked: Requirements) -> Said:
    """Customised in Bedrock, now or already, and deployed there, paid per token."""
    against = _first(
        asked,
        bedrock.in_the_catalogue,
        bedrock.deployed_on_demand_here,
        bedrock.can_be_tuned_in_bedrock,
        bedrock.within_the_fixed_quota_per_minute,
        bedrock.within_the_fixed_quota_per_day,
    )
    if against:
        return Said(False, against)
    if asked.already_in_bedrock:
        return Said(True, f"it was customised in Bedrock already, and is deployed in {asked.region}")
    return Said(True, f"Bedrock tunes it and deploys it in {asked.region}", sure=asked.training_data_kept is True)


def import_fits(asked: Requirements) -> Said:
    """Custom Model Import: allowed, and sensible for this load."""
    if case(asked).shape is None:
        return Said(False, "the weights are not public, so there is nothing to import")
    against = _first(
        asked,
        bedrock.imports_this_architecture,
        bedrock.imports_this_format,
        bedrock.imports_this_size,
        bedrock.imports_this_context,
        bedrock.guarantees_throughput,
    )
    if against:
        return Said(False, against)
    if asked.profile == "steady":
        return Said(False, "under a steady load a copy never goes to sleep, and its hour costs more than an endpoint's")
    return Said(
        True, "the weights can be imported, and copies sleep between the bursts", sure=asked.weights_format is not None
    )


def answer_can_wait(asked: Requirements) -> Said:
    return Said(
        asked.answer_can_wait,
        "nobody waits for the answer" if asked.answer_can_wait else "somebody waits for the answer",
    )


def guaranteed_throughput(asked: Requirements) -> Said:
    return Said(
        asked.guaranteed_throughput,
        "throughput must be guaranteed" if asked.guaranteed_throughput else "best effort within the quota is enough",
    )


def edge(asked: Requirements) -> Said:
    return Said(asked.edge, "it must run at the edge" if asked.edge else "it runs in the cloud")


def on_premises(asked: Requirements) -> Said:
    stays = asked.residency == "on-premises"
    return Said(stays, "the data may not leave your premises" if stays else "the data may be processed in AWS")


def small_team(asked: Requirements) -> Said:
    small = asked.team == "small" and not asked.custom_weights
    return Said(small, "a small team that wants to start" if small else "a team that can run what it deploys")


def high_volume(asked: Requirements) -> Said:
    rate = asked.tokens_per_minute
    high = rate >= HIGH_VOLUME_TOKENS_PER_MINUTE and asked.profile == "steady"
    return Said(high, f"{rate:,.0f} tokens per minute, {asked.profile}")


def _first(asked: Requirements, *rules: Rule) -> str:
    """What the first rule that objects says; '' when none does."""
    looked_up = case(asked)
    return next((reason.because for rule in rules if (reason := rule(looked_up)) is not None), "")


QUESTIONS: dict[str, Question] = {
    question.__name__: question
    for question in (
        on_bedrock,
        on_bedrock_here,
        custom_weights,
        extreme_control,
        below_the_endpoint,
        serving_control,
        custom_on_demand_possible,
        import_fits,
        answer_can_wait,
        guaranteed_throughput,
        edge,
        on_premises,
        small_team,
        high_volume,
    )
}
