"""What the fake server answers: by the name of the model that is asked, an answer of known timing or a known piece of misbehaviour.

An answer is steps: at so many seconds after the request was read, these bytes. `CLOSE` instead of bytes closes the connection.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from labs.bench import eventstream

CLOSE = b"(close)"
Step = tuple[float, bytes]
WORD = " token"
HUGE_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True)
class Timing:
    """The truth that a client is measured against."""

    ttft_s: float = 0.1
    token_s: float = 0.01
    tokens: int = 50


@dataclass(frozen=True)
class Wire:
    """How one API says things."""

    content_type: str
    start: bytes
    """sent long before the first token: a client must not take it for one"""
    token: Callable[[str], bytes]
    end: Callable[[int], bytes]
    broken: Callable[[bytes], bytes]
    """a token's event with this in place of its JSON"""
    failure: bytes
    """an error in the middle of a stream"""


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def _json(data: object) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()


def _converse() -> Wire:
    def delta(text: str) -> bytes:
        # AWS pads events to hide the lengths of tokens
        payload = {"contentBlockIndex": 0, "delta": {"text": text}, "p": "abcdefghijklmnopqrstuvwxyzABC"}
        return eventstream.event("contentBlockDelta", _json(payload))

    def end(tokens: int) -> bytes:
        usage = {"inputTokens": 10, "outputTokens": tokens, "totalTokens": 10 + tokens}
        return b"".join(
            eventstream.event(kind, _json(payload))
            for kind, payload in (
                ("contentBlockStop", {"contentBlockIndex": 0}),
                ("messageStop", {"stopReason": "end_turn"}),
                ("metadata", {"usage": usage, "metrics": {"latencyMs": 590}}),
            )
        )

    return Wire(
        "application/vnd.amazon.eventstream",
        eventstream.event("messageStart", _json({"role": "assistant"})),
        delta,
        end,
        lambda raw: eventstream.event("contentBlockDelta", raw),
        eventstream.exception("modelStreamErrorException", _json({"message": "the model stopped"})),
    )


def _wrapped(member: str, inner: Callable[[object], bytes]) -> Wire:
    """InvokeModelWithResponseStream: a model's own JSON, base64 in an event; SageMaker: the bytes as they are."""

    def one(data: object) -> bytes:
        return eventstream.event(member, inner(data), "application/octet-stream")

    def end(tokens: int) -> bytes:
        counts = {"inputTokenCount": 10, "outputTokenCount": tokens}
        return one({"generation": "", "stop_reason": "stop", "amazon-bedrock-invocationMetrics": counts})

    return Wire(
        "application/vnd.amazon.eventstream",
        one({"generation": "", "prompt_token_count": 10}),
        lambda text: one({"generation": text, "stop_reason": None}),
        end,
        lambda raw: eventstream.event(member, raw, "application/octet-stream"),
        eventstream.exception("modelStreamErrorException", _json({"message": "the model stopped"})),
    )


def _sse(payload: object) -> bytes:
    return b"data: " + _json(payload) + b"\n\n"


def _sse_in_parts() -> Wire:
    """SageMaker: a container's server-sent events in PayloadPart events."""

    def part(data: bytes) -> bytes:
        return eventstream.event("PayloadPart", data, "application/octet-stream")

    inside = _chat()
    return Wire(
        "application/vnd.amazon.eventstream",
        part(inside.start),
        lambda text: part(inside.token(text)),
        lambda tokens: part(inside.end(tokens)),
        part,
        eventstream.exception("ModelStreamError", _json({"message": "the model stopped", "ErrorCode": "ModelStream"})),
    )


