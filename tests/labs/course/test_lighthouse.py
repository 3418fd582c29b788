"""Lighthouse's report is read into our bars, and its absence is one sentence. Lighthouse itself is not run here: it is Node's."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from labs.course import lighthouse
from labs.course.lighthouse import Visit
from labs.errors import NOT_READY, Refusal

REPORT = {
    "categories": {
        "performance": {"score": 0.94},
        "accessibility": {"score": 1},
        "best-practices": {"score": 1},
        "seo": {"score": 1},
    },
    "audits": {
        "network-requests": {
            "details": {
                "items": [
                    {"url": "http://127.0.0.1/a.html", "transferSize": 28_522},
                    {"url": "http://127.0.0.1/a.css", "transferSize": 21_835},
                    {"url": "data:image/svg+xml,...", "transferSize": 0},
                ]
            }
        },
        "largest-contentful-paint": {"numericValue": 1512.2},
        "cumulative-layout-shift": {"numericValue": 0.0},
        "total-blocking-time": {"numericValue": 289.4},
    },
}
GOOD = Visit("a", "phone", 94, 100, 100, 100, kb=50.4, requests=2, lcp_s=1.51, cls=0.0, tbt_ms=289)


def program(folder: Path, *lines: str) -> None:
    """A `lighthouse` on the PATH, which does this."""
    file = folder / "lighthouse"
    file.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    file.chmod(0o755)
    (folder / "chromium").symlink_to("/bin/true")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH beside the system's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), "/bin"]))
    return folder


def test_a_report_becomes_a_line(path: Path, tmp_path: Path) -> None:
    (tmp_path / "canned.json").write_text(json.dumps(REPORT))
    program(
        path,
        'for each; do case "$each" in --output-path=*) to=${each#*=};; esac; done',
        f"cp {tmp_path}/canned.json $to",
    )
    assert list(lighthouse.visit("http://127.0.0.1:1/", ["a"], ["phone"], runs=3)) == [GOOD]


def test_the_bars_say_what_a_page_is_short_of() -> None:
    assert GOOD.short_of() == []
    assert replace(GOOD, device="desktop").short_of() == ["performance"]
    assert replace(GOOD, seo=91, kb=150.1, requests=9).short_of() == ["seo", "bytes", "requests"]
    assert replace(GOOD, lcp_s=2.01, cls=0.02).short_of() == ["LCP", "CLS"]


def test_a_failure_of_lighthouse_is_one_sentence_with_its_last_word(path: Path) -> None:
    program(path, "echo one >&2", "echo 'no such chrome' >&2", "exit 1")
    with pytest.raises(Refusal, match="Lighthouse failed on a \\(phone\\): no such chrome"):
        list(lighthouse.visit("http://127.0.0.1:1/", ["a"], ["phone"], runs=1))


def test_without_node_it_says_what_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal, match="needs Node") as refused:
        lighthouse.command()
    assert refused.value.exit_status == NOT_READY
