"""Has the account room for it? Asked before anything is created; if not, a Refusal that names the exact request to make.

quota.require(quota.endpoint_instances("ml.inf2.xlarge", 1))     # raises TooSmall
try: ...
except quota.TooSmall as small: quota.request(small.need); quota.wait(small.need, patience_s=120)
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from labs.errors import FALSE, Refusal
from labs.facts import catalogue


@dataclass(frozen=True)
class Need:
    """So much of one quota."""

    service: str
    """Service Quotas' code of the service: sagemaker, ec2, bedrock."""
    name: str
    """The quota's name there."""
    amount: float
    code: str = ""
    """The quota's code, where it is known; otherwise it is found by its name."""

    @property
    def what(self) -> str:
        """The quota and its code, for a sentence."""
        return f"'{self.name}'" + (f" ({self.code})" if self.code else "")


class TooSmall(Refusal):
    """The account's quota is smaller than what is needed. `need` has the code that Service Quotas gave."""

    def __init__(self, need: Need, applied: float, region: str) -> None:
        command = (
            f"aws service-quotas request-service-quota-increase --service-code {need.service} --quota-code {need.code} "
            f"--desired-value {need.amount:g} --region {region}"
        )
        super().__init__(
            f"the quota {need.what} is {applied:g} in {region}, and {need.amount:g} is needed; nothing was created. "
            f"Ask for it: {command}   ('lab deploy ... --request-quota' asks and waits)",
            FALSE,
        )
        self.need = need


def endpoint_instances(instance_type: str, count: int) -> Need:
    """SageMaker's quota of endpoint instances of a type ("ml.inf2.xlarge")."""
    known = catalogue.instances().get(instance_type)
    code = known.quota_code if known and known.quota_code else ""
    return Need("sagemaker", f"{instance_type} for endpoint usage", count, code)


def require(*needs: Need) -> None:
    """Return when the account may have all of it. What else runs there is not counted: the service itself does that. Raises TooSmall."""
    client = _client()
    for need in needs:
        found = _find(client, need)
        if found["Value"] < need.amount:
            raise TooSmall(
                Need(need.service, need.name, need.amount, found["QuotaCode"]),
                float(found["Value"]),
                str(client.meta.region_name),
            )


def request(need: Need) -> None:
    """Ask AWS for it; a request for the same that is already open is enough."""
    try:
        _client().request_service_quota_increase(
            ServiceCode=need.service, QuotaCode=need.code, DesiredValue=float(need.amount)
        )
    except ClientError as refused:
        if refused.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise


def wait(need: Need, patience_s: float, tell: Callable[[str], object] = lambda _: None) -> None:
    """Return when it is granted. Raises Refusal when patience ends: people at AWS look at some requests, for days."""
    client, deadline, pause_s = _client(), time.monotonic() + patience_s, 0.2
    while _find(client, need)["Value"] < need.amount:
        if time.monotonic() > deadline:
            raise Refusal(
                f"the request for {need.amount:g} of {need.what} is made and not yet granted; "
                "'aws service-quotas list-requested-service-quota-change-history' shows it, and the same command goes on from here",
                FALSE,
            )
        tell(f"waiting for the quota {need.what}")
        time.sleep(pause_s)
        pause_s = min(5.0, pause_s * 1.5)


def _client() -> Any:
    return boto3.client("service-quotas")


def _find(client: Any, need: Need) -> dict[str, Any]:
    """The quota as it is applied, or AWS's default where nothing was ever changed."""
    if need.code:
        for operation in (client.get_service_quota, client.get_aws_default_service_quota):
            try:
                found: dict[str, Any] = operation(ServiceCode=need.service, QuotaCode=need.code)["Quota"]
            except ClientError as refused:
                if "NoSuchResource" not in refused.response["Error"]["Code"]:
                    raise
            else:
                return found
    for operation in ("list_service_quotas", "list_aws_default_service_quotas"):
        for page in client.get_paginator(operation).paginate(ServiceCode=need.service):
            for listed in page["Quotas"]:
                if listed["QuotaName"] == need.name:
                    return dict(listed)
    raise Refusal(f"Service Quotas knows no quota {need.what} in {client.meta.region_name}: is the type offered there?")
