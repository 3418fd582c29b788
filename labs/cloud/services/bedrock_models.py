"""The foundation models of the local cloud's Bedrock: those of the catalogue, with the register's limits and the serving model's speeds.

    reached = reach("us.meta.llama3-3-70b-instruct-v1:0", "us-east-1")
    reached.model.max_output_tokens, reached.profile

Nothing here was measured on AWS: the speeds are the assumptions of `labs.serving.services`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from types import MappingProxyType

from labs import facts
from labs.cloud.services.bedrock_errors import invalid, not_found
from labs.cloud.services.errors import ServiceError
from labs.facts import catalogue
from labs.facts.catalogue import OnBedrock
from labs.serving.service import ServiceSpec
from labs.serving.services import Level, latencies

BODIES = MappingProxyType(
    {
        "amazon.nova": "nova",
        "anthropic.claude": "anthropic",
        "meta.llama": "llama",
        "mistral.mi": "mistral",
        "openai.gpt-oss": "chat",
        "qwen.qwen3": "chat",
    }
)
"""how a model's id begins: the format of its body in InvokeModel"""
GEOGRAPHIES = MappingProxyType(
    {
        "us": ("us-",),
        "eu": ("eu-",),
        "apac": ("ap-",),
        "jp": ("ap-northeast-1", "ap-northeast-3"),
        "au": ("ap-southeast-2", "ap-southeast-4"),
        "global": ("",),
    }
)
"""prefix of an inference profile: how the Regions begin from which it is called"""
BURNDOWN = MappingProxyType({"claude-sonnet-5": "claude-5", "claude": "claude-4-7-and-older"})
"""how a model's id in the catalogue begins: its burndown rate in the register; all others have the common one"""


@dataclass(frozen=True)
class Served:
    """What answers: a foundation model, or one that was imported."""

    id: str
    body: str
    """its format in InvokeModel, a key of `bedrock_bodies.BODIES`"""
    context_tokens: int
    max_output_tokens: int
    cache_min_tokens: int | None = None
    """the shortest prefix that it caches; None when it does not cache"""
    burndown: float = 1.0


@dataclass(frozen=True)
class Model(Served):
    """One foundation model on Bedrock; `id` is its `modelId`."""

    key: str = ""
    """its id in the catalogue"""
    name: str = ""
    provider: str = ""
    offer: OnBedrock = field(kw_only=True)

    def speed(self, level: Level = "central") -> ServiceSpec:
        """How fast it is assumed to answer: `low` is the fast end."""
        return latencies(self.key, level)

    def has_ended(self, today: date) -> bool:
        """Has it left Bedrock?"""
        if self.offer.lifecycle == "end-of-life":
            return True
        end = facts.value(self.offer.end_of_life) if self.offer.end_of_life else None
        return isinstance(end, date) and end <= today


@cache
def models() -> Mapping[str, Model]:
    """Every model that the catalogue knows on Bedrock, by its `modelId`."""
    cached = {fact.id for fact in facts.where("bedrock.cache.min_prefix.")}
    found = {}
    for key, entry in catalogue.models().items():
        if entry.bedrock is None:
            continue
        fact = key.replace(".", "-")
        rate = next((rate for start, rate in BURNDOWN.items() if fact.startswith(start)), "other")
        caches = f"bedrock.cache.min_prefix.{fact}"
        found[entry.bedrock.model_id] = Model(
            id=entry.bedrock.model_id,
            key=key,
            name=entry.name,
            provider=entry.provider,
            offer=entry.bedrock,
            body=next(body for start, body in BODIES.items() if entry.bedrock.model_id.startswith(start)),
            context_tokens=int(facts.number(f"bedrock.model.{fact}.context_tokens")),
            max_output_tokens=int(facts.number(f"bedrock.model.{fact}.max_output_tokens")),
            cache_min_tokens=int(facts.number(caches)) if caches in cached else None,
            burndown=facts.number(f"bedrock.burndown.{rate}"),
        )
    return MappingProxyType(found)


@dataclass(frozen=True)
class Reached:
    """What an id means in a Region."""

    model: Model
    profile: str | None = None
    """id of the inference profile that leads to it"""


def bare(identifier: str) -> str:
    """The id in an ARN, or the id itself."""
    return identifier.rpartition("/")[2] if identifier.startswith("arn:") else identifier


def profile_prefix(profile: str) -> str:
    """The geography of an inference profile: "us", "global"."""
    return profile.partition(".")[0]


def callable_from(profile: str, region: str) -> bool:
    """Can this system-defined profile be called from this Region?"""
    starts = GEOGRAPHIES.get(profile_prefix(profile), ())
    return any(region.startswith(start) for start in starts) and not region.startswith("us-gov")


def reach(identifier: str, region: str) -> Reached:
    """The model that the id or ARN of a model or a system-defined profile means, as AWS answers when it means none."""
    name = bare(identifier)
    prefix, _, rest = name.partition(".")
    model = models().get(rest)
    if model is not None and name in model.offer.profiles and callable_from(name, region):
        return Reached(alive(model), name)
    model = models().get(name)
    if model is None or prefix in GEOGRAPHIES:
        raise unknown()
    if region not in model.offer.in_region:
        if not any(callable_from(profile, region) for profile in model.offer.profiles):
            raise unknown()
        raise invalid(
            f"Invocation of model ID {name} with on-demand throughput isn’t supported. "
            "Retry your request with the ID or ARN of an inference profile that contains this model."
        )
    return Reached(alive(model))


def today() -> date:
    """The day by which a model has ended or not."""
    return date.today()


def alive(model: Model) -> Model:
    """The model, unless it has left Bedrock."""
    if model.has_ended(today()):
        raise not_found(
            "This model version has reached the end of its life. Please refer to the AWS documentation for more details."
        )
    return model


def unknown() -> ServiceError:
    """AWS's words for an id that means nothing here."""
    return invalid("The provided model identifier is invalid.")
