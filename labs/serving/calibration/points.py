"""The measurements: what was published, how each row is read, and what the engine says of it.

    for point in published(): print(point.id, predict(point, fitted()).tpot_ms)

A published row leaves things unsaid; how they are read here is in `WORKLOADS`, `HARDWARE` and `DOUBTS`, for everybody to see.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from labs.serving.arrivals import read_trace
from labs.serving.engine import EngineConfig
from labs.serving.profiles import (
    Choices,
    Constants,
    Deployment,
    Hardware,
    hardware,
    hardware_from_file,
    model_shape,
    plan,
)
from labs.serving.requests import Table
from labs.serving.simulate import Closed, simulate
from labs.serving.static_batching import StaticSpec
from labs.serving.statistics import Statistics, statistics

DATA = Path(__file__).parent / "data"
TRACE = DATA / "vllm-0.19-rtx4090-llama-3.1-8b.csv"

HARDWARE = {"1xH100-80": "h100", "2xH100": "h100", "1xH200": "h200", "1xA100-40": "a100-40"}
"""how a row names hardware: the catalogue's id"""
DTYPES = {"int8-weights": "int8"}
WORKLOADS = {"chatbot-short": (128, 128)}
"""a workload named but not described: tokens in and out that we take it to have"""
SATURATED = 1024
"""requests, all sent at once, that stand for 'saturated': several times what fits in the cache"""

CORRECTED_TPOT_MS = {"nb-11": 24.22}
"""figures that are fitted instead of the printed one"""
DOUBTS = {
    "nb-11": "its p50 and p99 columns look swapped: 40.81 tokens/s means 24.3 ms, so 24.22 is fitted; the printed 26.48 is compared",
    "gpu-23": "'chatbot-short' is not described: 128 tokens in and out are assumed; its tokens/s does not follow from its TPOT and is not used",
    "gpu-24": "as gpu-23",
    "gpu-31": "'saturated' is taken as 1,024 requests sent at once; the server was TensorRT-LLM",
    "gpu-34": "as gpu-31",
}


@dataclass(frozen=True)
class Point:
    """One published row."""

    id: str
    group: str
    """which rows share a server and a kind of hardware: left out together in cross-validation"""
    model: str
    hardware: str
    printed: str
    """the hardware in the row's own words"""
    tensor_parallel: int
    dtype: str
    input_tokens: int
    output_tokens: int
    concurrency: int | None
    """None: saturated"""
    ttft_ms: float | None
    tpot_ms: float | None
    output_tokens_per_s: float | None
    source: str
    measured: str

    @property
    def per_token_median(self) -> bool:
        """The Neuron pages take the median over tokens, not over requests: with growing buckets that is more than the mean."""
        return self.group.startswith("neuron")


@dataclass(frozen=True)
class Prediction:
    """What the engine says of a point."""

    ttft_ms: float
    tpot_ms: float
    """median over requests, as `lab simulate` prints it"""
    token_ms: float
    """median over tokens"""
    output_tokens_per_s: float


