"""What a container is, read from image, environment and model data; how it lies on hardware; and the engine with limits."""

import io
import json
import tarfile
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.cloud.services import sagemaker_s3 as s3
from labs.cloud.services.sagemaker_bodies import BadBody, Served, parse
from labs.cloud.services.sagemaker_containers import CannotStart, Container, read, shape_of
from labs.cloud.services.sagemaker_fleet import Fleet, at_scale
from labs.cloud.services.sagemaker_images import LMI as LMI_SERVER
from labs.cloud.services.sagemaker_images import TGI as TGI_SERVER
from labs.cloud.services.sagemaker_images import TRITON as TRITON_SERVER
from labs.cloud.services.sagemaker_images import VLLM as VLLM_SERVER
from labs.cloud.services.sagemaker_placing import Placed, place
from labs.facts import catalogue
from labs.serving import profiles
from labs.serving.engine import ConstantLaw, ReplicaSpec, Request
from tests.labs.cloud.sagemaker_kit import LLAMA_CPP, LMI, LMI_NEURON, SMALL, TGI, TRITON, VLLM

NOTHING = lambda _: None  # noqa: E731 - no model data


def container(image: str = LMI, **environment: str) -> Container:
    return read({"Image": image, "Environment": environment}, NOTHING)


def placed(instance_type: str, image: str = LMI, **environment: str) -> Placed:
    return place(container(image, **environment), instance_type)


@pytest.mark.parametrize(
    ("image", "server"),
    [
        (LMI, "lmi"),
        (LMI_NEURON, "lmi-neuron"),
        (VLLM, "vllm"),
        (TGI, "tgi"),
        (TRITON, "triton"),
        (LLAMA_CPP, "llama-cpp"),
        ("763104351884.dkr.ecr.us-east-1.amazonaws.com/vllm:0.14-neuronx-py312", "vllm-neuron"),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1", "own"),
    ],
)
def test_images_are_known_by_their_name(image: str, server: str) -> None:
    assert container(image, HF_MODEL_ID=SMALL).server.id == server


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"),
        ("meta-llama/Meta-Llama-3.1-8B", "llama-3.1-8b"),
        ("NousResearch/Meta-Llama-3-8B-Instruct", "llama-3-8b"),
        ("mistralai/Mistral-7B-Instruct-v0.2", "mistral-7b"),
        ("openai/gpt-oss-120b", "gpt-oss-120b"),
        ("Qwen/Qwen3-32B-FP8", "qwen3-32b"),
    ],
)
def test_hugging_face_names_mean_models_of_the_catalogue(name: str, model: str) -> None:
    assert container(HF_MODEL_ID=name).model == model


@pytest.mark.parametrize("name", ["acme/llama-3.1-8b-support", "meta-llama/Llama-9-8B", "x"])
def test_no_model_is_guessed(name: str) -> None:
    with pytest.raises(CannotStart, match="is not a model identifier that the local cloud knows"):
        container(HF_MODEL_ID=name)


def test_every_open_model_is_found_by_the_address_of_its_weights() -> None:
    for id, entry in catalogue.models().items():
        if entry.shape is not None and entry.weights:
            assert container(HF_MODEL_ID=entry.weights.partition("huggingface.co/")[2]).model == id


def test_options_come_from_the_environment_and_serving_properties_overrides_them() -> None:
    properties = (
        b"engine=Python\noption.max_rolling_batch_size=7\n# option.max_model_len=1\noption.model_id=Qwen/Qwen3-0.6B\n"
    )
    definition = {"Image": LMI, "Environment": {"OPTION_MAX_ROLLING_BATCH_SIZE": "3", "OPTION_MAX_MODEL_LEN": "900"}}
    found = read(definition, lambda name: properties if name == "serving.properties" else None)
    assert found.model == "qwen3-0.6b"
    on = place(found, "ml.g5.xlarge")
    assert (on.seats, on.context_tokens) == (7, 900)


CONFIG = {
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
}


def test_a_fine_tuned_models_shape_is_in_its_config() -> None:
    published = catalogue.model("llama-3-8b").shape
    assert published is not None
    _, shape = shape_of(json.dumps(CONFIG).encode())
    assert shape.parameters == pytest.approx(published.parameters, rel=0.001)
    assert shape.kv_bytes_per_token() == published.kv_bytes_per_token()
    _, mixture = shape_of(json.dumps({**CONFIG, "num_local_experts": 8, "num_experts_per_tok": 2}).encode())
    assert mixture.active_parameters < mixture.parameters / 3


@pytest.mark.parametrize("config", [b"{}", b"[]", b"no", b'{"hidden_size": "wide"}'])
def test_a_config_that_is_none_stops_the_container(config: bytes) -> None:
    with pytest.raises(CannotStart, match="is not a decoder's configuration"):
        shape_of(config)


def test_model_data_is_looked_into() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name in ("deep/er/config.json", "model/config.json"):
            content = json.dumps({**CONFIG, "_name_or_path": name}).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    found = s3.member(made.getvalue(), "config.json")
    assert found is not None
    assert json.loads(found)["_name_or_path"] == "model/config.json"
    assert s3.member(made.getvalue(), "serving.properties") is None
    assert s3.member(b"not an archive", "config.json") is None


@pytest.mark.parametrize(
    ("uri", "bucket", "key"),
    [
        ("s3://b/a/k", "b", "a/k"),
        ("https://b.s3.us-east-1.amazonaws.com/a/k", "b", "a/k"),
        ("https://s3.us-east-1.amazonaws.com/b/a/k", "b", "a/k"),
    ],
)
def test_addresses_of_s3(uri: str, bucket: str, key: str) -> None:
    assert s3.split(uri) == (bucket, key)


