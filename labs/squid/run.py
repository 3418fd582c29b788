"""A file's worth of jobs through the queue, and the account of it: what came back, how long it took, that nothing was lost or answered twice."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from labs.squid.client import Answer, Squid
from labs.squid.prompts import Prompt


@dataclass(frozen=True)
class Account:
    """What became of a run's jobs."""

    run: str
    submitted: int
    answers: Sequence[Answer]
    """The jobs that ended, answered or failed."""
    provenance: str
    """Whether its times are predicted or measured."""

    @property
    def answered(self) -> list[Answer]:
        """Those with an answer."""
        return [answer for answer in self.answers if answer.status == "DONE"]

    @property
    def failed(self) -> list[Answer]:
        """Those given up, each with its reason."""
        return [answer for answer in self.answers if answer.status == "FAILED"]

    @property
    def lost(self) -> int:
        """Jobs that had not ended when the time was up."""
        return self.submitted - len(self.answers)

    @property
    def duplicates(self) -> int:
        """Answers beyond each job's first."""
        return sum(max(0, answer.answers - 1) for answer in self.answers)

    @property
    def is_clean(self) -> bool:
        """Every job answered, once."""
        return not (self.lost or self.duplicates or self.failed)

    def as_json(self) -> dict[str, Any]:
        """The account as `lab squid submit --file --json` prints it."""
        return {
            "run": self.run,
            "submitted": self.submitted,
            "answered": len(self.answered),
            "failed": len(self.failed),
            "lost": self.lost,
            "duplicates": self.duplicates,
            "attempts": sum(answer.attempts for answer in self.answers),
            "input_tokens": sum(answer.input_tokens for answer in self.answered),
            "output_tokens": sum(answer.output_tokens for answer in self.answered),
            "provenance": self.provenance,
            "e2e_ms": summary([answer.e2e_ms for answer in self.answered if answer.e2e_ms is not None]),
        }


def summary(values: Iterable[float]) -> dict[str, float | None]:
    """Mean and percentiles by nearest rank: each percentile is a value that occurred. None when there are no values."""
    ordered = sorted(values)
    if not ordered:
        return {"mean": None, "p50": None, "p90": None, "p99": None}
    ranks = {f"p{p}": ordered[math.ceil(p / 100 * len(ordered)) - 1] for p in (50, 90, 99)}
    return {"mean": round(sum(ordered) / len(ordered), 1), **ranks}


def send_all(
    squid: Squid,
    prompts: Sequence[Prompt],
    run: str,
    timeout_s: float,
    provenance: str,
    on_sent: Callable[[], object],
    on_answer: Callable[[Prompt, Answer], object],
) -> Account:
    """Submit every prompt, then collect until all have ended or the time is up."""
    by_job: dict[str, Prompt] = {}
    for prompt, job_id in zip(prompts, squid.submit_many(prompt.job(run) for prompt in prompts), strict=True):
        by_job[job_id] = prompt
        on_sent()
    answers: list[Answer] = []
    for answer in squid.results(by_job, timeout_s):
        answers.append(answer)
        on_answer(by_job[answer.job_id], answer)
    return Account(run, len(by_job), answers, provenance)
