"""Prices from offer files in the Price List's own format: compared, never overwritten silently."""

import functools
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from labs.errors import Refusal
from labs.facts import prices, register
from labs.facts.prices import NoQuote
from labs.facts.refresh import Client, Download, Folder, compare, write
from labs.facts.register import Register

Make = Callable[..., Register]

PRICES = """
prices:
  fruit:
    service: AmazonFruit
    each: shop.price.
    attribute: fruitType
    match: {ripeness: Ripe}
    units: {Hrs: 1, 1K Hrs: 1000}
"""


def product(sku: str, attributes: dict[str, str], unit: str, *tiers: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """One product and its on-demand term, as they stand in a bulk offer file."""
    term = f"{sku}.JRTCKXETXF"
    dimensions = {}
    for index, price in enumerate(tiers):
        rate = f"{term}.{index:010}"
        dimensions[rate] = {
            "rateCode": rate,
            "description": f"${price} per {unit}",
            "beginRange": str(index * 1000),
            "endRange": "Inf" if index == len(tiers) - 1 else str((index + 1) * 1000),
            "unit": unit,
            "pricePerUnit": {"USD": price},
            "appliesTo": [],
        }
    on_demand = {
        term: {
            "offerTermCode": "JRTCKXETXF",
            "sku": sku,
            "effectiveDate": "2026-11-01T00:00:00Z",
            "priceDimensions": dimensions,
            "termAttributes": {},
        }
    }
    described = {"regionCode": "us-east-1", "location": "US East (N. Virginia)", **attributes}
    return {"sku": sku, "productFamily": "Fruit", "attributes": described}, on_demand


def offer(code: str, *made: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    """A bulk offer file."""
    return {
        "formatVersion": "v1.0",
        "disclaimer": "This pricing list is for informational purposes only.",
        "offerCode": code,
        "version": "20261119120000",
        "publicationDate": "2026-11-19T12:00:00Z",
        "products": {p["sku"]: p for p, _ in made},
        "terms": {"OnDemand": {p["sku"]: term for p, term in made}, "Reserved": {}},
        "attributesList": {},
    }


FRUIT = offer(
    "AmazonFruit",
    product("A1", {"fruitType": "apple", "ripeness": "Ripe"}, "Hrs", "0.5500000000"),
    product("A2", {"fruitType": "apple", "ripeness": "Green"}, "Hrs", "0.1000000000"),
    product("P1", {"fruitType": "pear", "ripeness": "Ripe"}, "Hrs", "2.2500000000"),
)


@pytest.fixture
def offers(tmp_path: Path) -> Callable[..., Folder]:
    """A folder with offer files."""

    def put(**files: dict[str, Any]) -> Folder:
        folder = tmp_path / "offers"
        folder.mkdir(exist_ok=True)
        for code, content in files.items():
            (folder / f"{code}.json").write_text(json.dumps(content), encoding="utf-8")
        return Folder(folder)

    return put


def test_a_price_that_moved_is_shown_with_what_it_was(make_register: Make, offers: Callable[..., Folder]) -> None:
    changes = compare(make_register(prices=PRICES), offers(AmazonFruit=FRUIT))
    apple, pear = changes
    assert (apple.fact.id, apple.moved, round(apple.percent)) == ("shop.price.apple", True, 10)
    assert apple.quote is not None
    assert (apple.quote.value, apple.quote.published) == (Decimal("0.55"), "2026-11-19")
    assert (pear.fact.id, pear.moved) == ("shop.price.pear", False)


def test_comparing_writes_nothing(make_register: Make, offers: Callable[..., Folder]) -> None:
    made = make_register(prices=PRICES)
    before = (made.folder / "shop.yaml").read_bytes()
    compare(made, offers(AmazonFruit=FRUIT))
    assert (made.folder / "shop.yaml").read_bytes() == before


def test_writing_changes_value_date_and_source_and_nothing_else(
    make_register: Make, offers: Callable[..., Folder]
) -> None:
    price_list = (
        "\n  aws-price-list: {title: Offers, url: https://a.b/c, as_of: 2026-11, confidence: official, read: read}\n"
    )
    made = make_register(prices=PRICES)
    sources = made.folder / "sources.yaml"
    sources.write_text(sources.read_text() + price_list)
    before = (made.folder / "shop.yaml").read_text().splitlines()
    written = write(made, compare(made, offers(AmazonFruit=FRUIT)))
    after = (made.folder / "shop.yaml").read_text().splitlines()
    assert [path.name for path in written] == ["shop.yaml"]
    assert [line for line in before if line not in after] == [
        "    value: 0.5",
        "  shop.price.pear: {value: 2.25, unit: USD/hour, region: us-east-1, says: A pear for an hour., source: blog, confidence: unverified}",
    ]
    again = Register(made.folder)
    apple, pear = again.get("shop.price.apple"), again.get("shop.price.pear")
    assert (apple.value, apple.as_of, apple.confidence, apple.source) == (
        0.55,
        "2026-11-19",
        "official",
        "https://a.b/c",
    )
    assert (pear.value, pear.as_of, pear.confidence, pear.says) == (
        2.25,
        "2026-11-19",
        "official",
        "A pear for an hour.",
    )
    assert again.get("shop.limit.basket") == made.get("shop.limit.basket")


def test_writing_twice_changes_nothing_more(make_register: Make, offers: Callable[..., Folder]) -> None:
    price_list = (
        "\n  aws-price-list: {title: Offers, url: https://a.b/c, as_of: 2026-11, confidence: official, read: read}\n"
    )
    made = make_register(prices=PRICES)
    sources = made.folder / "sources.yaml"
    sources.write_text(sources.read_text() + price_list)
    write(made, compare(made, offers(AmazonFruit=FRUIT)))
    once = (made.folder / "shop.yaml").read_bytes()
    fresh = Register(made.folder)
    write(fresh, compare(fresh, offers(AmazonFruit=FRUIT)))
    assert (made.folder / "shop.yaml").read_bytes() == once


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ((), "no product with ripeness=Ripe, fruitType=apple"),
        (
            (
                product("A1", {"fruitType": "apple", "ripeness": "Ripe"}, "Hrs", "0.5"),
                product("A2", {"fruitType": "apple", "ripeness": "Ripe"}, "Hrs", "0.6"),
            ),
            "2 different prices fit",
        ),
        ((product("A1", {"fruitType": "apple", "ripeness": "Ripe"}, "Bushels", "0.5"),), "the price is per Bushels"),
        (
            (product("A1", {"fruitType": "apple", "ripeness": "Ripe", "regionCode": "eu-west-1"}, "Hrs", "0.5"),),
            "no product with",
        ),
        ((product("A1", {"fruitType": "apple", "ripeness": "Ripe"}, "Hrs", "0.0"),), "no product with"),
    ],
)
def test_what_the_offer_file_does_not_say_is_not_guessed(
    make_register: Make, made: tuple[Any, ...], reason: str
) -> None:
    lookup = prices.load(make_register(prices=PRICES))["shop.price.apple"]
    with pytest.raises(NoQuote, match=reason):
        prices.quote(lookup, prices.products(offer("AmazonFruit", *made)), "2026-11-19")


