"""UpdateEndpoint: the new variants come up beside the old, traffic moves by the deployment's plan, and only then the old ones go.

Until then, and if the new ones do not come up or an alarm of the rollback configuration rings, the old ones serve. Requests in hand end where
they began.
"""

from collections.abc import Iterator
from functools import partial
from math import ceil
from typing import Any

from labs import facts
from labs.cloud.services import sagemaker_quota as quota
from labs.cloud.services import sagemaker_scaling as scaling
from labs.cloud.services.sagemaker_async import Queue
from labs.cloud.services.sagemaker_endpoint import Endpoint, Pending
from labs.cloud.services.sagemaker_endpoints import check_idle, log_starts, longest, variants_of
from labs.cloud.services.sagemaker_hosting import Hosting, Told
from labs.cloud.services.sagemaker_validation import refused
from labs.cloud.services.sagemaker_variants import Variant

ROLLING_BACK_S = 60.0
"""What going back takes on AWS: an assumption."""


def update(hosting: Hosting, params: Told) -> Told:
    """UpdateEndpoint."""
    endpoint = hosting.endpoint(params["EndpointName"])
    check_idle(endpoint)
    config = hosting.config(params["EndpointConfigName"])
    deployment = params.get("DeploymentConfig")
    if deployment is None and params.get("RetainDeploymentConfig"):
        deployment = endpoint.deployment
    check_deployment(endpoint, deployment)
    variants, shadows = variants_of(hosting, config.params)
    if any(variant.hosts_components for variant in variants) != endpoint.hosts_components:
        raise refused(
            "An endpoint that hosts inference components cannot become one that hosts models, nor the other way round."
        )
    hosted = {each.variant.name for each in hosting.components.values() if each.endpoint is endpoint}
    if missing := hosted - {variant.name for variant in variants}:
        raise refused(
            f"Variant {', '.join(sorted(missing))} hosts inference components; delete them before the variant."
        )
    if params.get("RetainAllVariantProperties"):
        retain(
            endpoint,
            variants,
            {each["VariantPropertyType"] for each in params.get("ExcludeRetainedVariantProperties") or ()},
        )
    rolling = (deployment or {}).get("RollingUpdatePolicy")
    if not endpoint.hosts_components and endpoint.status != "Failed":
        quota.check(
            hosting, [first_batch(variant, rolling) for variant in variants] if rolling else [*variants, *shadows]
        )
    endpoint.pending = Pending(config.name, config.params, variants, shadows, deployment)
    endpoint.become("Updating")
    for variant in (*variants, *shadows):
        variant.mark("Creating")
    log_starts(hosting, endpoint, [*variants, *shadows])
    hosting.after(longest([*variants, *shadows]), partial(started, hosting, endpoint))
    return {"EndpointArn": endpoint.arn}


def check_deployment(endpoint: Endpoint, deployment: Told | None) -> None:
    """Do the plan's parts go together?"""
    if not deployment:
        return
    blue_green, rolling = deployment.get("BlueGreenUpdatePolicy"), deployment.get("RollingUpdatePolicy")
    if blue_green and rolling:
        raise refused("Only one of BlueGreenUpdatePolicy and RollingUpdatePolicy can be specified.")
    if endpoint.shadows or any(variant.serverless for variant in endpoint.variants):
        raise refused("DeploymentConfig is not supported for serverless endpoints and endpoints with shadow variants.")
    if blue_green:
        routing = blue_green["TrafficRoutingConfiguration"]
        for kind, size in (("CANARY", "CanarySize"), ("LINEAR", "LinearStepSize")):
            if (routing["Type"] == kind) != (size in routing):
                raise refused(f"{size} must be specified when, and only when, the traffic routing type is {kind}.")
    batch = (rolling or {}).get("MaximumBatchSize")
    least, most = (facts.number(f"sagemaker.rolling.batch_{end}_percent") for end in ("min", "max"))
    if batch and batch["Type"] == "CAPACITY_PERCENT" and not least <= batch["Value"] <= most:
        raise refused(f"MaximumBatchSize must be between {least:g}% and {most:g}% of the variant's instance count.")


def retain(endpoint: Endpoint, variants: list[Variant], excluded: set[str]) -> None:
    """Keep what was changed of the variants since the endpoint was deployed."""
    for variant in variants:
        before = endpoint.variant(variant.name)
        if before is None:
            continue
        if "DesiredInstanceCount" not in excluded:
            variant.desired = before.desired
        if "DesiredWeight" not in excluded:
            variant.weight = variant.desired_weight = before.desired_weight


def started(hosting: Hosting, endpoint: Endpoint) -> None:
    """The new containers have come up, or have not."""
    pending = endpoint.pending
    if pending is None:
        return
    failed = [variant.start.failure for variant in (*pending.variants, *pending.shadows) if variant.start.failure]
    if failed:
        roll_back(hosting, endpoint, failed[0])
        return
    rolling = (pending.deployment or {}).get("RollingUpdatePolicy")
    for variant in (*pending.variants, *pending.shadows):
        full = variant.desired
        variant.open(hosting, batch_of(variant.desired, rolling))
        variant.desired = full
        variant.mark("ActivatingTraffic")
    advance(hosting, endpoint, stages(pending, endpoint))


