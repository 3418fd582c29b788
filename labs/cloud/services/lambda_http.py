"""HTTP to a function and back: payload format 2.0, which function URLs and HTTP APIs share.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

TEXT_TYPES = (
    "text/",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/x-www-form-urlencoded",
)
HOP_BY_HOP = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer"})


@dataclass(frozen=True)
class HttpRequest:
    """A request as it arrived."""

    method: str
    path: str
    """As it was sent, still encoded."""
    query: str
    headers: dict[str, str]
    """by lower-case name; several of one name joined by commas"""
    body: bytes
    source_ip: str
    protocol: str

    @staticmethod
    def of(environ: Mapping[str, Any]) -> "HttpRequest":
        """From a WSGI environment."""
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
            if isinstance(value, str) and value != ""
        }
        parts = urlsplit(environ.get("RAW_URI") or environ.get("PATH_INFO", "/"))
        return HttpRequest(
            environ["REQUEST_METHOD"],
            parts.path or "/",
            parts.query,
            headers,
            environ["wsgi.input"].read(),
            environ.get("REMOTE_ADDR", "127.0.0.1"),
            environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
        )


@dataclass(frozen=True)
class Front:
    """What stands before the function: the parts of the event that do not come from the request."""

    api_id: str
    account_id: str
    domain_name: str
    route_key: str = "$default"
    stage: str = "$default"
    path_parameters: dict[str, str] = field(default_factory=dict)
    stage_variables: dict[str, str] = field(default_factory=dict)
    authorizer: dict[str, Any] | None = None


def event_of(request: HttpRequest, front: Front, request_id: str) -> dict[str, Any]:
    """The event that the function gets."""
    now = datetime.now(UTC)
    text, is_base64 = body_text(request)
    headers = {name: value for name, value in request.headers.items() if name != "cookie"} | {
        "x-forwarded-for": request.source_ip,
        "x-forwarded-port": front.domain_name.rpartition(":")[2],
        "x-forwarded-proto": "http",
    }
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": front.route_key,
        "rawPath": unquote(request.path),
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": front.account_id,
            "apiId": front.api_id,
            "domainName": front.domain_name,
            "domainPrefix": front.api_id,
            "http": {
                "method": request.method,
                "path": unquote(request.path),
                "protocol": request.protocol,
                "sourceIp": request.source_ip,
                "userAgent": request.headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": front.route_key,
            "stage": front.stage,
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": is_base64,
    }
    if text is not None:
        event["body"] = text
    if front.authorizer is not None:
        event["requestContext"]["authorizer"] = front.authorizer
    if cookie := request.headers.get("cookie"):
        event["cookies"] = [part.strip() for part in cookie.split(";")]
    if request.query:
        query: dict[str, str] = {}
        for name, value in parse_qsl(request.query, keep_blank_values=True):
            query[name] = f"{query[name]},{value}" if name in query else value
        event["queryStringParameters"] = query
    if front.path_parameters:
        event["pathParameters"] = front.path_parameters
    if front.stage_variables:
        event["stageVariables"] = front.stage_variables
    return event


def body_text(request: HttpRequest) -> tuple[str | None, bool]:
    """The body as text, or in base64 where it is not text."""
    if not request.body:
        return None, False
    if (
        request.headers.get("content-type", "").lower().startswith(TEXT_TYPES)
        and "content-encoding" not in request.headers
    ):
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(request.body).decode(), True


@dataclass(frozen=True)
class HttpAnswer:
    """What goes back; `body` is bytes, or pieces that leave one by one."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Iterable[bytes] = b""

    def send(self, start_response: Any, *more: tuple[str, str]) -> Iterable[bytes]:
        """As a WSGI application answers."""
        headers = [*self.headers, *more]
        body: Iterable[bytes] = [self.body] if isinstance(self.body, bytes) else self.body
        if isinstance(self.body, bytes):
            headers.append(("Content-Length", str(len(self.body))))
        start_response(f"{self.status} {phrase(self.status)}", headers)
        return body


class Unusable(Exception):  # noqa: N818 - a statement about the function's answer
    """The function answered something that is no HTTP answer."""


