"""Custom Model Import: weights of one's own, served by copies that start when they are called and stop when they are not.

A local cloud holds no weights. A job looks for what AWS looks for (config.json, safetensors, an architecture that it takes); the copies
are as fast as the serving model makes the catalogue's nearest model of that architecture.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from labs import facts
from labs.cloud.services.bedrock_account import Account, Resource
from labs.cloud.services.bedrock_errors import conflict, invalid, not_found
from labs.cloud.services.bedrock_listing import chosen, page
from labs.cloud.services.bedrock_models import Served
from labs.cloud.services.bedrock_s3 import Bucket, Unreadable, folder
from labs.facts import catalogue

KIND = "imported-model"
JOBS = "model-import-job"
IMPORTING_S = 600.0
"""How long an import takes; it depends on the size, ten minutes is an assumption."""
CMU_VERSION = "v1.0"
ARCHITECTURES = {
    "LlamaForCausalLM": "llama",
    "MllamaForConditionalGeneration": "llama",
    "MistralForCausalLM": "mistral",
    "MixtralForCausalLM": "mistral",
    "T5ForConditionalGeneration": "completion",
    "GPTBigCodeForCausalLM": "completion",
    "Qwen2ForCausalLM": "completion",
    "Qwen2VLForConditionalGeneration": "completion",
    "Qwen2_5_VLForConditionalGeneration": "completion",
    "Qwen3ForCausalLM": "completion",
    "Qwen3MoeForCausalLM": "completion",
    "GptOssForCausalLM": "completion",
}
"""Architecture in config.json: the body of a prompt in InvokeModel. The families are those of the register's bedrock.import.architectures."""
ONE_REGION = {"GptOssForCausalLM": "us-east-1"}
NO_CONVERSE = ("Qwen3",)


@dataclass
class Imported(Resource):
    """An imported model."""

    job: "Job | None" = None
    architecture: str = ""
    like: str = ""
    """the catalogue's model whose shape its copies have"""
    context_tokens: int = 0
    chat_template: bool = False
    units_per_copy: int = 1

    @property
    def served(self) -> Served:
        """What the runtime needs to know of it."""
        context = self.context_tokens
        return Served(self.arn, ARCHITECTURES[self.architecture], context, context)

    @property
    def converses(self) -> bool:
        """Does Converse serve it?"""
        return self.chat_template and not self.architecture.startswith(NO_CONVERSE)


@dataclass
class Job(Resource):
    """An import job."""

    params: dict[str, Any] = field(default_factory=dict)
    makes: Imported | None = None


