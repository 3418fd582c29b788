"""How fast the local cloud is, beside moto as it comes and a second emulator, in one run: `python -m labs.cloud.bench`.

Wall-clock figures suffer on a busy machine, so the processor seconds of the emulator, its functions included, stand beside them, and
ratios between contestants of one run say more than digits. The second emulator, ministack, lives in the tests' own environment
(tests/labs/cloud/contract); without it its column is empty. psutil, from the development extra, reads memory and processor time.
"""

import asyncio
import io
import itertools
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import click

from labs import terminal
from labs.cloud.environment import ACCESS_KEY_ID, SECRET_ACCESS_KEY

ROOT = Path(__file__).parents[2]
TOKEN_MS = 25.0
STREAMS = 100
TOKENS = 60
BACKLOG = 10_000
FILL_S = 10.0
"""How long a contestant may take to fill the queue; what it has then is its backlog."""
RECEIVE_S = 3.0
JOBS = 1_500
WORKERS = 4
"""Functions at a time: with more, most of two processors' time goes into starting them."""
DRAIN_S = 40.0
MODEL = "amazon.nova-lite-v1:0"

OURS = f"""
import labs.serving.services as services
from labs.serving.service import ServiceSpec
services.latencies = lambda *_: ServiceSpec(ttft_s=0.25, per_input_token_s=0.0, tpot_s={TOKEN_MS / 1e3}, spread=0.0, seed=0)
from labs.cloud.server import main
main()
"""
"""Our server with a model that takes 25 ms a token."""
STOCK = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"


@dataclass(frozen=True)
class Contestant:
    """An emulator that answers."""

    name: str
    url: str
    pid: int
    up_s: float
    """From the command that starts it to the first answered call."""

    def client(self, service: str) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(retries={"total_max_attempts": 1}, read_timeout=60)
        session = boto3.Session(ACCESS_KEY_ID, SECRET_ACCESS_KEY, region_name="us-east-1")
        client: Any = session.client(service, endpoint_url=self.url, config=config)  # type: ignore[call-overload]
        return client

    def cpu_s(self) -> float:
        """Processor seconds of it and of the functions that it runs, the ended ones included."""
        import psutil

        root = psutil.Process(self.pid)
        spent = 0.0
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                times = process.cpu_times()
                spent += times.user + times.system + times.children_user + times.children_system
        return spent


# -- starting


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def first_answer(client: Any, deadline_s: float = 60) -> None:
    from botocore.exceptions import BotoCoreError

    deadline = time.monotonic() + deadline_s
    while True:
        try:
            client.list_queues()
            return
        except BotoCoreError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)


