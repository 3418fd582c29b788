"""Run a command where there is no network: `command(["make", "setup"])` is what to run instead.

On Linux in a network namespace of its own, with nothing but loopback in it. Where nobody may make one, with every proxy and index pointing
at a port where nothing listens, which is weaker: it shows what pip, uv and urllib ask, and nothing else.
"""

import fcntl
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

NOWHERE = "http://127.0.0.1:9"
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


@cache
def namespace() -> tuple[str, ...]:
    """How to make a network namespace here; empty where nobody may."""
    for command in (("unshare", "-rn"), ("unshare", "-n")):
        try:
            if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
                return command
        except FileNotFoundError:
            break
    return ()


def command(arguments: Sequence[str]) -> list[str]:
    """What to run in place of `arguments`."""
    return [*namespace(), sys.executable, str(Path(__file__).resolve()), *arguments] if namespace() else list(arguments)


def surroundings(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would help a package manager, and with nothing to ask."""
    kept = {
        name: value
        for name, value in environment.items()
        if not name.startswith(("PIP_", "UV_", "PYTHON", "VIRTUAL_ENV", "MAKE", "MFLAGS"))
    }
    closed = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), NOWHERE)
    return kept | closed | {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def _no_route() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return
    sys.exit("there is a route out of here")


if __name__ == "__main__":
    _loopback_up()
    _no_route()
    os.execvp(sys.argv[1], sys.argv[1:])
