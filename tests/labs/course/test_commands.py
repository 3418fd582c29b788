"""`make course`, `make book` and `lab serve` as a user meets them, processes and all."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from mini_course import lab_of

from labs import terminal
from labs.course import commands
from labs.course.layout import Layout
from labs.errors import NOT_READY


@contextmanager
def running(course: Layout, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m labs.course` in that course, in a session of its own, as from a terminal."""
    temporary = course.root / "tmp"  # the labs' clouds work in there, where `processes_in` sees them
    temporary.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "labs.course", *arguments],
        cwd=course.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "TMPDIR": str(temporary)},
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    """What it prints up to and with a line that matches."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if re.search(pattern, line):
            return said
    pytest.fail(f"ended without saying {pattern!r}:\n{said}")


def processes_in(folder: Path) -> list[psutil.Process]:
    """Every process that works in this folder: the command, its children, kernels, local clouds."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found


def gone(folder: Path, within_s: float = 20.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not processes_in(folder):
            return True
        time.sleep(0.1)
    return False


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def test_the_text_is_up_while_the_labs_run_and_the_outputs_come_in_behind_it(
    new_course: Callable[[str], Layout],
) -> None:
    go = "import pathlib, time\nwhile not pathlib.Path('go').exists():\n    time.sleep(0.05)\nprint(6 * 7, 'it is')"
    course = new_course(lab_of(go))
    with running(course, "--port", "0") as process:
        url = re.search(r"http://127\.0\.0\.1:\d+/", read_until(process, r"The book: "))[0]  # type: ignore[index]
        before = get(f"{url}labs/01-lab.html")
        assert "6 * 7" in re.sub(r"<[^>]+>", "", before)
        assert "42 it is" not in before
        read_until(process, r"lab 01-lab: 0 of 1 cells")
        state = json.loads(get(f"{url}_course/state.json"))
        assert state["final"] is False
        assert "01-lab: 0 of 1 cells" in state["text"]
        (course.notebooks / "go").touch()
        read_until(process, r"their outputs are in")
        assert "42 it is" in get(f"{url}labs/01-lab.html")
        assert json.loads(get(f"{url}_course/state.json"))["generation"] == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert gone(course.root)


def test_a_lab_that_fails_leaves_the_text_up_and_shows_in_the_exit_status(
    new_course: Callable[[str], Layout],
) -> None:
    course = new_course(lab_of("1 / 0"))
    with running(course, "--port", "0") as process:
        url = re.search(r"http://127\.0\.0\.1:\d+/", read_until(process, r"The book: "))[0]  # type: ignore[index]
        assert "code cell 1 of 1" in read_until(process, r"The text stays up")
        assert "1 / 0" in re.sub(r"<[^>]+>", "", get(f"{url}labs/01-lab.html")).replace("\xa0", " ")
        assert "the terminal says why" in get(f"{url}_course/state.json")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 1


def wait_for(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_however_it_is_stopped_no_process_is_left(new_course: Callable[[str], Layout], sign: signal.Signals) -> None:
    course = new_course(lab_of("import time\ntime.sleep(600)"))
    with running(course, "--port", "0") as process:
        read_until(process, r"lab 01-lab: 0 of 1 cells")
        wait_for(lambda: len(processes_in(course.root)) >= 4)  # the command, its child, the kernel, the local cloud
        os.kill(process.pid, sign)  # to the one process, as a terminal's Ctrl-C is to its foreground
        process.wait(30)
        assert gone(course.root)


def test_a_port_that_is_taken_is_told_before_anything_is_built(course: Layout) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "labs.course", "--port", port],
            cwd=course.root,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == NOT_READY
    assert f"Port {port} is taken" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not course.build.exists()


def test_make_book_says_what_it_did(course: Layout) -> None:
    def build(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "labs.course", "build", *arguments]
        return subprocess.run(command, cwd=course.root, capture_output=True, text=True, timeout=120, check=False)

    first = build("--json")
    assert first.returncode == 0, first.stderr
    said = json.loads(first.stdout)
    assert said["changed"] is True
    assert [(lab["lab"], lab["cells"], lab["done"]) for lab in said["labs"]] == [("01-lab", 2, True)]
    assert (course.site / "index.html").exists()
    second = build()
    assert second.returncode == 0
    assert "Nothing has changed" in second.stdout


def test_serving_without_a_built_book_says_what_to_do(
    course: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(course.root)
    assert terminal.run(commands.serve, "lab serve", []) == NOT_READY
    assert "make book" in capsys.readouterr().err


def test_wrong_usage_is_one_sentence() -> None:
    answer = CliRunner().invoke(commands.serve, ["--port", "70000"])
    assert answer.exit_code == 2
    assert "70000" in answer.output
