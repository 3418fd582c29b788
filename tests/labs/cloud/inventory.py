"""Is the cloud empty? Everything there is in it, by asking every service that has something to list.

    before = inventory(boto3.Session())
    ...
    assert inventory(boto3.Session()) == before

What every account has from the start (AWS's own policies and models, the default VPC) is in the list too, which is why it is compared.
"""

from functools import cache
from typing import Any

import boto3
import jmespath
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

LISTS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("apigatewayv2", "GetApis", "Items[].ApiId", {}),
    (
        "application-autoscaling",
        "DescribeScalableTargets",
        "ScalableTargets[].ResourceId",
        {"ServiceNamespace": "lambda"},
    ),
    (
        "application-autoscaling",
        "DescribeScalableTargets",
        "ScalableTargets[].ResourceId",
        {"ServiceNamespace": "sagemaker"},
    ),
    (
        "application-autoscaling",
        "DescribeScalingPolicies",
        "ScalingPolicies[].PolicyARN",
        {"ServiceNamespace": "lambda"},
    ),
    (
        "application-autoscaling",
        "DescribeScalingPolicies",
        "ScalingPolicies[].PolicyARN",
        {"ServiceNamespace": "sagemaker"},
    ),
    ("appsync", "ListApis", "apis[].apiId", {}),
    ("bedrock", "ListCustomModelDeployments", "modelDeploymentSummaries[].customModelDeploymentArn", {}),
    ("bedrock", "ListGuardrails", "guardrails[].id", {}),
    ("bedrock", "ListImportedModels", "modelSummaries[].modelArn", {}),
    (
        "bedrock",
        "ListInferenceProfiles",
        "inferenceProfileSummaries[].inferenceProfileId",
        {"typeEquals": "APPLICATION"},
    ),
    ("bedrock", "ListProvisionedModelThroughputs", "provisionedModelSummaries[].provisionedModelArn", {}),
    ("cloudformation", "DescribeStacks", "Stacks[].StackId", {}),
    ("cloudwatch", "DescribeAlarms", "MetricAlarms[].AlarmName", {}),
    ("cloudwatch", "ListDashboards", "DashboardEntries[].DashboardName", {}),
    ("dynamodb", "ListTables", "TableNames", {}),
    (
        "ec2",
        "DescribeInstances",
        "Reservations[].Instances[?State.Name!='terminated' && State.Name!='shutting-down'].InstanceId | []",
        {},
    ),
    ("ec2", "DescribeInternetGateways", "InternetGateways[].InternetGatewayId", {}),
    ("ec2", "DescribeLaunchTemplates", "LaunchTemplates[].LaunchTemplateId", {}),
    ("ec2", "DescribeRouteTables", "RouteTables[].RouteTableId", {}),
    ("ec2", "DescribeSecurityGroups", "SecurityGroups[].GroupId", {}),
    ("ec2", "DescribeSubnets", "Subnets[].SubnetId", {}),
    ("ec2", "DescribeVpcEndpoints", "VpcEndpoints[?State!='deleted'].VpcEndpointId", {}),
    ("ec2", "DescribeVpcs", "Vpcs[].VpcId", {}),
    ("eks", "ListClusters", "clusters", {}),
    ("events", "ListRules", "Rules[].Name", {}),
    ("iam", "ListInstanceProfiles", "InstanceProfiles[].InstanceProfileName", {}),
    ("iam", "ListPolicies", "Policies[].Arn", {"Scope": "Local"}),
    ("iam", "ListRoles", "Roles[].RoleName", {}),
    ("iam", "ListUsers", "Users[].UserName", {}),
    ("lambda", "ListEventSourceMappings", "EventSourceMappings[].UUID", {}),
    ("lambda", "ListFunctions", "Functions[].FunctionName", {}),
    ("lambda", "ListLayers", "Layers[].LayerName", {}),
    ("logs", "DescribeLogGroups", "logGroups[].logGroupName", {}),
    ("s3", "ListBuckets", "Buckets[].Name", {}),
    ("sagemaker", "ListEndpointConfigs", "EndpointConfigs[].EndpointConfigName", {}),
    ("sagemaker", "ListEndpoints", "Endpoints[].EndpointName", {}),
    ("sagemaker", "ListInferenceComponents", "InferenceComponents[].InferenceComponentName", {}),
    ("sagemaker", "ListModels", "Models[].ModelName", {}),
    ("scheduler", "ListSchedules", "Schedules[].Name", {}),
    ("secretsmanager", "ListSecrets", "SecretList[].Name", {}),
    ("sns", "ListSubscriptions", "Subscriptions[].SubscriptionArn", {}),
    ("sns", "ListTopics", "Topics[].TopicArn", {}),
    ("sqs", "ListQueues", "QueueUrls", {}),
    ("ssm", "DescribeParameters", "Parameters[?!starts_with(Name, '/aws/')].Name", {}),
)
"""boto3's service, the operation that lists, where the names are in its answer, what it must be asked with."""


def inventory(session: boto3.Session, *services: str) -> set[str]:
    """Everything that `services` (by default all of LISTS) have, as "service operation name". What has no such list is left out."""
    found: set[str] = set()
    for service, operation, path, asked in LISTS:
        if services and service not in services:
            continue
        names = listed(client_of(session, service), operation, path, asked)
        found |= {f"{service} {operation} {name}" for name in names}
    return found


@cache
def client_of(session: boto3.Session, service: str) -> Any:
    client: Any = session.client(service, config=Config(retries={"total_max_attempts": 1}))  # type: ignore[call-overload]
    return client


def listed(client: Any, operation: str, path: str, asked: dict[str, Any]) -> list[str]:
    name = xform_name(operation)
    try:
        if client.can_paginate(name):
            pages = client.get_paginator(name).paginate(**asked)
            return [found for page in pages for found in jmespath.search(path, page) or []]
        return jmespath.search(path, getattr(client, name)(**asked)) or []
    except NotImplementedError:
        return []  # in-process; an operation that this cloud does not have has made nothing either
    except ClientError as refused:
        if refused.response["ResponseMetadata"]["HTTPStatusCode"] == 501:
            return []
        raise
