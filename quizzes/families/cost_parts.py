"""Paying by the minute, by the commitment and by the part: imported copies, model units, and what a queue adds to a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from random import Random
from typing import Literal

from labs.economics import capacity, queue
from labs.economics.bill import HOURS_PER_MONTH, Bill, Line
from labs.economics.prices import usd
from quizzes.families.family import Alternative, Answer, Family
from quizzes.families.say import Say, dated
from quizzes.situations import REGION, Setting, setting

# --- an imported model that wakes for bursts

WINDOW = "bedrock.import.billing_window_s"
CMU_MINUTE = "bedrock.import.price_per_cmu_minute"
CMU_MINUTE_EU = "bedrock.import.price_per_cmu_minute_eu"


@dataclass(frozen=True)
class Bursts:
    """An imported model with one copy, asleep but for a few bursts a day."""

    setting: Setting
    model: Literal["llama-3-1-8b", "llama-3-70b"]
    per_day: int
    days: int
    minutes: int
    """of one burst"""
    calls: int
    """in one burst"""

    @property
    def cmus(self) -> float:
        """Custom model units of a copy."""
        return usd(f"bedrock.import.cmu_{self.model}")

    @property
    def bursts(self) -> int:
        """Of a month."""
        return self.per_day * self.days

    @property
    def window_min(self) -> float:
        """Minutes of a billing window."""
        return usd(WINDOW) / 60

    @property
    def billed(self) -> float:
        """Minutes that a burst is charged for."""
        return capacity.active_minutes([(0, self.minutes)])

    def usd(self, minutes: float, region: str = REGION, cmus: float | None = None) -> float:
        """What so many minutes of the copy cost, storage left out."""
        return capacity.custom_import(self.cmus if cmus is None else cmus, minutes, region=region).lines[0].usd

    def work(self, say: Say, minutes: float) -> str:
        """'60 × 10 min × 8 units × $0.05718'"""
        return f"{say(minutes)} min × {say(self.cmus)} units × {say.fact(CMU_MINUTE)}"


def _bursts(random: Random) -> Bursts:
    return Bursts(
        setting(random),
        random.choice(["llama-3-1-8b", "llama-3-70b"]),
        random.choice([2, 3, 4, 6, 8, 12]),
        random.choice([20, 22, 25, 30]),
        random.choice([2, 3, 4, 6, 7, 8, 11, 12, 13]),
        random.choice([6, 10, 15, 20, 25]),
    )


def _ask_bursts(case: Bursts, say: Say) -> tuple[str, str]:
    job, size = case.setting, {"llama-3-1-8b": "Llama 3.1 8B", "llama-3-70b": "Llama 3 70B"}[case.model]
    say.rests_on(f"bedrock.import.cmu_{case.model}")
    stem = say.pick(
        f"{job.who} imported a fine-tuned {size} into Amazon Bedrock to {job.task}. Calls come in bursts: {say(case.per_day)} a day on {say(case.days)} "
        f"days a month, hours apart, each {say(case.minutes)} minutes long and {say(case.calls)} calls strong.",
        f"A {size} of one's own, brought to Amazon Bedrock with Custom Model Import, is to {job.task}. It is called {say(case.per_day)} times a day on "
        f"{say(case.days)} days a month, for {say(case.minutes)} minutes each time, {say(case.calls)} calls in a row; hours of silence lie between.",
    )
    rules = say.pick(
        f"One copy is enough; it takes {say(case.cmus)} custom model units. An active copy is charged in windows of {say(case.window_min)} minutes from its first call, "
        f"at {say.fact(CMU_MINUTE)} in {REGION} ({dated(CMU_MINUTE)}).",
        f"In {REGION} an active copy costs {say.fact(CMU_MINUTE)} ({dated(CMU_MINUTE)}), in whole windows of {say(case.window_min)} minutes that begin with its first call. There is "
        f"one copy, of {say(case.cmus)} custom model units.",
        f"The model needs {say(case.cmus)} custom model units for a copy, and never more than one copy. From the first call on, windows of {say(case.window_min)} minutes are "
        f"charged, at {say.fact(CMU_MINUTE)} ({REGION}, {dated(CMU_MINUTE)}).",
    )
    return f"{stem} {rules}", say.pick(
        "Which is the BEST estimate of a month's running charge, storage left out?",
        "Leaving storage out, which amount is the BEST estimate of the monthly charge?",
    )


def _import_month(case: Bursts, say: Say) -> Answer:
    minutes = case.billed * case.bursts
    amount = case.usd(minutes)
    return Answer(
        amount,
        f"In whole windows, {say(case.minutes)} minutes are {say(case.billed)}. {say(case.bursts)} bursts make {say(minutes)}. {case.work(say, minutes)} = {say.usd(amount)}.",
    )


def billed_by_the_minute_of_use(case: Bursts, say: Say) -> Answer:
    """A copy is charged for the minutes in which it is called."""
    minutes = case.minutes * case.bursts
    amount = case.usd(minutes)
    return Answer(
        amount,
        f"{case.work(say, minutes)} = {say.usd(amount)} counts minutes of use. A window that is begun is charged to its end.",
    )


def forgot_the_custom_model_units(case: Bursts, say: Say) -> Answer:
    """A copy of a model is one custom model unit."""
    minutes = case.billed * case.bursts
    amount = case.usd(minutes, cmus=1)
    return Answer(
        amount,
        f"{say(minutes)} min × {say.fact(CMU_MINUTE)} = {say.usd(amount)} is one unit. A copy takes {say(case.cmus)}.",
    )


def imported_copy_never_sleeps(case: Bursts, say: Say) -> Answer:
    """An imported model is charged around the clock, like an endpoint."""
    amount = case.usd(HOURS_PER_MONTH * 60)
    return Answer(
        amount,
        f"{say(HOURS_PER_MONTH)} h × 60 × {say(case.cmus)} units × {say.fact(CMU_MINUTE)} = {say.usd(amount)}. Between bursts no copy is active.",
    )


def one_window_for_each_call(case: Bursts, say: Say) -> Answer:
    """Every call to an imported model opens a billing window."""
    minutes = case.window_min * case.calls * case.bursts
    amount = case.usd(minutes)
    return Answer(
        amount,
        f"{say(case.calls)} windows for each burst: {case.work(say, minutes)} = {say.usd(amount)}. Calls share the windows that are open.",
    )


def bursts_round_to_the_hour(case: Bursts, say: Say) -> Answer:
    """What runs on accelerators is charged in started hours."""
    minutes = 60.0 * ceil(case.minutes / 60) * case.bursts
    amount = case.usd(minutes)
    return Answer(
        amount,
        f"An hour for each burst: {case.work(say, minutes)} = {say.usd(amount)}. Windows have {say(case.window_min)} minutes.",
    )


def one_burst_a_day(case: Bursts, say: Say) -> Answer:
    """All that happens on one day falls into the same windows."""
    minutes = case.billed * case.days
    amount = case.usd(minutes)
    return Answer(
        amount,
        f"{case.work(say, minutes)} = {say.usd(amount)} has one burst a day. There are {say(case.per_day)}, each with windows of its own.",
    )


def one_window_too_many(case: Bursts, say: Say) -> Answer:
    """After its last call a copy is charged for another window."""
    minutes = (case.billed + case.window_min) * case.bursts
    amount = case.usd(minutes)
    return Answer(
        amount,
        f"{say(case.billed + case.window_min)} minutes for each burst come to {say.usd(amount)}. Windows count from the first call; none is added at the end.",
    )


IMPORT_WINDOWS = Family(
    name="import-windows",
    title="An imported model that wakes for bursts",
    objective="2.2.2",
    bloom="apply",
    est_seconds=150,
    difficulty=0.5,
    situation=_bursts,
    ask=_ask_bursts,
    solve=_import_month,
    wrong=(
        billed_by_the_minute_of_use,
        forgot_the_custom_model_units,
        imported_copy_never_sleeps,
        one_window_for_each_call,
        bursts_round_to_the_hour,
        one_burst_a_day,
        one_window_too_many,
    ),
    unit="a month",
    money=True,
    sources=("bedrock-import-cost",),
)


# --- what a commitment binds to


@dataclass(frozen=True)
class Commitment:
    """Model units of Provisioned Throughput, quoted by the account team."""

    setting: Setting
    units: int
    months: Literal[1, 6]
    quote: float
    """of a unit and hour, with the commitment"""
    uncommitted: float
    """without"""
    hours: int
    days: int

    @property
    def committed_hours(self) -> float:
        """Of the term."""
        return self.months * HOURS_PER_MONTH

    def usd(self, hours: float, units: float | None = None, quote: float | None = None) -> float:
        """Model-unit hours, priced."""
        line = Line(
            "model-unit hours", hours * (self.units if units is None else units), "MU-hour", quote or self.quote
        )
        return Bill("Provisioned Throughput", (line,)).usd


def _commitment(random: Random) -> Commitment:
    quote = random.choice([12, 15, 18, 20, 24, 30, 36])
    return Commitment(
        setting(random),
        random.choice([2, 3, 4]),
        random.choice([1, 6, 6, 6]),
        quote,
        round(quote * random.choice([1.4, 1.5, 1.6, 1.8])),
        random.choice([8, 9, 10, 12]),
        random.choice([20, 21, 22]),
    )


def _ask_commitment(case: Commitment, say: Say) -> tuple[str, str]:
    job = case.setting
    term = "one month" if case.months == 1 else "six months"
    stem = say.pick(
        f"{job.who} plans Provisioned Throughput on Amazon Bedrock for a model that is to {job.task}: {say(case.units)} model units with a commitment "
        f"of {term}.",
        f"For an application that helps to {job.task}, {say(case.units)} model units of Provisioned Throughput are to be bought on Amazon Bedrock, committed "
        f"for {term}.",
    )
    quote = say.pick(
        f"The account team quotes ${say(case.quote)} per model unit and hour for this term, and ${say(case.uncommitted)} without commitment.",
        f"Quoted are ${say(case.uncommitted)} per model unit and hour without commitment and ${say(case.quote)} with it.",
    )
    use = f"The application is used {say(case.hours)} hours a day on {say(case.days)} days a month. A month has {say(HOURS_PER_MONTH)} hours."
    say.rests_on("bedrock.pt.terms")
    return f"{stem} {quote} {use}", say.pick(
        "What is the LOWEST sum that the signature binds the company to?",
        "Which is the LOWEST total that will be paid, however little the model is used?",
    )


def _bound(case: Commitment, say: Say) -> Answer:
    amount = case.usd(case.committed_hours)
    return Answer(
        amount,
        f"{say(case.units)} units × {say(case.months)} × {say(HOURS_PER_MONTH)} h × ${say(case.quote)} = {say.usd(amount)}. A commitment is charged by the hour, used "
        "or not, and cannot be ended early.",
    )


def one_month_of_the_term(case: Commitment, say: Say) -> Answer | None:
    """A commitment can be given back after a month."""
    if case.months == 1:
        return None
    amount = case.usd(HOURS_PER_MONTH)
    return Answer(amount, f"{say.usd(amount)} is the first month. The commitment runs for {say(case.months)}.")


def commitment_by_hours_of_use(case: Commitment, say: Say) -> Answer:
    """Reserved throughput is charged while it is used."""
    hours = case.hours * case.days * case.months
    amount = case.usd(hours)
    return Answer(
        amount,
        f"{say(case.units)} units × {say(hours)} h × ${say(case.quote)} = {say.usd(amount)} has the hours of use. All hours of the term are charged.",
    )


def first_month_is_free(case: Commitment, say: Say) -> Answer | None:
    """A commitment begins after a month in which it can still be given back."""
    if case.months == 1:
        return None
    amount = case.usd((case.months - 1) * HOURS_PER_MONTH)
    return Answer(
        amount,
        f"{say.usd(amount)} is {say(case.months - 1)} months. The charge begins with the purchase, so all {say(case.months)} count.",
    )


def working_days_of_the_term(case: Commitment, say: Say) -> Answer:
    """A commitment is charged for whole days on which the model was used."""
    hours = 24 * case.days * case.months
    amount = case.usd(hours)
    return Answer(
        amount,
        f"{say(case.units)} units × {say(hours)} h × ${say(case.quote)} = {say.usd(amount)} has the days of use, in full. Weekends are charged as well.",
    )


def one_model_unit(case: Commitment, say: Say) -> Answer:
    """The quoted price covers the throughput that was ordered."""
    amount = case.usd(case.committed_hours, units=1)
    return Answer(amount, f"{say.usd(amount)} is one model unit. {say(case.units)} are ordered.")


def price_without_commitment(case: Commitment, say: Say) -> Answer:
    """The price without commitment is the one that holds until the term has passed."""
    amount = case.usd(case.committed_hours, quote=case.uncommitted)
    return Answer(amount, f"{say.usd(amount)} has ${say(case.uncommitted)} an hour, the price for who does not commit.")


def commitment_lasts_a_year(case: Commitment, say: Say) -> Answer:
    """Commitments at AWS are for a year."""
    amount = case.usd(12 * HOURS_PER_MONTH)
    return Answer(amount, f"{say.usd(amount)} is a year. The terms are {say.fact('bedrock.pt.terms')}.")


def spare_model_units(case: Commitment, say: Say) -> Answer:
    """Each model unit stands in one zone, and a second set is needed for the other."""
    amount = case.usd(case.committed_hours) * 2
    return Answer(amount, f"{say.usd(amount)} doubles the units. Model units are throughput, not machines in a zone.")


def commitment_adds_to_hourly_price(case: Commitment, say: Say) -> Answer:
    """A commitment is a fee on top of the hourly price."""
    amount = case.usd(case.committed_hours) + case.usd(case.committed_hours, quote=case.uncommitted)
    return Answer(
        amount, f"{say.usd(amount)} adds both prices up. The price with commitment takes the place of the other."
    )


COMMITMENT = Family(
    name="commitment-total",
    title="What a commitment binds to",
    objective="2.2.1",
    bloom="apply",
    est_seconds=100,
    difficulty=0.65,
    situation=_commitment,
    ask=_ask_commitment,
    solve=_bound,
    wrong=(
        one_month_of_the_term,
        first_month_is_free,
        working_days_of_the_term,
        commitment_by_hours_of_use,
        one_model_unit,
        price_without_commitment,
        commitment_lasts_a_year,
        spare_model_units,
        commitment_adds_to_hourly_price,
    ),
    unit="in total",
    money=True,
    sources=("bedrock-pt",),
)


# --- a function that waits


@dataclass(frozen=True)
class Waits:
    """A function that calls a model and waits for the answer."""

    setting: Setting
    thousands: int
    """jobs a month"""
    wait_s: int
    cpu_s: float
    memory_mb: int
    timeout_s: int

    @property
    def jobs(self) -> float:
        """A month's."""
        return self.thousands * 1e3

    def usd(
        self, seconds: float, memory_mb: float | None = None, x86: bool = False, jobs: float | None = None
    ) -> float:
        """A month of the function."""
        return queue.function(
            self.jobs if jobs is None else jobs, seconds, memory_mb or self.memory_mb, "x86" if x86 else "arm"
        ).usd


