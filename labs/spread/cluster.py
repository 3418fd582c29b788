"""A Dask scheduler and its workers, as the commands of this house use them: named by an address, checked, given work piece by piece.

    with cluster.connect("tcp://127.0.0.1:8786") as workers:
        for done in workers.each(function, [("ada", (1,)), ("grace", (2,))]):
            done.key, done.value

Each piece of work has a key, and gives one result, however often it had to be begun: a worker that is lost has its pieces done again by
another. What is sent is pickled, so whoever can speak to a scheduler runs code on its workers, and they on it: a scheduler is trusted like
a shell (see `up.py` for where it listens).
"""

import asyncio
import logging
import os
import socket
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from labs.errors import NOT_READY, USAGE, Refusal
from labs.spread import versions

CONNECT_S = 10.0
"""For a scheduler to answer, and again for a worker to be there."""
GONE_S = 15.0
"""A scheduler that has not been heard of for so long is gone."""
NO_WORKER_S = 60.0
"""So long may a scheduler have no worker while there is work: one that restarts takes some seconds."""
LOOK_EVERY_S = 1.0
AHEAD = 2
"""Pieces with the scheduler for each thread of its workers: one at work and one to follow. What waits here costs it no memory."""
MOST_TRIES = 3
LOOPBACK_HTTP = "127.0.0.1:0"
"""Where schedulers and workers serve pages about themselves, which they always do: for nobody but this machine, at any free port."""


@dataclass(frozen=True)
class Done:
    """What came of one piece of work."""

    key: str
    value: Any = None
    problem: str = ""
    """Why there is no value, in words; empty when there is one."""


@dataclass
class _Piece:
    key: str
    function: str
    arguments: tuple[Any, ...]
    tries: int = 0


@dataclass(frozen=True)
class Worker:
    """One worker as its scheduler knows it."""

    address: str
    threads: int
    host: str


