"""Paying by the hour: SageMaker AI endpoints and EC2 nodes, full or idle, and where they meet the price per token."""

from dataclasses import dataclass, replace
from functools import cache
from random import Random

from labs.economics import breakeven, instances, tokens
from labs.economics.bill import HOURS_PER_MONTH
from labs.economics.prices import known, usd
from labs.economics.traffic import Traffic
from labs.facts import catalogue
from quizzes.families.family import Answer, Family
from quizzes.families.say import Say, dated
from quizzes.situations import REGION, Priced, Setting, models, setting

ZONES = {2: "two", 3: "three"}


@cache
def priced_on_both() -> tuple[str, ...]:
    """GPU instance types with a price on SageMaker AI and on EC2, without 'ml.'."""
    return tuple(
        id
        for id, entry in catalogue.instances().items()
        if not id.startswith("ml.")
        and catalogue.accelerator(entry.accelerator).kind == "gpu"
        and known(f"sagemaker.price.{id.replace('.', '-')}")
        and known(f"ec2.price.{id.replace('.', '-')}")
    )


def hourly(instance: str) -> str:
    """Fact id of the SageMaker AI price."""
    return instances.price_id("sagemaker", instance)


# --- a month of an endpoint


@dataclass(frozen=True)
class Fleet:
    """Instances in several zones, around the clock."""

    setting: Setting
    instance: str
    zones: int
    in_each: int
    models: int
    hours: int
    """a working day"""
    days: int

    @property
    def count(self) -> int:
        """All instances."""
        return self.zones * self.in_each

    @property
    def gpus(self) -> int:
        """Of one instance."""
        return catalogue.instance(self.instance).count

    @property
    def usd(self) -> float:
        """A month of all of them."""
        return instances.endpoint(self.instance, self.count).usd

    def work(self, say: Say, count: float, hours: float = HOURS_PER_MONTH) -> str:
        """'4 × 730 h × $1.41 per instance-hour'"""
        return f"{say(count)} × {say(hours)} h × {say.fact(hourly(self.instance))}"


def _fleet(random: Random) -> Fleet:
    return Fleet(
        setting(random),
        random.choice(priced_on_both()),
        random.choice([2, 3]),
        random.choice([1, 2, 3]),
        random.choice([3, 4, 5]),
        random.choice([9, 10, 11, 12]),
        random.choice([21, 22]),
    )


def _ask_fleet(case: Fleet, say: Say) -> tuple[str, str]:
    job, type_ = case.setting, f"`ml.{case.instance}`"
    each = f"{say(case.in_each)} instance" + ("s" if case.in_each > 1 else "")
    stem = say.pick(
        f"{job.who} serves {say(case.models)} fine-tuned models that {job.task} from one SageMaker AI real-time endpoint, as inference "
        f"components on {type_}. The endpoint keeps {each} in each of {ZONES[case.zones]} Availability Zones, day and night.",
        f"To {job.task}, {say(case.models)} small models share the {type_} instances of one SageMaker AI endpoint. The endpoint stays up around the "
        f"clock in {ZONES[case.zones]} Availability Zones, with {each} in each.",
        f"One real-time endpoint on SageMaker AI holds {say(case.models)} models that {job.task}, each as an inference component. Its fleet of "
        f"{type_} must have {each} running in each of {ZONES[case.zones]} Availability Zones at any time.",
    )
    traffic = say.pick(
        f"Requests come for {say(case.hours)} hours on each of {say(case.days)} working days a month.",
        f"People use it {say(case.hours)} hours a day on {say(case.days)} days a month.",
    )
    price = f"In {REGION} an instance costs {say.fact(hourly(case.instance))} ({dated(hourly(case.instance))})"
    gpus = f" and has {say(case.gpus)} GPUs" if case.gpus > 1 else ""
    return f"{stem} {traffic} {price}{gpus}. A month has {say(HOURS_PER_MONTH)} hours.", say.pick(
        "Which is the BEST estimate of the monthly charge for its instances?",
        "Which amount is the BEST estimate of what the instances cost a month?",
    )


