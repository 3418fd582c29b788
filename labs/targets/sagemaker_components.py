"""`sagemaker-components`: copies of a model, and adapters on them, side by side on the instances of one endpoint; down to no copy and no instance."""

from dataclasses import dataclass
from typing import Any

from labs.errors import USAGE, Refusal
from labs.targets import sagemaker_hosting as hosting
from labs.targets.base import Kind, Site
from labs.targets.options import option
from labs.targets.sagemaker_lmi import LmiEndpoint

MOST_ADAPTERS = 2
_OF_VARIANTS = ("AcceptEula", "Instances", "Scaling")


@dataclass(frozen=True)
class SageMakerComponents(LmiEndpoint):
    """The container is that of `sagemaker-gpu`; here a copy of it takes a share of an instance."""

    name = "sagemaker-components"
    kinds = frozenset({Kind.ONLINE, Kind.STREAMING})
    template_name = "sagemaker-components"

    instance_type: str = option("ml.g5.12xlarge", "The endpoint's instances; several copies fit on one.")
    min_instances: int = option(0, "Instances that stay when no copy needs one.")
    tensor_parallel: int = option(1, "Accelerators that one copy takes.")
    copies: int = option(1, "Copies to begin with.")
    min_copies: int = option(0, "Copies that stay when nobody calls; with 0 the next call fails, and wakes one.")
    max_copies: int = option(4, "Copies at most.")
    memory_mb: int = option(16384, "Host memory that is set aside for one copy.")
    adapters: tuple[str, ...] = option((), "Up to two LoRA adapters: s3://BUCKET/NAME.tar.gz, with a comma between.")
    max_lora_rank: int = option(16, "Largest rank of an adapter, where there are some.")

    def environment(self, site: Site) -> dict[str, str]:
        """As `sagemaker-gpu`'s; with adapters, room for them."""
        lora = {
            "OPTION_ENABLE_LORA": "true",
            "OPTION_MAX_LORAS": str(len(self.adapters)),
            "OPTION_MAX_LORA_RANK": str(self.max_lora_rank),
        }
        return super().environment(site) | (lora if self.adapters else {})

    def check(self, site: Site) -> None:
        """As a real-time endpoint's, and that the copies fit on the instances."""
        hosting.check_counts(self.min_instances, self.most, least=0)
        if not 0 <= self.min_copies <= self.copies <= self.max_copies or not self.copies:
            raise Refusal(
                f"{self.min_copies} to {self.max_copies} copies, {self.copies} to begin with, is no range; begin with at least one",
                USAGE,
            )
        room = self.most * (hosting.devices(self.instance_type) // max(1, self.tensor_parallel))
        if self.copies > room:
            raise Refusal(
                f"{self.most} x {self.instance_type} has room for {room} copies of {self.tensor_parallel} accelerators, not for {self.copies}; "
                "raise max_instances",
                USAGE,
            )
        super().check(site)

    def parameters(self, site: Site) -> dict[str, str]:
        """The template's parameters."""
        if len(self.adapters) > MOST_ADAPTERS:
            raise Refusal(f"the template has places for {MOST_ADAPTERS} adapters, not for {len(self.adapters)}", USAGE)
        given = {name: value for name, value in super().parameters(site).items() if name not in _OF_VARIANTS}
        first, second, *_ = (*map(_object, self.adapters), "", "")
        return given | {
            "MinInstances": str(self.min_instances),
            "Copies": str(self.copies),
            "MinCopies": str(self.min_copies),
            "MaxCopies": str(self.max_copies),
            "Accelerators": str(self.tensor_parallel),
            "MemoryMb": str(self.memory_mb),
            "AdapterOne": first,
            "AdapterTwo": second,
        }

    def statements(self, site: Site) -> list[dict[str, Any]]:
        """Invoke the endpoint and its components."""
        outputs = self.outputs(site)
        resources = [outputs["EndpointArn"], outputs["ComponentArns"]]
        return [{"Effect": "Allow", "Action": list(hosting.INVOKE), "Resource": resources}]


def _object(uri: str) -> str:
    """BUCKET/KEY of an adapter."""
    path = uri.removeprefix("s3://")
    if path == uri or "/" not in path.strip("/"):
        raise Refusal(f"an adapter is s3://BUCKET/NAME.tar.gz, not '{uri}'", USAGE)
    return path
