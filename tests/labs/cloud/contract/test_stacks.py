"""What the labs rely on of CloudFormation."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.labs.cloud.kit import Aws
from tests.labs.cloud.stacks import Stacks

SERVICES = ("cloudformation", "sqs")
QUEUE: dict[str, Any] = {"Type": "AWS::SQS::Queue"}


def with_timeout(seconds: int) -> dict[str, Any]:
    return {
        "Parameters": {"Kind": {"Type": "String", "Default": "a", "AllowedValues": ["a", "b"]}},
        "Conditions": {"Never": {"Fn::Equals": [{"Ref": "Kind"}, "b"]}},
        "Resources": {
            "Queue": QUEUE | {"Properties": {"VisibilityTimeout": seconds}},
            "Extra": QUEUE | {"Condition": "Never"},
        },
        "Outputs": {
            "Url": {"Value": {"Ref": "Queue"}},
            "Arn": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}},
            "Text": {"Value": {"Fn::Sub": "${AWS::StackName}/${Queue.QueueName}"}},
        },
    }


@pytest.fixture
def made(cloud: Aws) -> Iterator[Stacks]:
    stacks = Stacks(cloud)
    yield stacks
    stacks.tidy()


def test_a_stack_is_made_changed_and_removed(made: Stacks, cloud: Aws) -> None:
    stack_id = made.create(with_timeout(10))
    stack = made.described(stack_id)
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert outputs["Arn"] == cloud.arn(outputs["Url"])
    assert outputs["Text"] == f"{stack['StackName']}/{outputs['Url'].rsplit('/', 1)[1]}"
    assert set(made.resources(stack_id)) == {"Queue"}
    assert made.update(stack["StackName"], with_timeout(20))["StackStatus"] == "UPDATE_COMPLETE"
    asked = cloud.sqs.get_queue_attributes(QueueUrl=outputs["Url"], AttributeNames=["VisibilityTimeout"])
    assert asked["Attributes"]["VisibilityTimeout"] == "20"
    made.delete(stack_id)
    with pytest.raises(ClientError, match=r"NonExistentQueue|QueueDoesNotExist"):
        cloud.sqs.get_queue_attributes(QueueUrl=outputs["Url"], AttributeNames=["All"])


def test_an_update_without_a_change_is_refused(made: Stacks) -> None:
    stack_id = made.create(with_timeout(10))
    with pytest.raises(ClientError, match="No updates are to be performed"):
        made.update(stack_id, with_timeout(10))


def test_a_type_that_aws_does_not_have_is_refused(made: Stacks) -> None:
    with pytest.raises(ClientError, match="Unrecognized resource types"):
        made.start({"Resources": {"A": {"Type": "AWS::Nosuch::Thing"}}})


def test_a_parameter_outside_its_allowed_values_is_refused(made: Stacks) -> None:
    parameters = [{"ParameterKey": "Kind", "ParameterValue": "z"}]
    with pytest.raises(ClientError, match="ValidationError"):
        made.start(with_timeout(10), Parameters=parameters)


def test_a_stack_that_is_not_there_says_so(made: Stacks) -> None:
    with pytest.raises(ClientError, match="does not exist"):
        made.described("nosuch")


def test_a_protected_stack_stays(made: Stacks) -> None:
    stack_id = made.create(with_timeout(10), EnableTerminationProtection=True)
    with pytest.raises(ClientError, match="TerminationProtection"):
        made.api.delete_stack(StackName=stack_id)
    made.api.update_termination_protection(StackName=stack_id, EnableTerminationProtection=False)


def test_a_change_set_says_what_it_would_do(made: Stacks) -> None:
    stack_id = made.create(with_timeout(10))
    name = made.described(stack_id)["StackName"]
    made.api.create_change_set(StackName=name, ChangeSetName="next", TemplateBody=json.dumps(with_timeout(20)))
    [change] = made.api.describe_change_set(StackName=name, ChangeSetName="next")["Changes"]
    described = change["ResourceChange"]
    assert (described["Action"], described["LogicalResourceId"]) == ("Modify", "Queue")


def test_a_failing_resource_rolls_the_stack_back(made: Stacks, cloud: Aws) -> None:
    dead = "arn:aws:sqs:us-east-1:123456789012:nosuch"
    mapping = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "DependsOn": "Queue",
        "Properties": {"FunctionName": "nosuch", "EventSourceArn": dead},
    }
    before = cloud.sqs.list_queues().get("QueueUrls", [])
    stack_id = made.create({"Resources": {"Queue": QUEUE, "Mapping": mapping}})
    assert made.status(stack_id) == "ROLLBACK_COMPLETE"
    assert cloud.sqs.list_queues().get("QueueUrls", []) == before


def test_what_is_retained_outlives_its_stack(made: Stacks, cloud: Aws) -> None:
    stack_id = made.create({"Resources": {"Queue": QUEUE | {"DeletionPolicy": "Retain"}}})
    url = made.resources(stack_id)["Queue"]["PhysicalResourceId"]
    made.delete(stack_id)
    assert cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    cloud.sqs.delete_queue(QueueUrl=url)


def test_events_are_there_newest_first(made: Stacks) -> None:
    stack_id = made.create(with_timeout(10))
    events = made.api.describe_stack_events(StackName=stack_id)["StackEvents"]
    assert (events[0]["ResourceType"], events[0]["ResourceStatus"]) == ("AWS::CloudFormation::Stack", "CREATE_COMPLETE")
    assert events[-1]["ResourceStatus"] == "CREATE_IN_PROGRESS"
