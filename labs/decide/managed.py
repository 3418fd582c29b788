"""What Bedrock's routes would be: per token, in batches, in model units, as an imported copy, as a customised model."""

from __future__ import annotations

from math import ceil, log2

from labs import facts
from labs.decide import prices
from labs.decide.case import Case
from labs.decide.cold import sleeps_too_long, spells, too_slow
from labs.decide.option import Draft, ToDo
from labs.decide.rules import Reason
from labs.decide.rules.bedrock import (
    burndown_fact,
    custom_quota_fact,
    geographic_profile,
    quota_is_fixed,
    quota_tokens_per_request,
)
from labs.decide.sizing import Prediction, capacity_per_s, demand, joined, predict
from labs.decide.unknowns import Unknown, World, unknown
from labs.economics import capacity
from labs.economics.bill import HOURS_PER_MONTH, Bill, Line
from labs.economics.prices import usd
from labs.economics.tokens import Tier
from labs.errors import Refusal
from labs.facts import catalogue
from labs.facts.catalogue_schema import OnBedrock
from labs.serving.services import LEVELS, Level, latencies, service, size_of

LLAMA_8B, LLAMA_70B = "llama-3-1-8b", "llama-3-70b"
"""the two models whose custom model units are published"""
LLAMA_8B_BYTES, LLAMA_70B_BYTES = 16.06e9, 141.1e9
"""their weights in 16 bits"""
IMPORT_COLD = ("bedrock.import.cold_exception",)


def on_demand(case: Case) -> Draft:
    """A base model per token; in the Flex tier where nobody waits and the model has it."""
    on, price = _on_bedrock(case), _price_of(case)
    waits = not case.asked.answer_can_wait
    flex = not waits and "flex" in on.tiers and prices.has_tier(price, "flex")
    tier: Tier = "flex" if flex else "standard"
    price_id = (case.global_price_id if tier == "standard" else None) or price
    profile = "global profile" if price_id != price else "on demand"
    cautions, todo = [], [_may_be_called(case)]
    if case.asked.guaranteed_throughput:
        cautions.append(
            Reason(
                "reserved_tier",
                "only its Reserved tier guarantees throughput, and that price is not published: the cost shown is Standard's",
                ("bedrock.tier.reserved.price",),
            )
        )
        todo.append(
            ToDo(
                f"ask the account team for the Reserved tier: at least {facts.format('bedrock.tier.reserved.min_input_tpm')} in",
                ("bedrock.tier.reserved.min_input_tpm", "bedrock.tier.reserved.min_output_tpm"),
            )
        )
    return Draft(
        "bedrock-on-demand",
        what=f"{profile}, {tier} tier",
        price=lambda world: prices.per_token(price_id, case.traffic(world.requests, world.tokens), tier),
        prediction=_as_a_service(case),
        unpredicted=_nobody_waits(case),
        cautions=(*cautions, *_lifecycle(case)),
        todo=(*todo, *_quota(case)),
        utilisation=_of_quota(case),
        per_token=lambda traffic: prices.per_token(price_id, traffic, tier),
    )


def batch(case: Case) -> Draft:
    """Files in S3, half the price, an answer in hours."""
    price_id = _price_of(case)
    return Draft(
        "bedrock-batch",
        what="batch jobs over files in S3",
        price=lambda world: prices.per_token(price_id, case.traffic(world.requests, world.tokens), "batch"),
        unpredicted="a job's hours are not promised",
        cautions=_lifecycle(case),
        todo=(
            _may_be_called(case),
            ToDo("a bucket for the jobs' files, and a role that Bedrock may assume"),
            ToDo("no tools and no structured output in a batch", ("bedrock.batch.excludes",)),
        ),
        per_token=lambda traffic: prices.per_token(price_id, traffic, "batch"),
    )


