"""What every resource type has in common: a way to call AWS's APIs as CloudFormation would, and the words for when that fails."""

import json
import random
import string
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labs.cloud.stacks.schema import schema_of


class Failed(Exception):  # noqa: N818 - a resource that failed, an outcome among others
    """A resource could not be made, changed or removed; the message is the event's reason."""


class Caller:
    """Calls AWS's APIs at one endpoint, with properties as templates have them: numbers and booleans may come as text."""

    def __init__(self, endpoint_url: str | None, region: str, faults: Any = None) -> None:
        self._endpoint_url = endpoint_url
        self._region = region
        self._faults = faults
        self._session: Any = None
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __call__(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Call an operation by its API name ("CreateQueue"). Raises Failed; `code` of a service's error is its attribute."""
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError

        client = self._client(service)
        if self._faults is not None and (broken := self._faults.refusal(service, operation, "cloudformation")):
            raise refused(service, str(getattr(broken, "code", "")), str(getattr(broken, "message", broken)), 500)
        shape = client.meta.service_model.operation_model(operation).input_shape
        given = {name: value for name, value in params.items() if value is not None}
        try:
            answer: dict[str, Any] = getattr(client, xform_name(operation))(**coerce(shape, given))
        except ClientError as said:
            error, meta = said.response["Error"], said.response.get("ResponseMetadata", {})
            raise refused(
                service,
                error.get("Code", ""),
                error.get("Message", ""),
                meta.get("HTTPStatusCode"),
                meta.get("RequestId"),
            ) from None
        except BotoCoreError as wrong:
            message = " ".join(str(wrong).split())
            raise Failed(
                f'Resource handler returned message: "{message}" (RequestToken: {uuid.uuid4()}, HandlerErrorCode: InvalidRequest)'
            ) from None
        return answer

    def _client(self, service: str) -> Any:
        with self._lock:  # a session may make one client at a time
            if service not in self._clients:
                import boto3
                from botocore.config import Config

                from labs.cloud.environment import ACCESS_KEY_ID, SECRET_ACCESS_KEY

                self._session = self._session or boto3.Session(
                    ACCESS_KEY_ID, SECRET_ACCESS_KEY, region_name=self._region
                )
                config = Config(retries={"mode": "standard", "max_attempts": 3}, account_id_endpoint_mode="disabled")
                self._clients[service] = self._session.client(service, endpoint_url=self._endpoint_url, config=config)
            return self._clients[service]


def refused(service: str, code: str, message: str, status: int | None, request_id: str | None = None) -> Failed:
    """A service's error in CloudFormation's words."""
    failed = Failed(
        f'Resource handler returned message: "{message} (Service: {service.title()}, Status Code: {status}, '
        f'Request ID: {request_id or uuid.uuid4()})" (RequestToken: {uuid.uuid4()}, HandlerErrorCode: {handler_code(code, message)})'
    )
    failed.code, failed.kind = code, handler_code(code, message)  # type: ignore[attr-defined]
    return failed


def code_of(failed: Failed) -> str:
    """The service's error code; empty when no service was asked."""
    return str(getattr(failed, "code", ""))


def is_missing(failed: Failed) -> bool:
    """Did a service say that what it was asked about is not there?"""
    return getattr(failed, "kind", "") == "NotFound"


def handler_code(code: str, message: str = "") -> str:
    """CloudFormation's own classes of error. SageMaker says only in words that something is not there."""
    if code == "ValidationException" and message.startswith("Could not find"):
        return "NotFound"
    lowered = code.lower()
    for part, name in (
        ("alreadyexists", "AlreadyExists"),
        ("resourceinuse", "AlreadyExists"),
        ("notfound", "NotFound"),
        ("nosuch", "NotFound"),
        ("nonexistent", "NotFound"),
        ("throttl", "Throttling"),
        ("toomany", "Throttling"),
        ("limitexceeded", "ServiceLimitExceeded"),
        ("accessdenied", "AccessDenied"),
        ("internal", "InternalFailure"),
        ("conflict", "ResourceConflict"),
    ):
        if part in lowered:
            return name
    return "InvalidRequest"


def coerce(shape: Any, value: Any) -> Any:
    """`value` with text turned into what the API's model asks for, and back, as CloudFormation does."""
    if shape is None:
        return value
    if shape.type_name == "structure" and isinstance(value, dict) and not getattr(shape, "is_document_type", False):
        # templates say ResourcesVpcConfig where some APIs say resourcesVpcConfig
        spelled = {member.lower(): member for member in shape.members}
        members = {spelled.get(name.lower(), name): item for name, item in value.items()}
        return {name: coerce(shape.members.get(name), item) for name, item in members.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [coerce(shape.member, item) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {str(name): coerce(shape.value, item) for name, item in value.items()}
    if shape.type_name in ("integer", "long") and isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    if shape.type_name in ("float", "double") and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    if shape.type_name == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if shape.type_name == "string" and isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value


@dataclass
class Work:
    """One resource, being worked on."""

    call: Caller
    logical_id: str
    stack_name: str
    stack_id: str
    properties: dict[str, Any]
    stack_tags: Mapping[str, str] = field(default_factory=dict)
    physical_id: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    """What Fn::GetAtt gives."""
    wait: Callable[[float], None] = time.sleep

    def made(self, physical_id: str, **attributes: Any) -> None:
        """Note what exists from now on, so that a failure after this still removes it."""
        self.physical_id = physical_id
        self.attributes.update(attributes)

    def name(self, given: str, *, longest: int, lower: bool = False) -> str:
        """The property `given`, else a name of the stack's making."""
        if chosen := self.properties.get(given):
            return str(chosen)
        suffix = "".join(random.choices(string.ascii_uppercase + string.digits, k=12))
        room = longest - len(suffix) - 2
        head = f"{self.stack_name}-{self.logical_id}"
        if len(head) > room:
            head = f"{self.stack_name[: max(1, room - len(self.logical_id) - 1)]}-{self.logical_id}"[:room]
        made = f"{head}-{suffix}"
        return made.lower() if lower else made

    def pick(self, *names: str) -> dict[str, Any]:
        """Those of the properties that are there."""
        return {name: self.properties[name] for name in names if name in self.properties}

    def tags(self) -> dict[str, str]:
        """The stack's tags and the resource's own."""
        own = self.properties.get("Tags") or []
        pairs = own.items() if isinstance(own, dict) else ((tag["Key"], tag["Value"]) for tag in own)
        return {**self.stack_tags, **{str(key): str(value) for key, value in pairs}}

    def tag_list(self) -> list[dict[str, str]] | None:
        return [{"Key": key, "Value": value} for key, value in self.tags().items()] or None

    def until(self, ready: Callable[[], bool], *, seconds: float = 600) -> None:
        """Wait until `ready()`. Raises Failed after `seconds`."""
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                raise Failed(f"{self.logical_id} did not stabilize.")
            self.wait(0.05)

    def gone(self, action: Callable[[], Any]) -> None:
        """Do `action`, which removes something; it may be gone already."""
        try:
            action()
        except Failed as failed:
            if not is_missing(failed):
                raise


class ResourceType:
    """One type. Subclasses say how it is made; what AWS says of its properties is in its schema."""

    name: str
    properties: frozenset[str]
    """Those that the local cloud gives a meaning to."""
    named_by: str | None = None
    """The property that gives it a name of its own, if there is one."""
    also_replacing: frozenset[str] = frozenset()
    """Properties whose change needs a replacement here, though not on AWS."""
    attributes: frozenset[str] = frozenset()
    """What Fn::GetAtt gives, for whoever wants to know without making one."""

    @property
    def replacing(self) -> frozenset[str]:
        """Properties that cannot be changed on what exists: another one is made in its place."""
        return schema_of(self.name).create_only | self.also_replacing

    def create(self, work: Work) -> None:
        """Make it, and say so with `work.made` as soon as it exists. Raises Failed."""
        raise NotImplementedError

    def update(self, work: Work, before: dict[str, Any]) -> None:
        """Change what exists from the properties `before` to those of `work`. Raises Failed."""
        raise NotImplementedError

    def delete(self, work: Work) -> None:
        """Remove it; no error when it is gone already. Raises Failed."""
        raise NotImplementedError

    def check(self, logical_id: str, properties: dict[str, Any]) -> None:
        """Refuse properties that the type does not have, or lacks, or whose values it does not take. Raises Failed."""
        if wrong := schema_of(self.name).violations(properties):
            lines = "\n".join(wrong)
            raise Failed(f"Properties validation failed for resource {logical_id} with message:\n{lines}")
        if ignored := sorted(set(properties) - self.properties):
            raise Failed(
                f"The local cloud cannot give {logical_id} the property {ignored[0]}: {self.name} has it on AWS, "
                "but here it would be without effect."
            )


def already_exists(kind: str, identifier: str) -> Failed:
    return Failed(
        f"Resource handler returned message: \"Resource of type '{kind}' with identifier '{identifier}' already exists.\" "
        f"(RequestToken: {uuid.uuid4()}, HandlerErrorCode: AlreadyExists)"
    )


def document(value: Any) -> str:
    """A policy or the like as the text that APIs take."""
    return value if isinstance(value, str) else json.dumps(value)
