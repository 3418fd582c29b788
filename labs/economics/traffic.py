"""The traffic that a bill is for: how many requests, how many tokens in and out of each.

Traffic.steady(requests_per_minute=100, input_tokens=500, output_tokens=200).requests_per_month    # 4_380_000
"""

from __future__ import annotations

from dataclasses import dataclass

from labs.economics.bill import HOURS_PER_MONTH


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests in a month and tokens per request; `cached_input_tokens` of the input are read from a prompt cache."""

    requests_per_month: float
    input_tokens: float
    output_tokens: float
    cached_input_tokens: float = 0.0

    def __post_init__(self) -> None:
        for name in ("requests_per_month", "input_tokens", "output_tokens", "cached_input_tokens"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, and traffic takes numbers of zero or more")
        if self.cached_input_tokens > self.input_tokens:
            raise ValueError(
                f"{self.cached_input_tokens} cached tokens are more than the {self.input_tokens} that go in"
            )

    @classmethod
    def steady(
        cls,
        requests_per_minute: float,
        input_tokens: float,
        output_tokens: float,
        hours_per_month: float = HOURS_PER_MONTH,
        cached_input_tokens: float = 0.0,
    ) -> Traffic:
        """The same rate for `hours_per_month` hours; 730 of them is around the clock."""
        return cls(requests_per_minute * 60 * hours_per_month, input_tokens, output_tokens, cached_input_tokens)

    @property
    def tokens_per_request(self) -> float:
        return self.input_tokens + self.output_tokens

    @property
    def input_millions(self) -> float:
        """Millions of input tokens a month that are not read from a cache."""
        return self.requests_per_month * (self.input_tokens - self.cached_input_tokens) / 1e6

    @property
    def cached_millions(self) -> float:
        return self.requests_per_month * self.cached_input_tokens / 1e6

    @property
    def output_millions(self) -> float:
        return self.requests_per_month * self.output_tokens / 1e6

    def with_tokens_per_request(self, tokens: float) -> Traffic:
        """The same requests with `tokens` each, in the same proportion of input, cache and output."""
        factor = tokens / self.tokens_per_request
        return Traffic(
            self.requests_per_month,
            self.input_tokens * factor,
            self.output_tokens * factor,
            self.cached_input_tokens * factor,
        )


def in_flight(requests_per_s: float, seconds_each: float) -> float:
    """Little's law: the requests inside a system that takes `seconds_each` for each of `requests_per_s`."""
    return requests_per_s * seconds_each
