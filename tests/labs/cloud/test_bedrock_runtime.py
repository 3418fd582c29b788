"""Bedrock Runtime: answers in AWS's shapes, at the serving engine's times, in words that do not pretend to be a model's."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from botocore.validate import ParamValidator

from labs.cloud import standin, tokens
from labs.cloud.context import Context
from labs.cloud.services.bedrock_call import Dealer
from labs.cloud.services.bedrock_errors import rejection
from labs.cloud.services.bedrock_models import models
from labs.cloud.wallclock import Rejected
from labs.serving.engine import Engine, EngineConfig, Request

MODEL = "amazon.nova-micro-v1:0"
PROMPT = (
    "Summarise this ticket: the router in the lighthouse drops its connection every evening, and its light blinks red."
)


@pytest.fixture(params=["server", "in-process"])
def bedrock(request: pytest.FixtureRequest) -> Any:
    """A boto3 client of the local cloud, in either of its two forms."""
    if request.param == "server":
        request.getfixturevalue("local_cloud")
    else:
        request.getfixturevalue("in_process_cloud")
    return client()


def client() -> Any:
    return boto3.client("bedrock-runtime", config=Config(retries={"total_max_attempts": 1}))


def user(text: str = PROMPT) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"text": text}]}]


def ask(bedrock: Any, **more: Any) -> Any:
    return bedrock.converse(**({"modelId": MODEL, "messages": user()} | more))


def stream(bedrock: Any, **more: Any) -> list[dict[str, Any]]:
    return list(bedrock.converse_stream(**({"modelId": MODEL, "messages": user()} | more))["stream"])


def engine_ms(usage: dict[str, int], model_id: str = MODEL) -> float:
    """What the engine makes of the first call of a model, in milliseconds."""
    engine = Engine(EngineConfig(replica=models()[model_id].speed()))
    engine.submit(0.0, Request("a", usage["inputTokens"], usage["outputTokens"]))
    return [event.t for event in engine.advance(1e6)][-1] * 1000


def text_of(answer: Any) -> str:
    if isinstance(answer, list):
        return "".join(event["contentBlockDelta"]["delta"]["text"] for event in answer if "contentBlockDelta" in event)
    text: str = answer["output"]["message"]["content"][0]["text"]
    return text


def assert_shape(bedrock: Any, operation: str, answer: dict[str, Any]) -> None:
    shape = bedrock.meta.service_model.operation_model(operation).output_shape
    said = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
    report = ParamValidator().validate(said, shape)
    assert not report.has_errors(), report.generate_report()


class TestConverse:
    """One answer, whole."""

    def test_has_the_shape_that_aws_documents(self, bedrock: Any) -> None:
        answer = ask(bedrock)
        assert_shape(bedrock, "Converse", answer)
        assert answer["output"]["message"]["role"] == "assistant"
        assert answer["stopReason"] == "end_turn"

    def test_is_labelled_deterministic_and_about_the_prompt(self, bedrock: Any) -> None:
        text = text_of(ask(bedrock))
        assert text.startswith("[stand-in answer, not a model] ")
        assert "router" in text or "lighthouse" in text
        assert text == text_of(ask(bedrock))
        assert "tides" in text_of(
            ask(bedrock, messages=user("Explain the tides to a child."), inferenceConfig={"maxTokens": 40})
        )

    def test_counts_its_tokens(self, bedrock: Any) -> None:
        answer = ask(bedrock)
        usage = answer["usage"]
        assert usage["outputTokens"] == tokens.count(text_of(answer))
        assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
        counted = bedrock.count_tokens(modelId=MODEL, input={"converse": {"messages": user()}})
        assert_shape(bedrock, "CountTokens", counted)
        assert counted["inputTokens"] == usage["inputTokens"]

    def test_a_system_prompt_and_earlier_turns_count_as_input(self, bedrock: Any) -> None:
        brief = {"inferenceConfig": {"maxTokens": 2}}
        alone = ask(bedrock, **brief)["usage"]["inputTokens"]
        assert ask(bedrock, system=[{"text": "Be brief, and name the part."}], **brief)["usage"]["inputTokens"] > alone
        turns = [*user("Hello there."), {"role": "assistant", "content": [{"text": "Hello."}]}, *user()]
        assert ask(bedrock, messages=turns, **brief)["usage"]["inputTokens"] > alone

    def test_max_tokens_cuts_it_and_says_so(self, bedrock: Any) -> None:
        answer = ask(bedrock, inferenceConfig={"maxTokens": 9})
        assert answer["stopReason"] == "max_tokens"
        assert answer["usage"]["outputTokens"] == 9

    def test_a_stop_sequence_ends_it_and_says_so(self, bedrock: Any) -> None:
        answer = ask(bedrock, inferenceConfig={"stopSequences": ["a model]"]})
        assert answer["stopReason"] == "stop_sequence"
        assert text_of(answer) == "[stand-in answer, not "

    def test_takes_the_time_that_it_says(self, bedrock: Any) -> None:
        started = time.monotonic()
        answer = ask(bedrock)
        took_ms = (time.monotonic() - started) * 1000
        speed = models()[MODEL].speed()
        median_ms = (speed.ttft_s + (answer["usage"]["outputTokens"] - 1) * speed.tpot_s) * 1000
        latency_ms = answer["metrics"]["latencyMs"]
        assert median_ms / 5 < latency_ms < median_ms * 5  # a shared service scatters
        assert latency_ms - 1 <= took_ms < latency_ms + 5000

    def test_takes_the_engines_time(self, in_process_cloud: Context) -> None:
        answer = ask(client())
        assert answer["metrics"]["latencyMs"] == pytest.approx(engine_ms(answer["usage"]), abs=2)
        assert in_process_cloud.endpoint_url is None

    @pytest.mark.parametrize(
        "identifier",
        [
            MODEL,
            f"us.{MODEL}",
            f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}",
            f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{MODEL}",
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        ],
    )
    def test_answers_for_models_profiles_and_their_arns(self, bedrock: Any, identifier: str) -> None:
        assert ask(bedrock, modelId=identifier, inferenceConfig={"maxTokens": 3})["usage"]["outputTokens"] == 3


class TestConverseStream:
    """The same answer, token by token."""

    def test_is_the_same_answer(self, bedrock: Any) -> None:
        whole, events = ask(bedrock), stream(bedrock)
        kinds = [next(iter(event)) for event in events]
        made = whole["usage"]["outputTokens"]
        assert kinds == ["messageStart", *["contentBlockDelta"] * made, "contentBlockStop", "messageStop", "metadata"]
        assert events[0]["messageStart"] == {"role": "assistant"}
        assert text_of(events) == text_of(whole)
        assert events[-2]["messageStop"]["stopReason"] == whole["stopReason"]
        assert events[-1]["metadata"]["usage"] == whole["usage"]
        shape = bedrock.meta.service_model.operation_model("ConverseStream").output_shape.members["stream"]
        for event in events:
            assert not ParamValidator().validate(event, shape).has_errors()

    def test_arrives_token_by_token(self, bedrock: Any) -> None:
        name = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"  # a slow one
        speed = models()[name.removeprefix("us.")].speed()
        asked = time.monotonic()
        response = bedrock.converse_stream(modelId=name, messages=user(), inferenceConfig={"maxTokens": 40})
        events = [(time.monotonic(), event) for event in response["stream"]]
        arrivals = [at for at, event in events if "contentBlockDelta" in event]
        # None before its time; and the first long before the last, which it would not be if they came in one piece at the end.
        latency_s = events[-1][1]["metadata"]["metrics"]["latencyMs"] / 1000
        assert arrivals[0] - asked >= speed.ttft_s / 5
        assert arrivals[-1] - asked >= latency_s - 0.002
        assert arrivals[-1] - arrivals[0] > 39 * speed.tpot_s / 20

    def test_a_client_that_goes_away_frees_its_seat(self, bedrock: Any) -> None:
        response = bedrock.converse_stream(modelId=MODEL, messages=user())
        next(iter(response["stream"]))
        response["stream"].close()
        assert ask(bedrock, inferenceConfig={"maxTokens": 2})["usage"]["outputTokens"] == 2

    def test_many_at_once_all_arrive_whole(self, local_cloud: Any) -> None:  # noqa: ARG002
        shared, whole = client_for_many(), {}

        def follow(i: int) -> None:
            whole[i] = stream(shared, messages=user(f"{PROMPT} Case {i}."), inferenceConfig={"maxTokens": 25})

        threads = [threading.Thread(target=follow, args=(i,)) for i in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert len(whole) == 40
        assert all(events[-1]["metadata"]["usage"]["outputTokens"] == 25 for events in whole.values())


def client_for_many() -> Any:
    return boto3.client("bedrock-runtime", config=Config(max_pool_connections=50))


class TestRefusals:
    """AWS's own codes and words, before a token is spent."""

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            ({"modelId": "nosuch.model-v1:0"}, "The provided model identifier is invalid."),
            ({"modelId": "eu.meta.llama3-1-8b-instruct-v1:0"}, "The provided model identifier is invalid."),
            (
                {"modelId": "anthropic.claude-haiku-4-5-20251001-v1:0"},
                "Retry your request with the ID or ARN of an inference profile",
            ),
            ({"messages": []}, "A conversation must start with a user message."),
            ({"messages": [{"role": "assistant", "content": [{"text": "hi"}]}]}, "must start with a user message"),
            ({"messages": [*user(), *user()]}, "must alternate between user and assistant roles"),
            (
                {"messages": [*user(), {"role": "assistant", "content": [{"text": "hi"}]}]},
                "must end with a user message",
            ),
            (
                {"messages": [{"role": "user", "content": []}]},
                "The content field in the Message object at messages.0 is empty.",
            ),
            ({"messages": user("  ")}, "The text field in the ContentBlock object at messages.0.content.0 is blank."),
            ({"inferenceConfig": {"maxTokens": 10_001}}, "exceeds the model limit of 10000"),
            ({"inferenceConfig": {"temperature": 1.5}}, "failed to satisfy constraint"),
            ({"messages": user("word " * 300_001)}, "Input is too long for requested model."),
            (
                {"guardrailConfig": {"guardrailIdentifier": "gr1", "guardrailVersion": "1"}},
                "guardrail identifier or version",
            ),
            (
                {
                    "messages": [
                        {
                            "role": "user",
                            "content": [{"image": {"format": "png", "source": {"bytes": b"x"}}}, {"text": "?"}],
                        }
                    ]
                },
                "Remove image at messages.0.content.0",
            ),
        ],
    )
    @pytest.mark.parametrize(
        ("bedrock", "operation"), [("server", "converse_stream"), ("in-process", "converse")], indirect=["bedrock"]
    )
    def test_are_validation_exceptions(self, bedrock: Any, operation: str, more: dict[str, Any], words: str) -> None:
        with pytest.raises(bedrock.exceptions.ValidationException) as refused:
            getattr(bedrock, operation)(**({"modelId": MODEL, "messages": user()} | more))
        assert words in refused.value.response["Error"]["Message"]
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400

    def test_of_a_shape_that_boto3_would_not_let_through(self, bedrock: Any) -> None:
        loose = boto3.client(
            "bedrock-runtime", config=Config(parameter_validation=False, retries={"total_max_attempts": 1})
        )
        with pytest.raises(bedrock.exceptions.ValidationException, match="content"):
            loose.converse(modelId=MODEL, messages=[{"role": "user"}])

    @pytest.mark.parametrize(
        ("reason", "code", "status"),
        [
            ("tokens per minute", "ThrottlingException", 429),
            ("tokens per day", "ThrottlingException", 429),
            ("requests per minute", "ThrottlingException", 429),
            ("not ready", "ModelNotReadyException", 429),
            ("context", "ValidationException", 400),
            ("queue", "ServiceUnavailableException", 503),
            (None, "ServiceUnavailableException", 503),
        ],
    )
    @pytest.mark.parametrize("operation", ["converse", "converse_stream"])
    def test_of_the_engine_have_their_names(
        self,
        in_process_cloud: Context,
        monkeypatch: pytest.MonkeyPatch,
        operation: str,
        reason: str | None,
        code: str,
        status: int,
    ) -> None:
        def reject(*_: Any, **__: Any) -> Any:
            raise Rejected(reason)

        monkeypatch.setattr("labs.cloud.wallclock.WallClock.submit", reject)
        with pytest.raises(ClientError) as refused:
            getattr(client(), operation)(modelId=MODEL, messages=user())
        assert refused.value.response["Error"]["Code"] == code
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert in_process_cloud.endpoint_url is None

    def test_in_the_middle_of_a_stream_end_it_as_an_event(
        self, in_process_cloud: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dealt = Dealer.events_of

        def fail_at_the_tenth(self: Any, event: Any) -> Any:
            if self._dealt == 10:
                raise rejection("tokens per minute")
            return dealt(self, event)

        monkeypatch.setattr(Dealer, "events_of", fail_at_the_tenth)
        events = iter(client().converse_stream(modelId=MODEL, messages=user())["stream"])
        seen = [next(events) for _ in range(1 + 10)]
        assert "contentBlockDelta" in seen[-1]
        with pytest.raises(EventStreamError, match=r"throttlingException.*Too many tokens"):
            next(events)
        assert in_process_cloud.endpoint_url is None


class ModelServer(BaseHTTPRequestHandler):
    """An OpenAI-compatible server."""

    reply: Any = None
    asked: list[Any]

    def do_GET(self) -> None:
        self._answer(200, {"data": [{"id": "tiny-llama"}]})

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))  # type: ignore[attr-defined]
        self._answer(*self.server.reply)  # type: ignore[attr-defined]

    def _answer(self, status: int, content: Any) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def model_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A model server of the learner's own, named by LAB_MODEL_URL."""
    server = HTTPServer(("127.0.0.1", 0), ModelServer)
    server.asked = []  # type: ignore[attr-defined]
    server.reply = 200, {"choices": [{"message": {"content": "It is the aerial, I am sure of it."}}]}  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("LAB_MODEL_URL", f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.usefixtures("in_process_cloud")
class TestWithAModelServerOfOnesOwn:
    """LAB_MODEL_URL."""

    def test_its_text_is_used_at_the_engines_time(self, model_server: Any) -> None:
        answer = ask(client(), system=[{"text": "Be sure."}], inferenceConfig={"maxTokens": 50})
        assert text_of(answer) == "It is the aerial, I am sure of it."
        [asked] = model_server.asked
        assert asked["model"] == "tiny-llama"
        assert asked["max_tokens"] == 50
        assert asked["messages"] == [{"role": "system", "content": "Be sure."}, {"role": "user", "content": PROMPT}]
        assert answer["metrics"]["latencyMs"] == pytest.approx(engine_ms(answer["usage"]), abs=2)

    def test_it_can_be_told_which_model(self, model_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LAB_MODEL", "big-llama")
        stream(client())
        assert model_server.asked[0]["model"] == "big-llama"

    @pytest.mark.parametrize(
        "reply",
        [
            (500, {"error": "out of memory"}),
            (200, {"choices": []}),
            (200, []),
            (200, {"choices": [{"message": {"content": ""}}]}),
        ],
    )
    def test_when_it_fails_that_is_said_and_the_stand_in_stays_silent(self, model_server: Any, reply: Any) -> None:
        model_server.reply = reply
        with pytest.raises(ClientError, match="LAB_MODEL_URL: the model server") as failed:
            ask(client())
        assert failed.value.response["Error"]["Code"] == "ModelErrorException"
        assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 424

    def test_when_nobody_is_there_that_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LAB_MODEL_URL", "http://127.0.0.1:9/v1")
        with pytest.raises(ClientError, match="does not answer") as failed:
            ask(client())
        assert failed.value.response["Error"]["Code"] == "ModelErrorException"


class TestStandIn:
    """What it says when there is no model."""

    @pytest.mark.parametrize(
        "prompt",
        [
            PROMPT,
            "x",
            "???",
            "日本語で答えてください。",
            "{a} {b} {quote} {0}",
            "Classify: spam or ham?\n" * 50,
            "a " * 5000,
        ],
    )
    @pytest.mark.parametrize("max_tokens", [1, 50, 5000])
    def test_has_an_answer_to_everything(self, prompt: str, max_tokens: int) -> None:
        text = standin.stand_in(prompt, max_tokens)
        assert text.startswith(standin.LABEL)
        assert text == standin.stand_in(prompt, max_tokens)
        assert tokens.count(text) < 600

    def test_is_as_long_as_its_task_usually_is(self) -> None:
        label = tokens.count(standin.stand_in("Classify this message: I want my money back.", 5000))
        essay = tokens.count(standin.stand_in("Write an essay on lighthouses and the people who keep them.", 5000))
        assert label < 90 < 200 < essay

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "Where should it run?",
            "def f(x):\n    return x  +  1\n",
            "日本語 and English",
            "naïve café — “quote”",
            "a\t\n b",
        ],
    )
    def test_tokens_are_the_text_again(self, text: str) -> None:
        assert "".join(tokens.pieces(text)) == text
        assert tokens.count(text) == len(tokens.pieces(text))

    def test_english_is_about_four_thirds_of_a_token_a_word(self) -> None:
        text = " ".join(
            [
                PROMPT,
                "Which of the two services should we choose, when the number of requests per minute is small and uneven?",
            ]
            * 3
        )
        assert 1.1 < tokens.count(text) / len(text.split()) < 1.5


