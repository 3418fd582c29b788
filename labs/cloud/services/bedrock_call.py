"""One call of a model: booked, answered by the engine in its time, settled, counted.

call = Call(context, account, route, asked, face, operation)
result = call.whole()          # blocks until the last token's time
events = call.streamed()       # or: its events, each at its time
"""

import uuid
from dataclasses import dataclass
from typing import Any

from labs.cloud import metrics
from labs.cloud.context import Context
from labs.cloud.services.bedrock_account import Account
from labs.cloud.services.bedrock_asked import Answer, Asked, answer
from labs.cloud.services.bedrock_cache import ONE_HOUR, Plan
from labs.cloud.services.bedrock_errors import denied, invalid, rejection
from labs.cloud.services.bedrock_face import Face, Sums
from labs.cloud.services.bedrock_quota import Ticket
from labs.cloud.services.bedrock_routes import Route
from labs.cloud.streaming import TimedEvents
from labs.cloud.wallclock import Rejected, Stream
from labs.serving.engine import Event, Request

NO_CACHE = "You invoked an unsupported model or your request did not allow prompt caching. See the documentation for more information."
ONE_HOUR_CACHE = "anthropic."
"""Whose models keep a prefix for an hour, by the start of their id."""


@dataclass
class Call:
    """A call that may begin. Making it checks what depends on the model and not on the format."""

    context: Context
    account: Account
    route: Route
    asked: Asked
    face: Face

    def __post_init__(self) -> None:
        if self.asked.input_tokens > self.route.served.context_tokens:
            raise invalid("Input is too long for requested model.")
        self.plan = self._plan()
        limit = self.route.served.max_output_tokens
        self.max_tokens = min(self.asked.max_tokens or limit, limit)
        self.answer = Answer((), "end_turn")
        self._ticket: Ticket | None = None
        self._stream: Stream | None = None
        self._written = 0

    @property
    def caches(self) -> bool:
        """Does it ask for caching?"""
        return any(part.checkpoint for part in self.asked.parts)

    @property
    def fresh_tokens(self) -> int:
        """Tokens of the prompt that were not read from the cache: what is computed, and what a quota counts."""
        return max(1, self.asked.input_tokens - self.plan.read)

    def whole(self) -> tuple[dict[str, Any], Sums]:
        """The answer, when its last token is made, and what it came to."""
        stream = self._begin(every_token=False)
        try:
            last = list(stream)[-1]
        except Rejected as rejected:
            self.settle()
            raise rejection(rejected.reason) from None
        self._ended(last)
        sums = self._sums(last, last.t)
        return self.face.whole(self.answer, sums), sums

    def streamed(self) -> "CallEvents":
        """Its events. Nothing is sent before the first token, as on AWS: until then a failure is an HTTP error."""
        stream = self._begin(every_token=True)
        try:
            first = next(event for event in stream if event.kind in ("tokens", "finished"))
        except Rejected as rejected:
            self.settle()
            raise rejection(rejected.reason) from None
        put(self, "TimeToFirstToken", (first.t - stream.submitted_at) * 1000, "Milliseconds")
        return CallEvents(self, stream, first)

    def settle(self) -> None:
        """The call is over, whole or broken off: give back what was booked too much."""
        if self._ticket is not None:
            self._ticket.settle(self._written)

    def _begin(self, *, every_token: bool) -> Stream:
        """Book it with the quota, think of an answer, offer it to the engine."""
        route = self.route
        try:
            if route.meter is not None:
                self._ticket = route.meter.admit(self.fresh_tokens, self.max_tokens)
            self.answer = answer(self.asked, self.max_tokens)
            request = Request(str(uuid.uuid4()), self.fresh_tokens, len(self.answer.pieces), self.max_tokens)
            self._stream = route.clock.submit(request, every_token=every_token)
        except Rejected as rejected:
            self.settle()
            raise rejection(rejected.reason) from None
        except Exception:
            self.settle()
            raise
        if route.cache is not None:
            route.cache.write(self.plan)
        return self._stream

    def wrote(self, tokens: int) -> None:
        """So many tokens have left."""
        self._written = tokens

    def _ended(self, event: Event) -> None:
        self._written = len(self.answer.pieces)
        self.settle()
        if self.route.copies is not None:
            self.route.copies.succeeded()
        sums = self._sums(event, event.t)
        put(self, "Invocations", 1, "Count")
        put(self, "InvocationLatency", sums.latency_ms, "Milliseconds")
        put(self, "InputTokenCount", sums.input_tokens, "Count")
        put(self, "OutputTokenCount", sums.output_tokens, "Count")
        if self.caches:
            put(self, "CacheReadInputTokenCount", sums.cache_read, "Count")
            put(self, "CacheWriteInputTokenCount", sums.cache_written, "Count")

    def ended(self, event: Event, first_at: float) -> Sums:
        """The last token has left: settle, count, and say what it came to."""
        self._ended(event)
        return self._sums(event, first_at)

    def sums(self) -> Sums:
        """Counts, before any time has passed."""
        return Sums(
            input_tokens=max(0, self.asked.input_tokens - self.plan.read - self.plan.written),
            output_tokens=len(self.answer.pieces),
            cache_read=self.plan.read,
            cache_written=self.plan.written,
            cache_details=self.plan.details,
            caches=self.caches,
        )

    def _sums(self, event: Event, first_at: float) -> Sums:
        assert self._stream is not None
        started = self._stream.submitted_at
        latency, first = (round((at - started) * 1000) for at in (event.t, first_at))
        return Sums(**(vars(self.sums()) | {"latency_ms": latency, "first_ms": first}))

    def _plan(self) -> Plan:
        if not self.caches:
            return Plan()
        served = self.route.served
        if self.route.cache is None or served.cache_min_tokens is None:
            raise denied(NO_CACHE)
        if any(part.checkpoint == ONE_HOUR for part in self.asked.parts) and not served.id.startswith(ONE_HOUR_CACHE):
            raise invalid(f"The model {served.id} does not support a cache lifetime of {ONE_HOUR}.")
        return self.route.cache.look(self.asked.parts, served.cache_min_tokens)


class CallEvents(TimedEvents):
    """The events of a call that has begun. Closing it early gives the rest of its booking back."""

    def __init__(self, call: Call, stream: Stream, first: Event) -> None:
        self._call = call
        dealer = Dealer(call)
        super().__init__(call.face.opening(call.sums()) + dealer.events_of(first), stream, dealer.events_of)

    def close(self) -> None:
        """Nobody wants the rest."""
        super().close()
        self._call.settle()


class Dealer:
    """Deals an answer's pieces out over the engine's events."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._dealt = 0
        self._first_at: float | None = None

    def events_of(self, event: Event) -> list[dict[str, Any]]:
        """What an event of the engine's is on the wire."""
        call = self._call
        match event.kind:
            case "tokens":
                if self._first_at is None:
                    self._first_at = event.t
                text = "".join(call.answer.pieces[self._dealt : self._dealt + event.tokens])
                self._dealt += event.tokens
                call.wrote(self._dealt)
                return call.face.piece(text, self._dealt)
            case "finished":
                sums = call.ended(event, event.t if self._first_at is None else self._first_at)
                return call.face.closing(call.answer, sums)
            case "rejected":
                raise rejection(event.reason)
        return []


def put(call: Call, name: str, value: float, unit: str) -> None:
    """Record a metric of the call's model."""
    metrics.put(call.context, call.account.region, "AWS/Bedrock", name, value, unit, ModelId=call.route.called)
