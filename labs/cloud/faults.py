"""Faults on purpose: what fails, when, and how, in the local cloud.

    from labs.cloud import faults
    with faults.inject("throttle", service="bedrock-runtime", operation="ConverseStream", every=3):
        ...                                     # every third call answers ThrottlingException
    with faults.inject("kill-worker", every=7): # every seventh invocation loses its worker process, at a varied moment
        ...

The plan is the same in this process (`mock_aws`) and in the server, which `inject` finds by itself; on the command line it is
`lab cloud faults add throttle --service bedrock-runtime --every 3`.
Chance is seeded: the same plan meets the same calls in the same way.
"""

import json
import random
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import Any

from labs.cloud.context import Context
from labs.errors import FALSE, NOT_READY, USAGE, Refusal

KINDS = {
    "throttle": "the call is refused with the service's own throttling error",
    "server-error": "the call is refused with the service's own 5xx",
    "no-capacity": "the call is refused with the service's own 503",
    "timeout": "the call is refused with the service's own error for an answer that took too long",
    "latency": "the call is answered late by `seconds`",
    "drop": "the connection closes without an answer",
    "cut": "the connection closes in the middle of a streamed answer, after `after` events",
    "stream-error": "a streamed answer ends in the service's own error event, after `after` events",
    "kill-worker": "the process that runs a Lambda function is killed during an invocation",
    "duplicate": "a standard SQS queue delivers a message a second time",
}
"""Every kind of fault and what it does."""

WHERE = {"kill-worker": ("lambda", "Invoke"), "duplicate": ("sqs", "ReceiveMessage")}
"""Kinds that can happen in one place only."""

MOMENTS = ("begin", "middle", "end")
"""When a worker is killed: as the event reaches it, while the handler runs, after it has sent its result but before that is taken."""

CALLERS = ("*", "cloudformation")
"""Whose calls: everybody's as they arrive, or those that CloudFormation makes for a stack, each counted once however often it is retried."""

WIRE = ("throttle", "server-error", "no-capacity", "timeout", "latency", "drop")
"""Kinds that can meet any call."""


