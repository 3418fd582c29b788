"""AWS::Lambda::*"""

import io
import uuid
import zipfile
from typing import Any

from labs.cloud.stacks.types.base import Failed, ResourceType, Work, code_of

CONFIGURATION = (
    "DeadLetterConfig",
    "Description",
    "Environment",
    "EphemeralStorage",
    "Handler",
    "KmsKeyArn",
    "Layers",
    "MemorySize",
    "Role",
    "Runtime",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
)


class Function(ResourceType):
    name = "AWS::Lambda::Function"
    properties = frozenset(
        {
            *CONFIGURATION,
            "Architectures",
            "Code",
            "FunctionName",
            "LoggingConfig",
            "PackageType",
            "ReservedConcurrentExecutions",
            "Tags",
        }
    )
    named_by = "FunctionName"

    def create(self, work: Work) -> None:
        function = work.call(
            "lambda",
            "CreateFunction",
            FunctionName=work.name("FunctionName", longest=64),
            Code=code(work.properties["Code"]),
            Tags=work.tags() or None,
            **work.pick(*CONFIGURATION, "Architectures", "LoggingConfig", "PackageType"),
        )
        work.made(function["FunctionName"], Arn=function["FunctionArn"])
        self._reserve(work, {})
        work.until(lambda: configuration(work).get("State") == "Active")

    def update(self, work: Work, before: dict[str, Any]) -> None:
        if work.properties["Code"] != before["Code"]:
            work.call("lambda", "UpdateFunctionCode", FunctionName=work.physical_id, **code(work.properties["Code"]))
            work.until(lambda: configuration(work).get("LastUpdateStatus") == "Successful")
        settings = {
            name: work.properties[name]
            for name in CONFIGURATION
            if work.properties.get(name) != before.get(name) and name in work.properties
        }
        if "Environment" in before and "Environment" not in work.properties:
            settings["Environment"] = {"Variables": {}}
        if settings:
            work.call("lambda", "UpdateFunctionConfiguration", FunctionName=work.physical_id, **settings)
            work.until(lambda: configuration(work).get("LastUpdateStatus") == "Successful")
        self._reserve(work, before)

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("lambda", "DeleteFunction", FunctionName=work.physical_id))

    def _reserve(self, work: Work, before: dict[str, Any]) -> None:
        wanted = work.properties.get("ReservedConcurrentExecutions")
        if wanted is not None:
            work.call(
                "lambda", "PutFunctionConcurrency", FunctionName=work.physical_id, ReservedConcurrentExecutions=wanted
            )
        elif "ReservedConcurrentExecutions" in before:
            work.call("lambda", "DeleteFunctionConcurrency", FunctionName=work.physical_id)


def configuration(work: Work) -> dict[str, Any]:
    return work.call("lambda", "GetFunctionConfiguration", FunctionName=work.physical_id)


def code(given: dict[str, Any]) -> dict[str, Any]:
    """A template's ZipFile is the source text itself, which becomes index.py in an archive."""
    if "ZipFile" not in given:
        return given
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr(zipfile.ZipInfo("index.py", (1980, 1, 1, 0, 0, 0)), given["ZipFile"])
    return {"ZipFile": archive.getvalue()}


MAPPING = (
    "BatchSize",
    "Enabled",
    "FilterCriteria",
    "FunctionName",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "ScalingConfig",
)


class EventSourceMapping(ResourceType):
    name = "AWS::Lambda::EventSourceMapping"
    properties = frozenset({*MAPPING, "EventSourceArn", "Tags"})

    def create(self, work: Work) -> None:
        made = work.call("lambda", "CreateEventSourceMapping", **work.pick(*MAPPING, "EventSourceArn"))
        work.made(made["UUID"], Id=made["UUID"], EventSourceMappingArn=made.get("EventSourceMappingArn"))
        work.until(lambda: mapping_state(work) in ("Enabled", "Disabled"))

    def update(self, work: Work, before: dict[str, Any]) -> None:  # noqa: ARG002
        work.call("lambda", "UpdateEventSourceMapping", UUID=work.physical_id, **work.pick(*MAPPING))
        work.until(lambda: mapping_state(work) in ("Enabled", "Disabled"))

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("lambda", "DeleteEventSourceMapping", UUID=work.physical_id))
        work.until(lambda: mapping_state(work) is None)  # its last batches are still being processed


def mapping_state(work: Work) -> str | None:
    try:
        return str(work.call("lambda", "GetEventSourceMapping", UUID=work.physical_id)["State"])
    except Failed as failed:
        if code_of(failed) == "ResourceNotFoundException":
            return None
        raise


class Permission(ResourceType):
    name = "AWS::Lambda::Permission"
    settings = (
        "Action",
        "EventSourceToken",
        "FunctionName",
        "FunctionUrlAuthType",
        "InvokedViaFunctionUrl",
        "Principal",
        "PrincipalOrgID",
        "SourceAccount",
        "SourceArn",
    )
    properties = frozenset(settings)

    def create(self, work: Work) -> None:
        statement = f"{work.stack_name}-{work.logical_id}-{uuid.uuid4().hex[:12]}"[:100]
        work.call("lambda", "AddPermission", StatementId=statement, **work.pick(*self.settings))
        work.made(statement, Id=statement)

    def delete(self, work: Work) -> None:
        work.gone(
            lambda: work.call(
                "lambda", "RemovePermission", FunctionName=work.properties["FunctionName"], StatementId=work.physical_id
            )
        )


TYPES = (Function(), EventSourceMapping(), Permission())
