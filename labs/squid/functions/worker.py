"""The worker: takes jobs from the queue, asks the model, writes each answer once.

A job is one item of the table. Its status moves QUEUED -> WORKING -> DONE, FAILED or CANCELLED, and every move is one conditional write
(`claims.py` has them, and the argument that there cannot be two answers).

The queue delivers at least once, so the same job can arrive twice, at the same time or an hour apart. Whoever finds a live claim puts the
message back and looks again when that claim ends; whoever finds an answer drops the message.

What can happen: the model is asked twice, and billed twice, when a worker dies between the model's answer and the write, or when a call times
out on our side and not on the model's. No ordering of the two steps avoids that; this order never loses a job.

Which model answers is said by one environment variable, ADDRESS, and by nothing else: this file knows no service by name
(`labs/targets/calling.py`, which its package carries as it is, does).

Retries belong to the queue. The SDK's own are switched off for the model, so that each attempt is one delivery, counted
and visible; the message comes back after a growing pause, and after MAX_RECEIVES deliveries it goes to the dead-letter queue.

A tenant that has all its slots (`slots.py`) is no failure, so it must not use deliveries up: its message is sent anew, with a delay, and the old
one is dropped. In this order; a crash in between leaves two messages of one job, which is harmless.

A message that is no job is quarantined: the table says why, and the message itself spends its deliveries at once and lies in the dead-letter queue.
"""

import asyncio
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType, async_process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from labs.squid.functions import claims, jobs, model, push, tracing
from labs.squid.functions.claims import Claim, Held, Lost
from labs.squid.functions.slots import Slots
from labs.targets.calling import Address, Caller, Reply

TABLE_NAME = os.environ["TABLE_NAME"]
DESK_NAME = os.environ["DESK_NAME"]
BUCKET_NAME = os.environ["BUCKET_NAME"]
QUEUE_URL = os.environ["QUEUE_URL"]
EVENTS_URL = push.url_of(os.environ["EVENTS_HOST"])
REGION = os.environ["AWS_REGION"]
ADDRESS = Address.from_json(os.environ["ADDRESS"])
STREAMS = os.environ["STREAMS"] == "yes"
MAX_TOKENS = int(os.environ["MAX_TOKENS"])
MAX_ANSWER_BYTES = int(os.environ["MAX_ANSWER_BYTES"])
MAX_RECEIVES = int(os.environ["MAX_RECEIVES"])
MODEL_TIMEOUT_S = int(os.environ["MODEL_TIMEOUT_S"])
SILENCE_S = int(os.environ["SILENCE_S"])
BATCH_SIZE = int(os.environ["BATCH_SIZE"])
JOB_DAYS = int(os.environ["JOB_DAYS"])
TENANT_CONCURRENCY = int(os.environ["TENANT_CONCURRENCY"])

CLAIM_MARGIN_MS = 1_000  # clocks of two workers differ by less
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 60.0
CANCEL_LOOK_S = 1.0
"""How often a stream looks whether its job is still wanted: one read a second, which costs less than what a model writes meanwhile."""
DEFERRED = "Deferred"
"""The message attribute that counts how often a job had to wait for its tenant's slots."""

logger = Logger()
metrics = Metrics()
processor = AsyncBatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
threads = ThreadPoolExecutor(max_workers=BATCH_SIZE)

sqs = boto3.client("sqs")
s3 = boto3.client("s3")
dynamodb = boto3.client("dynamodb", config=Config(max_pool_connections=BATCH_SIZE))
caller = Caller(ADDRESS, timeout_s=SILENCE_S if STREAMS else MODEL_TIMEOUT_S, connections=BATCH_SIZE)
table = claims.Table(
    dynamodb, TABLE_NAME, model_id=ADDRESS.model or ADDRESS.component or ADDRESS.location, days=JOB_DAYS
)
slots = Slots(dynamodb, DESK_NAME, TENANT_CONCURRENCY)


class BackToQueue(Exception):  # noqa: N818 - nothing is wrong with the program
    """This job is not finished; deliver it again after a pause."""

    def __init__(self, reason: str, pause_s: float) -> None:
        super().__init__(reason)
        self.pause_s = pause_s


class Unwanted(Exception):  # noqa: N818 - nothing is wrong with the program
    """The job's owner has asked to stop it."""


@dataclass(frozen=True)
class Job:
    """What a delivery brings."""

    job_id: str
    prompt: str
    max_tokens: int
    tenant: str | None
    body: str
    message_id: str
    receipt: str
    sent_at_ms: int
    receives: int
    deferrals: int


@dataclass(frozen=True)
class Outcome:
    """How one delivery ended; `kind` is the metric's name."""

    kind: str
    reply: Reply | None = None
    model_ms: int = 0


How = Callable[[Job, int], Outcome]
"""What is done with a job, and until when it may be claimed in milliseconds."""


