"""One call of the model, by whatever protocol its address names; and whether a call that failed can succeed later.

    reply = ask(caller, "Name three rivers.", max_tokens=50, until_s=time.monotonic() + 55, streams=True, heard=print)

Where the protocol streams, the caller's read timeout is a *silence clock*: it starts anew with each piece, so a model that has stopped is noticed
in seconds, and one that writes a long answer is not cut off. `until_s` bounds the whole.
"""

import time
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError, EventStreamError, ParamValidationError
from urllib3.exceptions import HTTPError as BrokenConnection

from labs.targets.calling import Caller, CallFailed, Reply

FAILURES = (ClientError, BotoCoreError, CallFailed, BrokenConnection)
"""What a call can raise that is not a fault of this program."""
TRY_AGAIN = {408, 409, 424, 425, 429}  # timed out, not ready yet, model error, too early, throttled; and every 5xx
STAYS = ("validation", "accessdenied", "resourcenotfound")
"""Beginnings of the codes that a stream's own error event has for a request that will never do; such an event has no HTTP status."""


def ask(
    caller: Caller,
    prompt: str,
    max_tokens: int,
    *,
    until_s: float,
    streams: bool,
    heard: Callable[[str], object],
) -> Reply:
    """The model's whole answer; `heard` gets each piece of its text before that. Raises one of `FAILURES`."""
    try:
        if not streams:
            return caller.ask(prompt, max_tokens)
        for piece in caller.stream(prompt, max_tokens):
            if isinstance(piece, Reply):
                return _whole(piece)
            heard(piece)
            if time.monotonic() > until_s:
                raise CallFailed("the answer was still being written when the function's time was nearly up")
    except (ValueError, KeyError, IndexError, TypeError) as strange:
        raise CallFailed(f"the model answered in a shape that is no chat completion: {strange!r}", 400) from strange
    raise CallFailed("the stream ended without an answer")


def may_pass(failed: Exception) -> bool:
    """Whether the same call can succeed later. A request that is wrong or not allowed stays so; a connection may heal."""
    if isinstance(failed, CallFailed):
        return failed.status is None or _passes(failed.status)
    if isinstance(failed, EventStreamError):
        return not failed.response["Error"]["Code"].lower().startswith(STAYS)
    if isinstance(failed, ClientError):
        answered = failed.response["ResponseMetadata"]["HTTPStatusCode"]
        # SageMaker passes on what its container said as 424, with the container's status beside it.
        return _passes(int(failed.response.get("OriginalStatusCode") or answered))  # type: ignore[call-overload]
    return not isinstance(failed, ParamValidationError)


def _passes(status: int) -> bool:
    return status in TRY_AGAIN or status >= 500


def _whole(reply: Reply) -> Reply:
    if not reply.stop_reason:  # the connection closed cleanly in the middle: no error, and no end either
        raise CallFailed("the stream broke off before the answer ended")
    return reply
