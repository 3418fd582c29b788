"""`check()`, `lab check` and `lab room`: a joined room is told lab, task, and passed or not; one that is gone costs nothing."""

import asyncio
import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from labs import terminal
from labs.check import commands, feedback, log, room
from labs.check.room import LIMIT_S, Joined
from labs.cloud.state import ServerRecord
from labs.errors import FALSE, NOT_READY, USAGE, Refusal
from labs.workshop.live.commands import last_of, read
from labs.workshop.live.commands import room as command
from tests.labs.workshop.live_kit import Server, with_server

REPORT = {
    "checks": [
        {"id": "queue", "task": 1, "stretch": False, "passed": True, "score": 5, "max": 5, "message": "secret words"},
        {"id": "table", "task": 2, "stretch": False, "passed": True, "score": 5, "max": 5, "message": "secret words"},
        {"id": "rows", "task": 2, "stretch": False, "passed": False, "score": 1, "max": 5, "message": "secret words"},
    ]
}
SEAT = "0123456789abcdef0123"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner's own LAB_HOME, and no room. A busy machine may take its time, except where that is what is tested."""
    monkeypatch.setattr(room, "LIMIT_S", 30.0)
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(room.ROOM, raising=False)
    return tmp_path / "home"


def lab_room(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), standalone_mode=False)


async def run(*arguments: str) -> tuple[int, str]:
    """`lab room ...` beside the server: its exit status and what it printed; of a refusal, the sentence."""
    done = await asyncio.to_thread(lab_room, *arguments)
    if isinstance(done.exception, Refusal):
        return done.exception.exit_status, str(done.exception)
    assert done.exception is None, done.exception
    return done.return_value or 0, done.output


# -- telling


def test_half_a_second_is_what_a_room_may_cost() -> None:
    assert LIMIT_S == 0.5


def test_the_room_is_told_lab_task_and_passed_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, str, Any]] = []
    monkeypatch.setattr(room, "post", lambda url, call, body, limit_s: sent.append((url, call, body)))  # noqa: ARG005
    room.keep(Joined("http://192.168.1.10:8000/", SEAT, "Anna"))
    room.tell("06-squid", REPORT)
    assert sent == [
        ("http://192.168.1.10:8000/", "api/report", {"seat": SEAT, "lab": "06-squid", "tasks": {"1": True, "2": False}})
    ]
    assert room.path().stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"http://10.0.0.1:8000/#{SEAT}", Joined("http://10.0.0.1:8000/", SEAT)),
        ("http://192.168.1.10:8000", Joined("http://192.168.1.10:8000/", "kept", "Anna")),
        ("192.168.1.10:8000", Joined("http://192.168.1.10:8000/", "kept", "Anna")),
        ("http://10.0.0.1:8000", None),
        ("off", None),
        ("http://[::1", None),
        ("", Joined("http://192.168.1.10:8000/", "kept", "Anna")),
    ],
)
def test_which_room_is_told(monkeypatch: pytest.MonkeyPatch, said: str, told: Joined | None) -> None:
    room.keep(Joined("http://192.168.1.10:8000/", "kept", "Anna"))
    monkeypatch.setenv(room.ROOM, said)
    assert room.joined() == told


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": "http://x"}', "[" * 100_000])
def test_a_seat_that_cannot_be_read_is_none(home: Path, text: str) -> None:
    home.mkdir()
    (home / "room.json").write_text(text)
    assert room.joined() is None
    room.tell("06-squid", REPORT)


def test_without_a_room_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "post", lambda *_: pytest.fail("something was sent"))
    room.tell("06-squid", REPORT)
    room.keep(Joined("http://192.168.1.10:8000/", SEAT))
    room.tell("06-squid", {"refused": "there is no such task"})


