"""The account's quota of endpoint instances, of which accelerators have none by default: AWS's refusal beyond it."""

from collections import Counter
from collections.abc import Iterable

from labs.cloud.context import Context
from labs.cloud.services import quotas
from labs.cloud.services.errors import ServiceError
from labs.cloud.services.sagemaker_hosting import Hosting
from labs.cloud.services.sagemaker_variants import Variant


def instance_quota(context: Context, region: str, instance_type: str) -> int:
    """How many endpoint instances of this type the account may run in a Region."""
    return quotas.instance_quota(context, region, instance_type)


def in_use(hosting: Hosting) -> Counter[str]:
    """Instances of all endpoints, by type; those of an update under way count too, a failed endpoint has none."""
    used: Counter[str] = Counter()
    for endpoint in hosting.endpoints.values():
        if endpoint.status == "Failed":
            continue
        pending = [*endpoint.pending.variants, *endpoint.pending.shadows] if endpoint.pending else []
        for variant in (*endpoint.variants, *endpoint.shadows, *pending):
            if variant.instance_type:
                used[variant.instance_type] += variant.desired
    return used


def check(hosting: Hosting, variants: Iterable[Variant]) -> None:
    """Is there room for these variants' instances? ResourceLimitExceeded if not."""
    wanted: Counter[str] = Counter()
    for variant in variants:
        if variant.instance_type:
            wanted[variant.instance_type] += variant.desired
    for instance_type, delta in wanted.items():
        check_delta(hosting, instance_type, delta)


def check_delta(hosting: Hosting, instance_type: str, delta: int) -> None:
    """Is there room for so many more of a type? ResourceLimitExceeded if not."""
    limit, used = instance_quota(hosting.context, hosting.region, instance_type), in_use(hosting)[instance_type]
    if delta > 0 and used + delta > limit:
        raise ServiceError(
            "ResourceLimitExceeded",
            f"The account-level service limit '{instance_type} for endpoint usage' is {limit} Instances, with current utilization of {used} Instances "
            f"and a request delta of {delta} Instances. Please use AWS Service Quotas to request an increase for this quota. "
            "If AWS Service Quotas is not available, contact AWS support to request an increase for this quota.",
        )
