"""AWS::Bedrock::*"""

from typing import Any

from labs.cloud.stacks.types.base import Failed, Work
from labs.cloud.stacks.types.simple import SimpleType


class ApplicationInferenceProfile(SimpleType):
    name = "AWS::Bedrock::ApplicationInferenceProfile"
    service, creates, deletes = "bedrock", "CreateInferenceProfile", "DeleteInferenceProfile"
    given = frozenset({"Description", "InferenceProfileName", "ModelSource"})
    kept = (("inferenceProfileIdentifier", ""),)
    tags_as = "tags"
    tagged_by = "InferenceProfileArn"
    attributes = frozenset(
        {"InferenceProfileArn", "InferenceProfileId", "InferenceProfileIdentifier", "Status", "Type"}
    )

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        arn = answer["inferenceProfileArn"]
        work.made(
            arn,
            InferenceProfileArn=arn,
            InferenceProfileId=arn.rsplit("/", 1)[1],
            InferenceProfileIdentifier=arn,
            Status=answer.get("status", "ACTIVE"),
            Type="APPLICATION",
        )


class Guardrail(SimpleType):
    name = "AWS::Bedrock::Guardrail"
    service, creates, updates, deletes = "bedrock", "CreateGuardrail", "UpdateGuardrail", "DeleteGuardrail"
    given = frozenset(
        {
            "BlockedInputMessaging",
            "BlockedOutputsMessaging",
            "ContentPolicyConfig",
            "ContextualGroundingPolicyConfig",
            "Description",
            "Name",
            "SensitiveInformationPolicyConfig",
            "TopicPolicyConfig",
            "WordPolicyConfig",
        }
    )
    kept = (("guardrailIdentifier", "GuardrailId"),)
    tags_as = "tags"
    tagged_by = "GuardrailArn"
    attributes = frozenset({"GuardrailArn", "GuardrailId", "Status", "Version"})

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        arn = answer["guardrailArn"]
        work.made(arn, GuardrailArn=arn, GuardrailId=answer["guardrailId"], Version=answer["version"])

    def settle(self, work: Work) -> None:
        work.until(lambda: self._status(work) not in ("CREATING", "UPDATING", "VERSIONING"))
        if self._status(work) != "READY":
            raise Failed(f'Resource handler returned message: "Guardrail is {self._status(work)}"')
        work.attributes["Status"] = "READY"

    def _status(self, work: Work) -> str:
        return str(work.call("bedrock", "GetGuardrail", **self.names(work))["status"])


TYPES = (ApplicationInferenceProfile(), Guardrail())