def test_a_room_that_is_gone_or_never_answers_is_passed_over_in_silence(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LIMIT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        room.keep(Joined(f"http://{host}:{port}/", SEAT))
        room.tell("06-squid", REPORT)  # it accepts, and never says a word
    room.tell("06-squid", REPORT)  # and now nobody listens there
    waiting, looked_up = threading.Event(), threading.Event()

    def slow(*_: object, **__: object) -> list[object]:
        looked_up.set()
        waiting.wait(60)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    room.keep(Joined("http://instructor.local:8000/", SEAT))
    room.tell("06-squid", REPORT)
    assert looked_up.wait(60)
    assert not waiting.is_set(), "it came back while the name was still being looked up"
    waiting.set()
    assert capfd.readouterr() == ("", "")


def test_no_proxy_is_asked_about_a_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    async def work(server: Server) -> None:
        status, _ = await run("join", server.url, "--name", "Anna")
        assert status == 0

    with_server(tmp_path / "room", work)


def test_a_check_in_a_notebook_tells_the_room_and_one_that_is_graded_does_not(
    local_cloud: ServerRecord,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def work(server: Server) -> None:
        anna = server.somebody()
        await anna.join("Anna")
        monkeypatch.setenv(room.ROOM, f"{server.url}#{(await anna.state())['seat']}")
        monkeypatch.setenv(feedback.GRADING, "1")
        await asyncio.to_thread(feedback.show, "00-small", 2)
        assert (await anna.state())["place"] is None
        monkeypatch.delenv(feedback.GRADING)
        await asyncio.to_thread(feedback.show, "00-small", 2)
        assert (await anna.state())["place"] == "00-small, task 2: A table of jobs"

    with_server(tmp_path / "room", work)
    assert "0 of" in capsys.readouterr().out


def test_lab_check_tells_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, object]] = []
    monkeypatch.setattr(commands.cloud, "connect", lambda **_: "a cloud")
    monkeypatch.setattr(commands, "_look", lambda *_: REPORT)
    monkeypatch.setattr(room, "tell", lambda slug, report: told.append((slug, report)))
    CliRunner().invoke(commands.check, ["06", "--json"], standalone_mode=False)
    assert told == [("06-squid", REPORT)]


# -- lab room


def test_join_status_leave(tmp_path: Path, home: Path) -> None:
    async def work(server: Server) -> None:
        status, text = await run("status")
        assert (status, "No room is told anything" in text) == (FALSE, True)
        for _ in range(2):
            status, text = await run("join", server.url.rstrip("/"), "--name", "Anna")
            assert (status, "You are Anna in" in text) == (0, True)
        assert len(server.live.state.seats) == 1
        await asyncio.to_thread(room.tell, "06-squid", {"checks": [{"task": 1, "passed": True}]})
        status, text = await run("status")
        assert (status, "06-squid, task 2" in text) == (0, True)
        status, text = await run("leave")
        assert (status, "is told nothing more" in text) == (0, True)
        assert not (home / "room.json").exists()
        assert (await run("leave"))[0] == 0

    with_server(tmp_path / "room", work)


def test_the_browsers_seat_is_the_terminals(tmp_path: Path) -> None:
    async def work(server: Server) -> None:
        anna = server.somebody()
        await anna.join("Anna")
        seat = (await anna.state())["seat"]
        status, text = await run("join", server.url, "--seat", seat, "--json")
        assert (status, json.loads(text)["name"]) == (0, "Anna")
        status, text = await run("join", server.url, "--seat", "0" * 20)
        assert (status, text) == (FALSE, "You have no seat here yet: join first")
        assert room.kept() == Joined(server.url, seat, "Anna"), (
            "a seat that is none does not take the place of one that is"
        )

    with_server(tmp_path / "room", work)


def test_a_join_whose_answer_was_lost_is_the_same_seat_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(server: Server) -> None:
        real = room.post

        def lose(*given: Any) -> dict[str, Any]:
            real(*given)
            raise Refusal("the room does not answer", NOT_READY)

        with monkeypatch.context() as lossy:
            lossy.setattr(room, "post", lose)
            assert (await run("join", server.url, "--name", "Anna"))[0] == NOT_READY
        status, text = await run("join", server.url, "--name", "Anna")
        assert (status, "You are Anna in" in text) == (0, True)
        assert len(server.live.state.seats) == 1

    with_server(tmp_path / "room", work)


