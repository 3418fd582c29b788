"""What is made by hand is written down before it exists, and goes in order, until a look finds nothing."""

import json

import boto3
import pytest

from labs import cloud
from labs.targets import Site, ledger, removing, steps

pytestmark = pytest.mark.usefixtures("local_cloud")

STATEMENT = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]})
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
)


def make_role(name: str) -> None:
    iam = boto3.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=POLICY)


def test_a_resource_is_in_the_ledger_before_it_exists_also_when_it_never_comes_to_exist() -> None:
    site = Site(cloud.connect(), "step-first")

    def fail() -> None:
        assert [entry.name for entry in steps.entries(site.cloud, site.name)] == ["step-first-role"]
        raise RuntimeError("killed here")

    with pytest.raises(RuntimeError):
        steps.take(site, "some-target", "role", "step-first-role", fail)
    assert steps.remove(site.cloud, site.name) == []
    assert steps.entries(site.cloud, site.name) == []


def test_everything_of_a_deployment_goes_and_nothing_of_another() -> None:
    mine, other = Site(cloud.connect(), "step-mine"), Site(cloud.connect(), "step-other")
    for site in (mine, other):
        bucket = f"{site.name}-bucket"
        steps.take(site, "t", "bucket", bucket, lambda name=bucket: boto3.client("s3").create_bucket(Bucket=name))
        boto3.client("s3").put_object(Bucket=bucket, Key="weights", Body=b"0")
        steps.take(site, "t", "role", f"{site.name}-role", lambda name=f"{site.name}-role": make_role(name))
    assert [entry.kind for entry in steps.entries(mine.cloud, mine.name)] == ["role", "bucket"]
    assert steps.remove(mine.cloud, mine.name) == []
    assert not removing.there("role", "step-mine-role")
    assert removing.there("bucket", "step-other-bucket")
    assert steps.remove(other.cloud, other.name) == []
    assert ledger.entries(other.cloud, "role") == []


def test_what_cannot_go_is_named_with_the_reason_and_goes_the_next_time() -> None:
    site, iam = Site(cloud.connect(), "step-stuck"), boto3.client("iam")
    steps.take(site, "t", "role", "step-stuck-role", lambda: make_role("step-stuck-role"))
    iam.create_instance_profile(InstanceProfileName="step-stuck-profile")
    iam.add_role_to_instance_profile(InstanceProfileName="step-stuck-profile", RoleName="step-stuck-role")
    [left] = steps.remove(site.cloud, site.name, patience_s=0.3)
    assert left.startswith("role step-stuck-role (")
    assert len(steps.entries(site.cloud, site.name)) == 1
    iam.remove_role_from_instance_profile(InstanceProfileName="step-stuck-profile", RoleName="step-stuck-role")
    iam.delete_instance_profile(InstanceProfileName="step-stuck-profile")
    assert steps.remove(site.cloud, site.name) == []


def test_every_kind_can_be_looked_for_and_what_is_not_there_is_gone() -> None:
    for kind in removing.KINDS:
        assert not removing.there(kind, f"no-such-{kind}")
        removing.remove(kind, f"no-such-{kind}")
