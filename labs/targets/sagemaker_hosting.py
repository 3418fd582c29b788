"""What SageMaker's targets share: containers by Region, weights and who gives them out, environments in a template, quotas, scaling.

image_uri("sagemaker.image.lmi", "us-east-1")       # 763104351884.dkr.ecr.us-east-1.amazonaws.com/djl-inference:...
hub_id("qwen3-0.6b")                                # Qwen/Qwen3-0.6B
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3

from labs import facts
from labs.economics import instances
from labs.economics.bill import Bill
from labs.errors import FALSE, USAGE, Refusal
from labs.facts import catalogue
from labs.serving.memory import WEIGHT_BYTES
from labs.targets import quota
from labs.targets.vllm import GATED

INVOKE = ("sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointWithResponseStream")
ENVIRONMENT = "Environment: {}"
"""Where a template awaits its container's environment: no parameter can carry a mapping."""
_URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<repository>[^:@]+)[:@].+"
)


def image_uri(fact_id: str, region: str) -> str:
    """AWS's container of a fact ("repository:tag") in a Region. Raises Refusal where its registry is not recorded."""
    known = facts.value("sagemaker.image.regions")
    if not isinstance(known, tuple) or region not in known:
        raise Refusal(
            f"the register knows no registry of AWS's containers in {region}; name the container: --set image=ACCOUNT.dkr.ecr.{region}.amazonaws.com/...",
            USAGE,
        )
    return f"{facts.text('sagemaker.image.account')}.dkr.ecr.{region}.amazonaws.com/{facts.text(fact_id)}"


def repository_arn(uri: str) -> str:
    """The ARN of the repository that an image lies in. Raises Refusal for an image outside ECR, which SageMaker does not pull."""
    parts = _URI.fullmatch(uri)
    if parts is None:
        raise Refusal(
            f"SageMaker pulls images from Amazon ECR only: '{uri}' is not ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG",
            USAGE,
        )
    partition = boto3.Session().get_partition_for_region(parts["region"])
    return f"arn:{partition}:ecr:{parts['region']}:{parts['account']}:repository/{parts['repository']}"


def hub_id(model: str) -> str:
    """A model's name at Hugging Face: its own ("Qwen/Qwen3-0.6B"), or that of the catalogue's entry ("qwen3-0.6b")."""
    if "/" in model:
        return model
    weights = catalogue.model(model).weights
    if weights is None:
        raise Refusal(f"the weights of {model} are not public, so no endpoint of ours can load them", USAGE)
    return urlsplit(weights).path.strip("/")


def weights_path(uri: str) -> str:
    """BUCKET/PREFIX/ of an s3:// URI; empty for none. SageMaker takes a prefix only with its slash."""
    if not uri:
        return ""
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc or not parts.path.strip("/"):
        raise Refusal(f"weights are s3://BUCKET/PREFIX/, not '{uri}'", USAGE)
    return f"{parts.netloc}/{parts.path.strip('/')}/"


def check_gated(model: str, token_secret: str) -> None:
    """Raises Refusal when Hugging Face will not give the weights out to whoever has no token."""
    if model.startswith(GATED) and not token_secret:
        raise Refusal(
            f"Hugging Face gives out {model} only to those who accepted its licence; store a token "
            "(aws secretsmanager create-secret --name hugging-face --secret-string file://TOKEN_FILE) and say --set token_secret=hugging-face; "
            "or put the weights into S3 and say --set weights=s3://BUCKET/PREFIX/",
            USAGE,
        )


def token_variable(token_secret: str) -> dict[str, str]:
    """HF_TOKEN as CloudFormation reads it from Secrets Manager when it makes the model; the token itself is never in our hands."""
    return {"HF_TOKEN": f"{{{{resolve:secretsmanager:{token_secret}}}}}"} if token_secret else {}


def with_environment(template: str, environment: Mapping[str, str]) -> str:
    """The template with the container's environment written in."""
    if template.count(ENVIRONMENT) != 1:
        raise ValueError(f"a template awaits one '{ENVIRONMENT}'")
    return template.replace(ENVIRONMENT, f"Environment: {json.dumps(dict(environment))}")


def kind_of(instance_type: str) -> str:
    """gpu, neuron or cpu; a type that the catalogue lacks is told by its name."""
    known = catalogue.instances().get(instance_type)
    if known is not None:
        return catalogue.accelerator(known.accelerator).kind
    family = instance_type.removeprefix("ml.").partition(".")[0]
    if re.match(r"(inf|trn)\d", family):
        return "neuron"
    return "gpu" if re.match(r"(p|g)\d+[a-z]*$|gr\d", family) and not family.endswith("gd") else "cpu"


