"""The room's events, a line of JSON each, in a file that only grows: what was answered is there when the server comes up again.

    with Journal(folder, plan) as journal:
        journal.do(journal.room.join(key, "Anna"))      # written, then it happens
        journal.room.seats

A line that a dying server left half written was never acknowledged; it is cut off. A line that is damaged in the middle is passed over
and counted. The key of an open poll's pseudonyms lies in a file of its own, which is removed when the poll closes: after that nobody,
with the journal in hand, can say who answered what.
"""

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from labs.cloud import state as states
from labs.errors import NOT_READY, Refusal
from labs.workshop.live.state import FORMAT, BadEventError, Event, Plan, Room

NAME = "room.jsonl"
TEACH = "teach.key"
BALLOT = "ballot-{}.key"
KEY_BYTES = 15


class Journal:
    """A room with its memory; one process at a time has it."""

    def __init__(self, folder: Path, plan: Plan, clock: Callable[[], float] = time.time) -> None:
        """Read what has happened here. Raises Refusal when another server has the folder, or it cannot be written to."""
        self.path, self.clock = folder / NAME, clock
        self.damaged: list[str] = []
        """Lines that could not be read: "line 12: why"."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as failed:
            raise Refusal(
                f"the room's journal {self.path} cannot be opened ({failed.strerror}); name another folder with --folder",
                NOT_READY,
            ) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise Refusal(
                f"another server has this room ({folder}); stop it, or name another folder with --folder", NOT_READY
            ) from None
        self.room = Room(plan)
        self._ballot = 0, ""
        try:
            self._read()
            self.teach_key = self._kept(TEACH)
        except BaseException:
            os.close(self._file)
            raise
        self._sweep()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    # -- events

    def do(self, event: Event | None) -> None:
        """Write an event down, then let it happen; None is none. Raises OSError, and nothing happens, when the disk does not take it."""
        if event is None:
            return
        # An answer has the time of its question: when it came would say something about who sent it.
        asked = self.room.open_round if event["type"] == "answer" else None
        stamped = {"at": round(self.clock(), 3) if asked is None else asked.opened_at, **event}
        line = json.dumps(stamped, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            written = os.write(self._file, line)
            if written < len(line):
                raise OSError("the disk is full")
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, end)
            raise
        self.room.apply(json.loads(line))
        if event["type"] == "close":
            self._forget(event["round"])

    def _read(self) -> None:
        with open(self.path, "rb") as file:  # noqa: PTH123 - a second handle, so that the one with the lock stays where it is
            whole = file.read()
        end = whole.rfind(b"\n") + 1
        for number, line in enumerate(whole[:end].splitlines(), 1):
            if problem := self._happened(line):
                self.damaged.append(f"line {number}: {problem}")
        rest = whole[end:]
        if rest and not self._happened(rest):
            os.write(self._file, b"\n")
        elif rest:
            os.ftruncate(self._file, end)
        if not whole[:end]:
            self.do({"type": "room", "format": FORMAT})

    def _happened(self, line: bytes) -> str:
        """Let a line happen; what is wrong with it, if something is."""
        try:
            event = json.loads(line)
            if not isinstance(event, dict):
                return "it is no event"
            if event.get("type") == "room" and event.get("format") != FORMAT:
                raise Refusal(
                    f"{self.path} was written by another version of the course; name another folder with --folder",
                    NOT_READY,
                )
            self.room.apply(event)
        except (ValueError, RecursionError) as wrong:
            return (
                "it is no event of ours: " + str(wrong)[:120] if isinstance(wrong, BadEventError) else "it is not JSON"
            )
        return ""

    # -- keys

    def _kept(self, name: str) -> str:
        path = self.path.with_name(name)
        with suppress(OSError):
            if (found := path.read_text("ascii", "replace").strip()) and len(found) >= KEY_BYTES:
                return found
        made = secrets.token_urlsafe(KEY_BYTES)
        try:
            states.write_private(path, made + "\n")
        except OSError as failed:
            raise Refusal(f"the room's key {path} cannot be written ({failed.strerror})", NOT_READY) from None
        return made

    def voter(self, key: str) -> str:
        """The pseudonym of whoever has this key, in the poll that is open; it says nothing once that is closed."""
        asked = self.room.open_round
        number = asked.number if asked is not None else 0
        if number != self._ballot[0]:
            self._ballot = number, self._kept(BALLOT.format(number)) if number else ""
        return hmac.new(self._ballot[1].encode(), key.encode(), hashlib.sha256).hexdigest()[:24]

    def _forget(self, number: int) -> None:
        self._ballot = 0, ""
        with suppress(FileNotFoundError):
            self.path.with_name(BALLOT.format(number)).unlink()

    def _sweep(self) -> None:
        """Keys of polls that were closed by a server that died before it could remove them."""
        asked = self.room.open_round
        wanted = BALLOT.format(asked.number) if asked is not None else ""
        for path in self.path.parent.glob(BALLOT.format("*")):
            if path.name != wanted:
                path.unlink(missing_ok=True)
