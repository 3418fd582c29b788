"""A runtime for Python functions that stream their answer: bundle this file with the function, on AWS as here.

AWS's own Python runtime does not stream (https://github.com/aws/aws-lambda-roadmap/issues/39), but any process that speaks the runtime
API may. Beside this file put an executable file `stream` and set AWS_LAMBDA_EXEC_WRAPPER=/var/task/stream:

    #!/bin/sh
    exec "$1" "$LAMBDA_TASK_ROOT/response_stream.py"

The handler is a generator. What it yields leaves at once: text or bytes; if the first thing is a dictionary, it is the head of an HTTP
answer (statusCode, headers, cookies), for function URLs with InvokeMode RESPONSE_STREAM.

    def handler(event, context):
        yield {"statusCode": 200, "headers": {"content-type": "text/plain"}}
        for word in ("one ", "token ", "after ", "another"):
            yield word
"""

import base64
import http.client
import importlib
import itertools
import json
import os
import sys
import time
import traceback

API = "/2018-06-01/runtime"
HTTP_ANSWER = "application/vnd.awslambda.http-integration-response"


class Context:
    """What the handler learns of its invocation; the names are those of AWS's own context object."""

    def __init__(self, headers: "http.client.HTTPMessage") -> None:
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers.get("Lambda-Runtime-Invoked-Function-Arn", "")
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self._deadline_ms - int(time.time() * 1000))


def connect() -> http.client.HTTPConnection:
    return http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def described(error: BaseException) -> bytes:
    trace = traceback.format_list(traceback.extract_tb(error.__traceback__))
    return json.dumps({"errorType": type(error).__name__, "errorMessage": str(error), "stackTrace": trace}).encode()


def report(path: str, error: BaseException) -> None:
    """Tell the runtime API of an error; nothing of an answer has been sent yet."""
    traceback.print_exception(error)
    connection = connect()
    kind = {"Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": type(error).__name__}
    connection.request("POST", f"{API}/{path}", described(error), kind)
    connection.getresponse().read()
    connection.close()


def frame(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def stream(request_id: str, pieces) -> None:  # type: ignore[no-untyped-def]
    """Post an answer piece by piece. An error before the first piece is raised; one after it goes into the trailers."""
    first = next(pieces, b"")
    connection = connect()
    connection.putrequest("POST", f"{API}/invocation/{request_id}/response")
    is_http = isinstance(first, dict)
    for name, value in (
        ("Content-Type", HTTP_ANSWER if is_http else "application/octet-stream"),
        ("Lambda-Runtime-Function-Response-Mode", "streaming"),
        ("Transfer-Encoding", "chunked"),
        ("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"),
    ):
        connection.putheader(name, value)
    connection.endheaders()
    trailers = ""
    try:
        if is_http:
            connection.send(frame(json.dumps(first).encode() + bytes(8)))
            first = b""
        for piece in itertools.chain([first], pieces):
            data = piece.encode() if isinstance(piece, str) else bytes(piece)
            if data:
                connection.send(frame(data))
    except (ConnectionError, TimeoutError):
        raise
    except Exception as error:
        traceback.print_exception(error)
        body = base64.b64encode(described(error)).decode()
        trailers = f"Lambda-Runtime-Function-Error-Type: {type(error).__name__}\r\nLambda-Runtime-Function-Error-Body: {body}\r\n"
    connection.send(f"0\r\n{trailers}\r\n".encode())
    connection.getresponse().read()
    connection.close()


def main() -> None:
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    try:
        module, _, name = os.environ["_HANDLER"].rpartition(".")
        handler = getattr(importlib.import_module(module.replace("/", ".")), name)
    except BaseException as error:
        report("init/error", error)
        raise SystemExit(1) from None
    while True:
        connection = connect()
        connection.request("GET", f"{API}/invocation/next")
        answer = connection.getresponse()
        headers, event = answer.headers, json.loads(answer.read())
        connection.close()
        request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        try:
            stream(request_id, iter(handler(event, Context(headers))))
        except ConnectionError:
            raise
        except Exception as error:
            report(f"invocation/{request_id}/error", error)


if __name__ == "__main__":
    main()
