"""What lab 6, Queue it, leaves in the cloud before its clean-up: the settings of its stack, its jobs in the table, and six numbers.

The given cells deploy the stack and run the experiments in a blank copy too; so each check looks at what an exercise changes.
"""

import json
import math
import statistics
import time
import uuid
from collections.abc import Callable
from typing import Any

from labs import facts
from labs.check import handin, vocabulary
from labs.check.model import Account, Check, Finding, Lab, Task, no, yes
from labs.economics import queue
from labs.economics.traffic import Traffic

SLUG, STACK = "06-squid", "squid-lab"
NO_STACK = f"There is no stack '{STACK}' that is up: run the cells of Task 1, and check before the clean-up, which removes what is looked at."
FEWEST_RECEIVES = 5
"""What the lab deploys with."""
BURST = 40
PROBE_PATIENCE_S = 20.0

Resources = dict[str, str]


def on_stack(look: Callable[[Account, Resources], Finding]) -> Callable[[Account], Finding]:
    """A check of the lab's stack: without one it fails with a sentence."""

    def looking(account: Account) -> Finding:
        resources = vocabulary.stack(account, STACK)
        return no(NO_STACK) if resources is None else look(account, resources)

    return looking


def jobs(account: Account, resources: Resources) -> list[dict[str, Any]]:
    """The items that look like jobs of the course's worker, with all their times."""
    times = ("queued_at_ms", "started_at_ms", "finished_at_ms", "model_ms")
    found = vocabulary.items(account, resources["Table"])
    return [item for item in found if all(isinstance(item.get(name), float) for name in times)]


def two_times_add_up(account: Account, resources: Resources) -> Finding:
    """The two times handed in are those of one job in the table."""
    given = handin.read(account.client("ssm"), SLUG, 1)
    model_s, rest_s = handin.number(given, "model_s"), handin.number(given, "rest_s")
    if model_s is None or rest_s is None:
        return no(
            "model_s and rest_s are not handed in. Both follow from attributes that the finished item has: see its table."
        )
    nearest = Finding(
        0.0,
        f"No job in the table spent {model_s:.2f} s at the model. The item counts in milliseconds, and so do its times.",
    )
    for job in jobs(account, resources):
        if abs(job["model_ms"] / 1000 - model_s) > 0.02:
            continue
        total_s = (job["finished_at_ms"] - job["queued_at_ms"]) / 1000
        if abs(total_s - model_s - rest_s) <= 0.02:
            return yes(f"The job took {total_s:.2f} s, of which the model worked {model_s:.2f} s.")
        nearest = Finding(
            0.5,
            f"The model's {model_s:.2f} s are right; everything else is the whole of {total_s:.2f} s less that, not {rest_s:.2f} s.",
        )
    return nearest


def patient_client(account: Account) -> Finding:
    """The client that was configured waits, and never asks twice."""
    given = handin.read(account.client("ssm"), SLUG, 2)
    patience_s, attempts = handin.number(given, "read_timeout_s"), handin.number(given, "attempts")
    if patience_s is None or attempts is None:
        return no("The client's configuration is not handed in; run the cell below the exercise.")
    if patience_s < 5 and attempts > 1:
        return no(
            f"The client still gives up after {patience_s:g} s and may ask {attempts:g} times. "
            "Give it time for the longest answer, and one attempt."
        )
    if attempts > 1:
        return Finding(
            0.5,
            f"The client waits long enough, and still may ask {attempts:g} times: one lost answer is two bills. One attempt is one bill.",
        )
    if patience_s < 5:
        return Finding(0.5, f"The client asks once, and gives up after {patience_s:g} s: before the answer is there.")
    return yes(f"One attempt, with a patience of {patience_s:g} s.")


def hidden_long_enough(account: Account, resources: Resources) -> Finding:
    """The queue's visibility timeout covers the function's."""
    url = resources["Jobs"]
    return vocabulary.visibility_covers_function(account, url, resources["Worker"])


