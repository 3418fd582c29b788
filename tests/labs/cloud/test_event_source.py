"""A queue drains through a function: batches, partial failures, retries, dead letters, limits, and an end without loss."""

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from labs.cloud.services.event_source import failed_items
from tests.labs.cloud.kit import READS_QUEUES, Aws, until

RECORDS = """
    import json, os, time
    import boto3
    sqs = boto3.client("sqs")

    def handler(event, context):
        '''Reports each batch to the queue OUT; a message's body says what is to happen to it.'''
        bodies = [record["body"] for record in event["Records"]]
        report = {"bodies": bodies, "began": time.time(), "pid": os.getpid(), "first": event["Records"][0]}
        if "slow" in bodies:
            time.sleep(1)
        report["ended"] = time.time()
        sqs.send_message(QueueUrl=os.environ["OUT"], MessageBody=json.dumps(report))
        if "raise" in bodies:
            raise RuntimeError("this batch fails")
        return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in event["Records"] if r["body"] == "fail"]}
    """
PARTIAL = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}


class Line:
    """A function that reports what it was given."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.out = aws.queue()
        self.function = aws.function(RECORDS, Environment={"Variables": {"OUT": self.out}}, Timeout=2)

    def reports(self, at_least: int, seconds: float = 30) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []

        def collect() -> bool:
            for message in self.aws.receive(self.out, VisibilityTimeout=60):
                found.append(json.loads(message["Body"]))
                self.aws.sqs.delete_message(QueueUrl=self.out, ReceiptHandle=message["ReceiptHandle"])
            return len(found) >= at_least

        until(collect, seconds=seconds)
        return found

    def drained(self, queue: str) -> bool:
        return self.aws.count(queue) == self.aws.count(queue, "NotVisible") == 0


@pytest.fixture(scope="module")
def everlasting(local_cloud: Any) -> Iterator[Line]:  # noqa: ARG001
    aws = Aws(boto3.Session())
    yield Line(aws)
    aws.tidy()


@pytest.fixture
def line(everlasting: Line) -> Line:
    """The module's function, with no reports of an earlier test in its queue."""
    everlasting.aws.sqs.purge_queue(QueueUrl=everlasting.out)
    return everlasting


