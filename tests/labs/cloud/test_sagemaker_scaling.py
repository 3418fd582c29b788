"""What SageMaker tells CloudWatch, and what Application Auto Scaling does with it."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from labs.cloud import metrics, scalables
from labs.cloud.context import Context
from labs.cloud.services import sagemaker_metrics
from labs.cloud.services.errors import ServiceError
from labs.cloud.services.sagemaker_hosting import of
from labs.serving.engine import Request
from tests.labs.cloud.kit import until
from tests.labs.cloud.sagemaker_kit import GPU, LMI, ROLE, SMALL, SageMaker, cloud_of_a_module, fresh


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    yield from cloud_of_a_module(tmp_path_factory.mktemp("sagemaker"))


@pytest.fixture
def sm(cloud: Context) -> SageMaker:
    return fresh(cloud)


VARIANT = "sagemaker:variant:DesiredInstanceCount"
COMPONENT = "sagemaker:inference-component:DesiredCopyCount"
BODY = {"inputs": "x", "parameters": {"max_new_tokens": 1}}


def recorded(sm: SageMaker, name: str, namespace: str = "AWS/SageMaker", **dimensions: str) -> list[Any]:
    assert sm.context is not None
    found = metrics.store(sm.context).read(
        ("123456789012", "us-east-1"), namespace, name, tuple(sorted(dimensions.items())), 0, time.time() + 60
    )
    return [bucket for _, bucket in found]


def found(sm: SageMaker, resource: str, dimension: str) -> scalables.Scalable:
    assert sm.context is not None
    scalable = scalables.find(sm.context, "us-east-1", "sagemaker", resource, dimension)
    assert scalable is not None
    return scalable


def test_every_invocation_is_counted(sm: SageMaker) -> None:
    name = sm.serving(InitialInstanceCount=2)
    for _ in range(4):
        sm.ask(name, BODY)
    one = {"EndpointName": name, "VariantName": "all"}
    [invocations] = recorded(sm, "Invocations", **one)
    [per_instance] = recorded(sm, "InvocationsPerInstance", **one)
    assert (invocations.total, per_instance.total) == (4, 2)
    [latency] = recorded(sm, "ModelLatency", **one)
    assert (latency.count, latency.unit) == (4, "Microseconds")
    assert recorded(sm, "OverheadLatency", **one)[0].count == 4
    assert recorded(sm, "Invocation4XXErrors", **one)[0].total == 0
    with pytest.raises(sm.runtime.exceptions.ModelError):
        sm.ask(name, {"prompt": "not LMI's"})
    assert recorded(sm, "Invocation4XXErrors", **one)[0].total == 1


def test_a_saturated_gpu_leaves_the_cpu_idle(sm: SageMaker) -> None:
    name = sm.serving(LMI, {"HF_MODEL_ID": SMALL, "OPTION_MAX_ROLLING_BATCH_SIZE": "2"})
    one = {"EndpointName": name, "VariantName": "all"}
    assert sm.context is not None
    gauges = sagemaker_metrics.Gauges()
    sagemaker_metrics.look(sm.context, gauges, 0)
    fleet = of(sm.context, "123456789012", "us-east-1").endpoints[name].variants[0].fleet
    assert fleet is not None
    load = [fleet.submit(Request(str(number), 5, 2000), 60, every_token=False) for number in range(8)]
    time.sleep(0.05)
    sagemaker_metrics.look(sm.context, gauges, 0)
    concurrency = max(bucket.maximum for bucket in recorded(sm, "ConcurrentRequestsPerModel", **one))
    assert concurrency >= 4
    host = "/aws/sagemaker/Endpoints"
    gpu = max(bucket.maximum for bucket in recorded(sm, "GPUUtilization", host, **one))
    cpu = max(bucket.maximum for bucket in recorded(sm, "CPUUtilization", host, **one))
    assert gpu > 0
    assert cpu <= 102  # of four CPUs' 400 per cent: one thread, whatever the load
    assert recorded(sm, "GPUMemoryUtilization", host, **one)
    for stream in load:
        stream.close()


def test_a_variant_scales_and_keeps_its_requests(sm: SageMaker) -> None:
    name = sm.serving()
    scalable = found(sm, f"endpoint/{name}/variant/all", VARIANT)
    assert scalable.current() == 1
    scalable.set_desired(3)
    assert scalable.current() == 3
    told = sm.settled(name)
    assert told["ProductionVariants"][0]["CurrentInstanceCount"] == 3
    answers: list[Any] = []
    slow = {"inputs": "Write an essay about lamps.", "parameters": {"max_new_tokens": 60}}
    threads = [threading.Thread(target=lambda: answers.append(sm.ask(name, slow))) for _ in range(6)]
    for thread in threads:
        thread.start()
    assert sm.context is not None
    fleet = of(sm.context, "123456789012", "us-east-1").endpoints[name].variants[0].fleet
    assert fleet is not None
    until(lambda: fleet.in_hand)
    scalable.set_desired(1)
    for thread in threads:
        thread.join(timeout=30)
    assert len(answers) == 6  # those on instances that went were finished there
    until(lambda: sm.control.describe_endpoint(EndpointName=name)["ProductionVariants"][0]["CurrentInstanceCount"] == 1)


def test_application_auto_scaling_keeps_a_variant_within_its_limits(sm: SageMaker) -> None:
    name = sm.serving()
    scaling = sm.client("application-autoscaling")
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{name}/variant/all",
        "ScalableDimension": VARIANT,
    }
    scaling.register_scalable_target(**target, MinCapacity=2, MaxCapacity=4)
    until(lambda: sm.control.describe_endpoint(EndpointName=name)["ProductionVariants"][0]["CurrentInstanceCount"] == 2)
    scaling.deregister_scalable_target(**target)


def test_a_new_instance_takes_its_cold_start(sm: SageMaker) -> None:
    name = sm.serving()
    assert sm.context is not None
    endpoint = of(sm.context, "123456789012", "us-east-1").endpoints[name]
    # The wait was scaled when the variant came up, so this one is made anew at a slower scale.
    sm.context.time_scale = 100
    endpoint.variants[0].open(of(sm.context, "123456789012", "us-east-1"), 1)
    found(sm, f"endpoint/{name}/variant/all", VARIANT).set_desired(2)
    assert endpoint.status == "Updating"
    assert endpoint.variants[0].current == 1
    until(lambda: endpoint.variants[0].current == 2)
    assert sm.settled(name)["EndpointStatus"] == "InService"


def test_beyond_the_quota_scaling_is_refused(sm: SageMaker) -> None:
    sm.allow(GPU, 1)
    scalable = found(sm, f"endpoint/{sm.serving()}/variant/all", VARIANT)
    with pytest.raises(ServiceError, match=r"for endpoint usage. is 1 Instances"):
        scalable.set_desired(2)
    assert scalable.current() == 1


def test_only_asynchronous_endpoints_stand_at_no_instance(sm: SageMaker) -> None:
    scalable = found(sm, f"endpoint/{sm.serving()}/variant/all", VARIANT)
    with pytest.raises(ServiceError, match="only if its endpoint is asynchronous"):
        scalable.set_desired(0)


def test_what_is_gone_cannot_be_scaled(sm: SageMaker) -> None:
    name = sm.serving()
    sm.remove(name)
    assert sm.context is not None
    assert scalables.find(sm.context, "us-east-1", "sagemaker", f"endpoint/{name}/variant/all", VARIANT) is None


def test_copies_of_a_component_scale(sm: SageMaker) -> None:
    variant = {
        "VariantName": "all",
        "InstanceType": "ml.g5.12xlarge",
        "InitialInstanceCount": 1,
        "ManagedInstanceScaling": {"MinInstanceCount": 0, "MaxInstanceCount": 2},
    }
    name = sm.endpoint(sm.config(variant, ExecutionRoleArn=ROLE))
    component = sm.component(name, ModelName=sm.model())
    scalable = found(sm, f"inference-component/{component}", COMPONENT)
    scalable.set_desired(0)
    sm.component_settled(component)
    with pytest.raises(Exception, match="has no capacity to process this request"):
        sm.ask(name, BODY, InferenceComponentName=component)
    [failures] = recorded(sm, "NoCapacityInvocationFailures", InferenceComponentName=component)
    assert failures.total == 1
    scalable.set_desired(4)
    told = sm.component_settled(component)
    assert told["RuntimeConfig"]["CurrentCopyCount"] == 4
    sm.ask(name, BODY, InferenceComponentName=component)
    assert recorded(sm, "InvocationsPerCopy", InferenceComponentName=component)[0].total == 0.25
    assert sm.context is not None
    sagemaker_metrics.look(sm.context, sagemaker_metrics.Gauges(), 0)
    assert recorded(sm, "ConcurrentRequestsPerCopy", InferenceComponentName=component)
    sm.remove_component(component)
    assert scalables.find(sm.context, "us-east-1", "sagemaker", f"inference-component/{component}", COMPONENT) is None
