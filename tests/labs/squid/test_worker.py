"""The worker answers each job once, whatever the queue, the model and the power supply do."""

import threading
from types import ModuleType
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    EventStreamError,
    ParamValidationError,
    ReadTimeoutError,
)

from labs.targets.calling import Address, Caller
from tests.labs.squid.conftest import FUNCTION_TIMEOUT_S, MAX_RECEIVES, Killed, Line, model_error

JOB = {"job_id": "j1", "prompt": "Why a queue?"}
THROTTLED = model_error("ThrottlingException", 429)


@pytest.fixture
def worker(line: Line) -> ModuleType:
    return line.new_worker()


def received(line: Line) -> dict[str, Any]:
    event = line.receive()
    assert event is not None, "nothing is visible in the queue"
    return event


def kill_during(worker: ModuleType, event: dict[str, Any]) -> None:
    """Run the one delivery of `event` in a worker whose process ends where the script says Killed."""
    record = event["Records"][0]
    with pytest.raises(Killed):
        worker.work(SQSRecord(record), worker.table.now_ms() + FUNCTION_TIMEOUT_S * 1000)


def in_the_future(worker: ModuleType, seconds: float) -> None:
    """Let this worker's clock run ahead."""
    now_ms = worker.table.now_ms
    worker.table.now_ms = lambda: now_ms() + round(seconds * 1000)


def test_a_job_is_answered_and_the_item_says_when_by_what_and_how_much(line: Line, worker: ModuleType) -> None:
    line.send({**JOB, "max_tokens": 20})
    assert line.handle(worker, received(line)) == []
    item = line.item("j1")
    assert item["status"] == "DONE"
    assert item["text"] == line.model.reply
    assert (item["model_id"], item["input_tokens"], item["output_tokens"]) == ("amazon.nova-lite-v1:0", "12", "9")
    assert int(item["queued_at_ms"]) <= int(item["started_at_ms"]) <= int(item["finished_at_ms"])
    assert (item["attempts"], item["answers"]) == ("1", "1")
    assert "claim_until_ms" not in item
    request = line.model.calls[0]
    assert request["messages"][0]["content"] == [{"text": "Why a queue?"}]
    assert request["inferenceConfig"] == {"maxTokens": 20}


def test_a_job_cannot_ask_for_more_tokens_than_the_stack_allows(line: Line, worker: ModuleType) -> None:
    line.send({**JOB, "max_tokens": 1_000_000})
    line.handle(worker, received(line))
    assert line.model.calls[0]["inferenceConfig"] == {"maxTokens": 64}


def test_a_message_delivered_again_after_the_answer_does_not_ask_the_model_again(
    line: Line, worker: ModuleType
) -> None:
    line.send(JOB)
    line.send(JOB)
    for _ in range(2):
        event = line.receive(most=1)
        assert event is not None
        assert line.handle(worker, event) == []
    assert len(line.model.calls) == 1
    assert line.item("j1")["answers"] == "1"


def test_two_workers_with_the_same_message_ask_the_model_once(line: Line) -> None:
    first, second = line.new_worker(), line.new_worker()
    asked, may_answer = threading.Event(), threading.Event()

    def slowly() -> str:
        asked.set()
        assert may_answer.wait(20)
        return "the first worker's answer"

    line.model.script = [slowly]
    line.send(JOB)
    event = received(line)
    stay: list[list[str]] = []
    thread = threading.Thread(target=lambda: stay.append(line.handle(first, event)))
    thread.start()
    assert asked.wait(20)
    again = line.show_again(event)
    assert line.handle(second, again) == [again["Records"][0]["messageId"]], (
        "the copy must stay: deleting it would delete the job"
    )
    assert line.receive() is None, "and it must not be looked at again before the claim ends"
    may_answer.set()
    thread.join(20)
    assert stay == [[]]
    assert len(line.model.calls) == 1
    assert line.item("j1")["text"] == "the first worker's answer"


