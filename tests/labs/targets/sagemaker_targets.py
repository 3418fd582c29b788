"""What the tests of SageMaker's targets share: a cloud inside this process whose waits are over at once, and what must not be left there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from labs.cloud import Cloud
from labs.cloud.context import ACCOUNT_ID, REGION, Context
from labs.cloud.services import quotas
from labs.targets import Site, ledger
from tests.labs.cloud.sagemaker_kit import cloud_of_a_module

CLOUD = Cloud(None, REGION, ACCOUNT_ID)
"""Answered by moto inside this process, before anything is sent."""


def cloud_for_targets(folder: Path) -> Iterator[Context]:
    """The cloud, with a state folder of its own for the ledger."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_HOME", str(folder))
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        yield from cloud_of_a_module(folder)


def site(name: str, hours: float = 2) -> Site:
    """A deployment there."""
    return Site(CLOUD, name, hours)


def allow(context: Context, instance_type: str, instances: int = 4) -> None:
    """Raise the account's quota of endpoint instances."""
    quotas.set_value(context, REGION, "sagemaker", quotas.endpoint_usage(instance_type).code, instances)


def remains() -> dict[str, list[str]]:
    """Whatever there is of the kinds that SageMaker's targets make, without what is empty."""
    sagemaker: Any = boto3.client("sagemaker")
    scaling: Any = boto3.client("application-autoscaling")
    found = {
        "models": [each["ModelName"] for each in sagemaker.list_models()["Models"]],
        "configs": [each["EndpointConfigName"] for each in sagemaker.list_endpoint_configs()["EndpointConfigs"]],
        "endpoints": [each["EndpointName"] for each in sagemaker.list_endpoints()["Endpoints"]],
        "components": [
            each["InferenceComponentName"] for each in sagemaker.list_inference_components()["InferenceComponents"]
        ],
        "scalables": [
            each["ResourceId"]
            for each in scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
        ],
        "policies": [
            each["PolicyName"]
            for each in scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
        ],
        "alarms": [each["AlarmName"] for each in boto3.client("cloudwatch").describe_alarms()["MetricAlarms"]],
        "log groups": [each["logGroupName"] for each in boto3.client("logs").describe_log_groups()["logGroups"]],
        "roles": [each["RoleName"] for each in boto3.client("iam").list_roles()["Roles"]],
        "buckets": [each["Name"] for each in boto3.client("s3").list_buckets()["Buckets"]],
        "topics": [each["TopicArn"] for each in boto3.client("sns").list_topics()["Topics"]],
        "ledger": [f"{each.kind} {each.name}" for each in ledger.entries(CLOUD)],
    }
    return {kind: names for kind, names in found.items() if names}
