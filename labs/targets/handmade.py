"""A target made by hand, because CloudFormation has no type for it: checked first, made in steps whole or not at all, found again by name.

    @dataclass(frozen=True)
    class BedrockProvisioned(Handmade):
        name = "bedrock-provisioned"
        kinds = frozenset({Kind.ONLINE, Kind.STREAMING})

        def create(self, site: Site) -> None: ...      # steps through `once`, each of which a second run takes up again
        def status(self, site: Site) -> str | None: ...

A process that was killed half-way leaves its steps in the ledger: the same command goes on from there, 'lab teardown' takes them away.
"""

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from boto3.exceptions import Boto3Error  # an upload that broke off is none of botocore's errors
from botocore.exceptions import BotoCoreError, ClientError

from labs.economics.bill import Bill
from labs.errors import FALSE, Refusal
from labs.targets import asking, guard, ledger, removing, stacks, steps
from labs.targets.base import Address, CallFailed, Kind, Site

SHEETS = Path(__file__).parent / "sheets"
PATIENCE_S = 3_600.0
"""How long something may take to come up."""
UNDO_PATIENCE_S = 120.0
"""How long each step that is undone may take to go before it is named as left."""
ROLE_PATIENCE_S = 60.0
"""A new role can be unknown to other services for some seconds."""
_TRANSIENT = ("Throttling", "TooManyRequests", "ServiceUnavailable", "InternalServer", "InternalFailure")

T = TypeVar("T")


class Handmade(ABC):
    """See the module's docstring."""

    name: str
    kinds: frozenset[Kind]

    @abstractmethod
    def worst_case(self, site: Site) -> Bill:
        """As `Target.worst_case`."""

    @abstractmethod
    def check(self, site: Site) -> None:
        """As `Target.check`; it creates nothing."""

    @abstractmethod
    def create(self, site: Site) -> None:
        """Create everything through `once`, and wait until it is up. A second run takes up what a first one began."""

    @abstractmethod
    def status(self, site: Site) -> str | None:
        """How the last of its resources stands ("InService"), when it is up; None when it is not there or not up yet."""

    @abstractmethod
    def address(self, site: Site) -> Address:
        """As `Target.address`."""

    @abstractmethod
    def statements(self, site: Site) -> list[dict[str, Any]]:
        """As `Target.statements`."""

    def sheet(self) -> str:
        """What real AWS needs, what it costs, what could not be tried: a page of Markdown."""
        return (SHEETS / f"{self.name}.md").read_text(encoding="utf-8")

    def deploy(self, site: Site) -> None:
        """Check, create, and ask for one token; what cannot be whole is removed again."""
        self._check_name(site)
        guard.require_admitted(site)
        self.check(site)
        try:
            self.create(site)
            if Kind.ONLINE in self.kinds:
                asking.ready(self, site)
        except (Refusal, ClientError, BotoCoreError, Boto3Error, CallFailed) as failed:
            site.tell("that failed: removing what was begun")
            left = steps.remove(site.cloud, site.name, site.tell, UNDO_PATIENCE_S)
            rest = (
                f"left behind: {'; '.join(left)}; run 'lab teardown {site.name}' later"
                if left
                else "everything it had begun was removed"
            )
            raise Refusal(f"'{site.name}' could not be deployed: {sentence(failed)}; {rest}", FALSE) from failed

    def remove(self, site: Site) -> None:
        """Remove every step that the ledger holds, and look for each."""
        if left := steps.remove(site.cloud, site.name, site.tell):
            raise Refusal(
                f"left of '{site.name}': {'; '.join(left)}; run 'lab teardown {site.name}' again later", FALSE
            )

    def not_deployed(self, site: Site) -> Refusal:
        """For `address`: the sentence when nothing of this name is up."""
        named = f" --name {site.name}" if site.name != self.name else ""
        held = steps.entries(site.cloud, site.name)
        if any(entry.target == self.name for entry in held):
            return Refusal(
                f"'{site.name}' is begun and not up; 'lab deploy {self.name}{named}' goes on with it, 'lab teardown {site.name}' removes it",
                FALSE,
            )
        return Refusal(
            f"{self.name} is not deployed as '{site.name}'; 'lab deploy {self.name}{named}' deploys it", FALSE
        )

    def _check_name(self, site: Site) -> None:
        if (stack := stacks.find(site.name)) is not None:
            raise Refusal(stacks.name_is_taken(site.name, stack.status), FALSE)
        held = steps.entries(site.cloud, site.name)
        others = {entry.target for entry in held} - {self.name}
        status = f"as {', '.join(sorted(others))}" if others else self.status(site) if held else None
        if status is not None:
            raise Refusal(
                f"'{site.name}' is deployed already ({status}); choose another --name, or 'lab teardown {site.name}' first",
                FALSE,
            )


