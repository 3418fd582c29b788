"""From names to a replica: a model, a piece of hardware and some choices, with the defaults that servers have.

    plan = deployment("llama-3-8b", "ml.inf2.48xlarge", Choices(dtype="int8"))
    Engine(EngineConfig(replica=plan.spec, replicas=2))

Shapes and ratings come from the facts catalogue, fitted constants from `data/fitted.yaml`, defaults and assumptions from
`data/profiles.yaml`. `Deployment.notes` says, in sentences, what was chosen for you and what is not calibrated.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from labs import facts
from labs.errors import USAGE, Refusal
from labs.facts import catalogue
from labs.facts.catalogue_schema import SCALE, Shape
from labs.serving.batching import UNLIMITED, ReplicaSpec
from labs.serving.laws_gpu import GpuConstants, Interconnect, gpu_law
from labs.serving.laws_neuron import NeuronConstants, NeuronLaw, neuron_law
from labs.serving.memory import KV_BYTES, WEIGHT_BYTES, MemoryPlan, plan_memory, refuse_if_too_big
from labs.serving.static_batching import BATCHES, BUCKETS, StaticSpec

DATA = Path(__file__).parent / "data"
SHORTEST_CONTEXT = 2048
"""tokens that the cache must hold for a deployment to be worth the name"""

Constants = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Hardware:
    """So many accelerators of one kind, with their ratings."""

    id: str
    kind: str
    """gpu, neuron or cpu"""
    family: str
    """whose constants hold: hbm, gddr, neuron or cpu"""
    server: str
    """whose defaults hold: a name under `servers` in profiles.yaml"""
    count: int
    memory_bytes: float
    bandwidth_bytes_per_s: float
    flops_per_s: float
    flops_fp8_per_s: float | None = None
    cores: int = 1
    """NeuronCores in an accelerator: tensor parallelism counts those"""
    interconnect: str | None = None
    latency: float = 1.0
    """a Neuron chip's collectives, relative to Inferentia2's"""
    fixed: bool = True
    """an instance has `count` accelerators and no more; a bare accelerator may be had several times"""
    overrides: Mapping[str, float] = field(default_factory=dict)
    """constants of the family that this hardware has otherwise"""
    caution: str | None = None

    @property
    def devices(self) -> int:
        """What tensor parallelism counts: GPUs, NeuronCores, CPUs."""
        return self.count * self.cores

    @property
    def device_name(self) -> str:
        """One of those, in words."""
        return f"NeuronCore of {self.id}" if self.kind == "neuron" else self.id


@dataclass(frozen=True)
class Choices:
    """What a deployer may choose; None leaves it to the hardware's server."""

    tensor_parallel: int | None = None
    dtype: str | None = None
    kv_dtype: str | None = None
    batching: str | None = None
    max_num_seqs: int | None = None
    token_budget: int | None = None
    kv_capacity_tokens: int | None = None
    evict: bool | None = None
    buckets: tuple[int, ...] | None = None
    interconnect: str | None = None
    memory_utilisation: float | None = None
    cold_start_s: float | None = None
    ingress_s: float | None = None


@dataclass(frozen=True)
class Deployment:
    """A replica that can be built, and what was decided on the way."""

    spec: ReplicaSpec | StaticSpec
    model: str
    hardware: str
    tensor_parallel: int
    dtype: str
    kv_dtype: str
    memory: MemoryPlan
    accelerators: float
    """how many accelerators one replica takes"""
    notes: tuple[str, ...]

    @property
    def settings(self) -> dict[str, Any]:
        """Every default and choice, for a report."""
        spec = self.spec
        shared = {
            "model": self.model,
            "hardware": self.hardware,
            "tensor_parallel": self.tensor_parallel,
            "dtype": self.dtype,
            "kv_dtype": self.kv_dtype,
            "cold_start_s": spec.cold_start_s,
            "ingress_s": spec.ingress_s,
        }
        if isinstance(spec, StaticSpec):
            return {**shared, "batching": "static", "max_num_seqs": spec.max_batch, "buckets": list(spec.buckets)}
        return {
            **shared,
            "batching": "continuous",
            "max_num_seqs": spec.max_num_seqs,
            "token_budget": spec.token_budget,
            "kv_capacity_tokens": spec.kv_capacity_tokens,
            "admission": "recompute" if spec.evict else "no-evict",
        }


