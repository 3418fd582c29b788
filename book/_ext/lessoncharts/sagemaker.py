"""Charts of lesson 3: which signals move under load, what five policies make of a Monday, and when an Inferentia token is cheaper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import median
from typing import Any

import altair as alt

from labs import facts
from labs.facts import catalogue
from labs.serving.arrivals import arrivals, lengths
from labs.serving.autoscaling import Controller, Policy, Sample, TargetTracking
from labs.serving.engine import EngineConfig
from labs.serving.profiles import Choices, Deployment, deployment
from labs.serving.requests import Table
from labs.serving.simulate import Closed, Simulation, simulate
from lessoncharts import ACCENT, BEDROCK, INK, OWN, SAGEMAKER, SOFT, Chart, data, drawn, label

PREDICTED = "Predicted by the course's serving model, not measured on AWS."

MODEL, INSTANCE = "llama-3.1-8b", "ml.g6.2xlarge"
INPUT_TOKENS, OUTPUT_TOKENS = 500, 200
SEED = 7

IDLE_CPU, SERVER_CPU = 2.0, 100.0
"""per cent of one core, as the local cloud assumes it: housekeeping, and the server's one thread while the GPU is busy"""


@cache
def plan() -> Deployment:
    """The lesson's model on the lesson's machine."""
    return deployment(MODEL, INSTANCE, Choices())


# --- which signals move

RATES = (30, 60, 90, 120, 150, 165, 180, 210, 240)
"""requests per minute"""
RUN_MIN = 10


@dataclass(frozen=True)
class Signals:
    """What one instance says of itself at one rate."""

    rate: int
    first_token_s: float
    """median"""
    in_hand: float
    cpu_percent: float
    """of one core"""
    busy: float


@cache
def at(rate: int) -> Signals:
    """Ten minutes of arrivals at so many requests a minute, on one instance."""
    n = rate * RUN_MIN
    when = arrivals("poisson", rate / 60, requests=n, seed=SEED)
    table = Table.of(when, lengths(INPUT_TOKENS, n), lengths(OUTPUT_TOKENS, n))
    run = simulate(EngineConfig(plan().spec, seed=SEED), table)
    seen, busy = run.statistics, run.snapshot.busy_s / run.snapshot.replica_s
    assert seen.ttft_ms is not None
    assert seen.e2e_ms is not None
    in_hand = rate / 60 * seen.e2e_ms.mean / 1e3  # Little's law
    return Signals(rate, seen.ttft_ms.p50 / 1e3, in_hand, IDLE_CPU + SERVER_CPU * busy, busy)


def signals() -> Chart:
    """How much each signal has moved since 30 requests a minute."""
    seen = [at(rate) for rate in RATES]
    first = seen[0]

    def rows(pick: Any) -> list[dict[str, Any]]:
        return [{"rate": s.rate, "times": pick(s) / pick(first)} for s in seen]

    x = alt.X(
        "rate:Q",
        title="requests per minute, one instance",
        scale=alt.Scale(domain=[30, 240], nice=False),
        axis=alt.Axis(values=[30, 60, 90, 120, 150, 180, 210, 240]),
    )
    y = alt.Y(
        "times:Q",
        title="times its value at 30 (log scale)",
        scale=alt.Scale(type="log", domain=[0.6, 2000], nice=False),
        axis=alt.Axis(values=[1, 10, 100, 1000], format=",d"),
    )

    def line(pick: Any, colour: str, dash: list[int]) -> Any:
        return data(rows(pick)).mark_line(color=colour, strokeDash=dash, strokeWidth=2.5).encode(x, y)

    layers = (
        line(lambda s: s.first_token_s, OWN, [1, 0])
        + line(lambda s: s.in_hand, ACCENT, [6, 3])
        + line(lambda s: s.rate, SAGEMAKER, [2, 2])
        + line(lambda s: s.cpu_percent, SOFT, [1, 0])
        + label(176, 300, "wait for the first token", OWN, align="right")
        + label(118, 7.5, "requests in hand", ACCENT, align="right")
        + label(236, 13, "invocations", SAGEMAKER, align="right")
        + label(236, 1.4, "CPU", SOFT, align="right")
    )
    return Chart(
        drawn(layers),
        PREDICTED,
        ("a minute", "wait, s", "in hand", "CPU, %"),
        tuple(
            (
                f"{s.rate}",
                f"{s.first_token_s:.2f}" if s.first_token_s < 1 else f"{s.first_token_s:.0f}",
                f"{s.in_hand:.0f}",
                f"{s.cpu_percent:.0f}",
            )
            for s in seen
        ),
    )


