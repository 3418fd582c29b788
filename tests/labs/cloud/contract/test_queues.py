"""What the labs rely on of SQS and SNS."""

import json
import time
import uuid

import pytest
from botocore.exceptions import ClientError

from tests.labs.cloud.kit import Aws, until

SERVICES = ("sqs", "sns")


def code(refused: "pytest.ExceptionInfo[ClientError]") -> str:
    said: str = refused.value.response["Error"]["Code"]
    return said


def test_a_message_is_hidden_while_somebody_works_on_it_and_gone_once_deleted(cloud: Aws) -> None:
    queue = cloud.queue(VisibilityTimeout="30")
    [sent] = cloud.send(queue, "job")
    [message] = cloud.receive(queue)
    assert (message["MessageId"], message["Body"]) == (sent, "job")
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert cloud.receive(queue) == []
    assert (cloud.count(queue), cloud.count(queue, "NotVisible")) == (0, 1)
    cloud.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert (cloud.count(queue), cloud.count(queue, "NotVisible")) == (0, 0)


def test_a_visibility_timeout_of_zero_gives_the_message_back_at_once(cloud: Aws) -> None:
    queue = cloud.queue(VisibilityTimeout="30")
    cloud.send(queue, "job")
    [message] = cloud.receive(queue)
    cloud.sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    [again] = cloud.receive(queue)
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"


def test_after_the_most_receives_a_message_goes_to_the_dead_letter_queue(cloud: Aws) -> None:
    dead = cloud.queue()
    redrive = {"deadLetterTargetArn": cloud.arn(dead), "maxReceiveCount": 2}
    queue = cloud.queue(VisibilityTimeout="0", RedrivePolicy=redrive)
    [sent] = cloud.send(queue, "poison")
    until(lambda: not cloud.receive(queue))
    [message] = until(lambda: cloud.receive(dead))
    assert message["MessageId"] == sent


def test_a_long_poll_ends_when_a_message_comes(cloud: Aws) -> None:
    queue = cloud.queue()
    started = time.monotonic()
    assert cloud.receive(queue, WaitTimeSeconds=1) == []
    assert time.monotonic() - started >= 0.9
    cloud.send(queue, "now")
    started = time.monotonic()
    assert cloud.receive(queue, WaitTimeSeconds=20)
    assert time.monotonic() - started < 10


def test_a_batch_fails_message_by_message(cloud: Aws) -> None:
    queue = cloud.queue()
    cloud.send(queue, "job")
    [message] = cloud.receive(queue)
    entries = [{"Id": "good", "ReceiptHandle": message["ReceiptHandle"]}, {"Id": "bad", "ReceiptHandle": "nonsense"}]
    answer = cloud.sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert [entry["Id"] for entry in answer["Failed"]] == ["bad"]


def test_a_batch_holds_at_most_ten(cloud: Aws) -> None:
    queue = cloud.queue()
    entries = [{"Id": str(number), "MessageBody": "x"} for number in range(11)]
    with pytest.raises(ClientError, match="TooManyEntriesInBatchRequest"):
        cloud.sqs.send_message_batch(QueueUrl=queue, Entries=entries)


def test_message_attributes_come_along(cloud: Aws) -> None:
    queue = cloud.queue()
    attributes = {"tenant": {"DataType": "String", "StringValue": "a"}}
    cloud.send(queue, "job", MessageAttributes=attributes)
    [message] = cloud.receive(queue)
    assert message["MessageAttributes"]["tenant"]["StringValue"] == "a"


def test_a_fifo_queue_keeps_order_in_a_group_and_drops_duplicates(cloud: Aws) -> None:
    queue = cloud.queue(FifoQueue="true")
    for body, token in (("1", "a"), ("1", "a"), ("2", "b")):
        cloud.send(queue, body, MessageGroupId="g", MessageDeduplicationId=token)
    assert [message["Body"] for message in cloud.receive(queue)] == ["1", "2"]


def test_a_queue_that_is_not_there_says_so(cloud: Aws) -> None:
    with pytest.raises(ClientError) as refused:
        cloud.sqs.get_queue_url(QueueName=f"nosuch-{uuid.uuid4().hex[:8]}")
    assert "NonExistentQueue" in code(refused) or "QueueDoesNotExist" in code(refused)


def test_a_topic_delivers_to_a_queue(cloud: Aws) -> None:
    topic = cloud.sns.create_topic(Name=f"topic-{uuid.uuid4().hex[:8]}")["TopicArn"]
    raw, wrapped = cloud.queue(), cloud.queue()
    for queue, plain in ((raw, "true"), (wrapped, "false")):
        cloud.sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=cloud.arn(queue), Attributes={"RawMessageDelivery": plain}
        )
    cloud.sns.publish(TopicArn=topic, Message="hello")
    [message] = until(lambda: cloud.receive(raw))
    assert message["Body"] == "hello"
    [message] = until(lambda: cloud.receive(wrapped))
    assert json.loads(message["Body"])["Message"] == "hello"
    cloud.sns.delete_topic(TopicArn=topic)