# Names and files


def unknown(what: str, name: str, known: Iterable[str], hint: str = "") -> Refusal:
    """The refusal for a name that means nothing, with the nearest that does."""
    known = list(known)
    near = get_close_matches(name.lower(), known, 3, 0.4)
    offer = "nearest: " + ", ".join(near) if near else "there are " + ", ".join(known)
    return Refusal(f"no {what} is called '{name}'; {offer}{hint}", USAGE)


def model_shape(name: str) -> tuple[str, Shape]:
    """The id and shape of a model by its name."""
    known = {id: entry.shape for id, entry in catalogue.models().items() if entry.shape is not None}
    wanted = name.lower()
    if wanted in known:
        return wanted, known[wanted]
    if wanted in catalogue.models():
        raise Refusal(
            f"the insides of '{name}' are not public, so it cannot be put on hardware; "
            "try --hardware bedrock-on-demand, or a model with open weights",
            USAGE,
        )
    raise unknown("model", name, known, "; any other by --model-file")


def model_from_file(path: Path) -> tuple[str, Shape]:
    """A shape from a YAML or JSON file with the fields of `facts.catalogue.Shape`."""
    data = _mapping(path)
    id = str(data.pop("id", path.stem))
    data.setdefault("active_parameters", data.get("parameters"))
    try:
        return id, Shape.model_validate(data)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "the file"
        raise Refusal(
            f"{path}: {name}: {first['msg']}; the fields are {', '.join(Shape.model_fields)}", USAGE
        ) from None


def hardware(name: str) -> Hardware:
    """Hardware by the id of an accelerator ('h100') or of an instance type ('ml.g5.12xlarge')."""
    wanted = name.lower()
    chips, instances = catalogue.accelerators(), catalogue.instances()
    if wanted in chips:
        return _hardware(wanted, wanted, 1, fixed=False)
    if wanted in instances:
        return _hardware(wanted, instances[wanted].accelerator, instances[wanted].count, fixed=True)
    raise unknown("hardware", name, [*chips, *instances], "; any other by --hardware-file")


def _hardware(id: str, chip_id: str, count: int, *, fixed: bool) -> Hardware:
    chip = catalogue.accelerator(chip_id)
    profile = profiles()["accelerators"].get(chip_id)
    if profile is None:
        raise Refusal(f"the serving engine has no profile for '{chip_id}' in {DATA.name}/profiles.yaml", USAGE)
    latency = profile.get("latency", 1.0)
    return Hardware(
        id=id,
        kind=chip.kind,
        family=profile["family"],
        server=profile["server"],
        count=count,
        memory_bytes=profile.get("memory_bytes", chip.memory_bytes),
        bandwidth_bytes_per_s=chip.bandwidth.base,
        flops_per_s=chip.dense_bf16.base,
        flops_fp8_per_s=chip.dense_fp8.base if chip.dense_fp8 else None,
        cores=chip.cores if chip.kind == "neuron" else 1,
        interconnect=profile.get("interconnect"),
        latency=fitted()["neuron"][latency] if isinstance(latency, str) else latency,
        fixed=fixed,
        caution=profile.get("from") if "assumption" in str(profile.get("from")) else None,
    )


HARDWARE_FIELDS = (
    "id, kind (gpu, neuron, cpu), memory, bandwidth, dense_bf16, dense_fp8, count, cores, family (hbm, gddr, neuron, cpu), "
    "server, interconnect, latency, constants"
)


