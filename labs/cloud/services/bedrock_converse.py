"""Converse: its request, checked as AWS checks it, and its answers."""

from typing import Any

from labs.cloud.services.bedrock_asked import Answer, Asked, Reader, check_checkpoints, check_order
from labs.cloud.services.bedrock_cache import FIVE_MINUTES
from labs.cloud.services.bedrock_errors import invalid
from labs.cloud.services.bedrock_face import Sums
from labs.cloud.services.bedrock_models import Served

TEXT_LIKE = ("text", "toolUse", "toolResult", "cachePoint", "reasoningContent")
"""Content that the stand-in can count; images, documents, audio and video it cannot."""


def read(params: dict[str, Any], model: Served) -> Asked:
    """What a conversation asks."""
    asked = read_conversation(params, params.get("inferenceConfig") or {})
    check_order(asked.turns)
    check_config(params.get("inferenceConfig") or {}, model)
    if params.get("guardrailConfig"):
        raise invalid("The guardrail identifier or version provided in the request does not exist.")
    return asked


def read_conversation(params: dict[str, Any], config: dict[str, Any]) -> Asked:
    """The prompt of a conversation, in whatever order its messages are."""
    reader = Reader()
    tools = (params.get("toolConfig") or {}).get("tools") or []
    reader.tools([tool for tool in tools if "cachePoint" not in tool])
    for tool in tools:
        if "cachePoint" in tool:
            reader.checkpoint(tool["cachePoint"].get("ttl") or FIVE_MINUTES)
    for block in params.get("system") or []:
        if "text" in block:
            reader.system(block["text"])
        elif "cachePoint" in block:
            reader.checkpoint(block["cachePoint"].get("ttl") or FIVE_MINUTES)
    for i, message in enumerate(params.get("messages") or []):
        _read_message(reader, i, message)
    check_checkpoints(reader)
    return reader.asked(config.get("maxTokens"), config.get("stopSequences") or [])


def _read_message(reader: Reader, i: int, message: dict[str, Any]) -> None:
    """What a message holds beside text is refused by name or, where it is text at heart, counted as its JSON."""
    if not message["content"]:
        raise invalid(
            f"The content field in the Message object at messages.{i} is empty. "
            "Add a ContentBlock object to the content field and try again."
        )
    reader.open(message["role"])
    for j, block in enumerate(message["content"]):
        kind = next((name for name, value in block.items() if value is not None), "")
        if kind not in TEXT_LIKE:
            raise invalid(
                f"The local cloud's models read text only. Remove {kind or 'the empty block'} at messages.{i}.content.{j} and try again."
            )
        if kind == "text" and not block["text"].strip():
            raise invalid(
                f"The text field in the ContentBlock object at messages.{i}.content.{j} is blank. Add text to the text field, and try again."
            )
        if kind == "cachePoint":
            reader.checkpoint(block[kind].get("ttl") or FIVE_MINUTES)
        else:
            reader.text(block["text"] if kind == "text" else str(block[kind]))


def check_config(config: dict[str, Any], model: Served) -> None:
    """Ranges that botocore leaves to the service."""
    limit = model.max_output_tokens
    if (config.get("maxTokens") or 0) > limit:
        raise invalid(
            f"The maximum tokens you requested exceeds the model limit of {limit}. Try again with a maximum tokens value that is lower than {limit}."
        )
    for name in ("temperature", "topP"):
        if (value := config.get(name)) is not None and not 0 <= value <= 1:
            raise invalid(
                f"1 validation error detected: Value '{value}' at 'inferenceConfig.{name}' failed to satisfy constraint: "
                "Member must have value between 0 and 1, inclusive"
            )


class ConverseFace:
    """Answers of Converse and ConverseStream. `echo`: settings that the answer repeats."""

    def __init__(self, echo: dict[str, Any]) -> None:
        self._echo = echo

    def opening(self, sums: Sums) -> list[dict[str, Any]]:  # noqa: ARG002 - counts come last
        """See `bedrock_face.Face`."""
        return [{"messageStart": {"role": "assistant"}}]

    def piece(self, text: str, number: int) -> list[dict[str, Any]]:  # noqa: ARG002 - Converse does not count as it goes
        """See `bedrock_face.Face`."""
        return [{"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}}]

    def closing(self, answer: Answer, sums: Sums) -> list[dict[str, Any]]:
        """See `bedrock_face.Face`."""
        return [
            {"contentBlockStop": {"contentBlockIndex": 0}},
            {"messageStop": {"stopReason": answer.stop_reason}},
            {"metadata": self._accounts(sums)},
        ]

    def whole(self, answer: Answer, sums: Sums) -> dict[str, Any]:
        """See `bedrock_face.Face`."""
        message = {"role": "assistant", "content": [{"text": answer.text}]}
        return {"output": {"message": message}, "stopReason": answer.stop_reason} | self._accounts(sums)

    def _accounts(self, sums: Sums) -> dict[str, Any]:
        usage: dict[str, Any] = {
            "inputTokens": sums.input_tokens,
            "outputTokens": sums.output_tokens,
            "totalTokens": sums.total_tokens,
        }
        if sums.caches:
            usage |= {"cacheReadInputTokens": sums.cache_read, "cacheWriteInputTokens": sums.cache_written}
        if sums.cache_details:
            usage["cacheDetails"] = [{"ttl": ttl, "inputTokens": tokens} for ttl, tokens in sums.cache_details]
        return {"usage": usage, "metrics": {"latencyMs": sums.latency_ms}} | self._echo
