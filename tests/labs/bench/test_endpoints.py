"""Every kind of endpoint on the local cloud: asked in its own words, understood in its own answers, through the queue as well."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from labs import terminal
from labs.bench import where
from labs.bench.endpoints.bedrock import Bedrock, family
from labs.bench.endpoints.openai import OpenAi
from labs.bench.endpoints.queued import Arrived, Queued
from labs.bench.endpoints.sagemaker import SageMaker
from labs.bench.endpoints.squid import ThroughSquid
from labs.bench.exchange import Ask, Failed
from labs.bench.texts import has_text, usage
from labs.bench.where import Clouds, Options
from labs.cli import cli
from labs.cloud.state import ServerRecord
from labs.errors import Refusal
from tests.labs.bench.kit import TOKENS, FakeServer, a_workload, ask_once, run_here
from tests.labs.cloud.sagemaker_kit import CPU, LLAMA_CPP
from tests.labs.cloud.sagemaker_kit import SageMaker as Account

ASK = Ask(1, "#1 Write a story about a river.", 12, 8)
MODEL = "amazon.nova-lite-v1:0"


@pytest.mark.usefixtures("local_cloud")
@pytest.mark.parametrize("operation", ["converse-stream", "converse", "invoke-with-response-stream", "invoke"])
def test_bedrock(operation: Any) -> None:
    endpoint = Bedrock(MODEL, operation)
    attempt = ask_once(endpoint, ASK)
    assert attempt.status == "ok", attempt.message
    assert attempt.output_tokens == 8
    assert attempt.input_tokens is not None
    assert attempt.input_tokens >= 8
    assert len(attempt.tokens) == (8 if endpoint.streaming else 1)
    assert attempt.http_status == 200


@pytest.mark.usefixtures("local_cloud")
@pytest.mark.parametrize(
    "model",
    [
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "us.meta.llama3-3-70b-instruct-v1:0",
        "mistral.mistral-7b-instruct-v0:2",
        "openai.gpt-oss-20b-1:0",
        "qwen.qwen3-32b-v1:0",
    ],
)
@pytest.mark.parametrize("operation", ["invoke-with-response-stream", "invoke"])
def test_each_family_has_its_own_json(model: str, operation: Any) -> None:
    attempt = ask_once(Bedrock(model, operation), ASK)
    assert attempt.status == "ok", attempt.message
    assert attempt.output_tokens == 8
    assert len(attempt.tokens) == (8 if operation.endswith("stream") else 1)


@pytest.mark.usefixtures("local_cloud")
def test_a_model_that_is_not_there_is_refused_by_name() -> None:
    attempt = ask_once(Bedrock("amazon.no-such-model-v1:0"), ASK)
    assert attempt.status == "ValidationException"
    assert attempt.http_status == 400
    assert attempt.message


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (MODEL, "nova"),
        ("arn:aws:bedrock:us-east-1:1:imported-model/abc", "llama"),
        ("us.deepseek.r1-v1:0", "openai"),
        ("amazon.titan-text-express-v1", "titan"),
    ],
)
def test_a_models_family_is_told_from_its_id(model: str, expected: str) -> None:
    assert family(model) == expected


def test_a_family_that_cannot_be_told_is_refused() -> None:
    with pytest.raises(Refusal, match="use --api converse-stream"):
        family("stability.something")


@pytest.fixture(scope="module")
def account(local_cloud: ServerRecord) -> Iterator[Account]:  # noqa: ARG001
    made = Account()
    yield made
    made.tidy()


@pytest.fixture(scope="module")
def hosted(account: Account) -> tuple[str, str]:
    """An endpoint in service and one for asynchronous inference, both small, on CPUs; they start side by side."""
    model = account.model(LLAMA_CPP)
    bucket = account.bucket()
    config = {"OutputConfig": {"S3OutputPath": f"s3://{bucket}/answers/", "S3FailurePath": f"s3://{bucket}/failures"}}
    variant = account.variant(model, InstanceType=CPU)
    online = account.endpoint(account.config(variant), wait=False)
    later = account.endpoint(account.config(variant, AsyncInferenceConfig=config), wait=False)
    for name in (online, later):
        assert account.settled(name)["EndpointStatus"] == "InService"
    return online, later


@pytest.mark.parametrize("operation", ["stream", "invoke"])
def test_sagemaker(hosted: tuple[str, str], operation: Any) -> None:
    attempt = ask_once(SageMaker(hosted[0], operation), ASK)
    assert attempt.status == "ok", attempt.message
    assert attempt.output_tokens == 8
    assert len(attempt.tokens) >= (7 if operation == "stream" else 1)


def test_sagemaker_later_by_way_of_s3(account: Account, hosted: tuple[str, str]) -> None:
    attempt = ask_once(SageMaker(hosted[1], "async", bucket=account.bucket()), ASK)
    assert attempt.status == "ok", attempt.message
    assert len(attempt.tokens) == 1
    assert attempt.output_tokens == 8


@pytest.mark.usefixtures("local_cloud")
def test_an_endpoint_that_is_not_there_is_refused_by_name() -> None:
    attempt = ask_once(SageMaker("nobody"), ASK)
    assert attempt.status == "ValidationError"
    assert "not found" in attempt.message
    with pytest.raises(Refusal, match="--bucket"):
        ask_once(SageMaker("nobody", "async"), ASK)


def test_sagemakers_words(fake: FakeServer) -> None:
    attempt = ask_once(SageMaker("fake", format="inputs", component="one"))
    assert attempt.status == "ok", attempt.message
    assert len(attempt.tokens) == TOKENS
    assert fake.calls("fake") >= 1
    body = SageMaker("fake", format="inputs", extra={"parameters": {"top_k": 1}}).body(ASK)
    assert body == {"inputs": ASK.prompt, "stream": True, "parameters": {"top_k": 1}}


def test_what_is_laid_over_a_body_is_in_it() -> None:
    assert OpenAi("http://x", "m", extra={"ignore_eos": True}).body(ASK)["ignore_eos"] is True
    assert Bedrock(MODEL, extra={"inferenceConfig": {"maxTokens": 3}}).body(ASK)["inferenceConfig"] == {"maxTokens": 3}


@pytest.fixture(scope="module")
def queue(local_cloud: ServerRecord) -> Iterator[str]:  # noqa: ARG001
    name = "bench-queue"
    assert terminal.run(cli, "lab", ["deploy", "squid", "--name", name, "--max-tokens", "24", "--json"]) == 0
    yield name
    terminal.run(cli, "lab", ["teardown", name, "--json"])


def test_through_the_queue_every_request_gets_its_answer(queue: str) -> None:
    endpoint = ThroughSquid(queue)
    assert endpoint.describe()["target"] == "bedrock-on-demand"
    price = where.through_squid(queue, Clouds(real=False, tell=lambda _: None), "bedrock-on-demand").price()
    assert price is not None
    assert {dimension.basis for dimension in price.dimensions} >= {"request", "million output tokens"}
    rows, _ = run_here(a_workload(rate_per_s=10, duration_s=0.8), endpoint.open(only_loopback=True), timeout_s=60)
    assert len(rows) == 8
    for _, due, attempt, _ in rows:
        assert attempt.status == "ok", attempt.message
        assert len(attempt.tokens) == 1  # it comes in one piece
        assert attempt.sent is not None
        assert due < attempt.sent < attempt.tokens[0]
        assert attempt.output_tokens


def test_a_queue_in_front_of_something_else_is_not_taken_for_it(queue: str) -> None:
    with pytest.raises(Refusal, match="stands in front of bedrock-on-demand, not of sagemaker-gpu"):
        where.through_squid(queue, Clouds(real=False, tell=lambda _: None), "sagemaker-gpu")


@pytest.mark.usefixtures("local_cloud")
def test_a_deployed_target_is_measured_at_the_address_that_it_gives() -> None:
    clouds = Clouds(real=False, tell=lambda _: None)
    place = where.target("bedrock-on-demand", Options(), clouds)
    assert place.provenance == "predicted"
    assert place.describe()["endpoint"] == "bedrock-converse-stream"
    assert where.target("bedrock-on-demand", Options(api="converse"), clouds).describe()["streaming"] is False
    with pytest.raises(Refusal, match="is none of this target"):
        where.target("bedrock-on-demand", Options(api="triton"), clouds)


def test_an_openai_server_elsewhere_is_measured_not_predicted() -> None:
    place = where.openai("http://127.0.0.1:9", Options(model="m"))
    assert (place.provenance, place.note) == ("measured", "measured at http://127.0.0.1:9")


class Desk:
    """Answers what it is told to."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome

    def submit(self, ask: Ask) -> int:
        if isinstance(self.outcome, Exception) and not isinstance(self.outcome, Failed):
            raise self.outcome
        return ask.id

    def poll(self, tickets: Any) -> dict[int, Any]:
        return {} if self.outcome is None else dict.fromkeys(tickets, self.outcome)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Arrived(1, 2), "ok"),
        (Failed("JobFailed", "the model said no"), "JobFailed"),
        (Refusal("the prompt is empty"), "Refused"),
        (None, "Timeout"),
    ],
)
def test_what_becomes_of_a_request_that_is_handed_in(outcome: Any, status: str) -> None:
    rows, _ = run_here(
        a_workload(rate_per_s=20, duration_s=0.1), Queued(Desk(outcome), 0.01), timeout_s=60 if outcome else 0.3
    )
    assert [attempt.status for _, _, attempt, _ in rows] == [status] * 2


