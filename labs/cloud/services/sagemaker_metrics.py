"""What SageMaker tells CloudWatch: of each invocation, and every ten seconds how things stand.

Host utilisation follows from the engine: a GPU is as busy as its steps are, while the server beside it takes about one core however busy the
GPU is. That is why CPU utilisation stays low on a saturated endpoint, and why it is the wrong signal to scale on.
"""

import threading
from dataclasses import dataclass, field
from functools import partial

from labs.cloud import metrics
from labs.cloud.context import Context
from labs.cloud.services.sagemaker_endpoint import Endpoint
from labs.cloud.services.sagemaker_fleet import Fleet
from labs.cloud.services.sagemaker_hosting import Hosting, everywhere
from labs.cloud.services.sagemaker_variants import Variant
from labs.facts import catalogue
from labs.serving.memory import GB

NAMESPACE = "AWS/SageMaker"
HOST = "/aws/sagemaker/Endpoints"
PERIOD_S = 10.0
INVOCATION = frozenset(
    {"Invocations", "InvocationsPerInstance", "OverheadLatency", "InvocationModelErrors", "ModelLatency"}
    | {"Invocation4XXErrors", "Invocation5XXErrors"}
)
NOT_OF_ASYNC = INVOCATION - {"ModelLatency", "Invocation4XXErrors", "Invocation5XXErrors"}
"""https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html says that asynchronous endpoints do not publish these."""
IDLE_CPU_PERCENT = 2.0
"""Of one core, by the server's housekeeping: an assumption."""
SERVER_CPU_PERCENT = 100.0
"""Of one core, while a model copy's accelerator is busy: the scheduler's loop is one thread. An assumption."""


def of_variant(hosting: Hosting, endpoint: Endpoint, variant: Variant) -> "Target":
    """Where a variant's invocations are counted."""
    untold = NOT_OF_ASYNC if endpoint.is_async else frozenset[str]()
    return Target(hosting, {"EndpointName": endpoint.name, "VariantName": variant.name}, untold)


def of_component(hosting: Hosting, name: str) -> "Target":
    """Where an inference component's invocations are counted."""
    return Target(hosting, {"InferenceComponentName": name})


@dataclass
class Target:
    """A series of metrics."""

    hosting: Hosting
    dimensions: dict[str, str]
    untold: frozenset[str] = frozenset()
    """metrics that this kind of endpoint does not have"""

    def put(self, name: str, value: float, unit: str = "None", namespace: str = NAMESPACE) -> None:
        """Record a value now."""
        if name in self.untold:
            return
        where = (self.hosting.account_id, self.hosting.region)
        dimensions = tuple(sorted(self.dimensions.items()))
        metrics.store(self.hosting.context).put(
            where, namespace, name, dimensions, value, unit=unit, fine=name in metrics.FINE
        )

    def invocation(self, share: float, per: str = "InvocationsPerInstance") -> None:
        """A request was sent to the model, which has `share` to each instance or copy."""
        self.put("Invocations", 1)
        self.put(per, share)

    def answered(self, status: int, model_s: float, overhead_s: float) -> None:
        """And was answered with this status."""
        self.put("Invocation4XXErrors", float(400 <= status < 500))
        self.put("Invocation5XXErrors", float(status >= 500 or status == 0))
        self.put("InvocationModelErrors", float(status != 200))
        self.put("ModelLatency", model_s * 1e6, "Microseconds")
        self.put("OverheadLatency", overhead_s * 1e6, "Microseconds")


# -- gauges


@dataclass
class Gauges:
    """Remembers what it saw, to tell how busy each fleet was since."""

    _seen: dict[int, tuple[float, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def busy(self, fleet: Fleet) -> float:
        """What part of the time since the last look its copies were busy, 0 to 1."""
        counts = fleet.snapshot()
        with self._lock:
            before_t, before_s = self._seen.get(id(fleet), (counts.t, counts.busy_s))
            self._seen[id(fleet)] = (counts.t, counts.busy_s)
        span = (counts.t - before_t) * max(1, counts.replicas_ready)
        return min(1.0, max(0.0, (counts.busy_s - before_s) / span)) if span > 0 else 0.0

    def forget_others(self, alive: set[int]) -> None:
        """Drop what is remembered of fleets that are gone."""
        with self._lock:
            self._seen = {key: value for key, value in self._seen.items() if key in alive}


def install(context: Context) -> None:
    """Keep this cloud's waits and gauges going."""
    gauges = Gauges()
    if context.endpoint_url is not None:
        metrics.every(context, 1.0, lambda _: settle(context))
    metrics.every(context, PERIOD_S, partial(look, context, gauges))


def settle(context: Context) -> None:
    """Do what is due, everywhere."""
    for hosting in everywhere(context):
        hosting.settle()


def look(context: Context, gauges: Gauges, _: float) -> None:
    """Record how everything stands."""
    alive: set[int] = set()
    for hosting in everywhere(context):
        hosting.settle()
        with hosting.lock:
            endpoints, components = list(hosting.endpoints.values()), list(hosting.components.values())
        for endpoint in endpoints:
            if not endpoint.serves:
                continue
            for variant in (*endpoint.variants, *endpoint.shadows):
                fleet = variant.serverless.fleet if variant.serverless else variant.fleet
                if fleet is not None:
                    alive.add(id(fleet))
                    of_fleet(of_variant(hosting, endpoint, variant), variant, fleet, gauges)
            if endpoint.queue is not None:
                endpoint.queue.gauge()
        for component in components:
            if component.fleet is not None and component.owns_fleet:
                alive.add(id(component.fleet))
                counts = component.fleet.snapshot()
                in_hand = counts.waiting + counts.running
                target = of_component(hosting, component.name)
                target.put("ConcurrentRequestsPerCopy", in_hand / max(1, counts.replicas_ready))
                busy = gauges.busy(component.fleet)
                name = (
                    "GPUUtilizationNormalized"
                    if component.placed and component.placed.kind == "gpu"
                    else "CPUUtilizationNormalized"
                )
                target.put(name, 100 * busy, "Percent", "/aws/sagemaker/InferenceComponents")
    gauges.forget_others(alive)


def of_fleet(target: Target, variant: Variant, fleet: Fleet, gauges: Gauges) -> None:
    """A variant's concurrency and its hosts' utilisation."""
    counts = fleet.snapshot()
    instances = max(1, counts.replicas_ready // variant.copies_per_instance)
    target.put("ConcurrentRequestsPerModel", (counts.waiting + counts.running) / instances)
    busy = gauges.busy(fleet)
    placed = variant.placed
    if placed is None or variant.instance_type is None:
        return
    host = catalogue.instance(variant.instance_type)
    if placed.kind == "cpu":
        cpu = IDLE_CPU_PERCENT + 100.0 * host.vcpus * busy
    else:
        cpu = IDLE_CPU_PERCENT + SERVER_CPU_PERCENT * busy * placed.copies
    target.put("CPUUtilization", min(cpu, 100.0 * host.vcpus), "Percent", HOST)
    memory = placed.deployment.memory
    in_host = memory.weights_bytes if placed.kind == "cpu" else min(memory.weights_bytes, 0.1 * host.memory_gib * GB)
    target.put("MemoryUtilization", min(100.0, 100.0 * in_host / (host.memory_gib * 1.073741824 * GB)), "Percent", HOST)
    if placed.kind == "gpu":
        used = placed.deployment.accelerators * placed.copies
        target.put("GPUUtilization", 100.0 * used * busy, "Percent", HOST)
        share = memory.usable_bytes / memory.total_bytes
        target.put("GPUMemoryUtilization", 100.0 * used * share, "Percent", HOST)
