"""Policies that change the number of replicas, with the lag they really have: metric periods, datapoints to alarm, cooldowns.

The engine takes a `Sample` of itself every `sample_s` seconds and shows it to the policy's controller, which answers with the number
of replicas that it wants, or None. The engine starts them; they take their cold start to come up. A policy is a value; its
`controller()` has the state.

policy = TargetTracking(metric="concurrency", target=8, minimum=1, maximum=10)
Engine(EngineConfig(replica=spec, replicas=1, autoscaling=policy))
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, Protocol

Metric = Literal["invocations", "concurrency", "cpu"]
METRICS: dict[Metric, str] = {
    "invocations": "requests per replica and minute",
    "concurrency": "requests in hand per replica",
    "cpu": "percent of the time in which a replica is busy",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """What the engine saw in the last `period_s` seconds."""

    t: float
    period_s: float
    arrivals: int
    in_hand: int
    """requests waiting or running at `t`"""
    busy: float
    """fraction of the period in which the ready replicas were busy, 0 to 1"""
    ready: int
    desired: int


class Controller(Protocol):
    """A policy at work."""

    def observe(self, sample: Sample) -> int | None:
        """The number of replicas wanted after `sample`, or None for no change."""
        ...


class Policy(Protocol):
    """What the engine needs of a policy."""

    @property
    def sample_s(self) -> float:
        """Seconds between samples."""
        ...

    @property
    def wakes_from_zero(self) -> bool:
        """Does a request that finds no replica start one?"""
        ...

    def controller(self) -> Controller:
        """A controller with no history."""
        ...


def _value(metric: Metric, samples: list[Sample]) -> float:
    """The metric over some samples, as CloudWatch would average it over the period."""
    ready = max(1.0, sum(s.ready for s in samples) / len(samples))
    if metric == "invocations":
        return sum(s.arrivals for s in samples) / ready * 60.0 / sum(s.period_s for s in samples)
    if metric == "concurrency":
        return sum(s.in_hand for s in samples) / len(samples) / ready
    return 100.0 * sum(s.busy for s in samples) / len(samples)


class _Periods:
    """Gathers samples into periods and keeps the metric of the last ones."""

    def __init__(self, metric: Metric, period_s: float, keep: int) -> None:
        self.metric, self.period_s = metric, period_s
        self.values: deque[float] = deque(maxlen=keep)
        self._open: list[Sample] = []

    def add(self, sample: Sample) -> bool:
        """True when the sample closed a period."""
        self._open.append(sample)
        if sum(s.period_s for s in self._open) < self.period_s - 1e-9:
            return False
        self.values.append(_value(self.metric, self._open))
        self._open = []
        return True

    def last(self, n: int, hold: Callable[[float], bool]) -> bool:
        """Do the last `n` periods exist, and does `hold` say yes to each?"""
        return len(self.values) >= n and all(hold(value) for value in list(self.values)[-n:])


@dataclass(frozen=True)
class TargetTracking:
    """Keep a metric per replica near a target: Application Auto Scaling's two alarms, out when above it, in when well below.

    The defaults are the service's: out after 3 one-minute datapoints above the target, in after 15 below nine tenths of it, 300 s of
    cooldown after each. With high-resolution metrics use `period_s=10`.
    """

    metric: Metric
    target: float
    minimum: int = 1
    maximum: int = 10
    period_s: float = 60.0
    out_periods: int = 3
    in_periods: int = 15
    in_margin: float = 0.9
    scale_out_cooldown_s: float = 300.0
    scale_in_cooldown_s: float = 300.0
    sample_s: float = 10.0
    wakes_from_zero: bool = True

    def __post_init__(self) -> None:
        if self.target <= 0 or self.minimum < 0 or self.maximum < max(1, self.minimum):
            raise ValueError(f"target tracking needs a target above 0 and 0 <= minimum <= maximum, not {self}")

    @property
    def low(self) -> float:
        """Below this it scales in."""
        return self.target * self.in_margin

    def controller(self) -> Controller:
        """A controller with no history."""
        return _TargetTracker(self)


class TargetRule:
    """What target tracking does while one of its alarms lasts. It remembers when it last acted; whoever watches the metric asks it."""

    def __init__(self, policy: TargetTracking) -> None:
        self.policy = policy
        self.out_at = self.in_at = float("-inf")

    def wanted(self, value: float, ready: int) -> int:
        """Replicas that bring the metric to its target. It is per ready replica: what it would be over n replicas is its sum over n."""
        wanted = ceil(value * max(1, ready) / self.policy.target - 1e-9)
        return min(self.policy.maximum, max(self.policy.minimum, wanted))

    def scale_out(self, t: float, value: float, ready: int, desired: int) -> int | None:
        """At `t`, with enough datapoints above the target and the last at `value`: the replicas wanted, or None for no change."""
        wanted = self.wanted(value, ready)
        if wanted <= desired or t - self.out_at < self.policy.scale_out_cooldown_s:
            return None
        self.out_at = t
        return wanted

    def scale_in(self, t: float, value: float, ready: int, desired: int) -> int | None:
        """The same with enough datapoints well below the target."""
        wanted = self.wanted(value, ready)
        if wanted >= desired or t - max(self.in_at, self.out_at) < self.policy.scale_in_cooldown_s:
            return None
        self.in_at = t
        return wanted


class _TargetTracker:
    def __init__(self, policy: TargetTracking) -> None:
        self.policy = policy
        self.rule = TargetRule(policy)
        self.periods = _Periods(policy.metric, policy.period_s, max(policy.out_periods, policy.in_periods))

    def observe(self, sample: Sample) -> int | None:
        policy, t = self.policy, sample.t
        if not self.periods.add(sample):
            return None
        value = self.periods.values[-1]
        if self.periods.last(policy.out_periods, lambda v: v > policy.target):
            return self.rule.scale_out(t, value, sample.ready, sample.desired)
        if self.periods.last(policy.in_periods, lambda v: v < policy.low):
            return self.rule.scale_in(t, value, sample.ready, sample.desired)
        return None


@dataclass(frozen=True)
class StepScaling:
    """Add or remove a fixed number of replicas by how far a metric is from a threshold."""

    metric: Metric
    threshold: float
    steps: tuple[tuple[float, int], ...]
    """(distance above the threshold at which the step begins, replicas to add); a negative distance with a negative number removes"""
    minimum: int = 1
    maximum: int = 10
    period_s: float = 60.0
    periods: int = 3
    cooldown_s: float = 300.0
    sample_s: float = 10.0
    wakes_from_zero: bool = True

    def controller(self) -> Controller:
        """A controller with no history."""
        return _StepScaler(self)

    def change(self, value: float) -> int:
        """Replicas to add (or, below zero, to remove) when the metric is at `value`."""
        distance = value - self.threshold
        found = step_at(self._intervals(above=distance >= 0), distance, above=distance >= 0)
        return found.adjustment if found else 0

    def _intervals(self, *, above: bool) -> list["Step"]:
        begins = sorted(step for step in self.steps if (step[0] >= 0) == above)
        bounds = [begin for begin, _ in begins]
        if above:
            return [Step(begin, end, add) for (begin, add), end in zip(begins, [*bounds[1:], None], strict=True)]
        return [Step(end, begin, add) for (begin, add), end in zip(begins, [None, *bounds[:-1]], strict=True)]


@dataclass(frozen=True, slots=True)
class Step:
    """What to do while a metric's distance from the threshold lies between two bounds; None is no bound."""

    lower: float | None
    upper: float | None
    adjustment: int


