"""SQUID's stack in front of a target: checked first, then created whole or not at all.

deployed = deploy(cloud.connect(), targets.get("bedrock-on-demand")(), name="squid", settings={"BatchSize": "5"})
deployed.outputs["QueueUrl"]
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from labs.cloud import Cloud
from labs.errors import FALSE, USAGE, Refusal
from labs.squid import package, sizing
from labs.targets import Address, Kind, Site, Target, asking, bedrock_batch, stacks, staging
from labs.targets.bedrock_batch import BedrockBatch

TEMPLATE = Path(__file__).with_name("template.yaml")
DEFAULT_NAME = "squid"
COLLECTORS = "2"
MORE_STATEMENTS = "              # further statements of the target\n"
DEFAULTS = {"MaxTokens": 512, "BatchSize": 5}
"""The template's own, for what is computed from them; a test holds the two together."""


def deploy(
    cloud: Cloud,
    target: Target,
    name: str = DEFAULT_NAME,
    settings: Mapping[str, str] | None = None,
    *,
    target_name: str | None = None,
    hours: float = 24,
    template: str | None = None,
    tell: Callable[[str], object] = print,
) -> stacks.Stack:
    """Create the stack in front of the target that is deployed as `target_name` (None: under its own name).

    `settings` are parameters of the template; `tell` hears how it goes.

    Raises Refusal with the reason when it cannot be: then nothing is left of it.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", name):
        raise Refusal(f"'{name}' cannot name a stack: a letter first, then letters, digits and hyphens", USAGE)
    collects = isinstance(target, BedrockBatch)
    if not collects:
        _check_kind(target)
    if (there := stacks.find(name)) is not None:
        raise Refusal(stacks.name_is_taken(name, there.status), FALSE)
    tell("asking the target")
    site = Site(cloud, target_name or target.name, hours, tell)
    if not collects:  # there is no single call to try
        asking.ready(target, site)
    statements = target.statements(site)
    tell("storing the functions' code")
    worker = package.build()
    try:
        parameters = {
            **parameters_of(target, site),
            "CodeBucket": staging.put(cloud, worker.key, worker.content, hours),
            "CodeKey": worker.key,
            "EventsKeyExpires": str(key_expires_at_s(hours)),
            **(settings or {}),
        }
        parameters |= concurrency(Address.from_json(parameters["Address"]), parameters)
        text = with_statements(template or TEMPLATE.read_text(), statements[1:])
        return stacks.create(cloud, name, text, parameters, hours=hours, tell=tell)
    except Refusal:
        remove_staging_if_unused(cloud)
        raise


def concurrency(address: Address, parameters: Mapping[str, str]) -> dict[str, str]:
    """How many workers, and why: the reason goes into the stack, where whoever runs it finds it."""
    asked = parameters.get("WorkerConcurrency")
    if parameters.get("Answers") == "in-batches":
        return {
            "WorkerConcurrency": asked or COLLECTORS,
            "ConcurrencyReason": f"{asked or COLLECTORS} workers: they only collect, and what a batch takes is no quota of tokens a minute",
        }
    workers, reason = sizing.workers(
        address,
        max_tokens=int(parameters.get("MaxTokens", DEFAULTS["MaxTokens"])),
        batch_size=int(parameters.get("BatchSize", DEFAULTS["BatchSize"])),
        asked=int(asked) if asked else None,
    )
    return {"WorkerConcurrency": str(workers), "ConcurrencyReason": reason}


def parsed(pairs: Iterable[str]) -> dict[str, str]:
    """NAME=VALUE pairs. Raises Refusal for anything else; names that the template has not, CloudFormation refuses."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise Refusal(f"'{pair}' is no NAME=VALUE, as PageOrigin=https://example.org", USAGE)
        found[name] = value
    return found


def key_expires_at_s(hours: float) -> int:
    """When the listeners' key ends: with the stack, as far as AppSync lets a key live, which is between a day and a year."""
    return int(time.time() + min(max(hours, 25), 364 * 24) * 3600)


def remove_staging_if_unused(cloud: Cloud) -> bool:
    """Remove the staging bucket unless a stack of ours is there; True when there was one to remove."""
    return False if stacks.listed(cloud) else staging.remove(cloud)


def parameters_of(target: Target, site: Site) -> dict[str, str]:
    """All that the template is told of a target: swapping the target swaps these and nothing else."""
    stack = stacks.find(site.name)
    outputs = {} if stack is None else stack.outputs
    first = target.statements(site)[:1]  # further ones are written into the template
    told = {
        "TargetName": target.name,
        "ModelActions": ",".join(_all(first, "Action")),
        "ModelResources": ",".join(_all(first, "Resource")),
        "Streams": "yes" if Kind.STREAMING in target.kinds else "no",
        "SubnetIds": outputs.get("SubnetIds", ""),
        "SecurityGroupIds": outputs.get("SecurityGroupIds", ""),
    }
    if isinstance(target, BedrockBatch):
        place = target.place(site)
        batched = {"Answers": "in-batches", "BatchPlace": place.to_json(), "BatchFewest": str(bedrock_batch.fewest())}
        return told | batched | {"ModelId": place.model_id, "Address": Address("converse", place.model_id).to_json()}
    address = target.address(site)
    if address.protocol == "sagemaker-async" and "SucceededTopicArn" in outputs:
        told |= {"Answers": "by-topic"} | {name: outputs[name] for name in ("SucceededTopicArn", "FailedTopicArn")}
    return told | {
        "ModelId": address.model or address.component or address.location,
        "Address": address.to_json(),
    }


def with_statements(template: str, statements: Iterable[Mapping[str, Any]]) -> str:
    """The template with more statements in the worker's role: each with its own actions on its own resources, and its own conditions.

    A parameter can hold one list of actions and one of resources, and every action of several statements on every resource would allow too much.
    """
    lines = "".join(f"              - {json.dumps(statement)}\n" for statement in statements)
    return template.replace(MORE_STATEMENTS, lines, 1)


def _all(statements: list[dict[str, Any]], part: str) -> list[str]:
    """That part of every statement, each entry once, whether it stands alone or in a list."""
    found: dict[str, None] = {}
    for statement in statements:
        entries = statement[part]
        found |= dict.fromkeys([entries] if isinstance(entries, str) else entries)
    return list(found)


def _check_kind(target: Target) -> None:
    """Raise Refusal for a target that a queue cannot stand in front of."""
    if Kind.ONLINE in target.kinds:
        return
    if Kind.ARTIFACT in target.kinds:
        why = "its result is a file that runs somewhere else; there is nothing here for a worker to call"
    else:
        why = f"it answers no single call ({', '.join(sorted(target.kinds))})"
    raise Refusal(f"no queue can stand in front of {target.name}: {why}", USAGE)
