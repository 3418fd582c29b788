"""Functions run for real: their code, their errors, their limits, their logs; and nothing of them is left when the cloud is gone."""

import base64
import json
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.exceptions import ClientError

from labs.cloud import server, state
from labs.cloud.context import Context
from labs.cloud.environment import is_aws_variable
from labs.cloud.lifeline import Lifeline
from labs.cloud.runtime.function import Function
from labs.cloud.runtime.pool import Package, Runtime, Throttled
from tests.labs.cloud.kit import Aws, Failed, until, zipped

ECHO = """
    def handler(event, context):
        print("got", event)
        return event
    """
EVERYTHING = """
    import os, subprocess, sys, time
    import boto3

    def handler(event, context):
        match event["do"]:
            case "raise": raise ValueError("no such luck")
            case "exit": os._exit(3)
            case "sleep": time.sleep(event["seconds"])
            case "import": __import__(event["name"])
            case "environment": return dict(os.environ)
            case "endpoints": return [boto3.client(name).meta.endpoint_url for name in event["names"]]
            case "context":
                return [context.aws_request_id, context.function_name, context.memory_limit_in_mb, context.get_remaining_time_in_millis()]
            case "eat": return len(bytearray(event["mb"] * 1024 * 1024)) and time.sleep(5)
            case "large": return "x" * event["bytes"]
            case "pid": return os.getpid()
            case "child": return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid
            case "child, then sleep":
                print("child", subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid)
                time.sleep(60)
    """


@pytest.fixture(scope="module")
def everything(local_cloud: Any) -> Iterator[str]:  # noqa: ARG001
    """A function that does what the event says."""
    aws = Aws(boto3.Session())
    yield aws.function(EVERYTHING, Timeout=2)
    aws.tidy()


# -- running


def test_a_function_answers_with_what_its_code_returns(aws: Aws) -> None:
    function = aws.function(ECHO)
    assert aws.invoke(function, {"a": [1, "ü", None]}) == {"a": [1, "ü", None]}
    assert aws.invoke(function, None) is None


def test_a_warm_environment_is_used_again(aws: Aws, everything: str) -> None:
    assert aws.invoke(everything, {"do": "pid"}) == aws.invoke(everything, {"do": "pid"})


