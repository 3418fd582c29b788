"""A cloud inside the test's process in which machines boot in a moment and GPUs may be had; what it holds is looked at afterwards."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from labs import facts
from labs.cloud import Cloud, environment, extension
from labs.cloud.context import ACCOUNT_ID, REGION, Context
from labs.cloud.services import quotas
from labs.targets import Site

QUICK = 2_000.0
"""Time scale: half an hour on AWS passes in a second."""


@contextmanager
def quick_cloud(folder: Path, time_scale: float = QUICK) -> Iterator[Context]:
    """A cloud inside this process, which also holds the ledger's folder."""
    with pytest.MonkeyPatch.context() as patch:
        for name in filter(environment.is_aws_variable, dict(os.environ)):
            patch.delenv(name)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
        patch.setenv("LAB_HOME", str(folder))
        patch.setattr(environment, "_only_loopback", False)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        context = Context(home=folder, time_scale=time_scale)
        with mock_aws():
            extension.install(context)
            yield context
        context.close()


def allow(context: Context, vcpus: int, family: str = "g-vt") -> None:
    """Raise EC2's quota."""
    quotas.set_value(context, REGION, "ec2", facts.text(f"ec2.quota.code.{family}"), vcpus)


def site(name: str, hours: float = 2.0, *, real: bool = False, tell: Callable[[str], object] = len) -> Site:
    """A deployment of this name there."""
    return Site(Cloud(None, REGION, ACCOUNT_ID, real=real), name, hours, tell)


def running() -> list[str]:
    """Instances that are not gone."""
    found: Any = boto3.client("ec2").describe_instances()["Reservations"]
    return [
        each["InstanceId"]
        for reservation in found
        for each in reservation["Instances"]
        if each["State"]["Name"] not in ("terminated", "shutting-down")
    ]