def create_model_import_job(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """CreateModelImportJob."""
    if account.region not in facts.value("bedrock.import.regions"):
        raise invalid(f"Custom model import is not supported in {account.region}.")
    made = account.again(JOBS, params.get("clientRequestToken"), params["jobName"], "job")
    if made is not None:
        return {"jobArn": made.arn}
    name = params["importedModelName"]
    running = any(
        job.status == "InProgress" and job.params["importedModelName"] == name for job in account.kind(JOBS).values()
    )
    if running or account.find(KIND, name) is not None:
        raise conflict(
            f"The specified imported model name {name} is already in use. Use a different name and try again."
        )
    if not (params["modelDataSource"].get("s3DataSource") or {}).get("s3Uri"):
        raise invalid("modelDataSource.s3DataSource.s3Uri is required.")
    id = account.new_id()
    job = Job(
        id, account.arn(JOBS, id), params["jobName"], status="InProgress", token=params.get("clientRequestToken"), params=params
    )  # fmt: skip
    account.add(JOBS, job, params.get("jobTags"))
    account.wait(IMPORTING_S, lambda: _finish(account, job))
    return {"jobArn": job.arn}


def _finish(account: Account, job: Job) -> None:
    id = account.new_id()
    model = Imported(id, account.arn(KIND, id), job.params["importedModelName"], status="Active", job=job)
    try:
        _look_at(account, job.params["modelDataSource"]["s3DataSource"]["s3Uri"], model)
    except Unreadable as unreadable:
        job.becomes("Failed", str(unreadable))
        return
    account.add(KIND, model, job.params.get("importedModelTags"))
    job.makes = model
    job.becomes("Completed")


def _look_at(account: Account, uri: str, model: Imported) -> None:
    """Fill `model` in from the files at `uri`. Raises Unreadable with what is wrong with them."""
    bucket, prefix = folder(account.id, uri)
    names = {key.removeprefix(prefix) for key in bucket.keys(prefix)}
    if "config.json" not in names:
        adapter = "adapter_config.json" in names
        merge = " It holds an adapter: merge it into its base model first." if adapter else ""
        raise Unreadable(f"The file config.json was not found at {uri}.{merge}")
    if not any(name.endswith(".safetensors") for name in names):
        raise Unreadable(
            f"No weights in the {facts.text('bedrock.import.format')} format (.safetensors) were found at {uri}."
        )
    config = _object(bucket, f"{prefix}config.json")
    architectures = config.get("architectures")
    architecture = architectures[0] if isinstance(architectures, list) and architectures else None
    if architecture not in ARCHITECTURES:
        raise Unreadable(
            f"Amazon Bedrock does not support the architecture ({architecture}) of the model that you are importing. "
            f"Reimport the model with one of the following supported architecture types: {', '.join(ARCHITECTURES)}."
        )
    if ONE_REGION.get(architecture, account.region) != account.region:
        raise Unreadable(f"The architecture {architecture} can be imported in {ONE_REGION[architecture]} only.")
    model.architecture = architecture
    model.like = nearest(architecture, config)
    limit = int(facts.number("bedrock.import.context_max_tokens"))
    stated = config.get("max_position_embeddings")
    model.context_tokens = min(stated, limit) if isinstance(stated, int) and stated > 0 else limit
    if "tokenizer_config.json" in names:
        model.chat_template = bool(_object(bucket, f"{prefix}tokenizer_config.json").get("chat_template"))
    model.units_per_copy = units_per_copy(model.like)


def _object(bucket: Bucket, key: str) -> dict[str, Any]:
    try:
        found = json.loads(bucket.read(key))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unreadable(f"s3://{bucket.name}/{key} is not a JSON object.")
    return found


def nearest(architecture: str, config: dict[str, Any]) -> str:
    """The catalogue's importable model that is most like this one: of its architecture where there is one, nearest in size."""
    known = [entry for entry in catalogue.models().values() if entry.shape is not None and entry.importable]
    known = [entry for entry in known if entry.architecture == architecture] or known
    size = _matrix_size(config)

    def distance(entry: catalogue.Model) -> float:
        shape = entry.shape
        assert shape is not None
        return abs(shape.layers * shape.hidden**2 - size)

    return min(known, key=distance).id


def _matrix_size(config: dict[str, Any]) -> int:
    layers, hidden = (config.get(name) for name in ("num_hidden_layers", "hidden_size"))
    return layers * hidden**2 if isinstance(layers, int) and isinstance(hidden, int) else 0


def units_per_copy(like: str) -> int:
    """Custom model units of one copy: of the two sizes for which a figure is known, the smaller one that is large enough."""
    shape = catalogue.model(like).shape
    small, large = catalogue.model("llama-3.1-8b").shape, "bedrock.import.cmu_llama-3-70b"
    assert shape is not None
    assert small is not None
    return int(facts.number("bedrock.import.cmu_llama-3-1-8b" if shape.parameters <= small.parameters else large))


def get_model_import_job(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """GetModelImportJob."""
    found = account.find(JOBS, params["jobIdentifier"])
    if not isinstance(found, Job):
        raise not_found(f"The model import job {params['jobIdentifier']} could not be found.")
    asked = found.params
    shown = _job(found) | {"roleArn": asked["roleArn"], "modelDataSource": asked["modelDataSource"]}
    if asked.get("vpcConfig"):
        shown["vpcConfig"] = asked["vpcConfig"]
    return shown | ({"failureMessage": found.failure} if found.failure else {})


def list_model_import_jobs(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """ListModelImportJobs."""
    return page([_job(job) for job in chosen(account.kind(JOBS).values(), params)], params, "modelImportJobSummaries")


def get_imported_model(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """GetImportedModel."""
    model = find(account, params["modelIdentifier"])
    shown = _summary(model) | {
        "customModelUnits": {
            "customModelUnitsPerModelCopy": model.units_per_copy,
            "customModelUnitsVersion": CMU_VERSION,
        }
    }
    if model.job is not None:
        shown |= {
            "jobName": model.job.name,
            "jobArn": model.job.arn,
            "modelDataSource": model.job.params["modelDataSource"],
        }
    return shown


def list_imported_models(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """ListImportedModels."""
    return page([_summary(model) for model in chosen(account.kind(KIND).values(), params)], params, "modelSummaries")


def delete_imported_model(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """DeleteImportedModel."""
    account.drop(KIND, find(account, params["modelIdentifier"]))
    return {}


def find(account: Account, identifier: str) -> Imported:
    """The imported model with this name, id or ARN."""
    found = account.find(KIND, identifier)
    if not isinstance(found, Imported):
        raise not_found(f"The imported model {identifier} could not be found.")
    return found


def _job(job: Job) -> dict[str, Any]:
    shown = {
        "jobArn": job.arn,
        "jobName": job.name,
        "status": job.status,
        "creationTime": job.created,
        "lastModifiedTime": job.modified,
        "importedModelName": job.params["importedModelName"],
    }
    if job.status != "InProgress":
        shown["endTime"] = job.modified
    return shown | ({"importedModelArn": job.makes.arn} if job.makes else {})


def _summary(model: Imported) -> dict[str, Any]:
    return {
        "modelArn": model.arn,
        "modelName": model.name,
        "creationTime": model.created,
        "instructSupported": model.converses,
        "modelArchitecture": model.architecture,
    }


OPERATIONS = {
    "CreateModelImportJob": create_model_import_job,
    "GetModelImportJob": get_model_import_job,
    "ListModelImportJobs": list_model_import_jobs,
    "GetImportedModel": get_imported_model,
    "ListImportedModels": list_imported_models,
    "DeleteImportedModel": delete_imported_model,
}
