"""SQS keeps its promises: visibility, delay, order, dead letters, and a price per call that does not depend on the backlog."""

import json
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from labs import facts
from labs.cloud.messages import HandleExpired, HandleInvalid, MessageStore, NotInFlight, QueueClosed
from tests.labs.cloud.kit import Aws, until

# -- the store, by a clock of our own


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def message(body: str = "", group: str | None = None) -> Any:
    return SimpleNamespace(
        id=body,
        body=body,
        group_id=group,
        approximate_receive_count=0,
        approximate_first_receive_timestamp=None,
        receipt_handle=None,
    )


def store(clock: Clock, *, fifo: bool = False) -> MessageStore:
    return MessageStore(queue="q", fifo=fifo, clock=clock)


def bodies(messages: list[Any]) -> list[str]:
    return [each.body for each in messages]


def test_a_received_message_is_invisible_until_its_timeout_is_over() -> None:
    clock = Clock()
    queue = store(clock)
    queue.add(message("a"))
    assert bodies(queue.receive(1, visibility_timeout_s=30)) == ["a"]
    clock.now += 29.9
    assert queue.receive(1, visibility_timeout_s=30) == []
    clock.now += 0.2
    [again] = queue.receive(1, visibility_timeout_s=30)
    assert again.approximate_receive_count == 2


def test_a_timeout_that_is_a_setting_is_read_when_the_message_is_handed_out() -> None:
    clock = Clock()
    queue = store(clock)
    setting = [30.0]
    queue.add(message("a"))
    assert bodies(queue.receive(1, visibility_timeout_s=lambda: setting[0])) == ["a"]
    clock.now += 31
    setting[0] = 1.0
    assert bodies(queue.receive(1, visibility_timeout_s=lambda: setting[0])) == ["a"]
    clock.now += 2
    assert bodies(queue.receive(1, visibility_timeout_s=lambda: setting[0])) == ["a"]


def test_only_the_latest_handle_deletes() -> None:
    clock = Clock()
    queue = store(clock)
    queue.add(message("a"))
    [first] = queue.receive(1, visibility_timeout_s=1)
    old = first.receipt_handle
    clock.now += 2
    [second] = queue.receive(1, visibility_timeout_s=1)
    queue.delete(old)
    assert queue.in_flight == 1
    queue.delete(second.receipt_handle)
    assert queue.in_flight == queue.visible == 0
    queue.delete(second.receipt_handle)  # deleting twice is no error


def test_what_is_not_a_handle_of_this_queue_is_refused() -> None:
    clock = Clock()
    other = MessageStore(queue="other", fifo=False, clock=clock)
    other.add(message("a"))
    [theirs] = other.receive(1, visibility_timeout_s=1)
    for wrong in ("", "nonsense", theirs.receipt_handle):
        with pytest.raises(HandleInvalid):
            store(clock).delete(wrong)


def test_visibility_can_be_changed_only_while_in_flight() -> None:
    clock = Clock()
    queue = store(clock)
    queue.add(message("a"))
    [held] = queue.receive(1, visibility_timeout_s=10)
    queue.change_visibility(held.receipt_handle, 100)
    clock.now += 50
    assert queue.in_flight == 1
    queue.change_visibility(held.receipt_handle, 0)
    assert queue.visible == 1
    with pytest.raises(NotInFlight):
        queue.change_visibility(held.receipt_handle, 5)


def test_a_fifo_group_stands_still_while_one_of_its_messages_is_in_flight() -> None:
    clock = Clock()
    queue = store(clock, fifo=True)
    for body in ("a1", "a2", "b1", "a3"):
        queue.add(message(body, group=body[0]))
    [first] = queue.receive(1, visibility_timeout_s=10)
    assert bodies([first]) == ["a1"]
    assert bodies(queue.receive(10, visibility_timeout_s=10)) == ["b1"]
    queue.delete(first.receipt_handle)
    assert bodies(queue.receive(10, visibility_timeout_s=10)) == ["a2", "a3"]


def test_a_fifo_message_that_comes_back_comes_back_in_its_place() -> None:
    clock = Clock()
    queue = store(clock, fifo=True)
    for body in ("a1", "a2"):
        queue.add(message(body, group="a"))
    [first] = queue.receive(1, visibility_timeout_s=1)
    old = first.receipt_handle
    clock.now += 2
    assert bodies(queue.receive(10, visibility_timeout_s=1)) == ["a1", "a2"]
    with pytest.raises(HandleExpired):
        queue.delete(old)


