"""One request and its answer, as every kind of client sees it."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from labs.bench.records import OK


@dataclass(frozen=True, slots=True)
class Ask:
    """What to ask."""

    id: int
    prompt: str
    input_tokens: int
    """about how long the prompt is meant to be"""
    output_tokens: int
    """how long the answer is meant to be: the ceiling that is sent"""
    session: str | None = None


class Failed(Exception):  # noqa: N818 - it is a result, and is counted as one
    """An attempt that came to nothing, by the class under which it is counted."""

    def __init__(self, status: str, message: str = "", http_status: int | None = None) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message, self.http_status = status, message, http_status


@dataclass(slots=True)
class Attempt:
    """What has become of a request so far; times on the monotonic clock."""

    sent: float | None = None
    tokens: list[float] = field(default_factory=list)
    input_tokens: int | None = None
    output_tokens: int | None = None
    http_status: int | None = None
    status: str = OK
    message: str = ""
    ended: float | None = None


class Client(Protocol):
    """Asks one endpoint, in one event loop; as many requests at once as there are calls of `ask`."""

    async def reach(self) -> None:
        """Find out that somebody is there, before anything is measured. Raises Failed."""

    def prepare(self, ask: Ask) -> Any:
        """Whatever can be done before a request is due: words put together, signed."""

    async def ask(self, prepared: Any, attempt: Attempt) -> None:
        """Send what was prepared and read the answer into `attempt`. One try, never a second. Raises Failed."""

    async def close(self) -> None:
        """Close every connection."""
