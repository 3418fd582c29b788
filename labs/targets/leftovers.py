"""Is it really gone? For each resource that a deleted stack had, ask its own service.

A type without a look here would be reported as unseen, never as gone.
"""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from labs.targets import looks_own, removing

PATIENCE_S = 90.0
"""A deleted queue or role can still be seen for about a minute."""


@dataclass(frozen=True)
class Resource:
    """What CloudFormation said it had created."""

    type: str
    physical_id: str


@dataclass(frozen=True)
class Leftover:
    """A resource that is still there, or that could not be looked for."""

    resource: Resource
    why: str

    def __str__(self) -> str:
        return f"{self.resource.type} {self.resource.physical_id} ({self.why})"


def look(resources: Iterable[Resource], patience_s: float = PATIENCE_S) -> list[Leftover]:
    """Look until nothing is left or patience is; returns what is left."""
    pending = [*resources]
    pending += [
        Resource("AWS::Logs::LogGroup", f"/aws/lambda/{r.physical_id}")
        for r in pending
        if r.type == "AWS::Lambda::Function"
    ]  # Lambda makes this one itself when the function's own is gone before the function
    deadline, pause_s = time.monotonic() + patience_s, 0.2
    while True:
        left = [found for resource in pending if (found := _left(resource)) is not None]
        if not left or time.monotonic() > deadline:
            return left
        pending = [found.resource for found in left]
        time.sleep(pause_s)
        pause_s = min(10.0, pause_s * 2)


def sweep(resources: Iterable[Resource]) -> None:
    """Delete the log groups that functions made for themselves: they are in no stack, and a function that is gone leaves its own behind."""
    logs = boto3.client("logs")
    for resource in resources:
        name = f"/aws/lambda/{resource.physical_id}"
        if resource.type == "AWS::Lambda::Function" and _log_group(name):
            logs.delete_log_group(logGroupName=name)


def _left(resource: Resource) -> Leftover | None:
    seek = LOOKS.get(resource.type)
    if seek is None:
        return Leftover(resource, "no way to look for this type")
    try:
        return Leftover(resource, "still there") if seek(resource.physical_id) else None
    except ClientError as refused:
        if removing.is_gone(refused):
            return None
        return Leftover(resource, f"could not look: {refused.response['Error']['Code']}")


def _log_group(name: str) -> bool:
    groups = boto3.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return any(group["logGroupName"] == name for group in groups)


def _answers(service: str, operation: str, parameter: str) -> Callable[[str], bool]:
    def seek(physical_id: str) -> bool:
        client: Any = boto3.client(service)  # type: ignore[call-overload]
        getattr(client, operation)(**{parameter: physical_id})
        return True

    return seek


def _sagemaker(kind: str) -> Callable[[str], bool]:
    """CloudFormation knows SageMaker's resources by ARN, the service by name."""

    def seek(physical_id: str) -> bool:
        client: Any = boto3.client("sagemaker")
        words = "_".join(re.findall("[A-Z][a-z]+", kind)).lower()
        getattr(client, f"describe_{words}")(**{f"{kind}Name": physical_id.rpartition("/")[2]})
        return True

    return seek


def _scalable_target(physical_id: str) -> bool:
    """Its id is the resource's, the dimension and the namespace, with bars between them."""
    resource_id, dimension, namespace = physical_id.split("|")
    client: Any = boto3.client("application-autoscaling")
    found = client.describe_scalable_targets(
        ServiceNamespace=namespace, ResourceIds=[resource_id], ScalableDimension=dimension
    )
    return bool(found["ScalableTargets"])


def _scaling_policy(physical_id: str) -> bool:
    """Its ARN ends ...:resource/NAMESPACE/RESOURCE_ID:policyName/NAME."""
    _, _, named = physical_id.partition(":resource/")
    resource, _, name = named.rpartition(":policyName/")
    namespace, _, resource_id = resource.partition("/")
    client: Any = boto3.client("application-autoscaling")
    found = client.describe_scaling_policies(
        ServiceNamespace=namespace, ResourceId=resource_id, PolicyNames=[name.partition(":")[0]]
    )
    return bool(found["ScalingPolicies"])


def _event_api(arn: str) -> bool:
    client: Any = boto3.client("appsync")
    return bool(client.get_api(apiId=arn.rpartition("/")[2]))


def _goes_with_its_owner(_: str) -> bool:
    """A part of an API or of a function's policy: it has no life of its own, and its owner has a look."""
    return False


LOOKS: dict[str, Callable[[str], bool]] = looks_own.LOOKS | {
    "AWS::SQS::Queue": _answers("sqs", "get_queue_attributes", "QueueUrl"),
    "AWS::DynamoDB::Table": _answers("dynamodb", "describe_table", "TableName"),
    "AWS::Lambda::Function": _answers("lambda", "get_function_configuration", "FunctionName"),
    "AWS::Lambda::EventSourceMapping": _answers("lambda", "get_event_source_mapping", "UUID"),
    "AWS::IAM::Role": _answers("iam", "get_role", "RoleName"),
    "AWS::Logs::LogGroup": _log_group,
    "AWS::SageMaker::Model": _sagemaker("Model"),
    "AWS::SageMaker::EndpointConfig": _sagemaker("EndpointConfig"),
    "AWS::SageMaker::Endpoint": _sagemaker("Endpoint"),
    "AWS::SageMaker::InferenceComponent": _sagemaker("InferenceComponent"),
    "AWS::ApplicationAutoScaling::ScalableTarget": _scalable_target,
    "AWS::ApplicationAutoScaling::ScalingPolicy": _scaling_policy,
    "AWS::S3::Bucket": lambda name: bool(boto3.client("s3").head_bucket(Bucket=name)),
    "AWS::SNS::Topic": _answers("sns", "get_topic_attributes", "TopicArn"),
    "AWS::SNS::Subscription": _answers("sns", "get_subscription_attributes", "SubscriptionArn"),
    "AWS::ApiGatewayV2::Api": _answers("apigatewayv2", "get_api", "ApiId"),
    "AWS::ApiGatewayV2::Authorizer": _goes_with_its_owner,
    "AWS::ApiGatewayV2::Integration": _goes_with_its_owner,
    "AWS::ApiGatewayV2::Route": _goes_with_its_owner,
    "AWS::ApiGatewayV2::Stage": _goes_with_its_owner,
    "AWS::AppSync::Api": _event_api,
    "AWS::AppSync::ApiKey": _goes_with_its_owner,
    "AWS::AppSync::ChannelNamespace": _goes_with_its_owner,
    "AWS::Lambda::Permission": _goes_with_its_owner,
    "AWS::CloudWatch::Alarm": lambda name: bool(
        boto3.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    ),
}
"""resource type: a function that says whether it is there, or raises its service's "not found\""""
