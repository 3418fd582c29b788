"""One process's part of a run: sends each request when it is due, whatever has come back, and says what became of it.

Every request is one attempt. Nothing is retried, and nothing waits for anything but its time (in a closed loop: for its client).
"""

import asyncio
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labs.bench.clock import Alarm, Watch, cpu_s, now
from labs.bench.exchange import Ask, Attempt, Client, Failed
from labs.bench.prompts import Prompts
from labs.bench.records import INTERRUPTED, OK, WorkerQuality
from labs.bench.workload import Workload
from labs.serving.simulate import PAUSE_S
from labs.serving.statistics import percentile

Row = tuple[int, float, Attempt, str | None]
"""(id, when it was due, what became of it, session); times on the monotonic clock"""


@dataclass(frozen=True)
class Part:
    """Which requests of a workload are this process's."""

    worker: int
    workers: int
    workload: Workload
    timeout_s: float


def ask_of(work: Workload, prompts: Prompts, id: int) -> Ask:
    """What a request of a workload asks."""
    row = id % len(work.input_tokens)
    session = None if work.sessions is None else f"s{work.seed}-{work.sessions[row]}"
    tokens = work.input_tokens[row]
    return Ask(id, prompts.of(id, tokens, session), tokens, work.output_tokens[row], session)


TIMEOUT = "Timeout"
AHEAD_S = 0.0005
"""less than this before a request is due, it is put together without another turn of the event loop"""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A request that only waits for its time."""

    id: int
    session: str | None
    prepared: Any


class Runner:
    """Runs one part. `tell` gets every request once it is over."""

    def __init__(self, part: Part, client: Client, tell: Callable[[Row], None]) -> None:
        self._part, self._client, self._tell = part, client, tell
        work = part.workload
        self._prompts = Prompts(work.seed, work.prefix_tokens, work.texts)
        self._lags_s = array("d")
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopped = asyncio.Event()
        self._sent_all = asyncio.Event()
        self._count = 0
        self._ended = 0.0

    def stop(self) -> None:
        """Send nothing more; what is in flight is recorded as interrupted."""
        self._stopped.set()
        self._sent_all.set()
        for task in list(self._tasks):
            task.cancel()

    async def run(self, start: float) -> WorkerQuality:
        """Everything, from `start` on the monotonic clock; returns when the last answer is in."""
        loop = asyncio.get_running_loop()
        watch = Watch(loop)
        await asyncio.sleep(max(0.0, start - now() - 0.01))
        cpu, self._ended = cpu_s(), start
        watch.start()
        if self._part.workload.due_s is None:
            await self._closed(start)
        else:
            await self._open(start)
        while self._tasks:
            await asyncio.wait(self._tasks)
        watch.stop()
        await self._client.close()
        lags = sorted(self._lags_s)
        return WorkerQuality(
            worker=self._part.worker,
            requests=self._count,
            cpu_s=cpu_s() - cpu,
            wall_s=max(self._ended, start + 1e-9) - start,
            lag_ms={
                name: 1e3 * percentile(lags, q) if lags else None
                for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
            },
            stalls=watch.stalls,
            longest_stall_ms=1e3 * watch.longest_s,
            stalled_s=watch.stalled_s,
        )

    async def _open(self, start: float) -> None:
        part = self._part
        due = part.workload.due_s
        assert due is not None
        at = part.worker
        ready: _Ready | None = None
        loop = asyncio.get_running_loop()

        def ring() -> None:
            nonlocal at, ready
            while at < len(due) and not self._stopped.is_set():
                if ready is None:
                    ready = self._prepare(at)
                when = start + due[at]
                if when > (t := now()):
                    alarm.set(when)
                    return
                if due[at] >= part.workload.warmup_s:
                    self._lags_s.append(t - when)
                task = loop.create_task(self._one(ready, when))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                at, ready = at + part.workers, None
                if at < len(due) and start + due[at] > now() + AHEAD_S:
                    # Put the next one together once this one is on its way; a client that is behind goes on at once.
                    loop.call_soon(ring)
                    return
            if at >= len(due):
                self._sent_all.set()

        alarm = Alarm(loop, ring)
        try:
            loop.call_soon(ring)
            await self._sent_all.wait()
        finally:
            alarm.close()

    def _prepare(self, id: int) -> "_Ready":
        ask = ask_of(self._part.workload, self._prompts, id)
        return _Ready(id, ask.session, self._client.prepare(ask))

    async def _one(self, ready: "_Ready", due: float) -> Attempt:
        attempt = Attempt()
        task = asyncio.current_task()
        assert task is not None
        timer = asyncio.get_running_loop().call_later(self._part.timeout_s, self._expire, task, attempt)
        try:
            await self._client.ask(ready.prepared, attempt)
        except Failed as failed:
            attempt.status, attempt.message = failed.status, failed.message
            attempt.http_status = failed.http_status or attempt.http_status
        except asyncio.CancelledError:
            if attempt.status != TIMEOUT:
                attempt.status, attempt.message = INTERRUPTED, "the run was stopped"
        except Exception as broken:  # a request that breaks the client is an error of one request, not the end of a run
            attempt.status, attempt.message = type(broken).__name__, str(broken)
        timer.cancel()
        if attempt.ended is None:
            attempt.ended = now()
        self._ended = max(self._ended, attempt.ended)
        self._count += 1
        self._tell((ready.id, due, attempt, ready.session))
        return attempt

    def _expire(self, task: "asyncio.Task[Attempt]", attempt: Attempt) -> None:
        attempt.status = TIMEOUT
        attempt.message = f"no whole answer in {self._part.timeout_s:g} s, after {len(attempt.tokens)} content events"
        task.cancel()

    async def _closed(self, start: float) -> None:
        """So many clients, each of which sends its next request when its last is answered."""
        part, work = self._part, self._part.workload
        ids = iter(range(part.worker, 1 << 62, part.workers))
        end = float("inf") if work.duration_s is None else start + work.duration_s
        wanted = float("inf") if work.requests is None else len(range(part.worker, work.requests, part.workers))
        measured = 0
        while (left := start - now()) > 0:  # a loop's timers may ring up to a millisecond early
            await asyncio.sleep(left)

        async def client() -> None:
            nonlocal measured
            while not self._stopped.is_set() and (free := now()) < end and measured < wanted:
                measured += free >= start + work.warmup_s
                attempt = await self._one(self._prepare(next(ids)), free)
                if attempt.status not in (OK, INTERRUPTED):
                    await asyncio.wait(
                        [stopped], timeout=PAUSE_S
                    )  # one that was turned away does not ask again at once

        stopped = asyncio.ensure_future(self._stopped.wait())
        clients = len(range(part.worker, work.concurrency, part.workers))
        self._tasks = {asyncio.ensure_future(client()) for _ in range(clients)}
        for task in self._tasks:
            task.add_done_callback(self._tasks.discard)
        while self._tasks:
            await asyncio.wait(self._tasks)
        stopped.cancel()
