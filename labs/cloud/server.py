"""The local cloud as a process: start one, find it, stop it, be it.

    from labs.cloud import server, state
    record = server.ensure_running(state.home_folder())
    boto3.client("sqs", endpoint_url=record.endpoint_url)
    server.stop(state.home_folder())

`python -m labs.cloud.server --home FOLDER --port 4580` is the process itself.
"""

import argparse
import errno
import gc
import json
import os
import resource
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from labs.cloud import state
from labs.cloud.state import LifeLock, ServerRecord
from labs.errors import FALSE, NOT_READY, USAGE, Refusal

if TYPE_CHECKING:
    from labs.cloud.extension import Extension
    from labs.cloud.wsgi import Server

DEFAULT_PORT = 4580
DEFAULT_TIME_SCALE = 60.0
"""A minute of a control-plane wait passes in a second."""
START_TIMEOUT_S = 60.0
SWITCH_INTERVAL_S = 0.0005
"""How long a thread that computes may keep one waiting whose token is due; Python's own choice, 5 ms, is most of a token."""
MAX_OPEN_FILES = 8192
COLLECT_AFTER = (5_000, 20, 20)
"""Python looks for garbage in cycles after 700 new objects, which is twice a request; and at each tenth look of a tenth, through all it has."""
LESS_MEMORY = {"MALLOC_ARENA_MAX": "2"}
"""glibc gives every few threads a heap of their own, and what is free in one serves no other: a tenth of the server's memory."""
WARM_UP_AFTER_QUIET_S = 0.25


def running(home: Path) -> ServerRecord | None:
    """The local cloud that runs out of `home`, or None."""
    return state.read_record(home) if _alive(home) else None


def _alive(home: Path) -> bool:
    for child in _children:
        child.poll()  # one that has ended is let go, not kept as a zombie
    return state.alive(home)


def start(
    home: Path, port: int = DEFAULT_PORT, time_scale: float = DEFAULT_TIME_SCALE, *, die_with_parent: bool = False
) -> ServerRecord:
    """Start a local cloud in the background and return once it answers. Port 0 takes any free one.

    With `die_with_parent` it ends when this process does, however this process ends.
    Raises Refusal when one runs already out of `home`, when the port is taken, when it does not come up.
    """
    if time_scale < 1:
        raise Refusal(f"A time scale shortens waits, so it is 1 or more, not {time_scale:g}.", USAGE)
    with state.starting(home):
        if (record := running(home)) is not None:
            raise Refusal(
                f"The local cloud is already up at {record.endpoint_url} (process {record.pid}); 'lab cloud down' stops it.",
                FALSE,
            )
        return _launch(home, port, time_scale, die_with_parent)


def ensure_running(home: Path) -> ServerRecord:
    """The local cloud that runs out of `home`, started if there is none; on another port when somebody else has the usual one."""
    if (record := running(home)) is not None:
        return record
    with state.starting(home):
        if (record := running(home)) is not None:
            return record
        try:
            return _launch(home, DEFAULT_PORT, DEFAULT_TIME_SCALE, die_with_parent=False)
        except PortTaken:
            return _launch(home, 0, DEFAULT_TIME_SCALE, die_with_parent=False)


def stop(home: Path, timeout_s: float = 10.0) -> bool:
    """Stop the local cloud that runs out of `home` and wait until it is gone; False when none ran."""
    record = running(home)
    if record is None:
        return False
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(record.pid, sign)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if not _alive(home):
                return True
            time.sleep(0.01)
    raise Refusal(f"The local cloud (process {record.pid}) does not stop; see {home / 'server.log'}.", NOT_READY)


class PortTaken(Refusal):
    """Another program listens on the port asked for."""


_held_lifelines: list[int] = []
"""Kept open as long as this process lives: a server started with die_with_parent watches it."""
_children: list["subprocess.Popen[bytes]"] = []
"""Servers that this process started; they may outlive it."""


