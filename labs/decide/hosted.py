"""What machines would be: SageMaker AI endpoints of every kind, and EC2 or EKS: the cheapest instance type and count that carry the load.

Memory decides which instance types hold the model, a simulated window how many requests one of them answers within the objective,
the price list which of them is cheapest for the month.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Literal

from labs import facts
from labs.decide.case import Case
from labs.decide.cold import cold_share, sleeps_too_long, spells, too_slow
from labs.decide.option import Draft, Sizing, ToDo
from labs.decide.rules import Reason
from labs.decide.sizing import Prediction, Setup, demand, joined, predict, priced_types, setups
from labs.decide.unknowns import Unknown, World, unknown
from labs.economics import instances
from labs.economics.bill import HOURS_PER_MONTH, Bill, Line
from labs.economics.prices import usd
from labs.errors import Refusal
from labs.facts import catalogue
from labs.serving.profiles import Choices, Hardware, hardware, plan
from labs.serving.replica import Spec

COOLDOWN_S = "sagemaker.autoscaling.cooldown_default_s"
GRAVITON = "c7g.16xlarge"
CPU_DTYPE = "int4"
MOST_INSTANCES = 100
"""Beyond it a type of instance is the wrong one: an assumption about sense, not a limit of a service."""
CONSIDERED = 5
"""how many sizings are told"""
SCHEDULED = ("office-hours", "nightly")
"""Profiles whose hours are known beforehand, so that capacity can be there when people are."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a target uses machines."""

    target: str
    service: Literal["sagemaker", "ec2"]
    chip: str
    packs: bool = False
    """several copies may share an instance"""
    sleeps: bool = False
    """can stand at zero"""
    cluster: bool = False
    """on EKS"""
    limit: str | None = None
    """fact with how long an answer may take"""


REAL_TIME = "sagemaker.realtime.streaming_timeout_s"
KINDS = {
    kind.target: kind
    for kind in (
        Kind("sagemaker-gpu", "sagemaker", "gpu", limit=REAL_TIME),
        Kind("sagemaker-inferentia", "sagemaker", "neuron", limit=REAL_TIME),
        Kind("sagemaker-jumpstart", "sagemaker", "gpu", limit=REAL_TIME),
        Kind("sagemaker-async", "sagemaker", "gpu", sleeps=True, limit="sagemaker.async.timeout_s"),
        Kind("sagemaker-components", "sagemaker", "gpu", packs=True, sleeps=True, limit=REAL_TIME),
        Kind("ec2-vllm", "ec2", "gpu"),
        Kind("eks-vllm", "ec2", "gpu", packs=True, cluster=True),
        Kind("eks-triton", "ec2", "gpu", packs=True, cluster=True),
    )
}
INFERENTIA = "inferentia2"


def hosted(case: Case, kind: Kind) -> Draft:
    """The model on the cheapest machines that carry the load."""
    assert case.shape is not None
    if case.asked.residency == "on-premises":
        return _on_premises(kind)
    asked = demand(case)
    ways, slow = [], False
    for entry in priced_types(kind.service, kind.chip):
        if kind.chip == "neuron" and entry.accelerator != INFERENTIA:
            continue
        found = setups(case.name, case.shape, entry.id.removeprefix("ml."), case.dtype, asked, kind.packs)
        if found and found[0].capacity_per_s > 0:
            ways.append(Way(found[0], usd(entry.price or "")))
        slow = slow or bool(found)
    if not ways:
        return Draft(kind.target, reasons=(too_slow(asked) if slow else _too_large(case, kind),))
    fewest = min(_count(case, kind, way.setup.capacity_per_s, World()) for way in ways)
    if fewest > MOST_INSTANCES:
        return Draft(kind.target, reasons=(_too_many(fewest, kind),))
    ways = [way for way in ways if _count(case, kind, way.setup.capacity_per_s, World()) <= MOST_INSTANCES]
    return _draft(case, kind, ways, _price(case, kind, _undominated(ways)))


@dataclass(frozen=True, slots=True)
class Way:
    """A way to put the model on an instance type, and what an hour of the instance costs."""

    setup: Setup
    usd_per_hour: float


def _undominated(ways: list[Way]) -> list[Way]:
    """Those that no other beats both in price and in what an instance carries."""
    kept: list[Way] = []
    for way in sorted(ways, key=lambda each: (each.usd_per_hour, -each.setup.capacity_per_s)):
        if not kept or way.setup.capacity_per_s > kept[-1].setup.capacity_per_s:
            kept.append(way)
    return kept


