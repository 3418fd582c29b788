"""A cluster, its GPU nodes and checked manifests: what `eks-vllm` and `eks-triton` have in common.

Deploying creates cluster and nodes, and checks the manifests for their shape; it runs no pod, on either cloud: that is kubectl's, and the text
says so. Once the manifests are applied and the Service is forwarded, the option `url` says where it answers:

    lab deploy eks-vllm                      # cluster, nodes, and a file of manifests that were shape-checked, not run
    kubectl apply -f FILE && kubectl port-forward service/server 8000
    lab invoke eks-vllm "..." --set url=http://127.0.0.1:8000
"""

import json
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import boto3

from labs import facts
from labs.cloud import manifests, state
from labs.economics import instances
from labs.economics.bill import Bill
from labs.errors import FALSE, USAGE, Refusal
from labs.targets import asking, health, vcpus, vllm
from labs.targets.base import Address, Kind, Site
from labs.targets.ec2_vllm import address as public_address
from labs.targets.ec2_vllm import cidr, disk
from labs.targets.options import option
from labs.targets.stacked import HERE, Stacked

MANIFESTS = HERE / "manifests"


@dataclass(frozen=True)
class OnEks(Stacked):
    """See the module's docstring."""

    kinds = frozenset({Kind.ONLINE, Kind.STREAMING})
    """With a `url`. Without one nobody has run the manifests: what stands is a cluster and a file."""

    model: str = option("qwen3-0.6b", "A model of the catalogue, or a name at Hugging Face.")
    instance_type: str = option("g5.xlarge", "The nodes: an EC2 instance with NVIDIA GPUs.")
    instances: int = option(1, "Nodes, with one copy of the model each.")
    max_instances: int = option(1, "Most nodes, and most copies that the autoscaler makes.")
    tensor_parallel: int = option(0, "GPUs that the model is spread over; 0 takes all of a node's.")
    dtype: str = option("auto", "auto, bfloat16 or float16.")
    max_model_len: int = option(4096, "Longest prompt and answer together, in tokens.")
    token_secret: str = option(
        "", "A Kubernetes secret with a Hugging Face token under the key 'token', for gated weights."
    )
    subnet_ids: tuple[str, ...] = option((), "At least two, with a way to the Internet; none takes the default VPC's.")
    allow: str = option("", "Who may call the cluster's API: a range of addresses like 203.0.113.7/32.")
    image: str = option("", "The container; empty for the register's.")
    url: str = option("", "Where the Service answers once it is forwarded, as in http://127.0.0.1:8000.")

    def __post_init__(self) -> None:
        if not self.url:
            object.__setattr__(self, "kinds", frozenset({Kind.ARTIFACT}))

    @property
    def settings(self) -> vllm.Settings:
        """What the model server is started with. Raises Refusal."""
        return vllm.Settings(self.model, self.instance_type, self.tensor_parallel, self.dtype, "", self.max_model_len)

    @abstractmethod
    def values(self) -> dict[str, str]:
        """What the target's own manifest is filled with, beside what all have in common."""

    def manifest(self) -> str:
        """The manifests, whole."""
        settings = self.settings
        token = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": self.token_secret, "key": "token"}}}
        common = {
            "replicas": str(self.instances),
            "max_replicas": str(self.max_instances),
            "gpus": str(settings.gpus),
            "device_plugin_image": facts.text("ec2.own.device_plugin_image"),
            "environment": json.dumps([token] if self.token_secret else []),
        }
        text = (MANIFESTS / "device-plugin.yaml").read_text() + (MANIFESTS / f"{self.name}.yaml").read_text()
        return Template(text).substitute(common | self.values())

    def template(self, site: Site) -> str:  # noqa: ARG002 - both have the same cluster
        return (HERE / "templates" / "eks.yaml").read_text(encoding="utf-8")

    def worst_case(self, site: Site) -> Bill:
        """The control plane, and every node that the group may grow to with its disk and address."""
        nodes = self.max_instances
        return instances.machines(self.instance_type, nodes, site.hours, eks_clusters=1) + Bill(
            "", (disk(100, site.hours, nodes), public_address(site.hours, nodes))
        )

    def check(self, site: Site) -> None:
        """Options, the manifests' shape, who may call the cluster, the nodes' vCPU quota."""
        if not 1 <= self.instances <= self.max_instances:
            raise Refusal(f"instances ({self.instances}) is 1 to max_instances ({self.max_instances})", USAGE)
        if self.settings.needs_token and not self.token_secret:
            raise Refusal(
                f"Hugging Face gives out {self.settings.repository} only to those who accepted its licence; name the Kubernetes secret that "
                "will hold a token under the key 'token': --set token_secret=hugging-face",
                USAGE,
            )
        if site.cloud.real and not self.allow:
            raise Refusal(
                "say who may call the cluster's API, for instance your own address: --set allow=203.0.113.7/32", USAGE
            )
        checked = manifests.check(self.manifest(), facts.text("eks.version.current"))
        if not checked.passed:
            raise Refusal(f"Kubernetes would refuse the manifests: {'; '.join(map(str, checked.problems))}", FALSE)
        vcpus.check(site.cloud.region, self.instance_type, self.max_instances)

    def parameters(self, site: Site) -> dict[str, str]:  # noqa: ARG002
        return {
            "TargetName": self.name,
            "Version": facts.text("eks.version.current"),
            "SubnetIds": ",".join(self.subnet_ids or default_subnets()),
            "AllowedCidr": cidr(self.allow or "127.0.0.1/32"),  # nobody, where nobody was named
            "InstanceType": self.instance_type,
            "Nodes": str(self.instances),
            "MaxNodes": str(self.max_instances),
            "DiskGiB": "100",
        }

    def ready(self, site: Site) -> None:
        """Cluster and nodes are up. Write the manifests down and say that they were shape-checked, not run; with a `url`, ask there."""
        path = self.manifest_file(site)
        path.write_text(self.manifest(), encoding="utf-8")
        site.tell(f"cluster and nodes are up; {path} is {manifests.LABEL}")
        if self.url:
            health.wait(self.url.rstrip("/"), 60, site.tell, lambda: "", path=self.health_path)
            asking.ready(self, site)

    @property
    def health_path(self) -> str:
        return "/health"

    def manifest_file(self, site: Site) -> Path:
        """Where a deployment's manifests are written to."""
        return state.ensure_home(state.home_folder()) / f"{site.name}-manifests.yaml"

    def address(self, site: Site) -> Address:
        """Where the Service was forwarded to. Raises Refusal as long as nobody said so: then no pod is known to run."""
        cluster = self.outputs(site)["ClusterName"]
        if not self.url:
            path = self.manifest_file(site)
            raise Refusal(
                f"'{site.name}' has its cluster and nodes; its manifests are {manifests.LABEL}. Run them: aws eks update-kubeconfig --name {cluster} "
                f"--region {site.cloud.region}; kubectl apply -f {path}; kubectl port-forward service/server 8000; then say "
                "--set url=http://127.0.0.1:8000 (the local cloud has no Kubernetes behind its API)",
                FALSE,
            )
        return Address("openai", f"{self.url.rstrip('/')}/v1", self.settings.served_name)

    def statements(self, site: Site) -> list[dict[str, Any]]:  # noqa: ARG002
        """None: the server is reached through Kubernetes, not through AWS."""
        return []

    def remove(self, site: Site) -> None:
        """Delete the stack, look, and take the file of manifests away."""
        super().remove(site)
        self.manifest_file(site).unlink(missing_ok=True)


def default_subnets() -> tuple[str, ...]:
    """Two subnets of the default VPC, in two Availability Zones. Raises Refusal when there are not two."""
    found: Any = boto3.client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])[
        "Subnets"
    ]
    by_zone = {each["AvailabilityZone"]: each["SubnetId"] for each in found}
    if len(by_zone) < 2:
        raise Refusal("EKS wants subnets in two Availability Zones; name two: --set subnet_ids=SUBNET,SUBNET", USAGE)
    return tuple(by_zone[zone] for zone in sorted(by_zone)[:2])