def test_invocations_at_the_same_time_have_environments_of_their_own(aws: Aws) -> None:
    function = aws.function(
        "import os, time\ndef handler(event, context):\n    time.sleep(0.5)\n    return os.getpid()"
    )
    pids: list[int] = []
    threads = [threading.Thread(target=lambda: pids.append(aws.invoke(function))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(pids)) == 3


def test_the_context_tells_the_truth(aws: Aws, everything: str) -> None:
    request_id, name, memory, remaining = aws.invoke(everything, {"do": "context"})
    assert (name, memory) == (everything, "256")
    assert len(request_id) == 36
    assert 0 < remaining <= 2000


def test_the_log_has_start_end_and_report_and_comes_back_when_asked_for(aws: Aws) -> None:
    function = aws.function(ECHO)
    answer = aws.lambda_.invoke(FunctionName=function, Payload=b'{"n": 1}', LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    tail = base64.b64decode(answer["LogResult"]).decode()
    group = f"/aws/lambda/{function}"
    [stream] = aws.logs.describe_log_streams(logGroupName=group)["logStreams"]
    lines = [
        event["message"]
        for event in aws.logs.get_log_events(
            logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
        )["events"]
    ]
    assert [line.split()[0] for line in lines] == ["INIT_START", "START", "got", "END", "REPORT"]
    assert lines[1] == f"START RequestId: {request_id} Version: $LATEST"
    assert "Memory Size: 256 MB" in lines[-1]
    assert "Init Duration" in lines[-1]
    assert "got {'n': 1}\n" in tail
    assert "[$LATEST]" in stream["logStreamName"]


def test_an_asynchronous_invocation_is_accepted_at_once_and_tried_three_times(aws: Aws) -> None:
    queue = aws.queue()
    function = aws.function(
        f"""
        import boto3
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl={queue!r}, MessageBody="tried")
            raise RuntimeError
        """
    )
    answer = aws.lambda_.invoke(FunctionName=function, InvocationType="Event", Payload=b"{}")
    assert answer["StatusCode"] == 202
    until(lambda: aws.count(queue) == 3)


def test_an_event_that_fails_for_good_is_not_lost(aws: Aws) -> None:
    dead, failures = aws.queue(), aws.queue()
    function = aws.function(
        "def handler(event, context): raise RuntimeError('no')", DeadLetterConfig={"TargetArn": aws.arn(dead)}
    )
    aws.lambda_.put_function_event_invoke_config(
        FunctionName=function,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": aws.arn(failures)}},
    )
    aws.lambda_.invoke(FunctionName=function, InvocationType="Event", Payload=b'{"n": 1}')
    [letter] = until(lambda: aws.receive(dead))
    assert letter["Body"] == '{"n": 1}'
    assert letter["MessageAttributes"]["ErrorMessage"]["StringValue"] == "no"
    [record] = [json.loads(message["Body"]) for message in until(lambda: aws.receive(failures))]
    assert (record["requestPayload"], record["responsePayload"]["errorType"]) == ({"n": 1}, "RuntimeError")


def test_a_dry_run_runs_nothing(aws: Aws) -> None:
    function = aws.function(ECHO)
    assert aws.lambda_.invoke(FunctionName=function, InvocationType="DryRun")["StatusCode"] == 204
    assert aws.logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{function}")["logGroups"] == []


# -- failing


def test_an_exception_comes_back_with_its_type_and_its_trace(aws: Aws, everything: str) -> None:
    with pytest.raises(Failed) as failed:
        aws.invoke(everything, {"do": "raise"})
    assert failed.value.kind == "Unhandled"
    said = failed.value.said
    assert (said["errorType"], said["errorMessage"]) == ("ValueError", "no such luck")
    assert "app.py" in said["stackTrace"][0]


def test_a_process_that_ends_is_replaced(aws: Aws, everything: str) -> None:
    with pytest.raises(Failed, match=r"RequestId: .* Error: Runtime exited with error: exit status 3") as failed:
        aws.invoke(everything, {"do": "exit"})
    assert failed.value.said["errorType"] == "Runtime.ExitError"
    assert aws.invoke(everything, {"do": "pid"})


def test_a_function_that_takes_too_long_is_killed(aws: Aws, everything: str) -> None:
    with pytest.raises(Failed, match=r"RequestId: .* Error: Task timed out after 2\.00 seconds"):
        aws.invoke(everything, {"do": "sleep", "seconds": 30})
    assert aws.invoke(everything, {"do": "pid"})


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says how much memory a process holds")
def test_a_function_that_takes_too_much_memory_is_killed(aws: Aws) -> None:
    function = aws.function(EVERYTHING, Timeout=20)
    with pytest.raises(Failed, match="signal: killed") as failed:
        aws.invoke(function, {"do": "eat", "mb": 400})
    assert failed.value.said["errorType"] == "Runtime.OutOfMemory"


def test_what_a_killed_function_started_dies_with_it(aws: Aws, everything: str) -> None:
    with pytest.raises(Failed, match="timed out"):
        aws.invoke(everything, {"do": "child, then sleep"})
    group = f"/aws/lambda/{everything}"
    events = aws.logs.filter_log_events(logGroupName=group)["events"]
    [child] = [int(event["message"].split()[1]) for event in events if event["message"].startswith("child")]
    until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_code_that_cannot_be_imported_says_so_at_every_invocation(aws: Aws) -> None:
    function = aws.function("import nosuchmodule")
    for _ in range(2):
        with pytest.raises(Failed, match="Unable to import module 'app': No module named 'nosuchmodule'") as failed:
            aws.invoke(function)
        assert failed.value.said["errorType"] == "Runtime.ImportModuleError"


def test_a_handler_that_is_not_there_says_so(aws: Aws) -> None:
    function = aws.function(ECHO, Handler="app.other")
    with pytest.raises(Failed, match="Handler 'other' missing on module 'app'"):
        aws.invoke(function)


def test_requests_and_answers_have_a_largest_size(aws: Aws, everything: str) -> None:
    with pytest.raises(ClientError, match="RequestTooLargeException"):
        aws.invoke(everything, {"do": "pid", "more": "x" * 6_291_456})
    with pytest.raises(ClientError, match="RequestTooLargeException"):
        aws.invoke(everything, {"do": "pid", "more": "x" * 1_048_576}, InvocationType="Event")
    assert len(aws.invoke(everything, {"do": "large", "bytes": 6_000_000})) == 6_000_000
    with pytest.raises(Failed, match="Response payload size exceeded maximum allowed payload size"):
        aws.invoke(everything, {"do": "large", "bytes": 6_291_456})


def test_an_event_that_is_not_json_is_refused(aws: Aws, everything: str) -> None:
    with pytest.raises(ClientError, match="InvalidRequestContentException"):
        aws.lambda_.invoke(FunctionName=everything, Payload=b"{nope")


def test_a_function_that_is_not_there_is_not_found(aws: Aws) -> None:
    with pytest.raises(aws.lambda_.exceptions.ResourceNotFoundException):
        aws.invoke("nosuchfunction")


# -- what the code may see


def test_a_function_reaches_the_local_cloud_and_nothing_else(aws: Aws, everything: str) -> None:
    names = ["dynamodb", "sqs", "s3", "bedrock-runtime", "sagemaker-runtime"]
    home = aws.sqs.meta.endpoint_url
    assert aws.invoke(everything, {"do": "endpoints", "names": names}) == [home] * len(names)


def test_a_function_sees_lambdas_variables_and_none_of_the_developers(
    aws: Aws, everything: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "private")
    seen = aws.invoke(everything, {"do": "environment"})
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == everything
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert seen["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert seen["AWS_LAMBDA_LOG_GROUP_NAME"] == f"/aws/lambda/{everything}"
    expected = ("LAMBDA_", "_HANDLER", "_X_AMZN", "PATH", "LANG", "LC_", "TZ", "TMPDIR", "NO_PROXY", "no_proxy")
    assert [name for name in seen if not is_aws_variable(name) and not name.startswith(expected)] == []


@pytest.mark.parametrize("name", ["labs", "quizzes", "pytest", "click", "moto"])
def test_a_function_cannot_import_what_only_this_machine_has(aws: Aws, everything: str, name: str) -> None:
    with pytest.raises(Failed, match=f"No module named '{name}'"):
        aws.invoke(everything, {"do": "import", "name": name})


def test_a_function_imports_what_it_brought_and_what_lambda_has(aws: Aws, everything: str) -> None:
    function = aws.function(
        "import own.thing\ndef handler(event, context):\n    return own.thing.HERE", files={"own/thing.py": "HERE = 1"}
    )
    assert aws.invoke(function) == 1
    for name in ("boto3", "urllib3", "simplejson", "json"):
        assert aws.invoke(everything, {"do": "import", "name": name}) is None


# -- what may be created


@pytest.mark.parametrize(
    "name",
    [
        "AWS_REGION",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_PROFILE",
        "HTTPS_PROXY",
    ],
)
def test_variables_that_would_lead_a_function_astray_are_refused(aws: Aws, everything: str, name: str) -> None:
    bad = {"Variables": {"FINE": "1", name: "https://example.com"}}
    with pytest.raises(
        aws.lambda_.exceptions.InvalidParameterValueException, match=f"Reserved keys used in this request: {name}"
    ):
        aws.function(ECHO, Environment=bad)
    with pytest.raises(aws.lambda_.exceptions.InvalidParameterValueException, match="reserved keys"):
        aws.lambda_.update_function_configuration(FunctionName=everything, Environment=bad)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"Runtime": "python2.7"}, "no longer supported|failed to satisfy"),
        ({"Runtime": "nodejs22.x"}, "runs Python functions only"),
        ({"Timeout": 901}, "less than or equal to 900"),
        ({"MemorySize": 20_000}, "less than or equal to 10240"),
        ({"Environment": {"Variables": {"A": "x" * 4096}}}, "exceeded the 4KB limit"),
        ({"Role": "arn:aws:iam::123456789012:role/nosuch"}, "cannot be assumed by Lambda"),
    ],
)
def test_a_function_that_lambda_would_refuse_is_refused(aws: Aws, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientError, match=said):
        aws.function(ECHO, **wrong)


