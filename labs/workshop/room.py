"""The room's server: the built book, the kit's downloads and the live pages, for the browsers on one network.

app = room.application(folder, site=Path("_build/html"), kit=Path("kit"))
web.run_app(app, host="192.168.1.10", port=8000)

Another module adds pages of its own as a *part*: it has `install(app)`, its name stands in PARTS, and in `install` it may

    app.router.add_get("/poll", answer_with_the_poll)            # a page; "/" too, which then takes the front page's place
    app[room.PANELS].append(Panel("Poll", "/poll", "..."))       # a line on the front page
    app[room.LINES].append(f"Instructor's page: {app[ROOM].url}teach?key=...")   # a line in the instructor's terminal
    app.on_startup.append(...); app.on_cleanup.append(...)

`app[ROOM]` says where things are: `.folder` is the room's own, for whatever has to outlive the server. Pages of ours are made by `page`.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import import_module
from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from labs.course import site as sites
from labs.course.server import Desk

PARTS: tuple[str, ...] = ("labs.workshop.live.routes",)
"""Modules with `install(app)`, in the order in which they are asked."""

WEB = Path(__file__).parent / "web"
TOKENS = Path(__file__).parents[2] / "book" / "_static" / "tokens.css"
ICON = Path(__file__).parents[2] / "book" / "_assets" / "favicon.svg"
BOOK, KIT, OURS = "/book/", "/kit/", "/_room/"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What a page of ours may load and whom it may call: this server."""
LARGEST_BODY_BYTES = 64 * 1024
"""Of a request: an answer, a name, a code."""


@dataclass(frozen=True)
class Room:
    """What this server serves, and where it keeps what must outlive it."""

    folder: Path
    site: Path | None
    kit: Path | None
    url: str
    """Where the room is, as a browser in it writes it; ends in a slash."""


@dataclass(frozen=True)
class Panel:
    """A line on the front page."""

    title: str
    href: str
    text: str


ROOM = web.AppKey("room", Room)
PANELS = web.AppKey("panels", list[Panel])
LINES = web.AppKey("lines", list[str])


def application(
    folder: Path,
    site: Path | None = None,
    kit: Path | None = None,
    *,
    url: str = "http://127.0.0.1/",
    parts: Sequence[str] | None = None,
) -> web.Application:
    """The room's pages; `folder` is made when it is not there. `parts`: modules with `install(app)`, PARTS unless you say so."""
    folder.mkdir(parents=True, exist_ok=True)
    app = web.Application(middlewares=[_guard], client_max_size=LARGEST_BODY_BYTES)
    app[ROOM], app[PANELS], app[LINES] = Room(folder, site, kit, url), [], []
    if site is not None:
        _install_book(app, site)
    if kit is not None:
        from labs.workshop import downloads

        downloads.install(app, kit)
    _install_own(app)
    for part in PARTS if parts is None else parts:
        import_module(part).install(app)
    if not any(resource.canonical == "/" for resource in app.router.resources()):
        app.router.add_get("/", _front_page)
    return app


