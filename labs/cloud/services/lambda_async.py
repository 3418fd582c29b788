"""Asynchronous invocation: the retries, and where an event or a record of it goes in the end.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html. Destinations may be SQS queues, SNS topics and functions.
"""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from labs.cloud.runtime.outcome import Outcome, timestamp
from labs.cloud.runtime.pool import Throttled

RETRY_WAITS_S_ON_AWS = (60.0, 120.0)
"""How long asynchronous invocation waits before its first and second retry."""
MAX_EVENT_AGE_S_ON_AWS = 6 * 3600.0


def work(runner: Any, function: Any, event: bytes, wait_s: Callable[[float], float], stopping: threading.Event) -> None:
    """See one event through: run it, again after its failures, and say in the end what became of it."""
    config = event_config(function)
    max_age_s = wait_s(float(config.get("MaximumEventAgeInSeconds") or MAX_EVENT_AGE_S_ON_AWS))
    retries = int(config.get("MaximumRetryAttempts", len(RETRY_WAITS_S_ON_AWS)))
    waits = [wait_s(wait) for wait in RETRY_WAITS_S_ON_AWS][:retries]
    began = time.monotonic()
    for attempt, wait in enumerate((*waits, None), start=1):
        try:
            outcome = runner.run(function, event, wait_s=max(0.0, began + max_age_s - time.monotonic()))
        except Throttled:
            give_up(runner, function, event, None, "EventAgeExceeded", attempt)
            return
        if not outcome.error:
            record = made_record(function, event, outcome, "Success", attempt)
            deliver(runner, function, destination(config, "OnSuccess"), json.dumps(record), {})
            return
        if wait is None:
            give_up(runner, function, event, outcome, "RetriesExhausted", attempt)
        elif time.monotonic() + wait > began + max_age_s:
            give_up(runner, function, event, outcome, "EventAgeExceeded", attempt)
            return
        elif stopping.wait(wait):
            return


def event_config(function: Any) -> dict[str, Any]:
    """The function's EventInvokeConfig, as far as it has one."""
    configs = function.event_invoke_config
    return configs[-1].config if configs else {}


def destination(config: dict[str, Any], outcome: str) -> str | None:
    arn: str | None = ((config.get("DestinationConfig") or {}).get(outcome) or {}).get("Destination")
    return arn


def give_up(runner: Any, function: Any, event: bytes, outcome: Outcome | None, condition: str, attempts: int) -> None:
    """The event goes to the function's dead-letter queue, a record of it to the destination for failures."""
    error = json.loads(outcome.body or b"{}") if outcome is not None else {}
    said = str(error.get("errorMessage", ""))
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": outcome.request_id if outcome is not None else "none"},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": said[:1024] or "unknown"},
    }
    letters = (function.__dict__.get("dead_letter_config") or {}).get("TargetArn")
    deliver(runner, function, letters, event.decode(), attributes)
    record = made_record(function, event, outcome, condition, attempts)
    deliver(runner, function, destination(event_config(function), "OnFailure"), json.dumps(record), {})


def made_record(function: Any, event: bytes, outcome: Outcome | None, condition: str, attempts: int) -> dict[str, Any]:
    """The invocation record that destinations get."""
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": timestamp(),
        "requestContext": {
            "requestId": outcome.request_id if outcome is not None else None,
            "functionArn": f"{function.function_arn}:{function.version}",
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": json.loads(event),
    }
    if outcome is not None:
        record["responseContext"] = {"statusCode": 200, "executedVersion": str(function.version)}
        if outcome.error:
            record["responseContext"]["functionError"] = "Unhandled"
        try:
            record["responsePayload"] = json.loads(outcome.body or b"null")
        except ValueError:
            record["responsePayload"] = outcome.body.decode(errors="replace")
    return record


def deliver(runner: Any, function: Any, arn: str | None, body: str, attributes: dict[str, Any]) -> None:
    """Send to a queue, a topic or a function of the same account, if it is there."""
    if arn is None:
        return
    service, region = arn.split(":")[2:4]
    account = function.account_id
    if service == "sqs":
        from moto.sqs.models import sqs_backends

        queues = sqs_backends[account][region].queues.values()
        if (queue := next((queue for queue in queues if queue.queue_arn == arn), None)) is not None:
            sqs_backends[account][region].send_message(queue.name, body, message_attributes=attributes)
    elif service == "sns":
        from moto.sns.models import sns_backends

        if arn in sns_backends[account][region].topics:
            sns_backends[account][region].publish(body, arn=arn)
    elif service == "lambda":
        from moto.awslambda.exceptions import UnknownFunctionException
        from moto.awslambda.utils import get_backend

        try:
            target = get_backend(account, region).get_function(arn)
        except UnknownFunctionException:
            return
        runner.run_later(target, body.encode())
