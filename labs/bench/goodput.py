"""Which requests met the objective. One that failed, was throttled or never ended did not.

good = [meets(record, objective) for record in records]
"""

from collections.abc import Mapping

from labs.bench.records import Record
from labs.errors import USAGE, Refusal
from labs.serving.statistics import Objective

LIMITS = ("ttft_ms", "tpot_ms", "e2e_ms")


def objective_of(limits: Mapping[str, float] | None) -> Objective | None:
    """The objective of a header or a command line; None where there is none. Raises Refusal for a limit that nobody knows."""
    stated = {name: value for name, value in (limits or {}).items() if value is not None}
    if not stated:
        return None
    if strange := [name for name in stated if name not in LIMITS]:
        raise Refusal(f"an objective has {', '.join(LIMITS)}, not {', '.join(strange)}", USAGE)
    if wrong := [f"{name} {value:g}" for name, value in stated.items() if not value > 0]:
        raise Refusal(f"an objective is a number of milliseconds above 0, not {', '.join(wrong)}", USAGE)
    return Objective(**stated)


def limits_of(objective: Objective) -> dict[str, float]:
    """The limits that were stated, by name."""
    return {name: limit for name in LIMITS if (limit := getattr(objective, name)) is not None}


def in_words(objective: Objective) -> str:
    """'TTFT <= 500 ms, TPOT <= 50 ms'"""
    return ", ".join(
        f"{name.removesuffix('_ms').upper()} <= {limit:g} ms" for name, limit in limits_of(objective).items()
    )


def meets(record: Record, objective: Objective) -> bool:
    """Was it answered, whole, within every limit? An answer without a pace (one token, or one piece) keeps any TPOT."""
    if not record.ok:
        return False
    for limit_ms, seconds, needed in (
        (objective.ttft_ms, record.ttft_s, True),
        (objective.e2e_ms, record.e2e_s, True),
        (objective.tpot_ms, record.tpot_s, False),
    ):
        if limit_ms is not None and (needed if seconds is None else seconds * 1e3 > limit_ms):
            return False
    return True
