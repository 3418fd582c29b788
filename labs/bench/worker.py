"""A worker process: reads its part from standard input, runs it from the agreed time on, and writes what happens to standard output.

It takes no notice of Ctrl-C (it has a session of its own); it stops when it is told to, or when whoever started it is gone.
"""

import asyncio
import gc
import os
import resource
import sys
from array import array
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from labs.bench.endpoints import Endpoint
from labs.bench.exchange import Failed
from labs.bench.frames import Unpacker, pack
from labs.bench.loops import run
from labs.bench.runner import Part, Row, Runner
from labs.errors import NOT_READY, Refusal

FLUSH_S = 0.1


@dataclass(frozen=True)
class Plan:
    """What a worker is told."""

    part: Part
    endpoint: Endpoint
    only_loopback: bool


def main() -> None:
    """Entry point of the process."""
    out = os.dup(1)
    os.dup2(2, 1)  # whatever prints, prints to standard error: standard output speaks frames
    _open_files_to_the_limit()
    incoming = Unpacker()
    plan: Plan = _next(incoming)
    run(_work(plan, incoming, out))


async def _work(plan: Plan, incoming: Unpacker, out: int) -> None:
    loop = asyncio.get_running_loop()
    try:
        client = plan.endpoint.open(only_loopback=plan.only_loopback)
        await client.reach()
    except Refusal as refusal:
        _write(out, pack(("refused", str(refusal), refusal.exit_status)))
        return
    except Failed as failed:
        _write(
            out,
            pack(
                (
                    "refused",
                    f"nothing answers there: {failed.message} ({failed.status}); is the address right, and the server up?",
                    NOT_READY,
                )
            ),
        )
        return
    except OSError as broken:
        _write(out, pack(("refused", f"the client cannot start: {broken}", NOT_READY)))
        return
    # A full collection of what has been imported, or of a long run's records, would be a stall of our own making.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    _write(out, pack(("ready",)))
    start: float | str = _next(incoming)
    if isinstance(start, str):  # told to stop before it began
        return
    sender, _ = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(out, "wb", buffering=0))
    batch: list[tuple[Any, ...]] = []

    def flush() -> None:
        if batch:
            sender.write(pack(("rows", batch.copy())))
            batch.clear()

    def tell(row: Row) -> None:
        id, due, a, session = row
        tokens = array("d", a.tokens)
        batch.append(
            (
                id,
                due,
                a.sent,
                tokens,
                a.ended,
                a.input_tokens,
                a.output_tokens,
                a.status,
                a.http_status,
                a.message,
                session,
            )
        )
        if len(batch) == 1:
            loop.call_later(FLUSH_S, flush)

    runner = Runner(plan.part, client, tell)
    listener, _ = await loop.connect_read_pipe(lambda: _Orders(runner), os.fdopen(os.dup(0), "rb", buffering=0))
    quality = await runner.run(start)
    flush()
    sender.write(pack(("end", quality)))
    sender.close()
    listener.close()
    while sender.get_write_buffer_size():
        await asyncio.sleep(0.005)


class _Orders(asyncio.Protocol):
    """There is one order, and the end of the pipe means the same: stop."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def data_received(self, data: bytes) -> None:  # noqa: ARG002
        self._runner.stop()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._runner.stop()


def _next(incoming: Unpacker) -> Any:
    while data := os.read(0, 1 << 16):
        for frame in incoming.feed(data):
            return frame
    sys.exit(0)  # whoever started us is gone


def _write(out: int, data: bytes) -> None:
    while data:
        data = data[os.write(out, data) :]


def _open_files_to_the_limit() -> None:
    """A connection is an open file, and an open loop needs as many as there are answers outstanding."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 1 << 16) if hard != resource.RLIM_INFINITY else 1 << 16
    if soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main()
