"""What an account makes of its own: custom models, their deployments, Provisioned Throughput."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest

from labs import facts
from labs.cloud.context import Context
from labs.cloud.services import quotas
from labs.cloud.services.bedrock_account import accounts
from labs.cloud.services.bedrock_routes import Routes, Wish
from labs.cloud.wallclock import Rejected
from labs.serving.services import service
from tests.labs.cloud.bedrock_kit import ROLE, brief, checked, code_of, either, passes

__all__ = ["either", "passes"]

NOVA = "amazon.nova-lite-v1:0"
HOUR = 3600.0


def allow_units(context: Context, units: int, region: str = "us-east-1") -> None:
    for kind in ("base", "custom"):
        quotas.set_value(context, region, "bedrock", f"LOCAL-model-units-{kind}", units)


@pytest.fixture
def training_data(in_process_cloud: Context) -> dict[str, Any]:  # noqa: ARG001
    """Data in S3, and the arguments of a job that uses them."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="training")
    s3.put_object(Bucket="training", Key="data.jsonl", Body=b'{"prompt": "a", "completion": "b"}\n')
    return {
        "roleArn": ROLE,
        "baseModelIdentifier": NOVA,
        "trainingDataConfig": {"s3Uri": "s3://training/data.jsonl"},
        "outputDataConfig": {"s3Uri": "s3://training/out/"},
        "hyperParameters": {"epochCount": "2"},
    }


def custom_model(bedrock: Any, passes: Callable[[float], None], data: dict[str, Any], name: str = "mine") -> str:
    """The ARN of a model that a job has made."""
    arn = bedrock.create_model_customization_job(jobName=f"job-{name}", customModelName=name, **data)["jobArn"]
    passes(2 * HOUR)
    made: str = bedrock.get_model_customization_job(jobIdentifier=arn)["outputModelArn"]
    return made


class TestProvisionedThroughput:
    """Model units."""

    def test_none_without_a_quota(self, either: str) -> None:  # noqa: ARG002
        bedrock = checked("bedrock")
        asked = {"provisionedModelName": "units", "modelId": NOVA, "modelUnits": 1}
        assert code_of(bedrock.create_provisioned_model_throughput, **asked) == "ServiceQuotaExceededException"
        assert bedrock.list_provisioned_model_throughputs()["provisionedModelSummaries"] == []

    def test_come_into_service_answer_and_go(self, in_process_cloud: Context, passes: Callable[[float], None]) -> None:
        bedrock, runtime = checked("bedrock"), checked("bedrock-runtime")
        allow_units(in_process_cloud, 3)
        asked = {"provisionedModelName": "units", "modelId": NOVA, "modelUnits": 2, "clientRequestToken": "same"}
        arn = bedrock.create_provisioned_model_throughput(**asked)["provisionedModelArn"]
        assert bedrock.create_provisioned_model_throughput(**asked)["provisionedModelArn"] == arn
        other = {"modelId": NOVA, "modelUnits": 1}
        create = bedrock.create_provisioned_model_throughput
        assert code_of(create, provisionedModelName="units", **other) == "ConflictException"
        assert (
            code_of(create, provisionedModelName="more", modelId=NOVA, modelUnits=2) == "ServiceQuotaExceededException"
        )
        assert code_of(runtime.converse, modelId=arn, messages=[]) == "ModelNotReadyException"
        assert code_of(bedrock.delete_provisioned_model_throughput, provisionedModelId="units") == "ConflictException"

        passes(HOUR)
        shown = bedrock.get_provisioned_model_throughput(provisionedModelId="units")
        assert (shown["status"], shown["modelUnits"], shown["modelArn"]) == (
            "InService", 2, f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}",
        )  # fmt: skip
        assert brief(runtime, arn)["usage"]["outputTokens"] == 2
        assert code_of(brief, client=runtime, model_id=arn, serviceTier={"type": "flex"}) == "ValidationException"

        bedrock.update_provisioned_model_throughput(provisionedModelId=arn, desiredProvisionedModelName="renamed")
        [listed] = bedrock.list_provisioned_model_throughputs(statusEquals="Updating")["provisionedModelSummaries"]
        assert listed["provisionedModelName"] == "renamed"
        assert brief(runtime, arn)["usage"]["outputTokens"] == 2  # it goes on answering
        passes(HOUR)
        bedrock.delete_provisioned_model_throughput(provisionedModelId=arn)
        assert code_of(runtime.converse, modelId=arn, messages=[]) == "ResourceNotFoundException"
        assert code_of(bedrock.get_provisioned_model_throughput, provisionedModelId=arn) == "ResourceNotFoundException"

    def test_give_the_tokens_per_minute_that_the_serving_model_assumes(
        self, in_process_cloud: Context, passes: Callable[[float], None]
    ) -> None:
        bedrock = checked("bedrock")
        allow_units(in_process_cloud, 1)
        asked = {"provisionedModelName": "units", "modelId": NOVA, "modelUnits": 1}
        arn = bedrock.create_provisioned_model_throughput(**asked)["provisionedModelArn"]
        passes(HOUR)
        plan = service("bedrock-provisioned", "nova-lite", units=1)
        assert plan.admission
        assert plan.admission.quota
        limit = plan.admission.quota.tokens_per_minute
        assert limit
        account = accounts(in_process_cloud).of(in_process_cloud.account_id, "us-east-1")
        meter = Routes(in_process_cloud).find(account, arn, Wish()).meter
        assert meter
        meter.admit(limit - 10, 10)
        with pytest.raises(Rejected, match="tokens per minute"):
            meter.admit(1, 1)

    def test_a_commitment_keeps_them(self, in_process_cloud: Context, passes: Callable[[float], None]) -> None:
        bedrock = checked("bedrock")
        allow_units(in_process_cloud, 1)
        asked = {"provisionedModelName": "u", "modelId": NOVA, "modelUnits": 1, "commitmentDuration": "OneMonth"}
        arn = bedrock.create_provisioned_model_throughput(**asked)["provisionedModelArn"]
        passes(HOUR)
        shown = bedrock.get_provisioned_model_throughput(provisionedModelId=arn)
        assert shown["commitmentExpirationTime"] - shown["creationTime"] == timedelta(days=30)
        with pytest.raises(bedrock.exceptions.ConflictException, match="commitment"):
            bedrock.delete_provisioned_model_throughput(provisionedModelId=arn)

    @pytest.mark.parametrize(
        ("model_id", "region", "code"),
        [
            ("anthropic.claude-haiku-4-5-20251001-v1:0", "us-east-1", "ValidationException"),  # not on the list
            ("meta.llama3-1-70b-instruct-v1:0", "us-west-2", "ValidationException"),  # Legacy
            (NOVA, "eu-west-2", "ValidationException"),  # not in this Region
            ("no.such-model", "us-east-1", "ResourceNotFoundException"),
        ],
    )
    def test_are_not_sold_for_every_model(
        self, in_process_cloud: Context, model_id: str, region: str, code: str
    ) -> None:
        allow_units(in_process_cloud, 9, region)
        create = checked("bedrock", region).create_provisioned_model_throughput
        assert code_of(create, provisionedModelName="units", modelId=model_id, modelUnits=1) == code


