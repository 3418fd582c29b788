"""What was acknowledged is there when the server comes up again, however it went down; and nobody can say afterwards who answered what."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from labs.errors import NOT_READY, Refusal
from labs.workshop.live.journal import NAME, Journal
from labs.workshop.live.routes import digest
from tests.labs.workshop.live_kit import PLAN, poll

SEATS = [f"{number:020x}" for number in range(8)]


def opened(folder: Path) -> Journal:
    return Journal(folder, PLAN, clock=lambda: 1_000.0)


def filled(folder: Path, *, closed: bool) -> None:
    """Three people, two of whom have answered."""
    with opened(folder) as journal:
        room = journal.room
        for seat, name in zip(SEATS, ("Anna", "Ben", "Chiara"), strict=False):
            journal.do(room.join(digest(seat), name))
        journal.do(room.report(digest(SEATS[0]), "06-squid", {"1": True}))
        journal.do(room.open(poll()))
        for seat, option in zip(SEATS[:2], "ab", strict=True):
            journal.do(room.answer(digest(seat), journal.voter(digest(seat)), 1, [option]))
        if closed:
            journal.do(room.close(1, show_key=True))


def test_everything_is_there_again(tmp_path: Path) -> None:
    filled(tmp_path, closed=False)
    with opened(tmp_path) as journal:
        assert [seat.name for seat in journal.room.seats.values()] == ["Anna", "Ben", "Chiara"]
        assert journal.room.seated(digest(SEATS[0])).place is not None
        asked = journal.room.open_round
        assert asked is not None
        mine = journal.voter(digest(SEATS[1]))
        assert asked.ballots[mine] == ("b",), "who voted before the server died does not vote twice"
        journal.do(journal.room.answer(digest(SEATS[1]), mine, 1, ["c"]))
        journal.do(journal.room.close(1, show_key=False))
        assert journal.room.rounds[0].counts == {"a": 1, "c": 1}


@pytest.mark.parametrize("cut", [1, 2, 10, 60])
def test_a_line_cut_off_by_a_crash_is_mended_and_the_rest_is_there(tmp_path: Path, cut: int) -> None:
    filled(tmp_path, closed=False)
    path = tmp_path / NAME
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with opened(tmp_path) as journal:
        asked = journal.room.open_round
        assert asked is not None
        assert len(asked.ballots) == (2 if cut == 1 else 1), "only a line without its end was never acknowledged"
        assert journal.damaged == []
        journal.do(journal.room.join(digest(SEATS[5]), "Late"))
    lines = path.read_text("utf-8").splitlines()
    assert [json.loads(line)["type"] for line in lines][-1] == "join"
    with opened(tmp_path) as journal:
        assert len(journal.room.seats) == 4


def test_a_line_damaged_in_the_middle_is_named_and_passed_over(tmp_path: Path) -> None:
    filled(tmp_path, closed=True)
    path = tmp_path / NAME
    lines = path.read_bytes().splitlines(keepends=True)
    lines[4] = b"\x00\xff{{{\n"
    lines.insert(3, b'{"at": 1, "type": "close", "round": 9}\n')
    path.write_bytes(b"".join(lines))
    with opened(tmp_path) as journal:
        assert [problem.partition(":")[0] for problem in journal.damaged] == ["line 4", "line 6"]
        assert len(journal.room.seats) == 3
        assert journal.room.rounds[0].voters == 2


def test_the_journal_of_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text('{"at":1,"type":"room","format":99}\n')
    with pytest.raises(Refusal, match="another version") as refused:
        opened(tmp_path)
    assert refused.value.exit_status == NOT_READY
    assert path.read_text() == '{"at":1,"type":"room","format":99}\n'


def test_one_server_at_a_time(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(Refusal, match="another server has this room"):
        opened(tmp_path)
    opened(tmp_path).close()


def test_a_full_disk_loses_nothing_and_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as journal:
        journal.do(journal.room.join(digest(SEATS[0]), "Anna"))
        before = (tmp_path / NAME).read_bytes()
        write = os.write
        with monkeypatch.context() as full:
            full.setattr(os, "write", lambda file, data: write(file, data[:10]))
            with pytest.raises(OSError, match="full"):
                journal.do(journal.room.join(digest(SEATS[1]), "Ben"))
        assert (tmp_path / NAME).read_bytes() == before
        assert len(journal.room.seats) == 1
        journal.do(journal.room.join(digest(SEATS[1]), "Ben"))
    with opened(tmp_path) as journal:
        assert len(journal.room.seats) == 2


def test_after_the_close_nothing_in_the_folder_leads_from_a_seat_to_an_answer(tmp_path: Path) -> None:
    filled(tmp_path, closed=False)
    [secret] = tmp_path.glob("ballot-*.key")
    written = (tmp_path / NAME).read_text()
    for seat in SEATS:
        assert seat not in written, "the secret of a seat stays with its owner"
    with opened(tmp_path) as journal:
        pseudonym = journal.voter(digest(SEATS[0]))
        assert pseudonym in written
        journal.do(journal.room.close(1, show_key=True))
        assert journal.voter(digest(SEATS[0])) != pseudonym
    assert not secret.exists()


def test_when_an_answer_came_is_not_written_down(tmp_path: Path) -> None:
    times = iter(range(1_000, 2_000, 10))
    with Journal(tmp_path, PLAN, clock=lambda: next(times)) as journal:
        for seat, name in zip(SEATS, ("Anna", "Ben"), strict=False):
            journal.do(journal.room.join(digest(seat), name))
        journal.do(journal.room.open(poll()))
        for seat in SEATS[:2]:
            journal.do(journal.room.answer(digest(seat), journal.voter(digest(seat)), 1, ["a"]))
    events = [json.loads(line) for line in (tmp_path / NAME).read_text().splitlines()]
    assert {event["at"] for event in events if event["type"] in ("open", "answer")} == {1_030.0}


def test_a_key_that_a_dying_server_left_is_swept_away(tmp_path: Path) -> None:
    filled(tmp_path, closed=True)
    (tmp_path / "ballot-1.key").write_text("x" * 20)
    opened(tmp_path).close()
    assert not list(tmp_path.glob("ballot-*.key"))


def test_the_instructors_key_stays_the_same_and_is_private(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        first = journal.teach_key
    with opened(tmp_path) as journal:
        assert journal.teach_key == first
    assert len(first) >= 20
    assert (tmp_path / "teach.key").stat().st_mode & 0o077 == 0
    assert (tmp_path / NAME).stat().st_mode & 0o077 == 0


SERVE = """
import sys
from pathlib import Path
from aiohttp import web
from labs.workshop import room
app = room.application(Path(sys.argv[1]))
web.run_app(app, host="127.0.0.1", port=0, print=lambda text: print(text, flush=True), access_log=None)
"""


def serve(folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if found := re.search(r"http://127\.0\.0\.1:\d+", said):
            return process, found[0]
    raise AssertionError(f"the server did not start: {said}")


def post(url: str, call: str, **body: object) -> dict[str, object]:
    request = urllib.request.Request(
        f"{url}/api/{call}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        said: dict[str, object] = json.load(answer)
        return said


def test_a_server_that_is_killed_has_lost_nothing_that_it_had_answered(tmp_path: Path) -> None:
    acknowledged = []
    for start in (0, 4):  # and once more: what a restarted server writes is kept as well
        process, url = serve(tmp_path)
        try:
            for number in range(start, start + 4):
                name = post(url, "join", seat=SEATS[number], name="Anna")["name"]
                place = post(url, "report", seat=SEATS[number], lab="06-squid", tasks={"1": True})["place"]
                acknowledged.append((SEATS[number], name, place))
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
    with opened(tmp_path) as journal:
        found = {seat.name for seat in journal.room.seats.values()}
        assert found == {name for _, name, _ in acknowledged} == {"Anna", *(f"Anna {n}" for n in range(2, 9))}
        assert all(journal.room.seated(digest(seat)).name == name for seat, name, _ in acknowledged)
        assert all(seat.place is not None and seat.place.task == 2 for seat in journal.room.seats.values())
