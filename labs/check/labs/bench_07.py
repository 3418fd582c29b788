"""What lab 7, Measure it, leaves in the cloud before its clean-up: an endpoint on Inferentia, what CloudWatch counted, and measurements.

The given cells call Bedrock in a blank copy too, and make the endpoint once its quota is there; so each check looks at what an exercise changes.
"""

import math
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

from botocore.exceptions import ClientError

from labs.bench.intervals import least_samples
from labs.check import handin, vocabulary
from labs.check.model import Account, Check, Finding, Lab, Task, no, yes
from labs.economics import instances
from labs.serving.arrivals import arrivals
from labs.serving.engine import EngineConfig
from labs.serving.profiles import Choices, deployment
from labs.serving.requests import Table
from labs.serving.simulate import simulate

SLUG, NAME, INSTANCE = "07-bench", "bench-lab", "ml.inf2.xlarge"
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
RATE, SECONDS, SLOW_S = 6, 7, 1.0
TOKENS = 8
MACHINES = ("ml.g5.2xlarge", INSTANCE)
FEWEST_SLOW = 6
"""The stall lasts for some eight requests of the schedule; a closed loop has three slow ones."""
LATEST_SEND_S = 1.2
"""A loaded laptop is late by tenths; a pool that is too small, by the length of the stall."""
NO_ENDPOINT = f"There is no endpoint '{NAME}': Task 1 asks for its quota, and the cell after that makes it. Check before the clean-up."


def quota_for_two(account: Account) -> Finding:
    """The account may run two of these: the endpoint, and the one that replaces it."""
    for page in account.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker"):
        for quota in page["Quotas"]:
            if quota["QuotaName"] == f"{INSTANCE} for endpoint usage":
                value = int(quota["Value"])
                if value >= 2:
                    return yes(f"The account may run {value} {INSTANCE} behind endpoints.")
                return Finding(
                    0.5 if value else 0.0,
                    f"The account may run {value} {INSTANCE} behind endpoints. One runs, and its replacement comes up beside it: ask for two.",
                )
    return no(f"Service Quotas does not list {INSTANCE} for endpoint usage in this Region: is the type offered there?")


def in_service(account: Account) -> Finding:
    """The endpoint answers, on Inferentia."""
    found = vocabulary.endpoint_in_service(account, NAME, ("inf2",))
    return (
        found if found.credit == 1 else no(f"{found.message} Ask for the quota, and run the cell after the exercise.")
    )


def rows(account: Account) -> list[tuple[float, float, float, float]]:
    """The requests that were handed in: due, sent, done and e2e, in seconds."""
    given = handin.read(account.client("ssm"), SLUG, 2).get("rows") or []
    return [tuple(float(value) for value in row) for row in given if len(row) == 4]  # type: ignore[misc]


NO_ROWS = "Nothing measured on a schedule is handed in: let on_schedule return a row for each request, and run the cells after it."


def on_schedule(account: Account) -> Finding:
    """Requests were due at equal distances, none was left out, and the stall shows."""
    found = sorted(rows(account))
    if not found:
        return no(NO_ROWS)
    if len(found) < 0.9 * RATE * SECONDS:
        return no(
            f"{len(found)} requests were due in {SECONDS} s; at {RATE} a second it is {RATE * SECONDS}. Whoever waits for answers asks less."
        )
    worst = max(abs(after[0] - before[0] - 1 / RATE) for before, after in pairwise(found))
    if worst > 0.02:
        return no(
            f"Requests were not due every {1 / RATE:.2f} s: one gap was {worst:.2f} s off. The schedule stands before the run, whatever comes back."
        )
    slow = sum(done - due > SLOW_S for due, _, done, _ in found)
    if slow < FEWEST_SLOW:
        return no(
            f"Only {slow} requests took more than a second, and the neighbour held the machine for longer than that. Measure beside him."
        )
    return yes(f"{len(found)} requests, one due every {1 / RATE:.2f} s; {slow} show that the machine was taken.")


def sent_on_time(account: Account) -> Finding:
    """No request waited for a free thread."""
    found = rows(account)
    if not found:
        return no(NO_ROWS)
    late = max(sent - due for due, sent, _, _ in found)
    if late <= LATEST_SEND_S:
        return yes(f"The latest request was sent {late:.2f} s after it was due.")
    return no(
        f"A request was sent {late:.1f} s after it was due: it waited for a free thread. Have as many threads as requests."
    )


