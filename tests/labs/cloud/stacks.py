"""CloudFormation for tests: short ways to make a stack, wait for it and look into it."""

import json
import uuid
from typing import Any

from tests.labs.cloud.kit import Aws, until


class Stacks:
    """CloudFormation with short ways to wait."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.api = aws.cloudformation
        self.ids: list[str] = []

    def start(self, template: Any, name: str | None = None, **settings: Any) -> str:
        """Begin to create a stack; its id."""
        body = template if isinstance(template, str) else json.dumps(template)
        name = name or f"stack-{uuid.uuid4().hex[:8]}"
        stack_id: str = self.api.create_stack(StackName=name, TemplateBody=body, **settings)["StackId"]
        self.ids.append(stack_id)
        return stack_id

    def create(self, template: Any, **settings: Any) -> str:
        stack_id = self.start(template, **settings)
        self.settled(stack_id)
        return stack_id

    def update(self, stack_id: str, template: Any, **settings: Any) -> dict[str, Any]:
        self.api.update_stack(StackName=stack_id, TemplateBody=json.dumps(template), **settings)
        return self.settled(stack_id)

    def delete(self, stack_id: str) -> dict[str, Any]:
        self.api.delete_stack(StackName=stack_id)
        return self.settled(stack_id)

    def described(self, stack_id: str) -> dict[str, Any]:
        stack: dict[str, Any] = self.api.describe_stacks(StackName=stack_id)["Stacks"][0]
        return stack

    def settled(self, stack_id: str) -> dict[str, Any]:
        until(lambda: not self.described(stack_id)["StackStatus"].endswith("_IN_PROGRESS"), seconds=100)
        return self.described(stack_id)

    def status(self, stack_id: str) -> str:
        status: str = self.described(stack_id)["StackStatus"]
        return status

    def resources(self, stack_id: str) -> dict[str, dict[str, Any]]:
        listed = self.api.describe_stack_resources(StackName=stack_id)["StackResources"]
        return {resource["LogicalResourceId"]: resource for resource in listed}

    def events(self, stack_id: str) -> list[tuple[str, str, str]]:
        """Oldest first: what, its status, why."""
        listed = self.api.describe_stack_events(StackName=stack_id)["StackEvents"]
        return [
            (event["LogicalResourceId"], event["ResourceStatus"], event.get("ResourceStatusReason") or "")
            for event in reversed(listed)
        ]

    def tidy(self) -> None:
        """Delete whatever is left of what was made here."""
        for stack_id in reversed(self.ids):
            if self.status(stack_id) != "DELETE_COMPLETE":
                self.settled(stack_id)
                self.delete(stack_id)
