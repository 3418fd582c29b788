"""S3 as moto has it, with faults.

What it cures in moto 5.2.5 (each cure has a test that fails once moto has it): S3's calls take a way of their own past `call_action`,
where the faults of all other services are injected; and an operation that moto does not have is taken for another one at the same
address (GetBucketRequestPayment lists the bucket, PutBucketAbac makes it), where here it is refused.
"""

import inspect
import time
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

from labs.cloud.context import Context
from labs.cloud.services import core


def install(context: Context) -> None:
    """Let faults meet S3's calls."""
    core.install(context)
    from moto.s3.responses import S3Response

    from labs.cloud import faults

    injector: faults.Injector = context.faults

    def through_faults(kind: str, answer_before: Any) -> Any:
        def answer(self: Any, request: Any, full_url: str) -> Any:
            lacking = operations()[1].get((kind, request.method), {})
            if words := lacking.keys() & request.args.keys():
                raise NotImplementedError(lacking[words.pop()])
            operation = self._get_action() or ""
            armed = injector.due(faults.WIRE, "s3", operation)
            if armed is None:
                return answer_before(self, request, full_url)
            if armed.fault.kind == "latency":
                time.sleep(armed.fault.seconds)
                return answer_before(self, request, full_url)
            if armed.fault.kind == "drop":
                faults.hang_up(request)
            error, status = faults.refusal_of(armed.fault.kind, "s3", operation)
            code, message = str(getattr(error, "code", "")), escape(str(getattr(error, "message", error)))
            said = f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId/></Error>"
            return status, {}, f'<?xml version="1.0" encoding="UTF-8"?>\n{said}'

        return answer

    for kind in ("bucket", "key"):
        name = f"_{kind}_response"
        context.patch(S3Response, name, through_faults(kind, getattr(S3Response, name)))


HANDLERS = {
    ("bucket", "GET"): "_bucket_response_get",
    ("bucket", "PUT"): "_bucket_response_put",
    ("bucket", "POST"): "is_delete_keys",
    ("bucket", "DELETE"): "_bucket_response_delete",
    ("key", "GET"): "_key_response_get",
    ("key", "PUT"): "_key_response_put",
    ("key", "POST"): "_key_response_post",
    ("key", "DELETE"): "_key_response_delete",
}
"""moto's methods, which tell S3's operations from one another by a word in the query of the address ("cors", "tagging")."""


@cache
def operations() -> tuple[frozenset[str], dict[tuple[str, str], dict[str, str]]]:
    """S3's operations that moto has; and the words of those that it has not: {("bucket", "GET"): {"session": "CreateSession"}}."""
    from moto.core.utils import get_service_model
    from moto.s3.responses import S3Response

    had: set[str] = set()
    lacking: dict[tuple[str, str], dict[str, str]] = {}
    model = get_service_model("s3")
    for name in model.operation_names:
        http = model.operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        word = query.partition("&")[0]
        where = ("key" if "{Key+}" in path else "bucket", http["method"])
        if http["method"] == "OPTIONS" or ("{Bucket}" not in path and name != "ListBuckets"):
            continue  # no API's operation; or one of directory buckets, or of Object Lambda
        if not word or "=" in word or f'"{word}"' in inspect.getsource(getattr(S3Response, HANDLERS[where])):
            had.add(name)
        else:
            lacking.setdefault(where, {})[word] = name
    return frozenset(had), lacking
