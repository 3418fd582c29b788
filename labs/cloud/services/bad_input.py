"""Requests that nobody expected, answered as AWS answers them and not as a failure of the cloud.

moto, and we, read requests as well-behaved SDKs send them: a body of another shape, a name that is missing, a page that never was break
something deep inside. A call that broke so is looked at once more here, against botocore's model of the operation; a good call costs
nothing. What is in order by that model and breaks all the same stays what it is, a failure of ours, and is logged.

What it cures in moto 5.2.5 (tests/labs/cloud/test_bad_input.py fails once moto has it): the first four of these are 500 there, or raise.
"""

import base64
import json
import re
import traceback
from typing import Any

from labs.cloud.context import Context
from labs.cloud.services.constraints import at, counted, missing, violations

NAMES = (
    "ValidationException",
    "ValidationError",
    "InvalidParameterValueException",
    "InvalidParameterException",
    "BadRequestException",
    "InvalidParameterValue",
    "InvalidRequestException",
    "InvalidParameter",
    "InvalidInputException",
)
"""What services call an input that breaks a rule, the commonest first."""
MISSING = {
    "sqs": "MissingParameter",
    "ec2": "MissingParameter",
    "cloudwatch": "MissingParameter",
    "sns": "InvalidParameter",
}
"""Those that call an input which lacks something otherwise."""
BY_PROTOCOL = {"query": "ValidationError", "ec2": "InvalidParameterValue"}
TOKENS = frozenset({"nexttoken", "marker", "position", "exclusivestartkey"})


class Mistyped(Exception):  # noqa: N818
    """A value is of another JSON type than the model says; the message is AWS's."""


def install(context: Context) -> None:
    """Stand around every operation of every service."""
    from moto.core.exceptions import ServiceException
    from moto.core.responses import BaseResponse
    from werkzeug.exceptions import HTTPException

    from labs.cloud.faults import Dropped

    def dispatch(self: Any, request: Any, full_url: Any = None, headers: Any = None) -> Any:
        try:
            answer = dispatch_before(self, request, full_url, headers)
        except (NotImplementedError, HTTPException, ServiceException, Dropped, ConnectionError):
            raise
        except Exception as broken:
            refusal = explained(self, request, broken)
            if refusal is None:
                raise
            return refusal
        if answer[0] == 404 and not answer[2] and "x-amz-target" not in request.headers and not self._get_action():
            # no operation of the service's model has this address: a name in it may be empty
            return written("UnknownOperationException", "There is no operation at this address.", 404)
        return answer

    dispatch_before = context.patch(BaseResponse, "_dispatch", dispatch)


def written(code: str, message: str, status: int) -> tuple[int, dict[str, str], str]:
    """An error for which there is no operation whose wire format it could have: JSON."""
    headers = {"Content-Type": "application/json", "x-amzn-errortype": code, "status": str(status)}
    return status, headers, json.dumps({"__type": code, "message": message})


def explained(response: Any, request: Any, broken: Exception) -> Any:
    """The answer for whoever sent what broke an operation; None when they are not to blame."""
    from moto.core.utils import get_service_model

    from labs.cloud.faults import answered

    if isinstance(broken, UnicodeDecodeError) and not hasattr(response, "response_headers"):
        return written("SerializationException", "The body is not UTF-8.", 400)
    service, action = response.boto3_service_name, response._get_action()
    model = get_service_model(service)
    if action not in model.operation_names:
        return None
    operation = model.operation_model(action)
    found = fault_of(response, request, service, operation, broken)
    return None if found is None else answered(response, *found)


def fault_of(
    response: Any, request: Any, service: str, operation: Any, broken: Exception
) -> tuple[str, str, int] | None:
    """Code, message and status; None when the request is in order."""
    shape = operation.input_shape
    if shape is None:
        return None
    codes = {each.error_code for each in operation.error_shapes}
    protocol = operation.service_model.protocol
    code = next((name for name in NAMES if name in codes), BY_PROTOCOL.get(protocol, "ValidationException"))
    is_json = "json" in response.determine_response_protocol(operation.service_model)
    try:
        body = body_of(request, shape) if is_json else form_of(request, shape)
        given = {**body, **around(response, request, shape)}
    except Mistyped as wrong:
        return ("SerializationException" if is_json else code), str(wrong), 400
    if lacking := list(missing(shape, given)) if is_json else lacking_in_form(request, shape):
        return MISSING.get(service, code), counted(lacking), 400
    if wrong_values := list(violations(shape, given)):
        return code, counted(wrong_values), 400
    for name, value in given.items():
        if name.lower() in TOKENS and value and (is_paging(broken) or repr(value) in str(broken)):
            return code, "The pagination token is not one that this operation gave.", 400
    if frames(broken)[-1].name == "parse_arn":
        return code, "Invalid parameter: an ARN has six parts with a colon between.", 400
    return absent(operation, given if is_json else dict(request.form), broken)


def is_paging(broken: Exception) -> bool:
    """Did it break where moto turns pages?"""
    return any("paginat" in frame.name for frame in frames(broken))


