"""A container on an instance, or on a share of one: does it fit, how many copies of the model, how long until it answers.

placed = place(container, "ml.g5.12xlarge")        # raises CannotStart
placed.deployment.spec, placed.copies, placed.load_s
"""

from dataclasses import dataclass, replace
from typing import Any

from labs import facts
from labs.cloud.services.sagemaker_containers import CannotStart, Container
from labs.cloud.services.sagemaker_images import Server
from labs.errors import Refusal
from labs.facts import catalogue
from labs.serving import profiles
from labs.serving.profiles import Choices, Deployment, Hardware

QUANTISED = {
    "awq": "int4",
    "gptq": "int4",
    "marlin": "int4",
    "gptq_marlin": "int4",
    "awq_marlin": "int4",
    "bitsandbytes": "int4",
    "bitsandbytes-nf4": "int4",
    "fp8": "fp8",
    "int8": "int8",
    "smoothquant": "int8",
    "static_int8": "int8",
    "s8": "int8",
    "eetq": "int8",
    "gguf": "int4",
}
"""What servers call a quantisation: what its weights take."""
DTYPES = {"fp16": "fp16", "float16": "fp16", "half": "fp16", "bf16": "bf16", "bfloat16": "bf16", "int8": "int8"}


@dataclass(frozen=True)
class Placed:
    """A container on an instance, or on a share of one."""

    container: Container
    deployment: Deployment
    kind: str
    """gpu, neuron or cpu"""
    copies: int
    """how many model copies one container starts"""
    context_tokens: int
    download_s: float
    """to fetch the weights"""
    load_s: float
    """from nothing to the first answer, the download included, as the engine has it"""

    @property
    def seats(self) -> int:
        """Requests that one copy works on at once."""
        spec: Any = self.deployment.spec
        return int(getattr(spec, "max_num_seqs", None) or spec.max_batch)


def place(container: Container, instance_type: str) -> Placed:
    """Put the container on a whole instance. Raises CannotStart."""
    if instance_type not in catalogue.instances():
        raise CannotStart(
            f"The local cloud has no figures for {instance_type}; it has them for "
            + ", ".join(id for id in catalogue.instances() if id.startswith("ml."))
        )
    on = profiles.hardware(instance_type)
    check_hardware(container.server, on.kind, instance_type)
    parallel = tensor_parallel(container, on)
    copies = on.devices // parallel if container.server.fills_instance else 1
    return place_on(container, on, parallel, copies)


def place_on(container: Container, on: Hardware, parallel: int | None, copies: int = 1) -> Placed:
    """Put it on hardware, in so many copies. Raises CannotStart."""
    choices = Choices(
        tensor_parallel=parallel,
        dtype=dtype_of(container),
        kv_dtype="fp8" if str(container.option("kv_cache_dtype")).startswith("fp8") else None,
        batching="continuous" if on.kind == "neuron" and container.option("rolling_batch") == "vllm" else None,
        max_num_seqs=seats(container),
        token_budget=number(container, "max_rolling_batch_prefill_tokens", "max_num_batched_tokens"),
        memory_utilisation=fraction(container, "gpu_memory_utilization", "cuda_memory_fraction"),
    )
    try:
        deployment = profiles.plan((container.model, container.shape), on, choices)
    except Refusal as refusal:
        words = {
            "gpu": "torch.OutOfMemoryError: CUDA out of memory. ",
            "neuron": "RuntimeError: Failed to allocate device memory. ",
        }
        kind = words.get(on.kind, "MemoryError: ") if "does not fit" in str(refusal) else "ValueError: "
        raise CannotStart(f"{kind}{str(refusal).partition(' Try ')[0]}") from None
    held = deployment.memory.cache_tokens
    context = container.context_tokens
    if container.server.reserves_context and held < context:
        raise CannotStart(
            f"ValueError: The model's max seq len ({context}) is larger than the maximum number of tokens that can be stored in KV cache ({held}). "
            "Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine."
        )
    load_s = deployment.spec.cold_start_s
    return Placed(
        container,
        deployment,
        on.kind,
        copies,
        context_tokens=min(context, held),
        download_s=load_s - profiles.cold_start(0),
        load_s=load_s,
    )


def check_hardware(server: Server, kind: str, where: str) -> None:
    """Raises CannotStart when the image is for other hardware."""
    if kind in server.runs_on:
        return
    if "gpu" in server.runs_on:
        raise CannotStart(
            f"RuntimeError: No CUDA GPUs are available: this image is for GPUs, and {where} has {'Neuron devices' if kind == 'neuron' else 'CPUs only'}."
        )
    raise CannotStart(
        f"RuntimeError: No neuron device available: this image is for Inferentia and Trainium, and {where} has none."
    )


def tensor_parallel(container: Container, on: Hardware) -> int:
    """Over how many devices (GPUs, NeuronCores) one copy is spread. Raises CannotStart."""
    chosen = container.option(
        "tensor_parallel_degree", "tensor_parallel_size", "tp_size", "sm_num_gpus", "hf_num_cores"
    )
    if chosen == "max":
        return on.devices
    if chosen is None:
        return 1  # what LMI, vLLM and TGI do when nobody says
    if not chosen.isdecimal() or not 1 <= int(chosen) <= on.devices:
        raise CannotStart(
            f"ValueError: tensor parallel degree {chosen} is not possible: {on.id} has {on.devices} devices."
        )
    return int(chosen)


def dtype_of(container: Container) -> str | None:
    """The precision of the weights; None leaves it to the model. Raises CannotStart."""
    quantised = container.option("quantize", "quantization", "hf_model_quantize")
    if quantised and quantised.lower() not in ("none", "false"):
        if quantised.lower() not in QUANTISED:
            raise CannotStart(f"ValueError: Unknown quantization method: {quantised}.")
        return QUANTISED[quantised.lower()]
    return DTYPES.get(str(container.option("dtype")).lower())


def seats(container: Container) -> int | None:
    """Requests at once; None leaves it to the server's default on this hardware. Raises CannotStart."""
    chosen = number(container, "max_rolling_batch_size", "max_num_seqs", "max_batch_size", "n_parallel", "parallel")
    if chosen is None and container.server.id == "lmi":
        return int(facts.number("sagemaker.lmi.max_rolling_batch_size_default"))
    return chosen


def number(container: Container, *names: str) -> int | None:
    """A whole option from 1. Raises CannotStart."""
    text = container.option(*names)
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise CannotStart(f"ValueError: {names[0]} must be a whole number from 1, not {text!r}.")
    return int(text)


def fraction(container: Container, *names: str) -> float | None:
    """An option between 0 and 1. Raises CannotStart."""
    text = container.option(*names)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise CannotStart(f"ValueError: {names[0]} must be between 0 and 1, not {text!r}.")
    return value


def share_of(instance_type: str, cpus: float, memory_bytes: float) -> Hardware:
    """So many CPUs of an instance without accelerators, with their part of its memory's bandwidth and arithmetic."""
    whole = profiles.hardware(instance_type)
    part = cpus / catalogue.instance(instance_type).vcpus
    return replace(
        whole,
        id=f"{cpus:g} CPUs of {instance_type}",
        memory_bytes=memory_bytes,
        bandwidth_bytes_per_s=whole.bandwidth_bytes_per_s * part,
        flops_per_s=whole.flops_per_s * part,
    )


def accelerators_of(instance_type: str, count: int) -> Hardware:
    """So many accelerators of an instance."""
    entry = catalogue.instance(instance_type)
    chip = profiles.hardware(entry.accelerator)
    return replace(chip, id=f"{count} x {entry.accelerator} of {instance_type}", count=count, fixed=True)
