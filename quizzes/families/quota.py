"""Token quotas of Amazon Bedrock: what is reserved at the start of a call, what is settled at its end, and which change helps."""

from dataclasses import dataclass
from math import floor
from random import Random

from labs import facts
from labs.serving.admission import QuotaMeter, TokenQuota
from quizzes.families.family import Alternative, Answer, Family
from quizzes.families.say import Say
from quizzes.model import Tolerance
from quizzes.situations import Setting, setting

BURNDOWN = "bedrock-burndown"
RATES = {
    "bedrock.burndown.claude-5": "Claude Sonnet 5",
    "bedrock.burndown.claude-4-7-and-older": "Claude Haiku 4.5",
    "bedrock.burndown.claude-4-8": "Claude Opus 4.8",
}
"""burndown rate: a model that has it"""


def _rate(id: str) -> float:
    return facts.number(id)


# --- a steady rate


@dataclass(frozen=True)
class Steady:
    """Short calls, one after another, against a quota of tokens per minute."""

    setting: Setting
    rate: str
    """fact id of the burndown"""
    quota: int
    cached: int
    fresh: int
    output_tokens: int
    max_tokens: int

    @property
    def burndown(self) -> float:
        """Quota tokens for a token of output."""
        return _rate(self.rate)

    def per_minute(self, tokens_each: float) -> float:
        """Requests that the quota admits."""
        return self.quota / tokens_each


def _steady(random: Random) -> Steady:
    return Steady(
        setting(random),
        random.choice(list(RATES)),
        random.choice([200_000, 300_000, 400_000, 500_000, 800_000, 1_000_000, 2_000_000]),
        random.choice([4500, 5000, 6000, 8000]),
        random.choice([300, 500, 800, 1200, 2000]),
        random.choice([80, 100, 120, 150, 200, 250]),
        random.choice([1024, 2048, 4096]),
    )


def _ask_steady(case: Steady, say: Say) -> tuple[str, str]:
    job, model = case.setting, RATES[case.rate]
    say.rests_on("bedrock.quota.settlement")
    stem = say.pick(
        f"{job.who} calls {model} on Amazon Bedrock to {job.task}. The account's quota is {say(case.quota)} tokens per minute, and nobody else uses it.",
        f"To {job.task}, an application calls {model} on Amazon Bedrock, with a quota of {say(case.quota)} tokens per minute to itself.",
    )
    shape = say.pick(
        f"Of a prompt, {say(case.cached)} tokens are read from the prompt cache and {say(case.fresh)} are new; answers have {say(case.output_tokens)} tokens, and "
        f"`max_tokens` is {say(case.max_tokens)}.",
        f"Each call reads {say(case.cached)} tokens from the prompt cache, sends {say(case.fresh)} new ones and receives {say(case.output_tokens)}, with `max_tokens` set to "
        f"{say(case.max_tokens)}.",
    )
    rest = say.pick(
        f"An output token of this model counts {say.fact(case.rate)} against the quota. Calls are short and evenly spread, so what is reserved for those in flight may be left aside.",
        f"Against the quota, output counts {say.fact(case.rate)}. Leave aside what is reserved for calls in flight: they are brief, and come evenly.",
    )
    return f"{stem} {shape} {rest}", say.pick(
        "What is the HIGHEST rate of requests that the quota sustains?",
        "Which rate is the HIGHEST that can go on without throttling?",
    )


def _sustained(case: Steady, say: Say) -> Answer:
    each = case.fresh + case.burndown * case.output_tokens
    return Answer(
        case.per_minute(each),
        f"A settled call has taken {say(case.fresh)} + {say(case.burndown)} × {say(case.output_tokens)} = {say(each)} tokens; cache reads do not count. "
        f"{say(case.quota)} / {say(each)} = {say(case.per_minute(each))}.",
    )


