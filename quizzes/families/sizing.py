"""How many: instances for a peak, for a throughput, and how long it takes until they are there."""

from dataclasses import dataclass
from math import ceil
from random import Random

from labs.economics.traffic import in_flight
from quizzes.families.family import Answer, Family
from quizzes.families.say import Say
from quizzes.model import Tolerance
from quizzes.situations import Setting, setting

EXACT = Tolerance(absolute=0)


# --- instances for a peak


@dataclass(frozen=True)
class Peak:
    """A peak of requests on instances that each hold so many at once."""

    setting: Setting
    per_minute: int
    """at the peak"""
    average: int
    """requests a minute over the day"""
    seconds: int
    """one request"""
    at_once: int
    """requests that an instance holds within the objective"""

    def instances(self, per_minute: float, at_once: float | None = None) -> int:
        """Little's law, and a whole number of instances."""
        return ceil(in_flight(per_minute / 60, self.seconds) / (at_once or self.at_once))


def _peak(random: Random) -> Peak:
    per_minute = random.choice([120, 150, 180, 240, 300, 360, 450, 600])
    return Peak(
        setting(random),
        per_minute,
        round(per_minute / random.choice([2.5, 3, 4, 5])),
        random.choice([5, 6, 8, 9, 12, 15, 20]),
        random.choice([6, 8, 10, 12, 16]),
    )


def _ask_peak(case: Peak, say: Say) -> tuple[str, str]:
    job = case.setting
    stem = say.pick(
        f"{job.who} uses a self-hosted model behind an endpoint to {job.task}. At the peak {say(case.per_minute)} requests arrive per minute, "
        f"over the whole day {say(case.average)} per minute.",
        f"An endpoint with a model of one's own is to {job.task}. It sees {say(case.average)} requests a minute on average and "
        f"{say(case.per_minute)} a minute for some hours at noon.",
    )
    measured = say.pick(
        f"A request takes {say(case.seconds)} seconds, and load tests show that an instance may hold {say(case.at_once)} requests at once before "
        "answers become too slow.",
        f"With up to {say(case.at_once)} requests in hand an instance answers each in {say(case.seconds)} seconds; with more it misses the objective.",
    )
    return f"{stem} {measured} The peak must be served in time even after one instance has failed.", say.pick(
        "What is the LOWEST number of instances to deploy?", "Which number of instances is the LOWEST that meets this?"
    )


def _instances_for_peak(case: Peak, say: Say) -> Answer | None:
    inside, needed = in_flight(case.per_minute / 60, case.seconds), case.instances(case.per_minute)
    if needed < 2:
        return None
    return Answer(
        needed + 1,
        f"{say(case.per_minute)} / 60 × {say(case.seconds)} s = {say(inside)} requests are inside at once. Divided by {say(case.at_once)}, and rounded up, "
        f"that is {say(needed)}; one more may fail.",
    )


def one_request_at_a_time(case: Peak, say: Say) -> Answer:
    """An instance works on one request, then on the next."""
    needed = case.instances(case.per_minute, 1)
    return Answer(
        needed + 1,
        f"One instance for each of {say(needed)} requests inside, and a spare. An instance holds {say(case.at_once)}.",
    )


def average_for_the_peak(case: Peak, say: Say) -> Answer:
    """Capacity is planned for the average; peaks even out."""
    needed = case.instances(case.average)
    return Answer(
        needed + 1,
        f"{say(case.average)} / 60 × {say(case.seconds)} / {say(case.at_once)}, rounded up, and a spare make {say(needed + 1)} for the average. At the peak there are {say(case.per_minute)} requests a minute.",
    )


def requests_per_minute_are_inside(case: Peak, say: Say) -> Answer:
    """As many requests are inside as arrive in a minute."""
    needed = ceil(case.per_minute / case.at_once)
    return Answer(
        needed + 1,
        f"{say(case.per_minute)} / {say(case.at_once)} takes all requests of a minute as inside at once. Each is gone after {say(case.seconds)} seconds.",
    )


def forgot_the_spare(case: Peak, say: Say) -> Answer:
    """What carries the peak carries it with one instance less, too."""
    needed = case.instances(case.per_minute)
    return Answer(needed, f"{say(needed)} carry the peak while all are well. One may fail.")


