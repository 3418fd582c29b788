"""CloudFormation's API on our own stacks (`labs.cloud.stacks`); moto only parses the requests and writes the answers.

What it cures in moto 5.2.5 (each cure has a test that fails once moto has it): an unsupported resource type is skipped and the stack
called complete; parameters are not validated; a failing resource leaves its error in the wrong wire format, a stack in progress for ever
and the earlier resources behind; capabilities are not asked for; an update without changes is carried out; change sets call everything
new; resources with a false condition are listed without a name.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from labs.cloud.context import Context
from labs.cloud.guard import is_loopback
from labs.cloud.services import core
from labs.cloud.stacks import parameters as parameter_values
from labs.cloud.stacks.registry import ChangeSet, Registry
from labs.cloud.stacks.stack import Resource, Stack
from labs.cloud.stacks.template import (
    MAX_BODY_BYTES,
    MAX_URL_BYTES,
    Invalid,
    attribute_references,
    capabilities_needed,
    check,
    order,
    parse,
    references,
)
from labs.cloud.stacks.types import all_types
from labs.cloud.stacks.types.base import Failed

PAGE = 100
BUSY = "Stack:{id} is in {status} state and can not be {verb}."


def install(context: Context) -> None:
    """Answer CloudFormation's operations from our stacks."""
    core.install(context)
    from moto.cloudformation.responses import CloudFormationResponse

    # moto turns its own objects' dictionaries into lists on the way out; ours are in the API's shape already
    transformers = CloudFormationResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER
    ours = ("DescribeChangeSetOutput.", "DescribeStacksOutput.")
    kept = {path: transform for path, transform in transformers.items() if not path.startswith(ours)}
    context.patch(CloudFormationResponse, "RESPONSE_KEY_PATH_TO_TRANSFORMER", kept)
    operations = Operations(context)
    context.on_close(operations.close)
    for name in OPERATIONS:
        method = getattr(operations, name)

        def answer(self: Any, method: Any = method) -> Any:
            from moto.core.responses import ActionResult

            return ActionResult(method(operations.registry(self.current_account, self.region), self._get_params()))

        context.patch(CloudFormationResponse, name, answer)
    for name in MOTOS_ALONE:
        context.patch(CloudFormationResponse, name, refuse)


def refuse(self: Any) -> Any:
    """moto would answer from stacks of its own, of which ours know nothing: stack sets, stack policies, stack instances."""
    raise NotImplementedError(self._get_action())


refuse.refuses = True  # type: ignore[attr-defined]
MOTOS_ALONE = (
    "create_stack_instances",
    "create_stack_set",
    "delete_stack_instances",
    "delete_stack_set",
    "describe_stack_instance",
    "describe_stack_set",
    "describe_stack_set_operation",
    "get_stack_policy",
    "list_stack_instances",
    "list_stack_set_operation_results",
    "list_stack_set_operations",
    "list_stack_sets",
    "set_stack_policy",
    "stop_stack_set_operation",
    "update_stack_instances",
    "update_stack_set",
)
"""Operations of moto's own CloudFormation that are not ours."""

OPERATIONS = (
    "create_change_set",
    "create_stack",
    "delete_change_set",
    "delete_stack",
    "describe_change_set",
    "describe_stack_events",
    "describe_stack_resource",
    "describe_stack_resources",
    "describe_stacks",
    "execute_change_set",
    "get_template",
    "get_template_summary",
    "list_change_sets",
    "list_exports",
    "list_imports",
    "list_stack_resources",
    "list_stacks",
    "update_stack",
    "update_termination_protection",
    "validate_template",
)

Params = Mapping[str, Any]
Answer = dict[str, Any]


