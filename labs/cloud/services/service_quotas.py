"""Service Quotas: what the account may use, and asking for more.

What moto 5.2.5 lacks (each has a test that fails once moto has it): every service but VPC, and every request for an increase.

A request is PENDING for a control-plane wait. What is modest is then approved without anybody looking (up to four instances or units, or
twice the default; EC2 counts vCPUs, of which the smallest machine with a GPU has four); more opens a support case, which is approved after
days up to ten times the default, or ten where the default is 0; beyond that the case stays open. AWS says of none of this how it decides: the bounds are the local cloud's.
"""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labs.cloud.context import Context
from labs.cloud.services import core, quotas
from labs.cloud.services.errors import ServiceError
from labs.cloud.services.quotas import Quota

PENDING_S_ON_AWS = 15 * 60.0
CASE_S_ON_AWS = 2 * 86_400.0
SMALL, MODEST_FACTOR = 4.0, 2.0
LARGE, LARGE_FACTOR = 10.0, 10.0
UNITS_OF_A_MACHINE = {"ec2": 4.0}
"""Where a quota counts something smaller than instances."""
NAMES = {
    "bedrock": "Amazon Bedrock",
    "sagemaker": "Amazon SageMaker",
    "ec2": "Amazon Elastic Compute Cloud (Amazon EC2)",
    "lambda": "AWS Lambda",
}
Where = tuple[str, str]
"""(account, Region)"""


def install(context: Context) -> None:
    """Answer for every service that the register has quotas of."""
    core.install(context)
    from moto.servicequotas.responses import ServiceQuotasResponse

    desk = Desk(context)
    for operation in desk.operations():
        context.patch(ServiceQuotasResponse, operation.__name__, answered(operation))


def answered(operation: Callable[[Where, dict[str, Any]], dict[str, Any]]) -> Any:
    """A method for moto's response class."""

    def method(self: Any) -> Any:
        from moto.core.responses import ActionResult

        return ActionResult(operation((self.current_account, self.region), json.loads(self.body or "{}")))

    return method


@dataclass
class Request:
    """A request for an increase."""

    id: str
    region: str
    quota: Quota
    desired: float
    made_at: float
    requester: str
    pending_s: float
    case_s: float | None
    """real seconds until its case is approved; None for never, 0 when it needs none"""

    def status(self, now: float) -> str:
        age = now - self.made_at
        if age < self.pending_s:
            return "PENDING"
        if self.case_s is None or age < self.pending_s + self.case_s:
            return "CASE_OPENED"
        return "APPROVED"

    @property
    def needs_case(self) -> bool:
        return self.case_s is None or self.case_s > 0


