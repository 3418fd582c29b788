"""Wait for a model server of our own: its machine boots, its image and its weights are fetched, and only then does it answer.

health.wait("http://127.64.0.1:8000", patience_s=1800, tell=print, trouble=lambda: "")
"""

import time
import urllib.error
import urllib.request
from collections.abc import Callable

from labs.errors import FALSE, Refusal


def wait(
    url: str,
    patience_s: float,
    tell: Callable[[str], object],
    trouble: Callable[[], str],
    path: str = "/health",
) -> None:
    """Return when `url`/health says yes. Raises Refusal when `trouble` says why it never will, or when patience ends.

    `trouble` returns "" as long as nothing is known to be wrong; it is asked at every turn, so that a wrong option costs minutes, not hours.
    """
    deadline, pause_s = time.monotonic() + patience_s, 0.2
    while not up(url, path):
        if why := trouble():
            raise Refusal(f"the model server at {url} will not come up: {why}", FALSE)
        if time.monotonic() > deadline:
            raise Refusal(f"the model server at {url} was not up after {patience_s / 60:g} minutes", FALSE)
        tell("waiting for the model server")
        time.sleep(pause_s)
        pause_s = min(10.0, pause_s * 1.3)


def up(url: str, path: str = "/health") -> bool:
    """Does it say that it is well?"""
    try:
        with urllib.request.urlopen(f"{url}{path}", timeout=5) as answer:
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError, ValueError):
        return False
