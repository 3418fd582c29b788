"""Did the client spoil its own measurement? Limits, each with its reason, and a sentence for each that was passed."""

from collections.abc import Sequence
from statistics import median

from labs.bench.records import Quality, Record, WorkerQuality

LAG_SHARE = 0.05
"""Lateness of the client (p99) that a run may have, as a share of the median TTFT: latency counts from when a request was due, so it is in there."""
LEAST_LAG_MS = 2.0
"""and never less than an operating system's scheduler needs for itself"""
CPU_SHARE = 0.9
"""of one core: beyond it there are queues inside the client, whatever the lag says"""
STALLED_SHARE = 0.01
"""of the time, in which the event loop was not let in: whatever arrived then was stamped late"""


def judge(
    records: Sequence[Record],
    workers: tuple[WorkerQuality, ...],
    reasons: Sequence[str],
    *,
    finished: bool,
) -> Quality:
    """The run's quality; `reasons` are those already known why it does not count."""
    found = list(reasons)
    measured = [record for record in records if not record.warmup and record.ok]
    ttfts_ms = [1e3 * record.ttft_s for record in measured if record.ttft_s is not None]
    limit_ms = max(LEAST_LAG_MS, LAG_SHARE * median(ttfts_ms)) if ttfts_ms else None
    for worker in workers:
        if not worker.requests:  # more workers than clients: it had nothing to spoil
            continue
        lag_ms = worker.lag_ms["p99"]
        if limit_ms is not None and lag_ms is not None and lag_ms > limit_ms:
            found.append(
                f"worker {worker.worker} sent late: 1 in 100 requests by {lag_ms:.1f} ms or more, and {limit_ms:.1f} ms "
                f"({100 * LAG_SHARE:g} % of the median TTFT) is the most that a run may have; {_remedy(worker)}"
            )
        if worker.cpu_share > CPU_SHARE:
            found.append(
                f"worker {worker.worker} used {100 * worker.cpu_share:.0f} % of a core, and {100 * CPU_SHARE:.0f} % is the most that a run may use; "
                f"{_remedy(worker)}"
            )
        if worker.wall_s > 0 and worker.stalled_s > STALLED_SHARE * worker.wall_s:
            found.append(
                f"worker {worker.worker} stood still {worker.stalls} times, {worker.stalled_s:.2f} s of {worker.wall_s:.1f} s: this machine is "
                "busy with something else; run it alone"
            )
    if too_many := sum(record.status == "TooManyOpenFiles" for record in records):
        found.append(f"{too_many} requests found no free file descriptor on this machine; raise 'ulimit -n'")
    requests = sum(worker.requests for worker in workers)
    return Quality(
        valid=not found and finished,
        reasons=tuple(found),
        finished=finished,
        workers=workers,
        duration_s=max((record.ended_s for record in records if record.ended_s is not None), default=0.0)
        - min((record.intended_s for record in records), default=0.0),
        cpu_per_request_ms=1e3 * sum(worker.cpu_s for worker in workers) / requests if requests else None,
    )


def _remedy(worker: WorkerQuality) -> str:
    if worker.cpu_share < CPU_SHARE / 2:
        return "it had little to do itself, so this machine is busy with something else: run it alone"
    return "use more --workers, or less --rate"
