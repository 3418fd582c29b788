"""Answers as OpenAI-compatible servers and Triton give them: whole, or as server-sent events at their times."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from labs.cloud.openai_server.requests import Asked
from labs.cloud.wallclock import Stream
from labs.serving.engine import Event

Send = Callable[[bytes, bool], bool]
DONE = b"data: [DONE]\n\n"


class Format(Protocol):
    """How one kind of answer looks."""

    @property
    def content_type(self) -> str: ...
    def whole(self, text: str, asked: Asked) -> dict[str, Any]: ...
    def first(self) -> bytes: ...
    def piece(self, text: str) -> bytes: ...
    def last(self, asked: Asked) -> bytes: ...


def usage(asked: Asked) -> dict[str, Any]:
    made = len(asked.pieces)
    return {"prompt_tokens": asked.input_tokens, "total_tokens": asked.input_tokens + made, "completion_tokens": made}


def sse(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


@dataclass(frozen=True)
class OpenAI:
    """Chat completions, or text completions."""

    id: str
    created: int
    model: str
    is_chat: bool
    content_type: str = "text/event-stream; charset=utf-8"

    def _frame(self, object_: str, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": object_,
            "created": self.created,
            "model": self.model,
            "choices": choices,
            **more,
        }

    def _choice(self, text: str | None, finish_reason: str | None, **delta: Any) -> dict[str, Any]:
        content: dict[str, Any] = delta if text is None else {**delta, "content": text}
        what = {"delta": content} if self.is_chat else {"text": text or ""}
        return {"index": 0, **what, "logprobs": None, "finish_reason": finish_reason}

    @property
    def _chunk(self) -> str:
        return "chat.completion.chunk" if self.is_chat else "text_completion"

    def whole(self, text: str, asked: Asked) -> dict[str, Any]:
        if self.is_chat:
            message = {"role": "assistant", "content": text, "tool_calls": []}
            choice: dict[str, Any] = {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": asked.finish_reason,
            }
            return self._frame("chat.completion", [choice], usage=usage(asked))
        return self._frame("text_completion", [self._choice(text, asked.finish_reason)], usage=usage(asked))

    def first(self) -> bytes:
        """A chat opens with the role, at the time of its first token."""
        return sse(self._frame(self._chunk, [self._choice("", None, role="assistant")])) if self.is_chat else b""

    def piece(self, text: str) -> bytes:
        return sse(self._frame(self._chunk, [self._choice(text, None)]))

    def last(self, asked: Asked) -> bytes:
        end = sse(self._frame(self._chunk, [self._choice("", asked.finish_reason)]))
        if asked.include_usage:
            end += sse(self._frame(self._chunk, [], usage=usage(asked)))
        return end + DONE


@dataclass(frozen=True)
class Triton:
    """Triton's generate endpoint, of the vLLM back end."""

    model: str
    content_type: str = "text/event-stream; charset=utf-8"

    def _frame(self, text: str) -> dict[str, Any]:
        return {"model_name": self.model, "model_version": "1", "text_output": text}

    def whole(self, text: str, asked: Asked) -> dict[str, Any]:  # noqa: ARG002 - one format among others
        return self._frame(text)

    def first(self) -> bytes:
        return b""

    def piece(self, text: str) -> bytes:
        return sse(self._frame(text))

    def last(self, asked: Asked) -> bytes:  # noqa: ARG002
        return b""


class SseBody:
    """The body of a streamed answer: each token leaves at the engine's time, pushed or iterated."""

    def __init__(
        self, stream: Stream, asked: Asked, format: Format, saw: Callable[[Event], None], gone: Callable[[], None]
    ) -> None:
        self._stream, self._asked, self._format, self._saw, self._gone = stream, asked, format, saw, gone
        self._dealt = 0

    def __iter__(self) -> Iterator[bytes]:
        for event in self._stream:
            if data := self._translate(event):
                yield data

    def push(self, send: Send) -> None:
        """Send every event at its time; returns when the last is sent."""

        def deliver(due: list[Event], may_wait: bool) -> bool:
            return send(b"".join(self._translate(event) for event in due), may_wait)

        self._stream.attend(deliver)

    def close(self) -> None:
        """The client has gone, or has all."""
        self._stream.close()
        self._gone()

    def _translate(self, event: Event) -> bytes:
        self._saw(event)
        if event.kind == "tokens":
            data = self._format.first() if self._dealt == 0 else b""
            for text in self._asked.pieces[self._dealt : self._dealt + event.tokens]:
                data += self._format.piece(text)
            self._dealt += event.tokens
            return data
        return self._format.last(self._asked) if event.kind == "finished" else b""