def used_billed_tokens_for_throttle(case: Steady, say: Say) -> Answer:
    """What counts against a quota is what stands on the bill, token for token."""
    each = case.fresh + case.output_tokens
    return Answer(
        case.per_minute(each),
        f"{say(case.quota)} / ({say(case.fresh)} + {say(case.output_tokens)}) counts an output token once. It counts {say.fact(case.rate)}.",
    )


def quota_counts_output_only(case: Steady, say: Say) -> Answer:
    """Only output tokens count against a token quota."""
    each = case.burndown * case.output_tokens
    return Answer(
        case.per_minute(each),
        f"{say(case.quota)} / ({say(case.burndown)} × {say(case.output_tokens)}) leaves the new input out.",
    )


def quota_counts_input_only(case: Steady, say: Say) -> Answer:
    """A token quota limits what is sent."""
    each = case.fresh
    return Answer(
        case.per_minute(each),
        f"{say(case.quota)} / {say(each)} leaves the answers out, which weigh {say(case.burndown)} times as much.",
    )


def cache_reads_count(case: Steady, say: Say) -> Answer:
    """Tokens from the prompt cache use up the quota like others."""
    each = case.cached + case.fresh + case.burndown * case.output_tokens
    return Answer(
        case.per_minute(each),
        f"{say(case.quota)} / {say(each)} has the {say(case.cached)} cached tokens in it. Cache reads do not count.",
    )


def reservation_is_never_given_back(case: Steady, say: Say) -> Answer:
    """What is reserved for an answer stays used for the rest of the minute."""
    each = case.fresh + case.max_tokens
    return Answer(
        case.per_minute(each),
        f"{say(case.quota)} / ({say(case.fresh)} + {say(case.max_tokens)}) keeps the reservation. At the end of a call it is settled.",
    )


def burndown_on_every_token(case: Steady, say: Say) -> Answer:
    """The burndown rate holds for input and output."""
    each = case.burndown * (case.fresh + case.output_tokens)
    return Answer(
        case.per_minute(each),
        f"{say(case.quota)} / ({say(case.burndown)} × {say(case.fresh + case.output_tokens)}) weighs the input too. The rate is for output.",
    )


def burndown_on_max_tokens(case: Steady, say: Say) -> Answer:
    """The longest possible answer is charged at the burndown rate."""
    each = case.fresh + case.burndown * case.max_tokens
    return Answer(
        case.per_minute(each),
        f"{say(case.quota)} / {say(each)} weighs `max_tokens`. What was written is weighed, {say(case.output_tokens)} tokens.",
    )


STEADY_RATE = Family(
    name="quota-steady-rate",
    title="The rate that a token quota sustains",
    objective="4.2.5",
    bloom="apply",
    est_seconds=150,
    difficulty=0.4,
    situation=_steady,
    ask=_ask_steady,
    solve=_sustained,
    wrong=(
        used_billed_tokens_for_throttle,
        quota_counts_output_only,
        quota_counts_input_only,
        cache_reads_count,
        reservation_is_never_given_back,
        burndown_on_every_token,
        burndown_on_max_tokens,
    ),
    unit="requests per minute",
    sources=(BURNDOWN,),
)


# --- a burst


@dataclass(frozen=True)
class Burst:
    """Many calls in the same second."""

    setting: Setting
    rate: str
    quota: int
    input_tokens: int
    average: int
    max_tokens: int
    calls: int

    @property
    def burndown(self) -> float:
        """Quota tokens for a token of output."""
        return _rate(self.rate)

    def admitted(self) -> int:
        """As the serving model's meter lets them in, all at one moment."""
        meter = QuotaMeter(TokenQuota(tokens_per_minute=self.quota, burndown=self.burndown))
        return sum(meter.admit(0.0, row, self.input_tokens, self.max_tokens) is None for row in range(self.calls))

    def sum(self, say: Say, tokens_each: float) -> str:
        """'300,000 / 2,300 = 130.4'"""
        return f"{say(self.quota)} / {say(tokens_each)} = {say(self.quota / tokens_each)}"

    def fit(self, tokens_each: float) -> float:
        """Whole calls that a quota holds, of those that come."""
        return float(min(self.calls, floor(self.quota / tokens_each)))


