"""Application Auto Scaling scales: by its policies' alarms, within its limits and cooldowns, on schedule, and says what it did."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from labs.cloud import metrics, scalables
from labs.cloud.context import Context
from labs.cloud.services import autoscaling, cloudwatch
from labs.cloud.services.autoscaling_schedule import parse
from tests.labs.cloud.kit import Aws, until
from tests.labs.cloud.shapes import checked

VARIANT = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/llm/variant/main",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
COMPONENT = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "inference-component/copy",
    "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
}
FUNCTION = {
    "ServiceNamespace": "lambda",
    "ResourceId": "function:worker:live",
    "ScalableDimension": "lambda:function:ProvisionedConcurrency",
}
INVOCATIONS = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
ENDPOINT = {"EndpointName": "llm", "VariantName": "main"}
REGION = "us-east-1"


class Fleet:
    """Something to scale."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.refuses: Exception | None = None
        self.busy = False

    def current(self) -> int:
        return self.size

    def set_desired(self, n: int) -> None:
        if self.refuses:
            raise self.refuses
        if not self.busy:
            self.size = n


class Rig:
    """A cloud whose time passes when the test says so."""

    def __init__(self, context: Context, clients: Aws) -> None:
        self.context = context
        self.scaling = checked(clients.session.client("application-autoscaling"))
        self.watch = checked(clients.cloudwatch)
        self.watch.describe_alarms()
        self.scaling.describe_scalable_targets(ServiceNamespace="sagemaker")
        self.now = time.time() // 60 * 60 + 86_400

    def fleet(self, size: int, where: dict[str, str] = VARIANT, *, low: int = 1, high: int = 10) -> Fleet:
        made = Fleet(size)
        scalables.register(
            self.context, REGION, where["ServiceNamespace"], where["ResourceId"], where["ScalableDimension"], made
        )
        self.scaling.register_scalable_target(**where, MinCapacity=low, MaxCapacity=high)
        return made

    def track(self, where: dict[str, str] = VARIANT, *, name: str = "track", **settings: Any) -> dict[str, Any]:
        given = {"TargetValue": 60.0, "PredefinedMetricSpecification": INVOCATIONS, **settings}
        given = {key: value for key, value in given.items() if value is not None}
        answer = self.scaling.put_scaling_policy(
            **where,
            PolicyName=name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=given,
        )
        return dict(answer)

    def passes(
        self,
        seconds: float,
        value: float | Callable[[], float] | None = None,
        metric: str = "InvocationsPerInstance",
        every_s: float = 60.0,
        namespace: str = "AWS/SageMaker",
        **dimensions: str,
    ) -> None:
        """Let time pass in which a metric has a value, looking at the alarms all the while."""
        until = self.now + seconds
        where = (self.context.account_id, REGION)
        while self.now < until:
            if value is not None:
                metrics.store(self.context).put(
                    where,
                    namespace,
                    metric,
                    tuple(sorted((dimensions or ENDPOINT).items())),
                    value() if callable(value) else value,
                    at=self.now,
                    fine=every_s < 60,
                )
            self.now += every_s
            cloudwatch.watch_of(self.context).look(self.now)

    def activities(self, namespace: str = "sagemaker", **more: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.scaling.describe_scaling_activities(ServiceNamespace=namespace, **more)[
            "ScalingActivities"
        ]
        return found


@pytest.fixture
def rig(in_process_cloud: Context, inside: Aws) -> Rig:
    return Rig(in_process_cloud, inside)


# -- target tracking


def test_a_busy_variant_gets_more_instances_after_three_minutes_above_the_target(rig: Rig) -> None:
    fleet = rig.fleet(1)
    answer = rig.track()
    high, low = (alarm["AlarmName"] for alarm in answer["Alarms"])
    assert high.startswith("TargetTracking-endpoint/llm/variant/main-AlarmHigh-")
    shown = {a["AlarmName"]: a for a in rig.watch.describe_alarms(AlarmNames=[high, low])["MetricAlarms"]}
    assert (shown[high]["Threshold"], shown[high]["EvaluationPeriods"]) == (60.0, 3)
    assert (shown[low]["Threshold"], shown[low]["EvaluationPeriods"]) == (54.0, 15)
    assert shown[high]["AlarmActions"] == [answer["PolicyARN"]]
    rig.passes(120, 200.0)
    assert fleet.size == 1
    rig.passes(60, 200.0)
    assert fleet.size == 4, "200 invocations to an instance are what four take at 60 each"
    [activity] = rig.activities()
    assert activity["Description"] == "Setting desired instance count to 4."
    assert activity["Cause"] == f"monitor alarm {high} in state ALARM triggered policy track"
    assert activity["StatusCode"] == "Successful"


def test_a_quiet_variant_loses_instances_after_its_idle_time_which_passes_at_the_time_scale(rig: Rig) -> None:
    fleet = rig.fleet(4)
    rig.track()
    rig.passes(60, 10.0)
    assert fleet.size == 1, "a quarter of an hour of sixty-fold time is one datapoint"


def test_in_real_time_it_takes_a_quarter_of_an_hour(rig: Rig) -> None:
    rig.context.time_scale = 1.0
    fleet = rig.fleet(4)
    rig.track()
    rig.passes(14 * 60, 10.0)
    assert fleet.size == 4
    rig.passes(60, 10.0)
    assert fleet.size == 1


def test_high_resolution_metrics_scale_out_in_half_a_minute_of_real_time(rig: Rig) -> None:
    fleet = rig.fleet(2)
    name = "SageMakerVariantConcurrentRequestsPerModelHighResolution"
    rig.track(TargetValue=4.0, PredefinedMetricSpecification={"PredefinedMetricType": name})
    rig.passes(20, 10.0, "ConcurrentRequestsPerModel", 10.0)
    assert fleet.size == 2
    rig.passes(10, 10.0, "ConcurrentRequestsPerModel", 10.0)
    assert fleet.size == 5


def test_limits_hold_and_it_says_when_it_could_not(rig: Rig) -> None:
    fleet = rig.fleet(1, high=3)
    rig.track(ScaleOutCooldown=0)
    rig.passes(180, 1000.0)
    assert fleet.size == 3
    rig.passes(180, 1000.0)
    assert fleet.size == 3
    assert len(rig.activities()) == 1
    unscaled = rig.activities(IncludeNotScaledActivities=True)[0]
    assert unscaled["NotScaledReasons"] == [{"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 3, "CurrentCapacity": 3}]


def test_cooldowns_pass_at_the_time_scale(rig: Rig) -> None:
    rig.context.time_scale = 2.0
    fleet = rig.fleet(1)
    rig.track(ScaleOutCooldown=600)  # 300 s here
    rig.passes(180, 70.0)
    assert fleet.size == 2
    rig.passes(240, 70.0)
    assert fleet.size == 2
    rig.passes(60, 70.0)
    assert fleet.size == 3


def test_scale_in_can_be_disabled(rig: Rig) -> None:
    fleet = rig.fleet(4)
    answer = rig.track(DisableScaleIn=True)
    assert len(answer["Alarms"]) == 1
    rig.passes(20 * 60, 1.0)
    assert fleet.size == 4


def test_a_customized_metric_such_as_cpu(rig: Rig) -> None:
    fleet = rig.fleet(2)
    dimensions = [{"Name": name, "Value": value} for name, value in ENDPOINT.items()]
    custom = {
        "MetricName": "CPUUtilization",
        "Namespace": "/aws/sagemaker/Endpoints",
        "Dimensions": dimensions,
        "Statistic": "Average",
    }
    rig.track(TargetValue=50.0, PredefinedMetricSpecification=None, CustomizedMetricSpecification=custom)
    rig.passes(180, 90.0, "CPUUtilization", namespace="/aws/sagemaker/Endpoints")
    assert fleet.size == 4


def test_a_metric_of_metric_math(rig: Rig) -> None:
    fleet = rig.fleet(1)
    dimensions = [{"Name": name, "Value": value} for name, value in ENDPOINT.items()]
    metric = {"Namespace": "AWS/SageMaker", "MetricName": "Invocations", "Dimensions": dimensions}
    queries = [
        {"Id": "calls", "MetricStat": {"Metric": metric, "Stat": "Sum"}, "ReturnData": False},
        {"Id": "half", "Expression": "calls / 2", "ReturnData": True},
    ]
    rig.track(PredefinedMetricSpecification=None, CustomizedMetricSpecification={"Metrics": queries})
    rig.passes(180, 240.0, "Invocations")
    assert fleet.size == 2


def test_several_policies_scale_out_alone_and_in_together(rig: Rig) -> None:
    fleet = rig.fleet(2)
    rig.track()
    name = "SageMakerVariantConcurrentRequestsPerModelHighResolution"
    rig.track(name="other", TargetValue=4.0, PredefinedMetricSpecification={"PredefinedMetricType": name})
    rig.passes(60, 3.9, "ConcurrentRequestsPerModel", 10.0)
    rig.passes(180, 1.0)
    assert fleet.size == 2, "one has nothing to say against it, and the other has no alarm in force"


def test_what_is_refused_by_the_service_is_a_failed_activity_and_starts_no_cooldown(rig: Rig) -> None:
    fleet = rig.fleet(1)
    rig.track()
    fleet.refuses = ValueError("The account-level service limit is 1 Instances")
    rig.passes(240, 200.0)
    activities = rig.activities()
    assert [activity["StatusCode"] for activity in activities] == ["Failed"]
    assert "account-level service limit" in activities[0]["StatusMessage"]
    fleet.refuses, fleet.busy = None, True
    rig.passes(60, 200.0)
    assert fleet.size == 1
    fleet.busy = False
    rig.passes(60, 200.0)
    assert fleet.size == 4


def test_a_variant_without_any_traffic_is_a_quiet_one(rig: Rig) -> None:
    """On AWS SageMaker sends zeros; without them there would be no data, and never a scale-in."""
    fleet = rig.fleet(3)
    rig.track()
    for minute in range(1, 4):
        with metrics_at(rig, rig.now + 60 * minute - 30):
            autoscaling.scaler_of(rig.context).follow(0.0)
    rig.passes(180)
    assert fleet.size == 1


def metrics_at(rig: Rig, at: float) -> Any:
    """The metric store's clock stands at `at`."""
    import contextlib

    @contextlib.contextmanager
    def standing() -> Any:
        store = metrics.store(rig.context)
        before, store.clock = store.clock, lambda: at
        yield
        store.clock = before

    return standing()


# -- step scaling, and from zero


def step(rig: Rig, where: dict[str, str], steps: list[dict[str, float]], **more: Any) -> str:
    configuration = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps, "Cooldown": 60, **more}
    arn: str = rig.scaling.put_scaling_policy(
        **where, PolicyName="step", PolicyType="StepScaling", StepScalingPolicyConfiguration=configuration
    )["PolicyARN"]
    return arn


def alarm(rig: Rig, arn: str, metric: str, dimensions: dict[str, str], **settings: Any) -> None:
    given = {
        "Namespace": "AWS/SageMaker",
        "MetricName": metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        "Statistic": "Maximum",
        "Period": 30,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "AlarmActions": [arn],
        **settings,
    }
    rig.watch.put_metric_alarm(AlarmName="wake", **given)


def test_an_inference_component_wakes_from_zero_when_requests_fail_for_want_of_it(rig: Rig) -> None:
    fleet = rig.fleet(0, COMPONENT, low=0)
    arn = step(rig, COMPONENT, [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}])
    dimensions = {"InferenceComponentName": "copy"}
    alarm(rig, arn, "NoCapacityInvocationFailures", dimensions, TreatMissingData="missing")
    rig.passes(30, every_s=10.0)
    assert fleet.size == 0
    rig.passes(30, 1.0, "NoCapacityInvocationFailures", 10.0, **dimensions)
    assert fleet.size == 1
    [policy] = rig.scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert [each["AlarmName"] for each in policy["Alarms"]] == ["wake"]


def test_an_asynchronous_endpoint_wakes_from_zero_for_its_backlog(rig: Rig) -> None:
    fleet = rig.fleet(0, low=0)
    arn = step(rig, VARIANT, [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}])
    alarm(rig, arn, "HasBacklogWithoutCapacity", {"EndpointName": "llm"}, Period=60, EvaluationPeriods=2)
    rig.passes(60, 1.0, "HasBacklogWithoutCapacity", EndpointName="llm")
    assert fleet.size == 0
    rig.passes(60, 1.0, "HasBacklogWithoutCapacity", EndpointName="llm")
    assert fleet.size == 1


