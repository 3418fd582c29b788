"""What CloudFormation cannot make, made by hand: each resource is written down before it exists, and removed in order until a look finds none.

steps.take(site, self.name, "imported-model", name, lambda: bedrock.create_model_import_job(...))
left = steps.remove(site.cloud, site.name)      # [] when everything of the deployment is gone
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud import Cloud
from labs.targets import ledger, removing, stacks
from labs.targets.base import Site
from labs.targets.ledger import Entry

PATIENCE_S = 300.0
"""How long one resource may take to go before it is named as left."""

T = TypeVar("T")


def take(site: Site, target: str, kind: str, name: str, create: Callable[[], T]) -> T:
    """Enter the resource in the ledger, then create it; whatever `create` raises, the entry stays until a look finds nothing."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    where = site.cloud
    ledger.enter(
        Entry(
            kind,
            name,
            where.account_id,
            where.region,
            where.real,
            now,
            stacks.tags(site.hours)["Expires"],
            deployment=site.name,
            target=target,
        )
    )
    return create()


def entries(cloud: Cloud, deployment: str) -> list[Entry]:
    """What the ledger holds of a deployment, in the order in which it must go."""
    order = list(removing.KINDS)
    newest_first = ledger.entries(cloud)[::-1]
    found = [entry for entry in newest_first if entry.deployment == deployment and entry.kind in order]
    return sorted(found, key=lambda entry: order.index(entry.kind))


def remove(
    cloud: Cloud, deployment: str, tell: Callable[[str], object] = lambda _: None, patience_s: float = PATIENCE_S
) -> list[str]:
    """Remove everything of a deployment that the ledger holds, and look; returns what is left, each with the reason."""
    left = []
    for entry in entries(cloud, deployment):
        tell(f"removing {entry.kind} {entry.name}")
        why = until_gone(entry.kind, entry.name, patience_s)
        if why is None:
            ledger.strike(cloud, entry.kind, entry.name)
        else:
            left.append(f"{entry.kind} {entry.name} ({why})")
    return left


def until_gone(kind: str, name: str, patience_s: float = PATIENCE_S) -> str | None:
    """Ask for its removal until it is gone; why it is still there when patience ends."""
    deadline, pause_s = time.monotonic() + patience_s, 0.1
    while True:
        why = "still there"
        try:
            if not removing.there(kind, name):
                return None
            removing.remove(kind, name)
            if not removing.there(kind, name):
                return None
        except removing.Bound as bound:
            return str(bound.response["Error"]["Message"])
        except ClientError as refused:  # busy being made, in use, throttled: ask again until patience ends
            error = refused.response["Error"]
            why = f"{error.get('Message', '').rstrip('.')} ({error['Code']})"
            if error["Code"].startswith("AccessDenied"):
                return why
        except BotoCoreError as broken:
            why = str(broken)
        if time.monotonic() > deadline:
            return why
        time.sleep(pause_s)
        pause_s = min(10.0, pause_s * 1.6)
