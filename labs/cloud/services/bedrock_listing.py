"""What Bedrock's List operations have in common: filters, order, pages."""

import base64
import binascii
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from labs.cloud.services.bedrock_account import Resource
from labs.cloud.services.bedrock_errors import invalid

PAGE = 100
"""Entries of a page when the request does not say."""


def chosen(
    resources: Iterable[Any], params: dict[str, Any], *, status: str = "statusEquals", time: str = "creationTime"
) -> list[Any]:
    """The resources that pass the request's filters, in its order (newest first unless it says). `time` begins its time filters' names."""
    before, after = (_moment(params.get(f"{time}{side}")) for side in ("Before", "After"))
    found: list[Resource] = [
        resource
        for resource in list(resources)
        if params.get("nameContains", "").lower() in resource.name.lower()
        and params.get(status) in (None, resource.status)
        and (before is None or resource.created < before)
        and (after is None or resource.created > after)
    ]
    return sorted(found, key=lambda resource: resource.created, reverse=params.get("sortOrder") != "Ascending")


def page(entries: list[dict[str, Any]], params: dict[str, Any], member: str) -> dict[str, Any]:
    """One page of entries under `member`, and the token of the next."""
    start = _offset(params.get("nextToken"))
    end = start + int(params.get("maxResults") or PAGE)
    answer: dict[str, Any] = {member: entries[start:end]}
    if end < len(entries):
        answer["nextToken"] = base64.urlsafe_b64encode(f"from:{end}".encode()).decode()
    return answer


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if word == "from":
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise invalid("The pagination token is invalid.")


def _moment(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)
    raise invalid(f"'{value}' is not a time.")
