"""The law of speed of GPUs: a roofline with the efficiencies that real servers reach, and the overheads that they do not escape.

    step = max(weights read, arithmetic on the step's tokens) + cache read + attention of the prompt chunks
           + a constant + so much for each sequence + the all-reduces of tensor parallelism

Weights of a mixture of experts are read for the experts that the step's tokens touch. The constants are fitted in `calibration`
and stand, with where each was fitted, in `data/constants.yaml`.
"""

from dataclasses import dataclass

from labs.facts.catalogue_schema import Shape

ALL_REDUCES_PER_LAYER = 2
"""one after attention, one after the feed-forward block"""
ACTIVATION_BYTES = 2


@dataclass(frozen=True)
class GpuConstants:
    """What is fitted, or assumed, for one family of GPUs."""

    bandwidth_efficiency: float
    """fraction of the memory's rated bandwidth that weights and cache are read at"""
    compute_efficiency: float
    """fraction of the rated dense 16-bit arithmetic that matrix products reach"""
    compute_efficiency_fp8: float
    step_overhead_s: float
    """launching and scheduling a step"""
    per_sequence_s: float
    """sampling and bookkeeping of one sequence in a step"""


@dataclass(frozen=True)
class Interconnect:
    """What the all-reduces of tensor parallelism cost."""

    all_reduce_s: float
    """latency of one all-reduce"""
    bytes_per_s: float
    """rate at which a GPU reduces, once it is large"""


@dataclass(frozen=True)
class GpuLaw:
    """Seconds for a step of one model on so many GPUs; `gpu_law` works it out."""

    dense_weights_s: float
    expert_weights_s: float
    """reading one expert of every layer"""
    experts: int
    active_experts: int
    per_token_s: float
    per_pair_s: float
    """one prompt token attending to one cached token"""
    overhead_s: float
    per_sequence_s: float
    all_reduce_per_token_s: float
    per_cached_token_s: float

    def weights_s(self, tokens: int) -> float:
        """Reading the weights that `tokens` tokens touch."""
        if self.experts <= 1:
            return self.dense_weights_s
        touched = self.experts * (1.0 - (1.0 - self.active_experts / self.experts) ** tokens)
        return self.dense_weights_s + touched * self.expert_weights_s

    @property
    def least_step_s(self) -> float:
        """See `laws.StepLaw`."""
        return self.weights_s(1) + self.overhead_s

    def decode_s(self, batch: int) -> float:
        """See `laws.StepLaw`."""
        work = max(self.weights_s(batch), batch * self.per_token_s)
        return work + self.overhead_s + batch * (self.per_sequence_s + self.all_reduce_per_token_s)

    def mixed_s(self, batch: int, prefill_tokens: int, prefill_attention: float) -> float:
        """See `laws.StepLaw`."""
        tokens = batch + prefill_tokens
        work = tokens * self.per_token_s
        weights = self.dense_weights_s if self.experts <= 1 else self.weights_s(tokens)
        if work < weights:
            work = weights
        return (
            work
            + prefill_attention * self.per_pair_s
            + self.overhead_s
            + batch * self.per_sequence_s
            + tokens * self.all_reduce_per_token_s
        )


def gpu_law(
    shape: Shape,
    constants: GpuConstants,
    *,
    count: int,
    bandwidth_bytes_per_s: float,
    flops_per_s: float,
    weight_bytes: float,
    kv_bytes: float,
    fp8_arithmetic: bool = False,
    interconnect: Interconnect | None = None,
) -> GpuLaw:
    """The law for a model on `count` GPUs of the given ratings (each); `weight_bytes` and `kv_bytes` are per element.

    `flops_per_s` is the rating for the arithmetic that is used: that of FP8 when `fp8_arithmetic` says so.
    """
    read = count * bandwidth_bytes_per_s * constants.bandwidth_efficiency
    compute = (
        count * flops_per_s * (constants.compute_efficiency_fp8 if fp8_arithmetic else constants.compute_efficiency)
    )
    # The table of input embeddings is looked up, not read; where it is the output table too, it is read as that.
    looked_up = 0 if shape.tied_embeddings else shape.vocabulary * shape.hidden
    one_expert = 3 * shape.hidden * shape.intermediate * shape.layers if shape.experts > 1 else 0
    dense = shape.parameters - looked_up - one_expert * shape.experts
    full_layers = shape.layers - shape.sliding_layers
    kv_share = max(1.0, count / shape.kv_heads)  # heads are copied where there are more GPUs than heads
    reduces = ALL_REDUCES_PER_LAYER * shape.layers if count > 1 and interconnect else 0
    return GpuLaw(
        dense_weights_s=dense * weight_bytes / read,
        expert_weights_s=one_expert * weight_bytes / read,
        experts=shape.experts,
        active_experts=shape.active_experts,
        per_token_s=2 * (shape.active_parameters - looked_up) / compute,
        per_pair_s=4
        * full_layers
        * shape.heads
        * shape.head_dim
        / (count * flops_per_s * constants.compute_efficiency),
        overhead_s=constants.step_overhead_s + (reduces * interconnect.all_reduce_s if interconnect else 0.0),
        per_sequence_s=constants.per_sequence_s,
        all_reduce_per_token_s=(
            reduces * shape.hidden * ACTIVATION_BYTES * 2 * (count - 1) / count / interconnect.bytes_per_s
            if interconnect
            else 0.0
        ),
        per_cached_token_s=2 * full_layers * shape.kv_heads * shape.head_dim * kv_bytes * kv_share / read,
    )
