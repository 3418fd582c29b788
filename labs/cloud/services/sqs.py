"""SQS with a real backlog: moto's queues on a store whose calls cost the same with ten messages waiting as with ten thousand.

What it cures in moto 5.2.5 (each cure has a test that fails once moto has it):
- every call walks over the whole backlog, several times, asking the clock for each message (`MessageStore` instead);
- long polling sleeps through messages that become visible again, and a delayed message can be received early;
- FIFO deduplication forgets a message once it is deleted; sequence numbers are random;
- the size limit counts characters and leaves out message attributes; a queue's attributes may have any value;
- SendMessage pushes into Lambda inside the sender's call (`labs.cloud.services.event_source` polls instead);
- characters that no message may have are taken;
- dead letters do not say where they come from; there are no message-move tasks.
"""

import copy
import json
import re
import threading
import time
import uuid
from typing import Any

from labs.cloud.context import Context
from labs.cloud.messages import HandleExpired, HandleInvalid, MessageStore, NotInFlight, QueueClosed
from labs.cloud.services import sqs_metrics

MAX_TOTAL_VISIBILITY_S = 43_200
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that a message may not have: those that XML has not."""
MOVE_RATE_PER_S = 500
"""What SQS moves at most when a message-move task does not say."""


def install(context: Context) -> None:
    """Put moto's SQS on `MessageStore`."""
    import moto.sqs.models as models
    import moto.sqs.responses as responses

    from labs import facts
    from labs.cloud.services import core

    core.install(context)

    limit = int(facts.value("sqs.message.max_bytes"))
    context.patch(models, "MAXIMUM_MESSAGE_LENGTH", limit)
    context.patch(models, "MAXIMUM_MESSAGE_SIZE_ATTR_UPPER_BOUND", limit)
    _patch_queue(context, models)
    _patch_backend(context, models, limit)
    _patch_responses(context, models, responses)
    _add_move_tasks(context, models, responses)
    sqs_metrics.install(context)


def store_of(queue: Any) -> MessageStore:
    """The messages of a moto queue."""
    store: MessageStore = queue.store
    return store


def receive(context: Context, queue: Any, limit: int, **how: Any) -> list[Any]:
    """Receive as the API does: visibility timeout, dead letters, retention and injected duplicates included. See `MessageStore.receive`."""
    store = store_of(queue)

    def refuse(message: Any) -> bool:
        if message.sent_timestamp / 1000 + queue.message_retention_period <= time.time():
            return True
        dead_letters, policy = queue.dead_letter_queue, queue.redrive_policy
        if dead_letters is None or not policy or message.approximate_receive_count < policy["maxReceiveCount"]:
            return False
        message.dead_letter_source_arn = queue.queue_arn
        store_of(dead_letters).add(message)
        return True

    how.setdefault("visibility_timeout_s", lambda: float(queue.visibility_timeout))
    received = store.receive(limit, refuse=refuse, **how)
    sqs_metrics.received(context, queue, len(received))
    if context.faults is not None and not store.fifo:
        for message in received:
            if context.faults.duplicates(queue.name):
                store.add(
                    copy.copy(message)
                )  # "at least once": a second copy of the same message, as if from another server
    return received


# -- moto's Queue


