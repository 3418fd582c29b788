"""The course's own child processes: they tell their parent how far they are, one JSON record a line, and end when it ends.

    for event in workers.run("labs.course.bind", {"kind": "text"}): ...

Ctrl-C reaches the parent alone (a child leads a process group of its own); the parent then asks the child to stop, and cuts its
lifeline if it does not. The lifeline also holds when the parent is killed and can say nothing.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labs.cloud.lifeline import Lifeline

MARK = "\x1e"
"""Begins a line that is a report (RFC 7464's record separator); every other line is for people."""

STOP_S = 8.0
"""How long a child may take to put its things away after it was asked to stop."""


class WorkerError(Exception):
    """A child ended with another status than 0 and did not say why."""

    def __init__(self, module: str, status: int, name: str = "") -> None:
        super().__init__(f"{module} ended with status {status}")
        self.status, self.name = status, name


def run(
    module: str, task: Mapping[str, Any], cwd: Path, environment: Mapping[str, str] | None = None
) -> Generator[dict[str, Any], None, None]:
    """Run `python -m module TASK` and yield what it reports; what else it prints goes to standard error. Raises WorkerError.

    Close the generator (`contextlib.closing`) to stop the child early.
    """
    with closing(run_several(module, {"": task}, cwd, 1, environment)) as events:
        for _, event in events:
            yield event


def run_several(
    module: str,
    tasks: Mapping[str, Mapping[str, Any]],
    cwd: Path,
    lanes: int,
    environment: Mapping[str, str] | None = None,
) -> Generator[tuple[str, dict[str, Any]], None, None]:
    """The same for several tasks by name, so many at a time: (name, report) as they come, and (name, {}) when one has ended well.

    One that ends badly raises WorkerError, and the others are stopped, as they are when the generator is closed.
    """
    waiting = deque(tasks.items())
    running: dict[int, _Child] = {}
    with selectors.DefaultSelector() as ready:
        try:
            while waiting or running:
                while waiting and len(running) < lanes:
                    name, task = waiting.popleft()
                    child = _Child.start(name, module, task, cwd, environment)
                    running[child.out] = child
                    ready.register(child.out, selectors.EVENT_READ)
                for key, _ in ready.select():
                    child = running[key.fd]
                    chunk = os.read(child.out, 1 << 16)
                    for report in child.reports(chunk):
                        yield child.name, report
                    if chunk:
                        continue
                    ready.unregister(child.out)
                    del running[child.out]
                    status = child.process.wait()
                    _stop(child.process, child.line)
                    if status:
                        raise WorkerError(module, status, child.name)
                    yield child.name, {}
        finally:
            for child in running.values():
                _stop(child.process, child.line)


@dataclass
class _Child:
    """A child process, and what it has begun to say."""

    name: str
    process: "subprocess.Popen[bytes]"
    line: Lifeline
    said: bytes = b""

    @property
    def out(self) -> int:
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    @classmethod
    def start(
        cls, name: str, module: str, task: Mapping[str, Any], cwd: Path, environment: Mapping[str, str] | None
    ) -> "_Child":
        line = Lifeline()
        process: subprocess.Popen[bytes] = line.spawn(  # type: ignore[no-untyped-call]  # untyped to keep a function's cold start short
            ["-m", module, json.dumps(task)],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        return cls(name, process, line)

    def reports(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """What these bytes complete; an empty chunk is the end. Lines that are no reports go to standard error."""
        *whole, self.said = (self.said + chunk).split(b"\n")
        if not chunk and self.said:
            whole, self.said = [self.said], b""
        for line in whole:
            text = line.decode(errors="replace")
            if text.startswith(MARK):
                yield json.loads(text[1:])
            else:
                sys.stderr.write(f"{text}\n")


def _stop(process: "subprocess.Popen[bytes]", line: Lifeline) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            pass
        except KeyboardInterrupt:  # a second Ctrl-C: no more patience
            pass
    line.close()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def report(**event: Any) -> None:
    """In a child: tell the parent."""
    print(MARK + json.dumps(event), flush=True)


def task() -> dict[str, Any]:
    """In a child: what to do. SIGTERM becomes SystemExit, so that `finally` and `with` do their work."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    found = json.loads(sys.argv[1])
    assert isinstance(found, dict)
    return found


def skip_uri_grammars() -> None:
    """In a child: spare the seconds that `jsonschema` takes to import where JupyterLab is installed.

    It compiles a grammar for each of 38 kinds of internationalised address, to check formats that nothing here asks for; it does
    without when the package that holds them cannot be imported.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
