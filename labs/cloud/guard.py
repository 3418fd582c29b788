"""Whom the local cloud answers: programs on this machine that mean it, not a web page that a browser on this machine happens to show.

It listens on loopback only and any program of any user on this machine can still call it, as it could call a real account with credentials
as public as ours; it holds made-up data, but it runs the code of functions deployed to it, with its owner's rights. On a machine shared
with people you do not trust, do not leave it running.
"""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

LOOPBACK_NAMES = ("localhost",)


def is_loopback(host: str | None) -> bool:
    """Is `host` (a name or an address, without port) this machine's loopback interface?"""
    if not host:
        return False
    host = host.strip("[]").rstrip(".").lower()
    if host in LOOPBACK_NAMES or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_loopback_url(url: str) -> bool:
    """Does `url` name a server on this machine's loopback interface?"""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and is_loopback(parts.hostname)
    except ValueError:
        return False


def refusal(environ: dict[str, Any]) -> str | None:
    """Why this request is not answered, or None when it is.

    A page from elsewhere can make a browser send requests here: under its own name, or under a name of its owner's that resolves to
    127.0.0.1. Browsers say so in Host, Origin and Sec-Fetch-Site, and a page cannot take that back.
    """
    host = environ.get("HTTP_HOST", "")
    if not is_loopback_url(f"http://{host}"):
        return f"The local cloud answers on loopback only; it was called as '{host}'."
    origin = environ.get("HTTP_ORIGIN")
    if origin and not is_loopback_url(origin):
        return f"The local cloud does not answer web pages from elsewhere ('{origin}')."
    if environ.get("HTTP_SEC_FETCH_SITE") == "cross-site":
        return "The local cloud does not answer web pages from elsewhere."
    return None


def is_hidden(path: str) -> bool:
    """Does `path` lead to moto's own dashboard, reset and seed routes, which are no part of AWS?"""
    return path.startswith("/moto-api") or path == "/favicon.ico"
