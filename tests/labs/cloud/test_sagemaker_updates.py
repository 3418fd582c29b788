"""UpdateEndpoint: the old variants serve until the new ones do; canary, linear and rolling plans; rollbacks."""

from collections.abc import Iterator
from typing import Any

import pytest

from labs.cloud.context import Context
from labs.cloud.services.sagemaker_hosting import of
from labs.serving.engine import Request
from tests.labs.cloud.kit import until
from tests.labs.cloud.sagemaker_kit import GPU, INSTANT, LMI, SMALL, VLLM, SageMaker, cloud_of_a_module, fresh, refusal


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    yield from cloud_of_a_module(tmp_path_factory.mktemp("sagemaker"))


@pytest.fixture
def sm(cloud: Context) -> SageMaker:
    return fresh(cloud)


BODY = {"inputs": "x", "parameters": {"max_new_tokens": 1}}


def update(sm: SageMaker, endpoint: str, config: str, **more: Any) -> dict[str, Any]:
    sm.control.update_endpoint(EndpointName=endpoint, EndpointConfigName=config, **more)
    return sm.settled(endpoint)


def slowly(sm: SageMaker, scale: float) -> None:
    assert sm.context is not None
    sm.context.time_scale = scale


def test_the_old_variant_serves_until_the_new_one_does(sm: SageMaker) -> None:
    name, model = sm.serving(), sm.model()
    new = sm.config(sm.variant(model, VariantName="new"))
    slowly(sm, 200)  # three minutes in a second
    sm.control.update_endpoint(EndpointName=name, EndpointConfigName=new)
    told = sm.control.describe_endpoint(EndpointName=name)
    assert told["EndpointStatus"] == "Updating"
    assert told["PendingDeploymentSummary"]["EndpointConfigName"] == new
    assert told["PendingDeploymentSummary"]["ProductionVariants"][0]["VariantStatus"][0]["Status"] == "Creating"
    assert told["EndpointConfigName"] != new
    met = set()

    def invoke() -> bool:
        said = sm.runtime.invoke_endpoint(
            EndpointName=name, Body=b'{"inputs": "x", "parameters": {"max_new_tokens": 1}}'
        )
        met.add(said["InvokedProductionVariant"])
        return "new" in met

    until(invoke)  # and no request failed on the way
    assert met == {"all", "new"}
    told = sm.settled(name)
    assert (told["EndpointStatus"], told["EndpointConfigName"]) == ("InService", new)
    assert [variant["VariantName"] for variant in told["ProductionVariants"]] == ["new"]
    assert "PendingDeploymentSummary" not in told


def test_a_request_in_hand_ends_where_it_began(sm: SageMaker) -> None:
    name = sm.serving(VLLM, {"SM_VLLM_MODEL": SMALL})
    assert sm.context is not None
    fleet = of(sm.context, "123456789012", "us-east-1").endpoints[name].variants[0].fleet
    assert fleet is not None
    stream = fleet.submit(Request("mine", 5, 300), 60, every_token=False)
    update(sm, name, sm.config(sm.variant(sm.model())))
    [ended] = list(stream)
    assert (ended.kind, ended.tokens) == ("finished", 300)


def test_a_new_variant_that_does_not_come_up_leaves_the_old_one(sm: SageMaker) -> None:
    name = sm.serving()
    before = sm.control.describe_endpoint(EndpointName=name)["EndpointConfigName"]
    bad = sm.config(sm.variant(sm.model(LMI, {"HF_MODEL_ID": "meta-llama/Llama-3.3-70B-Instruct"})))
    told = update(sm, name, bad)
    assert (told["EndpointStatus"], told["EndpointConfigName"]) == ("InService", before)
    assert "CUDA out of memory" in told["FailureReason"]
    assert sm.ask(name, BODY)