def _month_of_a_fleet(case: Fleet, say: Say) -> Answer:
    return Answer(
        case.usd,
        f"{ZONES[case.zones].capitalize()} zones × {say(case.in_each)} = {say(case.count)} instances. {case.work(say, case.count)} = "
        f"{say.usd(case.usd)}. Hours without traffic are charged too.",
    )


def priced_one_zone(case: Fleet, say: Say) -> Answer:
    """The instances of a second zone are part of the price."""
    amount = instances.endpoint(case.instance, case.in_each).usd
    return Answer(
        amount, f"{case.work(say, case.in_each)} = {say.usd(amount)} is one zone. There are {say(case.zones)}."
    )


def priced_one_instance_for_all_zones(case: Fleet, say: Say) -> Answer | None:
    """An endpoint has one price, however many instances stand behind it."""
    if case.in_each == 1:
        return None
    amount = instances.endpoint(case.instance).usd
    return Answer(amount, f"{case.work(say, 1)} = {say.usd(amount)} is one instance. {say(case.count)} are running.")


def hours_with_traffic_only(case: Fleet, say: Say) -> Answer:
    """An instance is charged for the hours in which it answers."""
    amount = instances.endpoint(case.instance, case.count, case.hours * case.days).usd
    return Answer(
        amount,
        f"{case.work(say, case.count, case.hours * case.days)} = {say.usd(amount)} counts the hours of use. The instances run, and are charged, "
        "at night as well.",
    )


def ec2_price_for_an_endpoint(case: Fleet, say: Say) -> Answer:
    """A SageMaker AI instance costs what the EC2 instance of that type costs."""
    id, amount = instances.price_id("ec2", case.instance), instances.machines(case.instance, case.count).usd
    return Answer(
        amount,
        f"{say(case.count)} × {say(HOURS_PER_MONTH)} h × {say.fact(id)} = {say.usd(amount)} is the price of EC2. Behind an endpoint an instance "
        "has a price of its own.",
    )


def price_per_gpu(case: Fleet, say: Say) -> Answer | None:
    """The hourly price of an instance is the price of one of its accelerators."""
    if case.gpus == 1:
        return None
    amount = case.usd * case.gpus
    return Answer(
        amount,
        f"{case.work(say, case.count)} × {say(case.gpus)} GPUs = {say.usd(amount)}. The price is that of the whole instance.",
    )


def endpoint_for_each_model(case: Fleet, say: Say) -> Answer:
    """Every model needs instances of its own."""
    amount = case.usd * case.models
    return Answer(
        amount,
        f"{case.work(say, case.count)} × {say(case.models)} models = {say.usd(amount)}. Inference components share the instances.",
    )


def standby_for_every_instance(case: Fleet, say: Say) -> Answer:
    """High availability means a second fleet that waits."""
    amount = case.usd * 2
    return Answer(
        amount,
        f"{say.usd(amount)} has a spare for each of the {say(case.count)} instances. Several zones are the redundancy; nothing was said of more.",
    )


def zones_square_the_fleet(case: Fleet, say: Say) -> Answer | None:
    """The number of instances is meant for every zone, and every zone is repeated in the others."""
    if case.zones == 2:
        return None
    amount = case.usd * case.zones
    return Answer(
        amount,
        f"{say.usd(amount)} multiplies by the zones twice: {say(case.count)} instances are those of all zones together.",
    )


ENDPOINT_MONTH = Family(
    name="endpoint-month",
    title="A month of an endpoint in several zones",
    objective="4.2.5",
    bloom="apply",
    est_seconds=100,
    difficulty=0.7,
    situation=_fleet,
    ask=_ask_fleet,
    solve=_month_of_a_fleet,
    wrong=(
        priced_one_zone,
        priced_one_instance_for_all_zones,
        hours_with_traffic_only,
        ec2_price_for_an_endpoint,
        price_per_gpu,
        endpoint_for_each_model,
        standby_for_every_instance,
        zones_square_the_fleet,
    ),
    unit="a month",
    money=True,
)


