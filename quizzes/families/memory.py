"""What fits: weights and KV cache in accelerator memory, and the speed that reading them allows."""

from dataclasses import dataclass
from functools import cache
from math import floor
from random import Random

from labs.economics.prices import usd
from labs.facts import catalogue
from labs.facts.catalogue_schema import Shape
from labs.serving.memory import WEIGHT_BYTES, MemoryPlan, plan_memory
from quizzes.families.cost_hours import hourly, priced_on_both
from quizzes.families.family import MARGIN, Alternative, Answer, Family, ratio
from quizzes.families.say import Say, dated
from quizzes.model import Tolerance
from quizzes.situations import REGION, Setting, setting

GIB = 2.0**30
PRECISIONS = ("bf16", "fp8")
BYTES = {"bf16": "two bytes", "fp8": "one byte"}
UTILISATION = 0.9
"""the share of accelerator memory that the servers of these items may take, as vLLM does unless told otherwise"""
VLLM = "lmi-docs"


@dataclass(frozen=True)
class Open:
    """A model with open weights, whose memory is plain arithmetic."""

    name: str
    shape: Shape

    @property
    def billions(self) -> float:
        """Parameters, to one decimal, as a stem gives them."""
        return round(self.shape.parameters / 1e9, 1)

    def weights_gb(self, dtype: str) -> float:
        """Of the rounded number of parameters."""
        return self.billions * WEIGHT_BYTES[dtype]


@cache
def open_models() -> tuple[Open, ...]:
    """Those of the catalogue whose weights are published in 16 bits; of each size the newest."""
    found = {
        entry.shape.parameters: Open(entry.name, entry.shape)
        for entry in catalogue.models().values()
        if entry.shape and entry.shape.native_weights == "bf16"
    }
    return tuple(found.values())


@cache
def dense_models() -> tuple[Open, ...]:
    """Those that are no mixture of experts and too large for a laptop."""
    return tuple(model for model in open_models() if model.shape.experts == 1 and model.shape.parameters > 5e9)


def gib_each(instance: str) -> float:
    """Memory of one accelerator as EC2 lists it, in GiB."""
    chip = catalogue.accelerator(catalogue.instance(instance).accelerator)
    return (chip.usable_memory or chip.memory).base / GIB


def total_gib(instance: str) -> float:
    """Of all accelerators."""
    return gib_each(instance) * catalogue.instance(instance).count


# --- the KV cache


@dataclass(frozen=True)
class Cache:
    """Sequences that are served at once."""

    setting: Setting
    model: Open
    sequences: int
    prompt: int
    answer: int

    def gib(self, shape: Shape | None = None, tokens: float | None = None, bytes_each: float = 2) -> float:
        """Their key-value cache."""
        each = (shape or self.model.shape).kv_bytes_per_token(bytes_each)
        return each * (self.sequences * (self.prompt + self.answer) if tokens is None else tokens) / GIB


def _cache(random: Random) -> Cache:
    return Cache(
        setting(random),
        random.choice(dense_models()),
        random.choice([8, 12, 16, 24, 32]),
        random.choice([1000, 1500, 2000, 3000, 4000]),
        random.choice([300, 500, 800, 1000, 1500]),
    )


def _shape_of(case: Open, say: Say) -> str:
    shape = case.shape
    return (
        f"{case.name} has {say(shape.layers)} layers, {say(shape.heads)} attention heads and {say(shape.kv_heads)} key-value heads of "
        f"{say(shape.head_dim)} elements"
    )


def _ask_cache(case: Cache, say: Say) -> tuple[str, str]:
    job = case.setting
    stem = say.pick(
        f"{job.who} hosts {case.model.name} in its own container to {job.task}. At the busiest time {say(case.sequences)} sequences are in work at "
        f"once, each with a prompt of {say(case.prompt)} tokens and an answer of up to {say(case.answer)}.",
        f"A vLLM server with {case.model.name} is to {job.task}. It must be able to hold {say(case.sequences)} sequences at the same time, with "
        f"{say(case.prompt)} prompt tokens each and as many as {say(case.answer)} tokens of answer.",
    )
    shape = f"{_shape_of(case.model, say)}; keys and values are kept in two bytes per element."
    return f"{stem} {shape}", say.pick(
        "Which is the BEST estimate of the KV cache that this takes?",
        "Which amount of memory is the BEST estimate for their KV cache?",
    )


