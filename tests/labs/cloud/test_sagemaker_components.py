"""Inference components: copies on shared instances, scale to zero, managed instances, adapters."""

from collections.abc import Iterator
from typing import Any

import pytest

from labs.cloud.context import Context
from tests.labs.cloud.kit import until
from tests.labs.cloud.sagemaker_kit import LMI, ROLE, SMALL, SageMaker, cloud_of_a_module, fresh, refusal


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    yield from cloud_of_a_module(tmp_path_factory.mktemp("sagemaker"))


@pytest.fixture
def sm(cloud: Context) -> SageMaker:
    return fresh(cloud)


FOUR_GPUS = "ml.g5.12xlarge"
BODY = {"inputs": "x", "parameters": {"max_new_tokens": 1}}


def endpoint(sm: SageMaker, **variant: Any) -> str:
    given = {"VariantName": "all", "InstanceType": FOUR_GPUS, "InitialInstanceCount": 1, **variant}
    name = sm.endpoint(sm.config(given, ExecutionRoleArn=ROLE))
    assert sm.status(name) == "InService"
    return name


def instances(sm: SageMaker, name: str) -> int:
    count: int = sm.control.describe_endpoint(EndpointName=name)["ProductionVariants"][0]["CurrentInstanceCount"]
    return count


MANAGED = {"ManagedInstanceScaling": {"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 3}}


def test_copies_come_up_and_answer(sm: SageMaker) -> None:
    name, model = endpoint(sm), sm.model()
    assert sm.context is not None
    sm.context.time_scale = 60  # three minutes in three seconds
    component = sm.component(name, copies=2, wait=False, ModelName=model)
    told = sm.control.describe_inference_component(InferenceComponentName=component)
    assert told["InferenceComponentStatus"] == "Creating"
    told = sm.component_settled(component)
    assert told["InferenceComponentStatus"] == "InService"
    assert told["RuntimeConfig"] == {"DesiredCopyCount": 2, "CurrentCopyCount": 2}
    assert told["Specification"]["ModelName"] == model
    assert sm.ask(name, BODY, InferenceComponentName=component)["generated_text"]
    [listed] = sm.control.list_inference_components(EndpointNameEquals=name)["InferenceComponents"]
    assert listed["InferenceComponentName"] == component
    assert sm.control.list_inference_components(VariantNameEquals="nobody")["InferenceComponents"] == []


def test_a_call_must_name_one(sm: SageMaker) -> None:
    name = endpoint(sm)
    assert refusal(sm.runtime.invoke_endpoint, EndpointName=name, Body=b"{}") == (
        "ValidationError",
        "Inference Component Name header is required for endpoints to which you plan to deploy inference components. "
        "Please include Inference Component Name header or consider using SageMaker models.",
    )
    _, message = refusal(sm.runtime.invoke_endpoint, EndpointName=name, Body=b"{}", InferenceComponentName="nobody")
    assert message == "Inference Component nobody of account 123456789012 not found."


def test_scales_to_zero_and_back(sm: SageMaker) -> None:
    name = endpoint(sm, **MANAGED)
    component = sm.component(name, ModelName=sm.model())
    assert instances(sm, name) == 1
    sm.control.update_inference_component_runtime_config(
        InferenceComponentName=component, DesiredRuntimeConfig={"CopyCount": 0}
    )
    sm.component_settled(component)
    until(lambda: instances(sm, name) == 0)
    code, message = refusal(sm.runtime.invoke_endpoint, EndpointName=name, Body=b"{}", InferenceComponentName=component)
    assert (code, message.startswith("Inference Component has no capacity to process this request.")) == (
        "ValidationError",
        True,
    )
    sm.control.update_inference_component_runtime_config(
        InferenceComponentName=component, DesiredRuntimeConfig={"CopyCount": 2}
    )
    told = sm.component_settled(component)
    assert told["RuntimeConfig"]["CurrentCopyCount"] == 2
    assert instances(sm, name) == 1
    assert sm.ask(name, BODY, InferenceComponentName=component)


def test_managed_scaling_adds_instances_for_copies_and_lets_go_of_empty_ones(sm: SageMaker) -> None:
    name = endpoint(sm, **MANAGED)
    component = sm.component(name, copies=9, ModelName=sm.model())  # of four to an instance
    assert instances(sm, name) == 3
    sm.control.update_inference_component(InferenceComponentName=component, RuntimeConfig={"CopyCount": 1})
    sm.component_settled(component)
    until(lambda: instances(sm, name) == 1)


def test_managed_scaling_stops_at_the_quota(sm: SageMaker) -> None:
    sm.allow(FOUR_GPUS, 2)
    name = endpoint(sm, **MANAGED)
    component = sm.component(name, copies=8, ModelName=sm.model())
    assert sm.component_settled(component)["InferenceComponentStatus"] == "InService"
    sm.control.update_inference_component_runtime_config(
        InferenceComponentName=component, DesiredRuntimeConfig={"CopyCount": 12}
    )
    told = sm.component_settled(component)
    assert told["RuntimeConfig"] == {"DesiredCopyCount": 12, "CurrentCopyCount": 8}
    assert "8 of 12 copies fit" in told["FailureReason"]


def test_copies_without_room_fail(sm: SageMaker) -> None:
    name = endpoint(sm)
    component = sm.component(name, copies=5, ModelName=sm.model())
    told = sm.component_settled(component)
    assert told["InferenceComponentStatus"] == "Failed"
    assert "4 fit" in told["FailureReason"]


def test_two_components_share_the_instances(sm: SageMaker) -> None:
    name, model = endpoint(sm), sm.model()
    sm.component(name, copies=3, ModelName=model)
    assert sm.component_settled(sm.component(name, copies=2, ModelName=model))["InferenceComponentStatus"] == "Failed"
    assert (
        sm.component_settled(sm.component(name, copies=1, ModelName=model))["InferenceComponentStatus"] == "InService"
    )


def test_a_model_that_does_not_fit_its_share_fails(sm: SageMaker) -> None:
    big = sm.model(LMI, {"HF_MODEL_ID": "Qwen/Qwen3-32B", "OPTION_MAX_MODEL_LEN": "4096"})
    told = sm.component_settled(sm.component(endpoint(sm), ModelName=big))
    assert told["InferenceComponentStatus"] == "Failed"
    assert "CUDA out of memory" in told["FailureReason"]
    four = {"NumberOfAcceleratorDevicesRequired": 4, "MinMemoryRequiredInMb": 1024}
    patient = {"ContainerStartupHealthCheckTimeoutInSeconds": 900}
    told = sm.component_settled(
        sm.component(endpoint(sm), ModelName=big, ComputeResourceRequirements=four, StartupParameters=patient)
    )
    assert told["InferenceComponentStatus"] == "InService"


def test_startup_parameters_count(sm: SageMaker) -> None:
    startup = {"ContainerStartupHealthCheckTimeoutInSeconds": 60}
    told = sm.component_settled(sm.component(endpoint(sm), ModelName=sm.model(), StartupParameters=startup))
    assert "did not pass the ping health check" in told["FailureReason"]


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        ({"NumberOfAcceleratorDevicesRequired": 8, "MinMemoryRequiredInMb": 128}, "it has 4 accelerator devices"),
        ({"NumberOfAcceleratorDevicesRequired": 1, "MinMemoryRequiredInMb": 1_000_000}, "MB of memory"),
        (
            {"NumberOfCpuCoresRequired": 1, "MinMemoryRequiredInMb": 128},
            "NumberOfAcceleratorDevicesRequired is required",
        ),
    ],
)
def test_what_can_never_fit_is_refused(sm: SageMaker, needs: dict[str, Any], words: str) -> None:
    name, model = endpoint(sm), sm.model()
    code, message = refusal(lambda: sm.component(name, ModelName=model, ComputeResourceRequirements=needs))
    assert code == "ValidationException"
    assert words in message


