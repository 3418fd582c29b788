"""What can be called: foundation models, their states, access to them, inference profiles, tags."""

import json
from datetime import date

import pytest

from labs import facts
from labs.cloud.services import bedrock_models
from labs.cloud.services.bedrock_check import violations
from labs.cloud.services.bedrock_models import models
from labs.facts import catalogue
from tests.labs.cloud.bedrock_kit import ROLE, brief, checked, code_of, either
from tests.labs.cloud.kit import Aws

__all__ = ["either"]

SONNET_5 = "anthropic.claude-sonnet-5"
NOVA = "amazon.nova-lite-v1:0"


def test_the_models_are_the_catalogues() -> None:
    offered = {entry.bedrock.model_id for entry in catalogue.models().values() if entry.bedrock}
    assert set(models()) == offered
    for model in models().values():
        assert 0 < model.max_output_tokens <= model.context_tokens
    assert models()[SONNET_5].burndown == facts.number("bedrock.burndown.claude-5")
    assert models()["anthropic.claude-haiku-4-5-20251001-v1:0"].burndown == 5
    assert models()[NOVA].burndown == 1


@pytest.mark.usefixtures("either")
def test_foundation_models_are_listed_and_described() -> None:
    bedrock = checked("bedrock")
    listed = {model["modelId"]: model for model in bedrock.list_foundation_models()["modelSummaries"]}
    assert set(listed) == set(models())
    one = bedrock.get_foundation_model(modelIdentifier=NOVA)["modelDetails"]
    assert one == listed[NOVA]
    assert one["inferenceTypesSupported"] == ["ON_DEMAND", "PROVISIONED"]
    llama = listed["meta.llama3-3-70b-instruct-v1:0"]["modelLifecycle"]
    assert (llama["status"], llama["endOfLifeTime"].date()) == ("LEGACY", date(2027, 3, 30))
    assert listed["amazon.nova-2-lite-v1:0"]["inferenceTypesSupported"] == [
        "PROVISIONED"
    ]  # else through a profile only


@pytest.mark.usefixtures("in_process_cloud")
class TestModels:
    """Lists and look-ups."""

    def test_filters(self) -> None:
        bedrock = checked("bedrock")

        def ids(**by: str) -> set[str]:
            return {each["modelId"] for each in bedrock.list_foundation_models(**by)["modelSummaries"]}

        assert ids(byProvider="meta") == {id for id in models() if id.startswith("meta.")}
        assert ids(byCustomizationType="FINE_TUNING") == {
            id for id, model in models().items() if "us-east-1" in model.offer.fine_tuning
        }
        assert ids(byOutputModality="IMAGE") == set()
        assert "anthropic.claude-haiku-4-5-20251001-v1:0" not in ids(byInferenceType="ON_DEMAND")
        west = checked("bedrock", "eu-west-3").list_foundation_models()["modelSummaries"]
        assert "meta.llama3-3-70b-instruct-v1:0" not in {each["modelId"] for each in west}

    def test_bad_input(self) -> None:
        bedrock = checked("bedrock")
        assert code_of(bedrock.get_foundation_model, modelIdentifier="no.such-model") == "ResourceNotFoundException"
        assert code_of(bedrock.get_foundation_model_availability, modelId="no.such") == "ResourceNotFoundException"
        assert code_of(bedrock.get_foundation_model, modelIdentifier="What?") == "ValidationException"

    def test_a_model_that_has_ended_is_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bedrock_models, "today", lambda: date(2030, 1, 1))
        runtime = checked("bedrock-runtime")
        with pytest.raises(runtime.exceptions.ResourceNotFoundException, match="end of its life"):
            brief(runtime, "us.meta.llama3-3-70b-instruct-v1:0")
        assert brief(runtime, NOVA)["usage"]["outputTokens"] == 2


