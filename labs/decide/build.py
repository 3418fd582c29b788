"""All sixteen targets for one case: ruled out with reasons, or drafted with a price, a prediction and what is to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from labs.decide import hosted, managed, rules
from labs.decide.case import Case
from labs.decide.cold import too_slow
from labs.decide.option import Draft
from labs.decide.rules import Reason
from labs.decide.sizing import demand
from labs.facts import catalogue

Builder = Callable[[Case], Draft]

BUILDERS: Mapping[str, Builder] = MappingProxyType(
    {
        "bedrock-on-demand": managed.on_demand,
        "bedrock-batch": managed.batch,
        "bedrock-provisioned": managed.provisioned,
        "bedrock-custom-import": managed.custom_import,
        "bedrock-custom-on-demand": managed.custom_on_demand,
        "sagemaker-serverless": hosted.serverless,
        "sagemaker-graviton": hosted.graviton,
        "edge-greengrass": hosted.at_the_edge,
        **{target: partial(hosted.hosted, kind=kind) for target, kind in hosted.KINDS.items()},
    }
)


def drafts(case: Case) -> dict[str, Draft]:
    """Every target of the catalogue, in its order."""
    return {target: draft(target, case) for target in catalogue.targets()}


def draft(target: str, case: Case) -> Draft:
    """One target: its rules first, and only when nothing is against it the arithmetic and the simulation."""
    if reasons := rules.against(target, case):
        return Draft(target, reasons=reasons)
    made = BUILDERS[target](case)
    if made.prediction is None:
        return made
    meets = made.prediction.meets(case.asked.ttft_ms, case.asked.e2e_ms)
    if meets == "no":
        return replace(made, meets=meets, reasons=(*made.reasons, _misses(case, made)))
    return replace(made, meets="unsure" if meets == "yes" and made.may_miss else meets)


def _misses(case: Case, made: Draft) -> Reason:
    prediction = made.prediction
    if prediction is None:  # nothing was predicted: nothing is missed
        return too_slow(demand(case))
    said = [
        f"{name} within {limit:,.0f} ms, {figure.low:,.0f} predicted"
        for name, limit, figure in (
            ("first token", case.asked.ttft_ms, prediction.ttft_p99),
            ("last token", case.asked.e2e_ms, prediction.e2e_p99),
        )
        if limit is not None and figure.low > limit
    ]
    return Reason("keeps_the_objective", f"it misses the objective at the 99th percentile: {'; '.join(said)}")
