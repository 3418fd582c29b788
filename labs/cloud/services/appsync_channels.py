"""Channels of an Event API, its limits, and who may do what: the rules, without a network.

https://docs.aws.amazon.com/appsync/latest/eventapi/channel-namespaces.html
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from labs.cloud import signature

SEGMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9\-]{0,48}[A-Za-z0-9])?")
KB = 1024


class Refused(Exception):  # noqa: N818 - an answer
    """An operation that is not done; `error_type` is AWS's name for why."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type

    @property
    def status(self) -> int:
        return 401 if self.error_type == "UnauthorizedException" else 400

    @property
    def errors(self) -> list[dict[str, str]]:
        return [{"errorType": self.error_type, "message": str(self)}]


def unauthorized() -> Refused:
    return Refused("UnauthorizedException", "You are not authorized to make this call.")


def bad_request(message: str) -> Refused:
    return Refused("BadRequestException", message)


@dataclass(frozen=True)
class Limits:
    """What one publish may hold, and how deep a channel may be."""

    events: int
    event_bytes: int
    publish_bytes: int
    segments: int

    @staticmethod
    def of_appsync() -> "Limits":
        from labs import facts

        return Limits(
            int(facts.number("appsync.events.publish_batch_max")),
            int(facts.number("appsync.subscription.payload_max_kb") * KB),
            int(facts.number("appsync.events.publish_payload_max_mb") * KB * KB),
            int(facts.number("appsync.events.channel_segments_max")),
        )


def segments_of(channel: Any, limits: Limits, *, wildcard: bool = False) -> tuple[str, ...]:
    """A channel's path, taken apart; its last segment may be "*" where a wildcard may be. Raises Refused."""
    if not isinstance(channel, str):
        raise bad_request("A channel is required.")
    segments = tuple(channel.removeprefix("/").removesuffix("/").split("/"))
    fixed = segments[:-1] if wildcard and len(segments) > 1 and segments[-1] == "*" else segments
    if len(segments) > limits.segments or not all(SEGMENT.fullmatch(segment) for segment in fixed):
        raise bad_request(f"Invalid Channel Format: {channel[:200]}")
    return segments


def matches(pattern: tuple[str, ...], channel: tuple[str, ...]) -> bool:
    """Does a subscription to `pattern` get what is published to `channel`?

    A wildcard stands for one segment. Sources differ on whether on AWS it reaches deeper; do not count on that it does.
    """
    if pattern[-1] == "*":
        return len(channel) == len(pattern) and channel[:-1] == pattern[:-1]
    return pattern == channel


def checked_events(events: Any, limits: Limits) -> list[str]:
    """The events of a publish: a few texts, each of them JSON. Raises Refused."""
    if not isinstance(events, list) or not 1 <= len(events) <= limits.events:
        raise bad_request(f"A publish has 1 to {limits.events} events.")
    for event in events:
        if not isinstance(event, str):
            raise bad_request("Each event must be a string that is valid JSON.")
        if len(event.encode()) > limits.event_bytes:
            raise bad_request(f"An event may have {limits.event_bytes // KB} KB at most.")
        try:
            json.loads(event)
        except (ValueError, RecursionError):
            raise bad_request("Each event must be a string that is valid JSON.") from None
    return events


def namespace_of(api: Any, segments: tuple[str, ...]) -> Any:
    """The channel namespace that a channel belongs to. Raises Refused."""
    for namespace in api.channel_namespaces:
        if namespace.name == segments[0]:
            return namespace
    raise bad_request(f"Channel namespace {segments[0]} does not exist.")


def modes_for(api: Any, action: str, namespace: Any = None) -> set[str]:
    """The kinds of authorisation that let one connect, publish or subscribe."""
    own = getattr(namespace, f"{action}_auth_modes", None) if namespace is not None else None
    key = "connectionAuthModes" if action == "connect" else f"default{action.title()}AuthModes"
    return {str(mode["authType"]) for mode in own or (api.event_config or {}).get(key) or ()}


def authorize(api: Any, modes: set[str], headers: Mapping[str, str], body: bytes) -> None:
    """Do these headers (by lower-case name) authorise? `body` is what a signature covers. Raises Refused."""
    if (key := headers.get("x-api-key")) is not None and "API_KEY" in modes:
        found = api.api_keys.get(key)
        if found is None or found.expires.replace(tzinfo=UTC) < datetime.now(UTC):
            raise unauthorized()
        return
    if "authorization" in headers and "AWS_IAM" in modes:
        request = signature.Signed("POST", "/event", "", headers, body)
        try:
            signature.check(
                request,
                service="appsync",
                region=api.region,
                secret_of=signature.secrets_of(api.backend.account_id),
            )
        except signature.Refused:
            raise unauthorized() from None
        return
    raise unauthorized()


def compact(value: Any) -> bytes:
    """JSON as a browser writes it, which is what clients sign."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
