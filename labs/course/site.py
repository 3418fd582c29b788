"""A built site held in memory: every file with its type, its version and its compressed form. What is not in it is not served.

site = load(Path("_build/html"))
site.find("/06-squid.html")
"""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".ipynb": "application/x-ipynb+json",
    ".xml": "application/xml",
    ".woff2": "font/woff2",
}
"""Said for sure; the machine's own table may know none of them."""
COMPRESSED = ("text/", "application/json", "application/x-ipynb", "application/xml", "image/svg")
LEAST_BYTES = 512
"""Compressing less than this gains nothing."""


@dataclass(frozen=True)
class Resource:
    """One file of the site."""

    body: bytes
    type: str

    @cached_property
    def etag(self) -> str:
        """Changes when the content does."""
        return hashlib.sha256(self.body).hexdigest()[:16]

    @cached_property
    def gzipped(self) -> bytes | None:
        """The file compressed, or None where that is no use."""
        if len(self.body) < LEAST_BYTES or not self.type.startswith(COMPRESSED):
            return None
        return gzip.compress(self.body, 6, mtime=0)


@dataclass(frozen=True)
class Site:
    """Files by their path below the root, without a leading slash."""

    files: dict[str, Resource] = field(default_factory=dict)

    def find(self, address: str) -> Resource | None:
        """The file that a request's path means; None if there is none, however the path is written."""
        path = unquote(address.partition("?")[0].partition("#")[0]).lstrip("/")
        if not path or path.endswith("/"):
            path += "index.html"
        return self.files.get(path)


def load(folder: Path) -> Site:
    """Read a site from its folder; links are not followed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            found[path.relative_to(folder).as_posix()] = Resource(path.read_bytes(), kind)
    return Site(found)
