"""The client says what boto3 says, reads any well-formed HTTP, and keeps its connections."""

import asyncio
import json
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.bench.clock import Alarm, Watch, now
from labs.bench.endpoints.bedrock import Bedrock
from labs.bench.endpoints.openai import OpenAi
from labs.bench.exchange import Attempt, Failed
from labs.bench.http1 import _SIZE, Connection, Origin
from labs.bench.http_client import HttpClient
from labs.bench.loops import run
from labs.bench.signing import Signer, Sigv4
from labs.errors import Refusal
from tests.labs.bench.kit import TOKENS, FakeServer, an_ask, ask_once, result

CREDENTIALS = [ReadOnlyCredentials("AKID", "secret", None), ReadOnlyCredentials("AKID", "secret", "token/+=")]


@pytest.mark.parametrize("credentials", CREDENTIALS)
@pytest.mark.parametrize("path", ["/model/a.b-c/converse", "/model/arn%3Aaws%3Abedrock%3A%3A1%2Fx/converse-stream"])
@pytest.mark.parametrize("more", [{}, {"X-Amzn-SageMaker-Inference-Component": "one"}])
def test_a_request_is_signed_as_botocore_signs_it(
    monkeypatch: pytest.MonkeyPatch, credentials: ReadOnlyCredentials, path: str, more: dict[str, str]
) -> None:
    then = time.gmtime(1_700_000_000)
    monkeypatch.setattr(time, "gmtime", lambda *_: then)
    headers = {"Content-Type": "application/json", **more}
    body = json.dumps({"text": "grüße"}).encode()
    mine = Sigv4(credentials, "bedrock", "eu-west-1").headers("bedrock.example:8443", path, headers, body)

    request = AWSRequest("POST", f"https://bedrock.example:8443{path}", headers=headers, data=body)
    auth = SigV4Auth(credentials, "bedrock", "eu-west-1")
    request.context["timestamp"] = time.strftime("%Y%m%dT%H%M%SZ", then)
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    if credentials.token:
        request.headers["X-Amz-Security-Token"] = credentials.token
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    assert mine["Authorization"].endswith(f"Signature={signature}")
    assert auth.scope(request) in mine["Authorization"]
    assert mine.get("X-Amz-Security-Token") == credentials.token


MODELS = [
    "amazon.nova-lite-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.meta.llama3-3-70b-instruct-v1:0",
]


@pytest.mark.parametrize("model", MODELS)
def test_a_converse_request_is_boto3s(fake: FakeServer, model: str) -> None:  # noqa: ARG001
    sent: list[Any] = []
    client = boto3.client("bedrock-runtime")
    client.meta.events.register("before-send.bedrock-runtime.*", lambda request, **_: sent.append(request))
    ask = an_ask()
    client.converse(
        modelId=model,
        messages=[{"role": "user", "content": [{"text": ask.prompt}]}],
        inferenceConfig={"maxTokens": ask.output_tokens},
    )
    mine = Bedrock(model, "converse").open(only_loopback=True).prepare(ask)
    head, body = mine.split(b"\r\n\r\n", 1)
    assert json.loads(body) == json.loads(sent[0].body)
    path = head.split(b" ")[1].decode()
    assert sent[0].url.endswith(path)
    assert unquote(path) == f"/model/{model}/converse"
    said = {line.split(b":", 1)[0].lower() for line in head.split(b"\r\n")[1:]}
    assert {b"authorization", b"x-amz-date", b"content-type", b"host", b"content-length"} == said


def test_the_service_is_where_the_environment_says(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Signer.of("bedrock-runtime", only_loopback=True).url == fake.url
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://localhost:9/proxy/")
    signer = Signer.of("bedrock-runtime", only_loopback=True)
    assert signer.request("/model/x/converse", b"{}", {}).startswith(
        b"POST /proxy/model/x/converse HTTP/1.1\r\nHost: localhost:9\r\n"
    )


@pytest.mark.usefixtures("fake")
def test_a_run_for_the_local_cloud_calls_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "https://bedrock-runtime.us-east-1.amazonaws.com")
    with pytest.raises(Refusal, match=r"would be called at https://bedrock-runtime\.us-east-1"):
        Bedrock("x").open(only_loopback=True)


