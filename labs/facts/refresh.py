"""Reads today's prices from the public Price List, shows what moved, and writes only when told to.

Three ways to ask: the bulk offer files of the Price List (no credentials; EC2's has hundreds of megabytes), a folder of such files,
or the `pricing` client (credentials with pricing:GetProducts; not charged).

    changes = compare(register.installed(), Folder(Path("offers")))
    write(register.installed(), changes)
"""

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlparse

import yaml

from labs.errors import NOT_READY, USAGE, Refusal
from labs.facts import prices, units
from labs.facts.prices import Lookup, NoQuote, Quote
from labs.facts.register import Register
from labs.facts.schema import Fact

INDEX = "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws"
"""Offer files stand at <INDEX>/<service code>/current/<region>/index.json; they need no credentials."""

HUGE = frozenset({"AmazonEC2"})
"""offer files of hundreds of megabytes: downloaded only when they are named"""

TIMEOUT_S = 60


class PriceList(Protocol):
    """Anything that has the products of a service in a Region."""

    def products(self, lookup: Lookup) -> tuple[Iterable[Mapping[str, Any]], str]:
        """Products that may fit `lookup`, in the query API's shape, and the day on which the list was published."""


@dataclass(frozen=True)
class Change:
    """What the Price List says of one fact."""

    fact: Fact
    quote: Quote | None
    problem: str | None = None

    @property
    def moved(self) -> bool:
        """Whether the price is another than the register's."""
        return self.quote is not None and Decimal(str(self.fact.value)) != self.quote.value

    @property
    def percent(self) -> float:
        """By how much it moved."""
        if self.quote is None or not isinstance(self.fact.value, int | float) or not self.fact.value:
            return 0.0
        return (float(self.quote.value) / float(self.fact.value) - 1) * 100

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        now = float(self.quote.value) if self.quote else None
        published = self.quote.published if self.quote else None
        return {
            "id": self.fact.id,
            "was": self.fact.value,
            "now": now,
            "unit": self.fact.unit,
            "percent": round(self.percent, 2),
            "as_of": published,
            "problem": self.problem,
        }


