"""AWS's own policies are in every account, and cost something only when somebody asks for them."""

import pytest
from botocore.exceptions import ClientError

from tests.labs.cloud.kit import READS_QUEUES, TRUST, Aws

BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
FULL = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of AWS's policies that are made."""
    from moto.iam.models import AWSManagedPolicy

    made: list[str] = []
    make = AWSManagedPolicy.from_data.__func__  # type: ignore[attr-defined]

    def from_data(cls: type, name: str, *rest: object) -> object:
        made.append(name)
        return make(cls, name, *rest)

    monkeypatch.setattr(AWSManagedPolicy, "from_data", classmethod(from_data))
    return made


def test_a_policy_is_made_when_it_is_asked_for_and_no_other(inside: Aws, loaded: list[str]) -> None:
    inside.iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)
    own = inside.iam.create_policy(PolicyName="own", PolicyDocument=READS_QUEUES)["Policy"]
    assert loaded == []
    inside.iam.attach_role_policy(RoleName="worker", PolicyArn=BASIC)
    inside.iam.attach_role_policy(RoleName="worker", PolicyArn=own["Arn"])
    assert inside.iam.get_policy(PolicyArn=BASIC)["Policy"]["AttachmentCount"] == 1
    assert loaded == ["AWSLambdaBasicExecutionRole"]
    names = {p["PolicyName"] for p in inside.iam.list_attached_role_policies(RoleName="worker")["AttachedPolicies"]}
    assert names == {"AWSLambdaBasicExecutionRole", "own"}
    for arn in (BASIC, own["Arn"]):
        inside.iam.detach_role_policy(RoleName="worker", PolicyArn=arn)
    assert inside.iam.list_attached_role_policies(RoleName="worker")["AttachedPolicies"] == []


def test_all_of_them_are_listed_and_the_one_that_was_made_keeps_what_happened_to_it(inside: Aws) -> None:
    inside.iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)
    inside.iam.attach_role_policy(RoleName="worker", PolicyArn=FULL)
    pages = inside.iam.get_paginator("list_policies").paginate(Scope="AWS", PaginationConfig={"PageSize": 500})
    found = {policy["Arn"]: policy for page in pages for policy in page["Policies"]}
    assert len(found) > 1000
    assert found[FULL]["AttachmentCount"] == 1


@pytest.mark.parametrize(
    "arn", ["arn:aws:iam::aws:policy/Document", "arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole"]
)
def test_a_policy_that_aws_has_not_is_not_there(inside: Aws, arn: str) -> None:
    inside.iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)
    with pytest.raises(ClientError, match="NoSuchEntity"):
        inside.iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
    with pytest.raises(ClientError, match="NoSuchEntity"):
        inside.iam.detach_role_policy(RoleName="worker", PolicyArn=arn)


def test_a_profile_gives_up_only_a_role_that_it_holds(inside: Aws) -> None:
    inside.iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)
    inside.iam.create_instance_profile(InstanceProfileName="machine")
    with pytest.raises(ClientError, match="NoSuchEntity"):
        inside.iam.remove_role_from_instance_profile(InstanceProfileName="machine", RoleName="worker")
    inside.iam.add_role_to_instance_profile(InstanceProfileName="machine", RoleName="worker")
    inside.iam.remove_role_from_instance_profile(InstanceProfileName="machine", RoleName="worker")
    assert inside.iam.get_instance_profile(InstanceProfileName="machine")["InstanceProfile"]["Roles"] == []


def test_moto_breaks_over_a_role_that_a_profile_does_not_hold(stock: Aws) -> None:
    stock.iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)
    stock.iam.create_instance_profile(InstanceProfileName="machine")
    with pytest.raises(ValueError, match="not in list"):
        stock.iam.remove_role_from_instance_profile(InstanceProfileName="machine", RoleName="worker")
