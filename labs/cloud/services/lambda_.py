"""Lambda functions that run: moto keeps the functions, `labs.cloud.runtime` runs them.

What it cures in moto 5.2.5 (each cure has a test that fails once moto has it):
- Invoke needs Docker, or echoes; errors are "Handled", there are no cold starts, no START/END/REPORT lines, no concurrency limit;
- a function is Active the moment it is created and its update is over the moment it begins;
- reserved environment variables, broken archives, runtimes that do not exist and out-of-range settings are accepted;
- a missing code object in S3 is an internal error; `GetFunction` says the code is where it cannot be fetched;
- a version goes though an alias refers to it.
"""

import base64
import io
import json
import threading
import time
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

from labs.cloud.context import Context
from labs.cloud.runtime.execution import Sink
from labs.cloud.runtime.function import Function, forbidden
from labs.cloud.runtime.outcome import Outcome
from labs.cloud.runtime.pool import Package, Runtime, Throttled
from labs.cloud.services import core, lambda_async, lambda_metrics

PENDING_S_ON_AWS = 3.0
"""How long a new function is Pending, and an update InProgress."""
CODE_ACCOUNT = "000000000000"
"""Owns the bucket with everybody's code, so that it is not among the caller's buckets, as on AWS."""
VARIABLES_MAX_BYTES = 4096
MIN_UNRESERVED = 100
"""Concurrency that reservations must leave to the account's other functions."""
OLDEST_PYTHON = (3, 10)


def install(context: Context) -> None:
    """Run functions in processes instead of in Docker."""
    core.install(context)
    runner = Runner(context)
    context.__dict__["lambda_runner"] = runner
    context.on_close(runner.close)
    _patch_function(context, runner)
    _patch_backend(context, runner)
    _patch_responses(context, runner)


def runner_of(context: Context) -> "Runner":
    """What runs the functions of `context`."""
    runner: Runner = context.__dict__["lambda_runner"]
    return runner


class Runner:
    """moto's functions on our runtime."""

    def __init__(self, context: Context) -> None:
        from labs import facts
        from labs.cloud.environment import local_environment

        self._context = context
        self.max_request_bytes = int(facts.value("lambda.payload.sync_max_bytes"))
        self._max_event_bytes = int(facts.value("lambda.payload.async_max_bytes"))
        base = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "en_US.UTF-8"}
        endpoint_url = (
            context.endpoint_url or "http://127.0.0.1:9"
        )  # in-process clouds have no address that a worker could reach
        environment = local_environment(endpoint_url, base, home=context.home) | {
            "AWS_SESSION_TOKEN": "local-cloud-no-token"
        }
        environment.pop("LAB_HOME", None)  # the function is not one of ours
        self.runtime = Runtime(
            context.home,
            spawn=context.spawn,
            environment=environment,
            max_response_bytes=self.max_request_bytes,
            idle_s=context.wait_s(600),
        )
        self._stopping = threading.Event()

    def run(self, moto_function: Any, event: bytes, *, wait_s: float = 0.0, sink: Sink | None = None) -> Outcome:
        """One invocation, logged; a streamed answer goes to `sink` as it comes. Raises Throttled."""
        function = frozen(moto_function)
        kill = self._context.faults.kills(function.name) if self._context.faults is not None else None
        concurrent = self.runtime.concurrency(function.name) + 1
        with lambda_metrics.measured(self._context, moto_function, concurrent) as invocation:
            outcome = self.runtime.invoke(
                function,
                lambda: package_of(moto_function),
                event,
                reserved_concurrency=reserved(moto_function),
                kill=kill,
                wait_s=wait_s,
                sink=sink,
            )
            invocation.ended(outcome)
        write_log(moto_function, function.log_group, outcome)
        return outcome

    def run_later(self, moto_function: Any, event: bytes) -> str:
        """Asynchronous invocation: at once, then with retries; gives back the request id."""
        thread = threading.Thread(
            target=lambda_async.work,
            args=(self, moto_function, event, self._context.wait_s, self._stopping),
            name=f"invoke-{moto_function.function_name}",
            daemon=True,
        )
        thread.start()
        return str(uuid.uuid4())

    def check_request(self, event: bytes, *, asynchronous: bool) -> None:
        """Refuse an event that is too large or not JSON."""
        limit = self._max_event_bytes if asynchronous else self.max_request_bytes
        if len(event) > limit:
            operation = "InvokeAsync" if asynchronous else "Invoke"
            raise client_error(
                413,
                "RequestTooLargeException",
                f"{len(event)} byte payload is too large for the {operation} operation (limit {limit} bytes)",
            )
        try:
            json.loads(event)
        except ValueError as wrong:
            raise client_error(
                400, "InvalidRequestContentException", f"Could not parse request body into json: {wrong}"
            ) from None

    def close(self) -> None:
        self._stopping.set()
        self.runtime.close()


