"""The client loses no job, sends no job's work twice, and says in one sentence what it will not do."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest

from labs.errors import Refusal
from labs.squid import client
from labs.squid.client import Answer, Job, Squid
from labs.targets import stacks
from tests.labs.squid.conftest import MAX_RECEIVES, Line, model_error


@pytest.fixture
def squid(line: Line, monkeypatch: pytest.MonkeyPatch) -> Squid:
    outputs = {
        "TargetName": "bedrock-on-demand",
        "ModelId": "amazon.nova-lite-v1:0",
        "MaxTokens": "64",
        "JobDays": "7",
        "QueueUrl": line.queue_url,
        "DeadLetterQueueUrl": line.dead_letter_queue_url,
        "TableName": line.table,
    }
    stack = stacks.Stack("squid", "CREATE_COMPLETE", datetime.now(UTC), "", outputs)
    monkeypatch.setattr(stacks, "find", lambda name: stack if name == "squid" else None)
    return Squid("squid")


def work_off(line: Line, worker: ModuleType) -> None:
    while event := line.receive():
        line.handle(worker, event)


def test_a_job_is_written_down_before_its_message_is_sent(
    line: Line, squid: Squid, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(**_: Any) -> Any:
        raise ConnectionError("the queue cannot be reached")

    with monkeypatch.context() as patch:
        patch.setattr(squid._sqs, "send_message_batch", unreachable)
        with pytest.raises(ConnectionError):
            squid.submit("Why a queue?", key="ticket 7")
    [item] = line.dynamodb.scan(TableName=line.table)["Items"]
    assert item["status"]["S"] == "QUEUED", "not lost: it can be seen that it never ended"

    job_id = squid.submit("Why a queue?", key="ticket 7")
    assert job_id == item["job_id"]["S"]
    work_off(line, line.new_worker())
    assert squid.wait(job_id, timeout_s=5).answers == 1


def test_the_answer_carries_what_the_table_knows(line: Line, squid: Squid) -> None:
    job_id = squid.submit("Why a queue?")
    assert squid.status(job_id).status == "QUEUED"
    work_off(line, line.new_worker())
    answer = squid.wait(job_id, timeout_s=5)
    assert (answer.status, answer.text, answer.model_id) == ("DONE", line.model.reply, "amazon.nova-lite-v1:0")
    assert (answer.input_tokens, answer.output_tokens, answer.attempts) == (12, 9, 1)
    assert answer.started_at is not None
    assert answer.finished_at is not None
    assert answer.queued_at <= answer.started_at <= answer.finished_at
    assert answer.e2e_ms == pytest.approx((answer.finished_at - answer.queued_at).total_seconds() * 1000)


def test_the_same_key_is_the_same_job(line: Line, squid: Squid) -> None:
    first = squid.submit("Why a queue?", key="ticket 7")
    work_off(line, line.new_worker())
    assert squid.submit("Why a queue?", key="ticket 7") == first
    assert line.receive() is None, "an answered job needs no message"
    assert squid.wait(first, timeout_s=5).status == "DONE"
    assert len(line.model.calls) == 1


def test_a_key_cannot_be_used_for_another_prompt(squid: Squid) -> None:
    squid.submit("Why a queue?", key="ticket 7")
    with pytest.raises(Refusal, match="used for another prompt"):
        squid.submit("Why a table?", key="ticket 7")


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (Job("   "), "empty"),
        (Job("x" * 1_100_000), "1 MiB"),
        (Job("x", max_tokens=0), "must be 1 or more"),
    ],
    ids=["empty", "too long", "no tokens"],
)
def test_what_cannot_be_answered_is_refused_before_anything_is_written(
    line: Line, squid: Squid, job: Job, reason: str
) -> None:
    with pytest.raises(Refusal, match=reason):
        list(squid.submit_many([job]))
    assert line.dynamodb.scan(TableName=line.table)["Count"] == 0
    assert line.receive() is None


def test_messages_the_queue_refused_are_sent_again(line: Line, squid: Squid, monkeypatch: pytest.MonkeyPatch) -> None:
    original, refused = squid._sqs.send_message_batch, []

    def refuse_some(**request: Any) -> Any:
        if refused:
            return original(**request)
        entries = request["Entries"]
        refused.extend(entry["Id"] for entry in entries[:2])
        response = original(QueueUrl=request["QueueUrl"], Entries=entries[2:])
        return {**response, "Failed": [{"Id": id, "SenderFault": False, "Code": "InternalError"} for id in refused]}

    monkeypatch.setattr(squid._sqs, "send_message_batch", refuse_some)
    ids = list(squid.submit_many(Job(f"Question {n}") for n in range(5)))
    assert len(refused) == 2
    work_off(line, line.new_worker())
    assert {answer.job_id for answer in squid.results(ids, timeout_s=5)} == set(ids)
    assert len(line.model.calls) == 5


def test_a_message_the_queue_will_never_take_stops_with_its_job(squid: Squid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        squid._sqs,
        "send_message_batch",
        lambda **request: {
            "Failed": [
                {
                    "Id": request["Entries"][0]["Id"],
                    "SenderFault": True,
                    "Code": "InvalidMessageContents",
                    "Message": "no",
                }
            ]
        },
    )
    with pytest.raises(Refusal, match="did not take job"):
        squid.submit("Why a queue?")


def test_batches_hold_no_more_than_the_queue_takes_at_once(squid: Squid, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, int]] = []

    def measure(**request: Any) -> Any:
        sizes.append((len(request["Entries"]), sum(len(entry["MessageBody"].encode()) for entry in request["Entries"])))
        return {"Successful": []}

    monkeypatch.setattr(squid._sqs, "send_message_batch", measure)
    list(
        squid.submit_many(
            [Job("x" * 400_000, key=str(n)) for n in range(5)] + [Job("y", key=f"s{n}") for n in range(25)]
        )
    )
    assert sum(count for count, _ in sizes) == 30
    assert all(count <= 10 and size <= 1_048_576 for count, size in sizes)
    assert len(sizes) < 10


def test_waiting_ends_with_what_is_known_and_the_job_goes_on(line: Line, squid: Squid) -> None:
    job_id = squid.submit("Why a queue?")
    with pytest.raises(Refusal, match=f"job {job_id} is QUEUED after 0.3 s"):
        squid.wait(job_id, timeout_s=0.3)
    work_off(line, line.new_worker())
    assert squid.wait(job_id, timeout_s=5).status == "DONE"


def test_of_many_jobs_some_are_looked_at_at_a_time_and_each_has_its_turn(
    line: Line, squid: Squid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LOOKED_AT", 4)
    ids = list(squid.submit_many(Job(f"Question {n}") for n in range(9)))
    work_off(line, line.new_worker())
    looked: list[int] = []
    read = squid._read

    def counted(these: Sequence[str]) -> Iterator[Answer]:
        looked.append(len(these))
        return read(these)

    monkeypatch.setattr(squid, "_read", counted)
    assert sorted(answer.job_id for answer in squid.results(ids, timeout_s=30)) == sorted(ids)
    assert max(looked) <= 4
    assert {job for turn in range(4) for job in client._some(ids, turn)} == set(ids)


def test_when_the_time_is_up_every_job_has_been_looked_at(
    line: Line, squid: Squid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LOOKED_AT", 4)
    ids = list(squid.submit_many(Job(f"Question {n}") for n in range(9)))
    work_off(line, line.new_worker())
    assert len(list(squid.results(ids, timeout_s=0))) == 9


def test_results_come_as_they_end_and_the_missing_are_simply_not_among_them(line: Line, squid: Squid) -> None:
    line.model.script = [model_error("ValidationException", 400)]
    ids = list(squid.submit_many(Job(f"Question {n}") for n in range(3)))
    work_off(line, line.new_worker())
    late = squid.submit("Nobody works on this one")
    answers = {answer.job_id: answer for answer in squid.results([*ids, late], timeout_s=0.5)}
    assert set(answers) == set(ids)
    assert sorted(answer.status for answer in answers.values()) == ["DONE", "DONE", "FAILED"]


def test_more_jobs_than_one_read_takes_are_all_read(line: Line, squid: Squid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "READ_AT_ONCE", 10)
    ids = list(squid.submit_many(Job(f"Question {n}") for n in range(25)))
    work_off(line, line.new_worker())
    assert {answer.job_id for answer in squid.results(ids, timeout_s=10)} == set(ids)


def test_any_unicode_passes_through_the_queue_unchanged(line: Line, squid: Squid) -> None:
    prompt = "Grüße, 質問, 🦑, \x07 and \ufffe"
    squid.submit(prompt)
    work_off(line, line.new_worker())
    assert line.model.calls[0]["messages"][0]["content"] == [{"text": prompt}]


def test_a_redrive_gives_given_up_jobs_another_life_and_leaves_poison_where_it_is(line: Line, squid: Squid) -> None:
    worker = line.new_worker()
    line.model.script = [model_error("ThrottlingException", 429)] * MAX_RECEIVES
    job_id = squid.submit("Why a queue?")
    line.send("not a job")
    work_off(line, worker)
    assert squid.status(job_id).status == "FAILED"
    assert squid.depth() == {"waiting": 0, "working": 0, "dead": 2}

    sent, stay = squid.redrive()
    assert sent == 1
    assert len(stay) == 1
    assert "it holds no job" in stay[0]
    work_off(line, worker)
    answer = squid.wait(job_id, timeout_s=5)
    assert (answer.status, answer.answers, answer.attempts) == ("DONE", 1, MAX_RECEIVES + 1)


def test_a_redrive_sends_no_answered_job_and_none_that_would_fail_again(line: Line, squid: Squid) -> None:
    line.model.script = [None, model_error("ValidationException", 400)]
    answered = squid.submit("Why a queue?")
    work_off(line, line.new_worker())
    wrong = squid.submit("Something the model does not take")
    work_off(line, line.new_worker())
    for job_id in (answered, wrong, "unknown"):
        body = json.dumps({"job_id": job_id, "prompt": "x"})
        line.sqs.send_message(QueueUrl=line.dead_letter_queue_url, MessageBody=body)
    sent, stay = squid.redrive()
    assert sent == 0
    assert sorted(why.split(": ", 1)[1].split(":")[0] for why in stay) == [
        f"job {wrong} would fail again",
        "the table knows no job unknown",
    ]
    assert line.receive() is None


@pytest.mark.usefixtures("squid")
def test_a_stack_that_is_not_there_is_named_with_what_to_do() -> None:
    with pytest.raises(Refusal, match=r"no stack 'nosuch'.*lab deploy squid"):
        Squid("nosuch")


def test_an_unknown_job_is_refused(squid: Squid) -> None:
    with pytest.raises(Refusal, match="knows no job 'nosuch'"):
        squid.status("nosuch")
