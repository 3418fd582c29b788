"""What Lighthouse says of the built site: a table of pages, phone and desktop, the median of several visits, beside our bars.

    python -m labs.course lighthouse --runs 3

Lighthouse is a program of Node's and no part of the course's packages: the one on the PATH is taken, else `npx` fetches it.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low
from typing import Any

from labs.course.pdf import browser
from labs.errors import FALSE, NOT_READY, Refusal

VERSION = "13"
VISIT_TIMEOUT_S = 180
PAGES = (
    *("index", "00-start", "01-decision", "02-bedrock", "03-sagemaker", "04-custom", "05-economics"),
    *("06-squid", "07-bench", "08-bridge", "09-exam-room", "exam", "explore-break-even"),
    *("labs/06-squid", "reference/card", "reference/facts"),
)
"""every lesson, and one page of each other kind"""
DEVICES = ("phone", "desktop")
PERFORMANCE = {"phone": 92, "desktop": 98}
"""the least score; it hangs on the machine, and a busy one takes ten points away"""
PERFECT = ("accessibility", "best-practices", "seo")
MOST_KB, MOST_REQUESTS, MOST_LCP_S, MOST_CLS = 150.0, 8, 2.0, 0.01


@dataclass(frozen=True)
class Visit:
    """One page as one device sees it on its first visit, over Lighthouse's simulated network."""

    page: str
    device: str
    performance: int
    accessibility: int
    best_practices: int
    seo: int
    kb: float
    """transferred, compressed; kilobytes of 1000 bytes"""
    requests: int
    lcp_s: float
    cls: float
    tbt_ms: int
    """total blocking time: no bar of ours, but where a low score comes from"""

    def short_of(self) -> list[str]:
        """The names of the bars that this page does not reach."""
        low = ["performance"] if self.performance < PERFORMANCE[self.device] else []
        low += [name for name in PERFECT if getattr(self, name.replace("-", "_")) < 100]
        over = {
            "bytes": self.kb > MOST_KB,
            "requests": self.requests > MOST_REQUESTS,
            "LCP": self.lcp_s > MOST_LCP_S,
            "CLS": self.cls > MOST_CLS,
        }
        return low + [name for name, is_over in over.items() if is_over]


def command() -> list[str]:
    """How Lighthouse is started here. Refusal without Node."""
    if found := shutil.which("lighthouse"):
        return [found]
    if found := shutil.which("npx"):
        return [found, "--yes", f"lighthouse@{VERSION}"]
    raise Refusal("Lighthouse needs Node: put 'lighthouse' or 'npx' on the PATH, then run this again.", NOT_READY)


def visit(url: str, pages: Sequence[str], devices: Sequence[str], runs: int) -> Iterator[Visit]:
    """Visit pages of the site at `url`, one at a time; of several runs, the one whose performance is the median. Raises Refusal."""
    start = command()
    surroundings = {**os.environ, "CHROME_PATH": browser()}
    for page in pages:
        for device in devices:
            seen = [_once(start, surroundings, url, page, device) for _ in range(runs)]
            middle = median_low(each.performance for each in seen)
            yield next(each for each in seen if each.performance == middle)


def _once(start: list[str], surroundings: dict[str, str], url: str, page: str, device: str) -> Visit:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        call = [*start, f"{url.rstrip('/')}/{page}.html", "--quiet", "--output=json", f"--output-path={report}"]
        call += [
            "--chrome-flags=--headless=new --no-sandbox",
            "--only-categories=performance,accessibility,best-practices,seo",
        ]
        call += ["--preset=desktop"] if device == "desktop" else []
        try:
            ended = subprocess.run(
                call, env=surroundings, capture_output=True, text=True, timeout=VISIT_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as slow:
            raise Refusal(f"Lighthouse did not end within {VISIT_TIMEOUT_S} s on {page} ({device}).", FALSE) from slow
        if ended.returncode or not report.exists():
            said = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise Refusal(f"Lighthouse failed on {page} ({device}): {said}", FALSE)
        return read(json.loads(report.read_text("utf-8")), page, device)


def read(report: dict[str, Any], page: str, device: str) -> Visit:
    """The figures of one of Lighthouse's JSON reports."""
    found = report["audits"]
    scores = {name: round(100 * each["score"]) for name, each in report["categories"].items()}
    # Pictures that stand in the stylesheet as `data:` addresses are listed too.
    asked = [each for each in found["network-requests"]["details"]["items"] if each["url"].startswith("http")]

    def number(audit: str) -> float:
        return float(found[audit]["numericValue"])

    return Visit(
        page,
        device,
        scores["performance"],
        scores["accessibility"],
        scores["best-practices"],
        scores["seo"],
        kb=round(sum(each["transferSize"] for each in asked) / 1000, 1),
        requests=len(asked),
        lcp_s=round(number("largest-contentful-paint") / 1000, 2),
        cls=round(number("cumulative-layout-shift"), 3),
        tbt_ms=round(number("total-blocking-time")),
    )