def _burst(random: Random) -> Burst:
    return Burst(
        setting(random),
        random.choice(list(RATES)),
        random.choice([150_000, 200_000, 300_000, 400_000, 600_000]),
        random.choice([800, 1200, 1500, 2000, 2500, 3000]),
        random.choice([150, 200, 250, 300, 400]),
        random.choice([2000, 3000, 4000, 6000, 8000]),
        random.choice([150, 200, 250, 300]),
    )


def _ask_burst(case: Burst, say: Say) -> tuple[str, str]:
    job, model = case.setting, RATES[case.rate]
    say.rests_on("bedrock.quota.booking")
    stem = say.pick(
        f"A timer of {job.who[0].lower()}{job.who[1:]} starts {say(case.calls)} calls to {model} on Amazon Bedrock in the same second, to {job.task}.",
        f"To {job.task}, {say(case.calls)} workers are released at once, and each sends a call to {model} on Amazon Bedrock within a second.",
    )
    shape = say.pick(
        f"A prompt has {say(case.input_tokens)} tokens. Answers have {say(case.average)} tokens on average and take half a minute; `max_tokens` is {say(case.max_tokens)}.",
        f"Prompts have {say(case.input_tokens)} tokens, `max_tokens` is {say(case.max_tokens)}, and answers, which take half a minute, turn out to have about "
        f"{say(case.average)}.",
    )
    rest = say.pick(
        f"The quota of {say(case.quota)} tokens per minute was unused before. An output token counts {say.fact(case.rate)} when a call is settled. Nothing is retried.",
        f"No retries are made. {say(case.quota)} tokens per minute are the quota, none of them used yet; at settlement output weighs {say.fact(case.rate)}.",
    )
    return f"{stem} {shape} {rest}", say.pick(
        "How many of these calls are admitted, at the MOST?",
        "What is the HIGHEST number of these calls that are accepted?",
    )


def _admitted(case: Burst, say: Say) -> Answer | None:
    found, each = case.admitted(), case.input_tokens + case.max_tokens
    if found >= case.calls:
        return None
    return Answer(
        found,
        f"At its start a call reserves {say(case.input_tokens)} + {say(case.max_tokens)} = {say(each)} tokens, and none has ended yet. "
        f"{say(case.quota)} / {say(each)}, whole calls: {say(found)}.",
    )


def quota_counts_average_output(case: Burst, say: Say) -> Answer:
    """A token quota can be planned with the average length of an answer."""
    return Answer(
        case.fit(case.input_tokens + case.average),
        f"{case.sum(say, case.input_tokens + case.average)} has answers of {say(case.average)} tokens. At the start nobody knows them; `max_tokens` is reserved.",
    )


def ignored_reservation_of_max_tokens(case: Burst, say: Say) -> Answer:
    """A call takes its input tokens from the quota, and its answer once it is there."""
    return Answer(
        case.fit(case.input_tokens),
        f"{case.sum(say, case.input_tokens)} has the prompts alone. Room for the longest answer is reserved with them.",
    )


def burndown_on_the_reservation(case: Burst, say: Say) -> Answer:
    """The burndown rate holds from the start of a call."""
    return Answer(
        case.fit(case.input_tokens + case.burndown * case.max_tokens),
        f"{case.sum(say, case.input_tokens + case.burndown * case.max_tokens)} weighs `max_tokens` {say(case.burndown)} times. The rate enters when a call is settled, not when it starts.",
    )


def settled_use_at_the_start(case: Burst, say: Say) -> Answer:
    """A call takes from the quota at its start what it will have used at its end."""
    return Answer(
        case.fit(case.input_tokens + case.burndown * case.average),
        f"{case.sum(say, case.input_tokens + case.burndown * case.average)} has {say(case.burndown)} × {say(case.average)} tokens of output, which is what a call has used at its end.",
    )


