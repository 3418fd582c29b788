"""What a real run of each target costs at the very most, by dimension, worked out from the register; and what nobody could try on a real account.

print(costs.markdown())            # the body of book/reference/what-it-costs.md
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from labs import facts, targets
from labs.cloud import Cloud
from labs.economics import queue
from labs.economics.bill import Bill
from labs.errors import Refusal
from labs.facts import catalogue
from labs.targets import Site, Target, ceiling
from labs.targets.bedrock_on_demand import BedrockOnDemand
from labs.targets.ceiling import Calls

HOURS = 2.0
CALLS = Calls(requests=1_000, input_tokens=500, output_tokens=200)
"""The run: so long, and so many calls."""
FIVE_USD = 5.0
JUMPSTART = "sagemaker-jumpstart"
JOB_S = 60.0
"""How long a job keeps its worker at most."""
LOOKS_PER_HOUR, LOOK_S = 4, 60.0
"""How often the reaper looks, and how long a look may take."""
_WHERE = Cloud(None, "us-east-1", "")
_UNTRIED = "## What could not be tried on a real account"


@dataclass(frozen=True)
class Cost:
    """One target's run."""

    name: str
    bill: Bill | None
    """None where a part of it has no price in the register."""
    why_not: str
    lasts_h: float | None
    """For how many hours five dollars keep it, without a call; None where time costs nothing."""


def of(target: Target) -> Cost:
    """Its worst case."""
    try:
        plan = ceiling.plan(target, Site(_WHERE, target.name, HOURS), CALLS)
    except Refusal as unknown:
        return Cost(target.name, None, str(unknown), None)
    lasts = ceiling.affordable_hours(replace(plan, calls=ceiling.NO_CALLS), FIVE_USD)
    return Cost(target.name, plan.bill, "", None if lasts == float("inf") else max(0.0, lasts))


def all_of_them() -> list[Cost]:
    """In the order of the registry. JumpStart says itself which instances a model wants; here it is the catalogue's choice, so that nobody is asked."""
    chosen = {JUMPSTART: {"instance_type": str(catalogue.target(JUMPSTART).default_instance)}}
    return [of(make(**chosen.get(name, {}))) for name, make in targets.TARGETS.items()]


def beside() -> list[Cost]:
    """What is not a target: the queue in front of one, and the reaper of an account."""
    queued = BedrockOnDemand()
    site = Site(_WHERE, "squid", HOURS)
    jobs = ceiling.plan_calls(queued, site, CALLS, queue.squid(CALLS.requests, JOB_S))
    reaper = queue.function(HOURS * LOOKS_PER_HOUR, LOOK_S, 256, "x86")
    return [Cost("squid, in front of bedrock-on-demand", jobs.bill, "", None), Cost("reaper", reaper, "", None)]


def markdown() -> str:
    """The page: one table of sums, one of dimensions, and what was not tried."""
    costs = [*all_of_them(), *beside()]
    lines = [
        "## The sum",
        "",
        f"A run here is {HOURS:g} hours and {CALLS.requests:,} calls of {CALLS.input_tokens} tokens in and {CALLS.output_tokens} out, in "
        f"{_WHERE.region}, with each target's own defaults.",
        "",
        f"| target | at most (USD) | ${FIVE_USD:g} keep it for |",
        "|:--|--:|--:|",
        *(f"| `{cost.name}` | {_sum(cost)} | {_lasts(cost)} |" for cost in costs),
        "",
        "## By dimension",
        "",
        "| target | what | how much | each (USD) | sum (USD) |",
        "|:--|:--|--:|--:|--:|",
        *(row for cost in costs for row in _rows(cost)),
        "",
        "## The prices",
        "",
        "| in the register | (USD) | as of |",
        "|:--|--:|:--|",
        *(f"| `{id}` | {_written_out(facts.number(id))} | {facts.get(id).as_of} |" for id in _prices(costs)),
        "",
    ]
    if unknown := [cost for cost in costs if cost.bill is None]:
        lines += ["## What has no price here", ""]
        lines += [f"- `{cost.name}`: {cost.why_not[:1].upper()}{cost.why_not[1:]}." for cost in unknown] + [""]
    return "\n".join([*lines, "## What nobody has tried on a real account", "", *_untried(), ""])


def _rows(cost: Cost) -> list[str]:
    if cost.bill is None or not cost.bill.lines:
        return []
    return [
        f"| {f'`{cost.name}`' if line is cost.bill.lines[0] else ''} | {line.name}{f' ({line.assumption})' if line.assumption else ''} | "
        f"{_written_out(line.quantity, 4)} {line.unit} | {_written_out(line.usd_per_unit, 6)} | {line.usd:,.4f} |"
        for line in cost.bill.lines
    ]


def _written_out(number: float, digits: int = 9) -> str:
    """So many digits that count, and no powers of ten."""
    return f"{Decimal(f'{number:.{digits}g}'):,f}"


def _sum(cost: Cost) -> str:
    return "no price" if cost.bill is None else f"{cost.bill.usd:,.2f}" if cost.bill.usd else "0"


def _lasts(cost: Cost) -> str:
    if cost.bill is None or cost.lasts_h is None:
        return "–"
    if not cost.lasts_h:
        return "no time at all"
    return f"{cost.lasts_h * 60:.0f} minutes" if cost.lasts_h < 2 else f"{cost.lasts_h:,.1f} hours"


def _prices(costs: list[Cost]) -> list[str]:
    """Of the facts that the bills rest on, those that are money."""
    ids = {fact for cost in costs if cost.bill for fact in cost.bill.facts()}
    return sorted(id for id in ids if "USD" in str(facts.get(id).unit))


def _untried() -> list[str]:
    """Each target's own sheet says it."""
    found = []
    for name, make in targets.TARGETS.items():
        made: Any = make()
        text = made.sheet().partition(_UNTRIED)[2].partition("\n## ")[0]
        found.append(f"- **`{name}`** {' '.join(text.split())}")
    return found
