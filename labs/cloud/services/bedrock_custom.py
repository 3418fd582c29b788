"""Models that were customised in Bedrock: the jobs that make them, and the models.

Nothing is trained here. A job checks what it is given, takes its time, and ends in a model that answers like its base.
"""

from dataclasses import dataclass, field
from typing import Any

from labs.cloud.services.bedrock_access import check_access, foundation_model, model_arn
from labs.cloud.services.bedrock_account import Account, Resource
from labs.cloud.services.bedrock_errors import conflict, invalid, not_found
from labs.cloud.services.bedrock_listing import chosen, page
from labs.cloud.services.bedrock_models import models
from labs.cloud.services.bedrock_s3 import Bucket, Unreadable, folder, split

KIND = "custom-model"
JOBS = "model-customization-job"
TRAINING_S = 3600.0
"""How long a fine-tuning job takes; it depends on the data, an hour is an assumption."""
CREATING_S = 300.0
"""How long CreateCustomModel takes, an assumption."""
CREATABLE = ("nova-micro", "nova-lite", "nova-pro", "nova-2-lite")
"""Bases of models that can be brought in with CreateCustomModel, by id in the catalogue."""


@dataclass
class Custom(Resource):
    """A customised model."""

    base: str = ""
    """`modelId` of its base"""
    how: str = "FINE_TUNING"
    job: "Job | None" = None


@dataclass
class Job(Resource):
    """A customisation job."""

    params: dict[str, Any] = field(default_factory=dict)
    base: str = ""
    makes: Custom | None = None


