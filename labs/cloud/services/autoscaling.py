"""Application Auto Scaling that scales: targets, policies on CloudWatch's alarms, scheduled actions, and what came of them.

What it cures in moto 5.2.5 (each cure has a test that fails once moto has it): nothing is ever scaled, policies for SageMaker and Lambda
have no alarms, there are no activities, inference components are unknown, and errors for what does not exist have the wrong code.

It scales what services have registered in `labs.cloud.scalables`: endpoint variants, inference components, provisioned concurrency.
"""

import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from labs.cloud import metrics, scalables
from labs.cloud.context import Context
from labs.cloud.services import autoscaling_checks as checks
from labs.cloud.services import core
from labs.cloud.services.autoscaling_policies import (
    PREDEFINED,
    Policy,
    alarms_of,
    metric_dimensions,
    rule_of,
)
from labs.cloud.services.autoscaling_schedule import parse
from labs.cloud.services.autoscaling_targets import ACTIVITIES_KEPT, Scheduled, Target, note_not_scaled, set_capacity
from labs.cloud.services.cloudwatch import watch_of
from labs.cloud.services.cloudwatch_alarms import Alarm
from labs.serving.autoscaling import StepRule, TargetRule

FOLLOWS_EVERY_S = 60.0
"""How often a target's metrics are given a zero, so that one without traffic is a quiet one and not an unknown one, as on AWS."""
Where = tuple[str, str]
"""(account, Region)"""


def install(context: Context) -> None:
    """Put moto's Application Auto Scaling on the cloud's scalables and alarms."""
    core.install(context)
    from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse

    scaler = scaler_of(context)
    for operation in scaler.operations():
        context.patch(ApplicationAutoScalingResponse, operation.__name__, answered(context, operation))


def scaler_of(context: Context) -> "Scaler":
    """The Application Auto Scaling of this cloud."""
    found = context.__dict__.get("_scaler")
    if found is None:
        mine = Scaler(context)
        found = context.__dict__.setdefault("_scaler", mine)
        if found is mine:
            watch_of(context).actions["autoscaling"] = mine.act
            metrics.every(context, 1.0, mine.keep_schedules)
            metrics.every(context, FOLLOWS_EVERY_S, mine.follow)
    scaler: Scaler = found
    return scaler


def answered(context: Context, operation: Callable[[Where, dict[str, Any]], dict[str, Any]]) -> Any:
    """A method for moto's response class."""

    def method(self: Any) -> Any:
        from moto.core.responses import ActionResult

        metrics.settle(context)
        given = json.loads(self.body or "{}")
        checks.check_names(given)
        return ActionResult(operation((self.current_account, self.region), given))

    return method


