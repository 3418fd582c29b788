"""OpenAI's bodies: chat completions (gpt-oss, Qwen3, imported models) and completions (imported models)."""

import time
import uuid
from typing import Any

from labs.cloud.services.bedrock_asked import Answer, Asked, Reader
from labs.cloud.services.bedrock_body_prompt import METRICS, read_prompt
from labs.cloud.services.bedrock_errors import invalid
from labs.cloud.services.bedrock_face import Face, Sums
from labs.cloud.services.bedrock_models import Served
from labs.cloud.services.bedrock_schema import Anything, Listed, Number, Rule, Text, check, expected, malformed

SAMPLING: dict[str, Rule] = {
    name: Anything()
    for name in (
        "model", "stream", "stream_options", "n", "seed", "top_k", "min_p", "presence_penalty", "frequency_penalty",
        "repetition_penalty", "logprobs", "top_logprobs", "response_format", "reasoning_effort", "user", "echo",
    )
}  # fmt: skip
"""Keys that these formats have and that change nothing in a stand-in's answer."""


def _lengths(model: Served) -> dict[str, Rule]:
    limit = model.max_output_tokens
    return {
        "max_tokens": Number(1, limit, whole=True),
        "max_completion_tokens": Number(1, limit, whole=True),
        "temperature": Number(0, 2),
        "top_p": Number(0, 1),
        "stop": Anything(),
        **SAMPLING,
    }


def _stops(body: dict[str, Any]) -> list[str]:
    stop = body.get("stop")
    if stop is None or isinstance(stop, str):
        return [stop] if stop else []
    if not isinstance(stop, list):
        malformed(expected("JSONArray", stop, "stop"))
    return [str(each) for each in stop]


class Chat:
    """{"messages"} → {"choices": [{"message"}]}."""

    def read(self, body: dict[str, Any], model: Served) -> Asked:
        """See `bedrock_bodies.Body`."""
        rules: dict[str, Rule] = {"messages": Listed(1, required=True), "tools": Listed(), "tool_choice": Anything()}
        check(body, rules | _lengths(model))
        reader = Reader()
        reader.tools(body.get("tools"))
        for i, message in enumerate(body["messages"]):
            if not isinstance(message, dict):
                malformed(expected("JSONObject", message, f"messages/{i}"))
            role, content = message.get("role"), message.get("content")
            if role not in ("system", "developer", "user", "assistant", "tool"):
                malformed(f"#/messages/{i}/role: {role} is not a valid enum value")
            text = content if isinstance(content, str) else "\n".join(_texts(content, i))
            if not text:
                malformed(f"#/messages/{i}: required key [content] not found")
            if role in ("system", "developer"):
                reader.system(text)
            else:
                reader.message("assistant" if role == "assistant" else "user", [text])
        asked = reader.asked(body.get("max_completion_tokens", body.get("max_tokens")), _stops(body))
        if not asked.turns:
            malformed("#/messages: a message of the user is required")
        return asked

    def face(self, model: Served) -> Face:
        """See `bedrock_bodies.Body`."""
        return ChatFace(model.id, "chat.completion")


def _texts(content: Any, i: int) -> list[str]:
    texts = []
    for block in content if isinstance(content, list) else []:
        if not isinstance(block, dict) or block.get("type") != "text":
            raise invalid(f"The local cloud's models read text only, and messages.{i} holds something else.")
        texts.append(str(block.get("text", "")))
    return texts


class Completion:
    """{"prompt"} → {"choices": [{"text"}]}."""

    def read(self, body: dict[str, Any], model: Served) -> Asked:
        """See `bedrock_bodies.Body`."""
        check(body, {"prompt": Text(required=True), **_lengths(model)})
        return read_prompt(body["prompt"]).asked(body.get("max_tokens"), _stops(body))

    def face(self, model: Served) -> Face:
        """See `bedrock_bodies.Body`."""
        return ChatFace(model.id, "text_completion")


class ChatFace:
    """Answers of both. `kind`: chat.completion or text_completion."""

    def __init__(self, model: str, kind: str) -> None:
        self._model, self._kind = model, kind
        self._id = f"{'chatcmpl' if kind == 'chat.completion' else 'cmpl'}-{uuid.uuid4().hex}"
        self._created = int(time.time())

    def opening(self, sums: Sums) -> list[dict[str, Any]]:  # noqa: ARG002 - counts come last
        """See `bedrock_face.Face`."""
        if self._kind != "chat.completion":
            return []
        return [self._chunk({"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None})]

    def piece(self, text: str, number: int) -> list[dict[str, Any]]:  # noqa: ARG002 - it counts at the end
        """See `bedrock_face.Face`."""
        if self._kind != "chat.completion":
            return [self._chunk({"index": 0, "text": text, "finish_reason": None})]
        return [self._chunk({"index": 0, "delta": {"content": text}, "finish_reason": None})]

    def closing(self, answer: Answer, sums: Sums) -> list[dict[str, Any]]:
        """See `bedrock_face.Face`."""
        empty: dict[str, Any] = {"delta": {}} if self._kind == "chat.completion" else {"text": ""}
        last = self._chunk({"index": 0, **empty, "finish_reason": _reason(answer)})
        return [last | {"usage": _usage(sums), METRICS: sums.invocation_metrics()}]

    def whole(self, answer: Answer, sums: Sums) -> dict[str, Any]:
        """See `bedrock_face.Face`."""
        said = (
            {"message": {"role": "assistant", "content": answer.text}}
            if self._kind == "chat.completion"
            else {"text": answer.text}
        )
        choice = {"index": 0, **said, "finish_reason": _reason(answer)}
        return self._frame(self._kind, choice) | {"usage": _usage(sums)}

    def _chunk(self, choice: dict[str, Any]) -> dict[str, Any]:
        return self._frame("chat.completion.chunk" if self._kind == "chat.completion" else self._kind, choice)

    def _frame(self, kind: str, choice: dict[str, Any]) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._model, "choices": [choice]}


def _reason(answer: Answer) -> str:
    return "length" if answer.stop_reason == "max_tokens" else "stop"


def _usage(sums: Sums) -> dict[str, int]:
    return {
        "prompt_tokens": sums.input_tokens,
        "completion_tokens": sums.output_tokens,
        "total_tokens": sums.total_tokens,
    }
