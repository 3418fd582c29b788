"""What stands at zero must wake: spells of use, cold starts, and objectives that they break."""

from __future__ import annotations

from labs.decide.case import Case
from labs.decide.rules import Reason
from labs.decide.sizing import Demand
from labs.decide.unknowns import Unknown, unknown


def too_slow(asked: Demand) -> Reason:
    """Against a target on which one request alone misses the objective."""
    limits = [
        f"{name} within {limit:,.0f} ms"
        for name, limit in (("first token", asked.ttft_ms), ("last token", asked.e2e_ms))
        if limit
    ]
    return Reason(
        "keeps_the_objective",
        f"even alone a request does not get its {' and its '.join(limits) or 'first token in time'}",
    )


def spells(case: Case) -> Unknown | None:
    """How often a month the load begins anew; None when it never ends."""
    return None if case.asked.profile == "steady" else unknown(f"spells_{case.asked.profile.replace('-', '_')}")


def cold_share(case: Case, asleep: Unknown, cold_s: float) -> float:
    """The part of the requests that meet a cold start."""
    return min(1.0, asleep.central * cold_s / (case.active_hours * 3600))


def _objective_ms(case: Case) -> float | None:
    limits = [limit for limit in (case.asked.ttft_ms, case.asked.e2e_ms) if limit is not None]
    return min(limits) if limits else None


def sleeps_too_long(
    case: Case, asleep: Unknown | None, cold_s: float, rests_on: tuple[str, ...] = ()
) -> tuple[Reason, ...]:
    """A 99th percentile cannot hold when more than one request in a hundred meets a cold start longer than it."""
    limit = _objective_ms(case)
    if asleep is None or limit is None or cold_s * 1e3 <= limit:
        return ()
    share = cold_share(case, asleep, cold_s)
    if share <= 0.01:
        return ()
    return (
        Reason(
            "wakes_in_time",
            f"about {share:.0%} of the requests meet a copy that wakes for {cold_s:.0f} s or longer; the objective is {limit:,.0f} ms",
            rests_on,
        ),
    )
