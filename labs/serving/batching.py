"""Continuous batching, from event to event: the fast replica. `stepwise` is the same thing one step at a time, and its oracle.

A replica works in steps, back to back. At a boundary between steps, in this order:

1. requests that have arrived join the queue (first in, first out);
2. when the cache has no room for one more token of every decoding sequence, the youngest is preempted: its cache is dropped and
   it goes to the front of the queue, to be prefilled again with what it had written (recompute);
3. requests are admitted while a seat (`max_num_seqs`), tokens of this step's budget and room in the cache are left. The step's budget
   is `token_budget` less one for each decoding sequence; a prompt that does not fit is prefilled in chunks. With `evict=False` a request
   is admitted only when its longest possible answer fits too, and nothing is ever preempted;
4. the step runs: every decoding sequence gets a token, a prompt whose last chunk was in the step gets its first. The cache is read as it
   stands at the start of the step.

While nobody is being prefilled, the batch is constant and the cache grows by one token per sequence and step, so step i of a run takes
d + s*i seconds and k steps take k*d + s*k*(k-1)/2. The run lasts until the first completion, a full cache, or the boundary after an
arrival, which a quadratic gives; an arrival matters only if the queue is empty and a seat is free. Each run is one *jump*.
A plan, jump or step, is carried out only when it ends within the time asked for, so incremental driving changes nothing, not even rounding.

The replica's life is a generator: `advance(until)` is its `send`. Its state lives in local variables from call to call, which in Python is
what makes a fleet of replicas, each advanced twice for every request, as fast as one replica that runs alone.
"""

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import sqrt

from labs.serving.laws import StepLaw
from labs.serving.replica import Replica
from labs.serving.requests import CANCELLED, FINISHED, NEVER, STARTED, TOKENS, LogEntry, Table

IDLE, JUMP, STEP = 0, 1, 2
ROW_BITS = 32
"""the heap of completions holds integers: step of completion in the high bits, row in the low ones"""
ROW_MASK = (1 << ROW_BITS) - 1
UNLIMITED = 1 << 60


@dataclass(frozen=True)
class ReplicaSpec:
    """One replica with continuous batching: its law of speed and its limits."""

    law: StepLaw
    max_num_seqs: int = 256
    token_budget: int = 2048
    kv_capacity_tokens: int = UNLIMITED
    evict: bool = True
    """admit when the prompt fits and preempt when the cache is full; False: admit only what can be finished"""
    ingress_s: float = 0.0
    """from the arrival of a request to the queue: parsing, tokenising, scheduling"""
    cold_start_s: float = 0.0

    def __post_init__(self) -> None:
        if self.token_budget <= self.max_num_seqs:
            raise ValueError(
                f"a token budget of {self.token_budget} leaves no room for prompts beside {self.max_num_seqs} sequences: "
                "make it larger than max_num_seqs"
            )

    def refuses(self, input_tokens: int, ceiling: int) -> bool:
        """True when the request would not fit on an empty replica."""
        return input_tokens + ceiling > self.kv_capacity_tokens

    def build(
        self, table: Table, log: list[LogEntry] | None, stream: bool, rows: Sequence[int] | None = None
    ) -> Replica:
        """A replica of this kind; see `replica.Spec`."""
        return ContinuousReplica(self, table, log, stream, rows)


