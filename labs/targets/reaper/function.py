"""The reaper's function: removes every expired resource of the course's, in a stack or not, and at last its own stack.

It is packed with `removing.py` and `tagged.py` beside it and nothing else, and knows what is ours, and until when, by tags.
"""

import os
from datetime import UTC, datetime
from typing import Any

try:
    import removing  # type: ignore[import-not-found]  # in the package they lie beside this file
    import tagged  # type: ignore[import-not-found]
except ImportError:
    from labs.targets import removing, tagged


def handler(event: object = None, context: object = None) -> dict[str, Any]:  # noqa: ARG001
    """One look: ask for the removal of what has expired. What is not gone yet is met again at the next look."""
    now = datetime.now(UTC)
    own, bucket = os.environ.get("REAPER_STACK", ""), os.environ.get("CODE_BUCKET", "")
    order = list(removing.KINDS)
    things, failed = tagged.found(os.environ["AWS_REGION"], os.environ.get("PROJECT", tagged.PROJECT))
    others = [thing for thing in things if (thing.kind, thing.name) not in (("stack", own), ("bucket", bucket))]
    pending = []
    for thing in sorted(others, key=lambda each: order.index(each.kind)):
        what = f"{thing.kind} {thing.name}"
        try:
            if expires(thing.expires_at) <= now:
                removing.remove(thing.kind, thing.name)
                if not removing.there(thing.kind, thing.name):
                    continue
        except Exception as refused:
            failed.append(f"{what}: {refused}")
        pending.append(what)
    over = bool(own) and not pending and not failed  # what could not be looked for may be there
    if over:
        if bucket:
            removing.remove("bucket", bucket)
        removing.remove("stack", own)
    return {"pending": pending, "failed": failed, "removes_itself": over}


def expires(at: str) -> datetime:
    """When it may go; what does not say so, or not in a way that can be read, stays."""
    try:
        return datetime.fromisoformat(at.replace("Z", "+00:00"))
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
