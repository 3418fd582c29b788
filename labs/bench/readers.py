"""Readers of answers: each understands one kind of body, notes when content came, and says what is wrong with one that is not whole."""

import base64
import binascii
from typing import Any

from labs.bench.eventstream import Decoder, Malformed, Oversized
from labs.bench.exchange import Attempt, Failed
from labs.bench.texts import has_text, json_object, usage

LARGEST_EVENT_BYTES = 1024 * 1024
"""A token's event has some hundred bytes. A stream with one of a mebibyte is not a stream of tokens, and reading on would only fill the memory."""
LARGEST_BODY_BYTES = 64 * 1024 * 1024


def empty(what: str = "the answer has no content") -> Failed:
    """For an answer that ended in good order and said nothing."""
    return Failed("EmptyStream", what)


def truncated(what: str) -> Failed:
    """For an answer that ended too soon."""
    return Failed("Truncated", what)


def out_of_order(what: str) -> Failed:
    """For events that come in an order that the API does not have."""
    return Failed("OutOfOrder", what)


def note_usage(attempt: Attempt, data: dict[str, Any]) -> None:
    """Keep the server's counts where it gives them."""
    tokens_in, tokens_out = usage(data)
    if tokens_in is not None:
        attempt.input_tokens = tokens_in
    if tokens_out is not None:
        attempt.output_tokens = tokens_out


class Whole:
    """An answer in one piece of JSON: its first token comes with its last."""

    def __init__(self, attempt: Attempt, headers: dict[bytes, bytes]) -> None:
        self._attempt, self._headers = attempt, headers
        self._body = bytearray()

    def feed(self, data: bytes, t: float) -> None:  # noqa: ARG002
        if len(self._body) + len(data) > LARGEST_BODY_BYTES:
            raise Oversized(LARGEST_BODY_BYTES)
        self._body += data

    def end(self, t: float) -> None:
        if not self._body:
            raise empty("the body is empty")
        try:
            data = json_object(bytes(self._body))
        except Failed as failed:
            raise Failed("MalformedResponse", failed.message.replace("an event's payload", "the body")) from None
        if not has_text(data):
            raise empty()
        self._attempt.tokens.append(t)
        note_usage(self._attempt, data)
        for name, field in ((b"input", "input_tokens"), (b"output", "output_tokens")):
            count = self._headers.get(b"x-amzn-bedrock-" + name + b"-token-count", b"")
            if count.isdigit():
                setattr(self._attempt, field, int(count))


class ConverseStream:
    """Bedrock's ConverseStream. Its order: messageStart, content blocks with rising index, messageStop, metadata.

    Servers that only imitate it may leave messageStart out, or one of the two at the end; what comes must come in order all the same.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt, self._tokens = attempt, attempt.tokens
        self._decoder = Decoder(LARGEST_EVENT_BYTES)
        self._last = ""
        """the last event but deltas of the block that is being written"""
        self._block = -1

    def feed(self, data: bytes, t: float) -> None:
        for headers, payload in self._decoder.feed(data):
            kind = headers.get(":event-type")
            if kind != "contentBlockDelta":
                self._other(kind, headers, payload)
                continue
            event = json_object(payload)
            index = event.get("contentBlockIndex", 0)
            if index != self._block:
                if index < self._block:
                    raise out_of_order(f"contentBlockDelta of block {index} after one of block {self._block}")
                self._block = index
            if self._last in _AT_THE_END:
                raise out_of_order(f"contentBlockDelta after {self._last}")
            delta = event.get("delta")
            # Almost every delta is a piece of text; the others (reasoning, tool use, citations) are looked at closer.
            if isinstance(delta, dict) and (delta.get("text") or has_text({"delta": delta})):
                self._tokens.append(t)

    def _other(self, kind: Any, headers: Any, payload: bytes) -> None:
        if kind is None or headers.get(":message-type") != "event":
            raise stream_failure(headers, payload)
        if kind not in _KNOWN:
            return  # an event that AWS has added since
        if kind == "messageStart" and (self._last or self._block >= 0):
            raise out_of_order(f"messageStart after {self._last or 'contentBlockDelta'}")
        if self._last in _AT_THE_END and (self._last, kind) != _AT_THE_END:
            raise out_of_order(f"{kind} after {self._last}")
        if kind == "metadata":
            note_usage(self._attempt, json_object(payload))
        self._last = kind

    def end(self, t: float) -> None:  # noqa: ARG002
        finish_events(self._decoder, bool(self._last) or self._block >= 0)
        if self._last not in _AT_THE_END:
            raise truncated(f"the stream ended without messageStop, after {len(self._attempt.tokens)} content events")
        if not self._attempt.tokens:
            raise empty()


_AT_THE_END = ("messageStop", "metadata")
_KNOWN = frozenset({"messageStart", "contentBlockStart", "contentBlockStop", *_AT_THE_END})


def finish_events(decoder: Decoder, any_event: bool) -> None:
    """What is wrong with an event stream that ends here, as far as its frames tell."""
    if decoder.pending_bytes:
        raise truncated(f"the stream ended {decoder.pending_bytes} bytes into a message")
    if not any_event:
        raise empty("the stream ended without an event")


def stream_failure(headers: Any, payload: bytes) -> Failed:
    """An exception or error message in the middle of an event stream, by the name that boto3 gives it."""
    kind = headers.get(":exception-type") or headers.get(":error-code")
    if not kind:
        return Malformed(f"a message that is neither event nor exception: {dict(headers)}")
    message = headers.get(":error-message")
    if message is None:
        try:
            data = json_object(payload)
            message = data.get("message") or data.get("Message") or ""
        except Failed:
            message = ""
    name = str(kind)
    return Failed(name[:1].upper() + name[1:], str(message))


class ChunkStream:
    """Bedrock's InvokeModelWithResponseStream: the model family's own JSON, base64 in `chunk` events."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._decoder = Decoder(LARGEST_EVENT_BYTES)
        self._any = False

    def feed(self, data: bytes, t: float) -> None:
        for headers, payload in self._decoder.feed(data):
            if headers.get(":event-type") != "chunk" or headers.get(":message-type") != "event":
                raise stream_failure(headers, payload)
            self._any = True
            try:
                raw = base64.b64decode(json_object(payload).get("bytes", ""), validate=True)
            except (binascii.Error, TypeError, ValueError):
                raise Malformed(f"a chunk holds no base64: {payload[:40]!r}") from None
            # Imported models' chat completions may come as the server-sent events that they are elsewhere.
            raw = raw.removeprefix(b"data:").strip()
            if raw == b"[DONE]":
                continue
            inner = json_object(raw)
            if has_text(inner):
                self._attempt.tokens.append(t)
            note_usage(self._attempt, inner)

    def end(self, t: float) -> None:  # noqa: ARG002
        finish_events(self._decoder, self._any)
        if not self._attempt.tokens:
            raise empty()


