"""What a stack's jobs have cost, counted from its own table, and the limit that the next ones must stay under.

    money = Money(Squid("squid"), where)        # where is a cloud; on AWS, and wherever a ceiling was named, money matters
    money.require_admitted()                    # a Refusal when nobody named a ceiling
    money.before(jobs)                          # a Refusal, before jobs that could pass it; nothing was sent
    money.look()                                # Count(jobs=..., usd=...), written to spend.jsonl for `lab list`

The table knows every job, whoever handed it in: a client here, the page, a colleague. So a count from it leaves nobody out. A job that has not
ended counts as the most that it can cost; so does every further attempt at one, for nobody knows how far a model came that broke off.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import click

from labs import facts, targets, terminal
from labs.cloud import Cloud
from labs.economics import queue
from labs.errors import USAGE, Refusal
from labs.squid.client import Job, Squid, message_of
from labs.squid.functions.jobs import FINAL
from labs.targets import Site, Target, guard, options, spend, token_price
from labs.targets.spend import Spent
from labs.targets.token_price import TokenPrice

READ = (
    "job_id",
    "status",
    "attempts",
    "input_tokens",
    "output_tokens",
    "model_ms",
    "started_at_ms",
    "finished_at_ms",
    "prompt_bytes",
    "max_tokens",
)


@dataclass(frozen=True)
class Count:
    """A stack's jobs together, in US dollars at list prices."""

    jobs: int = 0
    open: int = 0
    """of them, those that have not ended"""
    unknown: int = 0
    """attempts that brought no answer, or not yet"""
    input_tokens: int = 0
    output_tokens: int = 0
    tokens_usd: float = 0.0
    """for the answers that are written"""
    queue_usd: float = 0.0
    """for the queue around them"""
    pending_usd: float = 0.0
    """at most, for jobs that have not ended and for attempts that brought no answer"""

    @property
    def usd(self) -> float:
        """What it may have come to, at most."""
        return self.tokens_usd + self.queue_usd + self.pending_usd


class Money:
    """The limit of one stack's calls, and what is left of it."""

    def __init__(self, squid: Squid, where: Cloud, ceiling_usd: float | None = None) -> None:
        """`ceiling_usd`, where somebody names one here: what all of the stack's calls may cost together, those before included."""
        self._squid, self._where = squid, where
        if ceiling_usd is not None:
            self._price_again(ceiling_usd)

    @property
    def spent(self) -> Spent | None:
        """What is written down here of this stack; None when nothing is."""
        return spend.total(self._where).get(self._squid.stack)

    @property
    def limit_usd(self) -> float | None:
        """What its calls may cost together; None where nobody set a limit."""
        return self.spent.limit_usd if self.spent else None

    def require_admitted(self) -> None:
        """Return unless this is AWS and nobody here named a ceiling for this stack's calls. Raises Refusal."""
        guard.require_admitted(Site(self._where, self._squid.stack))

    def before(self, jobs: Iterable[Job]) -> float:
        """What these jobs can cost, when that fits under the limit, if there is one, beside all that the table holds. Raises Refusal when not.

        A job whose key the table knows is there already, and costs nothing anew.
        """
        if self.limit_usd is None:
            return 0.0
        price, most = self._price, self._squid.max_tokens
        there = {item["job_id"]["S"] for item in _items(self._squid.table)}
        new = [job for job in jobs if message_of(job).job_id not in there]
        wanted = [(len(job.prompt.encode()), min(job.max_tokens or most, most)) for job in new]
        asked = Count(jobs=len(wanted), queue_usd=_queue(len(wanted), 0.0, len(wanted)))
        asked_usd = asked.queue_usd + sum(_most(price, *each) for each in wanted)
        self._require(asked_usd, f"{len(wanted):,} more could cost")
        return asked_usd

    def before_redrive(self) -> None:
        """As `before`, for all that lies in the dead-letter queue."""
        if self.limit_usd is None:
            return
        dead = self._squid.depth()["dead"]
        most = _most(self._price, _LONGEST_PROMPT, self._squid.max_tokens)
        self._require(dead * most + _queue(dead, 0.0, dead), f"{dead:,} of them again could cost")

    def look(self) -> Count:
        """Count the table's jobs, and write the count down."""
        counted = count(_items(self._squid.table), self._price, self._squid.max_tokens)
        if counted.jobs:
            unpriced = counted.jobs if self._is_unpriced else 0
            numbers = Spent(counted.jobs, counted.input_tokens, counted.output_tokens, counted.usd, unpriced)
            spend.observe(self._where, self._squid.stack, self._squid.target, numbers)
        return counted

    def says(self, counted: Count) -> str:
        """The count as a sentence."""
        at_most = f", ${counted.pending_usd:,.4f} of it for attempts that brought no answer, or not yet" * (
            counted.pending_usd > 0
        )
        of = "" if self.limit_usd is None else f" of ${self.limit_usd:,.2f} that its ceiling leaves for calls"
        tokens = f"{counted.input_tokens:,} tokens read and {counted.output_tokens:,} written"
        no_price = "; the register has no price of its tokens" if self._is_unpriced else ""
        return (
            f"{self._squid.stack}: {counted.jobs:,} jobs, {tokens}, ${counted.usd:,.4f} at most{of}{at_most}{no_price}"
        )

    def _require(self, more_usd: float, says: str) -> None:
        limit, counted = self.limit_usd or 0.0, self.look()
        if counted.usd + more_usd > limit:
            raise Refusal(
                f"the {counted.jobs:,} jobs of '{self._squid.stack}' have cost up to ${counted.usd:.4f}, and {says} ${more_usd:.4f}: that passes what "
                f"its ceiling left for calls, ${limit:.4f}; nothing was sent. Ask for less, or say a higher --ceiling-usd",
                USAGE,
            )

    @property
    def _price(self) -> TokenPrice | None:
        return self.spent.price if self.spent else None

    @property
    def _is_unpriced(self) -> bool:
        """Whether its calls cost something by the token, and nobody here knows what."""
        return self._price is None and self._squid.target in (*token_price.BY_THE_TOKEN, token_price.BY_THE_WINDOW)

    def _price_again(self, ceiling_usd: float) -> None:
        target = _target(self._squid)
        if self._where.real:
            token_price.of(target)  # a call without a price is no call for nothing
        spend.open_for(Site(self._where, self._squid.stack), target, ceiling_usd)