def reserves_output_alone(case: Burst, say: Say) -> Answer:
    """At the start of a call its answer is reserved; the prompt is not counted."""
    return Answer(
        case.fit(case.max_tokens),
        f"{case.sum(say, case.max_tokens)} has `max_tokens` alone. The {say(case.input_tokens)} tokens of the prompt are taken too.",
    )


BURST = Family(
    name="quota-burst",
    title="How many calls of a burst are admitted",
    objective="5.2.2",
    bloom="apply",
    est_seconds=150,
    difficulty=0.4,
    situation=_burst,
    ask=_ask_burst,
    solve=_admitted,
    wrong=(
        quota_counts_average_output,
        ignored_reservation_of_max_tokens,
        burndown_on_the_reservation,
        settled_use_at_the_start,
        reserves_output_alone,
    ),
    kind="number",
    unit="calls",
    tolerance=Tolerance(absolute=0),
    sources=(BURNDOWN,),
)


# --- the output limit


@dataclass(frozen=True)
class Ceiling:
    """How long an answer may be if all workers start together."""

    setting: Setting
    rate: str
    quota: int
    workers: int
    per_minute: int
    """calls of the whole minute"""
    input_tokens: int

    @property
    def burndown(self) -> float:
        """Quota tokens for a token of output."""
        return _rate(self.rate)


def _output_limit(random: Random) -> Ceiling:
    workers = random.choice([20, 25, 40, 50, 80])
    return Ceiling(
        setting(random),
        random.choice(list(RATES)),
        random.choice([200_000, 300_000, 400_000, 500_000, 600_000]),
        workers,
        workers * random.choice([2, 3]),
        random.choice([800, 1000, 1500, 2000, 2500]),
    )


def _ask_output_limit(case: Ceiling, say: Say) -> tuple[str, str]:
    job, model = case.setting, RATES[case.rate]
    say.rests_on("bedrock.quota.booking")
    stem = say.pick(
        f"Every night {say(case.workers)} workers of {job.who[0].lower()}{job.who[1:]} start at the same moment and call {model} on Amazon Bedrock to {job.task}; each sends one "
        "call.",
        f"{say(case.workers)} calls to {model} on Amazon Bedrock are sent together, to {job.task}. They are the first of the minute.",
    )
    rest = say.pick(
        f"Prompts have {say(case.input_tokens)} tokens. The quota is {say(case.quota)} tokens per minute and was unused before; an output token counts {say.fact(case.rate)} at "
        "settlement. None of these first calls may be throttled; what follows later in the minute may.",
        f"Nothing was used of the {say(case.quota)} tokens per minute. Each call brings {say(case.input_tokens)} tokens of input, and its output will be settled at {say.fact(case.rate)}. "
        "These calls must get in; later ones may have to wait.",
        f"With {say(case.input_tokens)} tokens in each prompt, all of them must be let in by a quota of {say(case.quota)} tokens per minute that is still unused. For this model a token of "
        f"output is settled as {say.fact(case.rate)}.",
    )
    return f"{stem} {rest}", say.pick(
        "What is the HIGHEST value of `max_tokens` with which all of them are admitted?",
        "Which value of `max_tokens` is the HIGHEST that admits them all?",
    )


def _limit(case: Ceiling, say: Say) -> Answer | None:
    each = case.quota // case.workers
    found = each - case.input_tokens
    if found < 200:
        return None
    return Answer(
        found,
        f"Each of {say(case.workers)} calls may reserve {say(case.quota)} / {say(case.workers)} = {say(each)} tokens at its start; {say(case.input_tokens)} of these are the prompt's. "
        f"{say(found)} remain.",
    )


def reservation_without_the_prompt(case: Ceiling, say: Say) -> Answer:
    """The quota at the start of a call is for its answer."""
    found = case.quota // case.workers
    return Answer(found, f"{say(found)} leaves no room for the prompt, which is taken from the same quota.")


