"""Faults strike where, when and as often as the plan says, and the course's own path survives them."""

import json
import time
import uuid
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from click.testing import CliRunner
from moto.core.responses import BaseResponse

from labs.cloud import faults
from labs.cloud.context import Context
from labs.cloud.faults import Fault, Injector
from labs.cloud.faults_commands import faults as command
from labs.errors import Refusal
from tests.labs.cloud.kit import Aws, Failed, until

# -- the plan


def strikes(fault: Fault, calls: int = 12) -> list[int]:
    """Which of so many matching calls the fault meets."""
    plan = Injector()
    plan.add(fault)
    return [number for number in range(1, calls + 1) if plan.due((fault.kind,), "sqs", "SendMessage")]


def test_a_fault_strikes_when_the_plan_says() -> None:
    assert strikes(Fault("throttle"), 3) == [1, 2, 3]
    assert strikes(Fault("throttle", nth=4)) == [4]
    assert strikes(Fault("throttle", every=5)) == [5, 10]
    assert strikes(Fault("throttle", every=2, times=2)) == [2, 4]
    assert strikes(Fault("throttle", service="sqs", operation="SendMessage", nth=1)) == [1]
    assert strikes(Fault("throttle", service="dynamodb")) == []
    assert strikes(Fault("throttle", operation="ReceiveMessage")) == []


def test_chance_is_seeded() -> None:
    first = strikes(Fault("throttle", probability=0.5, seed=7), 100)
    assert first == strikes(Fault("throttle", probability=0.5, seed=7), 100)
    assert first != strikes(Fault("throttle", probability=0.5, seed=8), 100)
    assert 20 < len(first) < 80
    assert strikes(Fault("throttle", probability=0.0)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "gremlin"},
        {"kind": "throttle", "nth": 1, "every": 2},
        {"kind": "throttle", "every": 0},
        {"kind": "throttle", "probability": 2.0},
        {"kind": "throttle", "nosuch": 1},
        {"kind": "cut", "service": "s3"},
        {"kind": "throttle", "caller": "somebody"},
        {"kind": "duplicate", "caller": "cloudformation"},
        {"kind": "kill-worker", "service": "sqs"},
        {"kind": "kill-worker", "moment": "never"},
        {"kind": "latency", "seconds": -1},
        {},
        [],
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        Fault.parse(wrong)


# -- in this process


def test_a_throttled_call_gets_the_services_own_error(inside: Aws) -> None:
    table = inside.table()
    for service, operation, call, code in (
        ("sqs", "ListQueues", inside.sqs.list_queues, "Throttl"),
        ("lambda", "ListFunctions", inside.lambda_.list_functions, "TooManyRequestsException"),
        ("dynamodb", "Scan", lambda: inside.dynamodb.scan(TableName=table), "Throttl|ThroughputExceeded"),
        ("cloudformation", "ListStacks", inside.cloudformation.list_stacks, "Throttling"),
    ):
        with faults.inject("throttle", service=service, operation=operation, nth=1):
            with pytest.raises(ClientError, match=code):
                call()
            call()  # only the first


def test_faults_meet_s3_by_operation(inside: Aws) -> None:
    s3, bucket = inside.s3, f"bucket-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="folder/a key", Body=b"x")
    with faults.inject("throttle", service="s3", operation="GetObject") as plan:
        with pytest.raises(ClientError) as refused:
            s3.get_object(Bucket=bucket, Key="folder/a key")
        s3.put_object(Bucket=bucket, Key="another", Body=b"y")
        assert [line["seen"] for line in plan.plan()] == [1]
    assert refused.value.response["Error"]["Code"] == "SlowDown"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    with faults.inject("server-error", service="s3", operation="ListObjectsV2", nth=2):
        s3.list_objects_v2(Bucket=bucket)
        with pytest.raises(ClientError, match="InternalError"):
            s3.list_objects_v2(Bucket=bucket)
    with faults.inject("drop", service="s3", times=1), pytest.raises(ConnectionClosedError):
        s3.list_buckets()
    with faults.inject("latency", service="s3", seconds=0.2):
        started = time.monotonic()
        assert s3.get_object(Bucket=bucket, Key="folder/a key")["Body"].read() == b"x"
        assert time.monotonic() - started >= 0.2