class Lines:
    """Server-sent events or JSON lines, told apart by how a line begins.

    `final` says whether the API marks its end ([DONE], or a choice's finish_reason): then a stream without the mark is not whole.
    """

    def __init__(self, attempt: Attempt, *, final: bool) -> None:
        self._attempt, self._final = attempt, final
        self._rest = b""
        self._done = self._any = False

    def feed(self, data: bytes, t: float) -> None:
        *lines, rest = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = rest
        for line in lines:
            self._line(line.rstrip(b"\r"), t)
        if len(rest) > LARGEST_EVENT_BYTES:
            raise Oversized(len(rest))

    def _line(self, line: bytes, t: float) -> None:
        if len(line) > LARGEST_EVENT_BYTES:
            raise Oversized(len(line))
        if line.startswith(b"data:"):
            line = line[5:].strip()
            if line == b"[DONE]":
                self._any = self._done = True
                return
        elif not line.startswith(b"{"):
            if not line or line.startswith((b":", b"event:", b"id:", b"retry:")):
                return
            raise Failed("MalformedStream", f"neither a server-sent event nor a line of JSON: {line[:40]!r}")
        self._event(json_object(line), t)

    def _event(self, data: dict[str, Any], t: float) -> None:
        self._any = True
        if error := data.get("error"):
            about = error if isinstance(error, dict) else {"message": error}
            raise Failed(str(about.get("type") or "StreamError"), str(about.get("message", "")))
        if has_text(data):
            if self._done:
                raise out_of_order("content after the answer's end")
            self._attempt.tokens.append(t)
        choices = data.get("choices")
        if isinstance(choices, list) and any(isinstance(one, dict) and one.get("finish_reason") for one in choices):
            self._done = True
        note_usage(self._attempt, data)

    def end(self, t: float) -> None:
        if self._rest:
            rest, self._rest = self._rest, b""
            if not rest.endswith(b"}") and self._final:
                raise truncated(f"the stream ended {len(rest)} bytes into an event")
            self._line(rest, t)
        if not self._any:
            raise empty("the stream ended without an event")
        if self._final and not self._done:
            raise truncated(
                f"the stream ended without [DONE] or a finish_reason, after {len(self._attempt.tokens)} content events"
            )
        if not self._attempt.tokens:
            raise empty()


class Parts:
    """SageMaker's InvokeEndpointWithResponseStream: whatever the container writes, in PayloadPart events."""

    def __init__(self, attempt: Attempt) -> None:
        self._lines = Lines(attempt, final=False)
        self._decoder = Decoder(LARGEST_EVENT_BYTES)
        self._any = False

    def feed(self, data: bytes, t: float) -> None:
        for headers, payload in self._decoder.feed(data):
            if headers.get(":event-type") != "PayloadPart" or headers.get(":message-type") != "event":
                raise stream_failure(headers, payload)
            self._any = True
            self._lines.feed(payload, t)

    def end(self, t: float) -> None:
        finish_events(self._decoder, self._any)
        self._lines.end(t)