def reservation_at_the_burndown_rate(case: Ceiling, say: Say) -> Answer | None:
    """A reserved token of output weighs as much as a settled one."""
    found = floor((case.quota / case.workers - case.input_tokens) / case.burndown)
    return (
        Answer(
            found,
            f"({say(case.quota)} / {say(case.workers)} − {say(case.input_tokens)}) / {say(case.burndown)} = {say(found)}. The reservation is in plain tokens; the rate enters at settlement.",
        )
        if found
        else None
    )


def prompt_at_the_burndown_rate(case: Ceiling, say: Say) -> Answer:
    """Quota tokens are those of the answer, and a prompt is converted to them."""
    found = floor(case.quota / case.workers - case.input_tokens / case.burndown)
    return Answer(
        found,
        f"{say(case.quota)} / {say(case.workers)} − {say(case.input_tokens)} / {say(case.burndown)} = {say(found)}. The prompt counts token for token.",
    )


def quota_of_one_second(case: Ceiling, say: Say) -> Answer | None:
    """A burst within a second has a sixtieth of the minute's quota."""
    found = floor(case.quota / 60 - case.input_tokens)
    return (
        Answer(
            found,
            f"{say(case.quota)} / 60 − {say(case.input_tokens)} = {say(found)} is what a second would have for one call. The quota is counted by the minute, and for all calls.",
        )
        if found > 0
        else None
    )


def output_has_half_the_quota(case: Ceiling, say: Say) -> Answer:
    """Half of a token quota is for input, half for output."""
    found = floor(case.quota / 2 / case.workers)
    return Answer(
        found,
        f"{say(case.quota)} / 2 / {say(case.workers)} = {say(found)} gives half of the quota to the answers. Input and output draw on one quota.",
    )


OUTPUT_LIMIT = Family(
    name="quota-output-limit",
    title="The output limit that lets all workers start",
    objective="4.1.1",
    bloom="apply",
    est_seconds=130,
    difficulty=0.45,
    situation=_output_limit,
    ask=_ask_output_limit,
    solve=_limit,
    wrong=(
        reservation_without_the_prompt,
        reservation_at_the_burndown_rate,
        prompt_at_the_burndown_rate,
        quota_of_one_second,
        output_has_half_the_quota,
    ),
    kind="number",
    unit="tokens",
    tolerance=Tolerance(absolute=1),
    sources=(BURNDOWN,),
)


# --- minute and day


@dataclass(frozen=True)
class Daily:
    """Two quotas for a load that never rests."""

    setting: Setting
    per_minute: int
    """tokens"""
    hours: int
    """of full minutes that the day's quota is worth"""
    input_tokens: int
    output_tokens: int

    @property
    def per_day(self) -> int:
        """Tokens."""
        return self.per_minute * 60 * self.hours

    @property
    def each(self) -> int:
        """Tokens of a call."""
        return self.input_tokens + self.output_tokens


def _daily(random: Random) -> Daily:
    return Daily(
        setting(random),
        random.choice([100_000, 200_000, 300_000, 400_000, 600_000]),
        random.choice([8, 10, 12, 14, 16]),
        random.choice([300, 500, 700, 900, 1200, 1500]),
        random.choice([100, 200, 300, 400, 500]),
    )


def _ask_daily(case: Daily, say: Say) -> tuple[str, str]:
    job = case.setting
    say.rests_on("bedrock.quota.dimensions")
    stem = say.pick(
        f"{job.who} calls a model on Amazon Bedrock around the clock to {job.task}, at an even rate.",
        f"Day and night, at an even rate, an application calls a model on Amazon Bedrock to {job.task}.",
        f"To {job.task}, {job.who[0].lower()}{job.who[1:]} keeps a model on Amazon Bedrock evenly busy, by day and by night.",
    )
    quota = say.pick(
        f"The account may use {say(case.per_minute)} tokens per minute and {say(case.per_day)} tokens per day.",
        f"Its quotas are {say(case.per_day)} tokens per day and {say(case.per_minute)} tokens per minute.",
    )
    shape = say.pick(
        f"A call has {say(case.input_tokens)} input and {say(case.output_tokens)} output tokens, each of which counts once. What calls in flight reserve may be left aside.",
        f"Input and output count alike: {say(case.input_tokens)} tokens go in with a call and {say(case.output_tokens)} come out. Leave reservations aside.",
        f"Of each call {say(case.input_tokens)} tokens of prompt and {say(case.output_tokens)} of answer are counted, once each, and reservations may be neglected.",
    )
    return f"{stem} {quota} {shape}", say.pick(
        "What is the HIGHEST rate, in requests per minute, that can go on all day?",
        "Which rate in requests per minute is the HIGHEST that both quotas allow all day?",
    )


