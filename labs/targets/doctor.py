"""Is this machine ready for the course? One finding for each thing it needs; each "no" says what to do.

for finding in doctor.examine(): print(finding.passed, finding.says, finding.todo)
"""

import os
import platform
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labs.cloud import kernel, server, state
from labs.errors import Refusal

MEMORY_GIB, DISK_GIB = 2.0, 2.0
"""What the local cloud, a book build and a browser want together."""
SKEW_S = 300.0
"""AWS refuses a request that is signed with a clock further off."""
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    id: str
    passed: bool
    says: str
    todo: str = ""
    """What to do about a "no"."""
    required: bool = True
    """Without it the course does not work; otherwise a part of it does not."""


def examine() -> list[Finding]:
    """Everything, in the order in which it matters; a look that itself fails is a "no"."""
    return [_safely(look) for look in LOOKS]


def is_ready(findings: list[Finding]) -> bool:
    """Has it all that is required?"""
    return all(finding.passed for finding in findings if finding.required)


def _safely(look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except (OSError, Refusal) as failed:
        name = look.__name__.removeprefix("_")
        return Finding(name, False, f"could not be looked at: {failed}", "set that right and run 'lab doctor' again")


def _python() -> Finding:
    version = platform.python_version()
    return Finding(
        "python", sys.version_info >= (3, 11), f"Python {version}", "install Python 3.11 or newer, then 'make setup'"
    )


def _memory() -> Finding:
    gib = _available_bytes() / 2**30
    return Finding(
        "memory",
        gib >= MEMORY_GIB,
        f"{gib:.1f} GiB of memory are free",
        f"close programs until {MEMORY_GIB:g} GiB are free (under WSL: raise 'memory' in .wslconfig)",
    )


def _available_bytes() -> float:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))) * 1024
    except (OSError, StopIteration):  # no Linux: what the machine has
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _disk() -> Finding:
    home = state.home_folder()
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    gib = shutil.disk_usage(existing).free / 2**30
    return Finding(
        "disk",
        gib >= DISK_GIB,
        f"{gib:.1f} GiB are free where {home} is",
        f"free {DISK_GIB:g} GiB there, or name another folder in LAB_HOME",
    )


def _port() -> Finding:
    record = server.running(state.home_folder())
    if record is not None:
        return Finding("port", True, f"the local cloud answers at {record.endpoint_url}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", server.DEFAULT_PORT))
        except OSError:
            return Finding(
                "port",
                False,
                f"port {server.DEFAULT_PORT} is another program's",
                "nothing has to be done: the local cloud takes another one; 'lab cloud up --port N' chooses it",
                required=False,
            )
    return Finding("port", True, f"port {server.DEFAULT_PORT} is free")


def _cloud() -> Finding:
    """Start one, apart from any that runs, and end it."""
    with tempfile.TemporaryDirectory(prefix="lab-doctor-") as folder:
        began = time.monotonic()
        try:
            server.start(Path(folder), port=0, die_with_parent=True)
        except Refusal as refused:
            return Finding("local-cloud", False, f"a local cloud did not start: {refused}", "run 'make setup' again")
        took_s = time.monotonic() - began
        server.stop(Path(folder))
    return Finding("local-cloud", True, f"a local cloud starts in {took_s:.1f} s and stops")


def _kernel() -> Finding:
    from jupyter_client.kernelspec import KernelSpecManager

    found = KernelSpecManager().find_kernel_specs()
    return Finding(
        "kernel",
        kernel.LOCAL in found,
        f"Jupyter {'knows' if kernel.LOCAL in found else 'does not know'} the kernel {kernel.LOCAL}",
        f"{sys.executable} -m labs.cloud.kernel install",
    )


def _chromium() -> Finding:
    path = next(filter(None, map(shutil.which, CHROMIUM)), None) or _playwrights()
    return Finding(
        "chromium",
        path is not None,
        f"a browser for the browser tests: {path or 'none'}",
        "only 'make test' wants one: 'apt-get install chromium' or 'playwright install chromium'",
        required=False,
    )


def _playwrights() -> str | None:
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or "~/.cache/ms-playwright").expanduser()
    return next((str(each) for each in sorted(folder.glob("chromium*")) if each.is_dir()), None)


def _clock() -> Finding:
    """No clock runs before the files that it is asked about were made."""
    newest = max(path.stat().st_mtime for path in Path(__file__).parent.glob("*.py"))
    behind_s = newest - time.time()
    return Finding(
        "clock",
        behind_s <= SKEW_S,
        "the clock stands behind the age of the course's own files" if behind_s > SKEW_S else "the clock is plausible",
        "set the clock (under WSL after a sleep: 'sudo hwclock -s'); AWS refuses requests that are signed more than 5 minutes off",
    )


def _wsl() -> Finding:
    is_wsl = "microsoft" in platform.release().lower()
    on_windows = is_wsl and str(Path(__file__)).startswith("/mnt/")
    says = (
        "under WSL, on a Windows drive" if on_windows else "under WSL, on a Linux drive" if is_wsl else "not under WSL"
    )
    return Finding(
        "wsl",
        not on_windows,
        says,
        "move the folder into WSL's own file system (~/), where files are some ten times as fast and locks work",
        required=False,
    )


def _packages() -> Finding:
    from labs.targets import doctor_packages

    return doctor_packages.look()


LOOKS = (_python, _packages, _memory, _disk, _clock, _wsl, _port, _cloud, _kernel, _chromium)
