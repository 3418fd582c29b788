"""The policy of a target allows what its life was seen to call, names no '*' action, and scopes what can be scoped."""

import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore import xform_name

from labs import targets
from labs.cloud import Cloud
from labs.cloud.context import Context
from labs.squid import policy_command
from labs.targets import asking, permissions
from labs.targets.ec2_vllm import Ec2Vllm
from labs.targets.reaper import deploying
from tests.labs.targets import own_kit

CLOUD = Cloud(None, "eu-west-1", "111122223333", real=True)
MADE: dict[str, Any] = {name: make() for name, make in targets.TARGETS.items()} | {
    "reaper": deploying.Reaper(),
    "squid": policy_command.Pattern(),
}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with own_kit.quick_cloud(tmp_path_factory.mktemp("permissions")) as made:
        own_kit.allow(made, 16)
        yield made


def test_what_the_life_of_an_instance_calls_is_in_its_policy(context: Context) -> None:  # noqa: ARG001
    target, site = Ec2Vllm(), own_kit.site("perm-ec2")
    with permissions.recording() as calls:
        target.deploy(site)
        asking.ask(target, site, "Hello", 2)
        target.remove(site)
    assert {"cloudformation.CreateStack", "ec2.DescribeVpcs", "service-quotas.GetServiceQuota"} <= calls
    assert permissions.missing(calls, target, site) == set()


def test_every_mapped_call_is_an_operation_of_its_service() -> None:
    data = permissions._data()
    groups = [*data["targets"].values(), *data["types"].values(), data["always"], data["stacked"], data["calls"]]
    calls = {call for group in groups for call in permissions._flat(group)}
    clients: dict[str, Any] = {}
    for service, _, operation in (call.partition(".") for call in calls):
        if service not in clients:
            clients[service] = boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]
        assert xform_name(operation) in clients[service].meta.method_to_api_mapping, f"{service}.{operation}"


def test_a_call_that_nobody_wrote_down_is_found() -> None:
    assert permissions.missing({"ec2.CreateImage"}, Ec2Vllm(), own_kit.site("x")) == {"ec2.CreateImage"}


@pytest.mark.parametrize("name", MADE)
def test_no_policy_has_a_star_among_its_actions_and_resources_are_scoped(name: str) -> None:
    document = permissions.policy(MADE[name], CLOUD)
    assert document["Statement"]
    for statement in document["Statement"]:
        assert not any("*" in action for action in statement["Action"])
        if statement["Sid"] != "TakeNoResource":
            assert "*" not in statement["Resource"]
            narrowed = ("111122223333", "::", ":aws:hub")
            assert all(any(part in arn for part in narrowed) for arn in statement["Resource"]), statement
    assert permissions.size(document) <= 6_144


def test_roles_are_passed_only_under_the_deployments_name_and_to_the_service_that_takes_them() -> None:
    [passing] = [s for s in permissions.policy(Ec2Vllm(), CLOUD, "mine")["Statement"] if s["Sid"] == "PassRole"]
    assert passing["Resource"] == ["arn:aws:iam::111122223333:role/mine-*"]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com"]}}


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("bedrock-batch", "bedrock.amazonaws.com"),
        ("bedrock-custom-import", "bedrock.amazonaws.com"),
        ("bedrock-custom-on-demand", "bedrock.amazonaws.com"),
        ("edge-greengrass", "sagemaker.amazonaws.com"),
    ],
)
def test_a_role_that_is_given_by_hand_is_given_to_its_service_only(name: str, service: str) -> None:
    document = permissions.policy(MADE[name], CLOUD, "mine")
    [passing] = [each for each in document["Statement"] if "iam:PassRole" in each["Action"]]
    assert passing["Resource"] == ["arn:aws:iam::111122223333:role/mine-*"]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": [service]}}


def test_what_takes_no_resource_is_looking_or_names_why() -> None:
    for name, made in MADE.items():
        for statement in permissions.policy(made, CLOUD)["Statement"]:
            if statement["Resource"] == "*":
                odd = [
                    a for a in statement["Action"] if not a.partition(":")[2].startswith(("Describe", "List", "Get"))
                ]
                assert all(
                    re.match(
                        "servicequotas|bedrock:CreateModelImportJob|bedrock:CreateCustomModel$|eks:CreateCluster$", a
                    )
                    or re.match("lambda:CreateEventSourceMapping|appsync:(CreateApi|DeleteApiKey)|sns:Unsubscribe", a)
                    for a in odd
                ), name


def test_converse_is_authorised_as_invoke_model_and_the_reason_is_told() -> None:
    target = targets.get("bedrock-on-demand")()
    actions = [a for s in permissions.policy(target, CLOUD)["Statement"] for a in s["Action"]]
    assert {action for action in actions if action.startswith("bedrock:")} == {
        "bedrock:InvokeModel",
        "bedrock:InvokeModelWithResponseStream",
    }
    assert "bedrock-runtime.Converse: IAM knows no Converse." in permissions.reasons(target)


def test_every_service_of_a_mapped_call_has_its_resources() -> None:
    data = permissions._data()
    calls = {
        call for group in ("targets", "types") for found in data[group].values() for call in permissions._flat(found)
    }
    for action in (action for call in calls for action in permissions.actions_of(call)):
        prefix = action.partition(":")[0]
        assert prefix in data["resources"] or permissions._takes_no_resource(action), action
