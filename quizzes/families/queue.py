"""The queue before a model: how long a message hides, how many workers a quota feeds, how long a backlog takes, when a job is given up."""

from dataclasses import dataclass
from math import floor
from random import Random

from labs import facts
from labs.economics.traffic import in_flight
from quizzes.families.family import Answer, Family
from quizzes.families.say import Say
from quizzes.situations import Setting, setting

MULTIPLE = "sqs.visibility.lambda_multiple"
LAMBDA_SQS = "lambda-sqs"


# --- how long a message hides


@dataclass(frozen=True)
class Hidden:
    """A function behind a queue, and its times."""

    setting: Setting
    call_s: int
    timeout_s: int
    window_s: int
    batch: int
    receives: int

    def recommended(self, seconds: float) -> float:
        """AWS's multiple of a time, and the batch window."""
        return facts.number(MULTIPLE) * seconds + self.window_s


def _hidden(random: Random) -> Hidden:
    call = random.choice([8, 12, 15, 20, 25, 40])
    return Hidden(
        setting(random),
        call,
        call * random.choice([2, 3, 4]),
        random.choice([5, 10, 15, 20, 30, 45]),
        random.choice([5, 8, 10]),
        random.choice([3, 4, 5, 8]),
    )


def _ask_hidden(case: Hidden, say: Say) -> tuple[str, str]:
    job = case.setting
    stem = say.pick(
        f"An Amazon SQS standard queue feeds an AWS Lambda function that asks a model to {job.task}. A call takes about {say(case.call_s)} seconds; the function's "
        f"timeout is {say(case.timeout_s)} seconds.",
        f"{job.who} queues its requests to {job.task} in Amazon SQS. An AWS Lambda function with a timeout of {say(case.timeout_s)} seconds works them off; the model "
        f"answers in about {say(case.call_s)} seconds.",
    )
    rest = say.pick(
        f"It works on the messages of a batch side by side. The event source mapping collects up to {say(case.batch)} messages for at most {say(case.window_s)} seconds, and after {say(case.receives)} receives a message goes to the "
        "dead-letter queue.",
        f"Batches have up to {say(case.batch)} messages, which it works on at the same time, with a batch window of {say(case.window_s)} seconds; `maxReceiveCount` is {say(case.receives)}.",
    )
    return f"{stem} {rest}", say.pick(
        "Which visibility timeout is the LOWEST that follows the recommendation of AWS for this queue?",
        "By the recommendation of AWS, what is the LOWEST visibility timeout for the queue?",
    )


def _visibility(case: Hidden, say: Say) -> Answer:
    found = case.recommended(case.timeout_s)
    return Answer(
        found,
        f"Recommended are {say.fact(MULTIPLE)} the function's timeout, plus the batch window: {say(facts.number(MULTIPLE))} × {say(case.timeout_s)} + {say(case.window_s)} = {say(found)} "
        "seconds. That leaves room for retries when Lambda is throttled.",
    )


def visibility_equal_to_timeout(case: Hidden, say: Say) -> Answer:
    """A message has to hide for as long as the function may run."""
    found = float(case.timeout_s)
    return Answer(
        found,
        f"{say(found)} seconds is the least that Lambda accepts. It leaves no room for the batch window or a throttled invocation.",
    )


def visibility_equal_to_call(case: Hidden, say: Say) -> Answer:
    """A message has to hide for as long as the work takes."""
    found = float(case.call_s)
    return Answer(
        found,
        f"{say(found)} seconds is the model's time, and less than the function's timeout of {say(case.timeout_s)}, which Lambda refuses.",
    )


def multiple_of_the_call(case: Hidden, say: Say) -> Answer:
    """The recommended multiple is one of the model's time."""
    found = case.recommended(case.call_s)
    return Answer(
        found,
        f"{say(facts.number(MULTIPLE))} × {say(case.call_s)} + {say(case.window_s)} = {say(found)} starts from the call. The function's timeout counts.",
    )


