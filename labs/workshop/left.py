"""What costs money in an account, whoever made it: asked of each service, changed by nobody. The proof after a session that nothing runs on.

    found = left.look("us-east-1")
    found.things          # Thing("endpoint", "sagemaker-lab-chat", 1.22): its dollars an hour where the register has the price
    found.problems        # what could not be looked for is not known to be gone

`lab teardown --all` removes what the course's commands made, by ledger and by tag. What a lab's own cells made, their clean-up removes; who
closes the notebook before has only this look.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from labs.economics import instances
from labs.errors import Refusal


@dataclass(frozen=True)
class Thing:
    """One thing that is billed while it is there."""

    kind: str
    name: str
    usd_per_hour: float | None = None
    """List price; None where it is not billed by the hour, or the register has no price."""


@dataclass(frozen=True)
class Found:
    """One Region."""

    region: str
    things: tuple[Thing, ...]
    problems: tuple[str, ...]


def look(region: str) -> Found:
    """Everything that is billed while it is there, in this Region, and what could not be looked for."""
    things: list[Thing] = []
    problems: list[str] = []
    for kind, listing in LOOKS.items():
        try:
            things += [Thing(kind, name, usd) for name, usd in listing(region)]
        except ClientError as refused:
            problems.append(f"{kind}: could not be listed ({refused.response['Error']['Code']})")
        except BotoCoreError as broken:  # a service that this Region does not have
            problems.append(f"{kind}: could not be listed ({broken})")
    return Found(region, tuple(things), tuple(problems))


Named = Iterator[tuple[str, float | None]]


def _each(region: str, service: str, operation: str, answered: str, **filters: Any) -> Iterator[Any]:
    client: Any = boto3.client(service, region_name=region)  # type: ignore[call-overload]
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**filters):
            yield from page.get(answered, [])
    else:
        yield from getattr(client, operation)(**filters).get(answered, [])


def _by_name(service: str, operation: str, answered: str, name: str = "", **filters: Any) -> Callable[[str], Named]:
    def listing(region: str) -> Named:
        for entry in _each(region, service, operation, answered, **filters):
            yield str(entry[name] if name else entry), None

    return listing


def _endpoints(region: str) -> Named:
    client = boto3.client("sagemaker", region_name=region)
    for entry in _each(region, "sagemaker", "list_endpoints", "Endpoints"):
        said: Any = client.describe_endpoint(EndpointName=entry["EndpointName"])
        config: Any = client.describe_endpoint_config(EndpointConfigName=said["EndpointConfigName"])
        types = {each["VariantName"]: each.get("InstanceType", "") for each in config["ProductionVariants"]}
        counts = {
            each["VariantName"]: each.get("CurrentInstanceCount", 0) for each in said.get("ProductionVariants", ())
        }
        hourly = [_usd_of_endpoint(types[name], count) for name, count in counts.items() if types.get(name)]
        known = [each for each in hourly if each is not None]
        yield entry["EndpointName"], sum(known) if hourly and len(known) == len(hourly) else None


def _usd_of_endpoint(instance_type: str, count: float) -> float | None:
    try:
        return instances.endpoint(instance_type, count, 1).usd
    except Refusal:
        return None


def _machines(region: str) -> Named:
    running = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
    for reservation in _each(region, "ec2", "describe_instances", "Reservations", Filters=running):
        for entry in reservation["Instances"]:
            try:
                usd = (
                    instances.machines(entry["InstanceType"], 1, 1).usd if entry["State"]["Name"] == "running" else 0.0
                )
            except Refusal:
                usd = None
            yield entry["InstanceId"], usd


def _stacks(region: str) -> Named:
    for entry in _each(region, "cloudformation", "describe_stacks", "Stacks"):
        yield entry["StackName"], None


def _gateways(region: str) -> Named:
    for entry in _each(region, "ec2", "describe_nat_gateways", "NatGateways"):
        if entry["State"] not in ("deleted", "deleting"):
            yield entry["NatGatewayId"], None


LOOKS: dict[str, Callable[[str], Named]] = {
    "endpoint": _endpoints,
    "machine": _machines,
    "disk": _by_name("ec2", "describe_volumes", "Volumes", "VolumeId"),
    "address": _by_name("ec2", "describe_addresses", "Addresses", "PublicIp"),
    "NAT gateway": _gateways,
    "EKS cluster": _by_name("eks", "list_clusters", "clusters"),
    "imported model": _by_name("bedrock", "list_imported_models", "modelSummaries", "modelName"),
    "provisioned throughput": _by_name(
        "bedrock", "list_provisioned_model_throughputs", "provisionedModelSummaries", "provisionedModelName"
    ),
    "custom model deployment": _by_name(
        "bedrock", "list_custom_model_deployments", "modelDeploymentSummaries", "customModelDeploymentName"
    ),
    "stack": _stacks,
    "table": _by_name("dynamodb", "list_tables", "TableNames"),
    "bucket": _by_name("s3", "list_buckets", "Buckets", "Name"),
}
"""kind: what there is of it in a Region, each with its dollars an hour. Buckets are the account's, in whichever Region they are listed."""
