"""The engine in virtual time: a deployment and a workload in, latencies out. What `lab simulate` does, as functions.

plan = deployment("llama-3-8b", "inf2.48xlarge", Choices(dtype="int8"))
run = simulate(EngineConfig(plan.spec, replicas=2), Closed(concurrency=8, requests=64, input_tokens=500, output_tokens=200))
run.statistics.ttft_ms.p99, run.snapshot.preemptions
"""

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from labs.serving.engine import Engine, EngineConfig, Snapshot
from labs.serving.requests import Request, Table
from labs.serving.statistics import Objective, Statistics, statistics


@dataclass(frozen=True)
class Closed:
    """So many clients, each of which sends its next request when its last is answered."""

    concurrency: int
    requests: int
    input_tokens: int
    output_tokens: int
    max_tokens: int | None = None


@dataclass(frozen=True)
class Simulation:
    """What happened."""

    statistics: Statistics
    snapshot: Snapshot
    rejections: Mapping[str, int]
    """reason: how many"""
    table: Table


def simulate(config: EngineConfig, workload: Closed | Table, objective: Objective | None = None) -> Simulation:
    """Serve a workload in virtual time."""
    engine = Engine(config)
    if isinstance(workload, Table):
        table = workload
        engine.run(table)
    else:
        table = _run_closed(engine, workload)
    return Simulation(statistics(table, objective), engine.snapshot(), dict(engine.rejections), table)


PAUSE_S = 1.0
"""how long a client that was turned away waits before it sends its next request"""


def _run_closed(engine: Engine, workload: Closed) -> Table:
    """Drive the engine live, each answer calling forth the next request; the times end up in a table."""
    n = workload.requests
    arrival, first, finish = [0.0] * n, [float("inf")] * n, [float("inf")] * n
    sent = ended = 0
    clients = [0.0] * min(workload.concurrency, n)
    """heap: when each idle client sends its next request"""
    while ended < n:
        at = engine.next_event_at()
        if clients and sent < n and (at is None or clients[0] <= at):
            t = heappop(clients)
            arrival[sent] = t
            engine.submit(t, Request(str(sent), workload.input_tokens, workload.output_tokens, workload.max_tokens))
            sent += 1
            continue
        if at is None:
            break
        for event in engine.advance(at):
            row = int(event.request_id)
            if event.kind == "tokens":
                first[row] = event.t
            elif event.kind == "finished":
                finish[row] = event.t
                ended += 1
                heappush(clients, event.t)
            elif event.kind == "rejected":
                ended += 1
                heappush(clients, event.t + PAUSE_S)
    order = sorted(range(sent), key=arrival.__getitem__)
    table = Table.of(
        [arrival[row] for row in order],
        [workload.input_tokens] * sent,
        [min(workload.output_tokens, workload.max_tokens or workload.output_tokens)] * sent,
        None if workload.max_tokens is None else [workload.max_tokens] * sent,
    )
    for place, row in enumerate(order):
        table.first[place], table.finish[place] = first[row], finish[row]
    return table


ERROR_OF = {
    "context": "ValidationException",
    "tokens per minute": "ThrottlingException",
    "tokens per day": "ThrottlingException",
    "requests per minute": "ThrottlingException",
    "queue": "ThrottlingException",
    "not ready": "ModelNotReadyException",
}
"""reason of the engine: the error that a caller of AWS sees"""


def as_json(run: Simulation) -> dict[str, Any]:
    """The shape that `lab simulate` and `lab bench` share. The cost is for economics to fill in: see `replica_hours`."""
    numbers = run.statistics.as_dict()
    errors: dict[str, int] = {}
    for reason, count in run.rejections.items():
        errors[ERROR_OF[reason]] = errors.get(ERROR_OF[reason], 0) + count
    shared = ("ttft_ms", "tpot_ms", "e2e_ms", "output_tokens_per_s", "requests_per_s", "requests", "goodput_per_s")
    duration = run.statistics.duration_s
    return {
        **{name: numbers[name] for name in shared},
        "errors": errors,
        "cost": None,
        "provenance": "predicted",
        "duration_s": duration,
        "replica_hours": run.snapshot.replica_s / 3600.0,
        "utilisation": run.snapshot.busy_s / run.snapshot.replica_s if run.snapshot.replica_s else None,
        "preemptions": run.snapshot.preemptions,
        "steps": run.snapshot.steps,
        "cold_starts": run.snapshot.cold_starts,
        "rejections": dict(run.rejections),
    }
