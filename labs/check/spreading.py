"""A class graded by the workers of a Dask scheduler: what is sent to a worker, and what the worker does with it.

    for result in spread(waiting, known, plan): ...

A submission's bytes travel, and so does what the grader knows of its lab; the checks themselves do not, and a worker whose checks are others is
refused. Beside each thread of a worker stands a process that forks (`grader.py`), which is where the submission is confined as it is here.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from queue import Empty, LifoQueue
from typing import Any

from labs.bench.frames import Unpacker, pack
from labs.check import grade, submissions
from labs.check.grader import Order
from labs.check.submissions import Submission, Unreadable
from labs.check.supervise import Layout
from labs.cloud import environment, server
from labs.errors import NOT_READY, Refusal
from labs.spread import cluster


def spread(waiting: list[Submission], known: dict[str, Layout], plan: "grade.Plan") -> Iterator[dict[str, Any]]:
    """The results of these, each once, as they come; a submission whose worker is lost goes to another. Raises Refusal (see `Workers.each`)."""
    assert plan.scheduler is not None
    by_name = {submission.name: submission for submission in waiting}

    def orders() -> Iterator[tuple[str, tuple[Order]]]:
        for submission in waiting:
            data, problem = b"", None
            try:
                data = submissions.content(submission)
            except Unreadable as why:
                problem = str(why)
            yield submission.name, (Order(submission.name, data, problem, plan.lab, known, plan.allowed),)

    with cluster.connect(plan.scheduler) as workers:
        whole = False
        try:
            with closing(workers.each(grade_here, orders())) as coming:
                for done in coming:
                    yield (
                        done.value
                        if not done.problem
                        else grade.not_graded(by_name[done.key], f"It was not graded: {done.problem}.")
                    )
            whole = True
        finally:
            if not whole:  # stopped: what is at work is ended there, as it is where the command itself grades
                with suppress(Exception):
                    workers.everywhere(close_all)


LAST_S = 5.0
"""For a grader to clean up, once told to end."""
_idle: LifoQueue["_Grader"] = LifoQueue()
_all: set["_Grader"] = set()
_lock = threading.Lock()


def grade_here(order: Order) -> dict[str, Any]:
    """In a worker: the result of one submission."""
    for _ in range(2):  # an idle one may be ending just now
        grader = _take()
        try:
            result = grader.grade(order)
        except (OSError, EOFError, ValueError):  # ValueError: its pipe was closed here
            if grader.closed:
                raise Refusal("it was stopped", NOT_READY) from None
            grader.close()
            continue
        _idle.put(grader)
        return result | {"graded_at": _where()}
    raise Refusal("the process that grades ended without a result", NOT_READY)


def close_all() -> None:
    """In a worker: end its graders, whatever they are doing."""
    with _lock:
        found = [*_all]
    for grader in found:
        grader.close()


def _where() -> str:
    from distributed import get_worker

    address: str = get_worker().address
    return address


def _take() -> "_Grader":
    while True:
        try:
            grader = _idle.get_nowait()
        except Empty:
            return _Grader()
        if grader.here():
            return grader
        grader.close()


class _Grader:
    """The worker's side of one grader process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "labs.check.grader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment.local_environment("http://127.0.0.1:1") | server.LESS_MEMORY,
            start_new_session=True,
        )
        self.closed = False
        with _lock:
            _all.add(self)

    def here(self) -> bool:
        return self._process.poll() is None

    def grade(self, order: Order) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(pack(order))
        self._process.stdin.flush()
        incoming = Unpacker()
        while data := os.read(self._process.stdout.fileno(), 1 << 18):
            for result in incoming.feed(data):
                found: dict[str, Any] = result
                return found
        raise EOFError

    def close(self) -> None:
        """End it, and with it what it has at work."""
        self.closed = True
        _all.discard(self)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()  # it cleans up behind itself
        try:
            self._process.wait(LAST_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
