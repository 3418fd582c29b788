"""Telling a workshop's room how far one is; only where a room was joined (`lab room join`), and never more than this:

    {"seat": the secret of one's seat, "lab": "06-squid", "tasks": {"3": true}}

The room is named by LAB_HOME/room.json, or by LAB_ROOM=http://192.168.1.10:8000/#SEAT; LAB_ROOM=off is silent. A room that is gone costs
half a second at most, and no word.
"""

import json
import os
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from labs.cloud import state
from labs.errors import FALSE, NOT_READY, USAGE, Refusal

ROOM = "LAB_ROOM"
LIMIT_S = 0.5
LARGEST_ANSWER_BYTES = 65_536


@dataclass(frozen=True)
class Joined:
    """A seat in a room."""

    url: str
    """of the room; ends in a slash"""
    seat: str
    """the secret that says whose seat it is"""
    name: str = ""


def path() -> Path:
    """Where the seat is kept; it need not exist."""
    return state.home_folder() / "room.json"


def kept() -> Joined | None:
    """The seat that is kept on this machine."""
    try:
        said = json.loads(path().read_text("utf-8"))
        return Joined(str(said["url"]), str(said["seat"]), str(said.get("name", "")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def keep(joined: Joined) -> None:
    """Keep a seat. Raises Refusal when that cannot be done."""
    try:
        state.write_private(state.ensure_home(path().parent) / path().name, json.dumps(asdict(joined)) + "\n")
    except OSError as failed:
        raise Refusal(f"the seat cannot be kept in {path()} ({failed.strerror})", NOT_READY) from None


def joined(environ: Mapping[str, str] = os.environ) -> Joined | None:
    """The room that is told, if one is."""
    said = environ.get(ROOM)
    if not said:
        return kept()
    try:
        url, _, seat = said.partition("#")
        url = address(url)
    except Refusal:  # "off", for one
        return None
    mine = kept()
    if seat:
        return Joined(url, seat)
    return mine if mine is not None and mine.url == url else None


def address(url: str) -> str:
    """A room's address as it is kept: scheme, host and port, and a slash. Refusal for what is none."""
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        port = parts.port
    except ValueError:
        raise Refusal(f"'{url}' is no address of a room; it looks like http://192.168.1.10:8000", USAGE) from None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or ("//" not in url and port is None):
        raise Refusal(f"'{url}' is no address of a room; it looks like http://192.168.1.10:8000", USAGE)
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{'' if port is None else f':{port}'}/"


def tell(slug: str, report: Mapping[str, Any]) -> None:
    """Send what the checks said of each task; whatever goes wrong, goes wrong in silence."""
    mine, tasks = joined(), tasks_of(report.get("checks", ()))
    if mine is None or not tasks:
        return
    body = {"seat": mine.seat, "lab": slug, "tasks": tasks}

    def send() -> None:
        with suppress(Exception):  # nothing that happens here is a learner's trouble
            post(mine.url, "api/report", body, LIMIT_S)

    # A thread, since looking a name up has no limit of its own; who waits for it waits for so long and no longer.
    with suppress(RuntimeError):  # a browser's Python has no threads, and no room either
        sending = threading.Thread(target=send, name="room", daemon=True)
        sending.start()
        sending.join(LIMIT_S)


def tasks_of(checks: Iterable[Mapping[str, Any]]) -> dict[str, bool]:
    """Task: whether all of its checks have passed. A check is as in `lab check --json`, or as in the log."""
    found: dict[str, bool] = {}
    for each in checks:
        with suppress(KeyError, TypeError, ValueError):
            passed = bool(each["passed"]) if "passed" in each else float(each["score"]) >= float(each["max"])
            task = str(int(each["task"]))
            found[task] = found.get(task, True) and passed
    return found


def post(url: str, call: str, body: Mapping[str, Any], limit_s: float = 5.0) -> dict[str, Any]:
    """What the room answers. Raises Refusal when it refuses, in its words, and when it cannot be reached."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=limit_s)  # no proxy: a room is next to us
    try:
        connection.request("POST", f"/{call}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = json.loads(answer.read(LARGEST_ANSWER_BYTES))
        if not isinstance(said, dict):
            raise ValueError
    except (OSError, HTTPException) as gone:
        raise Refusal(
            f"the room {url} does not answer ({_why(gone)}): this machine is not in its network, or the server is not up",
            NOT_READY,
        ) from None
    except (ValueError, RecursionError):
        raise Refusal(f"what answers at {url} is no room of this course", NOT_READY) from None
    finally:
        connection.close()
    if answer.status != 200:
        raise Refusal(str(said.get("error", f"the room answered {answer.status}"))[:300].rstrip("."), FALSE)
    return said


def _why(gone: Exception) -> str:
    return (gone.strerror if isinstance(gone, OSError) else None) or str(gone) or type(gone).__name__
