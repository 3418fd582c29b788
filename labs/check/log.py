"""What the checks have said on this machine, a line of JSON each: LAB_HOME/checks.jsonl.

It is the learner's own and proves nothing: it only says how far one is. Nothing that is graded is read from it.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labs.cloud import state


def path() -> Path:
    """Where it is; it need not exist."""
    return state.home_folder() / "checks.jsonl"


def add(slug: str, report: dict[str, Any]) -> None:
    """Put a report down. Where that cannot be done, nothing is: feedback matters more."""
    checks = {
        each["id"]: {name: each[name] for name in ("task", "stretch", "score", "max")}
        for each in report.get("checks", [])
    }
    if not checks:
        return
    line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), "lab": slug, "checks": checks}) + "\n"
    with suppress(OSError):
        handle = os.open(path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)


def entries() -> Iterator[dict[str, Any]]:
    """All of it, oldest first; a line that is none is passed over."""
    try:
        lines = path().read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        with suppress(ValueError, RecursionError):
            said = json.loads(line)
            if isinstance(said, dict) and isinstance(said.get("checks"), dict) and isinstance(said.get("lab"), str):
                yield said
