"""A run in numbers: the shape that `lab bench --json` and `lab simulate --json` share, with intervals, and with what a reader must know.

    summary = summarise(read(Path("run.jsonl")), Objective(ttft_ms=500))
    summary["ttft_ms"]["p99"], summary["ttft_ms"]["ci"]["p99"], summary["invalid"]

Latency counts from when a request was due. Percentiles are of requests that were answered; those that were not stay in every
denominator (requests, error and goodput shares, `with_failures`). Warm-up, a start-up that MSER-5 finds, and requests that were in
flight when somebody stopped the run are left out and counted under `left_out`.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from labs.bench import goodput
from labs.bench.cost import Price, cost, price_of, seconds_each
from labs.bench.intervals import ratio
from labs.bench.records import INTERRUPTED, Record, Run
from labs.bench.statistics import distribution, latency, milliseconds, pair
from labs.bench.steady import balance, start_up
from labs.bench.timeline import cold, throttled, timeline
from labs.errors import FALSE, Refusal
from labs.serving.statistics import Objective, percentile

SCHEMA = "deployment-dilemma/bench-summary/1"
LATENCIES: Mapping[str, Callable[[Record], float | None]] = {
    "ttft_ms": lambda record: record.ttft_s,
    "tpot_ms": lambda record: record.tpot_s,
    "e2e_ms": lambda record: record.e2e_s,
}
OF_FAILURES = (
    "percentiles are of answered requests; a failed one has no latency, and counts against goodput and in with_failures, "
    "where it waits for ever"
)


def summarise(run: Run, objective: Objective | None = None, price: Price | None = None) -> dict[str, Any]:
    """Everything that is said of a run. Objective and price are those of its header where none is given, else the register's price.

    Raises Refusal for a run without a request that counts.
    """
    objective = objective or goodput.objective_of(run.header.objective)
    records, left_out, steady = counted(run)
    if price is None:
        price = Price.from_dict(run.header.price) if run.header.price is not None else _list_price(run, records)
    duration_s = _end(records) - records[0].intended_s
    seed = run.header.seed
    answered = [r for r in records if r.ok]
    failed = len(records) - len(answered)
    per_s = 1.0 / duration_s if duration_s > 0 else 0.0
    series = {name: milliseconds([s for r in answered if (s := of(r)) is not None]) for name, of in LATENCIES.items()}
    memory = series["e2e_ms"].memory if answered else 1.0  # the longest there is: that of the queues
    spans = seconds_each(records, duration_s)

    def rate(values: Sequence[float]) -> tuple[float, list[float] | None]:
        estimate = ratio(values, spans, memory_requests=memory, seed=seed)
        return sum(values) * per_s, pair(estimate) if duration_s > 0 else None

    tokens_per_s, tokens_ci = rate([float(r.output_tokens or len(r.token_s)) if r.ok else 0.0 for r in records])
    requests_per_s, requests_ci = rate([1.0 if r.ok else 0.0 for r in records])
    summary: dict[str, Any] = {
        "schema": SCHEMA,
        **{name: latency(each, failed, seed) for name, each in series.items()},
        "output_tokens_per_s": tokens_per_s,
        "requests_per_s": requests_per_s,
        "requests": len(records),
        "goodput_per_s": None,
        "errors": dict(Counter(r.status for r in records if not r.ok).most_common()),
        "cost": cost(price, records, duration_s, memory, seed) if price else None,
        "provenance": run.header.provenance,
        "ci": {"output_tokens_per_s": tokens_ci, "requests_per_s": requests_ci, "goodput_per_s": None},
        "answered": len(answered),
        "duration_s": duration_s,
        "offered_per_s": len(records) / (records[-1].intended_s - records[0].intended_s + spans[0])
        if len(records) > 1 and records[-1].intended_s > records[0].intended_s
        else None,
        "shares": {
            "failed": failed / len(records),
            "throttled": sum(map(throttled, records)) / len(records),
            "cold": sum(map(cold, records)) / len(records),
        },
        "of_failures": OF_FAILURES,
        "objective": None,
        "left_out": left_out,
        "steady_state": steady,
        "littles_law": _law(records),
        **_quality(run, records),
        **_provenance(run),
        "price": price.as_dict() if price else None,
        "distribution": {name: distribution(each) for name, each in series.items()},
        # The whole run, start-up and all: what happened when is not for statistics to cut.
        "timeline": timeline([r for r in run.records if not r.warmup]),
    }
    if objective is not None and objective.stated:
        good = [1.0 if goodput.meets(r, objective) else 0.0 for r in records]
        summary["goodput_per_s"], summary["ci"]["goodput_per_s"] = rate(good)
        share = ratio(good, None, memory_requests=memory, seed=seed)
        summary["objective"] = {
            **goodput.limits_of(objective),
            "words": goodput.in_words(objective),
            "share": share.value,
            "share_ci": pair(share),
        }
    return summary


def counted(run: Run) -> tuple[list[Record], dict[str, Any], dict[str, Any]]:
    """The records that statistics are made from, in order of due time; what was left out; and what was found of the steady state."""
    if not run.records:
        raise Refusal("the run holds no request: nothing was sent, or everything was lost when it was killed", FALSE)
    records = sorted(run.measured, key=lambda r: (r.intended_s, r.id))
    if not records:
        raise Refusal(
            f"the run holds {len(run.records):,} requests, all of them warm-up or in flight when it stopped: run it longer",
            FALSE,
        )
    answered = [(place, e2e) for place, r in enumerate(records) if r.ok and (e2e := r.e2e_s) is not None]
    found = start_up([e2e for _, e2e in answered])
    cut = answered[found.dropped][0] if found.dropped else 0
    warmup = [r for r in run.records if r.warmup and r.status != INTERRUPTED]
    left_out = {
        "warm_up": len(warmup),
        "warm_up_errors": sum(not r.ok for r in warmup),
        "start_up": cut,
        "start_up_errors": sum(not r.ok for r in records[:cut]),
        "interrupted": sum(r.status == INTERRUPTED for r in run.records),
    }
    return records[cut:], left_out, {"method": "MSER-5", "reached": found.reached, "dropped": cut, "says": found.says}


def _list_price(run: Run, records: Sequence[Record]) -> Price | None:
    """Today's price of what answered, where the run kept none; its worker at the queue waits as long as answers take."""
    waits = [e2e for r in records if r.ok and (e2e := r.e2e_s) is not None]
    return price_of(run.header.target, sum(waits) / len(waits)) if waits else None


