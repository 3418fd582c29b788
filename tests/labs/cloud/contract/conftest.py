"""One `cloud` fixture, three clouds: ours inside this process, ours as a server, and ministack."""

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from labs.cloud import environment, extension
from labs.cloud.context import REGION, Context
from labs.cloud.environment import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from tests.labs.cloud.contract import differences, ministack
from tests.labs.cloud.kit import Aws

CLOUDS = ("in-process", "server", "ministack")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try a contract on every cloud that has the services its module names."""
    if "cloud" in metafunc.fixturenames:
        lacking = set(metafunc.module.SERVICES) & set(differences.ABSENT)
        metafunc.parametrize("cloud", [name for name in CLOUDS if name != "ministack" or not lacking], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        reason = differences.DIFFERENT.get(getattr(item, "originalname", ""))
        if reason and Path(__file__).parent in item.path.parents and "ministack" in item.name:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.fixture(scope="session")
def ministack_address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """ministack, running as long as the tests do."""
    assert request.config.cache is not None
    try:
        python = ministack.installed(Path(str(request.config.cache.mkdir("ministack"))))
        with ministack.running(python, tmp_path_factory.mktemp("ministack")) as (address, _):
            yield address
    except ministack.Unavailable as why:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(why))


@pytest.fixture(scope="module")
def cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Clients of the cloud that the test is tried on; what it makes is removed when the module is through."""
    if request.param == "server":
        request.getfixturevalue("local_cloud")
        aws = Aws(boto3.Session())
        yield aws
        aws.tidy()
        return
    with pytest.MonkeyPatch.context() as patch:
        for name in filter(environment.is_aws_variable, dict(os.environ)):
            patch.delenv(name)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
        if request.param == "ministack":
            patch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("ministack_address"))
            aws = Aws(boto3.Session(ACCESS_KEY_ID, SECRET_ACCESS_KEY))
            yield aws
            aws.tidy()
            return
        patch.setattr(environment, "_only_loopback", False)
        context = Context(home=tmp_path_factory.mktemp("in-process"), time_scale=60.0)
        with mock_aws():
            extension.install(context)
            aws = Aws(boto3.Session())
            yield aws
            aws.tidy()
        context.close()