@tracing.traced
@logger.inject_lambda_context
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point."""
    return serve(event, context, answer)


def serve(event: dict[str, Any], context: LambdaContext, how: How) -> dict[str, Any]:
    """The jobs of one batch side by side; those that must come again are named in the response."""
    claim_until_ms = table.now_ms() + context.get_remaining_time_in_millis() + CLAIM_MARGIN_MS
    shorten_visibility(event["Records"], until_ms=claim_until_ms + CLAIM_MARGIN_MS)
    outcomes: list[Outcome] = []

    async def work_in_thread(record: SQSRecord) -> None:
        loop = asyncio.get_running_loop()
        outcomes.append(await loop.run_in_executor(threads, work, record, claim_until_ms, how))

    response = async_process_partial_response(event, work_in_thread, processor, context)
    count(outcomes, received=len(event["Records"]))
    return dict(response)


def work(record: SQSRecord, claim_until_ms: int, how: How | None = None) -> Outcome:
    """One delivery of one job, done as `how` does (`answer`). Raises when the message must stay in the queue."""
    try:
        job = read(record)
    except jobs.Unfit as wrong:
        job_id = jobs.id_of(record.body, record.message_id)
        logger.error("quarantined", message_id=record.message_id, job_id=job_id, reason=str(wrong))
        table.quarantine(job_id, f"no job: {wrong}", int(record.attributes.sent_timestamp))
        return_after(record.receipt_handle, 0)  # it will never get better: let it spend its deliveries now
        raise
    lease = record.message_id
    limited = bool(job.tenant and TENANT_CONCURRENCY)
    if limited and not slots.take(str(job.tenant), lease, claim_until_ms, table.now_ms()):
        defer(job)
        return Outcome("Deferred")
    try:
        return (how or answer)(job, claim_until_ms)
    except BackToQueue as later:
        logger.warning("back to the queue", job_id=job.job_id, reason=str(later), pause_s=later.pause_s)
        return_after(record.receipt_handle, later.pause_s)
        raise
    except Lost as lost:
        logger.warning("back to the queue", job_id=job.job_id, reason=str(lost), pause_s=FIRST_PAUSE_S)
        return_after(record.receipt_handle, FIRST_PAUSE_S)
        raise
    finally:
        if limited:
            slots.give_back(str(job.tenant), lease)


def read(record: SQSRecord) -> Job:
    """The job in a message. Raises jobs.Unfit when there is none."""
    found = jobs.read(record.body)
    counted = (record["messageAttributes"].get(DEFERRED) or {}).get("stringValue")
    return Job(
        job_id=found.job_id,
        prompt=found.prompt,
        max_tokens=min(found.max_tokens or MAX_TOKENS, MAX_TOKENS),
        tenant=found.tenant,
        body=record.body,
        message_id=record.message_id,
        receipt=record.receipt_handle,
        sent_at_ms=int(record.attributes.sent_timestamp),
        receives=int(record.attributes.approximate_receive_count),
        deferrals=int(counted or 0),
    )


def answer(job: Job, claim_until_ms: int) -> Outcome:
    """Claim, ask, write. The three steps that the module's docstring argues about."""
    held = table.claim(job.job_id, claim_until_ms, sent_at_ms=job.sent_at_ms, by=job.message_id)
    if isinstance(held, Held):
        if held.is_over:
            logger.info("already finished", job_id=job.job_id)
            return Outcome("Repeated")
        free_in_ms = held.until_ms - table.now_ms()
        raise BackToQueue("another worker has it", pause_s=max(0, free_in_ms) / 1000 + 1)
    voice = push.Push(EVENTS_URL, REGION, job.job_id, held.attempt)
    if held.cancelled:
        return finish(held, claims.cancelled(), voice, Outcome("Cancelled"))
    began_s = time.monotonic()
    listener = Listener(held, voice)
    try:
        reply = model.ask(
            caller, job.prompt, job.max_tokens, until_s=began_s + MODEL_TIMEOUT_S, streams=STREAMS, heard=listener
        )
    except Unwanted:
        return finish(held, claims.cancelled(listener.text), voice, Outcome("Cancelled"))
    except model.FAILURES as refused:
        reason = f"{type(refused).__name__}: {refused}"
        if not model.may_pass(refused):
            return finish(held, claims.failed(reason, may_retry=False), voice, Outcome("Failed"))
        if job.receives < MAX_RECEIVES:
            table.release(held, reason)
            voice.end("QUEUED")
            raise BackToQueue(reason, pause_s=growing_pause_s(job.receives)) from refused
        given_up = f"given up after {job.receives} deliveries: {reason}"
        finish(held, claims.failed(given_up, may_retry=True), voice, Outcome("Failed"))
        raise BackToQueue("given up; to the dead-letter queue", pause_s=0) from refused
    model_ms = round((time.monotonic() - began_s) * 1000)
    try:
        written = claims.done(reply, model_ms, put_away_if_long(held, reply))
    except (ClientError, BotoCoreError) as refused:
        table.release(held, f"the answer could not be stored: {refused}")
        raise BackToQueue("the answer could not be stored", pause_s=growing_pause_s(job.receives)) from refused
    outcome = finish(held, written, voice, Outcome("Answered", reply, model_ms))
    logger.info("answered", job_id=job.job_id, model_ms=model_ms, output_tokens=reply.output_tokens)
    return outcome