def _chat() -> Wire:
    def delta(delta: dict[str, str], reason: str | None = None) -> bytes:
        return _sse({"id": "1", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    def end(tokens: int) -> bytes:
        usage = {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}
        return delta({}, "stop") + _sse({"id": "1", "choices": [], "usage": usage}) + b"data: [DONE]\n\n"

    return Wire(
        "text/event-stream",
        delta({"role": "assistant", "content": ""}),
        lambda text: delta({"content": text}),
        end,
        lambda raw: b"data: " + raw + b"\n\n",
        _sse({"error": {"message": "the model stopped", "type": "server_error", "code": 500}}),
    )


def _completions() -> Wire:
    chat = _chat()

    def choice(text: str, reason: str | None = None) -> bytes:
        return _sse({"id": "1", "choices": [{"index": 0, "text": text, "finish_reason": reason}]})

    def end(tokens: int) -> bytes:
        usage = {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}
        return choice("", "stop") + _sse({"id": "1", "choices": [], "usage": usage}) + b"data: [DONE]\n\n"

    return Wire("text/event-stream", b": a comment\n\n", choice, end, chat.broken, chat.failure)


def _triton() -> Wire:
    return Wire(
        "text/event-stream; charset=utf-8",
        b": a comment\n\n",
        lambda text: _sse({"model_name": "m", "text_output": text}),
        lambda tokens: b"",  # noqa: ARG005
        lambda raw: b"data: " + raw + b"\n\n",
        _sse({"error": "the model stopped"}),
    )


WIRES: dict[str, Wire] = {
    "converse-stream": _converse(),
    "invoke-with-response-stream": _wrapped(
        "chunk", lambda data: _json({"bytes": base64.b64encode(_json(data)).decode()})
    ),
    "invocations-response-stream": _sse_in_parts(),
    "chat": _chat(),
    "completions": _completions(),
    "generate_stream": _triton(),
}


def head(content_type: str) -> bytes:
    """Status and headers of a chunked answer."""
    return f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


def plain(status: str, body: bytes, content_type: str = "application/json", **headers: str) -> bytes:
    """A whole answer."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


def _refusal(status: str, kind: str, message: str) -> tuple[Step, ...]:
    return ((0.0, plain(status, _json({"message": message}), x_amzn_ErrorType=kind)),)


THROTTLED = _refusal(
    "429 Too Many Requests", "ThrottlingException", "Too many requests, please wait before trying again."
)


def _good(wire: Wire, timing: Timing) -> Iterator[Step]:
    yield 0.0, head(wire.content_type) + chunk(wire.start)
    for n in range(timing.tokens):
        data = wire.token(WORD)
        last = chunk(wire.end(timing.tokens)) if wire.end(timing.tokens) else b""
        whole = chunk(data) + (last + LAST_CHUNK if n == timing.tokens - 1 else b"")
        yield timing.ttft_s + n * timing.token_s, whole


def _with(wire: Wire, timing: Timing, *then: bytes, tokens: int = 10) -> tuple[Step, ...]:
    """A good beginning, then something else."""
    steps = list(_good(wire, timing))[: tokens + 1]
    at = steps[-1][0] + timing.token_s
    return (*steps, *((at, data) for data in then))


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x40]) + data[middle + 1 :]


def _in_wrong_order(wire: Wire, timing: Timing) -> tuple[Step, ...]:
    end, token = chunk(wire.end(1)) if wire.end(1) else b"", chunk(wire.token(WORD))
    return ((timing.ttft_s, head(wire.content_type) + chunk(wire.start) + token + end + token + LAST_CHUNK),)


MISBEHAVIOURS: dict[str, Callable[[Wire, Timing], tuple[Step, ...]]] = {
    "hang": lambda wire, timing: (),  # noqa: ARG005
    "close-before-answer": lambda wire, timing: ((0.0, CLOSE),),  # noqa: ARG005
    "close-mid-token": lambda wire, timing: _with(wire, timing, chunk(wire.token(WORD))[:40], CLOSE),
    "close-mid-answer": lambda wire, timing: _with(wire, timing, CLOSE),
    "end-mid-answer": lambda wire, timing: _with(wire, timing, LAST_CHUNK),
    "out-of-order": _in_wrong_order,
    "empty": lambda wire, timing: ((timing.ttft_s, head(wire.content_type) + LAST_CHUNK),),
    "no-content": lambda wire, timing: (
        (timing.ttft_s, head(wire.content_type) + chunk(wire.start) + chunk(wire.end(0) or b": x\n\n") + LAST_CHUNK),
    ),
    "huge-event": lambda wire, timing: _with(
        wire, timing, chunk(wire.token("x" * HUGE_BYTES)), chunk(wire.end(11)) + LAST_CHUNK
    ),
    "not-utf8": lambda wire, timing: _with(wire, timing, chunk(wire.broken(b'{"text":"\xff\xfe"}')), LAST_CHUNK),
    "not-json": lambda wire, timing: _with(wire, timing, chunk(wire.broken(b"{oops")), LAST_CHUNK),
    "bad-checksum": lambda wire, timing: _with(wire, timing, chunk(_flipped(wire.token(WORD))), LAST_CHUNK),
    "garbage": lambda wire, timing: (
        (timing.ttft_s, head(wire.content_type) + chunk(bytes(range(256)) * 4) + LAST_CHUNK),
    ),
    "bad-chunk": lambda wire, timing: _with(wire, timing, b"zz\r\nhello\r\n"),
    "error-mid-stream": lambda wire, timing: _with(wire, timing, chunk(wire.failure), LAST_CHUNK),
    "not-http": lambda wire, timing: ((0.0, b"SSH-2.0-OpenSSH_9.2\r\n"),),  # noqa: ARG005
    "expired": lambda wire, timing: _refusal(  # noqa: ARG005
        "403 Forbidden", "ExpiredTokenException", "The security token included in the request is expired"
    ),
    "server-error": lambda wire, timing: ((0.0, plain("500 Internal Server Error", b"oops", "text/plain")),),  # noqa: ARG005
    "html": lambda wire, timing: ((0.0, plain("502 Bad Gateway", b"<html>bad gateway</html>", "text/html")),),  # noqa: ARG005
    "throttled-plainly": lambda wire, timing: ((0.0, plain("429 Too Many Requests", b"")),),  # noqa: ARG005
}
"""name of the model: what it does"""


@lru_cache(maxsize=256)
def steps(model: str, api: str, timing: Timing) -> tuple[Step, ...]:
    """What one request to this model is answered with; the models that count their calls are the server's own business."""
    if slow := re.fullmatch(r"slow-([\d.]+)", model):
        timing = Timing(float(slow[1]), timing.token_s, timing.tokens)
    if api in WIRES:
        wire = WIRES[api]
        return MISBEHAVIOURS[model](wire, timing) if model in MISBEHAVIOURS else tuple(_good(wire, timing))
    if model in MISBEHAVIOURS:
        return MISBEHAVIOURS[model](WIRES["converse-stream"], timing)
    at = timing.ttft_s + (timing.tokens - 1) * timing.token_s
    return ((at, plain("200 OK", _json(_whole(api, timing.tokens)))),)


def _whole(api: str, tokens: int) -> object:
    text = WORD * tokens
    match api:
        case "converse":
            return {
                "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
                "stopReason": "end_turn",
                "usage": {"inputTokens": 10, "outputTokens": tokens, "totalTokens": 10 + tokens},
            }
        case "invoke":
            return {"generation": text, "prompt_token_count": 10, "generation_token_count": tokens}
        case "generate":
            return {"model_name": "m", "text_output": text}
    usage = {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "text": text}], "usage": usage}
