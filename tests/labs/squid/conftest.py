"""A queue, a table, workers and a scripted model, inside the test's own process: every delivery happens when the test says so."""

import importlib.util
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from labs.cloud import environment
from labs.cloud.context import REGION
from labs.squid.package import FUNCTIONS
from labs.targets.calling import Address

MAX_RECEIVES = 3
FUNCTION_TIMEOUT_S = 30


class Killed(BaseException):
    """The process ends here: no handler runs, nothing is tidied up."""


def model_error(code: str, status: int) -> ClientError:
    """What boto3 raises when Bedrock answers so."""
    return ClientError(
        {"Error": {"Code": code, "Message": "as scripted"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Converse"
    )


@dataclass
class Model:
    """Answers every call with `reply`, or as the next entry of `script` says: an exception, or a function to call first."""

    script: list[Any] = field(default_factory=list)
    reply: str = "Because the queue waits, the caller need not."
    calls: list[dict[str, Any]] = field(default_factory=list)
    break_after: int | None = None
    breaks_with: Exception | None = None

    def converse_stream(self, **request: Any) -> dict[str, Any]:
        self.calls.append(request)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, BaseException):
            raise step
        text = self.reply if step is None else step()
        return {"stream": self.events(text or self.reply)}

    def events(self, text: str) -> Iterator[dict[str, Any]]:
        """The answer in pieces of ten characters. `break_after` pieces, the stream ends as a broken connection does, or with an error."""
        for n, start in enumerate(range(0, len(text), 10)):
            if n == self.break_after:
                if self.breaks_with is not None:
                    raise self.breaks_with
                return
            yield {"contentBlockDelta": {"delta": {"text": text[start : start + 10]}}}
        yield {"messageStop": {"stopReason": "end_turn"}}
        yield {"metadata": {"usage": {"inputTokens": 12, "outputTokens": 9}}}


@dataclass
class Line:
    """One SQUID stack, without CloudFormation and without Lambda."""

    sqs: Any
    dynamodb: Any
    queue_url: str
    dead_letter_queue_url: str
    table: str
    model: Model
    new_worker: Callable[[], ModuleType]
    """A worker process: its module, loaded anew."""

    def send(self, body: Any) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=text)

    def receive(self, most: int = 10) -> dict[str, Any] | None:
        """The event that the event source would hand to Lambda; None when nothing is visible."""
        messages = self.sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=most, AttributeNames=["All"], MessageAttributeNames=["All"]
        ).get("Messages")
        if not messages:
            return None
        return {
            "Records": [
                {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message["Attributes"],
                    "messageAttributes": {
                        name: {"dataType": value["DataType"], "stringValue": value["StringValue"]}
                        for name, value in message.get("MessageAttributes", {}).items()
                    },
                    "eventSource": "aws:sqs",
                    "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:jobs",
                    "awsRegion": "us-east-1",
                }
                for message in messages
            ]
        }

    def handle(self, worker: ModuleType, event: dict[str, Any]) -> list[str]:
        """Invoke the worker as the event source does: what it does not name is deleted. Returns the ids of those that stay."""
        context = SimpleNamespace(
            function_name="worker",
            memory_limit_in_mb=256,
            invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:worker",
            aws_request_id="request",
            get_remaining_time_in_millis=lambda: FUNCTION_TIMEOUT_S * 1000,
        )
        response = worker.handler(event, context)
        stay = [failure["itemIdentifier"] for failure in response["batchItemFailures"]]
        for record in event["Records"]:
            if record["messageId"] not in stay:
                self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=record["receiptHandle"])
        return stay

    def show_again(self, event: dict[str, Any]) -> dict[str, Any]:
        """The same messages, delivered once more, as a standard queue may."""
        for record in event["Records"]:
            self.sqs.change_message_visibility(
                QueueUrl=self.queue_url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=0
            )
        again = self.receive()
        assert again is not None
        return again

    def item(self, job_id: str) -> dict[str, Any]:
        """The job's item, as plain values."""
        item = self.dynamodb.get_item(TableName=self.table, Key={"job_id": {"S": job_id}}).get("Item", {})
        return {name: next(iter(value.values())) for name, value in item.items()}

    def dead_letters(self) -> list[str]:
        messages = self.sqs.receive_message(
            QueueUrl=self.dead_letter_queue_url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [message["Body"] for message in messages.get("Messages", [])]


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """boto3 is answered by moto inside this process, whatever cloud it was connected to before."""
    for name in filter(environment.is_aws_variable, dict(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # one made earlier would remember another cloud's endpoint
    monkeypatch.setattr(
        environment, "_only_loopback", False
    )  # moto answers calls to amazonaws.com before they are sent
    with mock_aws():
        yield


@pytest.fixture
def line(amazon: None, monkeypatch: pytest.MonkeyPatch) -> Line:
    del amazon
    sqs, dynamodb = boto3.client("sqs"), boto3.client("dynamodb")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    dead_arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": MAX_RECEIVES})
    jobs = sqs.create_queue(
        QueueName="jobs", Attributes={"VisibilityTimeout": str(6 * FUNCTION_TIMEOUT_S), "RedrivePolicy": redrive}
    )
    dynamodb.create_table(
        TableName="jobs",
        AttributeDefinitions=[{"AttributeName": "job_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "job_id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.create_table(
        TableName="desk",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    boto3.client("s3").create_bucket(Bucket="results")
    settings = {
        "TABLE_NAME": "jobs",
        "DESK_NAME": "desk",
        "BUCKET_NAME": "results",
        "EVENTS_HOST": "",
        "AWS_REGION": REGION,
        "TENANT_CONCURRENCY": "2",
        "QUEUE_URL": jobs["QueueUrl"],
        "ADDRESS": Address("converse", "amazon.nova-lite-v1:0").to_json(),
        "STREAMS": "yes",
        "MAX_TOKENS": "64",
        "MAX_ANSWER_BYTES": "1000",
        "MAX_RECEIVES": str(MAX_RECEIVES),
        "MODEL_TIMEOUT_S": "25",
        "SILENCE_S": "15",
        "BATCH_SIZE": "5",
        "JOB_DAYS": "7",
        "POWERTOOLS_SERVICE_NAME": "squid",
        "POWERTOOLS_METRICS_NAMESPACE": "SQUID",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    model = Model()

    def new_worker() -> ModuleType:
        spec = importlib.util.spec_from_file_location("worker", FUNCTIONS / "worker.py")
        assert spec is not None
        assert spec.loader is not None
        worker = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(worker)
        worker.caller._client = model
        vars(worker).update(FIRST_PAUSE_S=0.0, LONGEST_PAUSE_S=0.0)
        return worker

    return Line(sqs, dynamodb, jobs["QueueUrl"], dead, "jobs", model, new_worker)
