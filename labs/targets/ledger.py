"""What we are about to create, written down before we create it: whatever is killed, whenever, nothing paid for is forgotten.

The ledger is `ledger.json` in the state folder. An entry is removed only after a look has shown that its resource is gone.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from labs.cloud import Cloud, state


@dataclass(frozen=True)
class Entry:
    """One resource that exists, or existed, or was about to."""

    kind: str
    """"stack", "bucket", or a kind of `removing.KINDS`."""
    name: str
    account_id: str
    region: str
    real: bool
    created_at: str
    expires_at: str
    deployment: str = ""
    """The deployment that it is part of."""
    target: str = ""
    """The target that was deployed."""

    def is_same(self, other: "Entry") -> bool:
        """The same resource, whenever it was entered."""
        return (self.kind, self.name, self.account_id, self.region, self.real) == (
            (other.kind, other.name, other.account_id, other.region, other.real)
        )


def enter(entry: Entry) -> None:
    """Write the entry down; one of the same resource is replaced."""
    with _locked() as entries:
        entries[:] = [other for other in entries if not other.is_same(entry)] + [entry]


def strike(cloud: Cloud, kind: str, name: str) -> None:
    """Take a resource out: it has been looked for, and is not there."""
    with _locked() as entries:
        entries[:] = [other for other in entries if (other.kind, other.name) != (kind, name) or not _in(other, cloud)]


def entries(cloud: Cloud, kind: str | None = None) -> list[Entry]:
    """What is written down for this cloud, oldest first."""
    with _locked(keep=False) as everything:
        return [entry for entry in everything if _in(entry, cloud) and kind in (None, entry.kind)]


def _in(entry: Entry, cloud: Cloud) -> bool:
    return (entry.account_id, entry.region, entry.real) == (cloud.account_id, cloud.region, cloud.real)


@contextmanager
def _locked(keep: bool = True) -> Iterator[list[Entry]]:
    home = state.ensure_home(state.home_folder())
    path = home / "ledger.json"
    with (home / "ledger.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = [Entry(**entry) for entry in json.loads(path.read_text())] if path.exists() else []
        after = list(before)
        yield after
        if keep and after != before:
            state.write_private(path, json.dumps([asdict(entry) for entry in after], indent=2) + "\n")
