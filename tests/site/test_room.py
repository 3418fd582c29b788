"""The room's pages in a browser: a phone joins and answers by keyboard, the instructor asks and closes, the wall shows no names, and nothing leaves the host."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.sync_api import Browser, BrowserContext, Page, expect

from labs.workshop import room as rooms
from labs.workshop.live import polls
from labs.workshop.live.journal import Journal
from labs.workshop.live.routes import LIVE, digest
from tests.labs.workshop.live_kit import code, number_poll, poll
from tests.site.test_accessibility import violations

expect.set_options(timeout=30_000)  # what comes, comes at once; a busy machine takes its time

PHONE, DESKTOP, PROJECTOR = (390, 844), (1440, 900), (1920, 1080)
NAMES = ["Anna", "Maximiliane-Charlotte Oberdorf", *(f"P{n}" for n in range(38))]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class RoomServer:
    """A room's server on a thread of its own, with a port that it keeps when it comes up again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 0
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.up()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def up(self) -> None:
        async def start() -> None:
            self.app = rooms.application(self.folder, url="http://192.168.1.10:8000/")
            self.runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=0.2)
            await self.runner.setup()
            await web.TCPSite(self.runner, "127.0.0.1", self.port, reuse_address=True).start()
            self.port = self.runner.addresses[0][1]

        self._run(start())

    def down(self) -> None:
        self._run(self.runner.cleanup())

    def close(self) -> None:
        self.down()
        self.loop.call_soon_threadsafe(self.loop.stop)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def teach(self) -> str:
        return f"{self.url}teach?key={self.journal.teach_key}"

    @property
    def journal(self) -> Journal:
        return self.app[LIVE].journal

    def do(self, *commands: Callable[[Journal], Any]) -> None:
        """Events, as if somebody had sent them."""

        async def now() -> None:
            for command in commands:
                self.journal.do(command(self.journal))

        self._run(now())

    def ask(self, name: str = "whole-bill", **more: Any) -> None:
        self.do(lambda journal: journal.room.open(poll(name, **more)))

    def shut(self, *, key: bool) -> None:
        self.do(lambda journal: journal.room.close(len(journal.room.rounds), show_key=key))

    def fill(self) -> None:
        """Forty people, half of them at work, some of them ready."""
        for number, name in enumerate(NAMES):
            key = digest(f"{number:020x}")
            self.do(lambda journal, key=key, name=name: journal.room.join(key, name))
            if number % 4:
                said = code(kernel=number % 6 != 0)
                self.do(lambda journal, key=key, said=said: journal.room.ready(key, said))
            for task in range(1, number % 8):
                passed = {str(task): True}
                self.do(lambda journal, key=key, passed=passed: journal.room.report(key, "06-squid", passed))

    def answer(self, number: int, *options: str) -> None:
        key = digest(f"{number:020x}")
        self.do(lambda journal: journal.room.answer(key, journal.voter(key), len(journal.room.rounds), list(options)))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RoomServer]:
    asked = [poll(), poll("pick-two", right="ab", select=2, options="abcde")]
    (tmp_path / "polls.json").write_text(json.dumps({"format": polls.FORMAT, "polls": asked}))
    running = RoomServer(tmp_path)
    yield running
    running.close()


Open = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Opens an address in a browser of its own. A script that fails, or a request to another host, fails the test; a refused call does not."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_it(url: str, size: tuple[int, int] = PHONE, theme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=theme,  # type: ignore[arg-type]
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None
        )
        page.on("request", lambda sent: complaints.append(sent.url) if "//127.0.0.1:" not in sent.url else None)
        page.goto(url)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


def joined(page: Page, name: str = "Anna") -> Page:
    page.get_by_label("A short name").fill(name)
    page.keyboard.press("Enter")
    expect(page.locator("#me")).to_be_visible()
    return page


def test_a_phone_joins_answers_and_sees_the_bars_by_keyboard(server: RoomServer, visit: Open) -> None:
    page = visit(server.url)
    expect(page.get_by_label("A short name")).to_be_visible()
    assert violations(page) == []
    joined(page, "Anna")
    expect(page.locator("#my-name")).to_have_text("Anna")
    expect(page.locator("#asked")).to_contain_text("None is open")
    server.ask()
    expect(page.locator("#poll-title")).to_have_text("A poll is open")
    expect(page.locator("#said")).to_have_text("A poll is open.")
    page.get_by_role("radio", name="Option b").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.locator(".kept")).to_have_text("Your answer is counted.")
    expect(page.locator("#answered")).to_contain_text("1 answer so far")
    server.shut(key=False)
    expect(page.locator("#poll-title")).to_have_text("The poll is closed")
    row = page.locator(".results li").nth(1)
    expect(row).to_contain_text("1 · 100 %")
    expect(row).to_contain_text("Your answer.")
    assert "Because of" not in page.locator("#asked").inner_text()
    server.do(lambda journal: journal.room.show_key(1))
    expect(row).to_contain_text("✗ Because of b.")
    expect(row).to_contain_text("Behind it: Left out b.")
    expect(page.locator(".results li").first).to_contain_text("✓ Right. Because of a.")
    assert violations(page) == []
    assert page.evaluate(OVERFLOW) <= 0


