"""A request to a model, whatever its wire format: what is asked, how long the answer may be, how many tokens that is."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from labs import facts
from labs.cloud import standin, tokens
from labs.cloud.services.bedrock_cache import Part
from labs.cloud.services.bedrock_errors import invalid
from labs.cloud.services.errors import ServiceError
from labs.cloud.standin import Turn

MESSAGE_OVERHEAD_TOKENS = 4
"""What the frame around one message (its role and its end) costs in tokens."""


@dataclass(frozen=True)
class Asked:
    """One request, read."""

    parts: tuple[Part, ...]
    """the prompt in the order in which the model reads it"""
    turns: tuple[Turn, ...]
    system: str = ""
    max_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()

    @property
    def input_tokens(self) -> int:
        """Tokens of the whole prompt, cached or not."""
        return max(1, sum(part.tokens for part in self.parts))


class Reader:
    """Puts a prompt together piece by piece."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._turns: list[Turn] = []
        self._system: list[str] = []

    def tools(self, tools: Any) -> None:
        """Definitions of tools, which the model reads first."""
        if tools:
            self._add(json.dumps(tools, default=str))

    def system(self, text: str) -> None:
        """A piece of the system prompt."""
        self._system.append(text)
        self._add(text)

    def message(self, role: str, texts: Sequence[str]) -> None:
        """A whole message without checkpoints."""
        self.open(role)
        for text in texts:
            self.text(text)

    def open(self, role: str) -> None:
        """A message begins."""
        self._turns.append(Turn(role, ""))
        self._parts.append(Part(f"<{role}>", MESSAGE_OVERHEAD_TOKENS))

    def text(self, text: str) -> None:
        """A piece of the present message."""
        turn = self._turns[-1]
        self._turns[-1] = Turn(turn.role, f"{turn.text}\n{text}" if turn.text else text)
        self._add(text)

    def checkpoint(self, ttl: str) -> None:
        """Everything so far is to be cached."""
        if self._parts:
            last = self._parts[-1]
            self._parts[-1] = Part(last.text, last.tokens, ttl)

    def asked(self, max_tokens: int | None, stop_sequences: Sequence[str] = ()) -> Asked:
        """The request."""
        return Asked(tuple(self._parts), tuple(self._turns), "\n".join(self._system), max_tokens, tuple(stop_sequences))

    def checkpoints(self) -> int:
        """How many there are."""
        return sum(part.checkpoint is not None for part in self._parts)

    def _add(self, text: str) -> None:
        self._parts.append(Part(text, tokens.count(text)))


def check_checkpoints(reader: Reader) -> None:
    """No more than a request may have."""
    most = int(facts.number("bedrock.cache.checkpoints_max"))
    if reader.checkpoints() > most:
        raise invalid(f"A maximum of {most} blocks with cache_control may be provided. Found {reader.checkpoints()}.")


def check_order(turns: Sequence[Turn]) -> None:
    """A conversation starts with the user, alternates, and ends with the user."""
    if not turns or turns[0].role != "user":
        raise invalid(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message."
        )
    if any(one.role == next_one.role for one, next_one in pairwise(turns)):
        raise invalid(
            "A conversation must alternate between user and assistant roles. "
            "Make sure the conversation alternates between user and assistant roles and try again."
        )
    if turns[-1].role != "user":
        raise invalid(
            "A conversation must end with a user message. Try again with a conversation that ends with a user message."
        )


@dataclass(frozen=True)
class Answer:
    """What the model says and why it stops."""

    pieces: tuple[str, ...]
    stop_reason: str
    """end_turn, max_tokens or stop_sequence"""
    stop_sequence: str | None = None

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)


def answer(asked: Asked, max_tokens: int) -> Answer:
    """Think of an answer."""
    try:
        text = standin.answer(list(asked.turns), asked.system, max_tokens)
    except standin.ModelServerFailed as failed:
        raise ServiceError(
            "ModelErrorException", f"LAB_MODEL_URL: {failed}.", originalStatusCode=failed.status
        ) from None
    found = [(text.find(stop), stop) for stop in asked.stop_sequences if stop and stop in text]
    at, stop = min(found, default=(len(text), None))
    made = tokens.pieces(text[:at])
    if len(made) > max_tokens:
        return Answer(tuple(made[:max_tokens]), "max_tokens")
    # A stop sequence may stand at the very start; an engine writes at least one token.
    return Answer(tuple(made) or ("",), "stop_sequence" if stop else "end_turn", stop)
