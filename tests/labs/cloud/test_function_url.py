"""Function URLs: HTTP to a function and back, in one piece or token by token, for those who may."""

import http.client
import json
import socket
import textwrap
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, EventStreamError
from botocore.validate import validate_parameters

from labs.cloud import runtime as runtime_package
from labs.cloud.environment import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from tests.labs.cloud.kit import Aws, until

ECHO = """
    def handler(event, context):
        if event["rawPath"] == "/raise":
            raise ValueError
        if event["rawPath"] == "/full":
            return {"statusCode": 201, "headers": {"x-made": "here"}, "cookies": ["a=1", "b=2"], "body": "aGk=", "isBase64Encoded": True}
        if event["rawPath"] == "/bad":
            return {"statusCode": "often"}
        return event
    """
STREAMS = """
    import time

    def handler(event, context):
        path = event.get("rawPath", "")
        if path == "/early":
            raise ValueError("before anything")
        yield {"statusCode": 207, "headers": {"content-type": "text/event-stream"}, "cookies": ["seen=1"]}
        for n in range(5):
            yield f"data: {n}\\n\\n"
            time.sleep(0.05)
        if path == "/late":
            raise ValueError("in the middle")
    """


def streaming_package(source: str) -> bytes:
    """A function with the bundled runtime for streams, as it would be uploaded to AWS."""
    runtime = Path(runtime_package.__file__).parent / "client" / "response_stream.py"
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("app.py", textwrap.dedent(source))
        package.writestr("response_stream.py", runtime.read_text())
        program = zipfile.ZipInfo("stream")
        program.external_attr = 0o755 << 16
        package.writestr(program, '#!/bin/sh\nexec "$1" "$LAMBDA_TASK_ROOT/response_stream.py"\n')
    return archive.getvalue()


def streaming_function(aws: Aws, source: str = STREAMS) -> str:
    name = f"streams-{uuid.uuid4().hex[:8]}"
    aws.lambda_.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="app.handler",
        Role=aws.role(),
        Timeout=20,
        Code={"ZipFile": streaming_package(source)},
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/stream"}},
    )
    aws._made.append(lambda: aws.lambda_.delete_function(FunctionName=name))
    until(lambda: aws.lambda_.get_function_configuration(FunctionName=name)["State"] == "Active")
    return name