def test_connections_are_used_again(fake: FakeServer) -> None:
    async def main() -> int:
        client = OpenAi(fake.url, "fake").open(only_loopback=True)
        for n in range(3):
            await asyncio.gather(*(result(client, an_ask(10 * n + k)) for k in range(4)))
        connections = len(client._all)
        await client.close()
        return connections

    assert run(main()) == 4


def test_nothing_is_kept_open_when_a_client_is_closed(fake: FakeServer) -> None:
    async def main() -> list[bool]:
        client = OpenAi(fake.url, "fake").open(only_loopback=True)
        await result(client, an_ask())
        connections = list(client._all)
        await client.close()
        await asyncio.sleep(0.01)
        return [connection._transport is None for connection in connections]

    assert run(main()) == [True]


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x", "http://", "http://x:99999", "http://x:y"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Refusal, match="is not the address of a server"):
        Origin.of(url)


class Kept:
    """A reader that keeps what it is fed."""

    def __init__(self) -> None:
        self.body, self.ended = b"", False

    def feed(self, data: bytes, t: float) -> None:  # noqa: ARG002
        self.body += data

    def end(self, t: float) -> None:  # noqa: ARG002
        self.ended = True


class OneAnswer:
    """A dialect that keeps the answer."""

    origin = Origin("127.0.0.1", 1, False)

    def __init__(self) -> None:
        self.kept = Kept()

    def message(self, ask: Any) -> bytes:  # noqa: ARG002
        return b"GET / HTTP/1.1\r\n\r\n"

    def reader(self, attempt: Attempt, headers: dict[bytes, bytes]) -> Kept:  # noqa: ARG002
        return self.kept

    def refused(self, http_status: int, headers: dict[bytes, bytes], body: bytes) -> Failed:  # noqa: ARG002
        return Failed(f"{http_status}", body.decode())