ARM, REQUESTS = "lambda.price.per_gb_s_arm", "lambda.price.per_million_requests"


def _waits(random: Random) -> Waits:
    wait = random.choice([6, 8, 9, 12, 14, 18, 22])
    return Waits(
        setting(random),
        random.choice([600, 800, 1200, 1500, 2400, 3000, 4500]),
        wait,
        random.choice([0.4, 0.5, 0.6, 0.8]),
        random.choice([256, 512, 768, 1536, 2048]),
        wait * random.choice([3, 4, 5]),
    )


def _ask_waits(case: Waits, say: Say) -> tuple[str, str]:
    job = case.setting
    stem = say.pick(
        f"{job.who} takes jobs to {job.task} from a queue with an AWS Lambda function on Arm, one job per invocation and {say(case.jobs)} of them a month. "
        f"Each calls a model and waits: an invocation lasts {say(case.wait_s)} seconds, of which {say(case.cpu_s)} use the processor.",
        f"An AWS Lambda function on Arm is invoked {say(case.jobs)} times a month to {job.task}. For {say(case.wait_s)} seconds it mostly waits for a "
        f"model's answer; its own work takes {say(case.cpu_s)} seconds of these.",
    )
    settings = say.pick(
        f"It has {say(case.memory_mb)} MB of memory and a timeout of {say(case.timeout_s)} seconds.",
        f"Memory is set to {say(case.memory_mb)} MB, the timeout to {say(case.timeout_s)} seconds.",
    )
    price = f"In {REGION} run time costs {say.fact(ARM)} and requests {say.fact(REQUESTS)} ({dated(ARM, REQUESTS)}); leave free tiers aside."
    return f"{stem} {settings} {price}", say.pick(
        "Which is the BEST estimate of the function's monthly bill?",
        "Which amount is the BEST estimate of what the function costs a month?",
    )


