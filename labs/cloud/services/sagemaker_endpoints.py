"""Endpoints: made, shown, changed in capacity, removed. What an update to another configuration does is in `sagemaker_rollout`."""

from functools import partial
from typing import Any

from labs import facts
from labs.cloud.services import sagemaker_quota as quota
from labs.cloud.services import sagemaker_scaling as scaling
from labs.cloud.services.errors import ServiceError
from labs.cloud.services.sagemaker_async import Queue
from labs.cloud.services.sagemaker_endpoint import Endpoint
from labs.cloud.services.sagemaker_hosting import Hosting, Told, page
from labs.cloud.services.sagemaker_models import container_of
from labs.cloud.services.sagemaker_validation import refused
from labs.cloud.services.sagemaker_variants import Variant, build

DELETION_S = 30.0
"""What removing an endpoint takes on AWS: an assumption."""
WEIGHTS_S = 5.0
"""What a change of weights alone takes: an assumption."""


def create(hosting: Hosting, params: Told) -> Told:
    """CreateEndpoint."""
    name = params["EndpointName"]
    arn = hosting.arn("endpoint", name)
    if name in hosting.endpoints:
        raise refused(f'Cannot create already existing endpoint "{arn}".')
    config = hosting.config(params["EndpointConfigName"])
    variants, shadows = variants_of(hosting, config.params)
    check_serverless_limits(hosting, variants)
    quota.check(hosting, [*variants, *shadows])
    endpoint = Endpoint(name, arn, config.name, config.params, variants, shadows)
    endpoint.deployment = params.get("DeploymentConfig")
    hosting.endpoints[name] = endpoint
    hosting.tag(arn, params.get("Tags"))
    for variant in (*variants, *shadows):
        variant.mark("Creating")
        if not variant.hosts_components and variant.serverless is None:
            scaling.register_variant(hosting, endpoint, variant)
    log_starts(hosting, endpoint, [*variants, *shadows])
    hosting.after(longest([*variants, *shadows]), partial(finish_creation, hosting, endpoint))
    return {"EndpointArn": arn}


def finish_creation(hosting: Hosting, endpoint: Endpoint) -> None:
    """The containers have come up, or have not."""
    if endpoint.status != "Creating":
        return
    failed = [variant.start.failure for variant in (*endpoint.variants, *endpoint.shadows) if variant.start.failure]
    for variant in (*endpoint.variants, *endpoint.shadows):
        variant.mark(None)
        if not failed:
            variant.open(hosting, variant.desired)
    if failed:
        for variant in (*endpoint.variants, *endpoint.shadows):
            variant.desired = 0
        endpoint.become("Failed", failed[0])
        return
    if endpoint.is_async:
        endpoint.queue = Queue(hosting, endpoint)
    endpoint.become("InService")


def describe(hosting: Hosting, params: Told) -> Told:
    """DescribeEndpoint."""
    endpoint = hosting.endpoint(params["EndpointName"])
    said: Told = {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointConfigName": endpoint.config_name,
        "EndpointStatus": endpoint.status,
        "CreationTime": endpoint.created,
        "LastModifiedTime": endpoint.modified,
    }
    if endpoint.status not in ("Creating", "Failed"):
        said["ProductionVariants"] = [v.summary(images(hosting, v)) for v in endpoint.variants]
        if endpoint.shadows:
            said["ShadowProductionVariants"] = [v.summary(images(hosting, v)) for v in endpoint.shadows]
    if endpoint.failure:
        said["FailureReason"] = endpoint.failure
    if endpoint.deployment:
        said["LastDeploymentConfig"] = endpoint.deployment
    for name in ("AsyncInferenceConfig", "ExplainerConfig", "MetricsConfig", "CrossRegionTrafficConfig"):
        if endpoint.config.get(name):
            said[name] = endpoint.config[name]
    if capture := endpoint.config.get("DataCaptureConfig"):
        on = bool(capture.get("EnableCapture", False))
        said["DataCaptureConfig"] = {
            "EnableCapture": on,
            "CaptureStatus": "Started" if on else "Stopped",
            "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
            "DestinationS3Uri": capture["DestinationS3Uri"],
            "KmsKeyId": capture.get("KmsKeyId", ""),
        }
    if endpoint.pending is not None:
        pending = endpoint.pending
        said["PendingDeploymentSummary"] = {
            "EndpointConfigName": pending.config_name,
            "StartTime": pending.started,
            "ProductionVariants": [pending_summary(hosting, variant) for variant in pending.variants],
        }
        if pending.shadows:
            said["PendingDeploymentSummary"]["ShadowProductionVariants"] = [
                pending_summary(hosting, variant) for variant in pending.shadows
            ]
    return said