def absent(operation: Any, given: dict[str, Any], broken: Exception) -> tuple[str, str, int] | None:
    """What the operation says of something that is not there, where moto looked up a name that the caller gave and did not find it."""
    key = broken.args[0] if isinstance(broken, KeyError) else None
    if not isinstance(key, str) or "/moto/" not in frames(broken)[-1].filename:
        return None
    named = [name for name, value in given.items() if key == value or (value and key.endswith(f"/{value}"))]
    if not named:
        return None
    if operation.service_model.protocol == "ec2":  # TransitGatewayId: InvalidTransitGatewayID.NotFound
        kind = re.sub(r"Ids?$", "", named[0].partition(".")[0])
        return f"Invalid{kind}ID.NotFound", f"The {named[0]} '{key}' does not exist", 400
    for shape in operation.error_shapes:
        if any(word in shape.name for word in ("NotFound", "NoSuch")):
            status = int(shape.metadata.get("error", {}).get("httpStatusCode", 400))
            return shape.error_code, f"{key} was not found.", status
    return None


def frames(broken: Exception) -> list[Any]:
    """Where it broke, the innermost last."""
    return list(traceback.extract_tb(broken.__traceback__))


# -- what was sent


def body_of(request: Any, shape: Any) -> dict[str, Any]:
    """The members in a JSON body. Raises Mistyped."""
    payload = shape.serialization.get("payload")
    if payload is not None and shape.members[payload].type_name != "structure":
        return {payload: request.data or None}
    try:
        body = json.loads(request.data or b"{}")
    except ValueError:
        raise Mistyped("The request body is not JSON.") from None
    if payload is not None:
        return {payload: typed(shape.members[payload], body)}
    members: dict[str, Any] = typed(shape, {} if body is None else body)
    return members


def typed(shape: Any, value: Any) -> Any:
    """A value of JSON with its members under the model's names. Raises Mistyped where it is of another type than the model's."""
    if value is None or getattr(shape, "is_document_type", False):
        return value
    kind = shape.type_name
    if not isinstance(value, PYTHON[kind]) or (isinstance(value, bool) and kind != "boolean"):
        raise Mistyped(f"{WIRE.get(type(value), 'VALUE')} can not be converted to {kind.capitalize()}")
    if kind == "structure":
        wire = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        return {wire[key]: typed(shape.members[wire[key]], item) for key, item in value.items() if key in wire}
    if kind == "list":
        return [typed(shape.member, item) for item in value]
    if kind == "map":
        return {key: typed(shape.value, item) for key, item in value.items()}
    if kind == "timestamp":
        check_time(value)
    if kind == "blob":
        try:
            base64.b64decode(value, validate=True)
        except ValueError:
            raise Mistyped("The value of a blob is not base64.") from None
        return None
    return value


def around(response: Any, request: Any, shape: Any) -> dict[str, Any]:
    """The members in the address and in the headers. Raises Mistyped."""
    found: dict[str, Any] = {}
    for name, member in shape.members.items():
        wire = member.serialization.get("name", name)
        where = {"uri": response.uri_match, "querystring": request.args, "header": request.headers}
        text = where.get(member.serialization.get("location"), {}).get(wire)
        if text is not None:
            found[name] = from_text(member, text, name)
    return found


def form_of(request: Any, shape: Any) -> dict[str, Any]:
    """The members in a form that are plain values. Raises Mistyped."""
    return {
        name: from_text(member, request.form[wire], name)
        for name, member in shape.members.items()
        if (wire := wire_name(name, member)) in request.form
    }


def lacking_in_form(request: Any, shape: Any) -> list[str]:
    """The members that must be in a form and of which nothing is."""
    return [
        f"Value null at '{at('', name)}' failed to satisfy constraint: Member must not be null"
        for name in shape.required_members
        if not any(
            key == (wire := wire_name(name, shape.members[name])) or key.startswith(f"{wire}.") for key in request.form
        )
    ]


def wire_name(name: str, member: Any) -> str:
    """What a form calls a member."""
    wire = str(member.serialization.get("queryName") or member.serialization.get("name") or name)
    return wire[:1].upper() + wire[1:]


def from_text(shape: Any, text: str, name: str) -> Any:
    """A plain value out of text. Raises Mistyped."""
    kind = shape.type_name
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
    except ValueError:
        raise Mistyped(f"The value of {name} is no {kind}.") from None
    if kind == "boolean" and text.lower() not in ("true", "false"):
        raise Mistyped(f"The value of {name} is no boolean.")
    if kind == "timestamp":
        check_time(text)
    return text if kind == "string" else None


def check_time(value: Any) -> None:
    """Raise Mistyped for what is no time."""
    from botocore.utils import parse_timestamp

    try:
        parse_timestamp(value)
    except (ValueError, OverflowError, TypeError):
        raise Mistyped(f"{value} is no timestamp.") from None


PYTHON: dict[str, Any] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "character": str,
    "blob": str,
    "integer": int,
    "long": int,
    "float": (int, float, str),  # "NaN" and "Infinity" are text in JSON
    "double": (int, float, str),
    "boolean": bool,
    "timestamp": (int, float, str),
}
WIRE = {
    dict: "START_OBJECT",
    list: "START_ARRAY",
    str: "STRING_VALUE",
    int: "NUMBER_VALUE",
    float: "NUMBER_VALUE",
    bool: "TRUE_VALUE",
}
"""What AWS's messages call the types of JSON."""
