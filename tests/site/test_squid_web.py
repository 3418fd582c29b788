"""SQUID's page follows answers whatever the line does: a connection that drops, an event that comes twice, a poll that takes long.

The doors are played by a script, so that each of these happens when the test says so; `tests/labs/squid/test_end_to_end.py` has the page's
calls answered by a real stack.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from playwright.sync_api import Browser, Page, expect

from labs.squid import pages
from labs.squid.pages import Shown
from tests.site.test_accessibility import violations

expect.set_options(timeout=30_000)  # what comes, comes at once; a busy machine takes its time

ANSWER = "A queue lets the caller go at once."
PIECES = ["A queue ", "lets the ", "caller go ", "at once."]


class Doors:
    """A door and its events, on a thread of its own. `script` says what happens to the jobs that come."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.jobs: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, str] = {}
        self.requests: list[tuple[str, str]] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.subscribed: list[str] = []
        self.pushes = True
        self.acknowledges = True
        self.refuse_posts = 0
        self.hold_get: asyncio.Event | None = None
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.authority = self.run(self._open())

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def close(self) -> None:
        self.run(self._runner.cleanup())
        self.loop.call_soon_threadsafe(self.loop.stop)

    @property
    def shown(self) -> Shown:
        target = {"first": "bedrock-on-demand", "second": "ec2-vllm"}[self.name]
        return Shown(self.name, target, "a-model", 512, f"http://{self.authority}", self.authority)

    # -- what a test does

    def push(self, job_id: str, seq: int, text: str = "", attempt: int = 1, **more: Any) -> None:
        event = {"job_id": job_id, "attempt": attempt, "seq": seq, "text": text, **more}
        self.run(self._tell({"type": "data", "id": job_id, "event": json.dumps(event)}))

    def finish(self, job_id: str, status: str = "DONE", **more: Any) -> None:
        ended = {"status": status, "finished_at_ms": 3500, "model_ms": 2000, "output_tokens": 9, "answers": 1}
        self.jobs[job_id] |= ended | ({"text": ANSWER} if status == "DONE" else {}) | more

    def drop(self, *, acknowledges: bool) -> None:
        """The connections that stand are cut; those that come afterwards are heard, or are not."""

        async def close() -> None:
            while not self.sockets:
                await asyncio.sleep(0.02)
            self.acknowledges = acknowledges  # in one step with the cut: none is heard that is cut at once
            for socket in list(self.sockets):
                await socket.close()

        self.run(close())

    def wait_for_job(self, page: Page, count: int = 1) -> str:
        """The latest job, once `count` have come and their page listens."""
        for _ in range(1_200):
            heard = not self.pushes or all(job in self.subscribed for job in self.jobs)
            if len(self.jobs) >= count and heard:
                return list(self.jobs)[-1]
            page.wait_for_timeout(25)
        raise AssertionError(f"{len(self.jobs)} jobs, subscriptions to {self.subscribed}")

    # -- what the page asks

    async def _open(self) -> str:
        app = web.Application(middlewares=[self._cors])
        app.router.add_post("/jobs", self._post)
        app.router.add_get("/jobs/{id}", self._get)
        app.router.add_delete("/jobs/{id}", self._delete)
        app.router.add_get("/queue", self._queue)
        app.router.add_get("/event/realtime", self._listen)
        self._runner = web.AppRunner(app, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        return f"{host}:{port}"

    @web.middleware
    async def _cors(self, request: web.Request, handler: Any) -> web.StreamResponse:
        answer = web.Response(status=204) if request.method == "OPTIONS" else await handler(request)
        if not answer.prepared:
            answer.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
            answer.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
            answer.headers["Access-Control-Allow-Headers"] = (
                "content-type, idempotency-key, if-none-match, authorization"
            )
            answer.headers["Access-Control-Expose-Headers"] = "etag, retry-after"
        return answer

    async def _post(self, request: web.Request) -> web.Response:
        key = request.headers["Idempotency-Key"]
        self.requests.append(("POST", key))
        job_id = self.keys.setdefault(key, f"{len(self.keys):032x}")
        body = await request.json()
        self.jobs.setdefault(job_id, {"job_id": job_id, "status": "WORKING", "queued_at_ms": 0, "attempts": 1, **body})
        if self.refuse_posts:
            self.refuse_posts -= 1
            return web.json_response({"error": "try again in a moment"}, status=503)
        said: dict[str, Any] = {"job_id": job_id, "status": "QUEUED"}
        if self.pushes:
            said["events"] = {
                "host": self.authority,
                "realtime": self.authority,
                "api_key": "key",
                "channel": f"/jobs/{job_id}",
            }
        return web.json_response(said, status=202)

    async def _get(self, request: web.Request) -> web.Response:
        job_id = request.match_info["id"]
        self.requests.append(("GET", job_id))
        seen = dict(self.jobs[job_id])  # as it is now, however long the way back takes
        if self.hold_get is not None:
            await self.hold_get.wait()
        tag = f'"{hash(json.dumps(seen, sort_keys=True))}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag, "Retry-After": "1"})
        return web.json_response(seen, headers={"ETag": tag, "Retry-After": "1"})

    async def _delete(self, request: web.Request) -> web.Response:
        job = self.jobs[request.match_info["id"]]
        job["cancel_requested"] = True
        return web.json_response(job, status=202)

    async def _queue(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"waiting": 12345, "working": 5, "later": 0, "dead": 1})

    async def _listen(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("aws-appsync-event-ws",))
        await socket.prepare(request)
        self.sockets.append(socket)
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    break
                said = json.loads(message.data)
                if not self.acknowledges:
                    continue
                if said["type"] == "connection_init":
                    await socket.send_json({"type": "connection_ack"})
                elif said["type"] == "subscribe":
                    await socket.send_json({"type": "subscribe_success", "id": said["id"]})
                    self.subscribed.append(said["id"])
        finally:
            self.sockets.remove(socket)
        return socket

    async def _tell(self, frame: dict[str, Any]) -> None:
        for socket in self.sockets:
            await socket.send_json(frame)


