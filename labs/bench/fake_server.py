"""A server whose timing is known, to measure the measurer with: `python -m labs.bench.fake_server --port 8800`.

It speaks ConverseStream, Converse, InvokeModel (streaming or not), SageMaker's invocations, OpenAI's completions and chat, and Triton's generate.
Every request gets its first token after 100 ms and one more every 10 ms, 50 in all, unless the name of its model asks for something else:

    slow-2.5              first token after 2.5 s
    throttle-every-5      every fifth call: 429
    stall-2-at-3          three seconds after the first call to it, the whole server stands still for two
    hang, empty, out-of-order, close-mid-token ...   see `fake_answers.MISBEHAVIOURS`

`GET /log` gives what it did when, by its own monotonic clock: for each request [number in the prompt, read, first token sent, last token sent].
It answers on loopback only.
"""

import asyncio
import gc
import json
import re
import sys
import time
from heapq import heappop, heappush
from typing import Any
from urllib.parse import unquote

import click

from labs.bench import fake_answers
from labs.bench.clock import Alarm, now
from labs.bench.fake_answers import CLOSE, Step, Timing
from labs.bench.loops import run

GRID_S = 0.0002
"""Tokens due within the same fifth of a millisecond go out together: one wake-up for all of them."""
_PATHS = (
    (re.compile(rb"/model/([^/]+)/(converse-stream|converse|invoke-with-response-stream|invoke)$"), None),
    (re.compile(rb"/endpoints/([^/]+)/(invocations-response-stream|invocations)$"), None),
    (re.compile(rb"/v2/models/([^/]+)/(generate_stream|generate)$"), None),
    (re.compile(rb"/v1/()(chat/completions|completions)$"), re.compile(rb'"model":\s*"([^"]+)"')),
)
_NUMBER = re.compile(rb"#(\d+)")
_STREAM = re.compile(rb'"stream":\s*true')


class Answer:
    """One request being answered."""

    __slots__ = ("connection", "first", "last", "next", "number", "read", "start", "steps")

    def __init__(self, connection: "Connection", number: int, steps: tuple[Step, ...], read: float) -> None:
        self.connection, self.number, self.steps = connection, number, steps
        self.read = self.start = read
        self.first = self.last = 0.0
        self.next = 0


