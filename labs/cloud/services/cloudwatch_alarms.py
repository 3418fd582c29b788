"""Alarms that change state: what an alarm asks for, the rule by which it decides, its history.

    alarm = Alarm(arn="...", settings={"AlarmName": "slow", "Threshold": 1.0, ...}, now=time.time())
    alarm.evaluate(read, now)                    # the transition, or None

The rule is AWS's: an alarm looks at its evaluation periods and a little further back; where enough points are there the newest decide,
else missing ones are taken as the alarm says (`decide`). The periods of an alarm are real time.
"""

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
WORDS = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
MISSING = ("breaching", "notBreaching", "ignore", "missing")
LOOKS_BACK = 2
"""Periods beyond its own that an alarm looks at. AWS says that there are some; its example has two."""
HISTORY_KEPT = 500
ACTIONS: dict[State, str] = {
    "ALARM": "AlarmActions",
    "OK": "OKActions",
    "INSUFFICIENT_DATA": "InsufficientDataActions",
}


def decide(breaching: Sequence[bool | None], periods: int, to_alarm: int, missing: str) -> State | None:
    """The state after points of the evaluation range, oldest first, None where there is none; None to keep the present state.

    AWS's tables in "Configuring how CloudWatch alarms treat missing data" are this function's tests.
    """
    real = [point for point in breaching if point is not None]
    if len(real) >= periods:
        return "ALARM" if sum(real[-periods:]) >= to_alarm else "OK"
    absent = periods - len(real)
    if missing == "breaching":
        return "ALARM" if sum(real) + absent >= to_alarm else "OK"
    if missing == "notBreaching":
        return "ALARM" if sum(real) >= to_alarm else "OK"
    if not real:
        return None if missing == "ignore" else "INSUFFICIENT_DATA"
    if sum(real) >= to_alarm:
        return "ALARM"
    if not all(real):
        return "OK"
    oldest = next(index for index, point in enumerate(breaching) if point is not None)
    premature = len(breaching) - oldest < to_alarm
    return None if missing == "ignore" or premature else "ALARM"


@dataclass(frozen=True)
class Reading:
    """An alarm's metric over its evaluation range."""

    begins: tuple[int, ...]
    """each period's begin, oldest first"""
    values: tuple[float | None, ...]
    counts: tuple[float, ...] = ()
    """samples of each period, where the alarm asks whether there were enough"""


@dataclass(frozen=True)
class Transition:
    """A change of state."""

    alarm: "Alarm"
    before: State
    after: State
    at: float


