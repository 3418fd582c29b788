"""The server of `make course` and `lab serve`: one site, on this machine only, compressed, with versions; and word of what is going on.

While the labs behind the pages are still running, each page gets a small script that asks now and then how far they are and
offers to reload when their outputs are in. A site that is served as it stands gets none.
"""

import errno
import json
import threading
from dataclasses import asdict, dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from labs.course import site
from labs.course.site import Resource, Site
from labs.errors import NOT_READY, Refusal

HOST = "127.0.0.1"
DEFAULT_PORT = 8000
PORTS_TRIED = 20
STATE = "/_course/state.json"
YEAR_S = 31_536_000

WATCHER = (Path(__file__).parent / "watcher.js").read_text("utf-8")


@dataclass(frozen=True)
class State:
    """What an open page may want to know."""

    generation: int = 0
    """Raised when the pages have been replaced."""
    final: bool = True
    """Nothing more is coming."""
    text: str = ""
    """How far the labs are, for a reader."""


class Desk:
    """What is being served: a site and a state, each replaced as a whole, from another thread, at any time."""

    def __init__(self, shown: Site, state: State | None = None, folder: Path | None = None) -> None:
        self._shown, self.state, self._folder = shown, state or State(), folder
        self._seen = _version(folder)
        self._lock = threading.Lock()

    @property
    def shown(self) -> Site:
        """The site; read anew when its folder has been replaced."""
        if self._folder is not None and (version := _version(self._folder)) not in (self._seen, None):
            with self._lock:
                if version != self._seen:
                    self._shown, self._seen = site.load(self._folder), version
        return self._shown

    def shown_now(self, shown: Site) -> None:
        """Serve this site, the first of this run."""
        self._shown = shown

    def say(self, text: str) -> None:
        """Tell open pages how far the labs are."""
        self.state = replace(self.state, text=text)

    def settle(self, text: str) -> None:
        """Tell open pages that nothing more is coming."""
        self.state = replace(self.state, text=text, final=True)

    def swap(self, shown: Site, text: str) -> None:
        """Serve another site from now on; pages that are open offer to reload."""
        self._shown = shown
        self.state = State(self.state.generation + 1, final=True, text=text)


def _version(folder: Path | None) -> tuple[int, int] | None:
    try:
        found = folder.stat() if folder is not None else None
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_mtime_ns) if found is not None else None


class Handler(BaseHTTPRequestHandler):
    """GET and HEAD, nothing else."""

    protocol_version = "HTTP/1.1"
    server_version = "course"
    sys_version = ""
    timeout = 60
    wbufsize = -1
    disable_nagle_algorithm = True
    desk: ClassVar[Desk]

    def do_GET(self) -> None:
        """Answer with a file, the state, or the page for lost readers."""
        if self.path.partition("?")[0] == STATE:
            self._send(200, Resource(json.dumps(asdict(self.desk.state)).encode(), "application/json"), "no-store")
            return
        state, shown = self.desk.state, self.desk.shown
        found, status = shown.find(self.path), 200
        if found is None:
            found, status = (
                shown.files.get("404.html") or Resource(b"There is no such page.\n", "text/plain; charset=utf-8"),
                404,
            )
        if not state.final and found.type.startswith("text/html"):
            found = _watched(found, state)
        forever = status == 200 and "?v=" in self.path
        self._send(status, found, f"public, max-age={YEAR_S}, immutable" if forever else "no-cache")

    do_HEAD = do_GET  # noqa: N815 - the library's name

    def _send(self, status: int, found: Resource, cache: str) -> None:
        packed = found.gzipped if "gzip" in self.headers.get("Accept-Encoding", "") else None
        body = found.body if packed is None else packed
        etag = f'"{found.etag}{"" if packed is None else "-gz"}"'
        unchanged = status == 200 and etag in self.headers.get("If-None-Match", "")
        self.send_response(304 if unchanged else status)
        self.send_header("ETag", etag)
        self.send_header("Vary", "Accept-Encoding")
        self.send_header("Cache-Control", cache)
        if not unchanged:
            self.send_header("Content-Type", found.type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            if packed is not None:
                self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if not unchanged and self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal is for the labs' progress."""


def _watched(page: Resource, state: State) -> Resource:
    script = f"<script>{WATCHER.replace('GENERATION', str(state.generation))}</script></body>"
    return Resource(page.body.replace(b"</body>", script.encode(), 1), page.type)


class CourseServer(ThreadingHTTPServer):
    """The server, in threads that do not outlive the program."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, desk: Desk) -> None:
        super().__init__((HOST, port), type("Handler", (Handler,), {"desk": desk}))
        self.desk, self._started = desk, False

    @property
    def url(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hangs up is no event."""

    def start(self) -> None:
        """Serve from a thread; once started, starting again does nothing."""
        if not self._started:
            self._started = True
            threading.Thread(target=self.serve_forever, args=(0.1,), name="course-server", daemon=True).start()


def listen(desk: Desk, port: int | None) -> CourseServer:
    """A server on `port`, or without one on the usual port or the next free one. Raises Refusal when `port` is taken."""
    for candidate in [port] if port is not None else [*range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED), 0]:
        try:
            return CourseServer(candidate, desk)
        except OSError as taken:
            if taken.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    raise Refusal(
        f"Port {port} is taken by another program or not yours to use; choose another with '--port N', or leave '--port' out.",
        NOT_READY,
    )
