"""The local cloud's front door: every request passes the guard, then goes to our control routes or to moto, and any failure leaves it in
AWS's own shape, so that boto3 shows a sentence instead of "internal server error" and a page of HTML.
"""

import hmac
import json
import logging
import re
import uuid
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from labs.cloud import extension, guard
from labs.cloud.context import Context
from labs.cloud.state import ServerRecord

logger = logging.getLogger(__name__)
TOKEN_HEADER = "X-Lab-Token"


class Dispatcher(DomainDispatcherApplication):
    """Moto's choice of a service for a request; it says so when moto has none, and moto's own reset and seed routes are none."""

    def get_backend_for_host(self, host: str | None) -> Any:
        backend = super().get_backend_for_host(host)
        if host is not None and backend in (None, "moto_api"):
            raise NotImplementedError(host)
        return backend


class Application:
    """A WSGI application: the local cloud of one context."""

    def __init__(self, context: Context, record: ServerRecord) -> None:
        self._context = context
        self._record = record
        self.extension = extension.install(context)
        self._moto = Dispatcher(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if (reason := guard.refusal(environ)) is not None:
            return plain(start_response, "403 Forbidden", reason)
        path = environ["PATH_INFO"]
        if guard.is_hidden(path):
            return plain(start_response, "404 Not Found", f"The local cloud has no {path}.")
        if path.startswith("/_lab/"):
            return self._control(environ, start_response, path.removeprefix("/_lab/"))
        return self._aws(environ, start_response)

    def _control(self, environ: dict[str, Any], start_response: Any, route: str) -> Iterable[bytes]:
        """The project's own routes; each needs the token from the state folder."""
        if not hmac.compare_digest(environ.get("HTTP_X_LAB_TOKEN", "").encode(), self._record.token.encode()):
            return plain(start_response, "403 Forbidden", f"{TOKEN_HEADER} is missing or wrong.")
        handler = self._context.control_routes.get((environ["REQUEST_METHOD"], route))
        if handler is None:
            return plain(start_response, "404 Not Found", f"There is no {environ['REQUEST_METHOD']} /_lab/{route}.")
        body = environ["wsgi.input"].read()
        try:
            answer = handler(json.loads(body) if body else None)
        except ValueError as wrong:
            return plain(start_response, "400 Bad Request", str(wrong))
        return respond(start_response, "200 OK", "application/json", json.dumps(answer).encode())

    def _aws(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        moto_said: list[Any] = []

        def keep(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:  # noqa: ARG001
            moto_said[:] = [status, headers]

        try:
            answer: Iterable[bytes] = self._moto(environ, keep)
        except NotImplementedError:
            return not_implemented(environ, start_response)
        except Exception:
            incident = uuid.uuid4()
            logger.exception("%s: %s %s", incident, environ["REQUEST_METHOD"], environ["PATH_INFO"])
            message = f"The local cloud failed at {operation(environ)}; its log has the details under {incident}."
            return error(environ, start_response, 500, "InternalFailure", message)
        status, headers = moto_said
        if status[:3] in ("404", "405") and environ["REQUEST_METHOD"] != "HEAD" and not is_aws_answer(headers):
            # moto found no route or no method of that name, and says so to a person with a browser or not at all
            return not_implemented(environ, start_response)
        start_response(status, headers)
        return answer


def plain(start_response: Any, status: str, text: str) -> Iterable[bytes]:
    return respond(start_response, status, "text/plain; charset=utf-8", f"{text}\n".encode())


def respond(
    start_response: Any, status: str, content_type: str, body: bytes, *more: tuple[str, str]
) -> Iterable[bytes]:
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body))), *more])
    return [body]


def is_aws_answer(headers: list[tuple[str, str]]) -> bool:
    """Is this an answer of an AWS service, rather than Flask's own page or moto's bare 404?"""
    said = {name.lower(): value for name, value in headers}
    return "html" not in said.get("content-type", "html") and said.get("content-length") != "0"


def credential_scope(environ: dict[str, Any]) -> str:
    """The service that the request was signed for ("sqs", "bedrock"...); empty when it is not signed."""
    found = re.search(r"Credential=[^,]*?/\d{8}/[^/,]*/([^/,]+)/aws4_request", environ.get("HTTP_AUTHORIZATION", ""))
    return found[1].lower() if found else ""


def operation(environ: dict[str, Any]) -> str:
    """What was asked for, as its caller would name it: "sqs CreateQueue", else the method and path."""
    scope = credential_scope(environ) or "an unsigned request"
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return f"{scope} {target.rpartition('.')[2]}"
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        environ["wsgi.input"].seek(0)
        if found := re.search(rb"(?:^|&)Action=(\w+)", environ["wsgi.input"].read()):
            return f"{scope} {found[1].decode()}"
    return f"{scope} {environ['REQUEST_METHOD']} {environ['PATH_INFO']}"


def not_implemented(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """501, which no AWS SDK retries."""
    message = f"The local cloud does not have this operation ({operation(environ)}). On AWS it may well exist."
    return error(environ, start_response, 501, "NotImplemented", message)


def error(environ: dict[str, Any], start_response: Any, status: int, code: str, message: str) -> Iterable[bytes]:
    """An error in the wire format of whoever asked: JSON, CBOR or XML in its three AWS dialects."""
    scope, content_type = credential_scope(environ), environ.get("CONTENT_TYPE", "")
    identifier = str(uuid.uuid4())
    line = f"{status} {code}"
    request_id = ("x-amzn-RequestId", identifier)
    if "cbor" in content_type:
        body = b"\xa2" + b"".join(cbor_text(text) for text in ("__type", code, "message", message))
        return respond(start_response, line, "application/cbor", body, request_id, ("smithy-protocol", "rpc-v2-cbor"))
    if content_type.startswith("application/x-www-form-urlencoded") or scope in XML_SERVICES:
        detail = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
        if scope == "s3":
            xml = f"<Error>{detail}<RequestId>{identifier}</RequestId></Error>"
        elif scope == "ec2":
            xml = f"<Response><Errors><Error>{detail}</Error></Errors><RequestID>{identifier}</RequestID></Response>"
        else:
            xml = f"<ErrorResponse><Error>{detail}</Error><RequestId>{identifier}</RequestId></ErrorResponse>"
        return respond(start_response, line, "text/xml", f'<?xml version="1.0"?>\n{xml}'.encode(), request_id)
    json_body = json.dumps({"__type": code, "message": message}).encode()
    kind = content_type if content_type.startswith("application/x-amz-json") else "application/json"
    return respond(start_response, line, kind, json_body, request_id, ("x-amzn-ErrorType", code))


XML_SERVICES = ("s3", "route53", "cloudfront")
"""Services that speak XML without sending a form (the REST-XML protocol)."""


def cbor_text(text: str) -> bytes:
    """One text string in CBOR (RFC 8949), up to 65,535 bytes."""
    data = text.encode()
    if len(data) < 24:
        return bytes([0x60 + len(data)]) + data
    return b"\x79" + len(data).to_bytes(2, "big") + data