def _patch_queue(context: Context, models: Any) -> None:
    queue_class = models.Queue
    init = queue_class.__init__

    def init_with_store(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        self.store = MessageStore(
            queue=self.queue_arn,
            fifo=self.fifo_queue,
            on_deleted=lambda: sqs_metrics.count(context, self, "NumberOfMessagesDeleted"),
        )

    set_attributes_before = queue_class._set_attributes

    def set_attributes(self: Any, attributes: dict[str, Any], now: float | None = None) -> None:
        check_attributes(models, attributes)
        set_attributes_before(self, attributes, now)

    context.patch(queue_class, "__init__", init_with_store)
    context.patch(queue_class, "_set_attributes", set_attributes)
    for name, count in (
        ("approximate_number_of_messages", "visible"),
        ("approximate_number_of_messages_delayed", "delayed"),
        ("approximate_number_of_messages_not_visible", "in_flight"),
    ):
        context.patch(queue_class, name, counted(count))
    context.patch(queue_class, "messages", property(lambda self: self.store.visible_messages()))

    def add_message(self: Any, message: Any) -> None:
        self.store.add(message, visible_at=message.delayed_until / 1000)

    def delete_message(self: Any, receipt_handle: str) -> None:
        try:
            self.store.delete(receipt_handle)
        except HandleInvalid:
            raise models.ReceiptHandleIsInvalid() from None
        except HandleExpired:
            raise models.InvalidParameterValue(
                f"Value {receipt_handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
            ) from None

    context.patch(queue_class, "add_message", add_message)
    context.patch(queue_class, "delete_message", delete_message)


def counted(which: str) -> property:
    """A number of messages as moto's queue has it: a property."""
    return property(lambda self: getattr(store_of(self), which))


def check_attributes(models: Any, attributes: dict[str, Any]) -> None:
    """Refuse values out of range; moto stores them, all but the message size."""
    from labs import facts

    ranges = {
        "DelaySeconds": (0, facts.value("sqs.delay_max_s")),
        "MaximumMessageSize": (1024, facts.value("sqs.message.max_bytes")),
        "MessageRetentionPeriod": (60, facts.value("sqs.retention.max_s")),
        "ReceiveMessageWaitTimeSeconds": (0, facts.value("sqs.long_poll.max_s")),
        "VisibilityTimeout": (0, facts.value("sqs.visibility.max_s")),
    }
    for name, (low, high) in ranges.items():
        if (value := attributes.get(name)) is not None:
            try:
                good = low <= int(value) <= high
            except ValueError:
                good = False
            if not good:
                raise models.InvalidAttributeValue(name)
    policy = attributes.get("RedrivePolicy")
    if isinstance(policy, str) and policy:
        try:
            policy = json.loads(policy)
        except ValueError:
            raise models.InvalidAttributeValue("RedrivePolicy") from None
    if isinstance(policy, dict) and "maxReceiveCount" in policy and not 1 <= int(policy["maxReceiveCount"]) <= 1000:
        raise models.InvalidParameterValue(
            f"Value {policy} for parameter RedrivePolicy is invalid. Reason: Invalid value for maxReceiveCount: "
            f"{policy['maxReceiveCount']}, valid values are from 1 to 1000 both inclusive."
        )


# -- moto's SQSBackend


def _patch_backend(context: Context, models: Any, limit: int) -> None:
    backend = models.SQSBackend
    sequence = _SequenceNumbers()

    def check(queue: Any, entry: dict[str, Any]) -> int:
        """The size of a message in bytes; raises as SQS does when it may not be sent."""
        body = entry["MessageBody"]
        delay_s = int(entry.get("DelaySeconds") or 0)
        if not 0 <= delay_s <= models.MAXIMUM_MESSAGE_DELAY:
            raise models.InvalidParameterValue(
                f"Value {delay_s} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
            )
        backend._validate_message(
            None, queue, "", delay_s, entry.get("MessageDeduplicationId"), entry.get("MessageGroupId")
        )  # moto's rules for FIFO; it measures characters, we measure bytes
        if not body:
            raise models.MissingParameter("MessageBody")
        if FORBIDDEN.search(body):
            raise models.SQSException(
                "InvalidMessageContents",
                "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | "
                "#xE000 to #xFFFD | #x10000 to #x10FFFF",
            )
        size = len(body.encode()) + _attributes_bytes(entry.get("MessageAttributes") or {})
        if size > queue.maximum_message_size:
            raise models.InvalidParameterValue(
                f"One or more parameters are invalid. Reason: Message must be shorter than {queue.maximum_message_size} bytes."
            )
        return size

    def send(queue: Any, entry: dict[str, Any], system_attributes: Any) -> Any:
        message = models.Message(str(uuid.uuid4()), entry["MessageBody"], system_attributes)
        message.message_attributes = entry.get("MessageAttributes") or {}
        message.group_id = entry.get("MessageGroupId")
        message.dead_letter_source_arn = None
        now = time.time()
        message.sent_timestamp = int(now * 1000)
        delay = entry.get("DelaySeconds")
        message.delayed_until = (now + int(queue.delay_seconds if delay is None else delay)) * 1000
        if queue.fifo_queue:
            message.deduplication_id = entry.get("MessageDeduplicationId") or _sha256(entry["MessageBody"])
            message.sequence_number = sequence.next()
            scope = message.group_id if queue.deduplication_scope == "messageGroup" else ""
            if before := queue.store.original(f"{scope}\n{message.deduplication_id}", message):
                return before
        queue.add_message(message)
        sqs_metrics.sent(context, queue, len(entry["MessageBody"].encode()))
        return message

    def send_message(
        self: Any,
        queue_name: str,
        message_body: str,
        message_attributes: dict[str, Any] | None = None,
        delay_seconds: int | None = None,
        deduplication_id: str | None = None,
        group_id: str | None = None,
        system_attributes: dict[str, Any] | None = None,
        validate_group_id: bool = True,  # noqa: ARG001 - moto's signature
    ) -> Any:
        queue = self.get_queue(queue_name)
        entry = {
            "MessageBody": message_body,
            "MessageAttributes": message_attributes,
            "DelaySeconds": delay_seconds,
            "MessageDeduplicationId": deduplication_id,
            "MessageGroupId": group_id,
        }
        check(queue, entry)
        return send(queue, entry, system_attributes)

    def send_message_batch(
        self: Any, queue_name: str, entries: dict[str, dict[str, Any]]
    ) -> tuple[list[Any], list[Any]]:
        queue = self.get_queue(queue_name)
        ids = [entry["Id"] for entry in entries.values()]
        if len(ids) > 10:
            raise models.TooManyEntriesInBatchRequest(len(ids))
        if any(not models.re.match(r"^[\w-]{1,80}$", entry_id) for entry_id in ids):
            raise models.InvalidBatchEntryId()
        if duplicate := self._get_first_duplicate_id(ids):
            raise models.BatchEntryIdsNotDistinct(duplicate)
        good, failed, total = [], [], 0
        for entry in entries.values():
            try:
                total += check(queue, entry)
                good.append(entry)
            except models.SQSException as refused:
                total += len(entry["MessageBody"].encode())
                failed.append(
                    {"Id": entry["Id"], "SenderFault": True, "Code": refused.code, "Message": refused.message}
                )
        if total > limit:
            raise models.BatchRequestTooLong(total)
        sent = []
        for entry in good:
            message = copy.copy(send(queue, entry, entry.get("MessageSystemAttributes")))
            message.user_id = entry["Id"]
            sent.append(message)
        return sent, failed

    def receive_message(
        self: Any,
        queue_name: str,
        count: int,
        wait_seconds_timeout: int,
        visibility_timeout: int,
        message_attribute_names: list[str] | None = None,
    ) -> list[Any]:
        queue = self.get_queue(queue_name)
        try:
            received = receive(
                context, queue, count, visibility_timeout_s=visibility_timeout, wait_s=wait_seconds_timeout
            )
        except QueueClosed:
            raise models.QueueDoesNotExist() from None
        for message in received:  # they are copies: the queue's messages keep their attributes
            models._filter_message_attributes(message, message_attribute_names or [])
        return received

    def change_message_visibility(self: Any, queue_name: str, receipt_handle: str, visibility_timeout: int) -> None:
        store = store_of(self.get_queue(queue_name))
        invalid = f"Value {receipt_handle} for parameter ReceiptHandle is invalid. Reason: "
        try:
            received_at = store.received_at(receipt_handle)
            if received_at is not None and time.time() + int(visibility_timeout) - received_at > MAX_TOTAL_VISIBILITY_S:
                raise models.InvalidParameterValue(
                    f"Value {visibility_timeout} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for "
                    f"the message is beyond the limit [{MAX_TOTAL_VISIBILITY_S} seconds]"
                )
            store.change_visibility(receipt_handle, float(visibility_timeout))
        except HandleInvalid:
            raise models.ReceiptHandleIsInvalid() from None
        except NotInFlight:
            raise models.SQSException(
                "AWS.SimpleQueueService.MessageNotInflight", "The message referred to is not in flight."
            ) from None
        except (HandleExpired, KeyError):
            raise models.InvalidParameterValue(
                f"{invalid}Message does not exist or is not available for visibility timeout change."
            ) from None

    def change_message_visibility_batch(
        self: Any, queue_name: str, entries: list[dict[str, Any]]
    ) -> tuple[list[str], list[dict[str, Any]]]:
        done, failed = [], []
        for entry in entries:
            try:
                timeout_s = int(entry.get("VisibilityTimeout", -1))
                if not 0 <= timeout_s <= models.MAXIMUM_VISIBILITY_TIMEOUT:
                    raise models.InvalidParameterValue("Visibility timeout invalid")
                self.change_message_visibility(queue_name, entry["ReceiptHandle"], timeout_s)
                done.append(entry["Id"])
            except models.QueueDoesNotExist:
                raise
            except models.SQSException as refused:
                failed.append(
                    {"Id": entry["Id"], "SenderFault": True, "Code": refused.code, "Message": refused.message}
                )
        return done, failed

    def delete_message_batch(
        self: Any, queue_name: str, receipts: list[dict[str, Any]]
    ) -> tuple[list[str], list[dict[str, Any]]]:
        queue = self.get_queue(queue_name)
        done, failed = [], []
        for entry in receipts:
            try:
                queue.delete_message(entry["ReceiptHandle"])
                done.append(entry["Id"])
            except models.SQSException as refused:
                failed.append(
                    {"Id": entry["Id"], "SenderFault": True, "Code": refused.code, "Message": refused.message}
                )
        return done, failed

    def purge_queue(self: Any, queue_name: str) -> None:
        store_of(self.get_queue(queue_name)).purge()

    delete_queue_before = backend.delete_queue

    def delete_queue(self: Any, queue_name: str) -> None:
        queue = self.get_queue(queue_name)
        delete_queue_before(self, queue_name)
        queue.store.close()

    for function in (
        send_message,
        send_message_batch,
        receive_message,
        change_message_visibility,
        change_message_visibility_batch,
        delete_message_batch,
        purge_queue,
        delete_queue,
    ):
        context.patch(backend, function.__name__, function)


class _SequenceNumbers:
    """Twenty digits that only ever grow, as FIFO queues number their messages."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> str:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns())
            return f"{self._last:020d}"


def _attributes_bytes(attributes: dict[str, Any]) -> int:
    """What message attributes count towards the size limit: name, type and value."""
    total = 0
    for name, attribute in attributes.items():
        value = attribute.get("StringValue") or attribute.get("BinaryValue") or b""
        total += (
            len(name.encode()) + len(attribute["DataType"]) + len(value.encode() if isinstance(value, str) else value)
        )
    return total


def _sha256(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def system_attributes(message: Any) -> dict[str, str]:
    """What SQS says of a received message besides its body, by AWS's names."""
    known = {
        "SenderId": message.sender_id,
        "SentTimestamp": message.sent_timestamp,
        "ApproximateReceiveCount": message.approximate_receive_count,
        "ApproximateFirstReceiveTimestamp": message.approximate_first_receive_timestamp,
        "SequenceNumber": message.sequence_number,
        "MessageDeduplicationId": message.deduplication_id,
        "MessageGroupId": message.group_id,
        "AWSTraceHeader": (message.system_attributes.get("AWSTraceHeader") or {}).get("StringValue"),
        "DeadLetterQueueSourceArn": message.dead_letter_source_arn,
    }
    return {name: str(value) for name, value in known.items() if value is not None}


# -- moto's SQSResponse


def _patch_responses(context: Context, models: Any, responses: Any) -> None:
    def receive_message(self: Any) -> Any:
        """ReceiveMessage; moto's own leaves out where a dead letter comes from and takes WaitTimeSeconds=21 for a whole answer."""
        queue = self.sqs_backend.get_queue(self._get_queue_name())

        def number(name: str, default: int, low: int, high: int) -> int:
            value = self._get_param(name)
            value = default if value is None else int(value)
            if not low <= value <= high:
                raise models.InvalidParameterValue(
                    f"Value {value} for parameter {name} is invalid. Reason: Must be >= {low} and <= {high}, if provided."
                )
            return value

        received = self.sqs_backend.receive_message(
            queue.name,
            number("MaxNumberOfMessages", 1, 1, 10),
            number("WaitTimeSeconds", queue.receive_message_wait_time_seconds, 0, 20),
            number("VisibilityTimeout", queue.visibility_timeout, 0, models.MAXIMUM_VISIBILITY_TIMEOUT),
            self._get_param("MessageAttributeNames", []),
        )
        names = {*self._get_param("AttributeNames", []), *self._get_param("MessageSystemAttributeNames", [])}
        messages = []
        for message in received:
            answer = {
                "MessageId": message.id,
                "ReceiptHandle": message.receipt_handle,
                "MD5OfBody": message.body_md5,
                "Body": message.body,
            }
            if message.message_attributes:
                answer["MessageAttributes"] = message.message_attributes
                answer["MD5OfMessageAttributes"] = message.attribute_md5
            if names:
                known = system_attributes(message)
                answer["Attributes"] = known if "All" in names else {name: known[name] for name in names & known.keys()}
            messages.append(answer)
        return responses.ActionResult({"Messages": messages} if messages else {})

    context.patch(responses.SQSResponse, "receive_message", receive_message)


# -- message-move tasks


def _add_move_tasks(context: Context, models: Any, responses: Any) -> None:
    """StartMessageMoveTask and its siblings: bring dead letters back, to where they came from or to a queue that is named."""
    tasks: dict[str, dict[str, Any]] = {}
    stopping = threading.Event()
    context.on_close(stopping.set)

    def find(self: Any, arn: str) -> Any:
        queue = next((queue for queue in self.sqs_backend.queues.values() if queue.queue_arn == arn), None)
        if queue is None:
            raise models.SQSException(
                "ResourceNotFoundException",
                "The resource that you specified for the SourceArn parameter doesn't exist.",
            )
        return queue

    def move(backend: Any, task: dict[str, Any], source: Any, destination: Any, rate_per_s: int) -> None:
        try:
            while task["Status"] == "RUNNING" and not stopping.is_set():
                batch = store_of(source).take_all(max(1, rate_per_s // 10))
                if not batch:
                    break
                for message in batch:
                    back_to = destination or _queue_by_arn(backend, message.dead_letter_source_arn)
                    if back_to is None:
                        store_of(source).add(message)
                        raise LookupError("CouldNotDetermineMessageSource")
                    fresh = copy.copy(message)
                    fresh.id = str(
                        uuid.uuid4()
                    )  # "redriven messages are considered new messages": new id, new time, count from zero
                    fresh.sent_timestamp = int(time.time() * 1000)
                    fresh.approximate_receive_count = 0
                    fresh.approximate_first_receive_timestamp = None
                    fresh.receipt_handle = None
                    fresh.dead_letter_source_arn = None
                    store_of(back_to).add(fresh)
                    task["ApproximateNumberOfMessagesMoved"] += 1
                stopping.wait(len(batch) / rate_per_s)
            task["Status"] = "CANCELLED" if task["Status"] == "CANCELLING" else "COMPLETED"
        except LookupError as broken:
            task.update(Status="FAILED", FailureReason=str(broken))
        task.pop("TaskHandle", None)

    def start_message_move_task(self: Any) -> Any:
        source_arn, destination_arn = self._get_param("SourceArn"), self._get_param("DestinationArn")
        source = find(self, source_arn)
        if not any(queue.dead_letter_queue is source for queue in self.sqs_backend.queues.values()):
            raise models.InvalidParameterValue("Source queue must be configured as a Dead Letter Queue.")
        if any(task["SourceArn"] == source_arn and task["Status"] == "RUNNING" for task in tasks.values()):
            raise models.SQSException(
                "UnsupportedOperation",
                "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
            )
        destination = find(self, destination_arn) if destination_arn else None
        handle = str(uuid.uuid4())
        rate_per_s = int(self._get_param("MaxNumberOfMessagesPerSecond") or MOVE_RATE_PER_S)
        task = {
            "TaskHandle": handle,
            "Status": "RUNNING",
            "SourceArn": source_arn,
            "MaxNumberOfMessagesPerSecond": rate_per_s,
            "ApproximateNumberOfMessagesMoved": 0,
            "ApproximateNumberOfMessagesToMove": store_of(source).visible,
            "StartedTimestamp": int(time.time() * 1000),
        }
        if destination_arn:
            task["DestinationArn"] = destination_arn
        tasks[handle] = task
        threading.Thread(
            target=move, args=(self.sqs_backend, task, source, destination, rate_per_s), name="sqs-move", daemon=True
        ).start()
        return responses.ActionResult({"TaskHandle": handle})

    def list_message_move_tasks(self: Any) -> Any:
        source_arn = self._get_param("SourceArn")
        find(self, source_arn)
        mine = [task for task in reversed(tasks.values()) if task["SourceArn"] == source_arn]
        return responses.ActionResult({"Results": mine[: int(self._get_param("MaxResults") or 1)]})

    def cancel_message_move_task(self: Any) -> Any:
        task = tasks.get(self._get_param("TaskHandle"))
        if task is None or task["Status"] != "RUNNING":
            raise models.SQSException("ResourceNotFoundException", "Task does not exist.")
        task["Status"] = "CANCELLING"
        return responses.ActionResult({"ApproximateNumberOfMessagesMoved": task["ApproximateNumberOfMessagesMoved"]})

    for function in (start_message_move_task, list_message_move_tasks, cancel_message_move_task):
        context.patch(responses.SQSResponse, function.__name__, function)


def _queue_by_arn(backend: Any, arn: str | None) -> Any:
    return next((queue for queue in backend.queues.values() if queue.queue_arn == arn), None)