def test_a_container_of_its_own_and_another_in_its_place(sm: SageMaker) -> None:
    container = {"Image": LMI, "Environment": {"HF_MODEL_ID": SMALL}}
    name = endpoint(sm)
    component = sm.component(name, Container=container)
    told = sm.control.describe_inference_component(InferenceComponentName=component)
    assert told["Specification"]["Container"]["DeployedImage"]["SpecifiedImage"] == LMI
    other = {"Container": {"Image": LMI, "Environment": {"HF_MODEL_ID": SMALL, "OPTION_TGI_COMPAT": "true"}}}
    sm.control.update_inference_component(InferenceComponentName=component, Specification=other)
    assert sm.ask(name, BODY, InferenceComponentName=component)  # the old one serves
    told = sm.component_settled(component)
    assert told["Specification"]["Container"]["Environment"]["OPTION_TGI_COMPAT"] == "true"
    bad = {"Container": {"Image": LMI, "Environment": {"HF_MODEL_ID": "nobody/knows"}}}
    sm.control.update_inference_component(InferenceComponentName=component, Specification=bad)
    told = sm.component_settled(component)
    assert told["InferenceComponentStatus"] == "InService"
    assert "nobody/knows" in told["FailureReason"]
    assert sm.ask(name, BODY, InferenceComponentName=component)