@dataclass
class Workers:
    """The workers of one scheduler; `connect` and `local` make it."""

    address: str
    client: Any
    """`distributed.Client`"""
    _looked: float = field(default=0.0, repr=False)
    _threads: int = field(default=1, repr=False)

    def there(self) -> list[Worker]:
        """Those that the scheduler has now."""
        found = self.client.scheduler_info(n_workers=-1)["workers"]
        return [Worker(address, int(about["nthreads"]), str(about["host"])) for address, about in sorted(found.items())]

    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Call a function once in every worker, beside whatever it is doing; those that fail are left out."""
        found: dict[str, Any] = self.client.run(function, *arguments, on_error="ignore")
        return found

    def ask(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a function returns in one worker, called at once, beside whatever it is doing: for short ones. Raises what it raises, or OSError."""
        return self.client.run(function, *arguments, workers=[address])[address]

    def each(
        self,
        function: Callable[..., Any],
        work: Iterable[tuple[str, tuple[Any, ...]]],
    ) -> Generator[Done, None, None]:
        """One result for each key of `work`, in the order in which they come; `work` is read as it is needed.

        A function that raises gives a problem, not an exception. Raises Refusal (environment not ready) when the scheduler is gone, when no
        worker is left, or when one is of another make. Closing the iterator takes back what has not begun.
        """
        waiting = deque[_Piece]()
        source = iter(work)
        finished: SimpleQueue[Any] = SimpleQueue()
        out: dict[str, tuple[_Piece, Any]] = {}
        name = f"{function.__module__}.{function.__qualname__}"
        run, number, heard = uuid.uuid4().hex[:12], 0, time.monotonic()
        self._look(force=True)
        try:
            while True:
                while self.client.status == "running" and len(out) < AHEAD * self._threads:
                    piece = waiting.popleft() if waiting else _next(source, name)
                    if piece is None:
                        break
                    number += 1
                    piece.tries += 1
                    future = self.client.submit(
                        _call, function, piece.arguments, versions.own(), key=f"{function.__name__}-{run}-{number}"
                    )
                    out[future.key] = (piece, future)
                    future.add_done_callback(finished.put)
                if not out and self.client.status == "running":
                    return
                try:
                    future = finished.get(timeout=LOOK_EVERY_S)
                except Empty:
                    heard = self._still_there(heard, len(out) + len(waiting))
                    continue
                piece, _ = out.pop(future.key)
                done = self._outcome(piece, future)
                if done is None:
                    waiting.append(piece)
                    continue
                heard = time.monotonic()
                self._look()
                yield done
        finally:
            if out and self.client.status == "running":
                self.client.cancel([future for _, future in out.values()], force=True)

    def _outcome(self, piece: _Piece, future: Any) -> Done | None:
        """What came of it; None when it is to be done again."""
        from distributed.scheduler import KilledWorker

        error: BaseException | None
        if future.cancelled() or future.status == "lost":  # a scheduler that was started anew knows of nothing
            if piece.tries < MOST_TRIES:
                return None
            return Done(piece.key, problem="its scheduler has forgotten it, time and again")
        try:
            if (error := future.exception(timeout=CONNECT_S)) is None:
                return Done(piece.key, future.result(timeout=CONNECT_S))
        except Exception as failed:  # the worker that had the result was lost before it was fetched
            if piece.tries < MOST_TRIES:
                return None
            error = failed
        if isinstance(error, KilledWorker):
            return Done(piece.key, problem="the workers that took it up were lost, time and again")
        if isinstance(error, _OfAnotherMake):
            raise Refusal(str(error), NOT_READY)
        if isinstance(error, ImportError) or "deserialization of the task graph" in str(error):
            why = error if isinstance(error, ImportError) else f"it does not know {piece.function}"
            raise Refusal(
                f"the scheduler or a worker at {self.address} cannot do this work ({why}); {_REMEDY}", NOT_READY
            )
        return Done(piece.key, problem=f"{type(error).__name__}: {error}")

    def _look(self, *, force: bool = False) -> None:
        """How many threads there are, now and then: workers come and go."""
        if force or time.monotonic() - self._looked > LOOK_EVERY_S:
            with suppress(OSError):  # its scheduler is gone just now: `_still_there` sees to that
                self._threads = max(1, sum(worker.threads for worker in self.there()))
            self._looked = time.monotonic()

    def _still_there(self, heard: float, pieces: int) -> float:
        """The time when all was last well. Raises Refusal when that is too long ago."""
        silent_s = time.monotonic() - heard
        if self.client.status != "running":
            if silent_s > GONE_S or self.client.status == "closed":
                raise Refusal(
                    f"the scheduler at {self.address} is gone, with {pieces} pieces of work still to be done; "
                    "start it again, and then this command: it goes on where it was",
                    NOT_READY,
                )
            return heard
        with suppress(OSError):
            if self.there():
                self._look()
                return time.monotonic()
        if silent_s > NO_WORKER_S:
            raise Refusal(f"no worker is left at {self.address}; {_START}, and then this command again", NOT_READY)
        return heard


def _next(source: Iterator[tuple[str, tuple[Any, ...]]], function: str) -> _Piece | None:
    for key, arguments in source:
        return _Piece(key, function, arguments)
    return None


_REMEDY = "install the same version of deployment-dilemma there, and start it again"
_START = "start some with 'lab spread join ADDRESS --workers N'"


class _OfAnotherMake(Exception):  # noqa: N818 - what a worker says of itself, turned into a refusal
    pass


def _call(function: Callable[..., Any], arguments: tuple[Any, ...], wanted: Mapping[str, str]) -> Any:
    """In a worker: do one piece, if this worker is of the make that is wanted; one may have joined since the others were asked."""
    from distributed import get_worker

    try:
        versions.compare(f"the worker {get_worker().address}", versions.own(), wanted)
    except Refusal as refusal:
        raise _OfAnotherMake(str(refusal)) from None
    return function(*arguments)


def check_address(address: str) -> None:
    """Raises Refusal (wrong usage) for what cannot be a scheduler's address."""
    try:
        parts = urlsplit(address)
        sound = parts.scheme in ("tcp", "tls") and bool(parts.hostname) and parts.port is not None
    except ValueError:
        sound = False
    if not sound:
        raise Refusal(f"'{address}' is no scheduler's address; write tcp://HOST:PORT, or tls://HOST:PORT", USAGE)