@pytest.mark.parametrize(
    ("kind", "adjustment", "value", "expected"),
    [
        ("ChangeInCapacity", 2, 1.0, 6),
        ("ChangeInCapacity", 2, 30.0, 8),
        ("PercentChangeInCapacity", 50, 1.0, 6),
        ("ExactCapacity", 7, 1.0, 7),
    ],
)
def test_a_step_is_chosen_by_how_far_the_metric_is_off(
    rig: Rig, kind: str, adjustment: int, value: float, expected: int
) -> None:
    fleet = rig.fleet(4)
    steps = [
        {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 10.0, "ScalingAdjustment": adjustment},
        {"MetricIntervalLowerBound": 10.0, "ScalingAdjustment": adjustment * 2},
    ]
    arn = step(rig, VARIANT, steps, AdjustmentType=kind)
    alarm(rig, arn, "Queue", ENDPOINT, Period=60)
    rig.passes(60, value, "Queue")
    assert fleet.size == expected


def test_an_alarm_set_by_hand_takes_the_first_step(rig: Rig) -> None:
    fleet = rig.fleet(2)
    arn = step(rig, VARIANT, [{"MetricIntervalUpperBound": 0, "ScalingAdjustment": -1}])
    alarm(rig, arn, "Queue", ENDPOINT, ComparisonOperator="LessThanThreshold")
    rig.watch.set_alarm_state(AlarmName="wake", StateValue="ALARM", StateReason="a rehearsal")
    assert fleet.size == 1


