"""Numbers that no resource shows, put into the cloud by their author: one parameter of Systems Manager a task.

They are claims, and the checks treat them so: each is compared with what the account shows, or with what the course's own models compute.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import boto3

ROOT = "/deployment-dilemma"
MOST_BYTES = 4_000
"""Less than a standard parameter holds."""


def name(slug: str, task: int) -> str:
    """The parameter that holds a task's numbers."""
    return f"{ROOT}/{slug}/task-{task}"


def store(slug: str, task: int, values: Mapping[str, Any]) -> None:
    """Write this task's numbers, in place of earlier ones."""
    given = {key: value for key, value in values.items() if value is not None}
    text = json.dumps(given, default=str)
    if len(text) > MOST_BYTES:
        raise ValueError(f"hand in numbers, not documents: {len(text):,} bytes are more than {MOST_BYTES:,}")
    boto3.client("ssm").put_parameter(Name=name(slug, task), Value=text, Type="String", Overwrite=True)


def remove(slug: str) -> None:
    """Remove all that was handed in for this lab."""
    ssm = boto3.client("ssm")
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=f"{ROOT}/{slug}")
    names = [parameter["Name"] for page in pages for parameter in page["Parameters"]]
    for start in range(0, len(names), 10):  # what one call deletes
        ssm.delete_parameters(Names=names[start : start + 10])


def read(ssm: Any, slug: str, task: int) -> dict[str, Any]:
    """What was handed in; empty when nothing was, or nothing readable."""
    try:
        found = json.loads(ssm.get_parameter(Name=name(slug, task))["Parameter"]["Value"])
    except (ssm.exceptions.ParameterNotFound, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def number(handed_in: Mapping[str, Any], key: str) -> float | None:
    """A number that was handed in; None when it is missing, or not a finite number."""
    value = handed_in.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
