"""What a run can cost on AWS, before its first request, and what it came to, however it ended: one line of the file that `lab list` reads.

    meter = meter_of(place, clouds, ceiling_usd=None, tell=print)
    meter.require(work, timeout_s)                        # a Refusal where its worst case does not fit; nothing was sent
    outcome = meter.measure(work, timeout_s, watch, lambda watch: crew.measure(..., watch=watch))

A target that is billed by the hour costs nothing by the call. Through the queue, the stack's own table counts.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import ceil
from typing import Any

import boto3

from labs import targets
from labs.bench.crew import LAST_WORDS_S, Outcome
from labs.bench.endpoints import Endpoint
from labs.bench.endpoints.bedrock import Bedrock
from labs.bench.endpoints.sagemaker import SageMaker
from labs.bench.endpoints.squid import ThroughSquid, ThroughSquidByPush
from labs.bench.exchange import Ask
from labs.bench.prompts import Prompts
from labs.bench.records import Record
from labs.bench.runner import ask_of
from labs.bench.where import Clouds, Place
from labs.bench.workload import Workload
from labs.cloud import Cloud
from labs.errors import NOT_READY, USAGE, Refusal
from labs.squid.client import Job, Squid
from labs.squid.spending import Money
from labs.targets import Site, Target, ceiling, options, spend, token_price
from labs.targets.spend import Spent
from labs.targets.token_price import TokenPrice

ON_DEMAND = "bedrock-on-demand"
CEILINGS = ("maxTokens", "max_tokens", "max_gen_len", "maxTokenCount", "max_completion_tokens")
"""what the most tokens of an answer are called, in the bodies that Bedrock takes"""
MAY_HAVE_WORKED = (408, 424)
"""refusals that come while a model works, or after: it took too long, or it failed"""

Watch = Callable[[float, list[Record]], None]


class Meter:
    """Of a run that costs nothing by the call."""

    def require(self, work: Workload, timeout_s: float) -> None:
        """Return when the run's worst case fits what its calls may cost. Raises Refusal when it does not; nothing was sent."""

    def measure(self, work: Workload, timeout_s: float, watch: Watch, run: Callable[[Watch], Outcome]) -> Outcome:
        """Run it if it fits, with a watch to tell, and write down what it came to."""
        self.require(work, timeout_s)
        return run(watch)


def meter_of(place: Place, clouds: Clouds, ceiling_usd: float | None, tell: Callable[[str], object]) -> Meter:
    """For one endpoint. Raises Refusal where its calls cost something on AWS and the register has no price of them."""
    where, endpoint = clouds.entered, place.endpoint
    if where is not None and isinstance(endpoint, ThroughSquid | ThroughSquidByPush):
        squid = Squid(endpoint.stack)
        return _ThroughTheQueue(Money(squid, where, ceiling_usd), squid, tell)
    target = _target(place, where) if where else None
    if where is not None and target is not None:
        site = place.deployed[1] if place.deployed else Site(where, place.name)
        spent = spend.total(where).get(site.name, Spent())
        if not where.real and ceiling_usd is None and spent.limit_usd is None:
            return Meter()
        try:
            # What a deployment's calls cost was written down with its options; a model on demand is the one that is named here.
            price = (None if target.name == ON_DEMAND else spent.price) or token_price.of(target)
        except Refusal:
            if where.real:
                raise  # there, a call without a price is no call for nothing
            return _ByTheCall(endpoint, target, site, None, ceiling_usd, tell)
        if price is not None:
            return _ByTheCall(endpoint, target, site, price, ceiling_usd, tell)
    if ceiling_usd is not None:
        raise Refusal(f"nothing is billed for a call of {place.name}, so leave out --ceiling-usd", USAGE)
    return Meter()


def _target(place: Place, where: Cloud) -> Target | None:
    """Whose price its calls have; None where they are not AWS's, or are billed by the hour."""
    endpoint = place.endpoint
    if isinstance(endpoint, Bedrock) and (place.deployed is None or place.target == ON_DEMAND):
        return None if ":provisioned-model/" in endpoint.model_id else _on_demand(endpoint)
    if place.deployed is not None:
        return place.deployed[0]
    if isinstance(endpoint, SageMaker) and where.real:
        variants = boto3.client("sagemaker").describe_endpoint(EndpointName=endpoint.name).get("ProductionVariants", ())
        memory = [
            each["CurrentServerlessConfig"]["MemorySizeInMB"] for each in variants if "CurrentServerlessConfig" in each
        ]
        name = token_price.BY_THE_SECOND
        return options.make(name, targets.get(name), memory_mb=max(memory)) if memory else None
    return None


