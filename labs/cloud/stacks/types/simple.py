"""Types that are one thing of one service, whose API takes the template's properties under the same names.

class Stage(SimpleType):
    name = "AWS::ApiGatewayV2::Stage"
    service, creates, updates, deletes = "apigatewayv2", "CreateStage", "UpdateStage", "DeleteStage"
    given = frozenset({"ApiId", "StageName", "AutoDeploy"})   # properties that the creating operation takes
    kept = (("ApiId", "ApiId"), ("StageName", "StageName"),)       # which name it afterwards: parameter -> attribute of it

    def note(self, work, answer):
        work.made(answer["StageName"], ApiId=work.properties["ApiId"], StageName=answer["StageName"])
"""

from collections.abc import Callable, Mapping
from typing import Any

from labs.cloud.stacks.types.base import Failed, ResourceType, Work, is_missing

TAGGING: Mapping[str, tuple[str, str, str, str, str, type]] = {
    "apigatewayv2": ("TagResource", "UntagResource", "ResourceArn", "Tags", "TagKeys", dict),
    "appsync": ("TagResource", "UntagResource", "resourceArn", "tags", "tagKeys", dict),
    "bedrock": ("TagResource", "UntagResource", "resourceARN", "tags", "tagKeys", list),
    "eks": ("TagResource", "UntagResource", "resourceArn", "tags", "tagKeys", dict),
    "events": ("TagResource", "UntagResource", "ResourceARN", "Tags", "TagKeys", list),
    "lambda": ("TagResource", "UntagResource", "Resource", "Tags", "TagKeys", dict),
    "sagemaker": ("AddTags", "DeleteTags", "ResourceArn", "Tags", "TagKeys", list),
    "secretsmanager": ("TagResource", "UntagResource", "SecretId", "Tags", "TagKeys", list),
    "sns": ("TagResource", "UntagResource", "ResourceArn", "Tags", "TagKeys", list),
}
"""service: the operations that add and take away tags, their parameters for what is tagged, tags and keys, and the form of tags."""


class SimpleType(ResourceType):
    """A type made by one operation. What is peculiar to it, it overrides."""

    service: str
    creates: str
    updates: str | None = None
    """The operation that changes it; None when nothing but tags can change."""
    deletes: str
    given: frozenset[str]
    """Properties that `creates` takes."""
    changed: frozenset[str] | None = None
    """Properties that `updates` takes; None for those of `given` that need no replacement."""
    kept: tuple[tuple[str, str], ...] = ()
    """Parameters that name it in `updates` and `deletes`, and the attribute that each takes; "" for the physical id."""
    tags_as: str | None = None
    """`creates`' parameter for tags; None for a type without tags."""
    tagged_by: str = "Arn"
    """The attribute that names it where tags are changed."""

    @property
    def properties(self) -> frozenset[str]:  # type: ignore[override]
        return self.given | ({"Tags"} if self.tags_as else frozenset())

    def more(self, work: Work) -> dict[str, Any]:  # noqa: ARG002
        """Parameters of `creates` beside the properties: a name that the template leaves to us."""
        return {}

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        """Say with `work.made` what there is now."""
        raise NotImplementedError

    def settle(self, work: Work) -> None:
        """Wait until it is made, or changed, and take what is known only then into its attributes."""

    def removed(self, work: Work) -> None:
        """Wait until it is gone."""

    def create(self, work: Work) -> None:
        parameters = {**work.pick(*(self.given - {"Tags"})), **self.more(work)}
        if self.tags_as and (tags := work.tags()):
            form = TAGGING[self.service][5] if self.service in TAGGING else list
            parameters[self.tags_as] = tags if form is dict else work.tag_list()
        self.note(work, work.call(self.service, self.creates, **parameters))
        self.settle(work)

    def update(self, work: Work, before: dict[str, Any]) -> None:
        takes = self.changed if self.changed is not None else self.given - self.replacing
        if self.updates and any(work.properties.get(name) != before.get(name) for name in takes):
            work.call(self.service, self.updates, **self.names(work), **work.pick(*takes))
            self.settle(work)
        if self.tags_as and work.properties.get("Tags") != before.get("Tags"):
            retag(work, self.service, str(work.attributes[self.tagged_by]), before)

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call(self.service, self.deletes, **self.names(work)))
        self.removed(work)

    def names(self, work: Work) -> dict[str, Any]:
        return {name: work.attributes[of] if of else work.physical_id for name, of in self.kept}


def retag(work: Work, service: str, what: str, before: dict[str, Any]) -> None:
    """Make the tags of something those of the template."""
    add, take, whom, tags, keys, form = TAGGING[service]
    own = before.get("Tags") or []
    had = set(own) if isinstance(own, dict) else {tag["Key"] for tag in own}
    wanted = work.tags()
    if gone := sorted(had - set(wanted)):
        work.call(service, take, **{whom: what, keys: gone})
    if wanted:
        work.call(service, add, **{whom: what, tags: wanted if form is dict else work.tag_list()})


def found(ask: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """What `ask` gives; None when that is gone. Raises Failed."""
    try:
        return ask()
    except Failed as failed:
        if is_missing(failed):
            return None
        raise
