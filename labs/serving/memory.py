"""Does a model fit, and how much cache is left: the arithmetic that comes before any speed."""

from dataclasses import dataclass

from labs.errors import USAGE, Refusal
from labs.facts.catalogue_schema import Shape

WEIGHT_BYTES = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.53125, "mxfp4": 0.53125}
"""bytes of one weight; 4-bit formats carry a scale of 8 bits for every 32 weights"""
KV_BYTES = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0}
"""bytes of one element of the cache"""
GB = 1e9


@dataclass(frozen=True)
class MemoryPlan:
    """Where a replica's memory goes, in bytes over all its devices."""

    devices: int
    total_bytes: float
    usable_bytes: float
    weights_bytes: float
    reserve_bytes: float
    kv_bytes_per_token: float

    @property
    def cache_bytes(self) -> float:
        """What is left for the KV cache; negative when the model does not fit."""
        return self.usable_bytes - self.weights_bytes - self.reserve_bytes

    @property
    def cache_tokens(self) -> int:
        """How many tokens the KV cache holds."""
        return int(self.cache_bytes // self.kv_bytes_per_token)

    @property
    def arithmetic(self) -> str:
        """The sum, as a sentence."""
        return (
            f"{self.total_bytes / GB:.1f} GB on {self.devices} device{'s' if self.devices > 1 else ''}, of which "
            f"{self.usable_bytes / GB:.1f} GB may be used; weights {self.weights_bytes / GB:.1f} GB, "
            f"reserve {self.reserve_bytes / GB:.1f} GB, so {self.cache_bytes / GB:.1f} GB for the cache"
        )


def plan_memory(
    shape: Shape,
    *,
    devices: int,
    device_bytes: float,
    utilisation: float,
    reserve_bytes: float,
    weight_bytes: float,
    kv_bytes: float,
) -> MemoryPlan:
    """Where the memory goes when the model is spread over `devices` devices of `device_bytes` each."""
    growing_layers = shape.layers - shape.sliding_layers
    copies = max(1.0, devices / shape.kv_heads)  # a device holds at least one key-value head
    return MemoryPlan(
        devices=devices,
        total_bytes=devices * device_bytes,
        usable_bytes=devices * device_bytes * utilisation,
        weights_bytes=shape.parameters * weight_bytes,
        reserve_bytes=devices * reserve_bytes,
        kv_bytes_per_token=2 * growing_layers * shape.kv_heads * shape.head_dim * kv_bytes * copies,
    )


def refuse_if_too_big(
    plan: MemoryPlan, name: str, dtype: str, device: str, per_device_bytes: float, context_tokens: int
) -> None:
    """Raise a Refusal that shows the arithmetic when not even one request of `context_tokens` fits."""
    if plan.cache_tokens >= context_tokens:
        return
    per_device = per_device_bytes * plan.usable_bytes / plan.total_bytes - plan.reserve_bytes / plan.devices
    need = plan.weights_bytes + context_tokens * plan.kv_bytes_per_token
    at_least = int(-(-need // per_device)) if per_device > 0 else 0
    cure = (
        f"at least {at_least} such devices (--tensor-parallel), or fewer bits (--dtype)"
        if at_least
        else "a larger device"
    )
    raise Refusal(
        f"{name} in {dtype} does not fit on {plan.devices} x {device}: {plan.arithmetic}, "
        f"but one request of {context_tokens:,} tokens needs {context_tokens * plan.kv_bytes_per_token / GB:.2f} GB. Try {cure}.",
        USAGE,
    )