def _cache_size(case: Cache, say: Say) -> Answer:
    shape, tokens = case.model.shape, case.sequences * (case.prompt + case.answer)
    found = case.gib()
    return Answer(
        found,
        f"A token takes 2 (key and value) × {say(shape.layers)} layers × {say(shape.kv_heads)} heads × {say(shape.head_dim)} × 2 bytes = "
        f"{say(shape.kv_bytes_per_token() / 1024)} KiB. {say(tokens)} tokens take {say(found)} GiB.",
    )


def attention_heads_for_kv_heads(case: Cache, say: Say) -> Answer:
    """Every attention head keeps keys and values of its own."""
    shape = case.model.shape
    found = case.gib(shape.model_copy(update={"kv_heads": shape.heads}))
    return Answer(
        found,
        f"{say(found)} GiB has {say(shape.heads)} heads. With grouped queries {say(shape.kv_heads)} of them keep keys and values.",
    )


def keys_without_values(case: Cache, say: Say) -> Answer:
    """The cache holds one vector per token and layer."""
    found = case.gib() / 2
    return Answer(found, f"{say(found)} GiB has the keys. The values are as large again.")


def four_bytes_per_element(case: Cache, say: Say) -> Answer:
    """A cache is kept in full precision, four bytes per element."""
    found = case.gib(bytes_each=4)
    return Answer(found, f"{say(found)} GiB has four bytes for an element. The stem gives two.")


def prompt_without_answer(case: Cache, say: Say) -> Answer:
    """Only the prompt is cached; the answer is being written."""
    found = case.gib(tokens=case.sequences * case.prompt)
    return Answer(
        found,
        f"{say(case.sequences)} × {say(case.prompt)} tokens take {say(found)} GiB. Each token of the answer is kept until the answer is complete.",
    )


def cache_of_one_sequence(case: Cache, say: Say) -> Answer:
    """Sequences of one server share their cache."""
    found = case.gib(tokens=case.prompt + case.answer)
    return Answer(found, f"{say(found)} GiB is one sequence. {say(case.sequences)} with different texts are in work.")


def weights_counted_as_cache(case: Cache, say: Say) -> Answer:
    """The KV cache holds the weights as well."""
    weights = case.model.shape.parameters * 2 / GIB
    found = case.gib() + weights
    return Answer(found, f"{say(found)} GiB contains {say(weights)} GiB of weights. They are not part of the cache.")


def hidden_width_in_every_layer(case: Cache, say: Say) -> Answer:
    """A cached token is its hidden vector, in four places of each layer."""
    shape = case.model.shape
    found = 4 * shape.layers * shape.hidden * 2 * case.sequences * (case.prompt + case.answer) / GIB
    return Answer(
        found,
        f"{say(found)} GiB has four vectors of {say(shape.hidden)} elements per layer. Keys and values of the key-value heads are kept, and nothing else.",
    )


KV_CACHE = Family(
    name="kv-cache-size",
    title="How much memory the KV cache takes",
    objective="2.2.2",
    bloom="apply",
    est_seconds=130,
    difficulty=0.45,
    situation=_cache,
    ask=_ask_cache,
    solve=_cache_size,
    wrong=(
        attention_heads_for_kv_heads,
        keys_without_values,
        four_bytes_per_element,
        prompt_without_answer,
        cache_of_one_sequence,
        weights_counted_as_cache,
        hidden_width_in_every_layer,
    ),
    unit="GiB",
    sources=(VLLM,),
)


# --- how many sequences fit


