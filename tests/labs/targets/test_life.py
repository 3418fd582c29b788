"""`lab deploy T && lab invoke T "..." && lab teardown T`, for every target there is, by the commands alone, on one local cloud; then it holds nothing."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from labs import targets, terminal
from labs.cli import cli
from labs.cloud import connect, environment, server
from labs.cloud.state import ServerRecord
from labs.errors import FALSE, USAGE
from labs.targets import Kind, Site, Target, options, permissions, stacks, standing
from labs.targets.reaper import deploying
from tests.labs.cloud.inventory import inventory
from tests.labs.cloud.kit import until

SCALE = 600.0
"""A minute of AWS's waits passes in a tenth of a second; a copy of an imported model is still there when it is asked again."""
SILENT = {
    "bedrock-batch": "bedrock-batch answers files of at least",
    "edge-greengrass": "edge-greengrass makes a file that runs on a device, so there is nothing here to call",
    "eks-vllm": "its manifests are shape-checked, not run. Run them: aws eks update-kubeconfig",
    "eks-triton": "its manifests are shape-checked, not run. Run them: aws eks update-kubeconfig",
}
"""Targets that nobody can ask here, and what `lab invoke` says instead."""
MORE: dict[str, list[str]] = {"edge-greengrass": ["recipe=RECIPE"]}

Lab = Callable[..., tuple[int, Any, str]]


@pytest.fixture(scope="module")
def before(local_cloud: ServerRecord, tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[str]]:
    """A cloud of this module's own; what is in it before anything is deployed."""
    outer, home = Path(os.environ["LAB_HOME"]), tmp_path_factory.mktemp("life")
    record = server.start(home, port=0, time_scale=SCALE, die_with_parent=True)
    environment.enter(record.endpoint_url, home=home)
    try:
        yield inventory(boto3.Session())
    finally:
        environment.enter(local_cloud.endpoint_url, home=outer)
        server.stop(home)


@pytest.fixture
def lab(before: set[str], capsys: pytest.CaptureFixture[str]) -> Lab:  # noqa: ARG001
    """Run a command with --json: its exit status, what it printed, what it refused, without line breaks."""

    def run(*args: str) -> tuple[int, Any, str]:
        capsys.readouterr()
        status = terminal.run(cli, "lab", [*args, "--json"])
        said = capsys.readouterr()
        return status, json.loads(said.out) if said.out.strip() else None, " ".join(said.err.split())

    return run


@pytest.mark.parametrize("what", targets.TARGETS)
def test_it_comes_up_is_asked_and_goes_without_a_trace(what: str, lab: Lab, tmp_path: Path) -> None:
    pairs = [pair.replace("RECIPE", str(tmp_path / "recipe.yaml")) for pair in MORE.get(what, [])]
    target, name = options.make(what, targets.get(what), pairs), f"life-{what}"
    sets = [word for pair in pairs for word in ("--set", pair)]
    with permissions.recording() as calls:
        live(what, name, target, sets, lab)
    assert standing.look(connect()) == []
    assert permissions.missing(calls, target, Site(connect(), name)) == set(), (
        "its policy allows what its life was seen to call"
    )


def live(what: str, name: str, target: Target, sets: list[str], lab: Lab) -> None:
    status, made, refused = lab("deploy", what, "--name", name, "--request-quota", *sets)
    assert status == 0, refused
    assert (made["target"], made["kinds"]) == (what, sorted(target.kinds))
    asked = what if what == "bedrock-on-demand" else name  # where nothing was created, no name was given to anything
    if what in SILENT:
        assert Kind.ONLINE not in target.kinds
        status, _, refused = lab("invoke", asked, "Name three rivers.")
        assert status in (FALSE, USAGE)
        assert SILENT[what] in refused
    else:
        streams = ["--stream"] if Kind.STREAMING in target.kinds else []
        status, answer, refused = lab("invoke", asked, "Name three rivers.", "--max-tokens", "8", *streams)
        assert status == 0, refused
        assert (answer["target"], 0 < answer["output_tokens"] <= 8) == (what, True)
        assert ("ttft_ms" in answer) == bool(streams)
        for statement in target.statements(Site(connect(), asked)):
            assert not any("*" in action for action in statement["Action"])
            assert "*" not in statement["Resource"]
    status, gone, refused = lab("teardown", asked)
    assert status == 0, refused
    assert gone["removed"] == ([] if what == "bedrock-on-demand" else [name])


def test_the_reaper_runs_as_a_function_of_the_cloud_and_goes_when_nothing_is_left(lab: Lab) -> None:
    """Its schedule is kept here and not rung, so it is called by hand."""
    where = connect()
    deploying.ensure(where, len)
    rung = boto3.client("lambda").invoke(FunctionName=deploying.NAME)
    assert json.loads(rung["Payload"].read()) == {"pending": [], "failed": [], "removes_itself": True}
    until(lambda: stacks.find(deploying.NAME) is None)
    assert lab("teardown", "--all")[0] == 0


@pytest.mark.usefixtures("lab")
def test_then_the_cloud_holds_what_it_held_before(before: set[str]) -> None:
    assert inventory(boto3.Session()) - before == set()
