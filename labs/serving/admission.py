"""Who gets in: token quotas with reservation and burndown, a concurrency limit, a queue limit.

Bedrock's rule: at the start of a call its input tokens plus `max_tokens` are taken from the quota; at the end that is settled to
input plus output times the model's burndown rate. How AWS lays its minutes is not published. Here a minute is any 60 seconds:
a request is admitted only if what was charged in the minute before it, and the request itself, fit in the quota together.
A settlement gives back at the place of the reservation; what it costs beyond the reservation is charged when the call ends.
"""

from collections import deque
from dataclasses import dataclass

MINUTE_S = 60.0
DAY_S = 86_400.0


@dataclass(frozen=True)
class TokenQuota:
    """An account's quota for one model in one Region."""

    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None
    requests_per_minute: int | None = None
    """Bedrock had these until 2026; other services still do"""
    burndown: float = 1.0
    """what one output token costs when the call is settled"""

    def __post_init__(self) -> None:
        for name in ("tokens_per_minute", "tokens_per_day", "requests_per_minute"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise ValueError(f"{name} must be at least 1, not {limit}")


@dataclass(frozen=True)
class Admission:
    """What stands before the replicas. None: no such limit."""

    quota: TokenQuota | None = None
    max_concurrency: int | None = None
    """requests at the replicas at once, over all of them"""
    max_queue: int | None = None
    """requests that may wait in front of the replicas, for concurrency or for a first replica"""
    reject_when_cold: bool = False
    """turn requests away while no replica is ready (Bedrock's imported models), instead of letting them wait"""


class _Charge:
    __slots__ = ("amount", "lapsed", "t")

    def __init__(self, t: float, amount: float) -> None:
        self.t = t
        self.amount = amount
        self.lapsed = False


class MovingWindow:
    """Charges of the last `length_s` seconds, and their sum."""

    def __init__(self, limit: float, length_s: float) -> None:
        self.limit = limit
        self.length_s = length_s
        self.total = 0.0
        self._charges: deque[_Charge] = deque()

    def used(self, t: float) -> float:
        """What is charged in the window that ends at `t`."""
        charges = self._charges
        while charges and charges[0].t <= t - self.length_s:
            gone = charges.popleft()
            gone.lapsed = True
            self.total -= gone.amount
        if not charges:
            self.total = 0.0
        return self.total

    def fits(self, t: float, amount: float) -> bool:
        """Would `amount` at `t` stay within the limit?"""
        return self.used(t) + amount <= self.limit

    def charge(self, t: float, amount: float) -> _Charge:
        """Charge `amount` at `t`, whether it fits or not."""
        charge = _Charge(t, amount)
        self._charges.append(charge)
        self.total += amount
        return charge

    def settle(self, charge: _Charge, t: float, amount: float) -> None:
        """Lower a charge to what it came to; what goes beyond it is charged at `t`."""
        self.used(t)
        if amount > charge.amount:
            self.charge(t, amount - charge.amount)
        elif not charge.lapsed:
            self.total -= charge.amount - amount
            charge.amount = amount


class QuotaMeter:
    """The state of a `TokenQuota`: what has been charged, and what is reserved by requests in flight."""

    def __init__(self, quota: TokenQuota) -> None:
        self.quota = quota
        self.windows: list[tuple[str, MovingWindow]] = []
        if quota.tokens_per_minute is not None:
            self.windows.append(("tokens per minute", MovingWindow(quota.tokens_per_minute, MINUTE_S)))
        if quota.tokens_per_day is not None:
            self.windows.append(("tokens per day", MovingWindow(quota.tokens_per_day, DAY_S)))
        self.requests = (
            MovingWindow(quota.requests_per_minute, MINUTE_S) if quota.requests_per_minute is not None else None
        )
        self._reserved: dict[int, list[_Charge]] = {}

    def admit(self, t: float, row: int, input_tokens: int, ceiling: int) -> str | None:
        """Reserve for a request; the name of the quota that has no room for it, or None."""
        amount = input_tokens + ceiling
        if self.requests is not None and not self.requests.fits(t, 1):
            return "requests per minute"
        for name, window in self.windows:
            if not window.fits(t, amount):
                return name
        if self.requests is not None:
            self.requests.charge(t, 1)
        self._reserved[row] = [window.charge(t, amount) for _, window in self.windows]
        return None

    def settle(self, t: float, row: int, input_tokens: int, output_tokens: int) -> None:
        """A request that was admitted has ended, with so many tokens written."""
        amount = input_tokens + output_tokens * self.quota.burndown
        for (_, window), charge in zip(self.windows, self._reserved.pop(row, ()), strict=False):
            window.settle(charge, t, amount)
