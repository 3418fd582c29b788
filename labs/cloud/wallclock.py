"""A serving engine driven by the wall clock: each token is handed over when the engine says it is made.

    clock = WallClock(Engine(config))
    stream = clock.submit(Request("a", input_tokens=500, output_tokens=200))   # Rejected when the engine rejects it
    for event in stream: ...                                                   # blocks until each event's time
    stream.attend(deliver)                                                     # or: have `deliver` called at each event's time

There is no thread of its own (a browser has none to give). Of those who wait for an event one keeps the time: it sleeps until the engine's
next event, advances the engine and hands everybody theirs; when it has its own, the next in line keeps the time. Nobody polls.

`attend` is for many streams at once: the keeper itself calls each one's `deliver`, so that a hundred tokens due at the same moment cost
a hundred short calls, and not a hundred threads woken to contend for one interpreter.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from labs.serving.engine import Engine, Event, Request, Snapshot

FINAL = ("finished", "rejected", "cancelled")

Deliver = Callable[[list[Event], bool], bool]
"""`deliver(events, may_wait)`: do something with events that are due. When `may_wait` is False it is called by the keeper, must not block,
and returns False to be called by its stream's own thread from then on (with `may_wait` True)."""


class Rejected(Exception):  # noqa: N818 - an answer of the engine's, not a failure of the program
    """The engine did not take a request, or gave it up; `reason` is the engine's word for why."""

    def __init__(self, reason: str | None) -> None:
        super().__init__(reason)
        self.reason = reason


class Stream:
    """One request's events, as they fall due. Iterate it or attend to it; close it if you stop early."""

    def __init__(self, clock: "WallClock", request_id: str, submitted_at: float, every_token: bool) -> None:
        self.submitted_at = submitted_at
        self._clock = clock
        self._request_id = request_id
        self._every_token = every_token
        self._due: deque[Event] = deque()
        self._woken = threading.Condition(clock._lock)
        self._deliver: Deliver | None = None
        self._failure: Exception | None = None
        self._ended = False

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        if self._ended:
            raise StopIteration
        event = self._clock._next_event(self)
        if event.kind in FINAL:
            self._ended = True
        if event.kind == "rejected":
            raise Rejected(event.reason)
        return event

    def attend(self, deliver: Deliver) -> None:
        """Return when the last event has been delivered; raises what `deliver` raised. A rejection is delivered like any event."""
        self._clock._attend(self, deliver)

    def close(self) -> None:
        """Give the request up if it has not ended; its seat in the engine is free from now on."""
        if not self._ended:
            self._ended = True
            self._clock._cancel(self)

    def _take(self, event: Event) -> None:
        if not self._every_token and event.kind not in FINAL:
            return
        self._due.append(event)
        if self._deliver is None:
            self._woken.notify()
        else:
            self._clock._to_deliver[self] = None

    def _handed(self, events: list[Event], kept_up: bool) -> None:
        """After its `deliver` was called with `events` by the keeper."""
        if events[-1].kind in FINAL:
            self._ended = True
        if not kept_up:
            self._deliver = None
        if self._ended or not kept_up:
            self._woken.notify()