def pending_summary(hosting: Hosting, variant: Variant) -> Told:
    """A variant of an update under way."""
    said = variant.summary(images(hosting, variant))
    said.pop("CapacityReservationConfig", None)
    return {**said, **({"InstanceType": variant.instance_type} if variant.instance_type else {})}


def images(hosting: Hosting, variant: Variant) -> list[Told]:
    """The images that a variant runs."""
    model = hosting.models.get(variant.spec.get("ModelName", ""))
    if model is None:
        return []
    image = container_of(model)["Image"]
    return [{"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": model.created}]


def listed(hosting: Hosting, params: Told) -> Told:
    """ListEndpoints."""
    items = [
        {
            "EndpointName": each.name,
            "EndpointArn": each.arn,
            "CreationTime": each.created,
            "LastModifiedTime": each.modified,
            "EndpointStatus": each.status,
        }
        for each in hosting.endpoints.values()
    ]
    return page(params, items, "Endpoint", "Endpoints")


def delete(hosting: Hosting, params: Told) -> Told:
    """DeleteEndpoint."""
    endpoint = hosting.endpoint(params["EndpointName"])
    check_idle(endpoint)
    components = [each.name for each in hosting.components.values() if each.endpoint is endpoint]
    if components:
        raise refused(
            f'Cannot delete endpoint "{endpoint.arn}" while it hosts inference components. Delete them first: {", ".join(components)}.'
        )
    endpoint.become("Deleting")
    for variant in endpoint.variants:
        variant.desired = 0
        scaling.unregister_variant(hosting, endpoint, variant)
    if endpoint.queue is not None:
        endpoint.queue.close()

    def gone() -> None:
        if hosting.endpoints.get(endpoint.name) is endpoint:
            del hosting.endpoints[endpoint.name]
            hosting.forget(endpoint.arn)

    hosting.after(DELETION_S, gone)
    return {}


def update_weights_and_capacities(hosting: Hosting, params: Told) -> Told:
    """UpdateEndpointWeightsAndCapacities."""
    endpoint = hosting.endpoint(params["EndpointName"])
    check_in_service(endpoint)
    changes = params["DesiredWeightsAndCapacities"]
    for change in changes:
        variant = endpoint.variant(change["VariantName"])
        if variant is None:
            raise refused(f'Could not find variant "{change["VariantName"]}" in endpoint "{endpoint.arn}".')
        check_change(hosting, endpoint, variant, change)
    wait_s = WEIGHTS_S
    for change in changes:
        variant = endpoint.variant(change["VariantName"])
        assert variant is not None
        if "DesiredWeight" in change:
            variant.desired_weight = change["DesiredWeight"]
        if (count := change.get("DesiredInstanceCount")) is not None:
            if count > variant.desired:
                wait_s = max(wait_s, variant.cold_start_s)
            variant.set_instances(count)
        if (serverless := change.get("ServerlessUpdateConfig")) and variant.serverless is not None:
            variant.serverless.configure(**serverless)
        variant.mark("Updating")
    endpoint.become("Updating")
    hosting.after(wait_s, partial(finish_change, endpoint))
    return {"EndpointArn": endpoint.arn}


