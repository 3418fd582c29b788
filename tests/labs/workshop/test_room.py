"""The room's server: what it serves, to whom, and what it refuses."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from labs import terminal
from labs.cli import cli
from labs.course.layout import Layout
from labs.errors import NOT_READY, USAGE, Refusal
from labs.workshop import room, room_commands

Client = TestClient[web.Request, web.Application]


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    folder = tmp_path / "kit"
    (folder / "wheels").mkdir(parents=True)
    environments = {"linux-x86_64-3.12": {"wheels": [], "missing": [], "least": []}}
    entry = {"sha256": "", "size_bytes": 0}
    about = {
        "made": "2026-11-01",
        "version": "1",
        "commit": "c",
        "constraints_sha256": "d",
        "pip": "pip-1-py3-none-any.whl",
    }
    manifest = {"format": 1, "environments": environments, "files": {"wheels/pip-1-py3-none-any.whl": entry}, **about}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "README.txt").write_text("Three lines & no more.\n")
    (folder / "wheels" / "a b+1.whl").write_bytes(b"wheel" * 1000)
    (folder / ".secret").write_text("hidden")
    (tmp_path / "outside.txt").write_text("outside")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("<script>1</script>" + "long " * 200)
    (folder / "404.html").write_text("nowhere")
    return folder


def visit(app: web.Application, asking: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        async with TestClient(TestServer(app)) as client:
            await asking(client)

    asyncio.run(run())


def test_book_kit_and_front_page_are_served(tmp_path: Path, site: Path, kit: Path) -> None:
    async def asking(client: Client) -> None:
        front = await (await client.get("/")).text()
        assert 'href="/book/"' in front
        assert 'href="/kit/"' in front
        assert "long long" in await (await client.get("/book")).text()
        assert await (await client.get("/book/nowhere.html")).text() == "nowhere"
        index = await (await client.get("/kit/")).text()
        assert "Python 3.12, on Linux (x86-64)." in index
        assert "make setup FROM=http://10.0.0.1:8000/kit\n" in index
        assert 'href="wheels/"' in index
        wheels = await (await client.get("/kit/wheels")).text()
        assert 'href="a%20b%2B1.whl"' in wheels
        assert "5.0 kB" in wheels
        assert await (await client.get("/kit/wheels/a%20b%2B1.whl")).read() == b"wheel" * 1000
        part = await client.get("/kit/wheels/a%20b%2B1.whl", headers={"Range": "bytes=4990-"})
        assert (part.status, len(await part.read())) == (206, 10)

    visit(room.application(tmp_path / "room", site, kit, url="http://10.0.0.1:8000/", parts=()), asking)
    assert (tmp_path / "room").is_dir()


def test_what_the_course_built_runs_and_any_other_file_of_the_kit_does_not(tmp_path: Path, kit: Path) -> None:
    (kit / "slides").mkdir()
    (kit / "slides" / "index.html").write_text("<script>1</script>")
    (kit / "wheels" / "page.html").write_text("<script>1</script>")

    async def asking(client: Client) -> None:
        assert 'href="/kit/slides/index.html"' in await (await client.get("/")).text()
        deck = await client.get("/kit/slides/index.html")
        assert "script-src" not in deck.headers["Content-Security-Policy"]
        assert "sandbox" not in deck.headers["Content-Security-Policy"]
        assert (await client.get("/kit/wheels/page.html")).headers["Content-Security-Policy"] == "sandbox"

    visit(room.application(tmp_path / "room", kit=kit, parts=()), asking)


def test_without_book_and_kit_there_is_still_a_front_page(tmp_path: Path) -> None:
    async def asking(client: Client) -> None:
        assert "Nothing is served here yet" in await (await client.get("/")).text()
        assert (await client.get("/book/")).status == 404
        assert (await client.get("/kit/")).status == 404

    visit(room.application(tmp_path / "room", parts=()), asking)


@pytest.mark.parametrize(
    "path",
    [
        "link.txt",
        ".secret",
        "%2e%2e/outside.txt",
        "..%2foutside.txt",
        "wheels/..%5c..",
        "%2fetc/passwd",
        "nothing",
        "a%00b",
    ],
)
def test_nothing_beside_the_kit_is_served(tmp_path: Path, kit: Path, path: str) -> None:
    async def asking(client: Client) -> None:
        answer = await client.get(f"/kit/{path}")
        assert answer.status in (400, 404)
        assert "outside" not in await answer.text()
        assert "link.txt" not in await (await client.get("/kit/")).text()

    visit(room.application(tmp_path / "room", kit=kit, parts=()), asking)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("192.168.1.10:8000", 200),
        ("127.0.0.1", 200),
        ("[::1]:8000", 200),
        ("localhost:1", 200),
        (socket.gethostname(), 200),
        ("rebound.example", 403),
        ("rebound.example:8000", 403),
        ("127.0.0.1.example", 403),
    ],
)
def test_a_name_that_a_page_elsewhere_made_up_is_not_let_in(tmp_path: Path, host: str, status: int) -> None:
    async def asking(client: Client) -> None:
        assert (await client.get("/", headers={"Host": host})).status == status

    visit(room.application(tmp_path / "room", parts=()), asking)


def test_pages_of_ours_load_nothing_from_elsewhere_and_errors_are_sentences(tmp_path: Path, site: Path) -> None:
    async def asking(client: Client) -> None:
        front = await client.get("/")
        assert front.headers["Content-Security-Policy"] == room.POLICY
        assert "http" not in await front.text()
        assert "Content-Security-Policy" not in (await client.get("/book/")).headers
        for asset in ("favicon.ico", *re.findall(r'(?:href|src)="/(_room/[^"]+)"', await front.text())):
            assert (await client.get(f"/{asset}")).status == 200, asset
        lost = await client.get("/nowhere", headers={"Accept": "text/html"})
        assert (lost.status, "There is no such page here." in await lost.text()) == (404, True)
        wrong = await client.post("/", data=b"x")
        assert (wrong.status, await wrong.text()) == (405, "That cannot be done here.\n")
        for answer in (front, lost, wrong):
            assert answer.headers["X-Content-Type-Options"] == "nosniff"

    visit(room.application(tmp_path / "room", site, parts=()), asking)


def test_the_book_is_compressed_once_and_not_sent_again(tmp_path: Path, site: Path) -> None:
    async def asking(client: Client) -> None:
        async def get(**headers: str) -> ClientResponse:
            return await client.get("/book/", headers=headers, skip_auto_headers=["Accept-Encoding"])

        plain = await get()
        packed = await client.get("/book/", headers={"Accept-Encoding": "gzip"})
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert plain.headers["ETag"] != packed.headers["ETag"]
        assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"])
        again = await get(**{"If-None-Match": plain.headers["ETag"]})
        assert (again.status, await again.read()) == (304, b"")

    visit(room.application(tmp_path / "room", site, parts=()), asking)


def test_a_part_adds_pages_panels_and_lines_and_may_take_the_front_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def front(_: web.Request) -> web.Response:
        return room.page("Ours", "<h1>A part's own</h1>", scripts=["/ours.js"], styles=["/ours.css"])

    def install(app: web.Application) -> None:
        app.router.add_get("/", front)
        app[room.PANELS].append(room.Panel("Poll", "/poll", "Vote."))
        app[room.LINES].append(f"{app[room.ROOM].url}teach")

    monkeypatch.setitem(sys.modules, "a_part_of_the_room", SimpleNamespace(install=install))
    app = room.application(tmp_path / "room", url="http://10.0.0.1:8000/", parts=["a_part_of_the_room"])
    assert app[room.LINES] == ["http://10.0.0.1:8000/teach"]

    async def asking(client: Client) -> None:
        text = await (await client.get("/")).text()
        assert "A part's own" in text
        assert 'src="/ours.js" type="module"' in text

    visit(app, asking)


def test_every_part_of_the_room_can_be_installed(tmp_path: Path) -> None:
    app = room.application(tmp_path / "room")
    assert len(app.router.routes()) > len(room.application(tmp_path / "other", parts=()).router.routes())


class TestAddress:
    @pytest.mark.parametrize("written", ["127.0.0.1", "192.168.7.7", "10.0.0.1", "[fe80::1]", "::1"])
    def test_addresses_of_a_room_are_taken(self, written: str) -> None:
        assert str(room_commands.address_of(written, exposed=False)) == written.strip("[]")

    @pytest.mark.parametrize(
        ("written", "says"),
        [
            ("0.0.0.0", "every network that this machine is in"),
            ("::", "every network that this machine is in"),
            ("8.8.8.8", "the whole internet"),
        ],
    )
    def test_where_strangers_come_by_it_must_be_meant(self, written: str, says: str) -> None:
        with pytest.raises(Refusal, match=says) as refused:
            room_commands.address_of(written, exposed=False)
        assert refused.value.exit_status == USAGE
        assert room_commands.address_of(written, exposed=True) == ip_address(written)

    @pytest.mark.parametrize("written", ["", "my-laptop", "192.168.1", "192.168.1.10:8000"])
    def test_what_is_no_address_is_refused_with_those_that_there_are(self, written: str) -> None:
        with pytest.raises(Refusal, match=r"no address in numbers; this machine has .*127\.0\.0\.1"):
            room_commands.address_of(written, exposed=False)


def test_an_address_of_another_machine_a_taken_port_and_options_that_belong_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def serve(*arguments: str) -> tuple[int, str]:
        return terminal.run(cli, "lab", ["serve", *arguments]), " ".join(capsys.readouterr().err.split())

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, said = serve("--room", "127.0.0.1", "--port", port, "--folder", str(tmp_path / "room"))
    assert (status, f"port {port} is taken" in said) == (NOT_READY, True)
    status, said = serve("--room", "192.0.2.77", "--folder", str(tmp_path / "room"))
    assert (status, "192.0.2.77 is not an address of this machine" in said) == (USAGE, True)
    status, said = serve("--room", "127.0.0.1", "--kit", str(tmp_path))
    assert (status, "is no kit" in said) == (USAGE, True)
    status, said = serve("--kit", str(tmp_path))
    assert (status, "go with --room" in said) == (USAGE, True)


def test_the_command_says_what_it_opens_and_ends_when_it_is_told(tmp_path: Path, kit: Path) -> None:
    command = [sys.executable, "-m", "labs.cli", "serve", "--room", "127.0.0.1", "--port", "0", "--kit", str(kit)]
    running = subprocess.Popen([*command, "--folder", str(tmp_path / "room")], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        lines = []
        for line in running.stdout:
            lines.append(line.strip())
            if line.startswith("Its state"):
                break
        url = lines[0].split()[2]
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"{url}kit/README.txt", timeout=30
        ) as answer:
            assert answer.read() == b"Three lines & no more.\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 0
    finally:
        running.kill()
        running.wait()
    said = "\n".join(lines)
    assert "Open to this machine alone" in said
    assert "Not open: the local cloud" in said
    assert str(tmp_path / "room") in said


def test_json_is_one_object_and_an_old_kit_is_said_to_be_old(
    tmp_path: Path, kit: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def at_once(_: web.Application, listener: socket.socket) -> None:
        listener.close()

    monkeypatch.setattr(room_commands, "_run", at_once)
    monkeypatch.setattr(room_commands.layout, "find", lambda: Layout(tmp_path))  # nothing is built here
    (kit / "site").mkdir()
    (tmp_path / "constraints.txt").write_text("other==1.0\n")
    arguments = ["serve", "--room", "127.0.0.1", "--port", "0", "--folder", str(tmp_path / "room"), "--json"]
    assert terminal.run(cli, "lab", arguments) == 0
    printed = capsys.readouterr()
    said = json.loads(printed.out)
    assert said["url"].startswith("http://127.0.0.1:")
    assert (said["kit"], said["site"]) == (str(kit), str(kit / "site"))
    assert "The kit: this kit, of 2026-11-01, was made for another version of the course" in printed.err
