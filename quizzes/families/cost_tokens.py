"""Paying per token on Amazon Bedrock: the month's bill, a prompt cache, batch for what can wait, a small model before a large one."""

from dataclasses import dataclass, replace
from random import Random

from labs.economics import tokens
from labs.economics.prices import usd
from labs.economics.traffic import Traffic
from quizzes.families.family import Alternative, Answer, Family, ratio
from quizzes.families.say import Say, dated
from quizzes.situations import (
    REGION,
    SETTINGS,
    Priced,
    Setting,
    models,
    setting,
    with_free_cache_writes,
    with_tier,
)


@dataclass(frozen=True)
class Calls:
    """Requests of one kind to one model, for some hours of a month."""

    setting: Setting
    model: Priced
    per_minute: int
    hours: int
    """a day"""
    days: int
    """a month"""
    input_tokens: int
    output_tokens: int

    @property
    def traffic(self) -> Traffic:
        """A month of it."""
        return Traffic.steady(self.per_minute, self.input_tokens, self.output_tokens, self.hours * self.days)

    def priced(self, traffic: Traffic, tier: tokens.Tier = "standard") -> float:
        """What that traffic costs on this model."""
        return tokens.on_demand(self.model.id, traffic, tier).usd

    def work(self, say: Say) -> str:
        """'2.5 million input tokens at $0.80 per million tokens and ...'"""
        return _work(self.model, self.traffic, say)


def _work(model: Priced, traffic: Traffic, say: Say) -> str:
    return (
        f"{say(traffic.input_millions)} million input tokens × {say.fact(model.input_price)} + "
        f"{say(traffic.output_millions)} million output tokens × {say.fact(model.output_price)}"
    )


def prices(say: Say, *priced: Priced) -> str:
    """The sentence that says what tokens cost."""
    quoted = [
        f"input costs {say.fact(model.input_price)} and output {say.fact(model.output_price)}"
        if len(priced) == 1
        else f"{model.name} takes {say.fact(model.input_price)} of input and {say.fact(model.output_price)} of output"
        for model in priced
    ]
    when = dated(*(id for model in priced for id in (model.input_price, model.output_price)))
    return f"On demand in {REGION}, {'; '.join(quoted)} ({when})."


# --- the month's bill


def _calls(random: Random) -> Calls:
    return Calls(
        setting(random),
        random.choice(models()),
        random.choice([20, 30, 40, 50, 60, 80, 90, 120, 150, 200]),
        random.choice([6, 8, 9, 10, 12, 14, 16]),
        random.choice([20, 21, 22, 26, 30]),
        random.choice([300, 400, 600, 800, 900, 1200, 1500, 2000, 2500]),
        random.choice([100, 150, 200, 250, 300, 400, 500]),
    )


def _ask_bill(case: Calls, say: Say) -> tuple[str, str]:
    job, hours, days = case.setting, say(case.hours), say(case.days)
    rate, into, out = say(case.per_minute), say(case.input_tokens), say(case.output_tokens)
    load = say.pick(
        f"It sends {rate} requests a minute for {hours} hours on each of {days} days a month, and none at other times. "
        f"A request has {into} input tokens; the answer has {out}.",
        f"The load is {rate} requests a minute, {hours} hours a day, {days} days a month; then it rests. "
        f"Each prompt has {into} tokens and each answer {out}.",
        f"With {into} tokens in and {out} tokens out, {rate} requests arrive every minute, {hours} hours a day and {days} "
        "days a month; outside these hours there is no traffic.",
    )
    opening = say.pick(
        f"{job.who} uses {case.model.name} on Amazon Bedrock to {job.task}.",
        f"To {job.task}, {job.who[0].lower()}{job.who[1:]} calls {case.model.name} on Amazon Bedrock.",
        f"An application that helps to {job.task} calls {case.model.name} on Amazon Bedrock.",
    )
    end = say.pick(
        "Nothing is cached or batched.",
        "Neither prompt caching nor batch is used.",
        "All calls are single calls, without a cache.",
    )
    return f"{opening} {load} {prices(say, case.model)} {end}", say.pick(
        "Which amount is the BEST estimate of the model's monthly bill?",
        "Which is the BEST estimate of a month's token charges?",
        "Which monthly amount should the team plan for as the BEST estimate?",
    )


