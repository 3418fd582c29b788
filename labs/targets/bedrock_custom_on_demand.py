"""`bedrock-custom-on-demand`: a custom model of Amazon Bedrock behind a deployment that is paid by the token."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import boto3

from labs import facts
from labs.economics.bill import HOURS_PER_MONTH, Bill, Line
from labs.economics.prices import usd
from labs.errors import FALSE, USAGE, Refusal
from labs.targets import bedrock_offers, bedrock_roles, bedrock_weights, removing
from labs.targets.base import Address, Kind, Site
from labs.targets.handmade import Handmade, once, wait, with_new_role
from labs.targets.options import option

WHAT = "on-demand deployment of custom models"
MODEL = "custom-model"
DEPLOYMENT = "custom-model-deployment"
UP = "Active"


@dataclass(frozen=True)
class BedrockCustomOnDemand(Handmade):
    """One deployment of one custom model, which is there already or is brought in from S3."""

    name = "bedrock-custom-on-demand"
    kinds = frozenset({Kind.ONLINE, Kind.STREAMING})

    model: str = option(
        "sample",
        "The ARN of a custom model, s3://... of a Nova model trained in SageMaker AI, or 'sample' (local cloud).",
    )
    base_model_id: str = option("amazon.nova-lite-v1:0", "The base of a model that is brought in from S3.")

    def __post_init__(self) -> None:
        if not (self._is_there or self.model == bedrock_weights.SAMPLE or self.model.startswith("s3://")):
            raise Refusal(
                f"model of {self.name} is the ARN of a custom model, s3://bucket/prefix/, or 'sample', not '{self.model}'",
                USAGE,
            )

    def worst_case(self, site: Site) -> Bill:
        """The keeping of the model that it brings in; a deployment itself costs nothing by the hour."""
        if self._is_there:
            return Bill(self.name, ())
        storage = "bedrock.custom-storage.per_model_month"
        return Bill(
            self.name, (Line("model storage", site.hours / HOURS_PER_MONTH, "model-month", usd(storage), (storage,)),)
        )

    def check(self, site: Site) -> None:
        """The model, its base, its age and the Region."""
        base = self.base_model_id
        if self._is_there:
            found = self._model()
            base = found["baseModelArn"]
            since: Any = facts.value("bedrock.custom-on-demand.since")
            if found["creationTime"].date() < date.fromisoformat(str(since)):
                raise Refusal(
                    f"{found['modelName']} was customised on {found['creationTime']:%Y-%m-%d}, and only models from {since} on "
                    "can be deployed on demand: customise it again, or take bedrock-provisioned; nothing was created",
                    FALSE,
                )
        bedrock_offers.require_region(bedrock_offers.find(base), "custom_on_demand", WHAT, site)
        if not self._is_there:
            if ".nova" not in bedrock_offers.on_bedrock(bedrock_offers.find(base)).model_id:
                raise Refusal(
                    "only Amazon Nova models that were trained in SageMaker AI can be brought in from S3", USAGE
                )
            weights = self._weights()
            if weights.is_sample and site.cloud.real:
                raise Refusal(
                    "model=sample is a model that nobody has trained, for the local cloud; on AWS give the ARN of a custom model, or s3://...; nothing was created",
                    USAGE,
                )
            if not weights.sizes():
                raise Refusal(f"there is nothing at {self.model}; nothing was created", FALSE)

    def create(self, site: Site) -> None:
        """The model if it is not there yet, then its deployment."""
        bedrock: Any = boto3.client("bedrock")
        model = self._model()["modelArn"] if self._is_there else self._bring_in(site, bedrock)
        marks = bedrock_roles.tags(site)
        made = once(
            site,
            self.name,
            DEPLOYMENT,
            site.name,
            lambda token: bedrock.create_custom_model_deployment(
                modelDeploymentName=site.name, modelArn=model, tags=marks, clientRequestToken=token
            ),
        )
        arn = made["customModelDeploymentArn"]
        if bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)["modelArn"] != model:
            raise Refusal(f"'{site.name}' was begun with another model", FALSE)

        def look() -> tuple[str, str]:
            now = bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)
            return now["status"], now.get("failureMessage", "")

        wait(site, "the deployment", look, until=(UP,))

    def status(self, site: Site) -> str | None:
        """Active, or None."""
        held = self._held(site)
        return UP if held and held["status"] == UP else None

    def address(self, site: Site) -> Address:
        """The deployment's ARN, by which Converse reaches it."""
        held = self._held(site)
        if held is None or held["status"] != UP:
            raise self.not_deployed(site)
        return Address("converse", held["customModelDeploymentArn"])

    def statements(self, site: Site) -> list[dict[str, Any]]:
        """Invoke this deployment."""
        return bedrock_roles.invoking(self.address(site).location)

    def describe(self, site: Site) -> dict[str, Any]:
        """What a measurement notes of it."""
        held = self._held(site)
        return {"model_id": held["modelArn"]} if held else {}

    @property
    def _is_there(self) -> bool:
        """Is it a model that the account has already?"""
        return ":custom-model/" in self.model

    def _weights(self) -> bedrock_weights.Weights:
        return bedrock_weights.find(self.model, bedrock_offers.find(self.base_model_id).id)

    def _model(self) -> dict[str, Any]:
        bedrock = boto3.client("bedrock")
        try:
            return dict(bedrock.get_custom_model(modelIdentifier=self.model))
        except bedrock.exceptions.ResourceNotFoundException:
            raise Refusal(f"this account has no custom model {self.model} here; nothing was created", FALSE) from None

    def _bring_in(self, site: Site, bedrock: Any) -> str:
        """CreateCustomModel takes minutes. Returns the model's ARN."""
        uri = self._weights().stage(site, self.name)
        role = bedrock_roles.role(site, self.name, "*", bedrock_roles.reads(site, uri))
        marks = bedrock_roles.tags(site)

        def bring(token: str) -> str:
            made = with_new_role(
                lambda: bedrock.create_custom_model(
                    modelName=site.name,
                    modelSourceConfig={"s3DataSource": {"s3Uri": uri}},
                    roleArn=role,
                    modelTags=marks,
                    clientRequestToken=token,
                )
            )
            return str(made["modelArn"])

        arn = once(site, self.name, MODEL, site.name, bring)

        def look() -> tuple[str, str]:
            now = bedrock.get_custom_model(modelIdentifier=arn)
            return now["modelStatus"], now.get("failureMessage", "")

        wait(site, "the custom model", look, until=(UP,))
        return arn

    def _held(self, site: Site) -> dict[str, Any] | None:
        if not removing.there(DEPLOYMENT, site.name):
            return None
        bedrock = boto3.client("bedrock")
        return dict(bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=site.name))
