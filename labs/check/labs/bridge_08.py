"""What lab 8, The Bridge, leaves in the cloud before its clean-up: two stacks, the jobs of one of them, and what was counted of four policies.

The storms are counted by the callers, for no resource knows who left; so those numbers are handed in, and held against each other.
"""

import math
from typing import Any

from labs import facts
from labs.check import handin, vocabulary
from labs.check.model import Account, Check, Finding, Lab, Task, no, yes

SLUG, DIRECT, QUEUED = "08-bridge", "lab-08-direct", "lab-08-queue"
JOBS = 3
BEST_PER_S, INSIDE = 180 / 60, 40
"""What the lesson's machine answers at its best, and how many may be inside."""
SHARE, SAVED = 0.1, 3
"""A budget: repeats per first call, and what it holds at most."""


def wasted(account: Account) -> Finding:
    """The share of the storm's work that was for nobody."""
    given = handin.read(account.client("ssm"), SLUG, 1)
    share, sent, answered = (handin.number(given, name) for name in ("wasted", "sent", "answered"))
    if share is None or not sent or answered is None:
        return no(
            "wasted is not handed in: of all that was sent to the machine, which share became an answer that nobody read?"
        )
    right = 1 - answered / sent
    if math.isclose(share, right, abs_tol=0.01):
        return yes(f"Of {sent:g} calls that reached the machine {answered:g} had a reader: {right:.0%} for nobody.")
    if math.isclose(share, 1 - right, abs_tol=0.01):
        return no(f"{share:.2f} is the share that somebody read; the rest was written for nobody.")
    return no(
        f"{share:.2f} is not it: {sent:g} calls were sent and {answered:g} answers read. Each call that was sent is worked on."
    )


def counted(account: Account, policy: str) -> dict[str, float] | None:
    """What was counted of a policy, or None."""
    given = handin.read(account.client("ssm"), SLUG, 2)
    found = {what: handin.number(given, f"{policy}_{what}") for what in ("calls", "repeats", "refused", "end")}
    return None if None in found.values() else {what: number for what, number in found.items() if number is not None}


def budget(account: Account) -> Finding:
    """Repeats within the budget, and a service that came back."""
    run = counted(account, "budget")
    if run is None:
        return no("The run with your budget is not handed in; run the cells of Task 2 down to the check.")
    most = SHARE * run["calls"] + SAVED
    if run["repeats"] > most:
        return no(
            f"{run['calls']:g} calls were repeated {run['repeats']:g} times; a tenth of them and three saved up are {most:.0f} at most. "
            "Does may_repeat take a whole token out, under a lock, and say False when there is none?"
        )
    if run["repeats"] == 0:
        return Finding(
            0.5, "Nothing was repeated at all: that is one attempt, not a budget. It begins with three tokens."
        )
    if run["end"] < 0.5:
        return Finding(
            0.5,
            f"The budget held, and only {run['end']:.0%} were answered at the end. Run it again on a quiet machine.",
        )
    return yes(f"{run['repeats']:g} repeats for {run['calls']:g} calls, and at the end {run['end']:.0%} were answered.")


def door(account: Account) -> Finding:
    """Some refused, and a service that did not go down."""
    run = counted(account, "door")
    if run is None:
        return no("The run with your door is not handed in; run the cells of Task 2 down to the check.")
    if run["refused"] == 0:
        return no("The door refused nobody, so everybody came in: enter must say False when so many are inside.")
    if run["end"] < 0.5:
        return Finding(
            0.25,
            f"The door refused {run['refused']:g} times, and at the end {run['end']:.0%} were answered. Does leave make room again, "
            "and is the door no wider than the seats and two?",
        )
    return yes(f"{run['refused']:g} times somebody was refused, and at the end {run['end']:.0%} were answered.")


def jobs(account: Account) -> list[dict[str, Any]] | None:
    """The jobs in the queue's table; None without the stack."""
    resources = vocabulary.stack(account, QUEUED)
    return None if resources is None else vocabulary.items(account, resources["Table"])


