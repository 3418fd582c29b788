"""Bedrock Runtime: Converse and InvokeModel, whole and streamed, and CountTokens, answered at the times that the serving engine gives.

Moto has no data plane for Bedrock. Here the wire format ends and the engine begins: a request becomes token counts, the engine says when
each token is made, and the text (`labs.cloud.standin`) is dealt out over those times.
"""

import json
from collections.abc import Callable
from typing import Any

from moto.bedrockruntime.responses import BedrockRuntimeResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from labs.cloud import metrics, streaming
from labs.cloud.context import Context
from labs.cloud.services import bedrock_bodies, bedrock_converse
from labs.cloud.services.bedrock_account import Account, accounts
from labs.cloud.services.bedrock_call import Call, CallEvents
from labs.cloud.services.bedrock_check import check
from labs.cloud.services.bedrock_errors import invalid
from labs.cloud.services.bedrock_models import Served
from labs.cloud.services.bedrock_routes import Route, Routes, Wish
from labs.serving.engine import Event

MAX_BODY_BYTES = 25_000_000
"""The longest body of InvokeModel, as its API's model has it."""
NO_CONVERSE = "This action doesn't support the model that you provided. Try again with a supported text or chat model."
JSON = "application/json"
ECHOED = {
    "performanceConfigLatency": "X-Amzn-Bedrock-PerformanceConfig-Latency",
    "serviceTier": "X-Amzn-Bedrock-Service-Tier",
}
"""Settings that InvokeModel repeats, and the headers in which it does"""


def install(context: Context) -> None:
    """Give moto's BedrockRuntime its data plane."""
    streaming.install(context)
    desk = Desk(context)
    for name in ("converse", "converse_stream", "invoke_model", "invoke_model_with_response_stream", "count_tokens"):
        # Cures, in moto 5.2.5: it has InvokeModel only, which answers any model with an empty body and status 200.
        context.patch(BedrockRuntimeResponse, name, action(getattr(desk, name)))
    context.control_routes["GET", "bedrock/copies"] = lambda _: {
        arn: {"ready": copies.clock.snapshot().replicas_ready, "cmu_minutes": copies.cmu_minutes}
        for arn, copies in desk.routes.copies().items()
    }


def action(method: Callable[[Any], ActionResult]) -> Callable[[Any], ActionResult]:
    """A method for moto's response class, which passes itself."""

    def answer(response: Any) -> ActionResult:
        return method(response)

    return answer