@pytest.mark.parametrize("fifo", [False, True])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_message_is_delivered_until_deleted_and_to_nobody_else_meanwhile(fifo: bool, data: st.DataObject) -> None:
    clock = Clock()
    queue = store(clock, fifo=fifo)
    sent, deleted = 0, set()
    held: dict[str, tuple[str, float]] = {}  # body: handle, when it becomes visible
    for _ in range(data.draw(st.integers(1, 40))):
        match data.draw(st.sampled_from(["send", "receive", "delete", "wait", "give back"])):
            case "send":
                delay = data.draw(st.sampled_from([0, 0, 5]))
                queue.add(message(f"{sent}", group=str(sent % 3) if fifo else None), visible_at=clock.now + delay)
                sent += 1
            case "receive":
                timeout = data.draw(st.integers(1, 20))
                for got in queue.receive(data.draw(st.integers(1, 10)), visibility_timeout_s=timeout):
                    assert got.body not in deleted
                    assert got.body not in held or held[got.body][1] <= clock.now
                    held[got.body] = (got.receipt_handle, clock.now + timeout)
            case "delete" if held:
                body = data.draw(st.sampled_from(sorted(held)))
                handle, _ = held.pop(body)
                try:
                    queue.delete(handle)
                    deleted.add(body)
                except HandleExpired:
                    assert fifo
            case "give back" if held:
                body = data.draw(st.sampled_from(sorted(held)))
                if held[body][1] > clock.now:
                    queue.change_visibility(held.pop(body)[0], 0)
            case "wait":
                clock.now += data.draw(st.integers(1, 30))
        assert queue.visible + queue.in_flight + queue.delayed == sent - len(deleted)
    clock.now += 1000
    found: set[str] = set()
    for _ in range(sent + 1):
        for got in queue.receive(10, visibility_timeout_s=5):
            found.add(got.body)
            queue.delete(got.receipt_handle)
    assert found == {f"{number}" for number in range(sent)} - deleted


def test_a_receive_costs_the_same_whatever_the_backlog() -> None:
    def seconds_per_receive(backlog: int) -> float:
        queue = MessageStore(queue="q", fifo=False)
        for number in range(backlog):
            queue.add(message(str(number)))
        started = time.thread_time()  # processor time: others use this machine too
        for _ in range(50):
            assert len(queue.receive(1, visibility_timeout_s=30)) == 1
        return (time.thread_time() - started) / 50

    seconds_per_receive(100)
    assert seconds_per_receive(20_000) < 20 * min(seconds_per_receive(100) for _ in range(3))


def test_whoever_waits_on_a_queue_learns_that_it_is_deleted() -> None:
    queue = MessageStore(queue="q", fifo=False)
    threading.Timer(0.1, queue.close).start()
    with pytest.raises(QueueClosed):
        queue.receive(1, visibility_timeout_s=1, wait_s=20)


# -- over the wire


def test_a_long_poll_ends_when_a_message_arrives(aws: Aws) -> None:
    queue = aws.queue()
    aws.receive(queue)
    started = time.monotonic()
    threading.Timer(0.3, lambda: aws.send(queue, "hello")).start()
    assert [m["Body"] for m in aws.receive(queue, WaitTimeSeconds=20)] == ["hello"]
    assert time.monotonic() - started < 10


def test_a_long_poll_ends_when_a_message_becomes_visible_again(aws: Aws) -> None:
    queue = aws.queue(VisibilityTimeout="1")
    aws.send(queue, "hello")
    aws.receive(queue)
    started = time.monotonic()
    [again] = aws.receive(queue, WaitTimeSeconds=20)
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    assert 0.5 < time.monotonic() - started < 10


def test_a_delayed_message_is_counted_and_comes_later(aws: Aws) -> None:
    queue = aws.queue()
    aws.send(queue, "later", DelaySeconds=1)
    assert (aws.count(queue), aws.count(queue, "Delayed")) == (0, 1)
    assert aws.receive(queue) == []
    assert [m["Body"] for m in aws.receive(queue, WaitTimeSeconds=20)] == ["later"]
    assert aws.count(queue, "NotVisible") == 1