@pytest.mark.usefixtures("in_process_cloud")
class TestAccess:
    """Agreements, and the use case that comes before them."""

    def test_a_model_is_closed_until_its_terms_are_agreed_to(self) -> None:
        bedrock, runtime = checked("bedrock"), checked("bedrock-runtime")
        profile = f"us.{SONNET_5}"

        def availability() -> str:
            found = bedrock.get_foundation_model_availability(modelId=SONNET_5)
            status: str = found["agreementAvailability"]["status"]
            return status

        assert availability() == "NOT_AVAILABLE"
        with pytest.raises(runtime.exceptions.AccessDeniedException, match="don't have access to the model"):
            brief(runtime, profile)

        [offer] = bedrock.list_foundation_model_agreement_offers(modelId=SONNET_5)["offers"]
        rates = {
            rate["dimension"]: float(rate["price"])
            for rate in offer["termDetails"]["usageBasedPricingTerm"]["rateCard"]
        }
        assert rates["input_tokens"] * 1000 == facts.number("bedrock.price.claude-sonnet-5-geo.input_per_million")
        agree = {"modelId": SONNET_5, "offerToken": offer["offerToken"]}
        assert code_of(bedrock.get_use_case_for_model_access) == "ResourceNotFoundException"
        assert code_of(bedrock.create_foundation_model_agreement, **agree) == "ResourceNotFoundException"
        form = json.dumps({"companyName": "Lighthouse", "useCases": "to learn"}).encode()
        bedrock.put_use_case_for_model_access(formData=form)
        assert bedrock.get_use_case_for_model_access()["formData"] == form
        bedrock.create_foundation_model_agreement(**agree)
        assert availability() == "AVAILABLE"
        assert brief(runtime, profile)["usage"]["outputTokens"] == 2
        assert code_of(bedrock.create_foundation_model_agreement, **agree) == "ConflictException"

        bedrock.delete_foundation_model_agreement(modelId=SONNET_5)
        with pytest.raises(runtime.exceptions.AccessDeniedException):
            brief(runtime, profile)
        assert code_of(bedrock.delete_foundation_model_agreement, modelId=SONNET_5) == "ResourceNotFoundException"

    def test_bad_input(self) -> None:
        bedrock = checked("bedrock")
        assert code_of(bedrock.list_foundation_model_agreement_offers, modelId=NOVA) == "ResourceNotFoundException"
        wrong = {"modelId": SONNET_5, "offerToken": "made-up"}
        assert code_of(bedrock.create_foundation_model_agreement, **wrong) == "ValidationException"
        assert code_of(bedrock.put_use_case_for_model_access, formData=b"short") == "ValidationException"


@pytest.mark.usefixtures("either")
def test_an_applications_profile_is_made_called_tagged_and_removed() -> None:
    bedrock, runtime = checked("bedrock"), checked("bedrock-runtime")
    source = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0"
    tags = [{"key": "team", "value": "support"}]
    made = bedrock.create_inference_profile(inferenceProfileName="app", modelSource={"copyFrom": source}, tags=tags)
    arn = made["inferenceProfileArn"]
    try:
        shown = bedrock.get_inference_profile(inferenceProfileIdentifier=arn)
        assert (shown["type"], shown["inferenceProfileName"]) == ("APPLICATION", "app")
        system = bedrock.get_inference_profile(inferenceProfileIdentifier="us.amazon.nova-lite-v1:0")
        assert shown["models"] == system["models"]
        assert system["type"] == "SYSTEM_DEFINED"
        assert brief(runtime, arn)["usage"]["outputTokens"] == 2
        [listed] = bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]
        assert listed == {name: value for name, value in shown.items() if name != "ResponseMetadata"}
        again = {"inferenceProfileName": "app", "modelSource": {"copyFrom": source}}
        assert code_of(bedrock.create_inference_profile, **again) == "ConflictException"
        bedrock.tag_resource(resourceARN=arn, tags=[{"key": "stage", "value": "test"}])
        bedrock.untag_resource(resourceARN=arn, tagKeys=["team"])
        assert bedrock.list_tags_for_resource(resourceARN=arn)["tags"] == [{"key": "stage", "value": "test"}]
    finally:
        bedrock.delete_inference_profile(inferenceProfileIdentifier=arn)
    assert code_of(runtime.converse, modelId=arn, messages=[]) == "ResourceNotFoundException"
    assert code_of(bedrock.get_inference_profile, inferenceProfileIdentifier=arn) == "ResourceNotFoundException"
    assert code_of(bedrock.list_tags_for_resource, resourceARN=arn) == "ResourceNotFoundException"


