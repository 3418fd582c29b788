"""Managed services as assumptions with a range: what nobody outside AWS knows is said three times, low, central and high.

    plan = service("bedrock-on-demand", "nova-lite", "central")
    Engine(EngineConfig(replica=plan.spec, admission=plan.admission))

`low` is the fast end of the range. The figures stand in `data/services.yaml`, quotas in the facts register.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import yaml

from labs import facts
from labs.facts import catalogue
from labs.serving.admission import Admission, TokenQuota
from labs.serving.profiles import DATA, Choices, Deployment, hardware, model_shape, plan, unknown
from labs.serving.replica import Spec
from labs.serving.service import ServiceSpec

Level = Literal["low", "central", "high"]
LEVELS: tuple[Level, ...] = ("low", "central", "high")


@dataclass(frozen=True)
class ServicePlan:
    """A managed service for one model, at one level of its assumptions."""

    service: str
    model: str
    level: Level
    spec: Spec
    admission: Admission | None
    assumptions: tuple[str, ...]
    deployment: Deployment | None = None
    """the hardware that is assumed, for services that are modelled as such"""


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((DATA / "services.yaml").read_text("utf-8"))
    return data


def services() -> dict[str, str]:
    """What there is: id and what it is."""
    return {name: entry["what"] for name, entry in _data()["services"].items()}


def size_of(model: str) -> str:
    """small, medium or large: by its parameters where they are public, else by its name."""
    entry = catalogue.models().get(model.lower())
    if entry is not None and entry.shape is not None:
        parameters = entry.shape.parameters
        return next(str(size) for size, values in _data()["sizes"].items() if parameters <= values["up_to_parameters"])
    name = model.lower()
    return str(next((size for part, size in _data()["named"].items() if part in name), _data()["unnamed"]))


def latencies(model: str, level: Level = "central", seed: int = 0) -> ServiceSpec:
    """The assumed latencies of a model as a shared service, by any name or Bedrock model id."""
    values = _data()["sizes"][size_of(model)][level]
    return ServiceSpec(
        ttft_s=float(values["ttft_s"]),
        per_input_token_s=float(values["per_input_token_s"]),
        tpot_s=float(values["tpot_s"]),
        spread=float(_data()["spread"][level]),
        seed=seed,
    )


def service(name: str, model: str, level: Level = "central", *, units: int = 1, seed: int = 0) -> ServicePlan:
    """A managed service for a model. `units` are model units where the service is sold so."""
    entry = _data()["services"][name]
    _refuse_unknown(model)
    size = size_of(model)
    if "hardware" in entry:
        return _imported(name, entry, model, level)
    assumptions = [f"latencies are assumed for a {size} model, {level} end of the range; {entry['what']}"]
    tokens_per_minute: float | None = None
    if "tokens_per_minute_per_unit" in entry:
        tokens_per_minute = units * entry["tokens_per_minute_per_unit"][size][level]
        assumptions.append(
            f"a model unit is assumed to give {tokens_per_minute / units:,.0f} tokens a minute; AWS does not publish it"
        )
    elif "quota_fact" in entry:
        id = entry["quota_fact"].format(model=model.lower().replace(".", "-"))
        try:
            tokens_per_minute = facts.number(id)
            assumptions.append(
                f"the default quota is {facts.format(id)} (as of {facts.get(id).as_of}); new accounts may get less"
            )
        except facts.UnknownFact:
            assumptions.append(
                "no default quota is known for this model: only limits that you state throttle (--tokens-per-minute)"
            )
    quota = TokenQuota(tokens_per_minute=int(tokens_per_minute)) if tokens_per_minute else None
    return ServicePlan(
        name, model, level, latencies(model, level, seed), Admission(quota=quota) if quota else None, tuple(assumptions)
    )


def _refuse_unknown(model: str) -> None:
    """A service takes catalogue ids and Bedrock model ids; anything else is a slip of the pen."""
    name = model.lower()
    if name not in catalogue.models() and "." not in name and not any(part in name for part in _data()["named"]):
        raise unknown("model", model, catalogue.models())


def _imported(name: str, entry: dict[str, Any], model: str, level: Level) -> ServicePlan:
    """A model copy: the model on hardware that is assumed, turned away while cold."""
    on = replace(hardware(entry["hardware"][level]), count=entry["accelerators_up_to"])
    made = plan(model_shape(model), on, Choices(cold_start_s=float(entry["cold_start_s"][level])))
    assumptions = (
        f"a model copy is assumed to run on {made.tensor_parallel} x {on.id} and to start in {entry['cold_start_s'][level]} s; "
        "AWS publishes neither",
        f"while no copy is ready, calls fail with {facts.value('bedrock.import.cold_exception')}",
    )
    return ServicePlan(name, model, level, made.spec, Admission(reject_when_cold=True), assumptions, made)