def _bill(case: Calls, say: Say) -> Answer:
    amount = case.priced(case.traffic)
    say.rests_on(case.model.input_price, case.model.output_price)
    return Answer(
        amount,
        f"{say(case.per_minute)} × 60 × {say(case.hours)} × {say(case.days)} = {say(case.traffic.requests_per_month)} "
        f"requests. {case.work(say)} = {say.usd(amount)}.",
    )


def forgot_output_tokens(case: Calls, say: Say) -> Answer:
    """Only what is sent to a model is charged."""
    amount = case.priced(replace(case.traffic, output_tokens=0))
    return Answer(
        amount,
        f"Input alone: {say(case.traffic.input_millions)} million tokens × {say.fact(case.model.input_price)} = "
        f"{say.usd(amount)}. The answers have a price of their own, and a higher one.",
    )


def forgot_input_tokens(case: Calls, say: Say) -> Answer:
    """Only what a model writes is charged."""
    amount = case.priced(replace(case.traffic, input_tokens=0))
    return Answer(
        amount,
        f"Output alone: {say(case.traffic.output_millions)} million tokens × {say.fact(case.model.output_price)} = "
        f"{say.usd(amount)}. The prompts are charged as well.",
    )


def input_price_for_every_token(case: Calls, say: Say) -> Answer:
    """A model has one price per token, the one for input."""
    amount = (case.traffic.input_millions + case.traffic.output_millions) * usd(case.model.input_price)
    return Answer(
        amount,
        f"All {say(case.traffic.input_millions + case.traffic.output_millions)} million tokens at the input price come to "
        f"{say.usd(amount)}. Output has a price of its own.",
    )


def output_price_for_every_token(case: Calls, say: Say) -> Answer:
    """A model has one price per token, the one for output."""
    amount = (case.traffic.input_millions + case.traffic.output_millions) * usd(case.model.output_price)
    return Answer(
        amount,
        f"All {say(case.traffic.input_millions + case.traffic.output_millions)} million tokens at the output price come to "
        f"{say.usd(amount)}. Prompts are charged at the lower price.",
    )


def swapped_input_and_output_prices(case: Calls, say: Say) -> Answer:
    """Input tokens cost more than output tokens."""
    amount = case.traffic.input_millions * usd(case.model.output_price) + case.traffic.output_millions * usd(
        case.model.input_price
    )
    return Answer(
        amount,
        f"The two prices were exchanged: {say(case.traffic.input_millions)} million × {say.fact(case.model.output_price)} + "
        f"{say(case.traffic.output_millions)} million × {say.fact(case.model.input_price)} = {say.usd(amount)}.",
    )


def charged_around_the_clock(case: Calls, say: Say) -> Answer:
    """Paying per token costs something also while nobody asks."""
    amount = case.priced(Traffic.steady(case.per_minute, case.input_tokens, case.output_tokens))
    return Answer(
        amount,
        f"{say.usd(amount)} is the bill of {say(730)} hours. Traffic flows for {say(case.hours)} × {say(case.days)} hours, and "
        "on demand there is no charge without a token.",
    )


def batch_price_for_single_calls(case: Calls, say: Say) -> Answer | None:
    """Many requests of one kind are charged at the batch price."""
    if "batch" not in tokens.tiers(case.model.id):
        return None
    amount = case.priced(case.traffic, "batch")
    return Answer(
        amount,
        f"{say.usd(amount)} is what the same tokens cost in batch jobs. Single calls, however many, pay the on-demand price.",
    )


TOKEN_BILL = Family(
    name="token-bill",
    title="A month of tokens on demand",
    objective="4.1.2",
    bloom="apply",
    est_seconds=100,
    difficulty=0.65,
    situation=_calls,
    ask=_ask_bill,
    solve=_bill,
    wrong=(
        forgot_output_tokens,
        forgot_input_tokens,
        input_price_for_every_token,
        output_price_for_every_token,
        swapped_input_and_output_prices,
        charged_around_the_clock,
        batch_price_for_single_calls,
    ),
    unit="a month",
    money=True,
)


