"""Continuous batching one step at a time: slow, plain, and the oracle that the fast replica (`batching`) is held to.

Same rules, same interface, no arithmetic shortcuts: each step looks at each sequence. `build_stepwise(spec)` makes a spec whose
replicas are these, so that a whole engine can be run both ways.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields

from labs.serving.batching import ReplicaSpec
from labs.serving.replica import Replica
from labs.serving.requests import CANCELLED, FINISHED, NEVER, STARTED, TOKENS, LogEntry, Table


@dataclass(frozen=True)
class StepwiseSpec(ReplicaSpec):
    """A `ReplicaSpec` whose replicas take one step at a time."""

    def build(
        self, table: Table, log: list[LogEntry] | None, stream: bool, rows: Sequence[int] | None = None
    ) -> Replica:
        """A replica of this kind; see `replica.Spec`."""
        return StepwiseReplica(self, table, log, stream, rows)


def stepwise(spec: ReplicaSpec) -> StepwiseSpec:
    """The same replica, one step at a time."""
    return StepwiseSpec(**{field.name: getattr(spec, field.name) for field in fields(spec)})


@dataclass(eq=False)
class _Sequence:
    row: int
    prompt: int
    answer: int
    written: int = 0
    cached: int = 0
    decoding: bool = False

    @property
    def to_prefill(self) -> int:
        """Tokens that must be in the cache before the next one can be written: the prompt, and what was written before a preemption."""
        return self.prompt + self.written


class StepwiseReplica:
    """See the module's docstring."""

    def __init__(
        self, spec: ReplicaSpec, table: Table, log: list[LogEntry] | None, stream: bool, rows: Sequence[int] | None
    ) -> None:
        self.spec, self.table, self.log, self.stream = spec, table, log, stream
        self.inbox: deque[int] = deque(rows or ())
        self.waiting: deque[_Sequence] = deque()
        self.admitted: list[_Sequence] = []
        """in order of admission; the prompts still being prefilled are at the end"""
        self.cancels: set[int] = set()
        self.t = -NEVER
        self.end: float | None = None
        self.chunks: list[tuple[_Sequence, int]] = []
        self.decoding: list[_Sequence] = []
        self.budget_left = 0
        self.steps = self.preemptions = 0
        self.outstanding = len(self.inbox)
        self.due = -NEVER if rows else NEVER
        self._busy_s = 0.0

    @property
    def next_done(self) -> float:
        """See `replica.Replica`."""
        return self.due

    def push(self, row: int, t: float) -> None:
        self.inbox.append(row)
        self.outstanding += 1
        self.due = min(self.due, t)

    def busy_s(self, t: float) -> float:
        return self._busy_s + (t - self.t if self.end is not None else 0.0)

    def waiting_count(self) -> int:
        return len(self.waiting) + len(self.inbox)

    def cancel(self, row: int, t: float) -> None:
        self.advance(t)
        if row in self.inbox:
            self.inbox.remove(row)
            self._cancelled(t, row, 0)
            return
        for sequence in self.waiting:
            if sequence.row == row:
                self.waiting.remove(sequence)
                self._cancelled(t, row, sequence.written)
                return
        self.cancels.add(row)

    def _cancelled(self, t: float, row: int, written: int) -> None:
        self.outstanding -= 1
        if self.log is not None:
            self.log.append((t, CANCELLED, row, written))

    def _tell(self, kind: int, row: int, tokens: int) -> None:
        if self.log is not None:
            self.log.append((self.t, kind, row, tokens))

    def _next_arrival(self) -> float:
        return self.table.offered[self.inbox[0]] + self.spec.ingress_s if self.inbox else NEVER

    def advance(self, until: float) -> None:
        while True:
            if self.end is not None and self._next_arrival() > self.t:
                if self.end > until:
                    break
                self._busy_s += self.end - self.t
                self.t = self.end
                self._end_step()
                fresh = True
            elif self.end is None:
                if self._next_arrival() > until:
                    break
                self.t = max(self.t, self._next_arrival())
                fresh = True
            else:
                fresh = False
            while self._next_arrival() <= self.t:
                row = self.inbox.popleft()
                self.waiting.append(_Sequence(row, self.table.input_tokens[row], self.table.output_tokens[row]))
            if fresh:
                self._begin_boundary()
            self._admit()
            self._plan_step()
        self.due = self._next_arrival() if self.end is None else self.end

    def _end_step(self) -> None:
        self.steps += 1
        for sequence in self.decoding:
            sequence.cached += 1
            self._written(sequence)
        for sequence, chunk in self.chunks:
            sequence.cached += chunk
            if sequence.cached == sequence.to_prefill:
                self._written(sequence)
        for sequence in [s for s in self.admitted if s.row in self.cancels]:
            self.admitted.remove(sequence)
            self._cancelled(self.t, sequence.row, sequence.written)
        self.cancels.clear()

    def _written(self, sequence: _Sequence) -> None:
        sequence.written += 1
        sequence.decoding = True
        if sequence.written == 1:
            self.table.first[sequence.row] = self.t
        if self.stream or sequence.written == 1:
            self._tell(TOKENS, sequence.row, 1)
        if sequence.written == sequence.answer:
            self.table.finish[sequence.row] = self.t
            self.admitted.remove(sequence)
            self.outstanding -= 1
            self._tell(FINISHED, sequence.row, sequence.answer)

    def _committed(self) -> int:
        """Cache that is spoken for: what sequences hold or are about to, or the most that they may come to hold."""
        if not self.spec.evict:
            return sum(s.prompt + self.table.ceiling(s.row) for s in self.admitted)
        return sum(s.cached if s.decoding else s.to_prefill for s in self.admitted)

    def _begin_boundary(self) -> None:
        self.decoding = [s for s in self.admitted if s.decoding]
        while self.spec.evict and self._committed() + len(self.decoding) > self.spec.kv_capacity_tokens:
            youngest = self.admitted.pop()
            youngest.cached, youngest.decoding = 0, False
            self.waiting.appendleft(youngest)
            self.preemptions += 1
            self.decoding = [s for s in self.decoding if s is not youngest]
        self.budget_left = self.spec.token_budget - len(self.decoding)
        self.chunks = []
        for sequence in self.admitted:
            if not sequence.decoding:
                self._give_chunk(sequence)

    def _give_chunk(self, sequence: _Sequence) -> None:
        chunk = min(self.budget_left, sequence.to_prefill - sequence.cached)
        self.chunks.append((sequence, chunk))
        self.budget_left -= chunk

    def _admit(self) -> None:
        while self.waiting and self.budget_left > 0 and len(self.admitted) < self.spec.max_num_seqs:
            sequence = self.waiting[0]
            if self.spec.evict:
                room = sequence.to_prefill + len(self.decoding)
            else:
                room = sequence.prompt + self.table.ceiling(sequence.row)
            if self._committed() + room > self.spec.kv_capacity_tokens:
                break
            self.waiting.popleft()
            self.admitted.append(sequence)
            if not sequence.written:
                self._tell(STARTED, sequence.row, 0)
            self._give_chunk(sequence)

    def _plan_step(self) -> None:
        law = self.spec.law
        cache_s = law.per_cached_token_s * sum(s.cached for s in self.decoding)
        if self.chunks:
            tokens = sum(chunk for _, chunk in self.chunks)
            attention = sum(chunk * (s.cached + 0.5 * chunk) for s, chunk in self.chunks)
            self.end = self.t + law.mixed_s(len(self.decoding), tokens, attention) + cache_s
        elif self.decoding:
            self.end = self.t + law.decode_s(len(self.decoding)) + cache_s
        else:
            self.end = None
