"""SageMaker's control plane: models, endpoint configurations, endpoints and how they come up or fail, quotas, tags, lists."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from labs.cloud.context import Context
from labs.cloud.services.sagemaker import OPERATIONS
from tests.labs.cloud.kit import until
from tests.labs.cloud.sagemaker_kit import (
    CPU,
    GPU,
    INSTANT,
    LLAMA_CPP,
    LMI,
    LMI_NEURON,
    ROLE,
    SMALL,
    VLLM,
    SageMaker,
    cloud_of_a_module,
    fresh,
    refusal,
)

LLAMA_8B = {"HF_MODEL_ID": "meta-llama/Llama-3.1-8B-Instruct"}
LLAMA_70B = {"HF_MODEL_ID": "meta-llama/Llama-3.3-70B-Instruct"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    yield from cloud_of_a_module(tmp_path_factory.mktemp("sagemaker"))


@pytest.fixture
def sm(cloud: Context) -> SageMaker:
    return fresh(cloud)


class TestModels:
    """CreateModel and what it looks at."""

    def test_is_described_as_it_was_made(self, sm: SageMaker) -> None:
        name = sm.model(LLAMA_CPP)
        told = sm.control.describe_model(ModelName=name)
        assert told["PrimaryContainer"]["Image"] == LLAMA_CPP
        assert told["PrimaryContainer"]["Environment"] == {"HF_MODEL_ID": SMALL}
        assert told["ModelArn"].endswith(f":model/{name}")
        assert name in [each["ModelName"] for each in sm.control.list_models(NameContains=name)["Models"]]

    def test_model_data_must_be_there(self, sm: SageMaker) -> None:
        bucket = sm.bucket()
        code, message = refusal(sm.model, ModelDataUrl=f"s3://{bucket}/model.tar.gz")
        assert (code, message) == ("ValidationException", f"Could not find model data at s3://{bucket}/model.tar.gz.")
        code, message = refusal(sm.model, ModelDataUrl="s3://no-such-bucket-anywhere/model.tar.gz")
        assert "Could not access model data" in message
        sm.s3.put_object(Bucket=bucket, Key="model.tar.gz", Body=b"weights")
        assert sm.model(ModelDataUrl=f"s3://{bucket}/model.tar.gz")

    @pytest.mark.parametrize(
        ("params", "words"),
        [
            ({}, "Either PrimaryContainer or Containers must be specified"),
            ({"Containers": [{"Image": LMI}, {"Image": VLLM}]}, "hosts models of one container"),
            ({"PrimaryContainer": {"Image": LMI}, "Containers": [{"Image": LMI}]}, "You cannot specify both"),
            ({"PrimaryContainer": {"Image": LMI, "Mode": "MultiModel"}}, "no multi-model endpoints"),
            ({"PrimaryContainer": {"Image": "two words"}}, "Member must satisfy regular expression pattern"),
            ({"ModelName": "-" * 64, "PrimaryContainer": {"Image": LMI}}, "less than or equal to 63"),
        ],
    )
    def test_refuses(self, sm: SageMaker, params: dict[str, Any], words: str) -> None:
        code, message = refusal(sm.control.create_model, **{"ModelName": "m", "ExecutionRoleArn": ROLE, **params})
        assert code == "ValidationException"
        assert words in message

    def test_names_are_taken_once_and_free_after_deletion(self, sm: SageMaker) -> None:
        given = {"ModelName": "m", "ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": LMI}}
        sm.control.create_model(**given)
        assert "Cannot create already existing model" in refusal(sm.control.create_model, **given)[1]
        sm.control.delete_model(ModelName="m")
        assert refusal(sm.control.delete_model, ModelName="m") == (
            "ValidationException",
            'Could not find model "arn:aws:sagemaker:us-east-1:123456789012:model/m".',
        )
        sm.control.create_model(**given)


class TestConfigs:
    """CreateEndpointConfig and its checks."""

    def test_keeps_everything(self, sm: SageMaker) -> None:
        variant = sm.variant(
            sm.model(),
            ModelDataDownloadTimeoutInSeconds=1200,
            ContainerStartupHealthCheckTimeoutInSeconds=1800,
            InferenceAmiVersion="al2-ami-sagemaker-inference-gpu-3-1",
            RoutingConfig={"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
            VolumeSizeInGB=100,
        )
        capture = {
            "EnableCapture": True,
            "InitialSamplingPercentage": 50,
            "DestinationS3Uri": "s3://b/captured",
            "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
        }
        told = sm.control.describe_endpoint_config(EndpointConfigName=sm.config(variant, DataCaptureConfig=capture))
        assert told["ProductionVariants"] == [{**variant, "InitialVariantWeight": 1.0}]
        assert told["DataCaptureConfig"] == capture

    def test_todays_instance_types_are_botocores_own(self, sm: SageMaker) -> None:
        types = sm.control.meta.service_model.shape_for("ProductionVariantInstanceType").enum
        model = sm.model()
        for instance_type in ("ml.g5.xlarge", "ml.inf2.48xlarge", "ml.trn2.48xlarge", "ml.p5.48xlarge"):
            assert instance_type in types
            sm.config(sm.variant(model, InstanceType=instance_type))
        code, message = refusal(lambda: sm.config(sm.variant(model, InstanceType="ml.z9.huge")))
        assert code == "ValidationException"
        assert (
            "Value 'ml.z9.huge' at 'productionVariants.1.member.instanceType' failed to satisfy constraint" in message
        )

    @pytest.mark.parametrize(
        ("variant", "more", "words"),
        [
            ({"ModelName": "nobody"}, {}, "Could not find model"),
            ({"InitialInstanceCount": None}, {}, "InitialInstanceCount is required"),
            ({"InstanceType": None}, {}, "Either InstanceType or ServerlessConfig"),
            ({"ContainerStartupHealthCheckTimeoutInSeconds": 4000}, {}, "must have value less than or equal to 3600"),
            (
                {"InferenceAmiVersion": "al2-ami-sagemaker-inference-neuron-2"},
                {},
                "is not supported for instance type ml.g5.xlarge",
            ),
            (
                {"ManagedInstanceScaling": {"MinInstanceCount": 0, "MaxInstanceCount": 2}},
                {},
                "host inference components",
            ),
            ({"ModelName": None}, {}, "ExecutionRoleArn is required"),
            ({"InstancePools": [{"InstanceType": GPU, "Priority": 1}]}, {}, "no instance pools"),
            ({"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 2}}, {}, "cannot both be specified"),
        ],
    )
    def test_refuses(self, sm: SageMaker, variant: dict[str, Any], more: dict[str, Any], words: str) -> None:
        given = {name: value for name, value in {**sm.variant(sm.model()), **variant}.items() if value is not None}
        code, message = refusal(lambda: sm.config(given, **more))
        assert code == "ValidationException"
        assert words in message

    def test_variant_names_differ(self, sm: SageMaker) -> None:
        model = sm.model()
        assert "VariantName must be unique" in refusal(lambda: sm.config(sm.variant(model), sm.variant(model)))[1]


class TestComingUp:
    """Creating, InService, Failed."""

    def test_is_creating_and_then_in_service(self, sm: SageMaker) -> None:
        assert sm.context is not None
        sm.context.time_scale = 200  # three minutes in a second
        config = sm.config(sm.variant(sm.model(LLAMA_CPP), InstanceType=CPU))
        name = sm.endpoint(config, wait=False)
        assert sm.status(name) == "Creating"
        told = sm.settled(name)
        assert told["EndpointStatus"] == "InService"
        [variant] = told["ProductionVariants"]
        assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (1, 1)
        assert variant["DeployedImages"][0]["SpecifiedImage"] == LLAMA_CPP
        code, message = refusal(sm.control.create_endpoint, EndpointName=name, EndpointConfigName=config)
        assert (code, "Cannot create already existing endpoint" in message) == ("ValidationException", True)

    def test_the_wait_is_the_models_cold_start_at_the_clouds_scale(self, sm: SageMaker) -> None:
        assert sm.context is not None
        sm.context.time_scale = 1.0
        name = sm.endpoint(sm.config(sm.variant(sm.model())), wait=False)
        assert sm.status(name) == "Creating"  # on AWS it would be for minutes
        sm.context.time_scale = INSTANT
        quick = sm.endpoint(sm.config(sm.variant(sm.model())))
        assert (sm.status(quick), sm.status(name)) == ("InService", "Creating")

    def failed(self, sm: SageMaker, image: str, environment: dict[str, str], **variant: Any) -> str:
        told = sm.settled(sm.endpoint(sm.config(sm.variant(sm.model(image, environment), **variant))))
        assert told["EndpointStatus"] == "Failed"
        reason: str = told["FailureReason"]
        return reason

    def test_fails_when_the_model_loads_for_longer_than_the_health_check_allows(self, sm: SageMaker) -> None:
        environment = {**LLAMA_70B, "OPTION_TENSOR_PARALLEL_DEGREE": "max", "OPTION_MAX_MODEL_LEN": "8192"}
        reason = self.failed(sm, LMI, environment, InstanceType="ml.g5.48xlarge")
        assert reason.startswith(
            "The primary container for production variant all did not pass the ping health check. Please check CloudWatch logs for this endpoint."
        )
        assert "still loading llama-3.3-70b (141 GB of weights)" in reason
        patient = sm.variant(
            sm.model(LMI, environment), InstanceType="ml.g5.48xlarge", ContainerStartupHealthCheckTimeoutInSeconds=1800
        )
        assert sm.settled(sm.endpoint(sm.config(patient)))["EndpointStatus"] == "InService"

    @pytest.mark.parametrize(
        ("image", "environment", "instance_type", "words"),
        [
            (LMI, LLAMA_70B, "ml.g5.2xlarge", "CUDA out of memory"),
            (LMI, LLAMA_8B, "ml.g5.2xlarge", "The model's max seq len (131072) is larger than"),
            (LMI, LLAMA_8B, "ml.inf2.8xlarge", "No CUDA GPUs are available"),
            (LMI_NEURON, LLAMA_8B, "ml.g5.2xlarge", "No neuron device available"),
            (LMI, {"HF_MODEL_ID": "somebody/unheard-of-9b"}, GPU, "somebody/unheard-of-9b is not a model identifier"),
            (LMI, {}, GPU, "no model: set HF_MODEL_ID"),
            ("123456789012.dkr.ecr.us-east-1.amazonaws.com/sklearn:1", {}, GPU, "The local cloud cannot run"),
            (
                VLLM,
                {"SM_VLLM_MODEL": SMALL, "SM_VLLM_TENSOR_PARALLEL_SIZE": "4"},
                GPU,
                "tensor parallel degree 4 is not possible",
            ),
            (LMI, {"HF_MODEL_ID": SMALL, "OPTION_QUANTIZE": "magic"}, GPU, "Unknown quantization method: magic"),
        ],
    )
    def test_fails_with_the_containers_reason(
        self, sm: SageMaker, image: str, environment: dict[str, str], instance_type: str, words: str
    ) -> None:
        assert words in self.failed(sm, image, environment, InstanceType=instance_type)

    def test_the_reason_is_in_the_endpoints_log(self, sm: SageMaker) -> None:
        name = sm.endpoint(sm.config(sm.variant(sm.model(LMI, LLAMA_70B), InstanceType="ml.g5.2xlarge")))
        logs = sm.client("logs")
        events = logs.filter_log_events(logGroupName=f"/aws/sagemaker/Endpoints/{name}")["events"]
        assert any("CUDA out of memory" in event["message"] for event in events)

    def test_fails_when_the_model_data_has_gone_since(self, sm: SageMaker) -> None:
        bucket = sm.bucket()
        sm.s3.put_object(Bucket=bucket, Key="m/config.json", Body=b"{}")
        source = {"S3Uri": f"s3://{bucket}/m/", "S3DataType": "S3Prefix", "CompressionType": "None"}
        model = sm.model(LMI, {}, ModelDataSource={"S3DataSource": source})
        config = sm.config(sm.variant(model))
        sm.s3.delete_object(Bucket=bucket, Key="m/config.json")
        told = sm.settled(sm.endpoint(config))
        assert told["EndpointStatus"] == "Failed"
        assert "is no longer there" in told["FailureReason"]

    def test_fails_when_the_download_takes_longer_than_it_may(self, sm: SageMaker) -> None:
        bucket = sm.bucket()
        shape = {"num_hidden_layers": 32, "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32}
        shape |= {
            "num_key_value_heads": 8,
            "vocab_size": 128256,
            "max_position_embeddings": 8192,
            "model_type": "llama",
        }
        sm.s3.put_object(Bucket=bucket, Key="m/config.json", Body=json.dumps(shape).encode())
        source = {"S3Uri": f"s3://{bucket}/m/", "S3DataType": "S3Prefix", "CompressionType": "None"}
        model = sm.model(LMI, {}, ModelDataSource={"S3DataSource": source})
        slow = sm.variant(model, InstanceType="ml.g5.2xlarge", ModelDataDownloadTimeoutInSeconds=60)
        told = sm.settled(sm.endpoint(sm.config(slow)))
        assert "the download did not finish within 60 seconds" in told["FailureReason"]
        assert (
            sm.settled(sm.endpoint(sm.config({**slow, "ModelDataDownloadTimeoutInSeconds": 600})))["EndpointStatus"]
            == "InService"
        )

    def test_a_failed_endpoint_can_be_removed_and_holds_no_instances(self, sm: SageMaker) -> None:
        sm.allow("ml.g5.2xlarge", 1)
        config = sm.config(sm.variant(sm.model(LMI, LLAMA_70B), InstanceType="ml.g5.2xlarge"))
        name = sm.endpoint(config)
        again = sm.endpoint(config)
        assert sm.status(name) == sm.status(again) == "Failed"
        sm.remove(name)


class TestQuotas:
    """ResourceLimitExceeded, in AWS's words."""

    def test_accelerators_have_none_by_default(self, sm: SageMaker) -> None:
        config = sm.config(sm.variant(sm.model(), InstanceType="ml.inf2.48xlarge"))
        code, message = refusal(sm.endpoint, config=config)
        assert code == "ResourceLimitExceeded"
        assert message.startswith(
            "The account-level service limit 'ml.inf2.48xlarge for endpoint usage' is 0 Instances, with current utilization of 0 Instances "
            "and a request delta of 1 Instances."
        )

    def test_counts_what_runs(self, sm: SageMaker) -> None:
        sm.allow(GPU, 2)
        model = sm.model()
        name = sm.endpoint(sm.config(sm.variant(model, InitialInstanceCount=2)))
        code, message = refusal(sm.endpoint, config=sm.config(sm.variant(model)))
        assert (code, "current utilization of 2 Instances" in message) == ("ResourceLimitExceeded", True)
        change = [{"VariantName": "all", "DesiredInstanceCount": 3}]
        code, _ = refusal(
            sm.control.update_endpoint_weights_and_capacities, EndpointName=name, DesiredWeightsAndCapacities=change
        )
        assert code == "ResourceLimitExceeded"
        sm.remove(name)
        sm.endpoint(sm.config(sm.variant(model, InitialInstanceCount=2)))


