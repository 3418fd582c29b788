"""Amazon Nova's body, messages-v1: Converse's own format with Nova's names for cache counts."""

from typing import Any

from labs.cloud.services.bedrock_asked import Answer, Asked, Reader, check_checkpoints, check_order
from labs.cloud.services.bedrock_body_prompt import METRICS
from labs.cloud.services.bedrock_cache import FIVE_MINUTES
from labs.cloud.services.bedrock_errors import invalid
from labs.cloud.services.bedrock_face import Face, Sums
from labs.cloud.services.bedrock_models import Served
from labs.cloud.services.bedrock_schema import Anything, Listed, Number, check, expected, malformed


class Nova:
    """{"schemaVersion": "messages-v1", "messages", "inferenceConfig"}."""

    def read(self, body: dict[str, Any], model: Served) -> Asked:
        """See `bedrock_bodies.Body`."""
        check(
            body,
            {
                "schemaVersion": Anything(),
                "messages": Listed(1, required=True),
                "system": Listed(),
                "inferenceConfig": Anything(),
                "toolConfig": Anything(),
            },
        )
        if body.get("schemaVersion", "messages-v1") != "messages-v1":
            malformed(f"#/schemaVersion: {body['schemaVersion']} is not a valid enum value")
        config = body.get("inferenceConfig") or {}
        if not isinstance(config, dict):
            malformed(expected("JSONObject", config, "inferenceConfig"))
        limit = model.max_output_tokens
        check(
            config,
            {
                # Nova took the second spelling in its first months and still does.
                "maxTokens": Number(1, limit, whole=True),
                "max_new_tokens": Number(1, limit, whole=True),
                "temperature": Number(0, 1),
                "topP": Number(0, 1),
                "top_p": Number(0, 1),
                "topK": Number(0, 128, whole=True),
                "top_k": Number(0, 128, whole=True),
                "stopSequences": Listed(),
            },
            "inferenceConfig",
        )
        reader = Reader()
        reader.tools((body.get("toolConfig") or {}).get("tools") if isinstance(body.get("toolConfig"), dict) else None)
        for i, block in enumerate(body.get("system") or []):
            _block(block, f"system/{i}", reader.system, reader)
        for i, message in enumerate(body["messages"]):
            _message(message, f"messages/{i}", reader)
        check_checkpoints(reader)
        asked = reader.asked(
            config.get("maxTokens", config.get("max_new_tokens")),
            [str(stop) for stop in config.get("stopSequences") or []],
        )
        check_order(asked.turns)
        return asked

    def face(self, model: Served) -> Face:  # noqa: ARG002 - every Nova answers alike
        """See `bedrock_bodies.Body`."""
        return NovaFace()


def _message(message: Any, path: str, reader: Reader) -> None:
    if not isinstance(message, dict):
        malformed(expected("JSONObject", message, path))
    check(message, {"role": Anything(required=True), "content": Listed(1, required=True)}, path)
    if message["role"] not in ("user", "assistant"):
        malformed(f"#/{path}/role: {message['role']} is not a valid enum value")
    reader.open(message["role"])
    for j, block in enumerate(message["content"]):
        _block(block, f"{path}/content/{j}", reader.text, reader)


def _block(block: Any, path: str, take: Any, reader: Reader) -> None:
    if not isinstance(block, dict):
        malformed(expected("JSONObject", block, path))
    for kind, value in block.items():
        if kind == "text" and isinstance(value, str):
            take(value)
        elif kind == "cachePoint":
            reader.checkpoint(FIVE_MINUTES)
        elif kind in ("toolUse", "toolResult", "reasoningContent"):
            take(str(value))
        elif kind in ("image", "video", "document", "audio"):
            raise invalid(f"The local cloud's models read text only. Remove {kind} at #/{path} and try again.")
        else:
            malformed(f"#/{path}: extraneous key [{kind}] is not permitted")


class NovaFace:
    """Nova's answers."""

    def opening(self, sums: Sums) -> list[dict[str, Any]]:  # noqa: ARG002 - counts come last
        """See `bedrock_face.Face`."""
        return [{"messageStart": {"role": "assistant"}}]

    def piece(self, text: str, number: int) -> list[dict[str, Any]]:  # noqa: ARG002 - it counts at the end
        """See `bedrock_face.Face`."""
        return [{"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}}]

    def closing(self, answer: Answer, sums: Sums) -> list[dict[str, Any]]:
        """See `bedrock_face.Face`."""
        return [
            {"contentBlockStop": {"contentBlockIndex": 0}},
            {"messageStop": {"stopReason": answer.stop_reason}},
            {
                "metadata": {"usage": _usage(sums), "metrics": {}, "trace": {}},
                METRICS: sums.invocation_metrics(),
            },
        ]

    def whole(self, answer: Answer, sums: Sums) -> dict[str, Any]:
        """See `bedrock_face.Face`."""
        message = {"content": [{"text": answer.text}], "role": "assistant"}
        return {"output": {"message": message}, "stopReason": answer.stop_reason, "usage": _usage(sums)}


def _usage(sums: Sums) -> dict[str, int]:
    return {
        "inputTokens": sums.input_tokens,
        "outputTokens": sums.output_tokens,
        "totalTokens": sums.total_tokens,
        "cacheReadInputTokenCount": sums.cache_read,
        "cacheWriteInputTokenCount": sums.cache_written,
    }
