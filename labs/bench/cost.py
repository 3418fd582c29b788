"""What a run cost, from prices with names and dates: by the hour, by the token, by the request, added up over what was really used.

    price = hourly("sagemaker", "ml.g5.2xlarge", 2) + queue(wait_s=3.0)
    Price.from_dict(price.as_dict())          # what a run's header keeps: a price is that of the day of the run
    cost(price, records, duration_s=30.0)     # {"usd_per_hour", "usd_per_request", "usd_per_million_output_tokens", ...}

An endpoint paid by the hour costs the same empty or full, so its cost per request is that at the load seen, no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

from labs import facts
from labs.bench.intervals import ratio
from labs.bench.records import Record
from labs.bench.statistics import pair
from labs.economics import capacity, instances, tokens
from labs.economics import queue as queue_costs
from labs.economics.bill import Bill, Line
from labs.economics.traffic import Traffic
from labs.errors import USAGE, Refusal
from labs.facts import catalogue

Basis = Literal["hour", "request", "million input tokens", "million output tokens"]
BASES: tuple[Basis, ...] = get_args(Basis)
NOT_CHARGED = frozenset({"ThrottlingException", "ConnectError"})
"""errors after which a service that charges by the request or token has done nothing: what is not billed"""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One thing that is paid: so many of `unit` for each of `basis`."""

    name: str
    basis: Basis
    quantity: float
    unit: str
    usd_per_unit: float
    facts: tuple[str, ...]
    as_of: tuple[str, ...]
    """the date of each fact"""
    assumption: str = ""

    @property
    def usd(self) -> float:
        """For one of `basis`."""
        return self.quantity * self.usd_per_unit


