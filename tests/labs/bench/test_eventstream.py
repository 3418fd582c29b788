"""Our parser makes of an event stream what botocore makes of it, however the bytes come and whatever is wrong with them."""

import struct
from collections.abc import Callable
from typing import Any
from zlib import crc32

import boto3
import pytest
from botocore.eventstream import EventStreamBuffer, ParserError
from botocore.exceptions import EventStreamError
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.bench import eventstream, fake_answers
from labs.bench.endpoints.bedrock import Bedrock
from labs.bench.eventstream import Decoder, Malformed, Oversized, encode
from labs.bench.exchange import Attempt, Failed
from labs.bench.readers import ConverseStream
from tests.labs.bench.kit import FakeServer, an_ask, ask_once

headers = st.dictionaries(
    st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=20),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    max_size=5,
)
messages = st.lists(st.tuples(headers, st.binary(max_size=300)), max_size=6)


def ours(pieces: list[bytes]) -> tuple[list[Any], bool]:
    """(messages, did it end in an error)"""
    decoder, found = Decoder(), []
    try:
        for piece in pieces:
            for message in decoder.feed(piece):
                found.append((dict(message[0]), message[1]))
    except Malformed:
        return found, True
    return found, False


def botocores(pieces: list[bytes]) -> tuple[list[Any], bool]:
    buffer, found = EventStreamBuffer(), []
    try:
        for piece in pieces:
            buffer.add_data(piece)
            for message in buffer:
                found.append((message.headers, message.payload))
    except ParserError:
        return found, True
    return found, False


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(messages, st.lists(st.integers(0, 5000), max_size=8))
def test_the_same_messages_however_the_bytes_are_cut(
    made: list[tuple[dict[str, str], bytes]], places: list[int]
) -> None:
    pieces = cut(b"".join(encode(h, p) for h, p in made), places)
    assert ours(pieces) == botocores(pieces) == (made, False)


@given(messages.filter(bool), st.integers(0, 5000), st.integers(1, 255), st.lists(st.integers(0, 5000), max_size=3))
def test_one_wrong_byte_is_found_where_botocore_finds_it(
    made: list[tuple[dict[str, str], bytes]], place: int, change: int, places: list[int]
) -> None:
    data = bytearray(b"".join(encode(h, p) for h, p in made))
    data[place % len(data)] ^= change
    pieces = cut(bytes(data), places)
    assert ours(pieces) == botocores(pieces)


@settings(max_examples=30)
@given(st.binary(min_size=12, max_size=200))
def test_noise_is_no_stream(noise: bytes) -> None:
    assert ours([noise])[1] == botocores([noise])[1]


def test_every_type_of_header() -> None:
    block = b"".join(
        struct.pack("!B", len(name)) + name + kind + value
        for name, kind, value in (
            (b"yes", b"\x00", b""),
            (b"no", b"\x01", b""),
            (b"byte", b"\x02", b"\xff"),
            (b"short", b"\x03", b"\x01\x00"),
            (b"int", b"\x04", b"\0\0\0\x07"),
            (b"long", b"\x05", b"\0" * 7 + b"\x08"),
            (b"bytes", b"\x06", b"\0\x02hi"),
            (b"string", b"\x07", b"\0\x02hi"),
            (b"time", b"\x08", b"\0" * 7 + b"\x09"),
            (b"uuid", b"\x09", b"u" * 16),
        )
    )
    prelude = struct.pack("!II", 16 + len(block), len(block))
    message = prelude + struct.pack("!I", crc32(prelude)) + block
    message += struct.pack("!I", crc32(message))
    assert ours([message]) == botocores([message])
    assert ours([message])[0][0][0]["int"] == 7


def test_a_message_larger_than_allowed_is_refused_before_it_is_read() -> None:
    with pytest.raises(Oversized, match="2,000 bytes"):
        list(Decoder(largest_payload_bytes=1000).feed(encode({}, b"x" * 2000)[:50]))


def texts_of_boto3(client: Any, model: str) -> tuple[list[str], str, int | None]:
    """What boto3 makes of a ConverseStream: pieces of text, the error that ended it, output tokens."""
    pieces, tokens, error = [], None, "ok"
    try:
        for event in client.converse_stream(
            modelId=model, messages=[{"role": "user", "content": [{"text": "#1 hello"}]}]
        )["stream"]:
            if "contentBlockDelta" in event:
                pieces.append(event["contentBlockDelta"]["delta"]["text"])
            elif "metadata" in event:
                tokens = event["metadata"]["usage"]["outputTokens"]
    except EventStreamError as failed:
        code = failed.response["Error"]["Code"]
        error = code[:1].upper() + code[1:]
    except ParserError:
        error = "MalformedStream"
    return pieces, error, tokens