# --- where the hour meets the token


PLAUSIBLE_TOKENS_PER_S = 2500
"""output of one instance beyond which no break-even is asked for: the endpoint could not carry it"""
LONGEST_REQUEST = 20_000


@dataclass(frozen=True)
class Crossing:
    """An endpoint beside a model that is paid per token."""

    setting: Setting
    instance: str
    zones: int
    model: Priced
    input_tokens: int
    output_tokens: int
    per_minute: int

    @property
    def one(self) -> Traffic:
        """One request."""
        return Traffic(1, self.input_tokens, self.output_tokens)

    @property
    def monthly(self) -> float:
        """Of the endpoint."""
        return instances.endpoint(self.instance, self.zones).usd

    def million_requests(self, each_usd: float, fixed: float | None = None) -> float:
        """Requests a month at which both cost the same, in millions."""
        return (self.monthly if fixed is None else fixed) / each_usd / 1e6

    def each(self, traffic: Traffic | None = None) -> float:
        """What one request costs per token."""
        return tokens.on_demand(self.model.id, traffic or self.one).usd


def _crossing(random: Random) -> Crossing:
    return Crossing(
        setting(random),
        random.choice(priced_on_both()),
        random.choice([2, 3]),
        random.choice(models()),
        random.choice([300, 500, 800, 1000, 1500, 2000]),
        random.choice([100, 150, 200, 300, 400, 600]),
        random.choice([60, 90, 120, 150, 200]),
    )


def _two_ways(case: Crossing, say: Say) -> str:
    job = case.setting
    return say.pick(
        f"{job.who} can {job.task} in two ways that its evaluation rates alike: with {case.model.name} on Amazon Bedrock, or with an "
        f"open-weight model on a SageMaker AI endpoint of {say(case.zones)} `ml.{case.instance}` instances, one in each zone.",
        f"Two deployments {job.task} equally well: an open-weight model behind a SageMaker AI endpoint, which needs {say(case.zones)} "
        f"`ml.{case.instance}` instances for redundancy, and {case.model.name} on Amazon Bedrock.",
    )


def _both_prices(case: Crossing, say: Say) -> str:
    ids = (hourly(case.instance), case.model.input_price, case.model.output_price)
    return (
        f"In {REGION} an instance costs {say.fact(ids[0])}; tokens cost {say.fact(ids[1])} of input and {say.fact(ids[2])} of output "
        f"({dated(*ids)})."
    )


def _ask_crossing(case: Crossing, say: Say) -> tuple[str, str]:
    load = say.pick(
        f"A request has {say(case.input_tokens)} input and {say(case.output_tokens)} output tokens. The endpoint runs {say(HOURS_PER_MONTH)} "
        "hours a month and could carry more than is asked here.",
        f"Requests have {say(case.input_tokens)} tokens in and {say(case.output_tokens)} out. The endpoint is up for all {say(HOURS_PER_MONTH)} "
        "hours of a month; its capacity is not the limit.",
    )
    return f"{_two_ways(case, say)} {load} {_both_prices(case, say)}", say.pick(
        "From about how many requests a month on does the endpoint have the LOWEST cost?",
        "Which is the BEST estimate of the monthly requests at which both cost the same?",
    )


def _requests_at_crossing(case: Crossing, say: Say) -> Answer | None:
    fixed = instances.endpoint(case.instance, case.zones)
    requests = breakeven.requests_per_month(lambda traffic: tokens.on_demand(case.model.id, traffic), fixed, case.one)
    if requests * case.output_tokens / HOURS_PER_MONTH / 3600 / case.zones > PLAUSIBLE_TOKENS_PER_S:
        return None
    return Answer(
        requests / 1e6,
        f"Endpoint: {say(case.zones)} × {say(HOURS_PER_MONTH)} h × {say.fact(hourly(case.instance))} = {say.usd(case.monthly)} a month. "
        f"A million requests on demand: {say.usd(case.each() * 1e6)}. The quotient is {say(requests / 1e6)} million.",
    )


