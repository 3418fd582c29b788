"""A real browser and the built site, for every test in this folder.

The site is `_build/html` as it stands when it was built from what is here now, else it is built first, labs and all. While you work
on the look of the pages, `SITE_BUILD=text` takes the book without its labs' outputs, which is built in seconds.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labs.course import build, layout, server, site
from labs.course.server import Desk

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""No sandbox, because containers often run as root; nothing that a browser would ask of its maker."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here that asks for a browser is marked so; the first may have to wait for the site to be built."""
    here = Path(__file__).parent
    for item in items:
        if here not in item.path.parents:
            continue
        fixtures = set(getattr(item, "fixturenames", ()))
        if "browser" in fixtures:
            item.add_marker(pytest.mark.browser)
        if {"site_dir", "site_url"} & fixtures and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(900))


def chromium(playwrights_own: str) -> str | None:
    """A Chromium on this machine: the system's, else the one that Playwright has downloaded."""
    found = [path for name in NAMES if (path := shutil.which(name))]
    found += [path for path in (*APPLICATIONS, playwrights_own) if Path(path).exists()]
    return found[0] if found else None


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":  # noqa: F821 - Playwright is imported only when it is used
    """One Chromium a file. Without one: skipped, with the reason; under CI=true a failure.

    No longer than a file: Playwright's synchronous API keeps an event loop running in this thread until it is closed, and other
    tests of this process need `asyncio.run`.
    """

    def missing(reason: str) -> None:
        sentence = f"{reason}; `apt-get install chromium` or `playwright install chromium` brings one."
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)

    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("Playwright is not installed")
    with sync_playwright() as playwright:
        path = chromium(playwright.chromium.executable_path)
        if path is None:
            missing("there is no Chromium on this machine")
        running = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield running
        running.close()


@pytest.fixture(scope="session")
def site_dir() -> Path:
    """The built site, current."""
    here = layout.find()
    if os.environ.get("SITE_BUILD") == "text":
        return build.text(here)
    build.site(here, lambda _: None)
    return here.site


@pytest.fixture(scope="session")
def site_url(site_dir: Path) -> Iterator[str]:
    """Where the course's own server serves it, without a slash at the end."""
    running = server.listen(Desk(site.load(site_dir)), 0)
    running.start()
    yield running.url.rstrip("/")
    running.shutdown()
    running.server_close()


@pytest.fixture(scope="session")
def pages(site_dir: Path) -> list[str]:
    """The addresses of all pages, relative to the site."""
    return sorted(
        path.relative_to(site_dir).as_posix()
        for path in site_dir.rglob("*.html")
        if "_static" not in path.relative_to(site_dir).parts
    )


@pytest.fixture
def open_page(browser: "Browser") -> "Iterator[Callable[..., Page]]":  # noqa: F821
    """Opens an address in a window of its own: `open_page(url, width=390, theme="dark")`. Errors on the page fail the test."""
    contexts = []
    complaints: list[str] = []

    def open_it(url: str, width: int = 1280, height: int = 900, theme: str = "light", **settings: object) -> object:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce", **settings
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []
