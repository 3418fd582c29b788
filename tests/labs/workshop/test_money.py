"""A room's bill is its labs' own resources at the register's prices; a shared target's slots, ceilings and commands hold together."""

import json
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from labs import cloud, facts, targets, terminal
from labs.check import catchup, source, student
from labs.check.labs import load
from labs.cloud.context import Context
from labs.cloud.state import ServerRecord
from labs.economics import queue
from labs.errors import Refusal
from labs.squid.commands import deploy
from labs.targets import Site, ceiling, costs, options
from labs.workshop import left, money
from labs.workshop.money_commands import left_, room_cost
from tests.labs.cloud.sagemaker_kit import GPU, fresh

USES = yaml.safe_load(money.DATA.read_text())
TYPE = re.compile(r"\"((?:ml\.)?[a-z]+\d[a-z]*\.\d*x?large)\"")
ONLY_COMPUTED = {"ml.g6e.12xlarge", "ml.g5.2xlarge", "ml.g6e.2xlarge", "ml.g6e.4xlarge", "g6e.12xlarge"}
"""Types that a lab's arithmetic names and nobody starts."""


def test_a_bill_is_the_hours_of_the_lab_at_the_registers_price() -> None:
    row = money.of("03-sagemaker")
    hours = sum(task.minutes for task in load("03-sagemaker").tasks) * 1.15 / 60 + 0.5
    prices = {kind: float(facts.value(f"sagemaker.price.{kind}")) for kind in ("g6-2xlarge", "inf2-48xlarge")}
    assert row.hours == pytest.approx(hours)
    assert row.bill.usd == pytest.approx(hours * (2 * prices["g6-2xlarge"] + prices["inf2-48xlarge"]))
    assert row.without == (f"without task 4 ${hours * prices['inf2-48xlarge']:,.2f} less",)


def test_a_lab_of_tokens_costs_its_tokens() -> None:
    [use] = USES["06-squid"]
    each = [float(facts.value(f"bedrock.price.nova-lite.{way}_per_million")) for way in ("input", "output")]
    usd = use["calls"] * (use["input_tokens"] * each[0] + use["output_tokens"] * each[1]) / 1e6
    assert money.of("06").bill.usd == pytest.approx(usd)


@given(people=st.integers(1, 500))
def test_a_room_costs_each_persons_bill_as_often_as_there_are_people(people: int) -> None:
    sheet = money.sheet(["03-sagemaker", "06-squid"], people)
    assert sheet.room_usd == pytest.approx(people * sum(row.bill.usd for row in sheet.rows))


@pytest.mark.parametrize("slug", sorted(USES))
def test_what_is_written_down_is_what_the_lab_starts(slug: str) -> None:
    code = "\n".join(cell.source for cell in source.cells(student.find(slug)))
    written = {use.get("endpoint") or use.get("machine") for use in USES[slug]} - {None}
    assert written <= set(TYPE.findall(code)) <= written | ONLY_COMPUTED
    for use in USES[slug]:
        assert use.get("model", "") in code or use["model"] == targets.get("bedrock-on-demand")().model_id


def test_a_new_account_lacks_what_the_sheet_says() -> None:
    needs = {need.name: need for need in money.sheet([], 40).needs}
    assert needs["ml.inf2.48xlarge for endpoint usage"].amount == 1
    assert needs["Running On-Demand G and VT instances"].amount == 16, "four machines of four vCPUs"
    assert all(need.default < need.amount for need in needs.values())
    assert f"--quota-code {facts.value('sagemaker.quota.code.inf2-48xlarge')} --desired-value 1" in (
        needs["ml.inf2.48xlarge for endpoint usage"].command
    )
    assert not money.sheet(["01", "06"], 40).needs


@pytest.mark.parametrize("name", ["bedrock-on-demand", "sagemaker-gpu", "ec2-vllm"])
def test_the_commands_of_a_shared_target_are_taken_as_they_are_printed(name: str) -> None:
    share = money.share(targets.get(name)(), people=40, jobs=10)
    lines = [shlex.split(line) for line in share.commands()]
    assert [line[:3] for line in (lines[0], lines[-1])] == [["lab", "doctor", "--real"], ["lab", "teardown", "--all"]]
    deployments = [deploy.make_context("deploy", line[2:]).params for line in lines if line[1] == "deploy"]
    assert [each["what"] for each in deployments] == ["squid"] if name == "bedrock-on-demand" else [name, "squid"]
    for asked in deployments:
        site = Site(costs._WHERE, asked["what"], asked["hours"])
        target = options.make(name, targets.get(name), asked["pairs"])
        if asked["what"] == "squid":
            calls = ceiling.Calls(asked["requests"], asked["input_tokens"], asked["output_tokens"])
            plan = ceiling.plan_calls(target, site, calls, queue.squid(asked["requests"], costs.JOB_S))
        else:
            plan = ceiling.plan(target, site)
        ceiling.require(plan, asked["ceiling_usd"])
        assert asked["ceiling_usd"] < plan.usd + 0.02, "and no more than that"


@given(people=st.integers(1, 300), jobs=st.integers(1, 200))
def test_three_who_ask_without_pause_leave_half_of_a_shared_target(people: int, jobs: int) -> None:
    share = money.share(targets.get("bedrock-on-demand")(), people, jobs)
    assert share.at_once == share.workers * share.batch
    assert share.slots >= 1
    assert share.slots == 1 or 3 * share.slots <= share.at_once / 2
    assert share.calls.requests == people * jobs
    assert share.alone_s <= share.everybody_s <= share.greedy_s


