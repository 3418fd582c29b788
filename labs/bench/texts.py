"""Does this JSON carry a piece of an answer? Every model family and every container has its own words for it."""

import json
from collections.abc import Callable
from typing import Any

from labs.bench.exchange import Failed


def has_text(data: dict[str, Any]) -> bool:
    """Is there generated content in an event or in a whole answer, whoever made it?

    Known: OpenAI (delta, message, text; reasoning and tool calls count, they are generated tokens), Anthropic, Nova and Converse, Llama, Mistral,
    Titan, Cohere, DJL and TGI containers (token), Triton.
    """
    for choice in _list(data.get("choices")):
        if choice.get("text") or _said(choice.get("delta")) or _said(choice.get("message")):
            return True
    for name in ("generation", "outputText", "completion", "text_output", "generated_text", "text"):
        if data.get(name):
            return True
    if _said(data.get("token")) or _said(data.get("delta")) or _said(data.get("contentBlockDelta")):
        return True
    message = data.get("output")
    if isinstance(message, dict) and _said(message.get("message")):
        return True
    return any(
        _said(part) for name in ("outputs", "results", "content", "generations") for part in _list(data.get(name))
    )


_SAYS = (
    *("text", "content", "reasoning_content", "reasoning", "tool_calls", "thinking", "partial_json", "outputText"),
    *("delta", "reasoningContent", "toolUse", "input", "generated_text"),
)


def _said(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    return any(_said(value) if isinstance(value, dict) else bool(value) for name in _SAYS if (value := part.get(name)))


def _list(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def usage(data: dict[str, Any]) -> tuple[int | None, int | None]:
    """Tokens in and out, as the server counted them; None where it did not say."""
    for holder in (data.get("usage"), data.get("amazon-bedrock-invocationMetrics"), data.get("details"), data):
        if isinstance(holder, dict):
            found = _first(holder, _IN), _first(holder, _OUT)
            if found != (None, None):
                return found
    return None, None


_IN = ("inputTokens", "prompt_tokens", "input_tokens", "inputTokenCount", "prompt_token_count", "inputTextTokenCount")
_OUT = (
    "outputTokens",
    "completion_tokens",
    "output_tokens",
    "outputTokenCount",
    "generation_token_count",
    "generated_tokens",
)


def _first(data: dict[str, Any], names: tuple[str, ...]) -> int | None:
    return next((int(data[name]) for name in names if isinstance(data.get(name), int)), None)


_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # typeshed lacks it
"""json.loads without its layers, which cost more than the parsing of a token's few bytes"""


def json_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in an event's payload. Raises Failed when it is none, or is not UTF-8."""
    try:
        text = raw.decode()
        data, end = _scan(text, 0)
        if end != len(text):
            data = json.loads(text)
    except UnicodeDecodeError:
        raise Failed("MalformedStream", f"an event's payload is not UTF-8: {raw[:40]!r}") from None
    except StopIteration:
        data = _loads(raw)
    except ValueError:
        data = None
    if type(data) is not dict:
        raise Failed("MalformedStream", f"an event's payload is no JSON object: {raw[:40]!r}")
    return data


def _loads(raw: bytes) -> Any:
    """For text that does not begin with its value: white space may stand before it."""
    try:
        return json.loads(raw.decode())
    except ValueError:
        return None