def from_due(account: Account) -> Finding:
    """Latency counts from when a request was due."""
    found = rows(account)
    if not found:
        return no(NO_ROWS)
    if any(abs(done - due - e2e) > 0.01 for due, _, done, e2e in found):
        return no(
            "Latency is not from due to done: a request that waits in your own client waits too. e2e is done minus due."
        )
    return yes(f"The slowest of {len(found)} requests took {max(e2e for *_, e2e in found):.1f} s from when it was due.")


def throttles(account: Account) -> float:
    """Calls of the lab's model that Bedrock refused in the last three hours."""
    now = datetime.now(UTC)
    found = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Bedrock",
        MetricName="InvocationThrottles",
        Dimensions=[{"Name": "ModelId", "Value": CLAUDE}],
        StartTime=now - timedelta(hours=3),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in found["Datapoints"]))


def hidden_refusals(account: Account) -> Finding:
    """What the helpful client was refused."""
    given = handin.read(account.client("ssm"), SLUG, 3)
    refusals, helpful = handin.number(given, "refusals"), given.get("helpful") or {}
    if refusals is None:
        return no(
            "refusals is not handed in. The caller was not told, but Bedrock counted: throttles() asks CloudWatch."
        )
    sent, answered = handin.number(helpful, "sent"), handin.number(helpful, "answered")
    if sent is None or answered is None:
        return no("The run of the helpful client is not handed in; run the cells of Task 3 in order.")
    if refusals == sent - answered and 0 < refusals <= throttles(account):
        return yes(f"{refusals:.0f} refusals, of which the caller was told hardly any.")
    if refusals == handin.number(helpful, "failed"):
        return no(f"{refusals:.0f} is what the caller was told. The client kept the rest to itself: ask CloudWatch.")
    return no(
        f"{refusals:.0f} is not what that run was refused. Subtract what had been counted before it (throttles_before)."
    )


def one_attempt(account: Account) -> Finding:
    """The client that measures asks once, and counts."""
    counted = handin.read(account.client("ssm"), SLUG, 3).get("counted") or {}
    names = ("asked", "sent", "failed", "attempts")
    asked, sent, failed, attempts = (handin.number(counted, name) for name in names)
    if asked is None or sent is None or failed is None or attempts is None:
        return no("The run of the counting client is not handed in; run the last cells of Task 3.")
    if attempts > 1:
        return no(
            f"The client may send a call {attempts:.0f} times, and sent {sent:.0f} requests for {asked:.0f} calls. Allow it one attempt."
        )
    if not 0 < failed <= throttles(account):
        return no(f"The client counts {failed:.0f} refusals, and CloudWatch knows of {throttles(account):.0f}.")
    return yes(f"One attempt each: {failed:.0f} of {asked:.0f} calls were refused, and the record says so.")


def least_for_p99(account: Account) -> Finding:
    """The fewest requests, and the run that they need."""
    given = handin.read(account.client("ssm"), SLUG, 4)
    least, run_s = handin.number(given, "least"), handin.number(given, "run_s")
    if least is None or run_s is None:
        return no("least and run_s are not handed in. From which n on is 0.99 to the n at most 2.5 per cent?")
    right = least_samples(0.99)
    if least != right:
        return no(
            f"{least:.0f} requests are not it. That all of n stay below the p99 has the chance 0.99 to the n; each end may miss with 2.5 per cent."
        )
    if not math.isclose(run_s, right / RATE, rel_tol=0.02):
        return Finding(0.5, f"{right} requests are right; at {RATE} a second they do not take {run_s:.0f} s.")
    return yes(f"{right} requests, {run_s:.0f} s at {RATE} a second.")


def useful_cost(account: Account) -> Finding:
    """The price of the answers that came in time."""
    given = handin.read(account.client("ssm"), SLUG, 5)
    usd, rush = handin.number(given, "usd_per_million"), given.get("rush") or {}
    answers, useful, seconds = (handin.number(rush, name) for name in ("answers", "useful", "seconds"))
    if usd is None or not answers or not useful or not seconds:
        return no("usd_per_million is not handed in. Dollars an hour, divided by the useful tokens of an hour.")
    hourly = instances.endpoint(INSTANCE, hours=1).usd
    right, all_of_them = (hourly / (n / seconds * 3600 * TOKENS) * 1e6 for n in (useful, answers))
    if math.isclose(usd, right, rel_tol=0.01):
        return yes(f"${usd:.2f} a million useful tokens; of all tokens it would be ${all_of_them:.2f}.")
    if math.isclose(usd, all_of_them, rel_tol=0.01):
        return no(
            f"${usd:.2f} counts all {answers:.0f} answers. Only {useful:.0f} came in time, and they are what you pay for."
        )
    return no(
        f"${usd:.2f} is not it: {useful:.0f} answers of {TOKENS} tokens in {seconds:g} s, at ${hourly:.2f} an hour."
    )


