"""CloudFormation stacks of ours: create one whole or not at all, list them, delete one and look for what is left."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

from labs.cloud import Cloud
from labs.errors import FALSE, Refusal
from labs.targets import ledger, leftovers, removing, tagged
from labs.targets.leftovers import Leftover, Resource

PROJECT = tagged.PROJECT
PATIENCE_S = 1_800.0
DELETE_ATTEMPTS = 3
"""What was in use or written to a moment ago goes the second time."""
_IN_PROGRESS = "_IN_PROGRESS"


def _say_nothing(status: str) -> None: ...


@dataclass(frozen=True)
class Stack:
    """A stack of ours as it is now."""

    name: str
    status: str
    created_at: datetime
    expires_at: str
    outputs: Mapping[str, str]
    reason: str = ""


def tags(hours: float) -> dict[str, str]:
    """What every resource of ours carries: whose it is, and when it may go."""
    expires_at = datetime.now(UTC) + timedelta(hours=hours)
    return {"Project": PROJECT, "Expires": expires_at.strftime("%Y-%m-%dT%H:%MZ")}


def find(name: str) -> Stack | None:
    """The stack of this name, or None."""
    try:
        described = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as refused:
        if "does not exist" in str(refused):
            return None
        raise
    return next((_stack(entry) for entry in described if entry["StackStatus"] != "DELETE_COMPLETE"), None)


def listed(cloud: Cloud) -> list[Stack]:
    """Every stack of ours, by tag and by ledger: also one that failed, or that a killed process left half made."""
    pages = boto3.client("cloudformation").get_paginator("describe_stacks").paginate()
    found = {
        entry["StackName"]: _stack(entry)
        for page in pages
        for entry in page["Stacks"]
        if _tags(entry).get("Project") == PROJECT and entry["StackStatus"] != "DELETE_COMPLETE"
    }
    for entry in ledger.entries(cloud, "stack"):
        if entry.name not in found and (stack := find(entry.name)) is not None:
            found[entry.name] = stack
    return sorted(found.values(), key=lambda stack: stack.created_at)


def create(
    cloud: Cloud,
    name: str,
    template: str,
    parameters: Mapping[str, str],
    *,
    hours: float = 24,
    target: str = "",
    tell: Callable[[str], object] = _say_nothing,
) -> Stack:
    """Create a stack and wait until it is up. Raises Refusal with the reason when it cannot be; then nothing of it is left."""
    if (there := find(name)) is not None:
        raise Refusal(name_is_taken(name, there.status), FALSE)
    marks = tags(hours)
    entry = ledger.Entry(
        kind="stack",
        name=name,
        account_id=cloud.account_id,
        region=cloud.region,
        real=cloud.real,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        expires_at=marks["Expires"],
        deployment=name,
        target=target,
    )
    ledger.enter(entry)
    client = boto3.client("cloudformation")
    try:
        stack_id = client.create_stack(
            StackName=name,
            TemplateBody=template,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM"],
            Tags=[{"Key": key, "Value": value} for key, value in marks.items()],
        )["StackId"]
    except ClientError as refused:
        if refused.response["Error"]["Code"] == "AlreadyExistsException":
            raise Refusal(name_is_taken(name, "just now being created"), FALSE) from refused
        if find(name) is None:
            ledger.strike(cloud, "stack", name)
            raise Refusal(
                f"the template of '{name}' was refused: {_message(refused)}; nothing was created", FALSE
            ) from refused
        raise
    status = _wait(stack_id, tell)
    if status == "CREATE_COMPLETE":
        stack = find(name)
        assert stack is not None
        return stack
    reason = _first_failure(stack_id) or status
    left = delete(cloud, name, tell)
    rest = f"left behind: {', '.join(map(str, left))}" if left else "everything it had begun was removed"
    raise Refusal(f"stack '{name}' could not be created: {reason}; {rest}", FALSE)


def delete(cloud: Cloud, name: str, tell: Callable[[str], object] = _say_nothing) -> list[Leftover]:
    """Delete the stack, if it is there; then look for each resource that it had. Returns what is still there."""
    client = boto3.client("cloudformation")
    stack = find(name)
    if stack is None:
        ledger.strike(cloud, "stack", name)
        return []
    resources = list(_resources(name))
    buckets = [each.physical_id for each in resources if each.type == "AWS::S3::Bucket"]
    stack_id = client.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    for attempt in range(DELETE_ATTEMPTS):
        for bucket in buckets:  # CloudFormation deletes none that holds something
            removing.empty_bucket(bucket)
        client.delete_stack(StackName=name)
        status = _wait(stack_id, tell)
        if status in ("DELETE_COMPLETE", "GONE"):
            break
        tell(f"{status}: attempt {attempt + 2} of {DELETE_ATTEMPTS}")
    if status not in ("DELETE_COMPLETE", "GONE"):
        reason = _first_failure(stack_id, "DELETE_FAILED") or status
        raise Refusal(
            f"stack '{name}' could not be deleted: {reason}; set that right and run 'lab teardown {name}' again", FALSE
        )
    leftovers.sweep(resources)
    left = leftovers.look(resources)
    if not left:
        ledger.strike(cloud, "stack", name)
    return left


def name_is_taken(name: str, status: str) -> str:
    """The sentence for a second stack of one name."""
    return f"a stack named '{name}' exists ({status}); choose another --name, or 'lab teardown {name}' first"


def _wait(stack_id: str, tell: Callable[[str], object]) -> str:
    """Poll until the stack rests; its final status, or "GONE"."""
    client = boto3.client("cloudformation")
    deadline, pause_s = time.monotonic() + PATIENCE_S, 0.1
    while True:
        try:
            status: str = client.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"]
        except ClientError as refused:
            if "does not exist" in str(refused):
                return "GONE"
            raise
        except IndexError:
            return "GONE"
        tell(status)
        if not status.endswith(_IN_PROGRESS):
            return status
        if time.monotonic() > deadline:
            raise Refusal(
                f"stack {stack_id} is still {status} after {PATIENCE_S / 60:.0f} minutes; 'lab list' shows how it goes on",
                FALSE,
            )
        time.sleep(pause_s)
        pause_s = min(5.0, pause_s * 1.5)


def _first_failure(stack_id: str, status: str = "CREATE_FAILED") -> str:
    """The reason of the earliest failed resource: the later ones were only cancelled because of it."""
    events = boto3.client("cloudformation").describe_stack_events(StackName=stack_id)["StackEvents"]
    failed = [event for event in events if event.get("ResourceStatus") == status and event.get("ResourceStatusReason")]
    if not failed:
        return ""
    event = failed[-1]
    return (
        f"{event.get('LogicalResourceId')} ({event.get('ResourceType')}): {event['ResourceStatusReason'].rstrip('.')}"
    )


def _resources(name: str) -> Iterator[Resource]:
    pages = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    for page in pages:
        for entry in page["StackResourceSummaries"]:
            if physical_id := entry.get("PhysicalResourceId"):
                yield Resource(entry["ResourceType"], physical_id)


def _stack(entry: Any) -> Stack:
    return Stack(
        name=entry["StackName"],
        status=entry["StackStatus"],
        created_at=entry["CreationTime"],
        expires_at=_tags(entry).get("Expires", ""),
        outputs={output["OutputKey"]: output["OutputValue"] for output in entry.get("Outputs", [])},
        reason=entry.get("StackStatusReason", ""),
    )


def _tags(entry: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in entry.get("Tags", [])}


def _message(refused: ClientError) -> str:
    return str(refused.response["Error"].get("Message") or refused).rstrip(".")
