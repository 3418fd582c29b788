"""The resource types that the local cloud makes, one module per AWS service.

A type is an object with what CloudFormation's registry knows of it: its properties, which of them need a replacement when they change,
and how to create, update and delete it by calling the service's API (`base.ResourceType`). To add one, write it and put it in its
module's TYPES.
"""

from functools import cache
from importlib import import_module

from labs.cloud.stacks.types.base import ResourceType

MODULES = (
    "apigateway",
    "appsync",
    "autoscaling",
    "bedrock",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "eks",
    "events",
    "iam",
    "lambda_",
    "lambda_more",
    "logs",
    "network",
    "s3",
    "sagemaker",
    "settings",
    "sns",
    "sqs",
)


@cache
def all_types() -> dict[str, ResourceType]:
    """Every type by its name."""
    types = [kind for module in MODULES for kind in import_module(f"labs.cloud.stacks.types.{module}").TYPES]
    return {kind.name: kind for kind in types}
