"""What an account has in one Region of Bedrock: profiles, units, models of its own, jobs, agreements and their tags.

    account = accounts(context).of("123456789012", "us-east-1")
    account.provisioned["abc123def456"]

The control plane writes here and the runtime reads; one lock for all of it.
"""

import secrets
import string
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from labs.cloud.context import Context
from labs.cloud.services.bedrock_errors import conflict
from labs.cloud.services.bedrock_later import Later
from labs.cloud.services.errors import ServiceError

MOST_TAGS = 200


def now() -> datetime:
    """The time for a resource's dates."""
    return datetime.now(UTC)


@dataclass
class Resource:
    """Anything that Create makes. `made` is its description as the API shows it; what belongs to one kind only is in its subclass."""

    id: str
    arn: str
    name: str
    created: datetime = field(default_factory=now)
    modified: datetime = field(default_factory=now)
    status: str = ""
    failure: str | None = None
    token: str | None = None
    """clientRequestToken of the call that made it"""

    def becomes(self, status: str, failure: str | None = None) -> None:
        """Enter a state."""
        self.status, self.failure, self.modified = status, failure, now()


@dataclass
class Account:
    """See the module's docstring. Collections are by id."""

    id: str
    region: str
    context: Context
    later: Later
    lock: threading.RLock = field(default_factory=threading.RLock)
    use_case: bytes | None = None
    agreed: set[str] = field(default_factory=set)
    """ids of models whose agreement is in force"""
    collections: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)

    def kind(self, kind: str) -> dict[str, Any]:
        """The resources of one kind, as their ARNs call it ("provisioned-model")."""
        return self.collections.setdefault(kind, {})

    def find(self, kind: str, identifier: str) -> Any:
        """The resource with this id, name or ARN, or None."""
        with self.lock:
            for resource in self.kind(kind).values():
                if identifier in (resource.arn, resource.id, resource.name):
                    return resource
        return None

    def add(self, kind: str, resource: Resource, tags: Iterable[dict[str, str]] | None = None) -> None:
        """Keep a new resource."""
        self.check_tags(tags)
        with self.lock:
            self.kind(kind)[resource.id] = resource
            self.tags[resource.arn] = {tag["key"]: tag["value"] for tag in tags or ()}

    def drop(self, kind: str, resource: Resource) -> None:
        """Forget a resource."""
        with self.lock:
            self.kind(kind).pop(resource.id, None)
            self.tags.pop(resource.arn, None)

    def again(self, kind: str, token: str | None, name: str, what: str) -> Any:
        """The resource that the same request has made already; None when it is new. Raises ConflictException when the name is taken."""
        with self.lock:
            for resource in self.kind(kind).values():
                if token is not None and resource.token == token:
                    return resource
                if resource.name == name:
                    raise conflict(
                        f"The specified {what} name {name} is already in use. Use a different name and try again."
                    )
        return None

    def new_id(self) -> str:
        """Twelve letters and digits."""
        return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))

    def arn(self, kind: str, id: str) -> str:
        """The ARN of a resource of this account."""
        return f"arn:aws:bedrock:{self.region}:{self.id}:{kind}/{id}"

    def wait(self, seconds_on_aws: float, action: Callable[[], object]) -> None:
        """Do it when a control-plane wait of so long has passed."""
        self.later.after(self.context.wait_s(seconds_on_aws), action)

    def check_tags(self, tags: Iterable[dict[str, str]] | None) -> None:
        """No more than a resource may have."""
        if tags is not None and len(list(tags)) > MOST_TAGS:
            raise ServiceError("TooManyTagsException", f"A resource can have at most {MOST_TAGS} tags.")


class Accounts:
    """All accounts and Regions of one cloud."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.later = Later(in_thread=context.endpoint_url is not None)
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Account] = {}

    def of(self, account_id: str, region: str) -> Account:
        """An account in a Region."""
        with self._lock:
            key = (account_id, region)
            if key not in self._known:
                from labs.cloud.services.bedrock_access import open_from_the_start

                self._known[key] = account = Account(account_id, region, self._context, self.later)
                account.agreed = open_from_the_start()
            return self._known[key]


def accounts(context: Context) -> Accounts:
    """Bedrock's accounts in this cloud."""
    found = context.__dict__.get("_bedrock")
    if found is None:
        found = context.__dict__.setdefault("_bedrock", Accounts(context))
        context.on_close(found.later.close)
    result: Accounts = found
    return result