class TestCures:
    """Each of these fails once moto has cured what we patch."""

    def test_moto_has_no_converse(self) -> None:
        from moto.bedrockruntime.responses import BedrockRuntimeResponse

        assert not {"converse", "converse_stream", "count_tokens"} & set(dir(BedrockRuntimeResponse))

    def test_moto_joins_a_stream_before_it_sends_it(self) -> None:
        from moto.core.serialize import get_serializer_class
        from moto.core.utils import get_service_model

        operation = get_service_model("bedrock-runtime").operation_model("ConverseStream")
        drawn = []

        def events() -> Iterator[dict[str, Any]]:
            for i in range(3):
                drawn.append(i)
                yield {"contentBlockStop": {"contentBlockIndex": i}}

        serialized = get_serializer_class("bedrock-runtime", "rest-json")(operation).serialize({"stream": events()})
        assert isinstance(serialized["body"], bytes)
        assert drawn == [0, 1, 2]

    def test_moto_wants_bytes_in_process(self) -> None:
        from moto.core.botocore_stubber import MockRawResponse

        with pytest.raises(TypeError):
            MockRawResponse(iter([b"one", b"two"]))

    def test_moto_answers_invoke_model_with_nothing(self) -> None:
        from moto.bedrockruntime.models import bedrockruntime_backends

        backend = bedrockruntime_backends["123456789012"]["us-east-1"]
        assert backend.invoke_model(payload={}, model_id="anything") == {}

    def test_motos_own_error_class_cannot_be_raised_as_it_is(self) -> None:
        from botocore.exceptions import UnknownServiceError
        from moto.core.exceptions import ServiceException
        from moto.core.serialize import get_serializer_class
        from moto.core.utils import get_service_model

        operation = get_service_model("bedrock-runtime").operation_model("Converse")
        with pytest.raises(UnknownServiceError):
            get_serializer_class("bedrock-runtime", "rest-json")(operation).serialize(
                ServiceException("ThrottlingException", "slow down")
            )