def _launch(home: Path, port: int, time_scale: float, die_with_parent: bool) -> ServerRecord:
    from labs.cloud.environment import local_environment

    state.remove_record(home)
    ready_read, ready_write = os.pipe()
    # -P: no module of the folder that we happen to be in takes the place of one of Python's or ours.
    command = [sys.executable, "-P", "-m", "labs.cloud.server", "--home", str(home), "--port", str(port)]
    command += ["--time-scale", f"{time_scale:g}", "--ready-fd", str(ready_write)]
    inherited = [ready_write]
    if die_with_parent:
        watched, held = os.pipe()
        _held_lifelines.append(held)
        command += ["--lifeline-fd", str(watched)]
        inherited.append(watched)
    with os.fdopen(os.open(home / "server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
        process = subprocess.Popen(
            command,
            env=local_environment(f"http://127.0.0.1:{port}", home=home) | LESS_MEMORY,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=inherited,
            start_new_session=True,
        )
    for descriptor in inherited:
        os.close(descriptor)
    said = _read_line(ready_read, START_TIMEOUT_S)
    os.close(ready_read)
    answer: dict[str, Any] = json.loads(said) if said else {}
    if "endpoint_url" in answer:
        _children.append(process)
        return ServerRecord(**answer)
    process.kill()
    process.wait()
    if answer.get("errno") == errno.EADDRINUSE:
        raise PortTaken(
            f"Port {port} is taken by another program; choose one with '--port N', or any free one with '--port 0'.",
            NOT_READY,
        )
    reason = answer.get("error", "it said nothing")
    raise Refusal(f"The local cloud did not come up: {reason}. See {home / 'server.log'}.", NOT_READY)


def _read_line(descriptor: int, timeout_s: float) -> bytes:
    """What the new process writes before it closes its end; empty when it dies or says nothing in time."""
    said, deadline = b"", time.monotonic() + timeout_s
    while not said.endswith(b"\n"):
        readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        part = os.read(descriptor, 65536) if readable else b""
        if not part:
            return said
        said += part
    return said


def main() -> None:
    """Be the server until told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m labs.cloud.server", description="The local cloud, in the foreground."
    )
    parser.add_argument("--home", type=Path, default=None)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--time-scale", type=float, default=DEFAULT_TIME_SCALE)
    parser.add_argument(
        "--ready-fd", type=int, help="write the server's record there as one line of JSON when it answers"
    )
    parser.add_argument("--lifeline-fd", type=int, help="end when the other end of this pipe is closed")
    options = parser.parse_args()
    if options.lifeline_fd is not None:
        from labs.cloud import lifeline

        lifeline.hold(options.lifeline_fd, kill_group=False)
    home = state.ensure_home(options.home or state.home_folder())

    def report(answer: dict[str, Any]) -> None:
        if options.ready_fd is not None:
            os.write(options.ready_fd, json.dumps(answer).encode() + b"\n")
            os.close(options.ready_fd)
        else:
            answer.pop("token", None)
            print(json.dumps(answer), flush=True)

    be(home, options.port, options.time_scale, report)


def be(home: Path, port: int, time_scale: float, report: Callable[[dict[str, Any]], None]) -> None:
    """Be the server of `home` until told to stop. `report` gets its record once it answers, or why it does not come up."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as taken:
        report({"error": taken.strerror, "errno": taken.errno})
        sys.exit(NOT_READY)
    lock = state.lock_for_life(home)
    if lock is None:
        report({"error": f"another one runs out of {home}"})
        sys.exit(NOT_READY)

    _allow_open_files(MAX_OPEN_FILES)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    try:
        _serve(listener, home, lock, time_scale, report)
    except SystemExit as told:
        # Everything is closed; what is left is Python taking itself apart, for seconds in which the lock would still be held.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(told.code if isinstance(told.code, int) else 0)


def _allow_open_files(wanted: int) -> None:
    """Each open connection is an open file; many systems start programs with room for 256 or 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(
                resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
            )


def _serve(listener: socket.socket, home: Path, lock: LifeLock, time_scale: float, report: Any) -> None:
    from labs.cloud.application import Application
    from labs.cloud.context import Context
    from labs.cloud.standin import text_source
    from labs.cloud.wsgi import Server

    spare_imports()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(*COLLECT_AFTER)
    endpoint_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    os.environ["AWS_ENDPOINT_URL"] = endpoint_url  # known only now when any free port was asked for
    record = ServerRecord(endpoint_url, os.getpid(), time_scale, secrets.token_urlsafe(24), texts=text_source())
    context = Context(home=home, endpoint_url=endpoint_url, time_scale=time_scale)
    application = Application(context, record)
    # Nobody can find a server whose state folder was removed, so it ends instead of keeping its port for ever.
    server = Server(listener, application, is_wanted=lock.is_in_place)
    application.extension.open_account()
    try:
        state.write_record(home, record)
        report(dict(vars(record)))
        threading.Thread(target=_warm_up, args=(application.extension, server), name="warm-up", daemon=True).start()
        server.serve_forever()
    finally:
        if lock.is_in_place():
            state.remove_record(home)
        context.close()


def spare_imports() -> None:
    """Leave out what moto would import on the way to a service of ours, for seconds, and never use."""
    # Cures: jsonschema compiles a grammar for international addresses on import, for 2.5 s; it is optional.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    # Cures: moto's CloudFormation imports thirty services for its own kind of stacks, for 1.5 s; ours call the services' APIs.
    parsing = ModuleType("moto.cloudformation.parsing", "Names for moto's stacks, of which there are none here.")
    for name in ("Export", "OutputMap", "ResourceMap"):
        setattr(parsing, name, type(name, (), {}))
    sys.modules.setdefault(parsing.__name__, parsing)


def _warm_up(extension: "Extension", server: "Server") -> None:
    """Import ahead what the labs will call, with a pause whenever somebody is waiting for an answer."""
    from moto.core.utils import get_service_model

    for service in ("bedrockruntime", "sqs", "dynamodb", "sts", "iam", "cloudformation", "logs", "awslambda"):
        while server.quiet_s() < WARM_UP_AFTER_QUIET_S:
            time.sleep(WARM_UP_AFTER_QUIET_S / 2)
        extension.warm_up(service)
        if service == "bedrockruntime":
            for model in (
                "bedrock",
                "bedrock-agent",
                "bedrock-runtime",
            ):  # moto asks all three whose operation a request is
                get_service_model(model)
    gc.freeze()  # what was imported stays: a look through all of it stops every stream for a tenth of a second


if __name__ == "__main__":
    main()