def multiple_of_the_window_too(case: Hidden, say: Say) -> Answer:
    """The multiple holds for the timeout and the batch window together."""
    found = facts.number(MULTIPLE) * (case.timeout_s + case.window_s)
    return Answer(
        found,
        f"{say(facts.number(MULTIPLE))} × ({say(case.timeout_s)} + {say(case.window_s)}) = {say(found)}. The window is added once.",
    )


def timeout_for_each_message(case: Hidden, say: Say) -> Answer:
    """Each message of a batch has the function's timeout to itself."""
    found = float(case.timeout_s * case.batch)
    return Answer(
        found, f"{say(case.timeout_s)} × {say(case.batch)} messages = {say(found)}. The timeout is for the whole batch."
    )


def timeout_for_each_receive(case: Hidden, say: Say) -> Answer:
    """A message stays hidden through all its receives."""
    found = float(case.timeout_s * case.receives)
    return Answer(
        found,
        f"{say(case.timeout_s)} × {say(case.receives)} receives = {say(found)}. The visibility timeout begins anew with each receive.",
    )


def multiple_for_each_message(case: Hidden, say: Say) -> Answer:
    """The recommended time is one message's, so a batch needs it once for each."""
    found = case.recommended(case.timeout_s) * case.batch
    return Answer(
        found,
        f"{say(case.recommended(case.timeout_s))} × {say(case.batch)} messages = {say(found)}. A batch is one invocation with one timeout.",
    )


def window_and_timeout(case: Hidden, say: Say) -> Answer:
    """Waiting for the batch and one run of the function are all that has to be covered."""
    found = float(case.timeout_s + case.window_s)
    return Answer(
        found,
        f"{say(case.timeout_s)} + {say(case.window_s)} = {say(found)} covers one attempt. Throttled invocations are tried again meanwhile.",
    )


VISIBILITY = Family(
    name="visibility-timeout",
    title="How long a message hides",
    objective="2.4.1",
    bloom="apply",
    est_seconds=100,
    difficulty=0.55,
    situation=_hidden,
    ask=_ask_hidden,
    solve=_visibility,
    wrong=(
        visibility_equal_to_timeout,
        visibility_equal_to_call,
        multiple_of_the_call,
        multiple_of_the_window_too,
        timeout_for_each_message,
        timeout_for_each_receive,
        multiple_for_each_message,
        window_and_timeout,
    ),
    unit="seconds",
    sources=(LAMBDA_SQS,),
)


# --- how many workers a quota feeds


@dataclass(frozen=True)
class Workers:
    """Workers of an event source mapping, and the quota that they draw on."""

    setting: Setting
    quota: int
    input_tokens: int
    average: int
    max_tokens: int
    call_s: int
    timeout_s: int
    batch: int

    @property
    def each(self) -> int:
        """Tokens of a call at its longest."""
        return self.input_tokens + self.max_tokens

    def sum(self, say: Say, tokens_each: float, seconds: float | None = None) -> str:
        """'400,000 / 1,800 × 9 / 60 = 33.33'"""
        busy = seconds or self.call_s
        return f"{say(self.quota)} / {say(tokens_each)} × {say(busy)} / 60 = {say(in_flight(self.quota / tokens_each / 60, busy))}"

    def cap(self, tokens_each: float, seconds: float | None = None) -> float:
        """Workers that use up the quota if each makes one call after another."""
        return float(floor(in_flight(self.quota / tokens_each / 60, seconds or self.call_s)))


def _workers(random: Random) -> Workers:
    call, batch = random.choice([6, 8, 10, 12, 15, 20]), random.choice([2, 4, 5])
    return Workers(
        setting(random),
        random.choice([300_000, 400_000, 600_000, 800_000, 1_000_000, 2_000_000]),
        random.choice([600, 800, 1000, 1500, 2000]),
        random.choice([100, 150, 200, 250]),
        random.choice([500, 600, 800, 1000]),
        call,
        call * batch * random.choice([2, 3]),
        batch,
    )


