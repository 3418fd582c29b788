"""An HTTP API, served: stage, route, authorizer, throttle, function, on a port of the API's own."""

import json
import queue
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labs.cloud import signature
from labs.cloud.listener import Listener, open_listener
from labs.cloud.runtime.outcome import Outcome
from labs.cloud.runtime.pool import Throttled
from labs.cloud.services.apigateway_jwt import Issuers, Misconfigured, Refused, scopes_of, verify
from labs.cloud.services.apigateway_routes import DEFAULT, Route, find
from labs.cloud.services.lambda_ import Runner
from labs.cloud.services.lambda_http import (
    Cors,
    Front,
    HttpAnswer,
    HttpRequest,
    Unusable,
    answer_of,
    event_of,
    is_preflight,
    message,
)
from labs.cloud.services.lambda_permissions import allows

MEGABYTE = 1024 * 1024
NOT_FOUND = (404, "Not Found")


@dataclass(frozen=True)
class Deployed:
    """What a stage serves: the API's parts, as they were when it was deployed or as they are."""

    routes: Mapping[str, Any]
    integrations: Mapping[str, Any]
    authorizers: Mapping[str, Any]

    def table(self) -> list[Route]:
        return [Route.parse(route.route_key, route) for route in list(self.routes.values())]


@dataclass
class Bucket:
    """A token bucket: `rate` requests a second, `burst` at once."""

    rate: float
    burst: float
    _filled: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._filled, self._at = self.burst, time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._filled = min(self.burst, self._filled + (now - self._at) * self.rate)
        self._at = now
        if self._filled < 1:
            return False
        self._filled -= 1
        return True


class HttpApi:
    """One HTTP API's data plane."""

    def __init__(self, api: Any, runner: Runner, issuers: Issuers) -> None:
        from labs import facts

        self._api, self._runner, self._issuers = api, runner, issuers
        self._max_body_bytes = facts.number("apigateway.http.payload_max_mb") * MEGABYTE
        self._buckets: dict[tuple[str, str, float, float], Bucket] = {}
        self._lock = threading.Lock()
        self.listener: Listener = open_listener(self, name=f"http-api-{api.api_id}")

    @property
    def account_id(self) -> str:
        return str(self._api.backend.account_id)

    @property
    def region(self) -> str:
        return str(self._api.backend.region_name)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = HttpRequest.of(environ)
        request_id = str(uuid.uuid4())
        cors = Cors.of(self._api.cors_configuration) if self._api.cors_configuration else None
        if cors is not None and is_preflight(request):
            return HttpAnswer(204, (("apigw-requestid", request_id),)).send(
                start_response, *cors.answers(request, preflight=True)
            )
        answer = self._answer(request, request_id)
        headers = answer.headers
        more: list[tuple[str, str]] = [("apigw-requestid", request_id)]
        if cors is not None:  # the API's configuration takes the place of what the function says
            headers = tuple(pair for pair in headers if not pair[0].lower().startswith("access-control-"))
            more += cors.answers(request, preflight=False)
        return HttpAnswer(answer.status, headers, answer.body).send(start_response, *more)

    # -- the way of a request

    def _answer(self, request: HttpRequest, request_id: str) -> HttpAnswer:
        if self._api.disable_execute_api_endpoint:
            return message(*NOT_FOUND)
        if len(request.body) > self._max_body_bytes:
            return message(413, "Request Entity Too Large")
        stage, path = self._stage(request.path)
        deployed = self._deployed(stage)
        found = find(deployed.table(), request.method, path) if deployed is not None else None
        if stage is None or deployed is None or found is None:
            return message(*NOT_FOUND)
        route, parameters = found
        if not self._let_through(stage, route.key):
            return message(429, "Too Many Requests")
        try:
            authorizer = self._authorize(request, route.value, deployed)
        except signature.Refused:
            return message(403, "Forbidden")
        except Misconfigured:
            return message(500, "Internal Server Error")
        except Refused as refused:
            return unauthorized(refused, list(route.value.authorization_scopes or []))
        integration = deployed.integrations.get(str(route.value.target or "").removeprefix("integrations/"))
        if integration is None:
            return message(500, "Internal Server Error")
        front = Front(
            self._api.api_id,
            self.account_id,
            self.listener.authority,
            route.key,
            stage.name,
            parameters,
            dict(stage.stage_variables or {}),
            authorizer,
        )
        event = json.dumps(event_of(request, front, request_id)).encode()
        return self._invoke(integration, stage, route, event)

    def _stage(self, path: str) -> tuple[Any, str]:
        """The stage meant, and the path within it."""
        first, _, rest = path.lstrip("/").partition("/")
        named = self._api.stages.get(first)
        if named is not None and first != DEFAULT:
            return named, f"/{rest}"
        return self._api.stages.get(DEFAULT), path

    def _deployed(self, stage: Any) -> Deployed | None:
        if stage is None:
            return None
        if stage.auto_deploy:
            return Deployed(self._api.routes, self._api.integrations, self._api.authorizers)
        deployed: Deployed | None = self._api.deployed.get(stage.deployment_id)
        return deployed

    def _let_through(self, stage: Any, route_key: str) -> bool:
        settings = {**(stage.default_route_settings or {}), **((stage.route_settings or {}).get(route_key) or {})}
        rate, burst = settings.get("throttlingRateLimit"), settings.get("throttlingBurstLimit")
        if rate is None and burst is None:
            return True
        rate = float(rate if rate is not None else burst or 0)
        burst = float(burst if burst is not None else rate)
        with self._lock:
            key = (stage.name, route_key, rate, burst)
            return self._buckets.setdefault(key, Bucket(rate, burst)).take()

    def _authorize(self, request: HttpRequest, route: Any, deployed: Deployed) -> dict[str, Any] | None:
        """What the event says of the caller. Raises Refused, signature.Refused, Misconfigured."""
        kind = route.authorization_type or "NONE"
        if kind == "AWS_IAM":
            key_id = signature.check(
                signature.Signed(request.method, request.path, request.query, request.headers, request.body),
                service="execute-api",
                region=self.region,
                secret_of=signature.secrets_of(self.account_id),
            )
            arn = f"arn:aws:iam::{self.account_id}:root"
            return {
                "iam": {"accessKey": key_id, "accountId": self.account_id, "callerId": self.account_id, "userArn": arn}
            }
        if kind != "JWT":
            return None
        authorizer = deployed.authorizers.get(route.authorizer_id)
        if authorizer is None:
            raise Misconfigured(f"authorizer {route.authorizer_id} is gone")
        config = authorizer.jwt_config or {}
        token = bearer(request, authorizer.identity_source)
        claims = verify(token, self._issuers, str(config.get("issuer")), config.get("audience") or ())
        wanted, have = list(route.authorization_scopes or []), scopes_of(claims)
        if wanted and not set(wanted) & set(have):
            raise Refused("insufficient_scope", "the token does not have a required scope")
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in claims.items()}
        return {"jwt": {"claims": texts, "scopes": [scope for scope in wanted if scope in have] or None}}

    def _invoke(self, integration: Any, stage: Any, route: Route, event: bytes) -> HttpAnswer:
        function = function_of(str(integration.integration_uri))
        if function is None or not self._may_invoke(function, stage, route) or function.state != "Active":
            return message(500, "Internal Server Error")
        if len(event) > self._runner.max_request_bytes:
            return message(413, "Request Entity Too Large")
        answers: queue.SimpleQueue[Outcome | Exception] = queue.SimpleQueue()

        def work() -> None:
            try:
                answers.put(self._runner.run(function, event))
            except Exception as failed:
                answers.put(failed)

        # The API stops waiting after its time; the function runs on, as on AWS.
        threading.Thread(target=work, name=f"http-api-{self._api.api_id}", daemon=True).start()
        try:
            outcome = answers.get(timeout=integration.timeout_in_millis / 1000)
        except queue.Empty:
            return message(503, "Service Unavailable")
        if isinstance(outcome, Throttled):
            return message(503, "Service Unavailable")
        if isinstance(outcome, Exception) or outcome.error:
            return message(500, "Internal Server Error")
        try:
            return answer_of(outcome.body)
        except Unusable:
            return message(500, "Internal Server Error")

    def _may_invoke(self, function: Any, stage: Any, route: Route) -> bool:
        method, path = (
            ("$default", "/$default") if route.key == DEFAULT else (route.method, "/" + "/".join(route.segments))
        )
        method = "*" if method == "ANY" else method
        source = f"arn:aws:execute-api:{self.region}:{self.account_id}:{self._api.api_id}/{stage.name}/{method}{path}"
        return allows(
            function,
            "lambda:InvokeFunction",
            service="apigateway.amazonaws.com",
            SourceArn=source,
            SourceAccount=self.account_id,
        )


