"""Charts of lesson 2: what a booking does to a burst, what the ways of buying a token cost, and what wakes an imported model."""

from __future__ import annotations

from dataclasses import replace

import altair as alt

from labs import facts
from labs.economics import capacity, instances, tokens
from labs.economics.traffic import Traffic
from labs.serving.engine import EngineConfig
from labs.serving.requests import Table
from labs.serving.services import service
from labs.serving.simulate import simulate
from lessoncharts import BEDROCK, INK, SAGEMAKER, SOFT, Chart, data, drawn, label

PREDICTED = "Predicted by the course's serving model, not measured on AWS."
PRICED = "Computed from the register's prices for us-east-1; nothing was bought."

MODEL = "llama-3.3-70b"
CALLS, WITHIN_S = 250, 1.0
INPUT_TOKENS, OUTPUT_TOKENS = 500, 200
CEILINGS = (256, 512, 1024, 1536, 2048, 3072, 4096, 6144, 8192)
"""`max_tokens`"""


def admitted(ceiling: int) -> int:
    """How many calls of the burst are let in when each asks for so many tokens at most."""
    made = service("bedrock-on-demand", MODEL)
    due = [n * WITHIN_S / CALLS for n in range(CALLS)]
    table = Table.of(due, [INPUT_TOKENS] * CALLS, [OUTPUT_TOKENS] * CALLS, [ceiling] * CALLS)
    run = simulate(EngineConfig(made.spec, admission=made.admission), table)
    return CALLS - sum(run.rejections.values())


def booking() -> Chart:
    """Calls of a burst that are admitted, by the ceiling that each asks for."""
    quota = facts.number("bedrock.tpm.llama-3-3-70b")
    seen = [(ceiling, admitted(ceiling)) for ceiling in CEILINGS]
    rows = [{"ceiling": ceiling, "calls": calls} for ceiling, calls in seen]
    layers = (
        data(rows)
        .mark_line(color=BEDROCK, strokeWidth=2.5, point={"color": BEDROCK, "size": 40})
        .encode(
            alt.X("ceiling:Q", title="max_tokens of each call", scale=alt.Scale(domain=[0, 8500])),
            alt.Y("calls:Q", title=f"calls admitted, of {CALLS}", scale=alt.Scale(domain=[0, 260])),
        )
        + label(2150, 244, "everybody gets in", SOFT)
        + label(8300, 96, f"{seen[-1][1]} get in", BEDROCK, align="right")
    )
    return Chart(
        drawn(layers),
        PREDICTED,
        ("max_tokens", "booked per call", "admitted", "refused", "of the quota once settled"),
        tuple(
            (
                f"{ceiling:,}",
                f"{INPUT_TOKENS + ceiling:,}",
                f"{calls}",
                f"{CALLS - calls}",
                f"{calls * (INPUT_TOKENS + OUTPUT_TOKENS) / quota:.0%}",
            )
            for ceiling, calls in seen
        ),
    )


LONG_PROMPT = Traffic.steady(100, 4000, 300)
"""the workload of the section on ways to buy: 100 a minute, a long prompt that is mostly the same, a short answer"""
SAME_TOKENS = 3500


def ways() -> Chart:
    """A month of one workload on one model, by the way in which its tokens are bought."""
    bills = {
        "Priority": tokens.on_demand("nova-pro", LONG_PROMPT, "priority").usd,
        "Standard": tokens.on_demand("nova-pro", LONG_PROMPT).usd,
        "Flex": tokens.on_demand("nova-pro", LONG_PROMPT, "flex").usd,
        "Batch": tokens.on_demand("nova-pro", LONG_PROMPT, "batch").usd,
        "Cached": tokens.on_demand("nova-pro", replace(LONG_PROMPT, cached_input_tokens=SAME_TOKENS)).usd,
    }
    rows = [{"way": way, "usd": usd, "says": f"${usd:,.0f}"} for way, usd in bills.items()]
    bars = data(rows).encode(alt.Y("way:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False)))
    x = alt.X("usd:Q", title="dollars a month", scale=alt.Scale(domain=[0, 42000]), axis=alt.Axis(format="~s"))
    layers = bars.mark_bar(color=BEDROCK, height=20).encode(x) + bars.mark_text(
        align="left", dx=5, color=INK, fontSize=12
    ).encode(x, alt.Text("says:N"))
    standard = bills["Standard"]
    return Chart(
        drawn(layers, height=180),
        PRICED,
        ("way", "dollars a month", "of standard"),
        tuple((way, f"{usd:,.0f}", f"{usd / standard:.2f}") for way, usd in bills.items()),
    )


DAY_MIN = 24 * 60
CALLS_A_DAY = (1, 6, 12, 24, 48, 96, 137, 144, 192, 240, 288)
"""at 288 a call comes every five minutes, and the windows touch"""
ENDPOINT = "ml.g6e.12xlarge"


def import_day(calls: int) -> float:
    """Dollars for a day of an imported 70B model, one copy at most, when so many short calls are spread evenly over it."""
    cmus = capacity.cmus_per_copy("llama-3-70b")
    assert cmus is not None  # the register has it
    minutes = capacity.active_minutes([(n * DAY_MIN / calls, 0.1) for n in range(calls)])
    return capacity.custom_import(cmus, min(minutes, DAY_MIN), stored_models=0).usd


def windows() -> Chart:
    """A day of an imported model, by how many separate calls wake it, beside an endpoint that never sleeps."""
    awake = instances.endpoint(ENDPOINT, hours=24).usd
    seen = [(calls, import_day(calls)) for calls in CALLS_A_DAY]
    rows = [{"calls": calls, "usd": usd} for calls, usd in seen]
    x = alt.X("calls:Q", title="calls a day, evenly spread", scale=alt.Scale(domain=[0, 290]))
    y = alt.Y("usd:Q", title="dollars a day")
    layers = (
        data(rows).mark_line(color=BEDROCK, strokeWidth=2.5).encode(x, y)
        + data([{"usd": awake}]).mark_rule(color=SAGEMAKER, strokeWidth=2.5, strokeDash=[6, 3]).encode(alt.Y("usd:Q"))
        + label(205, 590, "imported, one copy", BEDROCK, align="right")
        + label(4, awake + 25, f"one {ENDPOINT}", SAGEMAKER)
    )
    return Chart(
        drawn(layers),
        PRICED,
        ("calls a day", "imported, $ a day", "endpoint, $ a day"),
        tuple((f"{calls}", f"{usd:,.2f}", f"{awake:,.2f}") for calls, usd in seen),
    )