class Operations:
    """One method an API operation: the registry and the request's parameters; the answer in the API's shape."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._registries: dict[tuple[str, str], Registry] = {}

    def registry(self, account_id: str, region: str) -> Registry:
        key = (account_id, region)
        if key not in self._registries:
            self._registries[key] = Registry(self._context.endpoint_url, region, account_id, self._context.faults)
        return self._registries[key]

    def close(self) -> None:
        for registry in self._registries.values():
            registry.close()

    # -- stacks

    def create_stack(self, registry: Registry, params: Params) -> Answer:
        name = params["StackName"]
        check_name(name)
        body, template = read_template(registry, params)
        given = given_parameters(params, {})
        check_parameters(registry, template, given)
        check_capabilities(template, params)
        if params.get("OnFailure") and params.get("DisableRollback") is not None:
            raise refused("ValidationError", "You can specify either DisableRollback or OnFailure, but not both.")
        on_failure = params.get("OnFailure") or ("DO_NOTHING" if params.get("DisableRollback") else "ROLLBACK")
        with registry.lock:
            if (there := registry.find(name)) is not None:
                if there.status != "REVIEW_IN_PROGRESS":
                    raise refused("AlreadyExistsException", f"Stack [{name}] already exists")
                del registry.stacks[there.id]
            stack = Stack(
                registry.new_id(name),
                name,
                registry.region,
                registry.account_id,
                body,
                template,
                given,
                tags=tags_of(params),
                capabilities=list(params.get("Capabilities") or []),
                notification_arns=list(params.get("NotificationARNs") or []),
                role_arn=params.get("RoleARN"),
                disable_rollback=on_failure == "DO_NOTHING",
                on_failure=on_failure,
                timeout_minutes=params.get("TimeoutInMinutes"),
                termination_protection=bool(params.get("EnableTerminationProtection")),
            )
            registry.create(stack)
        return {"StackId": stack.id}

    def update_stack(self, registry: Registry, params: Params) -> Answer:
        stack = find(registry, params["StackName"], lacking="ValidationError")
        body, template = self._new_template(registry, stack, params)
        given = given_parameters(params, stack.given, template)
        check_parameters(registry, template, given)
        check_capabilities(template, params)
        tags = tags_of(params) if params.get("Tags") else None
        with stack.lock:
            must_be_updatable(stack)
            same = (template, given) == (stack.template, stack.given) and (tags is None or tags == stack.tags)
            if same and registry.look_up(template, given) == stack.looked_up:
                raise refused("ValidationError", "No updates are to be performed.")
            registry.update(stack, body, template, given, tags)
        return {"StackId": stack.id}

    def delete_stack(self, registry: Registry, params: Params) -> Answer:
        stack = registry.find(params["StackName"])
        if stack is None or stack.status == "DELETE_COMPLETE":
            return {}
        with stack.lock:
            if stack.termination_protection:
                raise refused(
                    "ValidationError", f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
                )
            if stack.status == "DELETE_IN_PROGRESS":
                return {}
            if stack.busy and stack.status != "CREATE_IN_PROGRESS":
                raise refused("ValidationError", BUSY.format(id=stack.id, status=stack.status, verb="deleted"))
            retain = frozenset(params.get("RetainResources") or ())
            if retain and stack.status != "DELETE_FAILED":
                raise refused(
                    "ValidationError",
                    f"Invalid operation on stack [{stack.name}]. RetainResources is only valid for stacks in DELETE_FAILED",
                )
            registry.delete(stack, retain)
        return {}

    def describe_stacks(self, registry: Registry, params: Params) -> Answer:
        if wanted := params.get("StackName"):
            return {"Stacks": [described(find(registry, wanted))]}
        living = [stack for stack in registry.stacks.values() if stack.status != "DELETE_COMPLETE"]
        page, token = paged(living[::-1], params)
        return with_token({"Stacks": [described(stack) for stack in page]}, token)

    def list_stacks(self, registry: Registry, params: Params) -> Answer:
        statuses = params.get("StackStatusFilter") or []
        stacks = [stack for stack in registry.stacks.values() if not statuses or stack.status in statuses]
        page, token = paged(stacks[::-1], params)
        return with_token({"StackSummaries": [summarised(stack) for stack in page]}, token)

    def update_termination_protection(self, registry: Registry, params: Params) -> Answer:
        stack = find(registry, params["StackName"])
        stack.termination_protection = bool(params["EnableTerminationProtection"])
        return {"StackId": stack.id}

    # -- what is in a stack

    def describe_stack_events(self, registry: Registry, params: Params) -> Answer:
        stack = find(registry, params.get("StackName") or "")
        page, token = paged(list(reversed(stack.events)), params)
        events = [
            {
                "StackId": stack.id,
                "EventId": event.id,
                "StackName": stack.name,
                "LogicalResourceId": event.logical_id,
                "PhysicalResourceId": event.physical_id,
                "ResourceType": event.type,
                "Timestamp": event.at,
                "ResourceStatus": event.status,
                "ResourceStatusReason": event.reason,
            }
            for event in page
        ]
        return with_token({"StackEvents": events}, token)

    def describe_stack_resource(self, registry: Registry, params: Params) -> Answer:
        stack = find(registry, params["StackName"])
        resource = stack.resources.get(params["LogicalResourceId"])
        if resource is None:
            raise refused(
                "ValidationError", f"Resource {params['LogicalResourceId']} does not exist for stack {stack.name}"
            )
        detail = shown(resource, "LastUpdatedTimestamp") | {"StackId": stack.id, "StackName": stack.name}
        return {"StackResourceDetail": detail}

    def describe_stack_resources(self, registry: Registry, params: Params) -> Answer:
        if physical_id := params.get("PhysicalResourceId"):
            stack = next(
                (
                    s
                    for s in registry.stacks.values()
                    if any(r.physical_id == physical_id for r in s.resources.values())
                ),
                None,
            )
            if stack is None:
                raise refused("ValidationError", f"Stack for {physical_id} does not exist")
        else:
            stack = find(registry, params.get("StackName") or "")
        wanted = params.get("LogicalResourceId")
        return {
            "StackResources": [
                shown(resource, "Timestamp") | {"StackId": stack.id, "StackName": stack.name}
                for name, resource in stack.resources.items()
                if wanted in (None, name)
            ]
        }

    def list_stack_resources(self, registry: Registry, params: Params) -> Answer:
        stack = find(registry, params["StackName"])
        page, token = paged(list(stack.resources.values()), params)
        return with_token(
            {"StackResourceSummaries": [shown(resource, "LastUpdatedTimestamp") for resource in page]}, token
        )

    def list_exports(self, registry: Registry, params: Params) -> Answer:
        exports = [
            {"ExportingStackId": stack.id, "Name": name, "Value": value}
            for stack in registry.stacks.values()
            if stack.status != "DELETE_COMPLETE"
            for name, value in stack.exports.items()
        ]
        page, token = paged(exports, params)
        return with_token({"Exports": page}, token)

    def list_imports(self, registry: Registry, params: Params) -> Answer:
        importers = registry.importers(params["ExportName"])
        if not importers:
            raise refused("ValidationError", f"Export '{params['ExportName']}' is not imported by any stack.")
        return {"Imports": importers}

    # -- templates

    def get_template(self, registry: Registry, params: Params) -> Answer:
        if params.get("ChangeSetName"):
            body = find_change_set(registry, params).body
        elif params.get("StackName"):
            body = find(registry, params["StackName"]).body
        else:
            raise refused("ValidationError", "Either StackName or ChangeSetName must be specified.")
        return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}

    def validate_template(self, registry: Registry, params: Params) -> Answer:
        _, template = read_template(registry, params)
        needed = capabilities_needed(template)
        answer = {
            "Parameters": declared_parameters(template, "DefaultValue"),
            "Capabilities": needed,
            "DeclaredTransforms": [],
        }
        if needed:
            answer["CapabilitiesReason"] = (
                f"The following resource(s) require capabilities: [{', '.join(iam_types(template))}]"
            )
        return answer | ({"Description": template["Description"]} if "Description" in template else {})

    def get_template_summary(self, registry: Registry, params: Params) -> Answer:
        if name := params.get("StackName"):
            template = find(registry, name).template
        else:
            _, template = read_template(registry, params)
        needed = capabilities_needed(template)
        parameters = []
        for slot in declared_parameters(template, "DefaultValue"):
            declared = template["Parameters"][slot["ParameterKey"]]
            allowed = [parameter_values.plain(value) for value in declared.get("AllowedValues", [])]
            parameters.append(
                {
                    **slot,
                    "ParameterType": declared.get("Type", "String"),
                    "ParameterConstraints": {"AllowedValues": allowed},
                }
            )
        answer = {
            "Parameters": parameters,
            "Capabilities": needed,
            "ResourceTypes": sorted({resource["Type"] for resource in template["Resources"].values()}),
            "Version": str(template.get("AWSTemplateFormatVersion", "2010-09-09")),
            "DeclaredTransforms": [],
        }
        if needed:
            answer["CapabilitiesReason"] = (
                f"The following resource(s) require capabilities: [{', '.join(iam_types(template))}]"
            )
        return answer | ({"Description": template["Description"]} if "Description" in template else {})

    # -- change sets

    def create_change_set(self, registry: Registry, params: Params) -> Answer:
        name, kind = params["ChangeSetName"], params.get("ChangeSetType") or "UPDATE"
        if not re.fullmatch(r"[a-zA-Z][-a-zA-Z0-9]{0,127}", name):
            raise refused(
                "ValidationError",
                f"1 validation error detected: Value '{name}' at 'changeSetName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
            )
        stack = registry.find(params["StackName"])
        if kind == "CREATE":
            check_name(params["StackName"])
            if stack is not None and stack.status != "REVIEW_IN_PROGRESS":
                raise refused(
                    "ValidationError",
                    f"Stack [{stack.name}] already exists and cannot be created again with the changeSet [{name}].",
                )
            body, template = read_template(registry, params)
            given = given_parameters(params, {})
            if stack is None:
                stack = Stack(
                    registry.new_id(params["StackName"]),
                    params["StackName"],
                    registry.region,
                    registry.account_id,
                    "",
                    {"Resources": {}},
                    {},
                )
                registry.stacks[stack.id] = stack
                stack.turn("REVIEW_IN_PROGRESS", "User Initiated")
        else:
            stack = find(registry, params["StackName"], lacking="ValidationError")
            must_be_updatable(stack)
            body, template = self._new_template(registry, stack, params)
            given = given_parameters(params, stack.given, template)
        check_parameters(registry, template, given)
        check_capabilities(template, params)
        if any(cs.stack is stack and cs.name == name for cs in registry.change_sets.values()):
            raise refused(
                "AlreadyExistsException",
                f"ChangeSet {name} cannot be created due to a mismatch with existing attribute Template",
            )
        import uuid

        change_set = ChangeSet(
            f"arn:aws:cloudformation:{registry.region}:{registry.account_id}:changeSet/{name}/{uuid.uuid4()}",
            name,
            stack,
            kind,
            body,
            template,
            given,
            tags_of(params) or stack.tags,
            list(params.get("Capabilities") or []),
            params.get("Description"),
            changes(registry, stack, template, given),
        )
        if not change_set.changes:
            change_set.status, change_set.execution = "FAILED", "UNAVAILABLE"
            change_set.reason = (
                "The submitted information didn't contain changes. Submit different information to create a change set."
            )
        registry.change_sets[change_set.id] = change_set
        return {"Id": change_set.id, "StackId": stack.id}

    def describe_change_set(self, registry: Registry, params: Params) -> Answer:
        change_set = find_change_set(registry, params)
        return summarised_change_set(change_set) | {
            "Parameters": parameter_values.shown(
                change_set.template, parameter_values.bind(change_set.template, change_set.given)
            ),
            "Capabilities": change_set.capabilities,
            "Tags": [{"Key": key, "Value": value} for key, value in change_set.tags.items()],
            "Changes": [{"Type": "Resource", "ResourceChange": change} for change in change_set.changes],
        }

    def list_change_sets(self, registry: Registry, params: Params) -> Answer:
        stack = find(registry, params["StackName"])
        return {"Summaries": [summarised_change_set(cs) for cs in registry.change_sets.values() if cs.stack is stack]}

    def delete_change_set(self, registry: Registry, params: Params) -> Answer:
        change_set = find_change_set(registry, params)
        del registry.change_sets[change_set.id]
        return {}

    def execute_change_set(self, registry: Registry, params: Params) -> Answer:
        change_set = find_change_set(registry, params)
        stack = change_set.stack
        if change_set.execution != "AVAILABLE":
            raise refused(
                "InvalidChangeSetStatus",
                f"ChangeSet [{change_set.id}] cannot be executed in its current status of [{change_set.status}]",
            )
        change_set.execution = "EXECUTE_COMPLETE"
        with stack.lock:
            if change_set.kind == "CREATE":
                stack.body, stack.template, stack.given, stack.tags = (
                    change_set.body,
                    change_set.template,
                    change_set.given,
                    change_set.tags,
                )
                registry.create(stack)
            else:
                must_be_updatable(stack)
                registry.update(stack, change_set.body, change_set.template, change_set.given, change_set.tags)
        for other in [cs for cs in registry.change_sets.values() if cs.stack is stack and cs is not change_set]:
            del registry.change_sets[other.id]
        return {}

    def _new_template(self, registry: Registry, stack: Stack, params: Params) -> tuple[str, dict[str, Any]]:
        if params.get("UsePreviousTemplate"):
            if params.get("TemplateBody") or params.get("TemplateURL"):
                raise refused(
                    "ValidationError", "You cannot specify both usePreviousTemplate and Template Body/Template URL."
                )
            return stack.body, stack.template
        return read_template(registry, params)


# -- refusing


def refused(code: str, message: str) -> Exception:
    from moto.cloudformation.exceptions import CloudFormationError

    return CloudFormationError(code, message)


def check_name(name: str) -> None:
    if not re.fullmatch(r"[a-zA-Z][-a-zA-Z0-9]{0,127}", name):
        raise refused(
            "ValidationError",
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
        )


def check_parameters(registry: Registry, template: dict[str, Any], given: dict[str, str]) -> None:
    try:
        registry.look_up(template, given)
    except Invalid as wrong:
        raise refused("ValidationError", str(wrong)) from None


def check_capabilities(template: dict[str, Any], params: Params) -> None:
    needed, given = capabilities_needed(template), set(params.get("Capabilities") or [])
    satisfied = {
        "CAPABILITY_IAM": {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"},
        "CAPABILITY_NAMED_IAM": {"CAPABILITY_NAMED_IAM"},
    }
    for capability in needed:
        if not given & satisfied[capability]:
            raise refused("InsufficientCapabilitiesException", f"Requires capabilities : [{capability}]")


def must_be_updatable(stack: Stack) -> None:
    if stack.busy or stack.status in (
        "ROLLBACK_COMPLETE",
        "CREATE_FAILED",
        "ROLLBACK_FAILED",
        "DELETE_FAILED",
        "REVIEW_IN_PROGRESS",
    ):
        raise refused("ValidationError", BUSY.format(id=stack.id, status=stack.status, verb="updated"))


def find(registry: Registry, name_or_id: str, lacking: str = "ValidationError") -> Stack:
    stack = registry.find(name_or_id)
    if stack is None:
        raise refused(lacking, f"Stack with id {name_or_id} does not exist")
    return stack


def find_change_set(registry: Registry, params: Params) -> ChangeSet:
    wanted, stack = params["ChangeSetName"], params.get("StackName")
    for change_set in registry.change_sets.values():
        if wanted == change_set.id or (
            wanted == change_set.name and stack in (change_set.stack.name, change_set.stack.id)
        ):
            return change_set
    raise refused("ChangeSetNotFound", f"ChangeSet [{wanted}] does not exist")


# -- reading requests


def read_template(registry: Registry, params: Params) -> tuple[str, dict[str, Any]]:
    """The template of a request, read and checked."""
    body = params.get("TemplateBody")
    longest = MAX_BODY_BYTES
    if url := params.get("TemplateURL"):
        longest = MAX_URL_BYTES
        try:
            body = registry.fetch(*bucket_and_key(url))
        except Failed as failed:
            raise refused("ValidationError", f"S3 error: {failed}") from None
    if not body:
        raise refused("ValidationError", "Either Template URL or Template Body must be specified.")
    try:
        template = parse(body, longest)
        check(template, all_types().keys())
    except Invalid as wrong:
        raise refused("ValidationError", str(wrong)) from None
    return body, template


def bucket_and_key(url: str) -> tuple[str, str]:
    """Where a template's address points, in either of S3's two forms."""
    parts = urlsplit(url)
    host, path = parts.hostname or "", unquote(parts.path.lstrip("/"))
    if host.startswith("s3") or is_loopback(host):
        bucket, _, key = path.partition("/")
    else:
        bucket, key = host.split(".s3")[0], path
    if not bucket or not key:
        raise refused("ValidationError", "TemplateURL must be a supported URL.")
    return bucket, key


def given_parameters(
    params: Params, previous: Mapping[str, str], template: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """The request's parameters; those that keep their previous value looked up."""
    given = {}
    for parameter in params.get("Parameters") or []:
        key = parameter["ParameterKey"]
        if parameter.get("UsePreviousValue"):
            if key in previous:
                given[key] = previous[key]
            elif template is None or key not in (template.get("Parameters") or {}):
                raise refused("ValidationError", f"Parameters: [{key}] must have values")
        else:
            given[key] = parameter.get("ParameterValue") or ""
    return given


