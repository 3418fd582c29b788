"""Ask a deployed target, with its refusals as sentences.

reply = asking.ask(target, site, "Name three rivers.", max_tokens=50)
"""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError, EventStreamError

from labs.errors import FALSE, NOT_READY, Refusal
from labs.targets import spend
from labs.targets.base import Caller, CallFailed, Reply, Site, Target

ADVICE = {
    "AccessDeniedException": "; check that these credentials may invoke it and that the account may use the model",
    "ThrottlingException": "; wait, or ask for a higher quota",
    "ModelNotReadyException": "; its copy is starting: ask again in a minute",
    "ValidationException": "; is it a model id or an inference profile id, and offered in this region?",
}
"""AWS's error code: what to do about it."""
COLD_PATIENCE_S = 900.0
"""How long we ask a model of which no copy runs: a first copy of a large one takes minutes."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 4.0

T = TypeVar("T")


def ready(target: Target, site: Site) -> None:
    """Return when the target answers now: ask for one token. Raises Refusal with the reason when it does not."""
    ask(target, site, "ping", max_tokens=1)


def ask(target: Target, site: Site, prompt: str, max_tokens: int, timeout_s: float = 300) -> Reply:
    """Ask, and wait for the whole answer."""
    address = target.address(site)
    spend.before(target, site, prompt, max_tokens)
    try:
        caller = Caller(address, timeout_s)
        reply = _once_warm(site, lambda: caller.ask(prompt, max_tokens))
    except (ClientError, BotoCoreError, CallFailed) as refused:
        raise _refusal(target, address.location, refused) from refused
    spend.after(target, site, reply)
    return reply


def stream(target: Target, site: Site, prompt: str, max_tokens: int, timeout_s: float = 300) -> Iterator[str | Reply]:
    """Ask, and yield the pieces of text as they come, then the whole answer."""
    address = target.address(site)
    spend.before(target, site, prompt, max_tokens)
    try:
        caller = Caller(address, timeout_s)
        for piece in _once_warm(site, lambda: caller.stream(prompt, max_tokens)):
            if isinstance(piece, Reply):
                spend.after(target, site, piece)
            yield piece
    except (ClientError, BotoCoreError, EventStreamError, CallFailed) as refused:
        raise _refusal(target, address.location, refused) from refused


def _once_warm(site: Site, call: Callable[[], T]) -> T:
    """Call; while the answer is that no copy of the model runs yet (the call has started one), wait longer and longer and call again."""
    deadline, pause_s = time.monotonic() + COLD_PATIENCE_S, _FIRST_PAUSE_S
    while True:
        try:
            return call()
        except ClientError as refused:
            if refused.response["Error"]["Code"] != "ModelNotReadyException" or time.monotonic() > deadline:
                raise
        site.tell("no copy of the model runs; one is starting, and it is asked again")
        time.sleep(pause_s)
        pause_s = min(_LONGEST_PAUSE_S, pause_s * 1.6)


def _refusal(target: Target, location: str, refused: Exception) -> Refusal:
    if isinstance(refused, CallFailed):
        return Refusal(f"{target.name}: {refused}", NOT_READY if refused.status is None else FALSE)
    if not isinstance(refused, ClientError):
        return Refusal(f"{target.name}: no answer for '{location}': {refused}", NOT_READY)
    code, message = refused.response["Error"]["Code"], refused.response["Error"].get("Message", "")
    return Refusal(f"{target.name}: '{location}' refused: {message.rstrip('.')} ({code}){ADVICE.get(code, '')}", FALSE)