def compiled_larger(account: Account) -> Finding:
    """The endpoint runs a model that is compiled for eight at once."""
    sagemaker = account.client("sagemaker")
    try:
        endpoint = sagemaker.describe_endpoint(EndpointName=NAME)
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    except ClientError:
        return no(NO_ENDPOINT)
    batch = _whole(model["PrimaryContainer"].get("Environment", {}).get("OPTION_MAX_ROLLING_BATCH_SIZE"))
    if endpoint["EndpointStatus"] != "InService":
        return no(f"The endpoint is {endpoint['EndpointStatus']}: wait until it is InService, then check again.")
    if batch >= 8:
        return yes(f"The endpoint's model is compiled for {batch} requests at once.")
    return no(
        f"The endpoint's model is compiled for {batch} requests at once. Compile it for 8, and give the endpoint that plan (update_endpoint)."
    )


def _whole(text: Any) -> int:
    return int(text) if str(text).isdecimal() else 0


@cache
def predicted(instance_type: str, rate_per_s: float) -> tuple[float, float]:
    """Dollars a million output tokens and p99 in seconds, at this load, as the serving model predicts them."""
    choices = Choices(max_num_seqs=8 if "inf2" in instance_type else None)
    due = arrivals("poisson", rate_per_s, duration_s=600, seed=7)
    asked = Table.of(due, [200] * len(due), [100] * len(due))
    served = simulate(EngineConfig(deployment("mistral-7b", instance_type, choices).spec), asked).statistics
    assert served.e2e_ms is not None  # everything is answered
    hourly = instances.endpoint(instance_type, hours=1).usd
    return hourly / (served.output_tokens_per_s * 3600) * 1e6, served.e2e_ms.p99 / 1000


def winner(rate_per_s: float, within_s: float) -> str:
    """The cheaper machine whose p99 meets the objective."""
    fit = [machine for machine in MACHINES if predicted(machine, rate_per_s)[1] <= within_s]
    return min(fit, key=lambda machine: predicted(machine, rate_per_s)[0])


CASES = {"patient": (0.5, 15), "hurried": (0.5, 5), "crowded": (4, 15)}


def machines_chosen(account: Account) -> Finding:
    """Three loads and objectives, three machines."""
    given = handin.read(account.client("ssm"), SLUG, 6)
    if not any(given.get(name) for name in CASES):
        return no("No machine is handed in: patient, hurried and crowded are names out of MACHINES.")
    wrong = [name for name, case in CASES.items() if given.get(name) != winner(*case)]
    if not wrong:
        return yes("The winner changes with the load, and with the patience.")
    rate_per_s, within_s = CASES[wrong[0]]
    return Finding(
        (len(CASES) - len(wrong)) / len(CASES),
        f"{given.get(wrong[0])} is not it for {wrong[0]}: at {rate_per_s:g} a second, first who keeps a p99 of {within_s} s, then who costs less.",
    )


LAB = Lab(
    SLUG,
    (
        Task(1, "Be refused, and ask", 8, (Check("quota", 1, quota_for_two), Check("in-service", 2, in_service))),
        Task(
            2,
            "The polite load test",
            12,
            (Check("schedule", 2, on_schedule), Check("on-time", 1, sent_on_time), Check("from-due", 3, from_due)),
        ),
        Task(
            3,
            "Your client says that it was nothing",
            8,
            (Check("hidden-refusals", 2, hidden_refusals), Check("one-attempt", 2, one_attempt)),
        ),
        Task(4, "How many make a p99?", 6, (Check("least", 2, least_for_p99),)),
        Task(
            5,
            "What a useful answer costs",
            10,
            (Check("useful-cost", 2, useful_cost), Check("batch", 2, compiled_larger)),
        ),
        Task(6, "Which machine, at which load?", 8, (Check("choice", 3, machines_chosen),), stretch=True),
    ),
    time_limit_s=300,
)
