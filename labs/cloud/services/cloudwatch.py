"""CloudWatch over the local cloud's metrics: statistics with percentiles, metric math, alarms that change state and act.

What it cures in moto 5.2.5 (each cure has a test that fails once moto has it): percentiles crash or are empty, metric math is a name
look-up, periods begin at the first datum, dimensions are matched in part; alarms stay OK whatever their metric does, and have no
history that can be asked for and no actions.

An alarm's periods are real time, whatever the time scale; only how often alarms are looked at is scaled (on AWS once a minute, every ten
seconds for periods below a minute), and the datapoints by which Application Auto Scaling waits out an idle time before it scales in.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from labs.cloud import metrics
from labs.cloud.context import Context
from labs.cloud.services import cloudwatch_statistics, core
from labs.cloud.services.cloudwatch_alarms import ACTIONS, Alarm, Reading, Transition, when
from labs.cloud.services.cloudwatch_checks import checked_alarm, combination, paged, refused, seconds
from labs.cloud.services.cloudwatch_data import MetricData, Where
from labs.cloud.services.errors import ServiceError

METRIC_OPERATIONS = ("put_metric_data", "get_metric_data", "get_metric_statistics", "list_metrics")
ALARM_OPERATIONS = (
    "put_metric_alarm",
    "describe_alarms",
    "describe_alarms_for_metric",
    "describe_alarm_history",
    "set_alarm_state",
    "delete_alarms",
    "enable_alarm_actions",
    "disable_alarm_actions",
)
SHORTEST_LOOK_S = 0.25
Action = Callable[[str, Alarm, float], str]
"""`action(arn, alarm, now)`: do what the alarm asks for, say what was done; raises ValueError when it could not be."""


def install(context: Context) -> None:
    """Put moto's CloudWatch on the local cloud's metrics."""
    core.install(context)
    from moto.cloudwatch.models import CloudWatchBackend
    from moto.cloudwatch.responses import CloudWatchResponse

    watch = watch_of(context)
    for owner, names in ((watch.data, METRIC_OPERATIONS), (watch, ALARM_OPERATIONS)):
        for name in names:
            context.patch(CloudWatchResponse, name, answered(context, getattr(owner, name)))

    def describe_alarms(self: Any) -> list[Alarm]:
        """moto asks for alarms when it looks for what is tagged."""
        return list(watch.alarms((self.account_id, self.region_name)).values())

    context.patch(CloudWatchBackend, "describe_alarms", describe_alarms)
    context.patch(
        CloudWatchBackend, "alarms", property(lambda self: watch.alarms((self.account_id, self.region_name)), _ignore)
    )


def _ignore(_backend: Any, _value: Any) -> None:
    """moto's constructor sets an empty dictionary."""


def answered(context: Context, operation: Callable[[Where, dict[str, Any]], dict[str, Any]]) -> Any:
    """A method for moto's response class."""

    def method(self: Any) -> Any:
        from moto.core.responses import ActionResult

        metrics.settle(context)
        return ActionResult(operation((self.current_account, self.region), dict(self._get_params())))

    return method


def watch_of(context: Context) -> "Watch":
    """The CloudWatch of this cloud, for services that make alarms or act on them."""
    found = context.__dict__.get("_watch") or context.__dict__.setdefault("_watch", Watch(context))
    watch: Watch = found
    return watch


