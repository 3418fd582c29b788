"""Tags of models, endpoint configurations, endpoints, inference components and jobs."""

from labs.cloud.services.sagemaker_hosting import Hosting, Told
from labs.cloud.services.sagemaker_validation import refused

OURS = ("model", "endpoint-config", "endpoint", "inference-component", "compilation-job", "transform-job")
"""Kinds of resource whose tags are kept here."""


def add_tags(hosting: Hosting, params: Told) -> Told:
    """AddTags."""
    arn = known(hosting, params["ResourceArn"])
    hosting.tag(arn, params["Tags"])
    return {"Tags": listing(hosting, arn)}


def list_tags(hosting: Hosting, params: Told) -> Told:
    """ListTags. A resource has at most fifty, which is one page."""
    return {"Tags": listing(hosting, known(hosting, params["ResourceArn"]))}


def delete_tags(hosting: Hosting, params: Told) -> Told:
    """DeleteTags."""
    kept = hosting.tags[known(hosting, params["ResourceArn"])]
    for key in params["TagKeys"]:
        kept.pop(key, None)
    return {}


def listing(hosting: Hosting, arn: str) -> list[dict[str, str]]:
    """A resource's tags as the API has them."""
    return [{"Key": key, "Value": value} for key, value in hosting.tags[arn].items()]


def known(hosting: Hosting, arn: str) -> str:
    """The ARN, if there is such a resource here."""
    if arn not in hosting.tags:
        raise refused(f'Could not find resource "{arn}".')
    return arn
