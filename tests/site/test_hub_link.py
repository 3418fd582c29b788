"""The link builder of the page *Hubs*: what `lab hub-link` computes, in a browser, and nothing leaves it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from labs.errors import Refusal
from labs.workshop.hubs import Content, binder_link, hub_link

pytestmark = pytest.mark.browser
SOURCE = Path(__file__).parents[2] / "book" / "instructor" / "hub-link.html"
REPO, HUB, BINDER = "https://git.example.org/teaching/course.git", "https://hub.example.org", "owner/name@v1"


@pytest.fixture(scope="module")
def form(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The form alone, as it stands in the page."""
    path = tmp_path_factory.mktemp("form") / "form.html"
    tokens = (SOURCE.parents[1] / "_static" / "tokens.css").read_text("utf-8")
    path.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Link</title><style>{tokens}</style></head><body><main><h1>Link</h1>'
        f"{SOURCE.read_text('utf-8')}</main></body></html>",
        "utf-8",
    )
    page = browser.new_page(viewport={"width": 390, "height": 900})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    yield page
    assert asked == [path.as_uri()]
    page.close()


def built(form: Page, where: str = "hub", **fields: str) -> tuple[str, str]:
    """(link, sentence) for what was typed."""
    values = {"hub": HUB, "binder": BINDER, "repo": REPO, "branch": "students", "open": "06-squid.ipynb"} | fields
    form.locator(f"input[name=where][value={where}]").check()
    for name, value in values.items():
        field = form.locator(f"#hub-link-{name}")
        if field.is_visible():
            field.fill(value)
    return form.locator("#hub-link-link").input_value(), form.locator(".hub-link-said").inner_text()


def by_command(where: str = "hub", **fields: str) -> tuple[str, str]:
    values = {"hub": HUB, "binder": BINDER, "repo": REPO, "branch": "students", "open": "06-squid.ipynb"} | fields
    try:
        content = Content(values["repo"], values["branch"], values["open"])
        if where == "hub":
            return hub_link(values["hub"], content), ""
        name, mark, ref = values["binder"].partition("@")
        return binder_link("https://mybinder.org", name, ref if mark else "HEAD", content), ""
    except Refusal as wrong:
        said = str(wrong)
        return "", f"{said[0].upper()}{said[1:]}."


CASES: list[dict[str, str]] = [
    {},
    {"hub": "https://x.example.org/jupyter/"},
    {"hub": "http://127.0.0.1:8000"},
    {"branch": "", "open": ""},
    {"branch": "2026/autumn", "open": "labs/a b & c=d?#é*'()~.ipynb"},
    {"repo": "https://git.example.org/ümlaut/kurs-ß.git/"},
    {"where": "binder"},
    {"where": "binder", "binder": "owner/name"},
    {"where": "binder", "binder": "owner/name@release/1.0"},
    # and what is refused
    {"hub": "hub.example.org"},
    {"hub": "http://hub.example.org"},
    {"hub": "https://hub.example.org?x"},
    {"hub": "https://hub.example.org:port"},
    {"repo": "git@git.example.org:course.git"},
    {"repo": "https://me:secret@git.example.org/course"},
    {"repo": "https://git.example.org"},
    {"branch": "two words"},
    {"branch": "a..b"},
    {"open": "../x"},
    {"open": "/x"},
    {"where": "binder", "binder": "name"},
    {"where": "binder", "binder": "a/b@"},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_form_says_what_the_command_says(form: Page, case: dict[str, str]) -> None:
    assert built(form, **case) == by_command(**case)


def test_the_form_is_usable_by_everybody(form: Page) -> None:
    built(form)
    assert Axe().run(form).violations_count == 0
    assert form.evaluate("document.documentElement.scrollWidth <= innerWidth")
    form.get_by_role("button", name="Copy").click()
    assert form.locator(".hub-link-said").inner_text()
    built(form, hub="no address")
    assert form.get_by_role("button", name="Copy").is_disabled()