def create_model_customization_job(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """CreateModelCustomizationJob."""
    made = account.again(JOBS, params.get("clientRequestToken"), params["jobName"], "job")
    if made is not None:
        return {"jobArn": made.arn}
    how = params.get("customizationType", "FINE_TUNING")
    base = foundation_model(params["baseModelIdentifier"])
    if how != "FINE_TUNING" or account.region not in base.offer.fine_tuning:
        raise invalid(f"{how} is not supported for the model {base.id} in {account.region}.")
    if base.offer.lifecycle == "legacy":
        raise invalid(f"The model {base.id} is in the Legacy state, in which no new customization jobs are accepted.")
    check_access(account, base)
    if account.find(KIND, params["customModelName"]) is not None:
        raise conflict(
            f"The specified custom model name {params['customModelName']} is already in use. Use a different name and try again."
        )
    if not params["trainingDataConfig"].get("s3Uri"):
        raise invalid("trainingDataConfig.s3Uri is required for a FINE_TUNING job.")
    id = account.new_id()
    job = Job(
        id, account.arn(JOBS, f"{base.id}/{id}"), params["jobName"], status="InProgress",
        token=params.get("clientRequestToken"), params=params, base=base.id,
    )  # fmt: skip
    account.add(JOBS, job, params.get("jobTags"))
    account.wait(TRAINING_S, lambda: _finish(account, job))
    return {"jobArn": job.arn}


def _finish(account: Account, job: Job) -> None:
    if job.status != "InProgress":
        return
    try:
        bucket, key = split(job.params["trainingDataConfig"]["s3Uri"])
        if not Bucket(account.id, bucket).read(key).strip():
            raise Unreadable(f"The training data s3://{bucket}/{key} is empty.")
        folder(account.id, job.params["outputDataConfig"]["s3Uri"])
    except Unreadable as unreadable:
        job.becomes("Failed", str(unreadable))
        return
    id = account.new_id()
    arn = account.arn(KIND, f"{job.base}/{id}")
    job.makes = Custom(id, arn, job.params["customModelName"], status="Active", base=job.base, job=job)
    account.add(KIND, job.makes, job.params.get("customModelTags"))
    job.becomes("Completed")


def get_model_customization_job(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """GetModelCustomizationJob."""
    job = _job(account, params["jobIdentifier"])
    asked = job.params
    shown = {
        "outputModelName": asked["customModelName"],
        "roleArn": asked["roleArn"],
        "statusDetails": _progress(job),
        "trainingDataConfig": asked["trainingDataConfig"],
        "validationDataConfig": asked.get("validationDataConfig") or {"validators": []},
        "outputDataConfig": asked["outputDataConfig"],
        "customizationType": "FINE_TUNING",
    }
    for name in ("hyperParameters", "vpcConfig", "clientRequestToken"):
        if asked.get(name):
            shown[name] = asked[name]
    if job.makes is not None:
        shown["outputModelArn"] = job.makes.arn
    if job.failure:
        shown["failureMessage"] = job.failure
    return _dates(account, job) | shown


def list_model_customization_jobs(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """ListModelCustomizationJobs."""
    shown = []
    for job in chosen(account.kind(JOBS).values(), params):
        entry = _dates(account, job) | {
            "customModelName": job.params["customModelName"],
            "customizationType": "FINE_TUNING",
            "statusDetails": _progress(job),
        }
        shown.append(entry | ({"customModelArn": job.makes.arn} if job.makes else {}))
    return page(shown, params, "modelCustomizationJobSummaries")


def stop_model_customization_job(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """StopModelCustomizationJob."""
    job = _job(account, params["jobIdentifier"])
    if job.status != "InProgress":
        raise conflict(f"The job {job.name} is {job.status} and cannot be stopped.")
    job.becomes("Stopped")
    return {}


def create_custom_model(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """CreateCustomModel: a Nova model that was trained elsewhere; the names of its artifacts must name its base ("nova-lite")."""
    made = account.again(KIND, params.get("clientRequestToken"), params["modelName"], "custom model")
    if made is not None:
        return {"modelArn": made.arn}
    source = (params.get("modelSourceConfig") or {}).get("s3DataSource")
    if not source:
        raise invalid("modelSourceConfig.s3DataSource is required.")
    id = account.new_id()
    model = Custom(
        id, account.arn(KIND, f"imported/{id}"), params["modelName"], status="Creating",
        token=params.get("clientRequestToken"), how="IMPORTED",
    )  # fmt: skip
    account.add(KIND, model, params.get("modelTags"))
    account.wait(CREATING_S, lambda: _bring_in(account, model, source["s3Uri"]))
    return {"modelArn": model.arn}


def _bring_in(account: Account, model: Custom, uri: str) -> None:
    try:
        bucket, prefix = folder(account.id, uri)
        keys = bucket.keys(prefix)
    except Unreadable as unreadable:
        model.becomes("Failed", str(unreadable))
        return
    if not keys:
        model.becomes("Failed", f"There are no model artifacts at {uri}.")
        return
    names = f"{uri} {' '.join(keys)}".lower()
    base = next((each for each in models().values() if each.key in CREATABLE and each.key in names), None)
    if base is None:
        model.becomes("Failed", f"The artifacts at {uri} are not those of a supported base model (Amazon Nova).")
        return
    model.base = base.id
    model.becomes("Active")


def get_custom_model(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """GetCustomModel."""
    model = custom(account, params["modelIdentifier"])
    shown: dict[str, Any] = {
        "modelArn": model.arn,
        "modelName": model.name,
        "creationTime": model.created,
        "customizationType": model.how,
        "modelStatus": model.status,
    }
    if model.base:
        shown["baseModelArn"] = model_arn(models()[model.base], account.region)
    if model.failure:
        shown["failureMessage"] = model.failure
    if model.job is not None:
        asked = model.job.params
        shown |= {"jobName": model.job.name, "jobArn": model.job.arn}
        for name in ("trainingDataConfig", "validationDataConfig", "outputDataConfig", "hyperParameters"):
            if asked.get(name):
                shown[name] = asked[name]
    return shown


def list_custom_models(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """ListCustomModels."""
    shown = []
    for model in chosen(account.kind(KIND).values(), params, status="modelStatus"):
        base = model_arn(models()[model.base], account.region) if model.base else model.arn
        if any(params.get(name) not in (None, base) for name in ("baseModelArnEquals", "foundationModelArnEquals")):
            continue
        shown.append(
            {
                "modelArn": model.arn,
                "modelName": model.name,
                "creationTime": model.created,
                "baseModelArn": base,
                "baseModelName": (model.base or "amazon.nova").partition(":")[0],
                "customizationType": model.how,
                "ownerAccountId": account.id,
                "modelStatus": model.status,
            }
        )
    return page(shown, params, "modelSummaries")


def delete_custom_model(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """DeleteCustomModel: not while units or a deployment serve it."""
    model = custom(account, params["modelIdentifier"])
    for kind, what in (("provisioned-model", "Provisioned Throughput"), ("custom-model-deployment", "a deployment")):
        if any(each.serves == model.arn for each in account.kind(kind).values()):
            raise conflict(f"The custom model {model.name} is in use by {what}. Delete that first and try again.")
    account.drop(KIND, model)
    return {}


def find_custom(account: Account, identifier: str) -> Custom | None:
    """The model with this name, id or ARN, if there is one."""
    found = account.find(KIND, identifier)
    return found if isinstance(found, Custom) else None


def custom(account: Account, identifier: str) -> Custom:
    """The model with this name, id or ARN."""
    found = find_custom(account, identifier)
    if found is None:
        raise not_found(f"The custom model {identifier} could not be found.")
    return found


def _job(account: Account, identifier: str) -> Job:
    found = account.find(JOBS, identifier)
    if not isinstance(found, Job):
        raise not_found(f"The model customization job {identifier} could not be found.")
    return found


def _dates(account: Account, job: Job) -> dict[str, Any]:
    shown = {
        "jobArn": job.arn,
        "jobName": job.name,
        "baseModelArn": model_arn(models()[job.base], account.region),
        "status": job.status,
        "creationTime": job.created,
        "lastModifiedTime": job.modified,
    }
    return shown | ({"endTime": job.modified} if job.status != "InProgress" else {})


def _progress(job: Job) -> dict[str, Any]:
    steps = ("validationDetails", "dataProcessingDetails", "trainingDetails")
    times = {"creationTime": job.created, "lastModifiedTime": job.modified}
    if job.status in ("Completed", "Stopped"):
        return {step: {"status": job.status, **times} for step in steps}
    if job.status == "Failed":  # what fails here is the data
        return {"validationDetails": {"status": "Failed", **times}} | {
            step: {"status": "NotStarted"} for step in steps[1:]
        }
    return {step: {"status": "Completed", **times} for step in steps[:2]} | {
        "trainingDetails": {"status": "InProgress", **times}
    }


OPERATIONS = {
    "CreateModelCustomizationJob": create_model_customization_job,
    "GetModelCustomizationJob": get_model_customization_job,
    "ListModelCustomizationJobs": list_model_customization_jobs,
    "StopModelCustomizationJob": stop_model_customization_job,
    "CreateCustomModel": create_custom_model,
    "GetCustomModel": get_custom_model,
    "ListCustomModels": list_custom_models,
    "DeleteCustomModel": delete_custom_model,
}