def cured_run(account: Account, resources: Resources) -> Finding:
    """With the first draft and the long timeout, one job was one call."""
    draft = [item for item in vocabulary.items(account, resources["Table"]) if "claimant" not in item]
    if any(job.get("attempts") == job.get("answers") == 1 and job.get("status") == "DONE" for job in draft):
        return yes("With the longer timeout the first draft asked the model once.")
    return no(
        "No run of the first draft asked the model only once: its message came back before the answer was there. "
        "Set visibility_timeout_s, and run the experiment again."
    )


def batches_fail_in_part(account: Account, resources: Resources) -> Finding:
    """The mapping has partial failures."""
    return vocabulary.partial_failures(account, resources["JobsToWorker"])


def gives_up_late(account: Account, resources: Resources) -> Finding:
    """The receive count is back where it was."""
    found = vocabulary.has_dead_letter_queue(account, resources["Jobs"], FEWEST_RECEIVES)
    return (
        found if found.credit == 1 else no(found.message)
    )  # a given cell leaves a low count: none of it is the learner's


def poison_stays_alone(account: Account, resources: Resources) -> Finding:
    """A probe: a batch with one bad message in it; its neighbours, each sent twice, must be answered once."""
    sqs, url, dead = account.client("sqs"), resources["Jobs"], resources["DeadLetters"]
    if any(vocabulary.queue_attributes(account, url)[name] != "0" for name in _COUNTS):
        return no("The queue is not empty: messages wait or are in work. Let them finish, then check again.")
    healthy, poison = [uuid.uuid4().hex for _ in range(4)], uuid.uuid4().hex
    bodies = [
        {"job_id": poison, "question": "?"},
        *({"job_id": job, "prompt": "Yes?", "max_tokens": 10} for job in healthy * 2),
    ]
    sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": json.dumps(body)} for n, body in enumerate(bodies)]
    )
    deadline = time.monotonic() + PROBE_PATIENCE_S
    buried, found = False, no("")
    while time.monotonic() < deadline and not (buried and found.credit == 1):
        time.sleep(0.3)
        mine = {
            item["job_id"]: item for item in vocabulary.items(account, resources["Table"]) if item["job_id"] in healthy
        }
        found = vocabulary.answered_once([mine.get(job, {}) for job in healthy])
        buried = buried or _remove(sqs, dead, poison)
    if found.credit < 1:
        return no(
            f"We sent four good questions, each twice, and a bad one before them. {found.message} "
            "It takes the worker that claims its jobs, and a mapping that lets it name the one that failed."
        )
    if not buried:
        return Finding(
            0.5, "Good questions beside a bad one are answered once; the bad one never reached the dead-letter queue."
        )
    return yes(
        "We sent four good questions twice, and a bad one with them: four answers, and one dead letter, which we removed."
    )


_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