def break_even_without_output(case: Crossing, say: Say) -> Answer:
    """Paying per token means paying for the prompt."""
    each = case.each(Traffic(1, case.input_tokens, 0))
    return Answer(
        case.million_requests(each),
        f"With input alone a million requests cost {say.usd(each * 1e6)}, and {say.usd(case.monthly)} is reached late. Output is charged too.",
    )


def break_even_without_input(case: Crossing, say: Say) -> Answer:
    """Paying per token means paying for the answer."""
    each = case.each(Traffic(1, 0, case.output_tokens))
    return Answer(
        case.million_requests(each),
        f"With output alone a million requests cost {say.usd(each * 1e6)}, and {say.usd(case.monthly)} is reached late. Input is charged too.",
    )


def break_even_at_the_output_price(case: Crossing, say: Say) -> Answer:
    """The higher of two token prices is safe for an estimate."""
    each = case.one.tokens_per_request * usd(case.model.output_price) / 1e6
    return Answer(
        case.million_requests(each),
        f"All tokens at the output price make a million requests cost {say.usd(each * 1e6)}. Prompts are charged less.",
    )


def break_even_at_the_input_price(case: Crossing, say: Say) -> Answer:
    """The first price of a model is its price per token."""
    each = case.one.tokens_per_request * usd(case.model.input_price) / 1e6
    return Answer(
        case.million_requests(each),
        f"All tokens at the input price make a million requests cost {say.usd(each * 1e6)}. Answers are charged more.",
    )


def break_even_of_one_instance(case: Crossing, say: Say) -> Answer:
    """A break-even is reckoned for one instance; redundancy comes later."""
    fixed = instances.endpoint(case.instance).usd
    return Answer(
        case.million_requests(case.each(), fixed),
        f"{say.usd(fixed)} is one instance. The endpoint needs {say(case.zones)}, so it must save {say(case.zones)} times as much.",
    )


def break_even_with_ec2(case: Crossing, say: Say) -> Answer:
    """The hourly price of EC2 holds for SageMaker AI."""
    fixed, id = instances.machines(case.instance, case.zones).usd, instances.price_id("ec2", case.instance)
    return Answer(
        case.million_requests(case.each(), fixed),
        f"{say.usd(fixed)} a month is what {say(case.zones)} instances cost on EC2, at {say.fact(id)}. The endpoint costs {say.usd(case.monthly)}.",
    )


def break_even_of_swapped_prices(case: Crossing, say: Say) -> Answer:
    """Prompts are what makes a request expensive, so the higher price is theirs."""
    each = (case.input_tokens * usd(case.model.output_price) + case.output_tokens * usd(case.model.input_price)) / 1e6
    return Answer(
        case.million_requests(each),
        f"With the two token prices exchanged, a million requests cost {say.usd(each * 1e6)}.",
    )


BREAK_EVEN_REQUESTS = Family(
    name="break-even-requests",
    title="From how many requests on an endpoint pays",
    objective="2.2.1",
    bloom="evaluate",
    est_seconds=150,
    difficulty=0.5,
    situation=_crossing,
    ask=_ask_crossing,
    solve=_requests_at_crossing,
    wrong=(
        break_even_without_output,
        break_even_without_input,
        break_even_at_the_output_price,
        break_even_at_the_input_price,
        break_even_of_one_instance,
        break_even_with_ec2,
        break_even_of_swapped_prices,
    ),
    unit="million requests",
)


MIXTURES = ((500, 500), (600, 400), (700, 300), (750, 250), (800, 200), (850, 150), (900, 100))
"""input and output tokens of a thousand"""


def _mixture(random: Random) -> Crossing:
    into, out = random.choice(MIXTURES)
    return replace(_crossing(random), input_tokens=into, output_tokens=out)


