"""The account's quotas, by service and code, for every service that must refuse beyond one; Service Quotas shows and raises them.

    quotas.value(context, "us-east-1", "sagemaker", "L-286C98BC")             # 0.0
    quotas.instance_quota(context, "us-east-1", "ml.inf2.48xlarge")           # 0
    quotas.bedrock_quota(context, "us-east-1", "us.meta.llama3-3-70b-instruct-v1:0")
    quotas.set_value(context, "us-east-1", "sagemaker", "L-286C98BC", 2)

Defaults come from the facts register. Where AWS's own code of a quota was not found, the quota stands under a code of ours, which begins
with `LOCAL-` and exists nowhere else.
"""

import re
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

from labs import facts
from labs.cloud.context import Context
from labs.facts import catalogue


class UnknownQuota(KeyError):  # noqa: N818 - an answer to the caller, not a failure
    """No quota of this service has this code."""


@dataclass(frozen=True)
class Quota:
    """What a quota limits, and its default."""

    service_code: str
    code: str
    name: str
    default: float
    unit: str = "None"
    adjustable: bool = True
    period_s: int | None = None
    """for a rate: the time that it counts over"""


def value(context: Context, region: str, service_code: str, quota_code: str) -> float:
    """The quota as it is applied now. Raises UnknownQuota."""
    quota = get(service_code, quota_code)
    changes = _changes(context).get((region, service_code, quota_code), ())
    now = time.monotonic()
    return next((new for at, new in reversed(changes) if at <= now), quota.default)


def set_value(
    context: Context, region: str, service_code: str, quota_code: str, new: float, *, in_s: float = 0.0
) -> None:
    """Apply another value from now on, or in so many real seconds. Raises UnknownQuota."""
    get(service_code, quota_code)
    changes = _changes(context).setdefault((region, service_code, quota_code), [])
    changes.append((time.monotonic() + in_s, float(new)))


def get(service_code: str, quota_code: str) -> Quota:
    """The quota with this code. Raises UnknownQuota."""
    quota = known().get(service_code, {}).get(quota_code)
    if quota is None and service_code == "sagemaker" and (unlisted := UNLISTED_INSTANCE.fullmatch(quota_code)):
        quota = endpoint_usage(f"ml.{unlisted['family']}.{unlisted['size']}")
    if quota is None:
        raise UnknownQuota(f"{service_code} {quota_code}")
    return quota


def instance_quota(context: Context, region: str, instance_type: str) -> int:
    """How many endpoint instances of this type ("ml.g5.xlarge") the account may run in a Region."""
    return int(value(context, region, "sagemaker", endpoint_usage(instance_type).code))


def endpoint_usage(instance_type: str) -> Quota:
    """SageMaker's quota of endpoint instances of a type, named as ResourceLimitExceeded names it. Any type has one."""
    code = _codes_of_instances().get(instance_type)
    return known()["sagemaker"][code] if code else _of_instance(instance_type, local_code(f"{instance_type}-endpoint"))


def bedrock_quota(context: Context, region: str, model_id: str) -> float | None:
    """Tokens per minute, input and output together, for a model or inference profile; None where no quota of it is known.

    A profile's id ("us.meta...") has the quota of cross-region inference, a model's own id that of on-demand inference in the Region.
    """
    quota = bedrock_tokens_per_minute(model_id)
    return None if quota is None else value(context, region, "bedrock", quota.code)


def bedrock_tokens_per_minute(model_id: str) -> Quota | None:
    """Bedrock's quota of tokens per minute for a model's or profile's id or ARN."""
    name = model_id.rpartition("/")[2] if model_id.startswith("arn:") else model_id
    code = _codes_of_models().get(name.partition(":")[0])
    return known()["bedrock"][code] if code else None


def local_code(what: str) -> str:
    """The code of a quota whose own is not public."""
    return "LOCAL-" + "".join(each if each.isalnum() else "-" for each in what)


