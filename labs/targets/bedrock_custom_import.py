"""`bedrock-custom-import`: weights of one's own on Amazon Bedrock, served by copies that start when they are called."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3

from labs import facts
from labs.economics.bill import HOURS_PER_MONTH, Bill, Line
from labs.economics.prices import usd
from labs.errors import FALSE, Refusal
from labs.facts import catalogue
from labs.targets import bedrock_offers, bedrock_roles, bedrock_weights, removing
from labs.targets.base import Address, Kind, Site
from labs.targets.handmade import Handmade, begun, once, wait, with_new_role
from labs.targets.options import option

JOB = "model-import-job"
MODEL = "imported-model"


@dataclass(frozen=True)
class BedrockCustomImport(Handmade):
    """One imported model."""

    name = "bedrock-custom-import"
    kinds = frozenset({Kind.ONLINE, Kind.STREAMING})

    weights: str = option("sample", "A folder, s3://bucket/prefix/, or 'sample': a made-up model for the local cloud.")

    def worst_case(self, site: Site) -> Bill:
        """Its keeping, and the one window of one copy in which the deployment is asked whether it answers; every other call is extra."""
        units, assumed = self._units()
        minute = "bedrock.import.price_per_cmu_minute" + ("_eu" if site.cloud.region.startswith("eu-") else "")
        storage, window = "bedrock.import.storage_per_cmu_month", "bedrock.import.billing_window_s"
        return Bill(
            f"imported model, {units} CMU a copy",
            (
                Line(
                    "CMU minutes of the first window",
                    units * facts.number(window) / 60,
                    "CMU-minute",
                    usd(minute),
                    (minute, window),
                    assumed,
                ),
                Line(
                    "model storage",
                    units * site.hours / HOURS_PER_MONTH,
                    "CMU-month",
                    usd(storage),
                    (storage,),
                    assumed,
                ),
            ),
        )

    def check(self, site: Site) -> None:
        """The Region, and what Bedrock would find wrong with the weights."""
        regions: Any = facts.value("bedrock.import.regions")
        if site.cloud.region not in regions:
            raise Refusal(
                f"Custom Model Import is not in {site.cloud.region} but in {bedrock_offers.listed(tuple(regions))}; "
                "set AWS_REGION to one of them and try again; nothing was created",
                FALSE,
            )
        weights = bedrock_weights.find(self.weights)
        weights.check(site)
        architecture = (weights.config().get("architectures") or ["none"])[0]
        taken = {entry.architecture: entry.importable for entry in catalogue.models().values() if entry.importable}
        if architecture in taken and site.cloud.region not in taken[architecture]:
            raise Refusal(
                f"{architecture} can be imported in {bedrock_offers.listed(taken[architecture])}, not in {site.cloud.region}; nothing was created",
                FALSE,
            )
        if not any(family in _plain(architecture) for family in _families()):
            known: Any = facts.value("bedrock.import.architectures")
            raise Refusal(
                f"Custom Model Import takes no {architecture}, but {', '.join(known)}; sagemaker-gpu takes any that vLLM does; nothing was created",
                FALSE,
            )

    def create(self, site: Site) -> None:
        """The weights in S3, a role, an import job of some minutes, the model."""
        uri = bedrock_weights.find(self.weights).stage(site, self.name)
        arn = bedrock_roles.role(site, self.name, JOB, bedrock_roles.reads(site, uri))
        bedrock: Any = boto3.client("bedrock")
        # A job stays in the account's list for ever, and its name with it: each deployment has a new one, a second run the same.
        job_name = begun(site, JOB) or f"{site.name}-{datetime.now(UTC):%y%m%d%H%M%S}-{secrets.token_hex(2)}"
        marks = bedrock_roles.tags(site)

        def start(token: str) -> dict[str, Any]:
            made: dict[str, Any] = with_new_role(
                lambda: bedrock.create_model_import_job(
                    jobName=job_name,
                    importedModelName=site.name,
                    roleArn=arn,
                    modelDataSource={"s3DataSource": {"s3Uri": uri}},
                    jobTags=marks,
                    importedModelTags=marks,
                    clientRequestToken=token,
                )
            )
            return made

        # The job makes the model: both are written down before there is a job, the model under its own name.
        made = once(site, self.name, MODEL, site.name, lambda _: once(site, self.name, JOB, job_name, start))
        job = made["jobArn"]
        found = bedrock.get_model_import_job(jobIdentifier=job)
        if found["modelDataSource"]["s3DataSource"]["s3Uri"] != uri:
            raise Refusal(f"'{site.name}' was begun with other weights", FALSE)

        def look() -> tuple[str, str]:
            now = bedrock.get_model_import_job(jobIdentifier=job)
            return now["status"], now.get("failureMessage", "")

        wait(site, "the import job", look, until=("Completed",), over=("Failed",))

    def status(self, site: Site) -> str | None:
        """imported, or None."""
        return "imported" if removing.there(MODEL, site.name) else None

    def address(self, site: Site) -> Address:
        """Converse where Bedrock serves it so, otherwise InvokeModel with a chat body."""
        if self.status(site) is None:
            raise self.not_deployed(site)
        model = boto3.client("bedrock").get_imported_model(modelIdentifier=site.name)
        protocol = "converse" if converses(model) else "bedrock-chat"
        return Address(protocol, model["modelArn"])

    def statements(self, site: Site) -> list[dict[str, Any]]:
        """Invoke this model."""
        return bedrock_roles.invoking(self.address(site).location)

    def describe(self, site: Site) -> dict[str, Any]:
        """What a measurement notes of it."""
        model: Any = boto3.client("bedrock").get_imported_model(modelIdentifier=site.name)
        units = model.get("customModelUnits", {}).get("customModelUnitsPerModelCopy")
        return {"architecture": model.get("modelArchitecture"), "cmu_per_copy": units}

    def _units(self) -> tuple[int, str]:
        """Custom model units of a copy: Bedrock says after the import; two sizes are known, and weights of two bytes tell which is nearer."""
        small, large = "bedrock.import.cmu_llama-3-1-8b", "bedrock.import.cmu_llama-3-70b"
        shape = catalogue.model("llama-3.1-8b").shape
        assert shape is not None
        fits = bedrock_weights.find(self.weights).weight_bytes() <= 2.1 * shape.parameters
        return int(facts.number(small if fits else large)), (
            f"units a copy of {facts.format(small)} up to 8 billion parameters and of {facts.format(large)} above; Bedrock tells after the import"
        )


def converses(model: Any) -> bool:
    """Does Converse serve this imported model? Bedrock says; the register knows architectures that it does not serve whatever it says."""
    refused: Any = facts.value("bedrock.import.no_converse")
    architecture = _plain(model.get("modelArchitecture", ""))
    return bool(model.get("instructSupported")) and not any(architecture.startswith(_plain(each)) for each in refused)


def _families() -> list[str]:
    """The register's architectures as their beginnings: 'Llama 2 to 3.3' is 'llama', 'Qwen2 to Qwen3' is 'qwen'."""
    known: Any = facts.value("bedrock.import.architectures")
    others = {"flant5": "t5"}  # Flan-T5 is an instruction-tuned T5, and its config.json says T5
    names = (
        _plain(each.partition(" to ")[0]).rstrip("0123456789") if each != "Flan-T5" else "flant5" for each in known
    )
    return [others.get(name, name) for name in names]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