@contextmanager
def connect(address: str) -> Iterator[Workers]:
    """The workers of a scheduler that runs. Raises Refusal: not reachable, no worker, or one of another make; each within seconds."""
    reach(address)
    with quiet():
        from distributed import Client

        make: Any = Client  # distributed declares few types
        try:
            client = make(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError, RuntimeError) as failed:  # gone since
            raise _no_scheduler(address, failed) from None
        try:
            workers = Workers(address, client)
            _check(workers)
            yield workers
        finally:
            client.close(timeout=CONNECT_S)


def reach(address: str) -> None:
    """Raises Refusal when no scheduler is there, within seconds."""
    check_address(address)
    parts = urlsplit(address)
    try:  # the system knows at once whether anybody is, and says why not; Dask would try again until its time is up
        socket.create_connection((parts.hostname or "", parts.port or 0), CONNECT_S).close()
        with quiet():
            asyncio.run(asyncio.wait_for(_greet(address), CONNECT_S))
    except TimeoutError:
        raise _no_scheduler(address, TimeoutError("whoever is there says nothing")) from None
    except MemoryError:  # Dask takes the beginning of some other protocol's words for a length
        raise _no_scheduler(address, ValueError("whoever is there speaks another protocol")) from None
    except TypeError:  # what Dask raises where there is no TLS context
        raise Refusal(
            f"{address} needs certificates, and Dask's configuration names none (distributed.comm.tls)", NOT_READY
        ) from None
    except (OSError, ValueError) as failed:
        raise _no_scheduler(address, failed) from None


async def _greet(address: str) -> None:
    """What Dask's own client does first, and waits for without end."""
    from distributed.comm.core import connect as meet
    from distributed.security import Security

    greet: Any = meet
    make: Any = Security
    comm = await greet(address, timeout=CONNECT_S, **make().get_connection_args("client"))
    await comm.close()


def _no_scheduler(address: str, failed: BaseException) -> Refusal:
    why = getattr(failed, "strerror", None) or str(failed) or type(failed).__name__
    return Refusal(
        f"no scheduler answers at {address} ({why.splitlines()[0][:160]}); is the address right, and is it up? "
        "'lab spread up' starts one on this machine",
        NOT_READY,
    )


def _check(workers: Workers) -> None:
    deadline = time.monotonic() + CONNECT_S
    while not workers.there():
        if time.monotonic() > deadline:
            raise Refusal(f"the scheduler at {workers.address} has no worker; {_START}", NOT_READY)
        time.sleep(0.1)
    try:  # a scheduler reads what passes through it, so it has to know what that is
        its = workers.client.run_on_scheduler(versions.own)
    except Exception as failed:
        raise _cannot(f"the scheduler at {workers.address}", failed) from None
    versions.compare(f"the scheduler at {workers.address}", its, versions.own())
    for address, found in workers.client.run(versions.own, on_error="return").items():
        if isinstance(found, OSError):  # lost since it was named: its work will go to others
            continue
        if isinstance(found, BaseException):
            raise _cannot(f"the worker {address}", found)
        versions.compare(f"the worker {address}", found, versions.own())


def _cannot(who: str, failed: BaseException) -> Refusal:
    why = str(failed) if type(failed) is Exception else f"{type(failed).__name__}: {failed}"  # Dask wraps some
    return Refusal(f"{who} cannot do this work ({why}); {_REMEDY}", NOT_READY)


@contextmanager
def local(count: int) -> Iterator[Workers]:
    """So many worker processes of this machine, on loopback, which end with the block."""
    with quiet():
        from distributed import Client, LocalCluster

        make: Any = LocalCluster
        meet: Any = Client
        with (
            make(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                scheduler_port=0,
                dashboard_address=LOOPBACK_HTTP,
                silence_logs=logging.CRITICAL,
                worker_dashboard_address=LOOPBACK_HTTP,
            ) as made,
            meet(made, set_as_default=False) as client,
        ):
            yield Workers(made.scheduler_address, client)


def processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def quiet() -> Iterator[None]:
    """Without Dask's own messages: what there is to say, a refusal says."""
    import distributed  # noqa: F401 - it sets its loggers up when it is imported

    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in ("distributed", "tornado")]
    before = {name: logging.getLogger(name).level for name in ("distributed", *names)}
    for name in before:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