def test_a_role_that_does_not_trust_lambda_is_refused_and_leaves_no_function(aws: Aws) -> None:
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
    )
    before = {function["FunctionName"] for function in aws.lambda_.list_functions()["Functions"]}
    with pytest.raises(ClientError, match="cannot be assumed by Lambda"):
        aws.function(ECHO, Role=aws.role(trust=trust))
    assert {function["FunctionName"] for function in aws.lambda_.list_functions()["Functions"]} == before


def test_an_archive_that_is_none_is_refused(aws: Aws) -> None:
    with pytest.raises(ClientError, match="Could not unzip uploaded file"):
        aws.lambda_.create_function(
            FunctionName="broken",
            Runtime="python3.13",
            Handler="app.handler",
            Role=aws.role(),
            Code={"ZipFile": b"not a zip"},
        )


def test_code_that_is_not_in_s3_is_refused(aws: Aws) -> None:
    with pytest.raises(ClientError, match="S3 Error Code: NoSuch"):
        aws.lambda_.create_function(
            FunctionName="broken",
            Runtime="python3.13",
            Handler="app.handler",
            Role=aws.role(),
            Code={"S3Bucket": "nosuch-bucket", "S3Key": "k"},
        )


# -- states, code, concurrency


def test_a_new_function_is_pending_for_a_moment_and_cannot_be_invoked(in_process_cloud: Context, inside: Aws) -> None:
    in_process_cloud.time_scale = 1
    function = inside.function(ECHO, wait=False)
    assert inside.lambda_.get_function_configuration(FunctionName=function)["State"] == "Pending"
    with pytest.raises(inside.lambda_.exceptions.ResourceConflictException, match="in the following state: Pending"):
        inside.invoke(function)
    inside.lambda_.get_waiter("function_active_v2").wait(FunctionName=function, WaiterConfig={"Delay": 1})