# --- a prompt cache


@dataclass(frozen=True)
class Cached:
    """Requests that share a prefix."""

    setting: Setting
    model: Priced
    thousands: int
    """requests a month"""
    prefix: int
    fresh: int
    output_tokens: int

    @property
    def requests(self) -> float:
        """A month's."""
        return self.thousands * 1e3

    @property
    def plain(self) -> Traffic:
        """Without the cache."""
        return Traffic(self.requests, self.prefix + self.fresh, self.output_tokens)

    @property
    def traffic(self) -> Traffic:
        """With it."""
        return replace(self.plain, cached_input_tokens=self.prefix)

    def millions(self, tokens_each: float) -> float:
        """Tokens of all requests."""
        return self.requests * tokens_each / 1e6

    def usd(self, traffic: Traffic) -> float:
        """What it costs on demand."""
        return tokens.on_demand(self.model.id, traffic).usd


def _cached(random: Random) -> Cached:
    return Cached(
        setting(random),
        random.choice(with_free_cache_writes()),
        random.choice([400, 600, 900, 1200, 1500, 2000, 2400, 3000, 4500]),
        random.choice([1500, 2000, 3000, 4000, 6000, 8000]),
        random.choice([200, 300, 500, 800, 1000, 1500]),
        random.choice([150, 200, 300, 400, 600, 800]),
    )


def _ask_cached(case: Cached, say: Say) -> tuple[str, str]:
    job = case.setting
    stem = say.pick(
        f"{job.who} lets {case.model.name} on Amazon Bedrock {job.task}, {say(case.requests)} times a month. Every prompt begins with "
        f"the same {say(case.prefix)} tokens of instructions and examples; {say(case.fresh)} tokens that differ follow. Answers have "
        f"{say(case.output_tokens)} tokens.",
        f"A prompt to {job.task} has {say(case.prefix)} tokens that never change and {say(case.fresh)} that do. "
        f"{job.who} sends it {say(case.requests)} times a month to {case.model.name} on Amazon Bedrock, and receives "
        f"{say(case.output_tokens)} tokens each time.",
        f"{say(case.requests)} requests a month to {case.model.name} on Amazon Bedrock help to {job.task}. Of each, "
        f"{say(case.prefix)} input tokens are a fixed preamble, {say(case.fresh)} are new, and {say(case.output_tokens)} tokens come back.",
    )
    cache = say.pick(
        "The fixed part is now read from the prompt cache every time; the few writes to the cache may be neglected.",
        "Prompt caching is switched on, and traffic is dense enough that the fixed part is always found in the cache; neglect the writes.",
    )
    price = f"{prices(say, case.model)[:-1]}; cached input costs {say.fact(case.model.cache_price)}."
    return f"{stem} {cache} {price}", say.pick(
        "Which is the BEST estimate of the monthly bill with the cache?",
        "Which amount is the BEST estimate of a month's tokens from now on?",
    )


def _bill_cached(case: Cached, say: Say) -> Answer:
    amount = case.usd(case.traffic)
    return Answer(
        amount,
        f"Cached: {say(case.millions(case.prefix))} million × {say.fact(case.model.cache_price)}; fresh: "
        f"{say(case.millions(case.fresh))} million × {say.fact(case.model.input_price)}; output: "
        f"{say(case.millions(case.output_tokens))} million × {say.fact(case.model.output_price)}. Together ≈ {say.usd(amount)}.",
    )


def ignored_the_cache(case: Cached, say: Say) -> Answer:
    """A cached prompt costs as much as a fresh one; it is only faster."""
    amount = case.usd(case.plain)
    return Answer(
        amount,
        f"{say.usd(amount)} has all {say(case.millions(case.prefix + case.fresh))} million input tokens at the full price. "
        "Those that are read from the cache have a lower one.",
    )


