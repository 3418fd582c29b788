"""Pages and calls of the live room, a part of the room's server (`labs.workshop.room`): `/`, `/wall`, `/teach`, and JSON under `/api/`.

    room.application(folder, parts=("labs.workshop.live.routes",))

A seat is a secret in a cookie of the browser, or in the body of a terminal's report; the journal holds its digest only. The instructor's
pages ask for the key that the server prints when it starts. Calls that change something take JSON only, from pages of this server only.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import hdrs, web

from labs.errors import USAGE, Refusal
from labs.targets import readiness as codes
from labs.workshop import readiness
from labs.workshop import room as rooms
from labs.workshop.live import dashboard, polls
from labs.workshop.live.journal import Journal
from labs.workshop.live.state import MOST_SEATS, Plan, Room, Task

WEB = Path(__file__).parent / "web"
OURS = "/_live/"
WALL = "/wall"
SEAT, TEACH = "dd_seat", "dd_teach"
TOKEN = re.compile(r"[0-9a-f]{20}")
LARGEST_BODY_BYTES = 4096
DAYS = 60 * 60 * 24

Answer = dict[str, Any]
Call = Callable[[web.Request, dict[str, Any]], Answer]


def install(app: web.Application) -> None:
    """Add the pages. Raises Refusal when the room's folder cannot be used."""
    here = app[rooms.ROOM]
    live = Live(Journal(here.folder, plan()), here)

    async def close(_: web.Application) -> None:
        live.journal.close()

    app.on_cleanup.append(close)
    app[LIVE] = live
    live.add_routes(app)
    app[rooms.PANELS].append(
        rooms.Panel("The wall", WALL, "For the projector: this room's address, and the poll that is open.")
    )
    app[rooms.LINES].append(f"Instructor's page, for you alone: {here.url}teach?key={live.journal.teach_key}")
    app[rooms.LINES] += [f"The journal was damaged: {problem}; the rest is there." for problem in live.journal.damaged]
    try:
        live.bank()
    except Refusal as missing:
        app[rooms.LINES].append(f"No polls yet: {missing}")


def plan() -> Plan:
    """The course's labs, as the checks know them."""
    from labs.check import labs

    return {slug: tuple(Task(t.number, t.title, t.minutes) for t in labs.load(slug).tasks) for slug in labs.known()}


def digest(token: str) -> str:
    """What is kept of a seat's secret."""
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def sentence(text: str) -> str:
    """A refusal as a sentence on a page."""
    return f"{text[:1].upper()}{text[1:]}{'' if text[-1:] in '.!?' else '.'}"


