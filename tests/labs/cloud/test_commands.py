"""`lab cloud up | down | status`."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from labs import terminal
from labs.cli import cli
from labs.cloud import server


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder of this test's own; whatever runs there is stopped."""
    folder = tmp_path / "home"
    monkeypatch.setenv("LAB_HOME", str(folder))
    yield folder
    server.stop(folder)


def lab(*args: str) -> int:
    return terminal.run(cli, "lab", ["cloud", *args])


def test_up_status_down(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert lab("status", "--json") == 1
    assert json.loads(capsys.readouterr().out)["endpoint_url"] is None
    assert lab("up", "--port", "0", "--time-scale", "12", "--json") == 0
    started = json.loads(capsys.readouterr().out)
    assert lab("status", "--json") == 0
    status = json.loads(capsys.readouterr().out)
    assert status == started
    assert status["time_scale"] == 12
    assert status["provenance"] == "predicted by the serving model"
    record = server.running(home)
    assert record is not None
    assert (status["endpoint_url"], status["pid"]) == (record.endpoint_url, record.pid)
    assert "token" not in status
    assert lab("down") == 0
    assert "is down" in capsys.readouterr().out
    assert lab("status") == 1
    assert lab("down", "--json") == 0
    assert json.loads(capsys.readouterr().out.partition("\n")[2]) == {"stopped": False}


def test_a_second_up_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert lab("up", "--port", "0") == 0
    first = capsys.readouterr()
    assert "every timing is predicted by the serving model" in first.out
    assert "a stand-in's, not a model's" in first.out
    assert lab("up", "--port", "0") == 1
    second = capsys.readouterr()
    assert second.out == ""
    assert second.err.startswith("lab: The local cloud is already up at http://127.0.0.1:")
    assert second.err.count("\n") == 1


def test_a_busy_port_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert lab("up", "--port", str(port)) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert (
        said.err
        == f"lab: Port {port} is taken by another program; choose one with '--port N', or any free one with '--port 0'.\n"
    )


def test_a_state_folder_that_cannot_be_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "file" / "home"))
    assert lab("up") == 3
    said = capsys.readouterr().err
    assert "cannot be made" in said
    assert "LAB_HOME" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("wrong", [("--time-scale", "0.5"), ("--port", "99999"), ("--port", "x"), ("now",)])
def test_wrong_usage(wrong: tuple[str, ...], home: Path) -> None:
    assert lab("up", *wrong) == 2
    assert server.running(home) is None


def test_faults_are_among_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert lab("--help") == 0
    assert "faults" in capsys.readouterr().out