def check_instance(target: str, instance_type: str, kind: str) -> None:
    """Raises Refusal when the type is not SageMaker's, or has other hardware than the container is for."""
    if not instance_type.startswith("ml."):
        raise Refusal(f"SageMaker's instance types begin with 'ml.': say ml.{instance_type}", USAGE)
    if (found := kind_of(instance_type)) != kind:
        offered = [
            each.id
            for each in catalogue.instances().values()
            if each.service == "sagemaker" and catalogue.accelerator(each.accelerator).kind == kind
        ]
        raise Refusal(
            f"{target} is for {kind} instances and {instance_type} is a {found} one; there are {', '.join(offered)}",
            USAGE,
        )


def devices(instance_type: str) -> int:
    """Devices that a model can be spread over: GPUs, or NeuronCores; 1 where the catalogue does not know the type."""
    known = catalogue.instances().get(instance_type)
    return known.count * catalogue.accelerator(known.accelerator).cores if known else 1


def parallel_of(instance_type: str, chosen: int) -> int:
    """Devices that one copy is spread over. Raises Refusal for more than there are."""
    there = devices(instance_type)
    if not 0 <= chosen <= there:
        raise Refusal(f"{instance_type} has {there} devices, so tensor_parallel is 1 to {there}, not {chosen}", USAGE)
    return chosen or there


def check_counts(fewest: int, most: int, least: int = 1) -> None:
    """Raises Refusal for counts of instances that cannot be."""
    if not least <= fewest <= most:
        raise Refusal(f"from {fewest} to {most} instances is no range that begins at {least} or more", USAGE)


def check_vpc(subnets: tuple[str, ...], security_groups: tuple[str, ...]) -> None:
    """Raises Refusal for one without the other."""
    if bool(subnets) != bool(security_groups):
        raise Refusal("a VPC takes both: --set subnets=subnet-... and --set security_groups=sg-...", USAGE)


def check_seconds(name: str, seconds: int) -> None:
    """Raises Refusal beyond what SageMaker takes."""
    most = int(facts.number("sagemaker.container.health_timeout_max_s"))
    if not 60 <= seconds <= most:
        raise Refusal(f"{name} is 60 to {most} seconds, not {seconds}", USAGE)


def check_quota(instance_type: str, count: int) -> None:
    """Raises quota.TooSmall with the exact request when the account may not have so many."""
    quota.require(quota.endpoint_instances(instance_type, count))


def hours_of(instance_type: str, count: int, hours: float) -> Bill:
    """`count` instances for the whole time. Raises Refusal where the register knows no price of the type."""
    try:
        return instances.endpoint(instance_type, count, hours)
    except Refusal as unknown:
        raise Refusal(
            f"what {instance_type} costs is not in the register, so a worst case cannot be computed; look the price up and choose another type, "
            "or add the price to the register",
            FALSE,
        ) from unknown


def catalogue_id(name: str) -> str:
    """The reverse of `hub_id`, where the catalogue has the model; else the name as it is."""
    models = ((id_, model.weights) for id_, model in catalogue.models().items())
    return next((id_ for id_, weights in models if weights and urlsplit(weights).path.strip("/") == name), name)


def served(endpoint: str) -> dict[str, Any]:
    """What an endpoint's container was told that decides how fast it is, in the words of `labs.serving.profiles.Choices`; what it leaves open is left out."""
    client = boto3.client("sagemaker")
    config = client.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    [variant, *_] = client.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    told = client.describe_model(ModelName=variant["ModelName"])["PrimaryContainer"].get("Environment", {})
    dtype = told.get("OPTION_QUANTIZE", "").removeprefix("static_") or told.get("OPTION_DTYPE", "")
    numbers = {
        "tensor_parallel": told.get("OPTION_TENSOR_PARALLEL_DEGREE", ""),
        "max_num_seqs": told.get("OPTION_MAX_ROLLING_BATCH_SIZE", ""),
        "n_positions": told.get("OPTION_N_POSITIONS", ""),
    }
    found: dict[str, Any] = {name: int(text) for name, text in numbers.items() if text.isdecimal()}
    return found | ({"dtype": dtype} if dtype in WEIGHT_BYTES else {})