def answer_of(result: bytes) -> HttpAnswer:
    """What a function's result is in HTTP. Without a statusCode the result itself is the body. Raises Unusable."""
    try:
        value = json.loads(result or b"null")
    except ValueError:
        raise Unusable("The function's result is not JSON.") from None
    if not isinstance(value, dict) or "statusCode" not in value:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return HttpAnswer(200, (("Content-Type", "application/json"),), text.encode())
    return HttpAnswer(status_of(value), tuple(headers_of(value)), body_of(value))


def status_of(head: Mapping[str, Any]) -> int:
    """Its statusCode. Raises Unusable."""
    try:
        status = int(head["statusCode"])
    except (KeyError, TypeError, ValueError):
        raise Unusable("statusCode is not a number.") from None
    if not 200 <= status <= 599:
        raise Unusable(f"statusCode {status} is not one that HTTP knows.")
    return status


def headers_of(head: Mapping[str, Any], default_type: str = "text/plain;charset=UTF-8") -> list[tuple[str, str]]:
    """Its headers and cookies, without those that the connection decides. Raises Unusable."""
    given, cookies = head.get("headers") or {}, head.get("cookies") or []
    if not isinstance(given, dict) or not isinstance(cookies, list):
        raise Unusable("headers must be an object and cookies a list.")
    headers = [(str(name), str(value)) for name, value in given.items() if str(name).lower() not in HOP_BY_HOP]
    headers += [("Set-Cookie", str(cookie)) for cookie in cookies]
    if any(bad in part for pair in headers for part in pair for bad in "\r\n"):
        raise Unusable("A header has a line break in it.")
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", default_type))
    return headers


def body_of(value: Mapping[str, Any]) -> bytes:
    body = value.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise Unusable("body is not text.")
    if not value.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise Unusable("body is not base64.") from None


def message(status: int, text: str, key: str = "message", *headers: tuple[str, str]) -> HttpAnswer:
    """An answer of the front's own."""
    return HttpAnswer(status, (("Content-Type", "application/json"), *headers), json.dumps({key: text}).encode())


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


# -- cross-origin requests


@dataclass(frozen=True)
class Cors:
    """A CORS configuration, whichever service's names it came with."""

    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    max_age_s: int | None = None
    credentials: bool = False

    @staticmethod
    def of(config: Mapping[str, Any]) -> "Cors":
        """From the API's members, which HTTP APIs and function URLs spell alike but for the first letter's case."""
        given = {name[:1].lower() + name[1:]: value for name, value in config.items()}

        def names(key: str) -> tuple[str, ...]:
            return tuple(str(value) for value in given.get(key) or ())

        return Cors(
            names("allowOrigins"),
            names("allowMethods"),
            names("allowHeaders"),
            names("exposeHeaders"),
            given.get("maxAge"),
            bool(given.get("allowCredentials")),
        )

    def allowed(self, origin: str | None) -> str | None:
        """What Access-Control-Allow-Origin says to `origin`; None when it is not allowed."""
        if not origin:
            return None
        for pattern in self.origins:
            if pattern == "*":
                return origin if self.credentials else "*"
            scheme, star, rest = pattern.partition("*")
            if pattern == origin or (star and origin.startswith(scheme) and origin.endswith(rest)):
                return origin
        return None

    def answers(self, request: HttpRequest, *, preflight: bool) -> list[tuple[str, str]]:
        """The headers for a request from another origin."""
        allowed = self.allowed(request.headers.get("origin"))
        if allowed is None:
            return []
        headers = [("Access-Control-Allow-Origin", allowed)]
        if allowed != "*":
            headers.append(("Vary", "Origin"))
        if self.credentials:
            headers.append(("Access-Control-Allow-Credentials", "true"))
        if self.expose:
            headers.append(("Access-Control-Expose-Headers", ",".join(self.expose)))
        if preflight:
            if self.methods:
                headers.append(("Access-Control-Allow-Methods", ",".join(self.methods)))
            if self.headers:
                headers.append(("Access-Control-Allow-Headers", ",".join(self.headers)))
            if self.max_age_s is not None:
                headers.append(("Access-Control-Max-Age", str(self.max_age_s)))
        return headers


def is_preflight(request: HttpRequest) -> bool:
    return (
        request.method == "OPTIONS"
        and "origin" in request.headers
        and "access-control-request-method" in request.headers
    )
