"""The worker in front of batch inference: it collects jobs until there are enough of them, places them as one, and reads what came of it.

A batch job takes at least a hundred records and costs about half. So jobs wait, at most BATCH_WAIT_S: then the missing records are made up
by fillers of one token each, for a hundred questions a day are worth more than the cents that the fillers cost.

Everything is in the bucket, so that any invocation can die at any moment and the next one goes on:

    batch/waiting/JOB      a job that was collected: its message is gone from the queue, its claim stands until long after the batch's own end
    batch/open/NAME        a batch: its jobs, and Bedrock's ARN once it has one. The name is Bedrock's idempotency token

Looks come by message: a *tick* in the jobs' own queue, with a delay, for as long as anything waits or is open. A job that is delivered again while it is
being placed can be placed twice, and is then billed twice; it is answered once, as everywhere here, by the conditional write that ends it.
"""

import json
import os
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from labs.squid.functions import claims, model, push, tracing, worker
from labs.squid.functions.claims import Claim, Held, Lost
from labs.squid.functions.slots import Slots
from labs.squid.functions.worker import Job, Outcome, logger, metrics
from labs.targets import batching
from labs.targets.batching import Answer, Place, Record

PLACE = Place.from_json(os.environ["BATCH_PLACE"])
FEWEST = int(os.environ["BATCH_FEWEST"])
MOST = int(os.environ["BATCH_MOST"])
BATCH_WAIT_S = int(os.environ["BATCH_WAIT_S"])
LOOK_S = int(os.environ["BATCH_LOOK_S"])
NAME = os.environ["POWERTOOLS_SERVICE_NAME"]

HOLD_MS = (BATCH_WAIT_S + 26 * 3_600) * 1_000
"""A batch ends by itself within 24 hours of its placing; whoever looks afterwards has time."""
TICK = '{"tick": "batches"}'
WAITING, OPEN = "batch/waiting/", "batch/open/"
FILLER = "Say yes."

turns = Slots(worker.dynamodb, worker.DESK_NAME, most=1)
"""One tick in the queue, one at work. No tenant's name begins with a space."""
TICKING, PLACING = " ticking", " placing"


@dataclass(frozen=True)
class Collected:
    """A job on its way through a batch."""

    job_id: str
    claimant: str
    attempt: int
    prompt: str
    max_tokens: int
    body: str
    """Its message, for another try."""

    @property
    def claim(self) -> Claim:
        return Claim(self.job_id, self.claimant, self.attempt)


