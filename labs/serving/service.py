"""A service whose inside nobody outside knows: Bedrock on demand, or a model unit. A stated assumption, not a model of a machine.

Each request takes a time to first token that grows with its prompt, then a token every so often, however many others there are.
`spread` gives the latencies a lognormal scatter about their medians, seeded, since a shared service is never steady. What limits
throughput is the quota (`admission`), not the machine. The figures and their ranges stand in `data/services.yaml`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from random import Random

from labs.serving.replica import Inbox, Replica
from labs.serving.requests import CANCELLED, FINISHED, NEVER, STARTED, TOKENS, LogEntry, Table


@dataclass(frozen=True)
class ServiceSpec:
    """Assumed latencies of a managed service: medians, and their scatter."""

    ttft_s: float
    per_input_token_s: float
    tpot_s: float
    spread: float = 0.0
    """standard deviation of the logarithm of TTFT and, drawn apart, of TPOT"""
    max_context_tokens: int = 1 << 60
    seed: int = 0
    cold_start_s: float = 0.0

    def refuses(self, input_tokens: int, ceiling: int) -> bool:
        """True when the request is longer than the model's context."""
        return input_tokens + ceiling > self.max_context_tokens

    def build(
        self, table: Table, log: list[LogEntry] | None, stream: bool, rows: Sequence[int] | None = None
    ) -> Replica:
        """One such service; see `replica.Spec`."""
        return ServiceReplica(self, table, log, stream, rows)


class ServiceReplica:
    """See the module's docstring."""

    preemptions = 0
    steps = 0

    def __init__(
        self,
        spec: ServiceSpec,
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
        self.random = Random(spec.seed)
        self.pending: list[tuple[float, int, int]] = []
        """heap of (time of the next token to tell, row, its number)"""
        self.pace: dict[int, tuple[float, float]] = {}
        """row: (time of its first token, seconds a token after it)"""
        self.due = NEVER if rows is None else -NEVER
        self.outstanding = 0 if rows is None else len(rows)
        self._busy_s = 0.0
        self._busy_since = 0.0

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
        """Seconds so far with a request in hand."""
        return self._busy_s + (t - self._busy_since if self.pace else 0.0)

    def waiting_count(self) -> int:
        """None: a service begins at once."""
        return 0

    def cancel(self, row: int, t: float) -> None:
        """Drop a row at once."""
        self.advance(t)
        if row not in self.pace:
            return
        first, pace = self.pace.pop(row)
        written = 0 if t < first else min(self.table.output_tokens[row], 1 + int((t - first) / pace))
        self.pending = [entry for entry in self.pending if entry[1] != row]
        heapify(self.pending)
        self.outstanding -= 1
        if not self.pace:
            self._busy_s += t - self._busy_since
        if self.log is not None:
            self.log.append((t, CANCELLED, row, written))
        self.due = self.pending[0][0] if self.pending else NEVER

    def _begin(self, row: int, t: float) -> None:
        spec, table = self.spec, self.table
        ttft = spec.ttft_s + spec.per_input_token_s * table.input_tokens[row]
        tpot = spec.tpot_s
        if spec.spread:
            ttft *= self.random.lognormvariate(0.0, spec.spread)
            tpot *= self.random.lognormvariate(0.0, spec.spread)
        if not self.pace:
            self._busy_since = t
        self.pace[row] = (t + ttft, tpot)
        heappush(self.pending, (t + ttft, row, 1))
        if self.log is not None:
            self.log.append((t, STARTED, row, 0))

    def _tell(self, t: float, row: int, number: int) -> None:
        table, log = self.table, self.log
        last = table.output_tokens[row]
        if number == 1:
            table.first[row] = t
        if log is not None and (self.stream or number == 1):
            log.append((t, TOKENS, row, 1))
        if number < last:
            following = number + 1 if self.stream else last
            first, pace = self.pace[row]
            heapreplace(self.pending, (first + (following - 1) * pace, row, following))
            return
        heappop(self.pending)
        del self.pace[row]
        table.finish[row] = t
        self.outstanding -= 1
        if not self.pace:
            self._busy_s += t - self._busy_since
        if log is not None:
            log.append((t, FINISHED, row, last))

    def advance(self, until: float) -> None:
        """Do everything that happens by `until`."""
        offered, rows = self.table.offered, self.inbox.rows
        while True:
            following = offered[rows[self.inbox.head]] if self.inbox.head < len(rows) else NEVER
            at = self.pending[0][0] if self.pending else NEVER
            if min(following, at) > until:
                break
            if following <= at:
                row = rows[self.inbox.head]
                self.inbox.head += 1
                self._begin(row, following)
            else:
                self._tell(*self.pending[0])
        self.due = min(following, at)
