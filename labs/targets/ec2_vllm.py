"""`ec2-vllm`: one EC2 instance that starts vLLM's own container from its user data. Everything is ours to choose, and ours to look after."""

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from labs import facts
from labs.economics import instances
from labs.economics.bill import HOURS_PER_MONTH, Bill, Line
from labs.errors import FALSE, USAGE, Refusal
from labs.targets import asking, health, vcpus, vllm
from labs.targets.base import Kind, Site
from labs.targets.options import option
from labs.targets.stacked import Stacked

FATAL = (
    "Engine core initialization failed",
    "Error response from daemon",
    "no port of the instance",
    "failed to bind host port",
)
"""What stands in a line of the console after which no server comes up."""


@dataclass(frozen=True)
class Ec2Vllm(Stacked):
    """See the module's docstring. The default model is the smallest of the catalogue that needs no licence, on the cheapest GPU."""

    name = "ec2-vllm"
    kinds = frozenset({Kind.ONLINE, Kind.STREAMING})

    model: str = option("qwen3-0.6b", "A model of the catalogue, or a name at Hugging Face.")
    instance_type: str = option("g5.xlarge", "An EC2 instance with NVIDIA GPUs.")
    tensor_parallel: int = option(0, "GPUs that the model is spread over; 0 takes all of the instance's.")
    dtype: str = option("auto", "auto, bfloat16 or float16.")
    quantisation: str = option("", "vLLM's name of how the weights are quantised (fp8, awq); empty for what they are.")
    max_model_len: int = option(4096, "Longest prompt and answer together, in tokens.")
    token_secret: str = option("", "Name or ARN of a secret that holds a Hugging Face token, for gated weights.")
    allow: str = option("vpc", "Who may call: a range of addresses like 203.0.113.7/32, or 'vpc' for its own VPC.")
    vpc_id: str = option("", "Empty for the Region's default VPC.")
    subnet_id: str = option("", "Empty for a default subnet; it needs a way to the Internet.")
    worker_subnets: str = option(
        "", "Subnets of a queue's worker, with commas: in this VPC, with a way out to AWS; empty for subnet_id."
    )
    volume_gib: int = option(150, "Root volume: machine image, container image, weights.")
    image: str = option("", "The container; empty for the register's.")
    startup_minutes: float = option(30, "How long it may take until it answers.")

    @property
    def settings(self) -> vllm.Settings:
        """What vLLM is started with. Raises Refusal."""
        return vllm.Settings(
            self.model, self.instance_type, self.tensor_parallel, self.dtype, self.quantisation, self.max_model_len
        )

    def worst_case(self, site: Site) -> Bill:
        """The instance, its disk and its public address for the whole time. It shuts itself down when that has passed."""
        return instances.machines(self.instance_type, 1, site.hours) + Bill(
            "", (disk(self.volume_gib, site.hours), address(site.hours))
        )

    def check(self, site: Site) -> None:
        """Options, network, who may call, the token, the vCPU quota: everything that would let a paid start fail."""
        settings = self.settings
        if settings.needs_token and not self.token_secret:
            raise Refusal(
                f"Hugging Face gives out {settings.repository} only to those who accepted its licence; store a token "
                "(aws secretsmanager create-secret --name hugging-face --secret-string file://TOKEN_FILE) and say --set token_secret=hugging-face",
                USAGE,
            )
        network = self._network()
        if site.cloud.real and self.allow == "vpc" and not is_inside(network["cidr"]):
            raise Refusal(
                f"the server would answer inside {network['vpc_id']} ({network['cidr']}) only, and this machine is not in there; say who may "
                "call, for instance your own public address: --set allow=203.0.113.7/32",
                USAGE,
            )
        secret_arn(self.token_secret)
        vcpus.check(site.cloud.region, self.instance_type)

    def parameters(self, site: Site) -> dict[str, str]:
        """The template's parameters."""
        settings, network = self.settings, self._network()
        return {
            "InstanceType": self.instance_type,
            "ImageId": machine_image(),
            "ContainerImage": self.image or facts.text("ec2.own.vllm_image"),
            "Arguments": " ".join(settings.arguments()),
            "ServedName": settings.served_name,
            "VolumeGiB": str(self.volume_gib),
            "VpcId": network["vpc_id"],
            "SubnetId": self.subnet_id,
            "WorkerSubnetIds": self.worker_subnets or self.subnet_id,
            "AllowedCidr": network["cidr"] if self.allow == "vpc" else cidr(self.allow),
            "Reach": "private" if self.allow == "vpc" else "public",
            "TokenSecretArn": secret_arn(self.token_secret),
            "MaxMinutes": str(max(1, round(site.hours * 60))),
        }

    def ready(self, site: Site) -> None:
        """Wait until the server is well, then ask it for one token."""
        outputs = self.outputs(site)
        base = self.address(site).location.removesuffix("/v1")
        health.wait(base, self.startup_minutes * 60, site.tell, lambda: trouble_of(outputs["InstanceId"]))
        asking.ready(self, site)

    def statements(self, site: Site) -> list[dict[str, Any]]:  # noqa: ARG002
        """None: who may call is a matter of addresses and ports, not of IAM."""
        return []

    def _network(self) -> Mapping[str, str]:
        """The VPC that it stands in, and its range of addresses. Raises Refusal when there is none."""
        ec2 = boto3.client("ec2")
        vpc_id = self.vpc_id
        if self.subnet_id and not vpc_id:
            vpc_id = ec2.describe_subnets(SubnetIds=[self.subnet_id])["Subnets"][0]["VpcId"]
        found: Any = (
            ec2.describe_vpcs(VpcIds=[vpc_id])
            if vpc_id
            else ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])
        )["Vpcs"]
        if not found:
            raise Refusal(
                "this Region has no default VPC; name a subnet with a way to the Internet: --set subnet_id=SUBNET (or 'aws ec2 "
                "create-default-vpc')",
                FALSE,
            )
        return {"vpc_id": found[0]["VpcId"], "cidr": found[0]["CidrBlock"]}