def test_motos_s3_still_goes_past_where_other_services_calls_pass(stock: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[Any] = []
    monkeypatch.setattr(BaseResponse, "call_action", lambda self: passed.append(self) or (200, {}, ""))
    stock.s3.list_buckets()
    assert passed == []


def test_a_5xx_is_a_5xx(inside: Aws) -> None:
    with faults.inject("server-error", service="sqs", times=1), pytest.raises(ClientError) as failed:
        inside.sqs.list_queues()
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500


def test_boto3_gets_over_a_passing_fault_by_itself(inside: Aws, in_process_cloud: Context) -> None:  # noqa: ARG001
    patient = boto3.client("sqs", config=Config(retries={"mode": "standard", "max_attempts": 3}))
    for kind in ("throttle", "server-error", "drop"):
        with faults.inject(kind, service="sqs", times=1) as plan:
            patient.list_queues()
            assert [line["fired"] for line in plan.plan()] == [1]


def test_latency_delays(inside: Aws) -> None:
    inside.sqs.list_queues()
    with faults.inject("latency", service="sqs", seconds=0.3):
        started = time.monotonic()
        inside.sqs.list_queues()
    assert time.monotonic() - started >= 0.3


def test_after_the_block_nothing_is_left_of_the_fault(inside: Aws) -> None:
    inside.sqs.list_queues()
    with pytest.raises(ZeroDivisionError), faults.inject("throttle", service="sqs"):
        raise ZeroDivisionError
    inside.sqs.list_queues()


# -- in the server


def test_s3_in_the_server_fails_in_its_own_words_and_drops_connections(aws: Aws) -> None:
    aws.s3.list_buckets()
    with (
        faults.inject("throttle", service="s3", operation="ListBuckets", nth=1),
        pytest.raises(ClientError, match="SlowDown"),
    ):
        aws.s3.list_buckets()
    with faults.inject("drop", service="s3", operation="ListBuckets", nth=1), pytest.raises(ConnectionClosedError):
        aws.s3.list_buckets()
    aws.s3.list_buckets()


def test_a_dropped_connection_is_dropped(aws: Aws) -> None:
    aws.sqs.list_queues()
    with faults.inject("drop", service="sqs", operation="ListQueues", nth=1):
        with pytest.raises(ConnectionClosedError):
            aws.sqs.list_queues()
        aws.sqs.list_queues()


def test_a_message_can_be_delivered_twice(aws: Aws) -> None:
    queue = aws.queue()
    [sent] = aws.send(queue, "again and again")
    with faults.inject("duplicate", resource=queue.rsplit("/", 1)[1], times=1):
        first, second = aws.receive(queue), aws.receive(queue)
    assert [message["MessageId"] for message in (*first, *second)] == [sent, sent]
    for message in (*first, *second):
        aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert aws.count(queue) == aws.count(queue, "NotVisible") == 0


@pytest.mark.parametrize("moment", faults.MOMENTS)
def test_a_worker_can_be_killed_at_each_moment(aws: Aws, moment: str) -> None:
    queue = aws.queue()
    function = aws.function(
        f"""
        import time, boto3
        sqs = boto3.client("sqs")
        def handler(event, context):
            if event: time.sleep(event)
            sqs.send_message(QueueUrl={queue!r}, MessageBody="done")
            return "answered"
        """
    )
    aws.invoke(function, 0)
    with faults.inject("kill-worker", resource=function, moment=moment, nth=1):
        with pytest.raises(Failed, match="Runtime exited with error: signal: killed"):
            aws.invoke(function, 0.5 if moment == "middle" else 0)
        assert aws.invoke(function, 0) == "answered"
    done = 3 if moment == "end" else 2  # killed at the end, the work is done and the answer is lost
    assert aws.count(queue) == done


def test_a_queue_drains_without_loss_while_every_seventh_batch_loses_its_worker(aws: Aws) -> None:
    table, queue = aws.table(), aws.queue(VisibilityTimeout="3")
    function = aws.function(
        f"""
        import boto3
        table = boto3.client("dynamodb")
        def handler(event, context):
            for record in event["Records"]:
                table.update_item(TableName={table!r}, Key={{"id": {{"S": record["body"]}}}},
                                  UpdateExpression="ADD times :one", ExpressionAttributeValues={{":one": {{"N": "1"}}}})
        """,
        Timeout=3,
    )
    entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(60)]
    for start in range(0, 60, 10):
        aws.sqs.send_message_batch(QueueUrl=queue, Entries=entries[start : start + 10])
    with faults.inject("kill-worker", resource=function, every=7, seed=3) as plan:
        aws.mapping(queue, function, BatchSize=2, ScalingConfig={"MaximumConcurrency": 3})
        until(lambda: aws.count(queue) == aws.count(queue, "NotVisible") == 0, seconds=90)
        [line] = [line for line in plan.plan() if line["resource"] == function]
    items = aws.dynamodb.scan(TableName=table)["Items"]
    assert {item["id"]["S"] for item in items} == {str(number) for number in range(60)}
    assert line["fired"] >= 4


def test_the_command_adds_lists_and_clears(aws: Aws) -> None:
    aws.sqs.list_queues()

    def run(*words: str) -> Any:
        answer = CliRunner().invoke(command, [*words, "--json"], catch_exceptions=False)
        assert answer.exit_code == 0
        return json.loads(answer.output)

    made = run("add", "throttle", "--service", "sqs", "--operation", "ListQueues", "--nth", "1")
    [line] = [line for line in run("list") if line["id"] == made["id"]]
    assert (line["kind"], line["service"], line["nth"], line["fired"]) == ("throttle", "sqs", 1, 0)
    with pytest.raises(ClientError):
        aws.sqs.list_queues()
    assert run("clear", str(made["id"])) == {"removed": made["id"]}
    with pytest.raises(Refusal, match="There is no fault"):
        CliRunner().invoke(command, ["clear", "424242"], catch_exceptions=False)


def test_the_plain_output_says_where_and_when(aws: Aws) -> None:
    aws.sqs.list_queues()
    with faults.inject("kill-worker", resource="worker", every=7), faults.fail_kth_call(4):
        said = CliRunner().invoke(command, ["list"], catch_exceptions=False).output
    assert "kill-worker" in said
    assert "7th" in said
    assert "cloudformat" in said
