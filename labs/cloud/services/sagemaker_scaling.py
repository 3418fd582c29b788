"""What Application Auto Scaling may scale of SageMaker: instances of a variant, copies of an inference component."""

from functools import partial

from labs.cloud import scalables
from labs.cloud.services import sagemaker_quota as quota
from labs.cloud.services.sagemaker_component import Component
from labs.cloud.services.sagemaker_copies import set_copies
from labs.cloud.services.sagemaker_endpoint import Endpoint
from labs.cloud.services.sagemaker_hosting import Hosting
from labs.cloud.services.sagemaker_validation import refused
from labs.cloud.services.sagemaker_variants import Variant

VARIANT = "sagemaker:variant:DesiredInstanceCount"
COMPONENT = "sagemaker:inference-component:DesiredCopyCount"


class ScalableVariant:
    """The number of instances of a variant, found by name: an update replaces the variant and keeps the scalable."""

    def __init__(self, hosting: Hosting, endpoint: Endpoint, name: str) -> None:
        self._hosting, self._endpoint, self._name = hosting, endpoint, name

    def current(self) -> int:
        """Instances asked for."""
        with self._hosting.lock:
            variant = self._endpoint.variant(self._name)
            return variant.desired if variant is not None else 0

    def set_desired(self, n: int) -> None:
        """Ask for `n`. Raises the service's ResourceLimitExceeded beyond the quota; while the endpoint is being changed it does nothing, as on AWS."""
        with self._hosting.lock:
            self._hosting.settle()
            variant, endpoint = self._endpoint.variant(self._name), self._endpoint
            if variant is None or endpoint.status != "InService" or n == variant.desired:
                return
            if n == 0 and not endpoint.is_async:
                raise refused(f"Variant {variant.name} can stand at no instance only if its endpoint is asynchronous.")
            assert variant.instance_type is not None
            quota.check_delta(self._hosting, variant.instance_type, n - variant.desired)
            wait_s = variant.cold_start_s if n > variant.desired else 0.0
            variant.set_instances(n)
            if endpoint.queue is not None:
                endpoint.queue.pump()
            variant.mark("Updating")
            endpoint.become("Updating")
            self._hosting.after(wait_s, partial(_finish, endpoint, variant))


def _finish(endpoint: Endpoint, variant: Variant) -> None:
    variant.mark(None)
    if endpoint.status == "Updating" and endpoint.pending is None:
        endpoint.become("InService")


class ScalableComponent:
    """The number of copies of an inference component."""

    def __init__(self, hosting: Hosting, component: Component) -> None:
        self._hosting, self._component = hosting, component

    def current(self) -> int:
        """Copies asked for."""
        return self._component.desired

    def set_desired(self, n: int) -> None:
        """Ask for `n`; what finds no room on the endpoint's instances does not come."""
        with self._hosting.lock:
            self._hosting.settle()
            if self._component.status == "InService" and n != self._component.desired:
                set_copies(self._hosting, self._component, n)


def register_variant(hosting: Hosting, endpoint: Endpoint, variant: Variant) -> None:
    """Make a variant's instances scalable."""
    scalable = ScalableVariant(hosting, endpoint, variant.name)
    scalables.register(hosting.context, hosting.region, "sagemaker", variant_id(endpoint, variant), VARIANT, scalable)


def unregister_variant(hosting: Hosting, endpoint: Endpoint, variant: Variant) -> None:
    """Forget it."""
    scalables.unregister(hosting.context, hosting.region, "sagemaker", variant_id(endpoint, variant), VARIANT)


def variant_id(endpoint: Endpoint, variant: Variant) -> str:
    """Application Auto Scaling's name for a variant."""
    return f"endpoint/{endpoint.name}/variant/{variant.name}"


def register_component(hosting: Hosting, component: Component) -> None:
    """Make a component's copies scalable."""
    scalable = ScalableComponent(hosting, component)
    resource = f"inference-component/{component.name}"
    scalables.register(hosting.context, hosting.region, "sagemaker", resource, COMPONENT, scalable)


def unregister_component(hosting: Hosting, component: Component) -> None:
    """Forget it."""
    scalables.unregister(
        hosting.context, hosting.region, "sagemaker", f"inference-component/{component.name}", COMPONENT
    )