def _ask_tokens(case: Crossing, say: Say) -> tuple[str, str]:
    share = case.input_tokens / case.one.tokens_per_request
    load = say.pick(
        f"{say(case.per_minute)} requests arrive every minute, all {say(HOURS_PER_MONTH)} hours of a month. How long they will be is not yet "
        f"known, but {say(100 * share)} % of their tokens are input.",
        f"The load is {say(case.per_minute)} requests a minute for {say(HOURS_PER_MONTH)} hours a month. Of the tokens of a request "
        f"{say(100 * share)} % are input; their number is still open, and the endpoint can carry it.",
    )
    return f"{_two_ways(case, say)} {load} {_both_prices(case, say)}", say.pick(
        "What is the LOWEST number of tokens per request, input and output together, from which the endpoint pays?",
        "From which number of tokens per request on, input plus output, does the endpoint have the LOWEST bill?",
    )


def _month(case: Crossing) -> Traffic:
    return Traffic.steady(case.per_minute, case.input_tokens, case.output_tokens)


def _tokens_at_crossing(case: Crossing, say: Say) -> Answer | None:
    fixed = instances.endpoint(case.instance, case.zones)
    found = breakeven.tokens_per_request(lambda traffic: tokens.on_demand(case.model.id, traffic), fixed, _month(case))
    output_per_s = case.per_minute / 60 * found * case.output_tokens / case.one.tokens_per_request
    if found > LONGEST_REQUEST or output_per_s / case.zones > PLAUSIBLE_TOKENS_PER_S:
        return None
    blend = case.each() / case.one.tokens_per_request * 1e6
    return Answer(
        found,
        f"Endpoint: {say.usd(case.monthly)} a month. A million tokens in this mixture cost {say.usd(blend)}, so they buy "
        f"{say(case.monthly / blend)} million tokens. {say(_month(case).requests_per_month)} requests leave {say(found)} for each.",
    )


def _tokens_for(case: Crossing, fixed: float, blend: float, requests: float | None = None) -> float:
    return fixed / blend * 1e6 / (_month(case).requests_per_month if requests is None else requests)


def unweighted_mean_of_prices(case: Crossing, say: Say) -> Answer:
    """The price of a token is the middle of the two prices."""
    blend = (usd(case.model.input_price) + usd(case.model.output_price)) / 2
    return Answer(
        _tokens_for(case, case.monthly, blend),
        f"{say.usd(case.monthly)} / {say.usd(blend)}, the middle of the two prices, holds for as much output as input.",
    )


def all_tokens_at_input_price(case: Crossing, say: Say) -> Answer:
    """Output costs as much as input."""
    return Answer(
        _tokens_for(case, case.monthly, usd(case.model.input_price)),
        f"{say.usd(case.monthly)} buys {say(case.monthly / usd(case.model.input_price))} million tokens at {say.fact(case.model.input_price)}. The output among them costs more.",
    )


def all_tokens_at_output_price(case: Crossing, say: Say) -> Answer:
    """Input costs as much as output."""
    return Answer(
        _tokens_for(case, case.monthly, usd(case.model.output_price)),
        f"{say.usd(case.monthly)} buys {say(case.monthly / usd(case.model.output_price))} million tokens at {say.fact(case.model.output_price)}. The input among them costs less.",
    )


def one_instance_is_an_endpoint(case: Crossing, say: Say) -> Answer:
    """The price of an endpoint is the price of an instance."""
    blend = case.each() / case.one.tokens_per_request * 1e6
    fixed = instances.endpoint(case.instance).usd
    return Answer(_tokens_for(case, fixed, blend), f"{say.usd(fixed)} is one instance; {say(case.zones)} are needed.")


def input_tokens_alone(case: Crossing, say: Say) -> Answer:
    """The length of a request is the length of its prompt."""
    blend = case.each() / case.one.tokens_per_request * 1e6
    share = case.input_tokens / case.one.tokens_per_request
    return Answer(
        _tokens_for(case, case.monthly, blend) * share,
        f"This is the input alone, {say(100 * share)} % of what was asked for.",
    )


