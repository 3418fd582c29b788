"""How an answer is written: in one piece, or as what opens it, one piece after another, and what closes it.

A body format (`bedrock_bodies`) and Converse are each a `Face`; a call (`bedrock_call`) deals the engine's events out to it.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from labs.cloud.services.bedrock_asked import Answer


@dataclass(frozen=True)
class Sums:
    """What a call came to."""

    input_tokens: int
    """tokens of the prompt that were neither read from the cache nor written to it"""
    output_tokens: int
    cache_read: int
    cache_written: int
    cache_details: tuple[tuple[str, int], ...]
    caches: bool
    """does the request ask for caching? then its counts are told even where they are 0"""
    latency_ms: int = 0
    first_ms: int = 0

    @property
    def total_tokens(self) -> int:
        """All of the prompt, and the answer."""
        return self.input_tokens + self.cache_read + self.cache_written + self.output_tokens

    def invocation_metrics(self) -> dict[str, int]:
        """What Bedrock adds to the last chunk of a streamed InvokeModel."""
        counts = {
            "inputTokenCount": self.input_tokens,
            "outputTokenCount": self.output_tokens,
            "invocationLatency": self.latency_ms,
            "firstByteLatency": self.first_ms,
        }
        if self.caches:
            counts |= {
                "cacheReadInputTokenCount": self.cache_read,
                "cacheWriteInputTokenCount": self.cache_written,
            }
        return counts


class Face(Protocol):
    """One format of answers. `sums` holds the prompt's counts from the start; latencies are known at the end."""

    def opening(self, sums: Sums) -> list[dict[str, Any]]:
        """What is sent before the first piece of text."""
        ...

    def piece(self, text: str, number: int) -> list[dict[str, Any]]:
        """A piece of text; `number` tokens are written with it."""
        ...

    def closing(self, answer: Answer, sums: Sums) -> list[dict[str, Any]]:
        """What is sent after the last."""
        ...

    def whole(self, answer: Answer, sums: Sums) -> dict[str, Any]:
        """All in one."""
        ...