def once(site: Site, target: str, kind: str, name: str, create: Callable[[str], T]) -> T:
    """A step that can be repeated: `create` gets a client request token, the same one until the resource has been removed.

    Raises Refusal when there is a resource of this name that the ledger does not know: it is somebody else's.
    """
    if _entry(site, kind, name) is None:
        if removing.there(kind, name):
            raise Refusal(
                f"a {kind} named '{name}' exists that this ledger does not know; choose another --name for the deployment",
                FALSE,
            )
        return steps.take(site, target, kind, name, lambda: create(_token(site, kind, name)))
    return create(_token(site, kind, name))


def begun(site: Site, kind: str) -> str | None:
    """The name of this deployment's resource of a kind, when one is in the ledger already."""
    held = [entry.name for entry in steps.entries(site.cloud, site.name) if entry.kind == kind]
    return held[0] if held else None


def _entry(site: Site, kind: str, name: str) -> ledger.Entry | None:
    held = steps.entries(site.cloud, site.name)
    return next((entry for entry in held if (entry.kind, entry.name) == (kind, name)), None)


def _token(site: Site, kind: str, name: str) -> str:
    entry = _entry(site, kind, name)
    assert entry is not None
    told = "/".join((kind, name, entry.account_id, entry.region, entry.created_at))
    return hashlib.sha256(told.encode()).hexdigest()[:40]


def wait(
    site: Site,
    what: str,
    look: Callable[[], tuple[str, str]],
    *,
    until: tuple[str, ...],
    over: tuple[str, ...] = ("Failed", "Stopped"),
    patience_s: float = PATIENCE_S,
) -> str:
    """Look until the status is one of `until`, and return it. `look` gives (status, reason); Refusal when it is one of `over`, or patience ends."""
    deadline, pause_s, said = time.monotonic() + patience_s, 0.1, ""
    while True:
        try:
            status, reason = look()
        except ClientError as refused:  # a hiccup while waiting says nothing of the thing that is waited for
            if not _is_transient(refused):
                raise
            status, reason = said, ""
        if status != said:
            site.tell(f"{what}: {status}")
            said = status
        if status in until:
            return status
        if status in over:
            raise Refusal(f"{what} is {status}: {reason.rstrip('.') or 'AWS gives no reason'}", FALSE)
        if time.monotonic() > deadline:
            raise Refusal(f"{what} is still {status} after {patience_s / 60:.0f} minutes", FALSE)
        time.sleep(pause_s)
        pause_s = min(15.0, pause_s * 1.4)


def with_new_role(call: Callable[[], T], patience_s: float = ROLE_PATIENCE_S) -> T:
    """Call, and again while the service says that it cannot assume the role: one made a moment ago is not known everywhere yet."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return call()
        except ClientError as refused:
            message = refused.response["Error"].get("Message", "").lower()
            if not ("role" in message and "assume" in message) or time.monotonic() > deadline:
                raise
        time.sleep(2.0)


def sentence(failed: Exception) -> str:
    """What went wrong, as AWS says it."""
    if isinstance(failed, ClientError):
        error = failed.response["Error"]
        return f"{failed.operation_name}: {error.get('Message', '').rstrip('.')} ({error['Code']})"
    return str(failed)


def _is_transient(refused: ClientError) -> bool:
    code, status = (
        refused.response["Error"]["Code"],
        refused.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0),
    )
    return status >= 500 or any(word in code for word in _TRANSIENT)
