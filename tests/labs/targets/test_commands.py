"""`lab deploy TARGET`, `lab invoke`, `lab list` and `lab teardown` on a local cloud: what they print, what they refuse, and that nothing stays."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from labs import targets, terminal
from labs.cli import cli
from labs.cloud import connect
from labs.cloud.state import ServerRecord
from labs.errors import FALSE, USAGE
from labs.targets import ledger, options, stacks

SERVERLESS, STREAMING = "commands-serverless", "commands-streaming"
pytestmark = [pytest.mark.usefixtures("local_cloud"), pytest.mark.timeout(120)]


@pytest.fixture
def lab(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """Run a command with --json: its exit status and what it printed."""

    def run(*args: str) -> tuple[int, Any]:
        capsys.readouterr()
        status = terminal.run(cli, "lab", [*args, "--json"])
        printed = capsys.readouterr().out
        return status, json.loads(printed) if printed.strip() else None

    return run


@pytest.fixture(scope="module")
def deployed(local_cloud: ServerRecord) -> Iterator[None]:
    """A serverless endpoint and one that streams, each by the command."""
    del local_cloud
    try:
        assert terminal.run(cli, "lab", ["deploy", "sagemaker-serverless", "--name", SERVERLESS]) == 0
        assert terminal.run(cli, "lab", ["deploy", "sagemaker-graviton", "--name", STREAMING, "--instances", "2"]) == 0
        yield
    finally:
        for name in (SERVERLESS, STREAMING):
            terminal.run(cli, "lab", ["teardown", name, "--json"])


@pytest.mark.usefixtures("deployed")
def test_invoke_answers_by_the_deployments_name(lab: Callable[..., Any]) -> None:
    status, answer = lab("invoke", SERVERLESS, "Name three rivers.", "--max-tokens", "12")
    assert status == 0
    assert (answer["name"], answer["target"]) == (SERVERLESS, "sagemaker-serverless")
    assert answer["text"]
    assert 0 < answer["output_tokens"] <= 12
    assert answer["input_tokens"] > 0
    assert "ttft_ms" not in answer, "only a stream has a first token to time"


@pytest.mark.usefixtures("deployed")
def test_invoke_streams_the_same_text_with_the_time_of_its_first_piece(
    lab: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    status, answer = lab("invoke", STREAMING, "Name three rivers.", "--max-tokens", "24", "--stream")
    assert status == 0
    assert answer["target"] == "sagemaker-graviton"
    assert 0 < answer["ttft_ms"] < answer["e2e_ms"]
    assert terminal.run(cli, "lab", ["invoke", STREAMING, "Name three rivers.", "--max-tokens", "24", "--stream"]) == 0
    said = capsys.readouterr().out
    assert answer["text"] in said
    assert f"{answer['output_tokens']} written" in " ".join(said.split())


@pytest.mark.usefixtures("deployed")
def test_a_target_that_does_not_stream_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.run(cli, "lab", ["invoke", SERVERLESS, "Hello", "--stream"]) == USAGE
    assert "sagemaker-serverless does not stream; ask without --stream" in " ".join(capsys.readouterr().err.split())


def test_a_target_with_nothing_to_deploy_answers_by_its_own_name(lab: Callable[..., Any]) -> None:
    status, answer = lab("invoke", "bedrock-on-demand", "Name three rivers.", "--max-tokens", "8", "--stream")
    assert status == 0
    assert (answer["name"], answer["target"]) == ("bedrock-on-demand", "bedrock-on-demand")
    assert 0 < answer["ttft_ms"] <= answer["e2e_ms"]


@pytest.mark.usefixtures("deployed")
def test_list_names_what_stands_with_its_target_and_the_price_of_its_instances(lab: Callable[..., Any]) -> None:
    status, listed = lab("list")
    assert status == 0
    found = {stack["name"]: stack for stack in listed["stacks"]}
    assert found[SERVERLESS]["outputs"]["TargetName"] == "sagemaker-serverless"
    assert found[SERVERLESS]["status"] == "CREATE_COMPLETE"
    assert found[SERVERLESS]["usd_per_hour"] is None, "it has no instances"
    assert found[STREAMING]["outputs"]["Instances"] == "2"


@pytest.mark.usefixtures("deployed")
def test_a_taken_name_is_refused_and_the_first_stays(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.run(cli, "lab", ["deploy", "sagemaker-serverless", "--name", SERVERLESS]) == FALSE
    assert f"a stack named '{SERVERLESS}' exists" in " ".join(capsys.readouterr().err.split())
    assert stacks.find(SERVERLESS) is not None


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["deploy", "nosuch"], "there is no target 'nosuch'"),
        (["invoke", "nosuch", "Hello"], "there is no target 'nosuch'"),
        (["deploy", "sagemaker-serverless", "--set", "memory_gb=4"], "sagemaker-serverless has no option 'memory_gb'"),
        (["deploy", "sagemaker-serverless", "--set", "memory_mb"], "'memory_mb' is no option: write name=value"),
        (["deploy", "sagemaker-serverless", "--set", "memory_mb=much"], "takes a whole number, not 'much'"),
        (["deploy", "sagemaker-serverless", "--set", "memory_mb=5000"], "in steps of 1024, not 5000"),
        (["deploy", "sagemaker-serverless", "--name", "2nd"], "'2nd' cannot name a deployment"),
        (["deploy", "sagemaker-gpu", "--target", "ec2-vllm"], "--target goes with 'lab deploy squid'"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_wrong_usage_is_one_sentence_and_makes_nothing(
    capsys: pytest.CaptureFixture[str], args: list[str], says: str
) -> None:
    assert terminal.run(cli, "lab", args) == USAGE
    assert says in " ".join(capsys.readouterr().err.split())
    assert stacks.find("sagemaker-serverless") is None


def test_a_wrong_target_lists_the_targets_and_a_wrong_option_lists_the_options(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal.run(cli, "lab", ["deploy", "nosuch"])
    said = " ".join(capsys.readouterr().err.split())
    assert [name for name in targets.TARGETS if name not in said] == []
    terminal.run(cli, "lab", ["deploy", "sagemaker-serverless", "--set", "memory_gb=4"])
    said = " ".join(capsys.readouterr().err.split())
    known = options.of(targets.get("sagemaker-serverless"))
    assert known
    assert [name for name in known if name not in said] == []


def test_a_quota_that_is_too_small_names_the_request_and_makes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.run(cli, "lab", ["deploy", "sagemaker-inferentia", "--name", "commands-none"]) == FALSE
    said = " ".join(capsys.readouterr().err.split())
    assert "aws service-quotas request-service-quota-increase --service-code sagemaker" in said
    assert stacks.find("commands-none") is None


def test_teardown_of_what_is_not_there_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.run(cli, "lab", ["teardown", "commands-never"]) == FALSE
    assert "there is no 'commands-never', so there was nothing to remove" in " ".join(capsys.readouterr().err.split())
    assert terminal.run(cli, "lab", ["teardown", "bedrock-on-demand"]) == 0, (
        "a target that creates nothing is gone at once"
    )
    assert "keeps nothing in the account" in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("deployed")
def test_teardown_removes_the_one_it_is_told_and_leaves_nothing_of_it(lab: Callable[..., Any]) -> None:
    sagemaker: Any = boto3.client("sagemaker")

    def endpoints() -> set[str]:
        return {each["EndpointName"] for each in sagemaker.list_endpoints()["Endpoints"]}

    assert {SERVERLESS, STREAMING} <= endpoints()
    status, gone = lab("teardown", SERVERLESS)
    assert (status, gone["removed"], gone["left"]) == (0, [SERVERLESS], [])
    assert SERVERLESS not in endpoints()
    assert STREAMING in endpoints(), "the other stays"
    assert SERVERLESS not in {entry.name for entry in ledger.entries(connect())}
    assert lab("teardown", SERVERLESS) == (FALSE, None)
    assert lab("invoke", SERVERLESS, "Hello")[0] == USAGE, "its name means nothing any more"
    assert lab("teardown", STREAMING)[1]["removed"] == [STREAMING]
    assert STREAMING not in endpoints()