def tags_of(params: Params) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in params.get("Tags") or []}


def paged(items: list[Any], params: Params) -> tuple[list[Any], str | None]:
    token = str(params.get("NextToken") or 0)
    if not token.isascii() or not token.isdecimal():
        raise refused("ValidationError", "The NextToken is not one that this operation gave.")
    start = int(token)
    return items[start : start + PAGE], str(start + PAGE) if len(items) > start + PAGE else None


def with_token(answer: Answer, token: str | None) -> Answer:
    return answer | ({"NextToken": token} if token else {})


# -- writing answers


def described(stack: Stack) -> Answer:
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": stack.template.get("Description"),
        "Parameters": parameter_values.shown(stack.template, parameter_values.bind(stack.template, stack.given))
        if stack.template["Resources"]
        else [],
        "CreationTime": stack.created_at,
        "LastUpdatedTime": stack.updated_at,
        "DeletionTime": stack.deleted_at,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "DisableRollback": stack.disable_rollback,
        "NotificationARNs": stack.notification_arns,
        "TimeoutInMinutes": stack.timeout_minutes,
        "Capabilities": stack.capabilities,
        "Outputs": stack.outputs,
        "RoleARN": stack.role_arn,
        "Tags": [{"Key": key, "Value": value} for key, value in stack.tags.items()],
        "EnableTerminationProtection": stack.termination_protection,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
    }


