"""Where requests for SageMaker come in: they find the runtime or the control plane, and what cannot be read is refused as AWS does.

Moto fails on a body that is no JSON object or has text where a number belongs, and knows a request for the runtime by its path's end only.
"""

import json
import re
from typing import Any

from labs.cloud.context import Context
from labs.cloud.services.errors import ServiceError

INVOCATION = re.compile(r"/endpoints/[^/]+/(invocations|invocations-response-stream|async-invocations)/?")
Answer = tuple[int, dict[str, Any], Any]


class Unreadable(dict[str, Any]):
    """Parameters that could not be read; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


def install(context: Context) -> None:
    """Stand before moto's response classes."""
    from moto.sagemaker.responses import SageMakerResponse
    from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

    control_before = SageMakerResponse._dispatch
    runtime_before = SageMakerRuntimeResponse._dispatch
    parse_before = SageMakerResponse.parse_parameters

    def control(self: Any, request: Any, full_url: Any = None, headers: Any = None) -> Any:
        # Cures: moto's server takes a stream's path for one of the control plane, whose requests all go to "/".
        if request.path.startswith("/endpoints/"):
            return SageMakerRuntimeResponse()._dispatch(request, full_url, headers)
        if (reason := not_an_object(request.data)) is not None:
            return refused(400, "SerializationException", reason, "application/x-amz-json-1.1")
        return control_before(self, request, full_url, headers)

    def runtime(self: Any, request: Any, full_url: Any = None, headers: Any = None) -> Any:
        # Cures: moto fails where it finds no operation for a path.
        if request.method != "POST" or not INVOCATION.fullmatch(request.path):
            said = f"SageMaker Runtime has no {request.method} {request.path[:80]}."
            return refused(404, "UnknownOperationException", said, "application/json")
        return runtime_before(self, request, full_url, headers)

    def parse_parameters(self: Any, request: Any) -> None:
        # Cures: moto fails on "many" where a number belongs.
        try:
            parse_before(self, request)
        except (ValueError, TypeError, AttributeError, KeyError, OverflowError) as wrong:
            self.params = Unreadable(str(wrong)[:200])

    context.patch(SageMakerResponse, "_dispatch", control)
    context.patch(SageMakerRuntimeResponse, "_dispatch", runtime)
    context.patch(SageMakerResponse, "parse_parameters", parse_parameters)


def read(params: Any) -> dict[str, Any]:
    """The request's parameters. SerializationException if they could not be read."""
    if isinstance(params, Unreadable):
        raise ServiceError("SerializationException", f"A parameter is not of its type: {params.reason}.")
    return dict(params)


def not_an_object(body: bytes) -> str | None:
    """Why a body is no request, or None."""
    try:
        said = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return "The request's body is not JSON."
    return None if isinstance(said, dict) else "The request's body is not a JSON object."


def refused(status: int, code: str, message: str, content_type: str) -> Answer:
    """An answer that moto's serializer need not know."""
    body = json.dumps({"__type": code, "message": message})
    return status, {"Content-Type": content_type, "x-amzn-errortype": code}, body
