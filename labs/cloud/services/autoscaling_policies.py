"""Scaling policies: which metric each tracks, the alarms that stand for it in CloudWatch, and what it decides when one of them rings.

The rules themselves (how many replicas bring a metric to its target, which step applies, cooldowns) are `labs.serving.autoscaling`'s.
Cooldowns are control-plane waits and pass at the time scale; so does the quarter of an hour for which target tracking watches a quiet
metric before it scales in: at a time scale of n it takes a n-th of the datapoints, and never less than one. Metric periods are real time.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from labs import facts
from labs.cloud.context import Context
from labs.cloud.services.cloudwatch_alarms import Alarm
from labs.serving.autoscaling import Step, StepRule, TargetRule, TargetTracking, adjusted, step_at

VARIANT = "sagemaker:variant:DesiredInstanceCount"
SERVERLESS = "sagemaker:variant:DesiredProvisionedConcurrency"
COMPONENT = "sagemaker:inference-component:DesiredCopyCount"
PROVISIONED = "lambda:function:ProvisionedConcurrency"


@dataclass(frozen=True)
class Tracked:
    """A predefined metric: what of CloudWatch it is."""

    dimension: str
    namespace: str
    metric: str
    statistic: str
    period_s: int = 60


PREDEFINED = {
    "SageMakerVariantInvocationsPerInstance": Tracked(VARIANT, "AWS/SageMaker", "InvocationsPerInstance", "Sum"),
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": Tracked(
        VARIANT, "AWS/SageMaker", "ConcurrentRequestsPerModel", "Maximum", 10
    ),
    "SageMakerInferenceComponentInvocationsPerCopy": Tracked(COMPONENT, "AWS/SageMaker", "InvocationsPerCopy", "Sum"),
    "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution": Tracked(
        COMPONENT, "AWS/SageMaker", "ConcurrentRequestsPerCopy", "Maximum", 10
    ),
    "SageMakerVariantProvisionedConcurrencyUtilization": Tracked(
        SERVERLESS, "AWS/SageMaker", "ServerlessProvisionedConcurrencyUtilization", "Maximum"
    ),
    "LambdaProvisionedConcurrencyUtilization": Tracked(
        PROVISIONED, "AWS/Lambda", "ProvisionedConcurrencyUtilization", "Average"
    ),
}


def metric_dimensions(resource_id: str) -> dict[str, str]:
    """The CloudWatch dimensions of a resource."""
    kind, *rest = resource_id.replace(":", "/").split("/")
    if kind == "endpoint":
        return {"EndpointName": rest[0], "VariantName": rest[2]}
    if kind == "inference-component":
        return {"InferenceComponentName": rest[0]}
    return {"FunctionName": rest[0], "Resource": ":".join(rest)}


@dataclass
class Policy:
    """A scaling policy of one target. `settings` are PutScalingPolicy's."""

    arn: str
    settings: dict[str, Any]
    created_at: float
    alarms: list[tuple[str, str]] = field(default_factory=list)
    """(name, ARN) of the alarms that were made for it"""
    high: str = ""
    """name of the alarm above which it scales out"""
    low: str = ""
    """name of the alarm below which it scales in"""
    rule: TargetRule | StepRule | None = None

    @property
    def name(self) -> str:
        return str(self.settings["PolicyName"])

    @property
    def tracking(self) -> dict[str, Any] | None:
        """TargetTrackingScalingPolicyConfiguration, for such a policy."""
        found: dict[str, Any] | None = self.settings.get("TargetTrackingScalingPolicyConfiguration")
        return found

    def decide(self, alarm: Alarm, now: float, capacity: int) -> int | None:
        """The capacity wanted while `alarm` lasts; None for no change."""
        if isinstance(self.rule, TargetRule):
            if alarm.latest is None:
                return None
            act = self.rule.scale_out if alarm.name == self.high else self.rule.scale_in
            return act(now, alarm.latest, capacity, capacity)
        if not isinstance(self.rule, StepRule):
            return None
        steps = self.settings["StepScalingPolicyConfiguration"]
        value = alarm.threshold if alarm.latest is None else alarm.latest  # somebody has set the alarm by hand
        above = alarm.settings["ComparisonOperator"].startswith("Greater")
        step = step_at(
            [
                Step(
                    each.get("MetricIntervalLowerBound"),
                    each.get("MetricIntervalUpperBound"),
                    each["ScalingAdjustment"],
                )
                for each in steps["StepAdjustments"]
            ],
            value - alarm.threshold,
            above=above,
        )
        if step is None:
            return None
        least = int(steps.get("MinAdjustmentMagnitude") or 0)
        return self.rule.take(now, adjusted(capacity, step.adjustment, steps["AdjustmentType"], least), capacity)


