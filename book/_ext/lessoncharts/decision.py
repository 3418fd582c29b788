"""Charts of lesson 1: what a load does to an answer's time, and where a machine's memory goes."""

from __future__ import annotations

import altair as alt

from labs.facts import catalogue
from labs.serving.arrivals import arrivals, lengths
from labs.serving.engine import EngineConfig
from labs.serving.profiles import Choices, Deployment, hardware, plan
from labs.serving.requests import Table
from labs.serving.simulate import simulate
from lessoncharts import ACCENT, OWN, SAGEMAKER, SOFT, Chart, data, drawn, label

MODEL, INSTANCE, DEVICES = "llama-3-70b", "ml.g6e.12xlarge", 4
INPUT_TOKENS, OUTPUT_TOKENS = 500, 200
RATES = (10, 25, 50, 75, 100, 110, 120, 130, 140, 145, 150, 155, 160)
"""requests per minute"""
REQUESTS = 900
SEED = 7
PROVENANCE = "Predicted by the course's serving model, not measured on AWS."


def deployment() -> Deployment:
    """The lesson's model on the lesson's machine."""
    shape = catalogue.model(MODEL).shape
    assert shape is not None  # its weights are public
    return plan((MODEL, shape), hardware(INSTANCE), Choices(dtype="bf16", tensor_parallel=DEVICES))


def _times(per_minute: float) -> tuple[float, float, float]:
    """Mean seconds of an answer, the 99th percentile, and the requests in flight by Little's law."""
    when = arrivals("poisson", per_minute / 60, requests=REQUESTS, seed=SEED)
    table = Table.of(when, lengths(INPUT_TOKENS, REQUESTS), lengths(OUTPUT_TOKENS, REQUESTS))
    seen = simulate(EngineConfig(deployment().spec, seed=SEED), table).statistics
    assert seen.e2e_ms is not None
    mean_s = seen.e2e_ms.mean / 1e3
    return mean_s, seen.e2e_ms.p99 / 1e3, per_minute / 60 * mean_s


def load() -> Chart:
    """Seconds per answer, and requests in flight, by the rate at which they come."""
    seen = [(rate, *_times(rate)) for rate in RATES]
    rows = [{"rate": r, "mean": mean, "p99": p99, "flight": flight} for r, mean, p99, flight in seen]
    x = alt.X("rate:Q", title="requests per minute", scale=alt.Scale(domain=[0, 160]))

    def line(field: str, colour: str, dash: list[int]) -> alt.Chart:
        made: alt.Chart = (
            data(rows)
            .mark_line(color=colour, strokeDash=dash, strokeWidth=2.5)
            .encode(x, alt.Y(f"{field}:Q", title="seconds per answer · requests in flight"))
        )
        return made

    layers = (
        line("flight", ACCENT, [6, 3])
        + line("p99", SAGEMAKER, [2, 2])
        + line("mean", SAGEMAKER, [1, 0])
        + label(100, 46, "in flight", ACCENT, align="right")
        + label(42, 24, "99 of 100 within", SAGEMAKER)
        + label(102, 8, "mean seconds", SAGEMAKER)
    )
    return Chart(
        drawn(layers),
        PROVENANCE,
        ("requests a minute", "mean s", "p99 s", "in flight"),
        tuple((f"{r}", f"{m:.1f}", f"{p:.1f}", f"{f:.1f}") for r, m, p, f in seen),
    )


def memory() -> Chart:
    """Gigabytes by requests in flight: the weights stand, the conversations grow, the machine ends."""
    made = deployment().memory
    per_request = (INPUT_TOKENS + OUTPUT_TOKENS) * made.kv_bytes_per_token / 1e9
    fixed = (made.weights_bytes + made.reserve_bytes) / 1e9
    usable = made.usable_bytes / 1e9
    flights = (0, 20, 40, 60, 80, 100, 120, 140)
    rows = [{"flight": n, "fixed": fixed, "all": fixed + n * per_request} for n in flights]
    x = alt.X("flight:Q", title="requests in flight", scale=alt.Scale(domain=[0, 140]))
    y = "gigabytes"
    layers = (
        data(rows).mark_area(color=SOFT, opacity=0.35).encode(x, alt.Y("fixed:Q", title=y))
        + data(rows).mark_area(color=ACCENT, opacity=0.45).encode(x, alt.Y("fixed:Q", title=y), alt.Y2("all:Q"))
        + data([{"y": usable}]).mark_rule(color=OWN, strokeWidth=2.5, strokeDash=[6, 3]).encode(alt.Y("y:Q"))
        + label(4, 70, "the weights, with a reserve", SOFT)
        + label(138, 158, "KV cache", ACCENT, align="right")
        + label(2, usable + 7, "what the machine may use", OWN)
    )
    return Chart(
        drawn(layers),
        PROVENANCE,
        ("in flight", "weights and reserve, GB", "cache, GB", "of the usable memory"),
        tuple(
            (f"{n}", f"{fixed:.1f}", f"{n * per_request:.1f}", f"{(fixed + n * per_request) / usable:.0%}")
            for n in flights
        ),
    )