@cache
def known() -> dict[str, dict[str, Quota]]:
    """Every quota that the register knows, by service and code."""
    found: dict[str, dict[str, Quota]] = {}
    for quota in (*_of_sagemaker(), *_of_bedrock(), *_of_others()):
        found.setdefault(quota.service_code, {})[quota.code] = quota
    return found


def _changes(context: Context) -> dict[tuple[str, str, str], list[tuple[float, float]]]:
    """(when by the monotonic clock, value) of every change of a quota."""
    changes: dict[tuple[str, str, str], list[tuple[float, float]]] = context.__dict__.setdefault("_quotas", {})
    return changes


# -- SageMaker: one quota for each type of instance

OTHER_INSTANCES = tuple(
    f"ml.{family}.{size}"
    for family in ("m5", "c5", "r5", "m6i", "c6i", "r6i", "m7i", "c7i", "c7g", "c8g")
    for size in ("large", "xlarge", "2xlarge", "4xlarge")
)
"""Types without an accelerator that are listed; any other type has its quota too, under a code of ours."""
ACCELERATED = re.compile(r"(p|g[3-9]|gr|inf|trn|dl)\d*[a-z]*(-[a-z0-9]+)?")
UNLISTED_INSTANCE = re.compile(r"LOCAL-ml-(?P<family>[a-z0-9-]+)-(?P<size>[a-z0-9]+)-endpoint")


@cache
def _codes_of_instances() -> dict[str, str]:
    """{"ml.g5.xlarge": code}"""
    accelerated = [instance.id for instance in catalogue.instances().values() if instance.service == "sagemaker"]
    return {
        type_: _text(f"sagemaker.quota.code.{_fact_name(type_)}") or local_code(f"{type_}-endpoint")
        for type_ in (*accelerated, *OTHER_INSTANCES)
    }


def _of_sagemaker() -> list[Quota]:
    return [_of_instance(type_, code) for type_, code in _codes_of_instances().items()]


def _of_instance(instance_type: str, code: str) -> Quota:
    family = instance_type.split(".")[1]
    zero = ACCELERATED.fullmatch(family) or family in facts.value("sagemaker.quota.zero_families")
    otherwise = facts.number(f"sagemaker.quota.endpoint-{'accelerator' if zero else 'other'}")
    default = _number(f"sagemaker.quota.{_fact_name(instance_type)}", otherwise)
    return Quota("sagemaker", code, f"{instance_type} for endpoint usage", default)


def _fact_name(instance_type: str) -> str:
    return instance_type.removeprefix("ml.").replace(".", "-")


# -- Bedrock: one quota for each model and way to call it

CROSS_REGION = "Cross-region model inference tokens per minute for "
ON_DEMAND = "On-demand model inference tokens per minute for "
BEDROCK_MODELS = {
    "llama-3-3-70b": ("Meta Llama 3.3 70B Instruct", "meta.llama3-3-70b-instruct-v1"),
    "llama-3-1-70b": ("Meta Llama 3.1 70B Instruct", "meta.llama3-1-70b-instruct-v1"),
    "llama-3-1-8b": ("Meta Llama 3.1 8B Instruct", "meta.llama3-1-8b-instruct-v1"),
    "llama-3-1-405b": ("Meta Llama 3.1 405B Instruct", "meta.llama3-1-405b-instruct-v1"),
    "llama-4-maverick": ("Meta Llama 4 Maverick V1", "meta.llama4-maverick-17b-instruct-v1"),
    "llama-4-scout": ("Meta Llama 4 Scout V1", "meta.llama4-scout-17b-instruct-v1"),
    "deepseek-r1": ("DeepSeek R1 V1", "deepseek.r1-v1"),
    "pixtral-large": ("Mistral Pixtral Large 25.02 V1", "mistral.pixtral-large-2502-v1"),
    "nova-lite": ("Amazon Nova Lite", "amazon.nova-lite-v1"),
    "claude-haiku-4-5": ("Anthropic Claude Haiku 4.5", "anthropic.claude-haiku-4-5-20251001-v1"),
    "claude-sonnet-4-5": ("Anthropic Claude Sonnet 4.5 V1", "anthropic.claude-sonnet-4-5-20250929-v1"),
}
"""the register's name of a model: (its name in the quota's name, its id without the revision)"""
PROFILES = ("us", "eu", "apac", "jp", "au", "global")