def _on_demand(endpoint: Bedrock) -> Target:
    """The model with what its requests' bodies say that has a price of its own: --body may name a tier."""
    extra: Mapping[str, Any] = endpoint.extra
    tier, latency = (
        said.get(name) if isinstance(said := extra.get(key), Mapping) else None
        for key, name in (("serviceTier", "type"), ("performanceConfig", "latency"))
    )
    cache = any(word in json.dumps(extra) for word in ("cachePoint", "cache_control")) or None
    model_id = endpoint.model_id
    return options.make(ON_DEMAND, targets.get(ON_DEMAND), model_id=model_id, tier=tier, latency=latency, cache=cache)


class _ByTheCall(Meter):
    """Counts the records of its runs."""

    def __init__(
        self,
        endpoint: Endpoint,
        target: Target,
        site: Site,
        price: TokenPrice | None,
        ceiling_usd: float | None,
        tell: Callable[[str], object],
    ) -> None:
        self._endpoint, self._target, self._site, self._price = endpoint, target, site, price
        self._ceiling_usd, self._tell = ceiling_usd, tell

    def require(self, work: Workload, timeout_s: float) -> None:
        self._most_usd(work, timeout_s)

    def measure(self, work: Workload, timeout_s: float, watch: Watch, run: Callable[[Watch], Outcome]) -> Outcome:
        most_usd = self._most_usd(work, timeout_s)
        if self._ceiling_usd is not None:
            spend.open_for(self._site, self._target, self._ceiling_usd, self._price)
            self._ceiling_usd = None  # the next run has what this one leaves
        name, count = self._site.name, expected(work)
        priced = f"can cost up to ${most_usd:,.4f} at list prices" if self._price else "have no price in the register"
        self._tell(f"{name}: {count:,} requests {priced}; {self._left()}.")
        seen: list[Record] = []
        elapsed_s: float | None = None

        def listen(now_s: float, new: list[Record]) -> None:
            nonlocal elapsed_s
            elapsed_s = now_s
            seen.extend(new)
            watch(now_s, new)

        told = False
        try:
            outcome = run(listen)
            quality = outcome.run.quality
            told = quality is not None and len(quality.workers) == outcome.run.header.workers
            if outcome.interrupted and elapsed_s is None:  # twice within the first moment
                elapsed_s = 0.0
            return outcome
        finally:
            if elapsed_s is not None:  # else nothing was sent
                lost = () if told else _unheard(work, seen, elapsed_s + LAST_WORDS_S)
                self._write_down(work, seen, lost, elapsed_s)

    def _most_usd(self, work: Workload, timeout_s: float) -> float:
        """The run's worst case. Raises Refusal when it does not fit."""
        count, name = expected(work), self._site.name
        read, written = self._most_tokens(work, range(count))
        # A closed loop's clients may each wait as long as they may for each of their answers.
        last_s = work.due_s[-1] if work.due_s is not None else ceil(count / work.concurrency) * timeout_s
        usd = cost_usd(self._price, count, read, written, last_s + timeout_s)
        spent = spend.total(self._site.cloud).get(name, Spent())
        limit_usd, so_far_usd = (spent.limit_usd, spent.usd) if self._ceiling_usd is None else (self._ceiling_usd, 0.0)
        if limit_usd is None:
            raise Refusal(
                f"on AWS a ceiling comes first: the {count:,} requests of this run to '{name}' can cost up to ${usd:,.4f}; "
                f"say --ceiling-usd {ceiling.up(max(usd, 0.01))} or more; nothing was sent",
                USAGE,
            )
        if so_far_usd + usd > limit_usd:
            raise Refusal(
                f"'{name}' has spent ${so_far_usd:,.4f} of the ${limit_usd:,.4f} that its calls may cost, and the {count:,} requests of this run can "
                f"cost up to ${usd:,.4f}: that passes it; nothing of it was sent. Ask for less, or say a higher --ceiling-usd",
                USAGE,
            )
        return usd

    def _most_tokens(self, work: Workload, ids: Sequence[int]) -> tuple[int, int]:
        """Of these requests: no tokeniser makes more tokens than bytes, and no answer is longer than its ceiling."""
        if self._price is not None and not self._price.output_usd:
            return 0, 0
        read = written = 0
        for ask in _asks(work, ids):
            body = self._endpoint.body(ask) if isinstance(self._endpoint, Bedrock) else {}
            if not (most := max(_ceilings(body), default=0)):
                raise Refusal(
                    "--body takes away the most tokens of an answer, so what a run costs at most cannot be said; say it there too",
                    USAGE,
                )
            read, written = read + len(json.dumps(body)), written + most
        return read, written

    def _write_down(self, work: Workload, seen: Sequence[Record], lost: Sequence[int], elapsed_s: float) -> None:
        charged = [record for record in seen if may_be_charged(record)]
        known = [r for r in charged if r.ok and r.input_tokens is not None and r.output_tokens is not None]
        if getattr(self._target, "cache", False):
            known = []  # tokens that went into the prompt cache are not among those that a record has
        answered = {record.id for record in known}
        unknown = [*(record.id for record in charged if record.id not in answered), *lost]
        calls = len(known) + len(unknown)
        if not calls:
            self._tell(f"{self._site.name}: nothing that costs anything; {self._left()}.")
            return
        read, written = self._most_tokens(work, unknown)
        read += sum(record.input_tokens or 0 for record in known)
        written += sum(record.output_tokens or 0 for record in known)
        usd = cost_usd(self._price, calls, read, written, elapsed_s)
        silent = f", {len(unknown):,} of them at their most (nobody told their tokens)" if unknown else ""
        says = f"{self._site.name}: {calls:,} requests cost ${usd:,.4f}{silent}"
        try:
            run = Spent(calls, read, written, usd, unpriced_calls=0 if self._price else calls)
            spend.after_run(self._target, self._site, run)
        except OSError as error:
            raise Refusal(f"{says}, which cannot be written to {spend.FILE}: {error.strerror}", NOT_READY) from None
        self._tell(f"{says}; {self._left()}.")

    def _left(self) -> str:
        spent = spend.total(self._site.cloud).get(self._site.name, Spent())
        limit_usd = spent.limit_usd or 0.0
        return f"${limit_usd - spent.usd:,.4f} of ${limit_usd:,.2f} is left for its calls"