def cached_tokens_cost_nothing(case: Cached, say: Say) -> Answer:
    """What is read from the prompt cache is free."""
    amount = case.usd(Traffic(case.requests, case.fresh, case.output_tokens))
    return Answer(
        amount,
        f"{say.usd(amount)} leaves out the {say(case.millions(case.prefix))} million cached tokens. They are cheap, at "
        f"{say.fact(case.model.cache_price)}, but not free.",
    )


def read_price_for_all_input(case: Cached, say: Say) -> Answer:
    """Once a prompt is cached, its new part is cheaper too."""
    amount = case.usd(replace(case.plain, cached_input_tokens=case.prefix + case.fresh))
    return Answer(
        amount,
        f"{say.usd(amount)} has the {say(case.millions(case.fresh))} million new tokens at the cache's price as well. They are in no "
        "cache yet.",
    )


def cached_on_top_of_full_price(case: Cached, say: Say) -> Answer:
    """Reading from the prompt cache is charged beside the input tokens."""
    amount = case.usd(case.plain) + case.millions(case.prefix) * usd(case.model.cache_price)
    return Answer(
        amount,
        f"{say.usd(amount)} has the fixed part twice: at the full price and at the cache's. The cache's price takes the place of the "
        "other.",
    )


def cache_discounts_the_answer(case: Cached, say: Say) -> Answer:
    """A prompt cache makes the whole request cheaper, answer included."""
    share = usd(case.model.cache_price) / usd(case.model.input_price)
    amount = case.usd(replace(case.traffic, output_tokens=0)) + share * case.usd(
        Traffic(case.requests, 0, case.output_tokens)
    )
    return Answer(
        amount,
        f"{say.usd(amount)} has the output at {say(100 * share)} % of its price, like the cached input. The answers are written anew "
        "each time, at the full price.",
    )


def cache_skips_the_answer(case: Cached, say: Say) -> Answer:
    """With a prompt cache the model does not write the answer again."""
    amount = case.usd(replace(case.traffic, output_tokens=0))
    return Answer(
        amount,
        f"{say.usd(amount)} is the input alone. A prompt cache keeps prompts, not answers: {say(case.millions(case.output_tokens))} "
        "million output tokens are paid for.",
    )


def cached_part_at_the_output_price(case: Cached, say: Say) -> Answer:
    """The cache's price takes the place of the output price, and input stays as it is on the other tokens."""
    amount = case.millions(case.prefix + case.fresh) * usd(case.model.output_price) + case.millions(
        case.output_tokens
    ) * usd(case.model.cache_price)
    return Answer(
        amount,
        f"{say.usd(amount)} has the prices in the wrong places: prompts at {say.fact(case.model.output_price)}, answers at "
        f"{say.fact(case.model.cache_price)}.",
    )


def cache_writes_with_every_request(case: Cached, say: Say) -> Answer:
    """Every request writes its prefix to the cache before it reads it."""
    amount = case.usd(case.plain) + case.millions(case.prefix) * (
        usd(case.model.cache_price) + usd(case.model.input_price)
    )
    return Answer(
        amount,
        f"{say.usd(amount)} charges the {say(case.millions(case.prefix))} million tokens of the fixed part for each request as written, "
        "sent and read. It is written once and then read for as long as it stays in use.",
    )


PROMPT_CACHE = Family(
    name="prompt-cache-bill",
    title="A month of tokens with a prompt cache",
    objective="4.1.4",
    bloom="apply",
    est_seconds=120,
    difficulty=0.6,
    situation=_cached,
    ask=_ask_cached,
    solve=_bill_cached,
    wrong=(
        ignored_the_cache,
        cached_tokens_cost_nothing,
        read_price_for_all_input,
        cached_on_top_of_full_price,
        cache_discounts_the_answer,
        cache_skips_the_answer,
        cached_part_at_the_output_price,
        cache_writes_with_every_request,
    ),
    unit="a month",
    money=True,
    sources=("bedrock-caching",),
)


# --- batch for what can wait