class Watch:
    """The alarms of every account and Region, over their metrics. Each operation takes (account, Region) and the call's parameters."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.data = MetricData(context)
        self._alarms: dict[Where, dict[str, Alarm]] = {}
        self._lock = threading.RLock()
        self._looked_at: dict[str, float] = {}
        self._history: dict[Where, list[dict[str, Any]]] = {}
        self.actions: dict[str, Action] = {"sns": self._publish, "lambda": self._invoke}
        """by the service in the action's ARN; Application Auto Scaling adds its own"""
        self._watching = False

    def _now(self) -> float:
        return self.data.store.clock()

    def alarms(self, where: Where) -> dict[str, Alarm]:
        """Alarms by name."""
        with self._lock:
            return self._alarms.setdefault(where, {})

    # -- alarms

    def put_metric_alarm(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        self.put_alarm(where, given)
        return {}

    def put_alarm(self, where: Where, given: Mapping[str, Any], *, idle_scale: float = 1.0) -> Alarm:
        """Make or change an alarm; the new one begins with the old one's state and history."""
        settings = checked_alarm(dict(given))
        now = self._now()
        name = settings["AlarmName"]
        with self._lock:
            before = self.alarms(where).get(name)
            arn = f"arn:aws:cloudwatch:{where[1]}:{where[0]}:alarm:{name}"
            alarm = Alarm(arn, settings, now, idle_scale)
            if before is not None:
                alarm.state, alarm.reason, alarm.reason_data = before.state, before.reason, before.reason_data
                alarm.updated_at, alarm.transitioned_at = before.updated_at, before.transitioned_at
                alarm.history = before.history
                alarm.note("ConfigurationUpdate", f'Alarm "{name}" updated', {"type": "Update"}, now)
            self.alarms(where)[name] = alarm
        if settings.get("Tags"):
            from moto.cloudwatch.models import cloudwatch_backends

            cloudwatch_backends[where[0]][where[1]].tagger.tag_resource(arn, settings["Tags"])
        self._start_watching()
        return alarm

    def describe_alarms(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        names, prefix = given.get("AlarmNames"), given.get("AlarmNamePrefix") or ""
        if names and prefix:
            raise combination("AlarmNamePrefix and AlarmNames must not be used together.")
        types = given.get("AlarmTypes")
        found = [
            alarm.described()
            for name, alarm in sorted(self.alarms(where).items())
            if (not names or name in names)
            and name.startswith(prefix)
            and given.get("StateValue") in (None, alarm.state)
            and (
                not given.get("ActionPrefix")
                or any(arn.startswith(given["ActionPrefix"]) for state in ACTIONS for arn in alarm.actions(state))
            )
            and (not types or "MetricAlarm" in types)
        ]
        page, token = paged(found, given.get("NextToken"), int(given.get("MaxRecords") or 50))
        return {"MetricAlarms": page, "CompositeAlarms": [], **token}

    def describe_alarms_for_metric(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        wanted = metrics.as_dimensions(given.get("Dimensions"))
        return {
            "MetricAlarms": [
                alarm.described()
                for alarm in list(self.alarms(where).values())
                if alarm.settings.get("MetricName") == given["MetricName"]
                and alarm.settings.get("Namespace") == given["Namespace"]
                and metrics.as_dimensions(alarm.settings.get("Dimensions")) == wanted
            ]
        }

    def describe_alarm_history(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        start, end = (seconds(given.get(name)) for name in ("StartDate", "EndDate"))
        with self._lock:
            items = [item for alarm in self.alarms(where).values() for item in alarm.history]
            items += self._history.get(where, [])
        found = [
            item
            for item in items
            if given.get("AlarmName") in (None, item["AlarmName"])
            and given.get("HistoryItemType") in (None, item["HistoryItemType"])
            and (start is None or item["Timestamp"].timestamp() >= start)
            and (end is None or item["Timestamp"].timestamp() <= end)
        ]
        newest_first = given.get("ScanBy") != "TimestampAscending"
        found.sort(key=lambda item: item["Timestamp"])
        page, token = paged(
            found[::-1] if newest_first else found, given.get("NextToken"), int(given.get("MaxRecords") or 100)
        )
        return {"AlarmHistoryItems": page, **token}

    def set_alarm_state(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        alarm = self.alarms(where).get(given["AlarmName"])
        if alarm is None:
            raise ServiceError("ResourceNotFound", f"Unknown alarm {given['AlarmName']}")
        if given["StateValue"] not in ACTIONS:
            raise refused(
                ValueError(
                    f"1 validation error detected: Value '{given['StateValue']}' at 'stateValue' failed to satisfy "
                    "constraint: Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]"
                )
            )
        data = given.get("StateReasonData")
        try:
            json.loads(data or "{}")
        except ValueError:
            raise ServiceError("InvalidFormat", "StateReasonData was not valid JSON") from None
        before = alarm.state
        transition = alarm.change(given["StateValue"], given["StateReason"], self._now(), reason_data=data)
        if before != alarm.state:
            self._act(where, transition)
        return {}

    def delete_alarms(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            for name in given.get("AlarmNames") or []:
                if (alarm := self.alarms(where).pop(name, None)) is not None:
                    alarm.note("ConfigurationUpdate", f'Alarm "{name}" deleted', {"type": "Delete"}, self._now())
                    kept = self._history.setdefault(where, [])
                    kept.extend(alarm.history)
                    del kept[:-2000]
        return {}

    def enable_alarm_actions(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        return self._set_actions(where, given, enabled=True)

    def disable_alarm_actions(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        return self._set_actions(where, given, enabled=False)

    def _set_actions(self, where: Where, given: dict[str, Any], *, enabled: bool) -> dict[str, Any]:
        for name in given.get("AlarmNames") or []:
            if (alarm := self.alarms(where).get(name)) is not None:
                alarm.settings["ActionsEnabled"] = enabled
        return {}

    # -- evaluation

    def _start_watching(self) -> None:
        with self._lock:
            if self._watching:
                return
            self._watching = True
        metrics.every(self._context, max(SHORTEST_LOOK_S, self._context.wait_s(10.0)), self.look)

    def look(self, now: float) -> None:
        """Evaluate the alarms whose turn it is."""
        with self._lock:
            due = [
                (where, alarm)
                for where, alarms in self._alarms.items()
                for alarm in alarms.values()
                if now - self._looked_at.get(alarm.arn, float("-inf"))
                >= self._context.wait_s(60.0 if alarm.period_s >= 60 else 10.0) - 1e-3
            ]
            self._looked_at |= {alarm.arn: now for _, alarm in due}
        for where, alarm in due:
            self.evaluate(where, alarm, now)

    def evaluate(self, where: Where, alarm: Alarm, now: float) -> None:
        """Let one alarm decide, and act on what it decided."""
        try:
            transition = alarm.evaluate(self._reading(where, alarm, now), now)
        except ValueError as wrong:  # an expression that fails on these data
            logging.getLogger(__name__).warning("alarm %s could not be evaluated: %s", alarm.name, wrong)
            return
        if transition is not None:
            self._act(where, transition)
        elif alarm.state == "ALARM":  # a scaling policy is asked again for as long as its alarm lasts
            for arn in alarm.actions():
                if service_of(arn) == "autoscaling":
                    self._do(arn, alarm, now)

    def _reading(self, where: Where, alarm: Alarm, now: float) -> Reading:
        start, end = alarm.window(now)
        begins = tuple(range(start, end, alarm.period_s))
        settings = alarm.settings
        if "Metrics" in settings:
            answers = self.data.answers(where, settings["Metrics"], start, end)
            shown = next(each["Id"] for each in settings["Metrics"] if each.get("ReturnData", True) is not False)
            points = answers[shown]
            if isinstance(points, list):
                raise ValueError("the expression of an alarm must give a single time series")
            return Reading(begins, tuple(points.get(begin) for begin in begins))
        buckets = cloudwatch_statistics.periods(
            self.data.store.read(
                where,
                settings["Namespace"],
                settings["MetricName"],
                metrics.as_dimensions(settings.get("Dimensions")),
                start,
                end,
            ),
            start,
            alarm.period_s,
            settings.get("Unit"),
        )
        name = alarm.statistic or "Average"
        values = [
            cloudwatch_statistics.statistic(buckets[begin], name) if begin in buckets else None for begin in begins
        ]
        return Reading(
            begins, tuple(values), tuple(buckets[begin].count if begin in buckets else 0.0 for begin in begins)
        )

    def _act(self, where: Where, transition: Transition) -> None:
        alarm = transition.alarm
        for arn in alarm.actions(transition.after):
            try:
                if service_of(arn) == "sns":
                    said = self._publish(arn, alarm, transition.at, transition, where)
                else:
                    said = self._do(arn, alarm, transition.at)
                if said:
                    alarm.note("Action", said, {"actionState": "Succeeded", "notificationResource": arn}, transition.at)
            except Exception as failure:  # an action that fails is a line in the history, and nothing more
                alarm.note(
                    "Action",
                    f"Failed to execute action {arn}",
                    {"actionState": "Failed", "notificationResource": arn, "error": str(failure)},
                    transition.at,
                )

    def _do(self, arn: str, alarm: Alarm, now: float) -> str:
        action = self.actions.get(service_of(arn))
        if action is None:
            raise ValueError(f"The local cloud cannot do {arn} for an alarm.")
        return action(arn, alarm, now)

    def _publish(
        self,
        arn: str,
        alarm: Alarm,
        _now: float,
        transition: Transition | None = None,
        where: Where | None = None,
    ) -> str:
        from moto.backends import get_backend

        if transition is None or where is None:
            return ""
        _, _, _, region, account_id, _ = arn.split(":", 5)
        text = json.dumps(alarm.message(transition, where[1], where[0]))
        subject = f'{transition.after}: "{alarm.name}" in {where[1]}'[:100]
        get_backend("sns")[account_id][region].publish(message=text, arn=arn, subject=subject)
        return f"Successfully executed action {arn}"

    def _invoke(self, arn: str, alarm: Alarm, now: float) -> str:
        from moto.awslambda.models import lambda_backends

        if "lambda_runner" not in self._context.__dict__:
            raise ValueError(f"There is no function {arn}.")
        _, _, _, region, account_id, _ = arn.split(":", 5)
        function = lambda_backends[account_id][region].get_function(arn)
        event = {
            "source": "aws.cloudwatch",
            "alarmArn": alarm.arn,
            "accountId": account_id,
            "time": when(now).isoformat(),
            "region": region,
            "alarmData": {
                "alarmName": alarm.name,
                "state": {"value": alarm.state, "reason": alarm.reason, "reasonData": alarm.reason_data},
            },
        }
        self._context.__dict__["lambda_runner"].run_later(function, json.dumps(event).encode())
        return f"Successfully executed action {arn}"


def service_of(arn: str) -> str:
    return arn.split(":", 3)[2] if arn.count(":") >= 3 else ""
