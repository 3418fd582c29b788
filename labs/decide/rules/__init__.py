"""What rules a target out before anything is computed: small named functions, each with a sentence and the facts behind it.

    against("bedrock-on-demand", case(Requirements(model="llama-3.3-70b")))   # (Reason('still_alive', ...),)

What needs a prediction (latency, time limits, whether any machine holds the model) is added by the builders in labs.decide.options.
"""

from __future__ import annotations

from types import MappingProxyType

from labs.decide.case import Case
from labs.decide.rules import bedrock, hosts, places
from labs.decide.rules.reason import Reason, Rule

__all__ = ["RULES", "Reason", "Rule", "against"]

IN_A_REGION: tuple[Rule, ...] = (places.must_run_at_the_edge, places.data_stay_on_the_premises)
MANAGED: tuple[Rule, ...] = (*IN_A_REGION, places.host_is_yours, places.runs_on_the_cluster)
BEDROCK: tuple[Rule, ...] = (*MANAGED, places.container_is_yours, places.engine_is_yours, places.fits_the_context)
BASE_MODEL: tuple[Rule, ...] = (
    *BEDROCK,
    bedrock.takes_base_models,
    bedrock.in_the_catalogue,
    bedrock.still_alive,
    bedrock.offered_here,
    bedrock.data_stay_where_they_may,
)
SAGEMAKER: tuple[Rule, ...] = (*MANAGED, places.weights_are_public, places.fits_the_context)
REAL_TIME: tuple[Rule, ...] = (*SAGEMAKER, hosts.request_fits_real_time)
OWN: tuple[Rule, ...] = (
    places.must_run_at_the_edge,
    places.weights_are_public,
    places.somebody_runs_it,
    places.fits_the_context,
)

RULES: MappingProxyType[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "bedrock-on-demand": (*BASE_MODEL, bedrock.reserved_tier),
        "bedrock-batch": (
            *BASE_MODEL,
            bedrock.nobody_waits,
            bedrock.has_a_batch_price,
            bedrock.guarantees_throughput,
        ),
        "bedrock-provisioned": (
            *BEDROCK,
            bedrock.in_the_catalogue,
            bedrock.sells_new_model_units,
            bedrock.sold_in_model_units_here,
            bedrock.can_be_tuned_in_bedrock,
        ),
        "bedrock-custom-import": (
            *BEDROCK,
            places.weights_are_public,
            bedrock.imports_this_architecture,
            bedrock.imports_this_format,
            bedrock.imports_this_size,
            bedrock.imports_this_context,
            bedrock.guarantees_throughput,
        ),
        "bedrock-custom-on-demand": (
            *BEDROCK,
            bedrock.takes_customised_models,
            bedrock.in_the_catalogue,
            bedrock.deployed_on_demand_here,
            bedrock.can_be_tuned_in_bedrock,
            bedrock.within_the_fixed_quota_per_minute,
            bedrock.within_the_fixed_quota_per_day,
            bedrock.guarantees_throughput,
        ),
        "sagemaker-gpu": REAL_TIME,
        "sagemaker-inferentia": (*REAL_TIME, places.engine_is_for_gpus),
        "sagemaker-jumpstart": (
            *REAL_TIME,
            hosts.is_in_the_library,
            hosts.container_is_jumpstarts,
            places.engine_is_yours,
        ),
        "sagemaker-async": (*SAGEMAKER, hosts.answers_into_s3, hosts.request_fits_async),
        "sagemaker-serverless": (
            *SAGEMAKER,
            places.hardware_is_yours,
            places.engine_is_for_gpus,
            hosts.fits_without_a_gpu,
            hosts.request_fits_serverless,
        ),
        "sagemaker-components": REAL_TIME,
        "sagemaker-graviton": (*REAL_TIME, places.engine_is_for_gpus, hosts.small_enough_for_a_processor),
        "ec2-vllm": (*OWN, places.runs_on_the_cluster),
        "eks-vllm": OWN,
        "eks-triton": OWN,
        "edge-greengrass": (
            places.nothing_asks_for_the_edge,
            places.weights_are_public,
            places.small_enough_for_a_device,
        ),
    }
)
"""target: its rules, in the order in which their reasons are told"""


def against(target: str, case: Case) -> tuple[Reason, ...]:
    """Every reason against a target; () when nothing is."""
    return tuple(reason for rule in RULES[target] if (reason := rule(case)) is not None)
