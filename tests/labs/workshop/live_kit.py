"""What the tests of the live room share: questions, a plan, and a room's server inside the test."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from labs.targets import readiness as codes
from labs.workshop import room as rooms
from labs.workshop.live.routes import LIVE, Live
from labs.workshop.live.state import Task

PLAN = {
    "05-economics": (Task(1, "The whole bill", 7), Task(2, "A machine that idles", 8)),
    "06-squid": (Task(1, "Watch one job", 5), Task(2, "Let a client time out", 7), Task(3, "Hidden is not locked", 10)),
}


def poll(name: str = "whole-bill", right: str = "a", select: int = 1, options: str = "abcd") -> dict[str, Any]:
    """A question; its right options are letters of `right`."""
    return {
        "id": name,
        "quiz": "05-economics",
        "quiz_title": "What it costs",
        "skill": "2.2.1",
        "type": "single" if select == 1 else "multiple",
        "select": select,
        "seconds": 60,
        "case_title": "",
        "case_html": "",
        "stem_html": "<p>A bill of <code>1,000</code> calls.</p>",
        "criterion_html": "What is on the bill?",
        "options": [
            {
                "id": each,
                "html": f"Option <em>{each}</em>",
                "text": f"Option {each}",
                "correct": each in right,
                "why_html": f"Because of {each}.",
                "misconception": "" if each in right else f"belief-{each}",
                "belief": "" if each in right else f"Left out {each}.",
            }
            for each in options
        ],
    }


def number_poll(name: str = "how-many") -> dict[str, Any]:
    """A question for a number: 5.5 MB or so; 2.5 forgets one thing, 8 another."""
    made = poll(name) | {"type": "numeric", "unit": "MB", "tolerance": 0.11}
    values = ((2.5, "Only input tokens are on the bill."), (5.5, ""), (8.0, "Output tokens cost what input tokens do."))
    made["options"] = [
        {
            "id": f"v{place}",
            "html": f"{value:g} MB",
            "text": f"{value:g} MB",
            "value": value,
            "correct": not belief,
            "why_html": f"Because of {value:g}.",
            "misconception": "" if not belief else f"belief-{place}",
            "belief": belief,
        }
        for place, (value, belief) in enumerate(values)
    ]
    return made


def code(*, kernel: bool = True) -> str:
    """What `lab doctor --code` would print, of a machine with everything, or without the notebooks' kernel."""
    well = frozenset(codes.MACHINE) - (frozenset() if kernel else {"kernel"})
    return codes.encode(codes.Readiness("Linux", "x86-64", 12, codes.course(), well))


class Somebody:
    """A browser, or a terminal, in the room: cookies of its own."""

    def __init__(self, url: str) -> None:
        self.url, self.requests = url, 0
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))  # an address in numbers

    async def post(self, call: str, body: object = None, **more: Any) -> tuple[int, dict[str, Any]]:
        """Status and answer of a call."""
        given = more if "data" in more else {"json": {} if body is None else body} | more
        self.requests += 1
        async with self.http.post(f"{self.url}api/{call}", **given) as answer:
            said = await answer.json() if answer.content_type == "application/json" else {"text": await answer.text()}
            return answer.status, said

    async def get(self, path: str, **more: Any) -> tuple[int, str]:
        """Status and text of a page."""
        self.requests += 1
        async with self.http.get(f"{self.url}{path}", **more) as answer:
            return answer.status, await answer.text()

    async def state(self, path: str = "api/state") -> dict[str, Any]:
        """A view as it is now."""
        self.requests += 1
        async with self.http.get(f"{self.url}{path}") as answer:
            assert answer.status == 200, await answer.text()
            said: dict[str, Any] = await answer.json()
            return said

    async def join(self, name: str) -> str:
        """As the page does it: the name that one has then."""
        await self.state()
        status, said = await self.post("join", {"name": name})
        assert status == 200, said
        return str(said["name"])

    async def answer(self, number: int, *options: str) -> tuple[int, dict[str, Any]]:
        """Answer a poll."""
        return await self.post("answer", {"round": number, "options": list(options)})


class Server:
    """A room's server on loopback."""

    def __init__(self, folder: Path, app: web.Application, url: str) -> None:
        self.folder, self.app, self.url = folder, app, url
        self._people: list[Somebody] = []

    @property
    def live(self) -> Live:
        """Its live part."""
        return self.app[LIVE]

    def somebody(self) -> Somebody:
        """Another browser."""
        self._people.append(Somebody(self.url))
        return self._people[-1]

    async def instructor(self) -> Somebody:
        """The browser that has opened the instructor's page."""
        found = self.somebody()
        status, _ = await found.get(f"teach?key={self.live.journal.teach_key}")
        assert status == 200
        return found

    async def close(self) -> None:
        """Everybody leaves."""
        for each in self._people:
            await each.http.close()


def with_server(folder: Path, work: Callable[[Server], Awaitable[None]]) -> None:
    """Run `work` with a server that keeps its things in `folder`."""

    async def run() -> None:
        app = rooms.application(folder)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        server = Server(folder, app, f"http://{host}:{port}/")
        try:
            await work(server)
        finally:
            await server.close()
            await runner.cleanup()

    asyncio.run(run())