def hardware_from_file(path: Path) -> Hardware:
    """Hardware from a YAML or JSON file: ratings as '24 GB', '1008 GB/s', '165 TFLOPS'; see `HARDWARE_FIELDS`."""
    data = _mapping(path)
    unknown_fields = set(data) - {name.split(" ")[0] for name in HARDWARE_FIELDS.split(", ")} - {"note", "source"}
    if unknown_fields:
        raise Refusal(
            f"{path}: no field is called {', '.join(sorted(unknown_fields))}; there are {HARDWARE_FIELDS}", USAGE
        )
    kind = data.get("kind", "gpu")
    if kind not in ("gpu", "neuron", "cpu"):
        raise Refusal(f"{path}: kind: must be gpu, neuron or cpu, not '{kind}'", USAGE)
    family = data.get("family", {"gpu": "hbm", "neuron": "neuron", "cpu": "cpu"}[kind])
    server = data.get("server", {"gpu": "vllm-small", "neuron": "nxd-inference", "cpu": "llama-cpp"}[kind])
    for what, name, known in (
        ("family", family, ("hbm", "gddr", "neuron", "cpu")),
        ("server", server, profiles()["servers"]),
    ):
        if name not in known:
            raise unknown(what, str(name), known)
    made = Hardware(
        id=str(data.get("id", path.stem)),
        kind=kind,
        family=family,
        server=server,
        count=int(data.get("count", 1)),
        memory_bytes=_quantity(path, data, "memory"),
        bandwidth_bytes_per_s=_quantity(path, data, "bandwidth"),
        flops_per_s=_quantity(path, data, "dense_bf16"),
        flops_fp8_per_s=_quantity(path, data, "dense_fp8") if "dense_fp8" in data else None,
        cores=int(data.get("cores", 1)),
        interconnect=data.get("interconnect"),
        latency=float(data.get("latency", 1.0)),
        overrides=data.get("constants", {}),
        caution=f"{path.name} is yours: the constants of family '{family}' are used for it",
    )
    if made.interconnect is not None and made.interconnect not in profiles()["interconnects"]:
        raise unknown("interconnect", made.interconnect, profiles()["interconnects"])
    return made


def _quantity(path: Path, data: Mapping[str, Any], name: str) -> float:
    parts = str(data.get(name, "")).split()
    if len(parts) != 2 or parts[1] not in SCALE or not parts[0].replace(".", "", 1).isdigit():
        raise Refusal(f"{path}: {name}: '{data.get(name, '')}' is not a number and one of {', '.join(SCALE)}", USAGE)
    return float(parts[0]) * SCALE[parts[1]]


def _mapping(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}", USAGE) from None
    except yaml.YAMLError as error:
        raise Refusal(f"{path} is not YAML or JSON: {' '.join(str(error).split())}", USAGE) from None
    if not isinstance(data, dict):
        raise Refusal(f"{path}: must be a mapping of names to values", USAGE)
    return data


@cache
def fitted() -> Mapping[str, Mapping[str, float]]:
    """The fitted constants, as they are committed."""
    data: dict[str, dict[str, float]] = yaml.safe_load((DATA / "fitted.yaml").read_text("utf-8"))
    return data


@cache
def profiles() -> Mapping[str, Any]:
    """Defaults and assumptions."""
    data: dict[str, Any] = yaml.safe_load((DATA / "profiles.yaml").read_text("utf-8"))
    return data


# Planning


def deployment(model: str, hardware_name: str, choices: Choices | None = None) -> Deployment:
    """A replica of a known model on known hardware."""
    return plan(model_shape(model), hardware(hardware_name), choices or Choices())


