"""A job: what it is in a message, in the table, and to whoever asks. The door, the workers and the client share these words.

    message = write("Why a queue?", max_tokens=200, key="ticket 7", tenant="acme")
    message.job_id                              # the same key (of the same tenant) is the same job
    job = read(message.body)                    # in a worker; raises Unfit with the reason

QUEUED -> WORKING -> DONE | FAILED | CANCELLED, each move one conditional write (`claims.py`). QUARANTINED is where a message ends that holds
no job: nothing will ever make it one, and whoever looks is told why. A message repaired by hand is a job again.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FINAL = ("DONE", "FAILED", "CANCELLED", "QUARANTINED")
"""States in which nothing more happens by itself."""
TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@|:-]{0,127}")
"""What may name a tenant: a token's `sub`, an account, a team."""
REASON_MAX = 2_000
"""Characters of a reason that are kept."""


class Unfit(ValueError):  # noqa: N818 - the word for it in a sentence
    """This cannot be a job; the message is one clear sentence, without a period."""


@dataclass(frozen=True)
class Message:
    """A job on its way into the queue."""

    job_id: str
    request_hash: str
    body: str
    tenant: str | None
    prompt_bytes: int
    max_tokens: int | None


@dataclass(frozen=True)
class Job:
    """What a message carries."""

    job_id: str
    prompt: str
    max_tokens: int | None
    tenant: str | None


def write(prompt: Any, max_tokens: Any = None, key: str | None = None, tenant: Any = None) -> Message:
    """The message for a job. Raises Unfit."""
    if not isinstance(prompt, str) or not prompt.strip():
        raise Unfit("the prompt is empty; say what the model should do")
    if max_tokens is not None and (isinstance(max_tokens, bool) or not isinstance(max_tokens, int)):
        raise Unfit(f"max_tokens is {json.dumps(max_tokens)}; it must be a whole number")
    if max_tokens is not None and max_tokens < 1:
        raise Unfit(f"max_tokens is {max_tokens}; it must be 1 or more")
    if tenant is not None and (not isinstance(tenant, str) or not TENANT.fullmatch(tenant)):
        raise Unfit("a tenant is named by 1 to 128 letters, digits and . _ @ | : -, a letter or digit first")
    request = {"prompt": prompt, "max_tokens": max_tokens}
    name = f"key:{key}" if tenant is None else f"tenant:{tenant}:key:{key}"
    job_id = uuid.uuid4().hex if key is None else hashlib.sha256(name.encode()).hexdigest()[:32]
    carried = {"job_id": job_id, **request} | ({} if tenant is None else {"tenant": tenant})
    # ASCII: some characters are not allowed in a message, escaped they are
    request_hash = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
    return Message(
        job_id, request_hash, json.dumps(carried), tenant, len(prompt.encode(errors="surrogatepass")), max_tokens
    )


def read(body: str) -> Job:
    """The job in a message. Raises Unfit when there is none."""
    try:
        found = json.loads(body)
    except ValueError as wrong:
        raise Unfit(f"the message is not JSON: {wrong}") from None
    if not isinstance(found, dict):
        raise Unfit("the message is not a JSON object")
    job_id, prompt, wanted, tenant = (found.get(name) for name in ("job_id", "prompt", "max_tokens", "tenant"))
    if not (isinstance(job_id, str) and job_id):
        raise Unfit("the message names no job_id")
    if not (isinstance(prompt, str) and prompt.strip()):
        raise Unfit("the message has no prompt")
    if wanted is not None and (isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1):
        raise Unfit("max_tokens is no whole number from 1")
    if tenant is not None and not isinstance(tenant, str):
        raise Unfit("the tenant is no text")
    return Job(job_id, prompt, wanted, tenant)


def id_of(body: str, message_id: str) -> str:
    """Under which id a message that is no job is written down: its own job_id where it has one, else its message's."""
    try:
        job_id = json.loads(body)["job_id"]
    except (ValueError, TypeError, KeyError):
        job_id = None
    return job_id if isinstance(job_id, str) and job_id else f"message-{message_id}"


def entry(message: Message, now_ms: int, expires_at_s: int) -> dict[str, dict[str, str]]:
    """The item with which a job begins, written before its message is sent: so it can be late, and cannot vanish."""
    item = {
        "job_id": {"S": message.job_id},
        "status": {"S": "QUEUED"},
        "request_hash": {"S": message.request_hash},
        "queued_at_ms": {"N": str(now_ms)},
        "expires_at_s": {"N": str(expires_at_s)},
        "prompt_bytes": {
            "N": str(message.prompt_bytes)
        },  # with max_tokens, the most that it can cost: for whoever counts money
    }
    if message.max_tokens is not None:
        item["max_tokens"] = {"N": str(message.max_tokens)}
    return item | ({} if message.tenant is None else {"tenant": {"S": message.tenant}})


TEXTS = ("job_id", "status", "text", "error", "model_id", "stop_reason", "tenant")
NUMBERS = (
    "queued_at_ms",
    "started_at_ms",
    "finished_at_ms",
    "input_tokens",
    "output_tokens",
    "model_ms",
    "attempts",
    "answers",
)


def view(item: Mapping[str, Any]) -> dict[str, Any]:
    """What an item says to whoever may read the job: plain values, nothing of the machinery."""
    seen: dict[str, Any] = {name: item[name]["S"] for name in TEXTS if name in item}
    seen |= {name: int(item[name]["N"]) for name in NUMBERS if name in item}
    if "may_retry" in item:
        seen["may_retry"] = item["may_retry"]["BOOL"]
    if "cancel_requested" in item and seen["status"] not in FINAL:
        seen["cancel_requested"] = True
    return seen
