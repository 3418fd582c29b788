"""AWS::ApplicationAutoScaling::*"""

from typing import Any

from labs.cloud.stacks.types.base import ResourceType, Work

TARGET = ("ServiceNamespace", "ResourceId", "ScalableDimension")


class ScalableTarget(ResourceType):
    name = "AWS::ApplicationAutoScaling::ScalableTarget"
    properties = frozenset(
        {*TARGET, "MaxCapacity", "MinCapacity", "RoleARN", "ScheduledActions", "SuspendedState", "Tags"}
    )
    attributes = frozenset({"Id"})

    def create(self, work: Work) -> None:
        self._register(work, Tags=work.tags() or None)
        target = "|".join(
            str(work.properties[name]) for name in ("ResourceId", "ScalableDimension", "ServiceNamespace")
        )
        work.made(target, Id=target)
        self._schedule(work, {})

    def update(self, work: Work, before: dict[str, Any]) -> None:
        self._register(work)
        self._schedule(work, before)

    def delete(self, work: Work) -> None:
        work.gone(
            lambda: work.call("application-autoscaling", "DeregisterScalableTarget", **work.pick(*TARGET))
        )  # its policies and scheduled actions go with it

    def _register(self, work: Work, **more: Any) -> None:
        work.call(
            "application-autoscaling",
            "RegisterScalableTarget",
            **work.pick(*TARGET, "MaxCapacity", "MinCapacity", "RoleARN", "SuspendedState"),
            **more,
        )

    def _schedule(self, work: Work, before: dict[str, Any]) -> None:
        wanted = {action["ScheduledActionName"]: action for action in work.properties.get("ScheduledActions") or []}
        had = {action["ScheduledActionName"]: action for action in before.get("ScheduledActions") or []}
        for name in set(had) - set(wanted):
            work.gone(
                lambda name=name: work.call(  # type: ignore[misc]
                    "application-autoscaling", "DeleteScheduledAction", ScheduledActionName=name, **work.pick(*TARGET)
                )
            )
        for name, action in wanted.items():
            if action != had.get(name):
                work.call("application-autoscaling", "PutScheduledAction", **action, **work.pick(*TARGET))


class ScalingPolicy(ResourceType):
    name = "AWS::ApplicationAutoScaling::ScalingPolicy"
    settings = (
        "PolicyName",
        "PolicyType",
        "PredictiveScalingPolicyConfiguration",
        "StepScalingPolicyConfiguration",
        "TargetTrackingScalingPolicyConfiguration",
    )
    properties = frozenset({*settings, *TARGET, "ScalingTargetId"})
    attributes = frozenset({"Arn"})

    def create(self, work: Work) -> None:
        arn = self._put(work)
        work.made(arn, Arn=arn)

    def update(self, work: Work, before: dict[str, Any]) -> None:  # noqa: ARG002 - the API takes the whole policy anew
        self._put(work)

    def delete(self, work: Work) -> None:
        work.gone(
            lambda: work.call(
                "application-autoscaling", "DeleteScalingPolicy", **work.pick("PolicyName"), **target_of(work)
            )
        )

    def _put(self, work: Work) -> str:
        answer = work.call(
            "application-autoscaling", "PutScalingPolicy", **work.pick(*self.settings), **target_of(work)
        )
        return str(answer["PolicyARN"])


def target_of(work: Work) -> dict[str, str]:
    """What a policy scales: named by its three properties, or by what Ref of a scalable target gives."""
    if joined := work.properties.get("ScalingTargetId"):
        resource, dimension, namespace = str(joined).rsplit("|", 2)
        return {"ServiceNamespace": namespace, "ResourceId": resource, "ScalableDimension": dimension}
    return work.pick(*TARGET)


TYPES = (ScalableTarget(), ScalingPolicy())
