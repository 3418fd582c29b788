"""ministack, another emulator of AWS, in an environment of its own: the proof that our contracts are AWS's and not only ours.

Its packages are pinned in ministack.txt, exact versions with hashes. The environment is made when it is first needed, in pytest's cache.
"""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

CONSTRAINTS = Path(__file__).with_name("ministack.txt")
START_TIMEOUT_S = 60.0


class Unavailable(Exception):  # noqa: N818
    """ministack cannot be had here, and why."""


def installed(cache: Path, pins: Path = CONSTRAINTS) -> Path:
    """Its Python (or that of other pinned packages), in an environment below `cache`, made now if there is none for these versions. Raises Unavailable."""
    digest = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:12]
    venv = cache / f"{pins.stem}-{digest}"
    python = venv / "bin" / "python"
    if (venv / "ready").exists():
        return python
    making = cache / f"making-{os.getpid()}"
    shutil.rmtree(making, ignore_errors=True)
    making.parent.mkdir(parents=True, exist_ok=True)
    try:
        try:
            _make_with_uv(making, pins)
        except (Unavailable, OSError):  # pip knows every pip.conf; uv takes a fifth of the time
            shutil.rmtree(making, ignore_errors=True)
            _make_with_pip(making, pins)
        (making / "ready").touch()
        with suppress(OSError):  # another worker was first
            making.rename(venv)  # its scripts keep the old path, so only its Python is used
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return python


def _make_with_uv(venv: Path, pins: Path) -> None:
    uv = str(Path(sys.executable).with_name("uv"))
    run([uv, "venv", "--quiet", "--python", sys.executable, str(venv)])
    run([uv, "pip", "install", "--python", str(venv), "--quiet", "--require-hashes", "-r", str(pins)])


def _make_with_pip(venv: Path, pins: Path) -> None:
    run([sys.executable, "-m", "venv", str(venv)])
    pip = [str(venv / "bin" / "python"), "-m", "pip"]
    run([*pip, "install", "--quiet", "--require-hashes", "-r", str(pins)])


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=_with_pips_index())
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise Unavailable(f"it cannot be installed: {' '.join(last)}")


def _with_pips_index() -> Mapping[str, str]:
    """This environment, with the index that pip is configured for, which uv does not read."""
    asked = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    index = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return {**({"UV_DEFAULT_INDEX": index} if index else {}), **os.environ}


@contextmanager
def running(python: Path, folder: Path) -> Iterator[tuple[str, int]]:
    """ministack on a free port of loopback: its address and its process id. It is gone afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            [str(python), "-c", "from ministack.app import main; main()"],
            cwd=folder,
            env=environment_of(port, folder),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_for(address, process)
            yield address, process.pid
        finally:
            end(process)


def environment_of(port: int, folder: Path) -> Mapping[str, str]:
    """What its process sees: nothing of our own cloud."""
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "LANG", "PATH")}
    return kept | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "LAMBDA_EXECUTOR": "local",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",  # for the functions that it runs
        "TMPDIR": str(folder),
    }


def wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            opener.open(f"{address}/_ministack/health", timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable("ministack does not come up") from None
            time.sleep(0.05)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End it and the processes of its functions, which share its process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, 15)
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, 9)
    process.wait(10)
