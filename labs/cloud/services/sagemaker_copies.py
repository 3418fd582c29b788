"""Copies of an inference component: what one is, how it starts, and how many there are."""

from labs.cloud.services import sagemaker_models as models
from labs.cloud.services.sagemaker_component import Component
from labs.cloud.services.sagemaker_containers import CannotStart
from labs.cloud.services.sagemaker_fleet import ROUTERS, Fleet, at_scale
from labs.cloud.services.sagemaker_hosting import Hosting, Told
from labs.cloud.services.sagemaker_placing import (
    accelerators_of,
    check_hardware,
    place_on,
    share_of,
    tensor_parallel,
)
from labs.cloud.services.sagemaker_room import Needs, make_room, release_idle
from labs.cloud.services.sagemaker_validation import refused
from labs.cloud.services.sagemaker_variants import failed_start, health_timeout_s, outcome
from labs.facts import catalogue

SETTLING_S = 10.0
"""What taking copies away takes on AWS: an assumption."""
MIB = 1024 * 1024


def definition_of(hosting: Hosting, specification: Told) -> Told:
    """The container's definition: a model's, or the specification's own."""
    if name := specification.get("ModelName"):
        return dict(models.container_of(hosting.model(name)))
    container = specification.get("Container")
    if not container or not container.get("Image"):
        raise refused("An inference component needs a ModelName, or a Container with an Image.")
    models.check_data(hosting, container, "")
    return dict(container)


def prepare(hosting: Hosting, component: Component, specification: Told) -> None:
    """What one copy will be, and how its start will go."""
    definition = definition_of(hosting, specification)
    needs = Needs.of(specification)
    startup = specification.get("StartupParameters") or {}
    named = {"VariantName": component.variant.name, **startup}
    timeout = health_timeout_s(startup)
    instance_type = component.variant.instance_type
    assert instance_type is not None
    try:
        container = models.container(hosting, definition)
        kind = catalogue.accelerator(catalogue.instance(instance_type).accelerator).kind
        check_hardware(container.server, kind, instance_type)
        if kind == "cpu":
            on = share_of(instance_type, needs.cpus, needs.memory_mb * MIB)
            component.placed = place_on(container, on, None)
        else:
            on = accelerators_of(instance_type, int(needs.accelerators))
            parallel = (
                tensor_parallel(container, on)
                if container.option("tensor_parallel_degree", "tensor_parallel_size")
                else on.devices
            )
            component.placed = place_on(container, on, parallel)
    except CannotStart as failed:
        component.start = failed_start(named, failed, timeout, "production")
    else:
        component.start = outcome(
            named, component.placed, timeout, startup.get("ModelDataDownloadTimeoutInSeconds"), "production"
        )
    hosting.log(
        f"/aws/sagemaker/InferenceComponents/{component.name}", f"{component.variant.name}/copy", *component.start.log
    )


def open_fleet(hosting: Hosting, component: Component) -> None:
    """Copies that are up from now on."""
    assert component.placed is not None
    strategy = (component.variant.spec.get("RoutingConfig") or {}).get("RoutingStrategy", "RANDOM")
    spec = at_scale(component.placed.deployment.spec, hosting.context.wait_s(component.placed.load_s))
    component.fleet = Fleet(spec, component.granted, ROUTERS[strategy])


def set_copies(hosting: Hosting, component: Component, n: int) -> None:
    """Ask for `n` copies. Those that find room come up after their cold start; surplus ones finish what they hold."""
    more = n > component.desired
    component.desired = n
    component.granted = make_room(hosting, component, n)
    assert component.fleet is not None
    component.fleet.set_replicas(component.granted)
    component.become("Updating")

    def done() -> None:
        if component.status == "Updating":
            short = component.granted < component.desired
            reason = (
                f"{component.granted} of {component.desired} copies fit on the instances of variant {component.variant.name}."
                if short
                else None
            )
            component.become("InService", reason)
        release_idle(component.variant, hosting)

    hosting.after(component.placed.load_s if more and component.placed is not None else SETTLING_S, done)
