"""Inference components: copies of a model on an endpoint's instances, each with its share of CPUs, memory and accelerators.

Copies come up after the engine's cold start, on instances with room; with managed instance scaling an endpoint gets more instances for them,
and lets go of those that hold none, down to zero. An adapter is a component on a base component: it shares the base's copies.
"""

from functools import partial

from labs.cloud.services import sagemaker_models as models
from labs.cloud.services import sagemaker_scaling as scaling
from labs.cloud.services.sagemaker_component import Component
from labs.cloud.services.sagemaker_copies import definition_of, open_fleet, prepare, set_copies
from labs.cloud.services.sagemaker_endpoint import Endpoint
from labs.cloud.services.sagemaker_hosting import Hosting, Told, page
from labs.cloud.services.sagemaker_placing import (
    Placed,
)
from labs.cloud.services.sagemaker_room import Needs, check_fits_one, make_room, release_idle
from labs.cloud.services.sagemaker_validation import refused
from labs.cloud.services.sagemaker_variants import Start

DELETION_S = 10.0
"""What removing a component takes on AWS: an assumption."""
ADAPTER_S = 15.0
"""What loading an adapter takes on AWS: an assumption."""


def create(hosting: Hosting, params: Told) -> Told:
    """CreateInferenceComponent."""
    name = params["InferenceComponentName"]
    arn = hosting.arn("inference-component", name)
    if name in hosting.components:
        raise refused(f'Cannot create already existing inference component "{arn}".')
    endpoint = hosting.endpoint(params["EndpointName"])
    if endpoint.status != "InService":
        raise refused(
            f'Endpoint "{endpoint.arn}" must be InService to host an inference component; it is {endpoint.status}.'
        )
    if params.get("Specifications"):
        raise refused("The local cloud has no instance pools; give one Specification.")
    specification = params.get("Specification") or {}
    if base_name := specification.get("BaseInferenceComponentName"):
        component = adapter(hosting, endpoint, name, arn, specification, hosting.component(base_name))
        wait_s = ADAPTER_S
    else:
        component = copies_of(hosting, endpoint, params, arn, specification)
        wait_s = component.start.seconds
    hosting.components[name] = component
    hosting.tag(arn, params.get("Tags"))
    if component.owns_fleet:
        scaling.register_component(hosting, component)
    hosting.after(wait_s, partial(finish_creation, hosting, component))
    return {"InferenceComponentArn": arn}


def copies_of(hosting: Hosting, endpoint: Endpoint, params: Told, arn: str, specification: Told) -> Component:
    """A component with copies of its own: room is made for them now."""
    variant = endpoint.variant(params.get("VariantName") or "")
    if variant is None:
        raise refused(f'Could not find variant "{params.get("VariantName")}" in endpoint "{endpoint.arn}".')
    if not variant.hosts_components:
        raise refused(f"Variant {variant.name} has a model of its own and cannot host inference components.")
    if not params.get("RuntimeConfig"):
        raise refused("RuntimeConfig is required for an inference component that is not an adapter.")
    if not specification.get("ComputeResourceRequirements"):
        raise refused("ComputeResourceRequirements is required for an inference component that is not an adapter.")
    definition_of(hosting, specification)
    needs = Needs.of(specification)
    check_fits_one(variant, needs)
    wanted = params["RuntimeConfig"]["CopyCount"]
    component = Component(params["InferenceComponentName"], arn, endpoint, variant, specification, needs, wanted)
    prepare(hosting, component, specification)
    component.granted = make_room(hosting, component, wanted) if component.start.failure is None else 0
    if component.granted < wanted and component.start.failure is None:
        component.start = Start(
            component.start.seconds,
            f"There is not enough room for {wanted} copies of {component.name} on the instances of variant {variant.name}: {component.granted} fit. "
            "Add instances, or let the endpoint add them with ManagedInstanceScaling.",
        )
    return component


def adapter(
    hosting: Hosting, endpoint: Endpoint, name: str, arn: str, specification: Told, base: Component
) -> Component:
    """An adapter on a base component."""
    if base.endpoint is not endpoint:
        raise refused(f"Base inference component {base.name} is not on endpoint {endpoint.name}.")
    if base.base is not None:
        raise refused(f"Inference component {base.name} is itself an adapter.")
    if base.status != "InService":
        raise refused(f"Base inference component {base.name} must be InService; it is {base.status}.")
    if specification.get("ComputeResourceRequirements"):
        raise refused("An adapter has no ComputeResourceRequirements: it runs in its base's copies.")
    url = (specification.get("Container") or {}).get("ArtifactUrl")
    if not url:
        raise refused("An adapter needs Container.ArtifactUrl, where its weights are.")
    models.check_data(hosting, {"ArtifactUrl": url}, endpoint.config.get("ExecutionRoleArn", ""))
    component = Component(name, arn, endpoint, base.variant, specification, Needs(0, 0, 0), 0, base=base)
    component.placed = base.placed
    return component


def finish_creation(hosting: Hosting, component: Component) -> None:
    """The first copies have come up, or have not."""
    if component.status != "Creating":
        return
    if component.base is not None:
        component.fleet = component.base.fleet
        component.become("InService")
        return
    if component.start.failure:
        component.granted = 0
        release_idle(component.variant, hosting)
        component.become("Failed", component.start.failure)
        return
    open_fleet(hosting, component)
    component.become("InService")