def _all_day(case: Daily, say: Say) -> Answer:
    day, minute = case.per_day / 1440 / case.each, case.per_minute / case.each
    return Answer(
        min(day, minute),
        f"By the day: {say(case.per_day)} / 1,440 / {say(case.each)} = {say(day)}. By the minute: {say(case.per_minute)} / {say(case.each)} = {say(minute)}. The smaller one holds.",
    )


def minute_quota_alone(case: Daily, say: Say) -> Answer:
    """What a quota per minute admits can go on all day."""
    found = case.per_minute / case.each
    return Answer(found, f"{say(found)} a minute uses up the day's quota in {say(case.hours)} hours.")


def day_quota_over_working_hours(case: Daily, say: Say) -> Answer:
    """A day has the eight hours in which people work."""
    found = case.per_day / 480 / case.each
    return Answer(
        found,
        f"{say(case.per_day)} / 480 / {say(case.each)} spreads the quota over eight hours. The calls come day and night.",
    )


def both_quotas_add_up(case: Daily, say: Say) -> Answer:
    """The quota per day is there in addition to the one per minute."""
    found = case.per_minute / case.each + case.per_day / 1440 / case.each
    return Answer(
        found,
        f"{say(case.per_minute / case.each)} + {say(case.per_day / 1440 / case.each)} = {say(found)} adds the rates up. Both limits hold at the same time.",
    )


def answers_count_alone(case: Daily, say: Say) -> Answer:
    """A daily quota is used up by answers."""
    found = case.per_day / 1440 / case.output_tokens
    return Answer(
        found,
        f"{say(case.per_day)} / 1,440 / {say(case.output_tokens)} = {say(found)} has the output alone. The prompt counts as well.",
    )


def prompts_count_alone(case: Daily, say: Say) -> Answer:
    """A daily quota is used up by prompts."""
    found = case.per_day / 1440 / case.input_tokens
    return Answer(
        found,
        f"{say(case.per_day)} / 1,440 / {say(case.input_tokens)} = {say(found)} has the input alone. The answer counts as well.",
    )


MINUTE_AND_DAY = Family(
    name="quota-minute-and-day",
    title="A quota per minute and one per day",
    objective="4.2.5",
    bloom="analyze",
    est_seconds=120,
    difficulty=0.55,
    situation=_daily,
    ask=_ask_daily,
    solve=_all_day,
    wrong=(
        minute_quota_alone,
        answers_count_alone,
        both_quotas_add_up,
        prompts_count_alone,
        day_quota_over_working_hours,
    ),
    kind="number",
    unit="requests per minute",
    sources=("bedrock-quotas",),
)


# --- which changes help


@dataclass(frozen=True)
class Throttled:
    """A load that is over its quota, and changes that could be made."""

    setting: Setting
    rate: str
    quota: int
    per_minute: int
    input_tokens: int
    shared: int
    """of the input, the same in each call"""
    output_tokens: int
    shorter: int
    cut: int
    """tokens that could be cut out of the input"""
    max_tokens: int
    lower_limit: int
    """what `max_tokens` could be set to"""

    @property
    def burndown(self) -> float:
        """Quota tokens for a token of output."""
        return _rate(self.rate)

    def use(
        self, input_tokens: float | None = None, output_tokens: float | None = None, per_minute: float | None = None
    ) -> float:
        """Settled tokens per minute."""
        into = self.input_tokens if input_tokens is None else input_tokens
        out = self.output_tokens if output_tokens is None else output_tokens
        return (per_minute or self.per_minute) * (into + self.burndown * out)


