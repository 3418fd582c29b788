"""One execution environment: a process that runs one function, one event at a time, from its cold start until it is let go or dies."""

import os
import selectors
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from labs.cloud.runtime import api, outcome
from labs.cloud.runtime.function import Function
from labs.cloud.runtime.outcome import Outcome

INIT_TIMEOUT_S = 10.0
"""A cold start may take this long on top of the function's own timeout."""
GLANCE_S = 0.2
"""How often a busy environment is looked at for what no socket tells: its memory, and an end that left a child holding its sockets."""
MIDDLE_S = 0.05
"""A worker killed in the middle is killed at a random moment up to this long after the handler began."""


class Kill(Protocol):
    """A fault that takes this invocation's process (`labs.cloud.faults.Armed`)."""

    def moment(self) -> str: ...
    def within(self, seconds: float) -> float: ...


class Sink(Protocol):
    """Who takes a streamed answer, piece by piece, on the thread that invokes. Either may raise `TooLarge`."""

    def begin(self, content_type: str) -> None: ...
    def write(self, data: bytes) -> None: ...


class TooLarge(Exception):  # noqa: N818 - a statement about the answer
    """A streamed answer passed its limit."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(limit_bytes)
        self.limit_bytes = limit_bytes


class Collected:
    """A sink that keeps everything, for callers who want the answer whole."""

    def __init__(self, limit_bytes: int) -> None:
        self.data = bytearray()
        self._limit_bytes = limit_bytes

    def begin(self, content_type: str) -> None:
        """Nothing is to be done before the first piece."""

    def write(self, data: bytes) -> None:
        self.data += data
        if len(self.data) > self._limit_bytes:
            raise TooLarge(self._limit_bytes)


@dataclass
class _Invocation:
    """What is known while an invocation runs."""

    request_id: str
    event: bytes
    began: float
    kill_moment: str | None = None
    kill_at: float | None = None
    handed_over: float | None = None
    result: bytes | None = None
    error: bool = False
    status: str | None = None
    content_type: str = "application/json"
    sink: Sink | None = None
    collected: Collected | None = None
    streamed: bool = False

    @property
    def answered(self) -> bool:
        """Is there a result that counts?"""
        return self.result is not None and self.kill_moment is None


class ExecutionEnvironment:
    """A process, its runtime API and its log. `invoke` is for one caller at a time; `kill` may come from any thread."""

    def __init__(
        self,
        function: Function,
        *,
        task_root: Path,
        folder: Path,
        packages: Path,
        spawn: Callable[..., "subprocess.Popen[Any]"],
        environment: Mapping[str, str],
        max_response_bytes: int,
        provisioned: bool = False,
    ) -> None:
        """Start the process; its initialisation runs meanwhile, and the first `invoke` waits for it."""
        self.function = function
        self.last_used = time.monotonic()
        self.log_stream = f"{datetime.now(UTC):%Y/%m/%d}/[{function.version}]{uuid.uuid4().hex}"
        self._folder = folder
        self._max_response_bytes = max_response_bytes
        self._connections: list[api.Connection] = []
        self._next: api.Connection | None = None
        """The connection on which the process waits for its next event."""
        self._init_error: bytes | None = None
        self._cold = True
        self._initialised = False
        self._log = bytearray()
        self._peak_bytes: int | None = None
        self._killed = False
        self._gone = threading.Lock()
        (folder / "tmp").mkdir(parents=True)
        self._started = time.monotonic()
        self._listener = api.listen()
        self._log_fd, log_write = os.pipe()
        os.set_blocking(self._log_fd, False)
        variables = dict(function.variables)
        if provisioned:
            self._cold = False  # its start is nobody's waiting time
        own = function.reserved_environment(self.log_stream, str(task_root), provisioned=provisioned) | {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._listener.getsockname()[1]}",
            "TMPDIR": str(folder / "tmp"),
        }
        try:
            self._process = spawn(
                [str(Path(__file__).with_name("bootstrap.py")), str(packages)],
                env={
                    **environment,
                    **variables,
                    **{name: environment[name] for name in environment if name.startswith("AWS_")},
                    **own,
                },
                cwd=task_root,
                stdin=subprocess.DEVNULL,
                stdout=log_write,
                stderr=log_write,
            )
        finally:
            os.close(log_write)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, "listener")
        self._selector.register(self._log_fd, selectors.EVENT_READ, "log")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def invoke(self, event: bytes, kill: Kill | None = None, sink: Sink | None = None) -> Outcome:
        """Run one event to its end, whatever that is; a streamed answer goes to `sink` as it comes, if there is one.

        After an error that ended the process, `alive` is False.
        """
        invocation = _Invocation(str(uuid.uuid4()), event, time.monotonic())
        if sink is None:
            invocation.collected = sink = Collected(self._max_response_bytes)
        invocation.sink = sink
        if kill is not None:
            invocation.kill_moment = kill.moment()
            invocation.kill_at = kill.within(MIDDLE_S)
        init_ms = None
        cold, self._cold = self._cold, False
        if not self._initialised:
            self._initialised = True
            if self._await_init(invocation) and cold:
                init_ms = (time.monotonic() - self._started) * 1000
        if invocation.result is None:
            self._hand_over(invocation)
            self._await_result(invocation)
        finished = time.monotonic()
        self._drain_log()
        duration_ms = (finished - (invocation.handed_over or invocation.began)) * 1000
        self.last_used = finished
        return self._outcome(invocation, cold, init_ms, duration_ms)

    def kill(self) -> None:
        """End the process, with everything it started, now."""
        if not self._killed:
            self._killed = True  # once: the number may be another group's later
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)

    def close(self) -> None:
        """End the process and remove what it leaves behind."""
        with self._gone:
            self.kill()
            self._selector.close()
            for connection in self._connections:
                connection.close()
            self._connections.clear()
            self._listener.close()
            if self._log_fd >= 0:
                os.close(self._log_fd)
                self._log_fd = -1
            shutil.rmtree(self._folder, ignore_errors=True)

    # -- the steps of an invocation

    def _await_init(self, invocation: _Invocation) -> bool:
        """Wait until the process asks for its first event; False when it never does."""
        deadline = self._started + INIT_TIMEOUT_S + self.function.timeout_s
        while self._next is None:
            if self._init_error is not None:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(timeout=2)
                self.kill()
                invocation.result, invocation.error = self._init_error, True
                return True
            if not self.alive and not self._listen(0):
                self._note_exit(invocation)
                return False
            if time.monotonic() > deadline:
                self._time_out(invocation)
                return False
            self._listen(min(GLANCE_S, deadline - time.monotonic()))
        return True

    def _hand_over(self, invocation: _Invocation) -> None:
        """Give the event to the process that waits for it."""
        while (
            self._next is None and self.alive
        ):  # it asks for the next event a moment after it has sent the last result
            if time.monotonic() > invocation.began + self.function.timeout_s:
                self._time_out(invocation)
                return
            self._listen(GLANCE_S)
        if self._next is None:
            return
        connection, self._next = self._next, None
        invocation.handed_over = time.monotonic()
        deadline_ms = int((time.time() + self.function.timeout_s) * 1000)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self.function.arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }
        connection.answer(200, invocation.event, headers)
        if invocation.kill_moment == "begin":
            self.kill()

    def _await_result(self, invocation: _Invocation) -> None:
        began = invocation.handed_over or invocation.began
        deadline = began + self.function.timeout_s
        glance = began + GLANCE_S
        kill_at = (
            began + invocation.kill_at
            if invocation.kill_moment == "middle" and invocation.kill_at is not None
            else None
        )
        while invocation.result is None:
            now = time.monotonic()
            if now > deadline:
                self._time_out(invocation)
                return
            if kill_at is not None and now >= kill_at:
                kill_at = None
                self.kill()
            if not self.alive:
                self._listen(0, invocation)  # a result may have arrived just before the end
                if not invocation.answered:
                    self._note_exit(invocation)
                return
            if now >= glance:
                glance = now + GLANCE_S
                if self._measure_memory() > self.function.memory_mb * 1024 * 1024:
                    self.kill()
                    self._note_exit(invocation, "Runtime.OutOfMemory")
                    return
            wake = min(deadline, glance, kill_at or deadline)
            self._listen(max(0.0, wake - now), invocation)

    def _listen(self, timeout_s: float, invocation: _Invocation | None = None) -> bool:
        """Take in what the process says within `timeout_s`; did it say anything?"""
        heard = False
        for key, _ in self._selector.select(timeout_s):
            heard = True
            if key.data == "log":
                self._drain_log()
            elif key.data == "listener":
                if (connection := api.accept(self._listener)) is not None:
                    self._connections.append(connection)
                    self._selector.register(connection, selectors.EVENT_READ, connection)
            else:
                self._serve(key.data, invocation)
        return heard

    def _serve(self, connection: api.Connection, invocation: _Invocation | None) -> None:
        open_ = connection.read()
        try:
            while True:
                if connection.streaming:
                    if not self._take_pieces(connection, invocation):
                        break
                elif (request := connection.request()) is not None:
                    self._answer(connection, request, invocation)
                else:
                    break
        except ValueError:
            open_ = False
        if not open_:
            self._selector.unregister(connection)
            self._connections.remove(connection)
            connection.close()
            if self._next is connection:
                self._next = None
            if not self._connections:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(timeout=0.05)

    def _answer(self, connection: api.Connection, request: api.Request, invocation: _Invocation | None) -> None:
        if peak := request.headers.get("lab-max-rss"):
            self._peak_bytes = int(peak)
        step = request.path.removeprefix("/2018-06-01/runtime/")
        if (request.method, step) == ("GET", "invocation/next"):
            self._next = connection
            return
        if step == "init/error":
            self._init_error = request.body
        elif invocation is not None and step in (
            f"invocation/{invocation.request_id}/response",
            f"invocation/{invocation.request_id}/error",
        ):
            if invocation.kill_moment is not None:
                self.kill()  # the result is lost on its way: the function has done its work, and nobody knows
                return
            invocation.content_type = request.headers.get("content-type", "application/json")
            if request.streams:
                invocation.streamed = True
                assert invocation.sink is not None
                invocation.sink.begin(invocation.content_type)
                return
            invocation.result, invocation.error = request.body, step.endswith("/error")
            if not invocation.error and len(request.body) > self._max_response_bytes:
                invocation.result, invocation.error = outcome.too_large(self._max_response_bytes), True
                connection.answer(413, b'{"errorType":"RequestEntityTooLarge"}')
                self.kill()  # as on AWS the runtime ends after this
                return
        if request.streams:
            raise api.Malformed("a streamed body that nobody asked for")
        connection.answer(202, b'{"status":"OK"}')

    def _take_pieces(self, connection: api.Connection, invocation: _Invocation | None) -> bool:
        """Pass on what has arrived of a streamed answer; True once it is over."""
        while (piece := connection.chunk()) is not None:
            if isinstance(piece, bytes):
                if invocation is None or invocation.sink is None or invocation.result is not None:
                    continue  # the invocation it belongs to has ended otherwise
                try:
                    invocation.sink.write(piece)
                except TooLarge as refused:
                    invocation.result, invocation.error = outcome.too_large(refused.limit_bytes), True
                    self.kill()
                    return False
            else:
                if invocation is not None and invocation.result is None:
                    whole = bytes(invocation.collected.data) if invocation.collected is not None else b""
                    invocation.result = whole
                    if (kind := piece.trailers.get("lambda-runtime-function-error-type")) is not None:
                        said = piece.trailers.get("lambda-runtime-function-error-body", "")
                        invocation.result, invocation.error = outcome.from_trailer(kind, said), True
                connection.answer(202, b'{"status":"OK"}')
                return True
        return False

    # -- ends

    def _note_exit(self, invocation: _Invocation, error_type: str = "Runtime.ExitError") -> None:
        returncode = self._process.wait(timeout=5)
        self.kill()  # what it started may still be there
        invocation.result, invocation.error = outcome.exited(invocation.request_id, returncode, error_type), True
        invocation.status = f"error\tError Type: {error_type}"

    def _time_out(self, invocation: _Invocation) -> None:
        self._measure_memory()
        self.kill()
        invocation.result, invocation.error = outcome.timed_out(invocation.request_id, self.function.timeout_s), True
        invocation.status = "timeout"

    def _outcome(self, invocation: _Invocation, cold: bool, init_ms: float | None, duration_ms: float) -> Outcome:
        request_id, function = invocation.request_id, self.function
        said = bytes(self._log).decode(errors="replace").splitlines()
        self._log.clear()
        peak_mb = self._measure_memory() // (1024 * 1024) or None
        if invocation.status == "timeout":
            said.append(f"{outcome.timestamp()} {request_id} Task timed out after {function.timeout_s:.2f} seconds")
        elif invocation.status is not None and "Error Type" in invocation.status:
            said.append(outcome.message_of(invocation.result or b""))
        frame = outcome.json_frame if function.log_format == "JSON" else outcome.text_frame
        before, after = frame(
            request_id,
            version=function.version,
            runtime=function.runtime if cold else None,
            duration_ms=duration_ms,
            init_ms=init_ms,
            memory_mb=function.memory_mb,
            peak_mb=peak_mb,
            status=invocation.status,
        )
        lines = [*before, *said, *after]
        return Outcome(
            request_id,
            invocation.result or b"",
            invocation.error,
            self.log_stream,
            lines,
            duration_ms,
            init_ms if cold else None,
            invocation.content_type,
            invocation.streamed,
        )

    # -- what the kernel knows

    def _drain_log(self) -> None:
        while True:
            try:
                data = os.read(self._log_fd, 65_536)
            except (BlockingIOError, OSError):
                return
            if not data:
                with suppress(KeyError, ValueError):
                    self._selector.unregister(self._log_fd)
                return
            self._log += data

    def _measure_memory(self) -> int:
        """The most memory the process has held, in bytes; 0 where neither the kernel nor the process says."""
        with suppress(OSError, IndexError, ValueError):
            status = Path(f"/proc/{self._process.pid}/status").read_text()
            self._peak_bytes = int(status.split("VmHWM:")[1].split()[0]) * 1024
        return self._peak_bytes or 0
