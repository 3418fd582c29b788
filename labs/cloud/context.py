"""What every service module of the local cloud is given when it is installed: where the cloud is, how fast its waits pass, how to tidy up.

def install(context: Context) -> None:
    context.patch(SomeMotoResponse, "converse", converse)         # undone by context.close()
    worker = context.spawn(["-m", "awslambdaric", "app.handler"])  # dies with this process, however it dies
    context.on_close(worker.kill)
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
"""The account that AWS's own documentation uses, and moto's default: nobody can mistake it for theirs."""

_ABSENT = object()


@dataclass
class Context:
    """One running local cloud, as its services see it. `endpoint_url` is None when it runs inside the calling process."""

    home: Path
    """A folder of this cloud's own: logs, unpacked function code."""
    endpoint_url: str | None = None
    region: str = REGION
    account_id: str = ACCOUNT_ID
    time_scale: float = 1.0
    """How many times faster than on AWS control-plane waits pass (creation, cold start, cooldown, idle); never tokens or quotas."""
    faults: Any = None
    """The fault injector (`labs.cloud.faults`); None when none is installed."""
    control_routes: dict[tuple[str, str], Callable[[Any], Any]] = field(default_factory=dict)
    """("GET", "faults"): what answers GET /_lab/faults. It takes the request's JSON, returns JSON, and raises ValueError for bad input."""
    _closers: list[Callable[[], object]] = field(default_factory=list, repr=False)
    _lifeline: Any = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def wait_s(self, seconds_on_aws: float) -> float:
        """How long a control-plane wait of `seconds_on_aws` lasts here."""
        return seconds_on_aws / self.time_scale

    def patch(self, owner: Any, name: str, replacement: Any) -> Any:
        """Set `owner.name` until this cloud closes; returns what was there (None when nothing was)."""
        before = vars(owner).get(name, _ABSENT)

        def undo() -> None:
            if before is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)

        setattr(owner, name, replacement)
        self.on_close(undo)
        return None if before is _ABSENT else before

    def spawn(self, python_args: Sequence[str], **popen: Any) -> "subprocess.Popen[Any]":
        """Start `python <python_args>` ("-m", module, ... or a script) as a child that dies, with its own children, when this process does.

        `popen` goes to `subprocess.Popen` (env, cwd, stdout...). The child leads its own process group.
        """
        from labs.cloud.lifeline import Lifeline

        with self._lock:
            if self._lifeline is None:
                self._lifeline = Lifeline()
                self._closers.insert(0, self._lifeline.close)
        child: subprocess.Popen[Any] = self._lifeline.spawn(python_args, **popen)
        return child

    def on_close(self, action: Callable[[], object]) -> None:
        """Run `action` when this cloud closes; the last registered runs first."""
        with self._lock:
            self._closers.append(action)

    def close(self) -> None:
        """Undo everything, in reverse order. Safe to call twice."""
        while True:
            with self._lock:
                if not self._closers:
                    return
                action = self._closers.pop()
            action()