def test_what_arrives_is_what_was_sent_with_attributes_and_times(aws: Aws) -> None:
    queue = aws.queue()
    attributes = {
        "kind": {"DataType": "String", "StringValue": "ticket"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
    }
    [sent] = aws.send(queue, "grüße", MessageAttributes=attributes)
    [got] = aws.receive(queue)
    assert (got["MessageId"], got["Body"]) == (sent, "grüße")
    assert got["MessageAttributes"]["raw"]["BinaryValue"] == b"\x00\x01"
    assert abs(int(got["Attributes"]["SentTimestamp"]) / 1000 - time.time()) < 60
    [plain] = aws.send(queue, "x")
    [got] = aws.receive(queue, AttributeNames=["ApproximateReceiveCount"])
    assert got["MessageId"] == plain
    assert got["Attributes"] == {"ApproximateReceiveCount": "1"}


def test_after_too_many_receives_a_message_goes_to_the_dead_letter_queue(aws: Aws) -> None:
    dead = aws.queue()
    queue = aws.queue(VisibilityTimeout="0", RedrivePolicy={"deadLetterTargetArn": aws.arn(dead), "maxReceiveCount": 2})
    [sent] = aws.send(queue, "poison")
    assert [len(aws.receive(queue)) for _ in range(3)] == [1, 1, 0]
    [letter] = aws.receive(dead)
    assert letter["MessageId"] == sent
    assert letter["Attributes"]["DeadLetterQueueSourceArn"] == aws.arn(queue)


def test_dead_letters_can_be_moved_back_to_where_they_came_from(aws: Aws) -> None:
    dead = aws.queue()
    queue = aws.queue(VisibilityTimeout="0", RedrivePolicy={"deadLetterTargetArn": aws.arn(dead), "maxReceiveCount": 1})
    aws.send(queue, "one", "two")
    aws.receive(queue)
    aws.receive(queue)
    assert aws.count(dead) == 2
    aws.sqs.start_message_move_task(SourceArn=aws.arn(dead))
    until(lambda: aws.count(queue) == 2)
    [task] = until(
        lambda: [
            task
            for task in aws.sqs.list_message_move_tasks(SourceArn=aws.arn(dead))["Results"]
            if task["Status"] == "COMPLETED"
        ]
    )
    assert task["ApproximateNumberOfMessagesMoved"] == 2
    [again, _] = aws.receive(queue)
    assert again["Attributes"]["ApproximateReceiveCount"] == "1"


def test_only_dead_letter_queues_can_be_moved_from(aws: Aws) -> None:
    with pytest.raises(ClientError, match="must be configured as a Dead Letter Queue"):
        aws.sqs.start_message_move_task(SourceArn=aws.arn(aws.queue()))


def test_a_fifo_queue_takes_a_message_once_also_after_it_is_deleted(aws: Aws) -> None:
    queue = aws.queue(FifoQueue="true", ContentBasedDeduplication="true")
    first = aws.sqs.send_message(QueueUrl=queue, MessageBody="once", MessageGroupId="g")
    [got] = aws.receive(queue)
    aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=got["ReceiptHandle"])
    again = aws.sqs.send_message(QueueUrl=queue, MessageBody="once", MessageGroupId="g")
    assert again["MessageId"] == first["MessageId"]
    assert aws.receive(queue) == []
    later = aws.sqs.send_message(QueueUrl=queue, MessageBody="another", MessageGroupId="g")
    assert later["SequenceNumber"] > first["SequenceNumber"]


def test_the_size_limit_counts_bytes_and_attributes(aws: Aws) -> None:
    limit = int(facts.value("sqs.message.max_bytes"))
    queue = aws.queue()
    aws.send(queue, "x" * limit)
    attribute = {"a": {"DataType": "String", "StringValue": "b"}}
    for body, more in (("x" * (limit + 1), {}), ("é" * limit, {}), ("x" * limit, {"MessageAttributes": attribute})):
        with pytest.raises(ClientError, match="Message must be shorter than"):
            aws.send(queue, body, **more)
    halves = [{"Id": str(number), "MessageBody": "x" * (limit // 2 + 1)} for number in range(2)]
    with pytest.raises(ClientError, match="BatchRequestTooLong"):
        aws.sqs.send_message_batch(QueueUrl=queue, Entries=halves)


def test_one_bad_entry_of_a_batch_fails_alone(aws: Aws) -> None:
    queue = aws.queue()
    entries = [{"Id": "good", "MessageBody": "x"}, {"Id": "bad", "MessageBody": "x", "DelaySeconds": 901}]
    answer = aws.sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert [(entry["Id"], entry["Code"]) for entry in answer["Failed"]] == [("bad", "InvalidParameterValue")]


def test_errors_are_those_of_sqs(aws: Aws) -> None:
    queue = aws.queue()
    for wrong, code in (
        (lambda: aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle="x"), "ReceiptHandleIsInvalid"),
        (lambda: aws.receive(queue + "x"), "NonExistentQueue"),
        (lambda: aws.receive(queue, MaxNumberOfMessages=11), "InvalidParameterValue"),
        (lambda: aws.receive(queue, WaitTimeSeconds=21), "InvalidParameterValue"),
    ):
        with pytest.raises(ClientError, match=code):
            wrong()


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("VisibilityTimeout", "43201"),
        ("DelaySeconds", "901"),
        ("MessageRetentionPeriod", "59"),
        ("ReceiveMessageWaitTimeSeconds", "21"),
        ("MaximumMessageSize", "1023"),
        ("RedrivePolicy", "not json"),
        ("VisibilityTimeout", "soon"),
    ],
)
def test_an_attribute_out_of_range_is_refused(aws: Aws, attribute: str, value: str) -> None:
    with pytest.raises(ClientError, match=f"Invalid value for the parameter {attribute}"):
        aws.queue(**{attribute: value})
    with pytest.raises(ClientError, match=f"Invalid value for the parameter {attribute}"):
        aws.sqs.set_queue_attributes(QueueUrl=aws.queue(), Attributes={attribute: value})


