"""What is asked, looked up: the model, its shape (estimated where only its size is known), its prices, its rate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log

from labs.decide.prices import exists
from labs.decide.requirements import ACTIVE_HOURS_PER_MONTH, Requirements
from labs.economics.bill import HOURS_PER_MONTH
from labs.economics.traffic import Traffic
from labs.facts import catalogue
from labs.facts.catalogue_schema import Model, Shape
from labs.serving.memory import WEIGHT_BYTES

PRICE_PREFIX = "bedrock.price."


@dataclass(frozen=True, slots=True)
class Case:
    """Requirements with everything that the catalogue knows about their model."""

    asked: Requirements
    model: Model | None
    name: str
    """'Llama 3 70B Instruct', or 'a model of 13 billion parameters'"""
    shape: Shape | None
    """None when the insides are not public"""
    shaped_like: str | None = None
    """the catalogue's model whose proportions were taken, when only the size is known"""

    @property
    def architecture(self) -> str | None:
        """As in config.json."""
        return self.asked.architecture or (self.model.architecture if self.model else None)

    @property
    def weights_bytes(self) -> float | None:
        """In the precision in which they are published."""
        return None if self.shape is None else self.shape.parameters * WEIGHT_BYTES[self.shape.native_weights]

    @property
    def dtype(self) -> str:
        """Precision of the weights on hardware of one's own choosing."""
        if self.asked.dtype is not None:
            return self.asked.dtype
        return "mxfp4" if self.shape is not None and self.shape.native_weights == "mxfp4" else "bf16"

    @property
    def price_id(self) -> str | None:
        """The model in price ids: 'llama-3-3-70b'."""
        if self.model is None or self.model.price is None:
            return None
        return self.model.price.removeprefix(PRICE_PREFIX)

    @property
    def global_price_id(self) -> str | None:
        """The same through the global profile, where there is one and the data may go anywhere."""
        on, price = self.model.bedrock if self.model else None, self.price_id
        if on is None or price is None or self.asked.residency != "anywhere":
            return None
        through_global = price.removesuffix("-geo") + "-global"
        has_profile = any(profile.startswith("global.") for profile in on.profiles)
        return through_global if has_profile and exists(f"{PRICE_PREFIX}{through_global}.input_per_million") else None

    @property
    def active_hours(self) -> float:
        """Hours of the month in which requests come."""
        return ACTIVE_HOURS_PER_MONTH[self.asked.profile]

    @property
    def rate_per_s(self) -> float:
        """Requests per second while they come; over the whole month when they may wait in a queue."""
        while_they_come = self.asked.requests_per_minute / 60
        if self.asked.answer_can_wait:
            return while_they_come * self.active_hours / HOURS_PER_MONTH
        return while_they_come

    @property
    def tokens_per_request(self) -> int:
        return self.asked.input_tokens + self.asked.output_tokens

    def traffic(self, requests: float = 1.0, tokens: float = 1.0) -> Traffic:
        """A month of it, with factors on its requests and on their tokens."""
        month = self.asked.traffic
        return Traffic(month.requests_per_month * requests, month.input_tokens * tokens, month.output_tokens * tokens)


def case(asked: Requirements) -> Case:
    """Look everything up. The requirements must have been checked."""
    if asked.model is not None:
        model = catalogue.model(asked.model)
        return Case(asked, model, model.name, model.shape)
    assert asked.parameters_b is not None
    like, shape = shape_of_size(asked.parameters_b)
    return Case(asked, None, f"a model of {asked.parameters_b:g} billion parameters", shape, like)


@lru_cache
def shape_of_size(parameters_b: float) -> tuple[str, Shape]:
    """A dense transformer of so many billion parameters: the nearest in the catalogue, with more or fewer layers."""
    parameters = parameters_b * 1e9
    dense = {
        id: entry.shape
        for id, entry in catalogue.models().items()
        if entry.shape is not None and entry.shape.experts == 1
    }
    like = min(dense, key=lambda id: abs(log(dense[id].parameters / parameters)))
    known = dense[like]
    embeddings = known.vocabulary * known.hidden * (1 if known.tied_embeddings else 2)
    per_layer = (known.parameters - embeddings) / known.layers
    layers = max(1, round((parameters - embeddings) / per_layer))
    changed = {"parameters": int(parameters), "active_parameters": int(parameters), "layers": layers}
    return like, known.model_copy(update=changed)