# -- targets


def test_a_target_brings_its_resource_between_its_limits(rig: Rig) -> None:
    fleet = rig.fleet(1, low=2)
    assert fleet.size == 2
    rig.scaling.register_scalable_target(**VARIANT, MaxCapacity=3, MinCapacity=3)
    assert fleet.size == 3
    assert [activity["Cause"] for activity in rig.activities()] == [
        "minimum capacity was set to 3",
        "minimum capacity was set to 2",
    ]
    [target] = rig.scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (3, 3)
    assert target["RoleARN"].endswith("AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint")


def test_a_suspended_target_is_left_alone(rig: Rig) -> None:
    fleet = rig.fleet(1)
    rig.track()
    rig.scaling.register_scalable_target(**VARIANT, SuspendedState={"DynamicScalingOutSuspended": True})
    rig.passes(300, 500.0)
    assert fleet.size == 1


def test_provisioned_concurrency_of_a_function(rig: Rig) -> None:
    fleet = rig.fleet(10, FUNCTION, low=1, high=100)
    rig.track(
        FUNCTION,
        TargetValue=0.5,
        PredefinedMetricSpecification={"PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"},
    )
    rig.passes(
        180,
        1.0,
        "ProvisionedConcurrencyUtilization",
        namespace="AWS/Lambda",
        FunctionName="worker",
        Resource="worker:live",
    )
    assert fleet.size == 20


