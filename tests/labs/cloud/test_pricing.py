"""The price list gives the register's prices in AWS's shape, so that what reads AWS's list reads this one."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from labs import facts
from labs.facts import prices, register
from tests.labs.cloud.kit import Aws
from tests.labs.cloud.shapes import checked


@pytest.fixture
def pricing(inside: Aws) -> Any:
    return checked(inside.session.client("pricing"))


def found(pricing: Any, service: str, **attributes: str) -> list[dict[str, Any]]:
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in attributes.items()]
    pages = pricing.get_paginator("get_products").paginate(ServiceCode=service, Filters=filters)
    return [json.loads(text) for page in pages for text in page["PriceList"]]


def usd(product: dict[str, Any]) -> float:
    [term] = product["terms"]["OnDemand"].values()
    [dimension] = term["priceDimensions"].values()
    return float(dimension["pricePerUnit"]["USD"])


def test_an_instance_costs_what_the_register_says(pricing: Any) -> None:
    [hosting] = found(pricing, "AmazonSageMaker", instanceName="ml.g5.xlarge", regionCode="us-east-1")
    assert usd(hosting) == facts.number("sagemaker.price.g5-xlarge")
    assert hosting["product"]["attributes"]["location"] == "US East (N. Virginia)"
    assert hosting["product"]["productFamily"] == "ML Instance"
    [machine] = found(pricing, "AmazonEC2", instanceType="g5.xlarge", operatingSystem="Linux", tenancy="shared")
    assert usd(machine) == facts.number("ec2.price.g5-xlarge")
    assert found(pricing, "AmazonEC2", instanceType="g5.xlarge", operatingSystem="Windows") == []


def test_whoever_refreshes_the_register_from_the_list_finds_every_price_as_it_is(pricing: Any) -> None:
    lists: dict[str, list[dict[str, Any]]] = {}
    for id, lookup in prices.load(register.installed()).items():
        if lookup.service not in lists:
            lists[lookup.service] = found(pricing, lookup.service)
        quote = prices.quote(lookup, lists[lookup.service], "2026-11-01")
        assert float(quote.value) == pytest.approx(facts.number(id), rel=1e-4), id


def test_services_and_the_values_of_their_attributes(pricing: Any) -> None:
    services = {each["ServiceCode"]: each["AttributeNames"] for each in pricing.describe_services()["Services"]}
    assert {"AmazonEC2", "AmazonSageMaker", "AmazonBedrock", "AWSLambda"} <= set(services)
    assert "instanceType" in services["AmazonEC2"]
    values = pricing.get_attribute_values(ServiceCode="AmazonSageMaker", AttributeName="instanceName")
    assert {"Value": "ml.inf2.48xlarge"} in values["AttributeValues"]


def test_filters_of_every_kind(pricing: Any) -> None:
    def count(kind: str, value: str) -> int:
        filters = [{"Type": kind, "Field": "instanceName", "Value": value}]
        return len(pricing.get_products(ServiceCode="AmazonSageMaker", Filters=filters)["PriceList"])

    assert count("EQUALS", "ml.g5.xlarge") == count("TERM_MATCH", "ML.G5.XLARGE") == 1
    assert count("ANY_OF", "ml.g5.xlarge,ml.g5.2xlarge") == 2
    assert count("CONTAINS", "ml.inf2") >= 3
    assert count("NONE_OF", "ml.g5.xlarge") == count("CONTAINS", "ml.") - 1


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda p: p.get_products(ServiceCode="AmazonNothing"), "NotFoundException"),
        (lambda p: p.get_products(ServiceCode="AmazonEC2", MaxResults=1, NextToken="x"), "InvalidNextTokenException"),
        (lambda p: p.get_attribute_values(ServiceCode="AmazonEC2", AttributeName="x"), "NotFoundException"),
    ],
)
def test_what_is_not_there_is_refused(pricing: Any, call: Any, code: str) -> None:
    with pytest.raises(ClientError) as refused:
        call(pricing)
    assert refused.value.response["Error"]["Code"] == code


def test_the_list_is_offered_in_three_regions_only(inside: Aws) -> None:
    with pytest.raises(ClientError, match="us-east-1, eu-central-1, ap-south-1"):
        inside.session.client("pricing", region_name="eu-west-1").describe_services()
    assert inside.session.client("pricing", region_name="eu-central-1").describe_services()["Services"]


def test_the_server_answers_too(aws: Aws) -> None:
    pricing = checked(aws.session.client("pricing"))
    [product] = found(pricing, "AmazonSageMaker", instanceName="ml.g5.xlarge")
    assert usd(product) == facts.number("sagemaker.price.g5-xlarge")


# -- why there is one: it fails once moto has its own


def test_moto_still_has_no_price_list() -> None:
    import moto.backends

    assert "pricing" not in set(moto.backends.list_of_moto_modules())
