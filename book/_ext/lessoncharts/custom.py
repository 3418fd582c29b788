"""Charts of lesson 4: who fits into a cache, and what splitting a model over accelerators buys and costs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import altair as alt

from labs.facts import catalogue
from labs.serving.engine import EngineConfig
from labs.serving.profiles import Choices, Deployment, hardware, plan
from labs.serving.simulate import Closed, simulate
from lessoncharts import ACCENT, OWN, SAGEMAKER, SOFT, Chart, data, drawn, label

PREDICTED = "Predicted by the course's serving model, not measured on AWS."

MODEL, INSTANCE = "llama-3.1-8b", "ml.g6.2xlarge"
INPUT_TOKENS, OUTPUT_TOKENS = 6000, 400
READERS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 28, 32)
"""contracts that are being read at once"""
CACHES = {
    "BF16": Choices(dtype="bf16"),
    "BF16, cache in FP8": Choices(dtype="bf16", kv_dtype="fp8"),
    "FP8 throughout": Choices(dtype="fp8", kv_dtype="fp8"),
}


def deployment(model: str, instance: str, choices: Choices) -> Deployment:
    """A model of the catalogue on one instance."""
    shape = catalogue.model(model).shape
    assert shape is not None  # its weights are public
    return plan((model, shape), hardware(instance), choices)


@dataclass(frozen=True)
class Seen:
    """What callers see, and what the machine makes."""

    first_token_s: float
    tpot_ms: float
    tokens_per_s: float


@cache
def closed(model: str, instance: str, choices: Choices, clients: int, input_tokens: int, output_tokens: int) -> Seen:
    """So many clients, each of whom asks again when it has its answer."""
    spec = deployment(model, instance, choices).spec
    run = simulate(EngineConfig(spec, seed=1), Closed(clients, max(60, 6 * clients), input_tokens, output_tokens))
    assert run.statistics.ttft_ms is not None
    assert run.statistics.tpot_ms is not None
    return Seen(
        run.statistics.ttft_ms.mean / 1e3, run.statistics.tpot_ms.mean, float(run.statistics.output_tokens_per_s)
    )


def reader(cache_name: str, readers: int) -> Seen:
    """Contracts of 6,000 tokens, answers of 400."""
    return closed(MODEL, INSTANCE, CACHES[cache_name], readers, INPUT_TOKENS, OUTPUT_TOKENS)


def room(cache_name: str) -> tuple[int, int]:
    """(tokens that the cache holds, whole contracts that fit)."""
    tokens = deployment(MODEL, INSTANCE, CACHES[cache_name]).spec.kv_capacity_tokens
    return tokens, tokens // (INPUT_TOKENS + OUTPUT_TOKENS)


def cache_full() -> Chart:
    """Seconds to the first word by how many contracts are read at once, for three ways of keeping weights and cache."""
    looks = {"BF16": OWN, "BF16, cache in FP8": SAGEMAKER, "FP8 throughout": ACCENT}
    x = alt.X("readers:Q", title="contracts read at once", scale=alt.Scale(domain=[0, 32]))
    y = alt.Y("first:Q", title="seconds to the first word", scale=alt.Scale(domain=[0, 60], clamp=True))
    layers = None
    for name, colour in looks.items():
        rows = [{"readers": n, "first": reader(name, n).first_token_s} for n in READERS]
        line = data([row for row in rows if row["first"] <= 60]).mark_line(color=colour, strokeWidth=2.5).encode(x, y)
        layers = line if layers is None else layers + line
    assert layers is not None
    layers = (
        layers
        + label(12.4, 56, "BF16", OWN)
        + label(18, 29, "cache in FP8", SAGEMAKER, align="left", dx=8)
        + label(21.5, 6, "FP8 throughout", ACCENT)
    )
    return Chart(
        drawn(layers),
        PREDICTED,
        ("at once", *(f"{name}, s" for name in CACHES), *(f"{name}, tokens/s" for name in CACHES)),
        tuple(
            (
                f"{n}",
                *(f"{reader(name, n).first_token_s:.1f}" for name in CACHES),
                *(f"{reader(name, n).tokens_per_s:.0f}" for name in CACHES),
            )
            for n in READERS
        ),
    )


SPLIT_MODEL, SPLIT_INSTANCE, SPLIT_DEVICES = "llama-3-8b", "ml.g6e.48xlarge", 8
SPLITS = (1, 2, 4, 8)
"""accelerators that one copy of the model is split over; the machine holds as many copies as fit"""
IN_FLIGHT = (8, 16, 32, 64, 128, 256, 512)
"""requests on the whole machine"""


def split(degree: int, in_flight: int) -> Seen:
    """The whole machine: 8 / degree copies that share the requests evenly. Tokens per second are the machine's."""
    copies = SPLIT_DEVICES // degree
    each = closed(
        SPLIT_MODEL, SPLIT_INSTANCE, Choices(dtype="bf16", tensor_parallel=degree), in_flight // copies, 500, 200
    )
    return Seen(each.first_token_s, each.tpot_ms, each.tokens_per_s * copies)


def split_or_copy() -> Chart:
    """What a reader sees against what the machine makes, for one copy over eight accelerators and for more copies over fewer."""
    looks = {1: OWN, 2: SAGEMAKER, 4: SOFT, 8: ACCENT}
    x = alt.X("tpot:Q", title="milliseconds per token", scale=alt.Scale(domain=[0, 60]))
    y = alt.Y("tokens:Q", title="tokens a second, the whole machine", axis=alt.Axis(format="~s"))
    layers = None
    for degree, colour in looks.items():
        seen = [(n, split(degree, n)) for n in IN_FLIGHT]
        rows = [{"tpot": s.tpot_ms, "tokens": s.tokens_per_s} for _, s in seen if s.tpot_ms <= 60]
        line = (
            data(rows)
            .mark_line(color=colour, strokeWidth=2.5, point={"color": colour, "size": 30})
            .encode(x, y, order=alt.Order("tokens:Q"))
        )
        layers = line if layers is None else layers + line
    assert layers is not None
    layers = (
        layers
        + label(33, 13600, "eight copies", OWN)
        + label(44, 10700, "four", SAGEMAKER)
        + label(42, 5600, "two", SOFT)
        + label(38, 2100, "one copy over eight", ACCENT)
    )
    return Chart(
        drawn(layers),
        PREDICTED,
        ("in flight", *(f"{SPLIT_DEVICES // d} × TP {d}: ms, tokens/s" for d in SPLITS)),
        tuple(
            (f"{n}", *(f"{split(d, n).tpot_ms:.0f}, {split(d, n).tokens_per_s:,.0f}" for d in SPLITS))
            for n in IN_FLIGHT
        ),
    )
