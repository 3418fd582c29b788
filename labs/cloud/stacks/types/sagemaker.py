"""AWS::SageMaker::* for real-time inference."""

from typing import Any

from labs.cloud.stacks.types.base import Failed, Work
from labs.cloud.stacks.types.simple import SimpleType, found


class SageMaker(SimpleType):
    """What SageMaker's types have in common: they are referred to by ARN, and called by name."""

    service = "sagemaker"
    tags_as = "Tags"

    def arn_and_name(self, work: Work, answer: dict[str, Any], kind: str, name: str) -> None:
        arn = str(answer[f"{kind}Arn"])
        work.made(arn, **{f"{kind}Arn": arn, f"{kind}Name": name, "Arn": arn})


class Model(SageMaker):
    name = "AWS::SageMaker::Model"
    creates, deletes = "CreateModel", "DeleteModel"
    given = frozenset(
        {
            "Containers",
            "EnableNetworkIsolation",
            "ExecutionRoleArn",
            "InferenceExecutionConfig",
            "ModelName",
            "PrimaryContainer",
            "VpcConfig",
        }
    )
    named_by = "ModelName"
    attributes = frozenset({"ModelName"})
    kept = (("ModelName", "ModelName"),)

    def more(self, work: Work) -> dict[str, Any]:
        return {"ModelName": work.name("ModelName", longest=63)}

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        self.arn_and_name(work, answer, "Model", name_in(answer["ModelArn"]))


class EndpointConfig(SageMaker):
    name = "AWS::SageMaker::EndpointConfig"
    creates, deletes = "CreateEndpointConfig", "DeleteEndpointConfig"
    given = frozenset(
        {
            "AsyncInferenceConfig",
            "DataCaptureConfig",
            "EnableNetworkIsolation",
            "EndpointConfigName",
            "ExecutionRoleArn",
            "KmsKeyId",
            "ProductionVariants",
            "ShadowProductionVariants",
            "VpcConfig",
        }
    )
    named_by = "EndpointConfigName"
    attributes = frozenset({"EndpointConfigName"})
    kept = (("EndpointConfigName", "EndpointConfigName"),)

    def more(self, work: Work) -> dict[str, Any]:
        return {"EndpointConfigName": work.name("EndpointConfigName", longest=63)}

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        self.arn_and_name(work, answer, "EndpointConfig", name_in(answer["EndpointConfigArn"]))


class Hosted(SageMaker):
    """What takes its time to come and to go. SageMaker deletes nothing that is on its way, so its removal waits for that first."""

    kind: str

    def status(self, work: Work) -> str | None:
        """None when it is not there."""
        there = found(lambda: work.call("sagemaker", f"Describe{self.kind}", **self.names(work)))
        return None if there is None else str(there[f"{self.kind}Status"])

    def delete(self, work: Work) -> None:
        work.until(lambda: self.status(work) in (None, "InService", "OutOfService", "Failed"), seconds=3600)
        super().delete(work)

    def removed(self, work: Work) -> None:
        work.until(lambda: self.status(work) is None)


class Endpoint(Hosted):
    name = "AWS::SageMaker::Endpoint"
    kind = "Endpoint"
    creates, updates, deletes = "CreateEndpoint", "UpdateEndpoint", "DeleteEndpoint"
    given = frozenset({"DeploymentConfig", "EndpointConfigName", "EndpointName"})
    changed = frozenset({"EndpointConfigName", "DeploymentConfig"})
    named_by = "EndpointName"
    attributes = frozenset({"EndpointName"})
    kept = (("EndpointName", "EndpointName"),)

    def more(self, work: Work) -> dict[str, Any]:
        return {"EndpointName": work.name("EndpointName", longest=63)}

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        self.arn_and_name(work, answer, "Endpoint", name_in(answer["EndpointArn"]))

    def settle(self, work: Work) -> None:
        work.until(lambda: in_service(work, "DescribeEndpoint", "Endpoint"), seconds=3600)
        wanted = name_in(str(work.properties["EndpointConfigName"]))
        if work.call("sagemaker", "DescribeEndpoint", **self.names(work))["EndpointConfigName"] != wanted:
            raise Failed(f"The update of {work.attributes['EndpointName']} was rolled back by SageMaker.")


class InferenceComponent(Hosted):
    name = "AWS::SageMaker::InferenceComponent"
    kind = "InferenceComponent"
    creates, updates, deletes = "CreateInferenceComponent", "UpdateInferenceComponent", "DeleteInferenceComponent"
    given = frozenset({"EndpointName", "InferenceComponentName", "RuntimeConfig", "Specification", "VariantName"})
    changed = frozenset({"RuntimeConfig", "Specification"})
    also_replacing = frozenset({"EndpointName", "InferenceComponentName", "VariantName"})
    named_by = "InferenceComponentName"
    attributes = frozenset({"InferenceComponentArn", "InferenceComponentStatus"})
    kept = (("InferenceComponentName", "InferenceComponentName"),)

    def more(self, work: Work) -> dict[str, Any]:
        return {"InferenceComponentName": work.name("InferenceComponentName", longest=63)}

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        self.arn_and_name(work, answer, "InferenceComponent", name_in(answer["InferenceComponentArn"]))

    def settle(self, work: Work) -> None:
        work.until(lambda: in_service(work, "DescribeInferenceComponent", "InferenceComponent"), seconds=3600)
        work.attributes["InferenceComponentStatus"] = "InService"


def name_in(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


def in_service(work: Work, describe: str, kind: str) -> bool:
    """Has it come up? Raises Failed with SageMaker's reason when it will not."""
    name = f"{kind}Name"
    now = work.call("sagemaker", describe, **{name: work.attributes[name]})
    if now[f"{kind}Status"] == "Failed":
        raise Failed(f'Resource handler returned message: "{now.get("FailureReason", "no reason given")}"')
    return bool(now[f"{kind}Status"] == "InService")


TYPES = (Model(), EndpointConfig(), Endpoint(), InferenceComponent())
