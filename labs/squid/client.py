"""The client of a SQUID stack: hand in jobs, get answers.

    from labs.squid.client import Squid
    squid = Squid("squid")
    job_id = squid.submit("Summarise this ticket: ...")
    print(squid.wait(job_id, timeout_s=60).text)
    for said in squid.follow(job_id): ...       # pieces of text while it is written, then the answer

It works on the stack's own queue and table, with AWS credentials, as a service beside it would; whoever has none goes through the door.

A job's item is written before its message is sent. So a job can be late, but it cannot vanish: whatever happens to the message, the item says QUEUED,
and the same idempotency key sends it again. Sending twice is harmless: the worker answers once (see `functions/claims.py`).
"""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config

from labs import facts
from labs.errors import FALSE, USAGE, Refusal
from labs.squid import listening
from labs.squid.functions import claims, jobs
from labs.squid.functions.jobs import FINAL, Message
from labs.squid.listening import Piece
from labs.targets import stacks
from labs.targets.calling import Address

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
READ_AT_ONCE = 100  # what BatchGetItem takes
LOOKED_AT = 4 * READ_AT_ONCE
"""of many jobs, at a time: a look at all of ten thousand costs more than their answers"""
WRITERS = 10
"""Items of one batch of messages, written side by side: BatchWriteItem takes no conditions, and one at a time a thousand jobs wait for each other."""


@dataclass(frozen=True)
class Job:
    """Something to ask. The same `key` is the same job, however often it is submitted."""

    prompt: str
    max_tokens: int | None = None
    """Never more than the stack allows; None: as many as it does."""
    key: str | None = None
    tenant: str | None = None
    """Whose it is, where tenants share the stack: so many of one tenant's jobs are with the model at once, and no more."""


@dataclass(frozen=True)
class Answer:
    """What the table says about a job now."""

    job_id: str
    status: str
    """QUEUED, WORKING, DONE, FAILED, CANCELLED or QUARANTINED."""
    queued_at: datetime
    text: str = ""
    error: str = ""
    """Why it failed, or why the last attempt did."""
    may_retry: bool = False
    """A failed job that a redrive could help."""
    model_id: str = ""
    stop_reason: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    model_ms: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: int = 0
    """How often a worker claimed it."""
    answers: int = 0
    """How often an answer was written. More than one would be a defect of SQUID."""

    @property
    def is_final(self) -> bool:
        """Nothing more will happen to it by itself."""
        return self.status in FINAL

    @property
    def e2e_ms(self) -> float | None:
        """From the hand-in to the end, in milliseconds; None before that."""
        return None if self.finished_at is None else (self.finished_at - self.queued_at).total_seconds() * 1000