def _throttled(random: Random) -> Throttled:
    input_tokens = random.choice([6000, 7000, 8000, 10_000])
    output_tokens = random.choice([200, 250, 300, 400, 500])
    return Throttled(
        setting(random),
        random.choice(list(RATES)),
        random.choice([300_000, 400_000, 500_000, 600_000, 800_000, 1_000_000, 1_200_000]),
        random.choice([50, 60, 75, 80, 90, 100, 120]),
        input_tokens,
        round(input_tokens * random.choice([0.7, 0.75, 0.8, 0.85]) / 100) * 100,
        output_tokens,
        round(output_tokens * random.choice([0.25, 0.3, 0.4]) / 10) * 10,
        random.choice([600, 1000, 1200, 1500]),
        random.choice([2048, 4096, 8192]),
        random.choice([800, 1000, 1200, 1500]),
    )


def _ask_throttled(case: Throttled, say: Say) -> tuple[str, str]:
    job, model = case.setting, RATES[case.rate]
    say.rests_on("bedrock.quota.settlement", "bedrock.quota.booking")
    stem = say.pick(
        f"{job.who} calls {model} on Amazon Bedrock {say(case.per_minute)} times a minute to {job.task}, and some calls end in `ThrottlingException`.",
        f"Calls to {model} on Amazon Bedrock, {say(case.per_minute)} a minute to {job.task}, meet `ThrottlingException` again and again.",
        f"An application that is to {job.task} is throttled: it makes {say(case.per_minute)} calls a minute to {model} on Amazon Bedrock.",
    )
    into, shared, out = say(case.input_tokens), say(case.shared), say(case.output_tokens)
    rest = say.pick(
        f"The quota is {say(case.quota)} tokens per minute. A call has {into} input tokens, of which the first {shared} never change and are long enough for the cache, and "
        f"{out} output tokens, each counting {say.fact(case.rate)}. `max_tokens` is {say(case.max_tokens)}. Calls are short and even, so reservations in flight may be left aside.",
        f"Answers have {out} tokens, which count {say.fact(case.rate)}, under a `max_tokens` of {say(case.max_tokens)}. Prompts have {into} tokens; the {shared} at their beginning are always "
        f"the same, and enough to be cached. The account has {say(case.quota)} tokens per minute. What is reserved for calls in flight is small and may be left aside.",
        f"Each has {into} tokens in and {out} out; an output token counts {say.fact(case.rate)} against the quota of {say(case.quota)} tokens per minute. The prompt begins with {shared} tokens that "
        f"do not change, more than the cache asks for. `max_tokens` is {say(case.max_tokens)}; the calls are so short and even that reservations do not matter.",
    )
    return f"{stem} {rest}", say.pick(
        "Which TWO changes, each on its own, bring the settled use below the quota?",
        "Each of which TWO changes would be enough to bring the settled use below the quota?",
    )


def max_tokens_is_what_counts(case: Throttled) -> float:
    """A call has used its `max_tokens` when it ends, however short its answer was."""
    return case.per_minute * (case.input_tokens + case.lower_limit)


def quota_is_for_each_function(case: Throttled) -> float:
    """Every function, role or client has a quota of its own."""
    return case.use(per_minute=case.per_minute / 2)


def streamed_tokens_count_once(case: Throttled) -> float:
    """A streamed answer weighs less, because it leaves token by token."""
    return case.per_minute * (case.input_tokens + case.output_tokens)


def answers_are_cached_too(case: Throttled) -> float:
    """A prompt cache keeps answers as well, which then do not count."""
    return case.use(output_tokens=0)


