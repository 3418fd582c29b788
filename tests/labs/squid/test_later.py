"""Answers that come later: announced by a topic, or read out of a batch; each job still ends once, whatever gets lost on the way."""

import importlib
import json
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from labs.targets import batching
from labs.targets.batching import Answer, Place, Record
from labs.targets.calling import Address, Reply
from tests.labs.squid.conftest import FUNCTION_TIMEOUT_S, Line, model_error

ANSWER = {
    "choices": [{"message": {"content": "Later."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2},
}
FEWEST, MOST, WAIT_S = 3, 5, 900
CONTEXT = SimpleNamespace(
    function_name="worker",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:worker",
    aws_request_id="request",
    get_remaining_time_in_millis=lambda: FUNCTION_TIMEOUT_S * 1000,
)


class Later:
    """A line whose worker is one of the two that do not wait."""

    def __init__(self, line: Line, module: ModuleType) -> None:
        self.line, self.module, self.worker = line, module, module.worker
        self.worker.__dict__.update(FIRST_PAUSE_S=0.0, LONGEST_PAUSE_S=0.0)

    def deliver(self) -> list[str]:
        """Hand the visible messages to the worker; returns the ids of those that stay."""
        event = self.line.receive()
        assert event is not None, "nothing is visible in the queue"
        return self.line.handle(self.module, event)

    def show_again(self, job_id: str) -> None:
        """Let the message that was hidden for the answer's sake reappear, and the claim expire."""
        self.line.sqs.change_message_visibility(
            QueueUrl=self.line.queue_url, ReceiptHandle=self.line.item(job_id)["receipt"], VisibilityTimeout=0
        )
        now_ms = self.worker.table.now_ms
        self.worker.table.now_ms = lambda: now_ms() + 3_700_000

    def messages(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.line.sqs.get_queue_attributes(QueueUrl=self.line.queue_url, AttributeNames=names)["Attributes"]
        return sum(map(int, found.values()))


def load(line: Line, name: str) -> Later:
    """The module as a new process would have it, with the worker that it stands on."""
    importlib.reload(importlib.import_module("labs.squid.functions.worker"))
    return Later(line, importlib.reload(importlib.import_module(f"labs.squid.functions.{name}")))


# -- announced


class Endpoint:
    """An asynchronous endpoint: takes requests, and answers when the test says so."""

    def __init__(self, s3: Any) -> None:
        self.s3 = s3
        self.requests: list[dict[str, Any]] = []
        self.script: list[Exception] = []

    def invoke_endpoint_async(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        if self.script:
            raise self.script.pop(0)
        return {"OutputLocation": f"s3://results/out/{len(self.requests)}.out"}

    def answer(self, number: int = 1, body: Any = ANSWER) -> dict[str, Any]:
        """Write an answer; returns its announcement."""
        self.s3.put_object(Bucket="results", Key=f"out/{number}.out", Body=json.dumps(body).encode())
        where = {"outputLocation": f"s3://results/out/{number}.out"}
        said = {"invocationStatus": "Completed", "responseParameters": where}
        return said | {"inferenceId": self.requests[number - 1]["InferenceId"]}

    def fail(self, reason: str) -> dict[str, Any]:
        return {"invocationStatus": "Failed", "failureReason": reason, "inferenceId": self.requests[-1]["InferenceId"]}


@pytest.fixture
def later(line: Line, monkeypatch: pytest.MonkeyPatch) -> Later:
    monkeypatch.setenv("ADDRESS", Address("sagemaker-async", "endpoint").to_json())
    monkeypatch.setenv("ANSWER_WAIT_S", "3600")
    monkeypatch.setenv("STREAMS", "no")
    return load(line, "asynchronous")


@pytest.fixture
def endpoint(later: Later) -> Endpoint:
    later.worker.caller._client = made = Endpoint(later.worker.s3)
    later.line.send({"job_id": "j1", "prompt": "Why a queue?", "max_tokens": 9})
    assert len(later.deliver()) == 1, "the message stays until the answer is there"
    return made


def announce(later: Later, said: dict[str, Any]) -> None:
    records = [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(said)}}]
    assert later.module.handler({"Records": records}, CONTEXT) == {}


def test_an_announcement_ends_the_job_and_takes_its_message_away(later: Later, endpoint: Endpoint) -> None:
    assert json.loads(endpoint.requests[0]["Body"])["max_tokens"] == 9
    assert later.line.item("j1")["status"] == "WORKING"
    announce(later, endpoint.answer())
    item = later.line.item("j1")
    assert (item["status"], item["text"], item["answers"]) == ("DONE", "Later.", "1")
    assert not {"receipt", "output_at", "claim_until_ms"} & set(item)
    assert later.messages() == 0


def test_an_announcement_that_comes_twice_changes_nothing(later: Later, endpoint: Endpoint) -> None:
    said = endpoint.answer()
    for _ in range(2):
        announce(later, said)
    assert later.line.item("j1")["answers"] == "1"
    announce(later, said | {"inferenceId": "nobody's.1"})


def test_an_announcement_that_never_comes_costs_time_and_no_second_call(later: Later, endpoint: Endpoint) -> None:
    endpoint.answer()
    later.show_again("j1")
    assert later.deliver() == []
    assert later.line.item("j1")["status"] == "DONE"
    assert len(endpoint.requests) == 1


def test_an_answer_that_never_comes_is_asked_for_again(later: Later, endpoint: Endpoint) -> None:
    later.show_again("j1")
    assert len(later.deliver()) == 1
    assert [request["InferenceId"] for request in endpoint.requests] == ["j1.1", "j1.2"]
    announce(later, endpoint.answer(2))
    assert later.line.item("j1")["answers"] == "1"


def test_what_the_endpoint_calls_a_clients_error_is_final_and_anything_else_is_tried_again(
    later: Later, endpoint: Endpoint
) -> None:
    announce(later, endpoint.fail("Received server error (500) from primary"))
    assert later.line.item("j1")["status"] == "QUEUED"
    assert len(later.deliver()) == 1
    announce(later, endpoint.fail("Received client error (400) from primary"))
    item = later.line.item("j1")
    assert (item["status"], item["may_retry"]) == ("FAILED", False)
    assert later.messages() == 0


def test_an_endpoint_that_takes_nothing_at_the_moment_is_asked_again(later: Later, endpoint: Endpoint) -> None:
    endpoint.script = [model_error("ThrottlingException", 429)]
    later.line.send({"job_id": "j2", "prompt": "Why a table?"})
    assert len(later.deliver()) == 1
    assert later.line.item("j2")["status"] == "QUEUED"


def test_a_job_cancelled_meanwhile_stays_cancelled(later: Later, endpoint: Endpoint) -> None:
    from labs.squid.functions import claims

    claims.cancel(later.line.dynamodb, later.line.table, "j1")
    announce(later, endpoint.answer())
    assert later.line.item("j1")["status"] == "CANCELLED"
    assert later.messages() == 0


# -- in batches


class Bedrock:
    """Batch jobs, played: they run when the test says so."""

    def __init__(self) -> None:
        self.jobs: dict[str, list[Record]] = {}
        self.status = "InProgress"
        self.submissions = 0
        self.refuses: Exception | None = None
        self.unasked: set[str] = set()

    def submit(self, place: Place, name: str, records: list[Record], *, token: str) -> str:
        assert (place.model_id, token) == ("a-model", name)
        self.submissions += 1
        if self.refuses is not None:
            raise self.refuses
        self.jobs.setdefault(name, records)
        return f"arn:{name}"

    def look(self, arn: str) -> batching.Job:
        return batching.Job(arn, self.status, "", 0, 0, 0)

    def read(self, place: Place, name: str, job: batching.Job, records: list[Record]) -> list[Answer]:
        del place, job
        assert self.jobs[name][: len(records)] == records, "the records are those that were sent, in their order"
        return [
            Answer(record.id, None, "not processed: the job is Expired")
            if record.id in self.unasked
            else Answer(record.id, Reply(f"To {record.prompt}", 3, 2, "end_turn"))
            for record in records
        ]


@pytest.fixture
def batches(line: Line, monkeypatch: pytest.MonkeyPatch) -> Later:
    settings = {
        "BATCH_PLACE": Place("a-model", "a-bucket", "a-role").to_json(),
        "BATCH_FEWEST": str(FEWEST),
        "BATCH_MOST": str(MOST),
        "BATCH_WAIT_S": str(WAIT_S),
        "BATCH_LOOK_S": "0",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return load(line, "batches")


@pytest.fixture
def bedrock(batches: Later, monkeypatch: pytest.MonkeyPatch) -> Bedrock:
    made = Bedrock()
    for name in ("submit", "look", "read"):
        monkeypatch.setattr(batches.module.batching, name, getattr(made, name))
    return made


def hand_in(batches: Later, count: int, first: int = 0) -> list[str]:
    ids = [f"j{n}" for n in range(first, first + count)]
    for job_id in ids:
        batches.line.send({"job_id": job_id, "prompt": f"Question {job_id}?", "max_tokens": 9})
    return ids


def statuses(batches: Later, ids: list[str]) -> set[str]:
    return {batches.line.item(job_id)["status"] for job_id in ids}


def test_jobs_wait_until_they_are_enough_and_are_answered_together(batches: Later, bedrock: Bedrock) -> None:
    few = hand_in(batches, FEWEST - 1)
    assert batches.deliver() == []
    assert batches.deliver() == [], "a tick"
    assert bedrock.jobs == {}, "too few, and not waiting long"
    ids = few + hand_in(batches, 1, FEWEST - 1)
    batches.deliver()
    batches.deliver()
    [records] = bedrock.jobs.values()
    assert sorted(record.id for record in records) == ids
    assert statuses(batches, ids) == {"WORKING"}
    bedrock.status = "Completed"
    batches.deliver()
    assert statuses(batches, ids) == {"DONE"}
    assert batches.line.item("j0")["text"] == "To Question j0?"
    assert batches.messages() == 0, "nothing waits, so no tick comes any more"
    assert batches.worker.s3.list_objects_v2(Bucket="results").get("Contents", []) == []


def test_who_has_waited_long_enough_goes_with_fillers(
    batches: Later, bedrock: Bedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    [job] = hand_in(batches, 1)
    batches.deliver()
    monkeypatch.setattr(batches.module, "BATCH_WAIT_S", 0)
    bedrock.status = "Completed"
    batches.deliver()
    [records] = bedrock.jobs.values()
    assert [record.max_tokens for record in records] == [9, 1, 1], "a filler is one token"
    assert statuses(batches, [job]) == {"DONE"}


def test_no_batch_is_larger_than_it_may_be(batches: Later, bedrock: Bedrock) -> None:
    hand_in(batches, 2 * FEWEST)
    batches.deliver()
    for _ in range(2):
        batches.deliver()
    assert max(len(records) for records in bedrock.jobs.values()) <= MOST
    assert sum(len(records) for records in bedrock.jobs.values()) in (MOST, 2 * FEWEST)


def test_a_placing_that_breaks_off_goes_on_where_it_was_and_nothing_is_placed_twice(
    batches: Later, bedrock: Bedrock
) -> None:
    ids = hand_in(batches, FEWEST)
    batches.deliver()
    bedrock.refuses = model_error("ThrottlingException", 429)
    assert batches.deliver() == [], "the tick's deliveries are not used up: another comes"
    bedrock.refuses = None
    batches.line.send({"job_id": "j0", "prompt": "Question j0?"})  # and a late copy of a job that is placed
    bedrock.status = "Completed"
    while batches.messages():
        batches.deliver()
    assert statuses(batches, ids) == {"DONE"}
    assert len(bedrock.jobs) == 1
    assert bedrock.submissions == 2
    assert {batches.line.item(job_id)["answers"] for job_id in ids} == {"1"}


def test_a_batch_that_will_never_do_fails_its_jobs_with_the_reason(batches: Later, bedrock: Bedrock) -> None:
    ids = hand_in(batches, FEWEST)
    bedrock.refuses = model_error("ValidationException", 400)
    batches.deliver()
    batches.deliver()
    assert statuses(batches, ids) == {"FAILED"}
    assert "the batch was refused" in batches.line.item("j0")["error"]
    assert batches.messages() == 0


def test_what_a_batch_did_not_get_to_goes_back_and_a_job_cancelled_in_time_goes_nowhere(
    batches: Later, bedrock: Bedrock
) -> None:
    from labs.squid.functions import claims

    ids = hand_in(batches, FEWEST + 1)
    batches.deliver()
    claims.cancel(batches.line.dynamodb, batches.line.table, "j3")
    bedrock.status, bedrock.unasked = "Expired", {"j1"}
    batches.deliver()
    [records] = bedrock.jobs.values()
    assert "j3" not in {record.id for record in records}
    assert [batches.line.item(job_id)["status"] for job_id in ids] == ["DONE", "QUEUED", "DONE", "CANCELLED"]
    batches.deliver()
    assert batches.line.item("j1")["attempts"] == "2", "it waits for the next batch"
