"""Reading a template, and refusing a wrong one with CloudFormation's own sentences before anything is made.

template = parse(text)
check(template, known_types)
[["Queue", "Table"], ["Function"], ...] == order(template["Resources"])
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import yaml

from labs.cloud.stacks import schema

MAX_BODY_BYTES = 51_200
"""Of a template in the request itself."""
MAX_URL_BYTES = 1_000_000
"""Of one that lies in S3."""
SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Hooks",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
        "Rules",
        "Transform",
    }
)
RESOURCE_ATTRIBUTES = frozenset(
    {
        "Condition",
        "CreationPolicy",
        "DeletionPolicy",
        "DependsOn",
        "Metadata",
        "Properties",
        "Type",
        "UpdatePolicy",
        "UpdateReplacePolicy",
    }
)
PSEUDO_PARAMETERS = frozenset(
    f"AWS::{name}"
    for name in ("AccountId", "NotificationARNs", "NoValue", "Partition", "Region", "StackId", "StackName", "URLSuffix")
)
NAMED_IAM = {
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
}
"""IAM resources that a template can give a name of its own, which needs CAPABILITY_NAMED_IAM."""
IAM = frozenset({*NAMED_IAM, "AWS::IAM::Policy", "AWS::IAM::AccessKey", "AWS::IAM::UserToGroupAddition"})


class Invalid(ValueError):  # noqa: N818 - CloudFormation's ValidationError
    """The template, or a parameter, is refused; the message is CloudFormation's."""


# -- reading


class _Loader(yaml.SafeLoader):
    """YAML as CloudFormation reads it: dates are text, and short tags stand for functions."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _short_tag(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> Any:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if tag == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _short_tag)


def parse(text: str, longest: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """A template from its text, JSON or YAML. Raises Invalid."""
    if len(text.encode()) > longest:
        raise Invalid(
            f"1 validation error detected: Value '{text[:60]}...' at 'templateBody' failed to satisfy constraint: "
            f"Member must have length less than or equal to {longest}"
        )
    try:
        template = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, Loader=_Loader)
    except json.JSONDecodeError as wrong:
        raise Invalid(
            f"Template format error: JSON not well-formed. (line {wrong.lineno}, column {wrong.colno})"
        ) from None
    except yaml.MarkedYAMLError as wrong:
        at = wrong.problem_mark
        where = f" (line {at.line + 1}, column {at.column + 1})" if at else ""
        raise Invalid(f"Template format error: YAML not well-formed.{where}") from None
    except (yaml.YAMLError, ValueError):
        raise Invalid("Template format error: unsupported structure.") from None
    if not isinstance(template, dict):
        raise Invalid("Template format error: unsupported structure.")
    return template


# -- checking


def check(template: Mapping[str, Any], known_types: Collection[str]) -> None:
    """Refuse what CreateStack refuses. Raises Invalid."""
    try:
        _check(template, known_types)
    except (
        AttributeError,
        IndexError,
        KeyError,
        TypeError,
    ):  # something is a list, say, where a template has an object
        raise Invalid("Template format error: unsupported structure.") from None


def _check(template: Mapping[str, Any], known_types: Collection[str]) -> None:
    if unknown := sorted(set(map(str, template)) - SECTIONS):
        raise Invalid(f"Invalid template property or properties [{', '.join(unknown)}]")
    if template.get("Transform"):
        raise Invalid(f"No transform named {template['Transform']} found. (The local cloud runs no transforms.)")
    for section in ("Rules", "Hooks"):
        if template.get(section):
            raise Invalid(f"The local cloud does not evaluate the {section} of a template.")
    resources = template.get("Resources")
    if not resources or not isinstance(resources, dict):
        raise Invalid("Template format error: At least one Resources member must be defined.")
    for section in ("Parameters", "Mappings", "Conditions", "Outputs"):
        if section in template and not isinstance(template[section], dict):
            raise Invalid(f"Template format error: [/{section}] 'null' values are not allowed in templates")
    for name, resource in resources.items():
        _check_resource(name, resource)
    for name, slot in (template.get("Parameters") or {}).items():
        if not isinstance(slot, dict) or not isinstance(slot.get("Type"), str):
            raise Invalid(f"Template format error: [/Parameters/{name}] must have a Type.")
    if unrecognized := sorted({resource["Type"] for resource in resources.values()} - set(known_types)):
        elsewhere = [name for name in unrecognized if name in schema.known_types()]
        note = f". (AWS has {', '.join(elsewhere)}; the local cloud does not.)" if elsewhere else ""
        raise Invalid(f"Template format error: Unrecognized resource types: [{', '.join(unrecognized)}]{note}")
    _check_references(template)
    order(resources)


def _check_resource(name: str, resource: Any) -> None:
    if not re.fullmatch(r"[A-Za-z0-9]+", str(name)):
        raise Invalid(f"Template format error: Resource name {name} is non alphanumeric.")
    if not isinstance(resource, dict):
        raise Invalid("Template format error: Every Resources object must contain a Type member.")
    if not isinstance(resource.get("Properties", {}), dict):
        raise Invalid(f"Template format error: [/Resources/{name}/Properties] must be an object.")
    if not isinstance(resource.get("Type"), str):
        raise Invalid(f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member.")
    if unknown := sorted(set(resource) - RESOURCE_ATTRIBUTES):
        raise Invalid(f"Invalid template resource property '{unknown[0]}'")
    for attribute in ("CreationPolicy", "UpdatePolicy"):
        if attribute in resource:
            raise Invalid(f"The local cloud does not follow the {attribute} of resource {name}.")
    if resource.get("UpdateReplacePolicy", "Delete") not in ("Delete", "Retain", "Snapshot"):
        raise Invalid(
            f"Template format error: Unrecognized UpdateReplacePolicy {resource['UpdateReplacePolicy']} for resource {name}"
        )
    if resource.get("DeletionPolicy", "Delete") not in ("Delete", "Retain", "Snapshot", "RetainExceptOnCreate"):
        raise Invalid(
            f"Template format error: Unrecognized DeletionPolicy {resource['DeletionPolicy']} for resource {name}"
        )


def _check_references(template: Mapping[str, Any]) -> None:
    resources, parameters = template["Resources"], template.get("Parameters") or {}
    conditions, mappings = template.get("Conditions") or {}, template.get("Mappings") or {}
    known = {*resources, *parameters, *PSEUDO_PARAMETERS}
    for section in ("Resources", "Outputs"):
        part = template.get(section) or {}
        if missing := sorted({name for name in references(part) if name not in known}):
            raise Invalid(
                f"Template format error: Unresolved resource dependencies [{', '.join(missing)}] in the {section} block of the template"
            )
        for condition in sorted({*used_conditions(part)} - set(conditions)):
            raise Invalid(
                f"Template format error: Unresolved condition dependency {condition} in the {section} block of the template"
            )
    for name, resource in resources.items():
        for dependency in depends_on(resource):
            if dependency not in resources:
                raise Invalid(
                    f"Template format error: Unresolved resource dependencies [{dependency}] in the Resources block of the template"
                )
        for target in attribute_references(resource):
            if target not in resources:
                raise Invalid(f"Template error: instance of Fn::GetAtt references undefined resource {target}")
        del name
    for lookup in _find(template, "Fn::FindInMap"):
        if isinstance(lookup, list) and isinstance(lookup[0], str) and lookup[0] not in mappings:
            raise Invalid(
                f"Template error: Mapping named '{lookup[0]}' is not present in the 'Mappings' section of template."
            )


def capabilities_needed(template: Mapping[str, Any]) -> list[str]:
    """Which acknowledgement the caller must give: none, CAPABILITY_IAM, or CAPABILITY_NAMED_IAM."""
    types = [(resource["Type"], resource.get("Properties") or {}) for resource in template["Resources"].values()]
    if any(NAMED_IAM.get(kind) in properties for kind, properties in types):
        return ["CAPABILITY_NAMED_IAM"]
    return ["CAPABILITY_IAM"] if any(kind in IAM for kind, _ in types) else []


# -- what refers to what


def _find(value: Any, function: str) -> Iterator[Any]:
    """The arguments of every use of `function` inside `value`."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == function and len(value) == 1:
                yield item
            yield from _find(item, function)
    elif isinstance(value, list):
        for item in value:
            yield from _find(item, function)