def provisioned(case: Case) -> Draft:
    """Model units by the hour: how much one gives and what it costs is known to account managers only."""
    assert case.asked.model is not None
    name, size = case.asked.model, size_of(case.asked.model)
    per_unit = []
    for level in LEVELS:
        admission = service("bedrock-provisioned", name, level).admission
        if admission is None or admission.quota is None:
            raise LookupError(f"the serving model gives no tokens per minute for a model unit of {name}")
        per_unit.append(float(admission.quota.tokens_per_minute or 1))
    given = Unknown(
        "model_unit_tokens",
        "tokens a minute of one model unit",
        "tokens/min",
        min(per_unit),
        per_unit[1],
        max(per_unit),
        "AWS does not publish it.",
    )
    unit_price = unknown(f"model_unit_price_{size}")

    def units(world: World) -> int:
        return max(1, ceil(case.asked.tokens_per_minute * world.load / world.value(given) - 1e-9))

    def price(world: World) -> Bill:
        hours = units(world) * HOURS_PER_MONTH
        line = Line(
            "model-unit hours",
            hours,
            "MU-hour",
            world.value(unit_price),
            ("bedrock.pt.throughput_per_unit",),
            "assumed between prices of retired models; units assumed too",
        )
        return Bill(f"{units(world)} model units", (line,))

    here = World()
    return Draft(
        "bedrock-provisioned",
        what=f"{units(here)} model unit{'s' if units(here) > 1 else ''}, no commitment",
        price=price,
        unknowns=(given, unit_price),
        prediction=_as_a_service(case),
        unpredicted=_nobody_waits(case),
        cautions=(
            Reason(
                "nothing_is_promised_about_latency",
                "it guarantees tokens a minute, not latency; how many a unit gives is not published",
                ("bedrock.pt.throughput_per_unit",),
            ),
            *_lifecycle(case),
        ),
        todo=(
            ToDo(
                "ask AWS Support for model units (an account has 0) and the account team for price and throughput",
                ("bedrock.pt.unit_quota_default",),
            ),
            *_tuned(case),
        ),
        utilisation=min(1.0, case.asked.tokens_per_minute / (units(here) * given.central)) * _active_share(case),
    )


def custom_on_demand(case: Case) -> Draft:
    """A model customised in Bedrock, per token, within a quota of its own."""
    price_id = _price_of(case)
    factor = unknown("custom_price")
    storage = "bedrock.custom-storage.per_model_month"
    id = custom_quota_fact(case)
    quota = facts.number(id) if id else None
    fixed = quota if id and quota_is_fixed(id) else None
    needed = case.asked.requests_per_minute * quota_tokens_per_request(case)
    assumed = "charged as its base model, which no source that we could read confirms"

    def price(world: World) -> Bill | None:
        if fixed is not None and needed * world.load > fixed:
            return None
        traffic = case.traffic(world.requests, world.tokens)
        bill = prices.per_token(price_id, traffic, factor=world.value(factor), assumption=assumed)
        return Bill(bill.title, (*bill.lines, Line("model storage", 1, "model-month", usd(storage), (storage,))))

    todo = list(_tuned(case))
    if id and quota is not None and fixed is None and needed > quota:
        todo.append(ToDo(f"ask for more than {facts.format(id)}: {needed:,.0f} are needed", (id,)))
    return Draft(
        "bedrock-custom-on-demand",
        what="customised model, on demand",
        price=price,
        unknowns=(factor,),
        prediction=_as_a_service(case),
        unpredicted=_nobody_waits(case),
        cautions=_lifecycle(case),
        todo=tuple(todo),
        utilisation=needed / quota * _active_share(case) if quota else None,
        fixed_quota_tokens_per_minute=fixed,
        per_token=lambda traffic: prices.per_token(price_id, traffic),
    )


