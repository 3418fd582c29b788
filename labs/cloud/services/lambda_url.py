"""Function URLs that answer: each on a port of its own, in the invoke mode and behind the authorisation that it was made with.

What it cures in moto 5.2.5: a function URL leads nowhere; its InvokeMode has a value that the API does not know; UpdateFunctionUrlConfig
ignores InvokeMode; GetFunctionUrlConfig answers 201; ListFunctionUrlConfigs does not exist.
"""

import json
import uuid
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from labs.cloud import signature
from labs.cloud.context import Context
from labs.cloud.listener import Listener, open_listener
from labs.cloud.runtime.pool import Throttled
from labs.cloud.services.lambda_ import Runner, client_error, invalid, runner_of
from labs.cloud.services.lambda_http import (
    Cors,
    Front,
    HttpAnswer,
    HttpRequest,
    Unusable,
    answer_of,
    event_of,
    headers_of,
    is_preflight,
    message,
    status_of,
)
from labs.cloud.services.lambda_permissions import allows
from labs.cloud.services.lambda_streams import Streamed, StreamLimits, head_of, invocation_events

INVOKE_MODES = ("BUFFERED", "RESPONSE_STREAM")
FORBIDDEN = "Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"


def install(context: Context) -> None:
    """Serve function URLs, and InvokeWithResponseStream."""
    from moto.awslambda import urls
    from moto.awslambda.models import FunctionUrlConfig, LambdaBackend, LambdaFunction
    from moto.awslambda.responses import LambdaResponse
    from moto.core.responses import ActionResult

    from labs.cloud import streaming

    streaming.install(context)
    runner = runner_of(context)
    limits = StreamLimits.of_lambda()
    open_urls: list[FunctionUrl] = []

    def close() -> None:
        for url in open_urls:
            url.close()

    context.on_close(close)

    def create_url_config(self: Any, config: dict[str, Any]) -> Any:
        if self.url_config is not None:
            raise client_error(
                409,
                "ResourceConflictException",
                f"Failed to create function url config for [functionArn = {self.function_arn}]. Error message: "
                "FunctionUrlConfig exists for this Lambda function",
            )
        check(config)
        made = create_before(self, config)
        made.served = FunctionUrl(context, runner, limits, self, made)
        open_urls.append(made.served)
        made.url = f"{made.served.listener.url}/"
        return made

    def delete_url_config(self: Any) -> None:
        if self.url_config is None:
            raise client_error(404, "ResourceNotFoundException", "The resource you requested does not exist.")
        served = self.url_config.served
        served.close()
        open_urls.remove(served)
        delete_before(self)

    def update_url_config(self: Any, config: dict[str, Any]) -> Any:
        made = self.get_url_config()
        check(config)
        made.update(config)
        if config.get("InvokeMode"):
            made.config["InvokeMode"] = config["InvokeMode"]
        return made

    def to_dict(self: Any) -> dict[str, Any]:
        answer: dict[str, Any] = to_dict_before(self)
        answer["InvokeMode"] = self.config.get("InvokeMode") or "BUFFERED"
        return {name: value for name, value in answer.items() if value is not None}

    def delete_function(self: Any, function_name: str, qualifier: str | None = None) -> None:
        function = self.get_function(function_name, qualifier)
        if qualifier is None and function.url_config is not None:
            function.delete_url_config()
        delete_function_before(self, function_name, qualifier)

    def get_function_url_config(self: Any) -> tuple[int, dict[str, Any], str]:
        config = self.backend.get_function_url_config(unquote(self.path.split("/")[-2]))
        return 200, {}, json.dumps(config.to_dict())

    def list_function_url_configs(self: Any) -> tuple[int, dict[str, Any], str]:
        function = self.backend.get_function(unquote(self.path.split("/")[-2]))
        configs = [] if function.url_config is None else [function.url_config.to_dict()]
        return 200, {}, json.dumps({"FunctionUrlConfigs": configs})

    def invoke_with_response_stream(self: Any) -> Any:
        name = unquote(self.path.rsplit("/", 2)[-2])
        function = self.backend.get_function(name, self.querystring.get("Qualifier", [None])[0])
        event = self.raw_body or b"{}"
        event = event.encode() if isinstance(event, str) else event
        runner.check_request(event, asynchronous=False)
        streamed = Streamed(lambda sink: runner.run(function, event, sink=sink), limits)
        try:
            content_type = streamed.content_type()
        except Throttled as refused:
            raise client_error(429, "TooManyRequestsException", "Rate Exceeded.", Reason=refused.reason) from None
        tail = self.headers.get("X-Amz-Log-Type") == "Tail"
        return ActionResult(
            {
                "StatusCode": 200,
                "ExecutedVersion": str(function.version),
                "ResponseStreamContentType": content_type,
                "EventStream": Events(streamed, tail),
            }
        )

    create_before = context.patch(LambdaFunction, "create_url_config", create_url_config)
    delete_before = context.patch(LambdaFunction, "delete_url_config", delete_url_config)
    context.patch(LambdaFunction, "update_url_config", update_url_config)
    to_dict_before = context.patch(FunctionUrlConfig, "to_dict", to_dict)
    delete_function_before = context.patch(LambdaBackend, "delete_function", delete_function)
    for action in (get_function_url_config, list_function_url_configs, invoke_with_response_stream):
        context.patch(LambdaResponse, action.__name__, action)
    for path in ("urls", "response-streaming-invocations"):
        urls.url_paths[rf"{{0}}/(?P<api_version>[^/]+)/functions/(?P<function_name>[^/]+)/{path}/?$"] = (
            LambdaResponse.dispatch
        )