# --- policies at work


@dataclass(frozen=True)
class Clock:
    """A scheduled action: so many instances from a moment on."""

    at_s: float
    replicas: int
    sample_s: float = 10.0
    wakes_from_zero: bool = False

    def controller(self) -> Controller:
        """It has no state."""
        return self

    def observe(self, sample: Sample) -> int | None:
        """The number, once its time has come."""
        return self.replicas if sample.t >= self.at_s else None


@dataclass
class Watched:
    """A policy, and what it was shown."""

    policy: Policy
    seen: list[Sample] = field(default_factory=list)

    @property
    def sample_s(self) -> float:
        """As the policy."""
        return self.policy.sample_s

    @property
    def wakes_from_zero(self) -> bool:
        """As the policy."""
        return self.policy.wakes_from_zero

    def controller(self) -> Controller:
        """A controller that keeps what it sees."""
        self._inner = self.policy.controller()
        return self

    def observe(self, sample: Sample) -> int | None:
        """What the policy says."""
        self.seen.append(sample)
        return self._inner.observe(sample)


@dataclass(frozen=True)
class Phase:
    """So many minutes at one rate and one length of answer."""

    minutes: int
    rate: int
    output_tokens: int = OUTPUT_TOKENS


@dataclass(frozen=True)
class Outcome:
    """What became of the requests of the last phase, and what it took."""

    decided_min: float | None
    """from the change to the first decision to scale out; below zero before it, None never"""
    late: int
    """requests that waited more than ten seconds"""
    requests: int
    longest_s: float
    instance_hours: float
    waits: tuple[tuple[float, float], ...]
    """(minute since the change, median seconds to the first token of those who came in it)"""
    most: int
    """instances wanted at once"""


LATE_S = 10.0


