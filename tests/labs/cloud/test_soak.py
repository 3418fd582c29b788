"""The server is killed under load, again and again, at moments that nobody chose: a few times in the tests, fifty in `make soak`."""

import random
import socket
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud import server
from labs.cloud.environment import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from tests.labs.cloud.kit import TRUST, zipped

KILLS = 50
KILLS_IN_THE_TESTS = 5


def client_of(service: str, endpoint_url: str) -> Any:
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5)
    session = boto3.Session(ACCESS_KEY_ID, SECRET_ACCESS_KEY, region_name="us-east-1")
    return session.client(service, endpoint_url=endpoint_url, config=config)  # type: ignore[call-overload]


def run_functions(endpoint_url: str, stop: threading.Event) -> None:
    """Worker processes come and go until told to stop or until nobody answers."""
    functions, iam = client_of("lambda", endpoint_url), client_of("iam", endpoint_url)
    try:
        role = iam.create_role(RoleName="soak", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        code = {"ZipFile": zipped("import time\ndef handler(event, context): time.sleep(0.05)")}
        functions.create_function(
            FunctionName="soak", Runtime="python3.13", Handler="app.handler", Role=role, Code=code
        )
        while not stop.is_set():
            functions.invoke(FunctionName="soak", InvocationType="Event", Payload=b"{}")
            functions.invoke(FunctionName="soak", Payload=b"{}")
    except (BotoCoreError, ClientError):
        return


def load(endpoint_url: str, stop: threading.Event) -> None:
    """Queue traffic until told to stop or until nobody answers."""
    client = client_of("sqs", endpoint_url)
    try:
        url = client.create_queue(QueueName="soak")["QueueUrl"]
        while not stop.is_set():
            client.send_message(QueueUrl=url, MessageBody="x")
            client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    except (BotoCoreError, ClientError):
        return


def kill_again_and_again(home: Path, kills: int, seed: int) -> None:
    """Start, load, kill -9 at a moment that nobody chose; each time nothing may be left, and the same port serves the next start."""
    moments, port = random.Random(seed), 0
    for kill in range(kills):
        record = server.start(home, port=port, die_with_parent=True)
        port = int(record.endpoint_url.rpartition(":")[2])
        stop = threading.Event()
        threads = [threading.Thread(target=work, args=(record.endpoint_url, stop)) for work in (load, run_functions)]
        for thread in threads:
            thread.start()
        time.sleep(moments.uniform(0.0, 1.5))
        process = psutil.Process(record.pid)
        children = process.children(recursive=True)
        process.kill()
        psutil.wait_procs([process], timeout=10)
        stop.set()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), f"kill {kill}: a client still waits"
        assert server.running(home) is None
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive, f"kill {kill}: {alive}"
    assert server.start(home, port=port, die_with_parent=True)
    assert port_is_taken(port)
    server.stop(home)
    assert not port_is_taken(port)


def port_is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_kills_under_load_leave_no_process_and_no_port(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, KILLS_IN_THE_TESTS, seed=11)


@pytest.mark.soak
def test_fifty_kills_under_load_leave_no_process_and_no_port(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, KILLS, seed=7)
