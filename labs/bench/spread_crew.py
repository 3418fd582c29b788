"""One schedule sent by the workers of a Dask scheduler: each sends its part, all from the same moment, and their records come back as they are made.

    measure(header, work, endpoint, only_loopback=False, gather=spread(workers, place, real=False))

A moment is agreed on by measuring how each worker's clock differs from ours (`labs/spread/clocks.py`). Latencies need no such agreement: each is taken
on one clock. A worker that is lost is named, and the run does not count: load that was due then cannot be offered again later.
"""

import ipaddress
import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from labs.bench import remote
from labs.bench.crew import HEAD_START_S, LAST_WORDS_S, Crew, Gather, Worker
from labs.bench.endpoints import Endpoint
from labs.bench.endpoints.openai import KEY_VARIABLE
from labs.bench.frames import pack
from labs.bench.records import Header
from labs.bench.runner import Part
from labs.bench.where import Place
from labs.bench.worker import Plan
from labs.bench.workload import Workload
from labs.cloud.environment import is_aws_variable
from labs.cloud.guard import is_loopback_url
from labs.errors import NOT_READY, USAGE, Refusal
from labs.spread import clocks
from labs.spread.cluster import Workers

ASK_EVERY_S = 0.1
LOOK_EVERY_S = 1.0
EACH_START_S = 0.02
"""for the word of the start to get to one worker"""
KEPT = ("NO_PROXY", "no_proxy", "LAB_HOME", "SSL_CERT_FILE")


@dataclass
class _Far(Worker):
    address: str = ""
    how: str = "was lost"


def spread(workers: Workers, place: Place, *, real: bool) -> Gather:
    """A run's workers at this scheduler, one process beside each.

    Raises Refusal when a worker could not reach the place, or when a secret would travel in the clear.
    """
    surroundings = _surroundings(place, real=real)
    secret = real or KEY_VARIABLE in surroundings
    if secret and not _is_private(workers.address):
        raise Refusal(
            f"your credentials for {place.name} would travel to {workers.address} in the clear; "
            "use a scheduler with tls://, or one on this machine",
            USAGE,
        )
    offsets = _measured(workers)
    if place.only_loopback or is_loopback_url(place.address):
        for address, offset in offsets.items():
            if not offset.here:
                raise Refusal(
                    f"{place.name} answers at {place.address}, on this machine alone, and the worker {address} is on another",
                    USAGE,
                )

    def gather(header: Header, work: Workload, endpoint: Endpoint, only_loopback: bool) -> Crew:
        return _SpreadCrew(workers, surroundings, header, work, endpoint, only_loopback)

    return gather


def _measured(workers: Workers) -> dict[str, clocks.Offset]:
    try:
        return clocks.measure(workers)
    except (OSError, KeyError) as lost:
        raise Refusal(f"a worker of {workers.address} was lost before the run began ({lost})", NOT_READY) from None


def _surroundings(place: Place, *, real: bool) -> dict[str, str]:
    """What a sending process needs of our environment. With AWS itself that is the credentials of this moment, wherever they are kept here."""
    found = {name: os.environ[name] for name in KEPT if name in os.environ}
    if str(place.describe().get("endpoint", "")).startswith(("openai", "triton")):
        if KEY_VARIABLE in os.environ:
            found[KEY_VARIABLE] = os.environ[KEY_VARIABLE]
        return found
    if not real:
        return found | {name: value for name, value in os.environ.items() if is_aws_variable(name)}
    import boto3

    session = boto3.Session()
    if (credentials := session.get_credentials()) is None:
        raise Refusal(
            "there are no AWS credentials to send to the workers; 'aws configure' or AWS_PROFILE sets them", NOT_READY
        )
    frozen = credentials.get_frozen_credentials()
    found |= {"AWS_ACCESS_KEY_ID": str(frozen.access_key), "AWS_SECRET_ACCESS_KEY": str(frozen.secret_key)}
    if frozen.token:
        found["AWS_SESSION_TOKEN"] = frozen.token
    if session.region_name:
        found |= {"AWS_REGION": session.region_name, "AWS_DEFAULT_REGION": session.region_name}
    return found


