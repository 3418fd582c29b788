"""Batch inference on Amazon Bedrock, in the pieces that a queue's collector needs: divide what waits into jobs, submit one, look, read it.

    place = Place("amazon.nova-lite-v1:0", "my-bucket", "arn:aws:iam::...:role/...")
    batches, rest = divide(waiting, fewest=100, most=50_000)
    arn = submit(place, "job-1", batches[0], token="...")
    job = look(arn)
    if job.status in OVER: answers = read(place, "job-1", job, batches[0])

It imports nothing of the course's but `labs.targets.calling`, so that a function in an account can carry it. Records are Converse requests.
Files: https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-data.html and .../batch-inference-results.html
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, TypeVar

import boto3
from botocore.exceptions import ClientError

from labs.targets.calling import Reply, converse_reply

OVER = ("Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired")
"""States in which a job rests. In all but Failed what was answered by then is in the bucket."""

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """Where jobs run: plain text, so that it fits into a function's environment."""

    model_id: str
    bucket: str
    role_arn: str

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Place":
        """The place that `to_json` wrote."""
        return Place(**json.loads(text))


@dataclass(frozen=True)
class Record:
    """One request."""

    id: str
    """The caller's own name for it; Bedrock never sees it."""
    prompt: str
    max_tokens: int = 512


@dataclass(frozen=True)
class Answer:
    """What became of a record: a reply, or the reason why there is none."""

    id: str
    reply: Reply | None
    error: str = ""


@dataclass(frozen=True)
class Job:
    """A job as it is now."""

    arn: str
    status: str
    reason: str
    records: int
    processed: int
    failed: int

    @property
    def id(self) -> str:
        """The last part of its ARN, and the folder of its results."""
        return self.arn.rpartition("/")[2]


def divide(waiting: Sequence[T], fewest: int, most: int) -> tuple[list[Sequence[T]], Sequence[T]]:
    """Jobs of `fewest` to `most` records, as even as they can be, in order; and what must wait because too few are there."""
    if not 1 <= fewest <= most:
        raise ValueError(f"jobs of {fewest} to {most} records cannot be")
    count = -(-len(waiting) // most)
    if count * fewest > len(waiting):  # so many jobs would be too small: full ones, and a rest
        count = len(waiting) // most
        taken = count * most
    else:
        taken = len(waiting)
    bounds = [taken * i // count for i in range(count + 1)] if count else [0]
    batches = [waiting[begin:end] for begin, end in pairwise(bounds)]
    return batches, waiting[taken:]


def submit(
    place: Place, name: str, records: Sequence[Record], *, token: str, timeout_hours: int = 24, tags: Sequence[Any] = ()
) -> str:
    """Write the records to S3 and create the job; its ARN. The same token again finds the same job."""
    lines = "".join(
        f"{json.dumps(_line(number, record), ensure_ascii=False)}\n" for number, record in enumerate(records)
    )
    key = f"in/{name}.jsonl"
    boto3.client("s3").put_object(Bucket=place.bucket, Key=key, Body=lines.encode())
    bedrock: Any = boto3.client("bedrock")
    arn: str = bedrock.create_model_invocation_job(
        jobName=name,
        clientRequestToken=token,
        roleArn=place.role_arn,
        modelId=place.model_id,
        modelInvocationType="Converse",
        inputDataConfig={"s3InputDataConfig": {"s3Uri": f"s3://{place.bucket}/{key}"}},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": f"s3://{place.bucket}/out/{name}/"}},
        timeoutDurationInHours=timeout_hours,
        tags=list(tags),
    )["jobArn"]
    return arn


def look(arn: str) -> Job:
    """How the job stands."""
    bedrock: Any = boto3.client("bedrock")
    found = bedrock.get_model_invocation_job(jobIdentifier=arn)
    return Job(
        arn,
        found["status"],
        found.get("message", ""),
        found.get("totalRecordCount", 0),
        found.get("processedRecordCount", 0),
        found.get("errorRecordCount", 0),
    )


def read(place: Place, name: str, job: Job, records: Sequence[Record]) -> list[Answer]:
    """What became of each record, in their order; those that a job did not get to say so."""
    outcomes = _outcomes(_object(place.bucket, f"out/{name}/{job.id}/{name}.jsonl.out"))
    return [_answer(record, outcomes.get(_record_id(number)), job) for number, record in enumerate(records)]


def tokens(place: Place, name: str, job: Job) -> tuple[int, int]:
    """Input and output tokens of the whole job, from its manifest; (0, 0) when it wrote none."""
    manifest = json.loads(_object(place.bucket, f"out/{name}/{job.id}/manifest.json.out") or "{}")
    return manifest.get("inputTokenCount", 0), manifest.get("outputTokenCount", 0)


def _record_id(number: int) -> str:
    """AWS asks for eleven letters and digits; our own ids may be anything."""
    return f"R{number:010d}"


def _line(number: int, record: Record) -> dict[str, Any]:
    return {
        "recordId": _record_id(number),
        "modelInput": {
            "messages": [{"role": "user", "content": [{"text": record.prompt}]}],
            "inferenceConfig": {"maxTokens": record.max_tokens},
        },
    }


def _outcomes(text: str) -> dict[str, dict[str, Any]]:
    """The lines of a result by their id; a last line that was cut off is left out."""
    found = {}
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        found[entry.get("recordId", "")] = entry
    return found


def _answer(record: Record, outcome: dict[str, Any] | None, job: Job) -> Answer:
    if outcome is None:
        return Answer(record.id, None, f"not processed: the job is {job.status}")
    if "modelOutput" not in outcome:
        error = outcome.get("error") or {}
        return Answer(
            record.id, None, f"{error.get('errorMessage', 'no reason given')} ({error.get('errorCode', '?')})"
        )
    return Answer(record.id, converse_reply(outcome["modelOutput"]))


def _object(bucket: str, key: str) -> str:
    """An object's text, or nothing when it is not there."""
    try:
        return str(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read(), "utf-8")
    except ClientError as refused:
        if refused.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return ""
        raise