class Server:
    """The timetable of every answer, and the log."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timing: Timing) -> None:
        self.loop, self.timing = loop, timing
        self.log: list[tuple[int, float, float, float]] = []
        self.calls: dict[str, int] = {}
        self._alarm = Alarm(loop, self._due)
        self._slots: list[int] = []
        self._in_slot: dict[int, list[Answer]] = {}
        self._set_for = 0

    def answer(self, connection: "Connection", model: str, api: str, number: int, read: float) -> None:
        """Begin to answer."""
        calls = self.calls[model] = self.calls.get(model, 0) + 1
        if every := re.fullmatch(r"throttle-every-(\d+)", model):
            steps = fake_answers.THROTTLED if calls % int(every[1]) == 0 else fake_answers.steps("", api, self.timing)
        else:
            steps = fake_answers.steps(model, api, self.timing)
        if calls == 1 and (stall := re.fullmatch(r"stall-([\d.]+)-at-([\d.]+)", model)):
            self.loop.call_later(float(stall[2]), time.sleep, float(stall[1]))
        answer = Answer(connection, number, steps, read)
        while answer.next < len(steps) and steps[answer.next][0] == 0.0:
            self._send(answer, read)
        self._schedule(answer)
        self._set()

    def _schedule(self, answer: Answer) -> None:
        if answer.next >= len(answer.steps):
            return
        slot = int((answer.start + answer.steps[answer.next][0]) / GRID_S) + 1
        if (there := self._in_slot.get(slot)) is None:
            self._in_slot[slot] = [answer]
            heappush(self._slots, slot)
        else:
            there.append(answer)

    def _set(self) -> None:
        if self._slots and self._slots[0] != self._set_for:
            self._set_for = self._slots[0]
            self._alarm.set(self._set_for * GRID_S)

    def _due(self) -> None:
        t = now()
        this_slot = int(t / GRID_S)
        self._set_for = 0
        while self._slots and self._slots[0] <= this_slot:
            for answer in self._in_slot.pop(heappop(self._slots)):
                if not answer.connection.gone:
                    self._send(answer, t)
                    self._schedule(answer)
        self._set()

    def _send(self, answer: Answer, t: float) -> None:
        step = answer.next
        data = answer.steps[step][1]
        answer.next = step + 1
        if data is CLOSE:
            answer.connection.close()
            return
        answer.connection.write(data)
        if step == 1:
            answer.first = t
        answer.last = t
        if answer.next == len(answer.steps):
            self.log.append((answer.number, answer.read, answer.first, answer.last))


class Connection(asyncio.Protocol):
    """Reads requests, one at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = b""
        self._transport: Any = None
        self.gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.gone = True

    def write(self, data: bytes) -> None:
        """Send."""
        self._transport.write(data)

    def close(self) -> None:
        """Hang up, once what was written is sent."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        read = now()
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end]
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        whole = head_end + 4 + (int(length[1]) if length else 0)
        if len(self._buffer) < whole:
            return
        body, self._buffer = self._buffer[head_end + 4 : whole], self._buffer[whole:]
        self._request(head, body, read)

    def _request(self, head: bytes, body: bytes, read: float) -> None:
        method, path = head.split(b" ", 2)[:2]
        if method == b"GET":
            self._tell(path)
            return
        for pattern, in_body in _PATHS:
            if found := pattern.search(path):
                model = found[1]
                if in_body is not None:
                    named = in_body.search(body)
                    model = named[1] if named else b""
                api = found[2].decode().removeprefix("chat/")
                if in_body is not None and _STREAM.search(body):
                    api = "chat" if found[2].startswith(b"chat") else "completions"
                elif in_body is not None:
                    api = "whole-completions"
                number = _NUMBER.search(body)
                self._server.answer(self, unquote(model.decode()), api, int(number[1]) if number else -1, read)
                return
        self.write(fake_answers.plain("404 Not Found", b'{"message":"no such path"}'))

    def _tell(self, path: bytes) -> None:
        if path == b"/log":
            self.write(fake_answers.plain("200 OK", json.dumps(self._server.log).encode()))
        elif path == b"/calls":
            self.write(fake_answers.plain("200 OK", json.dumps(self._server.calls).encode()))
        else:
            self.write(fake_answers.plain("404 Not Found", b'{"message":"no such path"}'))


async def serve(port: int, timing: Timing) -> None:
    """Until the process ends, or whoever started it closes our standard input."""
    loop = asyncio.get_running_loop()
    server = Server(loop, timing)
    listener = await loop.create_server(lambda: Connection(server), "127.0.0.1", port, backlog=1024)
    port = listener.sockets[0].getsockname()[1]
    print(json.dumps({"url": f"http://127.0.0.1:{port}", "port": port}), flush=True)
    gc.collect()
    gc.freeze()
    gc.disable()  # a collection would be a stall of our own making; nothing here is cyclic
    await loop.run_in_executor(None, sys.stdin.read)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8800, show_default=True, help="0: any free one.")
@click.option("--ttft-ms", type=click.FloatRange(0), default=100.0, show_default=True)
@click.option("--token-ms", type=click.FloatRange(0), default=10.0, show_default=True)
@click.option("--tokens", type=click.IntRange(1), default=50, show_default=True)
def main(port: int, ttft_ms: float, token_ms: float, tokens: int) -> None:
    """A server whose timing is known; it ends when its standard input does."""
    run(serve(port, Timing(ttft_ms / 1e3, token_ms / 1e3, tokens)))


if __name__ == "__main__":
    main()
