"""The laws of speed: units, limits that physics sets, and the directions that constants push in."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.facts import catalogue
from labs.facts.catalogue_schema import Shape
from labs.serving.laws import StepLaw
from labs.serving.laws_gpu import GpuConstants, GpuLaw, Interconnect, gpu_law
from labs.serving.laws_neuron import NeuronConstants, NeuronLaw, neuron_law
from labs.serving.profiles import Choices, deployment

PERFECT = GpuConstants(1.0, 1.0, 1.0, 0.0, 0.0)


def shape(name: str) -> Shape:
    found = catalogue.model(name).shape
    assert found is not None
    return found


def h100(name: str = "llama-3.1-8b", count: int = 1, weight_bytes: float = 2, **more: object) -> GpuLaw:
    link = Interconnect(1e-5, 3e11) if count > 1 else None
    return gpu_law(
        shape(name),
        PERFECT,
        count=count,
        bandwidth_bytes_per_s=3.35e12,
        flops_per_s=989e12,
        weight_bytes=weight_bytes,
        kv_bytes=2,
        interconnect=link,
        **more,  # type: ignore[arg-type]
    )


def test_a_perfect_gpu_decodes_at_the_speed_of_its_memory() -> None:
    """8.03 billion parameters less the looked-up embeddings, 2 bytes each, at 3.35 TB/s."""
    assert h100().decode_s(1) == pytest.approx((8030261248 - 128256 * 4096) * 2 / 3.35e12)
    assert h100().per_cached_token_s == pytest.approx(131072 / 3.35e12)


def test_a_perfect_gpu_prefills_at_the_speed_of_its_arithmetic() -> None:
    assert h100().mixed_s(0, 8192, 0.0) == pytest.approx(8192 * 2 * (8030261248 - 128256 * 4096) / 989e12)


def test_fewer_bits_decode_faster_and_prefill_no_faster() -> None:
    assert h100(weight_bytes=1).decode_s(1) == pytest.approx(h100().decode_s(1) / 2)
    assert h100(weight_bytes=1).mixed_s(0, 8192, 0.0) == h100().mixed_s(0, 8192, 0.0)


def test_tensor_parallelism_divides_the_work_and_adds_all_reduces() -> None:
    one, four = h100("llama-3-70b"), h100("llama-3-70b", 4)
    assert four.dense_weights_s == pytest.approx(one.dense_weights_s / 4)
    assert four.overhead_s == pytest.approx(2 * 80 * 1e-5)


def test_more_gpus_than_key_value_heads_hold_copies() -> None:
    assert h100("llama-3-70b", 16).per_cached_token_s == pytest.approx(h100("llama-3-70b", 8).per_cached_token_s)


def test_a_mixture_of_experts_reads_the_experts_that_its_tokens_touch() -> None:
    law = h100("mixtral-8x7b")
    everything = (46702792704 - 32000 * 4096) * 2 / 3.35e12
    active = (12879925248 - 32000 * 4096) * 2 / 3.35e12
    assert law.decode_s(1) == pytest.approx(active, rel=0.01)
    assert law.weights_s(500) == pytest.approx(everything, rel=1e-6)


def test_neuron_has_a_floor_that_no_number_of_cores_removes() -> None:
    constants = NeuronConstants(1.0, 1.5e-4, 0.05, 0.5, 0.5, 1e10, 0.1, 0.01)

    def law(cores: int) -> NeuronLaw:
        return neuron_law(
            shape("llama-3-70b"),
            constants,
            cores=cores,
            core_bandwidth_bytes_per_s=4.4e11,
            core_flops_per_s=95e12,
            weight_bytes=2,
        )

    assert law(24).decode_base_s > law(240).decode_base_s > 80 * 1.5e-4
    assert law(24).prefill_s(2, 128) == pytest.approx(
        law(24).prefill_base_s + 2 * (law(24).prefill_s(1, 128) - law(24).prefill_base_s)
    )


LAWS = [
    deployment(model, on).spec.law
    for model, on in (("llama-3.1-8b", "h100"), ("mixtral-8x7b", "h200"), ("llama-3-8b", "trn2.48xlarge"))
]


@given(st.sampled_from(LAWS), st.integers(1, 300), st.integers(1, 5000), st.integers(0, 8000))
@settings(max_examples=100, deadline=None)
def test_more_work_never_takes_less_time_and_no_step_is_shorter_than_the_least(
    law: StepLaw, batch: int, tokens: int, before: int
) -> None:
    assert law.least_step_s <= law.decode_s(batch) <= law.decode_s(batch + 1)
    attention = tokens * (before + tokens / 2)
    assert law.least_step_s <= law.mixed_s(0, tokens, attention)
    assert law.mixed_s(batch, tokens, attention) <= law.mixed_s(batch, tokens + 1, attention)
    assert law.mixed_s(batch, tokens, attention) <= law.mixed_s(batch + 1, tokens, attention)


def test_a_sliding_window_makes_long_contexts_cheaper() -> None:
    windowed = shape("gpt-oss-20b")
    full = replace_shape(windowed, sliding_layers=0)
    assert windowed.sliding_layers > 0
    laws = [
        gpu_law(s, PERFECT, count=1, bandwidth_bytes_per_s=1e12, flops_per_s=1e14, weight_bytes=0.5, kv_bytes=2)
        for s in (windowed, full)
    ]
    assert laws[0].per_cached_token_s < laws[1].per_cached_token_s


def replace_shape(original: Shape, **changes: int) -> Shape:
    return original.model_copy(update=changes)


def test_choices_reach_the_law() -> None:
    slow = deployment("llama-3.1-8b", "h100", Choices(dtype="bf16")).spec.law
    fast = deployment("llama-3.1-8b", "h100", Choices(dtype="int4")).spec.law
    assert isinstance(slow, GpuLaw)
    assert isinstance(fast, GpuLaw)
    assert fast.dense_weights_s < 0.3 * slow.dense_weights_s
    assert replace(fast, dense_weights_s=0.0).decode_s(1) < fast.decode_s(1)
