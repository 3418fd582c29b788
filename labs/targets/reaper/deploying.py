"""Put the reaper into an account, before the first thing that costs money there; take it away with the last.

deploying.ensure(where, tell=print)        # before a deployment on AWS
deploying.remove_if_last(where, tell)      # after a teardown: when nothing else of ours is there
"""

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from labs.cloud import Cloud
from labs.errors import Refusal
from labs.targets import ledger, removing, stacks, staging, tagged
from labs.targets.reaper import function
from labs.targets.stacked import TEMPLATES

NAME = f"{stacks.PROJECT}-reaper"
HOURS = 24 * 365.0
"""Its own expiry, which nobody acts on: it goes when nothing else is there."""
FILES = (function.__file__, removing.__file__, tagged.__file__)


def package() -> tuple[str, bytes]:
    """Key and content of its code: the same content gives the same key, on every machine."""
    made = io.BytesIO()
    digest = hashlib.sha256()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in map(Path, FILES):
            entry = zipfile.ZipInfo(path.name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # Unix, readable by all: Lambda needs that
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
            digest.update(path.read_bytes())
    return f"reaper/{digest.hexdigest()[:16]}.zip", made.getvalue()


class Reaper:
    """What `permissions.policy` wants to know of it."""

    name = "reaper"

    def template(self, site: object = None) -> str:  # noqa: ARG002 - as a target's
        """Its template's text."""
        return (TEMPLATES / "reaper.yaml").read_text(encoding="utf-8")


def ensure(where: Cloud, tell: Callable[[str], object]) -> None:
    """Return when it stands. Raises Refusal when it cannot: then nothing that costs money may start."""
    there = stacks.find(NAME)
    if there is not None and there.status == "CREATE_COMPLETE":
        return
    if there is not None:  # a run that was killed half-way began it
        tell("removing a reaper that is not whole")
        if left := stacks.delete(where, NAME, tell):
            raise Refusal(f"a reaper that is not whole could not be removed: {', '.join(map(str, left))}")
    tell("the reaper first, which removes what has expired")
    key, content = package()
    try:
        parameters = {"CodeBucket": staging.put(where, key, content, HOURS), "CodeKey": key}
        stacks.create(where, NAME, Reaper().template(), parameters, hours=HOURS, tell=tell)
    except Refusal:
        remove_if_last(where, tell)
        raise


def remove_if_last(where: Cloud, tell: Callable[[str], object]) -> list[str]:
    """Remove the reaper and the bucket of its code when nothing else of ours is known there; what is left of it."""
    others = [stack for stack in stacks.listed(where) if stack.name != NAME]
    steps = [entry for entry in ledger.entries(where) if entry.deployment not in ("", NAME)]
    if others or steps:
        return []
    left = [str(one) for one in stacks.delete(where, NAME, tell)]
    if not left:
        staging.remove(where)
    return left