def custom_import(case: Case) -> Draft:
    """Own weights of a known architecture: copies that sleep, billed for every five minutes in which they are awake."""
    assert case.shape is not None
    like = case.asked.model or case.shaped_like or ""
    plans = {level: service("bedrock-custom-import", like, level) for level in LEVELS if _holds(like, level)}
    asked = demand(case)
    bigger = case.shape.parameters / service_parameters(case)
    able = {level: capacity_per_s(plan.spec, asked) / bigger for level, plan in plans.items()}
    if not any(able.values()):
        return Draft("bedrock-custom-import", reasons=(too_slow(asked),))
    values = sorted(value for value in able.values() if value > 0)
    central = able.get("central") or values[0]
    carried = Unknown(
        "import_copy",
        "requests per second of one imported copy",
        "requests/s",
        values[0],
        central,
        values[-1],
        "AWS does not publish the hardware of a copy.",
    )
    units, units_known = _cmus(case)
    per_copy, asleep = unknown("cmu_per_copy"), spells(case)

    def copies(world: World) -> int:
        return max(1, ceil(case.rate_per_s * world.load / world.value(carried) - 1e-9))

    def minutes(world: World) -> float:
        if asleep is None:
            return HOURS_PER_MONTH * 60
        count = world.value(asleep)
        return count * capacity.active_minutes([(0.0, case.active_hours * 60 / count)])

    def price(world: World) -> Bill:
        cmus = units if units_known else units * world.value(per_copy)
        bill = capacity.custom_import(cmus, copies(world) * minutes(world), region=case.asked.region)
        return Bill(f"{copies(world)} copies of {cmus:g} CMU", bill.lines)

    here = World()
    predictions = [
        predict(plan.spec, asked, min(able[level] * bigger, case.rate_per_s * bigger / copies(here)))
        for level, plan in plans.items()
        if able[level] > 0
    ]
    seen = [prediction for prediction in predictions if prediction is not None]
    middle = seen[len(seen) // 2] if seen else None
    cold = [plan.spec.cold_start_s for plan in plans.values()]
    n = copies(here)
    return Draft(
        "bedrock-custom-import",
        what=f"{n} {'copy' if n == 1 else 'copies'} of {units:g} CMU",
        price=price,
        unknowns=(carried, *(() if units_known else (per_copy,)), *((asleep,) if asleep else ())),
        prediction=joined(seen[0], middle, seen[-1]) if middle is not None and asked.waits else None,
        unpredicted=_nobody_waits(case),
        reasons=sleeps_too_long(case, asleep, min(cold), IMPORT_COLD),
        may_miss=bool(sleeps_too_long(case, asleep, max(cold))),
        cautions=_sleeps(case, asleep, cold),
        todo=(
            *(
                (ToDo("merge the adapter into the weights first", ("bedrock.import.format",)),)
                if case.asked.weights_format == "adapter"
                else ()
            ),
            ToDo(
                "stage merged safetensors in S3, with a role that Bedrock may assume; call it by InvokeModel",
                ("bedrock.import.format", "bedrock.import.no_converse"),
            ),
        ),
        utilisation=min(1.0, case.rate_per_s / (n * central)),
    )


# What they share


def _on_bedrock(case: Case) -> OnBedrock:
    """The model in Bedrock's catalogue; the rules have seen to it that it is there."""
    if case.model is None or case.model.bedrock is None:
        raise LookupError(f"{case.name} is not in Bedrock's catalogue")
    return case.model.bedrock


def _price_of(case: Case) -> str:
    if case.price_id is None:
        raise LookupError(f"the register has no price of {case.name}")
    return case.price_id


def _as_a_service(case: Case) -> Prediction | None:
    asked = demand(case)
    if case.asked.model is None or not asked.waits:
        return None
    low, central, high = (predict(latencies(case.asked.model, level), asked, 1.0) for level in LEVELS)
    return joined(low, central, high) if low and central and high else None


def _nobody_waits(case: Case) -> str:
    return "nobody waits" if case.asked.answer_can_wait else ""


def _active_share(case: Case) -> float:
    return case.active_hours / HOURS_PER_MONTH


def _quota_id(case: Case) -> str | None:
    id = f"bedrock.tpm.{(case.asked.model or '').replace('.', '-')}"
    return id if prices.exists(id) else None


def _of_quota(case: Case) -> float | None:
    id = _quota_id(case)
    if id is None:
        return None
    return case.asked.requests_per_minute * quota_tokens_per_request(case) / facts.number(id)


def _quota(case: Case) -> tuple[ToDo, ...]:
    id = _quota_id(case)
    needed = case.asked.requests_per_minute * quota_tokens_per_request(case)
    burn = burndown_fact(case)
    if id is None:
        return (ToDo(f"look up the quota in your account: {needed:,.0f} tokens a minute are needed", (burn,)),)
    if needed > facts.number(id):
        return (ToDo(f"ask for more than {facts.format(id)}: {needed:,.0f} are needed", (id, burn)),)
    return (
        ToDo(f"check that your account has the default quota of {facts.format(id)}; new ones may have less", (id,)),
    )


def _may_be_called(case: Case) -> ToDo:
    return ToDo(f"check that the account may call {callable_id(case)}")


def callable_id(case: Case) -> str:
    """Model id or inference profile with which Converse reaches the model from the Region."""
    on, region = _on_bedrock(case), case.asked.region
    if case.global_price_id is not None:
        return next(profile for profile in on.profiles if profile.startswith("global."))
    if region in on.in_region:
        return on.model_id
    any_profile = on.profiles[0] if on.profiles else on.model_id
    return geographic_profile(case) or next((p for p in on.profiles if p.startswith("global.")), any_profile)


def _lifecycle(case: Case) -> tuple[Reason, ...]:
    on = case.model.bedrock if case.model else None
    if on is None or on.end_of_life is None:
        return ()
    says = f"it leaves Bedrock on {facts.format(on.end_of_life)}"
    if on.lifecycle == "legacy":
        says = f"Legacy: {says}; existing customers only"
    return (Reason("still_alive", says, (on.end_of_life,)),)


def _tuned(case: Case) -> tuple[ToDo, ...]:
    if not case.asked.custom_weights or case.asked.already_in_bedrock:
        return ()
    return (ToDo("tune the base model again inside Bedrock with the data that was kept, and evaluate it anew"),)


def _sleeps(case: Case, spells: Unknown | None, cold: list[float]) -> tuple[Reason, ...]:
    if spells is None or case.asked.answer_can_wait:
        return ()
    return (
        Reason(
            "wakes_in_time",
            f"copies sleep: the first calls of a spell fail with {facts.format('bedrock.import.cold_exception')} for an assumed {min(cold):.0f} to {max(cold):.0f} s",
            ("bedrock.import.cold_exception",),
        ),
    )


def _holds(model: str, level: Level) -> bool:
    """Whether the hardware that is assumed at this end of the range holds the model."""
    try:
        service("bedrock-custom-import", model, level)
    except Refusal:
        return False
    return True


def service_parameters(case: Case) -> float:
    """Parameters of the model that stands in for the asked one in the serving model's assumptions about imported copies."""
    like = case.asked.model or case.shaped_like or ""
    shape = catalogue.model(like).shape
    assert shape is not None
    return float(shape.parameters)


def _cmus(case: Case) -> tuple[float, bool]:
    """Custom model units of one copy, and whether they are published: for Llama of 8B and of 70B they are."""
    assert case.shape is not None
    small, large = usd(f"bedrock.import.cmu_{LLAMA_8B}"), usd(f"bedrock.import.cmu_{LLAMA_70B}")
    billions = case.shape.parameters / 1e9
    if case.architecture == "LlamaForCausalLM" and not case.shaped_like:
        if 7 <= billions <= 9:
            return small, True
        if 65 <= billions <= 75:
            return large, True
    # between the two, and beyond: in proportion of the logarithms, to the next power of two
    slope = log2(large / small) / log2(LLAMA_70B_BYTES / LLAMA_8B_BYTES)
    weights = case.weights_bytes or LLAMA_8B_BYTES
    return float(2 ** max(0, round(log2(small) + slope * log2(weights / LLAMA_8B_BYTES)))), False


__all__ = [
    "batch",
    "callable_id",
    "custom_import",
    "custom_on_demand",
    "on_demand",
    "provisioned",
]
