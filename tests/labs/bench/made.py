"""Runs that never happened: records made from the serving engine in virtual time, or written down by hand."""

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from labs.bench.records import Header, Quality, Record, Run, WorkerQuality
from labs.serving.requests import NEVER, Table

FINISHED = Quality(
    valid=True,
    reasons=(),
    finished=True,
    workers=(
        WorkerQuality(
            worker=0,
            requests=100,
            cpu_s=1.0,
            wall_s=10.0,
            lag_ms={"p50": 0.1, "p99": 0.4, "max": 0.9},
            stalls=0,
            longest_stall_ms=2.0,
        ),
    ),
    duration_s=10.0,
)


def record(id: int, due_s: float, **other: Any) -> Record:
    """An answer of 50 tokens after 100 ms, 10 ms apart, unless said otherwise."""
    first = due_s + other.pop("ttft_s", 0.1)
    tokens = other.pop("output_tokens", 50)
    last = first + other.pop("tpot_s", 0.01) * (tokens - 1)
    given: dict[str, Any] = {
        "id": id,
        "intended_s": due_s,
        "sent_s": due_s,
        "first_token_s": first,
        "token_s": (first, last) if tokens > 1 else (first,),
        "last_token_s": last,
        "ended_s": last,
        "input_tokens": 500,
        "output_tokens": tokens,
        "status": "ok",
        "http_status": 200,
        "message": "",
        "warmup": False,
        "worker": 0,
        "session": None,
    }
    return Record(**{**given, **other})


def throttle(id: int, due_s: float, status: str = "ThrottlingException") -> Record:
    """A request that was turned away at once."""
    return record(
        id,
        due_s,
        first_token_s=None,
        token_s=(),
        last_token_s=None,
        ended_s=due_s + 0.005,
        output_tokens=0,
        input_tokens=None,
        status=status,
        http_status=429,
    )


def header(**other: Any) -> Header:
    given: dict[str, Any] = {
        "target": {"name": "sagemaker-gpu", "model": "llama-3.1-8b", "endpoint": "sagemaker-stream", "streaming": True},
        "offered": {
            "arrival": "poisson",
            "rate_per_s": 10.0,
            "duration_s": 60.0,
            "input_tokens": "500",
            "output_tokens": "50",
        },
        "loop": "open",
        "provenance": "predicted",
        "provenance_note": "offered to the local cloud",
        "started_at": "2026-11-20T10:00:00+00:00",
        "versions": {"python": "3.11"},
    }
    return Header(**{**given, **other})


def run(records: Iterable[Record], quality: Quality | None = FINISHED, **head: Any) -> Run:
    return Run(header(**head), tuple(records), quality)


def steady_run(n: int = 600, rate: float = 10.0, seed: int = 1, **head: Any) -> Run:
    """Poisson arrivals at a service whose TTFT scatters and whose requests do not wait for each other."""
    random, t, records = Random(seed), 0.0, []
    for i in range(n):
        t += random.expovariate(rate)
        records.append(
            record(i, t, ttft_s=0.1 * random.lognormvariate(0, 0.3), tpot_s=0.01 * random.lognormvariate(0, 0.05))
        )
    return run(records, **head)


def from_table(table: Table, **head: Any) -> Run:
    """What a client would have recorded of a table that the engine has run."""
    records = []
    for row in range(len(table)):
        due, first, last, tokens = table.arrival[row], table.first[row], table.finish[row], table.output_tokens[row]
        if last == NEVER:
            records.append(throttle(row, due))
        else:
            records.append(
                record(
                    row,
                    due,
                    ttft_s=first - due,
                    output_tokens=tokens,
                    input_tokens=table.input_tokens[row],
                    last_token_s=last,
                    ended_s=last,
                    token_s=(first, last) if tokens > 1 else (first,),
                )
            )
    return run(records, **head)


def target(name: str, **other: Any) -> Mapping[str, Any]:
    return {"name": name, "model": "llama-3.1-8b", **other}
