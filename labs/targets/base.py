"""The seam that every deployment target fits: what it costs at most, whether it can be, deploy, address, remove, and what a caller must be allowed.

    site = Site(cloud.connect(), "my-endpoint", hours=2, tell=print)
    target = targets.get("sagemaker-gpu")(instance_type="ml.g5.2xlarge")
    print(target.worst_case(site).usd)       # before anything is created
    target.check(site)                       # quotas, access, Region: a Refusal names the request to make
    target.deploy(site)                      # whole, or not at all
    print(Caller(target.address(site)).ask("Name three rivers.", max_tokens=50).text)
    target.remove(site)

Whatever a target creates is entered in the ledger first, as a stack or as a step (`labs.targets.steps`), so that `lab teardown`
needs no target to remove it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from labs.cloud import Cloud
from labs.economics.bill import Bill
from labs.targets.calling import Address, Caller, CallFailed, Reply

__all__ = ["Address", "CallFailed", "Caller", "Kind", "Reply", "Site", "Target"]


class Kind(StrEnum):
    """What a target is good for; it declares one or more."""

    ONLINE = "online"
    """a caller gets its answer in the same call"""
    STREAMING = "streaming"
    """and can read it while it is written"""
    BATCH = "batch"
    """many requests go in as a file, and come back as one"""
    ARTIFACT = "artifact"
    """the result runs somewhere else"""


def _say_nothing(how_it_goes: str) -> None: ...


@dataclass(frozen=True)
class Site:
    """One deployment: in which cloud, under what name, how long it may live, and who hears how it goes."""

    cloud: Cloud
    name: str
    """Its stack's name, or the prefix of what its steps create: a letter, then letters, digits and hyphens, at most 40."""
    hours: float = 24
    tell: Callable[[str], object] = _say_nothing


class Target(Protocol):
    """A place where a model answers. One instance is a target with its options; where it stands is a `Site`."""

    name: str
    kinds: frozenset[Kind]

    def worst_case(self, site: Site) -> Bill:
        """The most that the deployment can cost in its hours without a call: instances at their most, full commitments, storage."""

    def check(self, site: Site) -> None:
        """Return when the account and the Region can hold it; raise Refusal with the exact request to make when they cannot."""

    def deploy(self, site: Site) -> None:
        """Create what the target needs; return when it answers. Raises Refusal with the reason when it cannot; then nothing of it is left."""

    def address(self, site: Site) -> Address:
        """Where it answers. Raises Refusal when it is not deployed there, or not up."""

    def statements(self, site: Site) -> list[dict[str, Any]]:
        """The IAM statements that a caller needs to invoke this target and nothing else."""

    def remove(self, site: Site) -> None:
        """Remove what `deploy` created, and look for it; nothing happens when nothing is there. Raises Refusal with what is left."""
