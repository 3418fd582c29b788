"""Which product of the public Price List a price fact stands for, and what that product costs in an offer file.

    lookup = load(register.installed())["lambda.price.per_gb_s_arm"]
    lookup.service, lookup.filters       # 'AWSLambda', {'group': 'AWS-Lambda-Duration-ARM'}
    quote(lookup, offer)                 # Quote(value=Decimal('0.0000133334'), published='2026-11-19')

The mapping is data (`data/prices.yaml`). Nothing is guessed: a product that is not found, a price that is not one, a unit that is
not known are said, and the fact stays as it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from labs.facts.documents import read
from labs.facts.register import Register, UnknownFact
from labs.facts.schema import FactId, Line, Record

SOURCE = "aws-price-list"
"""the source that a refreshed fact names"""


class Service(Record):
    """One service of the Price List, and the facts that stand for its products."""

    service: Line
    units: Annotated[dict[str, int], Field(min_length=1)]
    match: dict[str, str] = Field(default_factory=dict)
    each: str | None = None
    attribute: str | None = None
    prefix: str = ""
    facts: dict[FactId, dict[str, str]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Lookup:
    """Where one price fact finds its price."""

    fact: str
    service: str
    """service code of the Price List: 'AmazonEC2'"""
    region: str
    filters: Mapping[str, str]
    """attributes that the product must have"""
    units: Mapping[str, int]
    """unit of the offer file: how many of our units it is"""


@dataclass(frozen=True)
class Quote:
    """What the offer file says a fact costs, in the fact's own unit."""

    value: Decimal
    published: str
    """the day on which the offer file was published"""


class NoQuote(Exception):  # noqa: N818 - not an error in the program: the offer file does not say
    """The offer file does not answer; the message says why."""


def load(register: Register) -> dict[str, Lookup]:
    """Every price fact that has a place in the Price List, by id. A mapping to an unknown fact is a BadDocument."""
    document = read(register.folder / "prices.yaml")
    found: dict[str, Lookup] = {}
    for name, entry in document.data["prices"].items():
        place = ("prices", name)
        service = document.validate(Service, entry, place)
        wanted = dict(service.facts)
        if service.each and service.attribute:
            for fact in register.group(service.each.partition(".")[0]).values():
                if fact.id.startswith(service.each):
                    rest = fact.id.removeprefix(service.each)
                    wanted[fact.id] = {service.attribute: service.prefix + ".".join(rest.rsplit("-", 1))}
        for id, filters in wanted.items():
            try:
                region = register.get(id).region.partition(",")[0]
            except UnknownFact as unknown:
                raise document.wrong((*place, "facts", id), str(unknown)) from None
            found[id] = Lookup(id, service.service, region, {**service.match, **filters}, service.units)
    return found


def quote(lookup: Lookup, products: Iterable[Mapping[str, Any]], published: str) -> Quote:
    """The price of the one product that fits; NoQuote if none fits, if several differ, or if its unit is unknown."""
    prices: set[Decimal] = set()
    strange: set[str] = set()
    for product in products:
        attributes = product["product"].get("attributes", {})
        if any(attributes.get(name) != wanted for name, wanted in lookup.filters.items()):
            continue
        if attributes.get("regionCode", lookup.region) != lookup.region or attributes.get("location") == "Any":
            continue
        for unit, price in _first_paid(product):
            if unit in lookup.units:
                prices.add(price * lookup.units[unit])
            else:
                strange.add(unit)
    asked = ", ".join(f"{name}={value}" for name, value in lookup.filters.items())
    if len(prices) == 1:
        return Quote(prices.pop(), published)
    if prices:
        raise NoQuote(f"{len(prices)} different prices fit {asked}")
    if strange:
        raise NoQuote(f"the price is per {', '.join(sorted(strange))}, and the mapping does not say what that is")
    raise NoQuote(f"no product with {asked}")


def products(offer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The products of a bulk offer file, each in the shape of the query API: {'product': ..., 'terms': {'OnDemand': ...}}."""
    on_demand = offer.get("terms", {}).get("OnDemand", {})
    for sku, product in offer.get("products", {}).items():
        yield {"product": product, "terms": {"OnDemand": on_demand.get(sku, {})}}


def _first_paid(product: Mapping[str, Any]) -> Iterator[tuple[str, Decimal]]:
    """(unit, US dollars) of each on-demand term's lowest tier that costs something."""
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        tiers = sorted(term.get("priceDimensions", {}).values(), key=lambda tier: Decimal(tier.get("beginRange", "0")))
        for tier in tiers:
            price = Decimal(tier.get("pricePerUnit", {}).get("USD", "0"))
            if price:
                yield tier["unit"], price
                break
