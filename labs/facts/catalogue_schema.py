"""What an entry of the catalogue is: the shapes of models, accelerators, instance types, images and targets."""

from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from labs.facts.schema import AsOf, Confidence, FactId, Line, Record, Region, Source, Url

SCALE = MappingProxyType(
    {
        "GB": 1e9,
        "GiB": float(1 << 30),
        "GB/s": 1e9,
        "GiB/s": float(1 << 30),
        "TB/s": 1e12,
        "TFLOPS": 1e12,
    }
)
"""unit: how many bytes, bytes per second or operations per second it is"""

Kind = Literal["online", "streaming", "batch", "artifact"]
"""online: answers in the same call; streaming: and token by token; batch: files in, files out; artifact: runs elsewhere"""


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Regions = Annotated[tuple[Region, ...], BeforeValidator(_tuple)]
Strings = Annotated[tuple[str, ...], BeforeValidator(_tuple)]


class Measure(Record):
    """A published figure of a piece of hardware, with where it was read."""

    value: float
    unit: str
    sources: tuple[Source, ...] = Field(min_length=1)
    confidence: Confidence
    as_of: AsOf
    note: Line | None = None

    @property
    def base(self) -> float:
        """In bytes, bytes per second or operations per second."""
        return self.value * SCALE[self.unit]

    @property
    def readable(self) -> str:
        """'96 GiB', '3.35 TB/s'."""
        return f"{self.value:g} {self.unit}"


class Shape(Record):
    """A decoder-only transformer, as far as memory and arithmetic care."""

    parameters: int
    active_parameters: int
    """how many of them one token uses; equal to `parameters` unless the model is a mixture of experts"""
    layers: int
    hidden: int
    intermediate: int
    """width of the feed-forward layer, of one expert in a mixture"""
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    context_tokens: int
    experts: int = 1
    active_experts: int = 1
    sliding_window: int | None = None
    """tokens that a sliding-window layer attends to"""
    sliding_layers: int = 0
    """how many of the layers have that window"""
    tied_embeddings: bool = False
    native_weights: Literal["bf16", "mxfp4"] = "bf16"
    """the precision in which the weights are published"""

    def kv_bytes_per_token(self, bytes_per_element: float = 2) -> int:
        """Key and value of one token in every layer; layers with a sliding window stop growing at their window."""
        return int(2 * self.layers * self.kv_heads * self.head_dim * bytes_per_element)

    def counted_parameters(self) -> int:
        """Parameters that follow from the other numbers (norms and biases left out): a check on `parameters`."""
        attention = self.hidden * self.head_dim * (2 * self.heads + 2 * self.kv_heads)
        router = self.hidden * self.experts if self.experts > 1 else 0
        experts = 3 * self.hidden * self.intermediate * self.experts
        embeddings = self.vocabulary * self.hidden * (1 if self.tied_embeddings else 2)
        return self.layers * (attention + router + experts) + embeddings


class OnBedrock(Record):
    """Where and how Bedrock offers a model. An empty tuple means: not offered that way."""

    model_id: str
    profiles: Strings = ()
    """ids of inference profiles that reach it"""
    in_region: Regions = ()
    """Regions that serve the plain model id"""
    through_profile: Regions = ()
    """Regions from which a geographic or global profile reaches it"""
    tiers: Strings = ("standard",)
    provisioned: Regions = ()
    fine_tuning: Regions = ()
    custom_on_demand: Regions = ()
    latency_optimised: Regions = ()
    lifecycle: Literal["active", "legacy", "end-of-life", "unknown"] = "unknown"
    end_of_life: FactId | None = None
    sources: tuple[Source, ...] = Field(min_length=1)
    as_of: AsOf
    confidence: Confidence
    note: Line | None = None

    @property
    def regions(self) -> tuple[str, ...]:
        """Every Region from which the model can be called, one way or another."""
        return tuple(dict.fromkeys((*self.in_region, *self.through_profile)))


class Model(Record):
    """A model that the course deploys or compares."""

    id: str
    name: Line
    provider: Line
    shape: Shape | None = None
    """None for models whose insides are not public"""
    weights: Url | None = None
    """where open weights are published"""
    licence: Line | None = None
    architecture: Line | None = None
    """the architecture's name in its config.json"""
    bedrock: OnBedrock | None = None
    importable: Regions = ()
    """Regions of Bedrock's Custom Model Import that take weights of this architecture and size"""
    price: FactId | None = None
    """prefix of its price facts: `price + '.input_per_million'`"""
    sources: tuple[Source, ...] = ()
    note: Line | None = None


class Accelerator(Record):
    """One chip (for Graviton: one processor) that runs a model."""

    id: str
    name: Line
    vendor: Line
    kind: Literal["gpu", "neuron", "cpu"]
    memory: Measure
    """what the vendor prints on it"""
    usable_memory: Measure | None = None
    """what EC2 says an instance has of it"""
    bandwidth: Measure
    dense_bf16: Measure
    dense_fp8: Measure | None = None
    cores: int = 1
    """NeuronCores of a Neuron chip"""
    note: Line | None = None

    @property
    def memory_bytes(self) -> int:
        """Memory that a model can use: as EC2 counts it where that is known."""
        return int((self.usable_memory or self.memory).base)


class InstanceType(Record):
    """An instance type of EC2 ('g5.48xlarge') or of SageMaker AI hosting ('ml.g5.48xlarge')."""

    id: str
    service: Literal["ec2", "sagemaker"]
    accelerator: str
    count: int
    vcpus: int
    memory_gib: float
    price: FactId | None
    """fact with its on-demand price per hour; None where we know of none"""
    priced_in: Regions
    """Regions for which we know a price; whether others have it, ask AWS"""
    quota: FactId | None = None
    """fact with its default quota of instances"""
    quota_code: str | None = None
    sources: tuple[Source, ...] = Field(min_length=1)
    note: Line | None = None


class Image(Record):
    """A family of containers. Its tag is never guessed: `uri_from` says where today's address comes from."""

    id: str
    name: Line
    what: Line
    status: Line
    uri_from: Line
    runs_on: Strings
    sources: tuple[Source, ...] = Field(min_length=1)
    note: Line | None = None


class Target(Record):
    """A place to deploy a model to."""

    id: str
    family: Literal["bedrock", "sagemaker", "own"]
    kinds: Annotated[tuple[Kind, ...], BeforeValidator(_tuple), Field(min_length=1)]
    what: Line
    regions: Regions
    """Regions where the course's own choice of model and hardware for it is known to work; empty: not recorded, ask AWS"""
    default_model: str
    default_instance: str | None = None
    image: str | None = None
    in_exam_scope: bool = True
    sources: tuple[Source, ...] = ()
    note: Line | None = None

    @model_validator(mode="after")
    def _regions_or_reason(self) -> Self:
        if not self.regions and self.note is None:
            raise ValueError("without regions a note must say why")
        return self
