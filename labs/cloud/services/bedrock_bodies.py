"""InvokeModel's bodies: each family of models has its own, in and out.

    body = BODIES["llama"]
    asked = body.read({"prompt": "...", "max_gen_len": 200}, model)
    body.face(model).whole(answer, sums)           # {"generation": "...", "prompt_token_count": 12, ...}

Formats: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from labs.cloud.services.bedrock_asked import Asked
from labs.cloud.services.bedrock_body_anthropic import Anthropic
from labs.cloud.services.bedrock_body_chat import Chat, Completion
from labs.cloud.services.bedrock_body_nova import Nova
from labs.cloud.services.bedrock_body_prompt import Llama, Mistral
from labs.cloud.services.bedrock_errors import invalid
from labs.cloud.services.bedrock_face import Face
from labs.cloud.services.bedrock_models import Served


class Body(Protocol):
    """One family's format."""

    def read(self, body: dict[str, Any], model: Served) -> Asked:
        """What a body asks. Raises ValidationException for a body that is another family's, or wrong."""
        ...

    def face(self, model: Served) -> Face:
        """How its answers are written."""
        ...


BODIES: Mapping[str, Body] = MappingProxyType(
    {
        "anthropic": Anthropic(),
        "llama": Llama(),
        "nova": Nova(),
        "mistral": Mistral(),
        "chat": Chat(),
        "completion": Completion(),
    }
)


def parsed(body: Any) -> dict[str, Any]:
    """The JSON object in a request's body."""
    try:
        found = json.loads(body or b"")
    except (ValueError, RecursionError):
        raise invalid("Malformed input request, please reformat your input and try again.") from None
    if not isinstance(found, dict):
        raise invalid(
            "Malformed input request: #: expected type: JSONObject, found: "
            f"{'JSONArray' if isinstance(found, list) else type(found).__name__}, please reformat your input and try again."
        )
    return found


def body_of(model: Served, body: dict[str, Any], *, imported: bool) -> Body:
    """The format that a body for this model is held against: an imported model takes several, told apart by their fields."""
    if not imported:
        return BODIES[model.body]
    if "messages" in body:
        return BODIES["chat"]
    if model.body == "llama" and "max_tokens" in body:
        return BODIES["completion"]
    return BODIES[model.body if model.body in ("llama", "mistral") else "completion"]