class TestRefusals:
    """What may not be done to an endpoint."""

    def test_of_unknown_things(self, sm: SageMaker) -> None:
        control = sm.control
        assert "Could not find endpoint" in refusal(control.describe_endpoint, EndpointName="nobody")[1]
        assert "Could not find endpoint" in refusal(control.delete_endpoint, EndpointName="nobody")[1]
        unknown = refusal(control.create_endpoint, EndpointName="e", EndpointConfigName="nobody")
        assert unknown == (
            "ValidationException",
            'Could not find endpoint configuration "arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/nobody".',
        )

    def test_nothing_is_done_to_an_endpoint_in_progress(self, sm: SageMaker) -> None:
        assert sm.context is not None
        config = sm.config(sm.variant(sm.model()))
        sm.context.time_scale = 1.0
        name = sm.endpoint(config, wait=False)
        change = [{"VariantName": "all", "DesiredWeight": 2.0}]
        for call, params in (
            (sm.control.delete_endpoint, {}),
            (sm.control.update_endpoint, {"EndpointConfigName": config}),
            (sm.control.update_endpoint_weights_and_capacities, {"DesiredWeightsAndCapacities": change}),
        ):
            code, message = refusal(call, EndpointName=name, **params)
            assert (code, message.startswith("Cannot update in-progress endpoint")) == ("ValidationException", True)
        assert "while endpoint" in refusal(sm.control.delete_endpoint_config, EndpointConfigName=config)[1]

    def test_capacities_stay_within_reason(self, sm: SageMaker) -> None:
        name = sm.serving()

        def change(**what: Any) -> tuple[str, str]:
            return refusal(
                sm.control.update_endpoint_weights_and_capacities, EndpointName=name, DesiredWeightsAndCapacities=[what]
            )

        assert "Could not find variant" in change(VariantName="nobody", DesiredWeight=1.0)[1]
        assert "must be at least 1" in change(VariantName="all", DesiredInstanceCount=0)[1]
        assert (
            "is for serverless variants" in change(VariantName="all", ServerlessUpdateConfig={"MaxConcurrency": 1})[1]
        )


class TestCapacity:
    """UpdateEndpointWeightsAndCapacities."""

    def test_more_instances_come_after_their_cold_start(self, sm: SageMaker) -> None:
        assert sm.context is not None
        sm.context.time_scale = 200
        name = sm.serving()
        change = [{"VariantName": "all", "DesiredInstanceCount": 3, "DesiredWeight": 2.0}]
        sm.control.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=change)
        told = sm.control.describe_endpoint(EndpointName=name)
        assert told["EndpointStatus"] == "Updating"
        assert told["ProductionVariants"][0]["CurrentInstanceCount"] == 1
        assert sm.ask(name)  # it serves meanwhile
        [variant] = sm.settled(name)["ProductionVariants"]
        assert (variant["CurrentInstanceCount"], variant["CurrentWeight"]) == (3, 2.0)

    def test_lmi_fills_an_instance_with_copies(self, sm: SageMaker) -> None:
        sm.allow("ml.g5.12xlarge", 2)
        name = sm.serving(InstanceType="ml.g5.12xlarge", InitialInstanceCount=2)
        [variant] = sm.control.describe_endpoint(EndpointName=name)["ProductionVariants"]
        assert variant["CurrentInstanceCount"] == 2


class TestListsAndTags:
    """Pages, filters, tags."""

    def test_pages_and_filters(self, sm: SageMaker) -> None:
        config = sm.config(sm.variant(sm.model()))
        names = [sm.endpoint(config, wait=False) for _ in range(3)]
        found = []
        for page in sm.control.get_paginator("list_endpoints").paginate(
            SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 2}
        ):
            assert len(page["Endpoints"]) <= 2
            found += [each["EndpointName"] for each in page["Endpoints"]]
        assert found == sorted(names)
        assert sm.control.list_endpoints(StatusEquals="Failed")["Endpoints"] == []
        [one] = sm.control.list_endpoints(NameContains=names[0])["Endpoints"]
        assert one["EndpointName"] == names[0]
        assert sm.control.list_endpoints(CreationTimeBefore="2001-01-01")["Endpoints"] == []

    def test_tags(self, sm: SageMaker) -> None:
        name = sm.endpoint(sm.config(sm.variant(sm.model())), Tags=[{"Key": "a", "Value": "1"}])
        arn = sm.control.describe_endpoint(EndpointName=name)["EndpointArn"]
        sm.control.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
        sm.control.delete_tags(ResourceArn=arn, TagKeys=["a"])
        assert sm.control.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
        assert "Could not find resource" in refusal(sm.control.list_tags, ResourceArn=arn.replace(name, "nobody"))[1]

    def test_motos_own_resources_keep_motos_tags(self, sm: SageMaker) -> None:
        arn = sm.control.create_experiment(ExperimentName="x")["ExperimentArn"]
        sm.control.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}])
        assert sm.control.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]


def test_deletion_takes_a_moment_and_frees_the_name(sm: SageMaker) -> None:
    config = sm.config(sm.variant(sm.model()))
    name = sm.endpoint(config)
    assert sm.context is not None
    sm.context.time_scale = 1.0
    sm.control.delete_endpoint(EndpointName=name)
    assert sm.status(name) == "Deleting"
    sm.control.delete_endpoint_config(EndpointConfigName=config)  # while it goes, as scripts do
    sm.context.time_scale = INSTANT
    config = sm.config(sm.variant(sm.model()))
    other = sm.endpoint(config)
    sm.control.delete_endpoint(EndpointName=other)
    until(lambda: sm.gone(other))
    sm.control.create_endpoint(EndpointName=other, EndpointConfigName=config)


def test_every_operation_is_one_of_botocores() -> None:
    from moto.core.utils import get_service_model

    assert set(OPERATIONS) <= set(get_service_model("sagemaker").operation_names)