def test_a_function_that_is_being_updated_cannot_be_updated_again(in_process_cloud: Context, inside: Aws) -> None:
    in_process_cloud.time_scale = 1
    function = inside.function(ECHO)
    inside.lambda_.update_function_code(FunctionName=function, ZipFile=zipped("x = 1"))
    with pytest.raises(inside.lambda_.exceptions.ResourceConflictException, match="update is in progress"):
        inside.lambda_.update_function_configuration(FunctionName=function, Timeout=5)
    inside.lambda_.get_waiter("function_updated_v2").wait(FunctionName=function, WaiterConfig={"Delay": 1})
    assert inside.lambda_.update_function_configuration(FunctionName=function, Timeout=5)["Timeout"] == 5


def test_new_code_and_new_settings_are_what_runs_next(aws: Aws) -> None:
    function = aws.function("def handler(event, context):\n    return 1")
    assert aws.invoke(function) == 1
    code = zipped("import os\ndef handler(event, context):\n    return os.environ['N']")
    updated = aws.lambda_.get_waiter("function_updated_v2")
    aws.lambda_.update_function_code(FunctionName=function, ZipFile=code)
    updated.wait(FunctionName=function, WaiterConfig={"Delay": 1})
    aws.lambda_.update_function_configuration(FunctionName=function, Environment={"Variables": {"N": "2"}})
    updated.wait(FunctionName=function, WaiterConfig={"Delay": 1})
    assert aws.invoke(function) == "2"


def test_the_code_can_be_downloaded(aws: Aws) -> None:
    code = zipped(ECHO)
    function = aws.function(ECHO)
    location = aws.lambda_.get_function(FunctionName=function)["Code"]["Location"]
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(location) as answer:
        assert len(answer.read()) == len(code)
    assert not any("awslambda" in bucket["Name"] for bucket in aws.s3.list_buckets()["Buckets"])