BREAK_EVEN_TOKENS = Family(
    name="break-even-tokens",
    title="From how many tokens per request on an endpoint pays",
    objective="2.2.1",
    bloom="evaluate",
    est_seconds=180,
    difficulty=0.4,
    situation=_mixture,
    ask=_ask_tokens,
    solve=_tokens_at_crossing,
    wrong=(
        one_instance_is_an_endpoint,
        all_tokens_at_input_price,
        all_tokens_at_output_price,
        unweighted_mean_of_prices,
        input_tokens_alone,
    ),
    kind="number",
    unit="tokens",
)


# --- what a million tokens cost on an endpoint that is not full


@dataclass(frozen=True)
class Loaded:
    """An endpoint with a measured throughput and an average load."""

    setting: Setting
    instance: str
    zones: int
    tokens_per_s: int
    """output of one instance at full load"""
    load: float
    prompt_ratio: int
    """input tokens for each output token"""

    def price(self, instances_paid: float, tokens_per_s: float) -> float:
        """Of a million tokens."""
        return breakeven.usd_per_million_tokens(instances_paid * usd(hourly(self.instance)), tokens_per_s)


def _loaded(random: Random) -> Loaded:
    return Loaded(
        setting(random),
        random.choice(priced_on_both()),
        random.choice([2, 3]),
        random.choice([300, 450, 600, 900, 1200, 1600, 2000]),
        random.choice([0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5]),
        random.choice([2, 3, 4]),
    )


def _ask_loaded(case: Loaded, say: Say) -> tuple[str, str]:
    job, id = case.setting, hourly(case.instance)
    stem = say.pick(
        f"{job.who} runs a SageMaker AI endpoint of {say(case.zones)} `ml.{case.instance}` instances to {job.task}. In a load test one full "
        f"instance wrote {say(case.tokens_per_s)} output tokens per second. Over the month, the fleet writes {say(100 * case.load)} % of what "
        "all of it could.",
        f"One `ml.{case.instance}` was measured at {say(case.tokens_per_s)} output tokens per second when full. An endpoint of "
        f"{say(case.zones)} of them lets {job.who[0].lower()}{job.who[1:]} {job.task}; averaged over day and night, it works at "
        f"{say(100 * case.load)} % of its full output.",
    )
    rest = f"Prompts have {say(case.prompt_ratio)} times as many tokens as answers. An instance costs {say.fact(id)} in {REGION} ({dated(id)})."
    return f"{stem} {rest}", say.pick(
        "What does a million output tokens really cost here, as your BEST estimate in US dollars?",
        "Which is the BEST estimate, in US dollars, of the price of a million output tokens?",
    )


def _loaded_price(case: Loaded, say: Say) -> Answer:
    written = case.zones * case.tokens_per_s * case.load
    amount = case.price(case.zones, written)
    return Answer(
        amount,
        f"An hour costs {say(case.zones)} × {say.fact(hourly(case.instance))} and brings {say(case.zones)} × {say(case.tokens_per_s)} × "
        f"{say(case.load)} × 3,600 = {say(written * 3600 / 1e6)} million tokens: {say.usd(amount)} for each million.",
    )


def assumed_full_load(case: Loaded, say: Say) -> Answer:
    """The throughput of the load test is what the endpoint delivers all month."""
    amount = case.price(case.zones, case.zones * case.tokens_per_s)
    return Answer(
        amount,
        f"{say.fact(hourly(case.instance))} / ({say(case.tokens_per_s)} × 3,600 tokens) is the price at full load. On average there are {say(100 * case.load)} % of these tokens.",
    )


def load_lowers_the_price(case: Loaded, say: Say) -> Answer:
    """An instance at part load costs its part of the hour."""
    amount = case.price(case.zones, case.zones * case.tokens_per_s) * case.load
    return Answer(
        amount,
        f"{say.fact(hourly(case.instance))} / ({say(case.tokens_per_s)} × 3,600 tokens) × {say(case.load)} multiplies where a division belongs: idle time makes each token dearer.",
    )


