"""Who asks a model for what, in invented and nameless companies, and which models they may ask: the scenery of drawn items."""

from dataclasses import dataclass
from functools import cache
from random import Random

from labs.economics import tokens
from labs.economics.prices import known
from labs.facts import catalogue

REGION = "us-east-1"


@dataclass(frozen=True)
class Setting:
    """One business and the one thing that its application does."""

    who: str
    """'An insurer'"""
    does: str
    """what the model does with it: 'summarize'"""
    thing: str
    """what one request is about"""

    @property
    def things(self) -> str:
        """More than one of them."""
        return f"{self.thing[:-1]}ies" if self.thing.endswith("y") else f"{self.thing}s"

    @property
    def task(self) -> str:
        """'summarize claim letters'"""
        return f"{self.does} {self.things}"


SETTINGS = (
    Setting("An insurer", "summarize", "claim letter"),
    Setting("A freight forwarder", "classify", "delivery note"),
    Setting("A hospital group", "draft answers to", "referral"),
    Setting("A publisher", "write abstracts of", "manuscript"),
    Setting("A bank", "explain", "account statement"),
    Setting("A city administration", "sort", "building application"),
    Setting("A travel agency", "rewrite", "hotel description"),
    Setting("A law firm", "compare", "lease contract"),
    Setting("A machine builder", "translate", "service report"),
    Setting("A retailer", "tag", "product review"),
    Setting("A university", "give feedback on", "lab report"),
    Setting("A power utility", "triage", "outage message"),
    Setting("A staffing company", "match", "job posting"),
    Setting("A game studio", "moderate", "chat message"),
    Setting("A museum", "transcribe", "archive letter"),
    Setting("A biotech company", "extract findings from", "trial protocol"),
    Setting("An airline", "answer", "baggage complaint"),
    Setting("A software vendor", "label", "support ticket"),
    Setting("A pension fund", "check", "benefit letter"),
    Setting("A news agency", "shorten", "press release"),
)


def setting(random: Random) -> Setting:
    """One of them."""
    return random.choice(SETTINGS)


@dataclass(frozen=True)
class Priced:
    """A model on Bedrock that is on sale and has a price per token."""

    id: str
    """as in the ids of its prices: 'nova-pro'"""
    short: str
    """what it is called"""
    through: str = ""
    """how it is reached, where not by its own id"""

    @property
    def name(self) -> str:
        """As a stem introduces it."""
        return self.short + self.through

    @property
    def input_price(self) -> str:
        """Fact id."""
        return f"bedrock.price.{self.id}.input_per_million"

    @property
    def output_price(self) -> str:
        """Fact id."""
        return f"bedrock.price.{self.id}.output_per_million"

    @property
    def cache_price(self) -> str:
        """Fact id of a cached input token, if there is one."""
        return f"bedrock.price.{self.id}.cache_read_per_million"


@cache
def models() -> tuple[Priced, ...]:
    """Every model of the catalogue that is active on Bedrock and has a price: a scenario does not build on one that is leaving."""
    found = []
    for entry in catalogue.models().values():
        if entry.price is None or entry.bedrock is None or entry.bedrock.lifecycle != "active":
            continue
        id = entry.price.removeprefix("bedrock.price.")
        through = " through the US inference profile" if id.endswith("-geo") else ""
        found.append(Priced(id, entry.name, through))
    return tuple(found)


@cache
def with_tier(tier: tokens.Tier) -> tuple[Priced, ...]:
    """Those that have a price in this tier."""
    return tuple(model for model in models() if tier in tokens.tiers(model.id))


@cache
def with_free_cache_writes() -> tuple[Priced, ...]:
    """Those with a price for cached input and none for writing to the cache."""
    return tuple(
        model
        for model in models()
        if known(model.cache_price) and not known(f"bedrock.price.{model.id}.cache_write_per_million")
    )
