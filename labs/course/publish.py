"""From what Sphinx leaves to what readers get: only the files that pages ask for, in place in one step."""

import os
import re
import shutil
from pathlib import Path

UNWANTED = {".buildinfo", ".buildinfo.bak", "_sources", "reports"}
"""Left by Sphinx for itself, not for readers."""

_ASKED_FOR = re.compile(
    r"""(?:src|href)="(?:[^":?#]*/)?(_static/[^"?#]+)|property="og:image" content="[^"?#]*/(_static/[^"?#]+)"""
)
_URL = re.compile(r"url\(['\"]?(?!data:)([^'\")?#]+)")


def publish(html: Path, site: Path) -> None:
    """Copy a built site to `site`, without the parts of the theme that no page uses; readers see the old one or the new one."""
    fresh, old = site.with_name(f".{site.name}-new"), site.with_name(f".{site.name}-old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    wanted = assets(html)

    def unwanted(folder: str, names: list[str]) -> set[str]:
        here = Path(folder).relative_to(html)
        if here.parts[:1] != ("_static",):
            return {name for name in names if name in UNWANTED}
        below = {(here / name).as_posix(): name for name in names}
        return {
            name for path, name in below.items() if not any(one == path or one.startswith(f"{path}/") for one in wanted)
        }

    shutil.copytree(html, fresh, ignore=unwanted)
    if site.exists():
        site.rename(old)
    fresh.rename(site)
    shutil.rmtree(old, ignore_errors=True)


def assets(html: Path) -> set[str]:
    """The files under `_static/` that pages or their styles refer to, as paths relative to the site."""
    found: set[str] = set()
    for page in html.rglob("*.html"):
        if "_static" not in page.relative_to(html).parts:
            found |= {match[1] or match[2] for match in _ASKED_FOR.finditer(page.read_text("utf-8"))}
    for sheet in [path for path in found if path.endswith(".css")]:
        folder = os.path.dirname(sheet)  # noqa: PTH120 - addresses, not paths
        text = (html / sheet).read_text("utf-8") if (html / sheet).exists() else ""
        found |= {os.path.normpath(f"{folder}/{address}") for address in _URL.findall(text)}
    return found
