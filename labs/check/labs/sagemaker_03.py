"""What lab 3, What wakes an endpoint?, leaves in the cloud before its clean-up: quotas, two endpoints, a policy and what it did, a schedule.

The given cells make the chat's endpoint once its quota is there, and overload it; so each check looks at what an exercise changes.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from labs import facts
from labs.check import handin, vocabulary
from labs.check.model import Account, Check, Finding, Lab, Task, no, yes
from labs.facts import catalogue

SLUG = "03-sagemaker"
GPU, CHAT = "ml.g6.2xlarge", "sagemaker-lab-chat"
INFERENTIA, LARGE = "ml.inf2.48xlarge", "sagemaker-lab-large"
WANTED = {GPU: 2, INFERENTIA: 1}
SEATS = 4
"""Requests that the chat's container works on at once."""
RUSH = 8
"""In hand, the chat's callers are a rush; the lab has twelve."""
CONCURRENCY = re.compile(r"SageMakerVariantConcurrentRequestsPerModelHighResolution")
WEIGHTS_GB, PUBLISHED_GB = 141, 16.4
SAFE_IN_HAND, GROWTH_PER_MINUTE, ALARM_S = 40, 4, 40
OPENS_AT_MINUTE = 9 * 60


def quotas(account: Account) -> Finding:
    """Both quotas are there, or asked for."""
    desk = account.client("service-quotas")
    found = {
        quota["QuotaName"].removesuffix(" for endpoint usage"): quota
        for page in desk.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
        for quota in page["Quotas"]
    }
    short = []
    for instance_type, wanted in WANTED.items():
        quota = found[instance_type]
        asked = desk.list_requested_service_quota_change_history_by_quota(
            ServiceCode="sagemaker", QuotaCode=quota["QuotaCode"]
        )["RequestedQuotas"]
        open_ = [each["DesiredValue"] for each in asked if each["Status"] in ("PENDING", "CASE_OPENED", "APPROVED")]
        if max([quota["Value"], *open_]) < wanted:
            short.append(f"{instance_type} has {quota['Value']:g} and nobody has asked for {wanted}")
    if not short:
        return yes("Both quotas cover what the endpoints may grow to.")
    said = (
        f"{'; '.join(short)}. Ask Service Quotas for what each endpoint needs at most, its policy's maximum included."
    )
    return Finding(0.5 * (len(WANTED) - len(short)), said)


def chat_metric(account: Account, name: str, namespace: str, period_s: int) -> list[dict[str, Any]]:
    """Datapoints of the chat's variant in the last three hours, oldest first."""
    now = datetime.now(UTC)
    # A call may ask for at most 1,440 datapoints.
    span = min(timedelta(hours=3), timedelta(seconds=1_400 * period_s))
    found = account.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": "EndpointName", "Value": CHAT}, {"Name": "VariantName", "Value": "main"}],
        StartTime=now - span,
        EndTime=now + timedelta(seconds=period_s),
        Period=period_s,
        Statistics=["Maximum"],
    )["Datapoints"]
    return sorted(found, key=lambda point: point["Timestamp"])


def cpu_parts(account: Account) -> Finding:
    """The two parts handed in are those of the highest CPU that CloudWatch has seen."""
    given = handin.read(account.client("ssm"), SLUG, 2)
    machine, of_target = handin.number(given, "part_of_machine"), handin.number(given, "part_of_target")
    if machine is None or of_target is None:
        return no("part_of_machine and part_of_target are not handed in. The metric adds the cores up, 100 for each.")
    seen = chat_metric(account, "CPUUtilization", "/aws/sagemaker/Endpoints", 60)
    if not seen:
        return no(f"CloudWatch has no CPUUtilization of '{CHAT}': run the cells of Task 2, with callers.")
    highest, cores = max(point["Maximum"] for point in seen), catalogue.instance(GPU).vcpus
    right = (highest / (100 * cores), highest / (70 * cores))
    close = [math.isclose(said, part, rel_tol=0.08) for said, part in zip((machine, of_target), right, strict=True)]
    if all(close):
        return yes(
            f"{highest:.0f} of {100 * cores}: {machine:.0%} of the machine, and the policy waits for {70 * cores}."
        )
    return Finding(
        0.5 * sum(close),
        f"CPUUtilization was {highest:.0f} at most, on a machine of {cores} cores with 100 each; the target is {70 * cores}. "
        f"{machine:.2f} and {of_target:.2f} are not those parts, from 0 to 1.",
    )