@cache
def published() -> tuple[Point, ...]:
    """The published rows, read as said above."""
    points = []
    source = ""
    with (DATA / "published-serving-points.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            source = row["source"].replace("same", source, 1) if row["source"].startswith("same") else row["source"]
            inputs, outputs = WORKLOADS.get(row["input_tokens"], (0, 0))
            if row["input_tokens"].isdigit():
                inputs, outputs = int(row["input_tokens"]), int(row["output_tokens"])
            saturated = row["concurrency"] == "saturated"
            on = HARDWARE.get(row["hardware"], row["hardware"])
            group = {"inf2.48xlarge": "neuron inf2", "trn1.32xlarge": "neuron trn1"}.get(
                on, "gpu saturated" if saturated else "gpu"
            )
            points.append(
                Point(
                    id=row["id"],
                    group=group,
                    model=row["model"].lower(),
                    hardware=on,
                    printed=row["hardware"],
                    tensor_parallel=int(row["tensor_parallel"]),
                    dtype=DTYPES.get(row["dtype"], row["dtype"]),
                    input_tokens=inputs,
                    output_tokens=outputs,
                    concurrency=None if saturated else int(row["concurrency"]),
                    ttft_ms=float(row["ttft_ms_p50"]) if row["ttft_ms_p50"] else None,
                    tpot_ms=float(row["tpot_ms_p50"]) if row["tpot_ms_p50"] else None,
                    output_tokens_per_s=float(row["output_tokens_per_s"]) if row["output_tokens_per_s"] else None,
                    source=source,
                    measured=row["measured"],
                )
            )
    return tuple(points)


def deployed(point: Point, constants: Constants) -> Deployment:
    """The point's deployment, with the constants being tried."""
    on = _hardware(point.hardware, constants)
    choices = Choices(tensor_parallel=point.tensor_parallel, dtype=point.dtype, max_num_seqs=_seats(point))
    return plan(model_shape(point.model), on, choices, constants)


def _seats(point: Point) -> int | None:
    """A static batch is compiled for the batch that was measured; other servers keep their defaults."""
    return point.concurrency if point.group.startswith("neuron") else None


def _hardware(name: str, constants: Constants) -> Hardware:
    on = hardware(name)
    if on.id.startswith("trn1"):
        return replace(on, latency=constants["neuron"]["trainium1_latency"])
    return on


def predict(point: Point, constants: Constants) -> Prediction:
    """What the engine makes of a point."""
    made = deployed(point, constants)
    clients = point.concurrency or 0
    if clients:
        rounds = 1 if isinstance(made.spec, StaticSpec) else 4  # one static batch is like the next
        workload: Closed | Table = Closed(clients, rounds * clients, point.input_tokens, point.output_tokens)
    else:
        workload = Table.of([0.0] * SATURATED, [point.input_tokens] * SATURATED, [point.output_tokens] * SATURATED)
    numbers = simulate(EngineConfig(made.spec), workload).statistics
    assert numbers.ttft_ms is not None
    assert numbers.tpot_ms is not None
    token_ms = numbers.tpot_ms.p50
    if isinstance(made.spec, StaticSpec):
        spans = made.spec.decode_spans(made.spec.padded_batch(clients), point.input_tokens, point.output_tokens - 1)
        token_ms = 1e3 * _weighted_median(spans)
    return Prediction(numbers.ttft_ms.p50, numbers.tpot_ms.p50, token_ms, numbers.output_tokens_per_s)


def _weighted_median(spans: Sequence[tuple[int, float]]) -> float:
    half = sum(count for count, _ in spans) / 2
    for count, seconds in sorted(spans, key=lambda span: span[1]):
        half -= count
        if half <= 0:
            return seconds
    raise ValueError("a median of nothing")


# The trace


@cache
def measured_trace() -> Table:
    """The run on the RTX 4090 as it was: arrivals, lengths, and the times that were measured."""
    table = read_trace(TRACE)
    with TRACE.open(newline="", encoding="utf-8") as file:
        for row, line in enumerate(csv.DictReader(file)):
            table.first[row], table.finish[row] = float(line["first_token_s"]), float(line["last_token_s"])
    return table


def replayed_trace(constants: Constants) -> Table:
    """The same arrivals and lengths through the engine."""
    on = hardware_from_file(DATA / "rtx4090.yaml")
    # What the run's log says of the server; there was no front end to cross, and the trace's times are the engine's own.
    choices = Choices(dtype="bf16", max_num_seqs=256, token_budget=2048, kv_capacity_tokens=41_408, ingress_s=0.0)
    made = plan(model_shape("llama-3.1-8b"), on, choices, constants)
    was = measured_trace()
    table = Table.of(was.arrival, was.input_tokens, was.output_tokens)
    simulate(EngineConfig(made.spec), table)
    return table


TRACE_FIGURES = ("TTFT mean", "TTFT p99", "TPOT mean", "E2E mean")


def trace_figures(table: Table) -> tuple[float, ...]:
    """The figures that the trace is judged by, in milliseconds, in the order of `TRACE_FIGURES`."""
    numbers: Statistics = statistics(table)
    assert numbers.ttft_ms is not None
    assert numbers.tpot_ms is not None
    assert numbers.e2e_ms is not None
    return numbers.ttft_ms.mean, numbers.ttft_ms.p99, numbers.tpot_ms.mean, numbers.e2e_ms.mean
