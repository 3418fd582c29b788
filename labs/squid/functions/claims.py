"""Claims on jobs: the conditional writes that keep one job to one answer.

A worker claims a job before the model is asked: it writes who it is and until when. The claim lasts as long as its invocation can possibly
live, so a claim that has expired means a worker that is gone. The answer is written only while the claim is still the writer's own, in
the same write that ends the job. So there cannot be two answers, and the model is not asked while a live claim or an answer exists.

Why the claim stands on the job's own item, and not in a second one as Powertools' idempotency utility would have it: the proof above
needs claim and answer in one conditional write, and a client that polls the item sees all there is to see.
"""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labs.squid.functions import jobs
from labs.targets.calling import Reply

Attributes = dict[str, dict[str, Any]]


class Lost(Exception):  # noqa: N818 - nothing is wrong with the program
    """The claim went to another, or the job was ended by another."""


@dataclass(frozen=True)
class Claim:
    """A hold on one job."""

    job_id: str
    claimant: str
    attempt: int = 0
    """How often the job has been claimed, this time included."""
    cancelled: bool = False
    """Its owner wants it no more."""
    output_at: str = ""
    """Where an earlier attempt's answer was to appear, when it was asked for and not waited for."""


@dataclass(frozen=True)
class Held:
    """Somebody else's: the item as it stands."""

    item: Mapping[str, Any]

    @property
    def is_over(self) -> bool:
        """Nothing more is to be done."""
        return self.item["status"]["S"] in jobs.FINAL

    @property
    def until_ms(self) -> int:
        """When the other's claim ends."""
        return int(self.item["claim_until_ms"]["N"])


