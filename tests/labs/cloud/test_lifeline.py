"""Children die with their parent, however it dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import psutil
import pytest

from labs.cloud import environment, server
from labs.cloud.context import Context
from tests.labs.cloud.kit import Aws
from tests.labs.cloud.test_appsync import Events
from tests.labs.cloud.test_function_url import ask, make_public, streaming_function, url_of

PARENT = """
import sys, time
from pathlib import Path
from labs.cloud.context import Context
context = Context(home=Path("."))
for args in ([sys.argv[1]], [sys.argv[1]]):
    sys.stdout.write(f"{context.spawn(args).pid}\\n")  # one write, whole: the children share this pipe
    sys.stdout.flush()
time.sleep(600)
"""


@pytest.fixture
def sleeper(tmp_path: Path) -> Path:
    """A program that starts a child of its own, says so, and then neither of them ends by itself."""
    script = tmp_path / "sleeper.py"
    script.write_text(
        "import subprocess, sys, time\npid = subprocess.Popen(['sleep', '600']).pid\nsys.stdout.write(f'{pid}\\n')\nsys.stdout.flush()\ntime.sleep(600)\n"
    )
    return script


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_children_and_theirs_die_when_the_parent_is_killed(sleeper: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(sleeper)], stdout=subprocess.PIPE, text=True, process_group=0
    )
    assert parent.stdout is not None
    said = [int(parent.stdout.readline()) for _ in range(4)]  # two children, and one child of each
    assert not any(gone(pid) for pid in said)
    parent.kill()
    parent.wait()
    assert until(lambda: all(gone(pid) for pid in said))
    parent.stdout.close()


def test_closing_the_cloud_ends_them_too(sleeper: Path, tmp_path: Path) -> None:
    context = Context(home=tmp_path)
    child = context.spawn([str(sleeper)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())
    context.close()
    assert child.wait(timeout=20) != 0
    assert until(lambda: gone(grandchild))
    child.stdout.close()


def test_a_child_is_an_ordinary_python(tmp_path: Path) -> None:
    """`-m module` finds modules of the working folder, and none of ours by accident; arguments, exit status and environment are its own."""
    (tmp_path / "server.py").write_text(
        "import sys, os\nprint(sys.argv[1:], __name__, os.environ['GREETING'])\nsys.exit(7)\n"
    )
    context = Context(home=tmp_path)
    child = context.spawn(
        ["-m", "server", "a", "-b"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "GREETING": "hello"},
    )
    output, _ = child.communicate(timeout=30)
    assert output.strip() == "['a', '-b'] __main__ hello"
    assert child.returncode == 7
    context.close()


def test_a_child_that_is_told_to_stop_stops_by_itself(sleeper: Path, tmp_path: Path) -> None:
    context = Context(home=tmp_path)
    child = context.spawn([str(sleeper)], stdout=subprocess.DEVNULL)
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=20) == -signal.SIGTERM
    context.close()


class TestPatches:
    """What a context puts into moto comes out again when it closes."""

    def test_are_undone_in_reverse(self, tmp_path: Path) -> None:
        class Owner:
            old = "before"

        context = Context(home=tmp_path)
        assert context.patch(Owner, "old", "one") == "before"
        assert context.patch(Owner, "old", "two") == "one"
        assert context.patch(Owner, "new", 1) is None
        assert (Owner.old, Owner.new) == ("two", 1)  # type: ignore[attr-defined]
        context.close()
        assert Owner.old == "before"
        assert not hasattr(Owner, "new")
        context.close()

    def test_on_an_inherited_name_leave_no_trace(self, tmp_path: Path) -> None:
        class Base:
            name = "inherited"

        class Owner(Base):
            pass

        context = Context(home=tmp_path)
        context.patch(Owner, "name", "own")
        context.close()
        assert "name" not in vars(Owner)


def test_control_plane_waits_pass_faster_by_the_time_scale(tmp_path: Path) -> None:
    assert Context(home=tmp_path, time_scale=60).wait_s(300) == 5


def test_data_planes_and_wrapped_functions_end_with_a_server_that_is_killed(tmp_path: Path) -> None:
    """A function behind a wrapper script is two processes deep, and each data plane has a port of its own."""
    record = server.start(tmp_path / "home", port=0, time_scale=60, die_with_parent=True)
    with pytest.MonkeyPatch.context() as patch:
        base = {name: value for name, value in os.environ.items() if not environment.is_aws_variable(name)}
        for name, value in environment.local_environment(record.endpoint_url, base, home=tmp_path / "home").items():
            patch.setenv(name, value)
        aws = Aws(boto3.Session())
        function = streaming_function(aws)
        make_public(aws, function)
        url = url_of(aws, function, InvokeMode="RESPONSE_STREAM")
        assert ask(url)[0] == 207
        Events(aws)
    alive = psutil.Process(record.pid)
    descendants = alive.children(recursive=True)
    assert len(descendants) >= 2
    listening = [c.laddr.port for c in alive.net_connections() if c.status == psutil.CONN_LISTEN]
    assert len(listening) == 4  # the cloud, the URL, the Event API, the function's runtime API
    os.kill(record.pid, signal.SIGKILL)
    assert until(lambda: all(gone(child.pid) for child in descendants))
    for port in listening:
        with pytest.raises(ConnectionError):
            ask(f"http://127.0.0.1:{port}/")
    server.stop(tmp_path / "home")
