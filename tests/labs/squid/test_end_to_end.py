"""The whole path on a local cloud: deploy by command, submit by command, every job answered once, whatever is killed; then nothing is left."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from labs import terminal
from labs.cli import cli
from labs.cloud import connect, faults
from labs.cloud.state import ServerRecord
from labs.errors import FALSE, USAGE, Refusal
from labs.squid import deploy, prompts
from labs.squid.client import Squid
from labs.squid.deploy import TEMPLATE
from labs.squid.functions import jobs
from labs.squid.listening import Ear, Piece
from labs.targets import ledger, stacks
from labs.targets.bedrock_on_demand import BedrockOnDemand
from tests.labs.cloud.test_apigateway import Issuer, issuer
from tests.labs.squid import proof

JOBS, FEW = 200, 40
pytestmark = pytest.mark.timeout(300)
__all__ = ["issuer"]  # a fixture


@pytest.fixture(scope="module")
def stack(local_cloud: ServerRecord) -> Iterator[str]:
    """A deployed stack with short answers and a short timeout, so that a crash costs seconds."""
    del local_cloud
    settings = ["--function-timeout", "10", "--max-tokens", "24", "--concurrency", "6", "--batch-size", "10"]
    assert terminal.run(cli, "lab", ["deploy", "squid", *settings, "--json"]) == 0
    yield "squid"
    terminal.run(cli, "lab", ["teardown", "--all", "--json"])


@pytest.fixture
def lab(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command with --json: its exit status and what it printed."""

    def run(*args: str) -> tuple[int, Any]:
        capsys.readouterr()
        status = terminal.run(cli, "lab", [*args, "--json"])
        printed = capsys.readouterr().out
        return status, json.loads(printed) if printed.strip() else None

    return run


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = prompts.SHIPPED.read_text().splitlines()[:JOBS]
    path = tmp_path_factory.mktemp("prompts") / "prompts.jsonl"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def small_file(file: Path) -> Path:
    path = file.with_name("few.jsonl")
    path.write_text("\n".join(file.read_text().splitlines()[:FEW]))
    return path


def answered_once(account: dict[str, Any], jobs: int = JOBS) -> None:
    assert {name: account[name] for name in ("submitted", "answered", "failed", "lost", "duplicates")} == {
        "submitted": jobs,
        "answered": jobs,
        "failed": 0,
        "lost": 0,
        "duplicates": 0,
    }
    assert 0 < account["e2e_ms"]["p50"] <= account["e2e_ms"]["p90"] <= account["e2e_ms"]["p99"]


@pytest.mark.usefixtures("stack")
def test_a_prompt_is_answered(lab: Callable[..., Any]) -> None:
    status, answer = lab("squid", "submit", "Explain a dead-letter queue in one sentence.")
    assert status == 0
    assert (answer["status"], answer["model_id"], answer["answers"]) == ("DONE", "amazon.nova-lite-v1:0", 1)
    assert "dead-letter" in answer["text"]
    assert 0 < answer["output_tokens"] <= 24
    assert lab("squid", "status", answer["job_id"]) == (0, answer)


@pytest.mark.usefixtures("stack")
def test_a_file_of_prompts_is_answered_each_once(lab: Callable[..., Any], file: Path, tmp_path: Path) -> None:
    status, account = lab("squid", "submit", "--file", str(file), "--answers", str(tmp_path / "answers.jsonl"))
    assert status == 0
    answered_once(account)
    assert account["attempts"] <= JOBS * 1.05, (
        "undisturbed, a job takes one attempt, unless the machine has other things to do"
    )
    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert {answer["id"] for answer in answers} == {prompt.id for prompt in prompts.read(file)}
    assert len({answer["job_id"] for answer in answers}) == JOBS


@pytest.mark.usefixtures("stack")
def test_the_same_run_again_asks_for_nothing_and_gives_the_same_answers(
    lab: Callable[..., Any], small_file: Path
) -> None:
    first = lab("squid", "submit", "--file", str(small_file), "--run", "again")
    answered_once(first[1], FEW)
    assert lab("squid", "submit", "--file", str(small_file), "--run", "again") == first


