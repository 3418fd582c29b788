"""A template's parameters: what was given, what is assumed, and whether it may be."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from labs.cloud.stacks.template import Invalid

SSM = "AWS::SSM::Parameter::"
Lookup = Callable[[str], str]
"""Gives the value of a parameter of Systems Manager. Raises Invalid."""


def bind(template: Mapping[str, Any], given: Mapping[str, str], lookup: Lookup | None = None) -> dict[str, Any]:
    """Each parameter's value: given, or its default. Lists are split, numbers stay text, as in CloudFormation. Raises Invalid.

    A parameter of type AWS::SSM::Parameter::Value<...> becomes what stands under its name; without `lookup` it stays that name.
    """
    declared = template.get("Parameters") or {}
    if unknown := sorted(set(given) - set(declared)):
        raise Invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    if missing := [name for name, slot in declared.items() if name not in given and "Default" not in slot]:
        raise Invalid(f"Parameters: [{', '.join(missing)}] must have values")
    return {name: value_of(name, slot, given.get(name, slot.get("Default")), lookup) for name, slot in declared.items()}


def value_of(name: str, slot: Mapping[str, Any], given: Any, lookup: Lookup | None = None) -> Any:
    """One parameter's value, checked."""
    kind = slot.get("Type", "String")
    text = str(given).lower() if isinstance(given, bool) else str(given)
    if kind.startswith(SSM):
        check(name, slot, text, number=False)  # its constraints are those of the name
        if lookup is None or not kind.startswith(f"{SSM}Value<"):
            return text
        found = lookup(text)
        return [part.strip() for part in found.split(",")] if kind.startswith(f"{SSM}Value<List<") else found
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        parts = [part.strip() for part in text.split(",")] if text else []
        for part in parts:
            check(name, slot, part, number=kind == "List<Number>")
        return parts
    check(name, slot, text, number=kind == "Number")
    return text


def check(name: str, slot: Mapping[str, Any], text: str, *, number: bool) -> None:
    """Refuse a value that the parameter's constraints exclude."""

    def refuse(reason: str) -> Invalid:
        described = slot.get("ConstraintDescription")
        return Invalid(
            f"Parameter {name} failed to satisfy constraint: {described}"
            if described
            else f"Parameter '{name}' {reason}"
        )

    if (allowed := slot.get("AllowedValues")) is not None and text not in [plain(value) for value in allowed]:
        raise refuse(f"must be one of AllowedValues: [{', '.join(map(plain, allowed))}]")
    if (pattern := slot.get("AllowedPattern")) is not None and not re.fullmatch(pattern, text):
        raise refuse(f"must match pattern {pattern}")
    if number:
        try:
            value = float(text)
        except ValueError:
            raise refuse("must be a number") from None
        if "MinValue" in slot and value < float(slot["MinValue"]):
            raise refuse(f"must be a number not less than {slot['MinValue']}")
        if "MaxValue" in slot and value > float(slot["MaxValue"]):
            raise refuse(f"must be a number not greater than {slot['MaxValue']}")
        return
    if "MinLength" in slot and len(text) < int(slot["MinLength"]):
        raise refuse(f"must contain at least {slot['MinLength']} characters")
    if "MaxLength" in slot and len(text) > int(slot["MaxLength"]):
        raise refuse(f"must contain at most {slot['MaxLength']} characters")


def plain(value: Any) -> str:
    """A value as a caller would write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def shown(template: Mapping[str, Any], values: Mapping[str, Any]) -> list[dict[str, str]]:
    """Parameters as DescribeStacks lists them: secrets as stars."""
    declared = template.get("Parameters") or {}
    return [
        {
            "ParameterKey": name,
            "ParameterValue": "****"
            if plain(declared[name].get("NoEcho", "false")) == "true"
            else ",".join(value)
            if isinstance(value, list)
            else value,
        }
        for name, value in values.items()
    ]
