"""What SageMaker's real-time targets have in common: one model, one container, instances behind one endpoint, scaling.

Each such target says what its container is told (`environment`) and which container that is; the rest is here.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

from labs import facts
from labs.economics.bill import Bill
from labs.targets import sagemaker_hosting as hosting
from labs.targets.base import Site
from labs.targets.options import option
from labs.targets.stacked import Stacked

CPU_TARGET = 70
"""Per cent, as the counter-example has it."""


@dataclass(frozen=True)
class SageMakerEndpoint(Stacked):
    """See the module's docstring."""

    template_name = "sagemaker-endpoint"
    hardware = "gpu"
    """gpu, neuron or cpu: what the container is for"""
    image_fact = ""
    ami_fact = ""

    model: str = option("", "A model of the catalogue, or a name at Hugging Face.")
    instance_type: str = option("", "The endpoint's instances.")
    instances: int = option(1, "Instances to begin with, and at least.")
    max_instances: int = option(0, "Instances at most; 0 for as many as to begin with.")
    scaling: Literal["concurrency", "cpu", "none"] = option(
        "concurrency", "On what it scales where max_instances is larger: concurrency, cpu or none."
    )
    scaling_target: int = option(0, "Requests at once per copy, or per cent of one CPU core; 0 for 8, or 70 with cpu.")
    weights: str = option(
        "", "s3://BUCKET/PREFIX/ of the weights; empty: the container fetches them from Hugging Face."
    )
    token_secret: str = option("", "Name or ARN of a secret that holds a Hugging Face token, for gated weights.")
    image: str = option("", "The container; empty for the register's.")
    ami: str = option("default", "InferenceAmiVersion; 'default' for the register's, empty for SageMaker's own choice.")
    startup_timeout_s: int = option(
        1800, "Until the container must pass its first health check, its own download included."
    )
    download_timeout_s: int = option(1800, "For SageMaker's download of weights from S3.")
    subnets: tuple[str, ...] = option((), "Subnets for the containers, with commas; empty for SageMaker's network.")
    security_groups: tuple[str, ...] = option((), "Security groups that go with them.")

    @abstractmethod
    def environment(self, site: Site) -> dict[str, str]:
        """What the container is told."""

    @property
    def most(self) -> int:
        """Instances at most."""
        return self.max_instances or self.instances

    @property
    def named_model(self) -> str:
        """What the container loads: a name at Hugging Face, or where SageMaker puts weights from S3."""
        return "/opt/ml/model" if self.weights else hosting.hub_id(self.model)

    def worst_case(self, site: Site) -> Bill:
        """All the instances that it may grow to, for the whole time."""
        return hosting.hours_of(self.instance_type, self.most, site.hours)

    def check(self, site: Site) -> None:
        """Options, the licence of the weights, the quota: everything that would let a paid start fail."""
        hosting.check_instance(self.name, self.instance_type, self.hardware)
        hosting.check_counts(self.instances, self.most)
        hosting.check_vpc(self.subnets, self.security_groups)
        hosting.check_seconds("startup_timeout_s", self.startup_timeout_s)
        hosting.check_seconds("download_timeout_s", self.download_timeout_s)
        if not self.weights:
            hosting.check_gated(self.named_model, self.token_secret)
        self.parameters(site)
        hosting.check_quota(self.instance_type, self.most)

    def container(self, site: Site) -> str:
        """The container's address."""
        return self.image or hosting.image_uri(self.image_fact, site.cloud.region)

    def parameters(self, site: Site) -> dict[str, str]:
        """The template's parameters."""
        container = self.container(site)
        scaling = self.scaling if self.most > self.instances else "none"
        ami = facts.text(self.ami_fact) if self.ami == "default" and self.ami_fact else self.ami
        return {
            "TargetName": self.name,
            "ModelId": self.weights or self.named_model,
            "Image": container,
            "ImageRepositoryArn": hosting.repository_arn(container),
            "WeightsPath": hosting.weights_path(self.weights),
            "InstanceType": self.instance_type,
            "Instances": str(self.instances),
            "MaxInstances": str(self.most),
            "Scaling": scaling,
            "ScalingTarget": str(self.scaling_target or (CPU_TARGET if scaling == "cpu" else 8)),
            "InferenceAmiVersion": "" if ami == "default" else ami,
            "StartupTimeout": str(self.startup_timeout_s),
            "DownloadTimeout": str(self.download_timeout_s),
            "SubnetIds": ",".join(self.subnets),
            "SecurityGroupIds": ",".join(self.security_groups),
        }

    def template(self, site: Site) -> str:
        """The template, with what the container is told written in."""
        return hosting.with_environment(super().template(site), self.environment(site))

    def statements(self, site: Site) -> list[dict[str, Any]]:
        """Invoke this endpoint."""
        arn = self.outputs(site)["EndpointArn"]
        return [{"Effect": "Allow", "Action": list(hosting.INVOKE), "Resource": [arn]}]