def input_weighs_like_output(case: Throttled) -> float:
    """Shorter prompts help as much as shorter answers."""
    return case.use() - case.per_minute * case.burndown * case.cut


def _changes(case: Throttled, say: Say) -> list[Alternative]:
    now, limit, moved = case.use(), case.quota, case.per_minute // 2
    cached, short = case.use(case.input_tokens - case.shared), case.use(output_tokens=case.shorter)
    fewer, half = case.use(case.input_tokens - case.cut), case.use(per_minute=case.per_minute - moved)
    if now < 1.12 * limit or max(cached, short, half) > limit / 1.12 or fewer < 1.05 * limit:
        return []

    def after(use: float) -> str:
        return f"Use falls from {say(now)} to {say(use)} tokens per minute, {'below' if use < limit else 'still above'} {say(limit)}."

    unchanged = f"settled use stays at {say(now)} tokens per minute, above {say(limit)}"
    rows = [
        (
            say.pick(
                f"Cache {say(case.shared)} of the input tokens of each call.",
                f"Cache {say(case.shared)} input tokens of a call.",
            ),
            f"Cache reads do not count. {after(cached)}",
            None,
        ),
        (
            say.pick(
                f"Ask the model for answers of {say(case.shorter)} tokens.",
                f"Ask the model for answers of {say(case.shorter)} output tokens.",
            ),
            f"Each token of output counts {say(case.burndown)} times. {after(short)}",
            None,
        ),
        (
            say.pick(
                f"Make {say(moved)} calls with a second model.",
                f"Make {say(moved)} calls of each minute with a second model.",
            ),
            f"Each model has a quota of its own. {after(half)}",
            None,
        ),
        (
            say.pick(
                f"Lower `max_tokens` to {say(case.lower_limit)} tokens.",
                f"Lower `max_tokens` of each call to {say(case.lower_limit)} tokens.",
            ),
            f"That lowers what is reserved, not what is settled: {unchanged}.",
            max_tokens_is_what_counts,
        ),
        (
            say.pick(
                f"Make {say(moved)} calls in a second function.",
                f"Make {say(moved)} calls of each minute in a second function.",
            ),
            f"The quota is the account's, whoever calls: {unchanged}.",
            quota_is_for_each_function,
        ),
        (
            say.pick(
                f"Ask the model to stream its {say(case.output_tokens)} tokens.",
                f"Ask the model to stream the {say(case.output_tokens)} output tokens.",
            ),
            f"A streamed token counts like any other: {unchanged}.",
            streamed_tokens_count_once,
        ),
        (
            say.pick(
                f"Cache the {say(case.output_tokens)} output tokens of each call.",
                f"Cache {say(case.output_tokens)} output tokens of a call.",
            ),
            f"A prompt cache keeps input, and answers are written anew: {unchanged}.",
            answers_are_cached_too,
        ),
        (
            say.pick(
                f"Shorten the input of each call by {say(case.cut)} tokens.",
                f"Cut {say(case.cut)} tokens out of the input.",
            ),
            f"A token of input counts once. {after(fewer)}",
            input_weighs_like_output,
        ),
    ]
    # A change that does not help is a temptation only where its wrong model says that it does.
    return [
        Alternative(text, why, float(model is None), model)
        for text, why, model in rows
        if model is None or model(case) < limit
    ]


WHICH_CHANGES = Family(
    name="quota-which-changes",
    title="Which changes bring a load below its quota",
    objective="5.2.2",
    bloom="analyze",
    est_seconds=150,
    difficulty=0.5,
    situation=_throttled,
    ask=_ask_throttled,
    kind="several",
    alternatives=_changes,
    believed=(
        max_tokens_is_what_counts,
        quota_is_for_each_function,
        streamed_tokens_count_once,
        answers_are_cached_too,
        input_weighs_like_output,
    ),
    sources=(BURNDOWN,),
)

FAMILIES = (STEADY_RATE, BURST, OUTPUT_LIMIT, MINUTE_AND_DAY, WHICH_CHANGES)