def page(
    title: str, body: str, *, scripts: Sequence[str] = (), styles: Sequence[str] = (), status: int = 200
) -> web.Response:
    """A page in the book's look; `body` is HTML for `<main>`, `scripts` (modules) and `styles` are addresses of this server."""
    links = "".join(
        f'<link rel="stylesheet" href="{escape(each)}">\n' for each in (f"{OURS}tokens.css", f"{OURS}room.css", *styles)
    )
    modules = "".join(f'<script src="{escape(each)}" type="module"></script>\n' for each in scripts)
    return web.Response(
        text=(
            '<!doctype html>\n<html lang="en" data-theme="light">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<title>{escape(title)}</title>\n<link rel="icon" href="{OURS}favicon.svg" type="image/svg+xml">\n'
            f'{links}<script src="{OURS}theme.js"></script>\n{modules}</head>\n<body>\n'
            f'<header><p class="home"><a href="/">The Deployment Dilemma</a></p>'
            f'<button type="button" id="theme" aria-pressed="false">Dark</button></header>\n<main>\n{body}\n</main>\n</body>\n</html>\n'
        ),
        content_type="text/html",
        charset="utf-8",
        status=status,
        headers={"Cache-Control": "no-store"},
    )


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Names of this server that a page elsewhere made up are not let in; pages of ours load nothing from elsewhere; errors are a sentence."""
    if not _is_ours(request.headers.get(hdrs.HOST, "")):
        return web.Response(status=403, text="This server answers to its address in numbers, and to no other name.\n")
    try:
        answer = await handler(request)
    except web.HTTPException as refused:
        if refused.status < 400 or refused.headers.get("X-Content-Type-Options"):
            raise
        said = {404: "There is no such page here.", 405: "That cannot be done here.", 413: "That is too large."}
        text = said.get(refused.status, refused.reason)
        if request.method == "GET" and "text/html" in request.headers.get(hdrs.ACCEPT, ""):
            answer = page(
                "Not here", f'<h1>{escape(text)}</h1>\n<p><a href="/">To the front page</a></p>', status=refused.status
            )
        else:
            answer = web.Response(status=refused.status, text=f"{text}\n")
    answer.headers.setdefault("X-Content-Type-Options", "nosniff")
    answer.headers.setdefault("Referrer-Policy", "same-origin")
    if not request.path.startswith(BOOK):  # the book's pages are built with scripts inside them
        answer.headers.setdefault("Content-Security-Policy", POLICY)
    return answer


def _is_ours(host: str) -> bool:
    """Addresses in numbers, and this machine's own names: a name in somebody's DNS can be pointed here, a number cannot."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    name = name.strip("[]").lower().rstrip(".")
    own = socket.gethostname().lower()
    if name in ("localhost", own, f"{own.partition('.')[0]}.local"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _install_book(app: web.Application, site: Path) -> None:
    desk = Desk(sites.load(site), folder=site)  # reads it anew when 'make book' has replaced it
    app[PANELS].append(
        Panel("The book", BOOK, "Lessons, labs with their outputs, quizzes, reference. It works offline.")
    )

    async def book(request: web.Request) -> web.StreamResponse:
        loaded = desk.shown
        found, status = loaded.find(request.match_info["path"]), 200
        if found is None:
            found, status = loaded.files.get("404.html"), 404
        if found is None:
            raise web.HTTPNotFound
        packed = await _packed(found) if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "") else None
        etag = f'"{found.etag}{"" if packed is None else "-gz"}"'
        headers = {"ETag": etag, "Vary": "Accept-Encoding", "Cache-Control": "no-cache"}
        if status == 200 and etag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return web.Response(status=304, headers=headers)
        headers["Content-Type"] = found.type
        if packed is not None:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=found.body if packed is None else packed, status=status, headers=headers)

    app.router.add_get("/book", _to_folder)
    app.router.add_get(BOOK + "{path:.*}", book)


async def _packed(found: sites.Resource) -> bytes | None:
    """Compressed beside the loop, the first time: forty people ask for a large page at once."""
    return await asyncio.to_thread(lambda: found.gzipped)


async def _to_folder(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound(f"{request.path}/")


def _install_own(app: web.Application) -> None:
    kinds = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    # Held in memory: who updates the checkout in the middle of a session takes nothing away from the room.
    files = {
        each.name: (each.read_bytes(), kinds[each.suffix])
        for each in (TOKENS, ICON, *WEB.iterdir())
        if each.suffix in kinds
    }

    async def own(request: web.Request) -> web.StreamResponse:
        found = files.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        body, kind = found
        return web.Response(body=body, content_type=kind, charset="utf-8", headers={"Cache-Control": "no-cache"})

    app.router.add_get(OURS + "{name}", own)

    async def favicon(_: web.Request) -> web.StreamResponse:
        return web.Response(body=files["favicon.svg"][0], content_type="image/svg+xml")

    app.router.add_get("/favicon.ico", favicon)  # what a browser asks for where a page names none, as on a slide


async def _front_page(request: web.Request) -> web.StreamResponse:
    panels = request.app[PANELS]
    lines = "".join(
        f'<li><a href="{escape(each.href)}">{escape(each.title)}</a><p>{escape(each.text)}</p></li>\n'
        for each in panels
    )
    shown = f'<ul class="panels">\n{lines}</ul>' if panels else "<p>Nothing is served here yet.</p>"
    return page(
        "The room",
        f'<h1>This room</h1>\n<p class="lead">Everything here comes from the instructor\'s machine.</p>\n{shown}',
    )
