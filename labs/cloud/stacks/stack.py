"""A stack: its template and parameters, its resources, everything that happened to it."""

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from labs.cloud.stacks import parameters
from labs.cloud.stacks.intrinsics import Scope, as_text
from labs.cloud.stacks.template import Invalid


@dataclass
class Resource:
    """One resource of a stack."""

    logical_id: str
    type: str
    physical_id: str | None = None
    status: str = "CREATE_IN_PROGRESS"
    reason: str | None = None
    properties: dict[str, Any] = field(default_factory=dict)
    """As they were last made, functions worked out."""
    attributes: dict[str, Any] = field(default_factory=dict)
    deletion_policy: str = "Delete"
    replace_policy: str = "Delete"
    changed_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Event:
    """One line of a stack's history."""

    id: str
    at: datetime
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str | None


@dataclass
class Stack:
    """A stack. Its lock is held while several of its parts change together."""

    id: str
    name: str
    region: str
    account_id: str
    body: str
    template: dict[str, Any]
    given: dict[str, str]
    """The parameters as the caller gave them."""
    looked_up: dict[str, str] = field(default_factory=dict)
    """What the names of Systems Manager's parameters stood for when the stack was last made or changed."""
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    notification_arns: list[str] = field(default_factory=list)
    role_arn: str | None = None
    disable_rollback: bool = False
    on_failure: str = "ROLLBACK"
    timeout_minutes: int | None = None
    termination_protection: bool = False
    status: str = "CREATE_IN_PROGRESS"
    reason: str | None = None
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    resources: dict[str, Resource] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    outputs: list[dict[str, str]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    working: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Held by the deployment that is at work: the next one waits until this one has noticed that it is overtaken."""

    @property
    def busy(self) -> bool:
        """Is something being done to it?"""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def exports(self) -> dict[str, str]:
        return {output["ExportName"]: output["OutputValue"] for output in self.outputs if "ExportName" in output}

    def turn(self, status: str, reason: str | None = None) -> None:
        """The stack itself enters `status`."""
        with self.lock:
            self.status, self.reason = status, reason
            self._note(self.name, self.id, "AWS::CloudFormation::Stack", status, reason)

    def note(self, resource: Resource, status: str, reason: str | None = None) -> None:
        """A resource enters `status`."""
        with self.lock:
            resource.status, resource.reason, resource.changed_at = status, reason, datetime.now(UTC)
            self._note(resource.logical_id, resource.physical_id or "", resource.type, status, reason)

    def _note(self, logical_id: str, physical_id: str, kind: str, status: str, reason: str | None) -> None:
        self.events.append(Event(str(uuid.uuid4()), datetime.now(UTC), logical_id, physical_id, kind, status, reason))

    def scope(self, exports: Mapping[str, str]) -> Scope:
        """What the template's functions are worked out against, as things stand. Raises Invalid for wrong parameters."""
        values = parameters.bind(self.template, self.given, lambda name: self.looked_up.get(name, name))
        pseudo = {
            "AWS::AccountId": self.account_id,
            "AWS::NotificationARNs": self.notification_arns,
            "AWS::Partition": "aws",
            "AWS::Region": self.region,
            "AWS::StackId": self.id,
            "AWS::StackName": self.name,
            "AWS::URLSuffix": "amazonaws.com",
        }

        def made(name: str) -> Resource:
            resource = self.resources.get(name)
            if resource is None or resource.physical_id is None:
                raise Invalid(f"Unresolved resource dependencies [{name}] in the Resources block of the template")
            return resource

        def attribute(name: str, attribute_name: str) -> Any:
            resource = made(name)
            if attribute_name not in resource.attributes:
                raise Invalid(
                    f"Template error: resource {name} does not support attribute type {attribute_name} in Fn::GetAtt"
                )
            return resource.attributes[attribute_name]

        return Scope(
            {**values, **pseudo},
            self.template.get("Mappings") or {},
            self.template.get("Conditions") or {},
            lambda: exports,
            lambda name: made(name).physical_id,
            attribute,
        )

    def wanted(self, scope: Scope) -> dict[str, dict[str, Any]]:
        """The template's resources whose condition, if any, holds."""
        return {
            name: resource
            for name, resource in self.template["Resources"].items()
            if "Condition" not in resource or scope.holds(resource["Condition"])
        }

    def work_out_outputs(self, scope: Scope) -> list[dict[str, str]]:
        """The outputs as DescribeStacks lists them."""
        outputs = []
        for name, output in (self.template.get("Outputs") or {}).items():
            if "Condition" in output and not scope.holds(output["Condition"]):
                continue
            shown = {"OutputKey": name, "OutputValue": as_text(scope.resolve(output["Value"]))}
            if "Description" in output:
                shown["Description"] = str(output["Description"])
            if "Export" in output:
                shown["ExportName"] = as_text(scope.resolve(output["Export"]["Name"]))
            outputs.append(shown)
        return outputs
