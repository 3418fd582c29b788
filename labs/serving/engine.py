"""One incremental serving engine: requests in, token times out. No clock, no thread, no I/O: whoever drives it owns the time.

engine = Engine(EngineConfig(replica=ReplicaSpec(law=ConstantLaw(ttft_s=0.3, tpot_s=0.02)), stream_tokens=True))
engine.submit(0.0, Request("a", input_tokens=500, output_tokens=200))
while (t := engine.next_event_at()) is not None:
    for event in engine.advance(t): print(event)

`submit(t, request)`       offers a request at t (seconds, any epoch, never earlier than a previous call's t).
`advance(t) -> [Event]`    everything up to and including t, in time order.
`next_event_at() -> t`     when to come back: the next moment something may happen; None when nothing will without a new call.
`cancel(t, id) -> bool`    the client went away; its seat is free at the next step. False when the id is not in flight.
`set_replicas(n)`          ask for n replicas: new ones start cold, surplus ones finish what they hold and take no more.
`snapshot() -> Snapshot`   counts, for metrics and for people.
`run(table)`               virtual time: every request of a `Table` at once, without events; the times are in the table afterwards.

With `stream_tokens=True` every token is an event ("tokens" with how many); otherwise only the first token and the last are
("tokens" with 1, then "finished"). "finished" has the same time as the last token and carries the total of output tokens.
A rejected request has one event, "rejected", whose reason is a name of `REASONS`.

The same replicas, admission and router serve `run` and the live calls, and every plan is carried out whole: driving in many
small advances and in one run give the same times to the last bit.
"""

from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from labs.serving.admission import Admission, QuotaMeter
from labs.serving.autoscaling import Policy, Sample
from labs.serving.batching import ReplicaSpec
from labs.serving.laws import ConstantLaw
from labs.serving.replica import Replica, Spec
from labs.serving.requests import CANCELLED, FINISHED, KINDS, NEVER, THE_END, Event, LogEntry, Request, Table
from labs.serving.router import RouterName, make_router

__all__ = ["REASONS", "ConstantLaw", "Engine", "EngineConfig", "Event", "ReplicaSpec", "Request", "Snapshot", "Table"]

REASONS = MappingProxyType(
    {
        "context": "longer than the replica's cache or the model's context, even alone",
        "tokens per minute": "its input and max_tokens do not fit in what is left of the minute's quota",
        "tokens per day": "its input and max_tokens do not fit in what is left of the day's quota",
        "requests per minute": "the minute's quota of requests is used up",
        "queue": "the queue in front of the replicas is full",
        "not ready": "no replica is ready, and the deployment does not let requests wait for one",
    }
)
"""why a request is rejected: what each reason means"""


@dataclass(frozen=True)
class EngineConfig:
    """What is deployed: replicas, and what stands before them."""

    replica: Spec
    replicas: int = 1
    router: RouterName = "least_outstanding"
    admission: Admission | None = None
    autoscaling: Policy | None = None
    stream_tokens: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Snapshot:
    """Counts at the engine's present time."""

    t: float
    replicas_ready: int
    replicas_starting: int
    replicas_draining: int
    waiting: int
    running: int
    submitted: int
    rejected: int
    finished: int
    cancelled: int
    preemptions: int
    steps: int
    busy_s: float
    """seconds in which replicas had something to do, over all of them"""
    replica_s: float
    """seconds of replicas provisioned so far, cold starts and draining included: what is paid for"""
    cold_starts: int


