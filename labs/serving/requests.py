"""What goes into the engine and what comes out: requests, events, and the table of arrays that holds a million of them.

A `Table` is columns, not objects: at 32 bytes a request a simulated day fits in a laptop's memory. The live engine reuses
its rows (`take`, `give_back`); a simulation has one row for each request of its trace, in order of arrival.
"""

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

NEVER = float("inf")
"""a time that does not come"""
THE_END = sys.float_info.max
"""the last time there is: advance to it, and everything is done"""

STARTED, TOKENS, FINISHED, CANCELLED = 0, 1, 2, 3
KINDS = ("started", "tokens", "finished", "cancelled")

LogEntry = tuple[float, int, int, int]
"""(t, kind, row, tokens): how a replica tells the engine what happened, before names are put to it"""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: token counts, and the ceiling the caller put on the answer (what a token quota reserves, and where it is cut)."""

    id: str
    input_tokens: int
    output_tokens: int
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.input_tokens < 1 or self.output_tokens < 1:
            raise ValueError(
                f"request {self.id}: at least one token in and one out, not {self.input_tokens} and {self.output_tokens}"
            )


class Event(NamedTuple):
    """Something that happened to a request at `t`. `kind` is rejected, started, tokens, finished or cancelled."""

    t: float
    request_id: str
    kind: str
    tokens: int = 0
    reason: str | None = None


class Table:
    """Columns of requests; times in seconds, `NEVER` until they are known."""

    __slots__ = ("_free", "arrival", "finish", "first", "input_tokens", "max_tokens", "offered", "output_tokens")

    def __init__(self) -> None:
        self.arrival = array("d")
        self.offered = array("d")
        """when the replica got it: later than its arrival if it waited in front of the replicas"""
        self.first = array("d")
        """when the first token left"""
        self.finish = array("d")
        """when the last token left"""
        self.input_tokens: array[int] = array("i")
        self.output_tokens: array[int] = array("i")
        self.max_tokens: array[int] | None = None
        """the caller's ceilings, where they differ from the lengths of the answers"""
        self._free: list[int] = []

    @classmethod
    def of(
        cls,
        arrival_s: Sequence[float],
        input_tokens: Sequence[int],
        output_tokens: Sequence[int],
        max_tokens: Sequence[int] | None = None,
    ) -> "Table":
        """A table of requests that are all known beforehand, in order of arrival."""
        table = cls()
        n = len(arrival_s)
        if not n == len(input_tokens) == len(output_tokens) or (max_tokens is not None and len(max_tokens) != n):
            raise ValueError("arrivals and token counts must be equally many")
        table.arrival = arrival_s if isinstance(arrival_s, array) else array("d", arrival_s)
        table.offered = table.arrival  # one and the same until `may_wait_in_front`
        table.input_tokens = input_tokens if isinstance(input_tokens, array) else array("i", input_tokens)
        table.output_tokens = output_tokens if isinstance(output_tokens, array) else array("i", output_tokens)
        if max_tokens is not None:
            table.max_tokens = array("i", max_tokens)
        table.first = array("d", [NEVER]) * n
        table.finish = array("d", [NEVER]) * n
        return table

    def may_wait_in_front(self) -> None:
        """Give `offered` a column of its own."""
        if self.offered is self.arrival:
            self.offered = array("d", self.arrival)

    def __len__(self) -> int:
        return len(self.arrival)

    def ceiling(self, row: int) -> int:
        """The most tokens that the answer may have."""
        return self.output_tokens[row] if self.max_tokens is None else self.max_tokens[row]

    def take(self, t: float, request: Request) -> int:
        """A row for a request that arrives at `t`."""
        if self.max_tokens is None:
            self.max_tokens = array("i", self.output_tokens)
        ceiling = request.max_tokens or request.output_tokens
        output_tokens = min(request.output_tokens, ceiling)
        if self._free:
            row = self._free.pop()
            self.arrival[row], self.offered[row], self.first[row], self.finish[row] = t, t, NEVER, NEVER
            self.input_tokens[row], self.output_tokens[row] = request.input_tokens, output_tokens
            self.max_tokens[row] = ceiling
            return row
        self.arrival.append(t)
        self.offered.append(t)
        self.first.append(NEVER)
        self.finish.append(NEVER)
        self.input_tokens.append(request.input_tokens)
        self.output_tokens.append(output_tokens)
        self.max_tokens.append(ceiling)
        return len(self.arrival) - 1

    def give_back(self, row: int) -> None:
        """The row's request is over and told; another may have its place."""
        self._free.append(row)
