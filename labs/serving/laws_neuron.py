"""The law of speed of AWS Inferentia2 and Trainium, where a roofline of weights alone is optimistic by half to ten times.

A decode step has four terms: the weights; a cost of each layer, mostly collectives; arithmetic of each sequence; and attention over
the *bucket* that the context is padded to, for the key-value heads that a core holds. A prefill takes the whole batch at once, padded to
a bucket: the layers' latency, arithmetic, the collectives' traffic, attention, and a constant on the host.

Fitted on Transformers-NeuronX (static batches). For continuous batching on Neuron the same terms are used with the tokens that are
really cached instead of a bucket, and a step with prompts is a prefill followed by a decode: that is not calibrated.
"""

from dataclasses import dataclass

from labs.facts.catalogue_schema import Shape

ACTIVATION_BYTES = 2
KV_BYTES = 2


@dataclass(frozen=True)
class NeuronConstants:
    """What is fitted, or assumed, for one generation of NeuronCores."""

    bandwidth_efficiency: float
    """fraction of the rated bandwidth at which weights are read"""
    layer_s: float
    """latency of a layer, whatever it computes"""
    decode_compute_efficiency: float
    """fraction of the rated arithmetic that a sequence's token reaches in a decode step"""
    cache_efficiency: float
    """fraction of the rated bandwidth at which a bucket's cache is read and attended to"""
    prefill_compute_efficiency: float
    prefill_collective_bytes_per_s: float
    """rate at which a core's activations are all-reduced in a prefill"""
    prefill_attention_efficiency: float
    prefill_host_s: float


@dataclass(frozen=True)
class NeuronLaw:
    """Seconds for steps and prefills of one model on so many NeuronCores; `neuron_law` works it out."""

    decode_base_s: float
    per_sequence_s: float
    per_cached_token_s: float
    prefill_base_s: float
    per_prefill_token_s: float
    per_pair_s: float

    @property
    def least_step_s(self) -> float:
        """See `laws.StepLaw`."""
        return min(self.decode_base_s, self.prefill_base_s)

    def step_s(self, batch: int, bucket_tokens: int) -> float:
        """See `laws.BatchLaw`."""
        return self.decode_base_s + batch * (self.per_sequence_s + bucket_tokens * self.per_cached_token_s)

    def prefill_s(self, batch: int, padded_tokens: int) -> float:
        """See `laws.BatchLaw`."""
        return self.prefill_base_s + batch * padded_tokens * (
            self.per_prefill_token_s + 0.5 * padded_tokens * self.per_pair_s
        )

    def decode_s(self, batch: int) -> float:
        """See `laws.StepLaw`."""
        return self.decode_base_s + batch * self.per_sequence_s

    def mixed_s(self, batch: int, prefill_tokens: int, prefill_attention: float) -> float:
        """See `laws.StepLaw`."""
        prefill = self.prefill_base_s + prefill_tokens * self.per_prefill_token_s + prefill_attention * self.per_pair_s
        return prefill + (self.decode_s(batch) if batch else 0.0)


def neuron_law(
    shape: Shape,
    constants: NeuronConstants,
    *,
    cores: int,
    core_bandwidth_bytes_per_s: float,
    core_flops_per_s: float,
    weight_bytes: float,
) -> NeuronLaw:
    """The law for a model on `cores` NeuronCores of the given ratings (each)."""
    looked_up = 0 if shape.tied_embeddings else shape.vocabulary * shape.hidden
    weights_s = (
        (shape.parameters - looked_up)
        * weight_bytes
        / (cores * core_bandwidth_bytes_per_s * constants.bandwidth_efficiency)
    )
    flops = 2 * (shape.active_parameters - looked_up)
    compute = cores * core_flops_per_s
    layers_s = shape.layers * constants.layer_s
    heads_per_core = max(1.0, shape.kv_heads / cores)
    cache_bytes = 2 * shape.layers * heads_per_core * shape.head_dim * KV_BYTES
    traffic = 2 * shape.layers * shape.hidden * ACTIVATION_BYTES
    return NeuronLaw(
        decode_base_s=weights_s + layers_s,
        per_sequence_s=flops / (compute * constants.decode_compute_efficiency),
        per_cached_token_s=cache_bytes / (core_bandwidth_bytes_per_s * constants.cache_efficiency),
        prefill_base_s=weights_s + layers_s + constants.prefill_host_s,
        per_prefill_token_s=(
            flops / (compute * constants.prefill_compute_efficiency)
            + traffic / constants.prefill_collective_bytes_per_s
        ),
        per_pair_s=4 * shape.layers * shape.heads * shape.head_dim / (compute * constants.prefill_attention_efficiency),
    )