def make_public(aws: Aws, function: str) -> None:
    aws.lambda_.add_permission(
        FunctionName=function,
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    aws.lambda_.add_permission(
        FunctionName=function,
        StatementId="invoke",
        Action="lambda:InvokeFunction",
        Principal="*",
        InvokedViaFunctionUrl=True,
    )


def url_of(aws: Aws, function: str, **settings: Any) -> str:
    made = aws.lambda_.create_function_url_config(FunctionName=function, **{"AuthType": "NONE", **settings})
    assert made["FunctionUrl"].startswith("http://127.0.0.1:")
    assert made["FunctionUrl"].endswith("/")
    return str(made["FunctionUrl"])


def ask(
    url: str, path: str = "", method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        connection.request(method, (parts.path.rstrip("/") + path) or "/", body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def shared(local_cloud: Any) -> Iterator[Aws]:  # noqa: ARG001
    clients = Aws(boto3.Session())
    yield clients
    clients.tidy()


@pytest.fixture(scope="module")
def echo(shared: Aws) -> str:
    function = shared.function(ECHO)
    make_public(shared, function)
    return url_of(
        shared, function, Cors={"AllowOrigins": ["http://127.0.0.1:*"], "AllowMethods": ["POST"], "MaxAge": 60}
    )


@pytest.fixture(scope="module")
def streams(shared: Aws) -> tuple[str, str]:
    function = streaming_function(shared)
    make_public(shared, function)
    return function, url_of(shared, function, InvokeMode="RESPONSE_STREAM")


# -- one piece


def test_a_request_becomes_an_event_of_payload_format_2(echo: str) -> None:
    status, headers, body = ask(
        echo, "/a%20b/c?x=1&x=2&y=%26", "POST", b'{"n": 1}', {"Content-Type": "application/json", "Cookie": "k=v; l=w"}
    )
    event = json.loads(body)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert (event["version"], event["rawPath"], event["rawQueryString"]) == ("2.0", "/a b/c", "x=1&x=2&y=%26")
    assert event["queryStringParameters"] == {"x": "1,2", "y": "&"}
    assert event["cookies"] == ["k=v", "l=w"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"n": 1}', False)
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["requestContext"]["domainName"] == urlsplit(echo).netloc


def test_a_body_that_is_not_text_comes_in_base64(echo: str) -> None:
    event = json.loads(ask(echo, "", "POST", b"\x00\xff", {"Content-Type": "image/png"})[2])
    assert (event["body"], event["isBase64Encoded"]) == ("AP8=", True)


def test_an_answer_may_have_status_headers_cookies_and_bytes(echo: str) -> None:
    status, headers, body = ask(echo, "/full")
    assert (status, headers["x-made"], headers.get_all("Set-Cookie"), body) == (201, "here", ["a=1", "b=2"], b"hi")


@pytest.mark.parametrize("path", ["/raise", "/bad"])
def test_a_function_that_fails_is_a_bad_gateway(echo: str, path: str) -> None:
    assert ask(echo, path)[0] == 502


def test_an_event_that_is_too_large_is_refused(echo: str) -> None:
    status, _, body = ask(echo, "", "POST", b"x" * 6_300_000, {"Content-Type": "text/plain"})
    assert status == 413
    assert b"6291456 bytes" in body


def test_pages_of_this_machine_are_answered_as_the_configuration_says(echo: str) -> None:
    here = {"Origin": "http://127.0.0.1:9999"}
    status, headers, body = ask(echo, "", "OPTIONS", None, {**here, "Access-Control-Request-Method": "POST"})
    assert (status, body) == (200, b"")
    assert headers["Access-Control-Allow-Origin"] == here["Origin"]
    assert (headers["Access-Control-Allow-Methods"], headers["Access-Control-Max-Age"]) == ("POST", "60")
    assert ask(echo, "", headers=here)[1]["Access-Control-Allow-Origin"] == here["Origin"]
    assert ask(echo, "", headers={"Origin": "https://example.com"})[0] == 403


# -- who may


def test_without_permission_nobody_is_let_in(aws: Aws) -> None:
    function = aws.function(ECHO)
    url = url_of(aws, function)
    status, headers, body = ask(url)
    assert (status, headers["x-amzn-ErrorType"]) == (403, "AccessDeniedException")
    assert b"Forbidden" in body
    aws.lambda_.add_permission(
        FunctionName=function,
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    assert ask(url)[0] == 403  # since October 2025 it takes two
    aws.lambda_.add_permission(
        FunctionName=function,
        StatementId="invoke",
        Action="lambda:InvokeFunction",
        Principal="*",
        InvokedViaFunctionUrl=True,
    )
    assert ask(url)[0] == 200
    policy = json.loads(aws.lambda_.get_policy(FunctionName=function)["Policy"])
    conditions = [statement["Condition"] for statement in policy["Statement"]]
    assert conditions == [
        {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
        {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
    ]
    with pytest.raises(ClientError, match="already exists"):
        aws.lambda_.add_permission(
            FunctionName=function, StatementId="url", Action="lambda:InvokeFunctionUrl", Principal="*"
        )


def signed(
    url: str, path: str, *, service: str = "lambda", region: str = "us-east-1", secret: str = SECRET_ACCESS_KEY
) -> dict[str, str]:
    request = AWSRequest("GET", url.rstrip("/") + path, headers={"Host": urlsplit(url).netloc})
    SigV4Auth(Credentials(ACCESS_KEY_ID, secret), service, region).add_auth(request)
    return dict(request.headers)


def test_with_iam_a_signature_is_asked_for_and_checked(aws: Aws) -> None:
    url = url_of(aws, aws.function(ECHO), AuthType="AWS_IAM")
    path = "/a%20b?q=1&a=%2F"
    status, _, body = ask(url, path, headers=signed(url, path))
    assert status == 200
    assert json.loads(body)["requestContext"]["authorizer"]["iam"]["accessKey"] == ACCESS_KEY_ID
    for wrong in (
        {},
        {"Authorization": "AWS4-HMAC-SHA256 nonsense"},
        signed(url, path, secret="another"),
        signed(url, path, service="execute-api"),
        signed(url, path, region="eu-west-1"),
        signed(url, "/elsewhere"),
        signed(url, path) | {"X-Amz-Date": "20200101T000000Z"},
    ):
        assert ask(url, path, headers=wrong)[0] == 403, wrong


# -- piece by piece


def test_a_streamed_answer_arrives_while_the_function_still_runs(streams: tuple[str, str]) -> None:
    connection = http.client.HTTPConnection(urlsplit(streams[1]).netloc, timeout=20)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["content-type"], answer.headers["Set-Cookie"]) == (
        207,
        "text/event-stream",
        "seen=1",
    )
    arrived = []
    for n in range(5):
        assert answer.readline() == b"data: %d\n" % n
        answer.readline()
        arrived.append(time.monotonic())
    assert answer.read() == b""
    connection.close()
    assert (
        arrived[-1] - arrived[0] > 0.05
    )  # four pauses of 50 ms lie between; this reader may be late for the first line


def test_a_function_that_fails_in_the_middle_leaves_no_end(streams: tuple[str, str]) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        ask(streams[1], "/late")
    assert ask(streams[1], "/early")[0] == 502
    assert ask(streams[1])[0] == 207


def test_a_client_that_goes_away_leaves_the_function_in_peace(streams: tuple[str, str]) -> None:
    for _ in range(3):
        connection = http.client.HTTPConnection(urlsplit(streams[1]).netloc, timeout=20)
        connection.request("GET", "/")
        connection.getresponse().readline()
        connection.close()
    assert ask(streams[1])[2].count(b"data:") == 5


def test_the_stream_api_gives_pieces_and_then_that_it_is_complete(aws: Aws, streams: tuple[str, str]) -> None:
    answer = aws.lambda_.invoke_with_response_stream(FunctionName=streams[0], Payload=b"{}", LogType="Tail")
    events = list(answer["EventStream"])
    text = b"".join(event["PayloadChunk"]["Payload"] for event in events[:-1])
    assert text.count(b"data:") == 5
    assert len(events) >= 5
    assert "ErrorCode" not in events[-1]["InvokeComplete"]
    assert events[-1]["InvokeComplete"]["LogResult"]
    late = list(
        aws.lambda_.invoke_with_response_stream(FunctionName=streams[0], Payload=b'{"rawPath": "/late"}')["EventStream"]
    )
    assert late[-1]["InvokeComplete"]["ErrorCode"] == "ValueError"


def test_an_ordinary_function_streams_in_one_piece(aws: Aws) -> None:
    function = aws.function("def handler(event, context): return {'n': event['n']}")
    events = list(aws.lambda_.invoke_with_response_stream(FunctionName=function, Payload=b'{"n": 7}')["EventStream"])
    assert [list(event) for event in events] == [["PayloadChunk"], ["InvokeComplete"]]
    assert json.loads(events[0]["PayloadChunk"]["Payload"]) == {"n": 7}


def test_a_streaming_function_that_is_invoked_plainly_answers_whole(aws: Aws) -> None:
    function = streaming_function(aws, "def handler(event, context):\n    yield 'a'\n    yield b'b'\n")
    assert aws.lambda_.invoke(FunctionName=function, Payload=b"{}")["Payload"].read() == b"ab"


def test_bandwidth_is_limited_once_the_first_megabytes_are_through() -> None:
    from labs.cloud.runtime.outcome import Outcome
    from labs.cloud.services.lambda_streams import Streamed, StreamLimits

    def run(sink: Any) -> Outcome:
        sink.begin("text/plain")
        for _ in range(4):
            sink.write(b"x" * 1000)
        return Outcome("id", b"", False, "stream", streamed=True)

    began = time.monotonic()
    assert sum(len(piece) for piece in Streamed(run, StreamLimits(5000, 1000, 10_000))) == 4000
    assert time.monotonic() - began >= 0.29
    over = Streamed(run, StreamLimits(3500, 5000, 1))
    assert sum(len(piece) for piece in over) == 3000
    with pytest.raises(Exception, match="3500"):
        over.content_type()


# -- the configuration


def test_the_configuration_is_kept_changed_and_removed(aws: Aws) -> None:
    function = aws.function(ECHO)
    url = url_of(aws, function)
    with pytest.raises(ClientError, match="FunctionUrlConfig exists"):
        url_of(aws, function)
    aws.lambda_.update_function_url_config(FunctionName=function, InvokeMode="RESPONSE_STREAM")
    kept = aws.lambda_.get_function_url_config(FunctionName=function)
    assert (kept["FunctionUrl"], kept["InvokeMode"], kept["AuthType"]) == (url, "RESPONSE_STREAM", "NONE")
    shape = aws.lambda_.meta.service_model.operation_model("GetFunctionUrlConfig").output_shape
    no_host_name = "x" * 40  # the one member whose shape only an address on AWS has
    kept.pop("ResponseMetadata")
    validate_parameters(kept | {"FunctionUrl": no_host_name}, shape)
    assert [
        one["FunctionUrl"] for one in aws.lambda_.list_function_url_configs(FunctionName=function)["FunctionUrlConfigs"]
    ] == [url]
    aws.lambda_.delete_function_url_config(FunctionName=function)
    with pytest.raises(ConnectionError):
        ask(url)
    with pytest.raises(aws.lambda_.exceptions.ResourceNotFoundException):
        aws.lambda_.get_function_url_config(FunctionName=function)


def test_a_function_takes_its_url_with_it(aws: Aws) -> None:
    function = aws.function(ECHO)
    url = url_of(aws, function)
    aws.lambda_.delete_function(FunctionName=function)
    until(lambda: not_listening(url))


def not_listening(url: str) -> bool:
    try:
        ask(url)
    except ConnectionError:
        return True
    return False


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"\x00" * 5000,
    ],
)
def test_garbage_is_answered_or_closed_and_the_url_lives_on(echo: str, garbage: bytes) -> None:
    host, port = urlsplit(echo).hostname, urlsplit(echo).port
    with socket.create_connection((host, port), timeout=10) as connection:  # type: ignore[arg-type]
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    assert ask(echo)[0] == 200


def test_many_open_sockets_keep_nobody_out(echo: str) -> None:
    host, port = urlsplit(echo).hostname, urlsplit(echo).port
    idle = [socket.create_connection((host, port), timeout=10) for _ in range(150)]  # type: ignore[arg-type]
    try:
        statuses: list[int] = []
        threads = [threading.Thread(target=lambda: statuses.append(ask(echo)[0])) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [200] * 4
    finally:
        for connection in idle:
            connection.close()


def test_moto_leads_nowhere(stock: Aws) -> None:
    """The reason for our own: once moto serves function URLs, this fails."""
    role = stock.iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    stock.lambda_.create_function(
        FunctionName="f", Runtime="python3.13", Handler="app.handler", Role=role, Code={"ZipFile": b"not a zip"}
    )
    made = stock.lambda_.create_function_url_config(FunctionName="f", AuthType="NONE")
    assert made["FunctionUrl"].endswith(".on.aws")
    assert made["InvokeMode"] == "Buffered"
    with pytest.raises((ClientError, EventStreamError, NotImplementedError)):
        stock.lambda_.invoke_with_response_stream(FunctionName="f", Payload=b"{}")