class TestPlacing:
    """Copies, parallelism, precision, the time to load."""

    def test_lmi_starts_as_many_copies_as_devices_allow_and_vllm_one(self) -> None:
        assert placed("ml.g5.12xlarge", HF_MODEL_ID=SMALL).copies == 4
        assert placed("ml.g5.12xlarge", HF_MODEL_ID=SMALL, OPTION_TENSOR_PARALLEL_DEGREE="2").copies == 2
        assert placed("ml.g5.12xlarge", HF_MODEL_ID=SMALL, OPTION_TENSOR_PARALLEL_DEGREE="max").copies == 1
        assert placed("ml.g5.12xlarge", VLLM, SM_VLLM_MODEL=SMALL).copies == 1

    def test_precision_is_told_by_option_or_name(self) -> None:
        assert placed("ml.g5.xlarge", HF_MODEL_ID=SMALL, OPTION_QUANTIZE="awq").deployment.dtype == "int4"
        assert (
            placed("ml.g6e.2xlarge", HF_MODEL_ID="Qwen/Qwen3-32B-FP8", OPTION_MAX_MODEL_LEN="4096").deployment.dtype
            == "fp8"
        )
        assert placed("ml.g5.xlarge", HF_MODEL_ID=SMALL, OPTION_DTYPE="fp16").deployment.dtype == "fp16"

    def test_the_time_to_load_is_the_engines_cold_start(self) -> None:
        on = placed("ml.g5.2xlarge", HF_MODEL_ID="meta-llama/Llama-3.1-8B-Instruct", OPTION_MAX_MODEL_LEN="8192")
        assert on.load_s == profiles.cold_start(on.deployment.memory.weights_bytes)
        assert 0 < on.download_s < on.load_s

    def test_neuron_counts_its_cores(self) -> None:
        environment = {"HF_MODEL_ID": "meta-llama/Meta-Llama-3-8B-Instruct", "OPTION_TENSOR_PARALLEL_DEGREE": "24"}
        on = placed("ml.inf2.48xlarge", LMI_NEURON, **environment)
        assert (on.kind, on.deployment.tensor_parallel, on.copies) == ("neuron", 24, 1)

    @pytest.mark.parametrize(
        ("environment", "words"),
        [
            ({"OPTION_MAX_ROLLING_BATCH_SIZE": "lots"}, "must be a whole number"),
            ({"OPTION_GPU_MEMORY_UTILIZATION": "2"}, "must be between 0 and 1"),
            ({"OPTION_TENSOR_PARALLEL_DEGREE": "9"}, "tensor parallel degree 9"),
        ],
    )
    def test_nonsense_stops_the_container(self, environment: dict[str, str], words: str) -> None:
        with pytest.raises(CannotStart, match=words):
            placed("ml.g5.xlarge", HF_MODEL_ID=SMALL, **environment)


class TestFleet:
    """An engine whose requests have a limit."""

    def fleet(self, tpot_s: float = 0.005) -> Fleet:
        spec = ReplicaSpec(ConstantLaw(ttft_s=0.01, tpot_s=tpot_s), max_num_seqs=1)
        return Fleet(at_scale(spec, 0.0), 1)

    def test_a_request_that_takes_too_long_is_cancelled_and_frees_its_seat(self) -> None:
        fleet = self.fleet()
        began = time.monotonic()
        long = fleet.submit(Request("long", 5, 1000), 0.1, every_token=False)
        short = fleet.submit(Request("short", 5, 2), 30, every_token=False)
        [last] = list(long)
        assert last.kind == "cancelled"
        assert 0.1 <= last.t - began < 5
        assert list(short)[-1].kind == "finished"

    def test_a_request_that_only_waits_is_cancelled_too(self) -> None:
        fleet = self.fleet(tpot_s=0.05)
        first = fleet.submit(Request("first", 5, 12), 30, every_token=False)
        second = fleet.submit(Request("second", 5, 12), 0.05, every_token=True)
        assert [event.kind for event in second] == ["cancelled"]
        assert list(first)[-1].kind == "finished"

    def test_a_limit_can_be_moved(self) -> None:
        fleet = self.fleet()
        stream = fleet.submit(Request("a", 5, 40), 0.05, every_token=False)
        fleet.limit("a", stream.submitted_at + 30)
        assert list(stream)[-1].kind == "finished"

    def test_counts(self) -> None:
        fleet = self.fleet()
        fleet.set_replicas(3)
        assert (fleet.ready, fleet.desired, fleet.in_hand) == (3, 3, 0)


BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "inputs",
                    "messages",
                    "prompt",
                    "parameters",
                    "role",
                    "content",
                    "max_tokens",
                    "stop",
                    "data",
                    "name",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(body=BODIES, server=st.sampled_from([LMI_SERVER, VLLM_SERVER, TGI_SERVER, TRITON_SERVER]))
def test_any_body_is_understood_or_refused_in_the_servers_words(body: Any, server: Any) -> None:
    refused, asked = None, None
    try:
        asked = parse(Served(server, "m", 2048, "sse"), json.dumps(body).encode())
    except BadBody as bad:
        refused = bad
    if asked is not None:
        assert asked.input_tokens + asked.max_tokens <= 2048
        assert asked.max_tokens >= 1
    else:
        assert refused is not None
        assert 400 <= refused.status < 500
        assert json.loads(str(refused))
