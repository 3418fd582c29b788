"""All stacks of one local cloud: finding them, and starting work on them."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from labs.cloud.stacks import parameters
from labs.cloud.stacks.deployment import Deployment, Stopped, as_it_was
from labs.cloud.stacks.stack import Stack
from labs.cloud.stacks.template import Invalid
from labs.cloud.stacks.types.base import Caller, Failed, is_missing


@dataclass
class ChangeSet:
    """A stack that could be: what an update, or a creation, would do."""

    id: str
    name: str
    stack: Stack
    kind: str
    body: str
    template: dict[str, Any]
    given: dict[str, str]
    tags: dict[str, str]
    capabilities: list[str]
    description: str | None
    changes: list[dict[str, Any]]
    status: str = "CREATE_COMPLETE"
    reason: str | None = None
    execution: str = "AVAILABLE"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Registry:
    """The stacks of one account and region."""

    def __init__(self, endpoint_url: str | None, region: str, account_id: str, faults: Any = None) -> None:
        self._call = Caller(endpoint_url, region, faults)
        self.region = region
        self.account_id = account_id
        self.lock = threading.RLock()
        self.stacks: dict[str, Stack] = {}
        """By id, the deleted ones too."""
        self.change_sets: dict[str, ChangeSet] = {}
        self._stopping = threading.Event()

    def close(self) -> None:
        self._stopping.set()

    def fetch(self, bucket: str, key: str) -> str:
        """A template that lies in S3. Raises Failed."""
        text: str = self._call("s3", "GetObject", Bucket=bucket, Key=key)["Body"].read().decode()
        return text

    def look_up(self, template: dict[str, Any], given: dict[str, str]) -> dict[str, str]:
        """What the template's parameters of Systems Manager stand for now. Raises Invalid for one that is not there."""
        found: dict[str, str] = {}

        def ask(name: str) -> str:
            try:
                found[name] = str(self._call("ssm", "GetParameter", Name=name)["Parameter"]["Value"])
            except Failed as failed:
                if not is_missing(failed):
                    raise Invalid(str(failed)) from None
                raise Invalid(f"Unable to fetch parameters [{name}] from parameter store for this account.") from None
            return found[name]

        parameters.bind(template, given, ask)
        return found

    def find(self, name_or_id: str) -> Stack | None:
        """By id, or by the name of a stack that is not deleted."""
        if name_or_id in self.stacks:
            return self.stacks[name_or_id]
        return next((s for s in self.stacks.values() if s.name == name_or_id and s.status != "DELETE_COMPLETE"), None)

    def new_id(self, name: str) -> str:
        return f"arn:aws:cloudformation:{self.region}:{self.account_id}:stack/{name}/{uuid.uuid4()}"

    def exports(self, without: Stack | None = None) -> dict[str, str]:
        """What all stacks export, or all but one."""
        return {
            name: value for stack in self._living() if stack is not without for name, value in stack.exports.items()
        }

    def importers(self, export: str) -> list[str]:
        """The stacks whose template imports `export` by a plain name."""
        return [s.name for s in self._living() if f'"Fn::ImportValue": "{export}"' in str(s.template).replace("'", '"')]

    def create(self, stack: Stack) -> None:
        stack.looked_up = self.look_up(stack.template, stack.given)
        with self.lock:
            self.stacks[stack.id] = stack
            stack.turn("CREATE_IN_PROGRESS", "User Initiated")
        self._start(stack, lambda deployment: deployment.create())

    def update(
        self, stack: Stack, body: str, template: dict[str, Any], given: dict[str, str], tags: dict[str, str] | None
    ) -> None:
        looked_up = self.look_up(template, given)
        with stack.lock:
            before = as_it_was(stack)
            stack.looked_up = looked_up
            stack.body, stack.template, stack.given = body, template, given
            stack.tags = stack.tags if tags is None else tags
            stack.updated_at = datetime.now(UTC)
            stack.turn("UPDATE_IN_PROGRESS", "User Initiated")
        self._start(stack, lambda deployment: deployment.update(before))

    def delete(self, stack: Stack, retain: frozenset[str]) -> None:
        with stack.lock:
            for name in stack.exports:
                if importers := [s for s in self.importers(name) if s != stack.name]:
                    stack.turn("DELETE_IN_PROGRESS", "User Initiated")
                    stack.turn(
                        "DELETE_FAILED", f"Cannot delete export {name} as it is in use by {' and '.join(importers)}."
                    )
                    return
            stack.deleted_at = datetime.now(UTC)
            stack.turn("DELETE_IN_PROGRESS", "User Initiated")
        self._start(stack, lambda deployment: deployment.delete(retain))

    def _living(self) -> list[Stack]:
        return [stack for stack in list(self.stacks.values()) if stack.status != "DELETE_COMPLETE"]

    def _start(self, stack: Stack, work: Callable[[Deployment], None]) -> None:
        """Do `work` in the background; where there are no threads (a browser), now."""
        deployment = Deployment(stack, self._call, lambda: self.exports(without=stack), self._pause)

        def run() -> None:
            try:
                with stack.working:
                    work(deployment)
            except Stopped:
                return
            except Exception as broken:
                failed = stack.status.replace("_IN_PROGRESS", "_FAILED")
                stack.turn(failed, f"Internal failure of the local cloud: {broken!r}")
                if not isinstance(broken, Invalid):
                    raise

        try:
            threading.Thread(target=run, name=f"stack-{stack.name}", daemon=True).start()
        except RuntimeError:
            run()

    def _pause(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise Stopped