@pytest.mark.usefixtures("in_process_cloud")
class TestProfiles:
    """Profiles of the system."""

    def test_are_those_of_the_regions_geography(self) -> None:
        for region, prefixes in (("us-east-1", {"us", "global"}), ("eu-west-1", {"eu", "global"})):
            bedrock = checked("bedrock", region)
            found = bedrock.list_inference_profiles(maxResults=1000)["inferenceProfileSummaries"]
            assert {each["inferenceProfileId"].partition(".")[0] for each in found} == prefixes
            assert all(each["models"] for each in found)

    def test_come_in_pages(self) -> None:
        bedrock = checked("bedrock")
        pages = bedrock.get_paginator("list_inference_profiles").paginate(PaginationConfig={"PageSize": 5})
        ids = [each["inferenceProfileId"] for page in pages for each in page["inferenceProfileSummaries"]]
        whole = bedrock.list_inference_profiles(maxResults=1000)["inferenceProfileSummaries"]
        assert ids == [each["inferenceProfileId"] for each in whole]
        assert code_of(bedrock.list_inference_profiles, nextToken="made-up") == "ValidationException"
        assert code_of(bedrock.list_inference_profiles, maxResults=2000) == "ValidationException"

    def test_bad_input(self) -> None:
        bedrock = checked("bedrock")
        assert (
            code_of(bedrock.delete_inference_profile, inferenceProfileIdentifier="us.amazon.nova-lite-v1:0")
            == "ValidationException"
        )
        create = {"inferenceProfileName": "mine", "modelSource": {"copyFrom": NOVA}}
        assert code_of(bedrock.create_inference_profile, **create) == "ValidationException"
        create["modelSource"] = {"copyFrom": "arn:aws:bedrock:us-east-1::foundation-model/no.such"}
        assert code_of(bedrock.create_inference_profile, **create) == "ValidationException"
        tags = [{"key": str(i), "value": ""} for i in range(201)]
        create["modelSource"] = {"copyFrom": f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}"}
        assert code_of(bedrock.create_inference_profile, **create, tags=tags) in (
            "TooManyTagsException",
            "ValidationException",
        )


def test_a_request_is_held_against_its_shape_in_awss_words() -> None:
    from moto.core.utils import get_service_model

    shape = get_service_model("bedrock").operation_model("CreateProvisionedModelThroughput").input_shape
    given = {
        "modelUnits": 0,
        "provisionedModelName": "a b",
        "modelId": NOVA,
        "commitmentDuration": "Decade",
        "tags": [{"key": "x"}],
    }
    assert [each.partition(" failed")[0] for each in violations(shape, given)] == [
        "Value '0' at 'modelUnits'",
        "Value 'a b' at 'provisionedModelName'",
        "Value 'Decade' at 'commitmentDuration'",
        "Value 'null' at 'tags.1.member.value'",
    ]
    names = get_service_model("bedrock").operation_model("CreateModelInvocationJob").input_shape
    hostile = "a" + "-" * 60 + "!"  # the model's own pattern takes hours to say no to this
    assert any("'jobName'" in each for each in violations(names, {"jobName": hostile}))


class TestCures:
    """Each of these fails once moto has cured what we patch."""

    def test_moto_has_little_of_the_control_plane(self, stock: Aws) -> None:
        for call in (stock.bedrock.list_foundation_models, stock.bedrock.list_inference_profiles):
            with pytest.raises(NotImplementedError):
                call()

    def test_motos_custom_models_do_not_have_the_apis_shape(self, stock: Aws) -> None:
        made = stock.bedrock.create_model_customization_job(
            jobName="job",
            customModelName="mine",
            roleArn=ROLE,
            baseModelIdentifier="amazon.nova-lite-v1:0",
            trainingDataConfig={"s3Uri": "s3://training/data.jsonl"},
            outputDataConfig={"s3Uri": "s3://training/out/"},
            hyperParameters={"epochCount": "2"},
        )
        shape = stock.bedrock.meta.service_model.operation_model("GetModelCustomizationJob").output_shape
        shown = stock.bedrock.get_model_customization_job(jobIdentifier=made["jobArn"].rpartition("/")[2])
        assert any("outputModelArn" in each for each in violations(shape, shown))