def _draft(case: Case, kind: Kind, ways: list[Way], price: Callable[[World], Bill]) -> Draft:
    asked, here = demand(case), World()
    way = _cheapest(case, kind, ways, here)
    setup = way.setup
    sizings = sorted((_sizing(case, kind, each) for each in ways), key=lambda sizing: sizing.usd_per_month)
    sizing = next(each for each in sizings if each.instance.removeprefix("ml.") == setup.instance)
    share = case.rate_per_s / (sizing.count * setup.copies)
    prediction = predict(setup.spec, asked, share) if asked.waits else None
    carried = setup.capacity_per_s * _machine_hours(case, kind, setup, here) * 3600
    return Draft(
        kind.target,
        what=f"{sizing.count} x {sizing.instance}",
        price=price,
        unknowns=(*_throughput(kind), *_sleep(case, kind), *_people(case, kind)),
        prediction=prediction,
        unpredicted="" if asked.waits else "nobody waits",
        reasons=(*_in_time(kind, prediction), *_asleep(case, kind, setup)),
        cautions=_cautions(case, kind, setup, prediction),
        todo=_todo(case, kind, sizing),
        sizing=sizing,
        fading=kind.chip == "neuron",
        considered=(sizing, *(each for each in sizings if each is not sizing))[:CONSIDERED],
        utilisation=min(1.0, case.traffic().requests_per_month / carried),
    )


# Hours and bills


def _count(case: Case, kind: Kind, capacity: float, world: World) -> int:
    able = _able(kind, capacity, world)
    return max(case.asked.redundancy, ceil(case.rate_per_s * world.load / able - 1e-9))


def _throughput(kind: Kind) -> tuple[Unknown, ...]:
    return tuple(unknown(id) for id in ("throughput", *(("throughput_neuron",) if kind.chip == "neuron" else ())))


def _able(kind: Kind, capacity: float, world: World) -> float:
    """Requests per second of an instance in a world."""
    return capacity * prod(world.value(factor) for factor in _throughput(kind))


def _at_zero(case: Case, kind: Kind) -> bool:
    """Does it stand at zero between spells? Not while somebody waits whose coming nobody knows."""
    profile = case.asked.profile
    return kind.sleeps and profile != "steady" and (case.asked.answer_can_wait or profile in SCHEDULED)


def _machine_hours(case: Case, kind: Kind, setup: Setup, world: World) -> float:
    """Instance hours a month."""
    count, profile = _count(case, kind, setup.capacity_per_s, world), case.asked.profile
    standing = count * HOURS_PER_MONTH
    if case.asked.answer_can_wait and not kind.sleeps:
        return standing
    asleep = spells(case)
    starts = world.value(asleep) if asleep else HOURS_PER_MONTH / 24
    waking_h = starts * (setup.spec.cold_start_s + facts.number(COOLDOWN_S)) / 3600
    if case.asked.answer_can_wait:
        able = _able(kind, setup.capacity_per_s, world)
        busy_h = case.traffic().requests_per_month * world.load / able / 3600
        return min(standing, busy_h + waking_h)
    if _at_zero(case, kind):
        return min(standing, count * (case.active_hours + waking_h))
    if profile in SCHEDULED:
        least = case.asked.redundancy
        return least * HOURS_PER_MONTH + (count - least) * case.active_hours
    return standing


def _cheapest(case: Case, kind: Kind, ways: list[Way], world: World) -> Way:
    return min(ways, key=lambda way: way.usd_per_hour * _machine_hours(case, kind, way.setup, world))


def _price(case: Case, kind: Kind, ways: list[Way]) -> Callable[[World], Bill]:
    """The bill in a world, on whatever instance type is cheapest there."""

    def price(world: World) -> Bill:
        return _bill(case, kind, _cheapest(case, kind, ways, world).setup, world)

    return price