def test_several_answers_are_as_many_as_asked_and_may_be_changed(server: RoomServer, visit: Open) -> None:
    server.ask("pick-two", right="ab", select=2)
    page = joined(visit(server.url))
    page.get_by_role("checkbox", name="Option a").check()
    page.get_by_role("button", name="Answer").click()
    expect(page.locator(".answers .problem")).to_have_text("Choose 2 options.")
    page.get_by_role("checkbox", name="Option c").check()
    page.get_by_role("button", name="Answer").click()
    expect(page.locator(".kept")).to_be_visible()
    page.reload()
    expect(page.get_by_role("checkbox", name="Option c")).to_be_checked()
    page.get_by_role("checkbox", name="Option c").uncheck()
    page.get_by_role("checkbox", name="Option b").check()
    page.get_by_role("button", name="Change the answer").click()
    expect(page.locator(".kept")).to_be_visible()
    server.shut(key=True)
    assert server.journal.room.rounds[0].counts == {"a": 1, "b": 1}


def test_a_number_is_typed_and_shown_as_what_it_stands_for(server: RoomServer, visit: Open) -> None:
    server.do(lambda journal: journal.room.open(number_poll()))
    page, wall = joined(visit(server.url)), visit(f"{server.url}wall", PROJECTOR)
    expect(wall.locator("#asked")).to_contain_text("A number, in MB.")
    field = page.get_by_label("What is on the bill?")
    field.fill("2,5")
    page.keyboard.press("Enter")
    expect(page.locator(".answers .problem")).to_have_text("'2,5' is no number; write it as 1234.5.")
    field.fill("2.5 MB")
    page.keyboard.press("Enter")
    expect(page.locator(".kept")).to_have_text("Your answer is counted.")
    assert "5.5" not in page.content() + wall.content()
    server.shut(key=True)
    for shown in (page, wall):
        row = shown.locator(".results li", has_text="Because of 2.5.")
        expect(row).to_contain_text("1 · 100 %")
        expect(row).to_contain_text("Behind it: Only input tokens are on the bill.")
        expect(shown.locator(".results li").last).to_contain_text("another number")
    expect(page.locator(".results")).to_contain_text("Your answer: 2.5 MB")
    assert violations(page) == []


def test_what_is_chosen_stays_while_others_answer_and_while_the_server_is_away(server: RoomServer, visit: Open) -> None:
    server.fill()
    server.ask()
    page = joined(visit(server.url), "Zoë")
    page.get_by_role("radio", name="Option c").check()
    server.answer(0, "a")
    expect(page.locator("#answered")).to_contain_text("1 answer so far")
    expect(page.get_by_role("radio", name="Option c")).to_be_checked()
    server.down()
    for _ in range(2):  # it asks every few seconds by itself; this is sooner
        with page.expect_event("requestfailed"):
            page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#line")).to_contain_text("does not answer")
    page.get_by_role("button", name="Answer").click()
    expect(page.locator(".answers .problem")).to_contain_text("Try again when the network is back")
    server.up()
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#line")).to_be_hidden()
    expect(page.get_by_role("radio", name="Option c")).to_be_checked()
    page.get_by_role("button", name="Answer").click()
    expect(page.locator(".kept")).to_have_text("Your answer is counted.")
    expect(page.locator("#my-name")).to_have_text("Zoë")


def test_an_answer_after_the_close_is_told_so_on_the_page(server: RoomServer, visit: Open) -> None:
    server.ask()
    page = joined(visit(server.url))
    page.get_by_role("radio", name="Option a").check()
    page.route("**/api/state", lambda held: held.abort())  # the page has not heard of the close yet
    server.shut(key=True)
    page.get_by_role("button", name="Answer").click()
    expect(page.locator(".answers .problem")).to_have_text(
        "The poll was closed before your answer came, so it does not count."
    )
    assert server.journal.room.rounds[0].voters == 0


def test_a_name_that_is_none_and_a_name_that_is_taken(server: RoomServer, visit: Open) -> None:
    server.fill()
    page = visit(server.url)
    page.get_by_label("A short name").fill("!!!")
    page.keyboard.press("Enter")
    expect(page.locator("#join-problem")).to_have_text("A name has at least one letter or digit.")
    joined(page, "Anna")
    expect(page.locator("#my-name")).to_have_text("Anna 2")
    page.reload()
    expect(page.locator("#my-name")).to_have_text("Anna 2")
    page.get_by_role("button", name="Change the name").click()
    page.get_by_label("A short name").fill("17")
    page.keyboard.press("Enter")
    expect(page.locator("#my-name")).to_have_text("17")
    assert len(server.journal.room.seats) == len(NAMES) + 1


