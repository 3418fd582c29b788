"""The live room over HTTP: who may do what, and one sentence for whatever is not as it should be."""

import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from labs.workshop.live import polls, routes
from tests.labs.workshop.live_kit import Server, Somebody, code, poll, with_server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A room's folder with two questions."""
    given = {"format": polls.FORMAT, "polls": [poll(), poll("two", right="ab", select=2)]}
    (tmp_path / "polls.json").write_text(json.dumps(given))
    return tmp_path


# -- a student


def test_a_student_joins_answers_and_sees_the_bars(folder: Path) -> None:
    async def work(server: Server) -> None:
        teacher, anna, ben = await server.instructor(), server.somebody(), server.somebody()
        assert await anna.join("Anna") == "Anna"
        assert await ben.join("Anna") == "Anna 2"
        assert (await anna.state())["poll"] is None
        assert await teacher.post("teach/open", {"poll": "whole-bill"}) == (200, {"round": 1})
        asked = (await anna.state())["poll"]
        assert (asked["state"], asked["mine"], asked["answered"]) == ("open", [], 0)
        assert [option["html"] for option in asked["options"]] == [f"Option <em>{one}</em>" for one in "abcd"]
        assert (await anna.answer(1, "b"))[0] == 200
        assert (await ben.answer(1, "a"))[0] == 200
        assert (await anna.answer(1, "c"))[0] == 200
        asked = (await anna.state())["poll"]
        assert (asked["mine"], asked["answered"]) == (["c"], 2)
        assert (await ben.state())["poll"]["mine"] == ["a"]
        assert (await teacher.post("teach/close", {"round": 1, "key": True}))[0] == 200
        shown = (await anna.state())["poll"]
        assert {one["id"]: (one["count"], one["percent"], one["belief"]) for one in shown["options"]} == {
            "a": (1, 50, ""),
            "b": (0, 0, "Left out b."),
            "c": (1, 50, "Left out c."),
            "d": (0, 0, "Left out d."),
        }

    with_server(folder, work)


def test_joining_twice_from_one_browser_is_one_seat_and_late_is_never_too_late(folder: Path) -> None:
    async def work(server: Server) -> None:
        teacher, anna, late = await server.instructor(), server.somebody(), server.somebody()
        await anna.join("Anna")
        assert await anna.join("Anna") == "Anna"
        await teacher.post("teach/open", {"poll": "whole-bill"})
        await late.join("Late")
        assert (await late.answer(1, "a"))[0] == 200
        assert [seat["name"] for seat in (await teacher.state("api/teach/state"))["seats"]] == ["Anna", "Late"]

    with_server(folder, work)


def test_a_browser_that_lost_the_answer_to_its_join_has_its_seat_nevertheless(folder: Path) -> None:
    async def work(server: Server) -> None:
        anna = server.somebody()
        await anna.state()
        for _ in range(2):  # the same request again, as after a lost answer
            assert (await anna.post("join", {"name": "Anna"}))[1]["name"] == "Anna"
        assert len(server.live.state.seats) == 1

    with_server(folder, work)


def test_an_answer_after_the_close_is_told_so(folder: Path) -> None:
    async def work(server: Server) -> None:
        teacher, anna = await server.instructor(), server.somebody()
        await anna.join("Anna")
        await teacher.post("teach/open", {"poll": "whole-bill"})
        await teacher.post("teach/close", {"round": 1, "key": False})
        status, said = await anna.answer(1, "a")
        assert (status, said["error"]) == (
            409,
            "The poll was closed before your answer came, so it does not count.",
        )
        assert (await teacher.state("api/teach/state"))["rounds"][0]["answered"] == 0

    with_server(folder, work)


def test_a_terminal_uses_the_seat_of_the_browser(folder: Path) -> None:
    async def work(server: Server) -> None:
        anna, terminal = server.somebody(), server.somebody()
        await anna.join("Anna")
        seat = (await anna.state())["seat"]
        status, said = await terminal.post("report", {"seat": seat, "lab": "06-squid", "tasks": {"1": True}})
        assert (status, said) == (
            200,
            {"name": "Anna", "place": "06-squid, task 2: Let a client time out"},
        )
        assert (await anna.state())["place"] == said["place"]

    with_server(folder, work)


