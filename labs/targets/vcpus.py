"""EC2's quotas: so many vCPUs of running instances per family, in a new account none for GPUs. Asked before anything is created.

vcpus.check(site.cloud.region, "g5.xlarge", count=1)        # quota.TooSmall names the request to make
"""

import re
from collections import Counter
from typing import Any

import boto3

from labs import facts
from labs.facts import catalogue
from labs.targets import quota

FAMILIES = {"g": "g-vt", "vt": "g-vt", "p": "p", "inf": "inf", "trn": "trn"}
"""letters of an instance family: the register's name of its quota; the others are Standard"""


def quota_code(instance_type: str) -> str:
    """The code of the quota under which this type's vCPUs count."""
    return facts.text(f"ec2.quota.code.{_family(instance_type)}")


def check(region: str, instance_type: str, count: int = 1) -> None:
    """Return when the account may run so many more of this type. Raises quota.TooSmall, which names the request to make."""
    needed, code = catalogue.instance(instance_type).vcpus * count, quota_code(instance_type)
    applied: Any = boto3.client("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]
    used = _running(_family(instance_type))
    if used + needed > applied["Value"]:
        raise quota.TooSmall(quota.Need("ec2", applied["QuotaName"], used + needed, code), applied["Value"], region)


def _family(instance_type: str) -> str:
    letters = re.match(r"[a-z]*", instance_type)  # those before the generation: "g" of g6e, "inf" of inf2
    return FAMILIES.get(letters[0] if letters else "", "standard")


def _running(family: str) -> int:
    """vCPUs of this family's on-demand instances that run or start now."""
    ec2 = boto3.client("ec2")
    pages = ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    )
    types = Counter(
        instance["InstanceType"]
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
        if instance.get("InstanceLifecycle") != "spot" and _family(instance["InstanceType"]) == family
    )
    if not types:
        return 0
    described: Any = ec2.describe_instance_types(InstanceTypes=list(types))["InstanceTypes"]
    return sum(types[each["InstanceType"]] * each["VCpuInfo"]["DefaultVCpus"] for each in described)
