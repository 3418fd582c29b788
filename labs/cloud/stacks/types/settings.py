"""AWS::SSM::Parameter and AWS::SecretsManager::Secret: values that templates and functions read."""

import json
from typing import Any

from labs.cloud.stacks.types.base import ResourceType, Work
from labs.cloud.stacks.types.simple import retag


class Parameter(ResourceType):
    name = "AWS::SSM::Parameter"
    settings = ("AllowedPattern", "DataType", "Description", "Policies", "Tier", "Type", "Value")
    properties = frozenset({*settings, "Name", "Tags"})
    named_by = "Name"
    attributes = frozenset({"Type", "Value"})

    def create(self, work: Work) -> None:
        name = work.name("Name", longest=512)
        tags = work.tag_list()
        work.call("ssm", "PutParameter", Name=name, Overwrite=False, Tags=tags, **work.pick(*self.settings))
        work.made(name, **work.pick("Type", "Value"))

    def update(self, work: Work, before: dict[str, Any]) -> None:
        if any(work.properties.get(name) != before.get(name) for name in self.settings):
            work.call("ssm", "PutParameter", Name=work.physical_id, Overwrite=True, **work.pick(*self.settings))
        if work.properties.get("Tags") != before.get("Tags"):
            where = {"ResourceType": "Parameter", "ResourceId": work.physical_id}
            if gone := set(before.get("Tags") or {}) - set(work.tags()):
                work.call("ssm", "RemoveTagsFromResource", TagKeys=sorted(gone), **where)
            if tags := work.tag_list():
                work.call("ssm", "AddTagsToResource", Tags=tags, **where)
        work.attributes.update(work.pick("Type", "Value"))

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("ssm", "DeleteParameter", Name=work.physical_id))


RANDOM = (
    "ExcludeCharacters",
    "ExcludeLowercase",
    "ExcludeNumbers",
    "ExcludePunctuation",
    "ExcludeUppercase",
    "IncludeSpace",
    "PasswordLength",
    "RequireEachIncludedType",
)


class Secret(ResourceType):
    name = "AWS::SecretsManager::Secret"
    properties = frozenset({"Description", "GenerateSecretString", "KmsKeyId", "Name", "SecretString", "Tags"})
    named_by = "Name"
    attributes = frozenset({"Id"})

    def create(self, work: Work) -> None:
        arn = work.call(
            "secretsmanager",
            "CreateSecret",
            Name=work.name("Name", longest=512),
            SecretString=self._value(work),
            Tags=work.tag_list(),
            **work.pick("Description", "KmsKeyId"),
        )["ARN"]
        work.made(arn, Id=arn)

    def update(self, work: Work, before: dict[str, Any]) -> None:
        changed = work.pick("Description", "KmsKeyId")
        for name in ("SecretString", "GenerateSecretString"):
            if work.properties.get(name) != before.get(name) and name in work.properties:
                changed["SecretString"] = self._value(work)
        if changed:
            work.call("secretsmanager", "UpdateSecret", SecretId=work.physical_id, **changed)
        if work.properties.get("Tags") != before.get("Tags"):
            retag(work, "secretsmanager", str(work.physical_id), before)

    def delete(self, work: Work) -> None:
        work.gone(
            lambda: work.call(
                "secretsmanager", "DeleteSecret", SecretId=work.physical_id, ForceDeleteWithoutRecovery=True
            )
        )

    def _value(self, work: Work) -> str | None:
        generate = work.properties.get("GenerateSecretString")
        if generate is None:
            given = work.properties.get("SecretString")
            return None if given is None else str(given)
        asked = {name: generate[name] for name in RANDOM if name in generate}
        password = str(work.call("secretsmanager", "GetRandomPassword", **asked)["RandomPassword"])
        if "GenerateStringKey" not in generate:
            return password
        return json.dumps(
            {**json.loads(generate.get("SecretStringTemplate") or "{}"), generate["GenerateStringKey"]: password}
        )


TYPES = (Parameter(), Secret())
