"""Local clouds by the dozen: one process imports all that a cloud needs, and each cloud is a fork of it, new and up in a moment.

    with nursery.Nursery() as clouds:
        record = clouds.cloud(home)          # a local cloud of its own, out of this folder
        ...
        server.stop(home)

A server that is started the usual way imports moto for seconds of processor time; a fork has it from its parent. Nothing of one
cloud's state reaches another: they share what was imported, and a fork writes to copies.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labs.cloud import environment, lifeline, server, state
from labs.cloud.state import ServerRecord
from labs.errors import NOT_READY, Refusal


def prepare() -> None:
    """Import all that a cloud needs, and start no thread: from here on this process can be forked."""
    server.spare_imports()
    from moto.core.utils import get_service_model

    import labs.cloud.application
    import labs.cloud.standin  # noqa: F401
    from labs.cloud import extension
    from labs.cloud.context import Context

    # Moto has to be imported under our patches. This cloud is none that anybody can call: it has no address, so it starts no thread.
    with tempfile.TemporaryDirectory() as folder:
        context = Context(home=Path(folder))
        installed = extension.install(context)
        installed.open_account()
        installed.warm_up(*extension.SERVICES, "sts", "logs")
        for model in ("bedrock", "bedrock-agent", "bedrock-runtime"):
            get_service_model(model)
        context.close()


def hold_still() -> None:
    """Before forks: what is there now stays, so no fork's collector needs to walk over it, and copy it by doing so."""
    gc.collect()
    gc.freeze()


def be_cloud(home: Path, time_scale: float, report: Callable[[dict[str, Any]], None]) -> None:
    """In a fork of a prepared process: be a cloud out of `home`, on any free port, until told to stop."""
    # Its port is known only when it is bound; the server then puts its own address in.
    environment._replace_environment(environment.local_environment("http://127.0.0.1:1", home=home))
    server.be(state.ensure_home(home), 0, time_scale, report)


class Nursery:
    """A prepared process, and the asking of it. Its clouds die with the process that holds this, however that ends."""

    def __enter__(self) -> "Nursery":
        watched, self._held = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "labs.check.nursery", str(watched)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment.local_environment("http://127.0.0.1:1") | server.LESS_MEMORY,
            pass_fds=[watched],
            start_new_session=True,
            text=True,
        )
        os.close(watched)
        return self

    def cloud(self, home: Path, time_scale: float = server.DEFAULT_TIME_SCALE) -> ServerRecord:
        """A new cloud out of `home`; `server.stop(home)` ends it. Raises Refusal when it does not come up."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"home": str(home), "time_scale": time_scale}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or "{}")
        if "endpoint_url" not in answer:
            raise Refusal(f"A cloud did not come up: {answer.get('error', 'the nursery has ended')}.", NOT_READY)
        return ServerRecord(**answer)

    def __exit__(self, *_: object) -> None:
        os.close(self._held)
        self._process.communicate()


def main() -> None:
    """`python -m labs.check.nursery LIFELINE_FD`: one cloud for each line of JSON on standard input."""
    watched = int(sys.argv[1])
    prepare()
    hold_still()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the clouds; the system is to bury them
    for line in sys.stdin:
        order = json.loads(line)
        ready, told = os.pipe()
        if os.fork() == 0:
            os.close(ready)
            _be_child(watched, Path(order["home"]), order["time_scale"], told)
        os.close(told)
        said = server._read_line(ready, server.START_TIMEOUT_S)
        os.close(ready)
        sys.stdout.write((said or b"{}").decode().rstrip("\n") + "\n")
        sys.stdout.flush()


def _be_child(watched: int, home: Path, time_scale: float, told: int) -> None:
    """The fork: never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    state.ensure_home(home)
    log = os.open(home / "server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for mine, instead in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
        os.dup2(mine, instead)
    lifeline.hold(watched, kill_group=False)

    def report(answer: dict[str, Any]) -> None:
        os.write(told, json.dumps(answer).encode() + b"\n")
        os.close(told)

    try:
        be_cloud(home, time_scale, report)
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