class Folder:
    """Offer files on disk: <folder>/<service code>/<region>/index.json or <folder>/<service code>.json."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise Refusal(
                f"{folder} is not a folder of offer files; name one that holds AmazonEC2.json and its like", USAGE
            )
        self.folder = folder
        self._read: dict[Path, Mapping[str, Any]] = {}

    def products(self, lookup: Lookup) -> tuple[Iterable[Mapping[str, Any]], str]:
        """See PriceList."""
        nested = self.folder / lookup.service / lookup.region / "index.json"
        path = nested if nested.is_file() else self.folder / f"{lookup.service}.json"
        if not path.is_file():
            raise NoQuote(f"there is no offer file {lookup.service}.json in {self.folder}")
        if path not in self._read:
            self._read[path] = _parsed(path.read_bytes(), str(path))
        return _answer(self._read[path])


class Download:
    """The bulk offer files of the Price List, over the network, each once."""

    def __init__(self, index: str = INDEX, also: frozenset[str] = frozenset()) -> None:
        parts = urlparse(index)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
            raise Refusal(f"{index} is not an https address; leave --index away to read AWS's own", USAGE)
        self.index, self.also = index.rstrip("/"), also
        self._read: dict[tuple[str, str], Mapping[str, Any]] = {}

    def products(self, lookup: Lookup) -> tuple[Iterable[Mapping[str, Any]], str]:
        """See PriceList."""
        key = (lookup.service, lookup.region)
        if lookup.service in HUGE - self.also:
            raise NoQuote(
                f"{lookup.service}'s offer file has hundreds of megabytes; ask with --service {lookup.service}, or --client"
            )
        if key not in self._read:
            address = f"{self.index}/{lookup.service}/current/{lookup.region}/index.json"
            try:
                with urllib.request.urlopen(address, timeout=TIMEOUT_S) as reply:
                    self._read[key] = _parsed(reply.read(), address)
            except urllib.error.HTTPError as wrong:
                raise NoQuote(f"{address} answered {wrong.code}") from None
            except (urllib.error.URLError, TimeoutError, OSError) as unreachable:
                reason = getattr(unreachable, "reason", unreachable)
                raise Refusal(
                    f"the Price List at {urlparse(self.index).netloc} cannot be reached ({reason}); "
                    "connect to a network, or name a folder with --offer-files",
                    NOT_READY,
                ) from None
        return _answer(self._read[key])


class Client:
    """The `pricing` client of boto3, one question per fact."""

    def __init__(self) -> None:
        import boto3  # only here: whoever reads the register needs no SDK

        self._client = boto3.client("pricing", region_name="us-east-1")

    def products(self, lookup: Lookup) -> tuple[Iterable[Mapping[str, Any]], str]:
        """See PriceList."""
        from botocore.exceptions import BotoCoreError, ClientError

        asked = {**lookup.filters, "regionCode": lookup.region}
        filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in asked.items()]
        try:
            pages = self._client.get_paginator("get_products").paginate(ServiceCode=lookup.service, Filters=filters)
            found = [_parsed(item.encode(), "the pricing client") for page in pages for item in page["PriceList"]]
        except (BotoCoreError, ClientError) as failed:
            raise Refusal(
                f"the pricing client cannot answer: {failed}; check network and credentials", NOT_READY
            ) from None
        published = max((str(item.get("publicationDate", ""))[:10] for item in found), default="")
        return found, published


def compare(register: Register, price_list: PriceList, services: Iterable[str] = ()) -> list[Change]:
    """What the Price List says of every price fact that has a place there, or of those of some services only."""
    wanted = frozenset(services)
    changes = []
    for lookup in prices.load(register).values():
        if wanted and lookup.service not in wanted:
            continue
        fact = register.get(lookup.fact)
        try:
            products, published = price_list.products(lookup)
            changes.append(Change(fact, prices.quote(lookup, products, published)))
        except NoQuote as nothing:
            changes.append(Change(fact, None, str(nothing)))
    return changes


def write(register: Register, changes: Iterable[Change]) -> list[Path]:
    """Put the quoted prices into the data files, with their date and the Price List as source; the files written."""
    by_file: dict[Path, list[Change]] = {}
    for change in changes:
        if change.quote is not None:
            by_file.setdefault(register.line(change.fact.id)[0], []).append(change)
    for path, mine in by_file.items():
        text = path.read_text(encoding="utf-8")
        for change in mine:
            assert change.quote is not None
            text = _rewritten(text, change.fact.id, change.quote)
        path.write_text(text, encoding="utf-8")
    return sorted(by_file)


def _rewritten(text: str, id: str, quote: Quote) -> str:
    """The file's text with one fact's value, date and source replaced; every other character stays."""
    fact = _child(_child(yaml.compose(text, Loader=yaml.SafeLoader), "facts"), id)
    new = {"value": _number(quote.value), "as_of": quote.published, "source": prices.SOURCE}
    present = {key.value: node for key, node in fact.value}
    edits = [
        (present[name].start_mark.index, present[name].end_mark.index, new[name]) for name in new if name in present
    ]
    if "confidence" in present:
        node = present["confidence"]
        edits.append((node.start_mark.index, node.end_mark.index, "official"))
    missing = [f"{name}: {new[name]}" for name in ("as_of", "source") if name not in present]
    if missing:
        after = present["value"].end_mark.index
        indent = "\n" + " " * next(iter(fact.value))[0].start_mark.column
        joint = ", " if fact.flow_style else indent
        edits.append((after, after, "".join(joint + line for line in missing)))
    for start, end, piece in sorted(edits, reverse=True):
        text = text[:start] + piece + text[end:]
    return text


def _child(node: Any, name: str) -> Any:
    return next(value for key, value in node.value if key.value == name)


def _number(value: Decimal) -> str:
    digits = f"{value.normalize():f}"
    return digits if "." in digits else f"{digits}.0"


def _answer(offer: Mapping[str, Any]) -> tuple[Iterator[dict[str, Any]], str]:
    return prices.products(offer), str(offer.get("publicationDate", ""))[:10]


def _parsed(content: bytes, where: str) -> dict[str, Any]:
    try:
        parsed = json.loads(content)
    except ValueError as broken:
        raise Refusal(f"{where} is not an offer file: {broken}", NOT_READY) from None
    if not isinstance(parsed, dict):
        raise Refusal(f"{where} is not an offer file: it is no JSON object", NOT_READY)
    return parsed


def shown(change: Change) -> tuple[str, str, str, str]:
    """One row of the table that a person reads: id, was, now, moved."""
    was = change.fact.readable
    if change.quote is None:
        return change.fact.id, was, "?", change.problem or ""
    now = units.write(float(change.quote.value), change.fact.unit)
    return change.fact.id, was, now, f"{change.percent:+.1f} %" if change.moved else "same"
