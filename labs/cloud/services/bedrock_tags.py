"""Tags of everything in Bedrock that has an ARN."""

from typing import Any

from labs.cloud.services.bedrock_account import MOST_TAGS, Account
from labs.cloud.services.bedrock_errors import not_found
from labs.cloud.services.errors import ServiceError


def tag_resource(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """TagResource."""
    tags = _tags(account, params["resourceARN"])
    new = tags | {tag["key"]: tag["value"] for tag in params["tags"]}
    if len(new) > MOST_TAGS:
        raise ServiceError(
            "TooManyTagsException",
            f"A resource can have at most {MOST_TAGS} tags.",
            resourceName=params["resourceARN"],
        )
    tags.update(new)
    return {}


def untag_resource(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """UntagResource."""
    tags = _tags(account, params["resourceARN"])
    for key in params["tagKeys"]:
        tags.pop(key, None)
    return {}


def list_tags_for_resource(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """ListTagsForResource."""
    tags = _tags(account, params["resourceARN"])
    return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}


def _tags(account: Account, arn: str) -> dict[str, str]:
    tags = account.tags.get(arn)
    if tags is None:
        raise not_found(f"The resource {arn} could not be found.")
    return tags


OPERATIONS = {
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags_for_resource,
}
