"""What an answer other than 200 is called when it is counted."""

import json
from typing import Any

from labs.bench.exchange import Failed

THROTTLED = "ThrottlingException"
"""How AWS calls it; a bare 429 of any server is counted under the same name."""
_NAMES = {
    429: THROTTLED,
    503: "ServiceUnavailableException",
    408: "RequestTimeout",
    401: "Unauthorized",
    404: "NotFound",
}


def nameless(http_status: int) -> str:
    """A class for a refusal that does not name itself."""
    return _NAMES.get(http_status, f"Http{http_status}")


def shown(body: bytes) -> str:
    """The beginning of a body, for a person."""
    text = body[:200].decode("utf-8", "replace").strip()
    return text + ("..." if len(body) > 200 else "")


def json_object(body: bytes) -> dict[str, Any]:
    """A body's JSON object; empty when it is none."""
    try:
        data = json.loads(body)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def aws_error(http_status: int, headers: dict[bytes, bytes], body: bytes) -> Failed:
    """An AWS service's refusal by its own name, as boto3 would call it; without one, by its HTTP status."""
    data = json_object(body)
    kind = headers.get(b"x-amzn-errortype", b"").decode("latin-1") or str(data.get("code") or data.get("__type") or "")
    kind = kind.split(":", 1)[0].rsplit("#", 1)[-1].strip()
    message = data.get("message") or data.get("Message") or ""
    return Failed(kind or nameless(http_status), str(message) or shown(body), http_status)


def openai_error(http_status: int, body: bytes) -> Failed:
    """A refusal of an OpenAI-compatible server: {"error": {"message", "type", "code"}}, or whatever else it says."""
    error = json_object(body).get("error")
    message = error.get("message") if isinstance(error, dict) else error
    return Failed(nameless(http_status), str(message or shown(body)), http_status)