def _gb_s(case: Waits, say: Say, seconds: float, memory_mb: float) -> str:
    return f"{say(case.jobs)} × {say(seconds)} s × {say(memory_mb)} / 1,024 GB × {say.fact(ARM)}"


def _function_month(case: Waits, say: Say) -> Answer:
    amount = case.usd(case.wait_s)
    return Answer(
        amount,
        f"{_gb_s(case, say, case.wait_s, case.memory_mb)}, and {say(case.jobs / 1e6)} million × {say.fact(REQUESTS)}, make {say.usd(amount)}. The wait is paid for.",
    )


def billed_for_cpu_time_only(case: Waits, say: Say) -> Answer:
    """A function that waits for the network costs nothing meanwhile."""
    amount = case.usd(case.cpu_s)
    return Answer(
        amount,
        f"{_gb_s(case, say, case.cpu_s, case.memory_mb)} comes to {say.usd(amount)}. Run time is charged from start to end, waiting included.",
    )


def billed_for_a_full_gb(case: Waits, say: Say) -> Answer | None:
    """The price per GB-second is the price of a second, whatever the memory."""
    if case.memory_mb == 1024:
        return None
    amount = case.usd(case.wait_s, 1024)
    return Answer(
        amount,
        f"{say(case.jobs)} × {say(case.wait_s)} s at {say.fact(ARM)} comes to {say.usd(amount)}. It has to be multiplied by {say(case.memory_mb)} / 1,024.",
    )


