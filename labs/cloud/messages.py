"""A queue's messages: which of them are visible, delayed or in flight, and what sending, receiving and deleting does to that.

    store = MessageStore(fifo=False, queue="jobs")
    store.add(message, visible_at=0)
    [message] = store.receive(1, visibility_timeout_s=30, wait_s=20)
    store.delete(message.receipt_handle)

Every operation costs what it touches, whatever the backlog. Knows no wire format: `labs.cloud.services.sqs` maps it onto moto.
"""

import base64
import binascii
import copy
import heapq
import threading
import time
import uuid
from bisect import insort
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Protocol

Message = Any
"""moto's `sqs.models.Message`; this module adds `visible_at` (s), `in_flight`, `received_at` (s) and `order` to it."""

DEDUPLICATION_INTERVAL_S = 300


class QueueClosed(Exception):  # noqa: N818 - not a failure: the queue is gone while somebody waited on it
    """The queue was deleted."""


class HandleInvalid(ValueError):  # noqa: N818 - AWS's own name
    """Not a receipt handle of this queue."""


class HandleExpired(ValueError):  # noqa: N818 - AWS's own name
    """The handle of an earlier receive, where only the latest counts."""


class NotInFlight(ValueError):  # noqa: N818 - AWS's own name
    """The message is there, but nobody has it."""


