"""Many jobs through a deployed stack while calls are throttled, messages come twice, workers die and the model is away for a while."""

import threading
import time
from collections import Counter
from contextlib import ExitStack

from labs.cloud import faults
from labs.cloud.faults import Fault
from labs.squid.client import Answer, Job, Squid

MODEL = {"service": "bedrock-runtime", "operation": "ConverseStream"}


def run(squid: Squid, jobs: int, outage_s: float) -> str:
    """Assert that each job ends in one final state, once, and stays there; returns the account as a sentence.

    Every tenth call is throttled, every twentieth delivery comes twice, every fiftieth invocation loses its worker (so that a run
    of any length meets each), and when a fifth of the jobs is handed in the model refuses everything for `outage_s`.
    """
    seen: dict[str, Answer] = {}
    cloud, ended = faults.local(), threading.Event()

    def refuse_everything() -> None:
        outage = cloud.add(Fault("no-capacity", **MODEL))
        ended.wait(outage_s)
        while not (refused := next(line["fired"] for line in cloud.plan() if line["id"] == outage)):
            if ended.wait(0.2):  # it lasts until somebody has met it
                break
        fired.update(outage=refused)
        cloud.remove(outage)

    fired: Counter[str] = Counter()
    away = threading.Thread(target=refuse_everything)
    began = time.monotonic()
    with ExitStack() as stack:
        for kind, every, where in (("throttle", 10, MODEL), ("duplicate", 20, {}), ("kill-worker", 50, {})):
            stack.enter_context(faults.inject(kind, every=every, **where))
        ids = []
        for job_id in squid.submit_many(Job(f"Question {n}: why a queue?", max_tokens=12) for n in range(jobs)):
            ids.append(job_id)
            if len(ids) == jobs // 5:
                away.start()
        for answer in squid.results(ids, timeout_s=60 + jobs / 5):
            assert answer.job_id not in seen, "one end"
            seen[answer.job_id] = answer
        took_s = time.monotonic() - began
        fired.update({line["kind"]: line["fired"] for line in cloud.plan() if line["every"]})
    ended.set()
    away.join()
    lost = [job_id for job_id in ids if job_id not in seen]
    assert lost == []
    assert all(answer.answers == (answer.status == "DONE") for answer in seen.values()), "none answered twice"
    deadline = time.monotonic() + 60
    while (depth := squid.depth())["waiting"] + depth["working"] and time.monotonic() < deadline:
        time.sleep(0.2)  # late copies of messages are still being dropped
    assert {answer.job_id: answer for answer in squid.results(ids, timeout_s=30)} == seen, "what is over stays as it is"
    assert all(fired[kind] for kind in ("throttle", "duplicate", "kill-worker", "outage")), fired
    counts = Counter(answer.status for answer in seen.values())
    attempts = sum(answer.attempts for answer in seen.values())
    latest = sorted((answer.e2e_ms or 0) / 1000 for answer in seen.values())
    return (
        f"{jobs:,} jobs, each with one end and none lost: {dict(counts)}, {attempts:,} attempts, faults {dict(fired)}; "
        f"{jobs / took_s:.1f} jobs/s over {took_s:.0f} s, half within {latest[jobs // 2]:.1f} s, all within {latest[-1]:.1f} s"
    )