def plan(model: tuple[str, Shape], on: Hardware, choices: Choices, constants: Constants | None = None) -> Deployment:
    """A replica of any shape on any hardware. `constants` replaces the committed ones while they are being fitted."""
    name, shape = model
    constants = constants or fitted()
    notes: list[str] = []
    server = profiles()["servers"][on.server]
    dtype = choices.dtype or ("mxfp4" if shape.native_weights == "mxfp4" else "bf16")
    if dtype not in WEIGHT_BYTES:
        raise unknown("dtype", dtype, WEIGHT_BYTES)
    kv_dtype = choices.kv_dtype or ("fp8" if dtype == "fp8" and on.flops_fp8_per_s and on.kind == "gpu" else "bf16")
    if kv_dtype not in KV_BYTES:
        raise unknown("cache dtype", kv_dtype, KV_BYTES)

    sizing = profiles()["memory"]
    device_bytes = on.memory_bytes / on.cores
    utilisation = choices.memory_utilisation or (1.0 if on.kind == "neuron" else sizing["utilisation"])
    reserve = 0.0 if on.kind == "neuron" else float(sizing["reserve_bytes"])

    def memory(devices: int) -> MemoryPlan:
        return plan_memory(
            shape,
            devices=devices,
            device_bytes=device_bytes,
            utilisation=utilisation,
            reserve_bytes=reserve,
            weight_bytes=WEIGHT_BYTES[dtype],
            kv_bytes=KV_BYTES[kv_dtype],
        )

    tensor_parallel = choices.tensor_parallel or _default_parallel(on, memory)
    if tensor_parallel < 1 or (on.fixed and tensor_parallel > on.devices):
        raise Refusal(f"--tensor-parallel {tensor_parallel} is not possible: {on.id} has {on.devices} devices", USAGE)
    if choices.tensor_parallel is None and on.devices > 1:
        notes.append(f"one replica uses {tensor_parallel} of {on.devices} devices of {on.id}")
    sized = memory(tensor_parallel)
    refuse_if_too_big(sized, name, dtype, on.device_name, device_bytes, min(SHORTEST_CONTEXT, shape.context_tokens))

    batching = choices.batching or server["batching"]
    if batching not in ("continuous", "static"):
        raise unknown("batching", batching, ("continuous", "static"))
    if batching == "static" and on.kind != "neuron":
        raise Refusal(
            "static batches in context buckets are for Neuron hardware; GPUs and CPUs batch continuously here", USAGE
        )
    if on.kind == "neuron":
        law: Any = _neuron_law(shape, on, constants, tensor_parallel, WEIGHT_BYTES[dtype])
        if batching == "continuous":
            notes.append("continuous batching on Neuron is not calibrated: the published figures are of static batches")
    else:
        law = _gpu_law(shape, on, constants, tensor_parallel, dtype, kv_dtype, choices.interconnect)
        if tensor_parallel > 1:
            notes.append("what the all-reduces of tensor parallelism cost is assumed, not fitted")
    if on.caution:
        notes.append(on.caution)
    if on.family in profiles()["families"] and on.caution is None:
        notes.append(profiles()["families"][on.family]["from"])
    if shape.experts > 1:
        notes.append("no mixture of experts was calibrated")

    cold_start_s = choices.cold_start_s if choices.cold_start_s is not None else cold_start(sized.weights_bytes)
    ingress_s = choices.ingress_s
    if batching == "static":
        spec: ReplicaSpec | StaticSpec = _static(
            law, shape, choices, server, sized, ingress_s or 0.0, cold_start_s, notes
        )
    else:
        if ingress_s is None:
            ingress_s = 0.0 if on.kind == "neuron" else constants["gpu"]["ingress_s"]
        spec = _continuous(law, choices, server, sized, dtype, ingress_s, cold_start_s, notes)
    return Deployment(
        spec,
        name,
        on.id,
        tensor_parallel,
        dtype,
        kv_dtype,
        sized,
        accelerators=tensor_parallel / on.cores,
        notes=tuple(notes),
    )


def _default_parallel(on: Hardware, memory: Any) -> int:
    """All cores of a Neuron instance, up to 64; on GPUs the smallest power of two on which the model fits with some cache to spare."""
    if on.kind == "neuron":
        return min(on.devices, 64)
    devices = 1
    while devices < on.devices and memory(devices).cache_bytes < 0.1 * memory(devices).usable_bytes:
        devices *= 2
    return min(devices, on.devices)


def _continuous(
    law: Any,
    choices: Choices,
    server: Mapping[str, Any],
    sized: MemoryPlan,
    dtype: str,
    ingress_s: float,
    cold_start_s: float,
    notes: list[str],
) -> ReplicaSpec:
    seats, budget = choices.max_num_seqs or server["max_num_seqs"], choices.token_budget or server["token_budget"]
    if budget <= seats:
        if choices.max_num_seqs is not None:
            raise Refusal(f"--token-budget {budget} leaves no room for prompts beside --max-num-seqs {seats}", USAGE)
        seats = max(1, budget - 1)
        notes.append(f"max_num_seqs is {seats}, because the token budget of {budget} must leave room for prompts")
    evict = choices.evict
    if evict is None:
        evict = dtype != "fp8"
        if not evict:
            notes.append(
                "with fp8 weights requests are admitted only when their whole answer fits (no-evict), as TensorRT-LLM does"
            )
    return ReplicaSpec(
        law,
        max_num_seqs=seats,
        token_budget=budget,
        kv_capacity_tokens=choices.kv_capacity_tokens or sized.cache_tokens,
        evict=evict,
        ingress_s=ingress_s,
        cold_start_s=cold_start_s,
    )


