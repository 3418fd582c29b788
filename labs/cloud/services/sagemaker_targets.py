"""Where an invocation goes: the endpoint's variant or inference component that takes it, and the refusals on the way there."""

from dataclasses import dataclass
from typing import Any

from labs import facts
from labs.cloud.services import sagemaker_metrics as metrics
from labs.cloud.services.errors import ServiceError
from labs.cloud.services.sagemaker_endpoint import Endpoint
from labs.cloud.services.sagemaker_fleet import Fleet
from labs.cloud.services.sagemaker_hosting import Hosting
from labs.cloud.services.sagemaker_placing import Placed
from labs.cloud.services.sagemaker_serverless import Throttled
from labs.cloud.services.sagemaker_variants import Variant
from labs.cloud.wallclock import Rejected, Stream
from labs.serving.engine import Request


@dataclass(frozen=True)
class Destination:
    """What takes the request."""

    endpoint: Endpoint
    variant: Variant
    placed: Placed
    metrics: metrics.Target
    fleet: Fleet | None
    """None for a serverless variant"""
    component: str | None = None
    served_name: str | None = None
    """what an adapter is called in the answer"""

    def offer(self, request: Request, limit_s: float, *, every_token: bool) -> tuple[Stream, float]:
        """Submit: the stream, and the cold start that it waits for. Raises Rejected, and ThrottlingException of a serverless variant."""
        if self.variant.serverless is not None:
            try:
                return self.variant.serverless.submit(request, limit_s, every_token=every_token)
            except Throttled:
                raise ServiceError("ThrottlingException", "Rate exceeded") from None
        assert self.fleet is not None
        counts = self.fleet.snapshot()
        # What a container's server queues beyond the requests it works on; more are refused.
        queued = int(self.placed.container.option("job_queue_size") or facts.number("sagemaker.lmi.job_queue_size"))
        room = max(1, counts.replicas_ready) * (self.placed.seats + queued)
        if counts.waiting + counts.running >= room:
            raise Rejected("queue")
        return self.fleet.submit(request, limit_s, every_token=every_token), 0.0

    def count(self) -> None:
        """Tell CloudWatch of the invocation."""
        copies = self.fleet.ready if self.fleet is not None else 1
        if self.component is not None:
            self.metrics.invocation(1 / max(1, copies), "InvocationsPerCopy")
        else:
            self.metrics.invocation(1 / max(1, copies // self.variant.copies_per_instance))


def invalid(message: str) -> ServiceError:
    """A ValidationError of the runtime."""
    return ServiceError("ValidationError", message)


def endpoint_of(hosting: Hosting, name: str) -> Endpoint:
    """The endpoint, if it serves."""
    endpoint = hosting.endpoints.get(name)
    if endpoint is None or not endpoint.serves:
        raise invalid(f"Endpoint {name} of account {hosting.account_id} not found.")
    return endpoint


def find(hosting: Hosting, params: dict[str, Any]) -> Destination:
    """Who takes this invocation. ValidationError if nobody can."""
    endpoint = endpoint_of(hosting, params["EndpointName"])
    if endpoint.is_async:
        raise invalid(
            f"Endpoint {endpoint.name} of account {hosting.account_id} is asynchronous; call it with InvokeEndpointAsync."
        )
    component = params.get("InferenceComponentName")
    if endpoint.hosts_components:
        if component is None:
            raise invalid(
                "Inference Component Name header is required for endpoints to which you plan to deploy inference components. "
                "Please include Inference Component Name header or consider using SageMaker models."
            )
        return component_of(hosting, endpoint, component)
    if component is not None:
        raise invalid(
            f"Endpoint {endpoint.name} of account {hosting.account_id} hosts no inference components; leave InferenceComponentName out."
        )
    variant = endpoint.choose(params.get("TargetVariant"))
    if variant is None:
        raise invalid(
            f"Variant {params.get('TargetVariant')} was not found for endpoint {endpoint.name} of account {hosting.account_id}."
        )
    if variant.placed is None or (variant.fleet is None and variant.serverless is None):
        # An endpoint that failed and is being mended: it has no containers yet.
        raise invalid(f"Endpoint {endpoint.name} of account {hosting.account_id} not found.")
    return Destination(endpoint, variant, variant.placed, metrics.of_variant(hosting, endpoint, variant), variant.fleet)


def component_of(hosting: Hosting, endpoint: Endpoint, name: str) -> Destination:
    """The inference component of this name, if a copy of it can answer."""
    found = hosting.components.get(name)
    if found is None or found.endpoint is not endpoint:
        raise invalid(f"Inference Component {name} of account {hosting.account_id} not found.")
    base = found.base or found
    if base.fleet is None or base.placed is None or base.fleet.ready == 0 or found.fleet is None:
        if found.status == "Creating":
            raise invalid(f"Inference Component {name} of account {hosting.account_id} not found.")
        metrics.of_component(hosting, base.name).put("NoCapacityInvocationFailures", 1, "Count")
        raise invalid(
            "Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress (if configured) or try to increase the "
            "capacity by invoking UpdateInferenceComponentRuntimeConfig API."
        )
    served = name if found.base is not None else None
    return Destination(
        endpoint,
        found.variant,
        base.placed,
        metrics.of_component(hosting, name),
        base.fleet,
        component=name,
        served_name=served,
    )


def payload_limit(variant: Variant) -> int:
    """The largest body that a variant takes."""
    if variant.serverless is not None:
        return int(facts.number("sagemaker.serverless.payload_max_mb") * 1024 * 1024)
    return int(facts.number("sagemaker.realtime.payload_max_bytes"))