def check(config: dict[str, Any]) -> None:
    """Refuse values that the API does not know."""
    for name, known in (("InvokeMode", INVOKE_MODES), ("AuthType", ("NONE", "AWS_IAM"))):
        if config.get(name) not in (None, *known):
            raise invalid(
                f"Value '{config[name]}' at '{name[:1].lower()}{name[1:]}' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{', '.join(known)}]"
            )


class Events:
    """The event stream of one InvokeWithResponseStream."""

    def __init__(self, streamed: Streamed, tail: bool) -> None:
        self._streamed = streamed
        self._events = invocation_events(streamed, tail=tail)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._events

    def close(self) -> None:
        self._streamed.close()


class FunctionUrl:
    """One function URL, served."""

    def __init__(self, context: Context, runner: Runner, limits: StreamLimits, function: Any, config: Any) -> None:
        self._context, self._runner, self._limits = context, runner, limits
        self._function, self._config = function, config
        self._id = uuid.uuid4().hex
        self._secret_of = signature.secrets_of(function.account_id)
        self.listener: Listener = open_listener(self, name=f"function-url-{function.function_name}")

    def close(self) -> None:
        self.listener.close()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = HttpRequest.of(environ)
        cors = Cors.of(self._config.config.get("Cors") or {})
        if is_preflight(request) and cors.origins:
            return HttpAnswer(200).send(start_response, *cors.answers(request, preflight=True))
        answer = self._answer(request)
        ours = cors.answers(request, preflight=False)
        names = {name.lower() for name, _ in ours}
        kept = tuple(pair for pair in answer.headers if pair[0].lower() not in names)
        return HttpAnswer(answer.status, kept, answer.body).send(start_response, *ours)

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        auth_type = self._config.config.get("AuthType")
        authorizer = None
        if auth_type == "AWS_IAM":
            try:
                authorizer = self._caller(request)
            except signature.Refused as refused:
                return message(403, str(refused), "Message", ("x-amzn-ErrorType", refused.code))
        elif not self._is_public():
            return message(403, FORBIDDEN, "Message", ("x-amzn-ErrorType", "AccessDeniedException"))
        if self._function.state != "Active":
            return message(409, f"The function is {self._function.state}.", "Message")
        front = Front(self._id, self._function.account_id, self.listener.authority, authorizer=authorizer)
        event = json.dumps(event_of(request, front, str(uuid.uuid4()))).encode()
        limit = self._runner.max_request_bytes
        if len(event) > limit:
            return message(
                413, f"Request must be smaller than {limit} bytes for the InvokeFunction operation", "Message"
            )
        try:
            if self._config.config.get("InvokeMode") == "RESPONSE_STREAM":
                return self._stream(event)
            outcome = self._runner.run(self._function, event)
            if outcome.error:
                raise Unusable("The function failed.")
            return answer_of(outcome.body)
        except Throttled as refused:
            return message(
                429,
                "Rate Exceeded.",
                "Message",
                ("x-amzn-ErrorType", "TooManyRequestsException"),
                ("x-lab-reason", refused.reason),
            )
        except Unusable:
            return HttpAnswer(502, (("Content-Type", "text/plain"),), b"Internal Server Error")

    def _stream(self, event: bytes) -> HttpAnswer:
        streamed = Streamed(lambda sink: self._runner.run(self._function, event, sink=sink), self._limits)
        head, pieces = head_of(streamed)
        outcome = streamed.outcome
        if outcome is not None and outcome.error and not outcome.streamed:
            raise Unusable("The function failed before it answered.")
        body = Body(streamed, pieces)
        if head is None:
            return HttpAnswer(200, (("Content-Type", streamed.content_type()),), body)
        return HttpAnswer(status_of(head), tuple(headers_of(head, "application/octet-stream")), body)

    def _is_public(self) -> bool:
        """Does the function's policy let anybody in? Since October 2025 that takes two permissions."""
        return allows(self._function, "lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE") and allows(
            self._function, "lambda:InvokeFunction", InvokedViaFunctionUrl="true", FunctionUrlAuthType="NONE"
        )

    def _caller(self, request: HttpRequest) -> dict[str, Any]:
        key_id = signature.check(
            signature.Signed(request.method, request.path, request.query, request.headers, request.body),
            service="lambda",
            region=self._function.region,
            secret_of=self._secret_of,
        )
        account = self._function.account_id
        return {
            "iam": {
                "accessKey": key_id,
                "accountId": account,
                "callerId": account,
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": f"arn:aws:iam::{account}:root",
                "userId": account,
            }
        }


class Body:
    """A streamed answer's body; a function that fails in the middle leaves it without an end, so that nobody takes it for whole."""

    def __init__(self, streamed: Streamed, pieces: Iterator[bytes]) -> None:
        self._streamed, self._pieces = streamed, pieces

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._streamed.outcome is None or self._streamed.outcome.error:
            raise ConnectionAbortedError("the function failed while it answered")

    def close(self) -> None:
        self._streamed.close()
