"""The course's server: one site, on this machine only, compressed, revalidated, and never anything outside it."""

import gzip
import http.client
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from labs.course import server, site
from labs.course.server import CourseServer, Desk, State
from labs.course.site import Resource, Site
from labs.errors import NOT_READY, Refusal

PAGE = b"<html><body>" + b"a page, long enough to be worth compressing. " * 40 + b"</body></html>"
HTML = "text/html; charset=utf-8"


def small_site() -> Site:
    return Site(
        {
            "index.html": Resource(PAGE, HTML),
            "labs/06-squid.html": Resource(b"<html><body>a lab</body></html>", HTML),
            "404.html": Resource(b"<html><body>no such page</body></html>", HTML),
            "_static/site.css": Resource(b"a{color:red}" * 100, "text/css; charset=utf-8"),
            "picture.png": Resource(b"\x89PNG" * 400, "image/png"),
        }
    )


@pytest.fixture
def running() -> Iterator[CourseServer]:
    started = server.listen(Desk(small_site()), 0)
    started.start()
    yield started
    started.shutdown()
    started.server_close()


def ask(
    running: CourseServer, path: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", running.server_address[1], timeout=10)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_it_listens_on_loopback_only(running: CourseServer) -> None:
    assert running.server_address[0] == "127.0.0.1"
    assert running.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("path", ["/", "/index.html", "/index.html?x=1"])
def test_the_front_page(running: CourseServer, path: str) -> None:
    answer, body = ask(running, path)
    assert (answer.status, body) == (200, PAGE)
    assert answer.headers["Content-Type"] == HTML


def test_text_is_compressed_for_whoever_takes_it_and_pictures_are_not(running: CourseServer) -> None:
    answer, body = ask(running, "/", Accept_Encoding="gzip, br")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(body) < len(PAGE) / 4
    assert gzip.decompress(body) == PAGE
    assert ask(running, "/picture.png", Accept_Encoding="gzip")[0].headers["Content-Encoding"] is None


def test_an_unchanged_page_is_not_sent_twice(running: CourseServer) -> None:
    first, _ = ask(running, "/")
    again, body = ask(running, "/", If_None_Match=first.headers["ETag"])
    assert (again.status, body) == (304, b"")
    packed, _ = ask(running, "/", Accept_Encoding="gzip")
    assert packed.headers["ETag"] != first.headers["ETag"]


def test_only_versioned_files_are_kept_for_long(running: CourseServer) -> None:
    assert "immutable" in ask(running, "/_static/site.css?v=abc")[0].headers["Cache-Control"]
    assert ask(running, "/_static/site.css")[0].headers["Cache-Control"] == "no-cache"
    assert ask(running, "/")[0].headers["Cache-Control"] == "no-cache"
    assert "immutable" not in ask(running, "/nowhere?v=abc")[0].headers["Cache-Control"]


def test_one_connection_serves_many_requests(running: CourseServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.server_address[1], timeout=10)
    for path in ("/", "/nowhere", "/labs/06-squid.html", "/"):
        connection.request("GET", path)
        connection.getresponse().read()
    own_end = connection.sock.getsockname()
    connection.request("HEAD", "/")
    assert connection.getresponse().read() == b""
    assert connection.sock.getsockname() == own_end
    connection.close()


def test_an_address_that_leads_nowhere_gets_the_page_for_lost_readers(running: CourseServer) -> None:
    answer, body = ask(running, "/some/where/else")
    assert answer.status == 404
    assert b"no such page" in body


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/labs/../../secret.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/link.html",
    ],
)
def test_nothing_outside_the_site_is_served(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "html"
    folder.mkdir()
    (folder / "index.html").write_text("front")
    (folder / "link.html").symlink_to(tmp_path / "secret.txt")
    running = server.listen(Desk(site.load(folder)), 0)
    running.start()
    with socket.create_connection(
        running.server_address[:2], timeout=10
    ) as raw:  # a client that does not tidy the path
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    running.shutdown()
    running.server_close()
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"secret" not in answer.replace(path.encode(), b"")
    assert b"root:" not in answer


def test_other_methods_are_refused(running: CourseServer) -> None:
    assert ask(running, "/", "POST")[0].status == 501


def test_a_port_that_is_taken_is_one_sentence(running: CourseServer) -> None:
    port = running.server_address[1]
    with pytest.raises(Refusal, match=f"Port {port} is taken") as refused:
        server.listen(Desk(Site()), port)
    assert refused.value.exit_status == NOT_READY


def test_without_a_port_the_next_free_one_is_taken(monkeypatch: pytest.MonkeyPatch, running: CourseServer) -> None:
    monkeypatch.setattr(server, "DEFAULT_PORT", running.server_address[1])
    another = server.listen(Desk(Site()), None)
    assert another.server_address[1] != running.server_address[1]
    another.server_close()


def test_a_finished_site_is_served_as_it_stands(running: CourseServer) -> None:
    assert ask(running, "/")[1] == PAGE
    assert json.loads(ask(running, server.STATE)[1])["final"] is True


def test_while_labs_run_pages_watch_for_their_outputs_and_then_no_longer() -> None:
    desk = Desk(small_site(), State(final=False, text="The labs are about to run."))
    running = server.listen(desk, 0)
    running.start()
    before = ask(running, "/")[1]
    assert b"/_course/state.json" in before
    assert b"/_course/state.json" not in ask(running, "/_static/site.css")[1]
    desk.say("06-squid: 3 of 9 cells")
    state = json.loads(ask(running, server.STATE)[1])
    assert (state["generation"], state["final"], state["text"]) == (0, False, "06-squid: 3 of 9 cells")
    desk.swap(Site({"index.html": Resource(b"<body>with outputs</body>", HTML)}), "The outputs are in.")
    assert ask(running, "/")[1] == b"<body>with outputs</body>"
    state = json.loads(ask(running, server.STATE)[1])
    assert (state["generation"], state["final"]) == (1, True)
    running.shutdown()
    running.server_close()


def test_a_site_that_is_built_anew_is_served_anew(tmp_path: Path) -> None:
    def write(text: str) -> Path:
        folder = tmp_path / text
        folder.mkdir()
        (folder / "index.html").write_text(text)
        return folder

    shown = write("old").rename(tmp_path / "html")
    desk = Desk(site.load(shown), folder=shown)
    assert desk.shown.files["index.html"].body == b"old"
    fresh = write("new")
    shown.rename(tmp_path / "aside")
    assert desk.shown.files["index.html"].body == b"old"  # between two renames there is no folder, and no gap either
    fresh.rename(shown)
    os.utime(shown)
    assert desk.shown.files["index.html"].body == b"new"
