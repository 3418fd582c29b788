"""A serverless variant: execution environments on CPUs that start when called, one request each, and go away when idle.

Its CPUs come with its memory, as in Lambda; how many AWS gives is not published, so one for every 2 GB is assumed, of the catalogue's
Graviton processor. How long an environment stays warm is not published either.
"""

import threading
import time
from dataclasses import replace
from typing import Any

from labs.cloud.context import Context
from labs.cloud.services.sagemaker_containers import Container
from labs.cloud.services.sagemaker_fleet import Fleet, at_scale
from labs.cloud.services.sagemaker_placing import Placed, check_hardware, place_on, share_of
from labs.cloud.wallclock import Stream
from labs.serving.engine import Request

CPUS_OF = "ml.c7g.16xlarge"
"""The instance whose processor stands in for serverless CPUs."""
MB_PER_CPU = 2048
STARTING_S = 30.0
"""What an environment takes to start without the download of the weights: an assumption. No instance is launched, so the engine's figure,
which is of a whole instance, would be too long."""
IDLE_S = 600.0
"""How long an idle environment stays warm: an assumption."""
ONE_AT_A_TIME = 1


class Throttled(Exception):  # noqa: N818 - becomes the service's ThrottlingException
    """As many requests are in hand as the endpoint may have."""


def place_serverless(container: Container, config: dict[str, Any]) -> Placed:
    """Put a container into an environment of this much memory. Raises CannotStart."""
    check_hardware(container.server, "cpu", "a serverless endpoint")
    memory_mb = config["MemorySizeInMB"]
    on = share_of(CPUS_OF, memory_mb / MB_PER_CPU, memory_mb * 1024 * 1024)
    placed = place_on(container, on, None)
    return replace(placed, load_s=STARTING_S + placed.download_s)


class Serverless:
    """The environments of one serverless variant."""

    def __init__(self, context: Context, placed: Placed, config: dict[str, Any]) -> None:
        self.config = config
        self.placed = placed
        self._idle_s = context.wait_s(IDLE_S)
        self._lock = threading.Lock()
        self._used_at = time.monotonic()
        spec: Any = placed.deployment.spec
        self._cold_s = context.wait_s(placed.load_s)
        one = at_scale(replace(spec, max_num_seqs=ONE_AT_A_TIME), self._cold_s)
        self._fleet = Fleet(one, self._warm, "least_outstanding")

    @property
    def _warm(self) -> int:
        """Environments that are always up."""
        return int(self.config.get("ProvisionedConcurrency") or 0)

    def configure(self, **change: int) -> None:
        """Another concurrency (UpdateEndpointWeightsAndCapacities)."""
        with self._lock:
            self.config = {**self.config, **change}
            self._fleet.set_replicas(max(self._warm, min(self._fleet.desired, self.config["MaxConcurrency"])))

    def submit(self, request: Request, limit_s: float, *, every_token: bool) -> tuple[Stream, float]:
        """Offer a request: its stream, and the cold start that it waits for (0.0 when an environment is warm). Raises Throttled, Rejected."""
        with self._lock:
            self._let_go_of_idle()
            in_hand = self._fleet.in_hand
            if in_hand >= self.config["MaxConcurrency"]:
                raise Throttled
            cold = in_hand >= self._fleet.desired
            if cold:
                self._fleet.set_replicas(in_hand + 1)
            # An environment that starts has the request's whole time limit still before it.
            return self._fleet.submit(
                request, limit_s + self._cold_s * cold, every_token=every_token
            ), self._cold_s * cold

    def used(self) -> None:
        """A request has just ended: from now on its environment is idle."""
        self._used_at = time.monotonic()

    @property
    def environments(self) -> int:
        """Environments that are up."""
        with self._lock:
            self._let_go_of_idle()
            return self._fleet.ready

    @property
    def fleet(self) -> Fleet:
        """The environments as a fleet, for metrics."""
        return self._fleet

    def _let_go_of_idle(self) -> None:
        if self._fleet.in_hand:
            self.used()
        elif self._fleet.desired > self._warm and time.monotonic() - self._used_at > self._idle_s:
            self._fleet.set_replicas(self._warm)