def finish(claim: Claim, attributes: claims.Attributes, voice: push.Push, outcome: Outcome) -> Outcome:
    """End the job, and then say so."""
    table.finish(claim, attributes)
    voice.end(attributes["status"]["S"])
    return outcome


class Listener:
    """Hears the pieces of an answer: passes them on, and looks now and then whether anybody still wants them. Raises Unwanted."""

    def __init__(self, claim: Claim, voice: push.Push) -> None:
        self._claim, self._voice = claim, voice
        self._looked_s = time.monotonic()
        self._heard: list[str] = []

    @property
    def text(self) -> str:
        """All of it so far, cut to what the table takes."""
        return "".join(self._heard).encode()[:MAX_ANSWER_BYTES].decode(errors="ignore")

    def __call__(self, piece: str) -> None:
        self._heard.append(piece)
        self._voice.hear(piece)
        if time.monotonic() - self._looked_s < CANCEL_LOOK_S:
            return
        self._looked_s = time.monotonic()
        try:
            unwanted = table.is_unwanted(self._claim)
        except (ClientError, BotoCoreError) as refused:  # an answer is worth more than a look
            logger.warning("could not look for a cancellation", job_id=self._claim.job_id, reason=str(refused))
            return
        if unwanted:
            raise Unwanted


def put_away_if_long(claim: Claim, reply: Reply) -> str:
    """An answer that the table's item cannot hold goes to the bucket first; returns its key there, or nothing.

    The key is the claim's own: a worker that lost its claim meanwhile overwrites nobody's answer, and the bucket forgets its object in time.
    """
    text = reply.text.encode()
    if len(text) <= MAX_ANSWER_BYTES:
        return ""
    key = f"answers/{claim.job_id}/{claim.claimant.rpartition('/')[2]}.txt"
    s3.put_object(Bucket=BUCKET_NAME, Key=key, Body=text, ContentType="text/plain; charset=utf-8")
    return key


def defer(job: Job) -> None:
    """Put a copy of the message into the queue for later; the one in hand is dropped by whoever called."""
    pause_s = growing_pause_s(job.deferrals + 1)
    sqs.send_message(
        QueueUrl=QUEUE_URL,
        MessageBody=job.body,
        DelaySeconds=-int(-pause_s // 1),
        MessageAttributes={DEFERRED: {"DataType": "Number", "StringValue": str(job.deferrals + 1)}},
        MessageGroupId=str(job.tenant),
    )
    logger.info("deferred", job_id=job.job_id, tenant=job.tenant, pause_s=pause_s)


def shorten_visibility(records: list[dict[str, Any]], until_ms: int) -> None:
    """Hide the messages for as long as this invocation can need: then a crash costs that time, not the queue's six times as much."""
    seconds = -(-(until_ms - table.now_ms()) // 1000)
    try:
        sqs.change_message_visibility_batch(
            QueueUrl=QUEUE_URL,
            Entries=[
                {"Id": str(n), "ReceiptHandle": record["receiptHandle"], "VisibilityTimeout": seconds}
                for n, record in enumerate(records)
            ],
        )
    except ClientError as refused:
        logger.warning("could not shorten the visibility timeout", reason=str(refused))


def return_after(receipt: str, seconds: float) -> None:
    """Let the message come back after `seconds`. If that fails, it comes back when the claim's time is over."""
    try:
        sqs.change_message_visibility(QueueUrl=QUEUE_URL, ReceiptHandle=receipt, VisibilityTimeout=-int(-seconds // 1))
    except ClientError as refused:
        logger.warning("could not set the pause", reason=str(refused))


def growing_pause_s(times: int) -> float:
    """Doubling from FIRST_PAUSE_S, and random in its upper half, so that throttled jobs do not all come back at once."""
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (times - 1))
    return longest * random.uniform(0.5, 1)


def count(outcomes: list[Outcome], received: int) -> None:
    """Metrics of one batch, as EMF lines in the log."""
    metrics.add_metric("Received", MetricUnit.Count, received)
    metrics.add_metric("BackToQueue", MetricUnit.Count, received - len(outcomes))
    for outcome in outcomes:
        metrics.add_metric(outcome.kind, MetricUnit.Count, 1)
        if outcome.reply:
            metrics.add_metric("ModelLatency", MetricUnit.Milliseconds, outcome.model_ms)
            metrics.add_metric("InputTokens", MetricUnit.Count, outcome.reply.input_tokens)
            metrics.add_metric("OutputTokens", MetricUnit.Count, outcome.reply.output_tokens)