@dataclass(frozen=True)
class Room:
    """A model on all accelerators of one instance."""

    setting: Setting
    model: Open
    instance: str
    dtype: str
    tokens: int
    """of one sequence, prompt and answer"""

    def plan(
        self, dtype: str | None = None, shape: Shape | None = None, utilisation: float = UTILISATION
    ) -> MemoryPlan:
        """Where the memory goes."""
        stated = (shape or self.model.shape).model_copy(update={"parameters": int(self.model.billions * 1e9)})
        return plan_memory(
            stated,
            devices=catalogue.instance(self.instance).count,
            device_bytes=gib_each(self.instance) * GIB,
            utilisation=utilisation,
            reserve_bytes=0.0,
            weight_bytes=WEIGHT_BYTES[dtype or self.dtype],
            kv_bytes=2,
        )

    def sequences(self, cache_bytes: float, plan: MemoryPlan | None = None) -> float:
        """How many fit in so many bytes; 0 when the weights do not."""
        each = (plan or self.plan()).kv_bytes_per_token * self.tokens
        return float(max(0, floor(cache_bytes / each)))


def _room(random: Random) -> Room:
    few = [id for id in priced_on_both() if catalogue.instance(id).count <= 8]
    return Room(
        setting(random),
        random.choice(dense_models()),
        random.choice(few),
        random.choice(PRECISIONS),
        random.choice([2000, 2500, 3000, 4000, 6000, 8000]),
    )


def _ask_room(case: Room, say: Say) -> tuple[str, str]:
    job, entry = case.setting, catalogue.instance(case.instance)
    devices = (
        f"{say(entry.count)} GPU"
        + ("s" if entry.count > 1 else "")
        + f" with {say(gib_each(case.instance))} GiB"
        + (" each" if entry.count > 1 else "")
    )
    stem = say.pick(
        f"{job.who} serves {case.model.name} on one `ml.{case.instance}` ({devices}) to {job.task}. Weights are kept in {BYTES[case.dtype]} per parameter.",
        f"To {job.task}, {case.model.name} is loaded onto one `ml.{case.instance}`, {devices}, with {BYTES[case.dtype]} for each of its parameters.",
    )
    kib = case.model.shape.kv_bytes_per_token() / 1024
    share, length = say(100 * UTILISATION), say(case.tokens)
    rest = say.pick(
        f"The model has {say(case.model.billions)} billion parameters, spread over all GPUs, and {say(kib)} KiB of KV cache per token. The server may use {share} % of GPU memory, for weights and "
        f"cache. A sequence has {length} tokens, prompt and answer together.",
        f"Of GPU memory {share} % is given to weights and KV cache, and nothing else has to fit in there. {say(case.model.billions)} billion parameters are spread over all GPUs. A token takes "
        f"{say(kib)} KiB of cache, and a sequence is {length} tokens long at its end.",
        f"Sequences grow to {length} tokens, each of which keeps {say(kib)} KiB in the KV cache. All GPUs share the {say(case.model.billions)} billion parameters and the cache; {share} % of their "
        "memory may be used for both.",
    )
    return f"{stem} {rest}", say.pick(
        "What is the HIGHEST number of such sequences that fit at the same time?",
        "How many sequences of this length can be in memory at once, at the MOST?",
    )


def _room_for(case: Room, say: Say) -> Answer | None:
    plan = case.plan()
    found = case.sequences(plan.cache_bytes)
    if found < 2 or found > 400 or plan.devices > case.model.shape.kv_heads:
        return None
    each = plan.kv_bytes_per_token * case.tokens / GIB
    return Answer(
        found,
        f"Usable: {say(UTILISATION)} × {say(plan.total_bytes / GIB)} = {say(plan.usable_bytes / GIB)} GiB. Weights: {say(plan.weights_bytes / 1e9)} GB, which are "
        f"{say(plan.weights_bytes / GIB)} GiB. {say(plan.cache_bytes / GIB)} GiB remain, and a sequence takes {say(each)} GiB: {say(found)} fit.",
    )


def ignored_the_weights(case: Room, say: Say) -> Answer:
    """GPU memory is there for the cache; weights are read from disk."""
    return Answer(
        case.sequences(case.plan().usable_bytes),
        f"{say(case.plan().usable_bytes / GIB)} GiB of cache leave the weights no place.",
    )


