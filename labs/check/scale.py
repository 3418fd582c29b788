"""How grading grows with workers: a class of the smallest lab on 1, 2 and 4 workers of a scheduler on this machine, beside a model of it.

    python -m labs.check.scale

The model, for a class of n on w workers of machines with k processors in all:

    seconds = setup + ready + n / rate        rate = min(w / alone, k / processor, 1 / serial)

`setup` is the command itself until the first submission is sent. `ready` is what a worker needs before its first: a process that has imported
everything. A submission takes `alone` seconds of the clock where nothing else runs and `processor` seconds of a processor; the first is longer, since
a part of it is waiting. `serial` is what the command and its scheduler do for each submission, whoever grades it. Each is measured by itself, in
the same run; none is fitted to the totals that stand beside the model's.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from labs import terminal
from labs.check.bench import SOURCE, filled_in
from labs.errors import NOT_READY, Refusal
from labs.spread.cluster import connect, processors

WORKERS = (1, 2, 4)
SUBMISSIONS = 40
PIECES = 400


@dataclass(frozen=True)
class Costs:
    """The model's parts, in seconds."""

    setup_s: float
    ready_s: float
    alone_s: float
    processor_s: float
    serial_s: float

    def seconds(self, submissions: int, workers: int, processors: int) -> float:
        """What the model says of a class."""
        return self.setup_s + self.ready_s + submissions / self.rate_per_s(workers, processors)

    def rate_per_s(self, workers: int, processors: int) -> float:
        """Submissions a second, once every worker is ready."""
        return min(workers / self.alone_s, processors / self.processor_s, 1 / self.serial_s)

    def most_processors(self) -> int:
        """From how many processors on the command itself is the limit."""
        return int(self.processor_s / self.serial_s)


@click.command()
@click.option("--submissions", type=click.IntRange(2), default=SUBMISSIONS, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(submissions: int, as_json: bool) -> int:
    """Grade a class on more and more workers, and print what it took beside the model."""
    if not SOURCE.exists():
        raise Refusal(f"{SOURCE} is not there: this runs in a checkout of the course", NOT_READY)
    totals: dict[int, float] = {}
    alone: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(submissions):
            path = folder / f"student-{number:03}" / "00-small.ipynb"
            path.parent.mkdir()
            path.write_text(json.dumps(filled_in(number)), "utf-8")
        for workers in WORKERS:
            with up(workers) as address:
                first_s, _ = _grade(folder, address)  # its workers get ready on the way
                totals[workers], results = _grade(folder, address, "--again")
                if workers == 1:
                    alone, cold_s = results, first_s - totals[1]
                    setup_s, _ = _grade(folder, address)  # all are kept: nothing is sent
                    serial_s = _serial_s(address, len(path.read_bytes()))
    costs = Costs(
        setup_s,
        max(0.0, cold_s),
        _median([result["seconds"] for result in alone]),
        _median([result["cpu_s"] for result in alone]),
        serial_s,
    )
    found = {
        "submissions": submissions,
        "processors": processors(),
        "load": os.getloadavg()[0],
        "costs": vars(costs),
        "most_processors": costs.most_processors(),
        "workers": {
            workers: {"seconds": took, "model_s": costs.seconds(submissions, workers, processors()) - costs.ready_s}
            for workers, took in totals.items()
        },
    }
    if as_json:
        terminal.emit_json(found)
        return 0
    terminal.table(
        f"{submissions} submissions of the smallest lab, workers ready, {processors()} processors",
        ["workers (n)", "took (s)", "model (s)", "each (s)", "times the first (n)"],
        [
            (
                w,
                f"{took:.1f}",
                f"{costs.seconds(submissions, w, processors()) - costs.ready_s:.1f}",
                f"{took / submissions:.2f}",
                f"{totals[1] / took:.2f}",
            )
            for w, took in totals.items()
        ],
    )
    terminal.table(
        "What the model is made of",
        ["part", "(s)"],
        [
            ("the command, before the first submission", f"{costs.setup_s:.2f}"),
            ("a worker, before its first", f"{costs.ready_s:.2f}"),
            ("one submission alone, by the clock", f"{costs.alone_s:.2f}"),
            ("of a processor", f"{costs.processor_s:.2f}"),
            ("of the command and the scheduler, for each", f"{costs.serial_s:.4f}"),
        ],
    )
    terminal.say(
        f"Beyond this machine: about {costs.most_processors():,} processors until the command itself is the limit; 400 submissions on 16 processors with 32 workers: "
        f"{costs.seconds(400, 32, 16):.0f} s, of which {costs.setup_s + costs.ready_s:.0f} s are before the first. Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors."
    )
    return 0


@contextmanager
def up(workers: int) -> Iterator[str]:
    """The address of a scheduler with so many workers of this machine."""
    command = [sys.executable, "-m", "labs.cli", "spread", "up", "--port", "0", "--json", "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        while not said.endswith("}\n") and (line := process.stdout.readline()):
            said += line
        try:
            if not said:
                raise Refusal("the scheduler did not come up", NOT_READY)
            yield str(json.loads(said)["scheduler"])
        finally:
            process.terminate()


def _grade(folder: Path, address: str, *more: str) -> tuple[float, list[dict[str, Any]]]:
    command = [sys.executable, "-m", "labs.cli", "grade", str(folder), "--sources", str(SOURCE.parent), "--json"]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "--scheduler", address, *more], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    took = time.monotonic() - began
    results: list[dict[str, Any]] = json.loads(done.stdout or "{}").get("results", [])
    if not results or any(result["score"] != result["max"] for result in results):
        raise Refusal("not every submission was graded with full marks", NOT_READY)
    return took, results


def _serial_s(address: str, size: int) -> float:
    """For one piece of work that carries as many bytes as a notebook and does nothing: processor seconds of the command or of the scheduler, whichever are more."""
    with connect(address) as workers:
        before = workers.client.run_on_scheduler(time.process_time), time.process_time()
        for _ in workers.each(len, ((str(number), (os.urandom(size),)) for number in range(PIECES))):
            pass
        after = workers.client.run_on_scheduler(time.process_time), time.process_time()
    return float(max(last - first for first, last in zip(before, after, strict=True))) / PIECES


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    sys.exit(terminal.run(main, "python -m labs.check.scale"))