def test_the_first_tier_that_costs_something_counts_in_our_unit(make_register: Make) -> None:
    made = offer(
        "AmazonFruit", product("A1", {"fruitType": "apple", "ripeness": "Ripe"}, "1K Hrs", "0", "0.0005", "0.0004")
    )
    lookup = prices.load(make_register(prices=PRICES))["shop.price.apple"]
    assert prices.quote(lookup, prices.products(made), "").value == Decimal("0.5")


def test_a_missing_offer_file_leaves_its_facts_alone(make_register: Make, offers: Callable[..., Folder]) -> None:
    changes = compare(make_register(prices=PRICES), offers())
    assert [change.problem for change in changes] == [changes[0].problem] * 2
    assert "AmazonFruit.json" in str(changes[0].problem)
    assert write(make_register(prices=PRICES), changes) == []


def test_a_file_that_is_no_offer_file_is_refused(
    make_register: Make, offers: Callable[..., Folder], tmp_path: Path
) -> None:
    folder = offers()
    (tmp_path / "offers" / "AmazonFruit.json").write_text("<html>", encoding="utf-8")
    with pytest.raises(Refusal, match=r"AmazonFruit.json is not an offer file") as refused:
        compare(make_register(prices=PRICES), folder)
    assert refused.value.exit_status == 3


