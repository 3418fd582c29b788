"""Looks for what deployments of our own consist of: machines, networks, clusters, and what is scheduled. Part of `labs.targets.leftovers`.

Each takes the physical id that CloudFormation gave, and says whether it is there, or raises its service's "not found".
"""

from collections.abc import Callable
from typing import Any

import boto3


def _instance(instance_id: str) -> bool:
    """A terminated instance is still described for about an hour."""
    found: Any = boto3.client("ec2").describe_instances(InstanceIds=[instance_id])["Reservations"]
    return any(each["State"]["Name"] != "terminated" for reservation in found for each in reservation["Instances"])


def _ec2(operation: str, parameter: str, answered: str) -> Callable[[str], bool]:
    def look(physical_id: str) -> bool:
        client: Any = boto3.client("ec2")
        return bool(getattr(client, operation)(**{parameter: [physical_id]})[answered])

    return look


def _gateway_attachment(physical_id: str) -> bool:
    """Its id is "IGW|" and the VPC's id, or both names with a bar between them."""
    vpc_id = physical_id.rpartition("|")[2]
    found = boto3.client("ec2").describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc_id]}])
    return bool(found["InternetGateways"])


def _route(physical_id: str) -> bool:
    table_id, _, destination = physical_id.partition("|")
    tables: Any = boto3.client("ec2").describe_route_tables(RouteTableIds=[table_id])["RouteTables"]
    return any(route.get("DestinationCidrBlock") == destination for table in tables for route in table["Routes"])


def _association(physical_id: str) -> bool:
    found = boto3.client("ec2").describe_route_tables(
        Filters=[{"Name": "association.route-table-association-id", "Values": [physical_id]}]
    )
    return bool(found["RouteTables"])


def _node_group(physical_id: str) -> bool:
    cluster, _, name = physical_id.partition("/")
    return bool(boto3.client("eks").describe_nodegroup(clusterName=cluster, nodegroupName=name))


def _add_on(physical_id: str) -> bool:
    cluster, _, name = physical_id.partition("|")
    return bool(boto3.client("eks").describe_addon(clusterName=cluster, addonName=name))


LOOKS: dict[str, Callable[[str], bool]] = {
    "AWS::EC2::Instance": _instance,
    "AWS::EC2::SecurityGroup": _ec2("describe_security_groups", "GroupIds", "SecurityGroups"),
    "AWS::EC2::VPC": _ec2("describe_vpcs", "VpcIds", "Vpcs"),
    "AWS::EC2::Subnet": _ec2("describe_subnets", "SubnetIds", "Subnets"),
    "AWS::EC2::InternetGateway": _ec2("describe_internet_gateways", "InternetGatewayIds", "InternetGateways"),
    "AWS::EC2::RouteTable": _ec2("describe_route_tables", "RouteTableIds", "RouteTables"),
    "AWS::EC2::VPCGatewayAttachment": _gateway_attachment,
    "AWS::EC2::Route": _route,
    "AWS::EC2::SubnetRouteTableAssociation": _association,
    "AWS::IAM::InstanceProfile": lambda name: bool(boto3.client("iam").get_instance_profile(InstanceProfileName=name)),
    "AWS::EKS::Cluster": lambda name: bool(boto3.client("eks").describe_cluster(name=name)),
    "AWS::EKS::Nodegroup": _node_group,
    "AWS::EKS::Addon": _add_on,
    "AWS::Scheduler::Schedule": lambda name: bool(boto3.client("scheduler").get_schedule(Name=name)),
}
"""resource type: the look for it"""
