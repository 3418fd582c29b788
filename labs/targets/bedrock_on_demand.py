"""`bedrock-on-demand`: a base model or an inference profile of Amazon Bedrock, paid by the token. There is nothing to deploy."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import boto3

from labs.economics.bill import Bill
from labs.targets import asking
from labs.targets.base import Address, Kind, Site
from labs.targets.options import option

DEFAULT_MODEL_ID = "amazon.nova-lite-v1:0"
ACTIONS = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")
"""IAM knows no Converse: it is authorised by InvokeModel, ConverseStream by the second."""
_CROSS_REGION = re.compile(r"(us|us-gov|eu|apac|jp|au|ca|global)\.(?P<model>[a-z0-9-]+\..+)")
"""A system inference profile's id is its geography, then the model's id."""


@dataclass(frozen=True)
class BedrockOnDemand:
    """Converse and ConverseStream on one model id, inference profile id or ARN."""

    name = "bedrock-on-demand"
    kinds = frozenset({Kind.ONLINE, Kind.STREAMING})
    creates_nothing = True

    model_id: str = option(DEFAULT_MODEL_ID, "A base model's id, an inference profile's, or an ARN.")
    tier: Literal["default", "flex", "priority", "reserved"] = option(
        "default", "Service tier: flex waits longer and costs less, priority the other way round."
    )
    latency: Literal["standard", "optimized"] = option("standard", "optimized for the models that have it.")
    system: str = option("", "What is said to the model before every prompt.")
    cache: bool = option(False, "Keep what is before a prompt, or the prompt where nothing is, in the prompt cache.")

    def worst_case(self, site: Site) -> Bill:  # noqa: ARG002 - nothing is kept, so time costs nothing
        """Nothing but the tokens of the calls."""
        return Bill(self.name, ())

    def check(self, site: Site) -> None:
        """Ask for one token. That costs next to nothing, and only a call proves model access, Region and permissions together."""
        asking.ready(self, site)

    def deploy(self, site: Site) -> None:
        """Nothing is created; the model must answer."""
        self.check(site)

    def address(self, site: Site) -> Address:  # noqa: ARG002 - the same everywhere
        """The model itself, and how it is asked."""
        tier, latency = self.tier.removeprefix("default"), self.latency.removeprefix("standard")
        return Address("converse", self.model_id, tier=tier, latency=latency, system=self.system, cache=self.cache)

    def statements(self, site: Site) -> list[dict[str, Any]]:
        """Invoke this model. An inference profile needs itself and its model in every Region that it may route to."""
        return [{"Effect": "Allow", "Action": list(ACTIONS), "Resource": self._arns(site)}]

    def remove(self, site: Site) -> None:
        """Nothing was created."""

    def sheet(self) -> str:
        """What real AWS needs, what it costs, what could not be tried: a page of Markdown."""
        return (Path(__file__).parent / "sheets" / f"{self.name}.md").read_text(encoding="utf-8")

    def _arns(self, site: Site) -> list[str]:
        region, account_id = site.cloud.region, site.cloud.account_id
        if ":application-inference-profile/" in self.model_id or ":inference-profile/" in self.model_id:
            profile = boto3.client("bedrock").get_inference_profile(inferenceProfileIdentifier=self.model_id)
            return [self.model_id, *(model["modelArn"] for model in profile["models"])]
        if self.model_id.startswith("arn:"):
            return [self.model_id]
        bedrock = f"arn:{boto3.Session().get_partition_for_region(region)}:bedrock"
        if profile_id := _CROSS_REGION.fullmatch(self.model_id):
            return [
                f"{bedrock}:{region}:{account_id}:inference-profile/{self.model_id}",
                f"{bedrock}:*::foundation-model/{profile_id['model']}",
            ]
        return [f"{bedrock}:{region}::foundation-model/{self.model_id}"]
