"""How many workers a token quota feeds: Little's law, with a call's place in the quota for its rate.

    sized = size("us.meta.llama3-3-70b-instruct-v1:0", tokens_per_minute=600_000, input_tokens=1_000, max_tokens=512, batch_size=5)
    sized.calls_in_flight, sized.workers        # more of them would only be refused
    print(sized.reason)

A call takes its input and its *max_tokens* out of the quota when it starts (output counts several times with some models), and gives back what it
did not write when it ends. So the calls a second that a quota admits for good follow from max_tokens, and a lower max_tokens feeds more workers.
https://docs.aws.amazon.com/bedrock/latest/userguide/quotas-token-burndown.html
"""

import math
from dataclasses import dataclass

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from labs import facts
from labs.cloud.services.bedrock_models import models
from labs.cloud.services.quotas import bedrock_tokens_per_minute
from labs.serving.services import latencies
from labs.targets.calling import Address

ENOUGH_FOR_A_COURSE = 4
"""Workers where nobody asks for another number: twenty calls in flight with batches of five, on a laptop or in a new account."""
INPUT_TOKENS = 1_000
"""of a job, where nothing is known of it"""


@dataclass(frozen=True)
class Sized:
    """What a quota feeds."""

    calls_in_flight: float
    workers: int
    """MaximumConcurrency of the event source mapping: at least the least that Lambda takes."""
    reason: str


def size(
    model_id: str, *, tokens_per_minute: float, input_tokens: int, max_tokens: int, batch_size: int, seconds: float = 0
) -> Sized:
    """Workers of `batch_size` calls each that the quota feeds; `seconds` a call takes, where it was measured, else as assumed for the model."""
    burndown = burndown_of(model_id)
    taken = input_tokens + max_tokens * burndown
    calls_per_s = tokens_per_minute / 60 / taken
    assumed = latencies(model_id)
    seconds = seconds or assumed.ttft_s + input_tokens * assumed.per_input_token_s + max_tokens * assumed.tpot_s
    in_flight = calls_per_s * seconds
    least, most = (int(facts.number(f"lambda.sqs.maximum_concurrency_{end}")) for end in ("min", "max"))
    workers = max(least, min(most, math.floor(in_flight / batch_size)))
    times = f" x {burndown:g}" if burndown != 1 else ""
    reason = (
        f"{tokens_per_minute:,.0f} tokens a minute / ({input_tokens:,} + {max_tokens:,}{times}) = {calls_per_s:.1f} calls a second; "
        f"x {seconds:.1f} s a call = {in_flight:.0f} calls in flight; / {batch_size} a worker = {in_flight / batch_size:.1f} workers"
    )
    if in_flight < least * batch_size:
        reason += f"; Lambda takes no fewer than {least}, so the model will refuse some calls: a smaller batch helps"
    return Sized(in_flight, workers, reason)


def burndown_of(model_id: str) -> float:
    """How often a written token counts in the quota."""
    known = models()
    served = known.get(model_id) or known.get(model_id.partition(".")[2])  # a profile's id begins with its geography
    return served.burndown if served else 1.0


def quota_of(address: Address) -> float | None:
    """The account's tokens per minute for the model at that address; None where no quota of tokens stands before it."""
    quota = bedrock_tokens_per_minute(address.location) if address.protocol == "converse" else None
    if quota is None:
        return None
    try:
        client = boto3.client("service-quotas")
        applied = client.get_service_quota(ServiceCode="bedrock", QuotaCode=quota.code)["Quota"]["Value"]
    except (ClientError, BotoCoreError):  # whoever may deploy may not always look; then the register's default
        return quota.default
    return float(applied)


def workers(address: Address, *, max_tokens: int, batch_size: int, asked: int | None) -> tuple[int, str]:
    """How many workers to deploy, and why: as many as were asked for, else enough for a course or as the quota feeds, whichever is fewer."""
    quota = quota_of(address)
    if quota is None:
        chosen = asked or ENOUGH_FOR_A_COURSE
        return chosen, f"{chosen} workers of {batch_size} calls each; no quota of tokens stands before this target"
    sized = size(
        address.location,
        tokens_per_minute=quota,
        input_tokens=INPUT_TOKENS,
        max_tokens=max_tokens,
        batch_size=batch_size,
    )
    chosen = asked or min(ENOUGH_FOR_A_COURSE, sized.workers)
    verdict = "more than that quota feeds: expect throttling" if chosen > sized.workers else "within the quota"
    return chosen, f"{chosen} workers of {batch_size} calls each, {verdict} ({sized.reason})"