def frozen(function: Any) -> Function:
    """What of a moto function decides how it runs."""
    logging = logging_of(function)
    return Function(
        name=function.function_name,
        arn=function.function_arn,
        version=str(function.version),
        region=function.region,
        runtime=function.run_time or "",
        handler=function.handler or "",
        memory_mb=int(function.memory_size),
        timeout_s=int(function.timeout),
        code_sha256=function.code_sha_256,
        variables=tuple(sorted((str(name), str(value)) for name, value in (function.environment_vars or {}).items())),
        layers=tuple(layer["Arn"] for layer in function.layers),
        own_log_group=logging.get("LogGroup"),
        log_format=logging.get("LogFormat", "Text"),
        log_level=logging.get("ApplicationLogLevel"),
    )


def logging_of(function: Any) -> dict[str, str]:
    """The function's LoggingConfig; moto keeps none."""
    return {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.function_name}"} | (
        function.__dict__.get("logging_config") or {}
    )


def package_of(function: Any) -> Package:
    from moto.awslambda.utils import get_backend

    backend = get_backend(function.account_id, function.region)
    layers = [backend.layers_versions_by_arn(layer["Arn"]) for layer in function.layers]
    return Package(function.code_bytes, tuple(layer.code_bytes for layer in layers if layer is not None))


def reserved(function: Any) -> int | None:
    """A function's reserved concurrency; None when it has none."""
    return None if function.reserved_concurrency is None else int(function.reserved_concurrency)


_log_lock = threading.Lock()


def write_log(moto_function: Any, group: str, outcome: Outcome) -> None:
    """Put the lines of one invocation into CloudWatch Logs: one stream an environment."""
    backend = moto_function.logs_backend
    now = int(time.time() * 1000)
    with _log_lock:
        backend.ensure_log_group(group)
        if outcome.log_stream not in backend.groups[group].streams:
            backend.create_log_stream(group, outcome.log_stream)
        backend.put_log_events(
            group, outcome.log_stream, [{"timestamp": now, "message": line} for line in outcome.lines]
        )


# -- errors


def client_error(status: int, code: str, message: str, **more: str) -> Exception:
    """An error as Lambda's REST API sends it."""
    from moto.awslambda.exceptions import LambdaClientError

    error = LambdaClientError(code, message)
    error.code = status
    error.description = json.dumps({"Type": "User" if status < 500 else "Service", "message": message, **more})
    return error


def invalid(message: str) -> Exception:
    return client_error(400, "InvalidParameterValueException", message)


def throttled(refused: Throttled) -> Exception:
    return client_error(429, "TooManyRequestsException", "Rate Exceeded.", Reason=refused.reason)


def out_of_range(name: str, value: Any, low: int, high: int) -> Exception:
    bound = f"greater than or equal to {low}" if value < low else f"less than or equal to {high}"
    return client_error(
        400,
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: Member must have value {bound}",
    )


# -- what may be created


def check_configuration(spec: dict[str, Any]) -> None:
    """Refuse what Lambda refuses in CreateFunction and UpdateFunctionConfiguration; checks only what `spec` names."""
    from labs import facts

    if (timeout := spec.get("Timeout")) is not None and not 1 <= int(timeout) <= (
        longest := int(facts.value("lambda.timeout_s"))
    ):
        raise out_of_range("timeout", int(timeout), 1, longest)
    if (memory := spec.get("MemorySize")) is not None:
        low, high = int(facts.value("lambda.memory.min_mb")), int(facts.value("lambda.memory.max_mb"))
        if not low <= int(memory) <= high:
            raise out_of_range("memorySize", int(memory), low, high)
    if (runtime := spec.get("Runtime")) is not None:
        check_runtime(runtime)
    check_variables((spec.get("Environment") or {}).get("Variables") or {})


def check_runtime(runtime: str) -> None:
    from botocore.loaders import Loader

    known = Loader().load_service_model("lambda", "service-2")["shapes"]["Runtime"]["enum"]
    if runtime not in known:
        raise invalid(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: "
            f"[{', '.join(name for name in known if name.startswith('python3.'))}, ...] or be a valid ARN"
        )
    if not runtime.startswith("python"):
        raise invalid(
            f"The local cloud runs Python functions only, and the runtime is {runtime}. On AWS this function may well be right."
        )
    if tuple(int(part) for part in runtime.removeprefix("python").split(".")) < OLDEST_PYTHON:
        raise invalid(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. "
            "We recommend you use a supported runtime while creating or updating functions."
        )