def summarised(stack: Stack) -> Answer:
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "TemplateDescription": stack.template.get("Description"),
        "CreationTime": stack.created_at,
        "LastUpdatedTime": stack.updated_at,
        "DeletionTime": stack.deleted_at,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
    }


def shown(resource: Resource, time_name: str) -> Answer:
    return {
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        time_name: resource.changed_at,
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason,
    }


def summarised_change_set(change_set: ChangeSet) -> Answer:
    return {
        "ChangeSetId": change_set.id,
        "ChangeSetName": change_set.name,
        "StackId": change_set.stack.id,
        "StackName": change_set.stack.name,
        "Description": change_set.description,
        "CreationTime": change_set.created_at,
        "ExecutionStatus": change_set.execution,
        "Status": change_set.status,
        "StatusReason": change_set.reason,
    }


def declared_parameters(template: Mapping[str, Any], default_name: str) -> list[dict[str, Any]]:
    declared = []
    for name, slot in (template.get("Parameters") or {}).items():
        shown_slot = {"ParameterKey": name, "NoEcho": parameter_values.plain(slot.get("NoEcho", False)) == "true"}
        if "Default" in slot:
            shown_slot[default_name] = parameter_values.plain(slot["Default"])
        if "Description" in slot:
            shown_slot["Description"] = slot["Description"]
        declared.append(shown_slot)
    return declared


