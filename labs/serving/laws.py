"""What a law of speed is: seconds for one step, given what the step holds. Hardware families have their own (`laws_gpu`, `laws_neuron`).

A *step* is one pass of the model over a replica's batch: a token for each decoding sequence, and some prompt tokens beside them.
Every law here is linear in the cached tokens, which is what lets the engine jump over many steps at once.
"""

from dataclasses import dataclass
from typing import Protocol


class StepLaw(Protocol):
    """Seconds for a step of continuous batching."""

    @property
    def per_cached_token_s(self) -> float:
        """Seconds that each token in the KV cache adds to a step which reads it."""
        ...

    @property
    def least_step_s(self) -> float:
        """No step is shorter than this: what lets a fleet leave a replica alone until it may have finished something."""
        ...

    def decode_s(self, batch: int) -> float:
        """Seconds for a step in which `batch` sequences decode, before the reading of their cache."""
        ...

    def mixed_s(self, batch: int, prefill_tokens: int, prefill_attention: float) -> float:
        """Seconds for a step that also holds prompt tokens, before the reading of the decoding sequences' cache.

        `prefill_attention` is the sum over prompt chunks of tokens x (tokens already cached + half the chunk): pairs attended to.
        """
        ...


class BatchLaw(Protocol):
    """Seconds for a static batch: one prefill of the whole batch, then steps whose cost depends on the context bucket."""

    def prefill_s(self, batch: int, padded_tokens: int) -> float:
        """Seconds to prefill `batch` prompts, each padded to `padded_tokens`."""
        ...

    def step_s(self, batch: int, bucket_tokens: int) -> float:
        """Seconds for one decode step of `batch` sequences whose context is padded to `bucket_tokens`."""
        ...


@dataclass(frozen=True)
class ConstantLaw:
    """`ttft_s` for a step with prompt tokens, `tpot_s` for any other, whatever the load: for tests and first lessons."""

    ttft_s: float
    tpot_s: float
    per_cached_token_s: float = 0.0

    @property
    def least_step_s(self) -> float:
        return min(self.ttft_s, self.tpot_s)

    def decode_s(self, batch: int) -> float:  # noqa: ARG002
        return self.tpot_s

    def mixed_s(self, batch: int, prefill_tokens: int, prefill_attention: float) -> float:  # noqa: ARG002
        return self.ttft_s

    def prefill_s(self, batch: int, padded_tokens: int) -> float:  # noqa: ARG002
        return self.ttft_s

    def step_s(self, batch: int, bucket_tokens: int) -> float:  # noqa: ARG002
        return self.tpot_s