def check_logging(config: dict[str, Any] | None) -> None:
    """Refuse levels without the format that has them."""
    if config and config.get("LogFormat", "Text") != "JSON":
        for name in ("ApplicationLogLevel", "SystemLogLevel"):
            if config.get(name):
                raise invalid(f"To set {name}, LogFormat must be JSON.")


def check_variables(variables: dict[str, Any]) -> None:
    prefix = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
    )
    if names := forbidden(variables):
        raise invalid(
            f"{prefix}contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(names)}"
        )
    size = len(json.dumps(variables, separators=(",", ":")).encode())
    if size > VARIABLES_MAX_BYTES:
        raise invalid(f"{prefix}exceeded the 4KB limit. String measured: {size} bytes")


def check_code(code: dict[str, Any]) -> None:
    """Refuse an archive that cannot be unpacked, and code that is not where it is said to be."""
    if "ZipFile" in code:
        try:
            check_archive(base64.b64decode(code["ZipFile"]))
        except ValueError:
            raise invalid("Could not unzip uploaded file. Please check your file, then try to upload again.") from None
    elif not code.get("S3Bucket") and not code.get("ImageUri"):
        raise invalid("Please provide a source for function code.")


def check_archive(archive: bytes) -> None:
    from labs import facts

    limit = int(facts.value("lambda.zip_unzipped_max_mb")) * 1024 * 1024
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
            size = sum(entry.file_size for entry in zipped.infolist())
    except zipfile.BadZipFile:
        raise invalid("Could not unzip uploaded file. Please check your file, then try to upload again.") from None
    if size > limit:
        raise invalid(f"Unzipped size must be smaller than {limit} bytes")


def check_trust(function: Any) -> None:
    """Refuse a role that does not trust Lambda. (moto has refused one that does not exist.)"""
    from moto.iam.models import iam_backends

    role = iam_backends[function.account_id][function.partition].get_role_by_arn(function.role)
    document = role.assume_role_policy_document
    text = document if isinstance(document, str) else json.dumps(document)
    if "lambda.amazonaws.com" not in text:
        raise invalid("The role defined for the function cannot be assumed by Lambda.")


def as_client_error(action: Callable[[], Any]) -> Any:
    """moto raises ValueError(code, message) where it means an error for the caller."""
    try:
        return action()
    except ValueError as wrong:
        if len(wrong.args) == 2:
            raise client_error(400, str(wrong.args[0]), str(wrong.args[1])) from None
        raise


# -- moto's LambdaFunction


def _patch_function(context: Context, runner: Runner) -> None:
    from moto.awslambda.models import LambdaFunction

    pending_s = context.wait_s(PENDING_S_ON_AWS)
    get_configuration_before = LambdaFunction.get_configuration

    def state(self: Any) -> str:
        return "Active" if time.monotonic() >= self.__dict__.get("active_at", 0.0) else "Pending"

    def set_state(self: Any, value: str) -> None:
        """moto's constructor says "Active"; here that is a matter of time."""
        self.__dict__["active_at"] = time.monotonic() + (pending_s if value == "Active" else 0)

    def get_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:
        configuration: dict[str, Any] = get_configuration_before(self, on_create)
        configuration["LoggingConfig"] = logging_of(self)
        if dead_letters := self.__dict__.get("dead_letter_config"):
            configuration["DeadLetterConfig"] = dead_letters
        if configuration["State"] == "Pending":
            configuration.update(StateReason="The function is being created.", StateReasonCode="Creating")
        if not on_create:
            updating = time.monotonic() < self.__dict__.get("updated_at", 0.0)
            configuration["LastUpdateStatus"] = "InProgress" if updating else "Successful"
            if updating:
                configuration.update(
                    LastUpdateStatusReason="The function is being created.", LastUpdateStatusReasonCode="Creating"
                )
        return configuration

    def update_configuration(self: Any, updates: dict[str, Any]) -> dict[str, Any]:
        check_configuration(updates)
        must_be_settled(self)
        if "Environment" in updates:
            updates = updates | {"Environment": {"Variables": (updates["Environment"] or {}).get("Variables") or {}}}
        if "DeadLetterConfig" in updates:
            self.dead_letter_config = updates["DeadLetterConfig"]
        if "LoggingConfig" in updates:
            check_logging(updates["LoggingConfig"])
            self.logging_config = updates["LoggingConfig"]
        if "EphemeralStorage" in updates:
            self.ephemeral_storage = updates["EphemeralStorage"]["Size"]
        update_configuration_before(self, updates)
        self.updated_at = time.monotonic() + pending_s
        runner.runtime.retire(self.function_name, keep=frozen(self))
        answer: dict[str, Any] = self.get_configuration()
        return answer

    def update_function_code(self: Any, updates: dict[str, Any]) -> dict[str, Any]:
        check_code(updates)
        must_be_settled(self)
        as_client_error(lambda: self._set_function_code(updates))
        if not updates.get("DryRun"):
            self.code_or_config_updated = True
            self.updated_at = time.monotonic() + pending_s
            runner.runtime.retire(self.function_name, keep=frozen(self))
        answer: dict[str, Any] = self.get_configuration()
        return answer

    def get_code(self: Any) -> dict[str, Any]:
        answer: dict[str, Any] = get_code_before(self)
        if self.package_type != "Image":
            answer["Code"] = {"RepositoryType": "S3", "Location": code_location(context, self)}
        if self.reserved_concurrency is not None:  # moto leaves out a reservation of 0
            answer["Concurrency"] = {"ReservedConcurrentExecutions": int(self.reserved_concurrency)}
        return answer

    context.patch(LambdaFunction, "state", property(state, set_state))
    context.patch(LambdaFunction, "get_configuration", get_configuration)
    update_configuration_before = context.patch(LambdaFunction, "update_configuration", update_configuration)
    context.patch(LambdaFunction, "update_function_code", update_function_code)
    get_code_before = context.patch(LambdaFunction, "get_code", get_code)