class Wire(asyncio.Transport):
    """A transport that goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def write(self, data: Any) -> None: ...

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted


def read(data: bytes, places: list[int], *, then_close: bool = False) -> tuple[bytes, str, bool]:
    """(body, "ok" or the class of the error, may the connection be used again)"""

    async def main() -> tuple[bytes, str, bool]:
        dialect = OneAnswer()
        connection = Connection(dialect)
        connection.connection_made(Wire())
        done = connection.ask(b"", Attempt())
        ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
        for start, end in zip([0, *ends], ends, strict=False):
            if start < end and not done.done():
                connection.data_received(data[start:end])
        if then_close and not done.done():
            connection.connection_lost(None)
        status = "ok"
        try:
            await asyncio.wait_for(done, 1)
        except Failed as failed:
            status = failed.status
        return dialect.kept.body, status, connection.usable

    return asyncio.run(main())


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: x\r\n"
places = st.lists(st.integers(0, 2000), max_size=10)


@settings(max_examples=60)
@given(st.lists(st.binary(min_size=1, max_size=80), max_size=6), places, st.booleans())
def test_a_chunked_body_is_the_same_however_it_is_cut(parts: list[bytes], at: list[int], extended: bool) -> None:
    extension = b";name=value" if extended else b""
    chunks = b"".join(b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in parts)
    data = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nTrailer: 1\r\n\r\n"
    assert read(data, at) == (b"".join(parts), "ok", True)


@settings(max_examples=30)
@given(st.binary(max_size=200), places)
def test_a_body_of_a_length_and_a_body_until_the_end(body: bytes, at: list[int]) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert read(interim + HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body), at) == (body, "ok", True)
    assert read(HEAD + b"\r\n" + body, at, then_close=True) == (body, "ok", False)
    old = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    assert read(old, at, then_close=True)[:2] == (body, "ok")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", "ConnectionClosed"),
        (b"HTTP/1.1 200", "Truncated"),
        (HEAD + b"Content-Length: 10\r\n\r\nhalf", "Truncated"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel", "Truncated"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloo\r\n", "MalformedResponse"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n", "MalformedResponse"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"5" * 2000, "MalformedResponse"),
        (HEAD + b"Content-Length: many\r\n\r\n", "MalformedResponse"),
        (b"HTTP/1.1 abc\r\n\r\n", "MalformedResponse"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "MalformedResponse"),
        (b"hello, this is not HTTP", "MalformedResponse"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000, "MalformedResponse"),
        (b"HTTP/1.1 418 Teapot\r\nContent-Length: 2\r\n\r\nno", "418"),
    ],
)
def test_what_is_wrong_with_an_answer_has_a_name(data: bytes, status: str) -> None:
    assert read(data, [], then_close=True)[1] == status


def test_a_chunk_in_one_piece_takes_the_short_way() -> None:
    async def main() -> tuple[bytes, int]:
        dialect = OneAnswer()
        connection = Connection(dialect)
        connection.connection_made(Wire())
        connection.ask(b"", Attempt())
        connection.data_received(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            connection.data_received(b"5\r\nhello\r\n")
        return dialect.kept.body, connection._state

    assert asyncio.run(main()) == (b"hello" * 3, _SIZE)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that nobody vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


@pytest.mark.parametrize("trusted", [True, False])
def test_tls_is_spoken_with_whom_we_trust(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trusted: bool) -> None:
    public, key = certificate(tmp_path)
    if trusted:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(public))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"Content-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    async def main() -> tuple[str, bytes]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(public, key)
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        dialect = OneAnswer()
        dialect.origin = Origin("localhost", server.sockets[0].getsockname()[1], tls=True)
        client = HttpClient(dialect)
        attempt = await result(client, an_ask())
        await client.close()
        server.close()
        return attempt.status, dialect.kept.body

    assert run(main()) == (("ok", b"hello") if trusted else ("TlsError", b""))


@pytest.mark.parametrize("api", ["chat", "completions", "triton"])
@pytest.mark.parametrize("stream", [True, False])
def test_servers_of_their_own(fake: FakeServer, api: Any, stream: bool) -> None:
    attempt = ask_once(OpenAi(fake.url + "/v1" if api != "triton" else fake.url, "fake", api, stream))
    assert attempt.status == "ok", attempt.message
    assert len(attempt.tokens) == (TOKENS if stream else 1)
    if api != "triton":
        assert (attempt.input_tokens, attempt.output_tokens) == (10, TOKENS)


def test_the_key_of_a_server_goes_with_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up")
    message = OpenAi("http://127.0.0.1:1/base/v1/", "m").open(only_loopback=True).prepare(an_ask())
    assert b"\r\nAuthorization: Bearer sk-made-up\r\n" in message
    assert message.startswith(b"POST /base/v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:1\r\n")


def test_an_early_role_chunk_is_no_token(fake: FakeServer) -> None:
    before = now()
    attempt = ask_once(OpenAi(fake.url, "fake"))
    (number, read_at, first, last) = next(row for row in reversed(fake.log()) if row[1] > before)
    assert number == 0
    assert attempt.tokens[0] >= first > read_at
    assert attempt.tokens[-1] >= last


@pytest.mark.parametrize("has_timerfd", [True, False])
def test_an_alarm_never_rings_early(monkeypatch: pytest.MonkeyPatch, has_timerfd: bool) -> None:
    if not has_timerfd:
        monkeypatch.setattr("labs.bench.clock._TimerFd.make", lambda: None)

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        rang: asyncio.Queue[float] = asyncio.Queue()
        alarm = Alarm(loop, lambda: rang.put_nowait(now()))
        late = []
        for n in range(20):
            due = now() + 0.0013 * (n % 4)
            alarm.set(due + 60)
            alarm.set(due)
            late.append(await rang.get() - due)
        alarm.close()
        return late

    assert min(run(main())) >= 0


def test_the_watch_sees_the_loop_stand_still() -> None:
    async def main() -> Watch:
        watch = Watch(asyncio.get_running_loop())
        watch.start()
        await asyncio.sleep(0.05)
        time.sleep(0.2)
        await asyncio.sleep(0.05)
        watch.stop()
        return watch

    watch = run(main())
    assert watch.stalls >= 1
    assert watch.longest_s >= 0.15
    assert watch.stalled_s >= 0.15