def other_precision_of_the_weights(case: Room, say: Say) -> Answer:
    """A parameter takes one byte in any precision, and two when it is to be exact."""
    other = "bf16" if case.dtype == "fp8" else "fp8"
    plan = case.plan(other)
    return Answer(
        case.sequences(plan.cache_bytes),
        f"With {BYTES[other]} per parameter the weights would take {say(plan.weights_bytes / GIB)} GiB and leave {say(plan.cache_bytes / GIB)} GiB. They are kept in {BYTES[case.dtype]}.",
    )


def cache_of_all_attention_heads(case: Room, say: Say) -> Answer:
    """Keys and values are kept for each attention head."""
    shape = case.model.shape.model_copy(update={"kv_heads": case.model.shape.heads})
    plan = case.plan(shape=shape)
    return Answer(
        case.sequences(plan.cache_bytes, plan),
        f"Here a token takes {say(shape.kv_bytes_per_token() / 1024)} KiB, as if each attention head kept keys and values. The stem gives less.",
    )


def all_memory_is_usable(case: Room, say: Say) -> Answer:
    """A server can use all of the memory that a GPU has."""
    plan = case.plan(utilisation=1.0)
    return Answer(
        case.sequences(plan.cache_bytes),
        f"{say(plan.total_bytes / GIB)} − {say(plan.weights_bytes / GIB)} = {say(plan.cache_bytes / GIB)} GiB shares all memory out. The server may use {say(100 * UTILISATION)} %.",
    )


def weights_on_every_gpu(case: Room, say: Say) -> Answer | None:
    """Each GPU holds a whole copy of the weights."""
    plan = case.plan()
    if plan.devices == 1:
        return None
    return Answer(
        case.sequences(plan.usable_bytes - plan.devices * plan.weights_bytes),
        f"{say(plan.usable_bytes / GIB)} − {say(plan.devices)} × {say(plan.weights_bytes / GIB)} GiB subtracts the weights for each GPU. They are spread over the GPUs, once.",
    )


def one_gpu_of_several(case: Room, say: Say) -> Answer | None:
    """A model is served by one GPU; the others are spare."""
    plan = case.plan()
    if plan.devices == 1:
        return None
    return Answer(
        case.sequences(plan.usable_bytes / plan.devices - plan.weights_bytes),
        f"{say(plan.usable_bytes / plan.devices / GIB)} − {say(plan.weights_bytes / GIB)} GiB counts one GPU's memory. Weights and cache are spread over {say(plan.devices)}.",
    )


def sequence_counted_by_its_half(case: Room, say: Say) -> Answer:
    """Keys are cached; values are computed anew."""
    plan = case.plan()
    return Answer(
        case.sequences(2 * plan.cache_bytes),
        f"{say(plan.kv_bytes_per_token / 2048)} KiB was taken for a token, half of what the stem gives. Keys and values are both kept.",
    )


SEQUENCES = Family(
    name="sequences-that-fit",
    title="How many sequences fit beside the weights",
    objective="2.2.2",
    bloom="apply",
    est_seconds=200,
    difficulty=0.4,
    situation=_room,
    ask=_ask_room,
    solve=_room_for,
    wrong=(
        ignored_the_weights,
        other_precision_of_the_weights,
        cache_of_all_attention_heads,
        weights_on_every_gpu,
        one_gpu_of_several,
        all_memory_is_usable,
        sequence_counted_by_its_half,
    ),
    kind="number",
    unit="sequences",
    tolerance=Tolerance(relative=0.04),
    sources=(VLLM,),
)


# --- the instance that fits


@dataclass(frozen=True)
class Fit:
    """A model, a load, and a list of instance types."""

    setting: Setting
    model: Open
    dtype: str
    sequences: int
    tokens: int
    types: tuple[str, ...]
    """from cheap to dear"""

    @property
    def weights(self) -> float:
        """GiB."""
        return self.model.weights_gb(self.dtype) * 1e9 / GIB

    def cache(self, sequences: float | None = None) -> float:
        """GiB."""
        return (
            self.model.shape.kv_bytes_per_token()
            * (self.sequences if sequences is None else sequences)
            * self.tokens
            / GIB
        )

    def first(self, gib: float, memory: dict[str, float] | None = None) -> str | None:
        """The cheapest type whose usable accelerator memory holds so much."""
        room = memory or {id: UTILISATION * total_gib(id) for id in self.types}
        return next((id for id in self.types if room[id] >= gib), None)


