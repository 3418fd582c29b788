"""Charts of lesson 8: a burst that never ends because callers repeat themselves, and when a reader sees the first word."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from functools import cache
from random import Random

import altair as alt

from labs import facts
from labs.facts import catalogue
from labs.serving.engine import Engine, EngineConfig
from labs.serving.profiles import Choices, hardware, plan
from labs.serving.requests import Request
from labs.serving.services import service
from labs.serving.simulate import Closed, simulate
from lessoncharts import ACCENT, BEDROCK, OWN, SAGEMAKER, SOFT, Chart, data, drawn, label

PREDICTED = "Predicted by the course's serving model, not measured on AWS."

MODEL, INSTANCE = "llama-3.1-8b", "ml.g6.2xlarge"
INPUT_TOKENS, OUTPUT_TOKENS = 500, 200
RATE_PER_S, BURST_PER_S = 2.0, 4.0
BURST_S = (60.0, 90.0)
END_S = 660.0
PATIENCE_S = 20.0
SEED = 3
MINUTES = 10


@dataclass(frozen=True)
class Callers:
    """What a caller does with a call that was refused or has taken longer than its patience."""

    attempts: int = 3
    jitter: bool = False
    """wait a random time before the next attempt, up to 2 and then 4 seconds; otherwise call again at once"""
    budget: float | None = None
    """repeats per first attempt that all callers together may make in the long run; None for no bound"""
    door: int | None = None
    """calls that may be inside at once; one more is refused on the spot"""


POLICIES = {
    "one attempt": Callers(attempts=1),
    "three attempts": Callers(),
    "three, with jitter": Callers(jitter=True),
    "a budget of 10 %": Callers(jitter=True, budget=0.1),
    "a door of 40": Callers(jitter=True, door=40),
}


@dataclass
class Storm:
    """One run: when each call was due, when each attempt was sent, and which calls were answered within the callers' patience."""

    due: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    answered: set[int] = field(default_factory=set)

    def in_time(self, minute: int) -> float:
        """The share of the calls that were due in this minute and got their answer in time."""
        calls = [n for n, due in enumerate(self.due) if 60 * minute <= due < 60 * (minute + 1)]
        return sum(n in self.answered for n in calls) / len(calls)

    def attempts(self, minute: int) -> int:
        """Attempts that were sent in this minute."""
        return sum(60 * minute <= sent < 60 * (minute + 1) for sent in self.sent)


@cache
def storm(callers: Callers, seed: int = SEED, end_s: float = END_S) -> Storm:
    """Calls at a steady rate, half a minute of twice as many, and a caller's patience.

    Whoever gives up does not tell the machine, which goes on with the answer: a call without streaming has no way to tell it.
    """
    shape = catalogue.model(MODEL).shape
    assert shape is not None  # its weights are public
    spec = plan((MODEL, shape), hardware(INSTANCE), Choices(dtype="bf16")).spec
    engine, run, luck, pauses = Engine(EngineConfig(spec, seed=seed)), Storm(), Random(seed), Random(seed + 1)
    now = luck.expovariate(RATE_PER_S)
    while now < end_s:
        run.due.append(now)
        now += luck.expovariate(BURST_PER_S if BURST_S[0] <= now < BURST_S[1] else RATE_PER_S)
    agenda = [(due, False, call, 1) for call, due in enumerate(run.due)]
    heapq.heapify(agenda)
    waiting: set[str] = set()
    inside: set[str] = set()
    allowance = 10.0

    def once_more(t: float, call: int, attempt: int) -> None:
        nonlocal allowance
        if attempt >= callers.attempts or (callers.budget is not None and allowance < 1):
            return
        if callers.budget is not None:
            allowance -= 1
        pause = pauses.uniform(0, 2.0**attempt) if callers.jitter else 0.0
        heapq.heappush(agenda, (t + pause, False, call, attempt + 1))

    while agenda:
        t, is_patience, call, attempt = heapq.heappop(agenda)
        name = f"{call}.{attempt}"
        for event in engine.advance(t):
            if event.kind == "finished":
                inside.discard(event.request_id)
                if event.request_id in waiting:
                    waiting.discard(event.request_id)
                    run.answered.add(int(event.request_id.partition(".")[0]))
        if is_patience:
            if name in waiting:
                waiting.discard(name)
                once_more(t, call, attempt)
            continue
        run.sent.append(t)
        if callers.budget is not None and attempt == 1:
            allowance = min(allowance + callers.budget, 10.0)
        if callers.door is not None and len(inside) >= callers.door:
            once_more(t, call, attempt)
            continue
        engine.submit(t, Request(name, INPUT_TOKENS, OUTPUT_TOKENS))
        waiting.add(name)
        inside.add(name)
        heapq.heappush(agenda, (t + PATIENCE_S, True, call, attempt))
    return run


