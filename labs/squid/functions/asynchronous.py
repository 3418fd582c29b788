"""The worker in front of an endpoint that answers later: it hands requests in, and completes the jobs when a topic announces their answers.

Nobody waits: a worker that is billed by the second would be idle for nothing while an endpoint at no instance starts one, which takes minutes.

The job's message is the safety net. It stays in the queue, hidden until the answer is overdue; the announcement ends the job and deletes
the message. An announcement that never comes lets the message reappear: then the answer is looked for where it was to be, and only when it is not
there the endpoint is asked again. So an answer is neither waited for nor lost, and an announcement that comes twice finds the job over.

A tenant's slots bound how many of its jobs are handed in at once, not how many wait in the endpoint's own queue.
https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html
"""

import json
import os
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from labs.squid.functions import claims, model, push, tracing, worker
from labs.squid.functions.claims import Claim, Held, Lost
from labs.squid.functions.worker import BackToQueue, Job, Outcome, logger, metrics
from labs.targets.calling import Reply, chat_reply, object_at

ANSWER_WAIT_S = int(os.environ["ANSWER_WAIT_S"])
"""How long an answer may take before it is looked for."""


@tracing.traced
@logger.inject_lambda_context
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point of both: messages of the queue, and announcements of the topics."""
    if event["Records"][0].get("EventSource") != "aws:sns":
        return worker.serve(event, context, hand_in)
    for record in event["Records"]:
        metrics.add_metric(complete(json.loads(record["Sns"]["Message"])).kind, MetricUnit.Count, 1)
    return {}


def hand_in(job: Job, _: int) -> Outcome:
    """Claim the job for as long as its answer may take, and ask for that; raises BackToQueue, which hides the message so long."""
    until_ms = worker.table.now_ms() + ANSWER_WAIT_S * 1000
    held = worker.table.claim(job.job_id, until_ms, sent_at_ms=job.sent_at_ms, by=job.message_id)
    if isinstance(held, Held):
        if held.is_over:
            return Outcome("Repeated")
        raise BackToQueue("it is handed in already", pause_s=max(0, held.until_ms - worker.table.now_ms()) / 1000 + 1)
    if held.cancelled:
        return end(held, claims.cancelled(), Outcome("Cancelled"))
    if held.output_at and (late := object_at(held.output_at)) is not None:
        return answered(held, late)
    try:
        # An id of 64 characters at most; the attempt tells whose announcement it is.
        where = worker.caller.hand_in(job.prompt, job.max_tokens, f"{job.job_id[:56]}.{held.attempt}")
    except model.FAILURES as refused:
        reason = f"{type(refused).__name__}: {refused}"
        if not model.may_pass(refused):
            return end(held, claims.failed(reason, may_retry=False), Outcome("Failed"))
        if job.receives < worker.MAX_RECEIVES:
            worker.table.release(held, reason)
            raise BackToQueue(reason, pause_s=worker.growing_pause_s(job.receives)) from refused
        end(
            held,
            claims.failed(f"given up after {job.receives} deliveries: {reason}", may_retry=True),
            Outcome("Failed"),
        )
        raise BackToQueue("given up; to the dead-letter queue", pause_s=0) from refused
    worker.table.extend(held, until_ms, output_at={"S": where}, receipt={"S": job.receipt})
    raise BackToQueue("handed in; its answer will be announced", pause_s=ANSWER_WAIT_S + 1)


def complete(said: dict[str, Any]) -> Outcome:
    """An announcement: end its job, and delete the message that waits for it."""
    job_id = said["inferenceId"].rpartition(".")[0]
    item = worker.table.item(job_id)
    held = worker.table.claim_of(item)
    if held is None:
        logger.info("nobody waits for this", job_id=job_id)
        return Outcome("Repeated")
    receipt = item["receipt"]["S"] if "receipt" in item else ""
    try:
        if said["invocationStatus"] == "Completed":
            where = said["responseParameters"]["outputLocation"]
            found = object_at(where)
            if found is None:
                raise LookupError(f"{where} was announced and is not there")  # the topic announces it again
            outcome = answered(held, found)
        else:
            outcome = failed(held, str(said.get("failureReason", "no reason was given")), receipt)
    except Lost:
        return Outcome("Repeated")
    if outcome.kind != "BackToQueue" and receipt:
        drop(receipt)
    return outcome


def answered(held: Claim, content: bytes) -> Outcome:
    """End the job with what the endpoint wrote."""
    if held.cancelled:
        return end(held, claims.cancelled(), Outcome("Cancelled"))
    try:
        reply: Reply = chat_reply(json.loads(content))
    except (ValueError, KeyError, IndexError, TypeError) as strange:
        reason = f"the endpoint answered in a shape that is no chat completion: {strange!r}"
        return end(held, claims.failed(reason, may_retry=False), Outcome("Failed"))
    return end(held, claims.done(reply, 0, worker.put_away_if_long(held, reply)), Outcome("Answered", reply))


def failed(held: Claim, reason: str, receipt: str) -> Outcome:
    """The endpoint gave up: what it calls a client's error stays one, anything else is tried again through the queue."""
    if held.cancelled:
        return end(held, claims.cancelled(), Outcome("Cancelled"))
    stays = "client error" in reason
    if stays or held.attempt >= worker.MAX_RECEIVES or not receipt:
        return end(held, claims.failed(reason, may_retry=not stays), Outcome("Failed"))
    worker.table.release(held, reason)
    worker.return_after(receipt, worker.growing_pause_s(held.attempt))
    return Outcome("BackToQueue")


def end(held: Claim, attributes: claims.Attributes, outcome: Outcome) -> Outcome:
    """End the job, and say so."""
    return worker.finish(
        held, attributes, push.Push(worker.EVENTS_URL, worker.REGION, held.job_id, held.attempt), outcome
    )


def drop(receipt: str) -> None:
    """Delete the message that waited. One that came meanwhile finds the job over, and is dropped then."""
    try:
        worker.sqs.delete_message(QueueUrl=worker.QUEUE_URL, ReceiptHandle=receipt)
    except (ClientError, BotoCoreError) as refused:
        logger.info("could not delete the message", reason=str(refused))
