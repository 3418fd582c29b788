"""Batch inference: JSONL from S3 to S3, records that fail one by one, jobs that fail as a whole, stop, or run out of time."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from labs import facts
from labs.cloud.context import Context
from labs.cloud.services import bedrock_batch
from tests.labs.cloud.bedrock_kit import ROLE, checked, code_of, passes, user
from tests.labs.cloud.kit import until

__all__ = ["passes"]

NOVA = "amazon.nova-lite-v1:0"
HOUR = 3600.0
LEAST = int(facts.number("bedrock.batch.records_min"))


def record(number: int, **change: Any) -> dict[str, Any]:
    body = {"messages": user(f"Say {number}."), "inferenceConfig": {"maxTokens": 3}}
    return {"recordId": f"RECORD{number:05}", "modelInput": body | change}


Put = Callable[..., str]


@pytest.fixture
def put(in_process_cloud: Context) -> Put:  # noqa: ARG001
    """Puts records into a file of the bucket and gives its address."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="batch")

    def write(records: list[Any], key: str = "in/records.jsonl") -> str:
        lines = (line if isinstance(line, str) else json.dumps(line) for line in records)
        s3.put_object(Bucket="batch", Key=key, Body="\n".join(lines).encode())
        return f"s3://batch/{key}"

    return write


def submit(bedrock: Any, uri: str, name: str = "job", **more: Any) -> str:
    arn: str = bedrock.create_model_invocation_job(
        **{
            "jobName": name,
            "roleArn": ROLE,
            "modelId": NOVA,
            "inputDataConfig": {"s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": uri}},
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://batch/out/"}},
            **more,
        }
    )["jobArn"]
    return arn