@dataclass(frozen=True)
class Waiting:
    """Requests of which some may wait for hours."""

    setting: Setting
    model: Priced
    thousands: int
    waits: float
    """the share, 0 to 1"""
    input_tokens: int
    output_tokens: int

    def traffic(self, share: float = 1.0) -> Traffic:
        """A share of the month's requests."""
        return Traffic(self.thousands * 1e3 * share, self.input_tokens, self.output_tokens)

    def usd(self, share: float, tier: tokens.Tier = "standard") -> float:
        """What that share costs in a tier."""
        return tokens.on_demand(self.model.id, self.traffic(share), tier).usd


def _waiting(random: Random) -> Waiting:
    return Waiting(
        setting(random),
        random.choice(with_tier("batch")),
        random.choice([300, 500, 800, 1000, 1500, 2000, 3000, 4000]),
        random.choice([0.4, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85]),
        random.choice([600, 900, 1200, 1600, 2000, 3000]),
        random.choice([200, 300, 400, 500, 700, 900]),
    )


def _ask_waiting(case: Waiting, say: Say) -> tuple[str, str]:
    job, share = case.setting, say(100 * case.waits)
    stem = say.pick(
        f"{job.who} uses {case.model.name} on Amazon Bedrock to {job.task}: {say(case.traffic().requests_per_month)} requests a month with "
        f"{say(case.input_tokens)} tokens in and {say(case.output_tokens)} out. For {share} % of them the result is needed the next day; "
        "for the others somebody waits at a screen.",
        f"Every month {say(case.traffic().requests_per_month)} requests reach {case.model.name} on Amazon Bedrock, to {job.task}. They have "
        f"{say(case.input_tokens)} input and {say(case.output_tokens)} output tokens each. People wait for the answers to {say(100 - 100 * case.waits)} % "
        f"of them; the other {share} % may be answered overnight.",
        f"{share} % of the requests with which {job.who[0].lower()}{job.who[1:]} has {case.model.name} on Amazon Bedrock {job.task} "
        f"have a day's time; the rest must be answered at once. There are {say(case.traffic().requests_per_month)} requests a month, each with "
        f"{say(case.input_tokens)} input and {say(case.output_tokens)} output tokens.",
    )
    price = (
        f"{prices(say, case.model)[:-1]}; in batch jobs, {say.fact(_batch(case.model, 'input'))} and "
        f"{say.fact(_batch(case.model, 'output'))}."
    )
    return f"{stem} {price}", say.pick(
        "What is the LOWEST monthly bill that serves everybody in time?",
        "Which is the LOWEST monthly bill with which each request is answered in time?",
    )


def _batch(model: Priced, direction: str) -> str:
    return f"bedrock.price.{model.id}.batch_{direction}_per_million"


def _bill_waiting(case: Waiting, say: Say) -> Answer:
    now, later = case.usd(1 - case.waits), case.usd(case.waits, "batch")
    return Answer(
        now + later,
        f"{say(100 - 100 * case.waits)} % on demand: {say.usd(now)}. {say(100 * case.waits)} % in batch jobs: {say.usd(later)}. "
        f"Together ≈ {say.usd(now + later)}.",
    )


def batch_for_everything(case: Waiting, say: Say) -> Answer:
    """Batch inference answers soon enough for people who wait."""
    amount = case.usd(1, "batch")
    return Answer(
        amount,
        f"All of it in batch jobs comes to {say.usd(amount)}, but a batch job answers within hours, and people wait.",
    )


def batch_for_nothing(case: Waiting, say: Say) -> Answer:
    """An application has one way of calling its model, for urgent and patient requests alike."""
    amount = case.usd(1)
    return Answer(
        amount, f"All of it on demand comes to {say.usd(amount)}. What can wait a day is charged less in batch jobs."
    )


def batch_for_the_urgent_share(case: Waiting, say: Say) -> Answer:
    """The share that is given is the share that keeps the full price."""
    amount = case.usd(case.waits) + case.usd(1 - case.waits, "batch")
    return Answer(
        amount,
        f"The shares were exchanged: {say(100 * case.waits)} % on demand and {say(100 - 100 * case.waits)} % in batch jobs come to "
        f"{say.usd(amount)}.",
    )