OWN_NAMES = {
    "nova-micro": ("Amazon Nova Micro", "amazon.nova-micro-v1"),
    "nova-lite": ("Amazon Nova Lite", "amazon.nova-lite-v1"),
    "nova-pro": ("Amazon Nova Pro", "amazon.nova-pro-v1"),
}
"""the same for models with a quota of their own under their own id; through a profile they have it where no other is known"""


@cache
def _codes_of_models() -> dict[str, str]:
    """{"us.meta.llama3-3-70b-instruct-v1": code}"""
    codes: dict[str, str] = {}
    for fact, (_, model_id) in (*OWN_NAMES.items(), *BEDROCK_MODELS.items()):
        own = fact in OWN_NAMES
        through_profile = _bedrock_code(fact) if fact in BEDROCK_MODELS else _bedrock_code(fact, on_demand=True)
        codes[model_id] = _bedrock_code(fact, on_demand=own)
        codes.update({f"{profile}.{model_id}": through_profile for profile in PROFILES})
    return codes


def _bedrock_code(fact: str, *, on_demand: bool = False) -> str:
    kind = "tpm-on-demand-code" if on_demand else "tpm-code"
    return _text(f"bedrock.{kind}.{fact}") or local_code(f"tokens-per-minute-{fact}")


def _of_bedrock() -> list[Quota]:
    through_profiles = [
        Quota("bedrock", _bedrock_code(fact), CROSS_REGION + name, facts.number(f"bedrock.tpm.{fact}"), period_s=60)
        for fact, (name, _) in BEDROCK_MODELS.items()
    ]
    own = [
        Quota(
            "bedrock",
            _bedrock_code(fact, on_demand=True),
            ON_DEMAND + name,
            facts.number(f"bedrock.tpm-on-demand.{fact}"),
            period_s=60,
        )
        for fact, (name, _) in OWN_NAMES.items()
    ]
    units = facts.number("bedrock.pt.unit_quota_default")
    return [
        *through_profiles,
        *own,
        Quota(
            "bedrock",
            local_code("model-units-base"),
            "Model units no-commitment Provisioned Throughputs across base models",
            units,
        ),
        Quota(
            "bedrock",
            local_code("model-units-custom"),
            "Model units no-commitment Provisioned Throughputs across custom models",
            units,
        ),
    ]


# -- others

EC2 = {
    "standard": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
    "g-vt": "Running On-Demand G and VT instances",
    "p": "Running On-Demand P instances",
    "inf": "Running On-Demand Inf instances",
    "trn": "Running On-Demand Trn instances",
}
"""the register's name: AWS's; all of them count vCPUs"""


def _of_others() -> list[Quota]:
    lambda_ = Quota(
        "lambda",
        facts.text("lambda.quota.code.concurrency"),
        "Concurrent executions",
        facts.number("lambda.concurrency.default"),
    )
    ec2 = [
        Quota("ec2", facts.text(f"ec2.quota.code.{fact}"), name, facts.number(f"ec2.quota.{fact}"))
        for fact, name in EC2.items()
    ]
    return [lambda_, *ec2]


def _text(id: str) -> str | None:
    found = _facts(id.partition(".")[0]).get(id)
    return found if isinstance(found, str) else None


def _number(id: str, otherwise: float) -> float:
    found = _facts(id.partition(".")[0]).get(id)
    return float(found) if isinstance(found, int | float) else otherwise


@cache
def _facts(group: str) -> dict[str, Any]:
    """Every fact of a group: looking for one that is not there makes the register look for what may have been meant."""
    return {fact.id: fact.value for fact in facts.where(f"{group}.")}
