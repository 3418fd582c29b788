"""`sagemaker-jumpstart`: a model of SageMaker's public hub by its id; container, weights and settings are the hub's, the licence is yours to accept."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
from botocore.exceptions import ClientError

from labs.economics.bill import Bill
from labs.errors import FALSE, USAGE, Refusal
from labs.targets import sagemaker_hosting as hosting
from labs.targets.base import Kind, Site
from labs.targets.options import option
from labs.targets.sagemaker_endpoint import SageMakerEndpoint

HUB = "SageMakerPublicHub"


@dataclass(frozen=True)
class SageMakerJumpStart(SageMakerEndpoint):
    """Nothing is accepted by default: a model with a licence wants `accept_eula=yes`."""

    name = "sagemaker-jumpstart"
    kinds = frozenset({Kind.ONLINE, Kind.STREAMING})

    model: str = option("huggingface-llm-mistral-7b-instruct", "The model's id in JumpStart.")
    version: str = option("", "Its version; empty for the newest.")
    accept_eula: bool = option(False, "yes: you have read and accept the model's licence.")
    instance_type: str = option("", "The endpoint's instances; empty for what the hub proposes.")

    @cached_property
    def document(self) -> dict[str, Any]:
        """What the hub says of the model. Raises Refusal when it does not know it."""
        given = {"HubContentVersion": self.version} if self.version else {}
        try:
            found = boto3.client("sagemaker").describe_hub_content(
                HubName=HUB, HubContentType="Model", HubContentName=self.model, **given
            )
        except ClientError as refused:
            if refused.response["Error"]["Code"] != "ResourceNotFound":
                raise
            raise Refusal(
                f"JumpStart has no model '{self.model}' here; "
                f"'aws sagemaker list-hub-contents --hub-name {HUB} --hub-content-type Model' lists those it has",
                USAGE,
            ) from refused
        document: dict[str, Any] = json.loads(found["HubContentDocument"])
        return document

    @property
    def machines(self) -> str:
        """The endpoint's instances."""
        return str(self.instance_type or self.document["DefaultInferenceInstanceType"])

    def worst_case(self, site: Site) -> Bill:
        """All the instances that it may grow to, for the whole time."""
        return hosting.hours_of(self.machines, self.most, site.hours)

    def environment(self, site: Site) -> dict[str, str]:  # noqa: ARG002
        """As the hub has it."""
        variables = self.document.get("InferenceEnvironmentVariables") or []
        return {each["Name"]: str(each["Default"]) for each in variables if each.get("Default") not in (None, "")}

    def check(self, site: Site) -> None:  # noqa: ARG002 - the quota is the Region's of the environment
        """The licence, the instances, the quota."""
        document = self.document
        if (document.get("GatedBucket") or document.get("HostingEulaUri")) and not self.accept_eula:
            where = f" ({document['HostingEulaUri']})" if document.get("HostingEulaUri") else ""
            raise Refusal(
                f"{self.model} comes with a licence: {document.get('License', 'see its page')}{where}; "
                "read it, and if you accept it say --set accept_eula=yes",
                FALSE,
            )
        offered = document.get("SupportedInferenceInstanceTypes") or []
        if offered and self.machines not in offered:
            raise Refusal(f"JumpStart offers {self.model} on {', '.join(offered)}, not on {self.machines}", USAGE)
        hosting.check_counts(self.instances, self.most)
        hosting.check_vpc(self.subnets, self.security_groups)
        hosting.check_seconds("startup_timeout_s", self.startup_timeout_s)
        hosting.check_seconds("download_timeout_s", self.download_timeout_s)
        hosting.check_quota(self.machines, self.most)

    def parameters(self, site: Site) -> dict[str, str]:
        """The template's parameters."""
        document = self.document
        container = self.image or str(document["HostingEcrUri"])
        weights = str(document.get("HostingPrepackedArtifactUri") or document["HostingArtifactUri"])
        ami = "" if self.ami == "default" else self.ami
        return super().parameters(site) | {
            "ModelId": self.model,
            "Image": container,
            "ImageRepositoryArn": hosting.repository_arn(container),
            "WeightsPath": hosting.weights_path(self.weights or weights),
            "AcceptEula": "true" if self.accept_eula else "false",
            "InstanceType": self.machines,
            "InferenceAmiVersion": ami or str(document.get("InferenceAmiVersion") or ""),
        }

    def container(self, site: Site) -> str:  # noqa: ARG002
        """The hub's."""
        return self.image or str(self.document["HostingEcrUri"])

    @property
    def named_model(self) -> str:
        """Its id in the hub."""
        return self.model