def batch_discounts_the_input(case: Waiting, say: Say) -> Answer:
    """Batch jobs make prompts cheaper, and answers cost what they always do."""
    patient = case.traffic(case.waits)
    amount = (
        case.usd(1 - case.waits)
        + patient.input_millions * usd(_batch(case.model, "input"))
        + patient.output_millions * usd(case.model.output_price)
    )
    return Answer(
        amount,
        f"{say.usd(amount)} has the batch jobs' output at the on-demand price. The batch price holds for both directions.",
    )


def batch_is_free(case: Waiting, say: Say) -> Answer:
    """Batch jobs run on spare capacity that costs nothing."""
    amount = case.usd(1 - case.waits)
    return Answer(
        amount,
        f"{say.usd(amount)} is the urgent {say(100 - 100 * case.waits)} % alone. The batch jobs are cheaper, and still charged by the token.",
    )


def batch_discount_taken_twice(case: Waiting, say: Say) -> Answer:
    """The batch discount comes off the batch price that the price list gives."""
    amount = case.usd(1 - case.waits) + case.usd(case.waits, "batch") ** 2 / case.usd(case.waits)
    return Answer(amount, f"{say.usd(amount)} takes the discount off prices that are batch prices already.")


def batch_runs_beside_the_calls(case: Waiting, say: Say) -> Answer:
    """A batch job repeats what single calls have answered, so both are paid."""
    amount = case.usd(1) + case.usd(case.waits, "batch")
    return Answer(
        amount,
        f"{say.usd(amount)} pays {say(100 * case.waits)} % of the requests twice. What goes into a batch job is not called on demand.",
    )


def batch_costs_a_premium(case: Waiting, say: Say) -> Answer:
    """A scheduled job reserves capacity and costs more than single calls."""
    amount = case.usd(1 - case.waits) + case.usd(case.waits) ** 2 / case.usd(case.waits, "batch")
    return Answer(
        amount,
        f"{say.usd(amount)} has the discount as a surcharge. Batch jobs wait for capacity, which makes them cheaper.",
    )


BATCH_SHARE = Family(
    name="batch-share-bill",
    title="Batch for what can wait",
    objective="4.2.3",
    bloom="apply",
    est_seconds=120,
    difficulty=0.65,
    situation=_waiting,
    ask=_ask_waiting,
    solve=_bill_waiting,
    wrong=(
        batch_for_everything,
        batch_for_nothing,
        batch_for_the_urgent_share,
        batch_discounts_the_input,
        batch_is_free,
        batch_discount_taken_twice,
        batch_runs_beside_the_calls,
        batch_costs_a_premium,
    ),
    unit="a month",
    money=True,
    sources=("bedrock-batch",),
)


# --- a small model before a large one


LARGER = 3
"""the least ratio of the two models' output prices: below that a cascade is hardly worth its second call"""


@dataclass(frozen=True)
class Cascade:
    """A small model answers; what it is not sure of goes to a large one as well."""

    setting: Setting
    small: Priced
    large: Priced
    thousands: int
    passed_on: float
    input_tokens: int
    output_tokens: int

    def usd(self, model: Priced, share: float) -> float:
        """A share of the requests on one of the two."""
        return tokens.on_demand(
            model.id, Traffic(self.thousands * 1e3 * share, self.input_tokens, self.output_tokens)
        ).usd


def _cascade(random: Random) -> Cascade:
    small, large = sorted(random.sample(models(), 2), key=lambda model: usd(model.output_price))
    while ratio(usd(small.output_price), usd(large.output_price)) < LARGER:
        small, large = sorted(random.sample(models(), 2), key=lambda model: usd(model.output_price))
    return Cascade(
        setting(random),
        small,
        large,
        random.choice([200, 400, 500, 800, 1000, 1500, 2000]),
        random.choice([0.1, 0.15, 0.2, 0.25, 0.3, 0.35]),
        random.choice([500, 800, 1000, 1500, 2000]),
        random.choice([150, 200, 300, 400, 500]),
    )