def prompts_count_as_output(case: Loaded, say: Say) -> Answer:
    """Tokens that are read count as tokens that are produced."""
    amount = case.price(case.zones, case.zones * case.tokens_per_s * case.load * (1 + case.prompt_ratio))
    return Answer(
        amount,
        f"The hour was spread over prompts too, {say(1 + case.prompt_ratio)} times as many tokens. The question is about output.",
    )


def second_instance_is_free(case: Loaded, say: Say) -> Answer:
    """The price of an instance is divided by what the whole fleet writes."""
    amount = case.price(1, case.zones * case.tokens_per_s * case.load)
    return Answer(
        amount,
        f"{say.fact(hourly(case.instance))} for the tokens of {say(case.zones)} instances: one was paid for, and all wrote.",
    )


def whole_fleet_for_one_output(case: Loaded, say: Say) -> Answer:
    """A fleet writes as much as one of its instances."""
    amount = case.price(case.zones, case.tokens_per_s * case.load)
    return Answer(amount, f"{say(case.zones)} instances were paid for, and the output of one was counted.")


LOADED_PRICE = Family(
    name="price-at-part-load",
    title="What a million tokens cost on an endpoint that is not full",
    objective="4.1.3",
    bloom="analyze",
    est_seconds=150,
    difficulty=0.5,
    situation=_loaded,
    ask=_ask_loaded,
    solve=_loaded_price,
    wrong=(
        assumed_full_load,
        load_lowers_the_price,
        prompts_count_as_output,
        second_instance_is_free,
        whole_fleet_for_one_output,
    ),
    kind="number",
    unit="USD",
    money=True,
)


# --- a cluster of one's own


@dataclass(frozen=True)
class Cluster:
    """Nodes, a control plane and the people who look after them."""

    setting: Setting
    instance: str
    zones: int
    in_each: int
    engineer_hours: int
    engineer_usd: int
    hours: int
    days: int

    @property
    def count(self) -> int:
        """All nodes."""
        return self.zones * self.in_each

    @property
    def people(self) -> float:
        """Their month, in dollars."""
        return float(self.engineer_hours * self.engineer_usd)

    def machines(self, count: float, hours: float = HOURS_PER_MONTH) -> float:
        """Nodes and control plane, in dollars."""
        nodes = instances.machines(self.instance, count, hours).usd
        return nodes + HOURS_PER_MONTH * usd(CONTROL_PLANE)


CONTROL_PLANE = "eks.price.control_plane_per_hour"


def _cluster(random: Random) -> Cluster:
    return Cluster(
        setting(random),
        random.choice(priced_on_both()),
        random.choice([2, 3]),
        random.choice([1, 2]),
        random.choice([20, 30, 40, 60, 80]),
        random.choice([80, 90, 100, 120]),
        random.choice([9, 10, 11, 12]),
        random.choice([21, 22]),
    )


def _ask_cluster(case: Cluster, say: Say) -> tuple[str, str]:
    job, id = case.setting, instances.price_id("ec2", case.instance)
    nodes = f"{say(case.count)} `{case.instance}` nodes, spread over {ZONES[case.zones]} Availability Zones"
    stem = say.pick(
        f"{job.who} wants to {job.task} with vLLM on an Amazon EKS cluster of its own, which has {nodes}.",
        f"A model that is to {job.task} will run on a new Amazon EKS cluster: {nodes}, up day and night.",
    )
    people = say.pick(
        f"Engineers are expected to spend {say(case.engineer_hours)} hours a month on drivers, upgrades and alarms, at $"
        f"{say(case.engineer_usd)} an hour.",
        f"Upgrades, drivers and on-call work will take {say(case.engineer_hours)} hours a month of engineers who cost ${say(case.engineer_usd)} an hour.",
    )
    traffic = f"It is used {say(case.hours)} hours a day on {say(case.days)} days a month, but no node is ever stopped."
    price = (
        f"In {REGION} a node costs {say.fact(id)} and the control plane {say.fact(CONTROL_PLANE)} ({dated(id, CONTROL_PLANE)}); a month has "
        f"{say(HOURS_PER_MONTH)} hours."
    )
    return f"{stem} {people} {traffic} {price}", say.pick(
        "Which is the BEST estimate of its full monthly cost, work included?",
        "Which monthly amount is the BEST estimate of machines and work together?",
    )


