"""What lab 5, What does it really cost?, leaves in the cloud before its clean-up: an endpoint, its schedule, a plan, and a few numbers.

The given cells call Bedrock and make the endpoint in a blank copy too; so each check looks at what an exercise changes. Amounts are
worked out anew, from what the account shows and from the register.
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from labs import facts
from labs.check import handin
from labs.check.model import Account, Check, Finding, Lab, Task, no, yes
from labs.decide.sizing import Demand, setups
from labs.economics import breakeven, instances, tokens
from labs.economics.bill import HOURS_PER_MONTH
from labs.economics.traffic import Traffic
from labs.facts import catalogue

SLUG, NAME, PLAN = "05-economics", "economics-lab", "economics-choice"
MODEL, PRICE = "us.meta.llama3-1-8b-instruct-v1:0", "llama-3-1-8b"
CATALOGUED = "llama-3.1-8b"
PER_MINUTE = 800
INPUT, OUTPUT = 500, 200
DAY_HOURS, NIGHT_HOURS = 15, 9
NO_ENDPOINT = f"There is no endpoint '{NAME}': run the cells of Task 2, and check before the clean-up, which removes what is looked at."


def counted(account: Account, metric: str) -> float:
    """The sum of a metric of the lab's model over the last three hours."""
    now = datetime.now(UTC)
    found = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Bedrock",
        MetricName=metric,
        Dimensions=[{"Name": "ModelId", "Value": MODEL}],
        StartTime=now - timedelta(hours=3),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in found["Datapoints"]))


def whole_bill(account: Account) -> Finding:
    """The month's bill is that of the tokens that Bedrock counted, in and out."""
    usd = handin.number(handin.read(account.client("ssm"), SLUG, 1), "month_usd")
    calls = counted(account, "Invocations")
    if not calls:
        return no("CloudWatch has no call of the lab's model in the last three hours: run the first cells of Task 1.")
    if usd is None:
        return no(
            "month_usd is not handed in. Divide what CloudWatch counted by the calls, and let a Traffic be priced."
        )
    given, made = counted(account, "InputTokenCount") / calls, counted(account, "OutputTokenCount") / calls
    right = tokens.on_demand(PRICE, Traffic.steady(PER_MINUTE, given, made)).usd
    half = tokens.on_demand(PRICE, Traffic.steady(PER_MINUTE, given, 0)).usd
    if math.isclose(usd, right, rel_tol=0.03):
        return yes(f"${usd:,.0f} a month, for {given:.0f} tokens in and {made:.0f} out of each request.")
    if math.isclose(usd, half, rel_tol=0.03):
        return no(
            f"${usd:,.0f} is the bill of what goes in. The {made:.0f} tokens that come out of a request are paid too."
        )
    return no(
        f"${usd:,.0f} is not what {PER_MINUTE} requests a minute cost in {HOURS_PER_MONTH:g} hours. "
        "Prices are for a million tokens; the averages are sums divided by invocations."
    )


def standing(account: Account) -> dict[str, Any] | None:
    """The endpoint's variant, with its instance type; None when there is no endpoint that serves."""
    sagemaker = account.client("sagemaker")
    try:
        endpoint = sagemaker.describe_endpoint(EndpointName=NAME)
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    except ClientError:
        return None
    if not endpoint.get("ProductionVariants"):
        return None
    return {**config["ProductionVariants"][0], **endpoint["ProductionVariants"][0]}


def carries(instance_type: str, dtype: str) -> float:
    """Requests a minute that one instance carries, as the serving model predicts; 0 where the model does not fit."""
    shape = catalogue.model(CATALOGUED).shape
    assert shape is not None  # its weights are public
    asked = Demand("poisson", INPUT, OUTPUT, None, None, waits=True)
    found = setups(CATALOGUED, shape, instance_type, dtype, asked, packs=False)
    return found[0].capacity_per_s * 60 if found else 0.0


def needed_per_minute(instance_type: str) -> float:
    """Requests a minute, around the clock, at which one instance costs what tokens cost."""
    one = Traffic.steady(1, INPUT, OUTPUT)
    return instances.endpoint(instance_type).usd / tokens.on_demand(PRICE, one).usd


