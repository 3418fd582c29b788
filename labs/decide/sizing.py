"""How fast and how much: short simulated windows of the load on one replica, and the rate up to which it keeps the objective.

    demand = Demand("poisson", 500, 200, ttft_ms=2_000, e2e_ms=None, waits=True)
    capacity_per_s(spec, demand)          # requests per second of one replica within the objective
    predict(spec, demand, rate_per_s=1.0) # Prediction(ttft_ms=Range(...), ...)

A replica is simulated alone, at its share of the load: a router that looks before it sends does a little better. The windows are
seeded and stretched with the rate, so that the same question has the same answer and more load never looks like less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, ParamSpec, TypeVar, cast

from labs.decide.case import Case
from labs.errors import Refusal
from labs.facts import catalogue
from labs.facts.catalogue_schema import InstanceType, Shape
from labs.serving.arrivals import arrivals, lengths
from labs.serving.engine import EngineConfig
from labs.serving.profiles import Choices, Deployment, hardware, plan
from labs.serving.replica import Spec
from labs.serving.requests import Table
from labs.serving.service import ServiceSpec
from labs.serving.simulate import simulate
from labs.serving.statistics import Statistics

P = ParamSpec("P")
R = TypeVar("R")


def remembered(function: Callable[P, R]) -> Callable[P, R]:
    """A cache, for functions of frozen things: nothing in here depends on a price."""
    return cast(Callable[P, R], lru_cache(maxsize=4096)(function))


SEED = 7
WINDOW_REQUESTS = 300
"""enough for a 99th percentile of three"""
LONGEST_WINDOW = 1500
SERVICE_REQUESTS = 400
"""for a shared service, where nobody queues for another"""
PATIENCE_MS = 10_000.0
"""What is taken as the objective for the first token when somebody waits and nobody has said: later, people take a service for broken."""
FILL = 0.9
"""Where nobody waits: the part of the greatest throughput that is planned for."""
SEARCH_STEPS = 5
LEAST = 1e-3
"""of the greatest throughput: what is less than that is nothing"""
HOST_MEMORY_FOR_WEIGHTS = 1.2
"""Host memory that loading takes, in weights."""
GRADUAL_BATCH = 32
"""Sequences of a continuous batch on Neuron: vLLM there is compiled for a number; an assumption."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of a replica, whatever its rate."""

    process: Literal["poisson", "gamma"]
    input_tokens: int
    output_tokens: int
    ttft_ms: float | None
    e2e_ms: float | None
    waits: bool
    """somebody waits for the answer"""

    @property
    def first_token_ms(self) -> float:
        """The objective for the first token, stated or taken."""
        return self.ttft_ms if self.ttft_ms is not None else PATIENCE_MS


def demand(case: Case) -> Demand:
    """From requirements: bursts for a spiky profile, a Poisson process otherwise."""
    asked = case.asked
    return Demand(
        "gamma" if asked.profile == "spiky" else "poisson",
        asked.input_tokens,
        asked.output_tokens,
        asked.ttft_ms,
        asked.e2e_ms,
        not asked.answer_can_wait,
    )


@dataclass(frozen=True, slots=True)
class Range:
    """A predicted figure; `low` and `high` differ where the insides of a service are unknown."""

    low: float
    central: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Range:
        return cls(value, value, value)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Latencies in milliseconds, predicted by the serving model."""

    ttft_p50: Range
    ttft_p99: Range
    e2e_p50: Range
    e2e_p99: Range

    def meets(self, ttft_ms: float | None, e2e_ms: float | None) -> Literal["yes", "unsure", "no", "not asked"]:
        """Are the 99th percentiles within the objectives? 'unsure': somewhere in the range, and not everywhere."""
        limits = [(self.ttft_p99, ttft_ms), (self.e2e_p99, e2e_ms)]
        asked = [(figure, limit) for figure, limit in limits if limit is not None]
        if not asked:
            return "not asked"
        if all(figure.high <= limit for figure, limit in asked):
            return "yes"
        return "unsure" if all(figure.low <= limit for figure, limit in asked) else "no"


def joined(low: Prediction, central: Prediction, high: Prediction) -> Prediction:
    """One prediction with a range from three; the order of a figure's three values is not trusted."""

    def spread(name: str) -> Range:
        values = [getattr(each, name).central for each in (low, central, high)]
        return Range(min(values), values[1], max(values))

    return Prediction(spread("ttft_p50"), spread("ttft_p99"), spread("e2e_p50"), spread("e2e_p99"))


# One replica


@remembered
def _window(spec: Spec, asked: Demand, rate_per_s: float, requests: int) -> Statistics:
    times = arrivals(asked.process, rate_per_s, requests=requests, seed=SEED)
    table = Table.of(times, lengths(asked.input_tokens, requests), lengths(asked.output_tokens, requests))
    return simulate(EngineConfig(spec, seed=SEED), table).statistics


@remembered
def _greatest_throughput(spec: Spec, asked: Demand) -> tuple[float, int]:
    """Requests per second when all come at once, which no queue ever beats for long; and how many a window needs to show a queue."""
    everybody = _window(spec, asked, 1e6, 2 * WINDOW_REQUESTS)
    if everybody.finished < everybody.requests or everybody.e2e_ms is None:
        return 0.0, WINDOW_REQUESTS
    alone = _window(spec, asked, 1e-6, 1).e2e_ms
    in_flight = everybody.requests_per_s * (alone.mean if alone else 0.0) / 1e3
    return everybody.requests_per_s, int(min(LONGEST_WINDOW, max(WINDOW_REQUESTS, 6 * in_flight)))