@pytest.mark.usefixtures("stack")
def test_500_jobs_under_faults_end_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{proof.run(Squid('squid'), jobs=500, outage_s=3)}")


@pytest.mark.usefixtures("stack")
def test_pieces_come_while_the_answer_is_written_and_the_answer_after_them() -> None:
    squid = Squid("squid")
    heard = ""
    for n in range(3):  # an event that does not go out in time on a busy machine is not sent again
        message = jobs.write(f"Tell of rivers, {n}")
        squid._enter(message)
        with Ear(squid.events, message.job_id) as ear:
            squid._send([message])  # only now, so that nothing is said before we listen
            pieces: list[Piece] = []
            answer = squid.wait(message.job_id, timeout_s=60)
            for _ in range(30):
                if ear.told_of_end:
                    break
                pieces += ear.wait(0.5)
            pieces += ear.heard()
        heard = "".join(piece.text for piece in pieces if piece.attempt == answer.attempts)
        assert answer.text.startswith(heard)
        if heard == answer.text:
            break
    assert heard == answer.text
    assert list(squid.follow(message.job_id)) == [answer], "of what is over there is nothing more to hear"


@pytest.mark.usefixtures("stack")
def test_the_door_takes_a_job_from_a_browser_of_its_origin(lab: Callable[..., Any]) -> None:
    squid = Squid("squid")
    door = urlsplit(squid.api_url)

    def ask(method: str, path: str, body: Any = None, **headers: str) -> http.client.HTTPResponse:
        assert door.hostname is not None
        connection = http.client.HTTPConnection(door.hostname, door.port, timeout=30)
        sent = {name.replace("_", "-"): value for name, value in headers.items()} | {"content-type": "application/json"}
        connection.request(method, path, json.dumps(body) if body else None, sent)
        return connection.getresponse()

    for origin, let_in in ((squid.page_origin, squid.page_origin), ("https://elsewhere.example", None)):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        allowed = ask("OPTIONS", "/jobs", **asked, **{"Access-Control-Request-Headers": "idempotency-key"})
        assert allowed.headers["Access-Control-Allow-Origin"] == let_in
    answered = ask("POST", "/jobs", {"prompt": "Why a door?"}, idempotency_key="door", Origin=squid.page_origin)
    assert (answered.status, answered.headers["Access-Control-Allow-Origin"]) == (202, squid.page_origin)
    said = json.loads(answered.read())
    assert said["events"]["channel"] == f"/jobs/{said['job_id']}"
    assert squid.wait(said["job_id"], timeout_s=30).status == "DONE"
    seen = ask("GET", f"/jobs/{said['job_id']}")
    body = json.loads(seen.read())
    assert (body["status"], body["answers"]) == ("DONE", 1)
    assert ask("GET", f"/jobs/{said['job_id']}", if_none_match=str(seen.headers["ETag"])).status == 304
    assert ask("GET", "/nosuch").status == 404
    status, again = lab("squid", "cancel", said["job_id"])
    assert (status, again) == (FALSE, {"job_id": said["job_id"], "status": "DONE"})


@pytest.mark.usefixtures("local_cloud")
def test_a_door_with_an_issuer_lets_in_who_has_a_token_and_shows_him_his_own(issuer: Issuer) -> None:
    settings = {"JwtIssuer": issuer.url, "JwtAudience": "course", "Push": "no"}
    deploy.deploy(connect(), BedrockOnDemand(), "locked", settings, tell=lambda _: None)
    door = Squid("locked").api_url

    def ask(path: str, of: str = "", body: Any = None) -> int:
        headers = {"content-type": "application/json"} | (
            {"authorization": f"Bearer {issuer.token(sub=of)}"} if of else {}
        )
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(door + path, data, headers), timeout=30) as answered:
                said.update(json.load(answered))
                return int(answered.status)
        except urllib.error.HTTPError as refused:
            return refused.code

    said: dict[str, Any] = {}
    assert ask("/queue") == ask("/jobs", body={"prompt": "x"}) == 401
    assert ask("/jobs", "acme", {"prompt": "Why a lock?"}) == 202
    assert "events" not in said, "this stack pushes nothing"
    assert (ask(f"/jobs/{said['job_id']}", "acme"), ask(f"/jobs/{said['job_id']}", "globex")) == (200, 404)
    assert said["tenant"] == "acme"
    assert stacks.delete(connect(), "locked") == []
    deploy.remove_staging_if_unused(connect())


