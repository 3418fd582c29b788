"""Where a local cloud keeps its things, and how to know that one is running.

The folder is `$LAB_HOME`, else `$XDG_STATE_HOME/deployment-dilemma`, else `~/.local/state/deployment-dilemma`, readable by its owner only.

    server.json   what the running server says of itself
    server.lock   locked by the server as long as it lives: the kernel lets go of it however the server dies, so no process id
                  that the system has since given to somebody else is ever mistaken for the server
    start.lock    locked by whoever is starting a server: of two starting at once, one starts and the other finds it
    server.log    what the server had to say
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from labs.errors import NOT_READY, Refusal

PROVENANCE = "predicted by the serving model"
"""What every timing from the local cloud is."""


@dataclass(frozen=True)
class ServerRecord:
    """A running local cloud: what other processes need to talk to it."""

    endpoint_url: str
    pid: int
    time_scale: float
    token: str
    """What the control routes under /_lab/ ask for; whoever can read the state folder has it."""
    provenance: str = PROVENANCE
    texts: str = "a stand-in's, not a model's"
    """Whose words its models answer with."""

    def public(self) -> dict[str, object]:
        """All but the token."""
        return {name: value for name, value in asdict(self).items() if name != "token"}


def home_folder() -> Path:
    """The state folder that the environment names; it need not exist yet."""
    if chosen := os.environ.get("LAB_HOME"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "deployment-dilemma"


def ensure_home(home: Path) -> Path:
    """Make the state folder, for its owner only. Raises Refusal when that cannot be done."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as failed:
        raise Refusal(
            f"The state folder {home} cannot be made ({failed.strerror}); name another in LAB_HOME.", NOT_READY
        ) from None
    if not os.access(home, os.W_OK | os.X_OK):
        raise Refusal(f"The state folder {home} cannot be written to; name another in LAB_HOME.", NOT_READY)
    return home


def write_record(home: Path, record: ServerRecord) -> None:
    """Put the record down in one step: a reader sees the old one or the new one, never half."""
    write_private(home / "server.json", json.dumps(asdict(record), indent=2) + "\n")


def read_record(home: Path) -> ServerRecord | None:
    """The last record written; whether its server still lives, `alive` says. None when there is none or it is not readable as one."""
    try:
        return ServerRecord(**json.loads((home / "server.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def remove_record(home: Path) -> None:
    """Take away what the last server said of itself."""
    with suppress(FileNotFoundError):
        (home / "server.json").unlink()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in one step."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


@dataclass(frozen=True)
class LifeLock:
    """server.lock, held by this process until it ends."""

    path: Path
    descriptor: int

    def is_in_place(self) -> bool:
        """Is the file that we hold still the one that others look at? Not when the state folder was removed under us."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), self.path.stat())
        except OSError:
            return False


def lock_for_life(home: Path) -> LifeLock | None:
    """Take server.lock until this process ends; None when a living server has it."""
    descriptor = os.open(home / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)  # never closed: closing would let go
    for attempt in range(5):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02 * attempt)  # `alive` holds it for an instant while it asks
        else:
            return LifeLock(home / "server.lock", descriptor)
    os.close(descriptor)
    return None


def alive(home: Path) -> bool:
    """Does a living process hold server.lock?"""
    try:
        descriptor = os.open(home / "server.lock", os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def starting(home: Path) -> Iterator[None]:
    """Hold start.lock; waits while another process is starting a server here."""
    descriptor = os.open(ensure_home(home) / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
