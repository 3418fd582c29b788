"""What a container is, read from its image: which server runs in it, on what hardware, and which bodies it understands.

AWS's own images are known by their repository and tag. An image of your own is taken for an OpenAI-compatible server if its environment
names a model (HF_MODEL_ID); what else it might be cannot be known here, and such a container does not start.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Server:
    """A kind of model server."""

    id: str
    name: str
    runs_on: tuple[str, ...]
    """gpu, neuron, cpu"""
    dialects: tuple[str, ...]
    """request bodies that it understands: inputs, chat, completions, tensors"""
    prefixes: tuple[str, ...] = ()
    """of environment variables that are its options, in order of precedence"""
    fills_instance: bool = False
    """does it start as many copies as the instance's devices allow?"""
    reserves_context: bool = False
    """does it refuse to start when its cache cannot hold one request of the model's full length?"""
    stream_format: str = "sse"
    """of answers in the inputs dialect: jsonlines or sse"""


LMI = Server(
    "lmi",
    "Large Model Inference (DJL Serving)",
    ("gpu",),
    ("inputs", "chat"),
    ("OPTION_",),
    fills_instance=True,
    reserves_context=True,
    stream_format="jsonlines",
)
LMI_NEURON = Server(
    "lmi-neuron",
    "Large Model Inference (DJL Serving) for Neuron",
    ("neuron",),
    ("inputs", "chat"),
    ("OPTION_",),
    fills_instance=True,
    stream_format="jsonlines",
)
VLLM = Server("vllm", "vLLM", ("gpu",), ("chat", "completions"), ("SM_VLLM_",), reserves_context=True)
VLLM_NEURON = Server("vllm-neuron", "vLLM for Neuron", ("neuron",), ("chat", "completions"), ("SM_VLLM_",))
SGLANG = Server("sglang", "SGLang", ("gpu",), ("chat", "completions"), ("SM_SGLANG_",))
TGI = Server("tgi", "Text Generation Inference", ("gpu",), ("inputs", "chat"), ("",))
TGI_NEURON = Server("tgi-neuron", "Text Generation Inference for Neuron", ("neuron",), ("inputs", "chat"), ("",))
TRITON = Server("triton", "Triton Inference Server", ("gpu", "cpu"), ("tensors",), ("OPTION_", ""))
LLAMA_CPP = Server(
    "llama-cpp", "llama.cpp server", ("cpu", "gpu"), ("chat", "completions"), ("SM_LLAMA_CPP_", "LLAMA_ARG_", "")
)
OWN = Server(
    "own", "an image of your own", ("gpu", "neuron", "cpu"), ("inputs", "chat", "completions"), ("OPTION_", "SM_VLLM_")
)

KNOWN: tuple[tuple[str, Server], ...] = (  # the first that matches "repository:tag"
    (r"djl-inference:.*neuron", LMI_NEURON),
    (r"djl-(inference|serving)", LMI),
    (r"vllm.*neuron", VLLM_NEURON),
    (r"vllm", VLLM),
    (r"sglang", SGLANG),
    (r"tgi.*neuron", TGI_NEURON),
    (r"(huggingface-.*tgi|text-generation-inference|huggingface-llm)", TGI),
    (r"triton", TRITON),
    (r"llama[.-]?cpp", LLAMA_CPP),
)
NAMED_MODEL = (
    "HF_MODEL_ID",
    "OPTION_MODEL_ID",
    "SM_VLLM_MODEL",
    "SM_SGLANG_MODEL_PATH",
    "SM_LLAMA_CPP_HF_REPO",
    "MODEL_ID",
)
"""Environment variables that name a model, in order of precedence."""


def server_of(image: str, environment: dict[str, str]) -> Server | None:
    """The server in this image, or None when nobody can know."""
    repository = image.rpartition("/")[2].lower()
    for pattern, server in KNOWN:
        if re.search(pattern, repository):
            return server
    return OWN if any(environment.get(name) for name in NAMED_MODEL) else None
