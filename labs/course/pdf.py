"""The book as one PDF: each page of the built site printed by Chromium from its file, in the order of the menu, with bookmarks.

    python -m labs.course pdf

Nothing is fetched: pages are opened from the folder. Folded solutions are printed unfolded.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from re import DOTALL, search

import pypdf
import yaml

from labs.errors import FALSE, NOT_READY, Refusal

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PAGE_TIMEOUT_S = 120
LEFT_OUT = ("reference/facts", "exam")
"""a hundred sheets of rows to look things up in, and a room with a clock: neither is for paper"""


def browser() -> str:
    """The first Chromium or Chrome on the PATH. Refusal if there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise Refusal(
            "Printing the book needs Chromium or Chrome on the PATH; on Debian and Ubuntu: apt install chromium",
            NOT_READY,
        )
    return found


def order(contents: Path) -> list[str]:
    """The pages in the order of the menu, without their ending; from `_toc.yml`."""
    toc = yaml.safe_load(contents.read_text("utf-8"))

    def walk(entries: list[dict[str, object]]) -> Iterator[str]:
        for entry in entries:
            yield str(entry["file"])
            sections = entry.get("sections")
            if isinstance(sections, list):
                yield from walk(sections)

    pages = [str(toc["root"])]
    for part in toc.get("parts", [{"chapters": toc.get("chapters", [])}]):
        pages += walk(part["chapters"])
    return [page for page in pages if page not in LEFT_OUT]


def title(page: str) -> str:
    """The title of a built page, without the book's."""
    found = search(r"<title>(.*?)</title>", page, DOTALL)
    return unescape(found[1]).split("—")[0].strip() if found else ""


def unfold(page: str) -> str:
    """The page with every fold open: paper has nothing to click."""
    return page.replace("<details", "<details open")


def write(site: Path, contents: Path, to: Path, on_page: Callable[[str], object] = str) -> int:
    """Print every page of `site` and join them; the number of sheets. Refusal without a browser, or if a page cannot be printed."""
    chromium = browser()
    joined = pypdf.PdfWriter()
    with tempfile.TemporaryDirectory(prefix="deployment-dilemma-pdf-") as scratch:
        for name in order(contents):
            source = site / f"{name}.html"
            if not source.is_file():
                raise Refusal(f"the built book has no page '{name}'; build it first: make book", NOT_READY)
            on_page(name)
            text = source.read_text("utf-8")
            open_page = source.with_name(f".print-{source.name}")
            sheet = Path(scratch) / f"{name.replace('/', '-')}.pdf"
            try:
                open_page.write_text(unfold(text), "utf-8")
                _print(chromium, open_page, sheet, Path(scratch) / "profile")
            finally:
                open_page.unlink(missing_ok=True)
            joined.append(str(sheet), outline_item=title(text) or name)
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=to.parent, suffix=".pdf", delete=False) as file:
            joined.write(file)
        Path(file.name).replace(to)
    return len(joined.pages)


def _print(chromium: str, page: Path, sheet: Path, profile: Path) -> None:
    command = [
        chromium,
        "--headless",
        "--disable-gpu",
        "--no-pdf-header-footer",
        "--host-resolver-rules=MAP * ~NOTFOUND",  # a page that wanted something from elsewhere would show it
        f"--user-data-dir={profile}",
        f"--print-to-pdf={sheet}",
        *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
        page.resolve().as_uri(),
    ]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PAGE_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise Refusal(f"{chromium} did not print {page.name} in {PAGE_TIMEOUT_S} s", FALSE) from None
    if done.returncode or not sheet.is_file():
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise Refusal(f"{chromium} could not print {page.name}: {last[0]}", FALSE)