def test_deregistering_removes_policies_and_alarms_and_keeps_the_record(rig: Rig) -> None:
    rig.fleet(1, low=2)
    rig.track()
    rig.scaling.deregister_scalable_target(**VARIANT)
    assert rig.watch.describe_alarms()["MetricAlarms"] == []
    assert rig.scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"] == []
    assert len(rig.activities()) == 1


def test_a_policy_that_is_put_again_replaces_its_alarms_and_one_deleted_takes_them_along(rig: Rig) -> None:
    rig.fleet(1)
    first = rig.track()
    second = rig.track(TargetValue=10.0)
    assert first["PolicyARN"] == second["PolicyARN"]
    names = {alarm["AlarmName"] for alarm in rig.watch.describe_alarms()["MetricAlarms"]}
    assert names == {alarm["AlarmName"] for alarm in second["Alarms"]}
    rig.scaling.delete_scaling_policy(**VARIANT, PolicyName="track")
    assert rig.watch.describe_alarms()["MetricAlarms"] == []


# -- errors

CONFIGURATION = {"TargetValue": 1.0, "PredefinedMetricSpecification": INVOCATIONS}


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda s: s.deregister_scalable_target(**FUNCTION), "ObjectNotFoundException"),
        (lambda s: s.delete_scaling_policy(**VARIANT, PolicyName="x"), "ObjectNotFoundException"),
        (lambda s: s.delete_scheduled_action(**VARIANT, ScheduledActionName="x"), "ObjectNotFoundException"),
        (
            lambda s: s.put_scheduled_action(**FUNCTION, ScheduledActionName="x", Schedule="rate(1 day)"),
            "ObjectNotFoundException",
        ),
        (
            lambda s: s.put_scaling_policy(
                **FUNCTION,
                PolicyName="x",
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration=CONFIGURATION,
            ),
            "ObjectNotFoundException",
        ),
        (
            lambda s: s.register_scalable_target(
                **{**VARIANT, "ResourceId": "endpoint/none/variant/a"}, MinCapacity=1, MaxCapacity=2
            ),
            "ValidationException",
        ),
        (lambda s: s.register_scalable_target(**VARIANT, MinCapacity=3, MaxCapacity=2), "ValidationException"),
        (lambda s: s.register_scalable_target(**VARIANT, MinCapacity=-1, MaxCapacity=2), "ValidationException"),
        (
            lambda s: s.register_scalable_target(
                **{**VARIANT, "ServiceNamespace": "lambda"}, MinCapacity=1, MaxCapacity=2
            ),
            "ValidationException",
        ),
        (lambda s: s.describe_scalable_targets(ServiceNamespace="ecs"), "ValidationException"),
        (lambda s: s.describe_scalable_targets(ServiceNamespace="nothing"), "ValidationException"),
        (
            lambda s: s.put_scaling_policy(
                **VARIANT,
                PolicyName="x",
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration={
                    "TargetValue": 1.0,
                    "PredefinedMetricSpecification": {
                        "PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"
                    },
                },
            ),
            "ValidationException",
        ),
        (
            lambda s: s.put_scaling_policy(
                **VARIANT,
                PolicyName="x",
                PolicyType="StepScaling",
                StepScalingPolicyConfiguration={
                    "AdjustmentType": "ChangeInCapacity",
                    "StepAdjustments": [
                        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 5, "ScalingAdjustment": 1},
                        {"MetricIntervalLowerBound": 6, "ScalingAdjustment": 2},
                    ],
                },
            ),
            "ValidationException",
        ),
        (
            lambda s: s.put_scheduled_action(**VARIANT, ScheduledActionName="x", Schedule="cron(1 2 3)"),
            "ValidationException",
        ),
    ],
)
def test_what_aws_refuses_is_refused(rig: Rig, call: Callable[[Any], Any], code: str) -> None:
    rig.fleet(1)
    with pytest.raises(ClientError) as refused:
        call(rig.scaling)
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