def disk(gib: float, hours: float, count: float = 1) -> Line:
    """EBS for so long."""
    price = "ec2.own.gp3_price"
    return Line("EBS volume", count * gib * hours / HOURS_PER_MONTH, "GB-month", facts.number(price), (price,))


def address(hours: float, count: float = 1) -> Line:
    """Public IPv4 addresses for so long."""
    price = "ec2.own.public_ipv4_price"
    return Line("public IPv4 address", count * hours, "hour", facts.number(price), (price,))


def machine_image() -> str:
    """Today's Deep Learning AMI with NVIDIA's driver, by its public name. Raises Refusal where there is none."""
    name = facts.text("ec2.own.gpu_ami_parameter")
    try:
        return str(boto3.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    except ClientError as refused:
        raise Refusal(
            f"no machine image: the parameter {name} could not be read ({refused.response['Error']['Code']})", FALSE
        ) from refused


def secret_arn(name: str) -> str:
    """The whole ARN of a secret, as a policy needs it; "" for no secret. Its content is not read. Raises Refusal for one that is not there."""
    if not name:
        return ""
    try:
        return str(boto3.client("secretsmanager").describe_secret(SecretId=name)["ARN"])
    except ClientError as refused:
        raise Refusal(
            f"there is no secret '{name}' that these credentials may see ({refused.response['Error']['Code']}); create it with "
            f"'aws secretsmanager create-secret --name {name} --secret-string file://TOKEN_FILE'",
            FALSE,
        ) from refused


def cidr(text: str) -> str:
    """A range of IPv4 addresses as AWS writes it. Raises Refusal for anything else, and for the whole Internet."""
    try:
        network = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        raise Refusal(
            f"allow takes 'vpc' or a range of IPv4 addresses like 203.0.113.7/32, not '{text}'", USAGE
        ) from None
    if network.prefixlen < 8:
        raise Refusal(
            f"allow={text} would open the model server, which asks nobody who they are, to the Internet; name your own range",
            USAGE,
        )
    return str(network)


def is_inside(range_: str) -> bool:
    """Has this machine an address in that range? Asked of the routing table; nothing is sent."""
    network = ipaddress.IPv4Network(range_)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(network.network_address + 1), 9))
        except OSError:
            return False
        return ipaddress.IPv4Address(probe.getsockname()[0]) in network


def trouble_of(instance_id: str) -> str:
    """Why this instance will never serve, as far as its state or its console says; "" as long as neither does."""
    ec2 = boto3.client("ec2")
    instance: Any = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    if instance["State"]["Name"] not in ("pending", "running"):
        return f"the instance is {instance['State']['Name']} ({(instance.get('StateReason') or {}).get('Message', 'no reason given')})"
    lines: list[str] = ec2.get_console_output(InstanceId=instance_id).get("Output", "").splitlines()
    fatal = next((i for i, line in enumerate(lines) if any(word in line for word in FATAL)), None)
    if fatal is None:
        return ""
    errors = [line for line in lines[:fatal] if "ERROR" in line]
    return (errors[-1] if errors else lines[fatal]).strip()
