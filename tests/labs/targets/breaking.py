"""A life of a target that is broken at one of its calls, or at one of its moments; afterwards nothing is left, or the ledger says what and a second removal ends it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.handlers import BUILTIN_HANDLERS

from labs.errors import Refusal
from labs.targets import Site, Target, standing

PLACES = ("deploy", "teardown")


@dataclass
class Fuse:
    """Fails the kth call that this process makes of AWS, on the client's side of the wire: whatever that call was has not happened."""

    k: int
    calls: int = 0

    @property
    def blown(self) -> bool:
        return self.calls >= self.k

    def __call__(self, model: Any, **_: Any) -> None:
        self.calls += 1
        if self.calls == self.k:
            error: Any = {"Code": "InternalFailure", "Message": "broken on purpose"}
            raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 500}}, model.name)  # type: ignore[typeddict-item]


@contextlib.contextmanager
def failing_call(k: int) -> Iterator[Fuse]:
    """For the length of the block, the kth call fails."""
    fuse = Fuse(k)
    handler: Any = ("before-call", fuse)
    BUILTIN_HANDLERS.append(handler)
    before, boto3.DEFAULT_SESSION = boto3.DEFAULT_SESSION, None  # clients made before would not fail
    try:
        yield fuse
    finally:
        BUILTIN_HANDLERS.remove(handler)
        boto3.DEFAULT_SESSION = before


def broken_life(target: Target, site: Site, place: str, k: int) -> bool:
    """Deploy and remove it, the kth call of `place` failing. False when that has fewer calls: then nothing was broken."""
    with (
        failing_call(k) if place == "deploy" else contextlib.nullcontext() as fuse,
        contextlib.suppress(Refusal, ClientError),
    ):
        target.deploy(site)
    with (
        failing_call(k) if place == "teardown" else contextlib.nullcontext(fuse) as fuse,
        contextlib.suppress(ClientError),
    ):
        standing.remove(site.cloud, site.name, len)
    known = " ".join(standing.deployments(site.cloud))
    seen = [each for each in standing.look(site.cloud) if site.name in each]
    assert not seen or site.name in known, f"{seen} is there and no command would show it"
    assert standing.remove(site.cloud, site.name, len) == []
    assert [each for each in standing.look(site.cloud) if site.name in each] == []
    return bool(fuse is not None and fuse.blown)


def walk(target: Target, site: Site, place: str, first: int = 1, step: int = 1) -> int:
    """Every kth call in turn until there are none left; how many there were."""
    k = first
    while broken_life(target, site, place, k):
        k += step
    if k == first:
        pytest.fail(f"no call of {place} was broken")
    return k - step
