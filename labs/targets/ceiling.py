"""What a deployment can cost at the very most, by dimension, and the ceiling that it must fit under before anything is created.

plan = ceiling.plan(target, site, ceiling.Calls(requests=1000, input_tokens=500, output_tokens=200))
plan.bill                      # Line by line: hours, disks, commitments, planned tokens, the margin for teardown
ceiling.require(plan, 5.0)     # a Refusal says what does not fit, and what the money would buy
"""

import math
from dataclasses import dataclass, replace

from labs.economics.bill import Bill, Line
from labs.errors import USAGE, Refusal
from labs.targets import token_price
from labs.targets.base import Site, Target

TEARDOWN_HOURS = 0.5
"""How long everything may still be billed after its time is up: deletions take minutes, and some are tried again."""
MARGIN = "teardown margin"
"""The name of its line in a bill."""
PLANNED = "planned "
"""How the names of the lines begin that come from calls."""


@dataclass(frozen=True)
class Calls:
    """The calls that a run plans to make, each with at most so many tokens."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


NO_CALLS = Calls()


@dataclass(frozen=True)
class Plan:
    """A deployment with its whole bill."""

    target: Target
    site: Site
    calls: Calls
    bill: Bill

    @property
    def usd(self) -> float:
        return self.bill.usd

    @property
    def standing_usd(self) -> float:
        """The part that is due whatever is called: all but the planned calls."""
        return sum(line.usd for line in self.bill.lines if not line.name.startswith(PLANNED))


def plan(target: Target, site: Site, calls: Calls = NO_CALLS) -> Plan:
    """The worst case of its hours, the full commitment, the planned tokens and half an hour for the teardown. Raises Refusal for unknown prices."""
    standing = target.worst_case(site)
    later = target.worst_case(replace(site, hours=site.hours + TEARDOWN_HOURS)).usd - standing.usd
    margin = (Line(MARGIN, TEARDOWN_HOURS, "hour", later / TEARDOWN_HOURS, standing.facts()),) if later > 0 else ()
    return Plan(
        target,
        site,
        calls,
        Bill(standing.title or target.name, (*standing.lines, *_calls(target, site, calls), *margin)),
    )


def plan_calls(target: Target, site: Site, calls: Calls, around: Bill) -> Plan:
    """Only the planned calls of a target that stands already or costs nothing to keep, and what carries them there. Raises Refusal as `plan`."""
    lines = [replace(line, name=f"{PLANNED}{line.name}") for line in around.lines]
    return Plan(target, site, calls, Bill(around.title, (*_calls(target, site, calls), *lines)))


def require(plan: Plan, ceiling_usd: float) -> None:
    """Return when all of it fits. Raises Refusal that says by how much it does not, and for how long the money would last."""
    needed_hours = _start_hours(plan.target)
    if plan.site.hours < needed_hours:
        raise Refusal(
            f"{plan.target.name} may take {needed_hours * 60:.0f} minutes to come up, so a run of {plan.site.hours:g} hours cannot finish; "
            f"say --hours {needed_hours + 1:.0f} or more",
            USAGE,
        )
    if plan.usd <= ceiling_usd:
        return
    raise Refusal(
        f"{plan.target.name} for {plan.site.hours:g} hours can cost up to ${plan.usd:,.2f}, above the ceiling of ${ceiling_usd:,.2f}; "
        f"nothing was created. {_what_would_fit(plan, ceiling_usd)}",
        USAGE,
    )


def affordable_hours(plan: Plan, ceiling_usd: float) -> float:
    """For how many hours the money would last, with everything else of the plan; below 0 when not even the rest fits."""
    one, two = (for_hours(plan, hours).usd for hours in (1.0, 2.0))
    per_hour = two - one
    return float("inf") if per_hour <= 0 else 1.0 + (ceiling_usd - one) / per_hour


def for_hours(of: Plan, hours: float) -> Plan:
    """The same plan for another time."""
    return plan(of.target, replace(of.site, hours=hours), of.calls)


def _what_would_fit(refused: Plan, ceiling_usd: float) -> str:
    hours = affordable_hours(refused, ceiling_usd)
    if hours == float("inf"):
        fewer = "plan fewer calls, or " if refused.standing_usd < refused.usd else ""
        return f"Less time would not make it cheaper: {fewer}raise the ceiling to ${refused.usd:,.2f}."
    if hours <= 0:
        return f"The money would not last for any time of it; --ceiling-usd {up(refused.usd)} would."
    enough = hours >= max(_start_hours(refused.target), 1 / 60)
    lasts = f"{hours * 60:.0f} minutes" if hours < 2 else f"{hours:.1f} hours"
    start = "" if enough else ", not long enough to come up"
    return f"The ceiling buys {lasts} of it{start}; say --hours less, a smaller instance, or --ceiling-usd {up(refused.usd)}."


def up(usd: float) -> str:
    """The next cent above, so that the number shown is enough."""
    return f"{-(-usd * 100 // 1) / 100:.2f}"


def _start_hours(target: Target) -> float:
    """How long its start may take, where it says so."""
    minutes = float(getattr(target, "startup_minutes", 0.0))
    return max(minutes / 60, float(getattr(target, "startup_timeout_s", 0.0)) / 3600)


def _calls(target: Target, site: Site, calls: Calls) -> tuple[Line, ...]:
    """What the planned calls cost, where calls are billed."""
    if not calls.requests or (price := token_price.of(target)) is None:
        return ()
    if price.window_usd:
        at_most = math.ceil(site.hours * 3600 / price.window_s) if price.window_s else calls.requests
        unit, assumed = (
            ("window", "one copy is enough for them") if price.window_s else ("call", "each takes as long as it may")
        )
        return (Line(f"{PLANNED}calls", min(calls.requests, at_most), unit, price.window_usd, price.facts, assumed),)
    return (
        Line(
            f"{PLANNED}input tokens",
            calls.requests * calls.input_tokens / 1e6,
            "million tokens",
            price.input_usd,
            price.facts[:1],
        ),
        Line(
            f"{PLANNED}output tokens",
            calls.requests * calls.output_tokens / 1e6,
            "million tokens",
            price.output_usd,
            price.facts[1:],
        ),
    )
