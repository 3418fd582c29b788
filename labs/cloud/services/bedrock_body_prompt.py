"""Bodies that hold one prompt: Meta Llama's and Mistral's."""

import re
from typing import Any

from labs.cloud.services.bedrock_asked import Answer, Asked, Reader
from labs.cloud.services.bedrock_face import Face, Sums
from labs.cloud.services.bedrock_models import Served
from labs.cloud.services.bedrock_schema import Anything, Listed, Number, Text, check

LLAMA_DEFAULT_TOKENS = 512
MISTRAL_DEFAULT_TOKENS = 512
METRICS = "amazon-bedrock-invocationMetrics"
_TURN = re.compile(
    r"<\|start_header_id\|>\s*(\w+)\s*<\|end_header_id\|>(.*?)(?=<\|eot_id\|>|<\|start_header_id\|>|$)", re.S
)
_INSTRUCTION = re.compile(r"\[INST\](.*?)(?:\[/INST\]|$)", re.S)
_SIGN = re.compile(r"<\|[a-z_]+\|>|</?s>|\[/?INST\]|<</?SYS>>")


def read_prompt(prompt: str) -> Reader:
    """A prompt with a chat template in it, taken apart; one without is the user's message."""
    reader = Reader()
    turns = [(role, text.strip()) for role, text in _TURN.findall(prompt)]
    if not turns:
        turns = [("user", text.strip()) for text in _INSTRUCTION.findall(prompt)]
    turns = [(role, text) for role, text in turns if text] or [("user", _SIGN.sub("", prompt).strip() or prompt)]
    for role, text in turns:
        if role == "system":
            reader.system(text)
        else:
            reader.message(role, [text])
    return reader


class Llama:
    """{"prompt", "max_gen_len"} → {"generation"}."""

    def read(self, body: dict[str, Any], model: Served) -> Asked:
        """See `bedrock_bodies.Body`."""
        limit = model.max_output_tokens
        check(
            body,
            {
                "prompt": Text(required=True),
                "max_gen_len": Number(1, limit, whole=True),
                "temperature": Number(0, 1),
                "top_p": Number(0, 1),
                "images": Anything(),
            },
        )
        return read_prompt(body["prompt"]).asked(body.get("max_gen_len", min(LLAMA_DEFAULT_TOKENS, limit)))

    def face(self, model: Served) -> Face:  # noqa: ARG002 - every Llama answers alike
        """See `bedrock_bodies.Body`."""
        return LlamaFace()


class LlamaFace:
    """Llama's answers."""

    def __init__(self) -> None:
        self._prompt_tokens: int | None = None

    def opening(self, sums: Sums) -> list[dict[str, Any]]:
        """See `bedrock_face.Face`: the first chunk carries the prompt's tokens."""
        self._prompt_tokens = sums.input_tokens
        return []

    def piece(self, text: str, number: int) -> list[dict[str, Any]]:
        """See `bedrock_face.Face`."""
        counted, self._prompt_tokens = self._prompt_tokens, None
        return [_generation(text, counted, number, None)]

    def closing(self, answer: Answer, sums: Sums) -> list[dict[str, Any]]:
        """See `bedrock_face.Face`."""
        last = _generation("", None, sums.output_tokens, _reason(answer))
        return [last | {METRICS: sums.invocation_metrics()}]

    def whole(self, answer: Answer, sums: Sums) -> dict[str, Any]:
        """See `bedrock_face.Face`."""
        return _generation(answer.text, sums.input_tokens, sums.output_tokens, _reason(answer))


def _generation(text: str, prompt_tokens: int | None, written: int, reason: str | None) -> dict[str, Any]:
    return {
        "generation": text,
        "prompt_token_count": prompt_tokens,
        "generation_token_count": written,
        "stop_reason": reason,
    }


def _reason(answer: Answer) -> str:
    return "length" if answer.stop_reason == "max_tokens" else "stop"


class Mistral:
    """{"prompt", "max_tokens"} → {"outputs": [{"text"}]}."""

    def read(self, body: dict[str, Any], model: Served) -> Asked:
        """See `bedrock_bodies.Body`."""
        limit = model.max_output_tokens
        check(
            body,
            {
                "prompt": Text(required=True),
                "max_tokens": Number(1, limit, whole=True),
                "stop": Listed(),
                "temperature": Number(0, 1),
                "top_p": Number(0, 1),
                "top_k": Number(0, 200, whole=True),
            },
        )
        asked = body.get("max_tokens", min(MISTRAL_DEFAULT_TOKENS, limit))
        return read_prompt(body["prompt"]).asked(asked, [str(stop) for stop in body.get("stop") or []])

    def face(self, model: Served) -> Face:  # noqa: ARG002 - every Mistral answers alike
        """See `bedrock_bodies.Body`."""
        return MistralFace()


class MistralFace:
    """Mistral's answers."""

    def opening(self, sums: Sums) -> list[dict[str, Any]]:  # noqa: ARG002 - nothing comes before the text
        """See `bedrock_face.Face`."""
        return []

    def piece(self, text: str, number: int) -> list[dict[str, Any]]:  # noqa: ARG002 - it does not count
        """See `bedrock_face.Face`."""
        return [{"outputs": [{"text": text, "stop_reason": None}]}]

    def closing(self, answer: Answer, sums: Sums) -> list[dict[str, Any]]:
        """See `bedrock_face.Face`."""
        return [
            {"outputs": [{"text": "", "stop_reason": _reason(answer)}], METRICS: sums.invocation_metrics()},
        ]

    def whole(self, answer: Answer, sums: Sums) -> dict[str, Any]:  # noqa: ARG002 - it does not count
        """See `bedrock_face.Face`."""
        return {"outputs": [{"text": answer.text, "stop_reason": _reason(answer)}]}