def test_a_readiness_code_is_read_and_shown_on_both_pages(folder: Path) -> None:
    async def work(server: Server) -> None:
        teacher, anna = await server.instructor(), server.somebody()
        await anna.join("Anna")
        lacking = code(kernel=False)
        status, said = await anna.post("code", {"code": f" {lacking.lower().replace('-', ' ')} "})
        assert status == 200
        assert [one["what"] for one in said["ready"] if not one["ok"]] == ["notebook kernel"]
        assert (await anna.state())["code"] == lacking
        shown = await teacher.state("api/teach/state")
        assert shown["ready"] == {"codes": 1, "fine": 0}
        assert shown["seats"][0]["ready"] == said["ready"]
        wrong = lacking.replace(lacking[0], "Z" if lacking[0] != "Z" else "Y", 1)
        status, said = await anna.post("code", {"code": wrong})
        assert (status, f"'{wrong}' is no code: a letter was misheard" in said["error"]) == (400, True)
        assert (await anna.state())["code"] == lacking
        assert (await anna.post("code", {"code": code()}))[0] == 200
        assert (await teacher.state("api/teach/state"))["ready"] == {"codes": 1, "fine": 1}

    with_server(folder, work)


def test_a_view_that_has_not_changed_is_not_sent_again(folder: Path) -> None:
    async def work(server: Server) -> None:
        anna, ben = server.somebody(), server.somebody()
        await anna.join("Anna")
        async with anna.http.get(f"{server.url}api/state") as answer:
            tag = answer.headers["ETag"]
        assert (await anna.get("api/state", headers={"If-None-Match": tag})) == (304, "")
        await ben.join("Ben")
        assert (await anna.get("api/state", headers={"If-None-Match": tag}))[0] == 200

    with_server(folder, work)


# -- the instructor


def test_without_the_key_the_instructors_page_and_calls_are_shut(folder: Path) -> None:
    async def work(server: Server) -> None:
        student = server.somebody()
        await student.join("Anna")
        for path in (
            "teach",
            "teach?key=",
            "teach?key=wrong",
            "teach/report.md",
            "teach/report.csv",
            "api/teach/state",
            "api/teach/polls",
        ):
            status, text = await student.get(path)
            assert status == 403, path
            assert "Anna" not in text
        for call, body in (
            ("open", {"poll": "whole-bill"}),
            ("close", {"round": 1, "key": True}),
            ("key", {"round": 1}),
            ("block", {"title": "x"}),
            ("remove", {"seat": 1}),
        ):
            status, said = await student.post(f"teach/{call}", body)
            assert (status, "instructor" in said["error"]) == (403, True), call
        assert len(server.live.state.seats) == 1
        assert server.live.state.rounds == []

    with_server(folder, work)


def test_the_key_does_not_stay_in_the_address(folder: Path) -> None:
    async def work(server: Server) -> None:
        somebody = server.somebody()
        key = server.live.journal.teach_key
        async with somebody.http.get(f"{server.url}teach?key={key}") as answer:
            assert str(answer.url) == f"{server.url}teach"
            assert answer.history[0].headers["Set-Cookie"].lower().count("httponly; ") == 1
            assert "samesite=lax" in answer.history[0].headers["Set-Cookie"].lower()
            assert key not in await answer.text()

    with_server(folder, work)


def test_the_instructor_never_sees_who_answered_what(folder: Path) -> None:
    async def work(server: Server) -> None:
        teacher, anna, ben = await server.instructor(), server.somebody(), server.somebody()
        await anna.join("Anna")
        await ben.join("Ben")
        await teacher.post("teach/open", {"poll": "whole-bill"})
        before = await teacher.state("api/teach/state")
        await anna.answer(1, "b")
        after = await teacher.state("api/teach/state")
        assert before["seats"] == after["seats"], "a row about somebody is the same whether they have answered or not"
        changed = {name for name in after["rounds"][0] if after["rounds"][0][name] != before["rounds"][0][name]}
        assert changed == {"answered"}
        await teacher.post("teach/close", {"round": 1, "key": True})
        assert after["seats"] == (await teacher.state("api/teach/state"))["seats"]

    with_server(folder, work)