def test_after_a_crash_with_a_claim_another_worker_takes_the_job_when_the_claim_has_expired(line: Line) -> None:
    dead, too_early, heir = line.new_worker(), line.new_worker(), line.new_worker()
    line.model.script = [Killed()]
    line.send(JOB)
    event = received(line)
    kill_during(dead, event)
    assert line.item("j1")["status"] == "WORKING"

    event = line.show_again(event)
    assert line.handle(too_early, event) != []
    assert len(line.model.calls) == 1, "the claim still holds: for all anyone knows its worker is alive"

    in_the_future(heir, FUNCTION_TIMEOUT_S + 2)
    assert line.handle(heir, line.show_again(event)) == []
    item = line.item("j1")
    assert (item["status"], item["attempts"], item["answers"]) == ("DONE", "2", "1")


def test_after_a_crash_between_answer_and_write_the_model_is_asked_twice_and_one_answer_is_kept(line: Line) -> None:
    dead, heir = line.new_worker(), line.new_worker()

    def power_cut(*_: Any) -> None:
        raise Killed

    dead.table.finish = power_cut
    line.send(JOB)
    event = received(line)
    kill_during(dead, event)
    in_the_future(heir, FUNCTION_TIMEOUT_S + 2)
    assert line.handle(heir, line.show_again(event)) == []
    assert len(line.model.calls) == 2
    assert line.item("j1")["answers"] == "1"


def test_a_worker_whose_claim_has_gone_to_another_cannot_write_a_second_answer(line: Line) -> None:
    slow, quick = line.new_worker(), line.new_worker()
    line.send(JOB)
    event = received(line)

    def overtaken() -> str:
        in_the_future(quick, FUNCTION_TIMEOUT_S + 5)
        line.model.script = [lambda: "the quick one"]
        assert line.handle(quick, line.show_again(event)) == []
        return "the slow one"

    line.model.script = [overtaken]
    assert line.handle(slow, event) == [event["Records"][0]["messageId"]]
    item = line.item("j1")
    assert (item["text"], item["answers"]) == ("the quick one", "1")