def _fit(random: Random) -> Fit:
    candidates = random.sample(priced_on_both(), 12)
    return Fit(
        setting(random),
        random.choice(dense_models()),
        random.choice(PRECISIONS),
        random.choice([8, 16, 24, 32, 48, 64, 96]),
        random.choice([1500, 2000, 3000, 4000, 6000]),
        tuple(sorted(candidates, key=lambda id: usd(hourly(id)))),
    )


def _type(instance: str, say: Say) -> str:
    count = catalogue.instance(instance).count
    return f"`ml.{instance}`: {say(count)} × {say(gib_each(instance))} GiB, ${say(usd(hourly(instance)))}"


def _ask_fit(case: Fit, say: Say) -> tuple[str, str]:
    job, kib = case.setting, case.model.shape.kv_bytes_per_token() / 1024
    stem = say.pick(
        f"{job.who} deploys {case.model.name} on a SageMaker AI endpoint to {job.task}.",
        f"A SageMaker AI endpoint with {case.model.name} is to {job.task}.",
    )
    load = say.pick(
        f"One instance must hold the weights, {say(case.model.billions)} billion parameters in {BYTES[case.dtype]} each, and the KV cache of "
        f"{say(case.sequences)} sequences of {say(case.tokens)} tokens, at {say(kib)} KiB per token.",
        f"The model has {say(case.model.billions)} billion parameters, kept in {BYTES[case.dtype]} each. {say(case.sequences)} sequences of "
        f"{say(case.tokens)} tokens are served at once by one instance; a token takes {say(kib)} KiB of KV cache.",
    )
    when = dated(*(hourly(id) for id in case.types))
    rest = say.pick(
        f"The server may use {say(100 * UTILISATION)} % of the GPUs' memory, which it sees as one. The list gives GPUs, memory of each, and the hourly price in {REGION} ({when}).",
        f"Weights and cache are spread over all GPUs of the instance, and may take {say(100 * UTILISATION)} % of their memory. Listed are the number of GPUs, the memory of one, and dollars per hour "
        f"({REGION}, {when}).",
    )
    return f"{stem} {load} {rest}", say.pick(
        "Which instance type meets these needs at the LOWEST price?",
        "Which type holds all of this at the LOWEST hourly price?",
    )


def _fits(case: Fit, say: Say) -> Answer | None:
    need = case.weights + case.cache()
    found = case.first(need)
    if found is None:
        return None
    room = UTILISATION * total_gib(found)
    return Answer(
        usd(hourly(found)),
        f"Weights {say(case.weights)} GiB + cache {say(case.cache())} GiB = {say(need)} GiB. It has {say(UTILISATION)} × {say(total_gib(found))} = "
        f"{say(room)} GiB to use, at {say.fact(hourly(found))}; nothing cheaper on the list is large enough.",
        _type(found, say),
        ratio(room, need),
    )


def _picked(case: Fit, say: Say, found: str | None, why: str) -> Answer | None:
    """A type that a wrong model takes, unless it is a close call."""
    if found is None or ratio(UTILISATION * total_gib(found), case.weights + case.cache()) < MARGIN:
        return None
    return Answer(usd(hourly(found)), f"{why} {_has(case, say, found)}.", _type(found, say))


def _has(case: Fit, say: Say, found: str) -> str:
    need, room = case.weights + case.cache(), UTILISATION * total_gib(found)
    verdict = f"short of {say(need)} GiB" if room < need else f"more than the {say(need)} GiB that are needed"
    return f"It has {say(room)} GiB to use, at {say.fact(hourly(found))}: {verdict}"


def weights_without_cache(case: Fit, say: Say) -> Answer | None:
    """A model fits where its weights fit."""
    found = case.first(case.weights)
    return _picked(case, say, found, f"The weights alone, {say(case.weights)} GiB, would fit.")


