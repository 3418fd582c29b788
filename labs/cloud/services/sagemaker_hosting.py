"""The state of SageMaker in one account and Region, and what its operations share: names, waits that end, pages, tags, logs.

    hosting = of(context, account_id, region)
    hosting.after(258, lambda: finish(endpoint))    # once 258 seconds on AWS have passed here
    hosting.settle()                                # do what is due; every call of the API does so first

There is no thread: what is due happens when somebody looks, and in a cloud with a server somebody looks every second.
"""

import heapq
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from labs import facts
from labs.cloud.context import Context
from labs.cloud.services.sagemaker_validation import refused

if TYPE_CHECKING:
    from labs.cloud.services.sagemaker_component import Component
    from labs.cloud.services.sagemaker_endpoint import Endpoint
    from labs.cloud.services.sagemaker_neo import CompilationJob
    from labs.cloud.services.sagemaker_transform import TransformJob

logger = logging.getLogger(__name__)

Told = dict[str, Any]
"""Parameters or an answer, as the API has them."""
DEFAULT_PAGE = 10
"""What a list returns when MaxResults is not given."""


def now() -> datetime:
    """For CreationTime and its like."""
    return datetime.now(UTC)


@dataclass
class Stored:
    """A resource that is its request: a model or an endpoint configuration."""

    name: str
    arn: str
    params: Told
    created: datetime = field(default_factory=now)


@dataclass
class Hosting:
    """See the module's docstring."""

    context: Context
    account_id: str
    region: str
    lock: Any = field(default_factory=threading.RLock, repr=False)
    models: dict[str, Stored] = field(default_factory=dict)
    configs: dict[str, Stored] = field(default_factory=dict)
    endpoints: "dict[str, Endpoint]" = field(default_factory=dict)
    components: "dict[str, Component]" = field(default_factory=dict)
    compilations: "dict[str, CompilationJob]" = field(default_factory=dict)
    transforms: "dict[str, TransformJob]" = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list, repr=False)
    _numbers: Any = field(default_factory=count, repr=False)

    def arn(self, kind: str, name: str) -> str:
        """The ARN of a resource here."""
        return f"arn:aws:sagemaker:{self.region}:{self.account_id}:{kind}/{name}"

    def after(self, seconds_on_aws: float, action: Callable[[], None]) -> None:
        """Do `action` when that time has passed at this cloud's scale."""
        with self.lock:
            due_at = time.monotonic() + self.context.wait_s(seconds_on_aws)
            heapq.heappush(self._due, (due_at, next(self._numbers), action))

    def settle(self) -> None:
        """Do what is due, in order of time."""
        with self.lock:
            while self._due and self._due[0][0] <= time.monotonic():
                action = heapq.heappop(self._due)[2]
                try:
                    action()
                except Exception:  # whoever looks first must not answer for what another resource runs into
                    logger.exception("something that was due in SageMaker failed")

    def tag(self, arn: str, tags: list[dict[str, str]] | None) -> None:
        """Add tags to a resource."""
        kept = self.tags.setdefault(arn, {})
        kept.update({tag["Key"]: tag["Value"] for tag in tags or ()})
        most = int(facts.number("sagemaker.tags.max"))
        if len(kept) > most:
            raise refused(f"The resource {arn} would have more than {most} tags.")

    def forget(self, arn: str) -> None:
        """Drop the tags of a resource that is gone."""
        self.tags.pop(arn, None)

    def model(self, name: str) -> Stored:
        """The model of this name, or AWS's refusal."""
        if name not in self.models:
            raise refused(f'Could not find model "{self.arn("model", name)}".')
        return self.models[name]

    def config(self, name: str) -> Stored:
        """The endpoint configuration of this name, or AWS's refusal."""
        if name not in self.configs:
            raise refused(f'Could not find endpoint configuration "{self.arn("endpoint-config", name)}".')
        return self.configs[name]

    def endpoint(self, name: str) -> "Endpoint":
        """The endpoint of this name, or AWS's refusal."""
        if name not in self.endpoints:
            raise refused(f'Could not find endpoint "{self.arn("endpoint", name)}".')
        return self.endpoints[name]

    def component(self, name: str) -> "Component":
        """The inference component of this name, or AWS's refusal."""
        if name not in self.components:
            raise refused(f'Could not find inference component "{self.arn("inference-component", name)}".')
        return self.components[name]

    def log(self, group: str, stream: str, *lines: str) -> None:
        """Write to CloudWatch Logs, as a container's output is."""
        from moto.logs.models import logs_backends

        backend = logs_backends[self.account_id][self.region]
        if group not in backend.groups:
            backend.create_log_group(group, {})
        if stream not in backend.groups[group].streams:
            backend.create_log_stream(group, stream)
        at = int(time.time() * 1000)
        backend.put_log_events(group, stream, [{"timestamp": at, "message": line} for line in lines])


def of(context: Context, account_id: str, region: str) -> Hosting:
    """The state of one account and Region in this cloud."""
    with context._lock:
        everywhere: dict[tuple[str, str], Hosting] = context.__dict__.setdefault("_sagemaker", {})
        return everywhere.setdefault((account_id, region), Hosting(context, account_id, region))


def everywhere(context: Context) -> list[Hosting]:
    """All that there is in this cloud."""
    with context._lock:
        return list(context.__dict__.get("_sagemaker", {}).values())


def page(params: Told, items: list[Told], kind: str, result: str, order: str = "Descending") -> Told:
    """One page of summaries: filtered, sorted and cut as the caller asks. `kind` is the prefix of their name ("Endpoint")."""
    name, status = f"{kind}Name", f"{kind}Status"
    modified = "LastModifiedTime"
    found = [
        item
        for item in items
        if params.get("NameContains", "").lower() in item[name].lower()
        and params.get("StatusEquals", item.get(status)) == item.get(status)
        and _within(item["CreationTime"], params, "CreationTime")
        and (modified not in item or _within(item[modified], params, modified))
    ]
    by = {"Name": name, "Status": status, "CreationTime": "CreationTime"}.get(
        params.get("SortBy", "CreationTime"), "CreationTime"
    )
    found.sort(key=lambda item: item[by], reverse=params.get("SortOrder", order) == "Descending")
    start = int(params["NextToken"]) if params.get("NextToken", "").isdecimal() else 0
    if params.get("NextToken") and not params["NextToken"].isdecimal():
        raise refused(f"Invalid NextToken '{params['NextToken'][:40]}'.")
    size = params.get("MaxResults", DEFAULT_PAGE)
    answer: Told = {result: found[start : start + size]}
    if start + size < len(found):
        answer["NextToken"] = str(start + size)
    return answer


def _within(moment: datetime, params: Told, name: str) -> bool:
    after, before = params.get(f"{name}After"), params.get(f"{name}Before")
    at = moment.timestamp()
    return (after is None or at > _seconds(after)) and (before is None or at < _seconds(before))


def _seconds(moment: Any) -> float:
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)
