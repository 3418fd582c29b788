"""Finding and removing one resource by its kind and name. It imports nothing of the course's: the reaper in an account carries this file as it is.

if removing.there("endpoint", "my-endpoint"):
    removing.remove("endpoint", "my-endpoint")    # asks for it; look again until it is gone
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

GONE = ("NotFound", "NoSuch", "NonExistent", "DoesNotExist")
"""Parts of the error codes with which a service says that it does not know a resource."""


@dataclass(frozen=True)
class Way:
    """How a kind of resource is looked for and removed."""

    look: Callable[[str], Any]
    """Something true when it is there; something false, or its service's "not found", when it is not."""
    remove: Callable[[str], Any]


def there(kind: str, name: str) -> bool:
    """Does its service know it? Raises ClientError when the service does not say."""
    try:
        return bool(KINDS[kind].look(name))
    except ClientError as refused:
        if is_gone(refused):
            return False
        raise


def remove(kind: str, name: str) -> None:
    """Ask for its removal; it may take a while. Nothing happens when it is not there. Raises ClientError when it may not or cannot be."""
    try:
        KINDS[kind].remove(name)
    except ClientError as refused:
        if not is_gone(refused):
            raise


def is_gone(refused: ClientError) -> bool:
    """Does this error say that the resource does not exist?"""
    error = refused.response["Error"]
    if error["Code"] in (
        "ValidationException",
        "ValidationError",
    ):  # SageMaker and CloudFormation have no code of its own for it
        return any(words in error.get("Message", "").lower() for words in ("could not find", "does not exist"))
    return any(word in error["Code"] for word in GONE) or error["Code"] == "404"


def _client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload]


def _way(service: str, look: str, remove: str, parameter: str) -> Way:
    """A resource that one call describes and one call removes, both by the same parameter."""
    return Way(
        lambda name: getattr(_client(service), look)(**{parameter: name}),
        lambda name: getattr(_client(service), remove)(**{parameter: name}),
    )


def _remove_role(name: str) -> None:
    iam = _client("iam")
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])
    iam.delete_role(RoleName=name)


def empty_bucket(name: str) -> None:
    """Delete every object of a bucket; nothing happens when there is no such bucket."""
    s3 = _client("s3")
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
            if keys := [{"Key": entry["Key"]} for entry in page.get("Contents", [])]:
                s3.delete_objects(Bucket=name, Delete={"Objects": keys, "Quiet": True})
    except ClientError as refused:
        if not is_gone(refused):
            raise


class Bound(ClientError):  # noqa: N818 - a state of the resource
    """It cannot go before its time, however often one asks."""


def _remove_units(name: str) -> None:
    bedrock = _client("bedrock")
    held = bedrock.get_provisioned_model_throughput(provisionedModelId=name)
    try:
        bedrock.delete_provisioned_model_throughput(provisionedModelId=name)
    except ClientError as refused:
        until = held.get("commitmentExpirationTime")
        if not held.get("commitmentDuration") or until is None:
            raise
        said: Any = {
            "Code": "ConflictException",
            "Message": f"it is committed for {held['commitmentDuration']} until {until:%Y-%m-%d}, paid until then, and AWS takes no deletion before",
        }
        raise Bound({"Error": said}, "DeleteProvisionedModelThroughput") from refused


def _import_job(name: str) -> Any:
    """A job stays in its list for ever; it is there for us while it runs, and as long as what it made is there."""
    job = _client("bedrock").get_model_import_job(jobIdentifier=name)
    return job["status"] == "InProgress" or there("imported-model", job["importedModelName"])


def _remove_import_job(name: str) -> None:
    job = _client("bedrock").get_model_import_job(jobIdentifier=name)
    if job["status"] == "InProgress":
        said: Any = {
            "Code": "ConflictException",
            "Message": f"the import job {name} is in progress and AWS has no way to stop one; try again in some minutes",
        }
        raise ClientError({"Error": said}, "DeleteModelImportJob")
    remove("imported-model", job["importedModelName"])


JOB_RUNS = ("Submitted", "Validating", "Scheduled", "InProgress")


def _batch_jobs(name: str) -> list[Any]:
    """Batch jobs of this name that are not over: over, they stay in their list for ever, and cost nothing."""
    found = _client("bedrock").get_paginator("list_model_invocation_jobs").paginate(nameContains=name)
    jobs = [job for page in found for job in page["invocationJobSummaries"] if job["jobName"] == name]
    return [job for job in jobs if job["status"] in (*JOB_RUNS, "Stopping")]


def _stop_batch_jobs(name: str) -> None:
    for job in _batch_jobs(name):
        if job["status"] in JOB_RUNS:
            _client("bedrock").stop_model_invocation_job(jobIdentifier=job["jobArn"])


def _remove_compilation_job(name: str) -> None:
    """Only a job that has ended can be deleted, so one that runs is stopped first."""
    sagemaker = _client("sagemaker")
    status = sagemaker.describe_compilation_job(CompilationJobName=name)["CompilationJobStatus"]
    if status in ("STARTING", "INPROGRESS"):
        sagemaker.stop_compilation_job(CompilationJobName=name)
    elif status != "STOPPING":
        sagemaker.delete_compilation_job(CompilationJobName=name)


def _remove_bucket(name: str) -> None:
    empty_bucket(name)
    _client("s3").delete_bucket(Bucket=name)


def _remove_stack(name: str) -> None:
    """CloudFormation deletes no bucket that holds something, so those of the stack are emptied first."""
    cloudformation = _client("cloudformation")
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] == "AWS::S3::Bucket" and resource.get("PhysicalResourceId"):
                empty_bucket(resource["PhysicalResourceId"])
    cloudformation.delete_stack(StackName=name)


KINDS: dict[str, Way] = {
    "stack": Way(
        lambda name: [
            stack
            for stack in _client("cloudformation").describe_stacks(StackName=name)["Stacks"]
            if stack["StackStatus"] != "DELETE_COMPLETE"
        ],
        _remove_stack,
    ),
    "provisioned-throughput": Way(
        lambda name: _client("bedrock").get_provisioned_model_throughput(provisionedModelId=name), _remove_units
    ),
    "custom-model-deployment": _way(
        "bedrock",
        "get_custom_model_deployment",
        "delete_custom_model_deployment",
        "customModelDeploymentIdentifier",
    ),
    "model-import-job": Way(_import_job, _remove_import_job),
    "imported-model": _way("bedrock", "get_imported_model", "delete_imported_model", "modelIdentifier"),
    "custom-model": _way("bedrock", "get_custom_model", "delete_custom_model", "modelIdentifier"),
    "batch-job": Way(_batch_jobs, _stop_batch_jobs),
    "compilation-job": Way(
        lambda name: _client("sagemaker").describe_compilation_job(CompilationJobName=name), _remove_compilation_job
    ),
    "role": Way(lambda name: _client("iam").get_role(RoleName=name), _remove_role),
    "bucket": Way(lambda name: _client("s3").head_bucket(Bucket=name) and True, _remove_bucket),
}
"""Every kind that the ledger can hold, in the order in which kinds must be removed: users before what they use."""
