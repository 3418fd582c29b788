"""`quiz exam` in a real terminal: sat, killed, gone on with, handed in; and what it says where there is no terminal."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from quizzes.cli import cli

TRIAL = Path(__file__).parent / "bank"
COLOURS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    return tmp_path


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, ["exam", *args])


RUNNING: list[int] = []


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Ends what a failed test has left running."""
    yield
    while RUNNING:
        pid = RUNNING.pop()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


class Terminal:
    """A `quiz exam` at a terminal of 80 × 24."""

    def __init__(self, *args: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, [sys.executable, "-m", "quizzes.cli", "exam", "--bank", str(TRIAL), *args])
        RUNNING.append(self.pid)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.said = ""

    def wait_for(self, text: str) -> None:
        """Read on until `text` is on the screen."""
        until = time.monotonic() + 60
        while text not in COLOURS.sub("", self.said):
            assert time.monotonic() < until, f"no {text!r} in {self.said[-2000:]!r}"
            if select.select([self.fd], [], [], 1)[0]:
                try:
                    self.said += os.read(self.fd, 65536).decode("utf-8", "replace")
                except OSError:  # Linux says so when the other side has closed
                    assert text in COLOURS.sub("", self.said), self.said[-2000:]
                    return

    def type(self, keys: str) -> None:
        self.said = ""
        os.write(self.fd, keys.encode())

    def end(self) -> int:
        """Its exit status, once it has ended by itself."""
        try:
            while os.read(self.fd, 65536):
                pass
        except OSError:
            pass
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        RUNNING.remove(self.pid)
        os.close(self.fd)
        return status


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("nothing_left")
def test_an_exam_is_sat_killed_gone_on_with_and_handed_in(home: Path) -> None:
    first = Terminal("--questions", "2", "--minutes", "30")
    first.wait_for("Enter starts the clock: 2 questions, 30 minutes")
    first.type("\r")
    first.wait_for("Question 1 of 2")
    first.type("m")
    first.wait_for("⚑ marked")
    os.kill(first.pid, signal.SIGKILL)
    assert first.end() == -signal.SIGKILL
    second = Terminal()
    second.wait_for("A sitting is under way: 0 of 2 answered")
    second.type("\r")
    second.wait_for("⚑ marked")
    second.type("\x03")  # Ctrl-C
    second.wait_for("all kept; the clock runs on")
    assert second.end() == 1
    third = Terminal()
    third.wait_for("Enter goes on")
    third.type("\r")
    third.wait_for("Question 1 of 2")
    third.type("rs")
    third.wait_for("2 are still open. Hand in now?")
    third.type("y")
    third.wait_for("0 of 2 right, 0 %")
    third.wait_for("A retake has other questions")
    assert third.end() == 0
    shown = json.loads(run("--last", "--json", "--bank", str(TRIAL)).stdout)
    assert (shown["right"], shown["n"]) == (0, 2)
    assert shown["interval_percent"][1] == pytest.approx(65.76, abs=0.01)  # 3.8415 / (2 + 3.8415)
    log = [
        json.loads(line)
        for line in (home / "attempts" / "exam-deployment-practice.jsonl").read_text("utf-8").splitlines()
    ]
    assert {said["context"]["registration"] for said in log} == {shown["sitting"]}
    assert [said["result"]["success"] for said in log] == [False] * 2
    reasons = run("--last", "--reasons", "--bank", str(TRIAL))
    assert reasons.output.count("○ left open") == 2


@pytest.mark.usefixtures("home")
def test_without_a_terminal_it_says_where_else() -> None:
    done = run("--bank", str(TRIAL))
    assert "an exam is sat at a terminal" in str(done.exception)


@pytest.mark.usefixtures("home")
def test_the_outline_says_what_is_left_out_and_what_the_bank_lacks() -> None:
    said = json.loads(run("--outline", "--json", "--bank", str(TRIAL)).stdout)
    assert said["asked_for"] == 75
    assert said["shortages"]
    assert any("leaves out the tasks" in text for text in said["says"])
    half = json.loads(run("--outline", "--half", "--json", "--bank", str(TRIAL)).stdout)
    assert half["asked_for"] == 38
    set_by_hand = run("--outline", "--matching", "0.2", "--questions", "10", "--bank", str(TRIAL)).output
    assert "20%" in set_by_hand.replace(" ", "")


@pytest.mark.usefixtures("home")
def test_there_is_no_result_before_an_exam() -> None:
    assert "no exam has been handed in yet" in str(run("--last").exception)
    assert "no sitting is under way" in str(run("--give-up").exception)