def test_reserved_concurrency_is_a_limit(aws: Aws) -> None:
    function = aws.function("import time\ndef handler(event, context):\n    time.sleep(event or 0)")
    aws.lambda_.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=1)
    refused = aws.lambda_.exceptions.TooManyRequestsException

    def hold() -> None:
        while True:
            with suppress(refused):  # the calls below may have the one place just then
                aws.invoke(function, 3)
                return

    thread = threading.Thread(target=hold)
    thread.start()
    with pytest.raises(refused) as throttled:
        until(lambda: aws.invoke(function, 0) and False, seconds=10)
    assert throttled.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    thread.join()
    aws.lambda_.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    with pytest.raises(aws.lambda_.exceptions.TooManyRequestsException):
        aws.invoke(function)


# -- the runtime on its own


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Callable[..., Runtime]]:
    """Makes runtimes without a cloud around them."""
    lifeline, made = Lifeline(), []

    def make(**settings: Any) -> Runtime:
        given = {"spawn": lifeline.spawn, "environment": {"PATH": os.environ["PATH"]}, "max_response_bytes": 6_291_556}
        made.append(Runtime(tmp_path, **{**given, **settings}))
        return made[-1]

    yield make
    for each in made:
        each.close()
    lifeline.close()
    assert list(tmp_path.iterdir()) == []


def function(**settings: Any) -> Function:
    given = {
        "name": "f",
        "arn": "arn:aws:lambda:us-east-1:123456789012:function:f",
        "version": "$LATEST",
        "region": "us-east-1",
        "runtime": "python3.13",
        "handler": "app.handler",
        "memory_mb": 256,
        "timeout_s": 5,
        "code_sha256": "sha",
    }
    return Function(**{**given, **settings})


@pytest.mark.parametrize("native", [None, False])
def test_both_runtime_clients_carry_answers_errors_and_large_events(
    runtime: Callable[..., Runtime], native: bool | None
) -> None:
    running = runtime(native_client=native)
    code = Package(
        zipped(
            "def handler(event, context):\n    return [context.get_remaining_time_in_millis() > 0, event[event['key']]]"
        )
    )
    large = json.dumps({"key": "text", "text": "x" * 5_000_000}).encode()
    assert json.loads(running.invoke(function(), lambda: code, large).body) == [True, "x" * 5_000_000]
    failed = running.invoke(function(), lambda: code, b'{"key": "nosuch"}')
    assert failed.error
    assert json.loads(failed.body)["errorType"] == "KeyError"
    assert running.environments() == 1


@pytest.mark.parametrize("native", [None, False])
def test_both_runtime_clients_report_a_failed_start(runtime: Callable[..., Runtime], native: bool | None) -> None:
    outcome = runtime(native_client=native).invoke(function(), lambda: Package(zipped("1 / 0")), b"{}")
    assert json.loads(outcome.body)["errorType"] == "ZeroDivisionError"


def test_an_environment_that_is_idle_for_long_is_let_go(runtime: Callable[..., Runtime]) -> None:
    running = runtime(idle_s=0.2)
    code = Package(zipped("def handler(event, context): pass"))
    assert running.invoke(function(), lambda: code, b"{}").init_ms
    assert running.environments() == 1
    until(lambda: running.environments() == 0)
    assert running.invoke(function(), lambda: code, b"{}").init_ms


def test_layers_are_on_the_path_behind_the_functions_own_code(runtime: Callable[..., Runtime]) -> None:
    layer = zipped("", {"python/shared.py": "WHO = 'layer'", "python/app_name.py": "WHO = 'layer'"})
    code = zipped(
        "import shared, app_name\ndef handler(event, context):\n    return [shared.WHO, app_name.WHO]",
        {"app_name.py": "WHO = 'function'"},
    )
    outcome = runtime().invoke(function(layers=("arn",)), lambda: Package(code, (layer,)), b"{}")
    assert json.loads(outcome.body) == ["layer", "function"]


def test_nobody_gets_an_environment_beyond_the_limit(runtime: Callable[..., Runtime]) -> None:
    with pytest.raises(Throttled, match="ReservedFunctionConcurrentInvocationLimitExceeded"):
        runtime().invoke(function(), lambda: Package(b""), b"{}", reserved_concurrency=0)


