"""A request against its shape in the service's model: what boto3 leaves to the service is refused in AWS's words.

check("bedrock", "CreateProvisionedModelThroughput", {"modelUnits": 0, ...})
# ValidationException: 2 validation errors detected: Value '0' at 'modelUnits' failed to satisfy constraint: ...
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from labs.cloud.services.bedrock_errors import invalid

SAME_LANGUAGE = {
    r"[a-zA-Z0-9](-*[a-zA-Z0-9\+\-\.])*": r"[a-zA-Z0-9][a-zA-Z0-9+.\-]*",
    r"[a-zA-Z0-9]{1,63}(-*[a-zA-Z0-9\+\-\.]){0,63}": r"[a-zA-Z0-9][a-zA-Z0-9+.\-]*",
}
"""Patterns of the model's that can be tried in too many ways, as they are written there and as they can be tried in one."""
LONGEST = 2048
"""Longer texts are not held against a pattern: their length alone is wrong."""


def check(service: str, operation: str, params: dict[str, Any]) -> None:
    """Raise ValidationException for what the shape of the operation's input does not allow."""
    from moto.core.utils import get_service_model

    shape = get_service_model(service).operation_model(operation).input_shape
    found = list(violations(shape, params)) if shape is not None else []
    if found:
        count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected: "
        raise invalid(count + "; ".join(found))


def violations(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """One sentence for each constraint that is not met, in the order of the shape."""
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            yield said(value, path, "Member must be a structure")
            return
        for name in shape.required_members:
            if value.get(name) is None:
                yield said(None, f"{path}.{name}" if path else name, "Member must not be null")
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from violations(member, value[name], f"{path}.{name}" if path else name)
    elif kind == "list":
        if not isinstance(value, list):
            yield said(value, path, "Member must be a list")
            return
        yield from _length(shape, value, path)
        for number, item in enumerate(value, 1):
            yield from violations(shape.member, item, f"{path}.{number}.member")
    elif kind == "string":
        yield from _text(shape, value, path)
    elif kind in ("integer", "long", "float", "double"):
        yield from _number(shape, value, path)
    elif kind == "blob":
        yield from _length(shape, value, path)


def _text(shape: Any, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield said(value, path, "Member must be a string")
        return
    if shape.enum:
        if value not in shape.enum:
            yield said(value, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
        return
    yield from _length(shape, value, path)
    pattern = shape.metadata.get("pattern")
    if pattern and len(value) <= LONGEST and not _compiled(pattern).fullmatch(value):
        yield said(value, path, f"Member must satisfy regular expression pattern: {pattern}")


def _number(shape: Any, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield said(value, path, "Member must be a number")
        return
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and value < least:
        yield said(value, path, f"Member must have value greater than or equal to {least}")
    if most is not None and value > most:
        yield said(value, path, f"Member must have value less than or equal to {most}")


def _length(shape: Any, value: Any, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and len(value) < least:
        yield said(value, path, f"Member must have length greater than or equal to {least}")
    if most is not None and len(value) > most:
        yield said(value, path, f"Member must have length less than or equal to {most}")


def said(value: Any, path: str, constraint: str) -> str:
    """The sentence for one violation."""
    if isinstance(value, bytes):
        return f"Value at '{path}' failed to satisfy constraint: {constraint}"
    shown = "null" if value is None else str(value)
    return f"Value '{shown[:200]}' at '{path}' failed to satisfy constraint: {constraint}"


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(SAME_LANGUAGE.get(pattern, pattern))