def concurrency_policy(account: Account) -> Finding:
    """The chat is scaled on requests in hand, quickly, and on nothing else."""
    policies = account.client("application-autoscaling").describe_scaling_policies(
        ServiceNamespace="sagemaker", ResourceId=f"endpoint/{CHAT}/variant/main"
    )["ScalingPolicies"]
    tracking = {policy["PolicyName"]: policy.get("TargetTrackingScalingPolicyConfiguration", {}) for policy in policies}
    metrics = {
        name: each.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType", "a metric of its own")
        for name, each in tracking.items()
    }
    fitting = [name for name, metric in metrics.items() if CONCURRENCY.fullmatch(metric)]
    if not fitting:
        seen = ", ".join(f"'{name}' on {metric}" for name, metric in metrics.items()) or "no policy at all"
        return no(f"The chat has {seen}. Scale it on the predefined metric of requests in hand, at high resolution.")
    aim = tracking[fitting[0]]["TargetValue"]
    if aim > SEATS:
        return Finding(
            0.5,
            f"The signal is right; its target of {aim:g} is content while people wait, for the container has {SEATS} seats. Aim lower.",
        )
    if len(metrics) > 1:
        others = ", ".join(sorted(set(metrics) - set(fitting)))
        return Finding(
            0.5, f"The signal is right, and {others} is still there as well. Delete what does not know anything."
        )
    return yes(f"Scaled on requests in hand, {aim:g} for each copy.")


def large_in_service(account: Account) -> Finding:
    """The large model answers on Inferentia."""
    found = vocabulary.endpoint_in_service(account, LARGE, families=("inf2",))
    if found.credit == 1:
        return found
    return no(
        f"{found.message} The start needs as long as the weights take, and the clock that runs out is the one of the container's health check."
    )


def weights(account: Account) -> Finding:
    """The weights' time, in proportion to the published start."""
    said = handin.number(handin.read(account.client("ssm"), SLUG, 4), "weights_s")
    right = WEIGHTS_GB / PUBLISHED_GB * facts.number("sagemaker.autoscaling.weights_qwen3-8b_s")
    if said is None:
        return no(
            "weights_s is not handed in: the published start moved 16.4 GB; how long do 141 GB take at that pace?"
        )
    if math.isclose(said, right, rel_tol=0.05):
        default = facts.number("sagemaker.container.health_timeout_default_s")
        return yes(f"{said:.0f} s for the weights; the default clock has {default:.0f}.")
    return no(
        f"{said:.0f} s are not 141 GB at the pace at which the published start moved 16.4 GB. It is a proportion."
    )


def woke(account: Account) -> Finding:
    """The policy has asked for a second instance."""
    found = activities(account)
    if found:
        return yes(f"{found[-1]['Description']} The overload was seen.")
    return no(
        "Nothing has scaled the chat. The alarm of a policy on requests in hand goes off after three datapoints; are the callers there, and is the policy?"
    )


def activities(account: Account) -> list[dict[str, Any]]:
    """What scaling has done to the chat by itself, the oldest last."""
    scaling = account.client("application-autoscaling")
    found: list[dict[str, Any]] = scaling.describe_scaling_activities(
        ServiceNamespace="sagemaker", ResourceId=f"endpoint/{CHAT}/variant/main"
    )["ScalingActivities"]
    return [each for each in found if "instance count to 2" in each["Description"]]


