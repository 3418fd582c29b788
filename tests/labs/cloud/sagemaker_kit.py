"""What the tests of SageMaker share: a cloud whose waits are over at once, short ways to make endpoints, and a check of every answer's shape."""

import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from moto import mock_aws

from labs.cloud import environment, extension
from labs.cloud.context import REGION, Context
from labs.cloud.services import quotas
from tests.labs.cloud.kit import until

ROLE = "arn:aws:iam::123456789012:role/hosting"
REGISTRY = "763104351884.dkr.ecr.us-east-1.amazonaws.com"
LMI = f"{REGISTRY}/djl-inference:0.36.0-lmi18.0.0-cu128"
LMI_NEURON = f"{REGISTRY}/djl-inference:0.30.0-neuronx-sdk2.20.1"
VLLM = f"{REGISTRY}/vllm:0.20.0-gpu-py312-cu130-ubuntu22.04-sagemaker"
TGI = f"{REGISTRY}/huggingface-pytorch-tgi-inference:2.7.0-tgi3.3.4-gpu-py311-cu124-ubuntu22.04"
TRITON = f"{REGISTRY}/sagemaker-tritonserver:25.04-py3"
LLAMA_CPP = "123456789012.dkr.ecr.us-east-1.amazonaws.com/llama.cpp:server"
SMALL = "Qwen/Qwen3-0.6B"
GPU = "ml.g5.xlarge"
CPU = "ml.c7g.16xlarge"
"""A type of which an account may run some without asking."""
INSTANT = 20_000.0
"""Time scale at which four minutes of starting pass in about ten milliseconds."""


def cloud_of_a_module(folder: Path) -> Iterator[Context]:
    """A cloud inside this process for all tests of a module: starting one for each of them would take most of their time."""
    with pytest.MonkeyPatch.context() as patch:
        for name in filter(environment.is_aws_variable, dict(os.environ)):
            patch.delenv(name)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
        patch.setattr(environment, "_only_loopback", False)
        context = Context(home=folder, time_scale=INSTANT)
        with mock_aws():
            extension.install(context)
            yield context
        context.close()


def fresh(context: Context) -> "SageMaker":
    """Clients of that cloud, in which SageMaker has nothing yet and some quotas are raised."""
    for name in ("_sagemaker", "_quotas", "_scalables", "_metrics"):
        context.__dict__.pop(name, None)
    context.time_scale = INSTANT
    made = SageMaker(context)
    for instance_type in (GPU, "ml.g5.2xlarge", "ml.g5.12xlarge", "ml.g5.48xlarge", "ml.inf2.8xlarge"):
        made.allow(instance_type)
    return made


