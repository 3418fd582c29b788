"""A process that grades one submission after another: what a worker elsewhere has beside it, since it can be forked from and a worker cannot.

A worker has threads, and what it holds is not for submissions to be forked from. This process has one thread, has imported all that a cloud and a
notebook need, and reads orders from standard input (pickled frames, from its own parent alone). It ends when that does, and ends what it began.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labs.bench.frames import Unpacker, pack
from labs.check import confine, grade, nursery, rehearsal
from labs.check.submissions import Submission
from labs.check.supervise import Allowed, Layout

IDLE_S = 300.0
"""Without an order for so long it ends; the next order starts another."""


@dataclass(frozen=True)
class Order:
    """One submission, with all that its grading needs: a worker's disk holds nothing of it."""

    name: str
    data: bytes
    problem: str | None
    """Why there are no bytes."""
    lab: str | None
    layouts: dict[str, Layout]
    allowed: Allowed


def main() -> None:
    """Entry point of the process."""
    out = os.dup(1)
    os.dup2(2, 1)  # whatever prints, prints to standard error: standard output speaks frames
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nursery.prepare()
    rehearsal.prepare()
    nursery.hold_still()
    walls = confine.available()
    scratch = Path(tempfile.mkdtemp(prefix="lab-grade-"))
    try:
        for order in _orders():
            submission = Submission(order.name, scratch / "handed-in.ipynb", problem=order.problem)
            submission.path.write_bytes(order.data)
            running = grade.Running(
                submission, order.layouts, grade.Plan(lab=order.lab, allowed=order.allowed), walls, scratch
            )
            try:
                while not _has_ended(running):
                    pass
            finally:
                result = running.result()
            _write(out, pack(result))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _has_ended(running: grade.Running) -> bool:
    """Wait for more of it. Ends this process, and it, when whoever gave the order is gone."""
    for descriptor in confine.readable([running.heard, 0], 1.0):
        if descriptor == running.heard:
            return running.listen()
        if not os.read(0, 1):
            running.stop()
            sys.exit(0)
    return running.is_overdue()


def _orders() -> Iterator[Order]:
    incoming = Unpacker()
    while confine.readable([0], IDLE_S) and (data := os.read(0, 1 << 20)):
        yield from incoming.feed(data)


def _write(out: int, data: bytes) -> None:
    while data:
        data = data[os.write(out, data) :]


if __name__ == "__main__":
    main()
