"""`lab simulate` with a price on it, and at many points: the serving room's command, told what the machines cost."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from labs.economics.instances import price_id
from labs.economics.prices import usd
from labs.economics.sweep_commands import with_sweep
from labs.errors import Refusal
from labs.facts import catalogue
from labs.serving.commands import PricedRun, build_simulate, predicted


def price(run: PricedRun) -> Mapping[str, Any] | None:
    """US dollars per hour, per request and per million output tokens of a run; None where no machine has a list price.

    Whole instances are paid: as many replicas as fit share one. `ml.` names pay SageMaker AI's price, others EC2's.
    """
    machine = catalogue.instances().get(run.hardware)
    if machine is None or run.accelerators is None or run.requests == 0 or run.duration_s <= 0:
        return None
    try:
        fact = price_id(machine.service, machine.id)
    except Refusal:
        return None
    replicas_per_instance = max(1, int(machine.count // run.accelerators))
    replicas = run.replica_hours / (run.duration_s / 3600) if run.replica_hours else run.replicas
    usd_per_hour = usd(fact) * ceil(round(replicas, 6) / replicas_per_instance)
    whole = usd_per_hour * run.duration_s / 3600
    return {
        "usd_per_hour": usd_per_hour,
        "usd_per_request": whole / run.requests,
        "usd_per_million_output_tokens": whole / run.output_tokens * 1e6 if run.output_tokens else None,
        "price": fact,
    }


def predict(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What `lab simulate --json` prints, for options as the command has read them. Raises Refusal for what cannot be run."""
    return predicted(asked, price)


simulate = with_sweep(build_simulate(price))