@dataclass(frozen=True)
class Fault:
    """One line of the plan. Of `nth`, `every` and `probability` at most one; none of them means every call."""

    kind: str
    service: str = "*"
    """boto3's name of the service, or "*"."""
    operation: str = "*"
    """The API operation ("PutItem"), or "*"."""
    resource: str = "*"
    """For kill-worker the function, for duplicate the queue, by name; else "*"."""
    caller: str = "*"
    """One of CALLERS."""
    nth: int | None = None
    """Only the nth matching call, counted from 1."""
    every: int | None = None
    """Every nth matching call."""
    probability: float | None = None
    seed: int = 0
    times: int | None = None
    """At most so many times."""
    seconds: float = 1.0
    after: int = 3
    moment: str | None = None
    """For kill-worker: one of MOMENTS; None takes them in a random order."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"There is no fault '{self.kind}'; there are: {', '.join(KINDS)}.")
        if sum(rule is not None for rule in (self.nth, self.every, self.probability)) > 1:
            raise ValueError("Of nth, every and probability a fault takes one.")
        for name in ("nth", "every", "times", "after"):
            number = getattr(self, name)
            if number is not None and (not isinstance(number, int) or number < (0 if name == "after" else 1)):
                raise ValueError(f"'{name}' is a whole number from 1, not {number!r}.")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise ValueError(f"A probability lies between 0 and 1; {self.probability!r} does not.")
        if not isinstance(self.seconds, int | float) or not 0 <= self.seconds <= 900:
            raise ValueError(f"'seconds' lies between 0 and 900; {self.seconds!r} does not.")
        if self.moment is not None and self.moment not in MOMENTS:
            raise ValueError(f"A worker can be killed at one of {', '.join(MOMENTS)}, not at '{self.moment}'.")
        if self.caller not in CALLERS:
            raise ValueError(f"Calls come from one of {', '.join(CALLERS)}, not from '{self.caller}'.")
        if self.caller != "*" and self.kind not in WIRE:
            raise ValueError(f"'{self.kind}' does not happen to a call that {self.caller} makes.")
        if self.kind == "cut" and self.service == "s3":
            raise ValueError("An object of S3 does not come as a stream of events, so 'cut' does not happen to it.")
        for value, only in zip((self.service, self.operation), WHERE.get(self.kind, ("*", "*")), strict=True):
            if only != "*" and value not in ("*", only):
                raise ValueError(f"'{self.kind}' happens at {' '.join(WHERE[self.kind])}, not at '{value}'.")

    @staticmethod
    def parse(data: Any) -> "Fault":
        """From JSON. Raises ValueError with a sentence for whoever wrote it."""
        if not isinstance(data, dict) or "kind" not in data:
            raise ValueError("A fault is an object with at least a 'kind'.")
        if unknown := sorted(set(data) - {item.name for item in fields(Fault)}):
            raise ValueError(f"A fault has no '{unknown[0]}'.")
        return Fault(**data)


@dataclass
class Armed:
    """A fault in the plan, and what has come of it."""

    id: int
    fault: Fault
    seen: int = 0
    """Calls that matched."""
    fired: int = 0
    _chance: random.Random = field(default_factory=random.Random, repr=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.fault.seed)

    def matches(self, service: str, operation: str, resource: str, caller: str) -> bool:
        fault = self.fault
        return (
            fault.caller == caller
            and fault.service in ("*", service)
            and fault.operation in ("*", operation)
            and fault.resource in ("*", resource)
            and (fault.times is None or self.fired < fault.times)
        )

    def falls_due(self) -> bool:
        """Count one matching call; does it fail?"""
        self.seen += 1
        fault = self.fault
        if fault.nth is not None:
            due = self.seen == fault.nth
        elif fault.every is not None:
            due = self.seen % fault.every == 0
        elif fault.probability is not None:
            due = self._chance.random() < fault.probability
        else:
            due = True
        self.fired += due
        return due

    def moment(self) -> str:
        return self.fault.moment or self._chance.choice(MOMENTS)

    def within(self, seconds: float) -> float:
        """A random time up to `seconds`."""
        return self._chance.uniform(0, seconds)

    def describe(self) -> dict[str, Any]:
        return {"id": self.id, **asdict(self.fault), "seen": self.seen, "fired": self.fired}


class Injector:
    """The plan of one local cloud. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plan: list[Armed] = []
        self._next_id = 1

    def add(self, fault: Fault) -> int:
        with self._lock:
            armed = Armed(self._next_id, fault)
            self._next_id += 1
            self._plan = [*self._plan, armed]
            return armed.id

    def remove(self, fault_id: int) -> bool:
        with self._lock:
            before = len(self._plan)
            self._plan = [armed for armed in self._plan if armed.id != fault_id]
            return len(self._plan) < before

    def clear(self) -> None:
        with self._lock:
            self._plan = []

    def plan(self) -> list[dict[str, Any]]:
        with self._lock:
            return [armed.describe() for armed in self._plan]

    def due(
        self, kinds: tuple[str, ...], service: str, operation: str, resource: str = "*", caller: str = "*"
    ) -> Armed | None:
        """The first fault of one of `kinds` that this call meets; every fault that matches counts the call."""
        if not self._plan:
            return None
        with self._lock:
            met = [
                armed
                for armed in self._plan
                if armed.fault.kind in kinds and armed.matches(service, operation, resource, caller)
            ]
            failing = [armed for armed in met if armed.falls_due()]
            return failing[0] if failing else None

    def duplicates(self, queue: str) -> bool:
        """Is the message just received from `queue` to be delivered again?"""
        return self.due(("duplicate",), "sqs", "ReceiveMessage", queue) is not None

    def kills(self, function: str) -> Armed | None:
        """Is this invocation of `function` to lose its worker?"""
        return self.due(("kill-worker",), "lambda", "Invoke", function)

    def refusal(self, service: str, operation: str, caller: str = "*") -> Exception | None:
        """For calls that one service makes to another inside the cloud: the error it gets, or None; lateness is served here."""
        armed = self.due(WIRE, service, operation, caller=caller)
        if armed is None:
            return None
        if armed.fault.kind == "latency":
            time.sleep(armed.fault.seconds)
            return None
        return refusal_of(armed.fault.kind, service, operation)[0]


# -- inside the cloud


