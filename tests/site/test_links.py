"""Every link inside the site leads somewhere, down to the heading."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Page

from labs.check import student
from labs.course import layout, server, site
from labs.course.server import Desk, State

SOURCE = r"<code>((?:book|notebooks)/[^<]+\.md)</code>\.\s*</p>"


def test_every_link_inside_the_site_leads_somewhere(site_dir: Path, pages: list[str]) -> None:
    ids = {
        name: {unescape(one) for one in re.findall(r'\sid="([^"]+)"', (site_dir / name).read_text("utf-8"))}
        for name in pages
    }
    broken = {}
    for name in pages:
        for address in map(
            unescape,
            re.findall(r'<(?:a|link|form)\b[^>]*?(?:href|action)="([^"]*)"', (site_dir / name).read_text("utf-8")),
        ):
            if re.match(r"\w+:", address):
                continue
            path, _, fragment = address.partition("#")
            path = path.partition("?")[0]
            base = site_dir if path.startswith("/") else (site_dir / name).parent
            target = (base / unquote(path.lstrip("/"))).resolve() if path else site_dir / name
            where = (
                target.relative_to(site_dir.resolve()).as_posix() if target.is_relative_to(site_dir.resolve()) else None
            )
            if (
                where is None
                or not target.exists()
                or (fragment and where in ids and unquote(fragment) not in ids[where])
            ):
                broken.setdefault(name, []).append(address)
    assert broken == {}


def test_every_page_is_told_in_one_title_one_heading_and_one_description(site_dir: Path, pages: list[str]) -> None:
    wrong = {}
    titles: dict[str, str] = {}
    for name in pages:
        text = (site_dir / name).read_text("utf-8")
        counts = [
            len(re.findall(pattern, text))
            for pattern in (r"<title>", r"<h1\b", r'<meta name="description"', r'<html lang="en"')
        ]
        if counts != [1, 1, 1, 1]:
            wrong[name] = counts
        title = re.search(r"<title>(.*?)</title>", text, re.S)
        assert title is not None
        titles.setdefault(title[1], name)
    assert wrong == {}
    assert len(titles) == len(pages)


def test_every_page_can_be_shared_with_its_title_and_what_it_is_about(site_dir: Path, pages: list[str]) -> None:
    wrong = {}
    for name in pages:
        head = (site_dir / name).read_text("utf-8").partition("</head>")[0]
        said = re.findall(r'<meta (?:property|name)="(og:\w+|twitter:card|description)" content="([^"]+)"', head)
        told = dict(said)
        if not {"og:title", "og:description", "og:type", "og:site_name", "twitter:card"} <= set(told) or len(
            said
        ) != len(told):
            wrong[name] = said
        elif told["og:description"] != told["description"]:
            wrong[name] = [told["og:description"], told["description"]]
    assert wrong == {}


def test_every_page_names_the_file_that_it_is_written_in(site_dir: Path, pages: list[str]) -> None:
    root = layout.find().root
    unnamed = [
        name
        for name in pages
        if not (found := re.search(SOURCE, (site_dir / name).read_text("utf-8"))) or not (root / found[1]).is_file()
    ]
    assert set(unnamed) == {"404.html", "search.html"}


def test_every_lab_can_be_taken_away_and_says_how_one_s_copy_is_opened(site_dir: Path) -> None:
    slugs = {path.stem for path in layout.find().labs()}
    for slug in slugs:
        page = (site_dir / "labs" / f"{slug}.html").read_text("utf-8")
        assert f'<a href="{slug}.ipynb" download>' in page
        assert (site_dir / "labs" / f"{slug}.ipynb").is_file()
        assert f"<code>lab notebook {slug}</code>" in page
        assert student.find(slug).stem == slug, "what the command looks for"


@pytest.mark.parametrize("address", ["nowhere.html", "deep/down/nowhere.html"])
def test_a_lost_reader_gets_a_page_that_works(browser: Browser, site_url: str, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    failed: list[str] = []
    page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
    answer = page.goto(f"{site_url}/{address}")
    assert answer is not None
    assert answer.status == 404
    page.wait_for_load_state("networkidle")
    assert failed == [f"{site_url}/{address}"]
    page.click("main a >> nth=0")
    assert page.locator("h1").inner_text().startswith("The Deployment Dilemma")
    context.close()


def test_an_open_page_learns_that_the_outputs_are_in(open_page: Callable[..., Page], site_dir: Path) -> None:
    """Served while the labs run, a page says how far they are, and offers to show the outputs once there are any."""
    shown = site.load(site_dir)
    desk = Desk(shown, State(final=False, text="The labs behind this page are running. 06-squid: 3 of 51 cells."))
    running = server.listen(desk, 0)
    running.start()
    page = open_page(f"{running.url}06-squid.html")
    bar = page.get_by_role("status").filter(has_text="The labs behind this page")
    bar.wait_for()
    assert bar.get_by_role("button").count() == 0
    desk.swap(shown, "The labs have run: their outputs are in.")
    button = page.get_by_role("button", name="Show them")
    button.wait_for()
    button.click()
    page.wait_for_load_state()
    assert page.get_by_role("button", name="Show them").count() == 0
    running.shutdown()
    running.server_close()