def test_a_code_and_the_command_that_lets_labs_tell_the_room(server: RoomServer, visit: Open) -> None:
    page = joined(visit(server.url))
    page.get_by_label("The code that").fill(code(kernel=False).lower())
    page.keyboard.press("Enter")
    expect(page.locator("#ready li.missing")).to_have_text("✗ notebook kernel: missing")
    page.get_by_text("Let your labs tell the room").click()
    seat = page.evaluate("fetch('/api/state').then(answer => answer.json()).then(said => said.seat)")
    expect(page.locator("#command")).to_have_text(f"lab room join {server.url.rstrip('/')} --seat {seat}")
    server.do(lambda journal: journal.room.report(digest(seat), "06-squid", {"1": True}))
    expect(page.locator("#place")).to_contain_text("06-squid, task 2")
    assert violations(page) == []


def test_the_instructor_asks_closes_and_sees_who_is_where(server: RoomServer, visit: Open) -> None:
    server.fill()
    page = visit(server.teach, DESKTOP)
    assert page.url == f"{server.url}teach"
    expect(page.locator("#seats tr")).to_have_count(len(NAMES))
    expect(page.locator("#n-seats")).to_have_text("40")
    expect(page.locator("#n-ready")).to_have_text("27 of 30")
    page.locator("#questions summary").first.click()
    page.get_by_role("button", name="Ask this").first.click()
    expect(page.locator("#now")).to_contain_text("Open. 0 answers of 40")
    expect(page.get_by_role("button", name="Ask this").first).to_be_disabled()
    for number, option in enumerate("aabbb"):
        server.answer(number, option)
    expect(page.locator("#n-answers")).to_have_text("5 of 40")
    page.get_by_role("button", name="Close and show the key").click()
    expect(page.locator("#now li").nth(1)).to_contain_text("3 · 60 %")
    expect(page.locator("#now li").nth(1)).to_contain_text("Behind it: Left out b.")
    expect(page.locator("#beliefs")).to_have_text("60 % (3 of 5): Left out b.")
    expect(page.locator("#now button")).to_be_focused()
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator("#past details")).to_have_count(1)
    page.get_by_role("button", name="Close, bars only").click()
    expect(page.get_by_role("button", name="Show the key")).to_be_visible()
    page.get_by_label("Begin a block").fill("After lunch")
    page.keyboard.press("Enter")
    with page.expect_download() as download:
        page.get_by_role("link", name="Before the first block, Markdown").click()
    assert "- 60 % (3 of 5): Left out b." not in download.value.path().read_text(), (
        "it was asked again, and nobody answered"
    )
    page.get_by_label("Somebody who sits here twice").select_option(label="P7")
    page.get_by_role("button", name="Free it").click()
    expect(page.locator("#seats tr")).to_have_count(len(NAMES) - 1)


def test_without_the_key_there_is_a_form_for_it(server: RoomServer, visit: Open) -> None:
    page = visit(f"{server.url}teach", DESKTOP)
    assert violations(page) == []
    page.get_by_label("Key").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("That is not the key.")
    page.get_by_label("Key").fill(server.journal.teach_key)
    page.keyboard.press("Enter")
    expect(page.locator("#n-seats")).to_have_text("0")
    assert server.journal.teach_key not in page.url


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_with_forty_people_every_page_is_clean_and_as_wide_as_its_screen(
    server: RoomServer, visit: Open, theme: str
) -> None:
    server.fill()
    server.do(lambda journal: journal.room.begin_block("Before lunch"))
    server.ask()
    server.answer(3, "b")
    server.shut(key=True)
    server.ask("pick-two", right="ab", select=2)
    is_light = theme == "light"  # each page on its narrow screen in one, on its wide one in the other
    page = visit(server.teach, PHONE if is_light else DESKTOP, theme)
    expect(page.locator("#seats tr")).to_have_count(len(NAMES))
    expect(page.locator("#past details")).to_have_count(1)
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    assert violations(page) == []
    assert page.evaluate(OVERFLOW) <= 0
    for path, size in (("", PHONE if is_light else DESKTOP), ("wall", PHONE if is_light else PROJECTOR)):
        page = visit(f"{server.url}{path}", size, theme)
        if not path:
            joined(page, "Late")
        expect(page.locator("#asked")).to_contain_text("Option a")
        assert violations(page) == []
        assert page.evaluate(OVERFLOW) <= 0, path


def test_the_wall_shows_the_address_the_question_and_no_name(server: RoomServer, visit: Open) -> None:
    server.fill()
    server.ask()
    page = visit(f"{server.url}wall", PROJECTOR)
    expect(page.locator("#count")).to_have_text("40")
    expect(page.locator(".address")).to_have_text("http://192.168.1.10:8000/")
    expect(page.locator("#poll-title")).to_have_text("Answer now: 0 answers of 40")
    server.answer(1, "a")
    expect(page.locator("#poll-title")).to_have_text("Answer now: 1 answer of 40")
    server.shut(key=True)
    expect(page.locator(".results li").first).to_contain_text("✓ Right.")
    text = page.content()
    assert not [name for name in NAMES if f">{name}<" in text]
    box = page.locator(".code svg").bounding_box()
    assert box is not None
    assert abs(box["width"] - box["height"]) < 1
    assert box["width"] > 200