class Scaler:
    """Targets of every account and Region. Each operation takes (account, Region) and the call's parameters."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.RLock()
        self._targets: dict[Where, dict[tuple[str, str, str], Target]] = {}
        self._gone: dict[Where, deque[dict[str, Any]]] = {}
        self._scheduled_until = time.time()

    def operations(self) -> tuple[Callable[[Where, dict[str, Any]], dict[str, Any]], ...]:
        """What of the API is answered."""
        return (
            self.register_scalable_target,
            self.deregister_scalable_target,
            self.describe_scalable_targets,
            self.put_scaling_policy,
            self.delete_scaling_policy,
            self.describe_scaling_policies,
            self.put_scheduled_action,
            self.delete_scheduled_action,
            self.describe_scheduled_actions,
            self.describe_scaling_activities,
        )

    # -- targets

    def register_scalable_target(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        key = checks.key_of(given)
        with self._lock:
            target = self._targets.setdefault(where, {}).get(key)
            minimum, maximum = checks.limits(
                given, target.minimum if target else None, target.maximum if target else None
            )
            if self._scalable(where, key) is None:
                raise checks.no_resource(where, key)
            if target is None:
                arn = f"arn:aws:application-autoscaling:{where[1]}:{where[0]}:scalable-target/{uuid.uuid4().hex[:20]}"
                target = self._targets[where][key] = Target(arn, dict(given), time.time(), minimum, maximum)
            target.minimum, target.maximum = minimum, maximum
            target.suspended |= given.get("SuspendedState") or {}
            for policy in target.policies.values():
                self._set_rule(policy, target)
        self._keep_within(where, target, time.time())
        return {"ScalableTargetARN": target.arn}

    def deregister_scalable_target(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        key = checks.key_of(given)
        with self._lock:
            target = self._targets.get(where, {}).pop(key, None)
            if target is None:
                raise checks.no_target(key)
            kept = self._gone.setdefault(where, deque(maxlen=ACTIVITIES_KEPT))
            kept.extendleft(reversed(target.activities))
        for policy in target.policies.values():
            self._remove_alarms(where, policy)
        return {}

    def describe_scalable_targets(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        ids, dimension = given.get("ResourceIds"), given.get("ScalableDimension")
        found = [
            {
                "ServiceNamespace": target.key[0],
                "ResourceId": target.key[1],
                "ScalableDimension": target.key[2],
                "MinCapacity": target.minimum,
                "MaxCapacity": target.maximum,
                "RoleARN": target.settings.get("RoleARN") or checks.linked_role(where[0], target.key),
                "CreationTime": target.created_at,
                "ScalableTargetARN": target.arn,
                "SuspendedState": checks.SUSPENDED | target.suspended,
            }
            for target in self._all(where, given["ServiceNamespace"])
            if (not ids or target.key[1] in ids) and dimension in (None, target.key[2])
        ]
        return checks.page("ScalableTargets", found, given)

    # -- policies

    def put_scaling_policy(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        key = checks.key_of(given)
        with self._lock:
            target = self._targets.get(where, {}).get(key)
            if target is None:
                raise checks.not_registered(key)
            before = target.policies.get(given["PolicyName"])
            settings = checks.policy(
                {**(before.settings if before else {}), **given}, PREDEFINED, others=target.policies
            )
            namespace, resource, _ = key
            arn = (
                before.arn
                if before
                else (
                    f"arn:aws:autoscaling:{where[1]}:{where[0]}:scalingPolicy:{uuid.uuid4()}:resource/{namespace}/{resource}"
                    f":policyName/{given['PolicyName']}"
                )
            )
            policy = Policy(arn, settings, before.created_at if before else time.time())
            self._set_rule(policy, target)
            if before is not None:
                self._remove_alarms(where, before)
            for wanted in alarms_of(policy):
                scales_in = wanted["ComparisonOperator"] == "LessThanThreshold"
                alarm = watch_of(self._context).put_alarm(
                    where, wanted, idle_scale=self._context.time_scale if scales_in else 1.0
                )
                policy.alarms.append((alarm.name, alarm.arn))
                policy.high, policy.low = (policy.high, alarm.name) if scales_in else (alarm.name, policy.low)
            target.policies[policy.name] = policy
        return {"PolicyARN": arn, "Alarms": alarms_shown(policy)}

    def delete_scaling_policy(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            target = self._targets.get(where, {}).get(checks.key_of(given))
            policy = target.policies.pop(given["PolicyName"], None) if target else None
        if policy is None:
            raise checks.no_policy(given)
        self._remove_alarms(where, policy)
        return {}

    def describe_scaling_policies(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        names = given.get("PolicyNames")
        found = [
            {
                **{
                    name: policy.settings[name]
                    for name in (
                        "PolicyName",
                        "ServiceNamespace",
                        "ResourceId",
                        "ScalableDimension",
                        "PolicyType",
                        "StepScalingPolicyConfiguration",
                        "TargetTrackingScalingPolicyConfiguration",
                    )
                    if name in policy.settings
                },
                "PolicyARN": policy.arn,
                "Alarms": alarms_shown(policy) or self._alarms_of_step(where, policy),
                "CreationTime": policy.created_at,
            }
            for target in self._selected(where, given)
            for policy in target.policies.values()
            if not names or policy.name in names
        ]
        return checks.page("ScalingPolicies", found, given)

    def _alarms_of_step(self, where: Where, policy: Policy) -> list[dict[str, str]]:
        """The alarms of somebody's own that call a step policy."""
        return [
            {"AlarmName": alarm.name, "AlarmARN": alarm.arn}
            for alarm in list(watch_of(self._context).alarms(where).values())
            if policy.arn in alarm.actions("ALARM")
        ]

    def _set_rule(self, policy: Policy, target: Target) -> None:
        """Give a policy its rule, which remembers when it last acted."""
        before, policy.rule = policy.rule, rule_of(self._context, policy.settings, target.minimum, target.maximum)
        if isinstance(before, TargetRule) and isinstance(policy.rule, TargetRule):
            policy.rule.out_at, policy.rule.in_at = before.out_at, before.in_at
        elif isinstance(before, StepRule) and isinstance(policy.rule, StepRule):
            policy.rule.changed_at = before.changed_at

    def _remove_alarms(self, where: Where, policy: Policy) -> None:
        watch_of(self._context).delete_alarms(where, {"AlarmNames": [name for name, _ in policy.alarms]})

    # -- scheduled actions

    def put_scheduled_action(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        key = checks.key_of(given)
        with self._lock:
            target = self._targets.get(where, {}).get(key)
            if target is None:
                raise checks.not_registered(key)
            before = target.scheduled.get(given["ScheduledActionName"])
            settings = {**(before.settings if before else {}), **given}
            try:
                schedule = parse(settings.get("Schedule") or "", settings.get("Timezone"))
            except ValueError as wrong:
                raise checks.invalid(str(wrong)) from None
            arn = (
                before.arn
                if before
                else (
                    f"arn:aws:autoscaling:{where[1]}:{where[0]}:scheduledAction:{uuid.uuid4()}:resource/{key[0]}/{key[1]}"
                    f":scheduledActionName/{given['ScheduledActionName']}"
                )
            )
            target.scheduled[given["ScheduledActionName"]] = Scheduled(arn, settings, schedule, time.time())
        return {}

    def delete_scheduled_action(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            target = self._targets.get(where, {}).get(checks.key_of(given))
            if target is None or target.scheduled.pop(given["ScheduledActionName"], None) is None:
                raise checks.no_scheduled_action(given)
        return {}

    def describe_scheduled_actions(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        names = given.get("ScheduledActionNames")
        found = [
            {**action.settings, "ScheduledActionARN": action.arn, "CreationTime": action.created_at}
            for target in self._selected(where, given)
            for name, action in target.scheduled.items()
            if not names or name in names
        ]
        return checks.page("ScheduledActions", found, given)

    def keep_schedules(self, now: float) -> None:
        """Do what has fallen due."""
        with self._lock:
            since, self._scheduled_until = self._scheduled_until, now
            due = [
                (where, target, action)
                for where, targets in self._targets.items()
                for target in targets.values()
                for action in target.scheduled.values()
                if not target.suspended.get("ScheduledScalingSuspended")
                and (action.settings.get("StartTime") or 0) <= now <= (action.settings.get("EndTime") or float("inf"))
                and action.schedule.due(max(since, action.created_at), now, action.created_at)
            ]
        for where, target, action in due:
            wanted = action.settings.get("ScalableTargetAction") or {}
            target.minimum, target.maximum = checks.limits(wanted, target.minimum, target.maximum)
            for policy in target.policies.values():
                self._set_rule(policy, target)
            name = action.settings["ScheduledActionName"]
            self._keep_within(where, target, now, f"scheduled action name {name} was triggered")
            if action.schedule.at is not None:
                target.scheduled.pop(name, None)

    # -- activities

    def describe_scaling_activities(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            everything = [
                activity for target in self._all(where, given["ServiceNamespace"]) for activity in target.activities
            ] + list(self._gone.get(where, ()))
        found = [
            activity
            for activity in everything
            if activity["ServiceNamespace"] == given["ServiceNamespace"]
            and given.get("ResourceId") in (None, activity["ResourceId"])
            and given.get("ScalableDimension") in (None, activity["ScalableDimension"])
            and (given.get("IncludeNotScaledActivities") or "NotScaledReasons" not in activity)
        ]
        found.sort(key=lambda activity: activity["StartTime"], reverse=True)
        return checks.page("ScalingActivities", found, given)

    # -- scaling

    def act(self, policy_arn: str, alarm: Alarm, now: float) -> str:
        """An alarm's action: let its policy decide, and scale. Says what it did, or nothing."""
        for where, target, policy in self._policies():
            if policy.arn == policy_arn:
                return self._act(where, target, policy, alarm, now)
        raise ValueError(f"There is no scaling policy {policy_arn}.")

    def _act(self, where: Where, target: Target, policy: Policy, alarm: Alarm, now: float) -> str:
        scalable = self._scalable(where, target.key)
        if scalable is None:
            raise ValueError(f"{target.key[1]} does not exist.")
        scales_in = alarm.name == policy.low or (
            policy.tracking is None and alarm.settings["ComparisonOperator"].startswith("Less")
        )
        if target.suspended.get(f"DynamicScaling{'In' if scales_in else 'Out'}Suspended"):
            return ""
        if alarm.name == policy.low and not self._all_agree_to_scale_in(where, target):
            return ""
        with self._lock:
            capacity = scalable.current()
            acted = vars(policy.rule).copy() if policy.rule else {}
            wanted = policy.decide(alarm, now, capacity)
            if wanted is None:
                if not scales_in and capacity >= target.maximum:
                    note_not_scaled(target, policy, alarm, now, capacity, "AlreadyAtMaxCapacity")
                return ""
            cause = f"monitor alarm {alarm.name} in state {alarm.state} triggered policy {policy.name}"
            if not set_capacity(target, scalable, wanted, cause, now) and policy.rule is not None:
                vars(policy.rule).update(acted)  # what was not done starts no cooldown
        return f"Successfully executed action {policy.arn}"

    def _all_agree_to_scale_in(self, where: Where, target: Target) -> bool:
        """Of several target-tracking policies one alone may scale out, and only all together in."""
        alarms = watch_of(self._context).alarms(where)
        lows = [alarms.get(policy.low) for policy in target.policies.values() if policy.low]
        return all(alarm is not None and alarm.state == "ALARM" for alarm in lows)

    def _keep_within(self, where: Where, target: Target, now: float, why: str = "") -> None:
        """Bring the capacity between the target's limits."""
        scalable = self._scalable(where, target.key)
        if scalable is None:
            return
        with self._lock:
            capacity = scalable.current()
            wanted = min(target.maximum, max(target.minimum, capacity))
            if wanted != capacity:
                limit = "minimum" if wanted > capacity else "maximum"
                cause = f"{limit} capacity was set to {wanted}"
                set_capacity(target, scalable, wanted, f"{why}. {cause}" if why else cause, now)

    def follow(self, now: float) -> None:  # noqa: ARG002 - a gauge is given the time
        """Give the metrics that count requests a zero."""
        for where, _, policy in self._policies():
            tracked = PREDEFINED.get(
                ((policy.tracking or {}).get("PredefinedMetricSpecification") or {}).get("PredefinedMetricType", "")
            )
            resource = policy.settings["ResourceId"]
            if tracked is not None and tracked.statistic == "Sum":
                names = metric_dimensions(resource)
                metrics.put(self._context, where[1], tracked.namespace, tracked.metric, 0.0, "None", **names)

    # -- finding

    def _scalable(self, where: Where, key: tuple[str, str, str]) -> scalables.Scalable | None:
        return scalables.find(self._context, where[1], *key)

    def _all(self, where: Where, namespace: str) -> list[Target]:
        with self._lock:
            return [target for target in self._targets.get(where, {}).values() if target.key[0] == namespace]

    def _selected(self, where: Where, given: Mapping[str, Any]) -> list[Target]:
        return [
            target
            for target in self._all(where, given["ServiceNamespace"])
            if given.get("ResourceId") in (None, target.key[1])
            and given.get("ScalableDimension") in (None, target.key[2])
        ]

    def _policies(self) -> list[tuple[Where, Target, Policy]]:
        with self._lock:
            return [
                (where, target, policy)
                for where, targets in self._targets.items()
                for target in targets.values()
                for policy in target.policies.values()
            ]


def alarms_shown(policy: Policy) -> list[dict[str, str]]:
    return [{"AlarmName": name, "AlarmARN": arn} for name, arn in policy.alarms]
