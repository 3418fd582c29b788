"""The reaper removes what has expired, of every kind, leaves what has not, and goes last."""

import io
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from labs.cloud.context import REGION, Context
from labs.cloud.services import quotas
from labs.targets import Site, permissions, removing, staging, standing, steps, tagged
from labs.targets.bedrock_batch import BedrockBatch
from labs.targets.bedrock_custom_import import BedrockCustomImport
from labs.targets.bedrock_custom_on_demand import BedrockCustomOnDemand
from labs.targets.bedrock_provisioned import QUOTAS, BedrockProvisioned
from labs.targets.edge_greengrass import EdgeGreengrass
from labs.targets.reaper import deploying, function
from labs.targets.sagemaker_serverless import SageMakerServerless
from tests.labs.cloud.kit import until
from tests.labs.targets import own_kit

WARM = 400.0
"""Time scale at which a copy of an imported model is still there when it is asked again."""
EXPIRED, FRESH = -1.0, 5.0
TEMPLATE = '{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}'


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with own_kit.quick_cloud(tmp_path_factory.mktemp("reaper"), WARM) as made:
        units = (each for each in quotas.known()["bedrock"].values() if each.name == QUOTAS[False])
        code = next(units).code
        quotas.set_value(made, REGION, "bedrock", code, 2)
        yield made


@pytest.fixture(autouse=True)
def inside_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Lambda and the template put into its environment."""
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("REAPER_STACK", deploying.NAME)
    monkeypatch.setenv("CODE_BUCKET", staging.bucket_name(own_kit.site("any").cloud))


def site(name: str, hours: float) -> Site:
    return replace(own_kit.site(name), hours=hours)


@pytest.mark.usefixtures("context")
def test_what_has_expired_goes_whatever_it_is_then_the_reaper_and_nothing_is_left(tmp_path: Path) -> None:
    where = own_kit.site("any").cloud
    deploying.ensure(where, len)
    deploying.ensure(where, len)  # there is one already
    expired: list[tuple[Any, str]] = [
        (SageMakerServerless(), "old-endpoint"),
        (BedrockBatch(), "old-batch"),
        (BedrockCustomImport(), "old-import"),
        (BedrockCustomOnDemand(), "old-custom"),
        (BedrockProvisioned(), "old-units"),
        (EdgeGreengrass(recipe=str(tmp_path / "recipe.yaml")), "old-edge"),
    ]
    for target, name in expired:
        target.deploy(site(name, EXPIRED))
    kinds = {entry.kind for name in standing.deployments(where) for entry in steps.entries(where, name)}
    assert kinds == set(removing.KINDS) - {"batch-job"}, "every kind of thing is there to be reaped"
    BedrockBatch().deploy(site("fresh", FRESH))
    boto3.client("cloudformation").create_stack(StackName="somebody-elses", TemplateBody=TEMPLATE)

    ring(until=lambda said: not [each for each in said["pending"] if " old-" in each])
    assert not removing.there("stack", "old-endpoint")
    assert removing.there("stack", deploying.NAME), "something of ours is not expired yet"
    assert {kind for kind, _ in named(where, "fresh")} == {"role", "bucket"}

    steps.remove(where, "fresh")
    ring(until=lambda said: said["removes_itself"])
    until(lambda: not removing.there("stack", deploying.NAME))
    assert removing.there("stack", "somebody-elses")
    for name in standing.deployments(where):  # the ledger here learns that nothing is there
        assert standing.remove(where, name, len) == []
    standing.finish(where, len)
    assert standing.look(where) == []


def ring(until: Callable[[dict[str, Any]], bool]) -> None:
    """What the schedule does, until that is so."""
    for _ in range(100):
        if until(function.handler()):
            return
        time.sleep(0.3)
    raise AssertionError(function.handler())


def named(where: Any, name: str) -> set[tuple[str, str]]:
    things, problems = tagged.found(where.region)
    assert problems == []
    return {(thing.kind, thing.name) for thing in things if name in thing.name}


@pytest.mark.usefixtures("context")
def test_what_could_not_be_looked_for_keeps_the_reaper_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: str) -> Iterator[Any]:
        raise removing.ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListRoles")

    monkeypatch.setitem(tagged.LOOKS, "role", refused)
    said = function.handler()
    assert said["failed"] == ["role: could not be listed (AccessDenied)"]
    assert not said["removes_itself"]


def test_what_does_not_say_when_it_expires_stays() -> None:
    assert function.expires("") == function.expires("soon") > function.expires("2999-01-01T00:00Z")


def test_its_package_runs_without_the_course(tmp_path: Path) -> None:
    _, content = deploying.package()
    assert deploying.package() == deploying.package()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert sorted(archive.namelist()) == ["function.py", "removing.py", "tagged.py"]
        archive.extractall(tmp_path)
    code = "import function, sys; print(function.removing.__name__, 'labs' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["removing", "False"]


def deletes() -> Iterator[str]:
    """What CloudFormation calls to remove a stack of ours, and what the reaper calls itself."""
    types: dict[str, list[str]] = permissions._data()["types"]
    verbs: Callable[[str], bool] = lambda call: call.partition(".")[2].startswith(  # noqa: E731
        ("Delete", "Terminate", "Deregister", "Detach", "Disassociate", "Remove", "Stop")
    )
    for calls in types.values():
        yield from filter(verbs, calls)
    yield from ("bedrock.DeleteImportedModel", "bedrock.DeleteCustomModel", "bedrock.StopModelInvocationJob")
    yield from ("bedrock.DeleteProvisionedModelThroughput", "bedrock.DeleteCustomModelDeployment")
    yield from ("sagemaker.StopCompilationJob", "sagemaker.DeleteCompilationJob")


class Loader(yaml.SafeLoader):
    """CloudFormation's short forms as plain text."""


Loader.add_multi_constructor("!", lambda _, tag, node: str(getattr(node, "value", tag)))


def test_its_role_may_delete_what_targets_make_and_only_what_carries_the_tag_where_that_can_be_said() -> None:
    template = yaml.load(deploying.Reaper().template(), Loader)
    [policy] = template["Resources"]["Role"]["Properties"]["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    allowed = {action for statement in statements for action in statement["Action"]}
    assert not any("*" in action for action in allowed)
    needed = {action for call in deletes() for action in permissions.actions_of(call)}
    assert needed - allowed == set()
    for statement in statements:
        everywhere = statement["Resource"] == "*"
        looks = all(action.partition(":")[2].startswith(("Describe", "List", "Get")) for action in statement["Action"])
        assert not everywhere or looks or "aws:ResourceTag/Project" in statement["Condition"]["StringEquals"]
