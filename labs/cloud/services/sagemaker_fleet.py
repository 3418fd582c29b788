"""The copies of one model that answer for a variant or an inference component: a serving engine on the wall clock.

fleet = Fleet(spec, replicas=2, router="random")
stream = fleet.submit(Request(...), limit_s=60)     # cancelled by the engine when it has not ended by then
fleet.set_replicas(3)                               # the third comes up after its cold start; surplus ones finish what they hold
"""

import heapq
from dataclasses import replace
from typing import Any

from labs.cloud.wallclock import Stream, WallClock
from labs.serving.engine import Engine, EngineConfig, Event, Request, Snapshot
from labs.serving.replica import Spec
from labs.serving.router import RouterName

ROUTERS: dict[str, RouterName] = {
    "RANDOM": "random",
    "LEAST_OUTSTANDING_REQUESTS": "least_outstanding",
    # Where a prefix is cached is not modelled, so these two spread requests as the second does.
    "PREFIX_AWARE": "least_outstanding",
    "KV_AWARE": "least_outstanding",
}
"""SageMaker's routing strategies as the engine's routers."""


class LimitedEngine(Engine):
    """An engine that gives a request up when its time is over: that too is an event of its, so nobody has to watch."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(config)
        self._limits: list[tuple[float, str]] = []
        self._until: dict[str, float] = {}

    def limit(self, request_id: str, until: float) -> None:
        """Cancel this request at `until` unless it has ended by then; a later call moves the limit."""
        if request_id in self._rows:
            self._until[request_id] = until
            heapq.heappush(self._limits, (until, request_id))

    def advance(self, t: float) -> list[Event]:
        """See Engine; requests whose time is over are cancelled on the way."""
        events: list[Event] = []
        while self._limits and self._limits[0][0] <= t:
            due_at, request_id = heapq.heappop(self._limits)
            if self._until.get(request_id) != due_at:
                continue  # it has been moved
            at = max(due_at, self._now)
            events += super().advance(at)
            del self._until[request_id]
            self.cancel(at, request_id)  # False, and no event, when it has ended
        return events + super().advance(t)

    def next_event_at(self) -> float | None:
        """See Engine; the next limit counts as well, while anything is in hand."""
        while self._limits and (
            self._limits[0][1] not in self._rows or self._until.get(self._limits[0][1]) != self._limits[0][0]
        ):
            until, request_id = heapq.heappop(self._limits)
            if self._until.get(request_id) == until:
                del self._until[request_id]
        at = super().next_event_at()
        if not self._limits:
            return at
        return self._limits[0][0] if at is None else min(at, max(self._now, self._limits[0][0]))


class FleetClock(WallClock):
    """A wall clock that can be asked how things stand, and whose requests have a limit."""

    def __init__(self, engine: LimitedEngine) -> None:
        super().__init__(engine)
        self._limited = engine

    def offer(self, request: Request, limit_s: float, *, every_token: bool) -> Stream:
        """Submit with a limit. Raises Rejected."""
        stream = self.submit(request, every_token=every_token)
        self.limit(request.id, stream.submitted_at + limit_s)
        return stream

    def limit(self, request_id: str, until: float) -> None:
        """Move a request's limit."""
        with self._lock:
            self._limited.limit(request_id, until)
            self._plan_changed.notify()

    def snapshot(self) -> Snapshot:
        """The engine's counts now."""
        with self._lock:
            self._advance(self._now())
            self._plan_changed.notify()
            return self._limited.snapshot()


class Fleet:
    """See the module's docstring. `spec.cold_start_s` is in real seconds: at the cloud's scale."""

    def __init__(self, spec: Spec, replicas: int, router: RouterName = "random") -> None:
        self.desired = replicas
        config = EngineConfig(replica=spec, replicas=replicas, router=router, stream_tokens=True)
        self._clock = FleetClock(LimitedEngine(config))

    def submit(self, request: Request, limit_s: float, *, every_token: bool) -> Stream:
        """Offer a request now. Its stream ends with "cancelled" when the limit cut it off. Raises Rejected."""
        return self._clock.offer(request, limit_s, every_token=every_token)

    def limit(self, request_id: str, until: float) -> None:
        """Let a request go on until then (`time.monotonic()`)."""
        self._clock.limit(request_id, until)

    def set_replicas(self, n: int) -> None:
        """Ask for `n` copies."""
        self.desired = n
        self._clock.set_replicas(n)

    def snapshot(self) -> Snapshot:
        """Counts now."""
        return self._clock.snapshot()

    @property
    def ready(self) -> int:
        """Copies that answer now."""
        return self.snapshot().replicas_ready

    @property
    def in_hand(self) -> int:
        """Requests waiting or running."""
        counts = self.snapshot()
        return counts.waiting + counts.running


def at_scale(spec: Any, seconds: float) -> Spec:
    """`spec` with a cold start of so many real seconds."""
    scaled: Spec = replace(spec, cold_start_s=seconds)
    return scaled