# -- nothing is left


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_when_the_server_goes_its_workers_go_and_the_next_start_tidies_up(tmp_path: Path, how: signal.Signals) -> None:
    home = tmp_path / "home"
    record = server.start(home, port=0, time_scale=60, die_with_parent=True)
    cloud = Aws(boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"))
    for name in ("lambda", "iam"):
        cloud._clients[name] = cloud.session.client(name, endpoint_url=record.endpoint_url)
    sleeper = cloud.function(
        "import os, time\ndef handler(event, context):\n    time.sleep(event or 0)\n    return os.getpid()"
    )
    idle = cloud.invoke(sleeper)
    threading.Thread(target=lambda: _ignore(lambda: cloud.invoke(sleeper, 60)), daemon=True).start()
    workers = until(lambda: _workers(record.pid))
    assert idle in workers
    time.sleep(0.3)  # one is in the middle of something
    os.kill(record.pid, how)
    until(lambda: not any(psutil.pid_exists(pid) for pid in workers))
    until(lambda: not state.alive(home))
    if how == signal.SIGTERM:
        assert list(home.glob("lambda-*")) == []
    server.start(home, port=0, time_scale=60, die_with_parent=True)
    again = server.running(home)
    assert again is not None
    for name in ("lambda", "iam"):
        cloud._clients[name] = cloud.session.client(name, endpoint_url=again.endpoint_url)
    cloud.invoke(cloud.function(ECHO))
    assert len(list(home.glob("lambda-*"))) == 1
    server.stop(home)
    assert list(home.glob("lambda-*")) == []


def _workers(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _ignore(action: Callable[[], Any]) -> None:
    try:
        action()
    except Exception:
        return


# -- why moto's own is replaced: each of these fails once moto no longer needs it


def test_moto_still_cannot_run_a_function_without_docker(stock: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nosuch/docker.sock")
    name = stock.function(ECHO)
    answer = stock.lambda_.invoke(FunctionName=name, Payload=b"{}")
    assert answer["FunctionError"] == "Handled"
    assert b"docker" in answer["Payload"].read()


def test_moto_still_takes_reserved_variables_broken_archives_and_any_runtime(stock: Aws) -> None:
    assert stock.function(ECHO, Environment={"Variables": {"AWS_REGION": "mars"}}, Runtime="nodejs4.3", Timeout=99_999)
    stock.lambda_.create_function(
        FunctionName="b", Runtime="python3.13", Handler="a.b", Role=stock.role(), Code={"ZipFile": b"no"}
    )


def test_moto_still_says_active_at_once_and_that_the_code_is_where_it_is_not(stock: Aws) -> None:
    name = stock.function(ECHO, wait=False)
    function = stock.lambda_.get_function(FunctionName=name)
    assert function["Configuration"]["State"] == "Active"
    assert "amazonaws.com/function-" in function["Code"]["Location"]
    bucket = function["Code"]["Location"].split("//")[1].split(".")[0]
    with pytest.raises(ClientError, match="NoSuchBucket"):
        stock.s3.get_object(Bucket=bucket, Key=function["Code"]["Location"].rsplit("/", 1)[1])


# -- logging, concurrency, destinations


def test_a_function_logs_where_its_configuration_says(aws: Aws) -> None:
    group = f"/course/{time.monotonic_ns()}"
    function = aws.function(ECHO, LoggingConfig={"LogGroup": group, "LogFormat": "Text"})
    aws.invoke(function, {"n": 1})
    messages = [event["message"] for event in aws.logs.filter_log_events(logGroupName=group)["events"]]
    assert "got {'n': 1}" in messages
    assert aws.logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{function}")["logGroups"] == []
    config = aws.lambda_.get_function_configuration(FunctionName=function)["LoggingConfig"]
    assert config == {"LogFormat": "Text", "LogGroup": group}
    aws.logs.delete_log_group(logGroupName=group)


def test_json_logs_are_json_and_levels_ask_for_them(aws: Aws) -> None:
    source = "import logging\ndef handler(event, context): logging.getLogger().error('said %s', 1)"
    with pytest.raises(ClientError, match="LogFormat must be JSON"):
        aws.function(source, LoggingConfig={"ApplicationLogLevel": "ERROR"})
    function = aws.function(source, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "ERROR"})
    aws.invoke(function, {})
    events = aws.logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
    lines = [json.loads(event["message"]) for event in events]
    assert [line.get("type") for line in lines] == ["platform.initStart", "platform.start", None, "platform.report"]
    assert (lines[2]["level"], lines[2]["message"]) == ("ERROR", "said 1")
    assert lines[3]["record"]["metrics"]["memorySizeMB"] == 256


def test_provisioned_environments_are_there_before_they_are_needed(aws: Aws) -> None:
    function = aws.function(
        "import os\ndef handler(event, context): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']"
    )
    with pytest.raises(ClientError, match="unpublished"):
        aws.lambda_.put_provisioned_concurrency_config(
            FunctionName=function, Qualifier="$LATEST", ProvisionedConcurrentExecutions=1
        )
    version = aws.lambda_.publish_version(FunctionName=function)["Version"]
    which = {"FunctionName": function, "Qualifier": version}
    asked = aws.lambda_.put_provisioned_concurrency_config(**which, ProvisionedConcurrentExecutions=1)
    assert (asked["Status"], asked["AvailableProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 0)
    until(lambda: aws.lambda_.get_provisioned_concurrency_config(**which)["Status"] == "READY")
    answer = aws.lambda_.invoke(**which, Payload=b"{}", LogType="Tail")
    assert json.loads(answer["Payload"].read()) == "provisioned-concurrency"
    assert b"Init Duration" not in base64.b64decode(answer["LogResult"])
    listed = aws.lambda_.list_provisioned_concurrency_configs(FunctionName=function)["ProvisionedConcurrencyConfigs"]
    assert [one["FunctionArn"].rpartition(":")[2] for one in listed] == [version]
    aws.lambda_.delete_provisioned_concurrency_config(**which)
    with pytest.raises(aws.lambda_.exceptions.ProvisionedConcurrencyConfigNotFoundException):
        aws.lambda_.get_provisioned_concurrency_config(**which)


def test_reservations_leave_something_to_the_others(aws: Aws) -> None:
    function = aws.function(ECHO)
    with pytest.raises(ClientError, match="UnreservedConcurrentExecution"):
        aws.lambda_.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=901)
    aws.lambda_.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=5)
    aws.lambda_.delete_function_concurrency(FunctionName=function)


def test_a_success_goes_to_its_destination_too(aws: Aws) -> None:
    queue = aws.queue()
    relay = aws.function(
        f"""
        import boto3, json
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl={queue!r}, MessageBody=json.dumps(event))
        """
    )
    relay_arn = aws.lambda_.get_function_configuration(FunctionName=relay)["FunctionArn"]
    function = aws.function("def handler(event, context): return event['n'] + 1")
    aws.lambda_.put_function_event_invoke_config(
        FunctionName=function, DestinationConfig={"OnSuccess": {"Destination": relay_arn}}
    )
    aws.lambda_.invoke(FunctionName=function, InvocationType="Event", Payload=b'{"n": 1}')
    [record] = [json.loads(message["Body"]) for message in until(lambda: aws.receive(queue))]
    assert (record["requestContext"]["condition"], record["responsePayload"]) == ("Success", 2)


def test_a_wrapper_script_runs_in_place_of_the_runtime(aws: Aws) -> None:
    function = aws.function(
        ECHO, files={"wrap": "no program"}, Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}}
    )
    with pytest.raises(Failed, match="exit status 126"):
        aws.invoke(function, {})


def version_with_an_alias(aws: Aws) -> str:
    name = aws.function(ECHO)
    aws.lambda_.publish_version(FunctionName=name)
    aws.lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def test_a_version_stays_while_an_alias_refers_to_it(inside: Aws) -> None:
    name = version_with_an_alias(inside)
    with pytest.raises(ClientError, match=r"ResourceConflictException.*alias live"):
        inside.lambda_.delete_function(FunctionName=name, Qualifier="1")
    inside.lambda_.delete_alias(FunctionName=name, Name="live")
    inside.lambda_.delete_function(FunctionName=name, Qualifier="1")
    assert len(inside.lambda_.list_versions_by_function(FunctionName=name)["Versions"]) == 1


def test_moto_still_lets_it_go(stock: Aws) -> None:
    stock.lambda_.delete_function(FunctionName=version_with_an_alias(stock), Qualifier="1")