def noticed(account: Account) -> Finding:
    """How long the signal took, by what CloudWatch and the activity say."""
    said = handin.number(handin.read(account.client("ssm"), SLUG, 5), "noticed_s")
    acts = activities(account)
    if said is None or not acts:
        return no(
            "noticed_s is not handed in, or nothing has scaled yet. An activity has a StartTime; the rush had a beginning."
        )
    decided = acts[-1]["StartTime"].timestamp()
    rush = [
        point["Timestamp"].timestamp()
        for point in chat_metric(account, "ConcurrentRequestsPerModel", "AWS/SageMaker", 10)
        if point["Maximum"] >= RUSH and point["Timestamp"].timestamp() < decided
    ]
    if not rush:
        return no(
            "CloudWatch shows no rush before the decision in the last hours: let twelve callers in, as Task 2 does."
        )
    seen_s = decided - rush[0]
    if abs(said - seen_s) <= 20:
        return yes(f"{said:.0f} s from the rush to the decision; the cold start comes on top.")
    return no(
        f"{said:.0f} s: by its metric the rush was seen about {seen_s:.0f} s before the decision. Subtract in seconds, begin from end."
    )


def highest_target(account: Account) -> Finding:
    """The target that leaves room for what arrives meanwhile."""
    said = handin.number(handin.read(account.client("ssm"), SLUG, 6), "highest_target")
    late_s = ALARM_S + facts.number("sagemaker.autoscaling.scale_out_qwen3-8b_s")
    right = SAFE_IN_HAND - GROWTH_PER_MINUTE * late_s / 60
    if said is None:
        return no(
            "highest_target is not handed in: what arrives while alarm and start last has to fit below 40 as well."
        )
    if right - 1 <= said <= right + 0.5:
        return yes(f"{said:.0f}: what arrives in {late_s:.0f} s still fits below {SAFE_IN_HAND}.")
    arrive = GROWTH_PER_MINUTE * late_s / 60
    return no(
        f"With {said:.0f}, {said + arrive:.0f} are in hand when the instance comes; {SAFE_IN_HAND} is the most. {arrive:.0f} arrive meanwhile."
    )


def monday(account: Account) -> Finding:
    """A second instance, before nine on Mondays."""
    try:
        found = account.client("application-autoscaling").describe_scheduled_actions(
            ServiceNamespace="sagemaker", ResourceId=f"endpoint/{CHAT}/variant/main", ScheduledActionNames=["monday"]
        )["ScheduledActions"]
    except ClientError:
        found = []
    if not found:
        return no("There is no scheduled action 'monday' on the chat's variant: put_scheduled_action makes one.")
    least = found[0].get("ScalableTargetAction", {}).get("MinCapacity", 0)
    fields = re.fullmatch(r"cron\((\d+) (\d+) (\S+) (\S+) (\S+) (\S+)\)", found[0]["Schedule"])
    if fields is None or not re.search(r"MON|\b2\b|\*", fields[5]):
        return no(
            f"'{found[0]['Schedule']}' does not recur on Mondays: cron(minutes hours day month weekday year), as cron(0 12 ? * MON *)."
        )
    if least < 2:
        return Finding(
            0.5, f"The action's minimum is {least}: on Monday nothing asks for a second instance. MinCapacity 2."
        )
    early = OPENS_AT_MINUTE - (int(fields[2]) * 60 + int(fields[1]))
    start = math.ceil(facts.number("sagemaker.autoscaling.scale_out_qwen3-8b_s") / 60)
    if early < start:
        return Finding(
            0.5,
            f"The action comes {early} minutes before nine, and a start takes {start}. Schedule the start, not the need.",
        )
    if early > 120:
        return Finding(
            0.5, f"The second instance stands there {early} minutes before anybody comes, and is paid. Nearer to nine."
        )
    return yes(f"A second instance is asked for {early} minutes before nine.")


LAB = Lab(
    SLUG,
    (
        Task(1, "The door that is closed", 7, (Check("quotas", 3, quotas),)),
        Task(2, "What does the CPU know?", 8, (Check("cpu-parts", 2, cpu_parts),)),
        Task(3, "A signal that knows", 8, (Check("concurrency-policy", 3, concurrency_policy),)),
        Task(
            4,
            "The clock that runs out",
            9,
            (Check("weights", 1, weights), Check("large-in-service", 3, large_in_service)),
        ),
        Task(5, "Did it wake?", 6, (Check("woke", 2, woke), Check("noticed", 1, noticed))),
        Task(
            6,
            "What you know, you need not measure",
            7,
            (Check("highest-target", 2, highest_target), Check("monday", 2, monday)),
            stretch=True,
        ),
    ),
    time_limit_s=300,
)
