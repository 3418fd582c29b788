"""Rules about SageMaker AI's endpoints: what each takes, holds and waits for. What needs a prediction is in labs.decide.hosted."""

from __future__ import annotations

from labs import facts
from labs.decide.case import Case
from labs.decide.rules.reason import Reason
from labs.serving.memory import WEIGHT_BYTES

BYTES_PER_TOKEN = 4
"""of English text, about; only for asking whether a request fits a payload limit"""
CPU_PARAMETERS = 15e9
"""Beyond it a processor answers slower than people read, whatever its price."""
SERVER_BYTES = 0.5e9
"""What a small server takes beside the weights."""


def is_in_the_library(case: Case) -> Reason | None:
    if not case.asked.custom_weights:
        return None
    return Reason(
        "is_in_the_library", "JumpStart deploys models of its library; your weights go onto an endpoint of yours"
    )


def container_is_jumpstarts(case: Case) -> Reason | None:
    if case.asked.control != "container":
        return None
    return Reason("container_is_jumpstarts", "the container must be yours to set; JumpStart brings its own")


def answers_into_s3(case: Case) -> Reason | None:
    if case.asked.answer_can_wait:
        return None
    return Reason("answers_into_s3", "somebody waits for the answer; this one puts it into S3 and streams nothing")


def fits_without_a_gpu(case: Case) -> Reason | None:
    """A serverless endpoint: 6 GB and no accelerator."""
    if case.shape is None:
        return None
    limit = "sagemaker.serverless.memory_max_mb"
    weights = case.shape.parameters * WEIGHT_BYTES["int4"]
    if weights + SERVER_BYTES <= facts.number(limit) * 1e6:
        return None
    return Reason(
        "fits_without_a_gpu",
        f"it has no GPU and at most {facts.format(limit)}; in 4 bits the weights alone take {weights / 1e9:,.1f} GB",
        ("sagemaker.serverless.gpu", limit),
    )


def small_enough_for_a_processor(case: Case) -> Reason | None:
    if case.shape is None or case.shape.parameters <= CPU_PARAMETERS:
        return None
    fact = "measured.llama-3-70b-int4.graviton4_max_tokens_per_s"
    return Reason(
        "small_enough_for_a_processor",
        f"{case.shape.parameters / 1e9:.3g} billion parameters are too many: 70B in 4 bits reached {facts.format(fact)}",
        (fact,),
    )


def request_fits_real_time(case: Case) -> Reason | None:
    return _fits(case, "sagemaker.realtime.payload_max_bytes", 1.0)


def request_fits_async(case: Case) -> Reason | None:
    return _fits(case, "sagemaker.async.payload_max_bytes", 1.0)


def request_fits_serverless(case: Case) -> Reason | None:
    return _fits(case, "sagemaker.serverless.payload_max_mb", 1e6)


def _fits(case: Case, limit: str, unit_bytes: float) -> Reason | None:
    size = case.asked.input_tokens * BYTES_PER_TOKEN
    if size <= facts.number(limit) * unit_bytes:
        return None
    return Reason(
        "request_fits",
        f"a prompt of about {size / 1e6:,.0f} MB is larger than the {facts.format(limit)} that it takes",
        (limit,),
    )