def _bill(case: Case, kind: Kind, setup: Setup, world: World) -> Bill:
    months = _machine_hours(case, kind, setup, world) / HOURS_PER_MONTH
    count = _count(case, kind, setup.capacity_per_s, world)
    if kind.service == "sagemaker":
        bill = instances.endpoint(setup.instance, months, discount=world.discount)
        return Bill(f"{count} x ml.{setup.instance}", bill.lines)
    clusters = 1 if kind.cluster and not case.asked.kubernetes_estate else 0
    bill = instances.machines(setup.instance, months, discount=world.discount, eks_clusters=clusters)
    [people] = _people(case, kind)
    rate = unknown("engineer_usd_per_hour").central
    line = Line("engineers' time", world.value(people), "hour", rate, (), "assumed, beyond what an endpoint takes")
    return Bill(f"{count} x {setup.instance}", (*bill.lines, line))


def _people(case: Case, kind: Kind) -> tuple[Unknown, ...]:
    if kind.service == "sagemaker":
        return ()
    on_a_cluster = kind.cluster and case.asked.kubernetes_estate
    return (unknown("engineer_hours_on_a_cluster" if on_a_cluster else "engineer_hours"),)


def _sleep(case: Case, kind: Kind) -> tuple[Unknown, ...]:
    asleep = spells(case)
    return (asleep,) if asleep is not None and _at_zero(case, kind) else ()


def _sizing(case: Case, kind: Kind, way: Way) -> Sizing:
    here, setup = World(), way.setup
    return Sizing(
        f"ml.{setup.instance}" if kind.service == "sagemaker" else setup.instance,
        _count(case, kind, setup.capacity_per_s, here),
        setup.capacity_per_s,
        way.usd_per_hour * _machine_hours(case, kind, setup, here),
        way.usd_per_hour * HOURS_PER_MONTH,
        setup.describes,
    )


# What is against it, what to mind, what to do


def _too_large(case: Case, kind: Kind) -> Reason:
    assert case.shape is not None
    weights = case.shape.parameters * 2 / 1e9
    kinds = {"gpu": "GPUs", "neuron": "Inferentia2 chips"}
    return Reason(
        "fits_on_an_instance",
        f"no priced instance type with {kinds[kind.chip]} holds it: {weights:,.0f} GB of weights in 16 bits, and a cache",
    )


def _too_many(count: int, kind: Kind) -> Reason:
    chips = {"gpu": "GPU", "neuron": "Inferentia2", "cpu": "Graviton"}[kind.chip]
    return Reason(
        "runs_on_so_many", f"within the objective it would take {count:,} {chips} instances, which nobody runs"
    )


def _in_time(kind: Kind, prediction: Prediction | None) -> tuple[Reason, ...]:
    if kind.limit is None or prediction is None or prediction.e2e_p99.low <= facts.number(kind.limit) * 1e3:
        return ()
    return (
        Reason(
            "answers_within_the_limit",
            f"an answer is predicted to take {prediction.e2e_p99.low / 1e3:,.0f} s; the limit is {facts.format(kind.limit)}",
            (kind.limit,),
        ),
    )


def _asleep(case: Case, kind: Kind, setup: Setup) -> tuple[Reason, ...]:
    if not _at_zero(case, kind) or case.asked.profile in SCHEDULED:
        return ()
    return sleeps_too_long(case, spells(case), setup.spec.cold_start_s)


def _cautions(case: Case, kind: Kind, setup: Setup, prediction: Prediction | None) -> tuple[Reason, ...]:
    said = []
    if kind.chip == "neuron":
        said.append(
            Reason(
                "neuron_maintenance",
                f"Neuron put LLM serving on Inf2 into maintenance mode on {facts.format('neuron.maintenance_mode_since')}: "
                "critical fixes only, a legacy target for new work",
                ("neuron.maintenance_mode_since", "neuron.maintenance_mode_sdk"),
            )
        )
        if case.architecture != "LlamaForCausalLM":
            said.append(
                Reason(
                    "compiles_for_neuron",
                    f"the published figures are of Llama; whether {case.architecture or 'this architecture'} compiles is to be tried",
                )
            )
    answer = "sagemaker.realtime.timeout_s"
    if kind.limit == REAL_TIME and prediction is not None and prediction.e2e_p99.high > facts.number(answer) * 1e3:
        said.append(
            Reason(
                "streams",
                f"an answer may take {prediction.e2e_p99.high / 1e3:,.0f} s: stream it, since without streaming the limit is {facts.format(answer)}",
                (answer, REAL_TIME),
            )
        )
    if _at_zero(case, kind) and not case.asked.answer_can_wait:
        asleep = spells(case)
        share = cold_share(case, asleep, setup.spec.cold_start_s) if asleep else 0.0
        said.append(
            Reason(
                "wakes_in_time",
                f"at zero between spells: start it on a schedule, for it takes about {setup.spec.cold_start_s / 60:.0f} minutes "
                f"and calls fail meanwhile ({share:.0%} of them, if nobody does)",
                ("sagemaker.scale_to_zero.alarm_metric",),
            )
        )
    if case.shaped_like is not None:
        said.append(Reason("shape_is_known", f"only the size is known: proportions of {case.shaped_like} were taken"))
    said += [
        Reason("prediction_is_calibrated", note)
        for note in setup.deployment.notes
        if "assum" in note or "not calibrated" in note
    ]
    return tuple(said)


