"""What lab 2, Renting tokens, leaves in the cloud: two parameters, the metrics of its calls, and numbers that are worked out again here."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from labs import facts
from labs.check import handin
from labs.check.model import Account, Check, Finding, Lab, Task, no, yes
from labs.economics import capacity, instances

SLUG = "02-bedrock"
MODEL, QUOTA_CODE = "us.meta.llama3-3-70b-instruct-v1:0", "L-0E7AA8B7"
CACHED_MODEL, IMPORTED = "us.amazon.nova-lite-v1:0", "contracts-70b"
FRIDAYS_CEILING, DEPARTMENT = 8_192, 250
CEILING, CHOSEN = "/claims/max-tokens", "/claims/model-id"
HOURS_BACK = 6
"""How long ago the lab's calls may have been."""


def given(account: Account, task: int) -> dict[str, Any]:
    """What was handed in for a task."""
    return handin.read(account.client("ssm"), SLUG, task)


def parameter(account: Account, name: str) -> str | None:
    """A parameter's value, or None."""
    ssm = account.client("ssm")
    try:
        return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        return None


def quota(account: Account) -> float:
    """Tokens a minute that the account has for the lab's model."""
    found = account.client("service-quotas").get_service_quota(ServiceCode="bedrock", QuotaCode=QUOTA_CODE)
    return float(found["Quota"]["Value"])


def metric(account: Account, model_id: str, name: str, statistic: str) -> float:
    """The largest (Maximum, p99) or the sum (Sum) of a Bedrock metric over the last hours; 0 where there is none."""
    now = datetime.now(UTC)
    extended = statistic.startswith("p")
    points = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Bedrock",
        MetricName=name,
        Dimensions=[{"Name": "ModelId", "Value": model_id}],
        StartTime=now - timedelta(hours=HOURS_BACK),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        **({"ExtendedStatistics": [statistic]} if extended else {"Statistics": [statistic]}),
    )["Datapoints"]
    values = [point["ExtendedStatistics"][statistic] if extended else point[statistic] for point in points]
    return float(sum(values) if statistic == "Sum" else max(values, default=0.0))


def booking(account: Account) -> Finding:
    """What one of Monday's calls books, and how many bookings the quota takes."""
    handed = given(account, 1)
    booked, let_in = handin.number(handed, "booked"), handin.number(handed, "let_in")
    if booked is None or let_in is None:
        return no("booked or let_in is not handed in. A call books what it sends and the most that it may write.")
    longest = metric(account, MODEL, "InputTokenCount", "Maximum")
    right = FRIDAYS_CEILING + longest
    if abs(booked - right) > 5:
        return no(
            f"A call does not book {booked:g} tokens: input plus maxTokens, whatever it writes in the end. "
            f"CloudWatch has up to {longest:.0f} tokens of input a call."
        )
    if let_in != math.floor(quota(account) / booked):
        return Finding(
            0.5, f"The booking is right; {let_in:g} of them are not what fits: quota ÷ booking, whole calls only."
        )
    return yes(f"A call books {booked:,.0f} tokens, and {let_in:.0f} bookings fill the quota.")


def ceiling(account: Account) -> int | None:
    """The ceiling that stands in the configuration."""
    try:
        return int(parameter(account, CEILING) or "")
    except ValueError:
        return None


NO_CEILING = f"There is no whole number in the parameter {CEILING}. Write one with put_parameter, as a String."


def answers_fit(account: Account) -> Finding:
    """Not one answer in a hundred is cut off."""
    limit = ceiling(account)
    if limit is None:
        return no(NO_CEILING)
    p99 = metric(account, MODEL, "OutputTokenCount", "p99")
    if not p99:
        return no("CloudWatch has no answers of the lab's model yet: run the cells of Task 1 first, then check again.")
    if limit < p99:
        return no(
            f"maxTokens of {limit} cuts answers off: their 99th percentile is {p99:.0f} tokens. Leave it some room."
        )
    return yes(f"maxTokens of {limit} covers a 99th percentile of {p99:.0f} tokens.")


def department_fits(account: Account) -> Finding:
    """The bookings of the whole department fit in the quota."""
    limit = ceiling(account)
    if limit is None:
        return no(NO_CEILING)
    longest = metric(account, MODEL, "InputTokenCount", "Maximum") or 30
    fit = math.floor(quota(account) / (longest + max(limit, 0)))
    if fit >= DEPARTMENT:
        return yes(f"{fit:,} calls fit at once; the department has {DEPARTMENT}.")
    return Finding(
        0.5 if fit >= 100 else 0.0,
        f"With maxTokens of {limit} only {fit} calls fit at once, and {DEPARTMENT} come. Answers do not need that much.",
    )


def cache_read(account: Account) -> Finding:
    """Later calls read the handbook from the cache."""
    read = metric(account, CACHED_MODEL, "CacheReadInputTokenCount", "Sum")
    written = metric(account, CACHED_MODEL, "CacheWriteInputTokenCount", "Sum")
    if read:
        return yes(f"{read:,.0f} tokens were read from the cache.")
    if not written:
        return no(
            "No call has written to the cache yet. Run the three calls of this task; the prompt needs a cache point."
        )
    return no(
        f"{written:,.0f} tokens were written to the cache and none was read: something that changes stands before the "
        "cache point. Put it behind."
    )