class Table:
    """The table of jobs, as a worker writes it."""

    def __init__(self, dynamodb: Any, name: str, *, model_id: str, days: int) -> None:
        self._dynamodb, self._name, self._model_id, self._days = dynamodb, name, model_id, days

    def now_ms(self) -> int:
        """Wall clock, in milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def claim(self, job_id: str, until_ms: int, *, sent_at_ms: int, by: str) -> Claim | Held:
        """Take the job, or see who has it. A job that nobody wrote down (its message was sent by hand) begins here."""
        claimant = f"{by}/{uuid.uuid4().hex}"
        try:
            taken = self._dynamodb.update_item(
                TableName=self._name,
                Key={"job_id": {"S": job_id}},
                UpdateExpression=(
                    "SET #status = :working, claimant = :claimant, claim_until_ms = :until, model_id = :model, "
                    "started_at_ms = if_not_exists(started_at_ms, :now), queued_at_ms = if_not_exists(queued_at_ms, :sent), "
                    "expires_at_s = if_not_exists(expires_at_s, :expires) ADD attempts :one"
                ),
                ConditionExpression=(
                    "attribute_not_exists(job_id) OR #status IN (:queued, :quarantined) "
                    "OR (#status = :working AND claim_until_ms < :now)"
                ),
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={
                    ":queued": {"S": "QUEUED"},
                    ":quarantined": {"S": "QUARANTINED"},  # only a message that was repaired comes so far
                    ":working": {"S": "WORKING"},
                    ":claimant": {"S": claimant},
                    ":model": {"S": self._model_id},
                    ":until": {"N": str(until_ms)},
                    ":now": {"N": str(self.now_ms())},
                    ":sent": {"N": str(sent_at_ms)},
                    ":expires": {"N": str(sent_at_ms // 1000 + self._days * 86_400)},
                    ":one": {"N": "1"},
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )["Attributes"]
        except self._dynamodb.exceptions.ConditionalCheckFailedException as refused:
            return Held(refused.response["Item"])
        output_at = taken["output_at"]["S"] if "output_at" in taken else ""
        return Claim(job_id, claimant, int(taken["attempts"]["N"]), "cancel_requested" in taken, output_at)

    def finish(self, claim: Claim, attributes: Attributes) -> None:
        """End the job. `answers` counts such ends with an answer: it must stay 1. Raises Lost."""
        ended = {**attributes, "finished_at_ms": {"N": str(self.now_ms())}}
        answers = "1" if attributes["status"]["S"] == "DONE" else "0"
        # An answer leaves no trace of an earlier attempt's trouble or of a message that had to be repaired.
        removed = ["claim_until_ms", "cancel_requested", "receipt", "output_at", "placed"]
        removed += ["may_retry"] * ("may_retry" not in ended)
        self._write_if_ours(
            claim,
            f"SET {', '.join(f'#{name} = :{name}' for name in ended)} REMOVE {', '.join(removed)} ADD answers :answers",
            names={f"#{name}": name for name in ended},
            values={**{f":{name}": value for name, value in ended.items()}, ":answers": {"N": answers}},
        )

    def release(self, claim: Claim, reason: str) -> None:
        """Give the job back, so that the next delivery need not wait for our claim to expire. Raises Lost."""
        self._write_if_ours(
            claim,
            "SET #status = :queued, #error = :error REMOVE claim_until_ms, receipt, output_at, placed",
            names={"#status": "status", "#error": "error"},
            values={":queued": {"S": "QUEUED"}, ":error": {"S": reason[: jobs.REASON_MAX]}},
        )

    def extend(self, claim: Claim, until_ms: int, **also: dict[str, str]) -> None:
        """Hold it longer, and note what else is to be known of it. Raises Lost."""
        noted = "".join(f", #{name} = :{name}" for name in also)
        self._write_if_ours(
            claim,
            f"SET claim_until_ms = :until{noted}",
            names={f"#{name}": name for name in also},
            values={":until": {"N": str(until_ms)}, **{f":{name}": value for name, value in also.items()}},
        )

    def quarantine(self, job_id: str, reason: str, sent_at_ms: int) -> None:
        """Write down why a message is no job. A job that is in work, or over, stays what it is."""
        now_ms = self.now_ms()
        try:
            self._dynamodb.update_item(
                TableName=self._name,
                Key={"job_id": {"S": job_id}},
                UpdateExpression=(
                    "SET #status = :quarantined, #error = :error, finished_at_ms = :now, may_retry = :no, "
                    "queued_at_ms = if_not_exists(queued_at_ms, :sent), expires_at_s = if_not_exists(expires_at_s, :expires)"
                ),
                ConditionExpression="attribute_not_exists(job_id) OR #status = :queued",
                ExpressionAttributeNames={"#status": "status", "#error": "error"},
                ExpressionAttributeValues={
                    ":queued": {"S": "QUEUED"},
                    ":quarantined": {"S": "QUARANTINED"},
                    ":error": {"S": reason[: jobs.REASON_MAX]},
                    ":no": {"BOOL": False},
                    ":now": {"N": str(now_ms)},
                    ":sent": {"N": str(sent_at_ms)},
                    ":expires": {"N": str(sent_at_ms // 1000 + self._days * 86_400)},
                },
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return

    def item(self, job_id: str) -> Mapping[str, Any]:
        """The job as it stands now; empty when there is none."""
        found: Mapping[str, Any] = self._dynamodb.get_item(
            TableName=self._name, Key={"job_id": {"S": job_id}}, ConsistentRead=True
        ).get("Item", {})
        return found

    def claim_of(self, item: Mapping[str, Any]) -> Claim | None:
        """The claim that stands on an item, to be ended by whoever brings its answer; None when it is not in work."""
        if not item or item["status"]["S"] != "WORKING":
            return None
        attempt = int(item["attempts"]["N"])
        return Claim(item["job_id"]["S"], item["claimant"]["S"], attempt, "cancel_requested" in item)

    def is_unwanted(self, claim: Claim) -> bool:
        """Whether its owner has asked to stop it."""
        return "cancel_requested" in self.item(claim.job_id)

    def _write_if_ours(self, claim: Claim, update: str, names: dict[str, str], values: dict[str, Any]) -> None:
        try:
            self._dynamodb.update_item(
                TableName=self._name,
                Key={"job_id": {"S": claim.job_id}},
                UpdateExpression=update,
                ConditionExpression="#status = :working AND claimant = :claimant",
                ExpressionAttributeNames={"#status": "status", **names},
                ExpressionAttributeValues={":working": {"S": "WORKING"}, ":claimant": {"S": claim.claimant}, **values},
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as lost:
            raise Lost("the claim went to another worker") from lost


def done(reply: Reply, model_ms: int, answer_at: str = "") -> Attributes:
    """The attributes of an answered job; `answer_at` is where its text lies when it is too long for the table."""
    where = {"answer_at": {"S": answer_at}} if answer_at else {"text": {"S": reply.text}}
    return {
        "status": {"S": "DONE"},
        **where,
        "stop_reason": {"S": reply.stop_reason},
        "input_tokens": {"N": str(reply.input_tokens)},
        "output_tokens": {"N": str(reply.output_tokens)},
        "model_ms": {"N": str(model_ms)},
    }


def failed(reason: str, *, may_retry: bool) -> Attributes:
    """The attributes of a job given up; `may_retry` says whether a redrive could help."""
    return {"status": {"S": "FAILED"}, "error": {"S": reason[: jobs.REASON_MAX]}, "may_retry": {"BOOL": may_retry}}


def cancelled(heard: str = "") -> Attributes:
    """The attributes of a job that its owner stopped; what the model had said by then was paid for, and stays."""
    return {"status": {"S": "CANCELLED"}} | ({"text": {"S": heard}} if heard else {})


def cancel(dynamodb: Any, table: str, job_id: str) -> Mapping[str, Any] | None:
    """Cancel a job at the wish of its owner; its item now, or None when it is not there or over.

    One that waits is over at once. One in work is marked, and its worker stops at the next piece; the answer may be quicker. Each move is one
    conditional write, so a job that ends at this moment stays what it became.
    """
    now = {"N": str(time.time_ns() // 1_000_000)}
    at_once = ("SET #status = :cancelled, finished_at_ms = :now", "QUEUED", {":cancelled": {"S": "CANCELLED"}})
    soon: tuple[str, str, Attributes] = ("SET cancel_requested = :now", "WORKING", {})
    for update, status, values in (at_once, soon, at_once):  # a worker may give it back between the first two
        try:
            item: Mapping[str, Any] = dynamodb.update_item(
                TableName=table,
                Key={"job_id": {"S": job_id}},
                UpdateExpression=update,
                ConditionExpression="#status = :from",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":from": {"S": status}, ":now": now, **values},
                ReturnValues="ALL_NEW",
            )["Attributes"]
        except dynamodb.exceptions.ConditionalCheckFailedException:
            continue
        return item
    return None