def substitutions(argument: Any) -> list[str]:
    """The names inside ${...} of an Fn::Sub that it does not define itself."""
    text, own = (argument[0], argument[1]) if isinstance(argument, list) else (argument, {})
    return [name.strip() for name in re.findall(r"\$\{([^!][^}]*)\}", str(text)) if name.strip() not in own]


def references(value: Any) -> set[str]:
    """Names that `value` refers to by Ref, Fn::GetAtt or Fn::Sub: resources, parameters, pseudo parameters."""
    names = {name for name in _find(value, "Ref") if isinstance(name, str)}
    names |= attribute_references(value)
    for argument in _find(value, "Fn::Sub"):
        names |= {name if name in PSEUDO_PARAMETERS else name.split(".")[0] for name in substitutions(argument)}
    return names


def attribute_references(value: Any) -> set[str]:
    """Resources of which `value` wants an attribute."""
    return {
        (argument.split(".")[0] if isinstance(argument, str) else argument[0])
        for argument in _find(value, "Fn::GetAtt")
        if argument
    }


def used_conditions(value: Any) -> set[str]:
    """Conditions that resources or outputs hang on, or that an Fn::If asks for."""
    names = {
        part["Condition"]
        for part in value.values()
        if isinstance(part, dict) and isinstance(part.get("Condition"), str)
    }
    return names | {argument[0] for argument in _find(value, "Fn::If") if isinstance(argument, list) and argument}


def depends_on(resource: Mapping[str, Any]) -> list[str]:
    named = resource.get("DependsOn") or []
    return [named] if isinstance(named, str) else list(named)


def dependencies(resources: Mapping[str, Any]) -> dict[str, set[str]]:
    """For each resource those that must be there first."""
    return {
        name: ((references(resource.get("Properties")) | set(depends_on(resource))) & set(resources)) - {name}
        for name, resource in resources.items()
    }


def order(resources: Mapping[str, Any]) -> list[str]:
    """An order in which the resources can be made; among those that could be next, the template's. Raises Invalid for a circle."""
    waiting, made = dependencies(resources), []
    while waiting:
        ready = next((name for name, first in waiting.items() if not first & waiting.keys()), None)
        if ready is None:
            raise Invalid(f"Circular dependency between resources: [{', '.join(sorted(waiting))}]")
        made.append(ready)
        del waiting[ready]
    return made
