"""What the labs rely on of SageMaker and Application Auto Scaling. ministack has neither (differences.py)."""

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.labs.cloud.kit import Aws

SERVICES = ("sagemaker", "application-autoscaling")
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/llama.cpp:server"
ROLE = "arn:aws:iam::123456789012:role/hosting"


def variant(model: str, **more: Any) -> dict[str, Any]:
    return {
        "VariantName": "all",
        "ModelName": model,
        "InstanceType": "ml.c7g.16xlarge",
        "InitialInstanceCount": 1,
        **more,
    }


@pytest.fixture(scope="module")
def model(cloud: Aws) -> str:
    name = f"model-{uuid.uuid4().hex[:8]}"
    made = cloud.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE})
    assert made["ModelArn"].endswith(f":model/{name}")
    cloud._made.append(lambda: cloud.sagemaker.delete_model(ModelName=name))
    return name


def test_a_configuration_is_kept_as_given(cloud: Aws, model: str) -> None:
    name = f"config-{uuid.uuid4().hex[:8]}"
    cloud.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant(model)])
    [kept] = cloud.sagemaker.describe_endpoint_config(EndpointConfigName=name)["ProductionVariants"]
    assert kept["InstanceType"] == "ml.c7g.16xlarge"
    with pytest.raises(ClientError, match="ValidationException"):
        cloud.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant(model)])
    cloud.sagemaker.delete_endpoint_config(EndpointConfigName=name)


def test_an_instance_type_that_sagemaker_does_not_have_is_refused(cloud: Aws, model: str) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        cloud.sagemaker.create_endpoint_config(
            EndpointConfigName="nosuch", ProductionVariants=[variant(model, InstanceType="ml.nosuch.large")]
        )


def test_an_endpoint_that_is_not_there_says_so(cloud: Aws) -> None:
    with pytest.raises(ClientError, match=r"ValidationException.*Could not find endpoint"):
        cloud.sagemaker.describe_endpoint(EndpointName="nosuch")
    with pytest.raises(ClientError, match="ValidationError"):
        getattr(cloud, "sagemaker-runtime").invoke_endpoint(EndpointName="nosuch", Body=b"{}")


def test_what_is_not_there_cannot_be_scaled(cloud: Aws) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        getattr(cloud, "application-autoscaling").register_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId="endpoint/nosuch/variant/all",
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
            MinCapacity=1,
            MaxCapacity=2,
        )