def billed_until_the_timeout(case: Waits, say: Say) -> Answer:
    """A function is charged for the time that its timeout reserves."""
    amount = case.usd(case.timeout_s)
    return Answer(
        amount,
        f"{_gb_s(case, say, case.timeout_s, case.memory_mb)} comes to {say.usd(amount)}. The timeout is a limit; what ran is charged.",
    )


def wait_in_minutes(case: Waits, say: Say) -> Answer:
    """Run time is rounded up to whole minutes."""
    seconds = 60.0 * ceil(case.wait_s / 60)
    amount = case.usd(seconds)
    return Answer(
        amount,
        f"{_gb_s(case, say, seconds, case.memory_mb)} comes to {say.usd(amount)}. Lambda rounds to the millisecond.",
    )


def x86_price_for_arm(case: Waits, say: Say) -> Answer:
    """A GB-second has one price on every processor."""
    amount, id = case.usd(case.wait_s, x86=True), "lambda.price.per_gb_s_x86"
    return Answer(
        amount, f"At {say.fact(id)}, the price on x86, it comes to {say.usd(amount)}. The function runs on Arm."
    )


def ten_jobs_share_a_wait(case: Waits, say: Say) -> Answer:
    """A queue hands over ten messages at once, so ten jobs wait together."""
    amount = case.usd(case.wait_s, jobs=case.jobs / 10)
    return Answer(
        amount,
        f"{say(case.jobs / 10)} invocations come to {say.usd(amount)}. Here each job has an invocation, and a wait, of its own.",
    )


