"""Serverless inference: environments on CPUs, cold starts, concurrency, and its limits."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from labs import facts
from labs.cloud.context import Context
from labs.cloud.services.sagemaker_hosting import of
from labs.cloud.services.sagemaker_serverless import Serverless
from labs.serving.engine import Request
from tests.labs.cloud.kit import until
from tests.labs.cloud.sagemaker_kit import LLAMA_CPP, LMI, SageMaker, chat, cloud_of_a_module, fresh, refusal


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    yield from cloud_of_a_module(tmp_path_factory.mktemp("sagemaker"))


@pytest.fixture
def sm(cloud: Context) -> SageMaker:
    return fresh(cloud)


def variant(sm: SageMaker, image: str = LLAMA_CPP, memory_mb: int = 6144, **more: int) -> dict[str, Any]:
    settings = {"MemorySizeInMB": memory_mb, "MaxConcurrency": 2, **more}
    return {"VariantName": "all", "ModelName": sm.model(image), "ServerlessConfig": settings}


def serving(sm: SageMaker, **more: int) -> tuple[str, Serverless]:
    name = sm.endpoint(sm.config(variant(sm, **more)))
    assert sm.status(name) == "InService"
    assert sm.context is not None
    found = of(sm.context, "123456789012", "us-east-1").endpoints[name].variants[0].serverless
    assert found is not None
    return name, found


def test_starts_an_environment_when_called_and_lets_it_go_when_idle(sm: SageMaker) -> None:
    assert sm.context is not None
    sm.context.time_scale = 400  # ten idle minutes in a second and a half
    name, serverless = serving(sm)
    assert serverless.environments == 0
    assert sm.ask(name, chat(max_tokens=1))["choices"]
    assert serverless.environments == 1
    sm.ask(name, chat(max_tokens=1))
    assert serverless.environments == 1  # warm
    until(lambda: serverless.environments == 0)
    [told] = sm.control.describe_endpoint(EndpointName=name)["ProductionVariants"]
    assert told["CurrentServerlessConfig"] == {"MemorySizeInMB": 6144, "MaxConcurrency": 2}
    assert "CurrentInstanceCount" not in told


def test_a_cold_start_is_waited_for_and_counted(sm: SageMaker) -> None:
    assert sm.context is not None
    sm.context.time_scale = 500
    name, serverless = serving(sm)
    began = time.monotonic()
    sm.ask(name, chat(max_tokens=1))
    assert time.monotonic() - began >= sm.context.wait_s(serverless.placed.load_s)


@pytest.mark.filterwarnings("ignore:Exception.ServiceError. with code ThrottlingException")
def test_more_at_once_than_allowed_is_throttled(sm: SageMaker) -> None:
    name, serverless = serving(sm, MaxConcurrency=1)
    filler, _ = serverless.submit(Request("filler", 5, 500), 60, every_token=False)
    code, message = refusal(sm.runtime.invoke_endpoint, EndpointName=name, Body=json.dumps(chat()).encode())
    assert (code, message) == ("ThrottlingException", "Rate exceeded")
    filler.close()
    until(lambda: serverless.fleet.in_hand == 0)
    assert sm.ask(name, chat(max_tokens=1))


def test_provisioned_concurrency_is_always_warm(sm: SageMaker) -> None:
    _, serverless = serving(sm, ProvisionedConcurrency=1)
    assert serverless.environments == 1


def test_concurrency_can_be_changed(sm: SageMaker) -> None:
    name, _ = serving(sm)
    change = [{"VariantName": "all", "ServerlessUpdateConfig": {"MaxConcurrency": 7}}]
    sm.control.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=change)
    [told] = sm.settled(name)["ProductionVariants"]
    assert told["CurrentServerlessConfig"]["MaxConcurrency"] == 7
    instances = [{"VariantName": "all", "DesiredInstanceCount": 2}]
    _, message = refusal(
        sm.control.update_endpoint_weights_and_capacities, EndpointName=name, DesiredWeightsAndCapacities=instances
    )
    assert "not supported for serverless" in message


@pytest.mark.parametrize(
    ("image", "memory_mb", "words"),
    [(LMI, 6144, "No CUDA GPUs are available"), (LLAMA_CPP, 1024, "does not fit")],
)
def test_what_does_not_run_there_fails(sm: SageMaker, image: str, memory_mb: int, words: str) -> None:
    told = sm.settled(sm.endpoint(sm.config(variant(sm, image, memory_mb))))
    assert told["EndpointStatus"] == "Failed"
    assert words in told["FailureReason"]


@pytest.mark.parametrize(
    ("change", "more", "words"),
    [
        ({"memory_mb": 1500}, {}, "Member must satisfy enum value set: [1024, 2048, 3072, 4096, 5120, 6144]"),
        ({"ProvisionedConcurrency": 3}, {}, "less than or equal to MaxConcurrency"),
        ({"MaxConcurrency": 201}, {}, "less than or equal to 200"),
        ({}, {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://b/o"}}}, "not supported for serverless"),
    ],
)
def test_configurations_that_are_refused(
    sm: SageMaker, change: dict[str, int], more: dict[str, Any], words: str
) -> None:
    code, message = refusal(lambda: sm.config(variant(sm, **change), **more))
    assert code == "ValidationException"
    assert words in message


def test_payload_and_streams(sm: SageMaker) -> None:
    name, _ = serving(sm)
    limit = int(facts.number("sagemaker.serverless.payload_max_mb") * 1024 * 1024)
    code, _ = refusal(sm.runtime.invoke_endpoint, EndpointName=name, Body=b"x" * (limit + 1))
    assert code == "413"
    _, message = refusal(sm.runtime.invoke_endpoint_with_response_stream, EndpointName=name, Body=b"{}")
    assert "not supported for serverless" in message


def test_the_account_has_a_limit_of_concurrency(sm: SageMaker) -> None:
    for _ in range(int(facts.number("sagemaker.serverless.concurrency_per_region")) // 200):
        sm.endpoint(sm.config(variant(sm, MaxConcurrency=200)), wait=False)
    code, message = refusal(lambda: sm.endpoint(sm.config(variant(sm, MaxConcurrency=1))))
    assert (code, "Total concurrency" in message) == ("ResourceLimitExceeded", True)