def test_more_people_wait_longer_and_one_alone_waits_for_one_answer() -> None:
    target = targets.get("sagemaker-gpu")()
    one, forty, many = (money.share(target, people) for people in (1, 40, 200))
    assert one.everybody_s == pytest.approx(one.alone_s, rel=0.05)
    assert one.everybody_s < forty.everybody_s < many.everybody_s


def test_a_target_that_answers_no_calls_cannot_be_shared() -> None:
    with pytest.raises(Refusal, match="answers no single calls"):
        money.share(targets.get("bedrock-batch")(), 40)
    with pytest.raises(Refusal, match="nobody here knows"):
        money.share(targets.get("bedrock-custom-import")(), 40)


def test_the_command_takes_labs_and_agendas() -> None:
    runner = CliRunner()
    told = json.loads(runner.invoke(room_cost, ["half-day", "03", "--people", "12", "--json"]).output)
    assert [row["lab"] for row in told["labs"]] == ["01-decision", "05-economics", "03-sagemaker"]
    assert told["usd_room"] == pytest.approx(12 * told["usd_each"])
    assert told["local_cloud_usd"] == 0
    shared = json.loads(runner.invoke(room_cost, ["--people", "12", "--shared", "sagemaker-gpu", "--json"]).output)
    assert shared["slots_each"] >= 1
    assert shared["provenance"] == "predicted by the serving model"
    text = " ".join(runner.invoke(room_cost, ["--people", "12"]).output.split())
    assert "Quotas to ask for, days before, in every account" in text


@pytest.mark.parametrize(
    ("arguments", "said", "status"),
    [
        (["--people", "0"], "0 is not in the range", 2),
        (["44-nowhere", "--people", "4"], "no checks for a lab '44-nowhere'", 2),
        (["00-small", "--people", "4"], "nothing is written down", 2),
        (["03", "--people", "4", "--shared", "sagemaker-gpu"], "leave the labs away", 2),
        (["--people", "4", "--shared", "nowhere"], "nowhere", 2),
        (["--people", "4", "--set", "model=x"], "--shared TARGET", 2),
    ],
)
def test_the_command_refuses_in_a_sentence(
    arguments: list[str], said: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert terminal.run(room_cost, "lab room-cost", arguments) == status
    assert said in " ".join(capsys.readouterr().err.split())


def test_whatever_is_billed_is_found_with_its_price_and_gone_when_it_is_removed(
    in_process_cloud: Context, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cloud, "connect", lambda **_: cloud.Cloud(None, "us-east-1", "123456789012"))
    sm = fresh(in_process_cloud)
    assert left.look("us-east-1") == left.Found("us-east-1", (), ())
    endpoint = sm.endpoint(sm.config(sm.variant(sm.model(), InstanceType=GPU, InitialInstanceCount=2)))
    boto3.client("s3").create_bucket(Bucket="mine")
    boto3.client("dynamodb", region_name="us-west-2").create_table(
        TableName="there",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    here, there = left.look("us-east-1"), left.look("us-west-2")
    price = float(facts.value("sagemaker.price.g5-xlarge"))
    assert here.things == (left.Thing("endpoint", endpoint, pytest.approx(2 * price)), left.Thing("bucket", "mine"))
    assert ("table", "there") in {(thing.kind, thing.name) for thing in there.things}
    assert terminal.run(left_, "lab left", ["--json"]) == 1
    out, err = capsys.readouterr()
    assert [thing["kind"] for thing in json.loads(out)["regions"][0]["things"]] == ["endpoint", "bucket"]
    assert "run the labs' clean-up cells, then 'lab teardown --all'" in " ".join(err.split())
    sm.remove(endpoint)
    boto3.client("s3").delete_bucket(Bucket="mine")
    assert left.look("us-east-1").things == ()
    assert terminal.run(left_, "lab left", []) == 0
    assert "Nothing that costs money is there" in capsys.readouterr().out
    assert terminal.run(left_, "lab left", ["--regions", " , "]) == 2


def test_what_may_not_be_listed_is_not_said_to_be_gone(
    in_process_cloud: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    del in_process_cloud

    def refused(_: str) -> left.Named:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListEndpoints")

    monkeypatch.setitem(left.LOOKS, "endpoint", refused)
    assert left.look("us-east-1").problems == ("endpoint: could not be listed (AccessDenied)",)


@pytest.mark.soak
@pytest.mark.parametrize("slug", [slug for slug in USES if USES[slug]])
def test_no_lab_asks_for_more_than_is_written_down(slug: str, local_cloud: ServerRecord) -> None:
    """Counted by CloudWatch on the local cloud, our solutions run."""
    del local_cloud
    began = datetime.now(UTC) - timedelta(minutes=1)
    catchup.catch_up(slug, max(load(slug).numbers), {"__name__": "__main__"}, including=True)
    cloudwatch = boto3.client("cloudwatch")

    def counted(metric: str, model: str) -> float:
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/Bedrock",
            MetricName=metric,
            Dimensions=[{"Name": "ModelId", "Value": model}],
            StartTime=began,
            EndTime=datetime.now(UTC) + timedelta(minutes=1),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        return sum(point["Sum"] for point in points)

    for use in USES[slug]:
        if "model" in use:
            for metric, most in {
                "Invocations": use["calls"],
                "InputTokenCount": use["calls"] * use["input_tokens"],
                "OutputTokenCount": use["calls"] * use["output_tokens"],
            }.items():
                assert counted(metric, use["model"]) <= most


def test_the_data_names_labs_that_there_are() -> None:
    assert set(money.labs()) == {path.stem for path in Path(student.NOTEBOOKS).glob("*.md")}