class Line(Protocol):
    """The visible messages, in the order in which they will be handed out."""

    def push(self, message: Message) -> None: ...
    def pop(self) -> Message | None: ...
    def discard(self, message: Message) -> None: ...
    def settle(self, message: Message) -> None:
        """`message` is no longer in flight."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Message]: ...


class StandardLine:
    """First in, first out, as far as a standard queue keeps order: a message that comes back joins at the end."""

    def __init__(self) -> None:
        self._messages: OrderedDict[int, Message] = OrderedDict()

    def push(self, message: Message) -> None:
        self._messages[id(message)] = message

    def pop(self) -> Message | None:
        return self._messages.popitem(last=False)[1] if self._messages else None

    def discard(self, message: Message) -> None:
        self._messages.pop(id(message), None)

    def settle(self, message: Message) -> None:
        pass

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages.values())


class FifoLine:
    """Strict order within each message group; a group of which something is in flight is closed to everybody else."""

    def __init__(self) -> None:
        self._groups: dict[str, list[Message]] = {}
        self._open: OrderedDict[str, None] = OrderedDict()
        self._in_flight: dict[str, int] = {}
        self._length = 0
        self._current: str | None = None

    def push(self, message: Message) -> None:
        insort(self._groups.setdefault(message.group_id, []), message, key=lambda m: m.order)
        self._length += 1
        if not self._in_flight.get(message.group_id):
            self._open[message.group_id] = None

    def pop(self) -> Message | None:
        """The next message; call `finish` when a receive has taken all it wants."""
        if self._current is None or not self._groups.get(self._current):
            self._current = next(iter(self._open), None)
            if self._current is None:
                return None
            del self._open[self._current]
        waiting = self._groups[self._current]
        message = waiting.pop(0)
        self._length -= 1
        self._in_flight[self._current] = self._in_flight.get(self._current, 0) + 1
        return message

    def finish(self) -> None:
        self._current = None

    def discard(self, message: Message) -> None:
        waiting = self._groups.get(message.group_id, [])
        if message in waiting:
            waiting.remove(message)
            self._length -= 1
            self._tidy(message.group_id)

    def settle(self, message: Message) -> None:
        left = self._in_flight.get(message.group_id, 0) - 1
        if left > 0:
            self._in_flight[message.group_id] = left
            return
        self._in_flight.pop(message.group_id, None)
        self._tidy(message.group_id)

    def _tidy(self, group: str) -> None:
        if not self._groups.get(group):
            self._groups.pop(group, None)
            self._open.pop(group, None)
        elif not self._in_flight.get(group):
            self._open[group] = None

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Message]:
        return (message for waiting in self._groups.values() for message in waiting)


class MessageStore:
    """The messages of one queue. Safe to share between threads; times in seconds of the Unix clock."""

    def __init__(
        self,
        *,
        queue: str,
        fifo: bool,
        clock: Callable[[], float] = time.time,
        on_deleted: Callable[[], object] = lambda: None,
    ) -> None:
        self.fifo = fifo
        self._on_deleted = on_deleted
        self._queue = queue
        self._clock = clock
        self._changed = threading.Condition(threading.RLock())
        self._line: Line = FifoLine() if fifo else StandardLine()
        self._all: dict[int, Message] = {}
        self._hidden: dict[int, Message] = {}
        self._timers: list[tuple[float, int, Message]] = []
        self._counter = 0
        self._delayed = 0
        self._deduplication: OrderedDict[str, tuple[float, Message]] = OrderedDict()
        self._closed = False

    # -- sending

    def add(self, message: Message, *, visible_at: float = 0.0) -> None:
        """Put `message` in; with `visible_at` in the future it is delayed until then."""
        with self._changed:
            self._counter += 1
            message.order = self._counter
            message.in_flight = False
            message.received_at = 0.0
            self._all[message.order] = message
            if visible_at > self._clock():
                self._delayed += 1
                self._hide(message, visible_at)
            else:
                self._line.push(message)
            self._changed.notify_all()

    def original(self, key: str, message: Message) -> Message | None:
        """The message already accepted under deduplication `key` in the last five minutes; else remember `message` under it."""
        with self._changed:
            now = self._clock()
            while self._deduplication and next(iter(self._deduplication.values()))[0] <= now - DEDUPLICATION_INTERVAL_S:
                self._deduplication.popitem(last=False)
            if key in self._deduplication:
                before: Message = self._deduplication[key][1]
                return before
            self._deduplication[key] = (now, message)
            return None

    # -- receiving

    def receive(
        self,
        limit: int,
        *,
        visibility_timeout_s: float | Callable[[], float],
        wait_s: float = 0.0,
        refuse: Callable[[Message], bool] = lambda _: False,
        stopped: Callable[[], bool] = lambda: False,
    ) -> list[Message]:
        """Up to `limit` visible messages, now in flight; waits up to `wait_s` for the first.

        `refuse(message)` is asked before a message is handed out; when it says yes it has taken the message over (a dead-letter queue,
        the end of retention) and the message leaves this queue. Raises QueueClosed.
        A visibility timeout that is a function is asked when messages are handed out: a long poll may outlive the queue's setting.
        """
        until = self._clock() + wait_s
        with self._changed:
            while True:
                if self._closed:
                    raise QueueClosed(self._queue)
                self._advance()
                hidden_s = visibility_timeout_s() if callable(visibility_timeout_s) else visibility_timeout_s
                received = self._take(limit, hidden_s, refuse)
                left = until - self._clock()
                if received or left <= 0 or stopped():
                    return [
                        copy.copy(message) for message in received
                    ]  # the original changes when somebody receives it again
                wake = min(left, self._timers[0][0] - self._clock()) if self._timers else left
                self._changed.wait(max(wake, 0.0005))

    def wake(self) -> None:
        """Let whoever waits look again (at `stopped`)."""
        with self._changed:
            self._changed.notify_all()

    def _take(self, limit: int, visibility_timeout_s: float, refuse: Callable[[Message], bool]) -> list[Message]:
        received: list[Message] = []
        refused: list[Message] = []
        now = self._clock()
        while len(received) < limit and (message := self._line.pop()) is not None:
            if refuse(message):
                refused.append(message)
                continue
            message.approximate_receive_count += 1
            message.approximate_first_receive_timestamp = message.approximate_first_receive_timestamp or int(now * 1000)
            message.receipt_handle = self._new_handle(message)
            message.in_flight = True
            message.received_at = now
            received.append(message)
        if isinstance(self._line, FifoLine):
            self._line.finish()
        for message in refused:
            self._all.pop(message.order, None)
            self._line.settle(message)
        for message in received:
            self._hide(message, now + visibility_timeout_s)
        return received

    # -- settling

    def delete(self, handle: str) -> None:
        """Delete the message received with `handle`; a handle that is no longer the latest deletes nothing (HandleExpired on FIFO)."""
        with self._changed:
            self._advance()
            message = self._all.get(self._order(handle))
            if message is None:
                return
            if message.receipt_handle != handle or (self.fifo and not message.in_flight):
                if self.fifo:
                    raise HandleExpired(handle)
                return
            self._remove(message)
            self._changed.notify_all()
        self._on_deleted()

    def change_visibility(self, handle: str, timeout_s: float) -> None:
        """Make the message visible again `timeout_s` from now. Raises HandleInvalid, HandleExpired, NotInFlight or KeyError (gone)."""
        with self._changed:
            self._advance()
            message = self._all[self._order(handle)]
            if not message.in_flight:
                raise NotInFlight(handle)
            if message.receipt_handle != handle:
                raise HandleExpired(handle)
            self._hide(message, self._clock() + timeout_s)
            self._advance()
            self._changed.notify_all()

    def received_at(self, handle: str) -> float | None:
        """When the message of `handle` was last received; None when it is gone."""
        with self._changed:
            message = self._all.get(self._order(handle))
            return None if message is None else float(message.received_at)

    def take_all(self, limit: int) -> list[Message]:
        """Remove up to `limit` visible messages without receiving them (a message-move task)."""
        with self._changed:
            self._advance()
            taken: list[Message] = []
            while len(taken) < limit and (message := self._line.pop()) is not None:
                taken.append(message)
            if isinstance(self._line, FifoLine):
                self._line.finish()
            for message in taken:
                self._all.pop(message.order, None)
                self._line.settle(message)
            return taken

    def purge(self) -> None:
        """Forget every message."""
        with self._changed:
            self._line = FifoLine() if self.fifo else StandardLine()
            self._all.clear()
            self._hidden.clear()
            self._timers.clear()
            self._delayed = 0

    def close(self) -> None:
        """The queue is deleted: whoever waits gets QueueClosed."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # -- counting

    @property
    def visible(self) -> int:
        with self._changed:
            self._advance()
            return len(self._line)

    @property
    def delayed(self) -> int:
        with self._changed:
            self._advance()
            return self._delayed

    @property
    def in_flight(self) -> int:
        with self._changed:
            self._advance()
            return len(self._hidden) - self._delayed

    @property
    def oldest(self) -> Message | None:
        """The message that has been here for longest, whatever its state."""
        with self._changed:
            return next(iter(self._all.values()), None)

    def visible_messages(self) -> list[Message]:
        """The visible messages, none of them received."""
        with self._changed:
            self._advance()
            return list(self._line)

    # -- inside (the lock is held)

    def _hide(self, message: Message, until: float) -> None:
        message.visible_at = until
        self._hidden[id(message)] = message
        self._counter += 1
        heapq.heappush(self._timers, (until, self._counter, message))

    def _advance(self) -> None:
        """Make visible whatever is due. A timer that a later one replaced is recognised by its time."""
        now = self._clock()
        while self._timers and self._timers[0][0] <= now:
            at, _, message = heapq.heappop(self._timers)
            if id(message) not in self._hidden or message.visible_at != at:
                continue
            del self._hidden[id(message)]
            if message.in_flight:
                message.in_flight = False
                self._line.settle(message)
            else:
                self._delayed -= 1
            self._line.push(message)

    def _remove(self, message: Message) -> None:
        del self._all[message.order]
        if self._hidden.pop(id(message), None) is not None and message.in_flight:
            message.in_flight = False
            self._line.settle(message)
        else:
            self._line.discard(message)

    def _new_handle(self, message: Message) -> str:
        """Says of itself which message and which receive it is for, so that no list of old handles need be kept."""
        text = f"{self._queue}\n{message.order}\n{message.approximate_receive_count}\n{uuid.uuid4().hex}"
        return "AQEB" + base64.b64encode(text.encode()).decode()

    def _order(self, handle: str) -> int:
        try:
            queue, order, _, _ = base64.b64decode(handle.removeprefix("AQEB"), validate=True).decode().split("\n")
        except (binascii.Error, ValueError):
            raise HandleInvalid(handle) from None
        if queue != self._queue:
            raise HandleInvalid(handle)
        return int(order)