@pytest.fixture
def doors() -> Iterator[list[Doors]]:
    made = [Doors("first"), Doors("second")]
    yield made
    for each in made:
        each.close()


@pytest.fixture
def open_page(doors: list[Doors], open_page: "Open") -> "Open":
    """As in every test here; pages close before the doors do."""
    del doors
    return open_page


@pytest.fixture
def door(doors: list[Doors]) -> Doors:
    return doors[0]


@pytest.fixture
def url(door: Doors) -> Iterator[str]:
    """The page in front of one stack."""
    with pages.serving([door.shown], 0) as address:
        yield address


@pytest.fixture
def both(doors: list[Doors]) -> Iterator[str]:
    """The page in front of two."""
    with pages.serving([each.shown for each in doors], 0) as address:
        yield address


Open = Callable[..., Page]


def send(page: Page, prompt: str = "Why a queue?") -> None:
    page.get_by_label("Question", exact=True).fill(prompt)
    page.get_by_role("button", name="Send").click()


def test_an_answer_is_read_while_it_is_written(open_page: Open, url: str, door: Doors) -> None:
    page = open_page(url)
    send(page)
    job = door.wait_for_job(page)
    text = page.locator(".answer .text")
    for n, piece in enumerate(PIECES[:3]):
        door.push(job, n, piece)
        expect(text).to_have_text("".join(PIECES[: n + 1]).strip())
    expect(page.locator(".facts")).to_contain_text("live")
    door.finish(job)
    door.push(job, 3, PIECES[3], status="DONE")
    expect(page.locator(".badge")).to_have_text("answered")
    expect(text).to_have_text(ANSWER)
    expect(page.locator(".facts")).to_contain_text("2.0 s at the model")
    expect(page.get_by_role("status")).to_have_text("first: answered.")


def test_events_that_come_twice_or_early_are_shown_once_and_in_order(open_page: Open, url: str, door: Doors) -> None:
    page = open_page(url)
    send(page)
    job = door.wait_for_job(page)
    for n in (0, 0, 2, 1, 1, 0):
        door.push(job, n, PIECES[n])
    expect(page.locator(".answer .text")).to_have_text("".join(PIECES[:3]).strip())
    door.push(job, 0, "Another worker ", attempt=2)
    expect(page.locator(".answer .text")).to_have_text("Another worker")
    door.push(job, 3, PIECES[3], attempt=1)
    door.push(job, 1, "took it over.", attempt=2)
    expect(page.locator(".answer .text")).to_have_text("Another worker took it over.")


def test_a_connection_that_drops_costs_the_eye_some_pieces_and_nobody_the_answer(
    open_page: Open, url: str, door: Doors
) -> None:
    page = open_page(url)
    send(page)
    job = door.wait_for_job(page)
    door.push(job, 0, PIECES[0])
    expect(page.locator(".answer .text")).to_have_text(PIECES[0].strip())
    door.drop(acknowledges=False)
    expect(page.locator(".facts")).to_contain_text("connection lost; polling")
    door.drop(acknowledges=True)
    expect(page.locator(".facts")).to_contain_text("live")  # it comes back by itself
    door.push(job, 2, PIECES[2])
    expect(page.locator(".facts")).to_contain_text("a piece is missing")
    door.finish(job)
    door.push(job, 3, PIECES[3], status="DONE")
    expect(page.locator(".answer .text")).to_have_text(ANSWER)


def test_without_events_the_answer_is_polled(open_page: Open, url: str, door: Doors) -> None:
    door.pushes = False
    page = open_page(url)
    send(page)
    job = door.wait_for_job(page)
    expect(page.locator(".facts")).to_contain_text("polling")
    door.finish(job)
    expect(page.locator(".answer .text")).to_have_text(ANSWER)
    assert door.sockets == []


def test_a_poll_that_comes_back_late_changes_nothing_that_is_over(open_page: Open, url: str, door: Doors) -> None:
    page = open_page(url)
    door.hold_get = asyncio.Event()  # every look at a job takes as long as the test wants
    send(page)
    job = door.wait_for_job(page)
    for n, piece in enumerate(PIECES):
        door.push(job, n, piece)
    expect(page.locator(".answer .text")).to_have_text(ANSWER)  # the events need no poll
    expect(page.locator(".badge")).to_have_text("being answered")
    door.finish(job)
    door.push(job, 4, status="DONE")
    door.loop.call_soon_threadsafe(door.hold_get.set)  # the old look says WORKING, and is followed by another
    expect(page.locator(".badge")).to_have_text("answered")
    expect(page.locator(".answer .text")).to_have_text(ANSWER)


def test_a_request_that_was_refused_for_the_moment_is_sent_again_as_the_same_job(
    browser: Browser, url: str, door: Doors
) -> None:
    context = browser.new_context()  # the browser complains of each refusal in its console, as it should
    page = context.new_page()
    page.goto(url)
    page.evaluate("window.setTimeout = (real => (work, ms) => real(work, Math.min(ms, 100)))(window.setTimeout)")
    door.refuse_posts = 2
    send(page)
    door.wait_for_job(page)
    posts = [key for method, key in door.requests if method == "POST"]
    assert len(posts) == 3
    assert len(set(posts)) == len(door.jobs) == 1
    context.close()


def test_a_job_is_cancelled_and_asked_again(open_page: Open, url: str, door: Doors) -> None:
    page = open_page(url)
    send(page)
    job = door.wait_for_job(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".badge")).to_have_text("being cancelled")
    door.finish(job, "CANCELLED", text="A queue ")
    door.push(job, 0, status="CANCELLED")
    expect(page.locator(".badge")).to_have_text("cancelled")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    page.get_by_role("button", name="Ask again").click()
    again = door.wait_for_job(page, 2)
    assert door.jobs[again]["prompt"] == "Why a queue?"
    expect(page.locator(".question")).to_have_count(2)