def everything_twice(case: Peak, say: Say) -> Answer:
    """To survive the loss of one instance takes every instance twice."""
    needed = case.instances(case.per_minute)
    return Answer(2 * needed, f"{say(2 * needed)} would survive the loss of {say(needed)}. One is what was asked for.")


INSTANCES_FOR_PEAK = Family(
    name="instances-for-peak",
    title="How many instances a peak takes",
    objective="4.2.5",
    bloom="apply",
    est_seconds=130,
    difficulty=0.55,
    situation=_peak,
    ask=_ask_peak,
    solve=_instances_for_peak,
    wrong=(
        one_request_at_a_time,
        average_for_the_peak,
        requests_per_minute_are_inside,
        forgot_the_spare,
        everything_twice,
    ),
    kind="number",
    unit="instances",
    tolerance=EXACT,
    sources=("lmi-docs",),
)


# --- instances for a throughput


@dataclass(frozen=True)
class Throughput:
    """A stream of requests and a measured instance."""

    setting: Setting
    per_s: int
    average_per_s: int
    input_tokens: int
    output_tokens: int
    full: int
    """output tokens per second of a full instance"""
    alone: int
    """of one stream that has an instance to itself"""
    streams: int
    """that a full instance holds"""
    load: float
    """planned share of full output"""

    def instances(self, tokens_per_s: float, each: float) -> int:
        """A whole number."""
        return ceil(tokens_per_s / each - 1e-9)


def _throughput(random: Random) -> Throughput:
    per_s = random.choice([12, 16, 20, 24, 30, 36, 40])
    full = random.choice([600, 800, 1000, 1200, 1500])
    alone = random.choice([30, 40, 50, 60])
    return Throughput(
        setting(random),
        per_s,
        round(per_s / random.choice([2, 2.5, 3])),
        random.choice([300, 400, 600, 800, 1000]),
        random.choice([150, 200, 250, 300, 400]),
        full,
        alone,
        round(full / alone * random.choice([1.5, 1.8, 2.2])),
        random.choice([0.6, 0.65, 0.7, 0.75, 0.8]),
    )


def _ask_throughput(case: Throughput, say: Say) -> tuple[str, str]:
    job = case.setting
    stem = say.pick(
        f"{job.who} plans an endpoint to {job.task}: {say(case.per_s)} requests per second at the peak, {say(case.average_per_s)} on average, with "
        f"{say(case.input_tokens)} tokens in and {say(case.output_tokens)} out.",
        f"At the peak {say(case.per_s)} requests per second, and {say(case.average_per_s)} on average, ask an endpoint to {job.task}. Prompts have "
        f"{say(case.input_tokens)} tokens and answers {say(case.output_tokens)}.",
    )
    measured = (
        f"A load test with these lengths, prompts included, gave {say(case.full)} output tokens per second from one full instance with {say(case.streams)} streams; "
        f"a stream that is alone gets {say(case.alone)}."
    )
    plan = say.pick(
        f"At the peak an instance is to work at no more than {say(100 * case.load)} % of its full output.",
        f"The plan leaves headroom: at most {say(100 * case.load)} % of full output at the peak.",
    )
    return f"{stem} {measured} {plan}", say.pick(
        "What is the LOWEST number of instances for the peak?",
        "Which number of instances is the LOWEST that meets the plan?",
    )


def _instances_for_throughput(case: Throughput, say: Say) -> Answer:
    wanted, each = case.per_s * case.output_tokens, case.full * case.load
    needed = case.instances(wanted, each)
    return Answer(
        needed,
        f"{say(case.per_s)} × {say(case.output_tokens)} = {say(wanted)} output tokens per second. An instance gives {say(case.full)} × {say(case.load)} = {say(each)}, so "
        f"{say(wanted / each)}, rounded up: {say(needed)}.",
    )


def prompts_are_written_too(case: Throughput, say: Say) -> Answer:
    """Throughput in output tokens has to cover the prompts as well."""
    wanted = case.per_s * (case.input_tokens + case.output_tokens)
    needed = case.instances(wanted, case.full * case.load)
    return Answer(
        needed,
        f"{say(wanted)} tokens per second contain the prompts. They were in the load test already, and the measure is output.",
    )