def _end(records: Sequence[Record]) -> float:
    ends = [r.ended_s for r in records if r.ended_s is not None]
    return max(ends, default=records[-1].intended_s)


def _law(records: Sequence[Record]) -> dict[str, Any] | None:
    found = balance(records)
    if found is None:
        return None
    says = (
        "what is in flight is rate x time, as it must be"
        if found.holds
        else "more was in flight at the end than at the beginning: the load was more than this serves, or the run is too short"
    )
    return {**asdict(found), "difference": found.difference, "says": says}


def _quality(run: Run, records: Sequence[Record]) -> dict[str, Any]:
    """The harness's own figures: lateness, its share of a core, and why the run does not count if it does not."""
    quality = run.quality
    invalid = list(quality.reasons) if quality is not None else []
    if quality is None:
        invalid.append("the run never came to its end: the harness was killed, and its own quality is unknown")
    elif not quality.finished and not invalid:
        invalid.append("the run was stopped before its end: the figures are of what was done until then")
    if run.torn:
        invalid.append(run.torn)
    lags = sorted(1e3 * lag for r in records if (lag := r.lag_s) is not None)
    lag_ms: dict[str, float | None] = {"p50": None, "p99": None, "max": None}
    if quality is not None and quality.workers:
        for name in lag_ms:
            lag_ms[name] = max(
                (lag for worker in quality.workers if (lag := worker.lag_ms.get(name)) is not None), default=None
            )
    elif lags:
        lag_ms = {"p50": percentile(lags, 0.5), "p99": percentile(lags, 0.99), "max": lags[-1]}
    return {
        "schedule_lag_ms": lag_ms,
        "client_cpu": max((w.cpu_share for w in quality.workers), default=None) if quality else None,
        "cpu_per_request_ms": quality.cpu_per_request_ms if quality else None,
        "workers": [asdict(w) for w in quality.workers] if quality else [],
        "valid": not invalid,
        "invalid": invalid,
    }


def _provenance(run: Run) -> dict[str, Any]:
    header = run.header
    return {
        "provenance_note": header.provenance_note,
        "target": dict(header.target),
        "offered": dict(header.offered),
        "loop": header.loop,
        "seed": header.seed,
        "started_at": header.started_at,
        "versions": dict(header.versions),
    }
