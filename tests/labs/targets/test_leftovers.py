"""What a teardown left is found by asking each service, and what cannot be looked for is never called gone."""

import boto3
import pytest

from labs.targets import leftovers
from labs.targets.leftovers import Resource

pytestmark = pytest.mark.usefixtures("local_cloud")


def test_a_resource_is_left_until_its_service_no_longer_knows_it() -> None:
    sqs, iam, logs = boto3.client("sqs"), boto3.client("iam"), boto3.client("logs")
    queue_url = sqs.create_queue(QueueName="left-behind")["QueueUrl"]
    iam.create_role(RoleName="left-behind", AssumeRolePolicyDocument="{}")
    logs.create_log_group(logGroupName="left-behind")
    resources = [
        Resource("AWS::SQS::Queue", queue_url),
        Resource("AWS::IAM::Role", "left-behind"),
        Resource("AWS::Logs::LogGroup", "left-behind"),
    ]
    assert [found.resource for found in leftovers.look(resources, patience_s=0)] == resources
    sqs.delete_queue(QueueUrl=queue_url)
    iam.delete_role(RoleName="left-behind")
    logs.delete_log_group(logGroupName="left-behind")
    assert leftovers.look(resources, patience_s=0) == []


@pytest.mark.parametrize("type_", sorted(leftovers.LOOKS))
def test_a_resource_that_never_was_is_not_left(type_: str) -> None:
    never = {
        "AWS::SQS::Queue": "https://sqs.us-east-1.amazonaws.com/123456789012/never",
        "AWS::Lambda::EventSourceMapping": "00000000-0000-0000-0000-000000000000",
        "AWS::ApplicationAutoScaling::ScalableTarget": "endpoint/never/variant/was|sagemaker:variant:DesiredInstanceCount|sagemaker",
        "AWS::ApplicationAutoScaling::ScalingPolicy": "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:"
        "00000000-0000-0000-0000-000000000000:resource/sagemaker/endpoint/never/variant/was:policyName/never",
        "AWS::SNS::Topic": "arn:aws:sns:us-east-1:123456789012:never-was",
        "AWS::EKS::Nodegroup": "never/was",
    }
    assert leftovers.look([Resource(type_, never.get(type_, "never-was"))], patience_s=0) == []


def test_a_type_nobody_can_look_for_is_reported() -> None:
    [found] = leftovers.look([Resource("AWS::Quantum::Computer", "q1")], patience_s=0)
    assert str(found) == "AWS::Quantum::Computer q1 (no way to look for this type)"


def test_the_log_group_that_a_function_made_for_itself_is_swept_away_and_no_other() -> None:
    logs = boto3.client("logs")
    for name in ("/aws/lambda/worker", "/aws/lambda/worker-of-somebody-else"):
        logs.create_log_group(logGroupName=name)
    leftovers.sweep([Resource("AWS::Lambda::Function", "worker")])
    left = [
        group["logGroupName"]
        for group in logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/worker")["logGroups"]
    ]
    assert left == ["/aws/lambda/worker-of-somebody-else"]
    logs.delete_log_group(logGroupName="/aws/lambda/worker-of-somebody-else")