@pytest.mark.parametrize(
    "url", ["", "room", "ftp://192.168.1.10", "http://", "http://192.168.1.10:99999", "http://[::1"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    done = lab_room("join", url, "--name", "Anna")
    assert isinstance(done.exception, Refusal)
    assert (done.exception.exit_status, "looks like http://192.168.1.10:8000" in str(done.exception)) == (USAGE, True)


def test_a_room_that_is_not_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = lab_room("join", f"http://127.0.0.1:{port}", "--name", "Anna")
    assert isinstance(done.exception, Refusal)
    assert done.exception.exit_status == NOT_READY
    assert "does not answer" in str(done.exception)


def test_another_server_is_no_room() -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Other(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as other:
        thread = threading.Thread(target=other.handle_request)
        thread.start()
        done = lab_room("join", f"http://127.0.0.1:{other.server_port}", "--name", "Anna")
        thread.join()
    assert isinstance(done.exception, Refusal)
    assert "no room of this course" in str(done.exception)


# -- a log on a stick


def logged(path: Path, *reports: tuple[str, dict[str, tuple[float, float]]]) -> Path:
    lines = [
        json.dumps({"at": "1999-01-01T00:00:00+00:00", "lab": lab, "checks": {name: {"task": int(name), "score": score, "max": most} for name, (score, most) in checks.items()}})
        for lab, checks in reports
    ]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_log_from_a_stick_puts_its_owner_where_they_are_each_time(tmp_path: Path) -> None:
    stick = logged(
        tmp_path / "checks.jsonl",
        ("05-economics", {"1": (5, 5)}),
        ("06-squid", {"1": (0, 5), "2": (0, 5)}),
        ("06-squid", {"1": (5, 5), "2": (2, 5)}),
    )
    stick.write_text(stick.read_text() + "no line of ours\n")

    async def work(server: Server) -> None:
        anna = server.somebody()
        await anna.join("Anna")
        for _ in range(2):
            status, text = await run("send", str(stick), "--room", server.url, "--name", "Ben", "--json")
            said = json.loads(text)
            assert (status, said["name"], said["place"]) == (0, "Ben", "06-squid, task 2: Let a client time out")
            assert (said["labs"], said["unread_lines"]) == (2, 1)
        assert [seat.name for seat in server.live.state.seats.values()] == ["Anna", "Ben"]
        assert "1999" not in (server.folder / "room.jsonl").read_text()

    with_server(tmp_path / "room", work)


def test_ones_own_log_is_sent_from_ones_own_seat(tmp_path: Path) -> None:
    log.path().parent.mkdir()
    log.add("06-squid", REPORT)

    async def work(server: Server) -> None:
        await run("join", server.url, "--name", "Anna")
        status, text = await run("send")
        assert (status, "06-squid, task 2" in text) == (0, True)

    with_server(tmp_path / "room", work)


def test_what_the_room_does_not_take_is_named_and_the_rest_is_there(tmp_path: Path) -> None:
    stick = logged(tmp_path / "checks.jsonl", ("06-squid", {"1": (5, 5)}), ("77-other", {"1": (5, 5)}))

    async def work(server: Server) -> None:
        status, text = await run("send", str(stick), "--room", server.url, "--name", "Ben")
        assert (status, "Not taken: 77-other: There is no lab '77-other'" in text) == (0, True)
        assert "06-squid, task 2" in text

    with_server(tmp_path / "room", work)


def test_whose_log_and_which_room_must_be_said(tmp_path: Path) -> None:
    stick = logged(tmp_path / "checks.jsonl", ("06-squid", {"1": (5, 5)}))
    for arguments, why in (
        (("send", str(stick), "--name", "Ben"), "which room"),
        (("send", str(stick), "--room", "http://127.0.0.1:9"), "whose log"),
        (("send", "--room", "http://127.0.0.1:9"), "cannot be read"),
    ):
        done = lab_room(*arguments)
        assert isinstance(done.exception, Refusal)
        assert why in str(done.exception)


def test_of_each_task_the_best_and_the_lab_worked_on_last_comes_last(tmp_path: Path) -> None:
    reports, unread = read(
        logged(
            tmp_path / "checks.jsonl",
            ("06-squid", {"1": (5, 5)}),
            ("05-economics", {"1": (0, 5)}),
            ("06-squid", {"1": (0, 5), "2": (0, 5)}),
        )
    )
    assert unread == 0
    assert list(last_of(reports).items()) == [("05-economics", {"1": False}), ("06-squid", {"1": True, "2": False})]


def test_the_command_is_there_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    from labs.cli import cli

    assert terminal.run(cli, "lab", ["room", "join", "nowhere", "--name", "x"]) == USAGE
    assert "is no address of a room" in capsys.readouterr().err
