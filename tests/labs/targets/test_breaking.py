"""Whichever call fails, and whenever the client dies: nothing is left, or `lab list` shows it and a second `lab teardown` ends it."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from labs import targets
from labs.cloud import connect, environment, server
from labs.cloud.context import REGION, Context
from labs.cloud.services import quotas
from labs.cloud.state import ServerRecord
from labs.targets import Target, ledger, quota, standing
from labs.targets.bedrock_provisioned import QUOTAS
from tests.labs.cloud.inventory import inventory
from tests.labs.targets import own_kit
from tests.labs.targets.breaking import PLACES, broken_life, walk

WARM = 600.0
BROKEN = [name for name in targets.TARGETS if name != "bedrock-on-demand"]  # that one creates nothing


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with own_kit.quick_cloud(tmp_path_factory.mktemp("breaking"), WARM) as made:
        own_kit.allow(made, 16)
        for kind in ("ml.g5.2xlarge", "ml.g5.12xlarge", "ml.inf2.xlarge", "ml.c7g.16xlarge"):
            quotas.set_value(made, REGION, "sagemaker", quotas.endpoint_usage(kind).code, 4)
        units = next(each for each in quotas.known()["bedrock"].values() if each.name == QUOTAS[False])
        quotas.set_value(made, REGION, "bedrock", units.code, 2)
        yield made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One attempt at a call: the client's own retries would hide what is broken on purpose."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


def made(name: str, folder: Path) -> Target:
    more = {"edge-greengrass": {"recipe": str(folder / "recipe.yaml")}}
    return targets.get(name)(**more.get(name, {}))


@pytest.mark.usefixtures("context", "impatient")
@pytest.mark.parametrize(
    ("name", "place", "k"),
    [
        ("bedrock-batch", "deploy", 6),
        ("bedrock-batch", "teardown", 4),
        ("bedrock-custom-on-demand", "deploy", 7),  # an upload: its error is boto3's, not botocore's
        ("sagemaker-serverless", "deploy", 4),
        ("sagemaker-serverless", "teardown", 5),
        ("edge-greengrass", "teardown", 7),
    ],
)
def test_a_broken_call_leaves_nothing_or_a_second_removal_ends_it(
    name: str, place: str, k: int, tmp_path: Path
) -> None:
    assert broken_life(made(name, tmp_path), own_kit.site("broken"), place, k)


@pytest.mark.soak
@pytest.mark.usefixtures("context", "impatient")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", BROKEN)
def test_every_call_of_every_target(name: str, place: str, tmp_path: Path) -> None:
    before = inventory(boto3.Session())
    print(f"{name}, {place}: {walk(made(name, tmp_path), own_kit.site('broken'), place)} calls broken, one by one")
    assert inventory(boto3.Session()) - before == set()


@pytest.fixture(scope="module")
def own_server(local_cloud: ServerRecord, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cloud that outlives whoever is killed in front of it."""
    outer, home = Path(os.environ["LAB_HOME"]), tmp_path_factory.mktemp("killed")
    record = server.start(home, port=0, time_scale=WARM, die_with_parent=True)
    environment.enter(record.endpoint_url, home=home)
    try:
        with pytest.raises(quota.TooSmall) as small:
            quota.require(quota.Need("bedrock", QUOTAS[False], 2))
        quota.request(small.value.need)
        quota.wait(small.value.need, patience_s=60)
        yield home
    finally:
        environment.enter(local_cloud.endpoint_url, home=outer)
        server.stop(home)


def killed(words: list[str], begun: Callable[[], bool], after_s: float) -> bool:
    """Run a command and kill it, without a word, so long after it has begun; False when it was quicker."""
    process = subprocess.Popen(
        [sys.executable, "-m", "labs.cli", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while process.poll() is None and not begun() and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        process.wait(after_s)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True


def gone_in_the_end(name: str) -> None:
    """After whatever happened: one removal, or a second, and nothing of it is there."""
    where = connect()
    deadline = time.monotonic() + 120
    while standing.remove(where, name, len) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert [each for each in standing.look(where) if name in each] == []
    assert name not in standing.deployments(where)


@pytest.mark.soak
@pytest.mark.usefixtures("own_server")
@pytest.mark.parametrize("name", BROKEN)
def test_a_client_that_is_killed_at_any_moment_leaves_what_a_teardown_ends(name: str, tmp_path: Path) -> None:
    before, chance, where = inventory(boto3.Session()), random.Random(name), connect()
    sets = ["--set", f"recipe={tmp_path / 'recipe.yaml'}"] if name == "edge-greengrass" else []
    kills = {"deploy": 0, "teardown": 0}

    def written_down() -> int:
        return len(ledger.entries(where))

    for _ in range(4):
        deploying = ["deploy", name, "--name", "killed", "--request-quota", *sets]
        kills["deploy"] += killed(deploying, lambda: written_down() > 0, chance.uniform(0.0, 2.0))
        there = written_down()
        started_s = time.monotonic() + chance.uniform(0.5, 4.0)
        begun = lambda: written_down() < there or time.monotonic() > started_s  # noqa: E731, B023 - used at once
        kills["teardown"] += killed(["teardown", "killed"], begun, chance.uniform(0.0, 1.0))
        gone_in_the_end("killed")
    print(f"{name}: killed {kills['deploy']} times in deploy, {kills['teardown']} times in teardown")
    assert kills["deploy"], "each was over before it could be killed"
    assert inventory(boto3.Session()) - before == set()


@pytest.mark.usefixtures("own_server")
def test_a_deployment_whose_maker_was_killed_is_known_and_goes() -> None:
    """The ledger is written before the call: killed between the two, the entry stands for what may be there."""
    code = (
        "import os, signal\n"
        "from labs import cloud\n"
        "from labs.targets import Site, bedrock_roles, staging\n"
        "create = staging.create_bucket\n"
        "def killed(*given):\n"
        "    create(*given)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "staging.create_bucket = killed\n"
        "from labs.targets.bedrock_batch import BedrockBatch\n"
        "BedrockBatch().deploy(Site(cloud.connect(), 'cut-off'))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert standing.deployments(connect()) == ["cut-off"]
    bucket = next(each for each in standing.look(connect()) if each.startswith("bucket"))
    assert "cut-off" in bucket
    gone_in_the_end("cut-off")
    assert boto3.client("s3").list_buckets()["Buckets"] == []
