"""Asynchronous inference: S3 in and out, SNS, the queue, its limits, scale to zero."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from labs.cloud import metrics, scalables
from labs.cloud.context import Context
from labs.cloud.services import sagemaker_metrics
from labs.cloud.services.sagemaker_hosting import of
from tests.labs.cloud.kit import until
from tests.labs.cloud.sagemaker_kit import LMI, SMALL, SageMaker, cloud_of_a_module, fresh, refusal


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    yield from cloud_of_a_module(tmp_path_factory.mktemp("sagemaker"))


@pytest.fixture
def sm(cloud: Context) -> SageMaker:
    return fresh(cloud)


BODY = {"inputs": "Where should it run?", "parameters": {"max_new_tokens": 4}}


class Async:
    """An asynchronous endpoint, its bucket, and what SNS was told."""

    def __init__(self, sm: SageMaker, image: str = LMI, **client: int) -> None:
        self.sm, self.bucket = sm, sm.bucket()
        self.sns, self.sqs = sm.client("sns"), sm.client("sqs")
        self.topics, self.queues = {}, {}
        for kind in ("SuccessTopic", "ErrorTopic"):
            name = f"{kind}-{self.bucket}"
            self.topics[kind] = self.sns.create_topic(Name=name)["TopicArn"]
            self.queues[kind] = self.sqs.create_queue(QueueName=name)["QueueUrl"]
            arn = self.sqs.get_queue_attributes(QueueUrl=self.queues[kind], AttributeNames=["QueueArn"])
            self.sns.subscribe(TopicArn=self.topics[kind], Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
        output = {
            "S3OutputPath": f"s3://{self.bucket}/answers/",
            "S3FailurePath": f"s3://{self.bucket}/failures",
            "NotificationConfig": {**self.topics, "IncludeInferenceResponseIn": ["SUCCESS_NOTIFICATION_TOPIC"]},
        }
        config: dict[str, Any] = {"OutputConfig": output}
        if client:
            config["ClientConfig"] = client
        self.name = sm.endpoint(sm.config(sm.variant(sm.model(image)), AsyncInferenceConfig=config))

    def send(self, body: Any = None, key: str = "asked.json", **more: Any) -> Any:
        data = json.dumps(BODY if body is None else body).encode()
        self.sm.s3.put_object(Bucket=self.bucket, Key=key, Body=data)
        return self.sm.runtime.invoke_endpoint_async(
            EndpointName=self.name, InputLocation=f"s3://{self.bucket}/{key}", **more
        )

    def read(self, uri: str) -> bytes:
        key = uri.removeprefix(f"s3://{self.bucket}/")

        def found() -> bytes | None:
            listed = self.sm.s3.list_objects_v2(Bucket=self.bucket, Prefix=key).get("Contents")
            return self.sm.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() if listed else None

        content: bytes = until(found)
        return content

    def told(self, kind: str) -> dict[str, Any]:
        def message() -> dict[str, Any] | None:
            for each in self.sqs.receive_message(QueueUrl=self.queues[kind]).get("Messages", []):
                said: dict[str, Any] = json.loads(json.loads(each["Body"])["Message"])
                return said
            return None

        found: dict[str, Any] = until(message)
        return found


def gauges(sm: SageMaker, endpoint: str, name: str) -> float:
    """The last value of a gauge, after a look."""
    assert sm.context is not None
    sagemaker_metrics.look(sm.context, sagemaker_metrics.Gauges(), 0)
    found = metrics.store(sm.context).read(
        ("123456789012", "us-east-1"), "AWS/SageMaker", name, (("EndpointName", endpoint),), 0, time.time() + 60
    )
    return max(bucket.maximum for _, bucket in found)


def test_answers_lie_in_s3_and_sns_is_told(sm: SageMaker) -> None:
    endpoint = Async(sm)
    said = endpoint.send(ContentType="application/json", InferenceId="mine")
    assert said["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert said["InferenceId"] == "mine"
    assert said["OutputLocation"].startswith(f"s3://{endpoint.bucket}/answers/")
    assert said["FailureLocation"].endswith("-error.out")
    content = endpoint.read(said["OutputLocation"])
    assert json.loads(content)["generated_text"].startswith("[stand-in")
    told = endpoint.told("SuccessTopic")
    assert told["invocationStatus"] == "Completed"
    assert told["inferenceId"] == "mine"
    assert told["responseParameters"] == {
        "contentType": "application/json",
        "outputLocation": said["OutputLocation"],
    }
    assert told["requestParameters"]["inputLocation"] == f"s3://{endpoint.bucket}/asked.json"
    assert told["responseBody"]["content"] == content.decode()
    assert sm.context is not None
    series = {each.name for each in metrics.store(sm.context).all(("123456789012", "us-east-1"))}
    assert {"ModelLatency", "TimeInBacklog", "InvocationsProcessed"} <= series
    assert not {"Invocations", "OverheadLatency"} & series  # which AWS does not publish for such endpoints


def test_a_failure_is_told_too(sm: SageMaker) -> None:
    endpoint = Async(sm)
    said = endpoint.send({"prompt": "not LMI's"})
    assert b"Received client error (424) from primary" in endpoint.read(said["FailureLocation"])
    told = endpoint.told("ErrorTopic")
    assert told["invocationStatus"] == "Failed"
    assert told["failureLocation"] == said["FailureLocation"]
    lost = sm.runtime.invoke_endpoint_async(EndpointName=endpoint.name, InputLocation=f"s3://{endpoint.bucket}/nothing")
    assert b"There is no object" in endpoint.read(lost["FailureLocation"])


def test_an_answer_may_have_a_place_of_its_own_and_a_request_may_carry_its_body(sm: SageMaker) -> None:
    endpoint = Async(sm)
    said = sm.runtime.invoke_endpoint_async(
        EndpointName=endpoint.name, Body=json.dumps(BODY).encode(), S3OutputPathExtension="day/one", Filename="a.json"
    )
    assert said["OutputLocation"] == f"s3://{endpoint.bucket}/answers/day/one/a.json"
    assert endpoint.read(said["OutputLocation"])


def test_an_invocation_has_its_own_time_limit(sm: SageMaker) -> None:
    endpoint = Async(sm)
    assert sm.context is not None
    fleet = of(sm.context, "123456789012", "us-east-1").endpoints[endpoint.name].variants[0].fleet
    assert fleet is not None
    slow = {"inputs": "Write an essay about lamps.", "parameters": {"max_new_tokens": 400}}
    said = endpoint.send(slow, InvocationTimeoutSeconds=1)
    until(lambda: fleet.in_hand or endpoint.sm.s3.list_objects_v2(Bucket=endpoint.bucket, Prefix="answers"))
    # Whatever it comes to, the request ends: with its answer if it took less than a second, else as timed out.
    found = until(
        lambda: [
            each["Key"]
            for prefix in ("answers", "failures")
            for each in sm.s3.list_objects_v2(Bucket=endpoint.bucket, Prefix=prefix).get("Contents", [])
        ]
    )
    [key] = found
    ended = endpoint.read(f"s3://{endpoint.bucket}/{key}")
    assert (b"timed out" in ended) == key.startswith("failures")
    assert said["OutputLocation"]


def test_scaled_to_zero_it_keeps_what_comes_and_works_it_off_when_it_is_back(sm: SageMaker) -> None:
    endpoint = Async(sm, MaxConcurrentInvocationsPerInstance=2)
    assert sm.context is not None
    resource = f"endpoint/{endpoint.name}/variant/all"
    scalable = scalables.find(sm.context, "us-east-1", "sagemaker", resource, "sagemaker:variant:DesiredInstanceCount")
    assert scalable is not None
    assert scalable.current() == 1
    scalable.set_desired(0)
    told = sm.settled(endpoint.name)
    assert told["ProductionVariants"][0]["CurrentInstanceCount"] == 0
    said = [endpoint.send(key=f"{number}.json") for number in range(5)]
    assert gauges(sm, endpoint.name, "ApproximateBacklogSize") == 5
    assert gauges(sm, endpoint.name, "HasBacklogWithoutCapacity") == 1
    assert not sm.s3.list_objects_v2(Bucket=endpoint.bucket, Prefix="answers").get("Contents")
    scalable.set_desired(1)
    sm.settled(endpoint.name)
    gauges(sm, endpoint.name, "ApproximateBacklogSize")  # a look hands out what there is room for
    for each in said:
        assert endpoint.read(each["OutputLocation"])


def test_expired_requests_fail(sm: SageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Async(sm)
    clock = time.monotonic
    monkeypatch.setattr("labs.cloud.services.sagemaker_async.time.monotonic", lambda: clock())
    assert sm.context is not None
    queue = of(sm.context, "123456789012", "us-east-1").endpoints[endpoint.name].queue
    from labs.cloud.services.sagemaker_async import Waiting

    late = Waiting(
        "late",
        {"RequestTTLSeconds": 60, "Body": b"{}"},
        f"s3://{endpoint.bucket}/answers/late",
        f"s3://{endpoint.bucket}/failures/late",
        at=clock() - 61,
    )
    queue.add(late)
    assert b"expired in the queue" in endpoint.read(f"s3://{endpoint.bucket}/failures/late")


def test_refusals(sm: SageMaker) -> None:
    endpoint = Async(sm)
    code, message = refusal(sm.runtime.invoke_endpoint, EndpointName=endpoint.name, Body=b"{}")
    assert (code, "is asynchronous" in message) == ("ValidationError", True)
    both = {"InputLocation": "s3://b/k", "Body": b"{}"}
    assert "Exactly one of" in refusal(sm.runtime.invoke_endpoint_async, EndpointName=endpoint.name, **both)[1]
    large = {"Body": b"x" * 128_001}
    assert "at most 128000 bytes" in refusal(sm.runtime.invoke_endpoint_async, EndpointName=endpoint.name, **large)[1]
    code, message = refusal(sm.runtime.invoke_endpoint_async, EndpointName="nobody", InputLocation="s3://b/k")
    assert (code, message) == ("ValidationError", "Endpoint nobody of account 123456789012 not found.")
    assert sm.settled(sm.serving(LMI, {"HF_MODEL_ID": SMALL}))["EndpointStatus"] == "InService"