class Live:
    """The live part of one room's server."""

    def __init__(self, journal: Journal, here: rooms.Room) -> None:
        self.journal, self.here = journal, here
        self._bank: tuple[int, dict[str, polls.Poll]] | None = None

    @property
    def state(self) -> Room:
        """The room as it is now."""
        return self.journal.room

    def bank(self) -> dict[str, polls.Poll]:
        """The questions that can be asked; read again when the file has changed. Refusal when there is none, or it is wrong."""
        path = self.here.folder / polls.NAME
        try:
            version = path.stat().st_mtime_ns
        except OSError:
            version = 0
        if self._bank is None or self._bank[0] != version:
            self._bank = version, polls.load(path)
        return self._bank[1]

    # -- routes

    def add_routes(self, app: web.Application) -> None:
        """Pages, their files, and the calls."""
        app.router.add_get("/", self._front)
        app.router.add_get(WALL, self._wall)
        app.router.add_get("/teach", self._teach)
        app.router.add_get("/teach/report.md", self._report)
        app.router.add_get("/teach/report.csv", self._report)
        app.router.add_get(f"{OURS}{{name}}", _file)
        app.router.add_get("/api/state", self._student_state)
        app.router.add_get("/api/teach/state", self._teach_state)
        app.router.add_get("/api/teach/polls", self._teach_polls)
        for name, call in (
            ("join", self._join),
            ("me", self._me),
            ("code", self._code),
            ("answer", self._answer),
            ("report", self._report_tasks),
        ):
            app.router.add_post(f"/api/{name}", _json(call))
        for name, change in (
            ("open", self._open),
            ("close", self._close),
            ("key", self._key),
            ("block", self._block),
            ("remove", self._remove),
        ):
            app.router.add_post(f"/api/teach/{name}", _json(self._by_instructor(change)))

    # -- pages

    async def _front(self, request: web.Request) -> web.Response:
        panels = "".join(
            f'<li><a href="{escape(each.href)}">{escape(each.title)}</a><p>{escape(each.text)}</p></li>\n'
            for each in request.app[rooms.PANELS]
            if each.href != WALL
        )
        here = (
            '<section aria-labelledby="here-title">\n<h2 id="here-title">Here as well</h2>\n'
            f'<ul class="panels">\n{panels}</ul>\n</section>'
        )
        body = (WEB / "student.html").read_text("utf-8").replace("<!-- panels -->", here if panels else "")
        return rooms.page("The room", body, scripts=[f"{OURS}student.js"], styles=[f"{OURS}live.css"])

    async def _wall(self, request: web.Request) -> web.Response:  # noqa: ARG002
        import segno

        code = segno.make(self.here.url, error="m").svg_inline(border=3, omitsize=True, light="#ffffff", dark="#000000")
        body = (WEB / "wall.html").read_text("utf-8").replace("<!-- code -->", code)
        body = body.replace("<!-- address -->", escape(self.here.url))
        return rooms.page("The wall", body, scripts=[f"{OURS}wall.js"], styles=[f"{OURS}live.css"])

    async def _teach(self, request: web.Request) -> web.Response:
        given = request.query.get("key")
        if given is not None and self._is_key(given):
            moved = web.HTTPSeeOther("/teach")  # the key does not stay in the address, where a projector would show it
            moved.set_cookie(TEACH, given, max_age=30 * DAYS, httponly=True, samesite="Lax", path="/")
            raise moved
        if given is not None or not self._is_instructor(request):
            body = (WEB / "key.html").read_text("utf-8")
            wrong = "" if given is None else '<p class="problem" role="alert">That is not the key.</p>'
            return rooms.page("The instructor's page", body.replace("<!-- problem -->", wrong), status=403)
        body = (WEB / "teach.html").read_text("utf-8").replace("<!-- address -->", escape(self.here.url))
        return rooms.page("The instructor's page", body, scripts=[f"{OURS}teach.js"], styles=[f"{OURS}live.css"])

    async def _report(self, request: web.Request) -> web.Response:
        if not self._is_instructor(request):
            raise web.HTTPForbidden(reason="Open the instructor's page first")
        block, written = None, request.query.get("block", "")
        if written:
            if not written.isascii() or not written.isdigit() or int(written) > len(self.state.blocks):
                raise web.HTTPNotFound
            block = int(written)
        name = "day" if block is None else f"block-{block}"
        if request.path.endswith(".md"):
            text, kind, name = dashboard.report(self.state, block), "text/markdown", f"{name}.md"
        else:
            text, kind, name = dashboard.table(self.state, block), "text/csv", f"{name}.csv"
        headers = {"Content-Disposition": f"attachment; filename={quote(name)}", "Cache-Control": "no-store"}
        return web.Response(text=text, content_type=kind, charset="utf-8", headers=headers)

    # -- a student's calls

    async def _student_state(self, request: web.Request) -> web.Response:
        token = _token(request.cookies.get(SEAT))
        given = token or secrets.token_hex(10)
        seat = self.state.seat(digest(given))
        asked, mine = self.state.open_round, None
        if seat is not None and asked is not None:
            mine = asked.ballots.get(self.journal.voter(digest(given)))
        said = dashboard.for_student(self.state, seat, mine)
        said["seat"] = given if seat is not None else None
        said["ready"] = read_kept(seat.code) if seat is not None and seat.code else []
        answer = _tagged(request, said)
        if token is None:
            _give(answer, given)
        return answer

    def _join(self, request: web.Request, body: dict[str, Any]) -> Answer:
        # A terminal brings a secret of its own; a browser has been given one with the page's first question.
        token = _token(body.get("seat")) or _token(request.cookies.get(SEAT))
        if token is None:
            raise Refusal("this page needs a cookie to know you again; allow it for this address and reload", USAGE)
        self.journal.do(self.state.join(digest(token), body.get("name")))
        seat = self.state.seated(digest(token))
        return {"name": seat.name, "number": seat.number, "seat": token}

    def _key_of(self, request: web.Request, body: dict[str, Any]) -> str:
        return digest(_token(body.get("seat")) or _token(request.cookies.get(SEAT)) or "")

    def _me(self, request: web.Request, body: dict[str, Any]) -> Answer:
        seat = self.state.seated(self._key_of(request, body))
        return {"name": seat.name, "number": seat.number, "place": dashboard.where(self.state.plan, seat.place)}

    def _code(self, request: web.Request, body: dict[str, Any]) -> Answer:
        key, code = self._key_of(request, body), body.get("code")
        if not isinstance(code, str) or len(code) > 200:
            raise Refusal("a code is a short text, as 'lab doctor --code' prints it", USAGE)
        read = read_code(code)
        self.journal.do(self.state.ready(key, codes.encode(codes.decode(code))))  # however it was typed
        return {"ready": read}

    def _answer(self, request: web.Request, body: dict[str, Any]) -> Answer:
        key = self._key_of(request, body)
        event = self.state.answer(key, self.journal.voter(key), body.get("round"), body.get("options"))
        self.journal.do(event)
        return {"round": body["round"]}

    def _report_tasks(self, request: web.Request, body: dict[str, Any]) -> Answer:
        key = self._key_of(request, body)
        self.journal.do(self.state.report(key, body.get("lab"), body.get("tasks")))
        seat = self.state.seated(key)
        return {"name": seat.name, "place": dashboard.where(self.state.plan, seat.place)}

    # -- the instructor's calls

    def _is_key(self, given: str) -> bool:
        return hmac.compare_digest(given.strip().encode(), self.journal.teach_key.encode())

    def _is_instructor(self, request: web.Request) -> bool:
        return self._is_key(request.cookies.get(TEACH, ""))

    def _by_instructor(self, call: Call) -> Call:
        def checked(request: web.Request, body: dict[str, Any]) -> Answer:
            if not self._is_instructor(request):
                raise Forbidden
            return call(request, body)

        return checked

    async def _teach_state(self, request: web.Request) -> web.Response:
        if not self._is_instructor(request):
            return _forbidden()
        return _tagged(request, dashboard.for_instructor(self.state, self.journal.clock(), read_kept))

    async def _teach_polls(self, request: web.Request) -> web.Response:
        if not self._is_instructor(request):
            return _forbidden()
        try:
            return _tagged(request, {"polls": list(self.bank().values())})
        except Refusal as missing:
            return _tagged(request, {"polls": [], "error": sentence(str(missing))})

    def _open(self, _: web.Request, body: dict[str, Any]) -> Answer:
        poll = self.bank().get(str(body.get("poll")))
        if poll is None:
            raise Refusal("there is no such question in polls.json", USAGE)
        self.journal.do(self.state.open(poll))
        return {"round": len(self.state.rounds)}

    def _close(self, _: web.Request, body: dict[str, Any]) -> Answer:
        self.journal.do(self.state.close(body.get("round"), show_key=body.get("key") is True))
        return {}

    def _key(self, _: web.Request, body: dict[str, Any]) -> Answer:
        self.journal.do(self.state.show_key(body.get("round")))
        return {}

    def _block(self, _: web.Request, body: dict[str, Any]) -> Answer:
        self.journal.do(self.state.begin_block(body.get("title")))
        return {"block": len(self.state.blocks)}

    def _remove(self, _: web.Request, body: dict[str, Any]) -> Answer:
        self.journal.do(self.state.remove(body.get("seat")))
        return {}


