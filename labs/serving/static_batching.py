"""Static batches in context buckets: how compiled models were served on Inferentia2 and Trainium1 before continuous batching.

A batch takes whoever waits, up to `max_batch`. Its prompts are padded to one bucket and prefilled at once. Then all decode in step, each
step as dear as the bucket that holds the longest context. Seats are refilled only when the longest answer is done; an answer that
is done earlier leaves at its own time. A batch is formed as soon as time has passed the moment it could be, so that whoever arrives at
that very moment belongs to it. Shapes are compiled: both the batch and the context are rounded up to a size that exists.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace
from math import nextafter

from labs.serving.laws import BatchLaw
from labs.serving.replica import Inbox, Replica
from labs.serving.requests import CANCELLED, FINISHED, NEVER, STARTED, TOKENS, LogEntry, Table

BUCKETS = (128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class StaticSpec:
    """One replica with static batches: its law of speed and its compiled sizes."""

    law: BatchLaw
    max_batch: int = 8
    buckets: tuple[int, ...] = BUCKETS
    """contexts that are compiled, ascending"""
    batches: tuple[int, ...] = BATCHES
    """batch sizes that are compiled, ascending"""
    ingress_s: float = 0.0
    cold_start_s: float = 0.0

    def refuses(self, input_tokens: int, ceiling: int) -> bool:
        """True when the longest answer would leave the largest bucket."""
        return input_tokens + ceiling > self.buckets[-1]

    def bucket(self, tokens: int) -> int:
        """The smallest compiled context that holds `tokens`."""
        return self.buckets[min(bisect_left(self.buckets, tokens), len(self.buckets) - 1)]

    def padded_batch(self, batch: int) -> int:
        """The smallest compiled batch that holds `batch` sequences."""
        return self.batches[min(bisect_left(self.batches, batch), len(self.batches) - 1)]

    def decode_spans(self, batch: int, prompt_tokens: int, steps: int) -> list[tuple[int, float]]:
        """How `steps` decode steps divide among buckets: (steps, seconds for each) in order."""
        spans = []
        context = prompt_tokens + 1
        while steps > 0:
            bucket = self.bucket(context)
            here = min(steps, bucket - context + 1) if bucket < self.buckets[-1] else steps
            spans.append((here, self.law.step_s(batch, bucket)))
            steps -= here
            context += here
        return spans

    def build(
        self, table: Table, log: list[LogEntry] | None, stream: bool, rows: Sequence[int] | None = None
    ) -> Replica:
        """A replica of this kind; see `replica.Spec`."""
        return StaticReplica(self, table, log, stream, rows)


class StaticReplica:
    """See the module's docstring. The plan is a whole batch, told piece by piece."""

    preemptions = 0

    def __init__(
        self,
        spec: StaticSpec,
        table: Table,
        log: list[LogEntry] | None = None,
        stream: bool = False,
        rows: Sequence[int] | None = None,
    ) -> None:
        self.spec = spec
        self.table = table
        self.log = log
        self.stream = stream
        self.inbox = Inbox(rows)
        self.waiting: deque[int] = deque()
        self.due = NEVER if rows is None else -NEVER
        self.outstanding = 0 if rows is None else len(rows)
        self.steps = 0
        # The batch: when its prompts are done, what each of its steps takes, and who is still to be told what.
        self.t = -NEVER
        self.batch: list[int] = []
        self.prefilled_at = NEVER
        self.spans: list[tuple[int, float]] = []
        self.pending: list[tuple[float, int]] = []
        """heap of (time of the next thing to tell, row)"""
        self.told: dict[int, int] = {}
        """row: tokens it has been given"""
        self.gone: set[int] = set()
        self.end = NEVER
        self._busy_s = 0.0

    @property
    def next_done(self) -> float:
        """See `replica.Replica`."""
        return self.due

    def push(self, row: int, t: float) -> None:
        """Put a row into the inbox."""
        self.inbox.push(row)
        self.outstanding += 1
        self.due = min(self.due, t)

    def busy_s(self, t: float) -> float:
        """Seconds so far with a batch running."""
        return self._busy_s + (t - self.t if self.batch else 0.0)

    def waiting_count(self) -> int:
        """Rows that have not begun."""
        return len(self.waiting) + len(self.inbox.rows) - self.inbox.head

    def cancel(self, row: int, t: float) -> None:
        """Drop a row; a running one keeps its seat until the batch ends, as its shape is compiled in."""
        self.advance(t)
        waits = self.inbox.remove(row)
        if not waits and row in self.waiting:
            self.waiting.remove(row)
            waits = True
        if waits or row in self.told:
            self.outstanding -= 1
            if self.log is not None:
                self.log.append((t, CANCELLED, row, self.told.pop(row, 0)))
            self.pending = [entry for entry in self.pending if entry[1] != row]
            heapify(self.pending)

    def _token_at(self, number: int) -> float:
        """When a sequence of this batch gets its token `number` (the first is 1)."""
        t = self.prefilled_at
        left = number - 1
        for count, seconds in self.spans:
            if left <= count:
                return t + left * seconds
            t += count * seconds
            left -= count
        return t

    def _start(self, t: float) -> None:
        spec, table = self.spec, self.table
        self.batch = [self.waiting.popleft() for _ in range(min(spec.max_batch, len(self.waiting)))]
        size = spec.padded_batch(len(self.batch))
        prompt = max(table.input_tokens[row] for row in self.batch)
        longest = max(table.output_tokens[row] for row in self.batch)
        self.prefilled_at = t + spec.law.prefill_s(size, spec.bucket(prompt))
        self.spans = spec.decode_spans(size, prompt, longest - 1)
        self.end = self._token_at(longest)
        self.steps += longest
        self.told = dict.fromkeys(self.batch, 0)
        self.pending = [(self.prefilled_at, row) for row in self.batch]
        if self.log is not None:
            self.log.extend([(t, STARTED, row, 0) for row in self.batch])

    def _tell(self, t: float, row: int) -> float | None:
        """Report what `row` gets at `t`; when to come back for it, or None when it is done."""
        table, log = self.table, self.log
        outputs = table.output_tokens[row]
        told = self.told[row]
        if told == 0:
            table.first[row] = t
        told = told + 1 if self.stream or told == 0 else outputs
        self.told[row] = told
        if log is not None and (self.stream or told == 1):
            log.append((t, TOKENS, row, 1))
        if told < outputs:
            return self._token_at(told + 1 if self.stream else outputs)
        table.finish[row] = t
        self.outstanding -= 1
        del self.told[row]
        if log is not None:
            log.append((t, FINISHED, row, outputs))
        return None

    def advance(self, until: float) -> None:
        """Do everything that ends by `until`."""
        offered, ingress_s, rows = self.table.offered, self.spec.ingress_s, self.inbox.rows
        while True:
            next_arrival = offered[rows[self.inbox.head]] + ingress_s if self.inbox.head < len(rows) else NEVER
            if self.batch:
                while self.pending and self.pending[0][0] <= until:
                    at, row = self.pending[0]
                    again = self._tell(at, row)
                    if again is None:
                        heappop(self.pending)
                    else:
                        heapreplace(self.pending, (again, row))
                if self.end > until:
                    break
                self._busy_s += self.end - self.t
                self.t = self.end
                self.batch = []
            elif not self.waiting:
                if next_arrival > until:
                    break
                self.t = max(next_arrival, self.t)
            while self.inbox.head < len(rows) and offered[rows[self.inbox.head]] + ingress_s <= self.t:
                self.waiting.append(rows[self.inbox.head])
                self.inbox.head += 1
            if self.waiting:
                if until <= self.t:
                    break
                self._start(self.t)
        if self.batch:
            self.due = min(self.end, self.pending[0][0]) if self.pending else self.end
        else:
            self.due = nextafter(self.t, NEVER) if self.waiting else next_arrival
