"""A scalable target, and what was done to it: its capacity is set, and each change noted as an activity, also one that failed."""

import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from labs.cloud import scalables
from labs.cloud.services import autoscaling_checks as checks
from labs.cloud.services.autoscaling_policies import Policy
from labs.cloud.services.autoscaling_schedule import Schedule
from labs.cloud.services.cloudwatch_alarms import Alarm

ACTIVITIES_KEPT = 1000


@dataclass
class Scheduled:
    """A scheduled action."""

    arn: str
    settings: dict[str, Any]
    schedule: Schedule
    created_at: float


@dataclass
class Target:
    """A scalable target."""

    arn: str
    settings: dict[str, Any]
    created_at: float
    minimum: int
    maximum: int
    suspended: dict[str, bool] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    scheduled: dict[str, Scheduled] = field(default_factory=dict)
    activities: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=ACTIVITIES_KEPT))

    @property
    def key(self) -> tuple[str, str, str]:
        """(namespace, resource id, dimension)"""
        return checks.key_of(self.settings)


def set_capacity(target: Target, scalable: scalables.Scalable, wanted: int, cause: str, now: float) -> bool:
    """Ask for a capacity, and note what came of it; True when it was taken."""
    what = checks.COUNTED.get(target.key[2], "capacity")
    activity = activity_of(target, f"Setting desired {what} to {wanted}.", cause, now)
    try:
        scalable.set_desired(wanted)
    except Exception as refused:
        text = getattr(refused, "message", None) or str(refused)
        note(
            target,
            activity
            | {
                "StatusCode": "Failed",
                "StatusMessage": f"Failed to set desired {what} to {wanted}. Reason: {text}",
            },
        )
        return False
    if scalable.current() != wanted:  # busy with an earlier change: it will be asked again while the alarm lasts
        return False
    message = f"Successfully set desired {what} to {wanted}. Change successfully fulfilled by {target.key[0]}."
    target.activities.appendleft(activity | {"StatusCode": "Successful", "StatusMessage": message})
    return True


def note_not_scaled(target: Target, policy: Policy, alarm: Alarm, now: float, capacity: int, reason: str) -> None:
    cause = f"monitor alarm {alarm.name} in state {alarm.state} triggered policy {policy.name}"
    activity = activity_of(target, "Attempting to scale due to alarm triggered", cause, now)
    reasons = [{"Code": reason, "MaxCapacity": target.maximum, "CurrentCapacity": capacity}]
    note(target, activity | {"StatusCode": "Unfulfilled", "NotScaledReasons": reasons})


def note(target: Target, activity: dict[str, Any]) -> None:
    """Add what did not happen, once and not again at every look."""
    last = target.activities[0] if target.activities else {}
    if (last.get("Cause"), last.get("StatusCode")) != (activity["Cause"], activity["StatusCode"]):
        target.activities.appendleft(activity)


def activity_of(target: Target, description: str, cause: str, now: float) -> dict[str, Any]:
    namespace, resource, dimension = target.key
    return {
        "ActivityId": str(uuid.uuid4()),
        "ServiceNamespace": namespace,
        "ResourceId": resource,
        "ScalableDimension": dimension,
        "Description": description,
        "Cause": cause,
        "StartTime": now,
        "EndTime": now,
    }