def must_be_settled(function: Any) -> None:
    """Refuse to change a function that is still being made or changed."""
    if function.state == "Pending":
        raise client_error(
            409,
            "ResourceConflictException",
            f"The operation cannot be performed at this time. The function is currently in the following state: {function.state}",
        )
    if time.monotonic() < function.__dict__.get("updated_at", 0.0):
        raise client_error(
            409,
            "ResourceConflictException",
            f"The operation cannot be performed at this time. An update is in progress for resource: {function.function_arn}",
        )


def code_location(context: Context, function: Any) -> str:
    """Put the function's archive where a plain GET finds it for as long as the cloud runs, and say where that is."""
    from moto.s3.models import s3_backends

    bucket = f"awslambda-{function.region}-tasks"
    key = f"snapshots/{function.account_id}/{function.function_name}-{function.code_digest}"
    backend = s3_backends[CODE_ACCOUNT][function.partition]
    if bucket not in backend.buckets:
        backend.create_bucket(bucket, function.region)
    if key not in backend.buckets[bucket].keys:
        backend.put_object(bucket, key, function.code_bytes)
    root = context.endpoint_url or f"https://s3.{function.region}.amazonaws.com"
    return f"{root}/{bucket}/{key}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=600&X-Amz-Signature=local"


# -- moto's LambdaBackend


def _patch_backend(context: Context, runner: Runner) -> None:
    from moto.awslambda.models import LambdaBackend

    def create_function(self: Any, spec: dict[str, Any]) -> Any:
        if spec.get("PackageType") == "Image" or "ImageUri" in (spec.get("Code") or {}):
            raise invalid("The local cloud runs functions from zip archives only, not from container images.")
        check_configuration(spec)
        check_logging(spec.get("LoggingConfig"))
        for name in ("Runtime", "Handler"):
            if not spec.get(name):
                raise invalid(f"{name} is mandatory for functions created with deployment package of type Zip.")
        check_code(spec.get("Code") or {})
        function = as_client_error(lambda: create_function_before(self, spec))
        try:
            function.dead_letter_config = spec.get("DeadLetterConfig")
            function.logging_config = spec.get("LoggingConfig")
            if not function.code_bytes:
                raise invalid("Error occurred while GetObject. S3 Error Code: NoSuchKey.")
            check_archive(function.code_bytes)
            check_trust(function)
        except Exception:
            self._lambdas.del_function(function.function_name)
            raise
        return function

    def put_function_concurrency(self: Any, function_name: str, reserved_concurrency: str) -> Any:
        """Cures: moto reserves without end unless a variable of its own says how much there is."""
        from labs import facts

        wanted = int(reserved_concurrency)
        taken = sum(reserved(other) or 0 for other in self.list_functions() if other.function_name != function_name)
        if int(facts.value("lambda.concurrency.default")) - taken - wanted < MIN_UNRESERVED:
            raise invalid(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its "
                f"minimum value of [{MIN_UNRESERVED}]."
            )
        return put_function_concurrency_before(self, function_name, wanted)

    def delete_function(self: Any, function_name: str, qualifier: str | None = None) -> None:
        function = self.get_function(function_name, qualifier)
        for alias in self.list_aliases(function.function_name) if qualifier else ():
            if alias.function_version == qualifier:
                message = f"Version {qualifier} of {function.function_name} cannot be deleted: alias {alias.name} refers to it."
                raise client_error(409, "ResourceConflictException", message)
        delete_function_before(self, function_name, qualifier)
        if qualifier is None:
            runner.runtime.retire(function.function_name)

    def update_function_code(self: Any, function_name: str, qualifier: str, body: dict[str, Any]) -> Any:
        """moto's takes the code in twice."""
        function = self.get_function(function_name, qualifier)
        answer = function.update_function_code(body)
        return self.publish_version(function_name).get_configuration() if body.get("Publish") else answer

    create_function_before = context.patch(LambdaBackend, "create_function", create_function)
    put_function_concurrency_before = context.patch(LambdaBackend, "put_function_concurrency", put_function_concurrency)
    delete_function_before = context.patch(LambdaBackend, "delete_function", delete_function)
    context.patch(LambdaBackend, "update_function_code", update_function_code)


