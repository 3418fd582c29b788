"""What the labs rely on of Lambda and its event sources."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError

from tests.labs.cloud.kit import Aws, Failed, until

SERVICES = ("lambda", "sqs", "iam", "dynamodb")


@pytest.fixture(scope="module")
def echo(cloud: Aws) -> str:
    return cloud.function(
        """
        import os
        def handler(event, context):
            if event == "fail":
                raise ValueError("as asked")
            return {"event": event, "setting": os.environ.get("SETTING"), "ms": context.get_remaining_time_in_millis(),
                    "name": context.function_name, "request": context.aws_request_id}
        """,
        Environment={"Variables": {"SETTING": "on"}},
    )


def test_a_function_gets_its_event_its_environment_and_its_context(cloud: Aws, echo: str) -> None:
    said = cloud.invoke(echo, {"a": [1, "two"]})
    assert (said["event"], said["setting"], said["name"]) == ({"a": [1, "two"]}, "on", echo)
    assert 0 < said["ms"] <= 20_000
    assert said["request"]


def test_an_error_is_a_function_error_with_its_type(cloud: Aws, echo: str) -> None:
    with pytest.raises(Failed) as failed:
        cloud.invoke(echo, "fail")
    assert failed.value.kind == "Unhandled"
    assert failed.value.said["errorMessage"] == "as asked"
    assert failed.value.said["errorType"] == "ValueError"


def test_an_asynchronous_invocation_is_taken(cloud: Aws, echo: str) -> None:
    answer = cloud.lambda_.invoke(FunctionName=echo, InvocationType="Event", Payload=b"{}")
    assert answer["StatusCode"] == 202


def test_a_function_that_is_not_there_says_so(cloud: Aws) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        cloud.lambda_.invoke(FunctionName="nosuch", Payload=b"{}")


def test_a_package_can_be_replaced(cloud: Aws) -> None:
    from tests.labs.cloud.kit import zipped

    name = cloud.function("def handler(event, context): return 1")
    assert cloud.invoke(name) == 1
    cloud.lambda_.update_function_code(FunctionName=name, ZipFile=zipped("def handler(event, context): return 2"))
    until(lambda: cloud.lambda_.get_function_configuration(FunctionName=name)["LastUpdateStatus"] == "Successful")
    assert cloud.invoke(name) == 2


def test_a_queue_is_drained_and_only_what_failed_comes_again(cloud: Aws) -> None:
    dead = cloud.queue()
    redrive = {"deadLetterTargetArn": cloud.arn(dead), "maxReceiveCount": 2}
    queue = cloud.queue(VisibilityTimeout="3", RedrivePolicy=redrive)
    name = cloud.function(
        """
        def handler(event, context):
            failed = [record["messageId"] for record in event["Records"] if record["body"] == "poison"]
            return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}
        """,
        Timeout=3,
    )
    assert cloud.invoke(name, {"Records": []}) == {"batchItemFailures": []}
    cloud.mapping(queue, name, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"])
    cloud.send(queue, *map(str, range(8)), "poison")
    [poison] = until(lambda: cloud.receive(dead), seconds=60)
    assert poison["Body"] == "poison"
    until(lambda: cloud.count(queue) == cloud.count(queue, "NotVisible") == 0)
    assert cloud.receive(dead) == []


def test_a_mapping_keeps_its_settings(cloud: Aws, echo: str) -> None:
    queue = cloud.queue(VisibilityTimeout="60")
    made = cloud.mapping(queue, echo, BatchSize=7, ScalingConfig={"MaximumConcurrency": 3}, Enabled=False)
    told = cloud.lambda_.get_event_source_mapping(UUID=made)
    assert (told["BatchSize"], told["ScalingConfig"]) == (7, {"MaximumConcurrency": 3})
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        cloud.lambda_.get_event_source_mapping(UUID=str(uuid.uuid4()))


def test_a_function_url_can_be_had_and_given_up(cloud: Aws, echo: str) -> None:
    made = cloud.lambda_.create_function_url_config(FunctionName=echo, AuthType="NONE")
    assert cloud.lambda_.get_function_url_config(FunctionName=echo)["FunctionUrl"] == made["FunctionUrl"]
    cloud.lambda_.delete_function_url_config(FunctionName=echo)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        cloud.lambda_.get_function_url_config(FunctionName=echo)


def test_what_a_function_prints_is_in_its_log_group(cloud: Aws) -> None:
    name = cloud.function("def handler(event, context): print('seen', event)")
    cloud.invoke(name, {"mark": 1})

    def lines() -> list[str]:
        group = {"logGroupName": f"/aws/lambda/{name}"}
        try:
            return [event["message"] for event in cloud.logs.filter_log_events(**group)["events"]]
        except ClientError:
            return []

    assert until(lambda: any("seen {'mark': 1}" in line for line in lines()))
    assert json.dumps(lines()).count("REPORT RequestId") >= 1
