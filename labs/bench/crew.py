"""A run with its worker processes: they are started, told their parts and when to begin, listened to, and ended, whatever happens.

    measured = measure(header, work, endpoint, record_to=file)

Workers do nothing but send, receive and note times; this process writes the records down and shows the progress. All of them count from one
moment of the monotonic clock, which they share.
"""

import os
import selectors
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from labs.bench.clock import now, wall_clock_step_s
from labs.bench.endpoints import Endpoint
from labs.bench.frames import Unpacker, pack
from labs.bench.quality import judge
from labs.bench.records import (
    OK,
    Header,
    Record,
    Run,
    WorkerQuality,
    header_line,
    quality_line,
    record_line,
)
from labs.bench.runner import Part
from labs.bench.worker import Plan
from labs.bench.workload import Workload
from labs.errors import NOT_READY, Refusal

HEAD_START_S = 0.2
"""from the moment the last worker is ready to the start that all agree on"""
LAST_WORDS_S = 5.0
"""how long workers have to say what they have, once told to stop"""
READY_S = 120.0


@dataclass
class Worker:
    """One process that sends requests, here or elsewhere."""

    number: int
    incoming: Unpacker = field(default_factory=Unpacker)
    quality: WorkerQuality | None = None
    gone: bool = False
    offset_s: float = 0.0
    """from our monotonic clock to its own"""
    place: str = ""
    """where it is, when it is not one of our own processes"""
    start_within_ms: float | None = None
    """how well its clock is known; None: it is ours"""


@dataclass
class _Child(Worker):
    process: "subprocess.Popen[bytes] | None" = None


@dataclass
class Outcome:
    """A run, and whether the user stopped it."""

    run: Run
    interrupted: bool = False
    full: str = ""
    """why records could no longer be written"""


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("wb", buffering=0)
    except OSError as error:
        raise Refusal(f"the records cannot be written to {path}: {error.strerror}", NOT_READY) from None


class Crew(ABC):
    """The workers of a run; a context, at whose end they have ended."""

    head_start_s = HEAD_START_S
    workers: Sequence[Worker]

    @abstractmethod
    def say(self, worker: Worker, frame: Any) -> None:
        """Tell a worker something."""

    @abstractmethod
    def frames(self, timeout_s: float) -> Iterator[tuple[Worker, Any]]:
        """What has been said, after at most so long."""

    @abstractmethod
    def death(self, worker: Worker) -> str:
        """How a worker ended that did not come to its end."""

    @abstractmethod
    def __enter__(self) -> "Crew": ...

    @abstractmethod
    def __exit__(self, *_: object) -> None: ...

    def agree(self) -> None:  # noqa: B027 - processes of one machine have nothing to agree on
        """Just before the start: whatever must be known for all to mean the same moment."""

    def stop(self) -> None:
        """Tell every worker to send nothing more."""
        for worker in self.workers:
            if not worker.gone:
                self.say(worker, "stop")

    @property
    def here(self) -> bool:
        """Is any worker still speaking?"""
        return not all(worker.gone for worker in self.workers)


Gather = Callable[[Header, Workload, Endpoint, bool], Crew]
"""Makes a run's workers: the last is whether AWS must be on this machine."""


