"""The front door hands in what is right, says clearly what is not, and lets nobody see what is another's."""

import importlib
import json
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from tests.labs.squid.conftest import Line

ROUTES = {"POST": "POST /jobs", "GET": "GET /jobs/{id}", "DELETE": "DELETE /jobs/{id}"}


class Door:
    """Requests to the door's function, as the HTTP API makes them."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.tenant: str | None = None

    def __call__(
        self, method: str, job_id: str = "", body: Any = None, route: str = "", **headers: str
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        event: dict[str, Any] = {
            "routeKey": route or ROUTES[method],
            "headers": {name.replace("_", "-"): value for name, value in headers.items()},
            "requestContext": {},
        }
        if self.tenant is not None:
            event["requestContext"] = {"authorizer": {"jwt": {"claims": {"sub": self.tenant}}}}
        if job_id:
            event["pathParameters"] = {"id": job_id}
        if body is not None:
            event["body"] = body if isinstance(body, str) else json.dumps(body)
        context = SimpleNamespace(
            function_name="door",
            memory_limit_in_mb=512,
            invoked_function_arn="arn:aws:lambda:::door",
            aws_request_id="r",
        )
        answered = self.module.handler(event, context)
        text = answered["body"]
        return answered["statusCode"], json.loads(text) if text else {}, answered["headers"]

    def submit(self, prompt: str = "Why a queue?", key: str = "", **fields: Any) -> str:
        status, said, _ = self("POST", body={"prompt": prompt, **fields}, **({"idempotency-key": key} if key else {}))
        assert status == 202
        return str(said["job_id"])


@pytest.fixture
def door(line: Line, monkeypatch: pytest.MonkeyPatch) -> Door:
    settings = {
        "DEAD_LETTER_QUEUE_URL": line.dead_letter_queue_url,
        "MAX_PROMPT_BYTES": "2000",
        "TENANT_CLAIM": "sub",
        "TARGET_NAME": "bedrock-on-demand",
        "MODEL_ID": "amazon.nova-lite-v1:0",
        "EVENTS_REALTIME_HOST": "",
        "EVENTS_KEY": "",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    from labs.squid.functions import door

    return Door(importlib.reload(door))


def work_off(line: Line) -> None:
    worker = line.new_worker()
    while event := line.receive():
        line.handle(worker, event)


def test_a_job_goes_in_and_its_answer_comes_out(line: Line, door: Door) -> None:
    status, said, headers = door("POST", body={"prompt": "Why a queue?", "max_tokens": 20})
    assert (status, said["status"], headers["Location"]) == (202, "QUEUED", f"/jobs/{said['job_id']}")
    assert "events" not in said, "this stack pushes nothing"
    status, seen, headers = door("GET", said["job_id"])
    assert (status, seen["status"]) == (200, "QUEUED")
    assert int(headers["Retry-After"]) >= 1
    work_off(line)
    status, seen, headers = door("GET", said["job_id"])
    assert (status, seen["status"], seen["text"]) == (200, "DONE", line.model.reply)
    assert "Retry-After" not in headers
    assert not {"claimant", "request_hash", "expires_at_s"} & set(seen), "the machinery is nobody's business"
    assert line.model.calls[0]["inferenceConfig"] == {"maxTokens": 20}


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ("{", 400, "not JSON"),
        ("[1]", 400, "not a JSON object"),
        ({"prompt": " "}, 400, "the prompt is empty"),
        ({"prompt": 7}, 400, "the prompt is empty"),
        ({"prompt": "x", "max_tokens": 0}, 400, "1 or more"),
        ({"prompt": "x", "max_tokens": "9"}, 400, "whole number"),
        ({"prompt": "x", "tenant": "two words"}, 400, "a tenant is named"),
        ({"prompt": "x", "temperature": 1}, 400, "unknown field 'temperature'"),
        ({"prompt": "x" * 2000}, 413, "at most 2,000"),
    ],
    ids=lambda value: str(value)[:25],
)
def test_what_is_no_job_is_refused_in_a_sentence_and_nothing_is_written(
    line: Line, door: Door, body: Any, status: int, says: str
) -> None:
    got, said, _ = door("POST", body=body)
    assert got == status
    assert says in said["error"]
    assert line.receive() is None
    assert line.dynamodb.scan(TableName=line.table)["Count"] == 0


def test_another_kind_of_body_and_an_unprintable_key_are_refused(door: Door) -> None:
    assert door("POST", body={"prompt": "x"}, content_type="text/plain")[0] == 415
    assert door("POST", body={"prompt": "x"}, **{"idempotency-key": "é"})[0] == 400
    assert door("POST", body={"prompt": "x"}, **{"idempotency-key": "k" * 256})[0] == 400


def test_the_same_key_is_the_same_job_and_another_body_under_it_is_refused(line: Line, door: Door) -> None:
    first = door.submit(key="ticket 7")
    work_off(line)
    status, said, _ = door("POST", body={"prompt": "Why a queue?"}, **{"idempotency-key": "ticket 7"})
    assert (status, said["job_id"], said["status"]) == (202, first, "DONE")
    assert line.receive() is None, "an answered job needs no message"
    assert door("POST", body={"prompt": "Why a table?"}, **{"idempotency-key": "ticket 7"})[0] == 422
    assert len(line.model.calls) == 1


def test_a_request_repeated_after_the_queue_failed_sends_the_message_that_was_missing(
    line: Line, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(**_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://sqs")

    with monkeypatch.context() as patch:
        patch.setattr(door.module.sqs, "send_message", unreachable)
        status, said, headers = door("POST", body={"prompt": "Why a queue?"}, **{"idempotency-key": "again"})
        assert (status, headers["Retry-After"]) == (503, "2")
        assert "try again" in said["error"]
        unkeyed = door("POST", body={"prompt": "No name"})
        assert unkeyed[0] == 503
    items = [item["status"]["S"] for item in line.dynamodb.scan(TableName=line.table)["Items"]]
    assert sorted(items) == ["FAILED", "QUEUED"], (
        "what nobody can name again has ended; the named one waits for its message"
    )
    job_id = door.submit(key="again")
    work_off(line)
    assert door("GET", job_id)[1]["answers"] == 1


def test_what_has_not_changed_is_not_sent_again(line: Line, door: Door) -> None:
    job_id = door.submit()
    tag = door("GET", job_id)[2]["ETag"]
    status, said, headers = door("GET", job_id, **{"if-none-match": f'"other", W/{tag}'})
    assert (status, said, headers["ETag"]) == (304, {}, tag)
    assert "Retry-After" in headers
    work_off(line)
    status, _, headers = door("GET", job_id, **{"if-none-match": tag})
    assert status == 200
    assert headers["ETag"] != tag


def test_a_long_answer_is_a_link_and_the_link_does_not_change_the_tag(line: Line, door: Door) -> None:
    line.model.reply = "é" * 900
    job_id = door.submit()
    work_off(line)
    first, second = door("GET", job_id), door("GET", job_id)
    assert "text" not in first[1]
    assert f"answers/{job_id}/" in first[1]["text_url"]
    assert first[2]["ETag"] == second[2]["ETag"]


def test_a_job_that_waits_is_cancelled_at_once_and_no_model_is_asked(line: Line, door: Door) -> None:
    job_id = door.submit()
    assert door("DELETE", job_id)[:1] == (200,)
    assert door("GET", job_id)[1]["status"] == "CANCELLED"
    work_off(line)
    assert line.model.calls == []
    assert door("DELETE", job_id)[0] == 200, "a second wish is the same wish"


def test_a_job_in_work_is_stopped_at_the_next_piece(line: Line, door: Door) -> None:
    worker = line.new_worker()
    vars(worker).update(CANCEL_LOOK_S=0.0)
    job_id = door.submit()
    seen: list[tuple[int, dict[str, Any]]] = []
    line.model.script = [lambda: seen.append(door("DELETE", job_id)[:2]) or "One two three four five six seven."]  # type: ignore[func-returns-value]
    event = line.receive()
    assert event is not None
    assert line.handle(worker, event) == []
    assert (seen[0][0], seen[0][1]["cancel_requested"]) == (202, True)
    ended = door("GET", job_id)[1]
    assert (ended["status"], ended["text"], ended["answers"]) == ("CANCELLED", "One two th", 0), (
        "what was paid for stays"
    )
    assert "cancel_requested" not in ended
    assert line.receive() is None


def test_a_cancelled_job_that_came_back_to_the_queue_is_not_asked_for_again(line: Line, door: Door) -> None:
    worker = line.new_worker()
    from tests.labs.squid.conftest import model_error

    job_id = door.submit()

    def cancelled_then_throttled() -> str:
        door("DELETE", job_id)
        raise model_error("ThrottlingException", 429)

    line.model.script = [cancelled_then_throttled]
    for _ in range(2):
        event = line.receive()
        assert event is not None
        line.handle(worker, event)
    assert door("GET", job_id)[1]["status"] == "CANCELLED"
    assert len(line.model.calls) == 1


def test_what_is_over_cannot_be_cancelled_and_what_is_not_there_neither(line: Line, door: Door) -> None:
    job_id = door.submit()
    work_off(line)
    status, said, _ = door("DELETE", job_id)
    assert status == 409
    assert "DONE" in said["error"]
    assert door("DELETE", "nosuch")[0] == door("GET", "nosuch")[0] == 404


def test_a_tenant_sees_its_own_jobs_only(door: Door) -> None:
    door.tenant = "acme"
    job_id = door.submit(key="one")
    assert door("GET", job_id)[1]["tenant"] == "acme"
    assert door("POST", body={"prompt": "x", "tenant": "globex"})[0] == 403
    door.tenant = "globex"
    assert door("GET", job_id)[0] == door("DELETE", job_id)[0] == 404
    assert door.submit(key="one") != job_id, "a key belongs to its tenant"
    door.tenant = ""
    assert door("GET", job_id)[0] == 403, "a token that names nobody lets nobody in"


def test_the_queue_is_counted(line: Line, door: Door) -> None:
    door.submit()
    line.sqs.send_message(QueueUrl=line.dead_letter_queue_url, MessageBody="x")
    status, counts, _ = door("GET", route="GET /queue")
    assert status == 200
    assert {name: counts[name] for name in ("waiting", "working", "later", "dead")} == {
        "waiting": 1,
        "working": 0,
        "later": 0,
        "dead": 1,
    }
