"""What a room costs on real AWS: the labs' own resources for each person, their quotas, and one endpoint that everybody shares.

    sheet = money.sheet(["03-sagemaker"], people=40)
    sheet.rows[0].bill.usd             # one person's, at the very most: from the first cell to the clean-up, and half an hour more
    sheet.needs                        # quotas that an account needs and does not have by default
    money.share(targets.get("sagemaker-gpu")(), people=40)      # slots for each person, waiting times, both ceilings

The labs' names in an account are fixed, so two people in one account and Region would build over each other: it is an account for each, or
the local cloud, which costs nothing. What a lab makes stands in `room.yaml`; every price and quota comes from the register.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from labs import facts
from labs.check.labs import known as known_labs
from labs.check.labs import load
from labs.cloud import Cloud
from labs.cloud.services import quotas
from labs.economics import capacity, instances, queue
from labs.economics.bill import HOURS_PER_MONTH, Bill, Line
from labs.errors import USAGE, Refusal
from labs.facts import catalogue
from labs.serving.engine import EngineConfig
from labs.serving.profiles import deployment
from labs.serving.services import latencies
from labs.serving.simulate import Closed, simulate
from labs.squid import sizing
from labs.targets import Kind, Site, Target, ceiling, token_price, vcpus
from labs.targets.bedrock_on_demand import BedrockOnDemand
from labs.targets.ceiling import TEARDOWN_HOURS, Calls
from labs.targets.costs import JOB_S
from labs.targets.ec2_vllm import disk
from labs.workshop.agenda import SLACK

DATA = Path(__file__).with_name("room.yaml")
REGION = "us-east-1"
BATCH = 5
"""Jobs that one worker of the queue has at once."""
ALONE_TIMES = 2.0
"""How much slower than alone an answer may be where several are worked on at once."""
MOST_AT_ONCE = 64
SLOTS_PART = 6
"""One person has at most this part of what is worked on at once: three who ask without pause leave half of it to the others."""


@dataclass(frozen=True)
class Need:
    """So much of a quota in one account."""

    service: str
    code: str
    """AWS's own; empty where it is not public."""
    name: str
    default: float
    amount: float

    @property
    def missing(self) -> bool:
        """Has a new account less?"""
        return self.amount > self.default

    @property
    def command(self) -> str:
        """How to ask for it, in the account that needs it."""
        if not self.code:
            return f"ask for '{self.name}' in the console of Service Quotas"
        return (
            f"aws service-quotas request-service-quota-increase --service-code {self.service} --quota-code {self.code} "
            f"--desired-value {self.amount:g} --region {REGION}"
        )


@dataclass(frozen=True)
class LabCost:
    """One lab, for one person."""

    slug: str
    hours: float
    """From the first cell to the clean-up, with slack; and half an hour in which things are still being deleted."""
    bill: Bill
    needs: tuple[Need, ...]
    without: tuple[str, ...]
    """What is saved, and by which tasks, where a part of it can be left out."""


@dataclass(frozen=True)
class Sheet:
    """A room's labs."""

    people: int
    rows: tuple[LabCost, ...]

    @property
    def each_usd(self) -> float:
        """One person's, at the very most."""
        return sum(row.bill.usd for row in self.rows)

    @property
    def room_usd(self) -> float:
        """Everybody's."""
        return self.people * self.each_usd

    @property
    def prices_as_of(self) -> str:
        """When the oldest of the prices was looked up; empty where nothing is priced."""
        dates = [str(facts.get(id).as_of) for row in self.rows for id in row.bill.facts()]
        return min(dates, default="")

    @property
    def needs(self) -> list[Need]:
        """Of each quota the most that a lab needs, where a new account has less."""
        most: dict[tuple[str, str], Need] = {}
        for need in (each for row in self.rows for each in row.needs if each.missing):
            key = (need.service, need.name)
            if key not in most or need.amount > most[key].amount:
                most[key] = need
        return list(most.values())


