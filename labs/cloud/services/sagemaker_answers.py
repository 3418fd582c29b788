"""What model servers write: an answer in one piece, or token by token, in each server's own format.

    words = answer(asked)              # raises BadBody
    whole(asked, words)                # bytes
    part(asked, words, start, end)     # the lines of these tokens

Token ids and log probabilities are a model's; the stand-in has none, so ids are a checksum of the token's text and probabilities 0.
"""

import json
import zlib
from dataclasses import dataclass
from typing import Any

from labs.cloud import standin, tokens
from labs.cloud.services.sagemaker_bodies import Asked, BadBody


@dataclass(frozen=True)
class Words:
    """An answer: its tokens, and why it ends."""

    pieces: tuple[str, ...]
    finish_reason: str
    """length or stop"""

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.pieces)


def answer(asked: Asked) -> Words:
    """What the model says. Raises BadBody when a model server of the learner's own does not answer."""
    try:
        text = standin.answer(asked.turns, asked.system, asked.max_tokens)
    except standin.ModelServerFailed as failed:
        raise BadBody(failed.status or 500, {"error": f"LAB_MODEL_URL: {failed}"}) from None
    stops = [text.find(stop) for stop in asked.stops if stop in text]
    made = tokens.pieces(text[: min(stops)] if stops else text)
    if len(made) > asked.max_tokens:
        return Words(tuple(made[: asked.max_tokens]), "length")
    return Words(tuple(made) or ("",), "stop")


def content_type(asked: Asked) -> str:
    """Of the answer to this request."""
    if not asked.stream:
        return "application/json"
    return "application/jsonlines" if asked.stream_format == "jsonlines" else "text/event-stream"


def whole(asked: Asked, words: Words) -> bytes:
    """The answer in one piece."""
    said: Any
    if asked.dialect == "inputs":
        said = {"generated_text": asked.echo + words.text}
        if asked.details:
            said["details"] = details_of(asked, words) | {"tokens": [token_of(piece) for piece in words.pieces]}
        said = [said] if asked.as_list else said
    elif asked.dialect == "tensors":
        output = {"name": "text_output", "datatype": "BYTES", "shape": [1], "data": [words.text]}
        said = {"model_name": asked.model, "model_version": "1", "outputs": [output]}
    else:
        said = completion(asked, words)
    return json.dumps(said, ensure_ascii=False).encode()


def completion(asked: Asked, words: Words) -> dict[str, Any]:
    """OpenAI's answer."""
    if asked.dialect == "chat":
        choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": words.text}}
        head = {"id": f"chatcmpl-{asked.id}", "object": "chat.completion"}
    else:
        choice = {"index": 0, "text": asked.echo + words.text}
        head = {"id": f"cmpl-{asked.id}", "object": "text_completion"}
    choice |= {"logprobs": None, "finish_reason": words.finish_reason}
    return {**head, "created": asked.created, "model": asked.model, "choices": [choice], "usage": usage(asked, words)}


def usage(asked: Asked, words: Words) -> dict[str, int]:
    """Token counts."""
    made = len(words.pieces)
    return {"prompt_tokens": asked.input_tokens, "completion_tokens": made, "total_tokens": asked.input_tokens + made}


def token_of(piece: str) -> dict[str, Any]:
    """A token as LMI and TGI show it."""
    return {"id": zlib.crc32(piece.encode()) % 100_000, "text": piece, "log_prob": 0.0}


def details_of(asked: Asked, words: Words) -> dict[str, Any]:
    """How the answer came about."""
    reason = words.finish_reason if words.finish_reason == "length" else "eos_token"
    return {"finish_reason": reason, "generated_tokens": len(words.pieces), "inputs": asked.turns[-1].text}


def part(asked: Asked, words: Words, start: int, end: int) -> bytes:
    """The tokens from `start` to `end` as the stream has them; the last ones come with what ends the stream."""
    last = end >= len(words.pieces)
    if asked.dialect == "inputs":
        lines = []
        for number in range(start, end):
            said: dict[str, Any] = {"token": token_of(words.pieces[number])}
            if number == len(words.pieces) - 1:
                said |= {"generated_text": words.text, "details": details_of(asked, words)}
            lines.append(framed(asked, said))
        return b"".join(lines)
    chunks = []
    if start == 0 and asked.dialect == "chat":
        chunks.append(chunk(asked, {"delta": {"role": "assistant", "content": ""}}, None))
    text = "".join(words.pieces[start:end])
    chunks.append(chunk(asked, {"delta": {"content": text}} if asked.dialect == "chat" else {"text": text}, None))
    if last:
        chunks.append(chunk(asked, {"delta": {}} if asked.dialect == "chat" else {"text": ""}, words.finish_reason))
        if asked.usage_in_stream:
            chunks.append({**chunk(asked, None, None), "usage": usage(asked, words)})
    sent = b"".join(framed(asked, each) for each in chunks)
    return sent + (b"data: [DONE]\n\n" if last and asked.stream_format == "sse" else b"")


def chunk(asked: Asked, choice: dict[str, Any] | None, finish_reason: str | None) -> dict[str, Any]:
    """One chunk of OpenAI's stream."""
    kind, prefix = ("chat.completion.chunk", "chatcmpl") if asked.dialect == "chat" else ("text_completion", "cmpl")
    choices = [] if choice is None else [{"index": 0, **choice, "logprobs": None, "finish_reason": finish_reason}]
    return {
        "id": f"{prefix}-{asked.id}",
        "object": kind,
        "created": asked.created,
        "model": asked.model,
        "choices": choices,
    }


def framed(asked: Asked, said: dict[str, Any]) -> bytes:
    """A line of JSON, or a server-sent event."""
    line = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    return line + b"\n" if asked.stream_format == "jsonlines" else b"data: " + line + b"\n\n"