def under(policy: Policy, *phases: Phase) -> Outcome:
    """The phases one after another, on instances that the policy adds and removes; one at first."""
    when: list[float] = []
    outputs: list[int] = []
    start = 0.0
    for phase in phases:
        length_s = phase.minutes * 60.0
        due = arrivals("poisson", phase.rate / 60, duration_s=length_s, seed=SEED)
        when += [start + t for t in due]
        outputs += [phase.output_tokens] * len(due)
        start += length_s
    table = Table.of(when, lengths(INPUT_TOKENS, len(when)), outputs)
    watched = Watched(policy)
    run: Simulation = simulate(EngineConfig(plan().spec, autoscaling=watched, seed=SEED), table)
    change = sum(phase.minutes for phase in phases[:-1]) * 60.0
    last = [(t, first - t) for t, first in zip(table.arrival, table.first, strict=True) if t >= change]
    grown = [s.t for s in watched.seen if s.desired > 1]
    by_minute: dict[int, list[float]] = {}
    for t, wait in last:
        by_minute.setdefault(int((t - change) // 60), []).append(wait)
    return Outcome(
        decided_min=(grown[0] - change) / 60 if grown else None,
        late=sum(wait > LATE_S for _, wait in last),
        requests=len(last),
        longest_s=max(wait for _, wait in last),
        instance_hours=run.snapshot.replica_s / 3600,
        waits=tuple((minute + 0.5, median(waits)) for minute, waits in sorted(by_minute.items())),
        most=max(s.desired for s in watched.seen),
    )


MOST = 6
INVOCATIONS, CONCURRENCY = 120, 25
"""targets: three quarters of what one instance answers in time, and six tenths of what its cache holds"""
CPU_TARGET = 70


def on_cpu(target: float, most: int = MOST) -> TargetTracking:
    """Target tracking on CPUUtilization, which adds up the cores."""
    return TargetTracking("cpu", target, maximum=most)


def on_invocations() -> TargetTracking:
    """Target tracking on invocations per instance and minute."""
    return TargetTracking("invocations", INVOCATIONS, maximum=MOST)


def on_concurrency() -> TargetTracking:
    """Target tracking on concurrent requests, which come every ten seconds; scale-in keeps its fifteen minutes."""
    return TargetTracking(
        "concurrency",
        CONCURRENCY,
        maximum=MOST,
        period_s=facts.number("sagemaker.autoscaling.high_resolution_s"),
        in_periods=90,
        scale_out_cooldown_s=60.0,
        scale_in_cooldown_s=600.0,
    )


QUIET, BUSY = Phase(30, 60), Phase(60, 300)
"""half an hour before nine, and the hour from nine"""


@cache
def mondays() -> dict[str, Outcome]:
    """The same ninety minutes under five policies."""
    cores = catalogue.instance(INSTANCE).vcpus
    policies: dict[str, Policy] = {
        "CPU at 560": on_cpu(CPU_TARGET * cores),
        "CPU at 70": on_cpu(CPU_TARGET),
        "invocations": on_invocations(),
        "concurrency": on_concurrency(),
        "the clock": Clock(20 * 60, 3),
    }
    return {name: under(policy, QUIET, BUSY) for name, policy in policies.items()}


def _decided(outcome: Outcome) -> str:
    if outcome.decided_min is None:
        return "never"
    seconds = round((9 * 60 + outcome.decided_min) * 60)
    return f"{seconds // 3600}:{seconds % 3600 // 60:02}:{seconds % 60:02}"


def _waited(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:,.0f} s"


def _curve(outcome: Outcome, minutes: float) -> list[dict[str, float]]:
    return [{"minute": m, "wait": w} for m, w in outcome.waits if m < minutes]


def _waits(curves: Sequence[tuple[Outcome, str, list[int]]], top: float, minutes: float, x_title: str) -> Any:
    x = alt.X("minute:Q", title=x_title, scale=alt.Scale(domain=[0, minutes]))
    y = alt.Y("wait:Q", title="median seconds to the first token", scale=alt.Scale(domain=[0, top]))
    layers = None
    for outcome, colour, dash in curves:
        line = (
            data(_curve(outcome, minutes))
            .mark_line(color=colour, strokeDash=dash, strokeWidth=2.5, clip=True)
            .encode(x, y)
        )
        layers = line if layers is None else layers + line
    return layers


def monday() -> Chart:
    """How long those wait who come after nine, minute by minute, under four of the policies."""
    seen = mondays()
    price = facts.number(f"sagemaker.price.{INSTANCE.removeprefix('ml.').replace('.', '-')}")
    layers = (
        _waits(
            (
                (seen["CPU at 560"], OWN, [1, 0]),
                (seen["invocations"], SAGEMAKER, [2, 2]),
                (seen["concurrency"], ACCENT, [6, 3]),
                (seen["the clock"], BEDROCK, [1, 0]),
            ),
            420,
            12,
            "minutes after nine",
        )
        + label(8.9, 405, "CPU at 560", OWN)
        + label(7.5, 200, "invocations", SAGEMAKER)
        + label(2.9, 215, "concurrency", ACCENT, align="right")
        + label(11.8, 18, "the clock", BEDROCK, align="right")
    )
    return Chart(
        drawn(layers),
        PREDICTED,
        ("scaled on", "decides", "late", "longest", "$"),
        tuple(
            (
                name,
                _decided(o),
                f"{o.late / o.requests:.0%}",
                _waited(o.longest_s),
                f"{o.instance_hours * price:.2f}",
            )
            for name, o in seen.items()
        ),
    )


SHORT, LONG = Phase(30, 80), Phase(60, 80, 500)
"""the rate stays; a new prompt asks for reasons, and answers grow from 200 tokens to 500"""


@cache
def longer_answers() -> dict[str, Outcome]:
    """Two policies, when answers grow and the number of requests does not."""
    return {
        "invocations": under(on_invocations(), SHORT, LONG),
        "concurrency": under(on_concurrency(), SHORT, LONG),
    }


def length() -> Chart:
    """What longer answers do under a policy that counts requests, and under one that counts who is inside."""
    seen = longer_answers()
    layers = (
        _waits(
            ((seen["invocations"], SAGEMAKER, [2, 2]), (seen["concurrency"], ACCENT, [6, 3])),
            1400,
            60,
            "minutes after the new prompt",
        )
        + label(38, 1120, "invocations", SAGEMAKER, align="right")
        + label(58, 70, "concurrency", ACCENT, align="right")
    )
    return Chart(
        drawn(layers),
        PREDICTED,
        ("scaled on", "late", "longest"),
        tuple((name, f"{o.late / o.requests:.0%}", _waited(o.longest_s)) for name, o in seen.items()),
    )


# --- the chips

CHIPS = {"ml.inf2.xlarge": 2, "ml.g6.2xlarge": 1, "ml.g5.2xlarge": 1}
"""instance: devices for one copy (NeuronCores on Inferentia2)"""
AT_ONCE = (1, 2, 4, 8, 16, 32)
COMPILED_BATCH = 32


@cache
def usd_per_million(instance: str, at_once: int) -> float:
    """Dollars for a million output tokens, while so many requests are always inside."""
    batch = COMPILED_BATCH if instance.startswith("ml.inf") else None
    made = deployment(
        MODEL,
        instance,
        Choices(dtype="bf16", tensor_parallel=CHIPS[instance], **({"max_num_seqs": batch} if batch else {})),
    )
    load = Closed(at_once, max(6 * at_once, 64), INPUT_TOKENS, OUTPUT_TOKENS)
    pace = simulate(EngineConfig(made.spec), load).statistics.output_tokens_per_s
    price = facts.number(f"sagemaker.price.{instance.removeprefix('ml.').replace('.', '-')}")
    return price / 3600 / pace * 1e6


def chips() -> Chart:
    """Dollars per million output tokens, by how many requests are inside at once."""
    colours = {"ml.inf2.xlarge": (SAGEMAKER, [1, 0]), "ml.g6.2xlarge": (ACCENT, [6, 3]), "ml.g5.2xlarge": (INK, [2, 2])}
    x = alt.X(
        "at_once:Q",
        title="requests inside at once (log scale)",
        scale=alt.Scale(type="log", base=2, domain=[1, 32], nice=False),
        axis=alt.Axis(values=list(AT_ONCE)),
    )
    y = alt.Y(
        "usd:Q",
        title="$ per million output tokens (log scale)",
        scale=alt.Scale(type="log", domain=[0.5, 25], nice=False),
        axis=alt.Axis(values=[0.5, 1, 2, 5, 10, 20]),
    )
    layers = None
    for instance, (colour, dash) in colours.items():
        rows = [{"at_once": n, "usd": usd_per_million(instance, n)} for n in AT_ONCE]
        line = data(rows).mark_line(color=colour, strokeDash=dash, strokeWidth=2.5).encode(x, y)
        layers = line if layers is None else layers + line
    assert layers is not None
    layers += (
        label(1.05, 3.7, "inf2.xlarge", SAGEMAKER)
        + label(1.7, 15.5, "g6.2xlarge", ACCENT)
        + label(24, 0.62, "g5.2xlarge", INK, align="right")
    )

    return Chart(
        drawn(layers),
        PREDICTED + " Beyond a batch of 8 the law of Inferentia2 is extrapolated.",
        ("at once", "inf2, $", "g6, $", "g5, $"),
        tuple(
            (
                f"{n}",
                *(f"{usd_per_million(instance, n):.2f}" for instance in CHIPS),
            )
            for n in AT_ONCE
        ),
    )
