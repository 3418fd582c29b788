"""What stands in a cloud, whoever made it, and its removal: by the ledger and by tags, in order, again and again, and then a look.

standing.deployments(where)                    # names, oldest first
standing.remove(where, "mine", tell)           # what is left of it, each with the reason; [] when nothing is
standing.remove_all(where, tell)               # everything of the course's in this Region, and the proof
with standing.in_region(where, "us-west-2") as there: ...
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import boto3

from labs.cloud import Cloud
from labs.errors import Refusal
from labs.targets import ledger, removing, spend, stacks, staging, steps, tagged
from labs.targets.reaper import deploying

Tell = Callable[[str], object]


@dataclass(frozen=True)
class Removal:
    """What was removed in one Region, and what a look afterwards found."""

    region: str
    removed: tuple[str, ...]
    left: tuple[str, ...]
    """What is still there, each with the reason; and what could not be looked for."""
    bucket: bool = False
    """Was the bucket of the workers' code removed as well?"""


def deployments(where: Cloud) -> list[str]:
    """By tags and by the ledger: also what failed, or what a killed process left half made. Not the reaper."""
    standing = [stack.name for stack in stacks.listed(where) if stack.name != deploying.NAME]
    made = [entry.deployment for entry in ledger.entries(where) if entry.deployment not in ("", deploying.NAME)]
    return list(dict.fromkeys([*standing, *made]))


def remove(where: Cloud, name: str, tell: Tell) -> list[str]:
    """Remove one deployment, its stack before its steps; what is left of it, each with the reason."""
    try:
        left = [str(one) for one in stacks.delete(where, name, tell)] or steps.remove(where, name, tell)
    except Refusal as refused:
        return [str(refused)]
    if not left:
        spend.close(where, name)
    return left


def finish(where: Cloud, tell: Tell) -> tuple[bool, list[str]]:
    """When no deployment is left: the reaper and the bucket go too. Was there a bucket to remove, and what is left?"""
    if deployments(where):
        return False, []
    there = staging.exists(where)
    try:
        left = deploying.remove_if_last(where, tell)
        bucket = there and not staging.exists(where)
    except Refusal as refused:
        return False, [str(refused)]
    return bucket, left


def remove_all(where: Cloud, tell: Tell) -> Removal:
    """Everything of the course's in this Region, newest first; what no ledger knows is found by its tags. Then look."""
    names = deployments(where)[::-1]
    left = [one for name in names for one in remove(where, name, tell)]
    bucket, more = finish(where, tell)
    left += more
    removed = list(names)
    order = list(removing.KINDS)
    things, _ = tagged.found(where.region)
    known = " ".join(left)
    for thing in sorted(things, key=lambda each: order.index(each.kind)):
        what = f"{thing.kind} {thing.name}"
        if thing.name in known:  # it was tried, and its reason stands there
            continue
        tell(f"removing {what}, which no ledger here knows")
        if (why := steps.until_gone(thing.kind, thing.name)) is not None:
            left.append(f"{what} ({why})")
            continue
        ledger.strike(where, thing.kind, thing.name)
        removed.append(what)
    return Removal(where.region, tuple(removed), tuple(left or look(where)), bucket)


def look(where: Cloud) -> list[str]:
    """What of the course's is there: by tags, by the ledger; and what could not be looked for. [] is the proof that nothing is."""
    things, problems = tagged.found(where.region)
    held = [f"{entry.kind} {entry.name} (in the ledger)" for entry in ledger.entries(where)]
    return [f"{thing.kind} {thing.name} (still there)" for thing in things] + held + problems


@contextmanager
def in_region(where: Cloud, region: str) -> Iterator[Cloud]:
    """The same cloud in another Region, for this process, until the block ends."""
    before = {name: os.environ.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION")}
    os.environ |= dict.fromkeys(before, region)
    session, boto3.DEFAULT_SESSION = boto3.DEFAULT_SESSION, None
    try:
        yield replace(where, region=region)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        boto3.DEFAULT_SESSION = session
