"""Every operation that the local cloud has, called with nothing, with too much, and with values of every wrong kind, past botocore's own checks.

with sweeping():
    broken = sweep("eks")           # {("DescribeNodegroup", "empty"): "500 InternalFailure"}
"""

import json
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from labs.cloud import coverage
from labs.cloud.coverage import Recorder

TOO_LONG = "x" * 5_000
ODD = "a/b?c:d %é"
WRONG: dict[str, Any] = {
    "numbers": 7,
    "texts": "x",
    "lists": [],
    "objects": {},
    "nulls": None,
    "lists of texts": ["x"],
    "lists of objects": [{}],
}
"""What every member of a body is replaced with."""
DEEP = 6
CLOUD = re.compile(r"/(moto|labs/cloud)/(?!.*sweep\.py)")


@dataclass(frozen=True)
class Broken:
    """An operation that answered nobody's error but its own."""

    service: str
    operation: str
    how: str
    what: str


def value(shape: Any, text: str | None = None, depth: int = 0, *, everything: bool = False) -> Any:
    """Something that the shape takes: what it must have, and at the top, on request, all it may have; `text` in place of every text."""
    match shape.type_name:
        case "string":
            least = max(1, int(shape.metadata.get("min", 1)))
            return text if text is not None else (list(shape.enum) or ["x" * least])[0]
        case "integer" | "long":
            return max(1, int(shape.metadata.get("min", 1)))
        case "float" | "double":
            return 1.0
        case "boolean":
            return True
        case "timestamp":
            return 1_700_000_000
        case "blob":
            return b"x"
        case "list":
            return [value(shape.member, text, depth + 1)] if depth < DEEP else []
        case "structure" if depth < DEEP and not getattr(shape, "is_document_type", False):
            names = list(shape.members) if everything else shape.required_members
            return {
                name: value(shape.members[name], text, depth + 1)
                for name in names
                if not getattr(shape.members[name], "is_document_type", False)
            }
    return {}


def inputs(shape: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """How, the parameters, and with what its body's members are replaced ("": they stay)."""
    yield "nothing", {}, ""
    if shape is None:
        return
    yield "plausible", value(shape), ""
    yield "everything", value(shape, everything=True), ""
    for how, text in (("empty", ""), ("long", TOO_LONG), ("odd", ODD)):
        yield how, value(shape, text), ""
    for how in (*WRONG, "no JSON"):
        yield how, value(shape, everything=True), how


class Spoiler:
    """Replaces the members of a body on its way out."""

    def __init__(self) -> None:
        self.how = ""

    def __call__(self, params: dict[str, Any], **_: Any) -> None:
        body = params.get("body")
        if not self.how or not body:
            return
        if isinstance(body, dict):  # a form
            kept = ("Action", "Version")
            text = "" if self.how == "lists" else json.dumps(WRONG.get(self.how, "é"))
            params["body"] = {name: body[name] if name in kept else text for name in body}
        elif body[:1] in (b"{", "{"):
            spoiled = dict.fromkeys(json.loads(body), WRONG[self.how]) if self.how in WRONG else None
            params["body"] = b"no JSON" if spoiled is None else json.dumps(spoiled).encode()


def sweep(recorder: Recorder, extended: Any, service: str) -> tuple[int, list[Broken]]:
    """How many calls were made to this process's cloud, and those that broke something."""
    found = coverage.look(recorder, extended, service)
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    client: Any = boto3.client(service, config=config)  # type: ignore[call-overload]
    spoiler, calls, broken = Spoiler(), 0, []
    client.meta.events.register("before-call", spoiler)
    for operation in (*found.ours, *found.moto):
        for how, params, spoiler.how in inputs(client.meta.service_model.operation_model(operation).input_shape):
            calls += 1
            if what := failure(lambda: getattr(client, xform_name(operation))(**params)):  # noqa: B023
                broken.append(Broken(service, operation, how, what))
    return calls, broken


def failure(call: Any) -> str:
    """What went wrong that is not the caller's fault; nothing when all is well."""
    try:
        for part in call().values():
            if hasattr(part, "close"):
                part.close()
    except NotImplementedError:
        return ""
    except ClientError as refused:
        status, code = refused.response["ResponseMetadata"].get("HTTPStatusCode", 0), refused.response["Error"]["Code"]
        return f"{status} {code}" if status >= 500 or not code else ""
    except Exception as error:
        inside = [frame for frame in traceback.extract_tb(error.__traceback__) if CLOUD.search(frame.filename)]
        # what botocore's own serializer cannot write was never sent
        return f"{error!r} in {inside[-1].name}, line {inside[-1].lineno}" if inside else ""
    return ""