def handed_over(account: Account) -> Finding:
    """Three jobs, each answered once."""
    found = jobs(account)
    if found is None:
        return no(
            f"There is no stack '{QUEUED}' that is up: run the cells of Task 3, and check before the clean-up, which removes it."
        )
    answered = [job for job in found if job.get("status") == "DONE"]
    if len(answered) < JOBS:
        return no(
            f"Of {JOBS} jobs that were to be handed over the table has {len(answered)} that are answered. hand_over posts to the door's "
            "/jobs and returns the job_id; then wait until look says DONE."
        )
    return vocabulary.answered_once(answered)


def double_click(account: Account) -> Finding:
    """The second click was the same job."""
    given = handin.read(account.client("ssm"), SLUG, 3)
    first, again = given.get("first"), given.get("again")
    if not isinstance(first, str) or not isinstance(again, str):
        return no("The ids of the first job and of its second click are not handed in: hand_over returns the job's id.")
    if first != again:
        return no(
            "The second click became a job of its own, with an answer and a bill of its own. The same Idempotency-Key makes it the same job."
        )
    if first not in {job.get("job_id") for job in jobs(account) or ()}:
        return no("The job that was handed in is not in the queue's table. Hand it over at the door of this stack.")
    return yes("Two clicks, one job.")


def throttle(account: Account) -> Finding:
    """The first API's stage lets in what the machine can answer."""
    resources = vocabulary.stack(account, DIRECT)
    if resources is None:
        return no(f"There is no stack '{DIRECT}' that is up: run the cells of Task 3, and check before the clean-up.")
    stage = account.client("apigatewayv2").get_stage(ApiId=resources["Api"], StageName="$default")
    settings = stage.get("DefaultRouteSettings") or {}
    rate, burst = settings.get("ThrottlingRateLimit"), settings.get("ThrottlingBurstLimit")
    if not rate or not burst:
        return no("The stage $default has no throttle of its own: set ThrottlingRateLimit and ThrottlingBurstLimit.")
    if rate > BEST_PER_S:
        return no(
            f"{rate:g} calls a second are more than the machine answers at its best. How many a second are 180 a minute?"
        )
    if burst > INSIDE:
        return Finding(
            0.5, f"The rate is right. A burst of {burst:g} lets more in at once than the {INSIDE} that may be inside."
        )
    return yes(f"{rate:g} calls a second and {burst:g} at once: no more than the machine can answer.")


def usd(model: str, input_tokens: float, output_tokens: float) -> float:
    """One call."""
    price = f"bedrock.price.{model}"
    return (
        input_tokens * facts.number(f"{price}.input_per_million")
        + output_tokens * facts.number(f"{price}.output_per_million")
    ) / 1e6


def cascade(account: Account) -> Finding:
    """The share from which the cascade pays."""
    share = handin.number(handin.read(account.client("ssm"), SLUG, 5), "share")
    small, check, large = usd("nova-lite", 1_000, 300), usd("nova-lite", 1_300, 20), usd("nova-pro", 1_000, 300)
    if share is None:
        return no("share is not handed in: what is paid for every question, and what is saved when Lite settles one?")
    if math.isclose(share, (small + check) / large, rel_tol=0.01):
        return yes(f"From {share:.1%} on the cascade pays; the rest is about the check being right.")
    if math.isclose(share, small / large, rel_tol=0.01):
        return no(
            f"{share:.1%} is the share with a check that costs nothing; this one is a call of its own, every time."
        )
    return no(
        f"{share:.3g} is not it. Answer and check of Lite are always paid, Pro's call only when the check fails: divide the one by the other."
    )


LAB = Lab(
    SLUG,
    (
        Task(1, "The storm that stays", 9, (Check("wasted", 2, wasted),)),
        Task(2, "A budget, and a door", 11, (Check("budget", 3, budget), Check("door", 3, door))),
        Task(
            3,
            "An answer that the API will not wait for",
            11,
            (Check("handed-over", 3, handed_over), Check("double-click", 2, double_click)),
        ),
        Task(4, "A door at the API", 6, (Check("throttle", 2, throttle),), stretch=True),
        Task(5, "Who answers this one?", 6, (Check("cascade", 2, cascade),), stretch=True),
    ),
    time_limit_s=300,
)
