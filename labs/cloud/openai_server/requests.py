"""What clients ask of an OpenAI-compatible server, understood: a prompt, how long an answer, how it ends."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labs.cloud import standin, tokens
from labs.cloud.standin import Turn

MESSAGE_OVERHEAD_TOKENS = 4
"""What the frame around one message (its role and its end) costs in tokens."""
DEFAULT_COMPLETION_TOKENS = 16
"""max_tokens of /v1/completions when none is given; a chat may fill the context."""


class Wrong(Exception):  # noqa: N818 - an answer
    """A request that is refused; `status` and `kind` as vLLM has them."""

    def __init__(
        self, message: str, status: int = 400, kind: str = "BadRequestError", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.param = status, kind, param


@dataclass(frozen=True)
class Asked:
    """One generation."""

    input_tokens: int
    pieces: tuple[str, ...]
    """the answer, token by token"""
    finish_reason: str
    max_tokens: int
    stream: bool
    include_usage: bool


def understood(body: bytes) -> dict[str, Any]:
    """The JSON object in a request. Raises Wrong."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as wrong:
        raise Wrong(f"The request body is not JSON: {wrong}") from None
    if not isinstance(value, dict):
        raise Wrong("The request body must be a JSON object.")
    return value


def whole(params: Mapping[str, Any], name: str, low: int, default: int | None) -> int | None:
    """A whole number of at least `low`. Raises Wrong."""
    value = params.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise Wrong(f"{name} must be a whole number of at least {low}, not {value!r}.", param=name)
    return value


def flag(params: Mapping[str, Any], name: str) -> bool:
    value = params.get(name)
    if value is not None and not isinstance(value, bool):
        raise Wrong(f"{name} must be true or false, not {value!r}.", param=name)
    return bool(value)


def chat(params: Mapping[str, Any], max_model_len: int) -> Asked:
    """/v1/chat/completions. Raises Wrong."""
    messages = params.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Wrong("messages must be a list with at least one message.", param="messages")
    turns = [turn_of(message, i) for i, message in enumerate(messages)]
    system = "\n".join(turn.text for turn in turns if turn.role in ("system", "developer"))
    spoken = [turn for turn in turns if turn.role not in ("system", "developer")]
    if not spoken:
        raise Wrong("messages must have one that is not the system's.", param="messages")
    count = sum(tokens.count(turn.text) + MESSAGE_OVERHEAD_TOKENS for turn in turns)
    limit = whole(params, "max_completion_tokens", 1, None) or whole(params, "max_tokens", 1, None)
    return asked(params, spoken, system, count, limit or max_model_len - count, max_model_len)


def completion(params: Mapping[str, Any], max_model_len: int) -> Asked:
    """/v1/completions. Raises Wrong."""
    prompt = params.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str | list):
        prompt = prompt[0]
    if isinstance(prompt, list) and prompt and all(isinstance(part, int) for part in prompt):
        text, count = f"{len(prompt)} tokens", len(prompt)
    elif isinstance(prompt, str):
        text, count = prompt, max(1, tokens.count(prompt))
    else:
        raise Wrong("prompt must be one text, or one list of token numbers.", param="prompt")
    limit = whole(params, "max_tokens", 1, DEFAULT_COMPLETION_TOKENS)
    assert limit is not None
    return asked(params, [Turn("user", text)], "", count, limit, max_model_len)


def generation(params: Mapping[str, Any], max_model_len: int) -> Asked:
    """Triton's generate: text_input and parameters. Raises Wrong."""
    text = params.get("text_input")
    if not isinstance(text, str):
        raise Wrong("text_input must be a text.", param="text_input")
    inner = params.get("parameters") or {}
    if not isinstance(inner, dict):
        raise Wrong("parameters must be an object.", param="parameters")
    limit = whole({**params, **inner}, "max_tokens", 1, DEFAULT_COMPLETION_TOKENS)
    assert limit is not None
    count = max(1, tokens.count(text))
    return asked({**inner, "stream": inner.get("stream")}, [Turn("user", text)], "", count, limit, max_model_len)


def turn_of(message: Any, position: int) -> Turn:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise Wrong(f"messages[{position}] must be an object with a role.", param="messages")
    content = message.get("content")
    if isinstance(content, list):
        kinds = [part.get("type") if isinstance(part, dict) else None for part in content]
        if any(kind != "text" for kind in kinds):
            raise Wrong(f"messages[{position}]: this model reads text only.", param="messages")
        content = "\n".join(str(part.get("text", "")) for part in content)
    if not isinstance(content, str):
        raise Wrong(f"messages[{position}].content must be a text.", param="messages")
    return Turn(message["role"], content)


def asked(
    params: Mapping[str, Any], turns: Sequence[Turn], system: str, count: int, max_tokens: int, max_model_len: int
) -> Asked:
    """Check what all kinds of request share, and think of an answer. Raises Wrong."""
    if count + max(1, max_tokens) > max_model_len:
        raise Wrong(
            f"This model's maximum context length is {max_model_len} tokens. However, you requested {count + max(1, max_tokens)} tokens "
            f"({count} in the messages, {max(1, max_tokens)} in the completion). Please reduce the length of the messages or completion."
        )
    for name in ("n", "best_of"):
        if whole(params, name, 1, 1) != 1:
            raise Wrong(f"{name} must be 1: the local cloud's models give one answer.", param=name)
    for name in ("logprobs", "top_logprobs", "prompt_logprobs"):
        if params.get(name):
            raise Wrong(f"{name} is not available: a stand-in's text has no probabilities.", param=name)
    for name, high in (("temperature", 2.0), ("top_p", 1.0)):
        value = params.get(name)
        if value is not None and (
            not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= high
        ):
            raise Wrong(f"{name} must be a number from 0 to {high:g}, not {value!r}.", param=name)
    stop = params.get("stop") or []
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(one, str) and one for one in stops):
        raise Wrong("stop must be a text or a list of texts.", param="stop")
    options = params.get("stream_options") or {}
    if not isinstance(options, dict):
        raise Wrong("stream_options must be an object.", param="stream_options")
    shortest = whole(params, "min_tokens", 0, 0) or 0
    try:
        text = standin.answer(turns, system, max_tokens)
    except standin.ModelServerFailed as failed:
        raise Wrong(f"LAB_MODEL_URL: {failed}.", 500, "InternalServerError") from None
    wanted = max_tokens if flag(params, "ignore_eos") else min(shortest, max_tokens)
    pieces, reason = cut(text, stops, max_tokens, wanted)
    return Asked(max(1, count), pieces, reason, max_tokens, flag(params, "stream"), flag(options, "include_usage"))


def cut(text: str, stops: Sequence[str], max_tokens: int, wanted: int) -> tuple[tuple[str, ...], str]:
    """The answer's tokens and why it ends: at least `wanted` of them, at most `max_tokens`."""
    found = [text.find(stop) for stop in stops if stop in text]
    pieces = tokens.pieces(text[: min(found)] if found else text) or [" "]
    own = list(pieces)
    while len(pieces) < wanted:
        pieces += [" ", *own][: wanted - len(pieces)]
    if len(pieces) > max_tokens or (wanted and len(pieces) == max_tokens):
        return tuple(pieces[:max_tokens]), "length"
    return tuple(pieces), "stop"