def byte_per_parameter(case: Fit, say: Say) -> Answer | None:
    """A billion parameters take a gigabyte."""
    if case.dtype == "fp8":
        return None
    smaller = case.model.billions * 1e9 / GIB
    found = case.first(smaller + case.cache())
    return _picked(
        case,
        say,
        found,
        f"With one byte per parameter the weights would take {say(smaller)} GiB.",
    )


def cache_of_a_single_request(case: Fit, say: Say) -> Answer | None:
    """The cache has to hold one request, since they are answered one after another."""
    found = case.first(case.weights + case.cache(1))
    return _picked(case, say, found, f"With one sequence the cache takes {say(case.cache(1))} GiB.")


def host_memory_for_gpu_memory(case: Fit, say: Say) -> Answer | None:
    """A model is loaded into the memory of the instance."""
    hosts = {id: catalogue.instance(id).memory_gib for id in case.types}
    found = case.first(case.weights + case.cache(), hosts)
    if found is None:
        return None
    return _picked(case, say, found, f"Its host memory, {say(hosts[found])} GiB, is not the GPUs'.")


def cache_for_every_attention_head(case: Fit, say: Say) -> Answer | None:
    """The cache grows with the number of attention heads."""
    shape = case.model.shape
    found = case.first(case.weights + case.cache() * shape.heads / shape.kv_heads)
    return _picked(
        case,
        say,
        found,
        f"With keys and values for all {say(shape.heads)} attention heads the cache would be larger.",
    )


def memory_doubled_for_safety(case: Fit, say: Say) -> Answer | None:
    """An instance should have twice the memory that a model needs."""
    found = case.first(2 * (case.weights + case.cache()))
    return _picked(case, say, found, "It would hold twice as much.")


def one_gpu_must_hold_it_all(case: Fit, say: Say) -> Answer | None:
    """A model cannot be spread over several GPUs, so one must hold it."""
    singles = {id: UTILISATION * gib_each(id) for id in case.types}
    found = case.first(case.weights, singles)
    return _picked(case, say, found, "One of its GPUs would hold the weights.")


def four_bits_by_itself(case: Fit, say: Say) -> Answer | None:
    """A server loads weights in four bits when memory is short."""
    smaller = case.model.weights_gb("int4") * 1e9 / GIB
    found = case.first(smaller + case.cache())
    return _picked(
        case, say, found, f"In four bits the weights would take {say(smaller)} GiB; nobody has converted them."
    )


def host_memory_takes_the_rest(case: Fit, say: Say) -> Answer | None:
    """What does not fit on a GPU is served from the host's memory, so the cheapest type will do."""
    return _picked(
        case,
        say,
        case.types[0],
        "It is the cheapest, and the rest would have to come from host memory for every token.",
    )


def largest_is_safest(case: Fit, say: Say) -> Answer | None:
    """A large model wants the largest instance."""
    return _picked(case, say, max(case.types, key=total_gib), "It has the most memory.")


INSTANCE_THAT_FITS = Family(
    name="instance-that-fits",
    title="The cheapest instance that holds weights and cache",
    objective="2.2.2",
    bloom="analyze",
    est_seconds=180,
    difficulty=0.45,
    situation=_fit,
    ask=_ask_fit,
    solve=_fits,
    wrong=(
        weights_without_cache,
        byte_per_parameter,
        cache_of_a_single_request,
        host_memory_for_gpu_memory,
        cache_for_every_attention_head,
        memory_doubled_for_safety,
        one_gpu_must_hold_it_all,
        largest_is_safest,
        four_bits_by_itself,
        host_memory_takes_the_rest,
    ),
    kind="choice",
)


# --- the footprint of four variants


@dataclass(frozen=True)
class Variants:
    """Four models in four precisions."""

    setting: Setting
    rows: tuple[tuple[Open, str], ...]


FORMATS = {"bf16": "bf16", "fp8": "fp8", "int4": "int4, with a scale of 8 bits for 32 weights"}
"""how a step names each precision"""


def _variants(random: Random) -> Variants:
    chosen = random.sample(open_models(), 4)
    return Variants(setting(random), tuple((model, random.choice(list(FORMATS))) for model in chosen))


