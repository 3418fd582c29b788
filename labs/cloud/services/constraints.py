"""What a service checks of a request before it looks at anything else, from botocore's own model of it, in the services' words.

list(violations(shape, {"EndpointName": "no spaces"}))
# ["Value 'no spaces' at 'endpointName' failed to satisfy constraint: Member must satisfy regular expression pattern: ..."]
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

SHOWN = 20
"""Values of an enumeration that a message lists; AWS lists them all."""


def violations(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """What of `value` (its types right) breaks the lengths, ranges, patterns and enumerations of its shape, one sentence each."""
    match shape.type_name:
        case "structure":
            for name, member in value.items():
                if name in shape.members and member is not None:
                    yield from violations(shape.members[name], member, at(path, name))
        case "list":
            yield from _limits(shape, len(value), value, path, "length")
            for number, member in enumerate(value, 1):
                yield from violations(shape.member, member, f"{path}.{number}.member")
        case "map":
            yield from _limits(shape, len(value), value, path, "length")
        case "string":
            yield from _of_text(shape, value, path)
        case "integer" | "long" | "float" | "double":
            yield from _limits(shape, value, value, path, "value")


def missing(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """The members of a request's body that must be there and are not, one sentence each."""
    match shape.type_name:
        case "structure":
            for name in shape.required_members:
                if value.get(name) is None and "location" not in shape.members[name].serialization:
                    yield f"Value null at '{at(path, name)}' failed to satisfy constraint: Member must not be null"
            for name, member in value.items():
                if name in shape.members and member is not None:
                    yield from missing(shape.members[name], member, at(path, name))
        case "list":
            for number, member in enumerate(value, 1):
                yield from missing(shape.member, member, f"{path}.{number}.member")


def counted(wrong: list[str]) -> str:
    """Those sentences as one message."""
    return f"{len(wrong)} validation error{'s' if len(wrong) > 1 else ''} detected: {'; '.join(wrong)}"


def at(path: str, name: str) -> str:
    """Where a member is, as AWS's messages write it."""
    where = name[:1].lower() + name[1:]
    return f"{path}.{where}" if path else where


def _of_text(shape: Any, value: str, path: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        listed = ", ".join(shape.enum[:SHOWN]) + (", ..." if len(shape.enum) > SHOWN else "")
        yield (
            f"Value '{value}' at '{path}' failed to satisfy constraint: Member must satisfy enum value set: [{listed}]"
        )
        return
    yield from _limits(shape, len(value), value, path, "length")
    pattern = shape.metadata.get("pattern")
    if pattern and (compiled := _compiled(pattern)) and not compiled.fullmatch(value):
        yield f"Value '{value}' at '{path}' failed to satisfy constraint: Member must satisfy regular expression pattern: {pattern}"


def _limits(shape: Any, size: float, value: Any, path: str, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    told = f"Value '{value}' at '{path}' failed to satisfy constraint: Member must have {what}"
    if least is not None and size < least:
        yield f"{told} greater than or equal to {least}"
    if most is not None and size > most:
        yield f"{told} less than or equal to {most}"


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Java's pattern as Python's; None where Python has no such classes."""
    try:
        return re.compile(pattern.replace(r"\z", r"\Z").replace(r"\p{ASCII}", r"[\x00-\x7f]"))
    except re.error:
        return None
