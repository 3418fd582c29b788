"""By how much the monotonic clocks of workers differ from ours, and how well that is known.

    offsets = measure(workers)          # address → Offset
    theirs = ours + offsets[address].seconds

A monotonic clock counts from when its machine was started, so two machines' have nothing in common. One is read from afar: it was read somewhere
between our asking and its answer, so half the shortest way there and back is the most by which the middle can be wrong (D. L. Mills, RFC 5905, 8).
Processes of one machine have one clock, and nothing is measured.
"""

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from labs.spread.cluster import Workers

PROBES = 15


@dataclass(frozen=True)
class Reading:
    """A clock, and whose it is."""

    machine: str
    now_s: float


@dataclass(frozen=True)
class Offset:
    """From our clock to another's."""

    seconds: float
    within_s: float
    """The most by which it can be wrong."""
    here: bool
    """Is it of this machine, and so the same clock?"""


def read() -> Reading:
    """This process's."""
    return Reading(_machine(), time.monotonic())


def _machine() -> str:
    """The same for every process since this machine was started, and different everywhere else."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{uuid.getnode():x}"


def offset(probe: Callable[[], Reading], probes: int = PROBES, now: Callable[[], float] = time.monotonic) -> Offset:
    """The offset of the clock that `probe` reads, by the quickest of some readings."""
    best: Offset | None = None
    mine = _machine()
    for _ in range(probes):
        asked = now()
        reading = probe()
        heard = now()
        found = Offset(reading.now_s - (asked + heard) / 2, (heard - asked) / 2, here=False)
        if best is None or found.within_s < best.within_s:
            best = found
        if reading.machine == mine:
            return Offset(0.0, 0.0, here=True)
    assert best is not None
    return best


def measure(workers: Workers, probes: int = PROBES) -> dict[str, Offset]:
    """Of every worker there is. Raises OSError when one is lost meanwhile."""
    return {
        worker.address: offset(lambda address=worker.address: workers.ask(address, read), probes)  # type: ignore[misc]
        for worker in workers.there()
    }