def _ask_cascade(case: Cascade, say: Say) -> tuple[str, str]:
    job, share = case.setting, say(100 * case.passed_on)
    stem = say.pick(
        f"{job.who} has two models {job.task}. {case.small.name} sees each of {say(case.thousands * 1e3)} requests a month first. "
        f"It rates its own answer, and for {share} % of the requests the same prompt goes to {case.large.name} as well.",
        f"{say(case.thousands * 1e3)} requests a month help to {job.task}. A cascade sends each to {case.small.name}; {share} % of these "
        f"answers are rejected by a check, and the request is then repeated on {case.large.name}.",
        f"To {job.task}, {job.who[0].lower()}{job.who[1:]} asks {case.small.name} first, {say(case.thousands * 1e3)} times a month. A confidence "
        f"score sends {share} % of the requests on to {case.large.name}, which starts from the prompt again.",
    )
    shape = f"Prompts have {say(case.input_tokens)} tokens and answers {say(case.output_tokens)}, with either model."
    return f"{stem} {shape} {prices(say, case.small, case.large)}", say.pick(
        "What is the BEST estimate of the month's token charges, in US dollars?",
        "How much does this cost a month, as your BEST estimate in US dollars?",
    )


def _bill_cascade(case: Cascade, say: Say) -> Answer:
    small, large = case.usd(case.small, 1), case.usd(case.large, case.passed_on)
    return Answer(
        small + large,
        f"{case.small.short} answers all of them: {say.usd(small)}. {case.large.short} answers {say(100 * case.passed_on)} %: "
        f"{say.usd(large)}. Together ≈ {say.usd(small + large)}.",
    )


def escalated_requests_pay_once(case: Cascade, say: Say) -> Answer:
    """A request that is passed on to a larger model is charged there only."""
    amount = case.usd(case.small, 1 - case.passed_on) + case.usd(case.large, case.passed_on)
    return Answer(
        amount,
        f"Here the small model was not paid for what it passed on. It has read and answered those requests too, for {say.usd(case.usd(case.small, case.passed_on))}.",
    )


def every_request_pays_both(case: Cascade, say: Say) -> Answer:
    """A cascade calls all of its models each time."""
    amount = case.usd(case.small, 1) + case.usd(case.large, 1)
    return Answer(
        amount,
        f"{say.usd(case.usd(case.small, 1))} + {say.usd(case.usd(case.large, 1))} is both models on all requests. The large one sees {say(100 * case.passed_on)} % of them.",
    )


def small_model_for_everything(case: Cascade, say: Say) -> Answer:
    """The few requests for a large model do not show in the bill."""
    amount = case.usd(case.small, 1)
    return Answer(
        amount,
        f"{say.usd(amount)} is the small model alone. The {say(100 * case.passed_on)} % on the large one add {say.usd(case.usd(case.large, case.passed_on))}.",
    )


def large_model_for_everything(case: Cascade, say: Say) -> Answer:
    """A cascade costs what its largest model costs."""
    amount = case.usd(case.large, 1)
    return Answer(
        amount, f"{say.usd(amount)} is the large model on all requests. It sees {say(100 * case.passed_on)} % of them."
    )


def average_of_two_prices(case: Cascade, say: Say) -> Answer:
    """Two models cost the average of their prices."""
    amount = (case.usd(case.small, 1) + case.usd(case.large, 1)) / 2
    return Answer(
        amount,
        f"The middle of {say.usd(case.usd(case.small, 1))} and {say.usd(case.usd(case.large, 1))}. The requests are not shared out in halves.",
    )


def exchanged_shares(case: Cascade, say: Say) -> Answer:
    """The share that is given is the share that the small model keeps."""
    amount = case.usd(case.small, 1) + case.usd(case.large, 1 - case.passed_on)
    return Answer(
        amount,
        f"{say.usd(case.usd(case.small, 1))} + {say(100 - 100 * case.passed_on)} % of {say.usd(case.usd(case.large, 1))} has the share of those that do not go to the large model.",
    )


