"""Charts of lesson 7: a stall as two ways of asking see it, how many requests a p99 needs, what an answer costs at the load seen, and the engine's own errors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from math import exp
from pathlib import Path
from statistics import NormalDist, median
from typing import Any

import altair as alt

from labs import facts
from labs.bench.cost import price_of
from labs.bench.intervals import ranks
from labs.bench.overlay import engine_for
from labs.serving.arrivals import arrivals
from labs.serving.calibration.report import committed_cross_validation, rows
from labs.serving.profiles import Choices, fitted
from labs.serving.requests import Table
from labs.serving.simulate import as_json, simulate
from lessoncharts import ACCENT, BEDROCK, OWN, SAGEMAKER, SOFT, Chart, data, drawn, label

PREDICTED = "Predicted by the course's serving model, not measured on AWS."
RECORDED = Path(__file__).parent / "recorded" / "bench_stall.json"
"""E2E of every request of two runs of `lab bench` against the course's server of known timing, and how they were made"""


# A stall, and two ways of asking


@cache
def recorded() -> dict[str, Any]:
    """The two runs: {"made": words, "open": {"due_s", "e2e_ms", "p99_ci_ms"}, "closed": the same}."""
    found: dict[str, Any] = json.loads(RECORDED.read_text("utf-8"))
    return found


def percentile_ms(way: str, q: float) -> float:
    """Of the recorded E2E, by nearest rank, as `lab bench` prints it within a millisecond or two."""
    ascending = sorted(recorded()[way]["e2e_ms"])
    return float(ascending[min(len(ascending) - 1, round(q * (len(ascending) - 1)))])


def slow(way: str, over_ms: float = 1000.0) -> int:
    """Requests of the recorded run that took longer."""
    return sum(e2e > over_ms for e2e in recorded()[way]["e2e_ms"])


def stall() -> Chart:
    """E2E around the stall, by when each request was due, open and closed."""
    scale = alt.Scale(domain=[26, 36], nice=False, zero=False)
    layers = (
        data([{"from": 30.0, "to": 32.0}])
        .mark_rect(color=SOFT, opacity=0.15)
        .encode(alt.X("from:Q", scale=scale), alt.X2("to:Q"))
    )
    x = alt.X("due:Q", title="second in which the request was due", scale=scale)
    y = alt.Y("e2e:Q", title="seconds to the last token", scale=alt.Scale(domain=[0, 2.9]))
    for way, colour, shape, size in (("open", OWN, "circle", 45), ("closed", ACCENT, "square", 60)):
        run = recorded()[way]
        points = [
            {"due": due, "e2e": e2e / 1e3}
            for due, e2e in zip(run["due_s"], run["e2e_ms"], strict=True)
            if 26 <= due <= 36
        ]
        layers += data(points).mark_point(shape=shape, filled=True, color=colour, size=size, opacity=0.85).encode(x, y)
    layers = (
        layers
        + label(32.3, 2.62, "scheduled (circles):", OWN)
        + label(32.3, 2.42, f"{slow('open')} slow ones", OWN)
        + label(32.3, 1.9, "waiting (squares):", ACCENT)
        + label(32.3, 1.7, f"{slow('closed')} slow ones", ACCENT)
    )
    return Chart(
        drawn(layers),
        recorded()["made"],
        ("", "on a schedule", "by waiting clients"),
        (
            ("requests", *(f"{len(recorded()[way]['e2e_ms'])}" for way in ("open", "closed"))),
            ("over 1 s", *(f"{slow(way)}" for way in ("open", "closed"))),
            *(
                (name, *(f"{percentile_ms(way, q) / 1e3:.2f} s" for way in ("open", "closed")))
                for name, q in (("p50", 0.5), ("p99", 0.99), ("slowest", 1.0))
            ),
        ),
    )


# How many requests a p99 needs

SPREAD = 0.8
"""sigma of a lognormal latency: p99 is 6.4 times the median, as it is where answers differ in length"""
COUNTS = (368, 600, 1_000, 2_000, 3_000, 5_000, 10_000)


LOGARITHMIC = alt.Scale(type="log", domain=[80, 16_000], nice=False)


def interval(n: int) -> tuple[float, float] | None:
    """The 95 % interval of a p99 of so many separate requests, as parts of the true p99, at the ranks that bound it."""
    found = ranks(n, 0.99)
    if found is None:
        return None
    normal = NormalDist()
    true = exp(SPREAD * normal.inv_cdf(0.99))
    low, high = (exp(SPREAD * normal.inv_cdf(rank / (n + 1))) / true for rank in found)
    return low, high


