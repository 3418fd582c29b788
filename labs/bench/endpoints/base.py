"""The seam that every endpoint fits."""

from collections.abc import Mapping
from typing import Any, Protocol

from labs.bench.exchange import Client


class Endpoint(Protocol):
    """Where to send requests and in which words. Can be pickled; holds no connection and no secret."""

    @property
    def streaming(self) -> bool:
        """Does an answer come token by token?"""

    def describe(self) -> Mapping[str, Any]:
        """What it is, for the record of a run: `endpoint` (its kind) and what tells it from others of its kind."""

    def open(self, *, only_loopback: bool) -> Client:
        """A client, in the event loop that runs now. Raises Refusal when it cannot be; with `only_loopback` AWS must be on this machine."""
