"""Fixtures for the tests of the local cloud: clients of the server, of a cloud inside this process, and of moto as it comes."""

import os
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from labs.cloud import environment
from labs.cloud.context import Context
from labs.cloud.state import ServerRecord
from tests.labs.cloud.kit import Aws
from tests.labs.cloud.stacks import Stacks


@pytest.fixture
def aws(local_cloud: ServerRecord) -> Iterator[Aws]:  # noqa: ARG001
    """Clients of the test run's local cloud, as the environment names it."""
    clients = Aws(boto3.Session())
    yield clients
    clients.tidy()


@pytest.fixture
def stacks(aws: Aws) -> Iterator[Stacks]:
    """CloudFormation of the test run's local cloud."""
    made = Stacks(aws)
    yield made
    made.tidy()


@pytest.fixture
def inside(in_process_cloud: Context) -> Aws:  # noqa: ARG001
    """Clients of a local cloud inside this process."""
    return Aws(boto3.Session())


@pytest.fixture
def stock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Clients of moto as it comes, for tests that say why something of it is replaced."""
    for name in filter(environment.is_aws_variable, dict(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.setattr(environment, "_only_loopback", False)
    with mock_aws():
        yield Aws(boto3.Session(region_name="us-east-1"))
