"""The AWS CLI works against what the lab deploys: looked at, used and removed by somebody who knows `aws` and not `lab`.

The CLI wants a docutils that Sphinx cannot use, so it has an environment of its own, made in pytest's cache from pinned versions with hashes.
It is some 200 MB, and each call starts Python anew; so this is for `make soak`.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from labs import terminal
from labs.cli import cli
from labs.cloud.state import ServerRecord
from tests.labs.cloud.contract import ministack
from tests.labs.cloud.inventory import inventory
from tests.labs.cloud.kit import until

PINS = Path(__file__).with_name("awscli.txt")
pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]
ENDPOINT = "cli-endpoint"
OLD_ADDRESSES = ("sqs",)
"""Services that version 1 of the CLI asks at an old address of AWS's, whatever the environment says, unless --endpoint-url names another."""

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def before(local_cloud: ServerRecord) -> set[str]:
    """What is in the cloud before anything is deployed."""
    del local_cloud
    return inventory(boto3.Session())


@pytest.fixture(scope="module")
def aws(before: set[str], request: pytest.FixtureRequest) -> Run:
    """Run `aws WORDS` in this process's own surroundings; its answer, from JSON where it is some."""
    del before
    assert request.config.cache is not None
    python = ministack.installed(Path(str(request.config.cache.mkdir("awscli"))), PINS)

    def run(*words: str) -> Any:
        if words[0] in OLD_ADDRESSES:
            words = ("--endpoint-url", os.environ["AWS_ENDPOINT_URL"], *words)
        done = subprocess.run(
            [str(python), "-m", "awscli", *words], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout.strip()

    return run


@pytest.fixture(scope="module")
def outputs(aws: Run) -> Iterator[dict[str, str]]:
    """A stack of the queue, and what `aws cloudformation describe-stacks` says of it."""
    assert terminal.run(cli, "lab", ["deploy", "squid", "--name", "cli-squid", "--max-tokens", "24", "--json"]) == 0
    [stack] = aws("cloudformation", "describe-stacks", "--stack-name", "cli-squid")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    yield {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    terminal.run(cli, "lab", ["teardown", "--all", "--json"])


def test_a_stacks_resources_are_listed_and_each_is_there(aws: Run, outputs: dict[str, str]) -> None:
    listed = aws("cloudformation", "list-stack-resources", "--stack-name", "cli-squid")["StackResourceSummaries"]
    names = {each["ResourceType"]: each["PhysicalResourceId"] for each in listed}
    assert {"AWS::SQS::Queue", "AWS::ApiGatewayV2::Api", "AWS::AppSync::Api"} <= set(names)
    function = aws("lambda", "get-function-configuration", "--function-name", outputs["FunctionName"])
    assert function["Environment"]["Variables"]["TABLE_NAME"] == outputs["TableName"]
    door = aws("apigatewayv2", "get-api", "--api-id", names["AWS::ApiGatewayV2::Api"])
    assert door["ApiEndpoint"] == outputs["ApiUrl"]
    alarms = aws("cloudwatch", "describe-alarms", "--alarm-names", names["AWS::CloudWatch::Alarm"])["MetricAlarms"]
    assert alarms[0]["MetricName"] == "ApproximateNumberOfMessagesVisible"
    document = aws("iam", "list-role-policies", "--role-name", names["AWS::IAM::Role"])
    assert document["PolicyNames"]


def test_a_job_that_is_sent_by_hand_is_answered_and_logged(aws: Run, outputs: dict[str, str]) -> None:
    body = json.dumps({"job_id": "by-hand", "prompt": "Why a queue?", "max_tokens": 12})
    aws("sqs", "send-message", "--queue-url", outputs["QueueUrl"], "--message-body", body)
    key = json.dumps({"job_id": {"S": "by-hand"}})
    item: dict[str, Any] = {}

    def is_done() -> bool:
        found = (
            aws("dynamodb", "get-item", "--table-name", outputs["TableName"], "--key", key) or {}
        )  # says nothing of none
        item.update(found.get("Item", {}))
        return bool(item) and item["status"]["S"] == "DONE"

    until(is_done, seconds=60)
    assert int(item["output_tokens"]["N"]) <= 12
    counted = aws("sqs", "get-queue-attributes", "--queue-url", outputs["QueueUrl"], "--attribute-names", "All")[
        "Attributes"
    ]
    assert counted["ApproximateNumberOfMessages"] == "0"
    log = ("logs", "filter-log-events", "--log-group-name", outputs["LogGroupName"])
    until(lambda: any("by-hand" in event["message"] for event in aws(*log)["events"]), seconds=60)


def test_models_answer_and_files_come_and_go(aws: Run, outputs: dict[str, str], tmp_path: Path) -> None:
    messages = json.dumps([{"role": "user", "content": [{"text": "Name three rivers."}]}])
    asked = ("bedrock-runtime", "converse", "--model-id", outputs["ModelId"], "--messages", messages)
    answer = aws(*asked, "--inference-config", "maxTokens=8")
    assert answer["usage"]["outputTokens"] <= 8
    assert terminal.run(cli, "lab", ["deploy", "sagemaker-serverless", "--name", ENDPOINT, "--json"]) == 0
    body, answered = tmp_path / "body.json", tmp_path / "answer.json"
    body.write_text(json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}))
    invoke = ("sagemaker-runtime", "invoke-endpoint", "--endpoint-name", ENDPOINT, "--content-type", "application/json")
    aws(*invoke, "--body", f"fileb://{body}", str(answered))
    assert json.loads(answered.read_text())["choices"]
    there = f"s3://{outputs['BucketName']}/by-hand/body.json"
    aws("s3", "cp", str(body), there)
    assert "body.json" in aws("s3", "ls", f"s3://{outputs['BucketName']}/by-hand/")
    aws("s3", "cp", there, str(tmp_path / "back.json"))
    assert (tmp_path / "back.json").read_text() == body.read_text()
    aws("s3", "rm", there)


def test_the_cli_removes_the_stack_and_the_lab_finds_nothing_left(
    aws: Run, outputs: dict[str, str], before: set[str]
) -> None:
    del outputs
    for stack in ("cli-squid", ENDPOINT):
        aws("cloudformation", "delete-stack", "--stack-name", stack)
        aws("cloudformation", "wait", "stack-delete-complete", "--stack-name", stack)
    assert terminal.run(cli, "lab", ["teardown", "--all", "--json"]) == 0, "the bucket of the functions' code"
    assert inventory(boto3.Session()) - before == set()