# -- schedules


def test_a_scheduled_action_changes_the_limits_when_it_is_due(rig: Rig) -> None:
    fleet = rig.fleet(1)
    rig.scaling.put_scheduled_action(
        **VARIANT,
        ScheduledActionName="morning",
        Schedule="rate(1 minute)",
        ScalableTargetAction={"MinCapacity": 4, "MaxCapacity": 8},
    )
    [action] = rig.scaling.describe_scheduled_actions(ServiceNamespace="sagemaker")["ScheduledActions"]
    assert action["ScheduledActionName"] == "morning"
    scaler = autoscaling.scaler_of(rig.context)
    scaler.keep_schedules(time.time() + 30)
    assert fleet.size == 1
    scaler.keep_schedules(time.time() + 90)
    assert fleet.size == 4
    assert rig.activities()[0]["Cause"].startswith("scheduled action name morning was triggered")
    rig.scaling.delete_scheduled_action(**VARIANT, ScheduledActionName="morning")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("expression", "zone", "moment", "due"),
    [
        ("at(2026-12-01T08:00:00)", None, "2026-12-01T08:00:00", True),
        ("at(2026-12-01T08:00:00)", "Europe/Berlin", "2026-12-01T07:00:00", True),
        ("at(2026-12-01T08:00:00)", "Europe/Berlin", "2026-12-01T08:00:00", False),
        ("cron(0 8 ? * MON-FRI *)", None, "2026-12-01T08:00:00", True),
        ("cron(0 8 ? * MON-FRI *)", None, "2026-12-05T08:00:00", False),
        ("cron(0/15 * * * ? *)", None, "2026-12-05T08:45:00", True),
        ("cron(0/15 * * * ? *)", None, "2026-12-05T08:46:00", False),
        ("cron(30 9 1,15 DEC ? 2026)", None, "2026-12-15T09:30:00", True),
    ],
)
def test_a_schedule_is_due_when_it_says(expression: str, zone: str | None, moment: str, due: bool) -> None:
    assert parse(expression, zone).due(at(moment) - 1, at(moment), 0.0) is due