def check_change(hosting: Hosting, endpoint: Endpoint, variant: Variant, change: dict[str, Any]) -> None:
    """May this variant be changed so?"""
    count = change.get("DesiredInstanceCount")
    if count is None:
        if change.get("ServerlessUpdateConfig") and variant.serverless is None:
            raise refused(f"ServerlessUpdateConfig is for serverless variants; {variant.name} has instances.")
        return
    if variant.serverless is not None:
        raise refused(f"DesiredInstanceCount is not supported for serverless variant {variant.name}.")
    if variant.hosts_components:
        raise refused(f"Variant {variant.name} hosts inference components; its instances follow their copies.")
    if count == 0 and not endpoint.is_async:
        raise refused(
            f"DesiredInstanceCount of variant {variant.name} must be at least 1 unless the endpoint is asynchronous."
        )
    assert variant.instance_type is not None
    quota.check_delta(hosting, variant.instance_type, count - variant.desired)


def finish_change(endpoint: Endpoint) -> None:
    """New weights hold, new instances are up."""
    for variant in endpoint.variants:
        variant.weight = variant.desired_weight
        variant.mark(None)
    if endpoint.status == "Updating" and endpoint.pending is None:
        endpoint.become("InService")


# -- shared with the rollout


def variants_of(hosting: Hosting, config: Told) -> tuple[list[Variant], list[Variant]]:
    """Production and shadow variants of a configuration, about to start."""
    made = [build(hosting, spec, "production") for spec in config["ProductionVariants"]]
    return made, [build(hosting, spec, "shadow") for spec in config.get("ShadowProductionVariants") or ()]


def longest(variants: list[Variant]) -> float:
    """When the last of them is up, or the first has failed."""
    failing = [variant.start.seconds for variant in variants if variant.start.failure]
    return min(failing) if failing else max(variant.start.seconds for variant in variants)


def log_starts(hosting: Hosting, endpoint: Endpoint, variants: list[Variant]) -> None:
    """What the containers write while they start."""
    for variant in variants:
        if variant.start.log:
            hosting.log(
                f"/aws/sagemaker/Endpoints/{endpoint.name}",
                f"{variant.name}/i-{id(variant):017x}"[:200],
                *variant.start.log,
            )


def check_idle(endpoint: Endpoint) -> None:
    """Nothing else may be done while something is being done."""
    if endpoint.in_progress:
        raise refused(f'Cannot update in-progress endpoint "{endpoint.arn}".')


def check_in_service(endpoint: Endpoint) -> None:
    """A change needs an endpoint that serves."""
    check_idle(endpoint)
    if endpoint.status != "InService":
        raise refused(f'Cannot update endpoint "{endpoint.arn}": it is {endpoint.status}.')


def check_serverless_limits(hosting: Hosting, variants: list[Variant]) -> None:
    """The account's serverless endpoints and their concurrency in a Region."""
    wanted = [variant.serverless.config["MaxConcurrency"] for variant in variants if variant.serverless is not None]
    if not wanted:
        return
    there = [
        v.serverless.config["MaxConcurrency"]
        for e in hosting.endpoints.values()
        for v in e.variants
        if v.serverless is not None
    ]
    for what, limit, used, delta in (
        ("Serverless endpoints", "sagemaker.serverless.endpoints_per_region", len(there), len(wanted)),
        (
            "Total concurrency of serverless endpoints",
            "sagemaker.serverless.concurrency_per_region",
            sum(there),
            sum(wanted),
        ),
    ):
        if used + delta > facts.number(limit):
            raise ServiceError(
                "ResourceLimitExceeded",
                f"The account-level service limit '{what}' is {facts.number(limit):g}, with current utilization of {used} and a request delta of {delta}. "
                "Please use AWS Service Quotas to request an increase for this quota.",
            )