LAMBDA_WAIT = Family(
    name="function-that-waits",
    title="What a function costs that waits for a model",
    objective="2.4.1",
    bloom="apply",
    est_seconds=130,
    difficulty=0.55,
    situation=_waits,
    ask=_ask_waits,
    solve=_function_month,
    wrong=(
        billed_for_cpu_time_only,
        billed_for_a_full_gb,
        billed_until_the_timeout,
        wait_in_minutes,
        x86_price_for_arm,
        ten_jobs_share_a_wait,
    ),
    unit="a month",
    money=True,
)


# --- the parts of a queue's bill


@dataclass(frozen=True)
class Parts:
    """A month of the queue pattern."""

    setting: Setting
    thousands: int
    wait_s: int
    memory_mb: int
    polls: int
    item_kib: int

    @property
    def jobs(self) -> float:
        """A month's."""
        return self.thousands * 1e3

    @property
    def bills(self) -> tuple[Bill, ...]:
        """API, queue, function, table."""
        return (
            queue.http_api(self.jobs * (1 + self.polls)),
            queue.messages(self.jobs),
            queue.function(self.jobs, self.wait_s, self.memory_mb),
            queue.table(2 * self.jobs, self.polls * self.jobs, self.item_kib * 1024),
        )


def _parts(random: Random) -> Parts:
    return Parts(
        setting(random),
        random.choice([200, 400, 500, 800, 1000, 2000, 3000]),
        random.choice([4, 6, 8, 10, 15, 20]),
        random.choice([128, 256, 512]),
        random.choice([1, 2, 4, 8, 15, 30, 60]),
        random.choice([1, 2, 4, 8, 12, 20]),
    )


