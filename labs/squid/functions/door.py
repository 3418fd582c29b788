"""The front door: hands jobs in, says what has become of them, cancels them. Behind an HTTP API, payload format 2.0.

    POST   /jobs         {"prompt": "...", "max_tokens": 200}    202, and where to look; `Idempotency-Key` makes a repeated request the same job
    GET    /jobs/{id}    200 with an ETag, 304 to If-None-Match; `Retry-After` says when a look is worth its while
    DELETE /jobs/{id}    200 when it will not be answered, 202 when it is being answered and will be stopped, 409 when it is over
    GET    /queue        how much waits

Why a door at all, and not the queue itself: a client gets no AWS credentials, a prompt is checked before it costs anything, and the item is
written before the message is sent, so that a job can be late and cannot vanish.

Who asks is whoever the API's authoriser let in; without one, anybody. With one, the claim TENANT_CLAIM names the tenant, a tenant sees its own
jobs only, and a body that names another is refused. Without one, a body may name a tenant, and is believed.
"""

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from labs.squid.functions import claims, jobs, push, tracing

TABLE_NAME = os.environ["TABLE_NAME"]
BUCKET_NAME = os.environ["BUCKET_NAME"]
QUEUE_URL = os.environ["QUEUE_URL"]
DEAD_LETTER_QUEUE_URL = os.environ["DEAD_LETTER_QUEUE_URL"]
JOB_DAYS = int(os.environ["JOB_DAYS"])
MAX_TOKENS = int(os.environ["MAX_TOKENS"])
MAX_PROMPT_BYTES = int(os.environ["MAX_PROMPT_BYTES"])
TENANT_CLAIM = os.environ["TENANT_CLAIM"]
TARGET_NAME = os.environ["TARGET_NAME"]
MODEL_ID = os.environ["MODEL_ID"]
EVENTS_HOST = os.environ["EVENTS_HOST"]
EVENTS_REALTIME_HOST = os.environ["EVENTS_REALTIME_HOST"]
EVENTS_KEY = os.environ["EVENTS_KEY"]

FIELDS = ("prompt", "max_tokens", "tenant")
KEY_MAX = 255
LINK_SECONDS = 300
FIRST_LOOK_S, LAST_LOOK_S = 1, 20

logger = Logger()
metrics = Metrics()
sqs = boto3.client("sqs")
dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3")

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class Problem(Exception):  # noqa: N818 - an answer
    """A request that is not met; the sentence goes to whoever sent it."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.answer = Answer(status, {"error": sentence}, headers)


@tracing.traced
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point."""
    del context
    metrics.add_metric("Requests", MetricUnit.Count, 1)
    try:
        answer = ROUTES[event["routeKey"]](event)
    except Problem as problem:
        answer = problem.answer
        metrics.add_metric("Refused", MetricUnit.Count, 1)
        logger.info("refused", route=event["routeKey"], status=answer.status, reason=str(problem))
    except (ClientError, BotoCoreError) as failed:
        logger.exception("a service did not do its part", route=event["routeKey"])
        metrics.add_metric("Unavailable", MetricUnit.Count, 1)
        answer = Problem(503, f"try again in a moment ({type(failed).__name__})", **{"Retry-After": "2"}).answer
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store", **answer.headers}
    body = "" if answer.status == 304 else json.dumps(answer.body, ensure_ascii=False)
    return {"statusCode": answer.status, "headers": headers, "body": body}


def submit(event: Event) -> Answer:
    """POST /jobs"""
    body, key = parsed(event), idempotency_key(event)
    tenant = tenant_of(event)
    if tenant is not None and body.get("tenant") not in (None, tenant):
        raise Problem(403, "the body names another tenant than the token; leave the tenant out")
    try:
        message = jobs.write(body.get("prompt"), body.get("max_tokens"), key, tenant or body.get("tenant"))
    except jobs.Unfit as wrong:
        raise Problem(400, str(wrong)) from None
    if (size_bytes := len(message.body)) > MAX_PROMPT_BYTES:
        raise Problem(
            413,
            f"the prompt makes a message of {size_bytes:,} bytes; at most {MAX_PROMPT_BYTES:,} are taken here "
            "(put a long document into S3 and its address into the prompt)",
        )
    status = enter(message)
    if status == "QUEUED":
        send(message, keyed=key is not None)
        metrics.add_metric("Accepted", MetricUnit.Count, 1)
        logger.info("accepted", job_id=message.job_id, tenant=message.tenant, message_bytes=size_bytes)
    said: dict[str, Any] = {"job_id": message.job_id, "status": status, "target": TARGET_NAME, "model_id": MODEL_ID}
    if EVENTS_HOST:
        said["events"] = {
            "realtime": EVENTS_REALTIME_HOST,
            "host": EVENTS_HOST,
            "api_key": EVENTS_KEY,
            "channel": push.channel(message.job_id),
        }
    return Answer(202, said, {"Location": f"/jobs/{message.job_id}", "Retry-After": str(FIRST_LOOK_S)})