def stages(pending: Pending, endpoint: Endpoint) -> Iterator[tuple[float, float]]:
    """(share of the traffic from now on, seconds to wait then), step by step. A rolling update adds instances on the way."""
    deployment = pending.deployment or {}
    if rolling := deployment.get("RollingUpdatePolicy"):
        yield from rolling_stages(pending, endpoint, rolling)
        return
    blue_green = deployment.get("BlueGreenUpdatePolicy")
    if not blue_green:
        yield 1.0, 0.0
        return
    routing = blue_green["TrafficRoutingConfiguration"]
    total = max(1, sum(variant.desired for variant in pending.variants))
    wait_s = float(routing["WaitIntervalInSeconds"])
    if routing["Type"] == "CANARY":
        yield share_of(routing["CanarySize"], total), wait_s
    elif routing["Type"] == "LINEAR":
        step = share_of(routing["LinearStepSize"], total)
        done = step
        while done < 1 - 1e-9:
            yield done, wait_s
            done += step
    yield 1.0, wait_s + float(blue_green.get("TerminationWaitInSeconds", 0))


def rolling_stages(pending: Pending, endpoint: Endpoint, rolling: Told) -> Iterator[tuple[float, float]]:
    """Batch after batch: new instances take the traffic, as many old ones go."""
    wait_s = float(rolling["WaitIntervalInSeconds"])
    total = max(variant.desired for variant in pending.variants)
    batch = batch_of(total, rolling)
    done = batch
    while True:
        for old in endpoint.variants:
            if old.fleet is not None:
                old.fleet.set_replicas(max(0, old.desired - done) * old.copies_per_instance)
        if done >= total:
            yield 1.0, wait_s
            return
        yield done / total, wait_s
        done = min(total, done + batch)
        for new in pending.variants:
            if new.fleet is not None:
                new.fleet.set_replicas(min(done, new.desired) * new.copies_per_instance)
        yield (done - batch) / total, max(variant.cold_start_s for variant in pending.variants)


def share_of(size: Told, total: int) -> float:
    """What part of the fleet a size is."""
    value = float(size["Value"])
    return min(1.0, value / total if size["Type"] == "INSTANCE_COUNT" else value / 100)


def batch_of(total: int, rolling: Told | None) -> int:
    """Instances in a batch; all of them when the update is not rolling."""
    if not rolling:
        return total
    size = rolling["MaximumBatchSize"]
    value = int(size["Value"])
    return min(total, max(1, value if size["Type"] == "INSTANCE_COUNT" else ceil(total * value / 100)))


def first_batch(variant: Variant, rolling: Told) -> Variant:
    """The variant as large as its first batch, which is what it needs beside the old one."""
    return Variant(variant.spec, variant.start, desired=batch_of(variant.desired, rolling))


def advance(hosting: Hosting, endpoint: Endpoint, steps: Iterator[tuple[float, float]]) -> None:
    """Take the next step of the plan; after the last one the update is done."""
    pending = endpoint.pending
    if pending is None:
        return
    if ringing := alarm_of(hosting, pending):
        roll_back(hosting, endpoint, f"Alarm {ringing} went into ALARM during the deployment, so it was rolled back.")
        return
    step = next(steps, None)
    if step is None:
        finish(hosting, endpoint)
        return
    pending.share, wait_s = step
    for variant in pending.variants:
        variant.mark("Baking" if pending.share == 1 else "ActivatingTraffic")
    hosting.after(wait_s, partial(advance, hosting, endpoint, steps))


def alarm_of(hosting: Hosting, pending: Pending) -> str | None:
    """The name of an alarm of the rollback configuration that rings now."""
    from moto.cloudwatch.models import cloudwatch_backends

    watched = ((pending.deployment or {}).get("AutoRollbackConfiguration") or {}).get("Alarms") or ()
    alarms: dict[str, Any] = cloudwatch_backends[hosting.account_id][hosting.region].alarms if watched else {}
    names = (alarm["AlarmName"] for alarm in watched)
    return next((name for name in names if name in alarms and alarms[name].state == "ALARM"), None)


def roll_back(hosting: Hosting, endpoint: Endpoint, reason: str) -> None:
    """All traffic to the old variants, at the strength they had."""
    endpoint.pending = None
    endpoint.become("RollingBack", reason)
    for variant in endpoint.variants:
        if variant.fleet is not None and variant.fleet.desired != variant.desired * variant.copies_per_instance:
            variant.set_instances(variant.desired)

    def back() -> None:
        if endpoint.status == "RollingBack":
            endpoint.become(
                "InService"
                if any(v.fleet or v.serverless or v.hosts_components for v in endpoint.variants)
                else "Failed",
                reason,
            )

    hosting.after(ROLLING_BACK_S, back)


def finish(hosting: Hosting, endpoint: Endpoint) -> None:
    """The new variants are the endpoint."""
    pending = endpoint.pending
    assert pending is not None
    for variant in endpoint.variants:
        scaling.unregister_variant(hosting, endpoint, variant)
    if endpoint.hosts_components:
        for new in pending.variants:
            old = endpoint.variant(new.name)
            if old is not None:
                new.desired = new.instances_up = max(old.desired, new.desired)
        for component in hosting.components.values():
            if component.endpoint is endpoint:
                component.variant = next(new for new in pending.variants if new.name == component.variant.name)
    endpoint.variants, endpoint.shadows = pending.variants, pending.shadows
    endpoint.config_name, endpoint.config = pending.config_name, pending.config
    endpoint.deployment = pending.deployment
    endpoint.pending = None
    for variant in (*endpoint.variants, *endpoint.shadows):
        variant.mark(None)
    for variant in endpoint.variants:
        if not variant.hosts_components and variant.serverless is None:
            scaling.register_variant(hosting, endpoint, variant)
    if endpoint.is_async and endpoint.queue is None:
        endpoint.queue = Queue(hosting, endpoint)
    endpoint.become("InService")
