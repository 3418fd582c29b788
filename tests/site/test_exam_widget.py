"""The questions in a notebook: the widget's own bundle in a real browser, hosted as a notebook hosts it, with Python at the other end."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from quizzes import notebook
from quizzes.study import certainty
from quizzes.study.schedule import Deck

pytestmark = pytest.mark.browser

TRIAL = Path(__file__).parents[1] / "quizzes" / "bank"
HOST = """<!doctype html><html lang="en"><title>Notebook</title><link rel="stylesheet" href="widget.css"><main id="cell"></main>
<script type="module">
  import widget from "./widget.js";
  window.sent = [];
  const state = await (await fetch("state.json")).json();
  const model = { get: (name) => state[name], set() {}, save_changes() {}, on() {}, off() {}, send: (message) => window.sent.push(message) };
  const cell = document.getElementById("cell");
  let leave = await widget.render({ model, el: cell });
  window.rerun = async () => { leave(); cell.replaceChildren(); leave = await widget.render({ model, el: cell }); };
</script></html>"""
"""what anywidget's front end does with a bundle: import it, give it a model and an element"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    return tmp_path


Host = Callable[[notebook.QuizWidget], Page]


@pytest.fixture
def host(browser: Browser) -> Iterator[Host]:
    """Shows a widget; at the end no script may have failed, and nobody else have been asked for anything."""
    contexts, faults = [], []

    def shown(widget: notebook.QuizWidget) -> Page:
        files = {
            "index.html": ("text/html", HOST),
            "widget.js": ("text/javascript", str(widget._esm)),
            "widget.css": ("text/css", str(widget._css)),
            "state.json": ("application/json", json.dumps({"html": widget.html})),
        }

        def answer(route: Any) -> None:
            found = files.get(route.request.url.removeprefix("http://notebook.invalid/"))
            if found is None:
                faults.append(route.request.url)
                route.abort()
            else:
                route.fulfill(content_type=found[0], body=found[1])

        context = browser.new_context(viewport={"width": 900, "height": 900}, reduced_motion="reduce")
        contexts.append(context)
        context.route("**/*", answer)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto("http://notebook.invalid/index.html")
        page.wait_for_selector("dd-quiz.dd-is-ready")
        return page

    yield shown
    for context in contexts:
        context.close()
    assert [fault for fault in faults if "favicon" not in fault] == []


def deliver(page: Page, widget: notebook.QuizWidget) -> None:
    """What the browser has sent reaches Python, as the kernel's comm would bring it."""
    for message in page.evaluate("sent.splice(0)"):
        widget._received(widget, message, [])


def check(page: Page, name: str, option: str) -> None:
    page.locator(f"#q-{name} input[value={option}]").check()
    page.locator(f"#q-{name}").get_by_role("button", name="Check", exact=True).click()


def test_an_answer_in_a_notebook_is_explained_there_and_marked_in_python(host: Host, home: Path) -> None:
    widget = notebook.show("trial", folder=TRIAL)
    page = host(widget)
    expect(page.locator(".dd-item")).to_have_count(7)
    check(page, "trial-single", "four")
    expect(page.locator("#q-trial-single .dd-verdict")).to_contain_text("Right.")
    page.locator("#q-trial-numeric-number").fill("1")
    page.locator("#q-trial-numeric-number").press("Enter")
    deliver(page, widget)
    assert widget.score() == (1, 2)
    log = (home / "attempts" / "trial.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["context"]["platform"] for line in log] == ["notebook"] * 2
    assert Axe().run(page, context="dd-quiz").response["violations"] == []


def test_a_cell_that_is_run_again_shows_what_was_answered(host: Host, home: Path) -> None:  # noqa: ARG001
    widget = notebook.show("trial", ["trial-single"], TRIAL)
    page = host(widget)
    check(page, "trial-single", "five")
    page.evaluate("rerun()")
    expect(page.locator("#q-trial-single .dd-verdict")).to_contain_text("Not right")
    page.get_by_role("button", name="Try again").click()
    check(page, "trial-single", "four")
    deliver(page, widget)
    assert len(widget.answers) == 2  # one listener, not two
    assert widget.score() == (0, 1)


def test_study_in_a_notebook_asks_how_sure_and_moves_the_card(host: Host, home: Path) -> None:
    widget = notebook.study("trial", items=2, folder=TRIAL)
    page = host(widget)
    box = page.locator("#q-trial-single")
    check(page, "trial-single", "four")
    expect(box.locator(".dd-verdict")).to_have_text("Say how sure you are first.")
    expect(box.locator(".dd-why")).to_have_count(0)
    box.get_by_label("Sure", exact=True).press("Space")
    box.get_by_role("button", name="Check", exact=True).click()
    expect(box.locator(".dd-verdict")).to_contain_text("Right.")
    expect(box.get_by_label("Sure", exact=True)).to_be_disabled()
    deliver(page, widget)
    assert certainty.calibration(certainty.answers(home / "attempts"))[3].right == 1
    assert Deck(home / "study" / "cards.json").cards()["trial-single"].due > datetime.now(UTC)
    assert Axe().run(page, context="dd-quiz").response["violations"] == []