class Desk:
    """Answers for an account's quotas. Each operation takes (account, Region) and the call's parameters."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._requests: list[Request] = []

    def operations(self) -> tuple[Callable[[Where, dict[str, Any]], dict[str, Any]], ...]:
        """What of the API is answered."""
        return (
            self.list_services,
            self.list_service_quotas,
            self.list_aws_default_service_quotas,
            self.get_service_quota,
            self.get_aws_default_service_quota,
            self.request_service_quota_increase,
            self.get_requested_service_quota_change,
            self.list_requested_service_quota_change_history,
            self.list_requested_service_quota_change_history_by_quota,
        )

    def list_services(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - as all of them
        services = [{"ServiceCode": code, "ServiceName": NAMES[code]} for code in sorted(NAMES)]
        return page("Services", services, given)

    def list_service_quotas(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        found = [
            self._shown(where, quota)
            for quota in of_service(given["ServiceCode"]).values()
            if given.get("QuotaCode") in (None, quota.code)
        ]
        return page("Quotas", found, given)

    def list_aws_default_service_quotas(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        found = [self._shown(where, quota, default=True) for quota in of_service(given["ServiceCode"]).values()]
        return page("Quotas", found, given)

    def get_service_quota(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        return {"Quota": self._shown(where, one(given))}

    def get_aws_default_service_quota(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        return {"Quota": self._shown(where, one(given), default=True)}

    def request_service_quota_increase(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        quota, desired, now = one(given), float(given["DesiredValue"]), time.time()
        applied = quotas.value(self._context, where[1], quota.service_code, quota.code)
        if not quota.adjustable:
            raise ServiceError("IllegalArgumentException", f"The quota {quota.name} cannot be increased.")
        if desired <= applied:
            raise ServiceError(
                "IllegalArgumentException", "You must provide a quota value greater than the current quota value."
            )
        if any(
            (request.region, request.quota) == (where[1], quota) and request.status(now) != "APPROVED"
            for request in self._requests
        ):
            raise ServiceError(
                "ResourceAlreadyExistsException", "Only one open service quota increase request is allowed per quota."
            )
        case_s = case_s_on_aws(quota, desired)
        request = Request(
            uuid.uuid4().hex,
            where[1],
            quota,
            desired,
            now,
            f"arn:aws:iam::{where[0]}:root",
            self._context.wait_s(PENDING_S_ON_AWS),
            None if case_s is None else self._context.wait_s(case_s),
        )
        self._requests.append(request)
        if request.case_s is not None:
            quotas.set_value(
                self._context,
                where[1],
                quota.service_code,
                quota.code,
                desired,
                in_s=request.pending_s + request.case_s,
            )
        return {"RequestedQuota": self._change(where, request)}

    def get_requested_service_quota_change(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        found = [request for request in self._of(where) if request.id == given["RequestId"]]
        if not found:
            raise missing()
        return {"RequestedQuota": self._change(where, found[0])}

    def list_requested_service_quota_change_history(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        changes = [
            self._change(where, request)
            for request in reversed(self._of(where))
            if given.get("ServiceCode") in (None, request.quota.service_code)
            and given.get("QuotaCode") in (None, request.quota.code)
        ]
        return page("RequestedQuotas", [c for c in changes if given.get("Status") in (None, c["Status"])], given)

    def list_requested_service_quota_change_history_by_quota(
        self, where: Where, given: dict[str, Any]
    ) -> dict[str, Any]:
        one(given)
        return self.list_requested_service_quota_change_history(where, given)

    def _of(self, where: Where) -> list[Request]:
        return [request for request in self._requests if request.region == where[1]]

    def _shown(self, where: Where, quota: Quota, *, default: bool = False) -> dict[str, Any]:
        applied = quotas.value(self._context, where[1], quota.service_code, quota.code)
        return {
            **named(where, quota),
            "Value": quota.default if default else applied,
            "Unit": quota.unit,
            "Adjustable": quota.adjustable,
            "GlobalQuota": False,
            "QuotaAppliedAtLevel": "ACCOUNT",
            **({"Period": {"PeriodValue": quota.period_s // 60, "PeriodUnit": "MINUTE"}} if quota.period_s else {}),
        }

    def _change(self, where: Where, request: Request) -> dict[str, Any]:
        status = request.status(time.time())
        updated = request.made_at + (0 if status == "PENDING" else request.pending_s)
        case = {"CaseId": str(int(request.made_at * 1000))} if request.needs_case and status != "PENDING" else {}
        return {
            **named(where, request.quota),
            **case,
            "Id": request.id,
            "DesiredValue": request.desired,
            "Status": status,
            "Created": request.made_at,
            "LastUpdated": updated,
            "Requester": json.dumps({"accountId": where[0], "callerArn": request.requester}),
            "GlobalQuota": False,
            "Unit": request.quota.unit,
            "QuotaRequestedAtLevel": "ACCOUNT",
        }


def case_s_on_aws(quota: Quota, desired: float) -> float | None:
    """How long a support case about this takes: 0 when it needs none, None when it is never approved."""
    unit = UNITS_OF_A_MACHINE.get(quota.service_code, 1.0)
    if desired <= max(SMALL * unit, MODEST_FACTOR * quota.default):
        return 0.0
    return CASE_S_ON_AWS if desired <= max(LARGE * unit, LARGE_FACTOR * quota.default) else None


def named(where: Where, quota: Quota) -> dict[str, str]:
    return {
        "ServiceCode": quota.service_code,
        "ServiceName": NAMES[quota.service_code],
        "QuotaArn": f"arn:aws:servicequotas:{where[1]}:{where[0]}:{quota.service_code}/{quota.code}",
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
    }


def missing() -> ServiceError:
    return ServiceError("NoSuchResourceException", "The request failed because the specified resource does not exist.")


def of_service(code: str) -> dict[str, Quota]:
    found = quotas.known().get(code)
    if found is None:
        raise ServiceError(
            "NoSuchResourceException",
            f"The local cloud has quotas of {', '.join(sorted(NAMES))}, and none of the service {code}.",
        )
    return found


def one(given: dict[str, Any]) -> Quota:
    of_service(given["ServiceCode"])
    try:
        return quotas.get(given["ServiceCode"], given["QuotaCode"])
    except quotas.UnknownQuota:
        raise missing() from None


def page(name: str, found: list[dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
    """One page of an answer."""
    try:
        start, size = int(given.get("NextToken") or 0), int(given.get("MaxResults") or 100)
    except ValueError:
        raise ServiceError("InvalidPaginationTokenException", "Invalid input was provided.") from None
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return {name: found[start : start + size], **more}