def _is_private(address: str) -> bool:
    parts = urlsplit(address)
    if parts.scheme == "tls" or parts.hostname == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    return False


class _SpreadCrew(Crew):
    """A process beside each worker of a scheduler."""

    def __init__(
        self,
        workers: Workers,
        surroundings: Mapping[str, str],
        header: Header,
        work: Workload,
        endpoint: Endpoint,
        only_loopback: bool,
    ) -> None:
        self._at = workers
        self._run = uuid.uuid4().hex
        self._said: SimpleQueue[tuple[_Far, bytes, bool, int | None]] = SimpleQueue()
        self._over = threading.Event()
        self._looked = time.monotonic()
        there = workers.there()
        if len(there) != header.workers:
            raise Refusal(f"{workers.address} has {len(there)} workers now, and had {header.workers}", NOT_READY)
        self.workers: Sequence[_Far] = [
            _Far(n, address=worker.address, place=worker.address) for n, worker in enumerate(there)
        ]
        self.head_start_s = HEAD_START_S + EACH_START_S * len(there)
        self._threads = [threading.Thread(target=self._listen, args=[worker], daemon=True) for worker in self.workers]
        for worker in self.workers:
            plan = Plan(Part(worker.number, header.workers, work, header.timeout_s), endpoint, only_loopback)
            self._call(worker, remote.begin, pack(plan), surroundings)
        for thread in self._threads:
            thread.start()

    def _call(self, worker: _Far, function: Any, *arguments: Any) -> Any:
        try:
            return self._at.ask(worker.address, function, self._run, *arguments)
        except Exception as lost:  # whatever Dask makes of a worker that is gone
            self._said.put((worker, b"", True, None))
            worker.how = f"was lost ({type(lost).__name__})"
            return None

    def _listen(self, worker: _Far) -> None:
        """A thread for each: one that answers late keeps none of the others waiting."""
        while not self._over.is_set():
            answer = self._call(worker, remote.heard)
            if answer is None:
                return
            data, over, status = answer
            if data or over:
                self._said.put((worker, data, over, status))
            if over:
                return
            self._over.wait(ASK_EVERY_S)

    def agree(self) -> None:
        offsets = _measured(self._at)
        for worker in self.workers:
            if worker.address not in offsets:
                raise Refusal(f"worker {worker.number} ({worker.address}) was lost before the run began", NOT_READY)
            offset = offsets[worker.address]
            worker.offset_s = offset.seconds
            worker.start_within_ms = 1e3 * offset.within_s

    def say(self, worker: Worker, frame: Any) -> None:
        assert isinstance(worker, _Far)
        self._call(worker, remote.say, pack(frame))

    def frames(self, timeout_s: float) -> Iterator[tuple[Worker, Any]]:
        """See `Crew`. A worker that its scheduler no longer knows is gone, whatever a call that waits for it may think."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            try:
                worker, data, over, status = self._said.get(timeout=left)
            except Empty:
                break
            if data:
                for frame in worker.incoming.feed(data):
                    yield worker, frame
            if over and not worker.gone:
                worker.gone = True
                if status is not None:
                    worker.how = f"ended with status {status}"
        if time.monotonic() - self._looked > LOOK_EVERY_S:
            self._looked = time.monotonic()
            known = {each.address for each in self._at.there()}
            for each in self.workers:
                if each.address not in known and not each.gone:
                    each.gone = True

    def death(self, worker: Worker) -> str:
        assert isinstance(worker, _Far)
        return f"({worker.address}) {worker.how}"

    def __enter__(self) -> "_SpreadCrew":
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        known = {each.address for each in self._at.there()} if self._at.client.status == "running" else set()
        for worker in self.workers:
            if worker.address in known:
                self._call(worker, remote.end)
        for thread in self._threads:
            thread.join(LAST_WORDS_S)