def describe(hosting: Hosting, params: Told) -> Told:
    """DescribeInferenceComponent."""
    found = hosting.component(params["InferenceComponentName"])
    said: Told = {
        "InferenceComponentName": found.name,
        "InferenceComponentArn": found.arn,
        "EndpointName": found.endpoint.name,
        "EndpointArn": found.endpoint.arn,
        "VariantName": found.variant.name,
        "Specification": specification_summary(found.specification),
        "CreationTime": found.created,
        "LastModifiedTime": found.modified,
        "InferenceComponentStatus": found.status,
    }
    if found.base is None:
        said["RuntimeConfig"] = {"DesiredCopyCount": found.desired, "CurrentCopyCount": found.copies}
    if found.failure:
        said["FailureReason"] = found.failure
    if found.deployment:
        said["LastDeploymentConfig"] = found.deployment
    return said


def specification_summary(specification: Told) -> Told:
    """A specification as descriptions show it."""
    said = dict(specification)
    if container := said.get("Container"):
        said["Container"] = {key: value for key, value in container.items() if key != "Image"}
        if image := container.get("Image"):
            said["Container"]["DeployedImage"] = {"SpecifiedImage": image, "ResolvedImage": image}
    return said


def listed(hosting: Hosting, params: Told) -> Told:
    """ListInferenceComponents."""
    items = [
        {
            "InferenceComponentName": each.name,
            "InferenceComponentArn": each.arn,
            "EndpointName": each.endpoint.name,
            "EndpointArn": each.endpoint.arn,
            "VariantName": each.variant.name,
            "InferenceComponentStatus": each.status,
            "CreationTime": each.created,
            "LastModifiedTime": each.modified,
        }
        for each in hosting.components.values()
        if params.get("EndpointNameEquals", each.endpoint.name) == each.endpoint.name
        and params.get("VariantNameEquals", each.variant.name) == each.variant.name
    ]
    return page(params, items, "InferenceComponent", "InferenceComponents")


def update(hosting: Hosting, params: Told) -> Told:
    """UpdateInferenceComponent: another specification comes up beside the old one, which serves until then; or another number of copies."""
    component = idle(hosting, params["InferenceComponentName"])
    if params.get("Specifications"):
        raise refused("The local cloud has no instance pools; give one Specification.")
    component.deployment = params.get("DeploymentConfig") or component.deployment
    if specification := params.get("Specification"):
        if component.base is not None:
            url = (specification.get("Container") or {}).get("ArtifactUrl", "")
            models.check_data(
                hosting, {"ArtifactUrl": url} if url else {}, component.endpoint.config.get("ExecutionRoleArn", "")
            )
            component.specification = {**component.specification, **specification}
            component.become("Updating")
            hosting.after(ADAPTER_S, partial(component.become, "InService"))
            return {"InferenceComponentArn": component.arn}
        merged = {**component.specification, **specification}
        check_fits_one(component.variant, Needs.of(merged))
        before = (component.placed, component.start)
        prepare(hosting, component, merged)
        component.become("Updating")
        hosting.after(component.start.seconds, partial(finish_update, hosting, component, merged, before))
    if params.get("RuntimeConfig"):
        if params.get("Specification"):
            component.desired = params["RuntimeConfig"]["CopyCount"]
        else:
            set_copies(hosting, component, params["RuntimeConfig"]["CopyCount"])
    return {"InferenceComponentArn": component.arn}


def finish_update(
    hosting: Hosting, component: Component, specification: Told, before: tuple[Placed | None, Start]
) -> None:
    """The new copies have come up and take over, or have not and the old ones stay."""
    if component.start.failure:
        reason = component.start.failure
        component.placed, component.start = before
        component.become("InService", reason)
        return
    component.specification, component.needs = specification, Needs.of(specification)
    component.granted = make_room(hosting, component, component.desired)
    open_fleet(hosting, component)
    component.become("InService")


def update_runtime_config(hosting: Hosting, params: Told) -> Told:
    """UpdateInferenceComponentRuntimeConfig."""
    component = idle(hosting, params["InferenceComponentName"])
    if component.base is not None:
        raise refused(f"Inference component {component.name} is an adapter and has no copies of its own.")
    set_copies(hosting, component, params["DesiredRuntimeConfig"]["CopyCount"])
    return {"InferenceComponentArn": component.arn}


def delete(hosting: Hosting, params: Told) -> Told:
    """DeleteInferenceComponent."""
    component = hosting.component(params["InferenceComponentName"])
    if component.status in ("Creating", "Updating", "Deleting"):
        raise refused(f'Cannot delete inference component "{component.arn}" while it is {component.status}.')
    adapters = [each.name for each in hosting.components.values() if each.base is component]
    if adapters:
        raise refused(
            f'Cannot delete inference component "{component.arn}" while it is the base of {", ".join(adapters)}.'
        )
    component.become("Deleting")
    component.granted = component.desired = 0
    if component.owns_fleet:
        scaling.unregister_component(hosting, component)
        if component.fleet is not None:
            component.fleet.set_replicas(0)

    def gone() -> None:
        if hosting.components.get(component.name) is component:
            del hosting.components[component.name]
            hosting.forget(component.arn)
            release_idle(component.variant, hosting)

    hosting.after(DELETION_S, gone)
    return {}


def idle(hosting: Hosting, name: str) -> Component:
    """The component, if nothing is being done to it."""
    component = hosting.component(name)
    if component.status != "InService":
        raise refused(f'Cannot update inference component "{component.arn}" while it is {component.status}.')
    return component