@dataclass(frozen=True, slots=True)
class Price:
    """What a target costs, as of the dates of its facts."""

    dimensions: tuple[Dimension, ...]

    def __add__(self, other: Price) -> Price:
        return Price(self.dimensions + other.dimensions)

    def usd_per(self, basis: Basis) -> float:
        """US dollars for one hour, request or million tokens."""
        return sum(d.usd for d in self.dimensions if d.basis == basis)

    def as_dict(self) -> dict[str, Any]:
        """The snapshot that a run's header keeps."""
        return {"dimensions": [asdict(dimension) for dimension in self.dimensions]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Price:
        """The price of a snapshot. Raises Refusal for one that is none."""
        try:
            made = [
                Dimension(**{**entry, "facts": tuple(entry["facts"]), "as_of": tuple(entry["as_of"])})
                for entry in data["dimensions"]
            ]
        except (KeyError, TypeError) as wrong:
            raise Refusal(f"the run's price snapshot cannot be read ({wrong}); give the price again", USAGE) from None
        if strange := [d.basis for d in made if d.basis not in BASES]:
            raise Refusal(f"a price is per {', '.join(BASES)}, not per {', '.join(strange)}", USAGE)
        return cls(tuple(made))


def _dimensions(bill: Bill, basis: Basis) -> tuple[Dimension, ...]:
    return tuple(_dimension(line, basis) for line in bill.lines)


def _dimension(line: Line, basis: Basis) -> Dimension:
    dates = tuple(facts.get(id).as_of for id in line.facts)
    return Dimension(line.name, basis, line.quantity, line.unit, line.usd_per_unit, line.facts, dates, line.assumption)


def hourly(service: instances.Service, instance_type: str, count: float = 1, eks_clusters: int = 0) -> Price:
    """Instances behind a SageMaker AI endpoint, or EC2 machines and the EKS control planes that they belong to."""
    if service == "sagemaker":
        return Price(_dimensions(instances.endpoint(instance_type, count, hours=1), "hour"))
    return Price(_dimensions(instances.machines(instance_type, count, hours=1, eks_clusters=eks_clusters), "hour"))


def per_token(model: str, tier: tokens.Tier = "standard") -> Price:
    """A base model on Bedrock, by its price id: 'nova-lite'."""
    bill = tokens.on_demand(model, Traffic(1.0, 1e6, 1e6), tier)
    directions: dict[str, Basis] = {"input tokens": "million input tokens", "output tokens": "million output tokens"}
    return Price(tuple(_dimension(line, directions[line.name]) for line in bill.lines))


def provisioned(model: str, model_units: float, term: capacity.Term = "no_commitment") -> Price:
    """Model units by the hour."""
    return Price(_dimensions(capacity.provisioned(model, model_units, term, hours=1), "hour"))


def custom_import(cmus_per_copy: float, copies: float = 1, region: str = "us-east-1") -> Price:
    """Copies of an imported model while they are active; storage is paid by the month whether there is a run or not."""
    bill = capacity.custom_import(cmus_per_copy, copies * 60, stored_models=0, region=region)
    return Price(_dimensions(Bill(bill.title, bill.lines[:1]), "hour"))


def queue(wait_s: float, memory_mb: float = 512) -> Price:
    """The queue pattern around each request, whose worker waits so long for the model."""
    return Price(_dimensions(queue_costs.squid(1, wait_s, memory_mb), "request"))


def standing(bill: Bill, hours: float) -> Price:
    """What a deployment costs for every hour that it stands, from a bill of so many hours (a target's `worst_case`)."""
    return Price(_dimensions(bill.scaled(1.0 / hours), "hour"))


def price_of(target: Mapping[str, Any], wait_s: float = 1.0) -> Price | None:
    """The list price of what a run's header describes, as far as the register knows one; None where it does not.

    A base model on Bedrock is paid by the token. A target with instances is paid by the hour for `instance_type`, or else for the
    course's own choice, `replicas` of them. Through the queue, a worker that waits `wait_s` for each request comes on top.
    """
    name, model = str(target.get("name") or ""), str(target.get("model") or "")
    entry = catalogue.targets().get(name)
    machine = str(target.get("instance_type") or (entry.default_instance if entry else None))
    found: Price | None = None
    if machine in catalogue.instances():
        with suppress(Refusal):  # one that can be had, and of which no price was found
            found = hourly(catalogue.instances()[machine].service, machine, float(target.get("replicas") or 1))
    elif name == "bedrock-on-demand" or (not name and str(target.get("endpoint", "")).startswith("bedrock")):
        found = _on_demand(model)
    if found is not None and target.get("through"):
        found += queue(wait_s)
    return found


def _on_demand(model_id: str) -> Price | None:
    """By the id of a model, of an inference profile, or of the catalogue."""
    for model in catalogue.models().values():
        on = model.bedrock
        if model.price is not None and (model_id == model.id or (on and model_id in (on.model_id, *on.profiles))):
            key = model.price.removeprefix("bedrock.price.")
            return per_token(key) if "standard" in tokens.tiers(key) else None
    return None


def cost(
    price: Price, records: Sequence[Record], duration_s: float, memory_requests: float = 1.0, seed: int = 0
) -> dict[str, Any] | None:
    """US dollars per hour, per answered request and per million output tokens of records in order of arrival, with intervals.

    Tokens are those that the server counted, of failed answers too; a throttled request is charged nothing by the token. None
    where nothing can be divided: no records, or no time.
    """
    if not records or duration_s <= 0:
        return None
    spans = seconds_each(records, duration_s)
    hour, request = price.usd_per("hour") / 3600.0, price.usd_per("request")
    token_in, token_out = price.usd_per("million input tokens") / 1e6, price.usd_per("million output tokens") / 1e6
    usd = [
        hour * span
        + token_in * _tokens(r, r.input_tokens)
        + token_out * _tokens(r, r.output_tokens)
        + request * _charged(r)
        for r, span in zip(records, spans, strict=True)
    ]
    answered = [1.0 if r.ok else 0.0 for r in records]
    produced = [float(r.output_tokens or 0) if r.ok else 0.0 for r in records]
    total = sum(usd)
    result: dict[str, Any] = {
        "usd_per_hour": total / duration_s * 3600.0,
        "usd_per_request": None,
        "usd_per_million_output_tokens": None,
        "ci": {"usd_per_hour": None, "usd_per_request": None, "usd_per_million_output_tokens": None},
        "usd": total,
        "dimensions": _parts(price, records, duration_s),
        "facts": sorted({id for d in price.dimensions for id in d.facts}),
        "as_of": max((date for d in price.dimensions for date in d.as_of), default=None),
        "at": f"{sum(answered) / duration_s:.3g} answers and {sum(produced) / duration_s:.4g} output tokens a second: at another load the cost per request is another",
    }
    for name, things, scale in (
        ("usd_per_request", answered, 1.0),
        ("usd_per_million_output_tokens", produced, 1e6),
    ):
        if sum(things) > 0:
            estimate = ratio(usd, things, memory_requests=memory_requests, seed=seed, scale=scale)
            result[name], result["ci"][name] = estimate.value, pair(estimate)
    return result


def seconds_each(records: Sequence[Record], duration_s: float) -> list[float]:
    """The run's time, each request's share of it being the time until the next was due; the last has what is left."""
    due = [r.intended_s for r in records]
    spans = [later - earlier for earlier, later in pairwise(due)]
    return [*spans, max(0.0, duration_s - sum(spans))]


def _charged(record: Record) -> bool:
    return record.status not in NOT_CHARGED


def _tokens(record: Record, counted: int | None) -> float:
    return float(counted or 0) if _charged(record) else 0.0


def _parts(price: Price, records: Sequence[Record], duration_s: float) -> list[dict[str, Any]]:
    """What each dimension came to."""
    used: dict[Basis, float] = {
        "hour": duration_s / 3600.0,
        "request": sum(map(_charged, records)),
        "million input tokens": sum(_tokens(r, r.input_tokens) for r in records) / 1e6,
        "million output tokens": sum(_tokens(r, r.output_tokens) for r in records) / 1e6,
    }
    return [
        {"name": d.name, "per": d.basis, "usd": d.usd * used[d.basis], "facts": list(d.facts)} for d in price.dimensions
    ]
