"""Rules about where something runs and whose it is: devices, premises, hosts, clusters, containers, engines, the team."""

from __future__ import annotations

from labs.decide.case import Case
from labs.decide.rules.reason import Reason

DEVICE_PARAMETERS = 8.5e9
"""More than a device with some gigabytes of memory holds in 4 bits; an assumption about devices, not a limit of a service."""


def must_run_at_the_edge(case: Case) -> Reason | None:
    if not case.asked.edge:
        return None
    return Reason("must_run_at_the_edge", "it must run on devices or where the network fails; this runs in a Region")


def nothing_asks_for_the_edge(case: Case) -> Reason | None:
    if case.asked.edge:
        return None
    return Reason("nothing_asks_for_the_edge", "nothing asks for the edge, and this is for devices")


def small_enough_for_a_device(case: Case) -> Reason | None:
    if case.shape is None or case.shape.parameters <= DEVICE_PARAMETERS:
        return None
    size = case.shape.parameters / 1e9
    return Reason(
        "small_enough_for_a_device",
        f"{size:.3g} billion parameters are more than a device holds; Neo was tested with small, mostly visual models",
        ("sagemaker.neo.status",),
    )


def data_stay_on_the_premises(case: Case) -> Reason | None:
    if case.asked.residency != "on-premises":
        return None
    return Reason("data_stay_on_the_premises", "the data may not leave your premises; this runs in an AWS Region")


def host_is_yours(case: Case) -> Reason | None:
    if case.asked.control != "host":
        return None
    return Reason("host_is_yours", "kernel, drivers or scheduler must be yours; here they are the service's")


def container_is_yours(case: Case) -> Reason | None:
    if case.asked.control not in ("container", "hardware"):
        return None
    return Reason("container_is_yours", f"the {case.asked.control} must be yours to set; here nobody can")


def hardware_is_yours(case: Case) -> Reason | None:
    if case.asked.control != "hardware":
        return None
    return Reason("hardware_is_yours", "the hardware must be yours to choose; a serverless endpoint has none to choose")


def engine_is_yours(case: Case) -> Reason | None:
    if not case.asked.proprietary_engine:
        return None
    return Reason("engine_is_yours", "an inference engine of your own needs a container; here there is none of yours")


def engine_is_for_gpus(case: Case) -> Reason | None:
    if not case.asked.proprietary_engine:
        return None
    return Reason(
        "engine_is_for_gpus", "an engine of your own with its extensions would have to be ported to this chip"
    )


def runs_on_the_cluster(case: Case) -> Reason | None:
    """A platform team that wants its models on its cluster; what cannot run there is called from there."""
    asked = case.asked
    if not (asked.kubernetes_estate and asked.team == "platform") or case.shape is None:
        return None
    return Reason("runs_on_the_cluster", "a platform team runs a Kubernetes cluster, and the model shall be on it")


def somebody_runs_it(case: Case) -> Reason | None:
    """A stack of one's own needs people, unless nothing else would do at all."""
    asked = case.asked
    nothing_else = asked.control == "host" or asked.residency == "on-premises"
    if asked.team == "platform" or nothing_else:
        return None
    return Reason("somebody_runs_it", "a small team has nobody to run it: images, drivers, upgrades, nights")


def weights_are_public(case: Case) -> Reason | None:
    if case.shape is not None:
        return None
    return Reason("weights_are_public", f"the weights of {case.name} are not to be had, so it cannot be hosted")


def fits_the_context(case: Case) -> Reason | None:
    if case.shape is None or case.shaped_like is not None or case.tokens_per_request <= case.shape.context_tokens:
        return None
    return Reason(
        "fits_the_context",
        f"{case.tokens_per_request:,} tokens are more than the {case.shape.context_tokens:,} of {case.name}'s context",
    )
