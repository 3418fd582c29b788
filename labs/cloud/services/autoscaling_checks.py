"""What Application Auto Scaling refuses, with AWS's codes, and how it names and pages what it answers."""

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from labs.cloud.services.autoscaling_policies import COMPONENT, PROVISIONED, SERVERLESS, VARIANT, Tracked
from labs.cloud.services.errors import ServiceError

Key = tuple[str, str, str]
RESOURCES = {
    VARIANT: ("sagemaker", r"endpoint/[^/]+/variant/[^/]+"),
    SERVERLESS: ("sagemaker", r"endpoint/[^/]+/variant/[^/]+"),
    COMPONENT: ("sagemaker", r"inference-component/[^/]+"),
    PROVISIONED: ("lambda", r"function:[^:]+:[^:]+"),
}
"""dimension: (namespace, what its resource ids look like); what can be scaled in this cloud"""
COUNTED = {
    VARIANT: "instance count",
    COMPONENT: "copy count",
    PROVISIONED: "concurrency",
    SERVERLESS: "provisioned concurrency",
}
SUSPENDED = {
    "DynamicScalingInSuspended": False,
    "DynamicScalingOutSuspended": False,
    "ScheduledScalingSuspended": False,
}
ROLES = {
    "sagemaker": "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
    "lambda": "AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency",
}
ADJUSTMENTS = ("ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity")
CONFIGURATIONS = {
    "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
    "StepScaling": "StepScalingPolicyConfiguration",
}


def invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)


def missing(message: str) -> ServiceError:
    return ServiceError("ObjectNotFoundException", message)


def key_of(given: Mapping[str, Any]) -> Key:
    """(namespace, resource id, dimension) of a call."""
    return given["ServiceNamespace"], given["ResourceId"], given["ScalableDimension"]


def check_names(given: Mapping[str, Any]) -> None:
    """Refuse names that AWS does not know, and services that this cloud does not scale."""
    namespace, dimension, resource = (
        given.get(name) for name in ("ServiceNamespace", "ScalableDimension", "ResourceId")
    )
    known = enum("ServiceNamespace")
    if namespace not in known:
        raise invalid(not_in_enum(namespace, "serviceNamespace", known))
    if dimension is not None and dimension not in (dimensions := enum("ScalableDimension")):
        raise invalid(not_in_enum(dimension, "scalableDimension", dimensions))
    if namespace not in ("sagemaker", "lambda"):
        raise invalid(f"The local cloud scales SageMaker and Lambda, and not {namespace}, which AWS does.")
    if dimension is not None and resource is not None:
        of, pattern = RESOURCES.get(dimension, ("", ""))
        if of != namespace or not re.fullmatch(pattern, resource):
            raise invalid("Unsupported service namespace, resource type or scalable dimension")


def enum(name: str) -> list[str]:
    from moto.core.utils import get_service_model

    shape: Any = get_service_model("application-autoscaling").shape_for(name)
    values: list[str] = shape.enum
    return values


def not_in_enum(value: Any, name: str, known: Iterable[str]) -> str:
    return (
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
        f"Member must satisfy enum value set: [{', '.join(known)}]"
    )


def limits(given: Mapping[str, Any], minimum: int | None, maximum: int | None) -> tuple[int, int]:
    """The limits that are asked for, or that were before."""
    low, high = given.get("MinCapacity", minimum), given.get("MaxCapacity", maximum)
    if low is None or high is None:
        raise invalid("MinCapacity and MaxCapacity are both required to register a new scalable target")
    if low < 0 or high < 0:
        raise invalid("Minimum and maximum capacity cannot be less than 0")
    if high < low:
        raise invalid("Maximum capacity cannot be less than minimum capacity")
    return int(low), int(high)


def no_resource(where: tuple[str, str], key: Key) -> ServiceError:
    kind, _, name = key[1].replace(":", "/").partition("/")
    word = {"endpoint": "endpoint variant", "inference-component": "inference component"}.get(kind, kind)
    return invalid(f"Could not find {word} {name} in {where[1]}.")


def no_target(key: Key) -> ServiceError:
    return missing(
        f"No scalable target found for service namespace: {key[0]}, resource ID: {key[1]}, scalable dimension: {key[2]}"
    )


def not_registered(key: Key) -> ServiceError:
    return missing(
        f"No scalable target registered for service namespace: {key[0]}, resource ID: {key[1]}, scalable dimension: {key[2]}"
    )


