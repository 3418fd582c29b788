"""What a check is, and the running of a lab's checks over one account.

A check looks at the account and returns a `Finding`: how much of its points, and a sentence. It does not raise for a lab that is
unfinished; if AWS refuses it something, that refusal becomes its message.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from labs.errors import USAGE, Refusal

TIMEOUTS = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2})


class Account:
    """The account as the grader sees it: a boto3 session of its own."""

    def __init__(self, session: boto3.Session | None = None) -> None:
        self._session = session or boto3.Session()
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """This session's client of a service, made once."""
        if service not in self._clients:
            self._clients[service] = self._session.client(service, config=TIMEOUTS)  # type: ignore[call-overload]
        return self._clients[service]


@dataclass(frozen=True)
class Finding:
    """What one check found. `credit` is from 0 to 1; below 1 the message says what is missing and what to do."""

    credit: float
    message: str


def yes(message: str) -> Finding:
    """All of it is there."""
    return Finding(1.0, message)


def no(message: str) -> Finding:
    """Nothing of it is there."""
    return Finding(0.0, message)


@dataclass(frozen=True)
class Check:
    """One thing to look for, and what it is worth."""

    id: str
    points: float
    look: Callable[[Account], Finding]


@dataclass(frozen=True)
class Task:
    """One task of a lab."""

    number: int
    title: str
    minutes: int
    checks: Sequence[Check]
    stretch: bool = False


@dataclass(frozen=True)
class Lab:
    """A lab's checks, and how long its notebook may run when it is graded."""

    slug: str
    tasks: Sequence[Task]
    time_limit_s: float
    """Wall time for the whole notebook."""

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of its tasks."""
        return tuple(task.number for task in self.tasks)


@dataclass(frozen=True)
class Result:
    """One check's result."""

    id: str
    task: int
    stretch: bool
    points: float
    credit: float
    message: str

    @property
    def passed(self) -> bool:
        """Full credit?"""
        return self.credit >= 1.0

    @property
    def score(self) -> float:
        """Points earned."""
        return round(self.points * self.credit, 4)


def run(lab: Lab, account: Account, task: int | None = None) -> list[Result]:
    """The results of one task's checks, or of all. Raises Refusal when the lab has no such task."""
    if task is not None and task not in lab.numbers:
        raise Refusal(f"lab {lab.slug} has no task {task}; it has {', '.join(map(str, lab.numbers))}", USAGE)
    return [
        Result(check.id, each.number, each.stretch, check.points, finding.credit, finding.message)
        for each in lab.tasks
        if task in (None, each.number)
        for check in each.checks
        for finding in [_look(check, account)]
    ]


def _look(check: Check, account: Account) -> Finding:
    try:
        found = check.look(account)
    except (ClientError, BotoCoreError) as refused:
        return no(f"The check could not look: {refused}. Is the lab's stack up, and is this the cloud that it is in?")
    except (KeyError, ValueError, TypeError, AttributeError) as odd:
        # What stands in the account was put there by the submission, in whatever shape.
        return no(
            f"What stands in the account is not in the shape that the lab leaves it in ({type(odd).__name__}: {odd})."
        )
    return Finding(min(1.0, max(0.0, found.credit)), found.message[:600])


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """`lab check --json`."""
    return {
        "score": round(sum(result.score for result in results), 2),
        "max": sum(result.points for result in results),
        "checks": [
            {
                "id": result.id,
                "task": result.task,
                "stretch": result.stretch,
                "passed": result.passed,
                "score": result.score,
                "max": result.points,
                "message": result.message,
            }
            for result in results
        ],
    }
