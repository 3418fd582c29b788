"""SageMaker Runtime: InvokeEndpoint and its stream, and asynchronous requests, answered at the times that the serving engine gives."""

from typing import Any
from urllib.parse import unquote

from moto.core.responses import ActionResult
from moto.core.utils import get_service_model

from labs import facts
from labs.cloud.context import Context
from labs.cloud.services import sagemaker_async as asynchronous
from labs.cloud.services import sagemaker_metrics as metrics
from labs.cloud.services.errors import ServiceError
from labs.cloud.services.sagemaker_answers import part, whole
from labs.cloud.services.sagemaker_hosting import Hosting, of
from labs.cloud.services.sagemaker_invocation import (
    TIMED_OUT,
    ContainerFailed,
    Invocation,
    begin,
    content_type,
    model_error,
    shadow,
)
from labs.cloud.services.sagemaker_stream import Streamed
from labs.cloud.services.sagemaker_targets import Destination, find, invalid, payload_limit
from labs.cloud.streaming import TimedEvents
from labs.cloud.wallclock import Rejected
from labs.serving.engine import Event

Answer = tuple[int, dict[str, Any], Any]


def install(context: Context) -> None:
    """Give moto's SageMakerRuntime its data plane."""
    from moto.sagemakerruntime import urls
    from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

    from labs.cloud import streaming

    streaming.install(context)

    def invoke_endpoint(self: Any) -> Answer:
        hosting, params = request_of(context, self, "InvokeEndpoint")
        return invoke(hosting, params)

    def invoke_endpoint_with_response_stream(self: Any) -> ActionResult | Answer:
        hosting, params = request_of(context, self, "InvokeEndpointWithResponseStream")
        return stream(hosting, params)

    def invoke_endpoint_async(self: Any) -> Answer:
        hosting, params = request_of(context, self, "InvokeEndpointAsync")
        return asynchronous.invoke(hosting, params)

    # Cures: moto answers for endpoints that do not exist, with the text "body", and has no streams.
    for action in (invoke_endpoint, invoke_endpoint_with_response_stream, invoke_endpoint_async):
        context.patch(SageMakerRuntimeResponse, action.__name__, action)
    # Cures: moto decodes every body as UTF-8, and fails on one that is not.
    context.patch(SageMakerRuntimeResponse, "use_raw_body", True)
    # Cures: moto has no address for streams.
    route = "{0}/endpoints/(?P<name>[^/]+)/invocations-response-stream$"
    if route not in urls.url_paths:
        urls.url_paths[route] = urls.response.dispatch
        context.on_close(lambda: urls.url_paths.pop(route, None))


def request_of(context: Context, response: Any, operation: str) -> tuple[Hosting, dict[str, Any]]:
    """The request's parameters, from path, headers and body, checked; and the state that it is about."""
    shape = get_service_model("sagemaker-runtime").operation_model(operation).input_shape
    path = response.parsed_url.path.split("/")
    params: dict[str, Any] = {"EndpointName": unquote(path[2]) if len(path) > 2 else ""}
    for name, member in shape.members.items():
        serialized = member.serialization
        if serialized.get("location") == "header" and (given := response.headers.get(serialized["name"])):
            params[name] = int(given) if member.type_name == "integer" and given.isdecimal() else given
    body = response.body if isinstance(response.body, bytes) else str(response.body or "").encode()
    if body or operation != "InvokeEndpointAsync":
        params["Body"] = body
    for name, value in params.items():
        least, most = shape.members[name].metadata.get("min"), shape.members[name].metadata.get("max")
        size = value if isinstance(value, int) else len(value)
        # The model still has the former limit of a body; the service's own is checked with the variant.
        if name != "Body" and ((least is not None and size < least) or (most is not None and size > most)):
            where = name[:1].lower() + name[1:]
            raise invalid(
                f"1 validation error detected: Value '{value}' at '{where}' failed to satisfy constraint: "
                f"Member must have {'value' if isinstance(value, int) else 'length'} between {least or 0} and {most}"
            )
    hosting = of(context, response.current_account, response.region)
    hosting.settle()
    return hosting, params


def invoke(hosting: Hosting, params: dict[str, Any]) -> Answer:
    """InvokeEndpoint."""
    to = destination(hosting, params)
    if isinstance(to, tuple):
        return to
    limit_s = facts.number(
        "sagemaker.serverless.timeout_s" if to.variant.serverless else "sagemaker.realtime.timeout_s"
    )
    mirror(hosting, to, params, limit_s)
    try:
        invocation = begin(to, params["Body"], limit_s, every_token=False)
        said = invocation.wait()
    except ContainerFailed as failed:
        raise model_error(hosting, to.endpoint.name, failed) from None
    return 200, headers_of(params, to, content_type(invocation.asked), "Content-Type"), said