def samples() -> Chart:
    """The interval of a p99, narrowing."""
    points = [{"n": n, "low": low, "high": high} for n in COUNTS if (both := interval(n)) for low, high in [both]]
    x = alt.X(
        "n:Q",
        title="requests in the run (logarithmic)",
        scale=LOGARITHMIC,
        axis=alt.Axis(values=[100, 368, 1_000, 3_000, 10_000], format=",d"),
    )
    y = alt.Y("low:Q", title="of the true p99", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0.6, 1.6]))
    band = data(points)
    layers = (
        data([{"from": 80, "to": 368}])
        .mark_rect(color=OWN, opacity=0.1)
        .encode(alt.X("from:Q", scale=LOGARITHMIC), alt.X2("to:Q"))
        + band.mark_area(color=ACCENT, opacity=0.25).encode(x, y, alt.Y2("high:Q"))
        + band.mark_line(color=ACCENT).encode(x, y)
        + band.mark_line(color=ACCENT).encode(x, alt.Y("high:Q"))
        + data([{"y": 1.0}]).mark_rule(color=SOFT, strokeDash=[4, 3]).encode(alt.Y("y:Q"))
        + label(88, 1.5, "no interval", OWN)
        + label(88, 1.42, "at all", OWN)
        + label(1_250, 1.35, "95 % of such runs bracket", ACCENT)
        + label(1_250, 1.28, "the truth in here", ACCENT)
    )
    return Chart(
        drawn(layers),
        "Computed by the statistics that lab bench uses, for a skewed latency; no run is in it.",
        ("requests", "slower than the p99", "interval, of the true p99"),
        (
            ("100", "1", "none"),
            *(
                (f"{n:,}", f"{n / 100:.0f}", f"{both[0]:.0%} to {both[1]:.0%}")
                for n in (368, 1_000, 3_000, 10_000)
                if (both := interval(n))
            ),
        ),
    )


# What an answer costs at the load seen

INPUT_TOKENS, OUTPUT_TOKENS = 200, 100
RATES = (0.1, 0.25, 0.5, 0.9, 2.0, 4.0, 8.0)
PLACES = {"sagemaker-gpu": "ml.g5.2xlarge", "sagemaker-inferentia": "ml.inf2.xlarge", "ec2-vllm": "g5.2xlarge"}
MODEL = "mistral-7b"
SECONDS = 1200.0
BATCH = 4
"""requests that the Inferentia target is compiled to work on at once, unless it is told otherwise"""


@dataclass(frozen=True)
class Seen:
    """One target at one load."""

    usd_per_million: float
    """of output tokens"""
    e2e_p50_s: float
    e2e_p99_s: float
    keeps_up: bool
    """False: its queue grows for as long as the load lasts"""


@cache
def seen(place: str, rate: float, batch: int = BATCH) -> Seen:
    """One instance, Poisson arrivals for twenty minutes; `batch` is Inferentia's."""
    target = {"name": place, "model": MODEL, "instance_type": PLACES[place]}
    choices = Choices(max_num_seqs=batch) if place == "sagemaker-inferentia" else None
    engine, _ = engine_for(target, choices=choices, seed=7)
    due = arrivals("poisson", rate, duration_s=SECONDS, seed=7)
    table = Table.of(due, [INPUT_TOKENS] * len(due), [OUTPUT_TOKENS] * len(due))
    said = as_json(simulate(engine, table))
    price = price_of(target)
    assert price is not None
    usd = price.usd_per("hour") / 3600 / said["output_tokens_per_s"] * 1e6
    e2e = said["e2e_ms"]
    return Seen(usd, e2e["p50"] / 1e3, e2e["p99"] / 1e3, said["duration_s"] < 1.1 * SECONDS)


def bedrock_usd_per_million() -> float:
    """The same model on demand, by output token, its input paid as well."""
    given, written = (facts.number(f"bedrock.price.{MODEL}.{way}_per_million") for way in ("input", "output"))
    return (INPUT_TOKENS * given + OUTPUT_TOKENS * written) / OUTPUT_TOKENS