def test_two_stacks_answer_side_by_side(open_page: Open, both: str, doors: list[Doors]) -> None:
    page = open_page(both, width=1440)
    send(page)
    ids = [each.wait_for_job(page) for each in doors]
    doors[1].push(ids[1], 0, "The second is quicker.")
    first, second = (page.locator(".answer").nth(n) for n in range(2))
    expect(second.locator(".text")).to_have_text("The second is quicker.")
    boxes = [each.bounding_box() for each in (first, second)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] < boxes[1]["x"]
    page.get_by_label("second", exact=True).uncheck()
    send(page, "Only the first?")
    doors[0].wait_for_job(page, 2)
    expect(page.locator(".question").first.locator(".answer")).to_have_count(1)
    assert len(doors[1].jobs) == 1
    page.get_by_label("first", exact=True).uncheck()
    send(page, "Nobody?")
    expect(page.get_by_role("alert")).to_have_text("Choose at least one stack to ask.")


def test_an_answer_is_text_whatever_it_contains(open_page: Open, url: str, door: Doors) -> None:
    page = open_page(url)
    send(page, "<b>bold</b>")
    job = door.wait_for_job(page)
    door.push(job, 0, "<img src=x onerror=alert(1)>")
    expect(page.locator(".answer .text")).to_have_text("<img src=x onerror=alert(1)>")
    expect(page.locator(".question h3")).to_have_text("<b>bold</b>")
    assert page.locator(".question b, .answer img").count() == 0


def test_everything_can_be_done_with_the_keyboard(open_page: Open, url: str, door: Doors) -> None:
    page = open_page(url)
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("To the question")
    page.keyboard.press("Enter")
    expect(page.locator("#prompt")).to_be_focused()
    page.keyboard.type("Why a queue?")
    page.keyboard.press("Control+Enter")
    job = door.wait_for_job(page)
    expect(page.locator("#prompt")).to_be_focused()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.locator(".cancel:focus").count():
            break
    page.keyboard.press("Enter")
    expect(page.locator(".badge")).to_have_text("being cancelled")
    assert door.jobs[job]["cancel_requested"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_nothing_and_nothing_sticks_out(
    open_page: Open, both: str, doors: list[Doors], theme: str, width: int
) -> None:
    page = open_page(both, width=width, theme=theme)
    expect(page.locator("[data-count=waiting]").first).to_have_text("12,345")
    send(page, "Why a queue? " + "And a very long word: " + "queue" * 60)
    ids = [each.wait_for_job(page) for each in doors]
    doors[0].push(ids[0], 0, ANSWER * 8)
    doors[1].finish(ids[1], "FAILED", error="ValidationException: " + "x" * 200)
    doors[1].push(ids[1], 0, status="FAILED")
    expect(page.locator(".badge").nth(1)).to_have_text("failed")
    page.locator("summary").click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == theme


def test_the_page_loads_nothing_from_elsewhere_and_calls_nobody_but_its_doors(
    open_page: Open, url: str, door: Doors
) -> None:
    page = open_page("about:blank")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    send(page)
    door.wait_for_job(page)
    assert len(asked) > 5
    assert {address.split("/")[2] for address in asked} == {url.split("/")[2], door.authority}


def test_another_name_for_this_machine_is_not_let_in(url: str) -> None:
    import http.client

    host = url.split("/")[2]
    for name, status in ((host, 200), ("evil.example", 403)):
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.request("GET", "/stacks.json", headers={"Host": name})
        answered = connection.getresponse()
        assert answered.status == status
        assert ("api_url" in answered.read().decode()) is (status == 200)
        connection.close()