def _static(
    law: NeuronLaw,
    shape: Shape,
    choices: Choices,
    server: Mapping[str, Any],
    sized: MemoryPlan,
    ingress_s: float,
    cold_start_s: float,
    notes: list[str],
) -> StaticSpec:
    batch = choices.max_num_seqs or server["max_num_seqs"]
    longest = min(shape.context_tokens, (choices.kv_capacity_tokens or sized.cache_tokens) // batch)
    buckets = choices.buckets or tuple(bucket for bucket in BUCKETS if bucket <= longest)
    if not buckets or buckets[-1] > longest:
        raise Refusal(
            f"batches of {batch} leave {longest:,} tokens of cache for each sequence, too few for a context bucket of "
            f"{(buckets or BUCKETS)[-1]:,}: lower --max-num-seqs",
            USAGE,
        )
    if choices.token_budget or choices.evict is not None:
        notes.append("static batches have no token budget and preempt nobody: those choices have no effect")
    batches = tuple(size for size in BATCHES if size < batch)
    return StaticSpec(
        law,
        max_batch=batch,
        buckets=tuple(sorted(buckets)),
        batches=(*batches, batch),
        ingress_s=ingress_s,
        cold_start_s=cold_start_s,
    )


def gpu_constants(on: Hardware, constants: Constants) -> GpuConstants:
    """The constants of a GPU's (or CPU's) family, with what the hardware overrides."""
    merged: dict[str, Any] = {
        **constants["gpu"],
        **profiles()["families"].get(on.family, {}),
        **constants.get(on.family, {}),
        **on.overrides,
    }
    if isinstance(merged.get("compute_efficiency_fp8"), str):
        merged["compute_efficiency_fp8"] = merged[merged["compute_efficiency_fp8"]]
    return GpuConstants(**{f.name: float(merged[f.name]) for f in fields(GpuConstants)})


def _gpu_law(
    shape: Shape, on: Hardware, constants: Constants, count: int, dtype: str, kv_dtype: str, interconnect: str | None
) -> Any:
    links = profiles()["interconnects"]
    link_name = interconnect or on.interconnect or "pcie4"
    if link_name not in links:
        raise unknown("interconnect", link_name, links)
    link = links[link_name]
    # Only weights in FP8 on hardware that has it are multiplied in FP8; integer weights are widened first.
    fp8 = dtype == "fp8" and on.flops_fp8_per_s is not None
    return gpu_law(
        shape,
        gpu_constants(on, constants),
        count=count,
        bandwidth_bytes_per_s=on.bandwidth_bytes_per_s,
        flops_per_s=on.flops_fp8_per_s if fp8 and on.flops_fp8_per_s else on.flops_per_s,
        weight_bytes=WEIGHT_BYTES[dtype],
        kv_bytes=KV_BYTES[kv_dtype],
        fp8_arithmetic=fp8,
        interconnect=Interconnect(float(link["all_reduce_s"]), float(link["bytes_per_s"])),
    )


def _neuron_law(shape: Shape, on: Hardware, constants: Constants, cores: int, weight_bytes: float) -> NeuronLaw:
    values = {f.name: float({**constants["neuron"], **on.overrides}[f.name]) for f in fields(NeuronConstants)}
    made = NeuronConstants(**values)
    # A chip with faster collectives has cheaper layers, a shorter prefill set-up and faster traffic, in one proportion.
    made = replace(
        made,
        layer_s=made.layer_s * on.latency,
        prefill_host_s=made.prefill_host_s * on.latency,
        prefill_collective_bytes_per_s=made.prefill_collective_bytes_per_s / on.latency,
    )
    return neuron_law(
        shape,
        made,
        cores=cores,
        core_bandwidth_bytes_per_s=on.bandwidth_bytes_per_s / on.cores,
        core_flops_per_s=on.flops_per_s / on.cores,
        weight_bytes=weight_bytes,
    )


def cold_start(weights_bytes: float) -> float:
    """Seconds until a new replica answers: what the published scale-out with cached image took, with the weights in proportion."""
    total = facts.number("sagemaker.autoscaling.scale_out_qwen3-8b_s")
    download = facts.number("sagemaker.autoscaling.weights_qwen3-8b_s")
    return total - download + download * weights_bytes / QWEN3_8B_BYTES


QWEN3_8B_BYTES = 16.4e9
"""the weights that the published scale-out downloaded: 8.2 billion parameters in bf16"""


__all__ = [
    "UNLIMITED",
    "Choices",
    "Deployment",
    "Hardware",
    "deployment",
    "hardware",
    "hardware_from_file",
    "model_from_file",
    "model_shape",
    "plan",
]