def _cluster_month(case: Cluster, say: Say) -> Answer:
    nodes = instances.machines(case.instance, case.count)
    amount = instances.machines(case.instance, case.count, eks_clusters=1).usd + case.people
    return Answer(
        amount,
        f"{say(case.count)} × {say(HOURS_PER_MONTH)} h × {say.fact(instances.price_id('ec2', case.instance))} = {say.usd(nodes.usd)}; control plane "
        f"{say.usd(amount - nodes.usd - case.people)}; work {say.usd(case.people)}. Together ≈ {say.usd(amount)}.",
    )


def forgot_the_engineers(case: Cluster, say: Say) -> Answer:
    """The people who run a cluster are there anyway."""
    amount = case.machines(case.count)
    return Answer(
        amount,
        f"{say.usd(amount)} is machines alone. The {say(case.engineer_hours)} hours of work cost {say.usd(case.people)}.",
    )


def engineers_for_each_node(case: Cluster, say: Say) -> Answer:
    """The work on a cluster grows with each node as much as with the first."""
    amount = case.machines(case.count) + case.people * case.count
    return Answer(
        amount,
        f"{say.usd(amount)} has {say(case.engineer_hours)} hours for each of {say(case.count)} nodes. They are for the cluster.",
    )


def endpoint_price_for_nodes(case: Cluster, say: Say) -> Answer:
    """A node costs what the instance costs behind an endpoint."""
    nodes = instances.endpoint(case.instance, case.count).usd
    amount = nodes + HOURS_PER_MONTH * usd(CONTROL_PLANE) + case.people
    return Answer(
        amount,
        f"{say.usd(amount)} has nodes at {say.fact(hourly(case.instance))}, the price of SageMaker AI. A cluster of one's own pays EC2's.",
    )


def one_node_for_each_cluster(case: Cluster, say: Say) -> Answer:
    """Nodes in further zones are part of the cluster's price."""
    amount = case.machines(1) + case.people
    return Answer(amount, f"{say.usd(amount)} has one node. There are {say(case.count)}.")


def nodes_rest_at_night(case: Cluster, say: Say) -> Answer:
    """A node is charged for the hours in which it works."""
    amount = case.machines(case.count, case.hours * case.days) + case.people
    return Answer(
        amount,
        f"{say.usd(amount)} has {say(case.hours * case.days)} hours of each node. They run for {say(HOURS_PER_MONTH)}.",
    )


def cluster_in_each_zone(case: Cluster, say: Say) -> Answer:
    """Each Availability Zone holds a complete cluster with all its nodes."""
    amount = case.zones * case.machines(case.count) + case.people
    return Answer(
        amount,
        f"{say.usd(amount)} has {say(case.zones)} clusters of {say(case.count)} nodes. One cluster spans the zones.",
    )


def standby_cluster(case: Cluster, say: Say) -> Answer:
    """A cluster needs a second one to fail over to, people included."""
    amount = 2 * (case.machines(case.count) + case.people)
    return Answer(amount, f"{say.usd(amount)} is two clusters. Nodes in several zones are what was asked for.")


CLUSTER_MONTH = Family(
    name="cluster-month",
    title="A month of a cluster of one's own",
    objective="2.2.1",
    bloom="apply",
    est_seconds=120,
    difficulty=0.6,
    situation=_cluster,
    ask=_ask_cluster,
    solve=_cluster_month,
    wrong=(
        forgot_the_engineers,
        engineers_for_each_node,
        endpoint_price_for_nodes,
        one_node_for_each_cluster,
        nodes_rest_at_night,
        cluster_in_each_zone,
        standby_cluster,
    ),
    unit="a month",
    money=True,
)

FAMILIES = (ENDPOINT_MONTH, BREAK_EVEN_REQUESTS, BREAK_EVEN_TOKENS, LOADED_PRICE, CLUSTER_MONTH)