class TestCustomModels:
    """Customised in Bedrock."""

    def test_a_job_makes_a_model(self, training_data: dict[str, Any], passes: Callable[[float], None]) -> None:
        bedrock = checked("bedrock")
        job = {"jobName": "tune", "customModelName": "mine", **training_data}
        arn = bedrock.create_model_customization_job(**job)["jobArn"]
        shown = bedrock.get_model_customization_job(jobIdentifier=arn)
        assert (shown["status"], shown["statusDetails"]["trainingDetails"]["status"]) == ("InProgress", "InProgress")
        assert "outputModelArn" not in shown
        assert code_of(bedrock.create_model_customization_job, **job) == "ConflictException"
        passes(2 * HOUR)
        shown = bedrock.get_model_customization_job(jobIdentifier="tune")
        assert shown["status"] == "Completed"
        [listed] = bedrock.list_model_customization_jobs()["modelCustomizationJobSummaries"]
        assert listed["customModelArn"] == shown["outputModelArn"]
        model = bedrock.get_custom_model(modelIdentifier="mine")
        assert (model["modelStatus"], model["jobArn"]) == ("Active", arn)
        [summary] = bedrock.list_custom_models(nameContains="MIN")["modelSummaries"]
        assert summary["modelArn"] == model["modelArn"]
        assert code_of(bedrock.create_model_customization_job, **job | {"jobName": "next"}) == "ConflictException"
        assert code_of(bedrock.stop_model_customization_job, jobIdentifier=arn) == "ConflictException"
        bedrock.delete_custom_model(modelIdentifier="mine")
        assert code_of(bedrock.get_custom_model, modelIdentifier="mine") == "ResourceNotFoundException"

    def test_a_job_fails_for_want_of_data_and_stops_when_told(
        self, training_data: dict[str, Any], passes: Callable[[float], None]
    ) -> None:
        bedrock = checked("bedrock")
        lost = training_data | {"trainingDataConfig": {"s3Uri": "s3://training/lost.jsonl"}}
        bedrock.create_model_customization_job(jobName="lost", customModelName="lost", **lost)
        bedrock.create_model_customization_job(jobName="stopped", customModelName="stopped", **training_data)
        bedrock.stop_model_customization_job(jobIdentifier="stopped")
        passes(2 * HOUR)
        failed = bedrock.get_model_customization_job(jobIdentifier="lost")
        assert failed["status"] == "Failed"
        assert "s3://training/lost.jsonl" in failed["failureMessage"]
        assert bedrock.get_model_customization_job(jobIdentifier="stopped")["status"] == "Stopped"
        assert bedrock.list_custom_models()["modelSummaries"] == []
        legacy = training_data | {"baseModelIdentifier": "meta.llama3-1-8b-instruct-v1:0"}
        west = checked("bedrock", "us-west-2")
        with pytest.raises(west.exceptions.ValidationException, match="Legacy"):
            west.create_model_customization_job(jobName="old", customModelName="old", **legacy)

    def test_a_model_from_elsewhere_is_brought_in(
        self, training_data: dict[str, Any], passes: Callable[[float], None]
    ) -> None:
        bedrock, s3 = checked("bedrock"), boto3.client("s3")
        assert training_data["baseModelIdentifier"] == NOVA
        s3.put_object(Bucket="training", Key="tuned-nova-lite/weights.bin", Body=b"x")
        for name, folder in (("good", "tuned-nova-lite"), ("empty", "nothing"), ("odd", "out")):
            s3.put_object(Bucket="training", Key="out/x", Body=b"x")
            source = {"s3DataSource": {"s3Uri": f"s3://training/{folder}/"}}
            bedrock.create_custom_model(modelName=name, modelSourceConfig=source, roleArn=ROLE)
        assert bedrock.get_custom_model(modelIdentifier="good")["modelStatus"] == "Creating"
        passes(HOUR)
        found = {name: bedrock.get_custom_model(modelIdentifier=name) for name in ("good", "empty", "odd")}
        assert [model["modelStatus"] for model in found.values()] == ["Active", "Failed", "Failed"]
        assert found["good"]["baseModelArn"].endswith(NOVA)
        assert "no model artifacts" in found["empty"]["failureMessage"]

    def test_units_and_deployments_serve_it_and_keep_it(
        self, in_process_cloud: Context, training_data: dict[str, Any], passes: Callable[[float], None]
    ) -> None:
        bedrock, runtime = checked("bedrock"), checked("bedrock-runtime")
        arn = custom_model(bedrock, passes, training_data)
        assert code_of(runtime.converse, modelId=arn, messages=[]) == "ValidationException"

        made = bedrock.create_custom_model_deployment(modelDeploymentName="live", modelArn=arn, description="first")
        deployment = made["customModelDeploymentArn"]
        again = {"modelDeploymentName": "live", "modelArn": arn}
        assert code_of(bedrock.create_custom_model_deployment, **again) == "ConflictException"
        assert code_of(runtime.converse, modelId=deployment, messages=[]) == "ModelNotReadyException"
        delete = bedrock.delete_custom_model_deployment
        assert code_of(delete, customModelDeploymentIdentifier="live") == "ConflictException"
        passes(HOUR)
        assert bedrock.get_custom_model_deployment(customModelDeploymentIdentifier="live")["status"] == "Active"
        [listed] = bedrock.list_custom_model_deployments(modelArnEquals=arn)["modelDeploymentSummaries"]
        assert listed["customModelDeploymentArn"] == deployment
        assert brief(runtime, deployment)["usage"]["outputTokens"] == 2

        second = custom_model(bedrock, passes, training_data, "second")
        bedrock.update_custom_model_deployment(customModelDeploymentIdentifier=deployment, modelArn=second)
        shown = bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=deployment)
        assert shown["updateDetails"] == {"modelArn": second, "updateStatus": "Updating"}
        passes(HOUR)
        assert bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=deployment)["modelArn"] == second

        allow_units(in_process_cloud, 1)
        asked = {"provisionedModelName": "own", "modelId": arn, "modelUnits": 1}
        units = bedrock.create_provisioned_model_throughput(**asked)["provisionedModelArn"]
        passes(HOUR)
        assert brief(runtime, units)["usage"]["outputTokens"] == 2
        assert code_of(bedrock.delete_custom_model, modelIdentifier=arn) == "ConflictException"
        assert code_of(bedrock.delete_custom_model, modelIdentifier=second) == "ConflictException"
        bedrock.delete_provisioned_model_throughput(provisionedModelId=units)
        delete(customModelDeploymentIdentifier=deployment)
        for each in (arn, second):
            bedrock.delete_custom_model(modelIdentifier=each)
        assert code_of(delete, customModelDeploymentIdentifier=deployment) == "ResourceNotFoundException"

    def test_a_deployment_has_its_own_quota(self) -> None:
        plan = service("bedrock-custom-on-demand", "nova-lite")
        assert plan.admission
        assert plan.admission.quota
        assert plan.admission.quota.tokens_per_minute == facts.number("bedrock.tpm.custom-on-demand.nova-lite")


def test_the_server_has_none_to_begin_with(local_cloud: Any) -> None:  # noqa: ARG001
    bedrock = checked("bedrock")
    for operation, key in (
        (bedrock.list_custom_models, "modelSummaries"),
        (bedrock.list_custom_model_deployments, "modelDeploymentSummaries"),
        (bedrock.list_model_customization_jobs, "modelCustomizationJobSummaries"),
    ):
        assert operation()[key] == []
    arn = "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-lite-v1:0/abcdef123456"
    create = bedrock.create_custom_model_deployment
    assert code_of(create, modelDeploymentName="x", modelArn=arn) == "ResourceNotFoundException"
    assert code_of(create, modelDeploymentName="x", modelArn="a" * 20) == "ValidationException"