def install(context: Context) -> None:
    """Give `context` an injector, and hang it where every call of every service passes."""
    if context.faults is None:
        context.faults = Injector()
    injector: Injector = context.faults
    from moto.core.responses import BaseResponse

    call_action_before = BaseResponse.call_action

    def call_action(self: Any) -> Any:
        service, operation = self.boto3_service_name, self._get_action() or ""
        armed = injector.due(WIRE, service, operation)
        if armed is not None:
            if armed.fault.kind == "latency":
                time.sleep(armed.fault.seconds)
            elif armed.fault.kind == "drop":
                hang_up(self.normalized_request)
            else:
                return refused(self, armed.fault.kind, service, operation)
        answer: tuple[int, dict[str, Any], Any] = call_action_before(self)
        status, headers, body = answer
        streams = not isinstance(body, str | bytes)
        if streams and (armed := injector.due(("cut", "stream-error"), service, operation)) is not None:
            if armed.fault.kind == "cut":
                body = cut(body, armed.fault.after, self.normalized_request)
            else:
                body = failing(body, armed.fault.after, service, operation)
        return status, headers, body

    context.patch(BaseResponse, "call_action", call_action)
    _here.append(injector)
    context.on_close(lambda: _here.remove(injector))
    routes = getattr(context, "control_routes", None)
    if routes is not None:
        routes["GET", "faults"] = lambda _: injector.plan()
        routes["POST", "faults"] = lambda body: {"id": injector.add(Fault.parse(body))}
        routes["DELETE", "faults"] = lambda body: remove(injector, body)


def remove(injector: Injector, body: Any) -> dict[str, object]:
    """Take one fault out of the plan, or all of them."""
    if not isinstance(body, dict) or body.get("id") is None:
        injector.clear()
        return {"removed": "all"}
    if not injector.remove(int(body["id"])):
        raise ValueError(f"There is no fault {body['id']} in the plan.")
    return {"removed": int(body["id"])}


def refusal_of(kind: str, service: str, operation: str) -> tuple[Exception, int]:
    """The error of `kind` that `service` would answer, from botocore's model of it, and its HTTP status."""
    from moto.core.utils import get_service_model

    injected = injected_class()
    throttled = kind == "throttle"
    message = REFUSALS[kind]
    if service == "s3":  # its model names no errors that every operation has
        return (
            (injected("InternalError", message), 500)
            if kind == "server-error"
            else (injected("SlowDown", message), 503)
        )
    model = get_service_model(service)
    shapes = model.operation_model(operation).error_shapes if operation in model.operation_names else []
    for shape in shapes:
        status = int(shape.metadata.get("error", {}).get("httpStatusCode", 500 if shape.metadata.get("fault") else 400))
        named = any(word in shape.name for word in ("Throttl", "TooManyRequests")) and status < 500
        fits = {
            "throttle": named,
            "server-error": status >= 500,
            "no-capacity": status == 503,
            "timeout": status == 408,
        }
        if fits[kind]:
            return injected(shape.error_code, message), status
    if throttled:
        return injected("Throttling" if model.protocol in ("query", "ec2") else "ThrottlingException", message), 400
    unmodelled = {"no-capacity": ("ServiceUnavailable", 503), "timeout": ("RequestTimeout", 408)}
    code, status = unmodelled.get(kind, ("InternalFailure", 500))
    return injected(code, message), status


REFUSALS = {
    "throttle": "Rate exceeded (injected fault)",
    "server-error": "The service failed (injected fault)",
    "no-capacity": "The service has no capacity at the moment (injected fault)",
    "timeout": "The answer took too long (injected fault)",
}
"""What a refused call is told."""


@cache
def injected_class() -> Any:
    """moto's exception for errors on the wire, made here: of one made in moto it asks the model of a service that its module names."""
    from moto.core.exceptions import ServiceException

    return type("Injected", (ServiceException,), {"__module__": __name__})


def refused(response: Any, kind: str, service: str, operation: str) -> tuple[int, dict[str, Any], Any]:
    """An answer of `kind` in the service's own wire format."""
    error, status = refusal_of(kind, service, operation)
    return serialized(response, error, status)


def answered(response: Any, code: str, message: str, status: int) -> tuple[int, dict[str, Any], Any]:
    """An error in the wire format of the service that `response` (moto's) answers for."""
    return serialized(response, injected_class()(code, message), status)


