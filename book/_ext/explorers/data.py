"""What the explorers compute with: prices and quotas of the register, shapes and ratings of the catalogue, constants of the engine.

    data()["models"]["llama-3.3-70b"]["shape"]["layers"]      # 80

Nothing is typed here. The scripts in `web/` hold the same formulas as labs/economics and labs/serving; tests/site/test_explorers.py
compares the two over a grid.
"""

from dataclasses import asdict, fields, replace
from typing import Any

import yaml

from labs import facts
from labs.decide.sizing import GRADUAL_BATCH
from labs.decide.unknowns import unknown
from labs.economics.bill import HOURS_PER_MONTH
from labs.economics.prices import known, usd
from labs.facts import catalogue
from labs.facts.catalogue_schema import InstanceType, Model
from labs.serving import profiles
from labs.serving.laws_neuron import NeuronConstants
from labs.serving.memory import KV_BYTES, WEIGHT_BYTES
from labs.serving.services import size_of

DTYPES = ("bf16", "fp8", "int8", "int4", "mxfp4")
SERVICES = profiles.DATA / "services.yaml"
SHAPE = [
    "parameters",
    "active_parameters",
    "layers",
    "hidden",
    "intermediate",
    "heads",
    "kv_heads",
    "head_dim",
    "vocabulary",
    "context_tokens",
    "experts",
    "active_experts",
    "sliding_layers",
    "tied_embeddings",
    "native_weights",
]


def data() -> dict[str, Any]:
    """Everything, ready for JSON."""
    return {
        "hours": HOURS_PER_MONTH,
        "models": {id: _model(entry) for id, entry in catalogue.models().items() if entry.shape is not None},
        "offers": offers(),
        "machines": machines(),
        "chips": {id: _chip(id) for id in sorted({entry.accelerator for entry in _priced().values()})},
        "memory": {name: profiles.profiles()["memory"][name] for name in ("utilisation", "reserve_bytes")},
        "weightBytes": {name: WEIGHT_BYTES[name] for name in DTYPES},
        "kvBytes": {name: KV_BYTES[name] for name in ("bf16", "fp8")},
        "ingress": profiles.fitted()["gpu"]["ingress_s"],
        "units": units(),
        "dates": as_of(fact_ids()),
    }


def _model(entry: Model) -> dict[str, Any]:
    shape = {} if entry.shape is None else entry.shape.model_dump()
    return {"name": entry.name, "shape": {name: shape[name] for name in SHAPE}}


# Tokens


def offers() -> dict[str, dict[str, Any]]:
    """Ways to buy tokens, by an id of ours: name, dollars per million in and out, quota in tokens a minute, and whether that is fixed."""
    found: dict[str, dict[str, Any]] = {}
    for id, entry in catalogue.models().items():
        if entry.price is None or not known(f"{entry.price}.input_per_million"):
            continue
        slug = entry.price.removeprefix("bedrock.price.").removesuffix("-geo").removesuffix("-global")
        base = {
            "name": entry.name,
            "input": usd(f"{entry.price}.input_per_million"),
            "output": usd(f"{entry.price}.output_per_million"),
            "quota": _quota(f"bedrock.tpm.{slug}"),
            "fixed": False,
            "units": bool(entry.bedrock and entry.bedrock.provisioned),
            "legacy": bool(entry.bedrock and entry.bedrock.lifecycle == "legacy"),
            "size": size_of(id),
            "facts": [f"{entry.price}.input_per_million", f"{entry.price}.output_per_million"],
        }
        found[id] = base
        if entry.bedrock and entry.bedrock.custom_on_demand:
            custom = _quota(f"bedrock.tpm.custom-on-demand.{slug}")
            found[f"{id}-custom"] = {**base, "name": f"{entry.name}, tuned in Bedrock", "quota": custom, "fixed": True}
    return found


def _quota(id: str) -> float | None:
    return facts.number(id) if known(id) else None


def units() -> dict[str, dict[str, float]]:
    """By size: tokens a minute of a model unit and its price an hour, both assumed; AWS tells them to its customers only."""
    services = yaml.safe_load(SERVICES.read_text("utf-8"))["services"]
    tokens = services["bedrock-provisioned"]["tokens_per_minute_per_unit"]
    return {
        size: {"tokens": float(each["central"]), "usd": unknown(f"model_unit_price_{size}").central}
        for size, each in tokens.items()
    }


# Machines


def _priced() -> dict[str, InstanceType]:
    return {id: entry for id, entry in catalogue.instances().items() if entry.price is not None}


def machines() -> dict[str, dict[str, Any]]:
    """Instance types with a price, on SageMaker AI ('ml.') and EC2."""
    return {
        id: {"chip": entry.accelerator, "count": entry.count, "usd": usd(str(entry.price))}
        for id, entry in _priced().items()
    }


def _chip(id: str) -> dict[str, Any]:
    on = profiles.hardware(id)
    server = profiles.profiles()["servers"][on.server]
    if on.kind == "neuron":
        values = {f.name: float(profiles.fitted()["neuron"][f.name]) for f in fields(NeuronConstants)}
        made = NeuronConstants(**{**values, **on.overrides})
        constants = asdict(
            replace(
                made,
                layer_s=made.layer_s * on.latency,
                prefill_host_s=made.prefill_host_s * on.latency,
                prefill_collective_bytes_per_s=made.prefill_collective_bytes_per_s / on.latency,
            )
        )
    else:
        constants = asdict(profiles.gpu_constants(on, profiles.fitted()))
    return {
        "name": catalogue.accelerator(id).name,
        "kind": on.kind,
        "memory": on.memory_bytes,
        "bandwidth": on.bandwidth_bytes_per_s,
        "flops": on.flops_per_s,
        "flopsFp8": on.flops_fp8_per_s,
        "cores": on.cores,
        # On Neuron the advisor's kind of batch is taken, and the advisor is what lessons quote.
        "seats": GRADUAL_BATCH if on.kind == "neuron" else server["max_num_seqs"],
        "budget": server["token_budget"],
        "link": {
            name: float(profiles.profiles()["interconnects"][on.interconnect or "pcie4"][name])
            for name in ("all_reduce_s", "bytes_per_s")
        },
        "constants": constants,
    }


def fact_ids() -> list[str]:
    """The facts behind a page with an explorer: it is built anew when one changes."""
    prices = [str(entry.price) for entry in _priced().values()]
    return [*prices, *(id for offer in offers().values() for id in offer["facts"]), "bedrock.pt.models"]


def as_of(ids: list[str]) -> tuple[str, str]:
    """The oldest and the newest date of some facts."""
    dates = sorted(str(facts.get(id).as_of) for id in ids)
    return dates[0], dates[-1]


FILES = (profiles.DATA / "profiles.yaml", profiles.DATA / "fitted.yaml", SERVICES)
"""what the data rest on besides the register"""