class _Crew(Crew):
    """Processes of our own."""

    def __init__(self, header: Header, work: Workload, endpoint: Endpoint, only_loopback: bool) -> None:
        self._selector = selectors.DefaultSelector()
        self.workers: list[_Child] = []
        for n in range(header.workers):
            # A session of its own keeps the terminal's Ctrl-C from it: it is told to stop, and then has something to tell.
            process = subprocess.Popen(
                [sys.executable, "-m", "labs.bench.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
                cwd=Path(__file__).parents[2],
            )
            worker = _Child(n, process=process)
            self.workers.append(worker)
            assert process.stdout is not None
            self._selector.register(process.stdout, selectors.EVENT_READ, worker)
            self.say(worker, Plan(Part(n, header.workers, work, header.timeout_s), endpoint, only_loopback))

    def say(self, worker: Worker, frame: Any) -> None:
        """Tell a worker something."""
        stdin = _process(worker).stdin
        assert stdin is not None
        with suppress(BrokenPipeError):
            stdin.write(pack(frame))
            stdin.flush()

    def frames(self, timeout_s: float) -> Iterator[tuple[Worker, Any]]:
        """What has been said, after at most so long."""
        for key, _ in self._selector.select(timeout_s):
            worker: Worker = key.data
            data = os.read(key.fd, 1 << 18)
            if data:
                for frame in worker.incoming.feed(data):
                    yield worker, frame
            else:
                self._selector.unregister(key.fileobj)
                worker.gone = True

    def death(self, worker: Worker) -> str:
        """By its exit status, or by the signal that ended it."""
        process = _process(worker)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1.0 if worker.gone else 0.0)
        status = process.poll()
        how = "did not come to its end" if status is None else f"ended with status {status}"
        if status is not None and status < 0:
            how = f"was killed ({signal.Signals(-status).name})"
        return how

    def __enter__(self) -> "_Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            stdin = _process(worker).stdin
            assert stdin is not None
            with suppress(BrokenPipeError):
                stdin.close()
        for worker in self.workers:
            process = _process(worker)
            try:
                process.wait(LAST_WORDS_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()
        self._selector.close()


def _process(worker: Worker) -> "subprocess.Popen[bytes]":
    assert isinstance(worker, _Child)
    assert worker.process is not None
    return worker.process


def measure(
    header: Header,
    work: Workload,
    endpoint: Endpoint,
    *,
    only_loopback: bool,
    record_to: Path | None = None,
    watch: Callable[[float, list[Record]], None] = lambda elapsed_s, new: None,  # noqa: ARG005
    gather: Gather = _Crew,
) -> Outcome:
    """Run it. `watch` is called with what is new, a few times a second; `gather` makes the workers, processes of our own unless it is given.

    Raises Refusal when it cannot begin. Ctrl-C, a full disk and a worker that dies end it early, and what there is is kept.
    """
    file = _open(record_to) if record_to else None
    try:
        with gather(header, work, endpoint, only_loopback) as crew:
            return _listen(crew, header, work, file, watch)
    finally:
        if file is not None:
            with suppress(OSError):
                file.close()


def _ready(crew: Crew) -> None:
    """Wait for every worker's endpoint to be open. Raises Refusal with the first reason why one is not."""
    waiting = {worker.number for worker in crew.workers}
    deadline = now() + READY_S
    while waiting and now() < deadline:
        for worker, frame in crew.frames(0.5):
            if frame[0] == "refused":
                raise Refusal(frame[1], frame[2])
            waiting.discard(worker.number)
        for worker in crew.workers:
            if worker.gone and worker.number in waiting:
                raise Refusal(f"worker {worker.number} died before it began: it {crew.death(worker)}", NOT_READY)
    if waiting:
        raise Refusal(f"{len(waiting)} workers were not ready after {READY_S:g} s", NOT_READY)


def _listen(
    crew: Crew,
    header: Header,
    work: Workload,
    file: IO[bytes] | None,
    watch: Callable[[float, list[Record]], None],
) -> Outcome:
    _ready(crew)
    crew.agree()
    start = now() + crew.head_start_s
    wall_then, monotonic_then = time.time(), now()
    records: list[Record] = []
    interrupted, full = False, ""
    give_up_at = float("inf")

    def write(data: bytes) -> None:
        nonlocal full, give_up_at
        if file is None or full:
            return
        try:
            while data:
                data = data[file.write(data) :]
        except OSError as error:
            full = error.strerror or str(error)
            crew.stop()
            give_up_at = now() + LAST_WORDS_S

    write(header_line(header))
    if full:
        return Outcome(Run(header, ()), full=full)
    for worker in crew.workers:
        crew.say(worker, start + worker.offset_s)
    while crew.here and now() < give_up_at:
        try:
            new: list[Record] = []
            for worker, frame in crew.frames(0.1):
                if frame[0] == "rows":
                    new += [_record(row, start + worker.offset_s, work, worker.number) for row in frame[1]]
                elif frame[0] == "end":
                    worker.quality = replace(frame[1], place=worker.place, start_within_ms=worker.start_within_ms)
            if new:
                records += new
                write(b"".join(map(record_line, new)))
            watch(now() - start, new)
        except KeyboardInterrupt:
            if interrupted:
                break  # twice: at once
            interrupted = True
            crew.stop()
            give_up_at = now() + LAST_WORDS_S
    records.sort(key=lambda record: record.id)
    died = [worker.number for worker in crew.workers if worker.quality is None]
    reasons = [f"worker {n} {crew.death(crew.workers[n])}: the requests it had in flight are lost" for n in died]
    qualities = tuple(worker.quality for worker in crew.workers if worker.quality is not None)
    quality = replace(
        judge(records, qualities, reasons, finished=not (died or interrupted or full)),
        clock_steps_ms=1e3 * wall_clock_step_s(wall_then, monotonic_then),
    )
    write(quality_line(quality))
    return Outcome(Run(header, tuple(records), quality), interrupted, full)


def _record(row: tuple[Any, ...], start: float, work: Workload, worker: int) -> Record:
    id, due, sent, tokens, ended, tokens_in, tokens_out, status, http_status, message, session = row
    token_s = tuple([t - start for t in tokens])
    return Record(
        id=id,
        intended_s=due - start,
        sent_s=None if sent is None else sent - start,
        first_token_s=token_s[0] if token_s else None,
        token_s=token_s,
        last_token_s=token_s[-1] if token_s and status == OK else None,
        ended_s=ended - start,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        status=status,
        http_status=http_status,
        message=message,
        warmup=due - start < work.warmup_s - 1e-9,
        worker=worker,
        session=session,
    )