@pytest.mark.soak
@pytest.mark.timeout(3000)
@pytest.mark.usefixtures("stack")
def test_10000_jobs_under_faults_end_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{proof.run(Squid('squid'), jobs=10_000, outage_s=20)}")


@pytest.mark.usefixtures("stack")
def test_a_poison_message_ends_in_the_dead_letter_queue(lab: Callable[..., Any]) -> None:
    squid = Squid("squid")
    boto3.client("sqs").send_message(QueueUrl=squid.queue_url, MessageBody="not a job")
    assert terminal.run(cli, "lab", ["squid", "watch", "--every", "0.2", "--until-empty"]) == 0
    assert squid.depth() == {"waiting": 0, "working": 0, "dead": 1}
    table = boto3.resource("dynamodb").Table(squid.table)
    [item] = [item for item in table.scan()["Items"] if item["status"] == "QUARANTINED"]
    assert "not JSON" in str(item["error"]), "whoever looks is told why"
    status, report = lab("squid", "redrive")
    assert status == 0
    assert report["redriven"] == 0
    assert "it holds no job" in report["stay"][0]


@pytest.mark.usefixtures("stack")
def test_a_second_stack_of_the_name_is_refused_and_the_first_stays(
    lab: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert terminal.run(cli, "lab", ["deploy", "squid"]) == FALSE
    assert "a stack named 'squid' exists (CREATE_COMPLETE)" in capsys.readouterr().err
    status, listed = lab("list")
    assert status == 0
    assert [(entry["name"], entry["status"]) for entry in listed["stacks"]] == [("squid", "CREATE_COMPLETE")]
    assert len(listed["buckets"]) == 1


@pytest.mark.usefixtures("stack")
def test_a_file_with_a_wrong_line_sends_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "wrong.jsonl"
    path.write_text('{"id": "a", "prompt": "fine"}\n{"id": "b", "prompt": }\n')
    table = boto3.resource("dynamodb").Table(Squid("squid").table)
    before = table.scan(Select="COUNT")["Count"]
    assert terminal.run(cli, "lab", ["squid", "submit", "--file", str(path)]) == USAGE
    assert f"{path}, line 2: not JSON" in "".join(capsys.readouterr().err.split("\n"))
    assert table.scan(Select="COUNT")["Count"] == before


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["deploy", "nosuch"], "the targets are: bedrock-batch, "),
        (["deploy", "squid", "--target", "nosuch"], "the targets are: bedrock-batch, "),
        (["deploy", "squid", "--name", "2nd stack"], "cannot name a stack"),
        (["teardown"], "say which"),
        (["teardown", "squid", "--all"], "say which"),
        (["squid", "submit"], "give one prompt, or a file"),
        (["squid", "submit", "x", "--file", "y"], "give one prompt, or a file"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("local_cloud")
def test_wrong_usage_is_one_sentence(capsys: pytest.CaptureFixture[str], args: list[str], says: str) -> None:
    assert terminal.run(cli, "lab", args) == USAGE
    assert says in capsys.readouterr().err


def holds() -> dict[str, set[str]]:
    """Names of everything that the services themselves have, other tests' things on the same cloud included."""
    logs, functions = boto3.client("logs"), boto3.client("lambda")
    return {
        "stacks": {stack["StackName"] for stack in boto3.client("cloudformation").describe_stacks()["Stacks"]},
        "queues": set(boto3.client("sqs").list_queues().get("QueueUrls", [])),
        "tables": set(boto3.client("dynamodb").list_tables()["TableNames"]),
        "doors": {each["ApiId"] for each in boto3.client("apigatewayv2").get_apis()["Items"]},
        "events": {each["apiId"] for each in boto3.client("appsync").list_apis()["apis"]},
        "functions": {each["FunctionName"] for each in functions.list_functions()["Functions"]},
        "mappings": {each["UUID"] for each in functions.list_event_source_mappings()["EventSourceMappings"]},
        "roles": {role["RoleName"] for role in boto3.client("iam").list_roles()["Roles"]},
        "log groups": {
            group["logGroupName"]
            for page in logs.get_paginator("describe_log_groups").paginate()
            for group in page["logGroups"]
        },
        "alarms": {alarm["AlarmName"] for alarm in boto3.client("cloudwatch").describe_alarms()["MetricAlarms"]},
        "buckets": {bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]},
        "ledger": {str(entry) for entry in ledger.entries(connect())},
    }