@dataclass(frozen=True)
class Share:
    """One target behind the queue, for everybody."""

    target: Target
    people: int
    jobs: int
    """Of each person."""
    hours: float
    calls: Calls
    standing: ceiling.Plan
    """The target for its hours; nothing where it costs nothing to keep."""
    queued: ceiling.Plan
    """The calls, and the queue around them."""
    at_once: int
    """Calls that the model works on at once."""
    workers: int
    batch: int
    slots: int
    """Of those, one person's at most."""
    alone_s: float
    """One answer when nobody else asks, predicted by the serving model or assumed for the service."""
    everybody_s: float
    """Until the last has an answer when everybody asks one thing in the same moment."""
    why: str
    options: tuple[str, ...] = ()
    """Of the target, as OPTION=VALUE."""

    @property
    def usd(self) -> float:
        """Both, at the very most."""
        return self.standing.usd + self.queued.usd

    @property
    def greedy_s(self) -> float:
        """The last of the others, while one person keeps every slot that one may have busy."""
        left = max(1, self.at_once - self.slots)
        return self.everybody_s * self.at_once / left

    def commands(self) -> list[str]:
        """What the instructor types, in order."""
        name, hours = self.target.name, math.ceil(self.hours)
        option = "".join(f" --set {each}" for each in self.options)
        made = [f"lab doctor --real --target {name}"]
        if not getattr(self.target, "creates_nothing", False):
            made.append(
                f"lab deploy {name} --real --hours {hours}{option} --ceiling-usd {ceiling.up(self.standing.usd)}"
            )
        made.append(
            f"lab deploy squid --real --target {name}{option} --hours {hours} --requests {self.calls.requests} --input-tokens {self.calls.input_tokens} "
            f"--output-tokens {self.calls.output_tokens} --max-tokens {self.calls.output_tokens} --batch-size {self.batch} "
            f"--concurrency {self.workers} --parameter TenantConcurrency={self.slots} --parameter JwtIssuer=ISSUER "
            f"--parameter JwtAudience=CLIENT_ID --ceiling-usd {ceiling.up(max(self.queued.usd, 0.01))}"
        )
        return [*made, f"lab teardown --all --real --regions {REGION}"]


def sheet(slugs: Sequence[str], people: int) -> Sheet:
    """The labs' resources for each of so many people. Raises Refusal for a lab that there is not, and for no people."""
    if people < 1:
        raise Refusal(f"a room of {people} people is no room; say --people 1 or more", USAGE)
    return Sheet(people, tuple(of(slug) for slug in slugs or labs()))


def labs() -> list[str]:
    """Those of the course, in order."""
    return [slug for slug in known_labs() if slug in _data()]


def of(slug: str) -> LabCost:
    """One lab for one person, at the very most."""
    lab = load(slug)
    if lab.slug not in _data():
        raise Refusal(f"nothing is written down about what lab {lab.slug} makes; there are {', '.join(labs())}", USAGE)
    hours = sum(task.minutes for task in lab.tasks) * (1 + SLACK) / 60 + TEARDOWN_HOURS
    lines: list[Line] = []
    needs: list[Need] = []
    without: list[str] = []
    for use in _data()[lab.slug]:
        bill, more = _use(use, hours)
        lines += bill.lines
        needs += more
        if tasks := use.get("leave_out"):
            named = f"task{'s' if len(tasks) > 1 else ''} {' and '.join(map(str, tasks))}"
            wants = f", which want{'s' if len(tasks) == 1 else ''} {use['what']}," if "what" in use else ""
            without.append(f"without {named}{wants} ${bill.usd:,.2f} less")
    return LabCost(lab.slug, hours, Bill(lab.slug, tuple(lines)), tuple(needs), tuple(without))