def woken(account: Account) -> Finding:
    """The imported model has answered."""
    bedrock = account.client("bedrock")
    try:
        arn = bedrock.get_imported_model(modelIdentifier=IMPORTED)["modelArn"]
    except bedrock.exceptions.ResourceNotFoundException:
        return no(
            f"There is no imported model {IMPORTED}: run the cell that starts the import, and the one that waits for it."
        )
    if metric(account, arn, "Invocations", "Sum"):
        return yes("The model was woken, and has answered.")
    return no("The imported model has not answered a call yet. Ask again while it is not ready, until it is.")


def by_name(account: Account) -> Finding:
    """A throttle is passed on at once, by a function that does wait for a sleeping model."""
    times = handin.number(given(account, 4), "throttled")
    awake = woken(account)
    if times is None:
        return no("How often a throttled call was asked is not handed in; run the two trials, and the cell below them.")
    if awake.credit < 1:
        return no(
            "The function does not bring back the sleeping model's answer yet. First make it wait for ModelNotReadyException."
        )
    if times == 1:
        return yes("A throttle is passed on after one call.")
    return no(f"A throttled call was asked {times:g} times. The two share a status number: branch on the error's name.")


def keep_warm_priced(account: Account) -> Finding:
    """A day cold, a day kept warm, a day of an endpoint."""
    units = facts.number("bedrock.import.cmu_llama-3-70b")
    spells = {"cold_usd": [(60 * hour, 1) for hour in range(9, 17)], "warm_usd": [(60 * 9, 60 * 8)]}
    wanted = {
        name: capacity.custom_import(units, capacity.active_minutes(calls), 0).usd for name, calls in spells.items()
    }
    wanted["endpoint_usd"] = instances.endpoint("ml.g6e.12xlarge", hours=24).usd
    hints = {
        "cold_usd": "each call pays for a whole window",
        "warm_usd": "eight hours are 480 minutes of every unit",
        "endpoint_usd": "it does not sleep at night",
    }
    handed = {name: handin.number(given(account, 5), name) for name in wanted}
    if None in handed.values():
        return no("cold_usd, warm_usd or endpoint_usd is not handed in: units × minutes × price, and hours × price.")
    wrong = [name for name in wanted if not math.isclose(handed[name] or 0.0, wanted[name], rel_tol=0.02)]
    if wrong:
        said = "; ".join(f"{name} is not ${handed[name]:,.2f}: {hints[name]}" for name in wrong)
        return Finding(0.8 * (3 - len(wrong)) / 3, f"{said}.")
    return yes(
        f"Cold ${wanted['cold_usd']:.2f}, kept warm ${wanted['warm_usd']:.2f}, endpoint ${wanted['endpoint_usd']:.2f} a day."
    )


def even(account: Account) -> Finding:
    """Hours awake at which the endpoint costs the same."""
    hours = handin.number(given(account, 5), "hours_even")
    if hours is None:
        return no("hours_even is not handed in: a day of the endpoint ÷ an hour of the copy awake.")
    awake_hour = capacity.custom_import(facts.number("bedrock.import.cmu_llama-3-70b"), 60, 0).usd
    right = instances.endpoint("ml.g6e.12xlarge", hours=24).usd / awake_hour
    if math.isclose(hours, right, rel_tol=0.02):
        return yes(f"From {right:.1f} hours awake a day on the endpoint is cheaper.")
    return no(
        f"Not {hours:g} hours. The endpoint is paid for 24 hours, whatever it does; the copy for those it is awake."
    )


def model_lives(account: Account) -> Finding:
    """The configured model is Active, and has answered."""
    chosen = parameter(account, CHOSEN)
    if chosen is None:
        return no(f"There is no parameter {CHOSEN}. Put the id of an Active model there, with put_parameter.")
    bedrock = account.client("bedrock")
    base = chosen.partition(".")[2] if chosen.startswith(("us.", "eu.", "apac.", "global.")) else chosen
    try:
        state = bedrock.get_foundation_model(modelIdentifier=base)["modelDetails"]["modelLifecycle"]["status"]
    except (bedrock.exceptions.ResourceNotFoundException, bedrock.exceptions.ValidationException):
        return no(f"Bedrock has no model '{chosen[:60]}' here. list_foundation_models shows the ids.")
    if state != "ACTIVE":
        return no(f"{chosen} is {state}: its end has a date. Choose one whose modelLifecycle is ACTIVE.")
    if not metric(account, chosen, "Invocations", "Sum"):
        return Finding(0.5, f"{chosen} is Active, and nobody has asked it anything. Call it once under that id.")
    return yes(f"{chosen} is Active, and answers.")


LAB = Lab(
    SLUG,
    (
        Task(1, "Monday, nine o'clock", 8, (Check("booking", 2, booking),)),
        Task(2, "Size it", 7, (Check("answers-fit", 2, answers_fit), Check("department-fits", 2, department_fits))),
        Task(3, "The timestamp that emptied a cache", 7, (Check("cache-read", 2, cache_read),)),
        Task(4, "Asleep", 10, (Check("woken", 2, woken), Check("by-name", 2, by_name))),
        Task(5, "What staying awake costs", 8, (Check("keep-warm", 3, keep_warm_priced), Check("even", 1, even))),
        Task(6, "Models end", 5, (Check("model-lives", 2, model_lives),), stretch=True),
    ),
    time_limit_s=240,
)
