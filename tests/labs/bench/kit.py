"""What the bench's tests share: a fake server of their own, and runs inside this process."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labs.bench.clock import now
from labs.bench.endpoints import Endpoint
from labs.bench.exchange import Ask, Attempt, Client, Failed
from labs.bench.lengths import Lengths
from labs.bench.loops import run
from labs.bench.records import WorkerQuality
from labs.bench.runner import Part, Row, Runner
from labs.bench.workload import Offered, Workload, build
from labs.cloud.environment import closed_environment

TTFT_MS, TOKEN_MS, TOKENS = 20.0, 2.0, 12


class FakeServer:
    """The address of a running fake server, and what it says of itself."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.environment = closed_environment(url)

    def calls(self, model: str) -> int:
        """How often this model was asked."""
        with urllib.request.urlopen(f"{self.url}/calls") as answer:
            return int(json.load(answer).get(model, 0))

    def log(self) -> list[Any]:
        """[number in the prompt, read, first token sent, last token sent] of each request that was answered in full."""
        with urllib.request.urlopen(f"{self.url}/log") as answer:
            return list(json.load(answer))


@contextmanager
def fake_server(*options: str) -> Iterator[FakeServer]:
    """A fake server that ends with the block."""
    command = [sys.executable, "-m", "labs.bench.fake_server", "--port", "0", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield FakeServer(json.loads(process.stdout.readline())["url"])
        finally:
            process.stdin.close()
            process.wait(10)


def an_ask(id: int = 0, tokens: int = 50) -> Ask:
    return Ask(id, f"#{id} hello there", 20, tokens)


async def result(client: Client, ask: Ask) -> Attempt:
    """One attempt, its failure noted as a run notes it."""
    attempt = Attempt()
    try:
        await client.ask(client.prepare(ask), attempt)
    except Failed as failed:
        attempt.status, attempt.message = failed.status, failed.message
        attempt.http_status = failed.http_status or attempt.http_status
    return attempt


def ask_once(endpoint: Endpoint, ask: Ask | None = None) -> Attempt:
    """One attempt at an endpoint."""

    async def main() -> Attempt:
        client = endpoint.open(only_loopback=True)
        try:
            return await result(client, ask or an_ask())
        finally:
            await client.close()

    return run(main())


def a_workload(seed: int = 1, **offered: Any) -> Workload:
    lengths = {"input_tokens": Lengths.parse("20"), "output_tokens": Lengths.parse("12")}
    return build(Offered(**{**lengths, "arrival": "constant", "warmup_s": 0.0, **offered}), seed)


def run_here(work: Workload, client: Client, timeout_s: float = 20.0) -> tuple[list[Row], WorkerQuality]:
    """A whole run with one worker, inside this process."""
    rows: list[Row] = []

    async def main() -> WorkerQuality:
        return await Runner(Part(0, 1, work, timeout_s), client, rows.append).run(now() + 0.05)

    return rows, run(main())
