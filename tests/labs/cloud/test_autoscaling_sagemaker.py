"""The whole way: requests to SageMaker, its metrics, CloudWatch's alarms, Application Auto Scaling, and SageMaker again."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from labs.cloud import metrics
from labs.cloud.context import Context
from labs.cloud.services import cloudwatch
from tests.labs.cloud.kit import until
from tests.labs.cloud.sagemaker_kit import ROLE, SageMaker, cloud_of_a_module, fresh
from tests.labs.cloud.shapes import checked

BODY = {"inputs": "x", "parameters": {"max_new_tokens": 1}}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    yield from cloud_of_a_module(tmp_path_factory.mktemp("autoscaling"))


@pytest.fixture
def sm(cloud: Context) -> SageMaker:
    return fresh(cloud)


def look(sm: SageMaker, at: float) -> None:
    """Look at every alarm as if it were `at`."""
    assert sm.context is not None
    cloudwatch.watch_of(sm.context).look(at)


def test_a_busy_endpoint_grows_and_a_quiet_one_shrinks(sm: SageMaker) -> None:
    scaling = checked(sm.client("application-autoscaling"))
    name = sm.serving()
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{name}/variant/all",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=3)
    scaling.put_scaling_policy(
        **target,
        PolicyName="invocations",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 2.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        },
    )
    assert sm.context is not None
    minute = time.time() // 60 * 60
    for _ in range(5):
        sm.ask(name, BODY)
    where, dimensions = ("123456789012", "us-east-1"), (("EndpointName", name), ("VariantName", "all"))
    for ago in (0, 60, 120):  # and as many in the minutes before, and in this one should it have ended meanwhile
        metrics.store(sm.context).put(
            where, "AWS/SageMaker", "InvocationsPerInstance", dimensions, 5.0, at=minute - ago
        )

    def instances() -> int:
        [variant] = sm.control.describe_endpoint(EndpointName=name)["ProductionVariants"]
        count: int = variant["CurrentInstanceCount"]
        return count

    look(sm, minute + 60)
    until(lambda: instances() == 3)
    metrics.store(sm.context).put(where, "AWS/SageMaker", "InvocationsPerInstance", dimensions, 0.0, at=minute + 120)
    until(lambda: sm.control.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService")
    look(sm, minute + 180)
    until(lambda: instances() == 1)
    causes = [
        activity["Description"]
        for activity in scaling.describe_scaling_activities(ServiceNamespace="sagemaker")["ScalingActivities"]
    ]
    assert causes == ["Setting desired instance count to 1.", "Setting desired instance count to 3."]
    scaling.deregister_scalable_target(**target)


def test_a_component_at_zero_wakes_for_the_request_that_failed(sm: SageMaker) -> None:
    scaling, watch = checked(sm.client("application-autoscaling")), checked(sm.client("cloudwatch"))
    variant = {
        "VariantName": "all",
        "InstanceType": "ml.g5.12xlarge",
        "InitialInstanceCount": 1,
        "ManagedInstanceScaling": {"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 2},
    }
    name = sm.endpoint(sm.config(variant, ExecutionRoleArn=ROLE))
    component = sm.component(name, ModelName=sm.model())
    target: dict[str, Any] = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"inference-component/{component}",
        "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
    }
    scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=0)  # a maximum of none puts it to sleep
    sm.component_settled(component)
    scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=2)
    policy = scaling.put_scaling_policy(
        **target,
        PolicyName="wake",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
        },
    )
    watch.put_metric_alarm(
        AlarmName=f"wake-{component}",
        Namespace="AWS/SageMaker",
        MetricName="NoCapacityInvocationFailures",
        Dimensions=[{"Name": "InferenceComponentName", "Value": component}],
        Statistic="Maximum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="missing",
        AlarmActions=[policy["PolicyARN"]],
    )
    asked_at = time.time()
    with pytest.raises(Exception, match="has no capacity"):
        sm.ask(name, BODY, InferenceComponentName=component)
    look(sm, (asked_at // 10 + 2) * 10)  # the ten seconds of the request, or the ten after, are over
    until(lambda: sm.component_settled(component)["RuntimeConfig"]["CurrentCopyCount"] == 1)
    assert sm.ask(name, BODY, InferenceComponentName=component)["generated_text"]
    watch.delete_alarms(AlarmNames=[f"wake-{component}"])
    scaling.deregister_scalable_target(**target)