def test_messages_are_hidden_for_the_invocation_not_for_six_timeouts(
    line: Line, worker: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    original = worker.sqs.change_message_visibility_batch

    def listen(**request: Any) -> Any:
        asked.extend(entry["VisibilityTimeout"] for entry in request["Entries"])
        return original(**request)

    monkeypatch.setattr(worker.sqs, "change_message_visibility_batch", listen)
    line.send(JOB)
    line.handle(worker, received(line))
    assert len(asked) == 1
    assert FUNCTION_TIMEOUT_S < asked[0] <= FUNCTION_TIMEOUT_S + 3, (
        "longer than the claim, so that who comes next finds it expired"
    )


@pytest.mark.parametrize(
    "body",
    [
        "not JSON",
        "[]",
        '{"job_id": "j1"}',
        '{"job_id": "", "prompt": "x"}',
        '{"job_id": "j1", "prompt": 7}',
        '{"job_id": "j1", "prompt": " "}',
    ],
)
def test_a_poison_message_reaches_the_dead_letter_queue_and_harms_no_other(
    line: Line, worker: ModuleType, body: str
) -> None:
    line.send({"job_id": "good", "prompt": "Why a queue?"})
    line.send(body)
    for _ in range(MAX_RECEIVES):
        assert len(line.handle(worker, received(line))) == 1
    assert line.receive() is None
    assert line.dead_letters() == [body]
    assert line.item("good")["status"] == "DONE"
    assert len(line.model.calls) == 1


def test_of_a_batch_only_the_throttled_jobs_come_back(line: Line, worker: ModuleType) -> None:
    for n in range(5):
        line.send({"job_id": f"j{n}", "prompt": f"Question {n}"})
    line.model.script = [THROTTLED, THROTTLED]
    assert len(line.handle(worker, received(line))) == 2
    statuses = sorted(line.item(f"j{n}")["status"] for n in range(5))
    assert statuses == ["DONE"] * 3 + ["QUEUED"] * 2
    again = received(line)
    assert len(again["Records"]) == 2
    assert line.handle(worker, again) == []
    assert all(line.item(f"j{n}")["answers"] == "1" for n in range(5))


def test_a_throttled_job_says_so_and_can_be_claimed_again_at_once(line: Line, worker: ModuleType) -> None:
    line.model.script = [THROTTLED]
    line.send(JOB)
    line.handle(worker, received(line))
    item = line.item("j1")
    assert item["status"] == "QUEUED"
    assert "ThrottlingException" in item["error"]
    assert line.handle(worker, received(line)) == []
    assert line.item("j1")["status"] == "DONE"
    assert line.item("j1")["attempts"] == "2"


def test_a_job_throttled_at_its_last_delivery_fails_with_the_reason_and_lies_in_the_dead_letter_queue(
    line: Line, worker: ModuleType
) -> None:
    line.model.script = [THROTTLED] * MAX_RECEIVES
    line.send(JOB)
    for _ in range(MAX_RECEIVES):
        assert line.handle(worker, received(line)) != []
    item = line.item("j1")
    assert (item["status"], item["may_retry"], item["answers"]) == ("FAILED", True, "0")
    assert f"given up after {MAX_RECEIVES} deliveries" in item["error"]
    assert line.receive() is None
    assert len(line.dead_letters()) == 1


@pytest.mark.parametrize(
    "error",
    [
        model_error("ServiceUnavailableException", 503),
        model_error("InternalServerException", 500),
        model_error("ModelNotReadyException", 429),
        model_error("ModelTimeoutException", 408),
        model_error("ModelErrorException", 424),
        ReadTimeoutError(endpoint_url="https://bedrock"),
        EndpointConnectionError(endpoint_url="https://bedrock"),
    ],
    ids=lambda error: error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__,
)
def test_an_error_that_may_pass_is_tried_again(line: Line, worker: ModuleType, error: Exception) -> None:
    line.model.script = [error]
    line.send(JOB)
    assert line.handle(worker, received(line)) != []
    assert line.handle(worker, received(line)) == []
    assert line.item("j1")["status"] == "DONE"


@pytest.mark.parametrize(
    "error",
    [
        model_error("ValidationException", 400),
        model_error("AccessDeniedException", 403),
        model_error("ResourceNotFoundException", 404),
        ParamValidationError(report="no such parameter"),
    ],
    ids=lambda error: error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__,
)
def test_an_error_that_will_stay_fails_the_job_at_once(line: Line, worker: ModuleType, error: Exception) -> None:
    line.model.script = [error]
    line.send(JOB)
    assert line.handle(worker, received(line)) == []
    item = line.item("j1")
    assert (item["status"], item["may_retry"]) == ("FAILED", False)
    assert type(error).__name__ in item["error"]
    assert line.receive() is None
    assert line.dead_letters() == []
    assert len(line.model.calls) == 1


def test_an_answer_too_long_for_the_table_goes_to_the_bucket(line: Line, worker: ModuleType) -> None:
    line.model.reply = "é" * 501
    line.send(JOB)
    assert line.handle(worker, received(line)) == []
    item = line.item("j1")
    assert (item["status"], item["answers"]) == ("DONE", "1")
    assert "text" not in item
    stored = worker.s3.get_object(Bucket="results", Key=item["answer_at"])
    assert stored["Body"].read().decode() == line.model.reply


def test_pauses_double_and_differ_and_end_at_a_minute(worker: ModuleType) -> None:
    vars(worker).update(FIRST_PAUSE_S=2.0, LONGEST_PAUSE_S=60.0)
    for receives, longest in ((1, 2), (2, 4), (3, 8), (6, 60), (50, 60)):
        pauses = {worker.growing_pause_s(receives) for _ in range(50)}
        assert longest / 2 <= min(pauses) <= max(pauses) <= longest
        assert len(pauses) > 1


def test_the_log_is_structured_and_does_not_hold_the_prompt(
    line: Line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(
        "POWERTOOLS_SERVICE_NAME", "a logger that no other test has"
    )  # it holds on to the first one's output
    line.send({"job_id": "j1", "prompt": "a private matter"})
    line.handle(line.new_worker(), received(line))
    printed = capsys.readouterr().out
    assert '"job_id":"j1"' in printed
    assert "a private matter" not in printed
    assert '"Answered"' in printed, "the metrics of the batch, in embedded metric format"


@pytest.mark.parametrize(
    ("code", "passes"),
    [("throttlingException", True), ("modelStreamErrorException", True), ("validationException", False)],
)
def test_a_stream_that_ends_in_an_error_is_judged_by_the_errors_code(
    line: Line, worker: ModuleType, code: str, passes: bool
) -> None:
    line.model.break_after = 1
    line.model.breaks_with = EventStreamError(
        {"Error": {"Code": code, "Message": "as scripted"}, "ResponseMetadata": {"HTTPStatusCode": 400}},  # type: ignore[typeddict-item]
        "ConverseStream",
    )
    line.send(JOB)
    assert (line.handle(worker, received(line)) != []) is passes
    assert line.item("j1")["status"] == ("QUEUED" if passes else "FAILED")


def test_a_stream_that_just_ends_is_no_answer(line: Line, worker: ModuleType) -> None:
    line.model.break_after = 2
    line.send(JOB)
    assert line.handle(worker, received(line)) != []
    item = line.item("j1")
    assert (item["status"], "text" in item) == ("QUEUED", False)
    assert "broke off" in item["error"]
    line.model.break_after = None
    assert line.handle(worker, received(line)) == []
    assert line.item("j1")["text"] == line.model.reply


def test_an_answer_still_being_written_when_the_time_is_up_comes_back_to_the_queue(
    line: Line, worker: ModuleType
) -> None:
    vars(worker).update(MODEL_TIMEOUT_S=-1)
    line.send(JOB)
    assert line.handle(worker, received(line)) != []
    assert "still being written" in line.item("j1")["error"]


class Endpoint:
    """A SageMaker endpoint whose container speaks chat completions."""

    def __init__(self, lines: list[str] | ClientError) -> None:
        self.lines = lines

    def invoke_endpoint_with_response_stream(self, **_: Any) -> dict[str, Any]:
        if isinstance(self.lines, ClientError):
            raise self.lines
        return {"Body": [{"PayloadPart": {"Bytes": line.encode()}} for line in self.lines]}


def at_an_endpoint(worker: ModuleType, lines: list[str] | ClientError) -> None:
    address = Address("sagemaker", "my-endpoint")
    worker.caller = Caller(address)  # type: ignore[attr-defined]
    worker.caller._client = Endpoint(lines)
    worker.table._model_id = address.location


def test_an_endpoint_behind_the_queue_answers_by_its_own_protocol(line: Line, worker: ModuleType) -> None:
    chunks = ['{"choices": [{"delta": {"content": "Beca"}}]}', '{"choices": [{"delta": {"content": "use."}}]}']
    last = (
        '{"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}'
    )
    at_an_endpoint(worker, [f"data: {chunk}\n\n" for chunk in [*chunks, last]])
    line.send(JOB)
    assert line.handle(worker, received(line)) == []
    item = line.item("j1")
    assert (item["status"], item["text"], item["model_id"]) == ("DONE", "Because.", "my-endpoint")
    assert (item["input_tokens"], item["output_tokens"]) == ("3", "2")


@pytest.mark.parametrize(
    ("container_said", "passes"), [(400, False), (413, False), (429, True), (500, True), (503, True)]
)
def test_what_an_endpoints_container_said_decides_and_not_sagemakers_424(
    line: Line, worker: ModuleType, container_said: int, passes: bool
) -> None:
    error = model_error("ModelError", 424)
    error.response["OriginalStatusCode"] = container_said  # type: ignore[typeddict-unknown-key]
    at_an_endpoint(worker, error)
    line.send(JOB)
    assert (line.handle(worker, received(line)) != []) is passes
    assert line.item("j1")["status"] == ("QUEUED" if passes else "FAILED")


def test_a_container_that_answers_something_else_fails_the_job(line: Line, worker: ModuleType) -> None:
    at_an_endpoint(worker, ["data: {]\n\n"])
    line.send(JOB)
    assert line.handle(worker, received(line)) == []
    item = line.item("j1")
    assert item["status"] == "FAILED"
    assert "no chat completion" in item["error"]