class _ThroughTheQueue(Meter):
    """What the stack's table says of all its jobs."""

    def __init__(self, money: Money, squid: Squid, tell: Callable[[str], object]) -> None:
        self._money, self._squid, self._tell = money, squid, tell

    def require(self, work: Workload, timeout_s: float) -> None:  # noqa: ARG002 - a job that nobody waits for is answered all the same
        self._most_usd(work)

    def measure(self, work: Workload, timeout_s: float, watch: Watch, run: Callable[[Watch], Outcome]) -> Outcome:  # noqa: ARG002
        most_usd = self._most_usd(work)
        if self._money.limit_usd is None:
            return run(watch)
        self._tell(f"{self._squid.stack}: {expected(work):,} jobs can cost up to ${most_usd:,.4f} at list prices.")
        try:
            return run(watch)
        finally:
            self._tell(f"{self._money.says(self._money.look())}.")

    def _most_usd(self, work: Workload) -> float:
        """Of the run's jobs; nothing where there is no limit. Raises Refusal when they do not fit."""
        self._money.require_admitted()
        if self._money.limit_usd is None:
            return 0.0
        most = self._squid.max_tokens
        asked = _asks(work, range(expected(work)))
        return self._money.before(Job(ask.prompt, min(ask.output_tokens, most)) for ask in asked)


def cost_usd(price: TokenPrice | None, calls: int, input_tokens: float, output_tokens: float, span_s: float) -> float:
    """List price of a run's calls: its tokens, or the windows of one copy's time that they can have opened from the first to the end of the last."""
    if price is None or not calls:
        return 0.0
    windows = min(calls, ceil(span_s / price.window_s) + 1) if price.window_s else calls
    return price.usd(input_tokens, output_tokens) + windows * price.window_usd


def may_be_charged(record: Record) -> bool:
    """Neither never sent, nor refused before a model worked."""
    status = record.http_status or 0
    return record.sent_s is not None and (not 400 <= status < 500 or status in MAY_HAVE_WORKED)


def expected(work: Workload) -> int:
    """How many requests there will be at most. Raises Refusal for a closed loop that only time ends."""
    count = work.expected()
    if count is None or (work.due_s is None and work.warmup_s):
        raise Refusal(
            "nobody knows how many requests a closed loop makes in its time, so what it costs at most cannot be said; "
            "say how many, without a warm-up: --requests N --warmup 0",
            USAGE,
        )
    return count


def _asks(work: Workload, ids: Sequence[int]) -> Iterator[Ask]:
    prompts = Prompts(work.seed, work.prefix_tokens, work.texts)
    return (ask_of(work, prompts, id) for id in ids)


def _ceilings(body: Mapping[str, Any]) -> Iterator[int]:
    for name, value in body.items():
        if isinstance(value, Mapping):
            yield from _ceilings(value)
        elif name in CEILINGS and isinstance(value, int):
            yield value


def _unheard(work: Workload, seen: Sequence[Record], until_s: float) -> list[int]:
    """Requests that may have been sent, and of which no worker told."""
    known = {record.id for record in seen}
    due_s = work.due_s
    return [id for id in range(expected(work)) if id not in known and (due_s is None or due_s[id] <= until_s)]
