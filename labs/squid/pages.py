"""The web page in front of one or several stacks, served on this machine only; it talks to their doors from the browser.

    with serving([Shown.of(Squid("squid"))], port=8765) as url: ...

The page is what lies in `web/`, with the book's colours; `stacks.json` tells it where the doors are. Put the same files on any static host, say
its origin to the stack (parameter PageOrigin) and write a `stacks.json` beside them, and it works there too.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from labs.cloud.addresses import without_tls
from labs.errors import NOT_READY, USAGE, Refusal
from labs.squid.client import Squid

HOST = "127.0.0.1"
WEB = Path(__file__).parent / "web"
TOKENS = Path(__file__).parents[2] / "book" / "_static" / "tokens.css"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}


@dataclass(frozen=True)
class Shown:
    """A stack, as the page knows it."""

    name: str
    target: str
    model_id: str
    max_tokens: int
    api_url: str
    events_host: str
    """of its Event API; empty where it has none"""

    @staticmethod
    def of(squid: Squid) -> "Shown":
        """A deployed stack. Raises Refusal when it has no door."""
        if not squid.api_url:
            raise Refusal(f"the stack '{squid.stack}' has no door: it is older than the page; deploy it anew", USAGE)
        return Shown(
            squid.stack, squid.target, squid.model_id, squid.max_tokens, squid.api_url, squid.events.realtime_host
        )


def port_of(squids: Sequence[Squid]) -> int:
    """The port from which all of them let a page call. Raises Refusal when there is no such port on this machine."""
    origins = {squid.page_origin for squid in squids}
    if len(origins) > 1:
        raise Refusal(
            f"the stacks let different origins in ({', '.join(sorted(origins))}); deploy them with the same PageOrigin",
            USAGE,
        )
    [origin] = origins
    parts = urlsplit(origin)
    if parts.scheme != "http" or parts.hostname != HOST or parts.port is None:
        raise Refusal(
            f"the door lets pages from {origin} in, and this page would be served from http://{HOST}: put the files of labs/squid/web there, "
            "with a stacks.json",
            USAGE,
        )
    return parts.port


@contextmanager
def serving(stacks: Sequence[Shown], port: int) -> Iterator[str]:
    """The page's address, for as long as it is served. Raises Refusal when the port is taken."""
    files = {f"/{path.name}": (path.read_bytes(), KINDS[path.suffix]) for path in WEB.iterdir() if path.suffix in KINDS}
    files["/"] = files["/index.html"]
    files["/tokens.css"] = (TOKENS.read_bytes(), KINDS[".css"])
    files["/stacks.json"] = (json.dumps({"stacks": [asdict(each) for each in stacks]}).encode(), KINDS[".json"])
    policy = policy_of(stacks)

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version, sys_version = "squid", ""

        def do_GET(self) -> None:
            content, kind = files.get(urlsplit(self.path).path, (b"There is no such page.\n", "text/plain"))
            # Another name for this machine, made up by a page elsewhere, is not let in.
            known = (self.headers.get("Host") or "").partition(":")[0] in (HOST, "localhost")
            found = urlsplit(self.path).path in files
            self.send_response(403 if not known else 200 if found else 404)
            body = content if known else b"This page answers to 127.0.0.1.\n"
            for name, value in (
                ("Content-Type", kind if known else "text/plain"),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
                ("Content-Security-Policy", policy),
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "no-referrer"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    try:
        server = ThreadingHTTPServer((HOST, port), Page)
    except OSError as taken:
        raise Refusal(
            f"port {port} of this machine is taken ({taken.strerror}); end what uses it, or deploy the stack with another PageOrigin",
            NOT_READY,
        ) from taken
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="squid-page", daemon=True
    )
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def policy_of(stacks: Sequence[Shown]) -> str:
    """What the page may load and whom it may call: itself, the doors, and their events."""
    calls = [each.api_url for each in stacks]
    calls += [without_tls(f"wss://{each.events_host}") for each in stacks if each.events_host]
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors 'none'; connect-src 'self' {' '.join(dict.fromkeys(calls))}"
    )