def look(event: Event) -> Answer:
    """GET /jobs/{id}"""
    item = found(event)
    seen = jobs.view(item)
    if "answer_at" in item:  # not part of the ETag below: a new link is no new answer
        link = s3.generate_presigned_url(
            "get_object", Params={"Bucket": BUCKET_NAME, "Key": item["answer_at"]["S"]}, ExpiresIn=LINK_SECONDS
        )
        seen_too = {"text_url": link}
    else:
        seen_too = {}
    tag = f'"{hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:20]}"'
    headers = {"ETag": tag}
    if seen["status"] not in jobs.FINAL:
        headers["Retry-After"] = str(worth_a_look_in_s(seen))
    wanted = {each.strip().removeprefix("W/") for each in header(event, "if-none-match").split(",")}
    if tag in wanted or "*" in wanted:
        return Answer(304, headers=headers)
    return Answer(200, seen | seen_too, headers)


def cancel(event: Event) -> Answer:
    """DELETE /jobs/{id}: each move is one conditional write, so a job that ends at this moment stays what it became."""
    job_id = found(event)["job_id"]["S"]
    item = claims.cancel(dynamodb, TABLE_NAME, job_id)
    if item is not None:
        over = item["status"]["S"] == "CANCELLED"
        metrics.add_metric("CancelRequested", MetricUnit.Count, 1)
        logger.info("cancelled", job_id=job_id, at_once=over)
        return Answer(200 if over else 202, jobs.view(item), {} if over else {"Retry-After": "1"})
    item = found(event)
    if item["status"]["S"] == "CANCELLED":
        return Answer(200, jobs.view(item))
    raise Problem(409, f"the job is {item['status']['S']}; what is over cannot be cancelled")


def depth(event: Event) -> Answer:
    """GET /queue: as the queues count it, about right and a moment late."""
    del event
    names = {
        "waiting": "ApproximateNumberOfMessages",
        "working": "ApproximateNumberOfMessagesNotVisible",
        "later": "ApproximateNumberOfMessagesDelayed",
    }
    attributes = sqs.get_queue_attributes(QueueUrl=QUEUE_URL, AttributeNames=list(names.values()))["Attributes"]
    dead = sqs.get_queue_attributes(QueueUrl=DEAD_LETTER_QUEUE_URL, AttributeNames=["ApproximateNumberOfMessages"])[
        "Attributes"
    ]
    counts = {meaning: int(attributes[name]) for meaning, name in names.items()}
    counts["dead"] = int(dead["ApproximateNumberOfMessages"])
    return Answer(200, {"target": TARGET_NAME, "model_id": MODEL_ID, "max_tokens": MAX_TOKENS, **counts})


ROUTES: dict[str, Callable[[Event], Answer]] = {
    "POST /jobs": submit,
    "GET /jobs/{id}": look,
    "DELETE /jobs/{id}": cancel,
    "GET /queue": depth,
}


def parsed(event: Event) -> dict[str, Any]:
    """The body, as a JSON object with fields that are known. Raises Problem."""
    kind = header(event, "content-type").partition(";")[0].strip().lower()
    if kind not in ("application/json", ""):
        raise Problem(415, f"the body is {kind}; send application/json")
    raw = event.get("body") or ""
    try:
        text = base64.b64decode(raw).decode() if event.get("isBase64Encoded") else raw
        body = json.loads(text)
    except (ValueError, RecursionError) as wrong:
        raise Problem(400, f"the body is not JSON: {wrong}") from None
    if not isinstance(body, dict):
        raise Problem(400, 'the body is not a JSON object; send {"prompt": "..."}')
    if unknown := sorted(set(body) - set(FIELDS)):
        raise Problem(400, f"unknown field '{unknown[0][:50]}' (known: {', '.join(FIELDS)})")
    return body