def _ask_workers(case: Workers, say: Say) -> tuple[str, str]:
    job = case.setting
    say.rests_on("lambda.sqs.maximum_concurrency_min", "lambda.sqs.maximum_concurrency_max", "bedrock.burndown.other")
    stem = say.pick(
        f"{job.who} keeps requests to {job.task} in Amazon SQS. A Lambda function takes {say(case.batch)} messages per invocation and answers them one after another, with a call to "
        f"Amazon Bedrock for each.",
        f"From an Amazon SQS queue, a Lambda function receives batches of {say(case.batch)} messages. It handles them in turn: each becomes a call to Amazon Bedrock, to {job.task}.",
    )
    into, average, most = say(case.input_tokens), say(case.average), say(case.max_tokens)
    rest = say.pick(
        f"A call takes {say(case.call_s)} seconds, however long its answer; the function's timeout is {say(case.timeout_s)} seconds. Prompts have {into} tokens, answers {average} on average, and "
        f"`max_tokens` is {most}. Every token counts once against {say(case.quota)} tokens per minute, which nobody else uses. Even when all answers run to the limit, no call may be throttled, "
        "and there is always a backlog.",
        f"{say(case.quota)} tokens per minute are theirs alone, and input and output count once. With {into} tokens a prompt, answers of {average} on average and a `max_tokens` of {most}, a "
        f"call lasts {say(case.call_s)} seconds in any case, and the function may run for {say(case.timeout_s)}. The queue is never empty. No call may be throttled, even if all answers are as long "
        "as they may be.",
        f"The function may run for {say(case.timeout_s)} seconds; a call needs {say(case.call_s)} of them, whatever its length. `max_tokens` is {most}, though answers mostly end after {average}; prompts "
        f"have {into}. All tokens count once, and {say(case.quota)} per minute are free for this application. There is more work than time, and throttling must be ruled out for answers of any length.",
    )
    return f"{stem} {rest}", say.pick(
        "What is the HIGHEST maximum concurrency for the event source mapping?",
        "Which maximum concurrency of the event source mapping is the HIGHEST that is safe?",
    )


def _cap(case: Workers, say: Say) -> Answer | None:
    found, calls = case.cap(case.each), case.quota / case.each
    if (
        not facts.number("lambda.sqs.maximum_concurrency_min")
        <= found
        <= facts.number("lambda.sqs.maximum_concurrency_max")
    ):
        return None
    return Answer(
        found,
        f"{say(case.quota)} / ({say(case.input_tokens)} + {say(case.max_tokens)}) = {say(calls)} calls a minute. A worker makes 60 / {say(case.call_s)} = {say(60 / case.call_s)}, whatever its batch: {say(found)} "
        "workers.",
    )


def quota_counts_average_output(case: Workers, say: Say) -> Answer:
    """A token quota can be planned with the average length of an answer."""
    return Answer(
        case.cap(case.input_tokens + case.average),
        f"{case.sum(say, case.input_tokens + case.average)} plans with {say(case.average)} tokens an answer. When all run to {say(case.max_tokens)}, calls are throttled.",
    )


def quota_counts_output_only(case: Workers, say: Say) -> Answer:
    """Only output tokens count against a token quota."""
    return Answer(
        case.cap(case.max_tokens),
        f"{case.sum(say, case.max_tokens)} has the output alone. The prompt's {say(case.input_tokens)} tokens draw on the same quota.",
    )


def calls_are_workers(case: Workers, say: Say) -> Answer:
    """As many workers are needed as there are calls in a minute."""
    found = float(floor(case.quota / case.each))
    return Answer(
        found, f"{say(found)} is the number of calls a minute. A worker makes {say(60 / case.call_s)} of them."
    )


def batch_is_parallel(case: Workers, say: Say) -> Answer:
    """A worker calls the model for all messages of its batch at once."""
    found = float(floor(case.cap(case.each) / case.batch))
    return Answer(
        found,
        f"{say(case.cap(case.each))} / {say(case.batch)}, as if a worker made so many calls at a time. It handles its messages in turn.",
    )


def timeout_is_the_duration(case: Workers, say: Say) -> Answer:
    """A worker is busy with a call until the function's timeout."""
    found = case.cap(case.each, case.timeout_s)
    return Answer(
        found,
        f"{case.sum(say, case.each, case.timeout_s)} has the timeout as the duration. A call takes {say(case.call_s)} seconds, and then the next one starts.",
    )


