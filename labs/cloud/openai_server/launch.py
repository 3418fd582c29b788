"""From the arguments of a model server to what serves, or to the reason for which it does not start, in the words of vLLM's own log."""

import re
from dataclasses import dataclass
from typing import Literal

from labs.errors import Refusal
from labs.facts import catalogue
from labs.serving.profiles import Choices, Deployment, deployment
from labs.serving.static_batching import StaticSpec

Kind = Literal["vllm", "triton"]
QUANTISATIONS = {
    "fp8": "fp8",
    "awq": "int4",
    "awq_marlin": "int4",
    "gptq": "int4",
    "gptq_marlin": "int4",
    "bitsandbytes": "int4",
    "mxfp4": "mxfp4",
    "int8": "int8",
    "experts_int8": "int8",
}
"""vLLM's names of quantisation methods, and the bits that the weights then have"""
DTYPES = {"auto": None, "bfloat16": "bf16", "float16": "fp16", "half": "fp16", "float32": None}


class Failed(Exception):  # noqa: N818 - an outcome
    """The server does not start; the message is the last line of its log."""


@dataclass(frozen=True)
class Launch:
    """What a server was started with. `model` is a name of the course's catalogue or of Hugging Face."""

    model: str
    hardware: str
    kind: Kind = "vllm"
    served_name: str | None = None
    tensor_parallel: int | None = None
    dtype: str = "auto"
    quantisation: str | None = None
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    gpu_memory_utilisation: float | None = None
    kv_cache_dtype: str = "auto"
    api_key: str | None = None
    cold_start_s: float | None = None

    @property
    def name(self) -> str:
        """What clients call the model."""
        return self.served_name or self.model

    def plan(self) -> "Planned":
        """What it comes to. Raises Failed."""
        model = catalogue_id(self.model)
        choices = Choices(
            # vLLM does not spread a model by itself: without the option it takes one GPU
            tensor_parallel=self.tensor_parallel or 1,
            dtype=self._weights(),
            kv_dtype=self._cache(),
            max_num_seqs=self.max_num_seqs,
            token_budget=self.max_num_batched_tokens,
            memory_utilisation=self.gpu_memory_utilisation,
            cold_start_s=self.cold_start_s,
        )
        try:
            planned = deployment(model, self.hardware.removeprefix("ml."), choices)
        except Refusal as refused:
            short = "does not fit" in str(refused)
            raise Failed(
                f"{'torch.OutOfMemoryError: CUDA out of memory. ' if short else 'ValueError: '}{refused}"
            ) from None
        shape = catalogue.models()[model].shape
        assert shape is not None  # a model without one cannot be deployed
        longest = self.max_model_len or shape.context_tokens
        if longest > shape.context_tokens:
            raise Failed(
                f"ValueError: User-specified max_model_len ({longest}) is greater than the derived max_model_len "
                f"(max_position_embeddings={shape.context_tokens} in model's config.json)."
            )
        room = cache_tokens(planned)
        if longest > room:
            raise Failed(
                f"ValueError: The model's max seq len ({longest}) is larger than the maximum number of tokens that can be stored in "
                f"KV cache ({room}). Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine."
            )
        return Planned(planned, model, longest, room)

    def _weights(self) -> str | None:
        if self.quantisation is not None:
            if self.quantisation not in QUANTISATIONS:
                raise Failed(
                    f"ValueError: Unknown quantization method: {self.quantisation}. Must be one of {list(QUANTISATIONS)}."
                )
            return QUANTISATIONS[self.quantisation]
        if self.dtype not in DTYPES:
            raise Failed(f"ValueError: Unknown dtype: {self.dtype}")
        return DTYPES[self.dtype]

    def _cache(self) -> str:
        """vLLM's "auto" is the model's own type, also where the weights are quantised."""
        return "fp8" if self.kv_cache_dtype.startswith("fp8") else "bf16"


@dataclass(frozen=True)
class Planned:
    """A launch that works."""

    deployment: Deployment
    model: str
    max_model_len: int
    cache_tokens: int


def cache_tokens(planned: Deployment) -> int:
    """How many tokens the server's cache holds."""
    spec = planned.spec
    return spec.max_batch * spec.buckets[-1] if isinstance(spec, StaticSpec) else spec.kv_capacity_tokens


def catalogue_id(name: str) -> str:
    """The catalogue's id of a model that Hugging Face has under `name`, or that is an id already. Raises Failed."""
    models = catalogue.models()
    if name.lower() in models:
        return name.lower()
    wanted = plain(name)
    for id, entry in models.items():
        if entry.shape is not None and wanted in (plain(id), plain(str(entry.weights or ""))):
            return id
    raise Failed(
        f"OSError: {name} is not a local folder and is not a valid model identifier listed on 'https://huggingface.co/models'. "
        f"(The local cloud knows the models of the course's catalogue: {', '.join(id for id, entry in models.items() if entry.shape)}.)"
    )


def plain(name: str) -> str:
    """A model's name without what varies between publishers of the same weights."""
    last = name.rstrip("/").rpartition("/")[2].lower()
    last = re.sub(
        r"[-_](instruct|it|chat|hf|fp8|awq|gptq|int4|int8|w4a16|bnb|4bit|quantized|dynamic)(?=[-_.]|$)", "", last
    )
    last = re.sub(r"[-_]v\d+(\.\d+)*$", "", last)
    return re.sub(r"[-_.]+", "-", re.sub(r"^(meta|mistralai)[-_]", "", last))
