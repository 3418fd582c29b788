"""Every CloudFormation template of the repository with parameters that turn everything in it on, ready to be made.

for example in examples(context): cloudformation.create_stack(**example.request, StackName=...)
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from labs import targets
from labs.cloud import Cloud
from labs.cloud.context import REGION, Context
from labs.squid import package
from labs.squid.deploy import TEMPLATE
from labs.targets import Site
from labs.targets.stacked import TEMPLATES
from tests.labs.targets import own_kit, sagemaker_targets

ROOT = Path(__file__).parents[3]
BUCKET = "what-the-templates-need"
WORKER = "worker.zip"
ADAPTERS = (f"s3://{BUCKET}/one.tar.gz", f"s3://{BUCKET}/two.tar.gz")
WEIGHTS = f"s3://{BUCKET}/weights/"
SHAPE = {
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
}
"""What the weights' config.json says."""

SETTINGS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "ec2-vllm": ("ec2-vllm", "ec2-vllm", {"token_secret": "hugging-face", "allow": "127.0.0.1/32"}),
    "eks": ("eks", "eks-vllm", {}),
    "sagemaker-endpoint": ("sagemaker-endpoint", "sagemaker-gpu", {"max_instances": 2, "weights": WEIGHTS}),
    "sagemaker-endpoint-cpu": (
        "sagemaker-endpoint",
        "sagemaker-graviton",
        {"max_instances": 2, "scaling": "cpu"},
    ),
    "sagemaker-async": ("sagemaker-async", "sagemaker-async", {"max_instances": 2}),
    "sagemaker-serverless": ("sagemaker-serverless", "sagemaker-serverless", {"provisioned": 1}),
    "sagemaker-components": ("sagemaker-components", "sagemaker-components", {"adapters": ADAPTERS}),
}
"""Example: its template, the target that fills it in, and the target's options."""
NAMES = ("squid", "reaper", *SETTINGS)


@dataclass(frozen=True)
class Example:
    """A template and what it is given."""

    name: str
    path: Path
    body: str
    parameters: Mapping[str, str]

    @property
    def request(self) -> dict[str, Any]:
        """What CreateStack takes, besides a name."""
        return {
            "TemplateBody": self.body,
            "Capabilities": ["CAPABILITY_IAM"],
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in self.parameters.items()],
        }


def paths() -> set[Path]:
    """Every file of the repository that is a template."""
    files = (path for room in ("labs", "notebooks", "book") for path in (ROOT / room).rglob("*.y*ml"))
    return {path for path in files if "Type: AWS::" in path.read_text(encoding="utf-8")}


def prepare(context: Context) -> None:
    """Make what templates refer to, and raise the quotas that they need. `context` is in this process."""
    s3: Any = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for uri in ADAPTERS:
        s3.put_object(Bucket=BUCKET, Key=uri.rpartition("/")[2], Body=b"adapter")
    s3.put_object(Bucket=BUCKET, Key="weights/config.json", Body=json.dumps(SHAPE).encode())
    s3.put_object(Bucket=BUCKET, Key=WORKER, Body=package.build().content)
    boto3.client("secretsmanager").create_secret(Name="hugging-face", SecretString="hf_x")
    boto3.client("sns").create_topic(Name="alarms")
    own_kit.allow(context, 64)
    for instance_type in ("ml.g5.2xlarge", "ml.g5.12xlarge", "ml.c7g.16xlarge"):
        sagemaker_targets.allow(context, instance_type)


def example(name: str) -> Example:
    """The example of that name, for the cloud that this process uses."""
    topic = f"arn:aws:sns:{REGION}:123456789012:alarms"
    subnets = network()
    if name == "squid":
        given = {
            "CodeBucket": BUCKET,
            "CodeKey": WORKER,
            "ReservedConcurrency": "4",
            "AlarmTopicArn": topic,
            "Answers": "by-topic",
            "SucceededTopicArn": topic,
            "FailedTopicArn": topic,
            "JwtIssuer": "https://issuer.example/pool",
            "JwtAudience": "learners",
            **subnets,
        }
        return Example(name, TEMPLATE, TEMPLATE.read_text(encoding="utf-8"), given)
    if name == "reaper":
        path = TEMPLATES / "reaper.yaml"
        return Example(name, path, path.read_text(encoding="utf-8"), {"CodeBucket": BUCKET, "CodeKey": WORKER})
    template, target_name, options = SETTINGS[name]
    if name.startswith("sagemaker") and "serverless" not in name:
        options = options | {
            "subnets": tuple(subnets["SubnetIds"].split(",")),
            "security_groups": (subnets["SecurityGroupIds"],),
        }
    target: Any = targets.get(target_name)(**options)
    site = Site(Cloud(None, REGION, "123456789012"), name, 2, len)
    return Example(name, TEMPLATES / f"{template}.yaml", target.template(site), target.parameters(site))


def network() -> dict[str, str]:
    """The default VPC's subnets and security group."""
    ec2: Any = boto3.client("ec2")
    subnets = ec2.describe_subnets()["Subnets"]
    groups = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    return {
        "SubnetIds": ",".join(subnet["SubnetId"] for subnet in subnets[:2]),
        "SecurityGroupIds": groups[0]["GroupId"],
    }