@pytest.mark.parametrize("model", ["fake", "error-mid-stream", "bad-checksum"])
def test_boto3_reads_the_same_out_of_the_same_server(fake: FakeServer, model: str) -> None:  # noqa: ARG001
    pieces, error, tokens = texts_of_boto3(boto3.client("bedrock-runtime"), model)
    attempt = ask_once(Bedrock(model), an_ask())
    assert (len(attempt.tokens), attempt.status, attempt.output_tokens) == (len(pieces), error, tokens)


WIRE = fake_answers.WIRES["converse-stream"]


def converse_stream(*events: bytes, split: Callable[[bytes], list[bytes]] = lambda data: [data]) -> Attempt:
    attempt = Attempt()
    reader = ConverseStream(attempt)
    for n, piece in enumerate(split(b"".join(events))):
        reader.feed(piece, float(n))
    reader.end(99.0)
    return attempt


def delta(payload: bytes) -> bytes:
    return eventstream.event("contentBlockDelta", payload)


def test_what_is_content_and_what_is_not() -> None:
    attempt = converse_stream(
        WIRE.start,
        delta(b'{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}'),
        delta(b'{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"abc"}}}'),
        delta(b'{"contentBlockIndex":1,"delta":{"text":""}}'),
        delta(b'{"contentBlockIndex":1,"delta":{"text":"a"},"p":"xyz"}'),
        delta(b'{"delta":{"toolUse":{"input":"{"}},"contentBlockIndex":2}'),
        WIRE.end(3),
        split=lambda data: [data[i : i + 7] for i in range(0, len(data), 7)],
    )
    assert len(attempt.tokens) == 3
    assert attempt.tokens == sorted(attempt.tokens)
    assert attempt.output_tokens == 3


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((WIRE.token("a"), WIRE.start, WIRE.end(1)), "OutOfOrder"),
        ((WIRE.start, WIRE.start), "OutOfOrder"),
        ((WIRE.end(1),), "EmptyStream"),
        ((WIRE.start, WIRE.token("a"), WIRE.end(1), WIRE.end(1)), "OutOfOrder"),
        ((WIRE.token("a"), WIRE.token("b")), "Truncated"),
        ((WIRE.start, WIRE.token("a"), WIRE.end(1), WIRE.token("b")), "OutOfOrder"),
        ((WIRE.start, delta(b'{"contentBlockIndex":1,"delta":{"text":"a"}}'), WIRE.token("b")), "OutOfOrder"),
        ((WIRE.start, WIRE.token("a"), WIRE.end(1)[:-3]), "Truncated"),
        ((), "EmptyStream"),
        ((WIRE.start, delta(b"[1]")), "MalformedStream"),
        ((WIRE.start, delta(b' {"contentBlockIndex":0,"delta":{"text":"a"}} x')), "MalformedStream"),
        ((WIRE.start, encode({":message-type": "event"}, b"{}")), "MalformedStream"),
        (
            (encode({":message-type": "error", ":error-code": "InternalError", ":error-message": "oh"}, b""),),
            "InternalError",
        ),
    ],
)
def test_a_stream_that_breaks_the_rules_is_named(events: tuple[bytes, ...], status: str) -> None:
    with pytest.raises(Failed) as failed:
        converse_stream(*events)
    assert failed.value.status == status


def test_an_imitation_may_leave_out_the_start_and_one_of_the_ends() -> None:
    stop = eventstream.event("messageStop", b'{"stopReason":"end_turn"}')
    usage = eventstream.event("metadata", b'{"usage":{"inputTokens":1,"outputTokens":2}}')
    assert len(converse_stream(WIRE.token("a"), WIRE.token("b"), stop).tokens) == 2
    assert converse_stream(WIRE.token("a"), WIRE.token("b"), usage).output_tokens == 2


def test_white_space_around_an_events_json_is_allowed() -> None:
    spaced = delta(b' {"contentBlockIndex":0,"delta":{"text":"a"}}\n')
    assert len(converse_stream(WIRE.start, spaced, WIRE.end(1)).tokens) == 1
