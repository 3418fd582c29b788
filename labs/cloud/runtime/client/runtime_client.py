"""The runtime API's client in plain Python, where `awslambdaric` has no wheel and so no native `runtime_client` (macOS).

The four functions are those that `awslambdaric.lambda_runtime_client` calls, with the same arguments.
"""

import http.client
import os
import resource
import sys

_connection: "http.client.HTTPConnection | None" = None
_user_agent = ""


def initialize_client(user_agent: str) -> None:
    global _user_agent
    _user_agent = user_agent


def next():  # type: ignore[no-untyped-def]
    """Wait for the next invocation; its body and headers."""
    body, headers, _ = _ask("GET", "next")
    return body, {**headers, "Lambda-Runtime-Deadline-Ms": int(headers["Lambda-Runtime-Deadline-Ms"])}


def post_invocation_result(request_id: str, data: bytes, content_type: str, invocation_id: "str | None" = None) -> None:  # noqa: ARG001
    _post(f"{request_id}/response", data, {"Content-Type": content_type})


def post_error(request_id: str, data: str, xray: str = "", invocation_id: "str | None" = None) -> None:  # noqa: ARG001
    _post(
        f"{request_id}/error",
        data,
        {"Content-Type": "application/json", "Lambda-Runtime-Function-XRay-Error-Cause": xray.replace("\n", " ")},
    )


def _post(path: str, data: "bytes | str", headers: "dict[str, str]") -> None:
    _, _, status = _ask("POST", path, data, headers)
    if status >= 300:
        raise RuntimeError(f"the runtime API answered {status}")


def _ask(
    method: str, path: str, body: "bytes | str | None" = None, headers: "dict[str, str] | None" = None
) -> "tuple[bytes, dict[str, str], int]":
    global _connection
    fresh = _connection is None
    while True:
        if _connection is None or fresh:
            _connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        try:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            sent = {"User-Agent": _user_agent, "Lab-Max-Rss": str(peak if sys.platform == "darwin" else peak * 1024)}
            _connection.request(method, f"/2018-06-01/runtime/invocation/{path}", body, {**sent, **(headers or {})})
            answer = _connection.getresponse()
            return answer.read(), dict(answer.getheaders()), answer.status
        except (ConnectionError, http.client.HTTPException):
            if fresh:
                raise
            fresh = True
