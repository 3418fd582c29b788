"""What the tests have workers do: a worker imports it by its name."""

import os
import signal
import time
from pathlib import Path


def double(number: int) -> int:
    return 2 * number


def die_once(folder: str, number: int) -> int:
    """The first worker that is to do number 2 is gone, as if somebody had pulled its plug."""
    mark = Path(folder) / "died"
    if number == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refuse_one(number: int) -> int:
    if number == 1:
        raise ValueError("one is not wanted here")
    return number


def begin(folder: str, number: int) -> int:
    """Says that it began; all but number 0 wait to be let go."""
    (Path(folder) / f"began-{number}").touch()
    deadline = time.monotonic() + 60
    while number and not (Path(folder) / "go").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return number
