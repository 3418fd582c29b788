"""The edge target compiles, writes a recipe that Greengrass would take, is called by nobody, and leaves nothing in the cloud."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from labs import terminal
from labs.cli import cli
from labs.cloud import connect
from labs.errors import USAGE, Refusal
from labs.targets import Kind, Site, greengrass, ledger, permissions, removing, steps
from labs.targets.edge_greengrass import EdgeGreengrass

pytestmark = [pytest.mark.usefixtures("local_cloud"), pytest.mark.timeout(120)]


def test_whole_life(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "recipe.yaml"
    target, site = EdgeGreengrass(architecture="X86_64", recipe=str(file)), Site(connect(), "edge-life")
    with permissions.recording() as calls:
        target.deploy(site)
        artefact = target.artefact(site)
    document = yaml.safe_load(file.read_text())
    greengrass.check(document)
    [manifest] = document["Manifests"]
    assert manifest["Platform"] == {"os": "linux", "architecture": "amd64"}
    assert [each["URI"] for each in manifest["Artifacts"]] == [artefact]
    bucket, _, key = artefact.removeprefix("s3://").partition("/")
    assert boto3.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"] > 0
    assert key.rpartition("/")[2] in manifest["Lifecycle"]["install"]["script"]
    assert f"arn:aws:s3:::{bucket}/{key}*" in [arn for each in target.statements(site) for arn in each["Resource"]]
    assert target.status(site) == "COMPLETED"
    with pytest.raises(Refusal, match="nothing here to call"):
        target.address(site)
    with pytest.raises(Refusal, match="is deployed already"):
        target.deploy(site)
    capsys.readouterr()
    assert terminal.run(cli, "lab", ["list", "--json"]) == 0
    made = {each["kind"] for each in json.loads(capsys.readouterr().out)["steps"] if each["deployment"] == "edge-life"}
    assert made == {"bucket", "role", "compilation-job"}
    held = [(each.kind, each.name) for each in steps.entries(site.cloud, site.name)]
    with permissions.recording() as more:
        target.remove(site)
    assert [each for each in held if removing.there(*each)] == []
    assert [each for each in ledger.entries(site.cloud) if each.deployment == site.name] == []
    assert file.exists(), "the recipe is its owner's"
    assert permissions.missing(calls | more, target, site) == set()


def test_a_job_that_fails_gives_neos_reason_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, site = EdgeGreengrass(recipe=str(tmp_path / "r.yaml")), Site(connect(), "edge-fails")
    monkeypatch.setattr("labs.targets.edge_greengrass.MOST_COMPILING_S", 60)
    with pytest.raises(Refusal, match=r"MaxRuntimeInSeconds exceeded; everything it had begun was removed"):
        target.deploy(site)
    assert steps.entries(site.cloud, site.name) == []
    assert not removing.there("compilation-job", site.name)
    assert not (tmp_path / "r.yaml").exists()


def test_a_job_that_still_runs_is_stopped_and_removed() -> None:
    name, sagemaker = "edge-running", boto3.client("sagemaker")
    sagemaker.create_compilation_job(
        CompilationJobName=name,
        RoleArn="arn:aws:iam::123456789012:role/edge-running",
        InputConfig={"S3Uri": "s3://edge/m.tar.gz", "DataInputConfig": "{}", "Framework": "ONNX"},
        OutputConfig={"S3OutputLocation": "s3://edge/o", "TargetPlatform": {"Os": "LINUX", "Arch": "ARM64"}},
        StoppingCondition={"MaxRuntimeInSeconds": 900},
    )
    site = Site(connect(), name)
    steps.take(site, "edge-greengrass", "compilation-job", name, lambda: None)
    assert steps.remove(site.cloud, name) == []
    assert not removing.there("compilation-job", name)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"inputs": "1, 3"}, "are JSON that names each input's shape"),
        ({"version": "one"}, "ComponentVersion is a semantic version"),
        ({"component": "my model"}, "ComponentName is up to"),
        ({"model": "model.tar.gz"}, r"a model is s3://BUCKET/NAME\.tar\.gz"),
        ({"recipe": "/no-such-folder/recipe.yaml"}, "there is no folder /no-such-folder"),
    ],
    ids=["inputs", "version", "component", "model", "recipe"],
)
def test_wrong_options_are_refused_before_anything_is_made(options: dict[str, Any], says: str) -> None:
    site = Site(connect(), "edge-wrong")
    with pytest.raises(Refusal, match=says):
        EdgeGreengrass(**options).deploy(site)
    assert steps.entries(site.cloud, site.name) == []


def test_no_queue_stands_in_front_of_it_and_nobody_invokes_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert EdgeGreengrass.kinds == {Kind.ARTIFACT}
    assert terminal.run(cli, "lab", ["deploy", "squid", "--target", "edge-greengrass", "--name", "edge-squid"]) == USAGE
    assert "its result is a file that runs somewhere else" in " ".join(capsys.readouterr().err.split())
    assert terminal.run(cli, "lab", ["invoke", "edge-greengrass", "Hello"]) == USAGE
    assert "there is nothing here to call" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"RecipeFormatVersion": "2"}, "RecipeFormatVersion"),
        ({"ComponentVersion": "1.0"}, "semantic"),
        ({"Manifests": []}, "no entry"),
        ({"Manifests": [{"Platform": {"architecture": "ARM64"}}]}, "architecture is one of"),
        ({"Manifests": [{"Artifacts": [{"URI": "https://x/y"}]}]}, "URI is s3://"),
        ({"Manifests": [{"Artifacts": [{"URI": "s3://bucket/y", "Unarchive": "TAR"}]}]}, "Unarchive is NONE or ZIP"),
        ({"Manifests": [{"Lifecycle": {"begin": "x"}}]}, "no step begin"),
    ],
    ids=["format", "version", "manifests", "architecture", "artefact", "unarchive", "step"],
)
def test_a_recipe_of_another_shape_is_not_taken(change: dict[str, Any], says: str) -> None:
    good = greengrass.recipe("a.b", "1.0.0", "s3://bucket/out/m.tar.gz", architecture="aarch64")
    greengrass.check(good)
    with pytest.raises(ValueError, match=says):
        greengrass.check(good | change)