def iam_types(template: Mapping[str, Any]) -> list[str]:
    return sorted(
        {resource["Type"] for resource in template["Resources"].values() if resource["Type"].startswith("AWS::IAM::")}
    )


def changes(registry: Registry, stack: Stack, template: dict[str, Any], given: dict[str, str]) -> list[dict[str, Any]]:
    """What would be added, changed, replaced or removed."""
    from dataclasses import replace

    future = replace(stack, template=template, given=given, looked_up=registry.look_up(template, given))
    scope = future.scope(registry.exports(without=stack))
    wanted = future.wanted(scope)
    listed: list[dict[str, Any]] = []
    replaced: set[str] = set()
    """Those that will be new, so that whatever refers to them changes too."""
    for name in order(wanted):
        declared, resource = wanted[name], stack.resources.get(name)
        change = {"LogicalResourceId": name, "ResourceType": declared["Type"]}
        if resource is None:
            listed.append({"Action": "Add", **change})
            replaced.add(name)
            continue
        kind = all_types()[declared["Type"]]
        try:
            properties = scope.resolve(declared.get("Properties") or {})
            changed = {
                key
                for key in {*properties, *resource.properties}
                if properties.get(key) != resource.properties.get(key)
            }
        except Invalid:  # it hangs on something that is yet to be made
            changed = {key for key, value in (declared.get("Properties") or {}).items() if value is not None}
        changed |= {
            key
            for key, value in (declared.get("Properties") or {}).items()
            if references(value) & replaced or attribute_references(value) & replaced
        }
        if changed:
            replacing = bool(changed & kind.replacing) or declared["Type"] != resource.type
            if replacing:
                replaced.add(name)
            listed.append(
                {
                    "Action": "Modify",
                    **change,
                    "PhysicalResourceId": resource.physical_id,
                    "Replacement": "True" if replacing else "False",
                    "Scope": ["Properties"],
                    "Details": [
                        {"Target": {"Attribute": "Properties", "Name": key}, "ChangeSource": "DirectModification"}
                        for key in sorted(changed)
                    ],
                }
            )
    for name, resource in stack.resources.items():
        if name not in wanted:
            listed.append(
                {
                    "Action": "Remove",
                    "LogicalResourceId": name,
                    "ResourceType": resource.type,
                    "PhysicalResourceId": resource.physical_id,
                }
            )
    return listed