def idempotency_key(event: Event) -> str | None:
    """What the caller calls this request. Raises Problem."""
    key = header(event, "idempotency-key")
    if not key:
        return None
    if len(key) > KEY_MAX or not key.isascii() or not key.isprintable():
        raise Problem(400, f"an Idempotency-Key has 1 to {KEY_MAX} printable ASCII characters")
    return key


def tenant_of(event: Event) -> str | None:
    """Who asks, as the authoriser found; None where there is none. Raises Problem when its token names nobody."""
    authorizer = event.get("requestContext", {}).get("authorizer") or {}
    if "jwt" not in authorizer:
        return None
    tenant = authorizer["jwt"]["claims"].get(TENANT_CLAIM)
    if not tenant or not jobs.TENANT.fullmatch(tenant):
        raise Problem(403, f"the token's claim '{TENANT_CLAIM}' names no tenant")
    return str(tenant)


def header(event: Event, name: str) -> str:
    """A header's value, or nothing."""
    return str((event.get("headers") or {}).get(name, ""))


def found(event: Event) -> Mapping[str, Any]:
    """The item that the path names. Raises Problem when there is none, or none of this tenant's: who may not see it learns nothing of it."""
    job_id = event["pathParameters"]["id"]
    item: Mapping[str, Any] = dynamodb.get_item(
        TableName=TABLE_NAME, Key={"job_id": {"S": job_id}}, ConsistentRead=True
    ).get("Item", {})
    tenant = tenant_of(event)
    if not item or (tenant is not None and item.get("tenant", {}).get("S") != tenant):
        raise Problem(404, f"there is no such job; answers are kept for {JOB_DAYS} days")
    return item


def enter(message: jobs.Message) -> str:
    """Write the job down; returns its status now. Raises Problem when its key belongs to another request."""
    now_s = time.time()
    try:
        dynamodb.put_item(
            TableName=TABLE_NAME,
            Item=jobs.entry(message, round(now_s * 1000), int(now_s) + JOB_DAYS * 86_400),
            ConditionExpression="attribute_not_exists(job_id)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as there:
        item: Mapping[str, Any] = there.response["Item"]
        if item.get("request_hash", {}).get("S") != message.request_hash:
            raise Problem(422, "this Idempotency-Key was used for another request; a key names one job") from there
        return str(item["status"]["S"])  # QUEUED: perhaps the first message was never sent, and a second does no harm
    return "QUEUED"


def send(message: jobs.Message, *, keyed: bool) -> None:
    """Put the message into the queue. A tenant's messages form a group: a fair queue lets no tenant's backlog delay another's jobs."""
    group = {} if message.tenant is None else {"MessageGroupId": message.tenant}
    try:
        sqs.send_message(QueueUrl=QUEUE_URL, MessageBody=message.body, **group)
    except (ClientError, BotoCoreError):
        if not keyed:  # nobody can send this one again under its name: it ends here
            close(message.job_id, "the queue did not take it; hand it in again")
        raise


def close(job_id: str, reason: str) -> None:
    """Give up a job that no worker has seen."""
    try:
        dynamodb.update_item(
            TableName=TABLE_NAME,
            Key={"job_id": {"S": job_id}},
            UpdateExpression="SET #status = :failed, #error = :error, may_retry = :no, finished_at_ms = :now",
            ConditionExpression="#status = :queued",
            ExpressionAttributeNames={"#status": "status", "#error": "error"},
            ExpressionAttributeValues={
                ":failed": {"S": "FAILED"},
                ":queued": {"S": "QUEUED"},
                ":error": {"S": reason},
                ":no": {"BOOL": False},
                ":now": {"N": str(time.time_ns() // 1_000_000)},
            },
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return  # the queue did take it, and a worker has it


def worth_a_look_in_s(seen: Mapping[str, Any]) -> int:
    """A tenth of the age so far: a job that has taken a minute will hardly end within the next second."""
    age_s = time.time() - int(seen.get("queued_at_ms", 0)) / 1000
    return max(FIRST_LOOK_S, min(LAST_LOOK_S, round(age_s / 10)))