def _kept(spec: Spec, asked: Demand, rate_per_s: float, requests: int) -> bool:
    seen = _window(spec, asked, rate_per_s, requests)
    if seen.finished < seen.requests or seen.ttft_ms is None or seen.e2e_ms is None:
        return False
    on_time = asked.e2e_ms is None or seen.e2e_ms.p99 <= asked.e2e_ms
    return on_time and seen.ttft_ms.p99 <= asked.first_token_ms


@remembered
def capacity_per_s(spec: Spec, asked: Demand) -> float:
    """Requests per second up to which one replica keeps the objective; 0.0 when it cannot even alone."""
    greatest, requests = _greatest_throughput(spec, asked)
    if not asked.waits or greatest <= 0:
        return FILL * greatest
    if _kept(spec, asked, greatest, requests):
        return greatest
    kept, broken = 0.0, greatest
    for _ in range(SEARCH_STEPS):
        middle = (kept + broken) / 2
        if _kept(spec, asked, middle, requests):
            kept = middle
        else:
            broken = middle
    # A tight objective leaves room for little; look further down before saying that there is none at all.
    while not kept and broken > LEAST * greatest and alone_in_time(spec, asked):
        broken /= 2
        kept = broken if _kept(spec, asked, broken, requests) else 0.0
    return kept


@remembered
def alone_in_time(spec: Spec, asked: Demand) -> bool:
    """Whether a request that has the replica to itself keeps the objective."""
    return _kept(spec, asked, 1e-6, 1)


@remembered
def predict(spec: Spec, asked: Demand, rate_per_s: float) -> Prediction | None:
    """Latencies of one replica at a rate; None when it would not finish."""
    shared = isinstance(spec, ServiceSpec)
    requests = SERVICE_REQUESTS if shared else 2 * _greatest_throughput(spec, asked)[1]
    seen = _window(spec, asked, rate_per_s, requests)
    if seen.ttft_ms is None or seen.e2e_ms is None or seen.finished < seen.requests:
        return None
    return Prediction(
        Range.exactly(seen.ttft_ms.p50),
        Range.exactly(seen.ttft_ms.p99),
        Range.exactly(seen.e2e_ms.p50),
        Range.exactly(seen.e2e_ms.p99),
    )


# One instance


@dataclass(frozen=True, slots=True)
class Setup:
    """The model on one instance type: how it is spread there, and what one instance carries."""

    instance: str
    """without 'ml.'"""
    spec: Spec
    copies: int
    """replicas on one instance"""
    capacity_per_s: float
    """of the instance, within the objective"""
    deployment: Deployment

    @property
    def describes(self) -> str:
        """'bf16, 4-way parallel'"""
        made = self.deployment
        batching = made.settings["batching"]
        copies = f", {self.copies} copies" if self.copies > 1 else ""
        static = f", static batches of {made.settings['max_num_seqs']}" if batching == "static" else ""
        return f"{made.dtype}, {made.tensor_parallel}-way parallel{copies}{static}"


def priced_types(service: Literal["sagemaker", "ec2"], kind: str) -> list[InstanceType]:
    """Instance types of a service with accelerators of a kind ('gpu', 'neuron') and a known price."""
    chips = catalogue.accelerators()
    return [
        entry
        for entry in catalogue.instances().values()
        if entry.service == service and entry.price is not None and chips[entry.accelerator].kind == kind
    ]


@remembered
def setups(name: str, shape: Shape, instance: str, dtype: str, asked: Demand, packs: bool) -> tuple[Setup, ...]:
    """The sensible ways to put the model on an instance type, best first; () when it does not fit.

    On Neuron, static batches are tried only where a continuous batch cannot keep the objective. With `packs` an instance may hold several copies on parts of its accelerators; otherwise one copy takes them all.
    """
    machine = hardware(instance)
    host_bytes = catalogue.instance(instance).memory_gib * (1 << 30)
    found: dict[tuple[Spec, int], Setup] = {}
    for choices in _choices(machine.kind, machine.devices, dtype, packs):
        try:
            made = plan((name, shape), machine, choices)
        except (Refusal, ValueError):
            continue
        if machine.kind == "gpu" and host_bytes < HOST_MEMORY_FOR_WEIGHTS * made.memory.weights_bytes:
            continue
        copies = machine.devices // made.tensor_parallel if packs else 1
        capacity = copies * capacity_per_s(made.spec, asked)
        found[made.spec, copies] = Setup(instance, made.spec, copies, capacity, made)
        if machine.kind == "neuron" and capacity > 0:
            break
    return tuple(sorted(found.values(), key=lambda way: -way.capacity_per_s))


def _choices(kind: str, devices: int, dtype: str, packs: bool) -> list[Choices]:
    if kind == "neuron":
        static = Choices(dtype="bf16" if dtype == "mxfp4" else dtype, tensor_parallel=min(devices, 64))
        return [replace(static, batching="continuous", max_num_seqs=GRADUAL_BATCH), static]
    if kind == "cpu":
        return [Choices(dtype=dtype)]
    whole = Choices(dtype=dtype, tensor_parallel=devices)
    return [whole, Choices(dtype=dtype)] if packs and devices > 1 else [whole]
