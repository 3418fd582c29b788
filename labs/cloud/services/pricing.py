"""The Price List Query API over the facts register: the prices that the course states, in the shape in which AWS gives prices.

moto 5.2.5 has no such service; this one gives it its place (`extend`), and the test of that fails once moto has one.

A product is here when the register says where it stands in the Price List (`labs/facts/data/prices.yaml`) and what it costs; AWS has
hundreds of thousands more. Each is as old as its fact: `publicationDate` is the fact's `as_of`.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from types import SimpleNamespace
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.responses import ActionResult, BaseResponse

from labs.cloud.context import Context
from labs.cloud.services.errors import ServiceError

REGIONS = ("us-east-1", "eu-central-1", "ap-south-1")
"""Where the API has endpoints; it answers about all Regions from each."""
URL = r"https?://(?:api\.)?pricing\.(.+)\.amazonaws\.com"
FORMAT = "aws_v1"
ON_DEMAND, RATE = "JRTCKXETXF", "6YS6EN2CT7"
"""AWS's codes of the on-demand term and of its hourly or per-unit rate."""
FAMILIES = {
    "AmazonEC2": "Compute Instance",
    "AmazonSageMaker": "ML Instance",
    "AWSLambda": "Serverless",
    "AWSQueueService": "API Request",
    "AmazonDynamoDB": "Amazon DynamoDB PayPerRequest Throughput",
    "AmazonApiGateway": "API Calls",
    "AmazonEKS": "Compute",
    "AmazonBedrock": "Amazon Bedrock",
}
MATCHES: dict[str, Callable[[str, str], bool]] = {
    "TERM_MATCH": lambda value, wanted: value.lower() == wanted.lower(),
    "EQUALS": lambda value, wanted: value == wanted,
    "CONTAINS": lambda value, wanted: wanted.lower() in value.lower(),
    "ANY_OF": lambda value, wanted: value in wanted.split(","),
    "NONE_OF": lambda value, wanted: value not in wanted.split(","),
}


def extend(context: Context) -> None:
    """Tell moto where requests for the Price List go."""
    import moto.backend_index

    known = moto.backend_index.backend_url_patterns
    context.patch(moto.backend_index, "backend_url_patterns", [*known, ("pricing", re.compile(URL))])


