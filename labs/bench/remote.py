"""In a worker of a scheduler: a run's sending process beside it, started, fed and listened to by calls that come in from the command.

None of them waits, since they are called in the worker's event loop. A process that nobody has asked about for a while is ended: whoever began the
run is gone.
"""

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

ABANDONED_S = 30.0
MOST_BYTES = 4 << 20
"""of one answer"""


class _Sender:
    """One process of one run."""

    def __init__(self, plan: bytes, surroundings: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "labs.bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env=dict(surroundings),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout.fileno()
        flags = fcntl.fcntl(self._out, fcntl.F_GETFL)
        fcntl.fcntl(self._out, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        self._asked = time.monotonic()
        threading.Thread(target=self._begin, args=[plan], daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()

    def _begin(self, plan: bytes) -> None:
        self.say(plan)  # more than a pipe holds: it waits until the process has read it

    def _watch(self) -> None:
        while self._process.poll() is None:
            if time.monotonic() - self._asked > ABANDONED_S:
                self.end()
            time.sleep(1.0)

    def say(self, frame: bytes) -> None:
        """Write to it; one that has ended hears nothing."""
        with suppress(OSError, ValueError):
            self._in.write(frame)
            self._in.flush()

    def heard(self) -> tuple[bytes, bool, int | None]:
        """What it has said since, whether that was all, and its exit status once it has one."""
        self._asked = time.monotonic()
        parts: list[bytes] = []
        size, over = 0, False
        while size < MOST_BYTES:
            try:
                part = os.read(self._out, 1 << 18)
            except BlockingIOError:
                break
            if not part:
                over = True
                break
            parts.append(part)
            size += len(part)
        return b"".join(parts), over, self._process.poll()

    def end(self) -> None:
        """At once."""
        with suppress(OSError, ValueError):
            self._in.close()
        with suppress(ProcessLookupError):
            self._process.kill()


_senders: dict[str, _Sender] = {}


def begin(run: str, plan: bytes, surroundings: Mapping[str, str]) -> None:
    """Start the process of a run. Of this worker's own environment it has nothing that AWS's libraries would read."""
    from labs.cloud.environment import is_aws_variable

    own = {name: value for name, value in os.environ.items() if not is_aws_variable(name)}
    _senders[run] = _Sender(plan, own | dict(surroundings))


def say(run: str, frame: bytes) -> None:
    """Tell it something."""
    if run in _senders:
        _senders[run].say(frame)


def heard(run: str) -> tuple[bytes, bool, int | None]:
    """What it has said since the last time (see `_Sender.heard`)."""
    return _senders[run].heard() if run in _senders else (b"", True, None)


def end(run: str) -> None:
    """End it, whatever it is doing."""
    if sender := _senders.pop(run, None):
        sender.end()