@pytest.mark.parametrize(
    ("data", "has"),
    [
        ({"choices": [{"delta": {"role": "assistant", "content": ""}}]}, False),
        ({"choices": [{"delta": {"content": "a"}}]}, True),
        ({"choices": [{"delta": {"reasoning_content": "a"}}]}, True),
        ({"choices": [{"delta": {"tool_calls": [{"index": 0}]}}]}, True),
        ({"choices": [{"text": "a"}]}, True),
        ({"choices": [{"message": {"content": "a"}}]}, True),
        ({"choices": [], "usage": {"completion_tokens": 3}}, False),
        ({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}, True),
        ({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "a"}}, True),
        ({"type": "content_block_start", "content_block": {"type": "text", "text": ""}}, False),
        ({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}, False),
        ({"content": [{"type": "text", "text": "a"}]}, True),
        ({"contentBlockDelta": {"delta": {"text": "a"}}}, True),
        ({"messageStop": {"stopReason": "end_turn"}}, False),
        ({"output": {"message": {"content": [{"text": "a"}]}}}, True),
        ({"generation": "a"}, True),
        ({"generation": ""}, False),
        ({"outputs": [{"text": "a"}]}, True),
        ({"outputText": "a"}, True),
        ({"results": [{"outputText": "a"}]}, True),
        ({"token": {"id": 5, "text": "a"}, "generated_text": None}, True),
        ({"token": {"id": 5, "text": ""}}, False),
        ({"text_output": "a"}, True),
        ({"generated_text": "a"}, True),
        ({}, False),
    ],
)
def test_what_is_content_in_everybodys_words(data: dict[str, Any], has: bool) -> None:
    assert has_text(data) is has


@pytest.mark.parametrize(
    ("data", "counts"),
    [
        ({"usage": {"prompt_tokens": 1, "completion_tokens": 2}}, (1, 2)),
        ({"usage": {"input_tokens": 1, "output_tokens": 2}}, (1, 2)),
        ({"usage": {"inputTokens": 1, "outputTokens": 2}}, (1, 2)),
        ({"amazon-bedrock-invocationMetrics": {"inputTokenCount": 1, "outputTokenCount": 2}}, (1, 2)),
        ({"prompt_token_count": 1, "generation_token_count": 2}, (1, 2)),
        ({"details": {"generated_tokens": 2}}, (None, 2)),
        ({"usage": None}, (None, None)),
    ],
)
def test_who_counted_what(data: dict[str, Any], counts: tuple[int | None, int | None]) -> None:
    assert usage(data) == counts


@pytest.mark.usefixtures("local_cloud")
def test_the_local_cloud_is_where_boto3_says() -> None:
    client = Bedrock(MODEL).open(only_loopback=True)
    assert client._origin.authority == boto3.client("bedrock-runtime").meta.endpoint_url.split("//")[1]
