"""Token quotas at Bedrock's door: booked when a call starts, settled when it ends, by the serving engine's own rule.

    meter = Meter(burndown=5, limit=lambda: bedrock_quota(context, "us-east-1", "us.anthropic.claude-..."))
    ticket = meter.admit(input_tokens=500, max_tokens=8192)     # Rejected("tokens per minute")
    ticket.settle(output_tokens=200)

One meter serves every tier and every way to call a model that share a quota, so it stands before the engines and not in one.
Its limit is asked for at every call: a quota that was raised counts from the next call on.
"""

import threading
import time
from collections.abc import Callable
from itertools import count

from labs.cloud.context import Context
from labs.cloud.services import quotas
from labs.cloud.wallclock import Rejected
from labs.serving.admission import QuotaMeter, TokenQuota


def bedrock_quota(context: Context, region: str, model_id: str) -> float | None:
    """Tokens per minute that the account has for a model or profile; None where no quota is known, so that none throttles."""
    return quotas.bedrock_quota(context, region, model_id)


class Meter:
    """The state of one quota. `limit` gives tokens per minute, or None for no limit. Safe to share between threads."""

    def __init__(
        self,
        limit: Callable[[], float | None],
        burndown: float = 1.0,
        tokens_per_day: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit, self._now = limit, now
        # The limits of the minute are set at each call; what it starts with does not matter.
        self._meter = QuotaMeter(TokenQuota(tokens_per_minute=1, tokens_per_day=tokens_per_day, burndown=burndown))
        self._lock = threading.Lock()
        self._rows = count()

    def admit(self, input_tokens: int, max_tokens: int) -> "Ticket":
        """Book the most that a call can cost. Raises Rejected with the name of the quota that has no room."""
        with self._lock:
            limit = self._limit()
            self._meter.windows[0][1].limit = float("inf") if limit is None else limit
            row = next(self._rows)
            if (reason := self._meter.admit(self._now(), row, input_tokens, max_tokens)) is not None:
                raise Rejected(reason)
        return Ticket(self, row, input_tokens)

    def used(self) -> float:
        """Tokens booked or spent in the last minute."""
        with self._lock:
            return self._meter.windows[0][1].used(self._now())

    def settle(self, row: int, input_tokens: int, output_tokens: int) -> None:
        """See `Ticket.settle`."""
        with self._lock:
            self._meter.settle(self._now(), row, input_tokens, output_tokens)


class Ticket:
    """One call's booking."""

    def __init__(self, meter: Meter, row: int, input_tokens: int) -> None:
        self._meter, self._row, self._input_tokens = meter, row, input_tokens
        self._open = True

    def settle(self, output_tokens: int) -> None:
        """The call has ended with so many tokens written; a second time does nothing."""
        if self._open:
            self._open = False
            self._meter.settle(self._row, self._input_tokens, output_tokens)