def default_cooldown_s(namespace: str) -> float:
    """What a policy waits that names no cooldown: none for Lambda's provisioned concurrency."""
    return 0.0 if namespace == "lambda" else facts.number("sagemaker.autoscaling.cooldown_default_s")


def rule_of(context: Context, settings: Mapping[str, Any], minimum: int, maximum: int) -> TargetRule | StepRule:
    """The rule of a policy, with its cooldowns at the cloud's time scale."""
    default = default_cooldown_s(settings["ServiceNamespace"])

    def cooldown_s(configuration: Mapping[str, Any], name: str) -> float:
        return context.wait_s(float(configuration.get(name, default)))

    tracking = settings.get("TargetTrackingScalingPolicyConfiguration")
    if tracking is None:
        steps = settings["StepScalingPolicyConfiguration"]
        return StepRule(cooldown_s(steps, "Cooldown"), minimum, maximum)
    return TargetRule(
        TargetTracking(
            "concurrency",
            float(tracking["TargetValue"]),
            minimum,
            max(1, maximum),
            scale_out_cooldown_s=cooldown_s(tracking, "ScaleOutCooldown"),
            scale_in_cooldown_s=cooldown_s(tracking, "ScaleInCooldown"),
        )
    )


def alarms_of(policy: Policy) -> list[dict[str, Any]]:
    """PutMetricAlarm's parameters for the alarms of a target-tracking policy: the one to scale out, and the one to scale in unless disabled."""
    tracking, resource = policy.tracking, policy.settings["ResourceId"]
    if tracking is None:
        return []
    metric, period_s = metric_of(tracking, resource)
    rule = TargetTracking("concurrency", float(tracking["TargetValue"]), period_s=period_s)
    described = f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}."
    common = {**metric, "AlarmDescription": described, "AlarmActions": [policy.arn]}
    high = {
        "AlarmName": f"TargetTracking-{resource}-AlarmHigh-{uuid.uuid4()}",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": rule.target,
        "EvaluationPeriods": rule.out_periods,
    }
    low = {
        "AlarmName": f"TargetTracking-{resource}-AlarmLow-{uuid.uuid4()}",
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": rule.low,
        "EvaluationPeriods": ceil(rule.in_periods * 60 / period_s),
    }
    wanted = [high] if tracking.get("DisableScaleIn") else [high, low]
    return [common | each for each in wanted]


def metric_of(tracking: Mapping[str, Any], resource_id: str) -> tuple[dict[str, Any], int]:
    """What of an alarm's parameters says which metric, and its period in seconds."""
    if predefined := tracking.get("PredefinedMetricSpecification"):
        tracked = PREDEFINED[predefined["PredefinedMetricType"]]
        dimensions = [{"Name": name, "Value": value} for name, value in metric_dimensions(resource_id).items()]
        single = {"Namespace": tracked.namespace, "MetricName": tracked.metric, "Dimensions": dimensions}
        return single | {"Statistic": tracked.statistic, "Period": tracked.period_s}, tracked.period_s
    custom = tracking["CustomizedMetricSpecification"]
    if "Metrics" in custom:
        queries = [
            {**each, "MetricStat": {"Period": 60, **each["MetricStat"]}} if "MetricStat" in each else dict(each)
            for each in custom["Metrics"]
        ]
        return {"Metrics": queries}, 60
    single = {name: custom[name] for name in ("Namespace", "MetricName", "Statistic", "Unit") if name in custom}
    return single | {"Dimensions": custom.get("Dimensions") or [], "Period": 60}, 60
