"""A kit that the room's server holds: what this machine wants of it, fetched into a folder here. Standard library only, as `kit`.

folder = fetching.fetch("http://192.168.1.10:8000/kit", Path(".venv/kit"), Path("constraints.txt"), kit.this_machine())
"""

import http.client
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

from labs.errors import NOT_READY, Refusal
from labs.workshop import kit
from labs.workshop.kit import Entry, Machine

AT_ONCE = 4
"""Connections of one student; forty of them share the room's network."""
PATIENCE_S = 60.0
LARGEST_MANIFEST_BYTES = 50_000_000


def fetch(address: str, to: Path, constraints: Path, machine: Machine) -> Path:
    """Fetch what is not there yet; returns `to`, which is then a kit for this machine. Raises Refusal; a second try goes on from there."""
    base = address.rstrip("/")
    content = _get(f"{base}/{kit.MANIFEST}", LARGEST_MANIFEST_BYTES)
    manifest = kit.parse(content, f"{base}/{kit.MANIFEST}")
    kit.require_current(manifest, constraints)
    names = kit.wanted_files(manifest, kit.for_machine(manifest, machine))
    todo = [name for name in names if not kit._is_whole(to / name, manifest.files[name])]
    size_bytes = sum(manifest.files[name].size_bytes for name in todo)
    print(f"setup: fetching {len(todo)} files ({size_bytes / 1e6:.0f} MB) from {base} ...", file=sys.stderr)
    (to / kit.WHEELS).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(lambda name: _fetch_file(base, name, to, manifest.files[name]), todo):
            pass
    (to / kit.MANIFEST).write_bytes(content)
    return to


def _fetch_file(base: str, name: str, to: Path, entry: Entry) -> None:
    content = _get(f"{base}/{quote(name)}", entry.size_bytes)
    part = to / f"{name}.part"
    part.write_bytes(content)
    part.replace(to / name)


def _get(address: str, most_bytes: int) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the room is next door
    try:
        with opener.open(address, timeout=PATIENCE_S) as answer:
            content: bytes = answer.read(most_bytes + 1)
    except urllib.error.HTTPError as refused:
        raise Refusal(
            f"{address} answers {refused.code}; ask the instructor for the kit's address", NOT_READY
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as failed:
        reason = getattr(failed, "reason", failed)
        raise Refusal(
            f"{address} cannot be reached ({reason}); is this machine in the room's network? Then try again", NOT_READY
        ) from None
    return content[:most_bytes]
