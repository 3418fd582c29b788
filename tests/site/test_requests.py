"""A page is light, and asks nobody but its own host for anything."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

MOST_BYTES = 150_000
"""Transferred for a first visit, compressed."""
MOST_REQUESTS = 8


def visit(browser: Browser, url: str) -> tuple[list[str], int]:
    """Visit a page as a new reader, down to its end: the addresses it asks for, and the bytes that come over the wire."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    asked: list[str] = []

    def look(route: object) -> None:
        request = route.request
        asked.append(request.url)
        if urlsplit(request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            route.abort()

    context.route("**/*", look)
    page = context.new_page()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    received: list[float] = []
    wire.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    page.goto(url)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_load_state("networkidle")
    context.close()
    return [address for address in asked if not address.startswith("data:")], int(sum(received))


def test_every_page_is_light_and_stays_on_its_host(browser: Browser, site_url: str, pages: list[str]) -> None:
    heavy, strays = {}, {}
    for name in pages:
        asked, received = visit(browser, f"{site_url}/{name}")
        if stray := [address for address in asked if not address.startswith(site_url)]:
            strays[name] = stray
        if received > MOST_BYTES or len(asked) > MOST_REQUESTS:
            heavy[name] = (received, asked)
        assert received > 5_000, f"{name}: the wire was not measured"
    assert strays == {}
    assert heavy == {}


def test_no_file_of_the_site_refers_to_another_host_for_anything_it_needs(site_dir: Path) -> None:
    needs = re.compile(
        r"""<(?:script|img|iframe|source|video|audio|embed|object|use|image)\b[^>]*\b(?:src|href|data|srcset)=["'](?:https?:)?//[^"']*"""
        r"""|<link\b(?![^>]*rel="canonical")[^>]*href=["'](?:https?:)?//[^"']*"""
        r"""|url\(\s*["']?(?:https?:)?//[^)]*|@import\s[^;]*//[^;]*|\bimport\(?["']https?:[^"']*""",
        re.I,
    )
    found = {
        f"{path.relative_to(site_dir)}: {match[0][:120]}"
        for path in site_dir.rglob("*")
        if path.suffix in (".html", ".css", ".svg", ".js")
        for match in needs.finditer(path.read_text("utf-8"))
    }
    assert found == set()


def test_a_second_page_brings_only_what_is_its_own(browser: Browser, site_url: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site_url}/02-bedrock.html")
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    asked, kept = {}, set()
    wire.on("Network.requestWillBeSent", lambda event: asked.update({event["requestId"]: event["request"]["url"]}))
    wire.on("Network.requestServedFromCache", lambda event: kept.add(event["requestId"]))
    following = page.evaluate("document.querySelector('a.book-turn__next').pathname")
    page.click("a.book-turn__next")
    page.wait_for_load_state("networkidle")
    context.close()
    fetched = [urlsplit(address).path for number, address in asked.items() if number not in kept]
    assert following in fetched
    assert [path for path in fetched if path.startswith("/_static/site.")] == []


@pytest.mark.parametrize("name", ["site.css", "site.js"])
def test_the_shared_files_are_kept_for_good_under_their_version(site_dir: Path, name: str) -> None:
    versions = {
        version
        for path in site_dir.rglob("*.html")
        for version in re.findall(rf"{name}\?v=(\w+)", path.read_text("utf-8"))
    }
    assert len(versions) == 1
    assert len(versions.pop()) == 10