def test_adapters_answer_from_their_bases_copies(sm: SageMaker) -> None:
    name = endpoint(sm)
    base = sm.component(name, ModelName=sm.model())
    bucket = sm.bucket()
    given = {
        "InferenceComponentName": f"{base}-law",
        "EndpointName": name,
        "Specification": {
            "BaseInferenceComponentName": base,
            "Container": {"ArtifactUrl": f"s3://{bucket}/law.tar.gz"},
        },
    }
    assert "Could not find model data" in refusal(sm.control.create_inference_component, **given)[1]
    sm.s3.put_object(Bucket=bucket, Key="law.tar.gz", Body=b"adapter")
    sm.control.create_inference_component(**given)
    told = sm.component_settled(f"{base}-law")
    assert told["InferenceComponentStatus"] == "InService"
    assert "RuntimeConfig" not in told
    assert sm.ask(name, BODY, InferenceComponentName=f"{base}-law")
    _, message = refusal(sm.control.delete_inference_component, InferenceComponentName=base)
    assert f"while it is the base of {base}-law" in message
    sm.remove_component(f"{base}-law")


def test_an_endpoint_that_hosts_components_cannot_be_removed(sm: SageMaker) -> None:
    name = endpoint(sm)
    component = sm.component(name, ModelName=sm.model())
    _, message = refusal(sm.control.delete_endpoint, EndpointName=name)
    assert f"Delete them first: {component}" in message
    sm.remove_component(component)
    sm.remove(name)


def test_refusals(sm: SageMaker) -> None:
    control, model = sm.control, sm.model()
    serving = sm.serving()
    assert "has a model of its own" in refusal(lambda: sm.component(serving, ModelName=model))[1]
    name = endpoint(sm)
    component = sm.component(name, ModelName=model)
    again = {
        "InferenceComponentName": component,
        "EndpointName": name,
        "VariantName": "all",
        "Specification": {"ModelName": model},
    }
    assert "already existing" in refusal(control.create_inference_component, **again)[1]
    other = {**again, "InferenceComponentName": "other"}
    assert "RuntimeConfig is required" in refusal(control.create_inference_component, **other)[1]
    runtime = {"RuntimeConfig": {"CopyCount": 1}}
    assert (
        "ComputeResourceRequirements is required" in refusal(control.create_inference_component, **other, **runtime)[1]
    )
    unknown = {**other, "VariantName": "nobody"}
    assert "Could not find variant" in refusal(control.create_inference_component, **unknown, **runtime)[1]
    nobody = {"InferenceComponentName": "nobody"}
    assert "Could not find inference component" in refusal(control.describe_inference_component, **nobody)[1]
    assert "Could not find inference component" in refusal(control.delete_inference_component, **nobody)[1]


def test_an_endpoints_update_keeps_its_components(sm: SageMaker) -> None:
    name = endpoint(sm)
    component = sm.component(name, copies=2, ModelName=sm.model())
    given = {"VariantName": "all", "InstanceType": FOUR_GPUS, "InitialInstanceCount": 2}
    sm.control.update_endpoint(EndpointName=name, EndpointConfigName=sm.config(given, ExecutionRoleArn=ROLE))
    assert sm.settled(name)["EndpointStatus"] == "InService"
    assert sm.ask(name, BODY, InferenceComponentName=component)
    sm.control.update_inference_component_runtime_config(
        InferenceComponentName=component, DesiredRuntimeConfig={"CopyCount": 6}
    )
    assert sm.component_settled(component)["RuntimeConfig"]["CurrentCopyCount"] == 6
    other = sm.config({**given, "VariantName": "other"}, ExecutionRoleArn=ROLE)
    _, message = refusal(sm.control.update_endpoint, EndpointName=name, EndpointConfigName=other)
    assert "Variant all hosts inference components" in message