class ContinuousReplica:
    """See the module's docstring."""

    def __init__(
        self,
        spec: ReplicaSpec,
        table: Table,
        log: list[LogEntry] | None = None,
        stream: bool = False,
        rows: Sequence[int] | None = None,
    ) -> None:
        self.spec = spec
        self.table = table
        self.log = log
        self.inbox: deque[int] = deque()
        self.waiting: deque[int] = deque()
        self.running: dict[int, int] = {}
        """row: the step of its last token; in order of admission"""
        self.due = self.next_done = NEVER if rows is None else -NEVER
        shortest = min(table.output_tokens) if len(table) and not stream and log is None else 1
        self._at_least_s = spec.ingress_s + shortest * spec.law.least_step_s
        """no request takes less time than this at the replica"""
        self.outstanding = 0 if rows is None else len(rows)
        self.steps = 0
        self.preemptions = 0
        self.cached = 0
        """tokens in the cache of decoding sequences, at the last boundary"""
        self.held = 0
        """cache spoken for: with eviction, by prompts being prefilled; without, by everybody's longest answer"""
        self._written: dict[int, int] = {}
        """row: tokens it had when it was preempted"""
        self._cancels: list[int] = []
        self._busy_s = 0.0
        self._busy_since = NEVER
        self.advance = self._life(stream, rows).send
        self.advance(None)  # type: ignore[arg-type]

    def push(self, row: int, t: float) -> None:
        """Put a row into the inbox; the replica looks at it when it is next advanced."""
        self.inbox.append(row)
        self.outstanding += 1
        if t < self.due:
            self.due = t
        if t + self._at_least_s < self.next_done:
            self.next_done = t + self._at_least_s

    def busy_s(self, t: float) -> float:
        """Seconds so far with something to do."""
        return self._busy_s + (t - self._busy_since if t > self._busy_since else 0.0)

    def waiting_count(self) -> int:
        """Rows that have not begun, or were preempted."""
        return len(self.waiting) + len(self.inbox)

    def cancel(self, row: int, t: float) -> None:
        """Drop a row; see `replica.Replica`."""
        self.advance(t)
        for queue in (self.inbox, self.waiting):
            if row in queue:
                queue.remove(row)
                self.outstanding -= 1
                written = self._written.pop(row, 0)
                if self.log is not None:
                    self.log.append((t, CANCELLED, row, written))
                break
        else:
            self._cancels.append(row)
        self.advance(t)

    def _life(self, stream: bool, rows: Sequence[int] | None) -> Generator[None, float, None]:
        """Carry out every plan that ends by the time sent; for ever."""
        spec, table, log = self.spec, self.table, self.log
        offered, first, finish = table.offered, table.first, table.finish
        inputs, outputs = table.input_tokens, table.output_tokens
        seats, budget, capacity, evict = spec.max_num_seqs, spec.token_budget, spec.kv_capacity_tokens, spec.evict
        limit = capacity if evict else UNLIMITED
        """where decoding alone would fill the cache"""
        law = spec.law
        mixed_s, per_cached_s, ingress_s = law.mixed_s, law.per_cached_token_s, spec.ingress_s
        half_cached_s = 0.5 * per_cached_s
        inbox, waiting, running = self.inbox, self.waiting, self.running
        written, cancels = self._written, self._cancels
        heap: list[int] = []
        """completions to come"""
        next_done = UNLIMITED
        """the step of the first of them"""
        base = [0.0, *map(law.decode_s, range(1, seats + 1))]
        """seconds of a decode step without its cache, by batch"""
        plain = log is None and not stream
        least_s, lone_s = law.least_step_s, self._at_least_s - ingress_s
        known_steps: dict[int, float] = {}
        """seconds of steps with one whole prompt, by batch and prompt"""

        # Where it stands: the last boundary, and what is decoding and cached there.
        t = -NEVER
        steps = cached = held = batch = 0
        # What it does next. A jump has `count` steps, the first of `d` seconds, each 2*s longer than the one before.
        plan, end, count, d, s = IDLE, NEVER, 0, 0.0, 0.0
        open_seat = False
        budget_left = prefill_tokens = 0
        prefill_attention = 0.0
        completing: list[int] = []
        """prompts that this step finishes"""
        partial: tuple[int, int, int] | None = None
        """a prompt that this step leaves unfinished: row, tokens done after the step, tokens needed"""
        told = 0
        """steps of the present jump whose tokens have been reported"""
        finished = 0

        known = iter(rows) if rows is not None else None
        """rows that are all known beforehand; without them, they come through the inbox"""
        next_row = next(known, -1) if known is not None else -1
        spare_row = -1
        """the one after it, where it has been looked at"""
        next_arrival = offered[next_row] + ingress_s if next_row >= 0 else NEVER
        until = yield

        while True:
            if known is None:
                next_row = inbox[0] if inbox else -1
                next_arrival = offered[next_row] + ingress_s if inbox else NEVER
            # An arrival at the very boundary at which the present plan began may yet be admitted to that plan.
            begin = plan == IDLE or next_arrival > t
            if cancels and plan == JUMP:
                # A client went away: end the jump at the next boundary.
                k = 1
                while k < count and t + k * d + s * (k * (k - 1)) < until:
                    k += 1
                count = k
                end = t + k * d + s * (k * (k - 1))

            while True:
                if begin:
                    if plan == JUMP:
                        if next_arrival < end and open_seat:
                            # End the jump at the first boundary at or after the arrival: t + k*d + s*k*(k-1) >= arrival.
                            wait = next_arrival - t
                            b = d - s
                            x = 2.0 * wait / (b + sqrt(b * b + 4.0 * s * wait))
                            k = int(x) + 1
                            if not 0.001 < k - x < 0.999:
                                # The root may be a rounding error away from the boundary that the sums give.
                                while k > 1 and t + (k - 1) * d + s * ((k - 1) * (k - 2)) >= next_arrival:
                                    k -= 1
                                while t + k * d + s * (k * (k - 1)) < next_arrival:
                                    k += 1
                            open_seat = False
                            if k < count:
                                count = k
                                end = t + k * d + s * (k * (k - 1))
                                if plain and end <= until:
                                    # The common case, in one go: one prompt that is prefilled in one step.
                                    if known is None:
                                        after_row = inbox[1] if len(inbox) > 1 else -1
                                    else:
                                        if spare_row < 0:
                                            spare_row = next(known, -1)
                                        after_row = spare_row
                                    after = offered[after_row] + ingress_s if after_row >= 0 else NEVER
                                    need = inputs[next_row]
                                    at_end = cached + k * batch
                                    step_s = known_steps.get(batch << ROW_BITS | need)
                                    if step_s is None:
                                        if len(known_steps) > 50_000:
                                            known_steps.clear()
                                        step_s = mixed_s(batch, need, 0.5 * need * need)
                                        known_steps[batch << ROW_BITS | need] = step_s
                                    stop = end + step_s + per_cached_s * at_end
                                    room = need if evict else need + table.ceiling(next_row)
                                    taken = at_end + batch if evict else held
                                    if (
                                        stop <= until
                                        and stop < after
                                        and taken + room <= capacity
                                        and need + batch <= budget
                                    ):
                                        t = stop
                                        steps += k + 1
                                        cached = at_end + batch
                                        held += room
                                        completing.append(next_row)
                                        prefill_tokens = need
                                        if known is None:
                                            inbox.popleft()
                                        next_row, spare_row, next_arrival = after_row, -1, after
                        if not prefill_tokens:
                            if end > until:
                                break
                            if stream and log is not None:
                                for k in range(told + 1, count + 1):
                                    at = end if k == count else t + k * d + s * (k * (k - 1))
                                    log.extend([(at, TOKENS, row, 1) for row in running])
                                told = 0
                            t = end
                            steps += count
                            cached += count * batch
                    elif plan == STEP:
                        if end > until:
                            break
                        t = end
                        steps += 1
                        cached += batch
                        if stream and log is not None:
                            log.extend([(t, TOKENS, row, 1) for row in running])
                    else:
                        if next_arrival > until:
                            break
                        if next_arrival > t:
                            t = next_arrival
                        self._busy_since = t

                    while next_done <= steps:
                        entry = heappop(heap)
                        next_done = heap[0] >> ROW_BITS if heap else UNLIMITED
                        row = entry & ROW_MASK
                        if running.get(row) != entry >> ROW_BITS:
                            continue  # preempted or cancelled since
                        del running[row]
                        batch -= 1
                        finish[row] = t
                        finished += 1
                        cached -= inputs[row] + outputs[row] - 1
                        if not evict:
                            held -= inputs[row] + table.ceiling(row)
                        if log is not None:
                            log.append((t, FINISHED, row, outputs[row]))
                    if prefill_tokens:
                        for row in completing:
                            need = inputs[row]
                            left = outputs[row] - 1
                            had = 0
                            if written:
                                had = written.pop(row, 0)
                                need += had
                                left -= had
                            if not had:
                                first[row] = t
                            if evict:
                                held -= need
                            if log is not None and (stream or not had):
                                log.append((t, TOKENS, row, 1))
                            if left:
                                cached += need
                                running[row] = steps + left
                                heappush(heap, (steps + left) << ROW_BITS | row)
                                if steps + left < next_done:
                                    next_done = steps + left
                                batch += 1
                            else:
                                finish[row] = t
                                finished += 1
                                if not evict:
                                    held -= inputs[row] + table.ceiling(row)
                                if log is not None:
                                    log.append((t, FINISHED, row, outputs[row]))
                        completing = []
                        prefill_tokens = 0
                        prefill_attention = 0.0
                    if cancels:
                        for row in cancels:
                            if row in running:
                                had = outputs[row] - (running.pop(row) - steps)
                                batch -= 1
                                cached -= inputs[row] + had - 1
                                if not evict:
                                    held -= inputs[row] + table.ceiling(row)
                            elif partial is not None and partial[0] == row:
                                had = written.pop(row, 0)
                                held -= partial[2] if evict else inputs[row] + table.ceiling(row)
                                partial = None
                            else:
                                continue  # its last token left with the step that the cancellation waited for
                            finished += 1
                            if log is not None:
                                log.append((t, CANCELLED, row, had))
                        cancels.clear()
                        # What is left of them in the heap must not meet a later request with the same row.
                        heap = [entry for entry in heap if running.get(entry & ROW_MASK) == entry >> ROW_BITS]
                        heapify(heap)
                        next_done = heap[0] >> ROW_BITS if heap else UNLIMITED
                    if plain and batch and not waiting and next_arrival > t and partial is None:
                        count = next_done - steps
                        if cached + count * batch > limit:
                            count = (limit - cached) // batch
                        if count > 0:
                            # Nobody is there to be admitted, and nobody must go: jump on.
                            plan = JUMP
                            d = base[batch] + per_cached_s * cached
                            s = half_cached_s * batch
                            open_seat = batch < seats
                            end = t + count * d + s * (count * (count - 1))
                            continue

                while next_arrival <= t:
                    waiting.append(next_row)
                    if known is None:
                        inbox.popleft()
                        next_row = inbox[0] if inbox else -1
                    elif spare_row < 0:
                        next_row = next(known, -1)
                    else:
                        next_row, spare_row = spare_row, -1
                    next_arrival = offered[next_row] + ingress_s if next_row >= 0 else NEVER

                if begin:
                    # Room for one more token of everybody, or the youngest goes.
                    while evict and cached + held + batch > capacity:
                        self.preemptions += 1
                        if partial is not None:
                            row, _, need = partial
                            partial = None
                            held -= need
                            written.setdefault(row, 0)
                        else:
                            row, last_step = running.popitem()
                            had = outputs[row] - (last_step - steps)
                            written[row] = had
                            cached -= inputs[row] + had - 1
                            batch -= 1
                        waiting.appendleft(row)
                    budget_left = budget - batch
                    if partial is not None:
                        # The prompt begun in an earlier step comes first.
                        row, done, need = partial
                        chunk = need - done
                        if chunk <= budget_left:
                            completing.append(row)
                            partial = None
                        else:
                            chunk = budget_left
                            partial = (row, done + chunk, need)
                        prefill_tokens = chunk
                        prefill_attention = chunk * (done + 0.5 * chunk)
                        budget_left -= chunk
                begin = True

                # Admission, in order; it stops at the first that does not fit.
                while waiting and budget_left > 0 and batch + len(completing) + (partial is not None) < seats:
                    row = waiting[0]
                    need = inputs[row]
                    if written:
                        need += written.get(row, 0)
                    if evict:
                        if cached + held + need + batch > capacity:
                            break
                        held += need
                    else:
                        room = inputs[row] + table.ceiling(row)
                        if held + room > capacity:
                            break
                        held += room
                    waiting.popleft()
                    if log is not None and row not in written:
                        log.append((t, STARTED, row, 0))
                    if need <= budget_left:
                        chunk = need
                        completing.append(row)
                    else:
                        chunk = budget_left
                        partial = (row, chunk, need)
                    prefill_tokens += chunk
                    prefill_attention += 0.5 * chunk * chunk
                    budget_left -= chunk

                if prefill_tokens:
                    plan = STEP
                    end = t + mixed_s(batch, prefill_tokens, prefill_attention) + per_cached_s * cached
                elif batch:
                    plan = JUMP
                    d = base[batch] + per_cached_s * cached
                    s = half_cached_s * batch
                    count = next_done - steps
                    if cached + count * batch > limit:
                        count = (limit - cached) // batch
                    # An arrival ends the jump only if it could be admitted: nobody waits, and a seat is free.
                    open_seat = batch < seats and not waiting
                    end = t + count * d + s * (count * (count - 1))
                else:
                    if plan != IDLE:
                        self._busy_s += t - self._busy_since
                        self._busy_since = NEVER
                    plan = IDLE
                    end = NEVER

            self.due = self.next_done = due = end if plan != IDLE else next_arrival
            if plain and not written and (plan == STEP or (plan == JUMP and next_row >= 0)):
                # Whoever runs has so many steps to go; whoever is still to come has all its steps before it.
                may_be = t + (next_done - steps) * least_s if heap else NEVER
                if t + lone_s < may_be:
                    may_be = t + lone_s
                if may_be > due:
                    self.next_done = may_be
            self.steps, self.cached, self.held = steps, cached, held
            if finished:
                self.outstanding -= finished
                finished = 0
            if stream and plan == JUMP and log is not None:
                # Boundaries inside the jump that have passed by now.
                due = t + (told + 1) * d + s * ((told + 1) * told)
                while told + 1 < count and due <= until:
                    log.extend([(due, TOKENS, row, 1) for row in running])
                    told += 1
                    due = t + (told + 1) * d + s * ((told + 1) * told)
                self.due = end if told + 1 >= count else due
            until = yield