def break_even(account: Account) -> Finding:
    """Where the endpoint's machine and the token price meet."""
    variant = standing(account)
    if variant is None:
        return no(NO_ENDPOINT)
    given = handin.read(account.client("ssm"), SLUG, 2)
    part, needed = handin.number(given, "break_even"), handin.number(given, "needed_per_minute")
    if part is None or needed is None:
        return no(
            "break_even and needed_per_minute are not handed in. The chart shows roughly where; the functions say exactly."
        )
    full = carries(variant["InstanceType"], "bf16")
    right = breakeven.utilisation(
        instances.endpoint(variant["InstanceType"], hours=1).usd,
        full / 60 * (INPUT + OUTPUT),
        facts.number(f"bedrock.price.{PRICE}.input_per_million"),
    )
    close = [math.isclose(part, right, rel_tol=0.03), math.isclose(needed, right * full, rel_tol=0.03)]
    if all(close):
        return yes(f"{part:.0%} of an {variant['InstanceType']} in use, {needed:.0f} requests a minute.")
    if close[0]:
        return Finding(
            0.5,
            f"{part:.0%} is right. As requests a minute it is that part of what the machine carries, not {needed:.0f}.",
        )
    if close[1]:
        return Finding(
            0.5,
            f"{needed:.0f} requests a minute are right; as a part of what the machine carries they are not {part:.2f}.",
        )
    return no(
        f"Neither {part:.0%} nor {needed:.0f} requests a minute is where the lines meet. A full machine makes all "
        f"{INPUT + OUTPUT} tokens of each request that it carries."
    )


def two_instances(account: Account) -> Finding:
    """The endpoint has a second instance."""
    variant = standing(account)
    if variant is None:
        return no(NO_ENDPOINT)
    count = int(variant.get("DesiredInstanceCount", 0))
    if count >= 2:
        return yes(f"{count} instances: when one fails, another answers.")
    return no(f"The endpoint has {count} instance; while a lost one is replaced, nobody answers. Ask for a second one.")


def pair_needs(account: Account) -> Finding:
    """The pair's break-even is twice that of one."""
    variant = standing(account)
    if variant is None:
        return no(NO_ENDPOINT)
    needed = handin.number(handin.read(account.client("ssm"), SLUG, 3), "pair_needed_per_minute")
    if needed is None:
        return no(
            "pair_needed_per_minute is not handed in. Two machines are paid; the tokens of a request cost what they did."
        )
    one = needed_per_minute(variant["InstanceType"])
    if math.isclose(needed, 2 * one, rel_tol=0.03):
        return yes(f"{needed:.0f} requests a minute pay for two machines.")
    if math.isclose(needed, one, rel_tol=0.03):
        return no(f"{needed:.0f} a minute pay for one machine. The spare costs as much as the other, busy or not.")
    return no(
        f"{needed:.0f} requests a minute do not cost as much in tokens as two machines do. Start from Task 2's number."
    )


def schedule(account: Account) -> Finding:
    """By day two, at night one, and the night really takes one away."""
    found = account.client("application-autoscaling").describe_scheduled_actions(
        ServiceNamespace="sagemaker", ResourceId=f"endpoint/{NAME}/variant/main"
    )["ScheduledActions"]
    actions = {each["ScheduledActionName"]: each for each in found if each["Schedule"].startswith("cron")}
    if not {"day", "night"} <= set(actions):
        missing = " and ".join(name for name in ("day", "night") if name not in actions)
        return no(f"The variant has no scheduled action named {missing} that recurs. put_scheduled_action makes one.")
    day, night = (actions[name].get("ScalableTargetAction", {}) for name in ("day", "night"))
    hours = [actions[name]["Schedule"].partition("(")[2].split()[1:2] for name in ("day", "night")]
    if hours != [["7"], ["22"]]:
        return Finding(
            0.5, "The actions are there, but not at 7 and at 22 o'clock: cron(0 7 * * ? *) and cron(0 22 * * ? *)."
        )
    if day.get("MinCapacity", 0) < 2:
        return Finding(0.5, "By day nothing asks for a second instance: the day's action needs a MinCapacity of 2.")
    if night.get("MaxCapacity", 2) > 1:
        return Finding(
            0.5,
            "The night allows one instance and leaves two standing: only a MaxCapacity of 1 takes one away, since no policy does.",
        )
    if night.get("MinCapacity") != 1:
        return Finding(0.5, "The night's minimum has to come down with its maximum: MinCapacity 1.")
    return yes("Two instances from seven, one from ten at night.")