API, SEND = "apigateway.price.http_per_million", "sqs.price.per_million_requests"
WRITE, READ = "dynamodb.price.per_million_writes", "dynamodb.price.per_million_reads"


def _ask_parts(case: Parts, say: Say) -> tuple[str, str]:
    job = case.setting
    stem = say.pick(
        f"Through a queue, {job.who[0].lower()}{job.who[1:]} has a model {job.task}, {say(case.jobs)} times a month.",
        f"{say(case.jobs)} jobs a month to {job.task} go through a queue to a model.",
        f"{say(case.jobs)} jobs a month to {job.task} pass a queue.",
        f"{job.who} queues {say(case.jobs)} jobs a month to {job.task}.",
    )
    polls, memory, wait, item = say(case.polls), say(case.memory_mb), say(case.wait_s), say(case.item_kib)
    flow = say.pick(
        f"An HTTP API takes each job in and is polled {polls} times for the answer. SQS sees three small calls per job. A Lambda "
        f"function on Arm with {memory} MB runs {wait} seconds for each. Its DynamoDB item of {item} KiB is written twice and read, strongly consistent, "
        "once per poll.",
        f"For each job a Lambda function (Arm, {memory} MB) waits {wait} seconds for the model and writes an item of {item} KiB to DynamoDB twice. Three small "
        f"calls to SQS carry it. It comes in through an HTTP API, which is polled {polls} times; each poll is a strongly consistent read of the item.",
        f"A page posts a job to an HTTP API and polls it {polls} times, with a strongly consistent read of a DynamoDB item each time. The item has {item} KiB "
        f"and is written twice. Between them stand SQS, three small calls, and a Lambda function on Arm: {memory} MB for {wait} seconds.",
    )
    ids = (API, SEND, ARM, REQUESTS, WRITE, READ)
    write, read = say.fact("dynamodb.write_unit.bytes"), say.fact("dynamodb.read_unit.bytes")
    price = say.pick(
        f"Prices in {REGION} ({dated(*ids)}): API {say.fact(API)}; SQS {say.fact(SEND)}; Lambda {say.fact(ARM)} and {say.fact(REQUESTS)}; a write "
        f"unit ({write}) {say.fact(WRITE)}, a read unit ({read}) {say.fact(READ)}.",
        f"DynamoDB charges {say.fact(WRITE)} for write units of {write} and {say.fact(READ)} for read units of {read}, Lambda {say.fact(ARM)} and "
        f"{say.fact(REQUESTS)}, SQS {say.fact(SEND)}, the API {say.fact(API)} ({REGION}, {dated(*ids)}).",
    )
    return f"{stem} {flow} {price}", say.pick(
        "Put the parts in order of their monthly cost, HIGHEST on top.",
        "Order the four parts by what they cost a month, HIGHEST amount on top.",
    )