def serialized(response: Any, error: Exception, status: int) -> tuple[int, dict[str, Any], Any]:
    """See `answered`."""
    import warnings

    from moto.core.responses import ActionResult

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # moto warns of codes that the model does not list; AWS sends them all the same
        _, headers, body = response.serialized(ActionResult(error))
    headers["status"] = str(status)
    return status, *response._enrich_response(headers, body)


def hang_up(request: Any) -> None:
    """Close the connection of `request` without an answer; raises what boto3 makes of that when there is no connection."""
    connection = request.environ.get("werkzeug.socket")
    if connection is None:
        from botocore.exceptions import ConnectionClosedError

        raise ConnectionClosedError(endpoint_url=request.url)
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    raise Dropped


class Dropped(ConnectionError):  # noqa: N818 - not an error of ours
    """The connection was closed on purpose."""


def cut(events: Any, after: int, request: Any) -> Iterator[bytes]:
    """`events` up to the `after`th, then the connection breaks."""
    for number, event in enumerate(events):
        if number == after:
            hang_up(request)
        yield event


def failing(events: Any, after: int, service: str, operation: str) -> Iterator[bytes]:
    """`events` up to the `after`th, then the error event that the service's model has for a stream that breaks."""
    from moto.core.utils import get_service_model

    from labs.cloud.streaming import exception_frame

    output = get_service_model(service).operation_model(operation).output_shape
    kinds = [
        name
        for name, shape in output.members[output.event_stream_name].members.items()
        if shape.metadata.get("exception")
    ]
    kind = next((name for name in kinds if "streamerror" in name.lower()), kinds[0] if kinds else "internalFailure")
    for number, event in enumerate(events):
        if number == after:
            events.close()
            yield exception_frame(kind, "The stream broke off (injected fault)")
            return
        yield event


# -- from outside


_here: list[Injector] = []
"""Injectors of the local clouds inside this process."""


@contextmanager
def inject(kind: str, **rule: Any) -> Iterator["Injector | Remote"]:
    """Put a fault (see `Fault` for the fields) into the local cloud's plan for the length of a `with` block."""
    try:
        fault = Fault(kind, **rule)
    except (ValueError, TypeError) as wrong:
        raise Refusal(str(wrong), USAGE) from None
    cloud = local()
    fault_id = cloud.add(fault)
    try:
        yield cloud
    finally:
        cloud.remove(fault_id)


def fail_kth_call(k: int) -> AbstractContextManager["Injector | Remote"]:
    """For the length of a `with` block, the kth API call that CloudFormation makes, counted from now, fails for good.

    for k in itertools.count(1):
        with faults.fail_kth_call(k) as cloud:
            create_the_stack()                                   # rolled back, as long as it makes k calls or more
            fired = any(line["fired"] for line in cloud.plan())
        remove_it_and_look()
        if not fired:
            break
    """
    return inject("server-error", caller="cloudformation", nth=k)


def local() -> "Injector | Remote":
    """The plan of the local cloud that this process uses: its own, else that of the running server. Refuses when there is neither."""
    if _here:
        return _here[-1]
    from labs.cloud import server, state

    record = server.running(state.home_folder())
    if record is None:
        raise Refusal("No local cloud is running, so there is nothing to break; 'lab cloud up' starts one.", NOT_READY)
    return Remote(record.endpoint_url, record.token)


class Remote:
    """The plan of a local cloud in another process."""

    def __init__(self, endpoint_url: str, token: str) -> None:
        self._url = f"{endpoint_url}/_lab/faults"
        self._token = token

    def add(self, fault: Fault) -> int:
        return int(self._ask("POST", asdict(fault))["id"])

    def remove(self, fault_id: int) -> bool:
        try:
            self._ask("DELETE", {"id": fault_id})
        except Refusal:
            return False
        return True

    def clear(self) -> None:
        self._ask("DELETE", {})

    def plan(self) -> list[dict[str, Any]]:
        plan: list[dict[str, Any]] = self._ask("GET")
        return plan

    def _ask(self, method: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"X-Lab-Token": self._token, "Content-Type": "application/json"}
        request = urllib.request.Request(self._url, data, headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused_:
            raise Refusal(refused_.read().decode(errors="replace").strip(), FALSE) from None
        except OSError as broken:
            raise Refusal(f"The local cloud at {self._url} does not answer ({broken}).", NOT_READY) from None