@contextmanager
def process(name: str, command: list[str], port: int, folder: Path, **environment: str) -> Iterator[Contestant]:
    """A contestant on `port`, ended with its whole process group afterwards."""
    kept = {key: value for key, value in os.environ.items() if key in ("HOME", "LANG", "PATH", "LAB_HOME")}
    url = f"http://127.0.0.1:{port}"
    client = Contestant(name, url, 0, 0.0).client("sqs")
    started = time.monotonic()
    child = subprocess.Popen(
        command,
        cwd=folder,
        env=kept | {"AWS_DEFAULT_REGION": "us-east-1"} | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        first_answer(client)
        yield Contestant(name, url, child.pid, time.monotonic() - started)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.wait(10)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(10)


def ours(folder: Path) -> Any:
    from labs.cloud.environment import local_environment

    port = free_port()
    command = [sys.executable, "-P", "-c", OURS, "--home", str(folder), "--port", str(port)]
    environment = local_environment(f"http://127.0.0.1:{port}", home=folder)
    return process("ours", command, port, folder, **environment)


def stock(folder: Path) -> Any:
    port = free_port()
    return process("moto", [sys.executable, "-c", STOCK, str(port)], port, folder)


def ministack(folder: Path) -> Any:
    """From the environment that the contract tests make; raises when there is none."""
    sys.path.insert(0, str(ROOT))
    module = import_module("tests.labs.cloud.contract.ministack")
    python = module.installed(ROOT / ".pytest_cache" / "d" / "ministack")
    port = free_port()
    command = [str(python), "-c", "from ministack.app import main; main()"]
    return process("ministack", command, port, folder, **module.environment_of(port, folder))


STARTERS: dict[str, Callable[[Path], Any]] = {"ours": ours, "moto": stock, "ministack": ministack}


def command_to_answer_s() -> float:
    """From typing `lab cloud up` to the first answered call."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"LAB_HOME": home}
        lab = [sys.executable, "-m", "labs.cli", "cloud"]
        port = free_port()
        client = Contestant("ours", f"http://127.0.0.1:{port}", 0, 0.0).client("sqs")
        started = time.monotonic()
        subprocess.run([*lab, "up", "--port", str(port)], env=environment, check=True, capture_output=True)
        first_answer(client)
        taken = time.monotonic() - started
        subprocess.run([*lab, "down"], env=environment, check=True, capture_output=True)
    return taken


# -- measuring


async def one_stream(host: str, port: int, number: int) -> list[float]:
    """When each token came, in seconds of the loop's clock."""
    reader, writer = await asyncio.open_connection(host, port)
    body = json.dumps(
        {
            "messages": [{"role": "user", "content": [{"text": f"Tell me of queues, please. ({number})"}]}],
            "inferenceConfig": {"maxTokens": TOKENS},
        }
    ).encode()
    scope = f"Credential={ACCESS_KEY_ID}/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0"
    head = (
        f"POST /model/{quote(MODEL, safe='')}/converse-stream HTTP/1.1\r\nHost: {host}:{port}\r\n"
        f"Authorization: AWS4-HMAC-SHA256 {scope}\r\nX-Amz-Date: 20260101T000000Z\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    arrivals: list[float] = []
    loop = asyncio.get_running_loop()
    while data := await reader.read(65536):
        arrivals.extend([loop.time()] * data.count(b"contentBlockDelta"))
    writer.close()
    return arrivals


def streaming(contestant: Contestant) -> dict[str, Any] | None:
    """The time between tokens of many streams at once; None from whoever cannot stream."""
    parts = urlsplit(contestant.url)

    async def all_streams() -> list[list[float]]:
        streams = (one_stream(str(parts.hostname), int(parts.port or 0), number) for number in range(STREAMS))
        return await asyncio.gather(*streams)

    asyncio.run(one_stream(str(parts.hostname), int(parts.port or 0), STREAMS))
    before = contestant.cpu_s()
    arrivals = asyncio.run(all_streams())
    gaps = sorted((after - at) * 1e3 for times in arrivals for at, after in itertools.pairwise(times))
    if not gaps:
        return None
    return {
        "inter_token_ms_p50": round(statistics.median(gaps), 2),
        "inter_token_ms_p99": round(gaps[int(len(gaps) * 0.99)], 2),
        "tokens": sum(map(len, arrivals)),
        "cpu_s": round(contestant.cpu_s() - before, 2),
    }


def receiving(contestant: Contestant) -> dict[str, Any]:
    """ReceiveMessage calls a second with a backlog waiting."""
    sqs = contestant.client("sqs")
    url = sqs.create_queue(QueueName="bench-backlog", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    waiting, deadline = 0, time.monotonic() + FILL_S
    while waiting < BACKLOG and time.monotonic() < deadline:
        entries = [{"Id": str(number), "MessageBody": "x" * 200} for number in range(10)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
        waiting += 10
    before, started, calls = contestant.cpu_s(), time.monotonic(), 0
    while time.monotonic() < started + RECEIVE_S:
        sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        calls += 1
    taken, cpu_s = time.monotonic() - started, contestant.cpu_s() - before
    sqs.delete_queue(QueueUrl=url)
    return {
        "calls_per_s": round(calls / taken, 1),
        "waiting": waiting,
        "cpu_ms_per_call": round(cpu_s / calls * 1e3, 2),
    }


HANDLER = """
import os, boto3
table = boto3.client("dynamodb")
def handler(event, context):
    for record in event["Records"]:
        table.put_item(TableName=os.environ["TABLE"], Item={"id": {"S": record["messageId"]}, "body": {"S": record["body"]}})
"""


def draining(contestant: Contestant) -> dict[str, Any]:
    """Messages a second from a queue through a function, batches of 10, into a table, one put each."""
    sqs, dynamodb = contestant.client("sqs"), contestant.client("dynamodb")
    iam, functions = contestant.client("iam"), contestant.client("lambda")
    statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    allow = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    policy = json.dumps({"Version": "2012-10-17", "Statement": allow})
    iam.put_role_policy(RoleName="bench", PolicyName="all", PolicyDocument=policy)
    dynamodb.create_table(
        TableName="bench",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("app.py", HANDLER)
    functions.create_function(
        FunctionName="bench",
        Runtime="python3.13",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": archive.getvalue()},
        Timeout=30,
        Environment={"Variables": {"TABLE": "bench"}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="bench", WaiterConfig={"Delay": 1})
    url = sqs.create_queue(QueueName="bench-jobs", Attributes={"VisibilityTimeout": "180"})["QueueUrl"]
    for _ in range(JOBS // 10):
        entries = [{"Id": str(number), "MessageBody": "job"} for number in range(10)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    names = ["QueueArn", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]["QueueArn"]
    functions.invoke(FunctionName="bench", Payload=json.dumps({"Records": []}))
    before, started = contestant.cpu_s(), time.monotonic()
    functions.create_event_source_mapping(
        EventSourceArn=arn, FunctionName="bench", BatchSize=10, ScalingConfig={"MaximumConcurrency": WORKERS}
    )
    left = JOBS
    while left and time.monotonic() < started + DRAIN_S:
        time.sleep(0.1)
        now = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        left = sum(int(now[name]) for name in names[1:])
    taken = time.monotonic() - started
    return {
        "messages_per_s": round((JOBS - left) / taken, 1),
        "cpu_ms_per_message": round((contestant.cpu_s() - before) / max(1, JOBS - left) * 1e3, 2),
        "left": left,
    }


class Memory:
    """A pytest plugin that keeps the emulator's resident memory as it was when the suite ended."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self.rss_mb: float | None = None

    def pytest_runtest_teardown(self) -> None:
        import psutil

        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if any(name in " ".join(child.cmdline()) for name in self._names):
                    self.rss_mb = round(child.memory_info().rss / 1e6, 1)


def after_contracts(which: str) -> None:
    """Run the contract suite against one emulator and print its memory: the process's own work, so that its environment is clean."""
    import pytest

    memory = Memory({"server": ("labs.cloud.server",), "ministack": ("ministack.app",)}[which])
    code = pytest.main([str(ROOT / "tests/labs/cloud/contract"), "-q", "-k", which], plugins=[memory])
    print(json.dumps({"rss_mb": memory.rss_mb, "passed": int(code) == 0}))


def memory_after_contracts(which: str) -> dict[str, Any]:
    command = [sys.executable, "-c", f"from labs.cloud.bench import after_contracts; after_contracts({which!r})"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    lines = done.stdout.strip().splitlines()
    found: dict[str, Any] = (
        json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {"rss_mb": None, "passed": False}
    )
    return found


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Everything about one contestant. What it cannot do is None."""
    from botocore.exceptions import BotoCoreError, ClientError

    figures: dict[str, Any] = {}
    with STARTERS[name](folder) as contestant:
        figures["process_up_s"] = round(contestant.up_s, 2)
        figures["process_up_cpu_s"] = round(contestant.cpu_s(), 2)
        measures: tuple[tuple[str, Callable[[Contestant], Any]], ...] = (
            ("streaming", streaming),
            ("receiving", receiving),
            ("draining", draining),
        )
        for what, ask in measures:
            if (name, what) == ("moto", "draining"):
                figures[what] = None  # it runs no function without Docker
                continue
            try:
                figures[what] = ask(contestant)
            except (BotoCoreError, ClientError, OSError) as cannot:
                figures[what], figures[f"{what}_error"] = None, str(cannot)[:200]
    return figures


ROWS: tuple[tuple[str, str, Callable[[dict[str, Any]], Any]], ...] = (
    ("'lab cloud up' to first answer (s)", "<= 1.5", lambda f: f.get("command_up_s")),
    ("process start to first answer (s)", "", lambda f: f["process_up_s"]),
    ("  processor time (s)", "", lambda f: f["process_up_cpu_s"]),
    ("memory after the contract suite (MB)", "<= 300", lambda f: f.get("rss_mb")),
    (
        f"{STREAMS} streams: between tokens, p50 (ms)",
        f"{TOKEN_MS:g} +- 1",
        lambda f: part(f, "streaming", "inter_token_ms_p50"),
    ),
    (
        f"{STREAMS} streams: between tokens, p99 (ms)",
        f"<= {TOKEN_MS + 6:g}",
        lambda f: part(f, "streaming", "inter_token_ms_p99"),
    ),
    ("receive with a backlog (calls/s)", ">= 100", lambda f: part(f, "receiving", "calls_per_s")),
    ("  the backlog (messages)", f"{BACKLOG:,}", lambda f: part(f, "receiving", "waiting")),
    ("  processor time (ms a call)", "", lambda f: part(f, "receiving", "cpu_ms_per_call")),
    ("queue -> function -> put (messages/s)", ">= 150", lambda f: part(f, "draining", "messages_per_s")),
    ("  processor time (ms a message)", "", lambda f: part(f, "draining", "cpu_ms_per_message")),
)


def part(figures: dict[str, Any], what: str, name: str) -> Any:
    return figures[what][name] if figures.get(what) else None


@click.command()
@click.option("--only", type=click.Choice(list(STARTERS)), help="One contestant.")
@click.option("--no-contracts", is_flag=True, help="Leave the contract suite's memory out, which is half of the time.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def main(only: str | None, no_contracts: bool, as_json: bool) -> int:
    """The local cloud's speed and size, beside moto's as it comes and ministack's."""
    found: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        for name in [only] if only else list(STARTERS):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            try:
                found[name] = measure(name, folder)
            except Exception as cannot:
                if name == "ours":
                    raise
                terminal.say(f"{name} cannot take part: {cannot}")
                continue
            if name == "ours":
                found[name]["command_up_s"] = round(min(command_to_answer_s() for _ in range(3)), 2)
            suite = {"ours": "server", "ministack": "ministack"}.get(name)
            if suite and not no_contracts:
                found[name] |= memory_after_contracts(suite)
    load = os.getloadavg()[0]
    if as_json:
        terminal.emit_json({"load": round(load, 2), **found})
        return 0
    terminal.table(
        "The local cloud beside others, in one run",
        ("what", "wanted", *found),
        [
            (title, wanted, *("" if (v := show(f)) is None else v for f in found.values()))
            for title, wanted, show in ROWS
        ],
    )
    terminal.say(
        f"Load of the machine at the end: {load:.1f} on {os.cpu_count()} processors; an empty cell is what one cannot do."
    )
    terminal.say("Next: `pytest tests/labs/cloud/contract` is what all of them are held to.")
    return 0


if __name__ == "__main__":
    sys.exit(terminal.run(main, "python -m labs.cloud.bench"))