def blue_green(kind: str, **size: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": 300, **size}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 60}}


@pytest.mark.parametrize(
    ("plan", "shares"),
    [
        (blue_green("CANARY", CanarySize={"Type": "CAPACITY_PERCENT", "Value": 25}), [0.25, 1.0]),
        (blue_green("LINEAR", LinearStepSize={"Type": "INSTANCE_COUNT", "Value": 1}), [0.25, 0.5, 0.75, 1.0]),
        (blue_green("ALL_AT_ONCE"), [1.0]),
    ],
)
def test_traffic_moves_by_the_plan(sm: SageMaker, plan: dict[str, Any], shares: list[float]) -> None:
    name = sm.serving(InitialInstanceCount=4)
    new = sm.config(sm.variant(sm.model(), InitialInstanceCount=4))
    assert sm.context is not None
    endpoint = of(sm.context, "123456789012", "us-east-1").endpoints[name]
    seen: list[float] = []
    slowly(sm, 3000)
    sm.control.update_endpoint(EndpointName=name, EndpointConfigName=new, DeploymentConfig=plan)

    def done() -> bool:
        sm.status(name)
        if endpoint.pending is not None and endpoint.pending.share > 0 and endpoint.pending.share not in seen:
            seen.append(endpoint.pending.share)
        return endpoint.pending is None

    until(done)
    assert seen == pytest.approx(shares)
    told = sm.settled(name)
    assert told["LastDeploymentConfig"] == plan
    assert told["EndpointConfigName"] == new


def test_an_alarm_rolls_back(sm: SageMaker) -> None:
    alarm = f"alarm-{id(sm)}"
    watch = sm.client("cloudwatch")
    watch.put_metric_alarm(
        AlarmName=alarm,
        Namespace="n",
        MetricName="m",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Period=60,
        Statistic="Sum",
        Threshold=1,
    )
    name = sm.serving()
    before = sm.control.describe_endpoint(EndpointName=name)["EndpointConfigName"]
    plan = {
        **blue_green("CANARY", CanarySize={"Type": "CAPACITY_PERCENT", "Value": 10}),
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]},
    }
    assert update(sm, name, sm.config(sm.variant(sm.model())), DeploymentConfig=plan)["EndpointConfigName"] != before
    current = sm.control.describe_endpoint(EndpointName=name)["EndpointConfigName"]
    watch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a test")
    told = update(sm, name, sm.config(sm.variant(sm.model())), DeploymentConfig=plan)
    assert (told["EndpointStatus"], told["EndpointConfigName"]) == ("InService", current)
    assert f"Alarm {alarm} went into ALARM" in told["FailureReason"]
    watch.delete_alarms(AlarmNames=[alarm])


def test_rolling_needs_room_for_a_batch_only(sm: SageMaker) -> None:
    sm.allow(GPU, 5)
    name = sm.serving(InitialInstanceCount=4)
    new = sm.config(sm.variant(sm.model(), InitialInstanceCount=4))
    code, message = refusal(sm.control.update_endpoint, EndpointName=name, EndpointConfigName=new)
    assert (code, "request delta of 4 Instances" in message) == ("ResourceLimitExceeded", True)
    plan = {
        "RollingUpdatePolicy": {
            "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 25},
            "WaitIntervalInSeconds": 60,
        }
    }
    told = update(sm, name, new, DeploymentConfig=plan)
    assert (told["EndpointStatus"], told["EndpointConfigName"]) == ("InService", new)
    until(lambda: sm.control.describe_endpoint(EndpointName=name)["ProductionVariants"][0]["CurrentInstanceCount"] == 4)
    assert sm.ask(name, BODY)


def test_what_was_changed_since_can_be_retained(sm: SageMaker) -> None:
    name = sm.serving()
    change = [{"VariantName": "all", "DesiredInstanceCount": 3, "DesiredWeight": 5.0}]
    sm.control.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=change)
    sm.settled(name)
    told = update(sm, name, sm.config(sm.variant(sm.model())), RetainAllVariantProperties=True)
    [variant] = told["ProductionVariants"]
    assert (variant["CurrentInstanceCount"], variant["CurrentWeight"]) == (3, 5.0)
    excluded = [{"VariantPropertyType": "DesiredInstanceCount"}]
    told = update(
        sm,
        name,
        sm.config(sm.variant(sm.model())),
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=excluded,
    )
    assert told["ProductionVariants"][0]["CurrentInstanceCount"] == 1


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (blue_green("CANARY"), "CanarySize must be specified"),
        (
            {
                **blue_green("ALL_AT_ONCE"),
                "RollingUpdatePolicy": {
                    "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1},
                    "WaitIntervalInSeconds": 0,
                },
            },
            "Only one of",
        ),
        (
            {
                "RollingUpdatePolicy": {
                    "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 80},
                    "WaitIntervalInSeconds": 0,
                }
            },
            "between 5% and 50%",
        ),
    ],
)
def test_plans_that_make_no_sense(sm: SageMaker, plan: dict[str, Any], words: str) -> None:
    name = sm.serving()
    config = sm.config(sm.variant(sm.model()))
    code, message = refusal(
        sm.control.update_endpoint, EndpointName=name, EndpointConfigName=config, DeploymentConfig=plan
    )
    assert code == "ValidationException"
    assert words in message


def test_a_failed_endpoint_can_be_mended(sm: SageMaker) -> None:
    name = sm.endpoint(sm.config(sm.variant(sm.model(LMI, {"HF_MODEL_ID": "nobody/knows"}))))
    assert sm.status(name) == "Failed"
    slowly(sm, 200)
    good = sm.config(sm.variant(sm.model()))
    sm.control.update_endpoint(EndpointName=name, EndpointConfigName=good)
    code, message = refusal(sm.runtime.invoke_endpoint, EndpointName=name, Body=b"{}")
    assert (code, "not found" in message) == ("ValidationError", True)  # there is no container yet
    assert sm.settled(name)["EndpointStatus"] == "InService"
    slowly(sm, INSTANT)
    assert update(sm, name, sm.config(sm.variant(sm.model())))["EndpointStatus"] == "InService"
    assert sm.ask(name, BODY)
