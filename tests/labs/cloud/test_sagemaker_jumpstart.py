"""JumpStart: what the hub shows, licences that must be accepted, and a deployment from the hub's own document."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from labs.cloud.context import Context
from labs.cloud.services import sagemaker_jumpstart as jumpstart
from labs.facts import catalogue
from tests.labs.cloud.sagemaker_kit import SageMaker, cloud_of_a_module, fresh, refusal


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    yield from cloud_of_a_module(tmp_path_factory.mktemp("sagemaker"))


@pytest.fixture
def sm(cloud: Context) -> SageMaker:
    return fresh(cloud)


LLAMA = "meta-textgeneration-llama-3-1-8b-instruct"
QWEN = "huggingface-reasoning-qwen3-0-6b"


def document(sm: SageMaker, id: str) -> dict[str, Any]:
    told = sm.control.describe_hub_content(HubName="SageMakerPublicHub", HubContentType="Model", HubContentName=id)
    found: dict[str, Any] = json.loads(told["HubContentDocument"])
    return found


def deploy(sm: SageMaker, id: str, **source: Any) -> str:
    """As the document says."""
    said = document(sm, id)
    environment = {each["Name"]: each["Default"] for each in said["InferenceEnvironmentVariables"]}
    data = {"S3Uri": said["HostingArtifactUri"], "S3DataType": "S3Prefix", "CompressionType": "None", **source}
    model = sm.model(said["HostingEcrUri"], environment, ModelDataSource={"S3DataSource": data})
    return sm.endpoint(sm.config(sm.variant(model, InstanceType=said["DefaultInferenceInstanceType"])))


def test_lists_the_catalogues_open_models(sm: SageMaker) -> None:
    listed = sm.control.list_hub_contents(HubName="SageMakerPublicHub", HubContentType="Model", MaxResults=100)
    names = {each["HubContentName"] for each in listed["HubContentSummaries"]}
    assert {LLAMA, QWEN} <= names
    assert names == set(jumpstart.models())
    [one] = sm.control.list_hub_contents(
        HubName="SageMakerPublicHub", HubContentType="Model", NameContains="llama-3-3"
    )["HubContentSummaries"]
    assert one["HubContentDisplayName"] == catalogue.model("llama-3.3-70b").name
    notebooks = sm.control.list_hub_contents(HubName="SageMakerPublicHub", HubContentType="Notebook")
    assert notebooks["HubContentSummaries"] == []


def test_an_open_model_is_deployed_from_its_document(sm: SageMaker) -> None:
    name = deploy(sm, QWEN)
    assert sm.status(name) == "InService"
    assert sm.ask(name)["generated_text"]


def test_a_gated_model_wants_its_licence_accepted(sm: SageMaker) -> None:
    said = document(sm, LLAMA)
    assert said["GatedBucket"] is True
    assert said["HostingEulaUri"]
    for access in ({}, {"ModelAccessConfig": {"AcceptEula": False}}):
        code, message = refusal(lambda more=access: deploy(sm, LLAMA, **more))
        assert code == "ValidationException"
        assert message.startswith("The AcceptEula value must be explicitly defined as True")
        assert said["HostingArtifactUri"] in message
    name = deploy(sm, LLAMA, ModelAccessConfig={"AcceptEula": True})
    assert sm.status(name) == "InService"


@pytest.mark.parametrize("id", sorted(jumpstart.models()))
def test_every_model_fits_the_instance_that_its_document_names(id: str) -> None:
    from labs.cloud.services.sagemaker_containers import read
    from labs.cloud.services.sagemaker_placing import place

    model = jumpstart.models()[id]
    said = jumpstart.document_of(model, "us-east-1")
    environment = {each["Name"]: each["Default"] for each in said["InferenceEnvironmentVariables"]}
    definition = {
        "Image": said["HostingEcrUri"],
        "Environment": environment,
        "ModelDataSource": {"S3DataSource": {"S3Uri": said["HostingArtifactUri"]}},
    }
    placed = place(read(definition, lambda _: None, model.model), model.instance_type)
    assert placed.context_tokens >= 4096


def test_refusals(sm: SageMaker) -> None:
    given = {"HubContentType": "Model", "HubContentName": LLAMA}
    code, _ = refusal(sm.control.describe_hub_content, HubName="mine", **given)
    assert code == "ResourceNotFound"
    unknown = {**given, "HubContentName": "nobody"}
    code, message = refusal(sm.control.describe_hub_content, HubName="SageMakerPublicHub", **unknown)
    assert (code, "nobody" in message) == ("ResourceNotFound", True)