def _target(squid: Squid) -> Target:
    """The target behind the queue, as far as its calls' price depends on it."""
    named = {"model_id": squid.address.location} if squid.target == "bedrock-on-demand" else {}
    named |= {"model_id": squid.model_id} if squid.target == "bedrock-batch" else {}
    tier, latency = squid.address.tier or None, squid.address.latency or None
    return options.make(squid.target, targets.get(squid.target), (), tier=tier, latency=latency, **named)


JOB_S = 60.0
"""How long a job may keep its worker, where nobody knows, for what that costs at most."""
_LONGEST_PROMPT = int(facts.number("sqs.message.max_bytes"))


def count(items: Iterable[Mapping[str, Any]], price: TokenPrice | None, max_tokens: int) -> Count:
    """All of a table's items. `max_tokens` is what the stack allows an answer."""
    jobs = open_ = unknown = read = written = model_ms = 0
    pending_usd = 0.0
    moments_ms: list[int] = []
    for item in items:
        status = item["status"]["S"]
        if status == "QUARANTINED":  # no job: nobody asked a model
            continue
        numbers = {name: int(value["N"]) for name, value in item.items() if "N" in value}
        prompt_bytes = numbers.get("prompt_bytes", _LONGEST_PROMPT)
        most = _most(price, prompt_bytes, min(numbers.get("max_tokens", max_tokens), max_tokens))
        # What an attempt cost that brought no answer is known to nobody: at most all of it. One that waits has its next before it.
        of_this = numbers.get("attempts", 0) - (status == "DONE") + (status == "QUEUED")
        jobs, open_, unknown = jobs + 1, open_ + (status not in FINAL), unknown + of_this
        pending_usd += of_this * most
        read, written = read + numbers.get("input_tokens", 0), written + numbers.get("output_tokens", 0)
        model_ms += numbers.get("model_ms", 0)
        moments_ms += [numbers[name] for name in ("started_at_ms", "finished_at_ms") if name in numbers]
    tokens_usd = price.usd(read, written) if price else 0.0
    if price and price.window_usd:
        tokens_usd += price.window_usd * _windows(price, jobs - open_, moments_ms)
    return Count(jobs, open_, unknown, read, written, tokens_usd, _queue(jobs, model_ms / 1000, unknown), pending_usd)


def _windows(price: TokenPrice, jobs: int, moments_ms: list[int]) -> int:
    """How many windows of a copy's time they can have opened: one each, and one copy's from the first to the last of them at most."""
    if not price.window_s or not moments_ms:
        return jobs
    return min(jobs, math.ceil((max(moments_ms) - min(moments_ms)) / 1000 / price.window_s) + 1)


def _most(price: TokenPrice | None, prompt_bytes: int, max_tokens: int) -> float:
    """What one attempt can cost: no tokeniser makes more tokens than bytes."""
    return 0.0 if price is None else price.usd(prompt_bytes, max_tokens) + price.window_usd


def _queue(jobs: int, known_s: float, unknown: int) -> float:
    """What the queue around so many jobs costs, their workers having waited so long, and `unknown` attempts as long as they may."""
    return queue.squid(jobs, (known_s + unknown * JOB_S) / jobs).usd if jobs else 0.0


def _items(table: str) -> Iterator[Mapping[str, Any]]:
    names = {f"#{name}": name for name in READ}
    pages: Any = boto3.client("dynamodb").get_paginator("scan")
    for page in pages.paginate(
        TableName=table, ProjectionExpression=", ".join(names), ExpressionAttributeNames=names, ConsistentRead=True
    ):
        yield from page["Items"]


all_calls_option = click.option(
    "--ceiling-usd",
    type=click.FloatRange(0, min_open=True),
    help="What all of the stack's calls may cost together, those before included.",
)


@contextmanager
def spent(money: Money, *, quiet: bool) -> Iterator[None]:
    """Count what the stack's jobs have cost when the block is over, however it ends, and say so; nothing of either where no limit was set."""
    try:
        yield
    finally:
        if money.limit_usd is not None:
            counted = money.look()
            if not quiet:
                _say(money, counted)


def say_spent(money: Money) -> None:
    """Count, and say what it comes to; nothing where no limit was set."""
    with spent(money, quiet=False):
        pass


def _say(money: Money, counted: Count) -> None:
    terminal.out.print(f"{money.says(counted)}.", style="dim", markup=False)
