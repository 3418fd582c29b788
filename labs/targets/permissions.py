"""What whoever deploys, calls and removes a target must be allowed: from its calls to a policy without a '*' among its actions.

    with permissions.recording() as calls: ...       # {"ec2.DescribeVpcs", ...}: what this process asked of AWS
    permissions.policy(target, cloud)                # an IAM policy document, for the account's owner

A call is no action: `permissions.yaml` holds what differs, and why. What CloudFormation calls with its caller's credentials follows from the
types in the target's template, and PassRole, which nothing can record, from those that are given a role.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import boto3
import yaml
from botocore.handlers import BUILTIN_HANDLERS

from labs.cloud import Cloud
from labs.targets.base import Site

FILE = Path(__file__).with_name("permissions.yaml")


@contextmanager
def recording() -> Iterator[set[str]]:
    """Every call that clients made inside the block, as "service.Operation"."""
    calls: set[str] = set()

    def note(model: Any, **_: Any) -> None:
        calls.add(f"{model.service_model.service_name}.{model.name}")

    handler: Any = ("before-call", note)
    BUILTIN_HANDLERS.append(handler)
    default, boto3.DEFAULT_SESSION = boto3.DEFAULT_SESSION, None  # clients made before would not tell
    try:
        yield calls
    finally:
        BUILTIN_HANDLERS.remove(handler)
        boto3.DEFAULT_SESSION = default


class Deployable(Protocol):
    """A target, or the reaper."""

    name: str


def calls_of(target: Deployable, site: Site) -> set[str]:
    """Everything that the target's life asks of AWS: its own calls, the seam's, CloudFormation's in its caller's name."""
    data = _data()
    types = _types(target, site)
    own = set(_flat(data["targets"].get(target.name, ())))
    seam = set(data["always"]) | (set(data["stacked"]) if types else set())
    return own | seam | {call for type_ in types for call in data["types"][type_]}


def actions_of(call: str) -> list[str]:
    """The IAM actions that authorise a call."""
    data = _data()
    if (special := data["calls"].get(call)) is not None:
        return list(special["actions"])
    service, _, operation = call.partition(".")
    return [f"{data['prefixes'].get(service, service)}:{operation}"]


def policy(target: Deployable, cloud: Cloud, name: str | None = None) -> dict[str, Any]:
    """The policy document for deploying it under `name` (its own name if none is given), calling it and removing it."""
    site = Site(cloud, name or target.name)
    actions = sorted({action for call in calls_of(target, site) for action in actions_of(call)})
    free = [action for action in actions if _takes_no_resource(action)]
    statements: list[dict[str, Any]] = [
        {"Sid": _sid(prefix), "Effect": "Allow", "Action": chosen, "Resource": _arns(target, prefix, site)}
        for prefix in sorted({action.partition(":")[0] for action in actions})
        if (chosen := [each for each in actions if each.startswith(f"{prefix}:") and each not in free])
    ]
    if free:  # IAM takes no resource with these
        statements.append({"Sid": "TakeNoResource", "Effect": "Allow", "Action": free, "Resource": "*"})
    if services := _given_a_role(target, site):
        statements.append(
            {
                "Sid": "PassRole",
                "Effect": "Allow",
                "Action": ["iam:PassRole"],
                "Resource": [f"arn:{_partition(site)}:iam::{cloud.account_id}:role/{site.name}-*"],
                "Condition": {"StringEquals": {"iam:PassedToService": services}},
            }
        )
    return {"Version": "2012-10-17", "Statement": statements}


def reasons(target: Deployable) -> list[str]:
    """Why actions are not named as calls, for those that this target makes."""
    site = Site(Cloud(None, "us-east-1", "111122223333"), target.name)
    special = _data()["calls"]
    found = [f"{call}: {special[call]['why']}" for call in sorted(calls_of(target, site)) if call in special]
    if _given_a_role(target, site):
        found.append("iam:PassRole: giving a service a role is no call of its own, so it was not recorded.")
    return found


@cache
def _data() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found


def _flat(calls: Iterable[Any]) -> Iterator[str]:
    """The file's groups of calls, one after another."""
    for each in calls:
        yield from [each] if isinstance(each, str) else each


def _types(target: Deployable, site: Site) -> list[str]:
    template = getattr(target, "template", None)
    if template is None:  # made by hand
        return []
    return sorted(set(re.findall(r"^\s+Type: (AWS::\w+::\w+)$", template(site), re.MULTILINE)) - _PARAMETER_TYPES)


_PARAMETER_TYPES = frozenset({"AWS::EC2::VPC::Id", "AWS::EC2::Image::Id"})


def _given_a_role(target: Deployable, site: Site) -> list[str]:
    receivers, by_hand = _data()["passes_role_to"], _data()["passes_by_hand"]
    services = {receivers[type_] for type_ in _types(target, site) if type_ in receivers}
    return sorted(services | ({by_hand[target.name]} if target.name in by_hand else set()))


def _takes_no_resource(action: str) -> bool:
    return any(re.fullmatch(pattern, action) for pattern in _data()["without_resource"])


def _arns(target: Deployable, prefix: str, site: Site) -> list[str]:
    values = {
        "partition": _partition(site),
        "region": site.cloud.region,
        "account": site.cloud.account_id,
        "name": site.name,
        "lower": site.name.lower()[:31].rstrip("-"),
    }
    data = _data()
    patterns = [*data["resources"][prefix], *data["also"].get(target.name, {}).get(prefix, ())]
    return [pattern.format(**values) for pattern in patterns]


def _partition(site: Site) -> str:
    return boto3.Session().get_partition_for_region(site.cloud.region)


def _sid(prefix: str) -> str:
    return "".join(word.capitalize() for word in prefix.split("-"))


def size(document: dict[str, Any]) -> int:
    """Its length as IAM counts it: without white space. A managed policy may have 6,144 of them."""
    return len(json.dumps(document, separators=(",", ":")))


def missing(calls: Iterable[str], target: Deployable, site: Site) -> set[str]:
    """Recorded calls for which the policy has no action."""
    allowed = {action for call in calls_of(target, site) for action in actions_of(call)}
    return {call for call in calls if not set(actions_of(call)) <= allowed}
