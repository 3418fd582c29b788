"""What the engine asks of a replica, whatever its way of batching.

A replica has an inbox of rows of the engine's table, in order of arrival, and a plan: what it does until `due`.
`advance(until)` carries out every plan that ends by `until`; a plan that ends later is kept and not half done, so that
advancing in many small calls does exactly what one large call does.
"""

from array import array
from collections.abc import Sequence
from typing import Protocol

from labs.serving.requests import LogEntry, Table


class Replica(Protocol):
    """One copy of the model on its hardware."""

    outstanding: int
    """rows in the inbox, waiting or running"""
    preemptions: int
    steps: int

    @property
    def due(self) -> float:
        """When the present plan ends, or the next token leaves where tokens are streamed; `NEVER` when idle."""
        ...

    @property
    def next_done(self) -> float:
        """No request ends before this: a router that counts requests in hand need not look earlier."""
        ...

    def push(self, row: int, t: float) -> None:
        """Row `row` arrives at `t`, which is not before any earlier push or advance."""
        ...

    def advance(self, until: float) -> None:
        """Do everything that ends at or before `until`."""
        ...

    def cancel(self, row: int, t: float) -> None:
        """Drop a row: at once when it waits, at the end of the present step when it runs."""
        ...

    def busy_s(self, t: float) -> float:
        """Seconds so far in which the replica had something to do."""
        ...

    def waiting_count(self) -> int:
        """Rows that have not begun."""
        ...


class Spec(Protocol):
    """How to build a replica, and how long a new one takes to come up."""

    @property
    def cold_start_s(self) -> float:
        """Seconds from the request for a replica to its first admission."""
        ...

    def refuses(self, input_tokens: int, ceiling: int) -> bool:
        """True when such a request could never fit, alone on an empty replica."""
        ...

    def build(
        self, table: Table, log: list[LogEntry] | None, stream: bool, rows: Sequence[int] | None = None
    ) -> Replica:
        """A replica over the engine's table. It reports to `log` when there is one. `rows`: all its rows, known beforehand."""
        ...


class Inbox:
    """Rows in order of arrival: either known beforehand or pushed one by one, without growing for ever."""

    __slots__ = ("head", "rows")

    def __init__(self, rows: Sequence[int] | None = None) -> None:
        self.rows: Sequence[int] = rows if rows is not None else array("q")
        self.head = 0

    def push(self, row: int) -> None:
        rows = self.rows
        assert isinstance(rows, array)
        if self.head > 512:
            del rows[: self.head]
            self.head = 0
        rows.append(row)

    def remove(self, row: int) -> bool:
        rows = self.rows
        assert isinstance(rows, array)
        for index in range(self.head, len(rows)):
            if rows[index] == row:
                del rows[index]
                return True
        return False
