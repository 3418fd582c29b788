"""The local cloud as a process: one at a time, found again, gone without a trace, and answering only those who mean it."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import moto
import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from labs.cloud import server, state
from labs.cloud.application import Application
from labs.cloud.context import Context
from labs.cloud.state import ServerRecord
from labs.errors import FALSE, NOT_READY, USAGE, Refusal


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A state folder of this test's own; whatever server was started there is stopped."""
    yield tmp_path / "home"
    server.stop(tmp_path / "home")


def start(home: Path, **how: Any) -> ServerRecord:
    return server.start(home, port=0, die_with_parent=True, **how)


def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def answers(record: ServerRecord) -> bool:
    try:
        status, _, _ = ask(record, "GET", "/")
    except OSError:
        return False
    return status > 0


def ask(
    record: ServerRecord, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, str, dict[str, str]]:
    """One request by hand; header names have underscores for dashes."""
    connection = http.client.HTTPConnection(urlsplit(record.endpoint_url).netloc, timeout=20)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, response.read().decode(), dict(response.getheaders())
    finally:
        connection.close()


class TestLife:
    """Start, find, stop."""

    def test_of_a_server(self, home: Path) -> None:
        assert server.running(home) is None
        record = start(home, time_scale=30)
        assert server.running(home) == record
        assert record.time_scale == 30
        assert psutil.pid_exists(record.pid)
        assert answers(record)
        assert server.stop(home)
        assert server.running(home) is None
        assert not psutil.pid_exists(record.pid)
        assert not answers(record)
        assert not server.stop(home)

    def test_a_second_one_is_refused_in_one_sentence(self, home: Path) -> None:
        record = start(home)
        with pytest.raises(Refusal, match=f"already up at {record.endpoint_url}") as refused:
            start(home)
        assert refused.value.exit_status == FALSE
        assert server.running(home) == record

    def test_of_several_that_start_at_once_one_wins_and_all_find_it(self, home: Path) -> None:
        ask_for_it = "import sys; from pathlib import Path; from labs.cloud import server; print(server.ensure_running(Path(sys.argv[1])).pid)"
        asking = [
            subprocess.Popen([sys.executable, "-c", ask_for_it, str(home)], stdout=subprocess.PIPE, text=True)
            for _ in range(4)
        ]
        said = [process.communicate(timeout=60)[0].strip() for process in asking]
        record = server.running(home)
        assert record is not None
        assert said == [str(record.pid)] * 4

    def test_a_taken_port_is_one_sentence(self, home: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(Refusal, match=f"Port {port} is taken by another program") as refused:
                server.start(home, port=port)
        assert refused.value.exit_status == NOT_READY
        assert server.running(home) is None
        assert not (home / "server.json").exists()

    def test_a_time_scale_only_shortens(self, home: Path) -> None:
        with pytest.raises(Refusal, match="1 or more") as refused:
            start(home, time_scale=0.5)
        assert refused.value.exit_status == USAGE

    def test_what_it_keeps_is_for_its_owner_only(self, home: Path) -> None:
        start(home)
        assert oct(home.stat().st_mode & 0o777) == "0o700"
        for file in home.iterdir():
            assert oct(file.stat().st_mode & 0o077) == "0o0", file

    def test_it_listens_on_loopback_only(self, home: Path) -> None:
        record = start(home)
        listening = [c for c in psutil.Process(record.pid).net_connections() if c.status == psutil.CONN_LISTEN]
        assert [c.laddr.ip for c in listening] == ["127.0.0.1"]


class TestAfterACrash:
    """No orphan, no port, no lock that outlives its owner."""

    def test_the_next_start_works(self, home: Path) -> None:
        port = 0
        for _ in range(3):
            record = server.start(home, port=port, die_with_parent=True)
            port = urlsplit(record.endpoint_url).port or 0
            os.kill(record.pid, signal.SIGKILL)
            assert until(lambda: server.running(home) is None)
            assert not answers(record)
        assert answers(server.start(home, port=port, die_with_parent=True))

    def test_a_record_whose_process_id_now_belongs_to_somebody_else_is_not_believed(self, home: Path) -> None:
        state.ensure_home(home)
        state.write_record(home, ServerRecord("http://127.0.0.1:9", os.getpid(), 1.0, "token"))
        assert server.running(home) is None
        assert not server.stop(home)  # and above all nothing is killed
        assert answers(start(home))

    def test_a_broken_record_is_no_record(self, home: Path) -> None:
        state.ensure_home(home)
        for text in ("", "{", "[]", '{"pid": 1}', '{"endpoint_url": 1, "who": 2}'):
            (home / "server.json").write_text(text)
            assert state.read_record(home) is None
        assert server.running(home) is None
        assert answers(start(home))

    def test_a_server_of_a_killed_test_run_dies_with_it(self, home: Path) -> None:
        code = (
            "import sys, time; from pathlib import Path; from labs.cloud import server\n"
            "print(server.start(Path(sys.argv[1]), port=0, die_with_parent=True).pid, flush=True)\ntime.sleep(600)"
        )
        parent = subprocess.Popen([sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert server.running(home) is not None
        parent.kill()
        parent.communicate()
        assert until(lambda: server.running(home) is None)
        assert until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)

    def test_a_server_whose_state_folder_is_removed_ends(self, home: Path) -> None:
        record = start(home)
        shutil.rmtree(home)
        assert until(lambda: not answers(record))
        assert answers(start(home))

    def test_a_start_that_was_killed_leaves_no_lock(self, home: Path) -> None:
        holding = "import sys, time; from pathlib import Path; from labs.cloud import state\nwith state.starting(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
        holder = subprocess.Popen([sys.executable, "-c", holding, str(home)], stdout=subprocess.PIPE, text=True)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.kill()
        holder.communicate()
        assert answers(start(home))


class TestWhoIsAnswered:
    """Programs of this machine, and no web page from elsewhere."""

    @pytest.mark.parametrize(
        "path",
        [
            "/moto-api",
            "/moto-api/",
            "/moto-api/reset",
            "/moto-api/data.json",
            "/moto-api/seed?a=1",
            "/moto%2Dapi/reset",
            "/favicon.ico",
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_motos_own_routes_do_not_exist(self, local_cloud: ServerRecord, method: str, path: str) -> None:
        queue = boto3.client("sqs").create_queue(QueueName="kept")["QueueUrl"]
        assert ask(local_cloud, method, path)[0] == 404
        assert boto3.client("sqs").get_queue_url(QueueName="kept")["QueueUrl"] == queue

    def test_nor_by_signing_for_them(self, local_cloud: ServerRecord) -> None:
        scope = (
            "AWS4-HMAC-SHA256 Credential=A/20261122/us-east-1/moto_api/aws4_request, SignedHeaders=host, Signature=0"
        )
        status, _, _ = ask(local_cloud, "POST", "/reset", b"", Authorization=scope)
        assert status == 501

    @pytest.mark.parametrize(
        "host", ["evil.example.com", "evil.example.com:4580", "169.254.169.254", "127.0.0.1.example.com", "[::1", ""]
    )
    def test_a_name_that_is_not_loopback_is_refused(self, local_cloud: ServerRecord, host: str) -> None:
        """A page can have its owner's name resolve to 127.0.0.1; the browser then sends that name."""
        assert ask(local_cloud, "GET", "/_lab/faults", Host=host, X_Lab_Token=local_cloud.token)[0] == 403
        assert ask(local_cloud, "GET", "/", Host=host)[0] == 403

    @pytest.mark.parametrize(
        "headers", [{"Origin": "https://evil.example.com"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}]
    )
    def test_a_web_page_from_elsewhere_is_refused(self, local_cloud: ServerRecord, headers: dict[str, str]) -> None:
        assert ask(local_cloud, "POST", "/2015-03-31/functions", b"{}", **headers)[0] == 403

    def test_a_page_of_this_machine_is_answered(self, local_cloud: ServerRecord) -> None:
        assert ask(local_cloud, "GET", "/", Origin="http://localhost:8000")[0] == 200

    @pytest.mark.parametrize("headers", [{}, {"X_Lab_Token": "guessed"}])
    def test_control_routes_ask_for_the_token(self, local_cloud: ServerRecord, headers: dict[str, str]) -> None:
        assert ask(local_cloud, "GET", "/_lab/anything", **headers)[0] == 403

    def test_control_routes_answer_those_who_have_it(self, local_cloud: ServerRecord) -> None:
        status, text, _ = ask(local_cloud, "GET", "/_lab/nosuch", X_Lab_Token=local_cloud.token)
        assert (status, text) == (404, "There is no GET /_lab/nosuch.\n")


class TestWhatItDoesNotHave:
    """An error in AWS's shape that names the operation, at once and not after retries."""

    @pytest.mark.parametrize(
        ("service", "operation", "arguments", "named"),
        [
            ("bedrock", "list_guardrails", {}, "GET /guardrails"),  # REST-JSON
            ("sagemaker", "list_hubs", {}, "ListHubs"),  # JSON
            (
                "freetier",
                "get_free_tier_usage",
                {},
                "GetFreeTierUsage",
            ),  # JSON, a service that moto does not have at all
            ("cloudformation", "describe_type", {}, "DescribeType"),  # query
            ("route53", "get_geo_location", {}, "GET /2013-04-01/geolocation"),  # REST-XML
            ("ec2", "describe_reserved_instances_listings", {}, "DescribeReservedInstancesListings"),  # EC2's query
            ("bedrock-runtime", "list_async_invokes", {}, "GET /async-invoke"),
        ],
    )
    def test_is_said(
        self, local_cloud: ServerRecord, service: Any, operation: str, arguments: dict[str, Any], named: str
    ) -> None:
        client = boto3.client(service, endpoint_url=local_cloud.endpoint_url)
        with pytest.raises(ClientError, match="The local cloud does not have this operation") as refused:
            getattr(client, operation)(**arguments)
        response = refused.value.response
        assert response["Error"]["Code"] == "NotImplemented"
        assert named in response["Error"]["Message"]
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 501
        assert response["ResponseMetadata"]["RetryAttempts"] == 0


class TestHttp:
    """The wire."""

    def test_a_connection_is_kept_for_the_next_request(self, local_cloud: ServerRecord) -> None:
        connection = http.client.HTTPConnection(urlsplit(local_cloud.endpoint_url).netloc, timeout=20)
        connection.connect()
        used = connection.sock
        for method, body in (("GET", None), ("HEAD", None), ("POST", b"x" * 100_000), ("GET", None)):
            connection.request(method, "/", body)
            connection.getresponse().read()
            assert connection.sock is used
        connection.close()

    def test_a_body_may_come_in_chunks(self, local_cloud: ServerRecord) -> None:
        boto3.client("s3").create_bucket(Bucket="chunked")
        scope = "AWS4-HMAC-SHA256 Credential=A/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
        connection = http.client.HTTPConnection(urlsplit(local_cloud.endpoint_url).netloc, timeout=20)
        connection.request(
            "PUT", "/chunked/key", iter([b"one ", b"two ", b"three"]), {"Authorization": scope}, encode_chunked=True
        )
        assert connection.getresponse().status == 200
        connection.close()
        assert boto3.client("s3").get_object(Bucket="chunked", Key="key")["Body"].read() == b"one two three"

    @pytest.mark.parametrize(
        "garbage",
        [
            b"\x00\xff\x00\xff\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
            b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: AWS4-HMAC-SHA256 Credential=////\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: nonsense\r\n\r\n",
        ],
    )
    def test_garbage_is_answered_or_dropped_and_the_server_lives_on(
        self, local_cloud: ServerRecord, garbage: bytes
    ) -> None:
        where = urlsplit(local_cloud.endpoint_url)
        with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        assert boto3.client("sts").get_caller_identity()["Account"] == "123456789012"

    def test_a_body_that_breaks_off_is_not_answered_as_if_it_were_whole(self, local_cloud: ServerRecord) -> None:
        where = urlsplit(local_cloud.endpoint_url)
        with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
            connection.shutdown(socket.SHUT_WR)
            assert b" 400 " in connection.recv(65536)

    def test_what_a_slow_reader_has_no_room_for_is_kept_and_sent_later(self, serve: Any) -> None:
        outcomes: list[bool] = []

        class Body:
            def __iter__(self) -> Iterator[bytes]:
                raise AssertionError("iterated, though it can be pushed")

            def push(self, send: Callable[[bytes, bool], bool]) -> None:
                for i in range(200):
                    outcomes.append(send(b"%06d" % i * 10_000, False))

        def application(_: Any, start_response: Any) -> Any:
            start_response("200 OK", [])
            return Body()

        where = urlsplit(serve(application))
        with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert until(lambda: len(outcomes) == 200)  # nobody reads yet, and it did not wait for it
            assert outcomes[0] is True
            assert outcomes[-1] is False
            response = http.client.HTTPResponse(connection)
            response.begin()
            assert response.read() == b"".join(b"%06d" % i * 10_000 for i in range(200))

    def test_many_at_once(self, local_cloud: ServerRecord) -> None:
        statuses: list[int] = []
        threads = [threading.Thread(target=lambda: statuses.append(ask(local_cloud, "GET", "/")[0])) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert statuses == [200] * 50


class TestFailures:
    """A fault of ours leaves in AWS's shape, whatever the service's protocol."""

    @pytest.mark.parametrize("service", ["sqs", "iam", "bedrock-runtime", "s3", "ec2", "cloudwatch"])
    def test_are_internal_failures(
        self, service: Any, serve: Any, local_cloud: ServerRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        context = Context(home=tmp_path, endpoint_url=local_cloud.endpoint_url)
        application = Application(context, local_cloud)
        monkeypatch.setattr(application, "_moto", broken)
        client = boto3.client(
            service, endpoint_url=serve(application), config=Config(retries={"total_max_attempts": 1})
        )
        calls: dict[str, Callable[[], Any]] = {
            "sqs": lambda: client.list_queues(),
            "iam": lambda: client.list_users(),
            "bedrock-runtime": lambda: client.converse(modelId="m", messages=[]),
            "s3": lambda: client.list_buckets(),
            "ec2": lambda: client.describe_instances(),
            "cloudwatch": lambda: client.list_metrics(),
        }
        with pytest.raises(ClientError, match=r"The local cloud failed at .*; its log has the details") as failed:
            calls[service]()
        context.close()
        assert failed.value.response["Error"]["Code"] == "InternalFailure"
        assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        assert "<html" not in str(failed.value).lower()


def broken(*_: Any) -> Any:
    raise ZeroDivisionError("secret detail")


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """Serves WSGI applications from threads of this process; gives their addresses."""
    from labs.cloud.wsgi import Server

    started: list[tuple[Any, threading.Thread]] = []

    def start_serving(application: Any) -> str:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        serving = Server(listener, application)
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        started.append((serving, thread))
        return f"http://127.0.0.1:{port}"

    yield start_serving
    for serving, thread in started:
        serving.shutdown()
        thread.join()


class TestCures:
    """Each of these fails once the library has cured what we work around."""

    def test_werkzeug_closes_every_connection_after_one_answer(self) -> None:
        from moto.moto_server.werkzeug_app import MotoRequestHandler
        from werkzeug.serving import make_server

        def application(_: Any, start_response: Any) -> list[bytes]:
            start_response("200 OK", [("Content-Length", "0")])
            return []

        stock = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
        thread = threading.Thread(target=stock.serve_forever, args=(0.01,))
        thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", stock.port, timeout=20)
        connection.request("GET", "/")
        assert connection.getresponse().getheader("Connection") == "close"
        connection.close()
        stock.shutdown()
        thread.join()

    def test_jsonschema_imports_a_grammar_for_international_addresses_that_takes_seconds_to_compile(self) -> None:
        code = (
            "import sys, types\nasked = []\nclass Stub(types.ModuleType):\n    def __getattr__(self, name): asked.append(name); return print\n"
            "sys.modules['rfc3987_syntax'] = Stub('rfc3987_syntax')\nimport jsonschema\nprint('is_valid_syntax' in asked)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "True"

    def test_motos_cloudformation_imports_every_service_that_its_own_stacks_can_make(self) -> None:
        source = (Path(moto.__file__).parent / "cloudformation" / "parsing.py").read_text(encoding="utf-8")
        services = re.findall(r"^from moto\.(\w+) import models", source, re.MULTILINE)
        assert {"redshift", "emr", "batch", "ec2"} <= set(services)


def test_the_record_keeps_its_token_to_itself(local_cloud: ServerRecord) -> None:
    assert local_cloud.token not in json.dumps(local_cloud.public())