def results(arn: str, name: str = "records.jsonl") -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Lines and manifest that a job wrote."""
    s3, folder = boto3.client("s3"), f"out/{arn.rpartition('/')[2]}"
    lines = s3.get_object(Bucket="batch", Key=f"{folder}/{name}.out")["Body"].read().decode().splitlines()
    manifest = s3.get_object(Bucket="batch", Key=f"{folder}/manifest.json.out")["Body"].read()
    return [json.loads(line) for line in lines], json.loads(manifest)


def test_a_job_answers_its_records(put: Put, passes: Callable[[float], None]) -> None:
    bedrock = checked("bedrock")
    bad = [record(1, prompt="?"), record(2, messages=[]), {"modelInput": "text"}]
    arn = submit(
        bedrock, put([record(number) for number in range(10, 10 + LEAST)] + bad), tags=[{"key": "a", "value": "b"}]
    )
    seen = []
    for wait_s in (0.0, 40.0, 60.0, 121.0):
        passes(wait_s)
        seen.append(bedrock.get_model_invocation_job(jobIdentifier=arn)["status"])
    assert seen == ["Submitted", "Validating", "Scheduled", "InProgress"]
    passes(HOUR)
    shown = bedrock.get_model_invocation_job(jobIdentifier=arn)
    assert shown["status"] == "Completed"
    counts = {name: shown[f"{name}RecordCount"] for name in ("total", "processed", "success", "error")}
    assert counts == {"total": LEAST + 3, "processed": LEAST + 3, "success": LEAST, "error": 3}

    lines, manifest = results(arn)
    assert {name: manifest[f"{name}RecordCount"] for name in counts} == counts
    assert manifest["outputTokenCount"] == 3 * LEAST
    by_id = {line["recordId"]: line for line in lines}
    good = by_id["RECORD00010"]
    assert good["modelInput"] == record(10)["modelInput"]
    assert good["modelOutput"]["output"]["message"]["content"][0]["text"] == "[stand-"
    assert manifest["inputTokenCount"] > good["modelOutput"]["usage"]["inputTokens"] * LEAST / 2
    assert by_id["RECORD00001"]["error"]["errorCode"] == 400
    assert "extraneous key [prompt]" in by_id["RECORD00001"]["error"]["errorMessage"]
    [nameless] = [line for line in lines if line["modelInput"] == "text"]
    assert len(nameless["recordId"]) == 11
    [listed] = bedrock.list_model_invocation_jobs(statusEquals="Completed")["invocationJobSummaries"]
    assert listed["jobArn"] == arn
    assert bedrock.list_tags_for_resource(resourceARN=arn)["tags"] == [{"key": "a", "value": "b"}]


def test_a_folder_of_converse_requests(put: Put, passes: Callable[[float], None]) -> None:
    bedrock = checked("bedrock")
    half = LEAST // 2
    put([record(number) for number in range(half)], "folder/a.jsonl")
    put(
        [record(number) for number in range(half, LEAST)] + [record(900, toolConfig={"tools": []})],
        "folder/sub/b.jsonl",
    )
    put(["no record"], "folder/readme.txt")
    arn = submit(bedrock, "s3://batch/folder", modelInvocationType="Converse", modelId="us.amazon.nova-lite-v1:0")
    passes(HOUR)
    first, manifest = results(arn, "a.jsonl")
    second, _ = results(arn, "sub/b.jsonl")
    assert (len(first), len(second)) == (half, LEAST - half + 1)
    assert first[0]["modelOutput"]["usage"]["outputTokens"] == 3
    assert manifest["errorRecordCount"] == sum("error" in line for line in second)


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([record(1)] * (LEAST - 1), f"fewer records ({LEAST - 1}) than the required minimum of: {LEAST}"),
        ([record(1)] * LEAST + ["{"], f"Line {LEAST + 1} of the file in/records.jsonl is not a JSON object"),
        ([record(1)] * LEAST + [{"recordId": "x"}], "with a modelInput"),
        (["x"] * 3, "Line 1 of the file"),
    ],
)
def test_a_job_fails_as_a_whole(put: Put, passes: Callable[[float], None], records: list[Any], words: str) -> None:
    bedrock = checked("bedrock")
    arn = submit(bedrock, put(records))
    passes(HOUR)
    shown = bedrock.get_model_invocation_job(jobIdentifier=arn)
    assert shown["status"] == "Failed"
    assert words in shown["message"]


def test_more_records_than_a_job_may_have(
    put: Put, passes: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = facts.number
    monkeypatch.setattr(facts, "number", lambda id: 120 if id == "bedrock.batch.records_max" else number(id))
    bedrock = checked("bedrock")
    arn = submit(bedrock, put([record(1)] * 121))
    passes(HOUR)
    assert "required maximum of" in bedrock.get_model_invocation_job(jobIdentifier=arn)["message"]


def test_a_job_runs_out_of_time_with_a_part_of_it_done(
    put: Put, passes: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # An engine that needs ten minutes a record, one after another: in 24 hours it does 144 and the one it began with.
    monkeypatch.setattr(bedrock_batch, "finish_times", lambda _, records: [600.0 * i for i in range(len(records))])
    bedrock = checked("bedrock")
    arn = submit(bedrock, put([record(number) for number in range(3 * LEAST)]))
    passes(50 * HOUR)
    shown = bedrock.get_model_invocation_job(jobIdentifier=arn)
    assert shown["status"] == "PartiallyCompleted"
    assert shown["processedRecordCount"] == 145
    lines, manifest = results(arn)
    assert len(lines) == manifest["processedRecordCount"] == shown["processedRecordCount"]
    assert manifest["totalRecordCount"] == 3 * LEAST


def test_a_job_stops_when_told(put: Put, passes: Callable[[float], None]) -> None:
    bedrock = checked("bedrock")
    arn = submit(bedrock, put([record(number) for number in range(LEAST)]))
    bedrock.stop_model_invocation_job(jobIdentifier=arn)
    assert bedrock.get_model_invocation_job(jobIdentifier=arn)["status"] == "Stopping"
    passes(HOUR)
    assert bedrock.get_model_invocation_job(jobIdentifier=arn)["status"] == "Stopped"
    assert code_of(bedrock.stop_model_invocation_job, jobIdentifier=arn) == "ConflictException"


def test_bad_input(put: Put, passes: Callable[[float], None]) -> None:
    bedrock = checked("bedrock")
    uri = put([record(number) for number in range(LEAST)])
    submit(bedrock, uri)
    assert code_of(submit, bedrock=bedrock, uri=uri) == "ConflictException"
    imported = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdef123456"
    for model_id, code in (
        ("no.such-model", "ValidationException"),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", "ValidationException"),
        ("us.anthropic.claude-sonnet-5", "AccessDeniedException"),
        (imported, "ValidationException"),
    ):
        assert code_of(submit, bedrock=bedrock, uri=uri, name="other", modelId=model_id) == code
    assert code_of(submit, bedrock=bedrock, uri=uri, name="other", timeoutDurationInHours=999) == "ValidationException"
    unknown = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcdef123456"
    assert code_of(bedrock.get_model_invocation_job, jobIdentifier=unknown) == "ResourceNotFoundException"
    lost = submit(bedrock, "s3://batch/nothing-here/", "lost")
    away = submit(bedrock, "s3://no-such-bucket/x.jsonl", "away")
    passes(HOUR)
    for arn, words in ((lost, "No file that ends in .jsonl"), (away, "no-such-bucket")):
        assert words in bedrock.get_model_invocation_job(jobIdentifier=arn)["message"]


def test_in_the_server_a_job_ends_by_itself(local_cloud: Any) -> None:  # noqa: ARG001
    bedrock = checked("bedrock")
    arn = submit(bedrock, "s3://no-such-bucket/records.jsonl", "of-the-server")

    def ended() -> dict[str, Any] | None:
        shown: dict[str, Any] = bedrock.get_model_invocation_job(jobIdentifier=arn)
        return shown if shown["status"] == "Failed" else None

    assert "no-such-bucket" in until(ended, seconds=60)["message"]
    listed = bedrock.list_model_invocation_jobs(nameContains="of-the-server")["invocationJobSummaries"]
    assert [each["jobArn"] for each in listed] == [arn]