@pytest.mark.parametrize(
    "expression",
    ["", "rate(0 minutes)", "cron(0 8 * * * *)", "cron(61 8 ? * * *)", "cron(0 8 L * ? *)", "at(tomorrow)"],
)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="Invalid"):
        parse(expression)


# -- the server, where nobody has to look for things to happen


def test_a_server_scales_by_itself(aws: Aws) -> None:
    scaling, watch = checked(aws.session.client("application-autoscaling")), aws.cloudwatch
    function = aws.function("def handler(event, context):\n    pass\n")
    version = aws.lambda_.publish_version(FunctionName=function)["Version"]
    target = {**FUNCTION, "ResourceId": f"function:{function}:{version}"}
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    custom = {"MetricName": "Load", "Namespace": f"Course/{function}", "Statistic": "Average"}
    scaling.put_scaling_policy(
        **target,
        PolicyName="load",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={"TargetValue": 50.0, "CustomizedMetricSpecification": custom},
    )
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    data = [
        {"MetricName": "Load", "Value": 100.0, "Timestamp": minute - timedelta(minutes=ago)} for ago in range(-1, 4)
    ]
    watch.put_metric_data(Namespace=custom["Namespace"], MetricData=data)

    def wanted() -> int:
        config = aws.lambda_.get_provisioned_concurrency_config(FunctionName=function, Qualifier=version)
        return int(config["RequestedProvisionedConcurrentExecutions"])

    until(lambda: wanted() == 2)
    assert scaling.describe_scaling_policies(ServiceNamespace="lambda", ResourceId=target["ResourceId"])[
        "ScalingPolicies"
    ][0]["Alarms"]
    scaling.deregister_scalable_target(**target)
    aws.lambda_.delete_provisioned_concurrency_config(FunctionName=function, Qualifier=version)


# -- why moto's own is replaced: it fails once moto no longer needs it


def test_moto_still_has_no_activities_and_no_alarms_for_sagemaker(stock: Aws) -> None:
    scaling = stock.session.client("application-autoscaling")
    scaling.register_scalable_target(**VARIANT, MinCapacity=1, MaxCapacity=2)
    answer = scaling.put_scaling_policy(
        **VARIANT,
        PolicyName="x",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=CONFIGURATION,
    )
    assert answer["Alarms"] == []
    with pytest.raises(NotImplementedError):
        scaling.describe_scaling_activities(ServiceNamespace="sagemaker")
    with pytest.raises(ClientError, match="ValidationException"):
        scaling.register_scalable_target(**COMPONENT, MinCapacity=1, MaxCapacity=2)