def test_the_report_of_a_block_can_be_taken_along(folder: Path) -> None:
    async def work(server: Server) -> None:
        teacher, anna = await server.instructor(), server.somebody()
        await anna.join("Anna | =1+1")
        await teacher.post("teach/block", {"title": "Before lunch"})
        await teacher.post("teach/open", {"poll": "whole-bill"})
        await anna.answer(1, "b")
        await teacher.post("teach/close", {"round": 1, "key": True})
        async with teacher.http.get(f"{server.url}teach/report.md?block=1") as answer:
            assert answer.headers["Content-Disposition"] == "attachment; filename=block-1.md"
            text = await answer.text()
        assert "# Before lunch" in text
        assert "- 100 % (1 of 1): Left out b." in text
        assert "Anna" not in text
        status, table = await teacher.get("teach/report.csv")
        assert (status, table.count("whole-bill")) == (200, 4)
        for bad in ("2", "-1", "x", "²"):
            assert (await teacher.get(f"teach/report.md?block={bad}"))[0] == 404

    with_server(folder, work)


def test_questions_written_while_the_server_runs_are_found_and_a_bad_file_is_said(folder: Path) -> None:
    (folder / "polls.json").unlink()

    async def work(server: Server) -> None:
        teacher = await server.instructor()
        said = await teacher.state("api/teach/polls")
        assert (said["polls"], "quiz export room" in said["error"]) == ([], True)
        assert (await teacher.post("teach/open", {"poll": "whole-bill"}))[0] == 409
        (folder / "polls.json").write_text(json.dumps({"format": polls.FORMAT, "polls": [poll()]}))
        assert [one["id"] for one in (await teacher.state("api/teach/polls"))["polls"]] == ["whole-bill"]
        assert (await teacher.post("teach/open", {"poll": "none-of-these"}))[0] == 400
        assert (await teacher.post("teach/open", {"poll": "whole-bill"}))[0] == 200

    with_server(folder, work)


def test_a_poll_stays_as_it_was_asked_when_the_file_changes(folder: Path) -> None:
    async def work(server: Server) -> None:
        teacher = await server.instructor()
        await teacher.post("teach/open", {"poll": "two"})
        (folder / "polls.json").write_text(json.dumps({"format": polls.FORMAT, "polls": [poll()]}))
        assert (await teacher.state())["poll"]["select"] == 2

    with_server(folder, work)


# -- what is not as it should be


@pytest.mark.parametrize(
    ("given", "status", "why"),
    [
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400, "takes JSON"),
        ({"data": b"\xff\xfe", "headers": {"Content-Type": "application/json"}}, 400, "takes JSON"),
        ({"data": b"[" * 4_000, "headers": {"Content-Type": "application/json"}}, 400, "takes JSON"),
        ({"data": b"[1]", "headers": {"Content-Type": "application/json"}}, 400, "object"),
        ({"data": b"name=Anna", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 415, "takes JSON"),
        ({"data": b'{"name": "Anna"}', "headers": {"Content-Type": "text/plain"}}, 415, "takes JSON"),
        ({"json": {"name": "x" * 5_000}}, 413, "too large"),
        ({"json": {"name": "x" * 60}}, 400, "at most 30 letters"),
        ({"json": {"name": None}}, 400, "a text"),
        ({"json": {}}, 400, "a text"),
        ({"json": {"name": "Anna"}, "headers": {"Origin": "http://elsewhere.example"}}, 403, "another server"),
        ({"json": {"name": "Anna"}, "headers": {"Origin": "null"}}, 403, "another server"),
    ],
)
def test_a_body_that_is_none_is_refused_in_a_sentence(
    folder: Path, given: dict[str, Any], status: int, why: str
) -> None:
    async def work(server: Server) -> None:
        anna = server.somebody()
        await anna.state()
        answered, said = await anna.post("join", **given)
        assert (answered, why in said["error"]) == (status, True), said
        assert re.fullmatch(r"[A-Z].*[.]", said["error"])
        assert server.live.state.seats == {}

    with_server(folder, work)