IDS = ["a", "b"]


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (b"", set()),
        (b"null", set()),
        (b"{}", set()),
        (b'{"batchItemFailures": []}', set()),
        (b'{"batchItemFailures": null}', set()),
        (b'{"batchItemFailures": [{"itemIdentifier": "a"}]}', {"a"}),
        (b'{"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "b"}]}', {"b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', {"a", "b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', {"a", "b"}),
        (b'{"batchItemFailures": [{"messageId": "a"}]}', {"a", "b"}),
        (b'{"batchItemFailures": ["a"]}', {"a", "b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "nosuch"}]}', {"a", "b"}),
        (b'{"batchItemFailures": "a"}', {"a", "b"}),
        (b"not json", {"a", "b"}),
        (b"[]", {"a", "b"}),
        (b'"ok"', {"a", "b"}),
    ],
)
def test_a_partial_batch_response_means_what_lambda_says_it_means(answer: bytes, failed: set[str]) -> None:
    assert failed_items(answer, IDS) == failed


def test_a_batch_arrives_whole_with_real_attributes_and_is_deleted(aws: Aws, line: Line) -> None:
    queue = aws.queue()
    ids = aws.send(
        queue, "one", "two", "three", MessageAttributes={"kind": {"DataType": "String", "StringValue": "ticket"}}
    )
    aws.mapping(queue, line.function, BatchSize=10)
    [report] = line.reports(1)
    assert report["bodies"] == ["one", "two", "three"]
    record = report["first"]
    assert record["messageId"] == ids[0]
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert abs(int(record["attributes"]["SentTimestamp"]) / 1000 - time.time()) < 120
    assert record["messageAttributes"]["kind"]["stringValue"] == "ticket"
    assert (record["eventSource"], record["eventSourceARN"], record["awsRegion"]) == (
        "aws:sqs",
        aws.arn(queue),
        "us-east-1",
    )
    until(lambda: line.drained(queue))


def test_batches_are_no_larger_than_they_may_be(aws: Aws, line: Line) -> None:
    queue = aws.queue()
    aws.send(queue, *"abcde")
    aws.mapping(queue, line.function, BatchSize=2)
    assert sorted(len(report["bodies"]) for report in line.reports(3)) == [1, 2, 2]


def test_a_batching_window_collects(aws: Aws, line: Line) -> None:
    queue = aws.queue()
    aws.mapping(queue, line.function, BatchSize=20, MaximumBatchingWindowInSeconds=2)
    time.sleep(0.3)
    aws.send(queue, *(str(number) for number in range(15)))
    [report, *more] = line.reports(1)
    assert sum(len(each["bodies"]) for each in [report, *more]) == 15
    assert len(report["bodies"]) > 10


def test_only_what_failed_comes_back_and_ends_as_a_dead_letter(aws: Aws, line: Line) -> None:
    dead = aws.queue()
    queue = aws.queue(VisibilityTimeout="2", RedrivePolicy={"deadLetterTargetArn": aws.arn(dead), "maxReceiveCount": 2})
    aws.send(queue, "fine", "fail", "fine too")
    aws.mapping(queue, line.function, **PARTIAL)
    until(lambda: aws.count(dead) == 1)
    assert [report["bodies"] for report in line.reports(2)] == [["fine", "fail", "fine too"], ["fail"]]
    [letter] = aws.receive(dead)
    assert letter["Body"] == "fail"
    assert line.drained(queue)


def test_without_partial_responses_the_answer_does_not_matter(aws: Aws, line: Line) -> None:
    queue = aws.queue(VisibilityTimeout="2")
    aws.send(queue, "fail")
    aws.mapping(queue, line.function)
    line.reports(1)
    until(lambda: line.drained(queue))


def test_a_batch_whose_function_fails_comes_back_whole(aws: Aws, line: Line) -> None:
    dead = aws.queue()
    queue = aws.queue(VisibilityTimeout="2", RedrivePolicy={"deadLetterTargetArn": aws.arn(dead), "maxReceiveCount": 2})
    aws.send(queue, "raise", "bystander")
    aws.mapping(queue, line.function, **PARTIAL)
    until(lambda: aws.count(dead) == 2)
    assert [report["bodies"] for report in line.reports(2)] == [["raise", "bystander"]] * 2


def test_maximum_concurrency_is_kept(aws: Aws, line: Line) -> None:
    queue = aws.queue()
    aws.send(queue, *["slow"] * 5)
    aws.mapping(queue, line.function, BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
    reports = line.reports(5, seconds=60)
    at_once = max(sum(other["began"] <= report["began"] < other["ended"] for other in reports) for report in reports)
    assert at_once == 2


def test_a_disabled_mapping_takes_nothing_and_goes_on_when_enabled(aws: Aws, line: Line) -> None:
    queue = aws.queue()
    mapping = aws.mapping(queue, line.function)

    def state() -> str:
        found: str = aws.lambda_.get_event_source_mapping(UUID=mapping)["State"]
        return found

    until(lambda: state() == "Enabled")
    aws.lambda_.update_event_source_mapping(UUID=mapping, Enabled=False)
    until(lambda: state() == "Disabled")
    aws.send(queue, "patience")
    time.sleep(0.5)
    assert aws.count(queue) == 1
    aws.lambda_.update_event_source_mapping(UUID=mapping, Enabled=True)
    assert line.reports(1)[0]["bodies"] == ["patience"]


def test_a_deleted_mapping_finishes_its_batch_and_takes_no_more(aws: Aws, line: Line) -> None:
    queue = aws.queue()
    mapping = aws.mapping(queue, line.function, BatchSize=1)
    aws.send(queue, "slow")
    until(lambda: aws.count(queue, "NotVisible") == 1)
    assert aws.lambda_.delete_event_source_mapping(UUID=mapping)["State"] == "Deleting"
    aws.send(queue, "too late")
    with pytest.raises(aws.lambda_.exceptions.ResourceNotFoundException):
        until(lambda: aws.lambda_.get_event_source_mapping(UUID=mapping) and False)
    assert line.reports(1)[0]["bodies"] == ["slow"]
    assert (aws.count(queue), aws.count(queue, "NotVisible")) == (1, 0)


def test_a_fifo_queue_is_processed_in_order_within_each_group(aws: Aws, line: Line) -> None:
    queue = aws.queue(FifoQueue="true", ContentBasedDeduplication="true")
    for number in range(6):
        aws.send(queue, f"{number % 2}-{number}", MessageGroupId=str(number % 2))
    aws.mapping(queue, line.function, BatchSize=1)
    reports = sorted(line.reports(6), key=lambda report: report["began"])
    order = [report["bodies"][0] for report in reports]
    for group in "01":
        assert [body for body in order if body[0] == group] == sorted(body for body in order if body[0] == group)


def test_a_function_that_is_gone_leaves_the_messages_in_the_queue(aws: Aws) -> None:
    queue = aws.queue()
    function = aws.function("def handler(event, context): pass")
    aws.mapping(queue, function)
    aws.lambda_.delete_function(FunctionName=function)
    aws.send(queue, "still here")
    time.sleep(0.5)
    assert aws.count(queue) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"BatchSize": 11}, "Maximum batch window in seconds must be greater than 0"),
        ({"BatchSize": 10_001, "MaximumBatchingWindowInSeconds": 1}, "batchSize"),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}, "does not filter events"),
        ({"FunctionName": "nosuch"}, "Function not found"),
        ({"EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:nosuch"}, "NonExistentQueue"),
    ],
)
def test_a_mapping_that_lambda_would_refuse_is_refused(aws: Aws, line: Line, wrong: dict[str, Any], said: str) -> None:
    given = {"EventSourceArn": aws.arn(aws.queue()), "FunctionName": line.function, **wrong}
    with pytest.raises(ClientError, match=said):
        aws.lambda_.create_event_source_mapping(**given)