def _ask_variants(case: Variants, say: Say) -> tuple[str, str]:
    job = case.setting
    stem = say.pick(
        f"{job.who} tests four variants of open-weight models that can {job.task}. Quality is close; now memory decides.",
        f"Four variants are on the shortlist to {job.task}, and the team wants to know what each takes of a GPU before any request is served.",
    )
    note = say.pick(
        "Parameters are as listed; nothing but the weights is counted.",
        "The list gives their parameters; leave cache and buffers aside.",
        "Count the listed parameters, each in its precision, and no cache.",
    )
    return f"{stem} {note}", say.pick(
        "Put the variants in order of the memory of their weights, LEAST on top.",
        "Order the variants by the memory that their weights take, FEWEST gigabytes on top.",
    )


def _footprints(case: Variants, say: Say) -> list[Alternative]:
    return [
        Alternative(
            f"{model.name}, {say(model.billions)} billion parameters in {FORMATS[dtype]}",
            f"{say(model.billions)} billion × {say(WEIGHT_BYTES[dtype])} bytes = {say(model.weights_gb(dtype))} GB."
            + (" All experts are in memory, whichever a token uses." if model.shape.experts > 1 else ""),
            model.weights_gb(dtype),
        )
        for model, dtype in case.rows
    ]


def parameters_are_gigabytes(case: Variants) -> list[float]:
    """The number of parameters says how much memory a model takes, whatever their precision."""
    return [model.billions + index / 1e6 for index, (model, _) in enumerate(case.rows)]


def precision_decides(case: Variants) -> list[float]:
    """A model with fewer bits per weight is the smaller one."""
    return [WEIGHT_BYTES[dtype] + model.billions / 1e6 for model, dtype in case.rows]


def active_experts_take_the_memory(case: Variants) -> list[float]:
    """A mixture of experts takes the memory of the experts that are active."""
    return [
        model.weights_gb(dtype) * model.shape.active_parameters / model.shape.parameters for model, dtype in case.rows
    ]


FOOTPRINT = Family(
    name="weights-footprint",
    title="Four variants by the memory of their weights",
    objective="2.2.2",
    bloom="apply",
    est_seconds=100,
    difficulty=0.65,
    situation=_variants,
    ask=_ask_variants,
    kind="order",
    alternatives=_footprints,
    misranked=(active_experts_take_the_memory, parameters_are_gigabytes, precision_decides),
    sources=(VLLM,),
)


# --- the speed of one reader


@dataclass(frozen=True)
class Pace:
    """One stream of tokens, limited by the reading of weights."""

    setting: Setting
    model: Open
    instance: str
    dtype: str
    readers: int

    @property
    def gpus(self) -> int:
        """All of the instance share the weights."""
        return catalogue.instance(self.instance).count

    @property
    def gb_per_s(self) -> float:
        """Of one GPU."""
        return catalogue.accelerator(catalogue.instance(self.instance).accelerator).bandwidth.base / 1e9

    def tokens_per_s(self, weights_gb: float | None = None, gpus: int | None = None) -> float:
        """The ceiling: bandwidth over what each token reads."""
        return self.gb_per_s * (gpus or self.gpus) / (weights_gb or self.model.weights_gb(self.dtype))


def _pace(random: Random) -> Pace:
    return Pace(
        setting(random),
        random.choice(dense_models()),
        random.choice(priced_on_both()),
        random.choice(PRECISIONS),
        random.choice([4, 6, 8, 12]),
    )


def _ask_pace(case: Pace, say: Say) -> tuple[str, str]:
    job = case.setting
    gpus = (
        f"{say(case.gpus)} GPUs read {say(case.gb_per_s)} GB of memory per second each"
        if case.gpus > 1
        else f"GPU reads {say(case.gb_per_s)} GB of memory per second"
    )
    stem = say.pick(
        f"{job.who} wants to {job.task} with {case.model.name} on one `ml.{case.instance}`, whose {gpus}.",
        f"On one `ml.{case.instance}`, whose {gpus}, {case.model.name} is to {job.task}.",
    )
    split = ", split over all GPUs" if case.gpus > 1 else ""
    size = f"{say(case.model.billions)} billion parameters in {BYTES[case.dtype]} each"
    rest = say.pick(
        f"It has {size}{split}. For every token of a sequence all weights are read once; reading them is the bottleneck, and cache and communication are left aside. Up to {say(case.readers)} "
        "readers are served at once from the same pass over the weights.",
        f"Its {size}{split}, are read once for each token, and nothing else takes time worth mention. One pass over the weights serves as many as {say(case.readers)} readers, a token for each.",
        f"Up to {say(case.readers)} answers grow at the same time, each by a token per pass over the weights. There are {size}{split}. Assume that reading them is all that takes time.",
    )
    return f"{stem} {rest}", say.pick(
        "What is the HIGHEST speed at which one reader can see an answer grow?",
        "Which speed of a single answer is the HIGHEST that can be reached?",
    )