CASCADE = Family(
    name="cascade-bill",
    title="A small model before a large one",
    objective="2.2.3",
    bloom="apply",
    est_seconds=150,
    difficulty=0.5,
    situation=_cascade,
    ask=_ask_cascade,
    solve=_bill_cascade,
    wrong=(
        escalated_requests_pay_once,
        every_request_pays_both,
        small_model_for_everything,
        large_model_for_everything,
        average_of_two_prices,
        exchanged_shares,
    ),
    kind="number",
    unit="USD",
    money=True,
)


# --- which of four jobs costs most


@dataclass(frozen=True)
class Job:
    """One of several workloads."""

    setting: Setting
    model: Priced
    thousands: int
    input_tokens: int
    output_tokens: int

    @property
    def traffic(self) -> Traffic:
        """A month of it."""
        return Traffic(self.thousands * 1e3, self.input_tokens, self.output_tokens)


@dataclass(frozen=True)
class Jobs:
    """Four workloads on two models."""

    two: tuple[Priced, Priced]
    jobs: tuple[Job, ...]

    def costs(self) -> list[float]:
        """Of each job, in dollars a month."""
        return [tokens.on_demand(job.model.id, job.traffic).usd for job in self.jobs]


def _jobs(random: Random) -> Jobs:
    two = random.sample(models(), 2)
    settings = random.sample(SETTINGS, 4)

    def job(number: int) -> Job:
        return Job(
            settings[number],
            two[number % 2],
            random.choice([20, 40, 60, 100, 150, 250, 400, 600, 900]),
            random.choice([200, 400, 800, 1500, 3000, 6000]),
            random.choice([50, 100, 200, 400, 800, 1500]),
        )

    return Jobs((two[0], two[1]), tuple(job(number) for number in random.sample(range(4), 4)))


def _ask_jobs(case: Jobs, say: Say) -> tuple[str, str]:
    stem = say.pick(
        "A platform team pays for the models that four other teams call on Amazon Bedrock, and is looking for the bill that is worth work.",
        "Four applications share an account and call two models on Amazon Bedrock. Their owners are asked to save, the dearest first.",
        "A cost review lists four applications by what they send to Amazon Bedrock in a month.",
    )
    return f"{stem} {prices(say, *case.two)}", say.pick(
        "Put the applications in order of their monthly bill, HIGHEST on top.",
        "Order the applications by what their tokens cost a month, HIGHEST amount on top.",
    )


def _jobs_by_cost(case: Jobs, say: Say) -> list[Alternative]:
    return [
        Alternative(
            f"{job.setting.task[0].upper()}{job.setting.task[1:]}: {say(job.traffic.requests_per_month)} requests of {say(job.input_tokens)} "
            f"tokens in and {say(job.output_tokens)} out, {job.model.short}",
            f"{_work(job.model, job.traffic, say)} = {say.usd(amount)} a month.",
            amount,
        )
        for job, amount in zip(case.jobs, case.costs(), strict=True)
    ]


def ranked_by_requests(case: Jobs) -> list[float]:
    """The application with the most requests has the highest bill."""
    return [float(job.thousands) for job in case.jobs]


def ranked_by_price_of_the_model(case: Jobs) -> list[float]:
    """The application with the dearer model has the higher bill."""
    return [usd(job.model.output_price) * 1e6 + job.thousands for job in case.jobs]


def ranked_by_number_of_tokens(case: Jobs) -> list[float]:
    """A token is a token: the bill follows their number, whatever the model and direction."""
    return [job.thousands * job.traffic.tokens_per_request for job in case.jobs]


JOBS_BY_COST = Family(
    name="jobs-by-cost",
    title="Four applications by what they cost",
    objective="4.1.2",
    bloom="analyze",
    est_seconds=180,
    difficulty=0.5,
    situation=_jobs,
    ask=_ask_jobs,
    kind="order",
    alternatives=_jobs_by_cost,
    misranked=(ranked_by_number_of_tokens, ranked_by_requests, ranked_by_price_of_the_model),
    highest_first=True,
)

FAMILIES = (TOKEN_BILL, PROMPT_CACHE, BATCH_SHARE, CASCADE, JOBS_BY_COST)
