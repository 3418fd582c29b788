"""What a call costs at a target: tokens where Bedrock bills by the token, a window of a copy's time where it bills that, nothing where hours are billed.

price = token_price.of(target)         # None: calls cost nothing of their own there
price.usd(input_tokens=500, output_tokens=200)
"""

from dataclasses import dataclass

from labs import facts
from labs.cloud import Cloud
from labs.economics.prices import known, usd
from labs.errors import FALSE, Refusal
from labs.facts import catalogue
from labs.targets.base import Site, Target

BY_THE_TOKEN = ("bedrock-on-demand", "bedrock-batch", "bedrock-custom-on-demand")
"""Targets whose calls are billed by the token."""
BY_THE_WINDOW = "bedrock-custom-import"
"""Its copies are billed in windows that begin with a call; a call within an open one costs nothing more."""
BY_THE_SECOND = "sagemaker-serverless"
"""Its environments are billed by the second that they work, at a price that grows with their memory."""


@dataclass(frozen=True)
class TokenPrice:
    """US dollars per million tokens, or for a window of time; and the register's ids of the prices."""

    input_usd: float
    output_usd: float
    facts: tuple[str, ...]
    window_usd: float = 0.0
    """What a call that opens a window costs, whatever its tokens."""
    window_s: float = 0.0
    """For how long calls after it cost nothing more; 0: each call opens its own."""

    def usd(self, input_tokens: float, output_tokens: float) -> float:
        """What the tokens cost."""
        return (input_tokens * self.input_usd + output_tokens * self.output_usd) / 1e6


def of(target: Target) -> TokenPrice | None:
    """None where a call costs nothing of its own. Raises Refusal where it does and the register has no price: then nobody can say what it costs."""
    if target.name == BY_THE_SECOND:
        price = "sagemaker.price.serverless_per_gb_s"
        stated: float | None = getattr(target, "usd_per_second", None)
        per_second = usd(price) * float(getattr(target, "memory_mb", 0)) / 1024 if stated is None else stated
        of_it = (price,) if stated is None else ()
        return TokenPrice(0.0, 0.0, of_it, per_second * facts.number("sagemaker.serverless.timeout_s"))
    if target.name == BY_THE_WINDOW:
        return _window(target)
    if target.name not in BY_THE_TOKEN:
        return None
    options = (getattr(target, name, None) for name in ("model_id", "base_model_id"))
    model_id = str(next(filter(None, options), ""))
    prefix = _prefix(model_id)
    tier = str(getattr(target, "tier", "default")).replace("default", "")
    ids = tuple(f"{prefix}.{tier}{'_' if tier else ''}{way}_per_million" for way in ("input", "output"))
    if prefix is None or not all(map(known, ids)) or getattr(target, "latency", "") == "optimized":
        how = f" in the tier {tier}" if tier else " with optimised latency" if prefix and all(map(known, ids)) else ""
        raise Refusal(
            f"the register has no price of '{model_id}'{how}, so what a call of {target.name} costs cannot be said; "
            "'lab facts list bedrock.price' shows the models that have one",
            FALSE,
        )
    written = f"{prefix}.cache_write_per_million"
    if getattr(target, "cache", False) and known(
        written
    ):  # the most that a token read can cost: it is written to the cache
        ids = (written, ids[1])
    return TokenPrice(usd(ids[0]), usd(ids[1]), ids)


def _window(target: Target) -> TokenPrice:
    """The worst case of an imported model's copy holds one window: each that calls open costs the same again."""
    [line] = [each for each in target.worst_case(_ANYWHERE).lines if each.unit == "CMU-minute"]
    return TokenPrice(0.0, 0.0, line.facts, line.usd, facts.number("bedrock.import.billing_window_s"))


_ANYWHERE = Site(Cloud(None, "us-east-1", ""), "anywhere", hours=0)


def _prefix(model_id: str) -> str | None:
    """The beginning of its price facts, by the id that Bedrock has for it, an inference profile's, or the catalogue's."""
    name = model_id.rpartition("/")[2]
    for id, model in catalogue.models().items():
        on = model.bedrock
        if model.price and (name == id or (on and name in (on.model_id, *on.profiles))):
            return model.price
    return None
