"""From names to replicas: every model and hardware of the catalogue, memory arithmetic, files, and errors that help."""

from pathlib import Path

import pytest

from labs.errors import Refusal
from labs.facts import catalogue
from labs.serving.batching import ReplicaSpec
from labs.serving.profiles import (
    Choices,
    Hardware,
    deployment,
    fitted,
    hardware,
    hardware_from_file,
    model_from_file,
    model_shape,
    plan,
)
from labs.serving.services import LEVELS, service, services, size_of
from labs.serving.static_batching import StaticSpec

OPEN_MODELS = [id for id, entry in catalogue.models().items() if entry.shape is not None]


@pytest.mark.parametrize("chip", catalogue.accelerators())
def test_every_accelerator_of_the_catalogue_serves_a_small_model(chip: str) -> None:
    made = deployment("llama-3-8b", chip, Choices(dtype="int8"))
    assert made.memory.cache_tokens > 2048


@pytest.mark.parametrize("instance", catalogue.instances())
def test_every_instance_type_is_known_by_its_name(instance: str) -> None:
    assert hardware(instance).count == catalogue.instance(instance).count


@pytest.mark.parametrize("model", OPEN_MODELS)
def test_every_open_model_runs_on_the_largest_gpu_instance(model: str) -> None:
    made = deployment(model, "p5en.48xlarge")
    assert made.memory.cache_bytes > 0
    assert isinstance(made.spec, ReplicaSpec)


def test_older_neuron_serves_static_batches_and_gpus_do_not() -> None:
    assert isinstance(deployment("llama-3-8b", "ml.inf2.48xlarge").spec, StaticSpec)
    assert isinstance(deployment("llama-3-8b", "inf2.48xlarge", Choices(batching="continuous")).spec, ReplicaSpec)
    with pytest.raises(Refusal, match="Neuron"):
        deployment("llama-3-8b", "h100", Choices(batching="static"))


def test_tensor_parallel_is_as_small_as_fits() -> None:
    assert deployment("llama-3-8b", "p5.48xlarge").tensor_parallel == 1
    assert deployment("llama-3-70b", "p5.48xlarge").tensor_parallel == 4
    assert deployment("llama-3-70b", "p5.48xlarge", Choices(dtype="fp8")).tensor_parallel == 2


def test_a_model_that_does_not_fit_is_refused_with_the_arithmetic() -> None:
    with pytest.raises(Refusal) as refused:
        deployment("llama-3-70b", "ml.g5.12xlarge")
    message = str(refused.value)
    assert "weights 141.1 GB" in message
    assert "4 x ml.g5.12xlarge" in message
    assert "at least 8 such devices" in message
    assert refused.value.exit_status == 2


def test_unknown_names_offer_the_nearest() -> None:
    with pytest.raises(Refusal, match="nearest: llama-3-8b"):
        model_shape("lama-3-8b")
    with pytest.raises(Refusal, match=r"nearest: p5\.48xlarge"):
        hardware("p5.48xlarg")
    with pytest.raises(Refusal, match="not public"):
        model_shape("nova-lite")
    with pytest.raises(Refusal, match="dtype"):
        deployment("llama-3-8b", "h100", Choices(dtype="fp7"))


def test_more_devices_than_an_instance_has_are_refused() -> None:
    with pytest.raises(Refusal, match="has 4 devices"):
        deployment("llama-3-8b", "g5.12xlarge", Choices(tensor_parallel=8))


def test_hardware_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "memory: 48 GiB\nbandwidth: 960 GB/s\ndense_bf16: 200 TFLOPS\nfamily: gddr\nconstants: {bandwidth_efficiency: 0.5}\n"
    )
    mine = hardware_from_file(file)
    assert (mine.id, mine.memory_bytes, mine.family) == ("mine", 48 * 2**30, "gddr")
    slow = plan(model_shape("llama-3-8b"), mine, Choices())
    file.write_text(file.read_text().replace("0.5", "1.0"))
    fast = plan(model_shape("llama-3-8b"), hardware_from_file(file), Choices())
    assert slow.spec.law.dense_weights_s == pytest.approx(2 * fast.spec.law.dense_weights_s)  # type: ignore[union-attr]
    assert any("mine.yaml" in note for note in slow.notes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("memory: 48", "memory"),
        ("memory: 48 GiB\nbandwidth: fast", "bandwidth"),
        ("colour: red", "colour"),
        ("kind: tpu", "kind"),
        ("- a", "mapping"),
        ("{", "not YAML"),
    ],
)
def test_a_bad_hardware_file_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(Refusal, match=says):
        hardware_from_file(file)


def test_a_shape_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "tiny.json"
    file.write_text(
        '{"parameters": 1000000000, "layers": 16, "hidden": 2048, "intermediate": 8192, "heads": 32, "kv_heads": 8,'
        ' "head_dim": 64, "vocabulary": 32000, "context_tokens": 4096}'
    )
    name, shape = model_from_file(file)
    assert (name, shape.active_parameters) == ("tiny", 1_000_000_000)
    file.write_text("layers: many")
    with pytest.raises(Refusal, match="layers"):
        model_from_file(file)


def test_weights_and_cache_have_their_own_precision() -> None:
    small = deployment("llama-3-70b", "h200", Choices(dtype="fp8"))
    assert small.kv_dtype == "fp8"
    large = deployment("llama-3-70b", "h200", Choices(dtype="fp8", kv_dtype="bf16"))
    assert large.memory.cache_tokens == pytest.approx(small.memory.cache_tokens / 2, abs=1)


def test_what_is_assumed_is_said() -> None:
    assert any("assumption" in note for note in deployment("llama-3-8b", "trn2.48xlarge").notes)
    assert any("RTX 4090" in note for note in deployment("llama-3-8b", "g6.xlarge", Choices(dtype="int8")).notes)
    assert any("mixture" in note for note in deployment("mixtral-8x7b", "p5.48xlarge").notes)


def test_constants_can_be_tried_without_being_committed() -> None:
    half = {**fitted(), "hbm": {**fitted()["hbm"], "bandwidth_efficiency": fitted()["hbm"]["bandwidth_efficiency"] / 2}}
    on: Hardware = hardware("h100")
    one = plan(model_shape("llama-3-8b"), on, Choices()).spec.law
    two = plan(model_shape("llama-3-8b"), on, Choices(), half).spec.law
    assert two.dense_weights_s == pytest.approx(2 * one.dense_weights_s)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", services())
def test_a_service_has_a_range_whose_ends_are_apart(name: str) -> None:
    plans = [service(name, "llama-3.1-8b", level, units=2) for level in LEVELS]
    assert all(made.assumptions for made in plans)
    assert len({made.spec for made in plans}) == 3


def test_sizes_of_models_follow_their_parameters_or_their_names() -> None:
    assert [
        size_of(m)
        for m in ("llama-3-8b", "llama-3.3-70b", "amazon.nova-lite-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0")
    ] == [
        "small",
        "medium",
        "small",
        "large",
    ]
    with pytest.raises(Refusal, match="nearest"):
        service("bedrock-on-demand", "lama-3-8b")
