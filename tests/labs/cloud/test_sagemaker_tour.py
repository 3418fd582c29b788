"""Every operation that the local cloud's SageMaker has, once: the shapes of its answers are held against botocore's model."""

import json
from collections.abc import Iterator

import pytest

from labs.cloud.context import Context
from labs.cloud.services.sagemaker import OPERATIONS
from tests.labs.cloud.kit import until
from tests.labs.cloud.sagemaker_kit import GPU, ROLE, SageMaker, cloud_of_a_module, fresh

RUNTIME = {"InvokeEndpoint", "InvokeEndpointWithResponseStream", "InvokeEndpointAsync"}
TAGS = {"AddTags", "ListTags", "DeleteTags"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    yield from cloud_of_a_module(tmp_path_factory.mktemp("sagemaker"))


@pytest.fixture
def sm(cloud: Context) -> SageMaker:
    return fresh(cloud)


def test_every_operation_answers_in_the_shape_that_botocore_promises(sm: SageMaker) -> None:
    sm.shapes.seen.clear()
    control, bucket = sm.control, sm.bucket()
    model = sm.model()
    control.describe_model(ModelName=model)
    control.list_models()
    config = sm.config(sm.variant(model))
    control.describe_endpoint_config(EndpointConfigName=config)
    control.list_endpoint_configs()

    name = sm.endpoint(config)
    arn = control.describe_endpoint(EndpointName=name)["EndpointArn"]
    control.list_endpoints()
    control.add_tags(ResourceArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    control.list_tags(ResourceArn=arn)
    control.delete_tags(ResourceArn=arn, TagKeys=["k"])
    sm.ask(name)
    sm.stream(name, {"inputs": "x", "parameters": {"max_new_tokens": 2}, "stream": True})
    control.update_endpoint(EndpointName=name, EndpointConfigName=config)
    sm.settled(name)
    change = [{"VariantName": "all", "DesiredWeight": 2.0}]
    control.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=change)

    output = {"OutputConfig": {"S3OutputPath": f"s3://{bucket}/out"}}
    waiting = sm.endpoint(sm.config(sm.variant(model), AsyncInferenceConfig=output))
    sm.runtime.invoke_endpoint_async(EndpointName=waiting, Body=json.dumps({"inputs": "x"}).encode())

    variant = {"VariantName": "all", "InstanceType": "ml.g5.12xlarge", "InitialInstanceCount": 1}
    shared = sm.endpoint(sm.config(variant, ExecutionRoleArn=ROLE))
    component = sm.component(shared, ModelName=model)
    control.list_inference_components()
    control.update_inference_component(InferenceComponentName=component, RuntimeConfig={"CopyCount": 2})
    sm.component_settled(component)
    control.update_inference_component_runtime_config(
        InferenceComponentName=component, DesiredRuntimeConfig={"CopyCount": 1}
    )

    hub = {"HubName": "SageMakerPublicHub", "HubContentType": "Model"}
    [first, *_] = control.list_hub_contents(**hub)["HubContentSummaries"]
    control.describe_hub_content(HubContentName=first["HubContentName"], **hub)

    control.create_compilation_job(
        CompilationJobName="tour",
        RoleArn=ROLE,
        InputConfig={"S3Uri": f"s3://{bucket}/m.tar.gz", "Framework": "ONNX"},
        OutputConfig={"S3OutputLocation": f"s3://{bucket}/o", "TargetDevice": "ml_c5"},
        StoppingCondition={"MaxRuntimeInSeconds": 900},
    )
    control.list_compilation_jobs()
    until(lambda: control.describe_compilation_job(CompilationJobName="tour")["CompilationJobStatus"] == "FAILED")
    control.delete_compilation_job(CompilationJobName="tour")
    assert sm.context is not None
    sm.context.time_scale = 50
    control.create_compilation_job(
        CompilationJobName="stopped",
        RoleArn=ROLE,
        InputConfig={"S3Uri": f"s3://{bucket}/m.tar.gz", "Framework": "ONNX"},
        OutputConfig={"S3OutputLocation": f"s3://{bucket}/o", "TargetPlatform": {"Os": "LINUX", "Arch": "ARM64"}},
        StoppingCondition={"MaxRuntimeInSeconds": 900},
    )
    control.stop_compilation_job(CompilationJobName="stopped")
    control.create_transform_job(
        TransformJobName="tour",
        ModelName=model,
        TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in"}}},
        TransformOutput={"S3OutputPath": f"s3://{bucket}/out"},
        TransformResources={"InstanceType": GPU, "InstanceCount": 1},
    )
    control.describe_transform_job(TransformJobName="tour")
    control.list_transform_jobs()
    control.stop_transform_job(TransformJobName="tour")
    sm.context.time_scale = 20_000
    sm.tidy()
    assert sm.shapes.seen == {*OPERATIONS, *RUNTIME, *TAGS}
