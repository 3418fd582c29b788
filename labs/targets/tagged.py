"""What in this Region carries the course's tags, whoever's ledger knows of it: found by asking each service. It imports nothing of the course's: the reaper carries it.

things, problems = tagged.found("us-east-1")
things[0]            # Tagged("bucket", "mine-0123456789ab", "2026-11-27T10:00Z"): kinds are those of `removing.KINDS`
problems             # ["role: could not be listed (AccessDenied)"]: what nobody looked for is not known to be gone
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

PROJECT = "deployment-dilemma"
JOB_RUNS = ("Submitted", "Validating", "Scheduled", "InProgress")


@dataclass(frozen=True)
class Tagged:
    """One thing of the course's."""

    kind: str
    name: str
    expires_at: str
    """As its tag says; empty when it has none."""


def found(region: str, project: str = PROJECT) -> tuple[list[Tagged], list[str]]:
    """Everything that carries the project's tag, and what could not be looked for, each with the reason."""
    things: list[Tagged] = []
    problems: list[str] = []
    for kind, look in LOOKS.items():
        try:
            for name, tags in look(region):
                if tags.get("Project") == project:
                    things.append(Tagged(kind, name, tags.get("Expires", "")))
        except ClientError as refused:
            problems.append(f"{kind}: could not be listed ({refused.response['Error']['Code']})")
        except BotoCoreError as broken:  # a service that this Region does not have
            problems.append(f"{kind}: could not be listed ({broken})")
    return things, problems


Named = Iterator[tuple[str, dict[str, str]]]


def _client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload]


def _pages(service: str, operation: str, answered: str, **filters: Any) -> Iterator[dict[str, Any]]:
    for page in _client(service).get_paginator(operation).paginate(**filters):
        yield from page[answered]


def _pairs(tags: list[dict[str, str]]) -> dict[str, str]:
    """Services spell their tags in two ways."""
    return {tag.get("Key", tag.get("key", "")): tag.get("Value", tag.get("value", "")) for tag in tags}


def _stacks(_: str) -> Named:
    for stack in _pages("cloudformation", "describe_stacks", "Stacks"):
        if stack["StackStatus"] != "DELETE_COMPLETE":
            yield stack["StackName"], _pairs(stack.get("Tags", []))


def _bedrock(operation: str, answered: str, arn: str, name: str, **filters: Any) -> Callable[[str], Named]:
    def look(_: str) -> Named:
        for entry in _pages("bedrock", operation, answered, **filters):
            tags = _client("bedrock").list_tags_for_resource(resourceARN=entry[arn])["tags"]
            yield entry[name], _pairs(tags)

    return look


def _batch_jobs(_: str) -> Named:
    """Those that run: over, they stay in their list for ever, and cost nothing."""
    for entry in _pages("bedrock", "list_model_invocation_jobs", "invocationJobSummaries"):
        if entry["status"] in JOB_RUNS:
            tags = _client("bedrock").list_tags_for_resource(resourceARN=entry["jobArn"])["tags"]
            yield entry["jobName"], _pairs(tags)


def _compilation_jobs(_: str) -> Named:
    for entry in _pages("sagemaker", "list_compilation_jobs", "CompilationJobSummaries"):
        tags = _client("sagemaker").list_tags(ResourceArn=entry["CompilationJobArn"])["Tags"]
        yield entry["CompilationJobName"], _pairs(tags)


def _roles(region: str) -> Named:
    """Roles are the whole account's: those that are made by hand for a Region end in its name, those of stacks go with their stack."""
    for role in _pages("iam", "list_roles", "Roles"):
        if role["RoleName"].endswith((f"-bedrock-{region}", f"-neo-{region}")):
            yield role["RoleName"], _pairs(_client("iam").list_role_tags(RoleName=role["RoleName"])["Tags"])


def _buckets(region: str) -> Named:
    """Of this Region, and in no stack: a stack's own go with it."""
    s3 = _client("s3")
    for entry in s3.list_buckets()["Buckets"]:
        name = entry["Name"]
        try:
            if (s3.get_bucket_location(Bucket=name)["LocationConstraint"] or "us-east-1") != region:
                continue
            tags = _pairs(s3.get_bucket_tagging(Bucket=name)["TagSet"])
        except ClientError:  # without tags, or somebody else's to read: not ours
            continue
        if "aws:cloudformation:stack-name" not in tags:
            yield name, tags


LOOKS: dict[str, Callable[[str], Named]] = {
    "stack": _stacks,
    "provisioned-throughput": _bedrock(
        "list_provisioned_model_throughputs",
        "provisionedModelSummaries",
        "provisionedModelArn",
        "provisionedModelName",
    ),
    "custom-model-deployment": _bedrock(
        "list_custom_model_deployments",
        "modelDeploymentSummaries",
        "customModelDeploymentArn",
        "customModelDeploymentName",
    ),
    "model-import-job": _bedrock(
        "list_model_import_jobs", "modelImportJobSummaries", "jobArn", "jobName", statusEquals="InProgress"
    ),
    "imported-model": _bedrock("list_imported_models", "modelSummaries", "modelArn", "modelName"),
    "custom-model": _bedrock("list_custom_models", "modelSummaries", "modelArn", "modelName", isOwned=True),
    "batch-job": _batch_jobs,
    "compilation-job": _compilation_jobs,
    "role": _roles,
    "bucket": _buckets,
}
"""kind: the names there are in a Region, each with its tags"""