@pytest.fixture(scope="module", autouse=True)
def before(local_cloud: ServerRecord) -> dict[str, set[str]]:
    """What the cloud held before this module made anything."""
    del local_cloud
    BEFORE.clear()
    BEFORE.update(holds())
    return BEFORE


BEFORE: dict[str, set[str]] = {}


def remains() -> dict[str, set[str]]:
    """What the services have now and had not before."""
    return {kind: names - BEFORE[kind] for kind, names in holds().items()}


@pytest.mark.usefixtures("stack")
def test_teardown_leaves_nothing_and_a_second_one_has_nothing_to_do(lab: Callable[..., Any]) -> None:
    assert [name for name, there in remains().items() if not there] == [], "the look below would see each of these"
    status, report = lab("teardown", "squid")
    assert (status, report["removed"], report["bucket_removed"], report["left"]) == (0, ["squid"], True, [])
    assert not any(remains().values()), remains()
    assert lab("teardown", "squid") == (FALSE, None)
    assert lab("list")[1]["stacks"] == []


@pytest.mark.usefixtures("local_cloud")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("AWS::SQS::Queue", "AWS::SQS::NoSuchType"), "the template of 'squid' was refused"),
        (("!Ref JobDays", "!Ref NoSuchParameter"), "the template of 'squid' was refused"),
        (
            ("S3Key: !Ref CodeKey", "S3Key: not-there.zip"),
            r"stack 'squid' could not be created: Worker \(AWS::Lambda::Function\)",
        ),
    ],
    ids=["unknown type", "unknown parameter", "a resource that fails"],
)
def test_a_refused_template_gives_the_reason_and_leaves_nothing(change: tuple[str, str], says: str) -> None:
    template = TEMPLATE.read_text().replace(*change)
    assert template != TEMPLATE.read_text()
    with pytest.raises(Refusal, match=says) as refused:
        deploy.deploy(connect(), BedrockOnDemand(), template=template, tell=lambda _: None)
    assert refused.value.exit_status == FALSE
    assert not any(remains().values()), remains()


@pytest.mark.usefixtures("local_cloud")
def test_a_model_that_does_not_answer_is_refused_before_anything_is_made() -> None:
    with pytest.raises(Refusal, match=r"'amazon\.no-such-model' refused"):
        deploy.deploy(connect(), BedrockOnDemand("amazon.no-such-model"), tell=lambda _: None)
    assert not any(remains().values()), remains()


@pytest.mark.usefixtures("local_cloud")
def test_a_stack_that_the_ledger_forgot_is_found_by_its_tags() -> None:
    deploy.deploy(connect(), BedrockOnDemand(), name="tagged", tell=lambda _: None)
    ledger.strike(connect(), "stack", "tagged")
    assert [stack.name for stack in stacks.listed(connect())] == ["tagged"]
    assert stacks.delete(connect(), "tagged") == []
    deploy.remove_staging_if_unused(connect())
    assert not any(remains().values()), remains()


@pytest.mark.usefixtures("local_cloud")
def test_a_cloud_that_refuses_is_reported_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with faults.inject("throttle", service="cloudformation", operation="DescribeStacks"):
        assert terminal.run(cli, "lab", ["list"]) == FALSE
    said = capsys.readouterr().err
    assert "DescribeStacks was refused" in said
    assert "Traceback" not in said