class Desk:
    """The operations. Each takes moto's response object, which holds the request."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._accounts = accounts(context)
        self.routes = Routes(context)

    def converse(self, response: Any) -> ActionResult:
        """One answer, whole."""
        params = parameters(response, "Converse")
        return self._counted(
            response, params, lambda account, route: ActionResult(self._conversation(account, route, params).whole()[0])
        )

    def converse_stream(self, response: Any) -> ActionResult:
        """The same answer, token by token."""
        params = parameters(response, "ConverseStream")
        return self._counted(
            response,
            params,
            lambda account, route: ActionResult({"stream": self._conversation(account, route, params).streamed()}),
        )

    def invoke_model(self, response: Any) -> ActionResult:
        """One answer in the format of the model's family."""
        params = parameters(response, "InvokeModel")

        def start(account: Account, route: Route) -> ActionResult:
            body, sums = self._invocation(account, route, params).whole()
            response.response_headers |= {
                "X-Amzn-Bedrock-Input-Token-Count": str(sums.input_tokens),
                "X-Amzn-Bedrock-Output-Token-Count": str(sums.output_tokens),
                "X-Amzn-Bedrock-Invocation-Latency": str(sums.latency_ms),
            }
            if sums.caches:
                response.response_headers |= {
                    "X-Amzn-Bedrock-Cache-Read-Input-Token-Count": str(sums.cache_read),
                    "X-Amzn-Bedrock-Cache-Write-Input-Token-Count": str(sums.cache_written),
                }
            return ActionResult({"body": encoded(body), "contentType": JSON} | echo_of_headers(params))

        return self._counted(response, params, start)

    def invoke_model_with_response_stream(self, response: Any) -> ActionResult:
        """The same, chunk by chunk."""
        params = parameters(response, "InvokeModelWithResponseStream")

        def start(account: Account, route: Route) -> ActionResult:
            events = Chunks(self._invocation(account, route, params).streamed())
            # An answer that streams has nothing but the stream in its body, and moto's serializer leaves its headers out.
            response.response_headers["X-Amzn-Bedrock-Content-Type"] = JSON
            for name, value in echo_of_headers(params).items():
                response.response_headers[ECHOED[name]] = value
            return ActionResult({"body": events})

        return self._counted(response, params, start)

    def count_tokens(self, response: Any) -> ActionResult:
        """How many tokens a request would have. It costs nothing and no quota."""
        params = parameters(response, "CountTokens")
        account = self._account(response)
        route = self.routes.find(account, params["modelId"], Wish())
        if route.imported:
            raise invalid("The provided model doesn't support counting tokens.")
        given = params["input"]
        if given.get("invokeModel") is not None:
            body = bedrock_bodies.parsed(given["invokeModel"]["body"])
            asked = body_for(route, body).read(body, route.served)
        else:
            asked = bedrock_converse.read_conversation(given["converse"], {})
        return ActionResult({"inputTokens": asked.input_tokens})

    def _conversation(self, account: Account, route: Route, params: dict[str, Any]) -> Call:
        if not route.converses:
            raise invalid(NO_CONVERSE)
        asked = bedrock_converse.read(params, route.served)
        echo = {name: params[name] for name in ("performanceConfig", "serviceTier") if params.get(name)}
        return Call(self._context, account, route, asked, bedrock_converse.ConverseFace(echo))

    def _invocation(self, account: Account, route: Route, params: dict[str, Any]) -> Call:
        raw = params.get("body") or b""
        if len(raw) > MAX_BODY_BYTES:
            raise invalid(f"The body is {len(raw):,} bytes long; the most is {MAX_BODY_BYTES:,}.")
        if params.get("guardrailIdentifier"):
            raise invalid("The guardrail identifier or version provided in the request does not exist.")
        if (kind := params.get("contentType")) not in (None, JSON):
            raise invalid(f"The provided content type {kind} is not supported. Use {JSON}.")
        body = bedrock_bodies.parsed(raw)
        format_ = body_for(route, body)
        return Call(self._context, account, route, format_.read(body, route.served), format_.face(route.served))

    def _account(self, response: Any) -> Account:
        self._accounts.later.settle()
        return self._accounts.of(response.current_account, response.region)

    def _counted(
        self, response: Any, params: dict[str, Any], start: Callable[[Account, Route], ActionResult]
    ) -> ActionResult:
        """Find the route, start the call on it, and count it where it fails; a call that succeeds counts itself at its end."""
        account = self._account(response)
        route = self.routes.find(account, params["modelId"], wish_of(params))
        try:
            return start(account, route)
        except ServiceException as refused:
            name = metric_of(refused.code)
            metrics.put(self._context, account.region, "AWS/Bedrock", name, 1, "Count", ModelId=route.called)
            raise


class Chunks(CallEvents):
    """Events of a body's format, each as the bytes of a chunk."""

    def __init__(self, events: CallEvents) -> None:
        self._events = events
        self.first, self.stream = [chunk(each) for each in events.first], events.stream
        self.translate = self._translate

    def close(self) -> None:
        """Nobody wants the rest."""
        self._events.close()

    def _translate(self, event: Event) -> list[dict[str, Any]]:
        return [chunk(each) for each in self._events.translate(event)]


def chunk(content: dict[str, Any]) -> dict[str, Any]:
    """One event of InvokeModelWithResponseStream."""
    return {"chunk": {"bytes": encoded(content)}}


def encoded(content: dict[str, Any]) -> bytes:
    """JSON as the models write it."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def body_for(route: Route, body: dict[str, Any]) -> bedrock_bodies.Body:
    """The format of a body for what the route leads to."""
    served: Served = route.served
    return bedrock_bodies.body_of(served, body, imported=route.imported)


def parameters(response: Any, operation: str) -> dict[str, Any]:
    """The request's parameters, of the shape that the service's model asks for."""
    params: dict[str, Any] = {name: value for name, value in response.params.items() if value is not None}
    check("bedrock-runtime", operation, params)
    return params


def wish_of(params: dict[str, Any]) -> Wish:
    """The tier and latency setting of a call: Converse has them in structures, InvokeModel in headers."""
    tier = params.get("serviceTier")
    latency = params.get("performanceConfigLatency") or (params.get("performanceConfig") or {}).get("latency")
    return Wish(tier["type"] if isinstance(tier, dict) else tier, latency)


def echo_of_headers(params: dict[str, Any]) -> dict[str, Any]:
    """What InvokeModel repeats of its settings."""
    return {name: params[name] for name in ECHOED if params.get(name)}


def metric_of(code: str) -> str:
    """Which count an error adds to."""
    if code in ("ThrottlingException", "ModelNotReadyException"):
        return "InvocationThrottles"
    if code in ("ServiceUnavailableException", "InternalServerException"):
        return "InvocationServerErrors"
    return "InvocationClientErrors"