def bearer(request: HttpRequest, sources: Iterable[str] | None) -> str:
    """The token, from where the authorizer looks for it. Raises Refused."""
    for source in sources or ("$request.header.Authorization",):
        place, _, name = source.removeprefix("$request.").partition(".")
        if place == "header":
            given = request.headers.get(name.lower(), "")
        else:
            from urllib.parse import parse_qs

            given = parse_qs(request.query).get(name, [""])[0]
        if given:
            return given.removeprefix("Bearer ").removeprefix("bearer ").strip()
    raise Refused("", "no token")


def unauthorized(refused: Refused, scopes: list[str]) -> HttpAnswer:
    """401, or 403 for a token that is good but not for this."""
    if refused.error == "insufficient_scope":
        challenge = f'Bearer scope="{" ".join(scopes)}" error="insufficient_scope"'
        return message(403, "Forbidden", "message", ("www-authenticate", challenge))
    challenge = f'Bearer scope="{" ".join(scopes)}" error="{refused.error}" error_description="{refused}"'
    return message(401, "Unauthorized", "message", ("www-authenticate", challenge if refused.error else "Bearer"))


def function_of(uri: str) -> Any:
    """The function that an integration leads to; None when there is none of that name."""
    import re

    from moto.awslambda.exceptions import UnknownFunctionException
    from moto.awslambda.utils import get_backend

    found = re.search(r"arn:aws:lambda:([^:]+):(\d+):function:([\w-]+)(?::([\w$-]+))?", uri)
    if found is None:
        return None
    region, account, name, qualifier = found.groups()
    try:
        return get_backend(account, region).get_function(name, qualifier)
    except UnknownFunctionException:
        return None
