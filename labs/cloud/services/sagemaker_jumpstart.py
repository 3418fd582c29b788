"""JumpStart's public hub: the open models of the facts catalogue, as DescribeHubContent and ListHubContents show them.

Names and structure are JumpStart's. The catalogue's models are a few of its hundreds; versions, the tag of the image and the addresses of
the artefacts are the local cloud's own. A gated model's weights lie in a private bucket, and CreateModel wants its licence accepted.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from labs.cloud.services.errors import ServiceError
from labs.cloud.services.sagemaker_hosting import Hosting, Told, page
from labs.facts import catalogue

HUB = "SageMakerPublicHub"
VERSION = "1.0.0"
SCHEMA_VERSION = "2.3.0"
IMAGE = "763104351884.dkr.ecr.{region}.amazonaws.com/djl-inference:lmi-local-cloud"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)

NAMES = {
    "llama-3-8b": ("meta-textgeneration-llama-3-8b-instruct", "ml.g5.2xlarge", 1),
    "llama-3.1-8b": ("meta-textgeneration-llama-3-1-8b-instruct", "ml.g5.2xlarge", 1),
    "llama-3-70b": ("meta-textgeneration-llama-3-70b-instruct", "ml.p4d.24xlarge", 8),
    "llama-3.1-70b": ("meta-textgeneration-llama-3-1-70b-instruct", "ml.p4d.24xlarge", 8),
    "llama-3.3-70b": ("meta-textgeneration-llama-3-3-70b-instruct", "ml.p4d.24xlarge", 8),
    "mistral-7b": ("huggingface-llm-mistral-7b-instruct", "ml.g5.2xlarge", 1),
    "mixtral-8x7b": ("huggingface-llm-mixtral-8x7b-instruct", "ml.g5.48xlarge", 8),
    "qwen3-32b": ("huggingface-reasoning-qwen3-32b", "ml.g5.48xlarge", 8),
    "qwen3-0.6b": ("huggingface-reasoning-qwen3-0-6b", "ml.g5.xlarge", 1),
    "gpt-oss-20b": ("openai-reasoning-gpt-oss-20b", "ml.g6e.2xlarge", 1),
    "gpt-oss-120b": ("openai-reasoning-gpt-oss-120b", "ml.p5.48xlarge", 8),
}
"""the catalogue's model: (JumpStart's id, an instance it fits on, the GPUs it is spread over)"""
CONTEXT_TOKENS = 8192
"""the length that these deployments are configured for"""
OPEN_LICENCES = ("Apache", "MIT")


@dataclass(frozen=True)
class HubModel:
    """One model of the hub."""

    id: str
    model: str
    """in the catalogue"""
    instance_type: str
    parallel: int

    @property
    def gated(self) -> bool:
        """Does it have a licence that must be accepted?"""
        licence = catalogue.model(self.model).licence or ""
        return not licence.startswith(OPEN_LICENCES)

    def artefact(self, region: str) -> str:
        """Where its weights lie."""
        bucket = f"jumpstart-{'private-cache' if self.gated else 'cache'}-prod-{region}"
        return f"s3://{bucket}/{self.id.partition('-')[0]}/{self.id}/artifacts/inference-prepack/v{VERSION}/"


@cache
def models() -> dict[str, HubModel]:
    """Every model of the hub by JumpStart's id."""
    return {
        id: HubModel(id, model, instance_type, parallel)
        for model, (id, instance_type, parallel) in NAMES.items()
        if model in catalogue.models()
    }


def model_at(uri: str) -> HubModel | None:
    """The hub's model whose weights lie at this address, or None when it is none of the hub's."""
    if not uri.startswith("s3://jumpstart-"):
        return None
    return next((model for id, model in models().items() if f"/{id}/" in uri), None)


