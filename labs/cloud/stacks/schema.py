"""What AWS's own registry knows of a resource type: its properties, which are required, which cannot be changed, what values they take.

    schema = schema_of("AWS::SQS::Queue")
    schema.violations({"DelaySeconds": 901})    ->  ["#/DelaySeconds: failed validation constraint for keyword [maximum]"]

The schemas are those that cfn-lint carries (moto's server needs it anyway); only its data is read. CloudFormation validates with a
library of Java's, says nothing of the values themselves, and so the sentences here are that library's with the values left out.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

REGION = "us-east-1"
SCRUBBED = ("const", "enum", "maximum", "minimum", "pattern")
"""Constraints of which CloudFormation names only the keyword, lest a secret stand in a message."""
TYPES: Mapping[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}
JAVA_NAMES = {
    "array": "JSONArray",
    "object": "JSONObject",
    "boolean": "Boolean",
    "string": "String",
    "integer": "Integer",
}


@dataclass(frozen=True)
class Schema:
    """One type's schema."""

    name: str
    document: Mapping[str, Any]

    @property
    def settable(self) -> frozenset[str]:
        """Properties that a template may set."""
        return frozenset(self.document["properties"]) - self.read_only

    @property
    def read_only(self) -> frozenset[str]:
        return frozenset(
            pointer.removeprefix("/properties/") for pointer in self.document.get("readOnlyProperties", ())
        )

    @property
    def create_only(self) -> frozenset[str]:
        """Properties whose change needs a replacement."""
        pointers = self.document.get("createOnlyProperties", ())
        return frozenset(pointer.removeprefix("/properties/") for pointer in pointers if pointer.count("/") == 2)

    def violations(self, properties: Mapping[str, Any]) -> list[str]:
        """What is wrong with properties whose functions are worked out, in CloudFormation's words."""
        wrong = [f"#: extraneous key [{name}] is not permitted" for name in sorted(set(properties) - self.settable)]
        known = {name: value for name, value in properties.items() if name in self.settable}
        top = {key: self.document[key] for key in ("required", "properties") if key in self.document}
        return wrong + list(self._violations(top, known, "#"))

    def _violations(self, schema: Any, value: Any, at: str) -> Iterator[str]:
        if not isinstance(schema, dict):
            return
        if (pointer := schema.get("$ref")) is not None:
            yield from self._violations(self._definition(pointer), value, at)
            return
        value, mistaken = fitted(schema.get("type"), value)
        if mistaken:
            yield f"{at}: {mistaken}"
            return
        for keyword in SCRUBBED:
            if keyword in schema and not satisfies(keyword, schema[keyword], value):
                yield f"{at}: failed validation constraint for keyword [{keyword}]"
        yield from lengths(schema, value, at)
        yield from self._alternatives(schema, value, at)
        if isinstance(value, list):
            for number, item in enumerate(value):
                yield from self._violations(schema.get("items"), item, f"{at}/{number}")
        if isinstance(value, dict):
            yield from self._members(schema, value, at)

    def _members(self, schema: Mapping[str, Any], value: Mapping[str, Any], at: str) -> Iterator[str]:
        members, patterns = schema.get("properties") or {}, schema.get("patternProperties") or {}
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{at}: required key [{name}] not found"
        for name, item in value.items():
            if name in members:
                yield from self._violations(members[name], item, f"{at}/{name}")
            elif matching := [inner for pattern, inner in patterns.items() if matches(pattern, name)]:
                yield from self._violations(matching[0], item, f"{at}/{name}")
            elif schema.get("additionalProperties") is False:
                yield f"{at}: extraneous key [{name}] is not permitted"
            else:
                yield from self._violations(schema.get("additionalProperties"), item, f"{at}/{name}")

    def _alternatives(self, schema: Mapping[str, Any], value: Any, at: str) -> Iterator[str]:
        for part in schema.get("allOf", ()):
            yield from self._violations(part, value, at)
        for keyword in ("anyOf", "oneOf"):
            if (parts := schema.get(keyword)) is None:
                continue
            fitting = sum(not list(self._violations(part, value, at)) for part in parts)
            if fitting == 0:
                yield f"{at}: no subschema matched out of the total {len(parts)} subschemas"
            elif fitting > 1 and keyword == "oneOf":
                yield f"{at}: {fitting} subschemas matched instead of one"

    def _definition(self, pointer: str) -> Any:
        found: Any = self.document
        for step in pointer.removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        return found


def fitted(wanted: Any, value: Any) -> tuple[Any, str | None]:
    """`value` as the schema's type, as CloudFormation turns text into numbers and back; and what is wrong when it cannot be."""
    if wanted is None:
        return value, None
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    for name in names:
        if is_of(name, value):
            return value, None
    for name in names:
        if name in ("integer", "number") and isinstance(value, str):
            try:
                return (int(value) if name == "integer" else float(value)), None
            except ValueError:
                continue
        if name == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true", None
        if name == "string" and isinstance(value, bool | int | float):
            return str(value).lower() if isinstance(value, bool) else str(value), None
    expected = JAVA_NAMES.get(names[0], "Number")
    found = next((JAVA_NAMES.get(name, "Number") for name in TYPES if is_of(name, value)), "Null")
    return value, f"expected type: {expected}, found: {found}"


def is_of(name: str, value: Any) -> bool:
    return isinstance(value, TYPES.get(name, ())) and (name == "boolean" or not isinstance(value, bool))


def satisfies(keyword: str, wanted: Any, value: Any) -> bool:
    if keyword in ("enum", "const"):
        allowed = wanted if keyword == "enum" else [wanted]
        return value in allowed or str(value) in map(str, allowed)
    if keyword == "pattern":
        return not isinstance(value, str) or matches(wanted, value)
    if not is_of("number", value):
        return True
    return bool(value >= wanted if keyword == "minimum" else value <= wanted)


def matches(pattern: str, text: str) -> bool:
    """As the registry's patterns are meant: anywhere in the text. A pattern that Python cannot read is left to the service."""
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True


def lengths(schema: Mapping[str, Any], value: Any, at: str) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            yield f"{at}: expected minLength: {schema['minLength']}, actual: {len(value)}"
        if len(value) > schema.get("maxLength", len(value)):
            yield f"{at}: expected maxLength: {schema['maxLength']}, actual: {len(value)}"
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield f"{at}: expected minimum item count: {schema['minItems']}, found: {len(value)}"
        if len(value) > schema.get("maxItems", len(value)):
            yield f"{at}: expected maximum item count: {schema['maxItems']}, found: {len(value)}"
        if schema.get("uniqueItems") and len({json.dumps(item, sort_keys=True) for item in value}) < len(value):
            yield f"{at}: array items are not unique"


@cache
def schema_of(name: str) -> Schema:
    """The schema of a type that AWS has. Raises KeyError."""
    return Schema(name, json.loads((_folder() / "resources" / f"{_listed()[name]}.json").read_text()))


def known_types() -> frozenset[str]:
    """Every type there is on AWS in our region."""
    return frozenset(_listed())


@cache
def _listed() -> Mapping[str, str]:
    listed: dict[str, str] = json.loads((_folder() / "providers" / f"{REGION}.json").read_text())
    return listed


def _folder() -> Path:
    found = find_spec("cfnlint")
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "data" / "schemas"