def _parts_by_cost(case: Parts, say: Say) -> list[Alternative]:
    api, sqs, function, table = case.bills
    writes, reads = (line.quantity for line in table.lines)
    return [
        Alternative(
            "The HTTP API",
            f"{say(api.lines[0].quantity)} million calls × {say.fact(API)} = {say.usd(api.usd)}.",
            api.usd,
        ),
        Alternative(
            "The SQS queue",
            f"{say(sqs.lines[0].quantity)} million calls × {say.fact(SEND)} = {say.usd(sqs.usd)}.",
            sqs.usd,
        ),
        Alternative(
            "The Lambda function",
            f"{say(function.lines[1].quantity)} GB-seconds × {say.fact(ARM)}, and the requests, make {say.usd(function.usd)}. It is charged while it waits.",
            function.usd,
        ),
        Alternative(
            "The DynamoDB table",
            f"{say(writes)} million write units × {say.fact(WRITE)} + {say(reads)} million read units × {say.fact(READ)} = {say.usd(table.usd)}.",
            table.usd,
        ),
    ]


def ranked_by_price_per_million(case: Parts) -> Sequence[float]:  # noqa: ARG001 - whatever is bought
    """The service with the highest price per million is the largest part of a bill."""
    return [usd(API), usd(SEND), usd(REQUESTS), usd(WRITE)]


def polls_cost_nothing(case: Parts) -> Sequence[float]:
    """Asking for an answer is free until there is one."""
    none = Parts(case.setting, case.thousands, case.wait_s, case.memory_mb, 0, case.item_kib)
    return [bill.usd for bill in none.bills]


def waiting_function_costs_nothing(case: Parts) -> Sequence[float]:
    """A function is charged for its requests, and for little else while it waits."""
    api, sqs, _, table = case.bills
    return [api.usd, sqs.usd, queue.function(case.jobs, 0.2, case.memory_mb).usd, table.usd]


QUEUE_BILL = Family(
    name="queue-bill-parts",
    title="The parts of a queue's bill",
    objective="2.4.1",
    bloom="analyze",
    est_seconds=200,
    difficulty=0.4,
    situation=_parts,
    ask=_ask_parts,
    kind="order",
    alternatives=_parts_by_cost,
    misranked=(waiting_function_costs_nothing, polls_cost_nothing, ranked_by_price_per_million),
    highest_first=True,
)

FAMILIES = (IMPORT_WINDOWS, COMMITMENT, LAMBDA_WAIT, QUEUE_BILL)