def _ceiling(case: Pace, say: Say) -> Answer | None:
    if case.model.weights_gb(case.dtype) > UTILISATION * total_gib(case.instance) * GIB / 1e9:
        return None
    found = case.tokens_per_s()
    return Answer(
        found,
        f"A token reads {say(case.model.billions)} billion × {say(WEIGHT_BYTES[case.dtype])} = {say(case.model.weights_gb(case.dtype))} GB. {say(case.gpus)} × "
        f"{say(case.gb_per_s)} GB/s read that {say(found)} times a second.",
    )


def readers_add_to_one_speed(case: Pace, say: Say) -> Answer:
    """The tokens of all readers together are the speed that each of them sees."""
    found = case.tokens_per_s() * case.readers
    return Answer(
        found,
        f"{say(found)} tokens per second go to {say(case.readers)} readers together. Each gets one token from a pass.",
    )


def readers_share_one_speed(case: Pace, say: Say) -> Answer:
    """Readers who are served at once divide the speed of one among them."""
    found = case.tokens_per_s() / case.readers
    return Answer(
        found, f"The ceiling was divided by {say(case.readers)} readers. A pass over the weights serves them together."
    )


def one_gpu_does_the_reading(case: Pace, say: Say) -> Answer | None:
    """However many GPUs hold a model, one of them sets its speed."""
    if case.gpus == 1:
        return None
    found = case.tokens_per_s(gpus=1)
    return Answer(
        found,
        f"One GPU at {say(case.gb_per_s)} GB/s would allow {say(found)}. Each reads its own part, all at the same time.",
    )


def wrong_bytes_per_parameter(case: Pace, say: Say) -> Answer:
    """A parameter takes as many bytes as in the published weights, or one, whatever precision was chosen."""
    weights = case.model.weights_gb("bf16" if case.dtype == "fp8" else "fp8")
    found = case.tokens_per_s(weights)
    return Answer(
        found, f"With {say(weights)} GB of weights it would be {say(found)}. They are kept in {BYTES[case.dtype]} each."
    )


def weights_are_written_back(case: Pace, say: Say) -> Answer:
    """Weights are read and written back for every token, four times over with the cache."""
    found = case.tokens_per_s() / 4
    return Answer(
        found, f"{say(found)} has the weights pass the memory four times. Inference reads them, once per token."
    )


def four_bit_weights(case: Pace, say: Say) -> Answer:
    """A server rounds weights to four bits by itself."""
    weights = case.model.weights_gb("int4")
    found = case.tokens_per_s(weights)
    return Answer(
        found,
        f"In four bits the weights would have {say(weights)} GB, and {say(found)} passes a second. They are kept in {BYTES[case.dtype]} each.",
    )


PACE = Family(
    name="one-reader-speed",
    title="How fast one answer can grow",
    objective="4.2.1",
    bloom="apply",
    est_seconds=150,
    difficulty=0.45,
    situation=_pace,
    ask=_ask_pace,
    solve=_ceiling,
    wrong=(
        readers_add_to_one_speed,
        readers_share_one_speed,
        one_gpu_does_the_reading,
        wrong_bytes_per_parameter,
        weights_are_written_back,
        four_bit_weights,
    ),
    unit="tokens per second",
    sources=(VLLM,),
)

FAMILIES = (KV_CACHE, SEQUENCES, INSTANCE_THAT_FITS, FOOTPRINT, PACE)