def speed_of_a_lone_stream(case: Throughput, say: Say) -> Answer:
    """An instance gives what one stream gets from it."""
    wanted = case.per_s * case.output_tokens
    needed = case.instances(wanted, case.alone * case.load)
    return Answer(
        needed,
        f"{say(wanted)} / ({say(case.alone)} × {say(case.load)}) has the speed of one stream. A batch of {say(case.streams)} gives far more together.",
    )


def streams_keep_their_speed(case: Throughput, say: Say) -> Answer:
    """Each stream of a full instance is as fast as one that is alone."""
    each = case.alone * case.streams * case.load
    needed = case.instances(case.per_s * case.output_tokens, each)
    return Answer(
        needed,
        f"{say(case.streams)} streams × {say(case.alone)} would be {say(case.alone * case.streams)} tokens per second. In a batch each stream is slower: {say(case.full)} were measured.",
    )


def planned_without_headroom(case: Throughput, say: Say) -> Answer:
    """What an instance gave in the load test, it can be planned with."""
    needed = case.instances(case.per_s * case.output_tokens, case.full)
    return Answer(
        needed,
        f"{say(case.per_s * case.output_tokens)} / {say(case.full)}, rounded up, makes {say(needed)} instances that are full at the peak. The plan allows {say(100 * case.load)} %.",
    )


def throughput_of_the_average(case: Throughput, say: Say) -> Answer:
    """An endpoint is sized for its average load."""
    needed = case.instances(case.average_per_s * case.output_tokens, case.full * case.load)
    return Answer(
        needed,
        f"{say(case.average_per_s)} × {say(case.output_tokens)} / {say(case.full * case.load)}, rounded up, makes {say(needed)} for the average. The peak has {say(case.per_s)} requests per second.",
    )


def whole_fleet_in_two_zones(case: Throughput, say: Say) -> Answer:
    """Each of two zones must be able to carry the peak alone."""
    needed = 2 * case.instances(case.per_s * case.output_tokens, case.full * case.load)
    return Answer(needed, f"{say(needed)} would survive the loss of a zone, which nobody asked for.")


def headroom_taken_twice(case: Throughput, say: Say) -> Answer:
    """Headroom is taken off the instance and put onto the load."""
    needed = case.instances(case.per_s * case.output_tokens / case.load, case.full * case.load)
    return Answer(
        needed,
        f"{say(case.per_s * case.output_tokens)} / {say(case.load)} / {say(case.full * case.load)} takes the {say(100 * case.load)} % twice, off the load and off the instance.",
    )


INSTANCES_FOR_THROUGHPUT = Family(
    name="instances-for-throughput",
    title="How many instances a throughput takes",
    objective="4.1.3",
    bloom="apply",
    est_seconds=150,
    difficulty=0.5,
    situation=_throughput,
    ask=_ask_throughput,
    solve=_instances_for_throughput,
    wrong=(
        prompts_are_written_too,
        speed_of_a_lone_stream,
        streams_keep_their_speed,
        planned_without_headroom,
        throughput_of_the_average,
        whole_fleet_in_two_zones,
        headroom_taken_twice,
    ),
    kind="number",
    unit="instances",
    tolerance=EXACT,
    sources=("lmi-docs",),
)


# --- what piles up while a new instance starts


@dataclass(frozen=True)
class ScaleOut:
    """A jump of the load, and a fleet that grows with a delay."""

    setting: Setting
    before: int
    """requests a minute that the fleet can answer"""
    after: int
    """requests a minute that arrive from now on"""
    periods: int
    """one-minute datapoints until the alarm"""
    start_min: int
    """minutes until new instances answer"""
    cooldown_min: int

    @property
    def growth(self) -> int:
        """Requests that are left over each minute."""
        return self.after - self.before


def _scale_out(random: Random) -> ScaleOut:
    before = random.choice([60, 80, 100, 120, 150, 200])
    return ScaleOut(
        setting(random),
        before,
        round(before * random.choice([1.5, 1.75, 2, 2.5])),
        random.choice([2, 3]),
        random.choice([4, 5, 6, 7, 8, 9]),
        random.choice([5, 10]),
    )


