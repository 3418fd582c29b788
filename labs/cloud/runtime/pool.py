"""All execution environments of one local cloud: warm ones are reused, idle ones let go, limits kept, nothing left behind."""

import io
import os
import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labs.cloud.runtime import packages
from labs.cloud.runtime.execution import ExecutionEnvironment, Kill, Sink
from labs.cloud.runtime.function import Function
from labs.cloud.runtime.outcome import Outcome

IDLE_S_ON_AWS = 600.0
"""How long an environment stays warm without work; AWS does not promise anything, ten minutes is usual."""
MAX_ENVIRONMENTS = 50
"""A laptop's stand-in for the account's concurrency: each environment is a Python process of 40 to 100 MB."""


class Throttled(Exception):  # noqa: N818 - a refusal, not a failure
    """No environment may be added for this function now; `reason` is AWS's word for it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass
class _Pool:
    """The environments of one version and configuration of a function."""

    idle: list[ExecutionEnvironment] = field(default_factory=list)
    busy: set[ExecutionEnvironment] = field(default_factory=set)
    retired: bool = False
    kept: int = 0
    """Provisioned concurrency: so many stay warm."""


@dataclass(frozen=True)
class Package:
    """A function's code: its zip archive and those of its layers, in order."""

    code: bytes
    layers: tuple[bytes, ...] = ()


