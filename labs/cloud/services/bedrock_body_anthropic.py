"""Anthropic's Messages body: {"anthropic_version", "max_tokens", "messages"} and typed events."""

import uuid
from typing import Any

from labs.cloud.services.bedrock_asked import Answer, Asked, Reader, check_checkpoints
from labs.cloud.services.bedrock_body_prompt import METRICS
from labs.cloud.services.bedrock_cache import FIVE_MINUTES, ONE_HOUR
from labs.cloud.services.bedrock_errors import invalid
from labs.cloud.services.bedrock_face import Face, Sums
from labs.cloud.services.bedrock_models import Served

VERSION = "bedrock-2023-05-31"
REQUIRED = ("anthropic_version", "max_tokens", "messages")
OPTIONAL = (
    "system", "temperature", "top_p", "top_k", "stop_sequences", "tools", "tool_choice", "anthropic_beta", "thinking",
    "metadata", "output_config", "context_management",
)  # fmt: skip


class Anthropic:
    """Messages, as Claude on Bedrock takes them."""

    def read(self, body: dict[str, Any], model: Served) -> Asked:
        """See `bedrock_bodies.Body`."""
        for key in REQUIRED:
            if key not in body:
                raise invalid(f"{key}: Field required")
        for key in body:
            if key not in (*REQUIRED, *OPTIONAL):
                raise invalid(f"{key}: Extra inputs are not permitted")
        if body["anthropic_version"] != VERSION:
            raise invalid(f"anthropic_version: Input should be '{VERSION}'")
        most, limit = body["max_tokens"], model.max_output_tokens
        if isinstance(most, bool) or not isinstance(most, int):
            raise invalid("max_tokens: Input should be a valid integer")
        if most < 1:
            raise invalid("max_tokens: Input should be greater than or equal to 1")
        if most > limit:
            raise invalid(
                f"max_tokens: {most} > {limit}, which is the maximum allowed number of output tokens for {short(model)}"
            )
        for key in ("temperature", "top_p"):
            value = body.get(key)
            if value is not None and (not isinstance(value, int | float) or not 0 <= value <= 1):
                raise invalid(f"{key}: range: 0..1")
        return self._conversation(body, most)

    def face(self, model: Served) -> Face:
        """See `bedrock_bodies.Body`."""
        return AnthropicFace(short(model))

    def _conversation(self, body: dict[str, Any], max_tokens: int) -> Asked:
        reader = Reader()
        tools = _list(body.get("tools") or [], "tools")
        reader.tools(tools)
        if tools and (ttl := _ttl(tools[-1])):
            reader.checkpoint(ttl)
        system = body.get("system")
        for i, block in enumerate(_blocks(system or [], "system")):
            _block(block, f"system.{i}", reader.system, reader)
        messages = body["messages"]
        if not isinstance(messages, list) or not messages:
            raise invalid("messages: at least one message is required")
        for i, message in enumerate(messages):
            role = message.get("role") if isinstance(message, dict) else None
            if role not in ("user", "assistant"):
                raise invalid(f"messages.{i}.role: Input should be 'user' or 'assistant'")
            content = message.get("content")
            if not content:
                raise invalid(f"messages.{i}: all messages must have non-empty content")
            reader.open(role)
            for j, block in enumerate(_blocks(content, f"messages.{i}.content")):
                _block(block, f"messages.{i}.content.{j}", reader.text, reader)
        if messages[0]["role"] != "user":
            raise invalid('messages: first message must use the "user" role')
        check_checkpoints(reader)
        stops = _list(body.get("stop_sequences") or [], "stop_sequences")
        return reader.asked(max_tokens, [str(stop) for stop in stops])


def short(model: Served) -> str:
    """What Claude calls itself in an answer: "claude-haiku-4-5-20251001"."""
    return model.id.removeprefix("anthropic.").partition("-v1")[0]


def _list(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise invalid(f"{path}: Input should be a valid list")
    return value


def _blocks(content: Any, path: str) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else _list(content, path)


def _block(block: Any, path: str, take: Any, reader: Reader) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind == "text":
        if not isinstance(block.get("text"), str) or not block["text"]:
            raise invalid(f"{path}.text: text content blocks must be non-empty")
        take(block["text"])
    elif kind in ("tool_use", "tool_result", "thinking", "redacted_thinking"):
        take(str({key: value for key, value in block.items() if key != "cache_control"}))
    elif kind in ("image", "document"):
        raise invalid(f"The local cloud's models read text only. Remove {kind} at {path} and try again.")
    else:
        raise invalid(f"{path}.type: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    if ttl := _ttl(block):
        reader.checkpoint(ttl)


def _ttl(block: Any) -> str | None:
    control = block.get("cache_control") if isinstance(block, dict) else None
    if control is None:
        return None
    ttl = control.get("ttl", FIVE_MINUTES) if isinstance(control, dict) else None
    if not isinstance(control, dict) or control.get("type") != "ephemeral" or ttl not in (FIVE_MINUTES, ONE_HOUR):
        raise invalid("cache_control: Input should be {'type': 'ephemeral'}, with a ttl of '5m' or '1h'")
    return str(ttl)


class AnthropicFace:
    """Claude's answers."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._id = f"msg_bdrk_{uuid.uuid4().hex[:24]}"

    def opening(self, sums: Sums) -> list[dict[str, Any]]:
        """See `bedrock_face.Face`."""
        message = self._message([], None, None, _usage(sums, 1))
        return [
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        ]

    def piece(self, text: str, number: int) -> list[dict[str, Any]]:  # noqa: ARG002 - it counts at the end
        """See `bedrock_face.Face`."""
        return [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}]

    def closing(self, answer: Answer, sums: Sums) -> list[dict[str, Any]]:
        """See `bedrock_face.Face`."""
        ends = {"stop_reason": answer.stop_reason, "stop_sequence": answer.stop_sequence}
        return [
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": ends, "usage": {"output_tokens": sums.output_tokens}},
            {"type": "message_stop", METRICS: sums.invocation_metrics()},
        ]

    def whole(self, answer: Answer, sums: Sums) -> dict[str, Any]:
        """See `bedrock_face.Face`."""
        content = [{"type": "text", "text": answer.text}]
        return self._message(content, answer.stop_reason, answer.stop_sequence, _usage(sums, sums.output_tokens))

    def _message(
        self, content: list[dict[str, Any]], reason: str | None, stop: str | None, usage: dict[str, int]
    ) -> dict[str, Any]:
        return {
            "model": self._model,
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "content": content,
            "stop_reason": reason,
            "stop_sequence": stop,
            "usage": usage,
        }


def _usage(sums: Sums, written: int) -> dict[str, int]:
    return {
        "input_tokens": sums.input_tokens,
        "cache_creation_input_tokens": sums.cache_written,
        "cache_read_input_tokens": sums.cache_read,
        "output_tokens": written,
    }
