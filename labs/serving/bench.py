"""How fast the engine simulates, beside the step-by-step engine, in one run: `python -m labs.serving.bench`.

All-in: generation of arrivals, the engine, percentiles. The figures are processor seconds of one core, so that a busy machine does not
count against it; peak memory is the process's, interpreter and libraries included.
"""

import resource
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import click

from labs import terminal
from labs.serving.arrivals import DAY_S, arrivals, lengths
from labs.serving.batching import ReplicaSpec
from labs.serving.engine import EngineConfig
from labs.serving.profiles import deployment
from labs.serving.requests import Table
from labs.serving.simulate import simulate
from labs.serving.stepwise import stepwise

INPUT_TOKENS, OUTPUT_TOKENS = 500, 200


@dataclass(frozen=True)
class Case:
    """One measurement."""

    name: str
    rate_per_s: float
    requests: int | None
    replicas: int
    duration_s: float | None = None
    evict: bool = True
    kv_tokens: int | None = None
    token_budget: int | None = None


CASES = (
    Case("1 replica, 5/s", 5, 200_000, 1),
    Case("1 replica, 20/s", 20, 200_000, 1),
    Case("4 replicas, 20/s", 20, 200_000, 4),
    Case("8 replicas, 100/s", 100, 200_000, 8),
    Case("1 replica, saturated", 200, 200_000, 1),
    Case("chunks of 64", 5, 20_000, 1, token_budget=64),
    Case("little KV cache", 60, 50_000, 1, kv_tokens=20_000),
    Case("a day at 20/s", 20, None, 1, duration_s=DAY_S),
)
STEP_CASES = (Case("1 replica, 5/s", 5, 1_000, 1), Case("1 replica, 20/s", 20, 1_000, 1))


def measure(case: Case, *, stepping: bool = False) -> dict[str, Any]:
    """Run one case; processor seconds, requests simulated per second, peak memory."""
    spec = deployment("llama-3.1-8b", "h100").spec
    assert isinstance(spec, ReplicaSpec)
    if case.kv_tokens:
        spec = replace(spec, kv_capacity_tokens=case.kv_tokens)
    if case.token_budget:
        spec = replace(spec, token_budget=case.token_budget, max_num_seqs=case.token_budget - 1)
    if stepping:
        spec = stepwise(spec)
    began = time.process_time()
    times = arrivals("poisson", case.rate_per_s, requests=case.requests, duration_s=case.duration_s, seed=1)
    table = Table.of(times, lengths(INPUT_TOKENS, len(times)), lengths(OUTPUT_TOKENS, len(times)))
    run = simulate(EngineConfig(spec, replicas=case.replicas), table)
    spent = time.process_time() - began
    assert run.statistics.e2e_ms is not None
    in_flight = run.statistics.requests_per_s * run.statistics.e2e_ms.mean / 1e3
    return {
        "case": case.name,
        "requests": len(table),
        "cpu_s": round(spent, 3),
        "requests_per_cpu_s": round(len(table) / spent),
        "steps": run.snapshot.steps,
        "preemptions": run.snapshot.preemptions,
        "in_flight_per_replica": round(in_flight / case.replicas, 1),
        "peak_mb": round(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
        ),
    }


@click.command()
@click.option("--quick", is_flag=True, help="A tenth of the requests, and no whole day.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def main(quick: bool, as_json: bool) -> int:
    """Simulated requests per second of the event-jumping engine and of the step-by-step one: 500 tokens in, 200 out."""
    cases = [replace(c, requests=(c.requests or 0) // 10) for c in CASES if c.requests] if quick else list(CASES)
    jumping = [measure(case) for case in cases]
    stepping = [measure(case, stepping=True) for case in STEP_CASES]
    slow = {row["case"]: row["requests_per_cpu_s"] for row in stepping}
    for row in jumping:
        row["times_the_step_engine"] = (
            round(row["requests_per_cpu_s"] / slow[row["case"]], 1) if row["case"] in slow else None
        )
    if as_json:
        terminal.emit_json({"jumping": jumping, "stepping": stepping})
        return 0
    terminal.table(
        "Simulated requests per second of one core, all-in, 500 tokens in and 200 out",
        ("case", "jumping (1/s)", "stepping (1/s)", "ratio ()", "CPU (s)", "peak (MB)"),
        (
            (
                row["case"],
                f"{row['requests_per_cpu_s']:,}",
                f"{slow[row['case']]:,}" if row["case"] in slow else "",
                f"{row['times_the_step_engine']:,.0f} x" if row["times_the_step_engine"] else "",
                f"{row['cpu_s']:.2f}",
                row["peak_mb"],
            )
            for row in jumping
        ),
    )
    terminal.say(
        "Both engines give the same times, steps and preemptions: `pytest tests/labs/serving/test_batching.py` holds them to it."
    )
    terminal.say(
        "Next: `lab simulate --rate 20 --duration 86400 --model llama-3.1-8b --hardware h100` is the whole day from the command line."
    )
    return 0


if __name__ == "__main__":
    sys.exit(terminal.run(main, "python -m labs.serving.bench"))