def every_call_is_made_twice(case: Workers, say: Say) -> Answer:
    """At-least-once delivery means that every message is worked on twice."""
    found = float(floor(case.cap(case.each) / 2))
    return Answer(
        found,
        f"{say(case.cap(case.each))} / 2, as if each message came twice. A second delivery is possible, and rare.",
    )


def input_and_average_twice(case: Workers, say: Say) -> Answer:
    """A reservation and the settled use are both taken from the quota."""
    each = case.each + case.input_tokens + case.average
    return Answer(
        case.cap(each),
        f"{case.sum(say, each)} adds what is used to what is reserved. At its end a call is settled, not charged again.",
    )


WORKERS = Family(
    name="workers-for-a-quota",
    title="How many workers a quota feeds",
    objective="4.2.3",
    bloom="apply",
    est_seconds=170,
    difficulty=0.4,
    situation=_workers,
    ask=_ask_workers,
    solve=_cap,
    wrong=(
        quota_counts_average_output,
        quota_counts_output_only,
        calls_are_workers,
        batch_is_parallel,
        timeout_is_the_duration,
        every_call_is_made_twice,
        input_and_average_twice,
    ),
    unit="workers",
    sources=(LAMBDA_SQS, "bedrock-burndown"),
)


# --- how long a backlog takes


@dataclass(frozen=True)
class Backlog:
    """Jobs that wait, jobs that come, workers that answer."""

    setting: Setting
    waiting: int
    arrivals: int
    """a minute"""
    workers: int
    call_s: int
    batch: int

    @property
    def answered(self) -> float:
        """Jobs a minute."""
        return self.workers * 60 / self.call_s


def _backlog(random: Random) -> Backlog:
    workers, call = random.choice([10, 12, 15, 20, 30, 40]), random.choice([6, 8, 10, 12, 15, 20])
    return Backlog(
        setting(random),
        random.choice([3000, 4000, 6000, 9000, 12_000, 18_000]),
        round(workers * 60 / call * random.choice([0.3, 0.4, 0.5, 0.6])),
        workers,
        call,
        random.choice([2, 4, 5, 10]),
    )


def _ask_backlog(case: Backlog, say: Say) -> tuple[str, str]:
    job = case.setting
    stem = say.pick(
        f"After an outage {say(case.waiting)} jobs to {job.task} wait in a queue, and {say(case.arrivals)} more arrive every minute.",
        f"{job.who} finds {say(case.waiting)} jobs to {job.task} in its queue in the morning. New ones keep coming, {say(case.arrivals)} a minute.",
    )
    rest = say.pick(
        f"The event source mapping is capped at {say(case.workers)} workers. Each takes {say(case.batch)} messages and calls the model for one after another, {say(case.call_s)} seconds each.",
        f"At most {say(case.workers)} workers run. A worker receives {say(case.batch)} messages at a time and handles them in turn, in {say(case.call_s)} seconds each.",
    )
    return f"{stem} {rest} No call fails.", say.pick(
        "After how many minutes is the queue empty, as the BEST estimate?",
        "Which is the BEST estimate, in minutes, of the time until nothing waits any more?",
    )


def _drained(case: Backlog, say: Say) -> Answer:
    net = case.answered - case.arrivals
    found = case.waiting / net
    return Answer(
        found,
        f"{say(case.workers)} × 60 / {say(case.call_s)} = {say(case.answered)} jobs are answered a minute, {say(case.arrivals)} of them new. The backlog shrinks by {say(net)}: "
        f"{say(case.waiting)} / {say(net)} = {say(found)} minutes.",
    )


def arrivals_stop_meanwhile(case: Backlog, say: Say) -> Answer:
    """A backlog is worked off as if nothing else came."""
    found = case.waiting / case.answered
    return Answer(
        found,
        f"{say(case.waiting)} / {say(case.answered)} = {say(found)} forgets the {say(case.arrivals)} that arrive every minute.",
    )


