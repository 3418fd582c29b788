"""`bedrock-provisioned`: model units of Amazon Bedrock, rented by the hour; with a commitment for one month or six."""

from dataclasses import dataclass
from typing import Any, Literal

import boto3

from labs.economics import capacity
from labs.economics.bill import HOURS_PER_MONTH, Bill, Line
from labs.errors import FALSE, USAGE, Refusal
from labs.facts.catalogue import Model
from labs.targets import bedrock_offers, bedrock_roles, quota, removing
from labs.targets.base import Address, Kind, Site
from labs.targets.handmade import Handmade, once, wait
from labs.targets.options import option

Term = Literal["none", "1-month", "6-months"]
TERMS: dict[Term, capacity.Term] = {"none": "no_commitment", "1-month": "one_month", "6-months": "six_months"}
"""The option's word: the register's."""
DURATIONS: dict[Term, str] = {"1-month": "OneMonth", "6-months": "SixMonths"}
"""The option's word: the API's; no commitment is left out there."""
QUOTAS = {
    False: "Model units no-commitment Provisioned Throughputs across base models",
    True: "Model units no-commitment Provisioned Throughputs across custom models",
}
"""Is it a model of one's own: the quota's name."""
WHAT = "Provisioned Throughput"
KIND = "provisioned-throughput"
UP = "InService"


