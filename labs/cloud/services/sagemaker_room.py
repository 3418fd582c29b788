"""Room for copies of inference components on an endpoint's instances: what one takes, what fits, and instances that come and go for it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labs.cloud.services import sagemaker_quota as quota
from labs.cloud.services.errors import ServiceError
from labs.cloud.services.sagemaker_configs import managed
from labs.cloud.services.sagemaker_hosting import Hosting, Told
from labs.cloud.services.sagemaker_validation import refused
from labs.cloud.services.sagemaker_variants import Variant
from labs.facts import catalogue

if TYPE_CHECKING:
    from labs.cloud.services.sagemaker_component import Component


@dataclass(frozen=True)
class Needs:
    """What one copy takes of an instance."""

    cpus: float
    accelerators: float
    memory_mb: int

    @staticmethod
    def of(specification: Told) -> "Needs":
        """As the specification states them."""
        asked = specification.get("ComputeResourceRequirements") or {}
        return Needs(
            float(asked.get("NumberOfCpuCoresRequired") or 0),
            float(asked.get("NumberOfAcceleratorDevicesRequired") or 0),
            int(asked.get("MinMemoryRequiredInMb") or 0),
        )


def check_fits_one(variant: Variant, needs: Needs) -> None:
    """One copy must fit on an empty instance."""
    host = catalogue.instances().get(variant.instance_type or "")
    if host is None:
        raise refused(f"The local cloud has no figures for {variant.instance_type}.")
    kind = catalogue.accelerator(host.accelerator).kind
    has = {
        "cpus": float(host.vcpus),
        "accelerators": 0.0 if kind == "cpu" else float(host.count),
        "memory_mb": host.memory_gib * 1024,
    }
    for what, needed in (("cpus", needs.cpus), ("accelerators", needs.accelerators), ("memory_mb", needs.memory_mb)):
        if needed > has[what]:
            words = {"cpus": "CPU cores", "accelerators": "accelerator devices", "memory_mb": "MB of memory"}[what]
            raise refused(
                f"The requested resources for the inference component do not fit on an instance of type {variant.instance_type}: "
                f"it has {has[what]:g} {words}, and a copy needs {needed:g}."
            )
    if kind != "cpu" and needs.accelerators < 1:
        raise refused(
            f"NumberOfAcceleratorDevicesRequired is required on {variant.instance_type}, whose accelerators run the model."
        )
    if kind == "cpu" and needs.cpus <= 0:
        raise refused(f"NumberOfCpuCoresRequired is required on {variant.instance_type}, whose CPUs run the model.")


def make_room(hosting: Hosting, component: "Component", wanted: int) -> int:
    """How many of `wanted` copies have room, after the endpoint has got what instances it may get for them."""
    variant = component.variant
    others = [
        (each.needs, each.granted)
        for each in hosting.components.values()
        if each.variant is variant and each is not component
    ]
    while True:
        placed = pack(variant, others, component.needs, wanted)
        if placed >= wanted or not managed(variant.spec) or variant.desired >= most_instances(variant):
            return placed
        assert variant.instance_type is not None
        try:
            quota.check_delta(hosting, variant.instance_type, 1)
        except ServiceError:
            return placed
        variant.set_instances(variant.desired + 1)


def most_instances(variant: Variant) -> int:
    """Up to how many instances managed scaling may go."""
    return int((variant.spec.get("ManagedInstanceScaling") or {}).get("MaxInstanceCount", variant.desired))


def pack(variant: Variant, others: list[tuple[Needs, int]], needs: Needs, wanted: int) -> int:
    """How many of `wanted` copies fit beside the others, each put on the first instance with room."""
    host = catalogue.instance(variant.instance_type or "")
    kind = catalogue.accelerator(host.accelerator).kind
    empty = [float(host.vcpus), 0.0 if kind == "cpu" else float(host.count), host.memory_gib * 1024]
    free = [list(empty) for _ in range(variant.desired)]

    def put(one: Needs) -> bool:
        takes = (one.cpus, one.accelerators, float(one.memory_mb))
        for instance in free:
            if all(has >= take for has, take in zip(instance, takes, strict=True)):
                for index, take in enumerate(takes):
                    instance[index] -= take
                return True
        return False

    for other, copies in others:
        for _ in range(copies):
            put(other)
    return sum(1 for _ in range(wanted) if put(needs))


def release_idle(variant: Variant, hosting: Hosting) -> None:
    """Managed scaling lets go of instances that no copy needs, down to its minimum."""
    if not managed(variant.spec):
        return
    least = int((variant.spec.get("ManagedInstanceScaling") or {}).get("MinInstanceCount", 0))
    every = [(each.needs, each.granted) for each in hosting.components.values() if each.variant is variant]
    while variant.desired > least and fits(variant, every, variant.desired - 1):
        variant.set_instances(variant.desired - 1)


def fits(variant: Variant, every: list[tuple[Needs, int]], instances: int) -> bool:
    """Would all copies fit on so many instances?"""
    smaller = Variant(variant.spec, variant.start, desired=instances)
    rest = list(every)
    while rest:
        needs, copies = rest.pop()
        if pack(smaller, rest, needs, copies) < copies:
            return False
    return True