def _todo(case: Case, kind: Kind, sizing: Sizing) -> tuple[ToDo, ...]:
    todo = []
    entry = catalogue.instance(sizing.instance)
    if kind.service == "sagemaker":
        if entry.quota is not None:
            have = facts.number(entry.quota)
            todo.append(
                ToDo(
                    f"ask for {sizing.count} x {sizing.instance} for endpoint usage: quota {entry.quota_code} is {have:.0f} by default",
                    (entry.quota,),
                )
            )
        else:
            todo.append(
                ToDo(
                    f"check the account's quota of {sizing.instance} for endpoint usage ({sizing.count} needed): often 0 at first"
                )
            )
    else:
        todo.append(
            ToDo(f"check the account's vCPU quota for {sizing.instance}: {sizing.count * entry.vcpus:,} are needed")
        )
    if case.asked.region not in entry.priced_in:
        todo.append(
            ToDo(
                f"check that {case.asked.region} has {sizing.instance}, and its price there: the price shown is us-east-1's"
            )
        )
    todo += licence(case)
    if kind.chip == "neuron":
        todo.append(ToDo("compile the model for its NeuronCores and context, and load-test what was compiled"))
    if kind.target == "sagemaker-jumpstart":
        todo.append(ToDo("find the model's JumpStart id, and accept its licence there by name"))
    return tuple(todo)


def licence(case: Case) -> list[ToDo]:
    """Community licences want to be accepted before the weights can be fetched."""
    if case.model is None or case.model.licence is None or "licence" not in case.model.licence.lower():
        return []
    return [ToDo(f"accept the {case.model.licence}")]


def _on_premises(kind: Kind) -> Draft:
    return Draft(
        kind.target,
        what="your own machines, or Outposts",
        unpriced="racks and rooms are priced on request",
        unpredicted="it depends on the accelerators in your rooms: lab simulate --hardware says more",
        todo=(ToDo("choose accelerators: `lab simulate --model ... --hardware h100` shows what one carries"),),
    )


# Processors


def graviton(case: Case) -> Draft:
    """A small model in 4 bits on Arm processors."""
    assert case.shape is not None
    asked = demand(case)
    found = setups(case.name, case.shape, GRAVITON, CPU_DTYPE, asked, False)
    if not found or found[0].capacity_per_s <= 0:
        return Draft("sagemaker-graviton", reasons=(too_slow(asked),))
    setup, kind = found[0], Kind("sagemaker-graviton", "sagemaker", "cpu", limit=REAL_TIME)
    premium, id = unknown("graviton_premium"), f"ec2.price.{GRAVITON.replace('.', '-')}"

    def price(world: World) -> Bill:
        hours = _machine_hours(case, kind, setup, world)
        each = usd(id) * world.value(premium) * (1 - world.discount)
        line = Line("instance hours", hours, "hour", each, (id,), "EC2's price and an assumed premium")
        return Bill(f"{_count(case, kind, setup.capacity_per_s, world)} x ml.{GRAVITON}", (line,))

    if (needed := _count(case, kind, setup.capacity_per_s, World())) > MOST_INSTANCES:
        return Draft("sagemaker-graviton", reasons=(_too_many(needed, kind),))
    made = _draft(case, kind, [Way(setup, usd(id) * premium.central)], price)
    weights = Reason(
        "weights_in_4_bits", "the weights are rounded to 4 bits: evaluate the answers before you trust the price"
    )
    return replace(made, unknowns=(*made.unknowns, premium), cautions=(weights, *made.cautions))


