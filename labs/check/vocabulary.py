"""The words in which labs' checks are written: each looks at one thing in the account, and says what it found and what to do.

vocabulary.visibility_covers_function(account, queue_url, function)
vocabulary.endpoint_in_service(account, "report-writer", families=("inf2",))
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from labs import facts
from labs.check.model import Account, Finding, no, yes

MOST_ITEMS = 5_000
"""A table may hold more than a lab ever writes; so many are read."""


def stack(account: Account, name: str) -> dict[str, str] | None:
    """A stack's resources, logical id to physical id; None when there is none, or it is not up."""
    cloudformation = account.client("cloudformation")
    try:
        status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except (ClientError, IndexError):
        return None
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"):
        return None
    resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return {entry["LogicalResourceId"]: entry["PhysicalResourceId"] for entry in resources}


def queue_attributes(account: Account, queue_url: str) -> dict[str, str]:
    """All attributes of a queue."""
    found: dict[str, str] = account.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])[
        "Attributes"
    ]
    return found


def queue_named(account: Account, name: str) -> str | None:
    """The URL of the queue of this name, or None."""
    sqs = account.client("sqs")
    try:
        return str(sqs.get_queue_url(QueueName=name)["QueueUrl"])
    except sqs.exceptions.QueueDoesNotExist:
        return None


def has_dead_letter_queue(account: Account, queue_url: str, least_receives: int = 1) -> Finding:
    """A queue with a dead-letter queue, and enough receives before a message goes there."""
    policy = json.loads(queue_attributes(account, queue_url).get("RedrivePolicy", "{}"))
    if not policy:
        return no(
            "The queue has no dead-letter queue: a message that always fails comes back for days. Set RedrivePolicy."
        )
    receives = int(policy["maxReceiveCount"])
    if receives < least_receives:
        return Finding(
            0.5,
            f"The queue gives a message up after {receives} receives; {least_receives} or more leave room for throttling "
            "and for workers that die. Raise maxReceiveCount.",
        )
    return yes(f"A message goes to the dead-letter queue after {receives} receives.")


def visibility_covers_function(account: Account, queue_url: str, function: str) -> Finding:
    """A visibility timeout of at least six times the function's timeout."""
    multiple = int(facts.number("sqs.visibility.lambda_multiple"))
    hidden_s = int(queue_attributes(account, queue_url)["VisibilityTimeout"])
    timeout_s = int(account.client("lambda").get_function_configuration(FunctionName=function)["Timeout"])
    if hidden_s >= multiple * timeout_s:
        return yes(f"Messages stay hidden for {hidden_s} s; the function may take {timeout_s} s.")
    said = f"Messages stay hidden for {hidden_s} s, and the function may take {timeout_s} s"
    if hidden_s >= timeout_s:
        return Finding(
            0.5,
            f"{said}: enough for one attempt, not for the poller's retries. The rule asks for {multiple} times as long.",
        )
    return no(
        f"{said}: the queue hands a message out again while it is still being answered. Ask for {multiple} times as long."
    )


def queue_depths(account: Account, queue_url: str, waiting: int, patience_s: float = 5.0) -> Finding:
    """A queue that holds exactly so many messages, none of them in work; settles for `patience_s`."""
    deadline = time.monotonic() + patience_s
    while True:
        now = queue_attributes(account, queue_url)
        seen = int(now["ApproximateNumberOfMessages"])
        in_work = int(now["ApproximateNumberOfMessagesNotVisible"])
        if (seen, in_work) == (waiting, 0):
            return yes(f"The queue {queue_url.rpartition('/')[2]} holds {waiting} messages, as it should.")
        if time.monotonic() > deadline:
            return no(
                f"The queue {queue_url.rpartition('/')[2]} holds {seen} messages and {in_work} more are in work; "
                f"it should hold {waiting} and 0."
            )
        time.sleep(0.2)


def empty_with_dead(account: Account, queue_url: str, dead_letter_queue_url: str, dead: int) -> Finding:
    """The queue is empty and the dead-letter queue holds so many."""
    for url, wanted in ((queue_url, 0), (dead_letter_queue_url, dead)):
        found = queue_depths(account, url, wanted)
        if found.credit < 1:
            return found
    return yes(f"The queue is empty, and {dead} messages lie in the dead-letter queue.")


def partial_failures(account: Account, mapping: str) -> Finding:
    """The mapping takes a worker's word for which messages of a batch failed."""
    found = account.client("lambda").get_event_source_mapping(UUID=mapping)
    if "ReportBatchItemFailures" in (found.get("FunctionResponseTypes") or []):
        return yes("The mapping lets the worker name the messages that failed; the others are deleted.")
    return no(
        "One failed message makes the whole batch come again: the mapping does not have ReportBatchItemFailures "
        "among its FunctionResponseTypes."
    )