def arrivals_add_to_the_workers(case: Backlog, say: Say) -> Answer:
    """The rate of arrivals is added to the rate of answers."""
    found = case.waiting / (case.answered + case.arrivals)
    return Answer(
        found,
        f"{say(case.waiting)} / ({say(case.answered)} + {say(case.arrivals)}) = {say(found)} has the arrivals on the wrong side.",
    )


def batch_multiplies_the_workers(case: Backlog, say: Say) -> Answer:
    """A worker answers all messages of a batch in the time of one."""
    found = case.waiting / (case.answered * case.batch - case.arrivals)
    return Answer(
        found,
        f"{say(case.waiting)} / ({say(case.answered)} × {say(case.batch)} − {say(case.arrivals)}) = {say(found)} has {say(case.batch)} answers in {say(case.call_s)} seconds. A worker handles its messages in turn.",
    )


def arrivals_wait_for_the_backlog(case: Backlog, say: Say) -> Answer:
    """What arrives while the backlog is worked off comes after it, once."""
    first = case.waiting / case.answered
    found = first + first * case.arrivals / case.answered
    return Answer(
        found,
        f"{say(first)} minutes for the backlog and {say(found - first)} for what came meanwhile. In these, more arrives again.",
    )


def arrivals_taken_twice(case: Backlog, say: Say) -> Answer | None:
    """New jobs take a worker's time when they arrive and when they are answered."""
    net = case.answered - 2 * case.arrivals
    return (
        Answer(
            case.waiting / net,
            f"{say(case.waiting)} / ({say(case.answered)} − 2 × {say(case.arrivals)}) subtracts the arrivals twice.",
        )
        if net > 0
        else None
    )


DRAIN = Family(
    name="backlog-drain",
    title="How long a backlog takes",
    objective="4.2.3",
    bloom="apply",
    est_seconds=120,
    difficulty=0.55,
    situation=_backlog,
    ask=_ask_backlog,
    solve=_drained,
    wrong=(
        arrivals_stop_meanwhile,
        batch_multiplies_the_workers,
        arrivals_add_to_the_workers,
        arrivals_wait_for_the_backlog,
        arrivals_taken_twice,
    ),
    kind="number",
    unit="min",
    sources=(LAMBDA_SQS,),
)


# --- when a job is given up


@dataclass(frozen=True)
class Poison:
    """A message whose worker never returns."""

    setting: Setting
    visibility_s: int
    timeout_s: int
    receives: int

    @property
    def minutes(self) -> float:
        """Until it can be moved to the dead-letter queue."""
        return self.receives * self.visibility_s / 60


def _poison(random: Random) -> Poison:
    timeout = random.choice([20, 30, 60, 90, 120])
    return Poison(setting(random), timeout * random.choice([6, 7, 8]), timeout, random.choice([3, 4, 5, 6, 8]))


def _ask_poison(case: Poison, say: Say) -> tuple[str, str]:
    job = case.setting
    stem = say.pick(
        f"One message in the Amazon SQS queue of an application that is to {job.task} makes its worker run into the function's timeout, every time.",
        f"{job.who} works off requests to {job.task} from Amazon SQS with a Lambda function. For one malformed message each invocation runs until the function's timeout.",
    )
    rest = say.pick(
        f"The function's timeout is {say(case.timeout_s)} seconds, the queue's visibility timeout {say(case.visibility_s)} seconds, `maxReceiveCount` of the redrive policy is {say(case.receives)}.",
        f"The visibility timeout is {say(case.visibility_s)} seconds, the timeout of the function {say(case.timeout_s)} seconds, and the redrive policy has a `maxReceiveCount` of {say(case.receives)}.",
    )
    end = "Nothing returns the message early; whenever it is visible, it is received at once."
    return f"{stem} {rest} {end}", say.pick(
        "About how many minutes after its FIRST receive is it moved to the dead-letter queue?",
        "How long after the FIRST receive does it reach the dead-letter queue?",
    )


def _given_up(case: Poison, say: Say) -> Answer:
    return Answer(
        case.minutes,
        f"After each of {say(case.receives)} receives it hides for {say(case.visibility_s)} seconds; the next receive would be one too many. {say(case.receives)} × {say(case.visibility_s)} s = "
        f"{say(case.minutes)} minutes.",
    )


