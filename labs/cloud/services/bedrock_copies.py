"""The copies of one imported model: none until it is called, one after a cold start, none again when nobody calls, and what they are billed.

A call that finds no copy ready is refused with ModelNotReadyException and starts one, as on AWS; waits pass on the cloud's time scale.
"""

import threading
import time
from dataclasses import replace
from math import floor

from labs import facts
from labs.cloud import metrics
from labs.cloud.context import Context
from labs.cloud.wallclock import WallClock
from labs.serving.autoscaling import ScaleToZero, TargetTracking
from labs.serving.engine import Engine, EngineConfig
from labs.serving.services import service

IDLE_S = 300.0
"""After how long without a call the copies stop."""
CALLS_PER_COPY = 16.0
"""Calls in hand at which another copy is started, an assumption."""


class Copies:
    """See the module's docstring. Safe to share between threads."""

    def __init__(self, context: Context, region: str, arn: str, like: str, units_per_copy: int) -> None:
        self._context, self._region, self._arn = context, region, arn
        self._units_per_copy = units_per_copy
        plan = service("bedrock-custom-import", like)
        wait_s = context.wait_s
        tracking = TargetTracking(
            metric="concurrency",
            target=CALLS_PER_COPY,
            maximum=int(facts.number("bedrock.import.copies_max")),
            period_s=wait_s(60),
            scale_out_cooldown_s=wait_s(60),
            scale_in_cooldown_s=wait_s(300),
            sample_s=wait_s(10),
        )
        engine = Engine(
            EngineConfig(
                replica=replace(plan.spec, cold_start_s=wait_s(plan.spec.cold_start_s)),  # type: ignore[type-var]
                replicas=0,
                admission=plan.admission,
                autoscaling=ScaleToZero(idle_s=wait_s(IDLE_S), then=tracking, sample_s=wait_s(10)),
                stream_tokens=True,
            )
        )
        self.clock = WallClock(engine)
        self._lock = threading.Lock()
        self._first_at: float | None = None
        self._window = -1
        self._paid_copies = 0
        self._copy_windows = 0

    def succeeded(self) -> None:
        """A call has been answered: its five minutes are billed, once for each copy, counted from the first such call."""
        ready = self.ready()
        window_s = self._context.wait_s(facts.number("bedrock.import.billing_window_s"))
        now = time.monotonic()
        with self._lock:
            if self._first_at is None:
                self._first_at = now
            window = floor((now - self._first_at) / window_s)
            if window > self._window:
                self._window, self._paid_copies = window, 0
            self._copy_windows += max(0, ready - self._paid_copies)
            self._paid_copies = max(self._paid_copies, ready)
        metrics.put(self._context, self._region, "AWS/Bedrock", "ModelCopy", ready, "Count", ModelId=self._arn)

    def ready(self) -> int:
        """Copies that answer now."""
        return max(1, self.clock.snapshot().replicas_ready)

    @property
    def cmu_minutes(self) -> float:
        """What is billed so far, in custom model unit minutes on AWS's clock."""
        minutes = facts.number("bedrock.import.billing_window_s") / 60
        return self._copy_windows * minutes * self._units_per_copy