class WallClock:
    """See the module's docstring. `now` must not go backwards."""

    def __init__(self, engine: Engine, now: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._now = now
        self._lock = threading.Lock()
        self._plan_changed = threading.Condition(self._lock)  # the keeper sleeps on this
        self._keeper: Stream | None = None
        self._streams: dict[str, Stream] = {}
        self._to_deliver: dict[
            Stream, None
        ] = {}  # those that the keeper delivers to, in the order in which they fell due
        self._in_line: dict[Stream, None] = {}  # those waiting while somebody else keeps the time, in order

    def submit(self, request: Request, *, every_token: bool = True) -> Stream:
        """Offer a request now. Without `every_token` its stream holds only how it ended. Raises Rejected when it is not taken."""
        with self._lock:
            t = self._now()
            stream = Stream(self, request.id, t, every_token)
            self._streams[request.id] = stream
            self._engine.submit(t, request)
            self._advance(t)
            if stream._due and stream._due[0].kind == "rejected":
                raise Rejected(stream._due[0].reason)
            self._plan_changed.notify()
        return stream

    def set_replicas(self, n: int) -> None:
        """Ask the engine for `n` replicas from now on."""
        with self._lock:
            self._advance(self._now())
            self._engine.set_replicas(n)
            self._plan_changed.notify()

    def snapshot(self) -> Snapshot:
        """Counts of the engine at its latest event or call."""
        with self._lock:
            return self._engine.snapshot()

    def _advance(self, t: float) -> None:
        for event in self._engine.advance(t):
            stream = self._streams.get(event.request_id)
            if stream is not None:
                stream._take(event)
                if event.kind in FINAL:
                    del self._streams[event.request_id]

    def _next_event(self, stream: Stream) -> Event:
        with self._lock:
            self._wait(stream, lambda: bool(stream._due))
            return stream._due.popleft()

    def _attend(self, stream: Stream, deliver: Deliver) -> None:
        with self._lock:
            stream._deliver = deliver
            if stream._due:
                self._to_deliver[stream] = None
                self._plan_changed.notify()
            self._wait(stream, lambda: stream._ended or stream._deliver is None)
        if stream._failure is not None:
            raise stream._failure
        while not stream._ended:  # it could not keep up, so it goes on at its own pace
            with self._lock:
                self._wait(stream, lambda: bool(stream._due))
                events = list(stream._due)
                stream._due.clear()
            stream._ended = events[-1].kind in FINAL
            deliver(events, True)

    def _wait(self, stream: Stream, satisfied: Callable[[], bool]) -> None:
        """Until `satisfied`, keep the time or wait in line while another keeps it. Needs the lock."""
        try:
            while not satisfied():
                if self._keeper is None:
                    self._keep_time(stream, satisfied)
                else:
                    self._in_line[stream] = None
                    stream._woken.wait()
                    del self._in_line[stream]
        finally:  # also when the wait was interrupted: whoever leaves sees to it that somebody keeps the time
            self._in_line.pop(stream, None)
            if self._keeper is None:
                self._hand_over()

    def _keep_time(self, stream: Stream, satisfied: Callable[[], bool]) -> None:
        self._keeper = stream
        try:
            while True:
                self._advance(self._now())
                if self._to_deliver:
                    self._deliver_all()
                elif satisfied():
                    return
                else:
                    due_at = self._engine.next_event_at()
                    self._plan_changed.wait(None if due_at is None else max(0.0, due_at - self._now()))
        finally:
            self._keeper = None

    def _deliver_all(self) -> None:
        batch = [(stream, list(stream._due)) for stream in self._to_deliver]
        for stream, _ in batch:
            stream._due.clear()
        self._to_deliver.clear()
        with self._unlocked():
            kept_up = [_deliver(stream, events) for stream, events in batch]
        for (stream, events), good in zip(batch, kept_up, strict=True):
            stream._handed(events, good)

    @contextmanager
    def _unlocked(self) -> Iterator[None]:
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()

    def _hand_over(self) -> None:
        for successor in self._in_line:
            if not successor._due or successor._deliver is not None:
                successor._woken.notify()
                return

    def _cancel(self, stream: Stream) -> None:
        with self._lock:
            self._to_deliver.pop(stream, None)
            if self._streams.pop(stream._request_id, None) is not None:
                self._engine.cancel(self._now(), stream._request_id)
                self._plan_changed.notify()


def _deliver(stream: Stream, events: list[Event]) -> bool:
    """Call it for the keeper, whom no stream's failure may stop."""
    try:
        return stream._deliver is None or stream._deliver(events, False)
    except Exception as failed:
        stream._failure = failed
        return False