@tracing.traced
@logger.inject_lambda_context
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point: jobs to collect, and ticks."""
    ticks = [record for record in event["Records"] if record["body"] == TICK]
    others = [record for record in event["Records"] if record["body"] != TICK]
    failures = []
    if others:
        failures = worker.serve({"Records": others}, context, collect)["batchItemFailures"]
    if ticks:
        metrics.add_metric("Looks", MetricUnit.Count, 1)
        try:
            look(context.get_remaining_time_in_millis())
        except (ClientError, BotoCoreError):
            logger.exception("the look at the batches failed; another comes")
            turns.give_back(TICKING, "tick")
            tick_later()  # a new message: an outage of an hour must not use a tick's deliveries up
    return {"batchItemFailures": failures}


def collect(job: Job, _: int) -> Outcome:
    """Claim the job for a batch to come, and put it with the others. A delivery that finds it claimed and not yet placed does the second half again."""
    until_ms = worker.table.now_ms() + HOLD_MS
    held = worker.table.claim(job.job_id, until_ms, sent_at_ms=job.sent_at_ms, by="batch")
    if isinstance(held, Held):
        standing = None if held.is_over or "placed" in held.item else worker.table.claim_of(held.item)
        if standing is None:
            return Outcome("Repeated")
        held = standing
    if held.cancelled:
        return end(held, claims.cancelled(), Outcome("Cancelled"))
    entry = Collected(job.job_id, held.claimant, held.attempt, job.prompt, job.max_tokens, job.body)
    put(f"{WAITING}{job.job_id}", asdict(entry))
    tick_later()
    return Outcome("Collected")


def look(left_ms: int) -> None:
    """What a tick does: go on with what is open, place what is enough or has waited enough, and see that another tick comes."""
    now_ms = worker.table.now_ms()
    turn = uuid.uuid4().hex
    if turns.take(PLACING, turn, now_ms + left_ms, now_ms):
        try:
            for key, _ in listed(OPEN):
                go_on(get(key))
            place_what_waits()
        finally:
            turns.give_back(PLACING, turn)
    turns.give_back(TICKING, "tick")  # first this, then the look: whoever collects meanwhile makes a tick of his own
    if any(True for prefix in (WAITING, OPEN) for _ in listed(prefix)):
        tick_later()


def place_what_waits() -> None:
    """Divide what waits into batches; a rest that is too small and has waited long enough goes with fillers."""
    waiting = sorted(listed(WAITING), key=lambda found: found[1])
    groups, rest = batching.divide(waiting, FEWEST, MOST)
    if rest and (datetime.now(UTC) - rest[0][1]).total_seconds() >= BATCH_WAIT_S:
        groups.append(rest)
    for group in groups:
        name = f"{NAME}-{uuid.uuid4().hex[:12]}"
        jobs = [get(key) for key, _ in group]
        manifest = {"name": name, "arn": "", "decided": False, "jobs": jobs}
        put(f"{OPEN}{name}", manifest)
        go_on(manifest)


def go_on(manifest: dict[str, Any]) -> None:
    """One step of a batch, or as many as can be taken now. Each can be repeated."""
    name = manifest["name"]
    if not manifest["decided"]:
        entries = [Collected(**job) for job in manifest["jobs"]]
        manifest["jobs"] = [asdict(entry) for entry in entries if take_in(entry, name)]
        manifest["decided"] = True  # from here on the records are these, in this order, whatever happens
        put(f"{OPEN}{name}", manifest)
        for entry in entries:
            worker.s3.delete_object(Bucket=worker.BUCKET_NAME, Key=f"{WAITING}{entry.job_id}")
    entries = [Collected(**job) for job in manifest["jobs"]]
    if not entries:
        return close(name)
    records = [Record(entry.job_id, entry.prompt, entry.max_tokens) for entry in entries]
    if not manifest["arn"]:
        fillers = [Record(f"filler-{n}", FILLER, 1) for n in range(FEWEST - len(records))]
        try:
            manifest["arn"] = batching.submit(PLACE, name, [*records, *fillers], token=name)
        except ClientError as refused:
            if model.may_pass(refused):
                raise
            for entry in entries:
                settle(entry, Answer(entry.job_id, None, f"the batch was refused: {refused}"))
            return close(name)
        put(f"{OPEN}{name}", manifest)
        logger.info("placed", batch=name, arn=manifest["arn"], jobs=len(records), fillers=len(fillers))
        metrics.add_metric("Placed", MetricUnit.Count, len(records))
        metrics.add_metric("Fillers", MetricUnit.Count, len(fillers))
    job = batching.look(manifest["arn"])
    if job.status not in batching.OVER:
        return None
    for entry, answer in zip(entries, batching.read(PLACE, name, job, records), strict=True):
        metrics.add_metric(settle(entry, answer).kind, MetricUnit.Count, 1)
    return close(name)


def take_in(entry: Collected, name: str) -> bool:
    """Whether the job goes into this batch: it is still claimed for one, and still wanted."""
    item = worker.table.item(entry.job_id)
    standing = worker.table.claim_of(item)
    if standing is None or standing.claimant != entry.claimant or item.get("placed", {"S": name})["S"] != name:
        return False
    try:
        if standing.cancelled:
            end(standing, claims.cancelled(), Outcome("Cancelled"))
            return False
        worker.table.extend(standing, worker.table.now_ms() + HOLD_MS, placed={"S": name})
    except Lost:
        return False
    return True


def settle(entry: Collected, answer: Answer) -> Outcome:
    """End a job with its answer, or with the reason why there is none; what its batch did not get to goes back to the queue."""
    try:
        if answer.reply is not None:
            stored = worker.put_away_if_long(entry.claim, answer.reply)
            return end(entry.claim, claims.done(answer.reply, 0, stored), Outcome("Answered", answer.reply))
        unasked = answer.error.startswith("not processed")
        if not unasked or entry.attempt >= worker.MAX_RECEIVES:
            return end(entry.claim, claims.failed(answer.error, may_retry=unasked), Outcome("Failed"))
        worker.table.release(entry.claim, answer.error)
    except Lost:
        item = worker.table.item(entry.job_id)
        if not item or item["status"]["S"] != "QUEUED":
            return Outcome("Repeated")
        # It was given back, and the message perhaps never sent.
    worker.sqs.send_message(QueueUrl=worker.QUEUE_URL, MessageBody=entry.body)
    return Outcome("BackToQueue")


def end(claim: Claim, attributes: claims.Attributes, outcome: Outcome) -> Outcome:
    """End the job, and say so."""
    voice = push.Push(worker.EVENTS_URL, worker.REGION, claim.job_id, claim.attempt)
    return worker.finish(claim, attributes, voice, outcome)


def tick_later() -> None:
    """See that a tick is on its way; its lease is longer than its delay, and ends, so that a tick that got lost is replaced."""
    now_ms = worker.table.now_ms()
    if turns.take(TICKING, "tick", now_ms + (2 * LOOK_S + 60) * 1_000, now_ms):
        worker.sqs.send_message(QueueUrl=worker.QUEUE_URL, MessageBody=TICK, DelaySeconds=LOOK_S)


def close(name: str) -> None:
    """Nothing more is to be done for this batch."""
    worker.s3.delete_object(Bucket=worker.BUCKET_NAME, Key=f"{OPEN}{name}")


def listed(prefix: str) -> Iterable[tuple[str, datetime]]:
    """Keys under a prefix, and since when they are there; at most as many as one run can take."""
    pages = worker.s3.get_paginator("list_objects_v2").paginate(
        Bucket=worker.BUCKET_NAME, Prefix=prefix, PaginationConfig={"MaxItems": MOST}
    )
    for page in pages:
        for found in page.get("Contents", []):
            yield found["Key"], found["LastModified"]


def put(key: str, value: Any) -> None:
    """Write a JSON object."""
    worker.s3.put_object(Bucket=worker.BUCKET_NAME, Key=key, Body=json.dumps(value).encode())


def get(key: str) -> Any:
    """Read a JSON object."""
    return json.loads(worker.s3.get_object(Bucket=worker.BUCKET_NAME, Key=key)["Body"].read())