def describe(hosting: Hosting, params: Told) -> Told:
    """DescribeHubContent."""
    check_hub(hosting, params)
    found = models().get(params["HubContentName"])
    if found is None or params["HubContentType"] != "Model" or params.get("HubContentVersion", VERSION) != VERSION:
        raise ServiceError(
            "ResourceNotFound",
            f"Hub content with name {params['HubContentName']} and type {params['HubContentType']} does not exist in hub {HUB}.",
        )
    document = json.dumps(document_of(found, hosting.region))
    return {
        **summary(found, hosting.region),
        "HubName": HUB,
        "HubArn": hub_arn(hosting.region),
        "HubContentDocument": document,
    } | {"LastModifiedTime": SINCE}


def listed(hosting: Hosting, params: Told) -> Told:
    """ListHubContents."""
    check_hub(hosting, params)
    items = (
        [summary(model, hosting.region) for model in models().values()] if params["HubContentType"] == "Model" else []
    )
    given = {**params, "SortBy": {"HubContentName": "Name"}.get(params.get("SortBy", ""), "CreationTime")}
    return page(given, items, "HubContent", "HubContentSummaries")


def check_hub(hosting: Hosting, params: Told) -> None:
    """The local cloud has the public hub only."""
    if params["HubName"] not in (HUB, hub_arn(hosting.region)):
        raise ServiceError(
            "ResourceNotFound", f"Hub {params['HubName']} does not exist. The local cloud has {HUB} only."
        )


def hub_arn(region: str) -> str:
    """The public hub's ARN."""
    return f"arn:aws:sagemaker:{region}:aws:hub/{HUB}"


def summary(model: HubModel, region: str) -> Told:
    """A model as lists show it."""
    entry = catalogue.model(model.model)
    return {
        "HubContentName": model.id,
        "HubContentArn": f"arn:aws:sagemaker:{region}:aws:hub-content/{HUB}/Model/{model.id}/{VERSION}",
        "HubContentVersion": VERSION,
        "HubContentType": "Model",
        "DocumentSchemaVersion": SCHEMA_VERSION,
        "HubContentDisplayName": entry.name,
        "HubContentDescription": f"{entry.name} of {entry.provider}, served by AWS's container for large models.",
        "SupportStatus": "Supported",
        "HubContentSearchKeywords": ["@task:text-generation", f"@provider:{entry.provider.lower()}"],
        "HubContentStatus": "Available",
        "CreationTime": SINCE,
    }


def document_of(model: HubModel, region: str) -> dict[str, Any]:
    """The document that says how the model is deployed."""
    entry = catalogue.model(model.model)
    environment = {
        "HF_MODEL_ID": "/opt/ml/model",
        "OPTION_TENSOR_PARALLEL_DEGREE": str(model.parallel),
        "OPTION_MAX_MODEL_LEN": str(CONTEXT_TOKENS),
        "OPTION_ROLLING_BATCH": "vllm",
    }
    document: dict[str, Any] = {
        "Url": entry.weights,
        "MinSdkVersion": "2.189.0",
        "Task": "text-generation",
        "ModelProvider": entry.provider,
        "License": entry.licence,
        "GatedBucket": model.gated,
        "HostingEcrUri": IMAGE.format(region=region),
        "HostingArtifactUri": model.artefact(region),
        "HostingPrepackedArtifactUri": model.artefact(region),
        "HostingArtifactS3DataType": "S3Prefix",
        "HostingArtifactCompressionType": "None",
        "DefaultInferenceInstanceType": model.instance_type,
        "SupportedInferenceInstanceTypes": [model.instance_type],
        "InferenceEnvironmentVariables": [
            {"Name": name, "Type": "text", "Default": value, "Scope": "container", "RequiredForModelClass": True}
            for name, value in environment.items()
        ],
        "DynamicContainerDeploymentSupported": True,
        "InferenceConfigs": {},
    }
    if model.gated:
        document["HostingEulaUri"] = f"s3://jumpstart-cache-prod-{region}/fmhMetadata/terms/{model.model}.txt"
    return document
