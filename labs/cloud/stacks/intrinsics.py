"""The functions of a template (Ref, Fn::Sub, Fn::If and the rest), worked out against what the stack has."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labs.cloud.stacks.template import Invalid

NO_VALUE = object()
"""What a property is that a template takes away with AWS::NoValue."""


@dataclass
class Scope:
    """Everything that a template can refer to."""

    values: dict[str, Any]
    """Parameters and pseudo parameters, by name."""
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    exports: Callable[[], Mapping[str, str]]
    reference: Callable[[str], Any]
    """What Ref gives for a resource."""
    attribute: Callable[[str, str], Any]
    """What Fn::GetAtt gives for a resource and an attribute's name."""
    _truths: dict[str, bool] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)

    def resolve(self, value: Any) -> Any:
        """`value` with every function replaced by its result. Raises Invalid."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref":
                return self._apply(name, self._ref, argument)
            if name == "Condition" and isinstance(argument, str):
                return self.holds(argument)
            if name.startswith("Fn::"):
                function = getattr(self, f"_{name[4:].lower()}", None)
                if function is None:
                    raise Invalid(f"Template error: the local cloud does not know {name}.")
                return self._apply(name, function, argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def _apply(self, name: str, function: Callable[[Any], Any], argument: Any) -> Any:
        try:
            return function(argument)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as wrong:
            if isinstance(wrong, Invalid):
                raise
            raise Invalid(
                f"Template error: every {name} object must have arguments of the form that it takes."
            ) from None

    def holds(self, condition: str) -> bool:
        """Is a condition of the template true?"""
        if condition not in self._truths:
            if condition not in self.conditions:
                raise Invalid(f"Template error: unresolved condition dependency {condition}")
            if condition in self._asked:
                raise Invalid(f"Template format error: Circular dependency of condition {condition}")
            self._asked.add(condition)
            self._truths[condition] = truth(self.resolve(self.conditions[condition]))
        return self._truths[condition]

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        return self.values[name] if name in self.values else self.reference(name)

    def _getatt(self, argument: Any) -> Any:
        resource, name = (
            argument.split(".", 1) if isinstance(argument, str) else (argument[0], self.resolve(argument[1]))
        )
        return self.attribute(resource, name)

    def _sub(self, argument: Any) -> str:
        text, own = (argument[0], self.resolve(argument[1])) if isinstance(argument, list) else (argument, {})

        def replace(match: "re.Match[str]") -> str:
            name = match[1].strip()
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in own:
                return as_text(own[name])
            if "." in name:
                return as_text(self._getatt(name))
            return as_text(self._ref(name))

        return re.sub(r"\$\{([^}]*)\}", replace, text)

    def _join(self, argument: Any) -> str:
        separator, parts = argument
        return str(separator).join(as_text(part) for part in self.resolve(parts))

    def _split(self, argument: Any) -> list[str]:
        return str(self.resolve(argument[1])).split(argument[0])

    def _select(self, argument: Any) -> Any:
        index, parts = int(self.resolve(argument[0])), self.resolve(argument[1])
        if not 0 <= index < len(parts):
            raise Invalid(f"Template error: Fn::Select cannot select nonexistent value at index {index}")
        return parts[index]

    def _if(self, argument: Any) -> Any:
        condition, yes, no = argument
        return self.resolve(yes if self.holds(condition) else no)

    def _equals(self, argument: Any) -> bool:
        left, right = (as_text(self.resolve(side)) for side in argument)
        return left == right

    def _not(self, argument: Any) -> bool:
        return not truth(self.resolve(argument[0]))

    def _and(self, argument: Any) -> bool:
        return all(truth(self.resolve(part)) for part in argument)

    def _or(self, argument: Any) -> bool:
        return any(truth(self.resolve(part)) for part in argument)

    def _findinmap(self, argument: Any) -> Any:
        name, first, second = (as_text(self.resolve(part)) for part in argument[:3])
        try:
            return self.mappings[name][first][second]
        except KeyError as missing:
            raise Invalid(
                f"Template error: Unable to get mapping for {name}::{first}::{second} (no {missing})"
            ) from None

    def _importvalue(self, argument: Any) -> str:
        name = as_text(self.resolve(argument))
        exports = self.exports()
        if name not in exports:
            raise Invalid(f"No export named {name} found.")
        return exports[name]

    def _getazs(self, argument: Any) -> list[str]:
        region = self.resolve(argument) or self.values["AWS::Region"]
        return [f"{region}{letter}" for letter in "abcdef"]

    def _base64(self, argument: Any) -> str:
        return base64.b64encode(as_text(self.resolve(argument)).encode()).decode()

    def _tojsonstring(self, argument: Any) -> str:
        return json.dumps(self.resolve(argument))

    def _length(self, argument: Any) -> int:
        return len(self.resolve(argument))


def truth(value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).lower() == "true"


def as_text(value: Any) -> str:
    """A value inside a string, as CloudFormation writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(as_text, value)) if isinstance(value, list) else str(value)