class PricingResponse(BaseResponse):
    """Who answers."""

    def __init__(self) -> None:
        super().__init__(service_name="pricing")

    def describe_services(self) -> Any:
        return self._answer(describe_services)

    def get_attribute_values(self) -> Any:
        return self._answer(get_attribute_values)

    def get_products(self) -> Any:
        return self._answer(get_products)

    def _answer(self, operation: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
        if self.region not in REGIONS:
            raise invalid(
                f"The Price List API has no endpoint in {self.region}: ask in {', '.join(REGIONS)}, which know the prices of every Region."
            )
        return ActionResult(operation(json.loads(self.body or "{}")))


class PricingBackend(BaseBackend):
    """What moto asks of a service: its addresses."""

    _url_module = SimpleNamespace(url_bases=[URL], url_paths={"{0}/$": PricingResponse.dispatch})


@cache
def backends() -> Any:
    """moto's name for a service: its backends by account and Region."""
    return BackendDict(PricingBackend, "pricing")


# -- the operations


def describe_services(given: dict[str, Any]) -> dict[str, Any]:
    asked = given.get("ServiceCode")
    codes = sorted(products()) if asked is None else [service(asked)]
    found = [{"ServiceCode": code, "AttributeNames": attribute_names(code)} for code in codes]
    return {"FormatVersion": FORMAT, **page("Services", found, given)}


def get_attribute_values(given: dict[str, Any]) -> dict[str, Any]:
    code, name = service(given["ServiceCode"]), given["AttributeName"]
    if name not in attribute_names(code):
        raise ServiceError("NotFoundException", f"{code} has no attribute {name}.")
    values = sorted({each["product"]["attributes"].get(name, "") for each in products()[code]} - {""})
    return page("AttributeValues", [{"Value": value} for value in values], given)


def get_products(given: dict[str, Any]) -> dict[str, Any]:
    if given.get("FormatVersion", FORMAT) != FORMAT:
        raise invalid(f"FormatVersion must be {FORMAT}.")
    filters = given.get("Filters") or []
    for each in filters:
        if each.get("Type") not in MATCHES:
            raise invalid(f"Filter type {each.get('Type')} is not one of {', '.join(MATCHES)}.")
    found = [json.dumps(each) for each in products()[service(given["ServiceCode"])] if fits(each, filters)]
    return {"FormatVersion": FORMAT, **page("PriceList", found, given)}


def fits(product: Mapping[str, Any], filters: list[dict[str, str]]) -> bool:
    attributes = {
        **product["product"]["attributes"],
        "productFamily": product["product"]["productFamily"],
        "sku": product["product"]["sku"],
    }
    return all(
        each["Field"] in attributes and MATCHES[each["Type"]](attributes[each["Field"]], each["Value"])
        for each in filters
    )


def service(code: str) -> str:
    if code not in products():
        raise ServiceError(
            "NotFoundException",
            f"The local cloud's price list has {', '.join(sorted(products()))}, and not {code}, which AWS's may have.",
        )
    return code


def attribute_names(code: str) -> list[str]:
    return sorted({name for each in products()[code] for name in each["product"]["attributes"]} | {"productFamily"})


def invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterException", message)


def page(name: str, found: list[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    size = int(given.get("MaxResults") or 100)
    if not 1 <= size <= 100:
        raise invalid("MaxResults must be between 1 and 100.")
    try:
        start = int(given.get("NextToken") or 0)
    except ValueError:
        raise ServiceError("InvalidNextTokenException", "The pagination token is invalid.") from None
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return {name: found[start : start + size], **more}


# -- the products


@cache
def products() -> dict[str, list[dict[str, Any]]]:
    """Every product that the register prices, by service code, as an element of PriceList is once its JSON is read."""
    from labs.facts import prices, register

    installed = register.installed()
    found: dict[str, list[dict[str, Any]]] = {}
    for id, lookup in prices.load(installed).items():
        fact = installed.get(id)
        if isinstance(fact.value, int | float):
            found.setdefault(lookup.service, []).append(
                product(lookup.service, lookup.region, lookup.filters, lookup.units, fact)
            )
    return found


def product(code: str, region: str, filters: Mapping[str, str], units: Mapping[str, int], fact: Any) -> dict[str, Any]:
    """One product in AWS's shape."""
    by_the_million = "1M" in fact.unit
    unit, factor = next((unit, n) for unit, n in units.items() if (n > 1) == by_the_million)
    price = Decimal(str(fact.value)) / factor
    sku = hashlib.sha256(fact.id.encode()).hexdigest()[:16].upper()
    term, rate = f"{sku}.{ON_DEMAND}", f"{sku}.{ON_DEMAND}.{RATE}"
    published = f"{fact.as_of}-01"[:10] + "T00:00:00Z"
    attributes = {
        "servicecode": code,
        "regionCode": region,
        "location": locations().get(region, region),
        "locationType": "AWS Region",
        **filters,
        **hardware(filters),
    }
    dimension = {
        "unit": unit,
        "beginRange": "0",
        "endRange": "Inf",
        "description": f"${price:f} per {unit}: {fact.says}",
        "appliesTo": [],
        "rateCode": rate,
        "pricePerUnit": {"USD": f"{price:.10f}"},
    }
    return {
        "product": {"productFamily": FAMILIES.get(code, code), "attributes": attributes, "sku": sku},
        "serviceCode": code,
        "terms": {
            "OnDemand": {
                term: {
                    "priceDimensions": {rate: dimension},
                    "sku": sku,
                    "effectiveDate": published,
                    "offerTermCode": ON_DEMAND,
                    "termAttributes": {},
                }
            }
        },
        "version": re.sub(r"\D", "", published),
        "publicationDate": published,
    }


def hardware(filters: Mapping[str, str]) -> dict[str, str]:
    """What the price list says of an instance type."""
    from labs.facts import catalogue

    type_ = filters.get("instanceType") or filters.get("instanceName")
    instance = catalogue.instances().get(type_ or "")
    if instance is None:
        return {}
    name = "vcpu" if instance.service == "ec2" else "vCpu"
    return {name: str(instance.vcpus), "memory": f"{instance.memory_gib:g} GiB", "gpu": str(instance.count)}


@cache
def locations() -> dict[str, str]:
    """AWS's name of each Region, as the price list uses it."""
    from botocore.loaders import Loader

    regions = Loader().load_data("endpoints")["partitions"][0]["regions"]
    return {code: region["description"].replace("Europe", "EU") for code, region in regions.items()}