def returns_at_the_function_timeout(case: Poison, say: Say) -> Answer:
    """When a function times out, its message is back in the queue at once."""
    found = case.receives * case.timeout_s / 60
    return Answer(
        found,
        f"{say(case.receives)} × {say(case.timeout_s)} s = {say(found)} minutes. After the function has ended the message stays hidden until its visibility timeout.",
    )


def given_up_at_the_first_failure(case: Poison, say: Say) -> Answer:
    """A failed message goes to the dead-letter queue."""
    found = case.visibility_s / 60
    return Answer(found, f"{say(found)} minutes is one receive. It is tried {say(case.receives)} times.")


def last_receive_moves_it(case: Poison, say: Say) -> Answer:
    """With its last receive a message is moved at once."""
    found = (case.receives - 1) * case.visibility_s / 60
    return Answer(
        found,
        f"{say(case.receives - 1)} × {say(case.visibility_s)} s = {say(found)} minutes is the time of the last receive. After it the message hides once more.",
    )


def first_receive_does_not_count(case: Poison, say: Say) -> Answer:
    """The receive count counts repeats, without the first time."""
    found = (case.receives + 1) * case.visibility_s / 60
    return Answer(
        found,
        f"{say(case.receives + 1)} × {say(case.visibility_s)} s = {say(found)} minutes. The first receive counts too.",
    )


def three_attempts_for_each_receive(case: Poison, say: Say) -> Answer:
    """Lambda repeats a failed invocation twice before it gives the message back."""
    found = 3 * case.minutes
    return Answer(
        found,
        f"3 × {say(case.minutes)} = {say(found)} minutes. The two repeats belong to asynchronous invocations; a queue's message is received again instead.",
    )


def hidden_and_working_add_up(case: Poison, say: Say) -> Answer:
    """The visibility timeout begins when the function has ended."""
    found = case.receives * (case.visibility_s + case.timeout_s) / 60
    return Answer(
        found,
        f"{say(case.receives)} × ({say(case.visibility_s)} + {say(case.timeout_s)}) s = {say(found)} minutes. It begins with the receive.",
    )


def hiding_doubles_each_time(case: Poison, say: Say) -> Answer:
    """SQS backs off: each time a message hides for twice as long."""
    found = case.visibility_s * (2**case.receives - 1) / 60
    return Answer(
        found,
        f"{say(case.visibility_s)} s × (2^{say(case.receives)} − 1) = {say(found)} minutes. The visibility timeout is the same each time.",
    )


POISON = Family(
    name="dead-letter-time",
    title="When a job is given up",
    objective="2.4.3",
    bloom="apply",
    est_seconds=110,
    difficulty=0.5,
    situation=_poison,
    ask=_ask_poison,
    solve=_given_up,
    wrong=(
        returns_at_the_function_timeout,
        given_up_at_the_first_failure,
        last_receive_moves_it,
        first_receive_does_not_count,
        three_attempts_for_each_receive,
        hidden_and_working_add_up,
        hiding_doubles_each_time,
    ),
    unit="min",
    sources=(LAMBDA_SQS,),
)


# --- how long the last of a rush waits


@dataclass(frozen=True)
class Rush:
    """More arrive than can be answered, for a while."""

    setting: Setting
    minutes: int
    arrivals: int
    answered: int
    before: int
    """arrivals a minute at other times"""

    @property
    def backlog(self) -> int:
        """At the end of the rush."""
        return self.minutes * (self.arrivals - self.answered)


def _rush(random: Random) -> Rush:
    answered = random.choice([40, 50, 60, 80, 100, 120])
    return Rush(
        setting(random),
        random.choice([20, 30, 40, 45, 60, 90]),
        round(answered * random.choice([1.3, 1.4, 1.5, 1.75, 2])),
        answered,
        round(answered * random.choice([0.25, 0.4, 0.5, 0.6])),
    )


