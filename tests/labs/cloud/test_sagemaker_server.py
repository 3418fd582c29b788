"""SageMaker on the local cloud's server: the same answers as inside a process, streams that leave token by token, many at once."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from tests.labs.cloud.sagemaker_kit import CPU, GPU, LLAMA_CPP, LMI, ROLE, SageMaker, chat, refusal

LONG = 24


@pytest.fixture(scope="module")
def sm(local_cloud: Any) -> Iterator[SageMaker]:  # noqa: ARG001
    made = SageMaker()
    yield made
    made.tidy()


@pytest.fixture(scope="module")
def endpoint(sm: SageMaker) -> str:
    """A small model on CPUs, of which an account may run some without asking."""
    config = sm.config(sm.variant(sm.model(LLAMA_CPP), InstanceType=CPU))
    name = sm.endpoint(config, wait=False)
    assert sm.status(name) == "Creating"
    code, message = refusal(sm.runtime.invoke_endpoint, EndpointName=name, Body=b"{}")
    assert (code, message) == ("ValidationError", f"Endpoint {name} of account 123456789012 not found.")
    told = sm.settled(name)
    assert told["EndpointStatus"] == "InService"
    assert told["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    return name


def test_accelerators_need_a_quota(sm: SageMaker) -> None:
    config = sm.config(sm.variant(sm.model(), InstanceType="ml.inf2.48xlarge"))
    code, message = refusal(sm.endpoint, config=config)
    assert code == "ResourceLimitExceeded"
    assert "'ml.inf2.48xlarge for endpoint usage' is 0 Instances" in message


def test_invokes(sm: SageMaker, endpoint: str) -> None:
    said = sm.ask(endpoint, chat())
    assert said["object"] == "chat.completion"
    assert said["usage"]["completion_tokens"] == 4


def test_an_unknown_endpoint_is_not_found_by_a_stream_either(sm: SageMaker) -> None:
    code, message = refusal(sm.runtime.invoke_endpoint_with_response_stream, EndpointName="nobody", Body=b"{}")
    assert (code, message) == ("ValidationError", "Endpoint nobody of account 123456789012 not found.")


def test_a_body_need_not_be_text(sm: SageMaker, endpoint: str) -> None:
    code, message = refusal(sm.runtime.invoke_endpoint, EndpointName=endpoint, Body=b"\xff\xfe\x00")
    assert (code, "is not JSON" in message) == ("ModelError", True)


def test_streams_token_by_token(sm: SageMaker, endpoint: str) -> None:
    said = sm.runtime.invoke_endpoint_with_response_stream(
        EndpointName=endpoint, Body=json.dumps(chat(max_tokens=LONG, stream=True)).encode()
    )
    assert said["ContentType"] == "text/event-stream"
    assert said["InvokedProductionVariant"] == "all"
    began, parts, arrivals = time.monotonic(), [], []
    for event in said["Body"]:
        parts.append(event["PayloadPart"]["Bytes"])
        arrivals.append(time.monotonic() - began)
    assert len(parts) == LONG
    assert b"".join(parts).endswith(b"data: [DONE]\n\n")
    assert arrivals[-1] > arrivals[0]  # not in one piece at the end


def test_many_streams_at_once_all_arrive_whole(sm: SageMaker, endpoint: str) -> None:
    whole: dict[int, list[bytes]] = {}

    def follow(number: int) -> None:
        whole[number] = sm.stream(endpoint, chat(f"Case {number}.", max_tokens=6, stream=True))

    threads = [threading.Thread(target=follow, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(whole) == 20
    assert all(b"".join(parts).endswith(b"data: [DONE]\n\n") for parts in whole.values())


def test_a_client_that_goes_away_frees_its_seat(sm: SageMaker, endpoint: str) -> None:
    said = sm.runtime.invoke_endpoint_with_response_stream(
        EndpointName=endpoint, Body=json.dumps(chat(max_tokens=400, stream=True)).encode()
    )
    next(iter(said["Body"]))
    said["Body"].close()
    assert sm.ask(endpoint, chat())["usage"]["completion_tokens"] == 4


def test_tells_cloudwatch(sm: SageMaker, endpoint: str) -> None:
    sm.ask(endpoint, chat())
    sums = sm.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "all"}],
        StartTime=time.time() - 600,
        EndTime=time.time() + 60,
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    assert sum(point["Sum"] for point in sums) >= 1


GARBAGE = (
    b"",
    b"[]",
    b"null",
    b"5",
    b"\xff\xfe",
    b'{"a":' * 50,
    b'{"EndpointName": 5}',
    b'{"ProductionVariants": [5], "EndpointConfigName": "a"}',
    b'{"ModelName": "m", "PrimaryContainer": {"Image": ["x"]}, "ExecutionRoleArn": "r"}',
    b'{"MaxResults": "many"}',
    b'{"CreationTimeAfter": "yesterday"}',
    b'{"NextToken": "zzz"}',
)


def post(url: str, path: str, body: bytes, **headers: str) -> int:
    """The status of a signed request."""
    request = AWSRequest(
        "POST", url + path, data=body, headers={name.replace("_", "-"): headers[name] for name in headers}
    )
    credentials = boto3.Session().get_credentials()
    SigV4Auth(credentials, "sagemaker", "us-east-1").add_auth(request)
    sent = urllib.request.Request(url + path, data=body, headers=dict(request.headers.items()), method="POST")
    try:
        with urllib.request.urlopen(sent, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as said:
        return said.code


@pytest.mark.parametrize("body", GARBAGE)
def test_garbage_is_the_callers_fault(local_cloud: Any, sm: SageMaker, body: bytes) -> None:
    url = local_cloud.endpoint_url
    for operation in (
        "CreateModel",
        "CreateEndpointConfig",
        "DescribeEndpoint",
        "ListEndpoints",
        "ListCompilationJobs",
    ):
        target = {"X_Amz_Target": f"SageMaker.{operation}", "Content_Type": "application/x-amz-json-1.1"}
        status = post(url, "/", body, **target)
        assert status < 500, (operation, body)
    for path in (
        "/endpoints/x/invocations",
        "/endpoints/x/invocations-response-stream",
        "/endpoints/x/async-invocations",
    ):
        assert post(url, path, body, Content_Type="application/json") == 400, path
    for path in ("/endpoints/", "/endpoints//invocations", "/endpoints/x/other", "/endpoints/x"):
        assert post(url, path, body, Content_Type="application/json") == 404, path
    assert sm.control.list_models(MaxResults=1)  # and the server lives on


class TestCures:
    """Each fails once moto has it: then ours can go."""

    def test_instance_types_of_today(self, stock: Any) -> None:
        stock.sagemaker.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": LMI})
        variant = {"VariantName": "v", "ModelName": "m", "InstanceType": GPU, "InitialInstanceCount": 1}
        with pytest.raises(ClientError, match="failed to satisfy constraint"):
            stock.sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])

    def test_endpoints_that_come_up(self, stock: Any) -> None:
        stock.sagemaker.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": LMI})
        variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        stock.sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
        stock.sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
        assert stock.sagemaker.describe_endpoint(EndpointName="e")["EndpointStatus"] == "InService"
        with pytest.raises(NotImplementedError):
            stock.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="c")

    def test_an_answer_of_the_endpoint_asked(self, stock: Any) -> None:
        runtime = stock.session.client("sagemaker-runtime")
        assert runtime.invoke_endpoint(EndpointName="nobody", Body=b"x")["Body"].read() == b"body"
        with pytest.raises(UnicodeDecodeError):
            runtime.invoke_endpoint(EndpointName="nobody", Body=b"\xff")

    def test_inference_components(self, stock: Any) -> None:
        with pytest.raises(NotImplementedError):
            stock.sagemaker.list_inference_components()