class Squid:
    """A deployed stack. Raises Refusal when there is none of this name, or it is not up."""

    def __init__(self, stack: str = "squid") -> None:
        found = stacks.find(stack)
        if found is None:
            raise Refusal(
                f"there is no stack '{stack}' here; 'lab deploy squid' makes one, 'lab list' shows what there is", FALSE
            )
        if "QueueUrl" not in found.outputs:
            raise Refusal(
                f"the stack '{stack}' is {found.status} and takes no jobs; 'lab teardown {stack}' removes it", FALSE
            )
        self.stack = stack
        self.target, self.model_id = found.outputs["TargetName"], found.outputs["ModelId"]
        self._address = found.outputs.get("Address", "")
        self.max_tokens, self.days = int(found.outputs["MaxTokens"]), int(found.outputs["JobDays"])
        self.queue_url, self.dead_letter_queue_url = found.outputs["QueueUrl"], found.outputs["DeadLetterQueueUrl"]
        self.table = found.outputs["TableName"]
        self.bucket = found.outputs.get("BucketName", "")
        self.api_url, self.page_origin = found.outputs.get("ApiUrl", ""), found.outputs.get("PageOrigin", "")
        self.events = listening.Place(
            found.outputs.get("EventsHost", ""),
            found.outputs.get("EventsRealtimeHost", ""),
            found.outputs.get("EventsKey", ""),
        )
        retries = Config(retries={"mode": "standard", "total_max_attempts": 5}, max_pool_connections=WRITERS)
        self._sqs = boto3.client("sqs", config=retries)
        self._dynamodb = boto3.client("dynamodb", config=retries)

    @property
    def address(self) -> Address:
        """How its workers reach the model."""
        return Address.from_json(self._address)

    def submit(
        self, prompt: str, *, max_tokens: int | None = None, key: str | None = None, tenant: str | None = None
    ) -> str:
        """Hand in one job; returns its id. With a `key` that was used before: that job's id, and no second answer.

        Raises Refusal when the prompt is empty or too long for the queue, or when the key belongs to another prompt.
        """
        return next(self.submit_many([Job(prompt, max_tokens, key, tenant)]))

    def submit_many(self, to_send: Iterable[Job]) -> Iterator[str]:
        """Hand in jobs, a batch of messages at a time; yields each id, in order, once its message is in the queue.

        Raises Refusal when the queue does not take a message. Jobs whose ids were yielded are in; the others can be submitted again.
        """
        with ThreadPoolExecutor(WRITERS) as writers:
            for group in self._batches(to_send):
                new = list(writers.map(self._enter, group))
                self._send([message for message, is_new in zip(group, new, strict=True) if is_new])
                yield from (message.job_id for message in group)

    def status(self, job_id: str) -> Answer:
        """What the table says now. Raises Refusal when it knows no such job."""
        item = self._dynamodb.get_item(TableName=self.table, Key={"job_id": {"S": job_id}}, ConsistentRead=True).get(
            "Item"
        )
        if item is None:
            raise Refusal(
                f"the stack '{self.stack}' knows no job '{job_id}'; answers are kept for {self.days} days", FALSE
            )
        return self._whole(_answer(item), item)

    def cancel(self, job_id: str) -> Answer:
        """Ask that it be stopped: at once while it waits, within a second while it is written, not at all when it is over."""
        claims.cancel(self._dynamodb, self.table, job_id)
        return self.status(job_id)

    def follow(self, job_id: str, timeout_s: float = 900) -> Iterator[Piece | Answer]:
        """Yield pieces of the answer while it is written, then the answer. Another attempt's pieces begin anew (`Piece.attempt`).

        Pieces come by push, where the stack has it. They are for the eye: a piece that was lost is missed out, with all after it, and the answer
        at the end is whole in any case, for it is read from the table, which is polled beside. Raises Refusal when it does not come in time.
        """
        deadline, pause_s = time.monotonic() + timeout_s, FIRST_PAUSE_S
        with listening.Ear(self.events, job_id) as ear:
            while True:
                now = self.status(job_id)
                if now.is_final:
                    yield from ear.heard()
                    yield now
                    return
                if time.monotonic() > deadline:
                    raise self._late(now, timeout_s)
                if ear.told_of_end:
                    time.sleep(FIRST_PAUSE_S)
                    continue
                # A listener is told of the end: it need not poll often. Without one, as `results` does.
                pause_s = LONGEST_PAUSE_S if ear.is_open else min(LONGEST_PAUSE_S, pause_s * 1.5)
                until_s = min(deadline, time.monotonic() + pause_s * random.uniform(0.8, 1.2))
                while not ear.told_of_end and (left_s := until_s - time.monotonic()) > 0:
                    yield from ear.wait(left_s)
                    if not ear.is_open and pause_s == LONGEST_PAUSE_S:
                        break  # it has just been lost

    def wait(self, job_id: str, timeout_s: float = 60) -> Answer:
        """Poll until the job is answered or failed. Raises Refusal when it is neither in time; the job goes on all the same."""
        for answer in self.results([job_id], timeout_s):
            return answer
        raise self._late(self.status(job_id), timeout_s)

    def _late(self, now: Answer, timeout_s: float) -> Refusal:
        return Refusal(
            f"job {now.job_id} is {now.status} after {timeout_s:g} s and {now.attempts} attempts{f' ({now.error})' if now.error else ''}; "
            "wait longer, or see 'lab squid watch' and 'lab squid redrive'",
            FALSE,
        )

    def results(self, job_ids: Iterable[str], timeout_s: float = 900) -> Iterator[Answer]:
        """Yield each job's answer as it comes, in the order of their ends as far as polling can tell. Stops early when the time is up."""
        pending = list(dict.fromkeys(job_ids))
        deadline, pause_s, turn = time.monotonic() + timeout_s, FIRST_PAUSE_S, 0
        while pending:
            left_s = deadline - time.monotonic()
            looked = pending if left_s <= 0 else _some(pending, turn)
            ended = {answer.job_id: answer for answer in self._read(looked) if answer.is_final}
            yield from sorted(ended.values(), key=lambda answer: answer.finished_at or answer.queued_at)
            pending = [job_id for job_id in pending if job_id not in ended]
            if not pending or left_s <= 0:
                return
            turn += 1
            if len(ended) == len(looked):
                continue
            pause_s = FIRST_PAUSE_S if ended else min(LONGEST_PAUSE_S, pause_s * 1.5)
            time.sleep(max(0.0, min(deadline - time.monotonic(), pause_s * random.uniform(0.8, 1.2))))

    def redrive(self) -> tuple[int, list[str]]:
        """Send the dead letters back to the queue; returns how many went, and why each of the others could not."""
        sent = 0
        stay: dict[str, str] = {}
        while messages := self._sqs.receive_message(
            QueueUrl=self.dead_letter_queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=120
        ).get("Messages"):
            for message in messages:
                letter, why = self._reopen(message["Body"])
                if why:
                    stay[message["MessageId"]] = why
                    continue
                if letter:
                    self._sqs.send_message(QueueUrl=self.queue_url, MessageBody=letter)
                    sent += 1
                self._sqs.delete_message(QueueUrl=self.dead_letter_queue_url, ReceiptHandle=message["ReceiptHandle"])
        return sent, [f"message {message_id}: {why}" for message_id, why in stay.items()]

    def depth(self) -> dict[str, int]:
        """Messages waiting, in work and given up, as the queues count them: about right, and a moment late."""
        names = {"ApproximateNumberOfMessages": "waiting", "ApproximateNumberOfMessagesNotVisible": "working"}
        counts = self._sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=list(names))["Attributes"]
        dead = self._sqs.get_queue_attributes(
            QueueUrl=self.dead_letter_queue_url, AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"]
        return {meaning: int(counts[name]) for name, meaning in names.items()} | {
            "dead": int(dead["ApproximateNumberOfMessages"])
        }

    def _batches(self, to_send: Iterable[Job]) -> Iterator[list[Message]]:
        """Groups that one SendMessageBatch takes: so many messages, and so many bytes in all of them together."""
        most, most_bytes = int(facts.number("sqs.batch.max_messages")), int(facts.number("sqs.message.max_bytes"))
        group: list[Message] = []
        for job in to_send:
            message = message_of(job)
            if len(group) == most or sum(len(other.body) for other in [*group, message]) > most_bytes:
                yield group
                group = []
            group.append(message)
        if group:
            yield group

    def _enter(self, message: Message) -> bool:
        """Write the job down. False when it is there already and needs no message. Raises Refusal when its key belongs to another prompt."""
        now = time.time()
        try:
            self._dynamodb.put_item(
                TableName=self.table,
                Item=jobs.entry(message, round(now * 1000), int(now) + self.days * 86_400),
                ConditionExpression="attribute_not_exists(job_id)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as there:
            item: Mapping[str, Any] = there.response["Item"]
            if item.get("request_hash", {}).get("S") != message.request_hash:
                raise Refusal(
                    f"the key of job {message.job_id} was used for another prompt; a key names one job", USAGE
                ) from there
            return bool(
                item["status"]["S"] == "QUEUED"
            )  # perhaps the first message was never sent; a second does no harm
        return True

    def _send(self, messages: Sequence[Message], attempts: int = 4) -> None:
        """Put messages into the queue. A batch is taken in part: what was refused is sent again."""
        pending = {str(n): message for n, message in enumerate(messages)}
        for attempt in range(attempts):
            if not pending:
                return
            response = self._sqs.send_message_batch(
                QueueUrl=self.queue_url,
                Entries=[
                    {"Id": id, "MessageBody": message.body}
                    | ({"MessageGroupId": message.tenant} if message.tenant else {})  # a fair queue's groups
                    for id, message in pending.items()
                ],
            )
            failed = {entry["Id"]: entry for entry in response.get("Failed", [])}
            wrong = [entry for entry in failed.values() if entry["SenderFault"]]
            if wrong or (failed and attempt == attempts - 1):
                entry = next(iter(wrong or failed.values()))
                raise Refusal(
                    f"the queue did not take job {pending[entry['Id']].job_id}: {entry.get('Message', entry['Code'])}; submit it again",
                    FALSE,
                )
            pending = {id: message for id, message in pending.items() if id in failed}
            if pending:
                time.sleep(FIRST_PAUSE_S * 2**attempt)

    def _read(self, job_ids: Sequence[str]) -> Iterator[Answer]:
        for start in range(0, len(job_ids), READ_AT_ONCE):
            keys = [{"job_id": {"S": job_id}} for job_id in job_ids[start : start + READ_AT_ONCE]]
            request: dict[str, Any] = {self.table: {"Keys": keys}}
            while request:  # a batch is read in part when its items are large
                response = self._dynamodb.batch_get_item(RequestItems=request)
                for item in response["Responses"].get(self.table, []):
                    yield self._whole(_answer(item), item)
                request = dict(response.get("UnprocessedKeys", {}))

    def _whole(self, answer: Answer, item: Mapping[str, Any]) -> Answer:
        """With its text, where that was too long for the table."""
        if "answer_at" not in item:
            return answer
        found = boto3.client("s3").get_object(Bucket=self.bucket, Key=item["answer_at"]["S"])
        return replace(answer, text=found["Body"].read().decode())

    def _reopen(self, body: str) -> tuple[str, str]:
        """Make a given-up job claimable again. Returns the message to send (empty when the job is answered), or why it stays."""
        try:
            job_id = jobs.read(body).job_id
        except jobs.Unfit as wrong:
            return "", f"it holds no job: {wrong}"
        try:
            self._dynamodb.update_item(
                TableName=self.table,
                Key={"job_id": {"S": job_id}},
                UpdateExpression="SET #status = :queued REMOVE finished_at_ms, may_retry",
                ConditionExpression="#status = :failed AND may_retry = :yes",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={
                    ":queued": {"S": "QUEUED"},
                    ":failed": {"S": "FAILED"},
                    ":yes": {"BOOL": True},
                },
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as otherwise:
            item: Mapping[str, Any] = otherwise.response.get("Item", {})
            if not item:
                return "", f"the table knows no job {job_id}"
            answer = _answer(item)
            if answer.status == "FAILED":
                return "", f"job {job_id} would fail again: {answer.error}"
            if answer.status in ("DONE", "CANCELLED"):
                return "", ""
            if answer.status == "QUARANTINED":
                return "", answer.error
        return body, ""  # QUEUED, or WORKING under a claim that still holds or has expired: the worker knows what to do


def _some(pending: Sequence[str], turn: int) -> Sequence[str]:
    """Whose turn it is to be looked at: the oldest, which should end first, and of the others another part each time."""
    if len(pending) <= LOOKED_AT:
        return pending
    oldest, others = pending[: LOOKED_AT // 2], pending[LOOKED_AT // 2 :]
    parts = -(-len(others) // (LOOKED_AT // 2))
    return [*oldest, *others[turn % parts :: parts]]


def check(job: Job) -> None:
    """Raise Refusal when this job could not be submitted."""
    message_of(job)


def message_of(job: Job) -> Message:
    """What goes into the queue for it. Raises Refusal when it could not be submitted."""
    try:
        message = jobs.write(job.prompt, job.max_tokens, job.key, job.tenant)
    except jobs.Unfit as wrong:
        raise Refusal(str(wrong), USAGE) from None
    if (size_bytes := len(message.body)) > facts.number("sqs.message.max_bytes"):
        raise Refusal(
            f"the prompt makes a message of {size_bytes:,} bytes; the queue takes {facts.format('sqs.message.max_bytes')} at most "
            "(put long documents into S3 and their address into the prompt)",
            USAGE,
        )
    return message


def _answer(item: Mapping[str, Any]) -> Answer:
    def number(name: str) -> int:
        return int(item[name]["N"]) if name in item else 0

    def text(name: str) -> str:
        return str(item[name]["S"]) if name in item else ""

    def moment(name: str) -> datetime | None:
        return datetime.fromtimestamp(number(name) / 1000, UTC) if name in item else None

    return Answer(
        job_id=text("job_id"),
        status=text("status"),
        queued_at=moment("queued_at_ms") or datetime.fromtimestamp(0, UTC),
        text=text("text"),
        error=text("error"),
        may_retry=bool(item.get("may_retry", {}).get("BOOL", False)),
        model_id=text("model_id"),
        stop_reason=text("stop_reason"),
        input_tokens=number("input_tokens"),
        output_tokens=number("output_tokens"),
        model_ms=number("model_ms"),
        started_at=moment("started_at_ms"),
        finished_at=moment("finished_at_ms"),
        attempts=number("attempts"),
        answers=number("answers"),
    )
