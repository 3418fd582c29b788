"""A run along its time: what was offered, answered, throttled, cold or failed in each slice, and how slow it was."""

from collections.abc import Sequence
from typing import Any

from labs.bench.records import Record
from labs.serving.statistics import percentile

SLICES = 60
NICE_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
THROTTLED = frozenset({"ThrottlingException", "TooManyRequestsException", "ServiceQuotaExceededException"})
COLD = frozenset({"ModelNotReadyException"})


def throttled(record: Record) -> bool:
    """Was it turned away because of its rate?"""
    return record.status in THROTTLED or (record.http_status == 429 and record.status not in COLD)


def cold(record: Record) -> bool:
    """Was it turned away because nothing was up to answer it?"""
    return record.status in COLD


def timeline(records: Sequence[Record]) -> dict[str, Any]:
    """Slices of a round number of seconds, at most `SLICES` of them; a request belongs to the slice in which it was due."""
    if not records:
        return {"slice_s": None, "slices": []}
    begin, end = min(r.intended_s for r in records), max(r.intended_s for r in records)
    width = next((s for s in NICE_S if (end - begin) / s <= SLICES), max(NICE_S[-1], (end - begin) / SLICES))
    origin = begin // width * width
    count = int((end - origin) // width) + 1
    slices: list[list[Record]] = [[] for _ in range(count)]
    for record in records:
        slices[int((record.intended_s - origin) // width)].append(record)
    return {"slice_s": width, "slices": [_slice(origin + i * width, inside) for i, inside in enumerate(slices)]}


def _slice(begin_s: float, inside: Sequence[Record]) -> dict[str, Any]:
    ttft = sorted(1e3 * r.ttft_s for r in inside if r.ok and r.ttft_s is not None)
    return {
        "from_s": begin_s,
        "offered": len(inside),
        "answered": sum(r.ok for r in inside),
        "throttled": sum(throttled(r) for r in inside),
        "cold": sum(cold(r) for r in inside),
        "failed": sum(not (r.ok or throttled(r) or cold(r)) for r in inside),
        "ttft_p50_ms": percentile(ttft, 0.5) if ttft else None,
        "ttft_max_ms": ttft[-1] if ttft else None,
    }