def no_policy(given: Mapping[str, Any]) -> ServiceError:
    namespace, resource, dimension = key_of(given)
    return missing(
        f"No scaling policy found for service namespace: {namespace}, resource ID: {resource}, scalable dimension: {dimension}, "
        f"policy name: {given['PolicyName']}"
    )


def no_scheduled_action(given: Mapping[str, Any]) -> ServiceError:
    namespace, resource, dimension = key_of(given)
    return missing(
        f"No scheduled action found for service namespace: {namespace}, resource ID: {resource}, scalable dimension: {dimension}, "
        f"scheduled action name: {given['ScheduledActionName']}"
    )


def policy(settings: dict[str, Any], predefined: Mapping[str, Tracked], others: Mapping[str, Any]) -> dict[str, Any]:
    """PutScalingPolicy's parameters, complete."""
    kind = settings.setdefault("PolicyType", "StepScaling")
    if kind == "PredictiveScaling":
        raise invalid("The local cloud has no predictive scaling.")
    if kind not in CONFIGURATIONS:
        raise invalid(not_in_enum(kind, "policyType", ("PredictiveScaling", *CONFIGURATIONS)))
    configuration = settings.get(CONFIGURATIONS[kind])
    if configuration is None:
        raise invalid(f"{CONFIGURATIONS[kind]} is required for a policy of type {kind}")
    if kind == "StepScaling":
        step_scaling(configuration)
    else:
        target_tracking(settings, configuration, predefined, others)
    return settings


def step_scaling(configuration: Mapping[str, Any]) -> None:
    steps = configuration.get("StepAdjustments")
    if configuration.get("AdjustmentType") not in ADJUSTMENTS:
        raise invalid(not_in_enum(configuration.get("AdjustmentType"), "adjustmentType", ADJUSTMENTS))
    if not steps:
        raise invalid("At least one StepAdjustment must be specified")
    bounds = sorted(
        (
            float("-inf") if (low := step.get("MetricIntervalLowerBound")) is None else low,
            float("inf") if (high := step.get("MetricIntervalUpperBound")) is None else high,
        )
        for step in steps
    )
    if any(low >= high for low, high in bounds):
        raise invalid("Step adjustment interval lower bound must be less than its upper bound")
    for (_, end), (begin, _) in pairwise(bounds):
        if begin < end:
            raise invalid("StepAdjustment intervals can't overlap")
        if begin > end:
            raise invalid("There must not be a gap between StepAdjustment intervals")


def target_tracking(
    settings: Mapping[str, Any],
    configuration: Mapping[str, Any],
    predefined: Mapping[str, Tracked],
    others: Mapping[str, Any],
) -> None:
    chosen, custom = (
        configuration.get("PredefinedMetricSpecification"),
        configuration.get("CustomizedMetricSpecification"),
    )
    if (chosen is None) == (custom is None):
        raise invalid(
            "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified"
        )
    if float(configuration.get("TargetValue") or 0) <= 0:
        raise invalid("TargetValue must be greater than 0")
    if any(int(configuration.get(name) or 0) < 0 for name in ("ScaleInCooldown", "ScaleOutCooldown")):
        raise invalid("A cooldown cannot be less than 0")
    if chosen is not None:
        name = chosen.get("PredefinedMetricType")
        tracked = predefined.get(name)
        if tracked is None and name not in enum("MetricType"):
            raise invalid(not_in_enum(name, "predefinedMetricType", enum("MetricType")))
        if tracked is None or tracked.dimension != settings["ScalableDimension"]:
            raise invalid(
                f"PredefinedMetricType {name} is not supported for scalable dimension {settings['ScalableDimension']}"
            )
        for other in others.values():
            same = ((other.tracking or {}).get("PredefinedMetricSpecification") or {}).get("PredefinedMetricType")
            if same == name and other.name != settings["PolicyName"]:
                raise invalid("Only one TargetTrackingScaling policy for a given metric specification is allowed.")
    elif custom is not None and "Metrics" not in custom and not {"MetricName", "Namespace", "Statistic"} <= set(custom):
        raise invalid("A customized metric needs MetricName, Namespace and Statistic, or Metrics")


def linked_role(account_id: str, key: Key) -> str:
    namespace = key[0]
    return f"arn:aws:iam::{account_id}:role/aws-service-role/{namespace}.application-autoscaling.amazonaws.com/{ROLES[namespace]}"


def page(name: str, found: list[dict[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """One page of an answer."""
    size = int(given.get("MaxResults") or 50)
    try:
        start = int(given.get("NextToken") or 0)
    except ValueError:
        raise ServiceError("InvalidNextTokenException", "The next token supplied was invalid") from None
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return {name: found[start : start + size], **more}