def money() -> Chart:
    """US dollars for a million output tokens, by load."""
    looks = {
        "sagemaker-gpu": (SAGEMAKER, [1, 0]),
        "sagemaker-inferentia": (ACCENT, [6, 3]),
        "ec2-vllm": (OWN, [2, 2]),
    }
    x = alt.X(
        "rate:Q",
        title="requests per second on one instance (logarithmic)",
        scale=alt.Scale(type="log", domain=[0.1, 9], nice=False),
        axis=alt.Axis(values=[0.1, 0.25, 0.5, 1, 2, 4, 8]),
    )
    y = alt.Y(
        "usd:Q",
        title="USD per million output tokens",
        scale=alt.Scale(type="log", domain=[0.35, 50], nice=False),
        axis=alt.Axis(values=[0.5, 1, 2, 5, 10, 20, 50], format="g"),
    )
    flat = [{"rate": rate, "usd": bedrock_usd_per_million()} for rate in (0.1, 9)]
    layers = data(flat).mark_line(color=BEDROCK, strokeWidth=2.5).encode(x, y)
    for place, (colour, dash) in looks.items():
        points = [{"rate": r, "usd": seen(place, r).usd_per_million} for r in RATES if seen(place, r).keeps_up]
        layers += (
            data(points)
            .mark_line(color=colour, strokeDash=dash, strokeWidth=2.5, point=alt.OverlayMarkDef(color=colour))
            .encode(x, y)
        )
    layers = (
        layers
        + label(0.62, 17.5, "GPU endpoint", SAGEMAKER)
        + label(2.3, 2.7, "own GPU (dotted)", OWN)
        + label(0.115, 2.6, "Inferentia (dashed),", ACCENT)
        + label(0.115, 1.9, "full at 0.9 a second", ACCENT)
        + label(0.115, 0.58, "Bedrock on demand, by the token", BEDROCK)
    )
    return Chart(
        drawn(layers),
        f"{PREDICTED} List prices of the register.",
        ("requests a second", "GPU endpoint", "Inferentia", "own GPU", "Bedrock"),
        tuple(
            (
                f"{rate:g}",
                *(
                    f"${seen(place, rate).usd_per_million:.2f}" if seen(place, rate).keeps_up else "cannot"
                    for place in PLACES
                ),
                f"${bedrock_usd_per_million():.2f}",
            )
            for rate in RATES
        ),
    )


# Where the engine is wrong

GROUPS = {
    "neuron inf2": "Inf2",
    "neuron trn1": "Trn1",
    "gpu": "GPU",
}


def errors(figure: str, held_out: bool) -> dict[str, list[float]]:
    """Ours over what was published, less one, by kind of hardware: fitted to it, or with that whole kind left out of the fit."""
    found: dict[str, list[float]] = {shown: [] for shown in GROUPS.values()}
    if held_out:
        table = committed_cross_validation()
        for group, shown in GROUPS.items():
            found[shown] = [e[figure] for e in table[f"group: {group}"].values() if figure in e]
        return found
    for row in rows(fitted()):
        if row.group in GROUPS and row.figure == figure and row.judged:
            found[GROUPS[row.group]].append(row.error)
    return found


def typical(figure: str, held_out: bool) -> float:
    """The median size of the error over all of it."""
    return median(abs(e) for each in errors(figure, held_out).values() for e in each)


def error_of_the_engine() -> Chart:
    """Every published point, with its kind of hardware in the fit and left out of it."""
    points = [
        {"kind": f"{kind}, {figure}", "error": error, "held": held}
        for figure in ("TTFT", "TPOT")
        for held in (False, True)
        for kind, each in errors(figure, held).items()
        for error in each
    ]
    order = [f"{kind}, {figure}" for figure in ("TTFT", "TPOT") for kind in GROUPS.values()]
    x = alt.X(
        "error:Q",
        title="ours over published, less one",
        axis=alt.Axis(format="+.0%", values=[-0.4, -0.2, 0, 0.2, 0.4]),
        scale=alt.Scale(domain=[-0.44, 0.46], nice=False),
    )
    y = alt.Y("kind:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=150))
    fitted_, left_out = (data([p for p in points if p["held"] is held]) for held in (False, True))
    layers = (
        data([{"x": 0.0}]).mark_rule(color=SOFT, strokeDash=[4, 3]).encode(alt.X("x:Q"))
        + left_out.mark_point(shape="diamond", filled=True, color=OWN, size=70, opacity=0.85).encode(x, y)
        + fitted_.mark_point(shape="circle", filled=False, color=ACCENT, size=50).encode(x, y)
        + data([{"kind": "Trn1, TTFT", "error": 0.25, "says": "left out"}])
        .mark_text(align="right", color=OWN, fontSize=12)
        .encode(x, y, alt.Text("says:N"))
        + data([{"kind": "GPU, TTFT", "error": 0.035, "says": "fitted to it"}])
        .mark_text(align="left", color=ACCENT, fontSize=12)
        .encode(x, y, alt.Text("says:N"))
    )
    return Chart(
        {**drawn(layers, height=210), "width": 280},  # its labels stand beside the plot, and a telephone is narrow
        "The course's engine against figures that others published; sources and every point on the calibration page.",
        ("", "fitted to it, median", "left out, median", "left out, worst"),
        tuple(
            (
                f"{kind}, {figure}",
                f"{median(map(abs, errors(figure, False)[kind])):.0%}",
                f"{median(map(abs, errors(figure, True)[kind])):.0%}",
                f"{max(map(abs, errors(figure, True)[kind])):.0%}",
            )
            for figure in ("TTFT", "TPOT")
            for kind in GROUPS.values()
        ),
    )