def test_purging_empties_a_queue(aws: Aws) -> None:
    queue = aws.queue()
    aws.send(queue, "a", "b")
    aws.receive(queue, MaxNumberOfMessages=1)
    aws.sqs.purge_queue(QueueUrl=queue)
    assert aws.count(queue) == aws.count(queue, "NotVisible") == 0


def test_it_is_the_same_inside_the_process(inside: Aws) -> None:
    queue = inside.queue(VisibilityTimeout="0")
    inside.send(queue, "hello")
    assert [m["Attributes"]["ApproximateReceiveCount"] for _ in range(2) for m in inside.receive(queue)] == ["1", "2"]


# -- why moto's own is replaced: each of these fails once moto no longer needs it


def test_moto_still_asks_the_clock_for_every_waiting_message(stock: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    import moto.sqs.models

    queue = stock.queue()
    stock.send(queue, *(str(number) for number in range(50)))
    calls = []
    clock = moto.sqs.models.unix_time_millis
    monkeypatch.setattr(moto.sqs.models, "unix_time_millis", lambda *a: calls.append(1) or clock(*a))
    stock.receive(queue, MaxNumberOfMessages=1)
    assert len(calls) > 50


def test_moto_still_forgets_a_deleted_message_when_it_deduplicates(stock: Aws) -> None:
    queue = stock.queue(FifoQueue="true", ContentBasedDeduplication="true")
    stock.send(queue, "once", MessageGroupId="g")
    [got] = stock.receive(queue)
    stock.sqs.delete_message(QueueUrl=queue, ReceiptHandle=got["ReceiptHandle"])
    stock.send(queue, "once", MessageGroupId="g")
    assert len(stock.receive(queue)) == 1


def test_moto_still_takes_any_size_and_timeout_and_knows_no_move_tasks_and_no_source_of_dead_letters(
    stock: Aws,
) -> None:
    dead = stock.queue()
    policy = {"deadLetterTargetArn": stock.arn(dead), "maxReceiveCount": 1}
    queue = stock.queue(VisibilityTimeout="0", RedrivePolicy=json.dumps(policy))
    stock.send(queue, "é" * int(facts.value("sqs.message.max_bytes")))
    stock.receive(queue)
    stock.receive(queue)
    [letter] = stock.receive(dead)
    assert "DeadLetterQueueSourceArn" not in letter["Attributes"]
    stock.queue(VisibilityTimeout="99999")
    with pytest.raises(NotImplementedError):
        stock.sqs.start_message_move_task(SourceArn=stock.arn(dead))


@pytest.mark.parametrize("body", ["bell \x07", "not a character \ufffe", "null \x00"])
def test_characters_that_xml_has_not_are_refused_and_all_others_kept(aws: Aws, body: str) -> None:
    queue = aws.queue()
    with pytest.raises(aws.sqs.exceptions.InvalidMessageContents):
        aws.send(queue, body)
    good = "tab\t line\n snow ☃ and a face 😀"
    aws.send(queue, good)
    assert aws.receive(queue)[0]["Body"] == good


def test_moto_still_takes_characters_that_no_message_may_have(stock: Aws) -> None:
    stock.send(stock.queue(), "bell \x07")