def _ask_rush(case: Rush, say: Say) -> tuple[str, str]:
    job = case.setting
    stem = say.pick(
        f"Requests of {job.who[0].lower()}{job.who[1:]} to {job.task} go through a queue to workers that answer {say(case.answered)} of them a minute.",
        f"Workers behind a queue answer {say(case.answered)} requests a minute; they {job.task}.",
    )
    rest = say.pick(
        f"In a rush of {say(case.minutes)} minutes {say(case.arrivals)} requests arrive per minute, at all other times {say(case.before)}. The queue is empty when the rush begins, and it is "
        "worked off in order.",
        f"Usually {say(case.before)} arrive per minute and nothing waits. Then, for {say(case.minutes)} minutes, {say(case.arrivals)} arrive per minute. Requests are answered in the order in which they came.",
    )
    return f"{stem} {rest}", say.pick(
        "How many seconds is the LONGEST wait of a request?",
        "Which wait, in seconds, is the LONGEST that a request has?",
    )


def _longest_wait(case: Rush, say: Say) -> Answer:
    found = round(60 * case.backlog / case.answered)
    return Answer(
        found,
        f"When the rush ends, {say(case.minutes)} × ({say(case.arrivals)} − {say(case.answered)}) = {say(case.backlog)} requests wait. The one that came then is answered after "
        f"{say(case.backlog)} / {say(case.answered)} minutes = {say(found)} s.",
    )


def later_arrivals_come_first(case: Rush, say: Say) -> Answer:
    """Those who come after the rush delay those who came in it."""
    found = round(60 * case.backlog / (case.answered - case.before))
    return Answer(
        found,
        f"{say(case.backlog)} / ({say(case.answered)} − {say(case.before)}) minutes = {say(found)} s is when the queue is empty. Who comes later waits behind.",
    )


def answered_ones_wait_too(case: Rush, say: Say) -> Answer:
    """All requests of the rush are still waiting when it ends."""
    found = round(60 * case.minutes * case.arrivals / case.answered)
    return Answer(
        found,
        f"{say(case.minutes * case.arrivals)} / {say(case.answered)} counts all of the rush. {say(case.minutes * case.answered)} were answered by then.",
    )


def backlog_over_arrivals(case: Rush, say: Say) -> Answer:
    """A wait is the backlog divided by the rate at which requests come."""
    found = round(60 * case.backlog / case.arrivals)
    return Answer(
        found,
        f"{say(case.backlog)} / {say(case.arrivals)} minutes divides by arrivals. A queue moves as fast as it is answered.",
    )


def average_of_the_waits(case: Rush, say: Say) -> Answer:
    """A request waits behind half of the backlog."""
    found = round(30 * case.backlog / case.answered)
    return Answer(found, f"{say(found)} s is the middle of all waits in the rush. The longest one is twice that.")


def worked_off_at_the_usual_rate(case: Rush, say: Say) -> Answer:
    """A queue is worked off as fast as requests usually come."""
    found = round(60 * case.backlog / case.before)
    return Answer(
        found, f"{say(case.backlog)} / {say(case.before)} minutes takes the usual arrivals for what the workers can do."
    )


def surplus_divides_the_rush(case: Rush, say: Say) -> Answer:
    """The wait grows only by the share of requests that are too many."""
    found = round(60 * case.backlog / case.answered * (case.arrivals - case.answered) / case.arrivals)
    return Answer(found, f"{say(found)} s takes the surplus twice, once in the backlog and once as a share.")


RUSH = Family(
    name="longest-wait",
    title="How long the last of a rush waits",
    objective="4.2.6",
    bloom="apply",
    est_seconds=120,
    difficulty=0.5,
    situation=_rush,
    ask=_ask_rush,
    solve=_longest_wait,
    wrong=(
        later_arrivals_come_first,
        answered_ones_wait_too,
        backlog_over_arrivals,
        average_of_the_waits,
        worked_off_at_the_usual_rate,
        surplus_divides_the_rush,
    ),
    unit="s",
    sources=(LAMBDA_SQS,),
)

FAMILIES = (VISIBILITY, WORKERS, DRAIN, POISON, RUSH)