class Runtime:
    """Runs functions. Safe to share between threads."""

    def __init__(
        self,
        home: Path,
        *,
        spawn: Callable[..., Any],
        environment: Mapping[str, str],
        max_response_bytes: int,
        idle_s: float = IDLE_S_ON_AWS,
        native_client: bool | None = None,
    ) -> None:
        """`environment` is what every process gets: the way to the local cloud and nothing of the caller's. See `packages.gather` for `native_client`."""
        self._home = home
        self._spawn = spawn
        self._environment = dict(environment)
        self._max_response_bytes = max_response_bytes
        self._idle_s = idle_s
        self._native_client = native_client
        self._lock = threading.Condition()
        self._pools: dict[Function, _Pool] = {}
        self._folder: Path | None = None
        self._count = 0
        self._closed = False
        self._made = 0

    def invoke(
        self,
        function: Function,
        package: Callable[[], Package],
        event: bytes,
        *,
        reserved_concurrency: int | None = None,
        kill: Kill | None = None,
        wait_s: float = 0.0,
        sink: Sink | None = None,
    ) -> Outcome:
        """Run `event`, on a warm environment if there is one; `sink` gets the answer if it is streamed.

        Raises Throttled when no environment may be had within `wait_s`.
        """
        environment = self._take(function, package, reserved_concurrency, time.monotonic() + wait_s)
        try:
            return environment.invoke(event, kill, sink)
        finally:
            self._give_back(function, environment)

    def provision(self, function: Function, package: Callable[[], Package], count: int) -> int:
        """Keep `count` environments of this version warm, starting those that are missing; returns how many could be had."""
        with self._lock:
            pool = self._pools.setdefault(function, _Pool())
            pool.kept = count
            missing = max(0, min(count - len(pool.idle) - len(pool.busy), MAX_ENVIRONMENTS - self._count))
            self._count += missing
        started: list[ExecutionEnvironment] = []
        try:
            for _ in range(missing):
                started.append(self._start(function, package, provisioned=True))
        finally:
            with self._lock:
                self._count -= missing - len(started)
                pool.idle += started
                had = len(pool.idle) + len(pool.busy)
                self._lock.notify_all()
        return min(count, had)

    def release(self, function: Function) -> None:
        """Keep none warm any longer; those that are idle go the way of all."""
        with self._lock:
            if (pool := self._pools.get(function)) is not None:
                pool.kept = 0

    def concurrency(self, name: str) -> int:
        """How many invocations of a function are running."""
        with self._lock:
            return sum(len(pool.busy) for function, pool in self._pools.items() if function.name == name)

    def environments(self) -> int:
        """How many environments there are."""
        with self._lock:
            return self._count

    def retire(self, name: str, keep: Function | None = None) -> None:
        """Let go of the environments of function `name` (all but those of `keep`): its code or configuration changed, or it is gone.

        Invocations that are running finish.
        """
        with self._lock:
            going = []
            for function, pool in list(self._pools.items()):
                if function.name == name and function != keep and (keep is None or function.version == keep.version):
                    pool.retired = True
                    going += pool.idle
                    pool.idle = []
                    if not pool.busy:
                        del self._pools[function]
        self._let_go(going)

    def close(self) -> None:
        """End every process and remove every folder."""
        with self._lock:
            self._closed = True
            everything = [env for pool in self._pools.values() for env in (*pool.idle, *pool.busy)]
            idle = [env for pool in self._pools.values() for env in pool.idle]
            for pool in self._pools.values():
                pool.idle = []
        for environment in everything:
            environment.kill()
        self._let_go(idle)
        with self._lock:
            self._lock.wait_for(lambda: self._count == 0, timeout=5)
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    # -- inside

    def _take(
        self, function: Function, package: Callable[[], Package], reserved: int | None, deadline: float
    ) -> ExecutionEnvironment:
        while True:
            with self._lock:
                self._sweep()
                reason = self._refusal(function, reserved)
                if reason is None:
                    pool = self._pools.setdefault(function, _Pool())
                    while pool.idle:
                        environment = pool.idle.pop()
                        if environment.alive:
                            pool.busy.add(environment)
                            return environment
                        self._count -= 1
                        environment.close()
                    if self._count < MAX_ENVIRONMENTS or self._make_room():
                        self._count += 1
                        break
                    reason = "ConcurrentInvocationLimitExceeded"
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Throttled(reason)
                self._lock.wait(left)
        try:
            environment = self._start(function, package)
        except BaseException:
            with self._lock:
                self._count -= 1
            raise
        with self._lock:
            self._pools.setdefault(function, _Pool()).busy.add(environment)
            if self._closed:
                environment.kill()
        return environment

    def _refusal(self, function: Function, reserved: int | None) -> str | None:
        if self._closed:
            return "ConcurrentInvocationLimitExceeded"
        if reserved is not None and self.concurrency_locked(function.name) >= reserved:
            return "ReservedFunctionConcurrentInvocationLimitExceeded"
        return None

    def concurrency_locked(self, name: str) -> int:
        return sum(len(pool.busy) for function, pool in self._pools.items() if function.name == name)

    def _make_room(self) -> bool:
        """Let go of the environment that has been idle longest, whosever it is."""
        idle = [
            (env.last_used, pool, env)
            for pool in self._pools.values()
            if len(pool.idle) + len(pool.busy) > pool.kept
            for env in pool.idle
        ]
        if not idle:
            return False
        _, pool, oldest = min(idle, key=lambda entry: entry[0])
        pool.idle.remove(oldest)
        self._count -= 1
        oldest.close()
        return True

    def _start(
        self, function: Function, package: Callable[[], Package], *, provisioned: bool = False
    ) -> ExecutionEnvironment:
        folder = self._base()
        with self._lock:
            self._made += 1
            number = self._made
        task = self._unpack(function, package)
        return ExecutionEnvironment(
            function,
            task_root=task,
            folder=folder / f"environment-{number}",
            packages=folder / "packages",
            spawn=self._spawn,
            environment=self._environment,
            max_response_bytes=self._max_response_bytes,
            provisioned=provisioned,
        )

    def _base(self) -> Path:
        with self._lock:
            if self._folder is None:
                remove_orphans(self._home)
                self._folder = self._home / f"lambda-{os.getpid()}-{id(self):x}"
                packages.gather(self._folder / "packages", native=self._native_client)
                threading.Thread(target=self._reap, name="lambda-idle", daemon=True).start()
            return self._folder

    def _unpack(self, function: Function, package: Callable[[], Package]) -> Path:
        """The folder with the function's code, unpacked once for each version of the code; its layers lie beside it in `opt`."""
        name = "".join(c if c.isalnum() else "_" for c in function.code_sha256)[:40] + (
            f"-{abs(hash(function.layers)):x}" if function.layers else ""
        )
        root = self._base() / f"code-{name}"
        with self._lock:
            if (root / "task").is_dir():
                return root / "task"
            contents = package()
            draft = root / "draft"
            unpack(contents.code, draft)
            for layer in contents.layers:
                unpack(layer, root / "opt")
            draft.rename(root / "task")
            return root / "task"

    def _give_back(self, function: Function, environment: ExecutionEnvironment) -> None:
        with self._lock:
            pool = self._pools.get(function)
            keep = pool is not None and not pool.retired and not self._closed and environment.alive
            if pool is not None:
                pool.busy.discard(environment)
                if keep:
                    pool.idle.append(environment)
                elif not pool.busy and not pool.idle and not (pool.kept and not pool.retired):
                    del self._pools[function]
            self._lock.notify_all()
        if not keep:
            self._let_go([environment])

    def _let_go(self, environments: Iterable[ExecutionEnvironment]) -> None:
        for environment in environments:
            environment.close()
            with self._lock:
                self._count -= 1
                self._lock.notify_all()

    def _sweep(self) -> None:
        """Let go of what has been idle for too long (the lock is held)."""
        until = time.monotonic() - self._idle_s
        for function, pool in list(self._pools.items()):
            for environment in [env for env in pool.idle if env.last_used < until]:
                if len(pool.idle) + len(pool.busy) <= pool.kept:
                    break
                pool.idle.remove(environment)
                self._count -= 1
                environment.close()
            if not pool.idle and not pool.busy and not pool.kept:
                del self._pools[function]

    def _reap(self) -> None:
        """Sweep also when nobody invokes anything."""
        while not self._closed:
            with self._lock:
                self._lock.wait(max(1.0, self._idle_s / 4))
                if not self._closed:
                    self._sweep()


def unpack(archive: bytes, folder: Path) -> None:
    """Unpack a zip archive. Raises zipfile.BadZipFile."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        for entry in zipped.infolist():
            path = Path(zipped.extract(entry, folder))
            if (entry.external_attr >> 16) & 0o111 and path.is_file():  # extract() forgets that a file is a program
                path.chmod(path.stat().st_mode | 0o111)


def remove_orphans(home: Path) -> None:
    """Remove the folders of local clouds that were killed before they could."""
    for folder in home.glob("lambda-*-*"):
        with suppress(ValueError):
            if not running(int(folder.name.split("-")[1])):
                shutil.rmtree(folder, ignore_errors=True)


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