def _remove(sqs: Any, queue_url: str, job_id: str) -> bool:
    """Delete the probe's own dead letter; True when it was there. Others are shown again at once."""
    found = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, VisibilityTimeout=5).get("Messages", [])
    gone = False
    for message in found:
        if job_id in message["Body"]:
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            gone = True
        else:
            sqs.change_message_visibility(
                QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
    return gone


def repaired(account: Account, resources: Resources) -> Finding:
    """The poisoned job has its one answer, and no dead letter is left."""
    job_id = handin.read(account.client("ssm"), SLUG, 4).get("poisoned")
    found = [item for item in vocabulary.items(account, resources["Table"]) if item["job_id"] == job_id]
    if not found or found[0].get("status") != "DONE":
        return no(
            "The poisoned job has no answer. Take its message out of the dead-letter queue, move the text from 'question' to 'prompt', "
            "send it, and delete the dead letter after that."
        )
    left = vocabulary.queue_depths(account, resources["DeadLetters"], 0)
    if left.credit < 1:
        return Finding(0.5, f"The poisoned job is answered, and its dead letter still lies there. {left.message}")
    return vocabulary.answered_once(found)


def brake_let_go(account: Account, resources: Resources) -> Finding:
    """A second burst had more calls in flight than the first, and was faster."""
    groups = vocabulary.bursts(jobs(account, resources), least=BURST)
    if len(groups) < 2:
        return no(
            f"The table shows {len(groups)} burst of {BURST} jobs; the exercise asks for a second one, with twice the workers."
        )
    before, after = groups[0], groups[-1]
    once = vocabulary.answered_once([*before, *after])
    if once.credit < 1:
        return Finding(once.credit / 2, once.message)
    flight, faster = vocabulary.peak_in_flight(before), vocabulary.peak_in_flight(after)
    if faster <= flight * 1.2:
        return no(
            f"Both bursts had as many calls in flight: {flight} and then {faster}. Raise the mapping's MaximumConcurrency before the second."
        )
    medians = [
        statistics.median((job["finished_at_ms"] - job["queued_at_ms"]) / 1000 for job in group)
        for group in (before, after)
    ]
    return yes(
        f"{flight} calls in flight, then {faster}: the median job took {medians[0]:.1f} s, then {medians[1]:.1f} s; every job answered once."
    )


def shared_wait(account: Account) -> Finding:
    """A month's waiting when five jobs share each wait."""
    usd = handin.number(handin.read(account.client("ssm"), SLUG, 6), "usd")
    month = Traffic.steady(requests_per_minute=100, input_tokens=500, output_tokens=200).requests_per_month
    alone, shared = (queue.function(jobs, 10, 256, "arm").usd for jobs in (month, month / 5))
    if usd is None:
        return no(
            "side_by_side_usd is not handed in. How many invocations does a month have when each answers five jobs?"
        )
    if math.isclose(usd, shared, rel_tol=0.02):
        return yes(f"${usd:,.0f} a month: five jobs share one wait.")
    if math.isclose(usd, alone, rel_tol=0.02):
        return no(f"${usd:,.0f} is the price of one job an invocation. Side by side, five share the ten seconds.")
    return no(f"${usd:,.0f} is not it: a fifth of the invocations, each as long as before, with 256 MB on Arm.")


def brake_fits_quota(account: Account, resources: Resources) -> Finding:
    """The mapping's brake is what the quota feeds."""
    found = account.client("lambda").get_event_source_mapping(UUID=resources["JobsToWorker"])
    brake = int((found.get("ScalingConfig") or {}).get("MaximumConcurrency", 0))
    calls_per_s = facts.number("bedrock.tpm.llama-3-3-70b") / 60 / (6_000 + 1_500)
    wanted = math.floor(calls_per_s * 24)
    if brake == wanted:
        return yes(f"{brake} workers: what the quota feeds, and no more.")
    if brake > wanted:
        return no(
            f"{brake} workers ask for more than the quota has; {brake - wanted} of them would be refused. "
            "A call takes its input and its max_tokens out of the quota."
        )
    return no(
        f"The mapping lets {brake or 'any number of'} workers run; the quota feeds more. Calls a second × seconds a call is how many are in flight."
    )


LAB = Lab(
    SLUG,
    (
        Task(1, "Watch one job", 5, (Check("two-times", 2, on_stack(two_times_add_up)),)),
        Task(2, "Let a client time out", 7, (Check("patient-client", 2, patient_client),)),
        Task(
            3,
            "Hidden is not locked",
            10,
            (Check("visibility", 3, on_stack(hidden_long_enough)), Check("one-call", 2, on_stack(cured_run))),
        ),
        Task(
            4,
            "A poisoned batch",
            9,
            (
                Check("partial-failures", 2, on_stack(batches_fail_in_part)),
                Check("receive-count", 1, on_stack(gives_up_late)),
                Check("poison-alone", 3, on_stack(poison_stays_alone)),
                Check("repaired", 2, on_stack(repaired)),
            ),
        ),
        Task(5, "A burst, and its p99", 7, (Check("faster-burst", 3, on_stack(brake_let_go)),)),
        Task(6, "What the waiting costs", 4, (Check("shared-wait", 2, shared_wait),)),
        Task(7, "Size the brake", 8, (Check("brake", 3, on_stack(brake_fits_quota)),), stretch=True),
    ),
    time_limit_s=300,
)