class Engine:
    """See the module's docstring."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        admission = config.admission or Admission()
        self._admission = admission
        self._meter = QuotaMeter(admission.quota) if admission.quota else None
        self._route = make_router(config.router, config.seed)
        self._controller = config.autoscaling.controller() if config.autoscaling else None
        self._now = -NEVER
        self._table = Table()
        self._live = True
        self._log: list[LogEntry] | None = []
        self._ids: dict[int, str] = {}
        self._rows: dict[str, int] = {}
        self._home: dict[int, Replica] = {}
        """live rows at a replica"""
        self._events: list[Event] = []
        self._ready = [
            config.replica.build(self._table, self._log, config.stream_tokens) for _ in range(config.replicas)
        ]
        self._starting: deque[float] = deque()
        """when each replica that is coming up will be ready, ascending"""
        self._draining: list[Replica] = []
        self._front: deque[int] = deque()
        self._in_service = 0
        self._submitted = self._rejected = self._finished = self._cancelled = self._cold_starts = 0
        self.rejections: dict[str, int] = {}
        """reason: how many"""
        self._gone_preemptions = self._gone_steps = 0
        self._gone_busy_s = 0.0
        self._replica_s = 0.0
        self._counted_to = -NEVER
        self._next_sample = NEVER
        self._sampled_at = -NEVER
        self._sampled_arrivals = 0
        self._sampled_busy_s = 0.0

    # The live calls

    def submit(self, t: float, request: Request) -> None:
        """Offer `request` at time `t`."""
        if request.id in self._rows:
            raise ValueError(f"request {request.id!r} is in flight already: ids must differ")
        self._run_to(t)
        row = self._table.take(t, request)
        self._ids[row] = request.id
        self._rows[request.id] = row
        self._arrive(t, row)

    def advance(self, t: float) -> list[Event]:
        """Everything that happened up to and including `t`, in time order."""
        self._run_to(t)
        events, self._events = self._events, []
        return events

    def next_event_at(self) -> float | None:
        """When something may happen next, or None. With autoscaling there is always a next sample."""
        if self._events:
            return self._now
        at = min((replica.due for replica in (*self._ready, *self._draining)), default=NEVER)
        at = min(at, self._next_sample, self._starting[0] if self._starting else NEVER)
        return None if at == NEVER else max(at, self._now)

    def cancel(self, t: float, request_id: str) -> bool:
        """Drop a request whose client went away. True if it was in flight: a "cancelled" event follows, now or at the next step."""
        self._run_to(t)
        row = self._rows.get(request_id)
        if row is None:
            return False
        if row in self._front:
            self._front.remove(row)
            self._told([(t, CANCELLED, row, 0)], waited=True)
        else:
            self._home[row].cancel(row, t)
            self._drain_log()
            self._dispatch(t)
        return True

    def set_replicas(self, n: int) -> None:
        """Ask for `n` replicas from the engine's present time on."""
        if n < 0:
            raise ValueError(f"there cannot be {n} replicas")
        t = self._now
        self._count_replica_s(t)
        while len(self._ready) + len(self._starting) > n:
            if self._starting:
                self._starting.pop()
            else:
                self._draining.append(self._ready.pop())
        cold_s = self.config.replica.cold_start_s
        while len(self._ready) + len(self._starting) < n:
            self._cold_starts += 1
            if cold_s > 0 and t > -NEVER:
                self._starting.append(t + cold_s)
            else:
                self._ready.append(self._new_replica())
        self._retire()
        self._dispatch(t)

    def snapshot(self) -> Snapshot:
        """Counts at the engine's present time."""
        every = (*self._ready, *self._draining)
        self._count_replica_s(self._now)
        queued = sum(replica.waiting_count() for replica in every)
        return Snapshot(
            t=self._now,
            replicas_ready=len(self._ready),
            replicas_starting=len(self._starting),
            replicas_draining=len(self._draining),
            waiting=len(self._front) + queued,
            running=sum(replica.outstanding for replica in every) - queued,
            submitted=self._submitted,
            rejected=self._rejected,
            finished=self._finished,
            cancelled=self._cancelled,
            preemptions=self._gone_preemptions + sum(replica.preemptions for replica in every),
            steps=self._gone_steps + sum(replica.steps for replica in every),
            busy_s=self._busy_s(),
            replica_s=self._replica_s,
            cold_starts=self._cold_starts,
        )

    # Virtual time

    def run(self, table: Table) -> None:
        """Serve every request of `table`, then stop; `table.first` and `table.finish` have the times, `NEVER` where rejected."""
        if self._now > -NEVER:
            raise ValueError("run() needs a fresh engine: this one has served already")
        if not len(table):
            return
        self._table, self._live = table, False
        start = table.arrival[0]
        if self._runs_apart(table):
            self._run_apart(table)
        else:
            if self.config.admission is not None or self._controller is not None or not self._ready:
                table.may_wait_in_front()
            self._log = [] if self._meter or self._admission.max_concurrency is not None else None
            self._ready = [self._new_replica() for _ in self._ready]
            self._run_to(start)
            self._run_together(table)
        last = max(table.finish)
        self._finished = len(table)
        if last == NEVER:  # some were rejected, or wait for a replica that nobody will start
            ends = [t for t in table.finish if t < NEVER]
            self._finished, last = len(ends), max(ends, default=start)
        self._now = last
        self._counted_to = max(self._counted_to, start)

    def _runs_apart(self, table: Table) -> bool:
        """Can each replica be given its requests beforehand? Then each runs through its own without looking up."""
        fixed = self.config.admission is None and self._controller is None and not self._starting and bool(self._ready)
        blind = len(self._ready) == 1 or self.config.router != "least_outstanding"
        longest = max(table.output_tokens if table.max_tokens is None else table.max_tokens)
        return fixed and blind and not self.config.replica.refuses(max(table.input_tokens), longest)

    def _run_apart(self, table: Table) -> None:
        n, spec = len(table), self.config.replica
        replicas = len(self._ready)
        inboxes: list[Sequence[int]] = [range(i, n, replicas) for i in range(replicas)]
        if replicas > 1 and self.config.router == "random":
            draw = Random(self.config.seed).random
            drawn = [array("i") for _ in range(replicas)]
            for row in range(n):
                drawn[int(draw() * replicas)].append(row)
            inboxes = list(drawn)
        self._ready = [spec.build(table, None, False, inbox) for inbox in inboxes]
        for replica in self._ready:
            replica.advance(THE_END)
        self._submitted = n

    def _run_together(self, table: Table) -> None:
        arrival = table.arrival
        longest = max(table.output_tokens if table.max_tokens is None else table.max_tokens)
        plain = self.config.admission is None and self._controller is None and bool(self._ready)
        if (
            plain
            and self.config.router == "least_outstanding"
            and not self.config.replica.refuses(max(table.input_tokens), longest)
        ):
            self._run_by_count(arrival)
        else:
            for row in range(len(table)):
                self._run_to(arrival[row])
                self._arrive(arrival[row], row)
        while self._front or any(replica.outstanding for replica in (*self._ready, *self._draining)):
            at = self.next_event_at()
            if at is None:
                break  # requests wait for a replica that nobody will start
            self._run_to(at)

    def _run_by_count(self, arrival: Sequence[float]) -> None:
        """Without limits and policies an arrival needs only how many requests each replica has in hand."""
        ready = self._ready
        advances, pushes = [replica.advance for replica in ready], [replica.push for replica in ready]
        done, in_hand = [NEVER] * len(ready), [0] * len(ready)
        soonest = NEVER
        """nobody ends a request before this"""
        for row, t in enumerate(arrival):
            while soonest <= t:
                i = done.index(soonest)
                advances[i](t)
                done[i], in_hand[i] = ready[i].next_done, ready[i].outstanding
                soonest = min(done)
            i = in_hand.index(min(in_hand))
            pushes[i](row, t)
            in_hand[i] += 1
            if ready[i].next_done < done[i]:
                done[i] = ready[i].next_done
                if done[i] < soonest:
                    soonest = done[i]
        self._submitted = len(arrival)

    # The inside

    def _new_replica(self) -> Replica:
        return self.config.replica.build(self._table, self._log, self.config.stream_tokens and self._live)

    def _busy_s(self) -> float:
        return self._gone_busy_s + sum(replica.busy_s(self._now) for replica in (*self._ready, *self._draining))

    def _count_replica_s(self, t: float) -> None:
        if self._counted_to > -NEVER:
            self._replica_s += (t - self._counted_to) * (len(self._ready) + len(self._starting) + len(self._draining))
        self._counted_to = t

    def _retire(self) -> None:
        """Let go of draining replicas that are empty."""
        for replica in [r for r in self._draining if not r.outstanding]:
            self._draining.remove(replica)
            self._gone_preemptions += replica.preemptions
            self._gone_steps += replica.steps
            self._gone_busy_s += replica.busy_s(self._now)

    def _run_to(self, t: float) -> None:
        """Bring everything up to `t`: replicas, cold starts, samples, and the queue in front."""
        if t < self._now:
            raise ValueError(f"time went backwards: {t} after {self._now}")
        if self._counted_to == -NEVER:
            self._counted_to = self._sampled_at = t
            if self.config.autoscaling is not None:
                self._next_sample = t + self.config.autoscaling.sample_s
        while True:
            change = min(self._next_sample, self._starting[0] if self._starting else NEVER)
            if self._front and self._ready and self._admission.max_concurrency is not None:
                # A completion frees a place for whoever waits in front: stop at each.
                change = min(change, min(replica.due for replica in (*self._ready, *self._draining)))
            if change > t:
                break
            self._replicas_to(change)
            if self._starting and self._starting[0] <= change:
                self._starting.popleft()
                self._ready.append(self._new_replica())
            self._dispatch(change)
            if self._next_sample <= change:
                self._sample(change)
        self._replicas_to(t)
        self._dispatch(t)

    def _replicas_to(self, t: float) -> None:
        for replica in self._ready:
            if replica.due <= t:
                replica.advance(t)
        if self._draining:
            for replica in self._draining:
                if replica.due <= t:
                    replica.advance(t)
            if not all(replica.outstanding for replica in self._draining):
                self._count_replica_s(t)
                self._now = t
                self._retire()
        self._now = t
        if self._log:
            self._drain_log()

    def _drain_log(self) -> None:
        log = self._log
        assert log is not None
        if len(self._ready) + len(self._draining) > 1:
            log.sort(key=_time)
        told = log[:]
        log.clear()
        self._told(told)

    def _told(self, entries: list[LogEntry], waited: bool = False) -> None:
        """Settle what replicas report, and put names to it."""
        table = self._table
        for t, kind, row, tokens in entries:
            if self._live:
                self._events.append(Event(t, self._ids[row], KINDS[kind], tokens))
            if kind < FINISHED:
                continue
            if not waited:
                self._in_service -= 1
            if self._meter:
                self._meter.settle(t, row, table.input_tokens[row], tokens)
            if kind == CANCELLED:
                self._cancelled += 1
            elif self._live:
                self._finished += 1
            if self._live:
                del self._rows[self._ids.pop(row)]
                self._home.pop(row, None)
                table.give_back(row)

    def _arrive(self, t: float, row: int) -> None:
        self._submitted += 1
        table, admission = self._table, self._admission
        inputs, ceiling = table.input_tokens[row], table.ceiling(row)
        policy = self.config.autoscaling
        if not self._ready and not self._starting and policy is not None and policy.wakes_from_zero:
            self.set_replicas(1)
        reason = None
        waits = not self._may_dispatch()
        if self.config.replica.refuses(inputs, ceiling):
            reason = "context"
        elif waits and not self._ready and admission.reject_when_cold:
            reason = "not ready"
        elif waits and admission.max_queue is not None and len(self._front) >= admission.max_queue:
            reason = "queue"
        elif self._meter:
            reason = self._meter.admit(t, row, inputs, ceiling)
        if reason is not None:
            self._reject(t, row, reason)
        elif waits:
            self._front.append(row)
        else:
            self._place(t, row)

    def _reject(self, t: float, row: int, reason: str) -> None:
        self._rejected += 1
        self.rejections[reason] = self.rejections.get(reason, 0) + 1
        if self._live:
            request_id = self._ids.pop(row)
            del self._rows[request_id]
            self._table.give_back(row)
            self._events.append(Event(t, request_id, "rejected", 0, reason))

    def _may_dispatch(self) -> bool:
        limit = self._admission.max_concurrency
        return bool(self._ready) and not self._front and (limit is None or self._in_service < limit)

    def _dispatch(self, t: float) -> None:
        limit = self._admission.max_concurrency
        while self._front and self._ready and (limit is None or self._in_service < limit):
            self._place(t, self._front.popleft())

    def _place(self, t: float, row: int) -> None:
        replica = self._route(self._ready)
        self._in_service += 1
        if t > self._table.offered[row]:
            self._table.offered[row] = t
        replica.push(row, t)
        if self._live:
            self._home[row] = replica
            replica.advance(t)
            if self._log:
                self._drain_log()

    def _sample(self, t: float) -> None:
        """Show the policy what has happened since the last sample, and do as it says."""
        assert self._controller is not None
        assert self.config.autoscaling is not None
        period = t - self._sampled_at
        busy = self._busy_s()
        self._next_sample = t + self.config.autoscaling.sample_s
        wanted = self._controller.observe(
            Sample(
                t=t,
                period_s=period,
                arrivals=self._submitted - self._sampled_arrivals,
                in_hand=len(self._front) + sum(replica.outstanding for replica in (*self._ready, *self._draining)),
                busy=min(1.0, (busy - self._sampled_busy_s) / (period * max(1, len(self._ready)))),
                ready=len(self._ready),
                desired=len(self._ready) + len(self._starting),
            )
        )
        self._sampled_at, self._sampled_arrivals, self._sampled_busy_s = t, self._submitted, busy
        if wanted is not None:
            # Whoever waits in front must not wait for ever.
            self.set_replicas(max(1, wanted) if self._front else wanted)


def _time(entry: LogEntry) -> float:
    return entry[0]