# -- moto's LambdaResponse


def _patch_responses(context: Context, runner: Runner) -> None:
    from urllib.parse import unquote

    from moto.awslambda.responses import LambdaResponse
    from moto.core.responses import BaseResponse

    def invoke(self: Any) -> tuple[int, dict[str, str], bytes]:
        name = unquote(self.path.rsplit("/", 2)[-2])
        function = self.backend.get_function(name, self.querystring.get("Qualifier", [None])[0])
        kind = self.headers.get("X-Amz-Invocation-Type") or "RequestResponse"
        event = self.raw_body or b"{}"
        event = event.encode() if isinstance(event, str) else event
        if kind not in ("RequestResponse", "Event", "DryRun"):
            raise invalid(
                f"Value '{kind}' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]"
            )
        runner.check_request(event, asynchronous=kind == "Event")
        if function.state != "Active":
            must_be_settled(function)
        if kind == "DryRun":
            return 204, {"status": "204"}, b""
        headers = {"Content-Type": "application/json", "X-Amz-Executed-Version": str(function.version)}
        if kind == "Event":
            return 202, headers | {"status": "202", "x-amzn-RequestId": runner.run_later(function, event)}, b""
        try:
            outcome = runner.run(function, event)
        except Throttled as refused:
            raise throttled(refused) from None
        headers["x-amzn-RequestId"] = outcome.request_id
        if outcome.error:
            headers["X-Amz-Function-Error"] = "Unhandled"
        if self.headers.get("X-Amz-Log-Type") == "Tail":
            headers["X-Amz-Log-Result"] = base64.b64encode(outcome.tail).decode()
        return 200, headers, outcome.body

    def invoke_async(self: Any) -> tuple[int, dict[str, str], bytes]:
        function = self.backend.get_function(unquote(self.path.rstrip("/").rsplit("/", 2)[-2]), None)
        event = (self.raw_body if isinstance(self.raw_body, bytes) else self.raw_body.encode()) or b"{}"
        runner.check_request(event, asynchronous=True)
        runner.run_later(function, event)
        return 202, {"status": "202"}, b'{"Status": 202}'

    def get_function_concurrency(self: Any) -> tuple[int, dict[str, str], str]:
        """moto answers null where there is no reservation."""
        function = self.backend.get_function(unquote(self.path.rsplit("/", 2)[-2]))
        kept = reserved(function)
        return 200, {}, json.dumps({} if kept is None else {"ReservedConcurrentExecutions": kept})

    def enrich_response(headers: dict[str, Any], body: Any) -> tuple[dict[str, Any], Any]:
        """moto gives every answer a request id of its own; an invocation has one already, which stands in its log too."""
        own = headers.pop("x-amzn-RequestId", None)
        headers, body = enrich_response_before.__func__(headers, body)
        return headers | ({"x-amzn-requestid": own} if own else {}), body

    enrich_response_before = vars(BaseResponse)["_enrich_response"]
    context.patch(LambdaResponse, "_enrich_response", staticmethod(enrich_response))
    context.patch(LambdaResponse, "invoke", invoke)
    context.patch(LambdaResponse, "invoke_async", invoke_async)
    context.patch(LambdaResponse, "get_function_concurrency", get_function_concurrency)
