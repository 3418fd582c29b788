"""Is this AWS account ready for these targets? Looked at without creating anything; each "no" says the exact request to make.

findings = doctor_account.examine(cloud.connect(real=True), ["ec2-vllm"])
"""

import email.utils
import time
from collections.abc import Iterable, Iterator
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from labs import targets
from labs.cloud import Cloud
from labs.errors import Refusal
from labs.facts import catalogue
from labs.targets import permissions, quota, vcpus
from labs.targets.doctor import SKEW_S, Finding


def examine(where: Cloud, names: Iterable[str]) -> list[Finding]:
    """Clock, and for each target: Region, model access, quotas, permissions."""
    found = [_clock()]
    for name in names:
        entry = catalogue.target(name)
        found.append(_region(where, entry))
        if entry.family == "bedrock":
            found.append(_model_access(where, entry))
        if entry.default_instance:
            found.append(_quota(where, entry))
        found.append(_permissions(where, name))
    return found


def _clock() -> Finding:
    said: Any = boto3.client("sts").get_caller_identity()["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    try:
        skew_s = abs(email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except (TypeError, ValueError):
        return Finding("clock", True, "AWS did not say what time it is", required=False)
    return Finding("clock", skew_s < SKEW_S, f"this clock is {skew_s:.0f} s from AWS's", "set this machine's clock")


def _region(where: Cloud, entry: catalogue.Target) -> Finding:
    known = where.region in entry.regions
    others = ", ".join(entry.regions) or "none that was verified"
    return Finding(
        f"{entry.id}: region",
        known,
        f"{where.region} is {'' if known else 'not '}among the Regions where the course's choice is known to work",
        f"AWS_REGION=one of {others}; or ask the service whether it is offered here",
        required=False,
    )


def _model_access(where: Cloud, entry: catalogue.Target) -> Finding:
    on = catalogue.model(entry.default_model).bedrock
    id = f"{entry.id}: model access"
    if on is None:
        return Finding(
            id, True, f"{entry.default_model} is brought along as weights, so nobody has to grant access to it"
        )
    try:
        said: Any = boto3.client("bedrock").get_foundation_model_availability(modelId=on.model_id)
    except ClientError as refused:
        return Finding(
            id,
            False,
            f"{on.model_id}: {_said(refused)}",
            f"allow bedrock:GetFoundationModelAvailability in {where.region}",
        )
    states = {
        "agreement": said["agreementAvailability"]["status"],
        "authorisation": said["authorizationStatus"],
        "entitlement": said["entitlementAvailability"],
        "region": said["regionAvailability"],
    }
    missing = [f"{name} {state}" for name, state in states.items() if state not in ("AVAILABLE", "AUTHORIZED")]
    todo = (
        f"aws bedrock list-foundation-model-agreement-offers --model-id {on.model_id} --region {where.region}, then "
        f"aws bedrock create-foundation-model-agreement --model-id {on.model_id} --offer-token TOKEN"
    )
    return Finding(id, not missing, f"{on.model_id}: {', '.join(missing) or 'may be called'}", todo)


def _quota(where: Cloud, entry: catalogue.Target) -> Finding:
    instance_type, id = str(entry.default_instance), f"{entry.id}: quota"
    try:
        if instance_type.startswith("ml."):
            quota.require(quota.endpoint_instances(instance_type, 1))
        else:
            vcpus.check(where.region, instance_type)
    except quota.TooSmall as small:
        need = small.need
        todo = (
            f"aws service-quotas request-service-quota-increase --service-code {need.service} --quota-code {need.code} "
            f"--desired-value {need.amount:g} --region {where.region}"
        )
        return Finding(id, False, f"the quota {need.what} is too small for one {instance_type}", todo)
    except ClientError as refused:
        return Finding(id, False, f"could not be read: {_said(refused)}", "allow servicequotas:GetServiceQuota")
    except Refusal as refused:
        return Finding(id, False, str(refused), "choose another Region or instance type")
    return Finding(id, True, f"one {instance_type} may run")


def _permissions(where: Cloud, name: str) -> Finding:
    id = f"{name}: permissions"
    policy = permissions.policy(targets.get(name)(), where) if name in targets.TARGETS else None
    if policy is None:
        return Finding(id, False, "this target is not built yet", required=False)
    principal = principal_of(where.identity)
    if principal is None:
        return Finding(
            id, True, "you are the account's root user, who may do everything: better use a role", required=False
        )
    try:
        denied = sorted(set(_denied(principal, policy)))
    except ClientError as refused:
        return Finding(
            id,
            False,
            f"could not be simulated: {_said(refused)}",
            f"allow iam:SimulatePrincipalPolicy on {principal}, or have the policy of 'lab policy {name}' attached",
            required=False,
        )
    except BotoCoreError as broken:
        return Finding(id, False, f"could not be simulated: {broken}", "try again", required=False)
    return Finding(
        id,
        not denied,
        f"not allowed: {', '.join(denied)}" if denied else "all that its policy names is allowed",
        f"have the policy of 'lab policy {name}' attached to {principal}",
    )


def principal_of(identity: str) -> str | None:
    """The user or role whose policies count, from what STS calls the caller; None for the root user."""
    head, _, rest = identity.partition(":assumed-role/")
    if rest:
        account_id = head.rpartition(":")[2]
        partition = head.split(":")[1]
        role = rest.partition("/")[0]
        try:
            return str(
                boto3.client("iam").get_role(RoleName=role)["Role"]["Arn"]
            )  # a role's ARN has its path, the session's has not
        except ClientError:
            return f"arn:{partition}:iam::{account_id}:role/{role}"
    return None if identity.endswith(":root") or not identity else identity


def _denied(principal: str, policy: dict[str, Any]) -> Iterator[str]:
    iam = boto3.client("iam")
    for statement in policy["Statement"]:
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        answer: Any = iam.simulate_principal_policy(
            PolicySourceArn=principal, ActionNames=statement["Action"], ResourceArns=resources
        )
        yield from (each["EvalActionName"] for each in answer["EvaluationResults"] if each["EvalDecision"] != "allowed")


def _said(refused: ClientError) -> str:
    error = refused.response["Error"]
    return f"{error.get('Message', '').rstrip('.')} ({error['Code']})"