def test_a_body_without_an_end_is_cut_off_at_its_limit(folder: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 1_000

    async def work(server: Server) -> None:
        anna = server.somebody()
        await anna.state()
        try:
            status, said = await anna.post("join", data=endless(), headers={"Content-Type": "application/json"})
            assert (status, said["error"]) == (413, "That is too large: at most 4096 bytes.")
        except (aiohttp.ClientConnectionError, ConnectionError):
            pass  # cut off while it was still talking
        assert server.live.state.seats == {}

    with_server(folder, work)


@pytest.mark.parametrize("seat", ["", "x", "' or 1=1", "0" * 19, "G" * 20, 7, None, ["a"]])
def test_a_made_up_seat_is_nobodys(folder: Path, seat: object) -> None:
    async def work(server: Server) -> None:
        stranger = server.somebody()
        status, said = await stranger.post("report", {"seat": seat, "lab": "06-squid", "tasks": {"1": True}})
        assert (status, said["error"]) == (409, "You have no seat here yet: join first.")
        status, said = await stranger.post("join", {"seat": seat, "name": "Anna"})
        assert (status, "cookie" in said["error"]) == (400, True)

    with_server(folder, work)


def test_no_page_elsewhere_is_let_in(folder: Path) -> None:
    async def work(server: Server) -> None:
        anna = server.somebody()
        async with anna.http.options(
            f"{server.url}api/join",
            headers={"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "POST"},
        ) as answer:
            assert answer.status == 405
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        async with anna.http.get(f"{server.url}api/state", headers={"Origin": "http://elsewhere.example"}) as answer:
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
            assert "samesite=lax" in answer.headers["Set-Cookie"].lower()
            assert "httponly" in answer.headers["Set-Cookie"].lower()
        assert (await anna.get("", headers={"Host": "evil.example"}))[0] == 403

    with_server(folder, work)


def test_a_disk_that_is_full_is_said_and_nothing_happens(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(server: Server) -> None:
        anna = server.somebody()
        await anna.state()

        def refuse(_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as full:
            full.setattr(server.live.journal, "do", refuse)
            status, said = await anna.post("join", {"name": "Anna"})
        assert (status, "No space left" in said["error"]) == (503, True)
        assert server.live.state.seats == {}
        assert await anna.join("Anna") == "Anna"

    with_server(folder, work)


def test_only_the_files_of_the_pages_are_served(folder: Path) -> None:
    async def work(server: Server) -> None:
        somebody = server.somebody()
        assert (await somebody.get("_live/common.js"))[0] == 200
        for name in ("teach.html", "..%2froutes.py", "%2e%2e/routes.py", "..%2f..%2fweb%2froom.css", "nothing.js"):
            assert (await somebody.get(f"_live/{name}"))[0] == 404

    with_server(folder, work)


def test_a_students_clock_is_not_asked(folder: Path) -> None:
    """Nothing that a browser or a terminal sends holds a time; what the journal says of time is the server's."""
    began = time.time()  # the journal's first line is the server's start

    async def work(server: Server) -> None:
        wrong: Somebody = server.somebody()
        await wrong.join("Anna")
        seat = (await wrong.state())["seat"]
        body = {"seat": seat, "lab": "06-squid", "tasks": {"1": True}, "at": 0, "time": "1999-01-01"}
        assert (await wrong.post("report", body, headers={"Date": "Fri, 01 Jan 1999 00:00:00 GMT"}))[0] == 200
        assert began - 1 <= server.live.state.seated(routes.digest(seat)).since <= time.time() + 1
        events = [json.loads(line) for line in (folder / "room.jsonl").read_text().splitlines()]
        assert all(began - 1 <= event["at"] <= time.time() + 1 for event in events)
        assert "1999" not in json.dumps(events)

    with_server(folder, work)
