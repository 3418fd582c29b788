"""Paying by the hour: SageMaker AI endpoints and EC2 or EKS machines, full or idle.

endpoint("ml.inf2.48xlarge").usd              # 11373.4 a month
machines("inf2.48xlarge", 2, eks_clusters=1).usd
"""

from __future__ import annotations

from typing import Literal

from labs.economics.bill import HOURS_PER_MONTH, Bill, Line
from labs.economics.prices import known, usd
from labs.errors import USAGE, Refusal

Service = Literal["sagemaker", "ec2"]


def price_id(service: Service, instance_type: str) -> str:
    """'sagemaker.price.inf2-48xlarge' for 'ml.inf2.48xlarge' or 'inf2.48xlarge'. Raises Refusal when there is no such price."""
    bare = instance_type.removeprefix("ml.")
    id = f"{service}.price.{bare.replace('.', '-')}"
    if not known(id):
        shown = f"ml.{bare} on SageMaker AI" if service == "sagemaker" else f"{bare} on EC2"
        raise Refusal(
            f"there is no price of {shown} in the register; `lab facts list {service}.price` shows those it has", USAGE
        )
    return id


def _hours(service: Service, instance_type: str, count: float, hours: float, discount: float) -> Line:
    if not 0 <= discount < 1:
        raise Refusal(f"a discount of {discount} is not between 0 and 1", USAGE)
    id = price_id(service, instance_type)
    assumed = f"{discount:.0%} off the list price by a commitment, assumed" if discount else ""
    return Line("instance hours", count * hours, "hour", usd(id) * (1 - discount), (id,), assumed)


def endpoint(instance_type: str, count: float = 1, hours: float = HOURS_PER_MONTH, discount: float = 0.0) -> Bill:
    """`count` instances behind a SageMaker AI endpoint for `hours` each; `discount` (0 to 1) is what a commitment is assumed to save."""
    bare = instance_type.removeprefix("ml.")
    return Bill(f"{count:g} x ml.{bare}", (_hours("sagemaker", bare, count, hours, discount),))


def machines(
    instance_type: str, count: float = 1, hours: float = HOURS_PER_MONTH, discount: float = 0.0, eks_clusters: int = 0
) -> Bill:
    """`count` EC2 instances for `hours` each, and the control planes of the EKS clusters that they are nodes of."""
    bare = instance_type.removeprefix("ml.")
    lines = [_hours("ec2", bare, count, hours, discount)]
    if eks_clusters:
        control = "eks.price.control_plane_per_hour"
        lines.append(Line("EKS control plane", eks_clusters * hours, "hour", usd(control), (control,)))
    return Bill(f"{count:g} x {bare}", tuple(lines))