LIVE = web.AppKey("live", Live)


class Forbidden(Exception):  # noqa: N818 - a caller without the key
    """Only the instructor may do this."""


def read_code(code: str) -> list[dict[str, Any]]:
    """A readiness code in words: [{"what", "ok", "required"}]. Refusal for a code that is none."""
    return [{"what": part.what, "ok": part.ok, "required": part.required} for part in readiness.decode(code)]


@lru_cache(maxsize=MOST_SEATS)
def read_kept(code: str) -> list[dict[str, Any]]:
    """The same of a code that was let in; one of another version of the course says so."""
    try:
        return read_code(code)
    except Refusal:
        return [{"what": "a code that this version of the course can read", "ok": False, "required": True}]


# -- requests and answers


def _json(call: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A call that takes a small JSON object from a page of ours, and answers with one."""

    async def handle(request: web.Request) -> web.Response:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and urlsplit(origin).netloc.lower() != request.headers.get(hdrs.HOST, "").lower():
            return _said(403, "This call comes from a page of another server.")
        if request.content_type != "application/json":
            return _said(415, "This call takes JSON.")
        try:
            body = json.loads(await _read(request))
        except (ValueError, RecursionError):
            return _said(400, "This call takes JSON, and that is none.")
        except OverflowError:
            return _said(413, f"That is too large: at most {LARGEST_BODY_BYTES} bytes.")
        if not isinstance(body, dict):
            return _said(400, "This call takes an object.")
        try:
            return web.json_response(call(request, body), headers={"Cache-Control": "no-store"})
        except Refusal as refused:
            return _said(400 if refused.exit_status == USAGE else 409, sentence(str(refused)))
        except Forbidden:
            return _forbidden()
        except OSError as failed:
            return _said(503, f"The instructor's machine could not write it down ({failed.strerror}); try again.")

    return handle


async def _read(request: web.Request) -> bytes:
    """The body. Raises OverflowError for a large one, before it is all there."""
    if (request.content_length or 0) > LARGEST_BODY_BYTES:
        raise OverflowError
    found = b""
    while part := await request.content.read(LARGEST_BODY_BYTES + 1):
        found += part
        if len(found) > LARGEST_BODY_BYTES:
            raise OverflowError
    return found


def _said(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status, headers={"Cache-Control": "no-store"})


def _forbidden() -> web.Response:
    return _said(403, "This is the instructor's: open the page with the key that the server printed.")


def _tagged(request: web.Request, said: Answer) -> web.Response:
    """JSON with a tag; a browser that has it already is told so."""
    body = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache, private"}
    if tag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type="application/json", charset="utf-8", headers=headers)


def _token(given: object) -> str | None:
    return given if isinstance(given, str) and TOKEN.fullmatch(given) else None


def _give(answer: web.Response, token: str) -> None:
    answer.set_cookie(SEAT, token, max_age=30 * DAYS, httponly=True, samesite="Lax", path="/")


async def _file(request: web.Request) -> web.Response:
    kinds = {".css": "text/css", ".js": "text/javascript"}
    found = WEB / request.match_info["name"]
    if found.suffix not in kinds or found.parent != WEB or not found.is_file():
        raise web.HTTPNotFound
    headers = {"Cache-Control": "no-cache"}
    return web.Response(body=found.read_bytes(), content_type=kinds[found.suffix], charset="utf-8", headers=headers)
