"""Recorded calls: what is kept of them, and that they are answered again with nothing behind them."""

import json
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from click.testing import CliRunner

from labs.check import exchanges, replay_commands
from labs.cloud.state import ServerRecord
from labs.errors import Refusal

MODEL = "amazon.nova-lite-v1:0"
ASK = {
    "modelId": MODEL,
    "messages": [{"role": "user", "content": [{"text": "Yes or no?"}]}],
    "inferenceConfig": {"maxTokens": 8},
}


def use(name: str) -> tuple[str, str, str, str]:
    """A queue, a model's stream, a refusal: what a lab does."""
    sqs, bedrock = boto3.client("sqs"), boto3.client("bedrock-runtime")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    text = "".join(
        event["contentBlockDelta"]["delta"]["text"]
        for event in bedrock.converse_stream(**ASK)["stream"]
        if "contentBlockDelta" in event
    )
    try:
        sqs.get_queue_url(QueueName="nobody-made-it")
        refused = ""
    except sqs.exceptions.QueueDoesNotExist as error:
        refused = str(error)
    impatient = boto3.client("bedrock-runtime", config=Config(read_timeout=0.05, retries={"total_max_attempts": 1}))
    try:
        impatient.converse(**ASK)
        late = ""
    except ReadTimeoutError as error:
        late = type(error).__name__
    return url, text, refused, late


@pytest.fixture(scope="module")
def recorded(local_cloud: ServerRecord, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[str, ...]]:
    assert local_cloud.endpoint_url
    path: Path = tmp_path_factory.mktemp("recording") / "run.jsonl"
    with exchanges.recording(path):
        found = use("recorded-jobs")
    boto3.client("sqs").delete_queue(QueueUrl=found[0])
    return path, found


def test_a_recording_answers_as_the_cloud_did_with_nothing_behind_it(
    recorded: tuple[Path, tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, before = recorded
    assert all(before)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody is there
    with exchanges.answering(path, speed=100) as labels:
        assert use("recorded-jobs") == before
    assert labels == ["recorded on the local cloud: predicted by the serving model, not measured on AWS"]


def test_an_operation_that_was_not_recorded_is_refused_by_its_name(recorded: tuple[Path, tuple[str, ...]]) -> None:
    with exchanges.answering(recorded[0], speed=100), pytest.raises(Refusal, match=r"no call of dynamodb\.ListTables"):
        boto3.client("dynamodb").list_tables()


def test_after_the_recording_clients_reach_their_cloud_again(recorded: tuple[Path, tuple[str, ...]]) -> None:
    size = recorded[0].stat().st_size
    boto3.client("sqs").list_queues()
    assert recorded[0].stat().st_size == size


def test_no_signature_is_kept_and_a_stream_keeps_its_pace(recorded: tuple[Path, tuple[str, ...]]) -> None:
    text = recorded[0].read_text()
    assert "Signature=" not in text
    assert "AWS4-HMAC" not in text
    (stream,) = (said for said in exchanges.read(recorded[0]) if said["operation"].endswith("ConverseStream"))
    times = [at for at, _ in stream["chunks"]]
    assert times == sorted(times)
    assert times[-1] > times[0]


def test_of_an_aws_account_neither_number_nor_credentials_are_kept() -> None:
    said = {"cloud": exchanges.AWS, "operation": "sts.AssumeRole"}
    assert exchanges._text(b'{"AccessKeyId": "ASIA"}', said) == ""
    said["operation"] = "sqs.CreateQueue"
    assert exchanges._text(b"arn:aws:sqs:us-east-1:998877665544:jobs at 1764150000123", said) == (
        "arn:aws:sqs:us-east-1:123456789012:jobs at 1764150000123"
    )


def test_the_command_shows_a_recording_with_its_label_and_refuses_what_is_none(
    recorded: tuple[Path, tuple[str, ...]], tmp_path: Path
) -> None:
    shown = CliRunner().invoke(replay_commands.show, [str(recorded[0]), "--speed", "1000"], catch_exceptions=False)
    assert "not measured on AWS" in shown.output
    assert "sqs.CreateQueue" in shown.output
    assert "ReadTimeoutError" in shown.output
    listed = CliRunner().invoke(replay_commands.show, [str(recorded[0]), "--json"], catch_exceptions=False)
    assert len(json.loads(listed.output)["calls"]) == len(exchanges.read(recorded[0]))
    (tmp_path / "other.jsonl").write_text('{"operation": 7}\n')
    with pytest.raises(Refusal, match="is not a recording"):
        exchanges.read(tmp_path / "other.jsonl")