def test_a_queue_needs_at_least_the_functions_time(aws: Aws, line: Line) -> None:
    with pytest.raises(
        ClientError, match="Queue visibility timeout: 1 seconds is less than Function timeout: 2 seconds"
    ):
        aws.mapping(aws.queue(VisibilityTimeout="1"), line.function)


def test_the_same_mapping_is_not_made_twice(aws: Aws, line: Line) -> None:
    queue = aws.queue()
    aws.mapping(queue, line.function)
    with pytest.raises(aws.lambda_.exceptions.ResourceConflictException, match="already exists"):
        aws.mapping(queue, line.function)


def test_a_role_that_may_not_read_the_queue_is_noticed_when_the_mapping_is_made(aws: Aws) -> None:
    policy = READS_QUEUES.replace('"sqs:DeleteMessage", ', "")
    function = aws.function("def handler(event, context): pass", Role=aws.role(policy))
    with pytest.raises(ClientError, match="does not have permissions to call DeleteMessage on SQS"):
        aws.mapping(aws.queue(), function)


# -- why moto's own is replaced: it fails once moto no longer needs it


def test_moto_still_pushes_inside_send_message_and_one_record_at_a_time(
    stock: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.awslambda.models import LambdaFunction

    pushed: list[Any] = []

    def invoke(self: Any, event: Any = None) -> tuple[str, bool, str]:  # noqa: ARG001
        pushed.append(json.loads(event) if isinstance(event, str) else event)
        return "{}", False, ""

    monkeypatch.setattr(LambdaFunction, "_invoke_lambda", invoke)
    queue = stock.queue()
    stock.mapping(queue, stock.function("def handler(event, context): pass"), BatchSize=10)
    stock.send(queue, "one", "two")
    assert [len(event["Records"]) for event in pushed] == [1, 1]