def _ask_scale_out(case: ScaleOut, say: Say) -> tuple[str, str]:
    job = case.setting
    stem = say.pick(
        f"{job.who} has a fleet of model servers that can {job.task} {say(case.before)} times a minute. From one minute to the next, {say(case.after)} requests arrive "
        "per minute, and it stays so.",
        f"The load of an endpoint that is to {job.task} jumps to {say(case.after)} requests per minute and stays there; the instances that are running answer "
        f"{say(case.before)} per minute.",
    )
    alarm, start, cooldown = say(case.periods), say(case.start_min), say(case.cooldown_min)
    rest = say.pick(
        f"The scaling alarm needs {alarm} datapoints of a minute each. New instances then need {start} minutes until they answer, and a cooldown of {cooldown} minutes follows. "
        "Requests wait in a queue; none is lost or given up.",
        f"Scaling out begins after {alarm} one-minute datapoints above the target. It takes {start} minutes more for the new instances to load the model and answer. After a step the policy "
        f"cools down for {cooldown} minutes. What cannot be answered yet waits.",
        f"An alarm goes off when the metric was too high for {alarm} minutes; {start} minutes later further instances are in service. The cooldown of the policy is {cooldown} minutes. Nothing "
        "is dropped: requests queue.",
    )
    return f"{stem} {rest}", say.pick(
        "Which is the BEST estimate of the requests that wait when the new instances begin to answer?",
        "How many requests have piled up, as the BEST estimate, at the moment at which the new instances answer?",
    )


def _piled_up(case: ScaleOut, say: Say) -> Answer:
    minutes = case.periods + case.start_min
    found = case.growth * minutes
    return Answer(
        found,
        f"Each minute {say(case.after)} − {say(case.before)} = {say(case.growth)} are left over. After {say(case.periods)} + {say(case.start_min)} = {say(minutes)} minutes, {say(found)} "
        "wait.",
    )


def alarm_is_instant(case: ScaleOut, say: Say) -> Answer:
    """Scaling begins with the load."""
    found = case.growth * case.start_min
    return Answer(
        found,
        f"{say(case.growth)} × {say(case.start_min)} minutes leaves out the {say(case.periods)} minutes until the alarm.",
    )


def instances_are_instant(case: ScaleOut, say: Say) -> Answer:
    """With the alarm the new instances answer."""
    found = case.growth * case.periods
    return Answer(
        found,
        f"{say(case.growth)} × {say(case.periods)} minutes ends with the alarm. Instances take {say(case.start_min)} minutes more.",
    )


def old_instances_stop_meanwhile(case: ScaleOut, say: Say) -> Answer:
    """While a fleet scales, it does not answer."""
    found = case.after * (case.periods + case.start_min)
    return Answer(
        found,
        f"All {say(case.after)} requests of each minute were counted. The running instances answer {say(case.before)} of them.",
    )


def cooldown_delays_the_first(case: ScaleOut, say: Say) -> Answer:
    """A cooldown has to pass before instances answer."""
    minutes = case.periods + case.start_min + case.cooldown_min
    found = case.growth * minutes
    return Answer(
        found, f"{say(minutes)} minutes contain the cooldown. It delays the next step of scaling, not this one."
    )


def half_on_the_way(case: ScaleOut, say: Say) -> Answer:
    """A backlog that grows is, on the whole, half as large."""
    found = case.growth * (case.periods + case.start_min) / 2
    return Answer(found, f"{say(found)} is the average on the way. At its end all of it waits.")


def old_capacity_is_left_over(case: ScaleOut, say: Say) -> Answer:
    """What waits is what the old fleet could have answered in that time."""
    found = case.before * (case.periods + case.start_min)
    return Answer(found, f"{say(found)} is what the running instances answered in the meantime.")


SCALE_OUT = Family(
    name="scale-out-backlog",
    title="What piles up while new instances start",
    objective="4.2.5",
    bloom="apply",
    est_seconds=110,
    difficulty=0.6,
    situation=_scale_out,
    ask=_ask_scale_out,
    solve=_piled_up,
    wrong=(
        alarm_is_instant,
        instances_are_instant,
        old_instances_stop_meanwhile,
        cooldown_delays_the_first,
        half_on_the_way,
        old_capacity_is_left_over,
    ),
    unit="requests",
    sources=("sagemaker-autoscaling",),
)

FAMILIES = (INSTANCES_FOR_PEAK, INSTANCES_FOR_THROUGHPUT, SCALE_OUT)