def share(
    target: Target,
    people: int,
    jobs: int = 20,
    input_tokens: int = 500,
    output_tokens: int = 200,
    hours: float = 4.0,
    options: Sequence[str] = (),
) -> Share:
    """One target for everybody behind the queue. Raises Refusal for one that answers no calls, or whose speed or price nobody knows."""
    if people < 1 or jobs < 1:
        raise Refusal("a room needs one person and one job at least", USAGE)
    if Kind.ONLINE not in target.kinds:
        raise Refusal(
            f"{target.name} answers no single calls ({', '.join(sorted(target.kinds))}); share another target", USAGE
        )
    fits, alone_s, last_of, why = _speed(target, input_tokens, output_tokens)
    workers = max(2, math.ceil(fits / BATCH))  # Lambda takes no fewer than two
    batch = max(1, min(BATCH, fits // workers))
    at_once = workers * batch
    calls = Calls(people * jobs, input_tokens, output_tokens)
    site = Site(Cloud(None, REGION, ""), target.name, math.ceil(hours))
    around = queue.squid(calls.requests, JOB_S)
    return Share(
        target,
        people,
        jobs,
        hours,
        calls,
        ceiling.plan(target, site),
        ceiling.plan_calls(target, site, calls, around),
        at_once,
        workers,
        batch,
        max(1, at_once // SLOTS_PART),
        alone_s,
        last_of(at_once, people),
        why,
        tuple(options),
    )


LastOf = Callable[[int, int], float]
"""So many at once, so many jobs: seconds until the last of them is answered."""


def _speed(target: Target, input_tokens: int, output_tokens: int) -> tuple[int, float, LastOf, str]:
    """How many at once, one answer alone, how long many take together; and why."""
    if isinstance(target, BedrockOnDemand):
        return _speed_by_quota(target, input_tokens, output_tokens)
    model, instance = getattr(target, "model", ""), getattr(target, "instance_type", "")
    if not (model and instance):
        raise Refusal(
            f"how many {target.name} works on at once, nobody here knows; share bedrock-on-demand, or a target of instances",
            USAGE,
        )
    spec = deployment(model, instance).spec
    alone_s = _closed(spec, 1, 4, input_tokens, output_tokens)[0]
    at_once = 1
    while at_once < MOST_AT_ONCE:
        twice_s, _ = _closed(spec, 2 * at_once, 8 * at_once, input_tokens, output_tokens)
        if twice_s > ALONE_TIMES * alone_s:
            break
        at_once *= 2
    why = (
        f"one {instance} with {model}, predicted by the serving model: alone an answer takes {alone_s:.1f} s, and with {at_once} at once "
        f"no more than {ALONE_TIMES:g} times that"
    )
    return at_once, alone_s, lambda most, jobs: _closed(spec, most, jobs, input_tokens, output_tokens)[1], why


def _speed_by_quota(target: BedrockOnDemand, input_tokens: int, output_tokens: int) -> tuple[int, float, LastOf, str]:
    quota = quotas.bedrock_tokens_per_minute(target.model_id)
    if quota is None:
        raise Refusal(f"the register has no quota of tokens for {target.model_id}; share another model", USAGE)
    sized = sizing.size(
        target.model_id,
        tokens_per_minute=quota.default,
        input_tokens=input_tokens,
        max_tokens=output_tokens,
        batch_size=BATCH,
    )
    assumed = latencies(target.model_id)
    alone_s = assumed.ttft_s + input_tokens * assumed.per_input_token_s + output_tokens * assumed.tpot_s
    fits = max(2, min(MOST_AT_ONCE, int(sized.calls_in_flight)))
    why = f"the default quota of {target.model_id}: {sized.reason}"
    return fits, alone_s, lambda most, jobs: math.ceil(jobs / most) * alone_s, why


def _closed(spec: Any, at_once: int, requests: int, input_tokens: int, output_tokens: int) -> tuple[float, float]:
    """Median seconds of an answer, and seconds until the last of them, with so many in hand at any time."""
    run = simulate(EngineConfig(spec, seed=1), Closed(at_once, requests, input_tokens, output_tokens))
    middle = run.statistics.e2e_ms
    assert middle is not None, "all of them were answered"
    return middle.p50 / 1e3, max(run.table.finish)


def _use(use: dict[str, Any], hours: float) -> tuple[Bill, list[Need]]:
    """What one line of the data costs, and which quotas it needs."""
    if "endpoint" in use:
        quota = quotas.endpoint_usage(use["endpoint"])
        code = "" if quota.code.startswith("LOCAL-") else quota.code
        need = Need("sagemaker", code, quota.name, quota.default, use["most"])
        return _named(instances.endpoint(use["endpoint"], use["most"], hours), use["endpoint"]), [need]
    if "machine" in use:
        code = vcpus.quota_code(use["machine"])
        quota = quotas.get("ec2", code)
        need = Need("ec2", code, quota.name, quota.default, catalogue.instance(use["machine"]).vcpus * use["most"])
        bill = instances.machines(use["machine"], use["most"], hours)
        return _named(bill + Bill("", (disk(use["disk_gib"], hours, use["most"]),)), use["machine"]), [need]
    if "import_units" in use:
        minutes = capacity.active_minutes([(60.0 * n, 1.0) for n in range(use["windows"])])
        return _named(
            capacity.custom_import(use["import_units"], minutes, months=hours / HOURS_PER_MONTH), "imported model"
        ), []
    price = token_price.of(BedrockOnDemand(model_id=use["model"]))
    assert price is not None, "tokens of Bedrock's models are paid for"
    calls, millions = use["calls"], 1e6
    return Bill(
        use["model"],
        (
            Line(
                f"input tokens of {use['model']}",
                calls * use["input_tokens"] / millions,
                "million tokens",
                price.input_usd,
                price.facts[:1],
            ),
            Line(
                f"output tokens of {use['model']}",
                calls * use["output_tokens"] / millions,
                "million tokens",
                price.output_usd,
                price.facts[1:],
            ),
        ),
    ), []


def _named(bill: Bill, of_what: str) -> Bill:
    lines = tuple(
        Line(f"{line.name} of {of_what}", line.quantity, line.unit, line.usd_per_unit, line.facts, line.assumption)
        for line in bill.lines
    )
    return Bill(bill.title, lines)


@cache
def _data() -> dict[str, list[dict[str, Any]]]:
    read: dict[str, list[dict[str, Any]]] = yaml.safe_load(DATA.read_text("utf-8"))
    return read
