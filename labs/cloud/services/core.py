"""moto's own request path, shortened; every service of ours stands on it.

What it cures in moto 5.2.5 (each cure has a test that fails once moto has it): per request, moto's server lists the folder of its
package twice (to learn which services it has), walks over every attribute of the service's class (to learn which operations it has) and
goes through Flask's routing, though the operation is found again afterwards from botocore's model; on the way out it tries a dozen
names for every member of the answer, and draws a request's id letter by letter. That is more than half of a DynamoDB put, and more of a get. And with EC2, or what imports it, it
reads which instance types each of AWS's regions has, tens of megabytes, of which one region is ours.
"""

import inspect
import string
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from labs.cloud.context import Context

_INSTALLED = "_local_cloud_core"


def install(context: Context) -> None:
    """Shorten the path of every request. Installing it twice for one context does nothing."""
    if context.__dict__.get(_INSTALLED):
        return
    context.__dict__[_INSTALLED] = True
    import moto.backends
    import moto.core.responses

    from labs.cloud import faults
    from labs.cloud.services import bad_input, iam_policies

    modules = frozenset(moto.backends.list_of_moto_modules())
    context.patch(moto.backends, "list_of_moto_modules", lambda: modules)
    context.patch(moto.core.responses, "method_names_from_class", MethodNames)
    _serialize_dictionaries_directly(context)
    _draw_words_at_once(context)
    iam_policies.install(context)
    _leave_out_other_regions(context)
    faults.install(context)
    bad_input.install(context)
    if context.endpoint_url is not None:
        _skip_flask(context)


def _serialize_dictionaries_directly(context: Context) -> None:
    """moto looks for each member of an answer under a dozen possible names, also where the answer is a dictionary with the API's own."""
    from moto.core.serialize import ResponseSerializer

    get_value_before = ResponseSerializer.get_value

    def get_value(self: Any, value: Any, key: str, shape: Any) -> Any:
        if type(value) is dict and not getattr(self._value_picker, "response_transformers", None):
            if key in value:
                return value[key]
            if getattr(getattr(shape, "parent", None), "name", "") == "AttributeValue":
                return None  # a DynamoDB value has one of ten members, under its own name
        return get_value_before(self, value, key, shape)

    context.patch(ResponseSerializer, "get_value", get_value)


def _draw_words_at_once(context: Context) -> None:
    """moto draws each letter of an id by itself."""
    from moto.moto_api._internal.moto_random import MotoRandom

    def get_random_string(self: Any, length: int = 20, include_digits: bool = True, lower_case: bool = False) -> str:
        word = "".join(self.choices(string.ascii_letters + string.digits * include_digits, k=length))
        return word.lower() if lower_case else word

    context.patch(MotoRandom, "get_random_string", get_random_string)


OFFERINGS = "/instance_type_offerings/"


def _leave_out_other_regions(context: Context) -> None:
    """moto reads the offerings of all regions when it is imported; those of the others are none here."""
    import moto.utilities.utils

    def load_resource(resource: str) -> Any:
        if OFFERINGS in resource and not resource.rpartition("/")[2].startswith(f"{context.region}."):
            return []
        return load_resource_before(resource)

    load_resource_before = context.patch(moto.utilities.utils, "load_resource", load_resource)


class MethodNames:
    """The operations that a moto response class has, looked up by name instead of listed."""

    def __init__(self, response_class: type) -> None:
        self._class = response_class

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and inspect.isfunction(getattr(self._class, name, None))


def _skip_flask(context: Context) -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    def get_application(self: Any, environ: dict[str, Any]) -> Any:
        flask_application = get_application_before(self, environ)
        if not hasattr(flask_application, "direct"):
            flask_application.direct = _direct(flask_application)
        return flask_application.direct or flask_application

    get_application_before = context.patch(DomainDispatcherApplication, "get_application", get_application)


def _direct(flask_application: Any) -> "Direct | None":
    """The way around Flask for a service all of whose addresses lead to the same `dispatch`; None for the others (S3)."""
    callbacks = {getattr(view, "callback", None) for view in flask_application.view_functions.values()}
    if len(callbacks) != 1 or getattr(callback := callbacks.pop(), "__name__", "") != "dispatch":
        return None
    return Direct(callback)


class Direct:
    """A WSGI application for one service, without routing: moto's response classes find the operation themselves."""

    def __init__(self, dispatch: Any) -> None:
        from moto.core.request import Request

        class ServerRequest(Request):
            from_wsgi_server = True

        self._dispatch = dispatch
        self._request_class = ServerRequest

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        from werkzeug.exceptions import HTTPException

        request = self._request_class(environ)
        try:
            status, headers, body = self._dispatch(request, request.raw_url, request.headers)
        except HTTPException as said:
            status, headers, body = said.code or 500, dict(said.get_headers(environ)), said.get_body(environ)
        head = {"Content-Type": "application/json"}
        for name, value in headers.items():
            if name.lower() not in ("status", "content-length", "transfer-encoding"):
                head.pop("Content-Type" if name.lower() == "content-type" else "", None)
                head[name] = str(value)
        if isinstance(body, str | bytes):
            data = body.encode() if isinstance(body, str) else body
            head["Content-Length"] = str(len(data))
            body = [data]
        start_response(f"{int(status)} {HTTPStatus(int(status)).phrase}", list(head.items()))
        content: Iterable[bytes] = body
        return content