def repeats() -> Chart:
    """The share of calls that is answered in time, minute by minute, by what callers do when they are not."""
    looks = {
        "one attempt": (SOFT, [2, 2]),
        "three, with jitter": (OWN, [1, 0]),
        "a budget of 10 %": (BEDROCK, [6, 3]),
        "a door of 40": (ACCENT, [1, 0]),
    }
    x = alt.X(
        "minute:Q",
        title="minute in which the call was made",
        scale=alt.Scale(domain=[0, 9]),
        axis=alt.Axis(tickCount=10),
    )
    y = alt.Y("share:Q", title="answered within 20 s", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1.08]))
    layers = (
        data([{"from": 0.75, "to": 1.25}]).mark_rect(color=SOFT, opacity=0.12).encode(alt.X("from:Q"), alt.X2("to:Q"))
    )
    for name, (colour, dash) in looks.items():
        run = storm(POLICIES[name])
        rows = [{"minute": m, "share": run.in_time(m)} for m in range(MINUTES)]
        layers += data(rows).mark_line(color=colour, strokeDash=dash, strokeWidth=2.5).encode(x, y)
    layers = (
        layers
        + label(3.15, 0.82, "a door of 40", ACCENT)
        + label(3.15, 0.72, "one attempt (dotted)", SOFT)
        + label(3.15, 0.62, "a budget of 10 % (dashed)", BEDROCK)
        + label(3.15, 0.06, "three attempts, with jitter or without", OWN)
    )
    return Chart(
        drawn(layers),
        PREDICTED,
        ("minute", *POLICIES, "attempts a minute with three"),
        tuple(
            (
                f"{m}",
                *(f"{storm(callers).in_time(m):.0%}" for callers in POLICIES.values()),
                f"{storm(POLICIES['three attempts']).attempts(m)}",
            )
            for m in range(MINUTES)
        ),
    )


LONG_INPUT, LONG_OUTPUT = 3000, 3200
PICKED_UP_S = 0.3
"""assumed: until a worker has the message"""
PUSHED_EVERY_S = 0.25
"""assumed: pieces of text are collected for so long before they are pushed"""
POLLED_EVERY_S = 2.0


@cache
def long_answer() -> tuple[float, float]:
    """(seconds to the first token, seconds to the last) of a long answer on demand, alone; the mean of twenty."""
    made = service("bedrock-on-demand", "llama-3.3-70b")
    seen = simulate(EngineConfig(made.spec, seed=SEED), Closed(1, 20, LONG_INPUT, LONG_OUTPUT)).statistics
    assert seen.ttft_ms is not None
    assert seen.e2e_ms is not None
    return seen.ttft_ms.mean / 1e3, seen.e2e_ms.mean / 1e3


def routes() -> dict[str, tuple[float, float]]:
    """Seconds until a reader sees the first word and the last, by the way in which the text comes."""
    first, last = long_answer()
    return {
        "streamed response": (first, last),
        "queue, text pushed": (PICKED_UP_S + first + PUSHED_EVERY_S / 2, PICKED_UP_S + last + PUSHED_EVERY_S / 2),
        "queue, polled": (PICKED_UP_S + last + POLLED_EVERY_S / 2,) * 2,
    }


def first_word() -> Chart:
    """When the first word of a long answer is there to be read, and when the last."""
    gateway = facts.number("apigateway.http.timeout_s")
    rows = [{"route": route, "from": first, "to": last} for route, (first, last) in routes().items()]
    order = ["whole, HTTP API", *(str(row["route"]) for row in rows)]
    y = alt.Y("route:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=150))
    x = alt.X("from:Q", title="seconds since the click", scale=alt.Scale(domain=[0, 48]))
    bars = data([row for row in rows if row["to"] > row["from"]])
    dots = data([row for row in rows if row["to"] == row["from"]])
    gone = data([{"route": "whole, HTTP API", "from": gateway, "says": "504"}])
    layers = (
        gone.mark_point(shape="cross", color=OWN, filled=True, size=90, angle=45).encode(x, y)
        + gone.mark_text(align="left", dx=10, color=OWN, fontSize=12).encode(x, y, alt.Text("says:N"))
        + bars.mark_bar(color=BEDROCK, height=14, opacity=0.75).encode(x, alt.X2("to:Q"), y)
        + dots.mark_point(shape="circle", color=SAGEMAKER, filled=True, size=90).encode(x, y)
    )
    return Chart(
        drawn(layers, height=170),
        PREDICTED,
        ("route", "first word, s", "last word, s"),
        (
            ("whole, HTTP API", "never", f"504 after {gateway:.0f}"),
            *((route, f"{first:.1f}", f"{last:.1f}") for route, (first, last) in routes().items()),
        ),
    )