def step_at(steps: Sequence[Step], distance: float, *, above: bool) -> Step | None:
    """The step in which a distance lies. Above the threshold a step has its lower bound, below it its upper bound."""
    for step in steps:
        low = float("-inf") if step.lower is None else step.lower
        high = float("inf") if step.upper is None else step.upper
        if (low <= distance < high) if above else (low < distance <= high):
            return step
    return None


Adjustment = Literal["ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity"]


def adjusted(desired: int, adjustment: int, kind: Adjustment = "ChangeInCapacity", least: int = 0) -> int:
    """The capacity after a step: so many more, so many per cent more (at least `least`, rounded away from nothing), or so many."""
    if kind == "ExactCapacity":
        return adjustment
    if kind == "ChangeInCapacity":
        return desired + adjustment
    change = desired * adjustment / 100
    whole = int(change) if abs(change) >= 1 else (change > 0) - (change < 0)
    return desired + (max(whole, least) if adjustment > 0 else min(whole, -least))


class StepRule:
    """When a step may be taken: not within the cooldown of the one before, and within the limits."""

    def __init__(self, cooldown_s: float, minimum: int, maximum: int) -> None:
        self.cooldown_s, self.minimum, self.maximum = cooldown_s, minimum, maximum
        self.changed_at = float("-inf")

    def cooling(self, t: float) -> bool:
        """Is the last step too recent?"""
        return t - self.changed_at < self.cooldown_s

    def take(self, t: float, capacity: int, desired: int) -> int | None:
        """The capacity wanted at `t` after a step to `capacity`, or None for no change."""
        wanted = min(self.maximum, max(self.minimum, capacity))
        if wanted == desired or self.cooling(t):
            return None
        self.changed_at = t
        return wanted


class _StepScaler:
    def __init__(self, policy: StepScaling) -> None:
        self.policy = policy
        self.rule = StepRule(policy.cooldown_s, policy.minimum, policy.maximum)
        self.seen = _Periods(policy.metric, policy.period_s, policy.periods)

    def observe(self, sample: Sample) -> int | None:
        policy = self.policy
        if not self.seen.add(sample) or self.rule.cooling(sample.t):
            return None
        change = policy.change(self.seen.values[-1])
        same_side = (lambda v: policy.change(v) > 0) if change > 0 else (lambda v: policy.change(v) < 0)
        if change == 0 or not self.seen.last(policy.periods, same_side):
            return None
        return self.rule.take(sample.t, adjusted(sample.desired, change), sample.desired)


@dataclass(frozen=True)
class ScaleToZero:
    """Remove every replica after `idle_s` without a request; start one again when a request comes. Another policy rules between."""

    idle_s: float = 300.0
    then: "TargetTracking | StepScaling | None" = None
    sample_s: float = 10.0
    wakes_from_zero: bool = True

    def controller(self) -> Controller:
        """A controller with no history."""
        return _ZeroScaler(self)


class _ZeroScaler:
    def __init__(self, policy: ScaleToZero) -> None:
        self.policy = policy
        self.inner = policy.then.controller() if policy.then else None
        self.idle_s = 0.0

    def observe(self, sample: Sample) -> int | None:
        wanted = self.inner.observe(sample) if self.inner else None
        self.idle_s = 0.0 if sample.arrivals or sample.in_hand else self.idle_s + sample.period_s
        if self.idle_s >= self.policy.idle_s - 1e-9:
            return 0 if sample.desired else None
        return wanted if sample.desired else None