@dataclass(frozen=True)
class BedrockProvisioned(Handmade):
    """Model units of one base model, or of one customised from it."""

    name = "bedrock-provisioned"
    kinds = frozenset({Kind.ONLINE, Kind.STREAMING})

    model_id: str = option("amazon.nova-lite-v1:0", "A base model's id, or the ARN of a custom model of this account.")
    model_units: int = option(1, "How many model units.")
    term: Literal["none", "1-month", "6-months"] = option(
        "none", "none, 1-month or 6-months; a commitment cannot be ended early."
    )
    commit_usd: float | None = option(None, "For a commitment: its total in US dollars, to confirm that it is meant.")
    usd_per_unit_hour: float | None = option(
        None, "What AWS asks for a unit and hour, where the register has no price."
    )

    def __post_init__(self) -> None:
        if self.model_units < 1:
            raise Refusal(f"model_units of {self.name} is a whole number from 1, not {self.model_units}", USAGE)
        if self.usd_per_unit_hour is not None and not 0 < self.usd_per_unit_hour < 1e6:
            raise Refusal(f"usd_per_unit_hour is a price above 0, not {self.usd_per_unit_hour:g}", USAGE)

    def worst_case(self, site: Site) -> Bill:
        """The hours of every unit: those that it may live, or the whole commitment."""
        months = capacity.TERM_MONTHS[TERMS[self.term]]
        hours = months * HOURS_PER_MONTH if months else site.hours
        price, facts, assumption = self._price(self._base(site))
        title = f"{self.model_units} MU of {self.model_id}, {self.term}"
        return Bill(title, (Line("model-unit hours", self.model_units * hours, "MU-hour", price, facts, assumption),))

    def commitment_usd(self, site: Site) -> float | None:
        """What must be named to confirm the commitment: its total to the cent; None without a commitment."""
        return round(self.worst_case(site).usd, 2) if self.term in DURATIONS else None

    def check(self, site: Site) -> None:
        """Model, Region, price, quota, and the confirmation of a commitment."""
        base, own = self._base(site), self._is_own
        bedrock_offers.require_region(base, "provisioned", WHAT, site)
        bedrock_offers.require_active(base, WHAT)
        self._check_price(site, base)
        self._check_confirmation(site)
        if (
            self.term == "none"
        ):  # quotas of committed units have no name that we could read: AWS says when they are too small
            quota.require(quota.Need("bedrock", QUOTAS[own], self.model_units))

    def create(self, site: Site) -> None:
        """One call; then minutes until the units are in service."""
        committed = {"commitmentDuration": DURATIONS[self.term]} if self.term in DURATIONS else {}
        bedrock: Any = boto3.client("bedrock")
        made = once(
            site,
            self.name,
            KIND,
            site.name,
            lambda token: bedrock.create_provisioned_model_throughput(
                provisionedModelName=site.name,
                modelId=self._identifier(),
                modelUnits=self.model_units,
                clientRequestToken=token,
                tags=bedrock_roles.tags(site),
                **committed,
            ),
        )
        held = bedrock.get_provisioned_model_throughput(provisionedModelId=made["provisionedModelArn"])
        self._check_same(site, held)

        def look() -> tuple[str, str]:
            now = bedrock.get_provisioned_model_throughput(provisionedModelId=made["provisionedModelArn"])
            return now["status"], now.get("failureMessage", "")

        wait(site, "the model units", look, until=(UP,))

    def status(self, site: Site) -> str | None:
        """InService, or None."""
        held = self._held(site)
        return str(held["status"]) if held and held["status"] in (UP, "Updating") else None

    def address(self, site: Site) -> Address:
        """The ARN of the units, by which Converse reaches them."""
        held = self._held(site)
        if held is None or self.status(site) is None:
            raise self.not_deployed(site)
        return Address("converse", held["provisionedModelArn"])

    def statements(self, site: Site) -> list[dict[str, Any]]:
        """Invoke these units."""
        return bedrock_roles.invoking(self.address(site).location)

    def describe(self, site: Site) -> dict[str, Any]:
        """What a measurement notes of it."""
        held = self._held(site)
        return {"model_units": held["modelUnits"], "model_id": held["modelArn"]} if held else {}

    @property
    def _is_own(self) -> bool:
        return ":custom-model/" in self.model_id

    def _identifier(self) -> str:
        return (
            self.model_id
            if self.model_id.startswith("arn:")
            else bedrock_offers.on_bedrock(bedrock_offers.find(self.model_id)).model_id
        )

    def _base(self, site: Site) -> Model:  # noqa: ARG002 - the Region is the session's
        if not self._is_own:
            return bedrock_offers.find(self.model_id)
        try:
            found = boto3.client("bedrock").get_custom_model(modelIdentifier=self.model_id)
        except boto3.client("bedrock").exceptions.ResourceNotFoundException:
            raise Refusal(
                f"this account has no custom model {self.model_id} here; nothing was created", FALSE
            ) from None
        return bedrock_offers.find(found["baseModelArn"])

    def _held(self, site: Site) -> dict[str, Any] | None:
        if not removing.there(KIND, site.name):
            return None
        return dict(boto3.client("bedrock").get_provisioned_model_throughput(provisionedModelId=site.name))

    def _price(self, base: Model) -> tuple[float, tuple[str, ...], str]:
        """Per unit and hour, the facts it rests on, and what is assumed."""
        key, term = base.id.replace(".", "-"), TERMS[self.term]
        if self.usd_per_unit_hour is not None:
            return self.usd_per_unit_hour, (), "the price that was stated with usd_per_unit_hour"
        if term in capacity.terms(key):
            [line] = capacity.provisioned(key, 1, term, 1).lines
            return line.usd_per_unit, line.facts, ""
        dearest = max(capacity.prices(term), key=lambda line: line.usd_per_unit)
        return (
            dearest.usd_per_unit,
            dearest.facts,
            f"the register has no price of a unit of {base.name}; this is the dearest unit that it knows for this term",
        )

    def _check_price(self, site: Site, base: Model) -> None:
        if self._price(base)[2].startswith("the register") and (site.cloud.real or self.term in DURATIONS):
            raise Refusal(
                f"what a unit of {base.name} costs ({self.term}) is not in the register: ask your AWS account team or the Bedrock console, "
                "and state it with usd_per_unit_hour=PRICE; nothing was created",
                FALSE,
            )

    def _check_confirmation(self, site: Site) -> None:
        total = self.commitment_usd(site)
        if total is None:
            if self.commit_usd is not None:
                raise Refusal("commit_usd confirms a commitment, and term=none has none; leave it out", USAGE)
            return
        if self.commit_usd is None or round(self.commit_usd, 2) != total:
            named = f", and commit_usd={self.commit_usd:.2f} names another sum" if self.commit_usd is not None else ""
            raise Refusal(
                f"a commitment of {self.term} to {self.model_units} model unit{'s' if self.model_units > 1 else ''} of {self.model_id} "
                f"costs ${total:,.2f} in all, used or not, and cannot be ended early{named}; "
                f"to confirm that it is meant, say --set commit_usd={total:.2f}; nothing was created",
                FALSE,
            )

    def _check_same(self, site: Site, held: dict[str, Any]) -> None:
        """Units that a run before this one began are these units?"""
        wanted = (self.model_units, DURATIONS.get(self.term))
        if (held["modelUnits"], held.get("commitmentDuration")) != wanted or not held["modelArn"].endswith(
            self._identifier().rpartition("/")[2]
        ):
            raise Refusal(
                f"'{site.name}' was begun with other options ({held['modelUnits']} units of {held['modelArn']}); nothing else was created",
                FALSE,
            )