def shift_bill(account: Account) -> Finding:
    """The month with that schedule."""
    variant = standing(account)
    if variant is None:
        return no(NO_ENDPOINT)
    usd = handin.number(handin.read(account.client("ssm"), SLUG, 4), "shift_usd")
    if usd is None:
        return no("shift_usd is not handed in. Count machine hours: two by day, one at night, of a month's 730 hours.")
    whole = instances.endpoint(variant["InstanceType"]).usd
    right = whole * (2 * DAY_HOURS + NIGHT_HOURS) / 24
    if math.isclose(usd, right, rel_tol=0.02):
        return yes(f"${usd:,.0f} a month, of ${2 * whole:,.0f} for two around the clock.")
    if math.isclose(usd, whole * 2 * DAY_HOURS / 24, rel_tol=0.02):
        return no(f"${usd:,.0f} leaves the night out: one instance stands there for {NIGHT_HOURS} hours, and is paid.")
    return no(
        f"${usd:,.0f} is not it: {DAY_HOURS} hours with two instances and {NIGHT_HOURS} with one, on each day of {HOURS_PER_MONTH:g} hours."
    )


def planned(account: Account) -> tuple[str, int, str] | None:
    """The plan's instance type, count and precision; None when there is none."""
    sagemaker = account.client("sagemaker")
    try:
        variant = sagemaker.describe_endpoint_config(EndpointConfigName=PLAN)["ProductionVariants"][0]
        container = sagemaker.describe_model(ModelName=variant["ModelName"])["PrimaryContainer"]
    except ClientError:
        return None
    quantised = str(container.get("Environment", {}).get("OPTION_QUANTIZE", "")).lower()
    return variant["InstanceType"], int(variant["InitialInstanceCount"]), quantised or "bf16"


NO_PLAN = (
    f"There is no endpoint configuration '{PLAN}' with its model: make_model and make_config write your choice down."
)


def survives(account: Account) -> Finding:
    """The plan carries the load with one instance lost."""
    plan = planned(account)
    if plan is None:
        return no(NO_PLAN)
    instance_type, count, dtype = plan
    if dtype not in ("bf16", "fp8") or instance_type not in catalogue.instances():
        return no(
            f"The plan has {dtype} on {instance_type}; the course can size bf16 and fp8 on the types of its catalogue."
        )
    each = carries(instance_type, dtype)
    left = (count - 1) * each
    if left >= PER_MINUTE:
        return yes(f"{count} x {instance_type}: with one lost, {left:.0f} requests a minute are still carried.")
    return no(
        f"{count} x {instance_type} in {dtype} carry {count * each:.0f} requests a minute, and {left:.0f} with one lost; {PER_MINUTE} are asked for."
    )


def cheapest(account: Account) -> Finding:
    """No other fleet that survives costs less."""
    plan = planned(account)
    if plan is None:
        return no(NO_PLAN)
    instance_type, count, _ = plan
    if survives(account).credit < 1:
        return no("What does not survive is not compared. First a fleet that carries the load with one instance lost.")
    usd = instances.endpoint(instance_type, count).usd
    best = min(
        instances.endpoint(id, math.ceil(PER_MINUTE / each) + 1).usd
        for id, entry in catalogue.instances().items()
        if id.startswith("ml.g") and entry.price is not None
        for dtype in ("bf16", "fp8")
        if (each := carries(id, dtype))
    )
    if usd <= best * 1.01:
        return yes(f"${usd:,.0f} a month, and no GPU fleet that survives costs less.")
    by_token = tokens.on_demand(PRICE, Traffic.steady(PER_MINUTE, INPUT, OUTPUT)).usd
    said = f"It survives, at ${usd:,.0f} a month; there is a fleet for ${best:,.0f}. Try small machines, and half the bytes."
    return Finding(0.5, said) if usd < by_token else no(f"{said} Tokens would cost ${by_token:,.0f}.")


LAB = Lab(
    SLUG,
    (
        Task(1, "The whole bill", 7, (Check("whole-bill", 3, whole_bill),)),
        Task(2, "A machine that idles", 8, (Check("break-even", 3, break_even),)),
        Task(
            3, "One machine is none", 5, (Check("two-instances", 2, two_instances), Check("pair-needs", 1, pair_needs))
        ),
        Task(4, "The night shift", 7, (Check("schedule", 3, schedule), Check("shift-bill", 2, shift_bill))),
        Task(
            5,
            "The cheapest that survives",
            8,
            (Check("survives", 2, survives), Check("cheapest", 2, cheapest)),
            stretch=True,
        ),
    ),
    time_limit_s=240,
)