def serverless(case: Case) -> Draft:
    """A very small model in 4 bits on a few virtual CPUs, paid while it works."""
    asked = demand(case)
    bandwidth, factor = unknown("serverless_bandwidth_gb_per_s"), unknown("serverless_price")
    lambda_price, limit = "lambda.price.per_gb_s_x86", "sagemaker.serverless.timeout_s"
    gigabytes = facts.number("sagemaker.serverless.memory_max_mb") / 1024

    def alone(gb_per_s: float) -> Prediction | None:
        spec = _slice(case, gb_per_s)
        return predict(spec, asked, 1e-6) if spec is not None else None

    seen = [alone(value) for value in (bandwidth.high, bandwidth.central, bandwidth.low)]
    fast, middle, slow = seen
    if fast is None or middle is None or slow is None or fast.ttft_p99.low > asked.first_token_ms:
        return Draft("sagemaker-serverless", reasons=(too_slow(asked),))
    prediction = joined(fast, middle, slow)

    def price(world: World) -> Bill:
        each = alone(world.value(bandwidth))
        seconds = (each or middle).e2e_p50.central / 1e3 * world.tokens
        used = case.traffic(world.requests).requests_per_month * seconds * gigabytes
        each_gb_s = usd(lambda_price) * world.value(factor)
        return Bill(
            "serverless endpoint",
            (
                Line(
                    "memory while it works",
                    used,
                    "GB-second",
                    each_gb_s,
                    (lambda_price,),
                    "Lambda's price and an assumed factor",
                ),
            ),
        )

    reasons = []
    if prediction.e2e_p99.low > facts.number(limit) * 1e3:
        reasons.append(
            Reason(
                "answers_within_the_limit",
                f"an answer is predicted to take {prediction.e2e_p99.low / 1e3:,.0f} s at best; the limit is {facts.format(limit)}",
                (limit,),
            )
        )
    at_once = case.asked.requests_per_minute / 60 * prediction.e2e_p50.central / 1e3
    most = "sagemaker.serverless.concurrency_max"
    if at_once > facts.number(most):
        reasons.append(
            Reason(
                "within_the_concurrency",
                f"about {at_once:,.0f} requests at once are more than the {facts.format(most)} of an endpoint",
                (most,),
            )
        )
    return Draft(
        "sagemaker-serverless",
        what=f"{gigabytes:g} GB, one request at a time each",
        price=price,
        unknowns=(bandwidth, factor),
        prediction=prediction if asked.waits else None,
        unpredicted="" if asked.waits else "nobody waits",
        reasons=tuple(reasons),
        cautions=(
            Reason(
                "weights_in_4_bits",
                "the weights are rounded to 4 bits: evaluate the answers before you trust the price",
            ),
            Reason("wakes_in_time", "an idle endpoint starts cold, with the image to load"),
        ),
        todo=(ToDo("an image of your own with a small CPU server that answers /ping and /invocations"), *licence(case)),
        utilisation=min(1.0, at_once / facts.number(most)),
    )


def _slice(case: Case, gb_per_s: float) -> Spec | None:
    """The few virtual CPUs of a serverless endpoint, as a share of a Graviton's, with a memory bandwidth of their own."""
    assert case.shape is not None
    whole: Hardware = hardware("graviton")
    memory_mb = facts.number("sagemaker.serverless.memory_max_mb")
    cores = memory_mb / facts.number("lambda.memory.one_vcpu_mb")
    part = replace(
        whole,
        id="serverless",
        memory_bytes=memory_mb * 1e6,
        bandwidth_bytes_per_s=gb_per_s * 1e9,
        flops_per_s=whole.flops_per_s * cores / catalogue.accelerator("graviton").cores,
    )
    try:
        return plan((case.name, case.shape), part, Choices(dtype=CPU_DTYPE, max_num_seqs=1)).spec
    except Refusal:
        return None


def at_the_edge(case: Case) -> Draft:
    """A compiled model and a recipe for devices."""
    return Draft(
        "edge-greengrass",
        what="a compiled model and a component for devices",
        unpriced="devices and their fleet are yours; no price of either is in the register",
        unpredicted="it depends on the device",
        cautions=(
            Reason(
                "exam_scope",
                "Greengrass is outside the exam's scope; V1 ended, V2 is current",
                ("exam.out_of_scope", "greengrass.v1.ended"),
            ),
        ),
        todo=(
            ToDo(
                "try the model on the device first: Neo was tested with small, mostly visual ones",
                ("sagemaker.neo.status",),
            ),
            *licence(case),
        ),
    )
