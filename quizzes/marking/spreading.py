"""Attempt files marked by the workers of a Dask scheduler: their contents and the key travel, the sheets come back in the order of the files.

marks.run(folder, ring, book, elsewhere=spreading.on("tcp://127.0.0.1:8786"))
"""

import pickle
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache

from labs.spread import cluster
from quizzes.marking import marks
from quizzes.marking.book import Sheet
from quizzes.marking.folder import Found, TooLong
from quizzes.marking.keys import Keyring

BATCH_BYTES, BATCH_FILES = 1 << 20, 500
"""Of one piece of work: marking is quick, and sending is what costs."""


@dataclass(frozen=True)
class Sent:
    """One file as it travels."""

    name: str
    student: str
    problem: str
    chunks: tuple[bytes, ...]
    broken: Exception | None
    """what ended the reading of it"""

    def found(self) -> Found:
        """The file again, read from memory."""

        def again() -> Iterator[bytes]:
            yield from self.chunks
            if self.broken is not None:
                raise self.broken

        return Found(self.name, self.student, problem=self.problem, chunks=again)


def on(address: str) -> marks.Elsewhere:
    """The workers of this scheduler, to mark with. Raises Refusal, once it is called, when they are not there."""

    def elsewhere(files: Iterable[Found], ring: Keyring, limit: str) -> Iterator[tuple[Found, Sheet]]:
        packed = zlib.compress(pickle.dumps(replace(ring, marks={})))
        out: dict[int, list[tuple[Found, Sent]]] = {}
        ready: dict[int, list[Sheet]] = {}
        at = 0

        def work() -> Iterator[tuple[str, tuple[list[Sent], bytes, str]]]:
            for number, batch in enumerate(_batches(files)):
                out[number] = batch
                yield str(number), ([sent for _, sent in batch], packed, limit)

        with cluster.connect(address) as workers, closing(workers.each(mark_here, work())) as coming:
            for done in coming:
                number = int(done.key)
                # What no worker could bring to its end is done here.
                ready[number] = (
                    mark_here([sent for _, sent in out[number]], packed, limit) if done.problem else done.value
                )
                while at in ready:
                    yield from zip((found for found, _ in out.pop(at)), ready.pop(at), strict=True)
                    at += 1

    return elsewhere


def _batches(files: Iterable[Found]) -> Iterator[list[tuple[Found, Sent]]]:
    batch: list[tuple[Found, Sent]] = []
    size = 0
    for found in files:
        sent = _read(found)
        batch.append((found, sent))
        size += sum(map(len, sent.chunks))
        if size >= BATCH_BYTES or len(batch) >= BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read(found: Found) -> Sent:
    chunks: list[bytes] = []
    broken: Exception | None = None
    try:
        for chunk in () if found.problem else found.chunks():
            chunks.append(chunk)
    except (OSError, TooLong) as wrong:
        broken = wrong
    return Sent(found.name, found.student, found.problem, tuple(chunks), broken)


def mark_here(batch: list[Sent], packed: bytes, limit: str) -> list[Sheet]:
    """In a worker: the sheets of these files."""
    ring = _ring(packed)
    return [Sheet() if sent.problem else marks.sheet_of(sent.found(), ring, limit) for sent in batch]


@lru_cache(maxsize=2)
def _ring(packed: bytes) -> Keyring:
    ring: Keyring = pickle.loads(zlib.decompress(packed))
    return ring