@pytest.fixture
def website(tmp_path: Path) -> Iterator[str]:
    """Offer files behind the address pattern of the Price List, on this machine."""
    place = tmp_path / "www" / "AmazonFruit" / "current" / "us-east-1"
    place.mkdir(parents=True)
    (place / "index.json").write_text(json.dumps(FRUIT), encoding="utf-8")
    handler = functools.partial(_Quiet, directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(timeout=5)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


def test_offer_files_are_downloaded_by_the_price_lists_address_pattern(make_register: Make, website: str) -> None:
    changes = compare(make_register(prices=PRICES), Download(website))
    assert [change.moved for change in changes] == [True, False]


def test_a_service_that_the_price_list_does_not_know_is_reported(make_register: Make, website: str) -> None:
    changes = compare(make_register(prices=PRICES.replace("AmazonFruit", "AmazonVegetables")), Download(website))
    assert "answered 404" in str(changes[0].problem)


def test_without_a_network_one_sentence_says_what_to_do(make_register: Make) -> None:
    with pytest.raises(Refusal, match=r"cannot be reached .* name a folder with --offer-files") as refused:
        compare(make_register(prices=PRICES), Download("http://127.0.0.1:9"))
    assert refused.value.exit_status == 3


def test_the_hundreds_of_megabytes_of_ec2_are_not_downloaded_unasked(website: str) -> None:
    changes = compare(register.installed(), Download(website), ["AmazonEC2"])
    assert changes
    assert all("--service AmazonEC2" in str(change.problem) for change in changes)


def test_plain_http_to_another_machine_is_refused() -> None:
    with pytest.raises(Refusal, match="not an https address"):
        Download("http://example.org/offers")


def test_the_pricing_client_is_asked_with_filters_and_its_strings_are_read(
    make_register: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    class Pages:
        def paginate(self, **question: Any) -> list[dict[str, Any]]:
            asked.append(question)
            item = {**next(iter(prices.products(FRUIT))), "publicationDate": "2026-11-19T12:00:00Z"}
            return [{"PriceList": [json.dumps(item)]}]

    class Pricing:
        def get_paginator(self, name: str) -> Pages:
            assert name == "get_products"
            return Pages()

    monkeypatch.setattr("boto3.client", lambda service, region_name: Pricing())  # noqa: ARG005
    apple = compare(make_register(prices=PRICES), Client())[0]
    assert apple.quote is not None
    assert (apple.quote.value, apple.quote.published) == (Decimal("0.55"), "2026-11-19")
    assert asked[0]["ServiceCode"] == "AmazonFruit"
    assert {"Type": "TERM_MATCH", "Field": "fruitType", "Value": "apple"} in asked[0]["Filters"]
    assert {"Type": "TERM_MATCH", "Field": "regionCode", "Value": "us-east-1"} in asked[0]["Filters"]


def test_our_own_mapping_reads_real_looking_offers(offers: Callable[..., Folder]) -> None:
    """The installed mapping against offers in the shape of Lambda's, EC2's, SageMaker AI's and Bedrock's: our own prices come out."""
    linux = {"operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used"}
    linux["licenseModel"] = "No License required"
    folder = offers(
        AmazonEC2=offer(
            "AmazonEC2", product("E1", {"instanceType": "p6-b200.48xlarge", **linux}, "Hrs", "113.9328000000")
        ),
        AmazonSageMaker=offer(
            "AmazonSageMaker",
            product("S1", {"instanceName": "ml.inf2.48xlarge", "component": "Hosting"}, "Hrs", "15.5800000000"),
            product("S2", {"instanceName": "ml.inf2.48xlarge", "component": "Training"}, "Hrs", "15.1000000000"),
        ),
        AWSLambda=offer(
            "AWSLambda",
            product("L1", {"group": "AWS-Lambda-Duration-ARM"}, "Lambda-GB-Second", "0.0000133334", "0.0000120001"),
            product("L2", {"group": "AWS-Lambda-Requests"}, "Requests", "0.0000002000"),
            product("L3", {"group": "AWS-Lambda-Requests", "location": "Any"}, "Requests", "0.0000001000"),
        ),
        AmazonBedrock=offer(
            "AmazonBedrock",
            product(
                "B1",
                {"model": "Llama 3.3 70B", "inferenceType": "Input tokens", "feature": "On-demand Inference"},
                "1K tokens",
                "0.0007200000",
            ),
            product(
                "B2",
                {"model": "Llama 3.3 70B", "inferenceType": "Input tokens", "feature": "Batch Inference"},
                "1K tokens",
                "0.0003600000",
            ),
        ),
    )
    quoted = {change.fact.id: change for change in compare(register.installed(), folder) if change.quote is not None}
    assert set(quoted) == {
        "ec2.price.p6-b200-48xlarge",
        "sagemaker.price.inf2-48xlarge",
        "lambda.price.per_gb_s_arm",
        "lambda.price.per_million_requests",
        "bedrock.price.llama-3-3-70b.input_per_million",
    }
    assert not any(change.moved for change in quoted.values())
