"""A JSON body against the few rules that a model's schema makes, refused in the words of AWS's schema checker.

check(body, {"prompt": Text(required=True), "max_gen_len": Number(1, 8192, whole=True)})
# Malformed input request: #: required key [prompt] not found, please reformat your input and try again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from labs.cloud.services.bedrock_errors import invalid

JSON_TYPES = {dict: "JSONObject", list: "JSONArray", str: "String", bool: "Boolean", int: "Integer", float: "Double"}


class Rule(Protocol):
    """What one key's value must be."""

    @property
    def required(self) -> bool:
        """Must the key be there?"""
        ...

    def wrong(self, value: Any, path: str) -> Iterator[str]:
        """What is wrong with it."""
        ...


@dataclass(frozen=True)
class Text:
    """A text that is not empty."""

    required: bool = False

    def wrong(self, value: Any, path: str) -> Iterator[str]:
        """See `Rule`."""
        if not isinstance(value, str):
            yield expected("String", value, path)
        elif not value:
            yield f"#/{path}: expected minLength: 1, actual: 0"


@dataclass(frozen=True)
class Number:
    """A number in a range."""

    least: float = 0
    most: float = float("inf")
    whole: bool = False
    required: bool = False

    def wrong(self, value: Any, path: str) -> Iterator[str]:
        """See `Rule`."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            yield expected("Integer" if self.whole else "Number", value, path)
        elif value < self.least:
            yield f"#/{path}: {value} is not greater or equal to {self.least:g}"
        elif value > self.most:
            yield f"#/{path}: {value} is not less or equal to {self.most:g}"


@dataclass(frozen=True)
class Listed:
    """A list."""

    least: int = 0
    required: bool = False

    def wrong(self, value: Any, path: str) -> Iterator[str]:
        """See `Rule`."""
        if not isinstance(value, list):
            yield expected("JSONArray", value, path)
        elif len(value) < self.least:
            yield f"#/{path}: expected minimum item count: {self.least}, found: {len(value)}"


@dataclass(frozen=True)
class Anything:
    """Any value: the local cloud does not look at it."""

    required: bool = False

    def wrong(self, value: Any, path: str) -> Iterator[str]:  # noqa: ARG002 - nothing is wrong with any value
        """See `Rule`."""
        return iter(())


def check(body: Mapping[str, Any], rules: Mapping[str, Rule], path: str = "") -> None:
    """Raise ValidationException unless the object has only these keys, those that it must have, and values that are allowed."""
    at = f"#/{path}" if path else "#"
    found = [
        f"{at}: required key [{key}] not found" for key, rule in rules.items() if rule.required and key not in body
    ]
    found += [f"{at}: extraneous key [{key}] is not permitted" for key in body if key not in rules]
    for key, rule in rules.items():
        if key in body:
            found += rule.wrong(body[key], f"{path}/{key}" if path else key)
    if found:
        malformed(", ".join(found))


def malformed(what: str) -> NoReturn:
    """Refuse the body."""
    raise invalid(f"Malformed input request: {what}, please reformat your input and try again.")


def expected(kind: str, value: Any, path: str) -> str:
    """A value of another type."""
    found = "Null" if value is None else JSON_TYPES.get(type(value), type(value).__name__)
    return f"#/{path}: expected type: {kind}, found: {found}"
