"""Prompt caching: which part of a prompt was read before, and which is written for the next call.

    plan = cache.look(parts, least=1024)      # parts in the order in which the model reads them; some end in a checkpoint
    plan.read, plan.written                   # tokens
    cache.write(plan)                         # once the call has been admitted

A checkpoint caches everything before it when that is long enough. A later call reads the longest prefix that is cached, if a
checkpoint of its own lies at or after its end; each read keeps it for another while. The times are real: no time scale touches them.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labs import facts

FIVE_MINUTES, ONE_HOUR = "5m", "1h"


@dataclass(frozen=True)
class Part:
    """A piece of the prompt. `checkpoint` is how long ("5m", "1h") everything up to its end is to be kept, None for no checkpoint."""

    text: str
    tokens: int
    checkpoint: str | None = None


@dataclass(frozen=True)
class Plan:
    """What one prompt reads from the cache and writes to it."""

    read: int = 0
    written: int = 0
    keep: tuple[tuple[str, str], ...] = ()
    """(prefix, how long) that this call keeps or keeps longer"""
    details: tuple[tuple[str, int], ...] = ()
    """(how long, tokens written for so long)"""


def lifetime_s(ttl: str) -> float:
    """Seconds that a prefix is kept without being read."""
    return facts.number("bedrock.cache.ttl_long_s" if ttl == ONE_HOUR else "bedrock.cache.ttl_default_s")


class PromptCache:
    """The cached prefixes of one model, for one account and Region. Safe to share between threads."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._until: dict[str, tuple[float, str]] = {}
        """prefix: when it is gone, and how long it is kept"""

    def look(self, parts: Sequence[Part], least: int) -> Plan:
        """What this prompt would read and write; changes nothing."""
        checkpoints = [i for i, part in enumerate(parts) if part.checkpoint is not None]
        if not checkpoints:
            return Plan()
        ends = []
        running, tokens = hashlib.sha256(), 0
        for part in parts[: checkpoints[-1] + 1]:
            running.update(f"{len(part.text)}:{part.text}".encode())
            tokens += part.tokens
            ends.append((running.hexdigest(), tokens))
        now = self._now()
        with self._lock:
            self._until = {prefix: kept for prefix, kept in self._until.items() if kept[0] > now}
            cached = [(tokens, prefix) for prefix, tokens in ends if prefix in self._until]
            read, prefix = max(cached, default=(0, ""))
            keep = [(prefix, self._until[prefix][1])] if prefix else []
        details, done = [], read
        for i in checkpoints:
            prefix, tokens = ends[i]
            ttl = parts[i].checkpoint or FIVE_MINUTES
            if tokens >= least and tokens > done:
                keep.append((prefix, ttl))
                details.append((ttl, tokens - done))
                done = tokens
        return Plan(read, done - read, tuple(keep), tuple(details))

    def write(self, plan: Plan) -> None:
        """Carry a plan out."""
        now = self._now()
        with self._lock:
            for prefix, ttl in plan.keep:
                self._until[prefix] = (now + lifetime_s(ttl), ttl)