@dataclass
class Alarm:
    """One metric alarm. `settings` are PutMetricAlarm's."""

    arn: str
    settings: dict[str, Any]
    now: float
    idle_scale: float = 1.0
    """How many times fewer datapoints it takes; only for alarms that scale something in after an idle time."""
    history: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=HISTORY_KEPT))
    rule: None = None
    """moto asks: an alarm with a rule is a composite one."""

    def __post_init__(self) -> None:
        self.state: State = "INSUFFICIENT_DATA"
        self.reason = "Unchecked: Initial alarm creation"
        self.reason_data: str | None = None
        self.updated_at = self.transitioned_at = self.configured_at = self.now
        self.latest: float | None = None
        self.note("ConfigurationUpdate", f'Alarm "{self.name}" created', {"type": "Create"}, self.now)

    @property
    def name(self) -> str:
        return str(self.settings["AlarmName"])

    @property
    def alarm_arn(self) -> str:
        """moto's name for it."""
        return self.arn

    @property
    def period_s(self) -> int:
        """Seconds of a datapoint."""
        if "Metrics" not in self.settings:
            return int(self.settings["Period"])
        known = [each.get("Period") or each.get("MetricStat", {}).get("Period") for each in self.settings["Metrics"]]
        return max(int(each) for each in known if each)

    @property
    def periods(self) -> int:
        """Datapoints that it looks at."""
        return max(1, round(int(self.settings["EvaluationPeriods"]) / self.idle_scale))

    @property
    def to_alarm(self) -> int:
        """Datapoints that must breach."""
        asked = int(self.settings.get("DatapointsToAlarm") or self.settings["EvaluationPeriods"])
        return max(1, min(self.periods, round(asked / self.idle_scale)))

    @property
    def threshold(self) -> float:
        return float(self.settings["Threshold"])

    @property
    def statistic(self) -> str | None:
        """What a single-metric alarm computes; None for one of an expression."""
        found = self.settings.get("Statistic") or self.settings.get("ExtendedStatistic")
        return None if found is None else str(found)

    def actions(self, state: State | None = None) -> list[str]:
        """ARNs to call in a state, the present one by default; none when actions are disabled."""
        if not self.settings.get("ActionsEnabled", True):
            return []
        return list(self.settings.get(ACTIONS[state or self.state]) or [])

    def window(self, now: float) -> tuple[int, int]:
        """(first second, end) of the periods that it looks at: whole ones, all of them over."""
        end = int(now // self.period_s) * self.period_s
        return end - (self.periods + LOOKS_BACK) * self.period_s, end

    def evaluate(self, reading: Reading, now: float) -> Transition | None:
        """Decide by what was read."""
        breaches = COMPARISONS[self.settings["ComparisonOperator"]]
        values = reading.values
        if self._too_few(reading):
            return None
        self.latest = next((value for value in reversed(values) if value is not None), None)
        state = decide(
            [None if value is None else breaches(value, self.threshold) for value in values],
            self.periods,
            self.to_alarm,
            self.settings.get("TreatMissingData") or "missing",
        )
        if state is None or state == self.state:
            return None
        return self.change(state, self._reason(state, reading), now, reading)

    def change(
        self, state: State, reason: str, now: float, reading: Reading | None = None, reason_data: str | None = None
    ) -> Transition:
        """Take on a state, and note it in the history."""
        before, self.state = self.state, state
        self.reason, self.updated_at = reason, now
        if before != state:
            self.transitioned_at = now
        self.reason_data = reason_data or self._reason_data(now, reading)
        data = {
            "version": "1.0",
            "oldState": {"stateValue": before},
            "newState": {"stateValue": state, "stateReason": reason},
        }
        self.note("StateUpdate", f"Alarm updated from {before} to {state}", data, now)
        return Transition(self, before, state, now)

    def note(self, kind: str, summary: str, data: dict[str, Any], now: float) -> None:
        """Add a line to the history."""
        self.history.append(
            {
                "AlarmName": self.name,
                "AlarmType": "MetricAlarm",
                "Timestamp": when(now),
                "HistoryItemType": kind,
                "HistorySummary": summary,
                "HistoryData": json.dumps({"version": "1.0", **data}),
            }
        )

    def described(self) -> dict[str, Any]:
        """As DescribeAlarms shows it."""
        shown = {name: value for name, value in self.settings.items() if name != "Tags"}
        return shown | {
            "AlarmArn": self.arn,
            "ActionsEnabled": self.settings.get("ActionsEnabled", True),
            "OKActions": self.settings.get("OKActions") or [],
            "AlarmActions": self.settings.get("AlarmActions") or [],
            "InsufficientDataActions": self.settings.get("InsufficientDataActions") or [],
            "AlarmConfigurationUpdatedTimestamp": when(self.configured_at),
            "StateValue": self.state,
            "StateReason": self.reason,
            **({"StateReasonData": self.reason_data} if self.reason_data else {}),
            "StateUpdatedTimestamp": when(self.updated_at),
            "StateTransitionedTimestamp": when(self.transitioned_at),
        }

    def message(self, transition: Transition, region: str, account_id: str) -> dict[str, Any]:
        """What an SNS topic is sent about a transition."""
        trigger: dict[str, Any] = {
            "MetricName": self.settings.get("MetricName"),
            "Namespace": self.settings.get("Namespace"),
            "StatisticType": "ExtendedStatistic" if "ExtendedStatistic" in self.settings else "Statistic",
            "Statistic": (self.statistic or "").upper(),
            "Unit": self.settings.get("Unit"),
            "Dimensions": [
                {"name": each["Name"], "value": each["Value"]} for each in self.settings.get("Dimensions") or []
            ],
            "Period": self.period_s,
            "EvaluationPeriods": int(self.settings["EvaluationPeriods"]),
            "DatapointsToAlarm": self.settings.get("DatapointsToAlarm"),
            "ComparisonOperator": self.settings["ComparisonOperator"],
            "Threshold": self.threshold,
            "TreatMissingData": self.settings.get("TreatMissingData") or "missing",
        }
        return {
            "AlarmName": self.name,
            "AlarmDescription": self.settings.get("AlarmDescription"),
            "AWSAccountId": account_id,
            "NewStateValue": transition.after,
            "NewStateReason": self.reason,
            "StateChangeTime": when(transition.at).isoformat(timespec="milliseconds").replace("+00:00", "+0000"),
            "Region": region,
            "AlarmArn": self.arn,
            "OldStateValue": transition.before,
            "OKActions": self.settings.get("OKActions") or [],
            "AlarmActions": self.settings.get("AlarmActions") or [],
            "InsufficientDataActions": self.settings.get("InsufficientDataActions") or [],
            "Trigger": trigger,
        }

    def _too_few(self, reading: Reading) -> bool:
        """Has a percentile's alarm that wants enough samples too few of them?"""
        statistic = self.statistic
        if self.settings.get("EvaluateLowSampleCountPercentile") != "ignore" or not (statistic or "").startswith("p"):
            return False
        share = float((statistic or "p50")[1:]) / 100
        tail = min(share, 1 - share) if share < 0.5 else 1 - share
        return tail > 0 and sum(reading.counts[-self.periods :]) < 10 / tail

    def _reason(self, state: State, reading: Reading) -> str:
        known = [(at, value) for at, value in zip(reading.begins, reading.values, strict=True) if value is not None]
        if not known:
            word = "datapoint was" if self.periods == 1 else "datapoints were"
            treated = (
                (self.settings.get("TreatMissingData") or "missing") if state != "INSUFFICIENT_DATA" else "missing"
            )
            tail = "." if treated == "missing" else f" and {self.periods} missing {word} treated as [{treated}]."
            return f"Insufficient Data: {self.periods} {word} unknown{tail}"
        recent = known[-self.periods :]
        breaches = COMPARISONS[self.settings["ComparisonOperator"]]
        said = [f"{value} ({when(at).strftime('%d/%m/%y %H:%M:%S')})" for at, value in reversed(recent)]
        how_many = sum(breaches(value, self.threshold) is (state == "ALARM") for _, value in recent)
        verb = "was" if state == "ALARM" else "was not"
        plural = "" if len(recent) == 1 else "s"
        return (
            f"Threshold Crossed: {how_many} out of the last {len(recent)} datapoint{plural} [{', '.join(said)}] "
            f"{verb if how_many == 1 else verb.replace('was', 'were')} {WORDS[self.settings['ComparisonOperator']]} "
            f"the threshold ({self.threshold})."
        )

    def _reason_data(self, now: float, reading: Reading | None) -> str | None:
        if reading is None:
            return None
        return json.dumps(
            {
                "version": "1.0",
                "queryDate": when(now).isoformat(timespec="milliseconds").replace("+00:00", "+0000"),
                "statistic": self.statistic,
                "period": self.period_s,
                "recentDatapoints": [value for value in reading.values if value is not None],
                "threshold": self.threshold,
            }
        )


def when(at: float) -> datetime:
    """Unix time as the API's answers have it."""
    return datetime.fromtimestamp(at, UTC)
