"""The doctor says yes or no, and with each no what to do; of an account it asks without creating anything."""

import json
from collections.abc import Iterator
from dataclasses import replace

import boto3
import pytest
from click.testing import CliRunner

from labs import targets
from labs.cli import cli
from labs.cloud import Cloud
from labs.cloud.context import ACCOUNT_ID, REGION, Context
from labs.errors import Refusal
from labs.targets import doctor, doctor_account, permissions, readiness
from tests.labs.targets import own_kit


def test_this_machine_is_examined_and_every_no_has_something_to_do() -> None:
    found = doctor.examine()
    assert {each.id for each in found} == readiness.MACHINE.keys()  # each has its place in a code
    needed = {each.id for each in found if each.required} - {"port"}  # a free port is a yes, a taken one does no harm
    assert needed == readiness.REQUIRED
    assert next(each for each in found if each.id == "local-cloud").passed
    assert all(each.todo for each in found if not each.passed)


def test_a_look_that_fails_is_a_no_and_what_is_not_required_does_not_stop_anybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def _disk() -> doctor.Finding:
        raise PermissionError("no")

    monkeypatch.setattr(doctor, "LOOKS", (_disk,))
    [found] = doctor.examine()
    assert (found.id, found.passed) == ("disk", False)
    assert not doctor.is_ready([found])
    assert doctor.is_ready([replace(found, required=False)])


def test_little_memory_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_available_bytes", lambda: 1e9)
    assert not doctor._memory().passed


def test_the_command_prints_json_and_its_exit_status_says_whether_it_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = doctor.Finding("disk", False, "full", "free some")
    monkeypatch.setattr(doctor, "LOOKS", (lambda: finding,))
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    assert isinstance(result.exception, Refusal)
    assert result.exception.exit_status == 3
    said = json.loads(result.stdout)
    assert said["ready"] is False
    assert said["checks"][0]["todo"] == "free some"


@pytest.fixture(scope="class")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with own_kit.quick_cloud(tmp_path_factory.mktemp("doctor")) as made:
        yield made


class TestAccount:
    def cloud(self, identity: str) -> Cloud:
        return Cloud(None, REGION, ACCOUNT_ID, real=True, identity=identity)

    def findings(self, identity: str, *names: str) -> dict[str, doctor.Finding]:
        return {each.id: each for each in doctor_account.examine(self.cloud(identity), names)}

    def test_quotas_come_with_their_code_and_the_request(self, context: Context) -> None:
        own_kit.allow(context, 0)
        found = self.findings(f"arn:aws:iam::{ACCOUNT_ID}:root", "ec2-vllm")["ec2-vllm: quota"]
        assert not found.passed
        assert "--quota-code L-DB2E81BA --desired-value 8" in found.todo
        own_kit.allow(context, 8)
        assert self.findings(f"arn:aws:iam::{ACCOUNT_ID}:root", "ec2-vllm")["ec2-vllm: quota"].passed

    def test_what_a_user_may_not_is_named(self, context: Context) -> None:  # noqa: ARG002
        iam = boto3.client("iam")
        arn = iam.create_user(UserName="learner")["User"]["Arn"]
        before = self.findings(arn, "bedrock-on-demand")["bedrock-on-demand: permissions"]
        assert not before.passed
        assert "bedrock:InvokeModel" in before.says
        document = permissions.policy(targets.get("bedrock-on-demand")(), self.cloud(arn))
        iam.put_user_policy(UserName="learner", PolicyName="lab", PolicyDocument=json.dumps(document))
        assert self.findings(arn, "bedrock-on-demand")["bedrock-on-demand: permissions"].passed

    def test_a_session_of_a_role_is_judged_by_the_role(self, context: Context) -> None:  # noqa: ARG002
        session = f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/Admin/me"
        assert doctor_account.principal_of(session) == f"arn:aws:iam::{ACCOUNT_ID}:role/Admin"
        assert doctor_account.principal_of(f"arn:aws:iam::{ACCOUNT_ID}:root") is None

    def test_model_access_and_region_are_asked(self, context: Context) -> None:  # noqa: ARG002
        found = self.findings(f"arn:aws:iam::{ACCOUNT_ID}:root", "bedrock-on-demand", "ec2-vllm")
        assert found["bedrock-on-demand: model access"].passed
        assert found["bedrock-on-demand: region"].passed
        assert found["clock"].passed
        assert {each.rpartition(": ")[2] for each in found} == readiness.ACCOUNT.keys()  # each has its place in a code

    def test_nothing_was_created(self, context: Context) -> None:  # noqa: ARG002
        assert own_kit.running() == []
        assert boto3.client("cloudformation").describe_stacks()["Stacks"] == []
