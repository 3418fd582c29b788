"""What holds before anything costs money on AWS: who we are, a ceiling, a reaper; and afterwards nothing. The local cloud plays AWS."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from labs import facts, terminal
from labs.cli import cli
from labs.cloud import Cloud, connect
from labs.cloud.context import REGION, Context
from labs.cloud.services import quotas
from labs.errors import FALSE, USAGE, Refusal
from labs.targets import Site, bedrock_roles, ceiling, guard, ledger, spend, stacks, standing
from labs.targets.bedrock_batch import BedrockBatch
from labs.targets.reaper import deploying
from labs.targets.sagemaker_gpu import SageMakerGpu
from labs.targets.sagemaker_serverless import SageMakerServerless
from tests.labs.targets.real_kit import played_aws

Lab = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with played_aws(tmp_path_factory.mktemp("real")) as made:
        quotas.set_value(made, REGION, "sagemaker", quotas.endpoint_usage("ml.g5.2xlarge").code, 4)
        yield made


@pytest.fixture
def lab(context: Context, capsys: pytest.CaptureFixture[str]) -> Lab:  # noqa: ARG001
    """Run a command: its exit status, what it printed, what it refused, without line breaks."""

    def run(*args: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = terminal.run(cli, "lab", args)
        said = capsys.readouterr()
        return status, said.out, " ".join(said.err.split())

    return run


def where() -> Cloud:
    return connect(real=True)


def test_identity_account_and_region_come_first_and_without_a_ceiling_nothing_is_made(lab: Lab) -> None:
    status, said, refused = lab("deploy", "sagemaker-gpu", "--real", "--hours", "4")
    assert status == USAGE
    assert said.startswith(f"REAL AWS, account 123456789012, {REGION}, as arn:aws:")
    plan = ceiling.plan(SageMakerGpu(), Site(where(), "sagemaker-gpu", 4))
    for line in plan.bill.lines:
        assert line.name in said
    assert f"say --ceiling-usd {ceiling.up(plan.usd)} or more; nothing was created" in refused
    assert standing.look(where()) == []


def test_what_does_not_fit_is_not_begun_and_says_for_how_long_the_money_would_last(lab: Lab) -> None:
    status, _, refused = lab("deploy", "sagemaker-gpu", "--real", "--ceiling-usd", "5")
    assert status == USAGE
    assert "above the ceiling of $5.00; nothing was created. The ceiling buys 2.8 hours of it" in refused
    assert standing.look(where()) == []


def test_a_whole_run_leaves_nothing_also_no_reaper(lab: Lab) -> None:
    status, said, _ = lab(
        "deploy", "sagemaker-gpu", "--name", "mine", "--real", "--ceiling-usd", "50", "--hours", "4", "--json"
    )
    assert status == 0
    bill = json.loads(said)["worst_case"]
    assert spend.total(where())["mine"].limit_usd == pytest.approx(50 - bill["usd"])
    reaper = stacks.find(deploying.NAME)
    assert reaper is not None
    schedule = boto3.client("scheduler").get_schedule(Name=deploying.NAME)
    assert schedule["ScheduleExpression"] == "rate(15 minutes)"
    assert reaper.created_at <= stacks.find("mine").created_at  # type: ignore[union-attr] - before anything that costs
    assert lab("invoke", "mine", "Hello", "--real", "--max-tokens", "4")[0] == 0
    listed = json.loads(lab("list", "--real", "--json")[1])
    assert listed["spent"]["mine"]["calls"] == 2, "the first asked whether it answers"
    assert lab("teardown", "mine", "--real")[0] == 0
    assert standing.look(where()) == []
    assert boto3.client("s3").list_buckets()["Buckets"] == []
    assert boto3.client("logs").describe_log_groups()["logGroups"] == []
    with pytest.raises(Refusal, match="without a ceiling"):  # the next one of this name is asked again
        SageMakerGpu().deploy(Site(where(), "mine"))


@pytest.mark.usefixtures("context")
def test_no_way_into_aws_leads_past_the_ceiling() -> None:
    for target in (SageMakerGpu(), BedrockBatch()):
        with pytest.raises(Refusal, match="without a ceiling"):
            target.deploy(Site(where(), "past"))
    with pytest.raises(Refusal, match="a ceiling comes first"):
        guard.deploy(BedrockBatch(), Site(where(), "past"))
    guard.deploy(BedrockBatch(), Site(Cloud(None, REGION, "123456789012"), "local"))  # no money, no ceiling
    assert standing.remove(Cloud(None, REGION, "123456789012"), "local", len) == []


def test_what_is_refused_later_leaves_no_reaper_either(lab: Lab) -> None:
    status, _, refused = lab("deploy", "sagemaker-gpu", "--real", "--ceiling-usd", "900", "--set", "max_instances=5")
    assert status == FALSE
    assert "request-service-quota-increase" in refused
    assert standing.look(where()) == []


def test_a_commitment_must_fit_the_ceiling_and_be_named_a_second_time(lab: Lab) -> None:
    units = ["bedrock-provisioned", "--real", "--set", "term=1-month", "--set", "usd_per_unit_hour=10", "--ceiling-usd"]
    assert "can cost up to $7,300.00, above the ceiling" in lab("deploy", *units, "7299")[2]
    for more in ([], ["--set", "commit_usd=7299"]):
        status, _, refused = lab("deploy", *units, "7300", *more)
        assert status == FALSE
        assert "costs $7,300.00 in all, used or not, and cannot be ended early" in refused
    assert standing.look(where()) == []


def test_calls_are_counted_and_the_one_that_could_pass_the_limit_is_not_sent(lab: Lab) -> None:
    assert "without a ceiling" in lab("invoke", "bedrock-on-demand", "Hello", "--real")[2]
    assert lab("deploy", "bedrock-on-demand", "--real", "--ceiling-usd", "0.001")[0] == 0
    assert lab("invoke", "bedrock-on-demand", "Hello", "--real", "--max-tokens", "10")[0] == 0
    status, _, refused = lab("invoke", "bedrock-on-demand", "Hello", "--real", "--max-tokens", "9000")
    assert status == USAGE
    assert "has spent $0.0000 in 2 calls" in refused
    assert "nothing was sent" in refused
    assert lab("invoke", "bedrock-on-demand", "Hi", "--real", "--max-tokens", "9000", "--ceiling-usd", "1")[0] == 0
    assert lab("teardown", "bedrock-on-demand", "--real")[0] == 0
    assert "bedrock-on-demand" not in spend.total(where()), "whoever calls it again is asked for a ceiling again"


def test_a_call_that_nobody_can_price_is_no_call_for_nothing(lab: Lab) -> None:
    unknown = ["bedrock-on-demand", "--real", "--model", "amazon.nobody-knows-v1:0", "--ceiling-usd", "10"]
    status, _, refused = lab("deploy", *unknown)
    assert status == FALSE
    assert "the register has no price of 'amazon.nobody-knows-v1:0'" in refused


def test_a_call_that_is_billed_by_the_second_counts_as_the_longest_that_it_may_be() -> None:
    calls = ceiling.Calls(100, 1, 1)
    stated = ceiling.plan(SageMakerServerless(usd_per_second=0.001), Site(where(), "x"), calls)
    assert stated.usd == pytest.approx(100 * 60 * 0.001)
    per_gb_s = facts.number("sagemaker.price.serverless_per_gb_s")
    known = ceiling.plan(SageMakerServerless(memory_mb=2048), Site(where(), "x"), calls)
    assert known.usd == pytest.approx(100 * 60 * 2 * per_gb_s)


def test_the_queue_on_aws_wants_to_know_how_many_jobs_are_planned(lab: Lab) -> None:
    assert "say how many are planned with --requests" in lab("deploy", "squid", "--real", "--ceiling-usd", "9")[2]
    status, said, refused = lab("deploy", "squid", "--real", "--ceiling-usd", "0.01", "--requests", "1000000")
    assert status == USAGE
    assert "planned input tokens" in said
    assert "above the ceiling of $0.01" in refused
    assert standing.look(where()) == []


def test_the_queues_policy_says_that_the_targets_and_the_reapers_come_beside_it(lab: Lab) -> None:
    status, said, notes = lab("policy", "squid", "--real", "--name", "mine")
    assert status == 0
    statements = {each["Sid"]: each for each in json.loads(said)["Statement"]}
    assert statements["Sqs"]["Resource"] == [f"arn:aws:sqs:{REGION}:123456789012:mine*"]
    assert statements["PassRole"]["Condition"] == {"StringEquals": {"iam:PassedToService": ["lambda.amazonaws.com"]}}
    assert "lab policy TARGET" in notes
    assert "lab policy reaper" in notes
    assert "there is no target 'nosuch'" in lab("policy", "nosuch", "--real")[2]


def test_credentials_are_in_no_output_no_file_and_no_error(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    secrets = {
        "AWS_ACCESS_KEY_ID": "AKIAMADEUPMADEUP0001",
        "AWS_SECRET_ACCESS_KEY": "made-up/secret+of-nobody0123456789abcdef",
        "AWS_SESSION_TOKEN": "made-up-session-token-of-nobody",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    said = [
        *lab("deploy", "bedrock-batch", "--name", "quiet", "--real", "--ceiling-usd", "1"),
        *lab("list", "--real"),
        *lab("list", "--real", "--json"),
        *lab("invoke", "quiet", "Hello", "--real"),
        *lab("deploy", "sagemaker-gpu", "--real", "--ceiling-usd", "900", "--set", "max_instances=5"),
        *lab("policy", "bedrock-batch", "--real"),
        *lab("teardown", "quiet", "--real"),
        str(where()),
        repr(where()),
    ]
    with monkeypatch.context() as broken:  # an error of the network's, with the request in its hands
        broken.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", "http://127.0.0.1:9")
        broken.setenv("AWS_MAX_ATTEMPTS", "1")
        said += lab("teardown", "quiet", "--real")
    written = [path for path in context.home.rglob("*") if path.is_file()]
    assert {"ledger.json", "spend.jsonl"} <= {path.name for path in written}
    texts = [*map(str, said), *(path.read_text(errors="replace") for path in written)]
    for value in secrets.values():
        assert not [text for text in texts if value in text]


def test_what_no_ledger_knows_is_found_by_its_tags_in_every_region_and_goes(lab: Lab) -> None:
    here = where()
    spend.open_for(Site(here, "lost"), BedrockBatch(), 1)
    BedrockBatch().deploy(Site(here, "lost"))
    with standing.in_region(here, "us-west-2") as west:
        spend.open_for(Site(west, "lost-too"), BedrockBatch(), 1)
        BedrockBatch().deploy(Site(west, "lost-too"))
    for cloud in (here, west):
        for entry in ledger.entries(cloud):
            ledger.strike(cloud, entry.kind, entry.name)
    status, said, _ = lab("teardown", "--all", "--real", "--regions", "us-east-1, us-west-2", "--json")
    assert status == 0
    found = json.loads(said)["regions"]
    names = {
        site.name: [f"role {bedrock_roles.role_name(site)}", f"bucket {bedrock_roles.bucket_name(site)}"]
        for site in (Site(here, "lost"), Site(west, "lost-too"))
    }
    assert found["us-east-1"]["removed"] == names["lost"]
    assert found["us-west-2"]["removed"] == names["lost-too"]
    assert found["us-east-1"]["left"] == found["us-west-2"]["left"] == []
    assert boto3.client("iam").list_roles()["Roles"] == []


def test_one_deployment_that_will_not_go_does_not_keep_the_others(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    here = where()
    for name in ("stuck", "loose"):
        spend.open_for(Site(here, name), BedrockBatch(), 1)
        BedrockBatch().deploy(Site(here, name))
    iam: Any = boto3.client("iam")
    role = bedrock_roles.role_name(Site(here, "stuck"))
    iam.create_instance_profile(InstanceProfileName="holds-it")
    iam.add_role_to_instance_profile(InstanceProfileName="holds-it", RoleName=role)
    monkeypatch.setattr("labs.targets.steps.PATIENCE_S", 0.1)
    monkeypatch.setattr("labs.targets.steps.remove.__defaults__", (len, 0.1))
    status, said, refused = lab("teardown", "--all", "--real")
    assert status == FALSE
    assert f"Left: role {role} (" in said
    assert "run 'lab teardown --all --real' again" in refused
    assert f"role {role}" in " ".join(standing.look(here))
    assert standing.deployments(here) == ["stuck"]
    iam.remove_role_from_instance_profile(InstanceProfileName="holds-it", RoleName=role)
    iam.delete_instance_profile(InstanceProfileName="holds-it")
    assert lab("teardown", "--all", "--real")[0] == 0
    assert standing.look(here) == []