def stream(hosting: Hosting, params: dict[str, Any]) -> ActionResult | Answer:
    """InvokeEndpointWithResponseStream: each of the container's chunks is a PayloadPart."""
    to = destination(hosting, params)
    if isinstance(to, tuple):
        return to
    if to.variant.serverless is not None:
        raise invalid(
            f"Endpoint {to.endpoint.name} is serverless; response streaming is not supported for serverless endpoints."
        )
    limit_s = facts.number("sagemaker.realtime.streaming_timeout_s")
    first_s = facts.number("sagemaker.realtime.timeout_s")
    mirror(hosting, to, params, limit_s)
    try:
        invocation = begin(to, params["Body"], first_s, every_token=True)
        first = first_token(invocation)
    except ContainerFailed as failed:
        raise model_error(hosting, to.endpoint.name, failed) from None
    invocation.go_on_until(limit_s)
    dealer = Dealer(invocation)
    headers = headers_of(params, to, content_type(invocation.asked), "X-Amzn-SageMaker-Content-Type")
    return Streamed(TimedEvents(dealer.events_of(first), invocation.stream, dealer.events_of), headers)


def first_token(invocation: Invocation) -> Event:
    """Nothing is sent before the first token, as on AWS: until then a failure is an HTTP error. Raises ContainerFailed."""
    try:
        for event in invocation.stream:
            if event.kind == "cancelled":
                invocation.told(0, event)
                raise ContainerFailed(0, TIMED_OUT)
            if event.kind in ("tokens", "finished"):
                return event
    except Rejected:
        invocation.told(503, None)
        raise ContainerFailed(503, "The server is overloaded: its queue of waiting requests is full.") from None
    raise AssertionError("a stream ends with an event")


class Dealer:
    """Deals an answer's tokens out over the engine's events, as the container's chunks."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation, self._dealt = invocation, 0

    def events_of(self, event: Event) -> list[dict[str, Any]]:
        """What an event of the engine's is in the stream."""
        asked, words = self._invocation.asked, self._invocation.words
        match event.kind:
            case "tokens" if asked.stream:
                start, self._dealt = self._dealt, min(self._dealt + event.tokens, len(words.pieces))
                return payload(part(asked, words, start, self._dealt))
            case "finished":
                self._invocation.told(200, event)
                return [] if asked.stream else payload(whole(asked, words))
            case "cancelled":
                self._invocation.told(0, event)
                self._invocation.to.metrics.put("MidStreamErrors", 1)
                raise ServiceError(
                    "ModelStreamError",
                    "The model did not finish its answer in time.",
                    ErrorCode="ModelInvocationTimeExceeded",
                )
        return []


def payload(content: bytes) -> list[dict[str, Any]]:
    """Bytes as an event of the stream."""
    return [{"PayloadPart": {"Bytes": content}}]


def destination(hosting: Hosting, params: dict[str, Any]) -> Destination | Answer:
    """Where the request goes, or the answer to a body that is too large."""
    with hosting.lock:
        to = find(hosting, params)
    limit = payload_limit(to.variant)
    if len(params["Body"]) > limit:
        return 413, {"status": 413, "Content-Type": "text/plain"}, f"HTTP content length exceeded {limit} bytes."
    return to


def headers_of(params: dict[str, Any], to: Destination, kind: str, kind_header: str) -> dict[str, Any]:
    """What an answer carries beside its body."""
    headers = {kind_header: kind, "x-Amzn-Invoked-Production-Variant": to.variant.name}
    if params.get("CustomAttributes"):
        headers["X-Amzn-SageMaker-Custom-Attributes"] = params["CustomAttributes"]
    return headers


def mirror(hosting: Hosting, to: Destination, params: dict[str, Any], limit_s: float) -> None:
    """Send the share that shadow variants ask for to them as well."""
    for variant in to.endpoint.shadows:
        total = to.variant.weight
        if variant.placed is None or variant.fleet is None or total <= 0:
            continue
        if to.endpoint.chance.random() < variant.weight / total:
            target = metrics.of_variant(hosting, to.endpoint, variant)
            shadow(Destination(to.endpoint, variant, variant.placed, target, variant.fleet), params["Body"], limit_s)