class Asserting:
    """Listens to a client and holds every answer against the shape that botocore's model promises."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __call__(self, http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if http_response.status_code >= 300:
            return
        self.seen.add(model.name)
        if model.output_shape is None:
            return
        said = {name: value for name, value in parsed.items() if name not in ("ResponseMetadata", "Body")}
        shape = model.output_shape
        if "Body" in shape.members:
            assert "Body" in parsed
            said["Body"] = b""
            if model.has_event_stream_output:
                said["Body"] = {}
        report = ParamValidator().validate(said, shape)
        assert not report.has_errors(), f"{model.name}: {report.generate_report()}"


SHAPES = Asserting()


@dataclass
class SageMaker:
    """Clients of one cloud, and short ways to make what a test needs. Everything that it makes it removes."""

    context: Context | None = None
    """the cloud inside this process; None for the server"""
    shapes: Asserting = field(default_factory=lambda: SHAPES)
    _made: list[Callable[[], Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Reading SageMaker's own model takes most of a second, so the clients of a module's cloud are made once.
        self._clients: dict[str, Any] = (
            {} if self.context is None else self.context.__dict__.setdefault("_clients_of_tests", {})
        )
        if "session" not in self._clients:
            self._clients["session"] = boto3.Session()
        self.control, self.runtime = self.client("sagemaker"), self.client("sagemaker-runtime")
        self.s3 = self.client("s3")
        for client in (self.control, self.runtime):
            client.meta.events.register("after-call", self.shapes, unique_id="shapes")

    def client(self, service: str) -> Any:
        if service not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, max_pool_connections=50, read_timeout=120)
            self._clients[service] = self._clients["session"].client(service, config=config)
        return self._clients[service]

    def allow(self, instance_type: str, n: int = 20) -> None:
        """Raise the account's quota."""
        assert self.context is not None
        code = quotas.endpoint_usage(instance_type).code
        quotas.set_value(self.context, "us-east-1", "sagemaker", code, n)

    def bucket(self) -> str:
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        self.s3.create_bucket(Bucket=name)

        def empty() -> None:
            for item in self.s3.list_objects_v2(Bucket=name).get("Contents", []):
                self.s3.delete_object(Bucket=name, Key=item["Key"])
            self.s3.delete_bucket(Bucket=name)

        self._made.append(empty)
        return name

    def model(self, image: str = LMI, environment: dict[str, str] | None = None, **more: Any) -> str:
        name = f"model-{uuid.uuid4().hex[:8]}"
        container = {
            "Image": image,
            "Environment": {"HF_MODEL_ID": SMALL} if environment is None else environment,
            **more,
        }
        self.control.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        self._made.append(lambda: self.control.delete_model(ModelName=name))
        return name

    def config(self, *variants: dict[str, Any], **more: Any) -> str:
        name = f"config-{uuid.uuid4().hex[:8]}"
        self.control.create_endpoint_config(EndpointConfigName=name, ProductionVariants=list(variants), **more)
        self._made.append(lambda: self.control.delete_endpoint_config(EndpointConfigName=name))
        return name

    def variant(self, model: str | None = None, **more: Any) -> dict[str, Any]:
        given = {"VariantName": "all", "InstanceType": GPU, "InitialInstanceCount": 1, **more}
        return {**given, "ModelName": model} if model is not None else given

    def endpoint(self, config: str, *, wait: bool = True, **more: Any) -> str:
        name = f"endpoint-{uuid.uuid4().hex[:8]}"
        self.control.create_endpoint(EndpointName=name, EndpointConfigName=config, **more)
        self._made.append(lambda: self.remove(name))
        if wait:
            self.settled(name)
        return name

    def serving(self, image: str = LMI, environment: dict[str, str] | None = None, **variant: Any) -> str:
        """An endpoint in service with one variant."""
        name = self.endpoint(self.config(self.variant(self.model(image, environment), **variant)))
        assert self.status(name) == "InService", self.control.describe_endpoint(EndpointName=name)
        return name

    def status(self, endpoint: str) -> str:
        status: str = self.control.describe_endpoint(EndpointName=endpoint)["EndpointStatus"]
        return status

    def settled(self, endpoint: str) -> dict[str, Any]:
        """The endpoint once nothing is being done to it."""
        until(lambda: self.status(endpoint) not in ("Creating", "Updating", "RollingBack", "Deleting"))
        told: dict[str, Any] = self.control.describe_endpoint(EndpointName=endpoint)
        return told

    def remove(self, endpoint: str) -> None:
        self.settled(endpoint)
        self.control.delete_endpoint(EndpointName=endpoint)
        until(lambda: self.gone(endpoint))

    def gone(self, endpoint: str) -> bool:
        try:
            self.control.describe_endpoint(EndpointName=endpoint)
        except ClientError as said:
            return "Could not find endpoint" in str(said)
        return False

    def component(self, endpoint: str, copies: int = 1, *, wait: bool = True, **specification: Any) -> str:
        name = f"component-{uuid.uuid4().hex[:8]}"
        needs = {"NumberOfAcceleratorDevicesRequired": 1, "MinMemoryRequiredInMb": 1024}
        given: dict[str, Any] = {"ComputeResourceRequirements": needs, **specification}
        self.control.create_inference_component(
            InferenceComponentName=name,
            EndpointName=endpoint,
            VariantName="all",
            Specification=given,
            RuntimeConfig={"CopyCount": copies},
        )
        self._made.append(lambda: self.remove_component(name))
        if wait:
            self.component_settled(name)
        return name

    def component_settled(self, name: str) -> dict[str, Any]:
        def told() -> dict[str, Any]:
            said: dict[str, Any] = self.control.describe_inference_component(InferenceComponentName=name)
            return said

        until(lambda: told()["InferenceComponentStatus"] not in ("Creating", "Updating", "Deleting"))
        return told()

    def remove_component(self, name: str) -> None:
        try:
            self.component_settled(name)
            self.control.delete_inference_component(InferenceComponentName=name)
            until(lambda: self.component_settled(name) is None)
        except ClientError as gone:
            if "Could not find inference component" not in str(gone):
                raise

    def ask(self, endpoint: str, body: Any = None, **more: Any) -> Any:
        """The answer to a body, as JSON."""
        body = {"inputs": "Where should it run?", "parameters": {"max_new_tokens": 4}} if body is None else body
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        said = self.runtime.invoke_endpoint(EndpointName=endpoint, Body=data, ContentType="application/json", **more)
        return json.loads(said["Body"].read())

    def stream(self, endpoint: str, body: Any, **more: Any) -> list[bytes]:
        """The parts of a streamed answer."""
        said = self.runtime.invoke_endpoint_with_response_stream(
            EndpointName=endpoint, Body=json.dumps(body).encode(), ContentType="application/json", **more
        )
        return [event["PayloadPart"]["Bytes"] for event in said["Body"]]

    def tidy(self) -> None:
        for remove in reversed(self._made):
            try:
                remove()
            except ClientError as gone:
                if "Could not find" not in str(gone) and "NoSuch" not in str(gone):
                    raise


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """The code and message with which a call is refused."""
    try:
        call(**params)
    except ClientError as said:
        return said.response["Error"]["Code"], said.response["Error"]["Message"]
    raise AssertionError("it was not refused")


def chat(text: str = "Where should it run?", **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 4, **more}