def items(account: Account, table: str) -> list[dict[str, Any]]:
    """A table's items as plain values, `MOST_ITEMS` at most."""
    found: list[dict[str, Any]] = []
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
    while len(found) < MOST_ITEMS:
        page = account.client("dynamodb").scan(**request)
        found += [{key: _plain(value) for key, value in item.items()} for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    return found


def _plain(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    return float(content) if kind == "N" else content


def answered_once(jobs: Sequence[dict[str, Any]]) -> Finding:
    """Every job answered, and answered once; credit by the share that is."""
    if not jobs:
        return no("There are no jobs to look at; run the cells of this task.")
    open_ = sum(job.get("status") != "DONE" for job in jobs)
    repeated = sum(job.get("answers", 0) > 1 for job in jobs)
    good = len(jobs) - open_ - repeated
    if good == len(jobs):
        return yes(f"All {len(jobs)} jobs are answered, each once.")
    return Finding(
        max(0.0, good / len(jobs)),
        f"Of {len(jobs)} jobs {open_} have no answer and {repeated} have several. Look at them in the table, and at the dead letters.",
    )


def peak_in_flight(jobs: Sequence[dict[str, Any]]) -> int:
    """The most jobs that were at the model at one time, by their own times in the table."""
    edges = sorted(
        edge for job in jobs for edge in ((job["started_at_ms"], 1), (job["finished_at_ms"], -1))
    )  # at the same instant an end counts before a start
    now = most = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def bursts(jobs: Sequence[dict[str, Any]], least: int, gap_s: float = 2.0) -> list[list[dict[str, Any]]]:
    """Groups of at least so many jobs that were handed in together, in order: a pause of `gap_s` begins another."""
    groups: list[list[dict[str, Any]]] = []
    for job in sorted(jobs, key=lambda job: job["queued_at_ms"]):
        if not groups or job["queued_at_ms"] - groups[-1][-1]["queued_at_ms"] > gap_s * 1000:
            groups.append([])
        groups[-1].append(job)
    return [group for group in groups if len(group) >= least]


def endpoint_in_service(account: Account, name: str | None = None, families: Sequence[str] = ()) -> Finding:
    """An endpoint in service, for example on Inferentia: `families` are beginnings of instance types without `ml.`, as "inf2"."""
    sagemaker = account.client("sagemaker")
    seen: list[str] = []
    for endpoint in sagemaker.list_endpoints()["Endpoints"]:
        if name not in (None, endpoint["EndpointName"]):
            continue
        described = sagemaker.describe_endpoint(EndpointName=endpoint["EndpointName"])
        config = sagemaker.describe_endpoint_config(EndpointConfigName=described["EndpointConfigName"])
        types = [str(variant.get("InstanceType", "")).removeprefix("ml.") for variant in config["ProductionVariants"]]
        fits = not families or any(kind.startswith(tuple(families)) for kind in types)
        if fits and described["EndpointStatus"] == "InService":
            return yes(f"{endpoint['EndpointName']} is in service on {', '.join(types)}.")
        seen.append(
            f"{endpoint['EndpointName']} is {described['EndpointStatus']} on {', '.join(types) or 'no instance'}"
        )
    called = f" {name}" if name else ""
    hardware = f" on {' or '.join(families)}" if families else ""
    return no(
        f"There is not an endpoint{called} in service{hardware}: {'; '.join(seen) or 'there is no endpoint at all'}."
    )


def p99_below(call: Callable[[], object], objective_s: float, rate_per_s: float, requests: int) -> Finding:
    """p99 below the objective at a rate: an open loop, each request timed from when it was due.

    `call` makes one request and raises when it fails. A handful of requests says little about a 99th percentile: at fewer than a
    hundred it is simply the slowest.
    """
    began = time.monotonic() + 0.05

    def one(n: int) -> float:
        due = began + n / rate_per_s
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            call()
        except Exception:  # whatever way a request fails, it has not met the objective
            return math.inf
        return time.monotonic() - due

    with ThreadPoolExecutor(max_workers=min(requests, 64)) as threads:
        took = sorted(threads.map(one, range(requests)))
    failed, p99 = sum(map(math.isinf, took)), took[math.ceil(0.99 * requests) - 1]
    said = f"{requests} requests at {rate_per_s:g} a second"
    if failed:
        return no(f"{said}: {failed} failed. Read the errors first; latency comes second.")
    if p99 <= objective_s:
        return yes(f"{said}: p99 {p99:.2f} s, objective {objective_s:g} s.")
    return no(f"{said}: p99 {p99:.2f} s, above the objective of {objective_s:g} s. Where do requests wait?")
