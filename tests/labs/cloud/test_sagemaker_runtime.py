"""SageMaker Runtime: bodies of each server, streams, limits, errors, variants, and times that are the engine's."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EventStreamError

from labs import facts
from labs.cloud import metrics, tokens
from labs.cloud.context import Context
from labs.cloud.services import sagemaker_runtime, sagemaker_targets
from labs.cloud.services.sagemaker_hosting import of
from labs.serving.engine import Request
from tests.labs.cloud.kit import until
from tests.labs.cloud.sagemaker_kit import (
    LMI,
    SMALL,
    TGI,
    TRITON,
    VLLM,
    SageMaker,
    chat,
    cloud_of_a_module,
    fresh,
    refusal,
)

ESSAY = "Write an essay about lighthouses and their lamps."
PROMPT = "Summarise this ticket: the router in the lighthouse drops its connection every evening."


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    yield from cloud_of_a_module(tmp_path_factory.mktemp("sagemaker"))


@pytest.fixture
def sm(cloud: Context) -> SageMaker:
    return fresh(cloud)


def lines(parts: list[bytes]) -> list[Any]:
    return [json.loads(line) for line in b"".join(parts).splitlines()]


def events(parts: list[bytes]) -> list[Any]:
    frames = b"".join(parts).decode().strip().split("\n\n")
    assert all(frame.startswith("data: ") for frame in frames)
    return [json.loads(frame[6:]) if frame != "data: [DONE]" else "DONE" for frame in frames]


def recorded(sm: SageMaker, name: str, **dimensions: str) -> list[Any]:
    """The buckets of a metric of this cloud."""
    assert sm.context is not None
    found = metrics.store(sm.context).read(
        ("123456789012", "us-east-1"), "AWS/SageMaker", name, tuple(sorted(dimensions.items())), 0, time.time() + 60
    )
    return [bucket for _, bucket in found]


class TestServers:
    """Each container's own request and answer."""

    def test_lmi(self, sm: SageMaker) -> None:
        name = sm.serving(LMI)
        said = sm.ask(name, {"inputs": PROMPT, "parameters": {"max_new_tokens": 6, "details": True}})
        assert said["generated_text"].startswith("[stand-in answer")
        assert said["details"]["finish_reason"] == "length"
        assert said["details"]["generated_tokens"] == len(said["details"]["tokens"]) == 6
        assert tokens.count(said["generated_text"]) == 6

    def test_lmi_streams_lines_of_json(self, sm: SageMaker) -> None:
        name = sm.serving(LMI)
        parts = sm.stream(name, {"inputs": PROMPT, "parameters": {"max_new_tokens": 5}, "stream": True})
        assert len(parts) == 5
        said = lines(parts)
        assert "".join(each["token"]["text"] for each in said) == said[-1]["generated_text"]
        assert said[-1]["details"]["generated_tokens"] == 5
        assert all("generated_text" not in each for each in said[:-1])
        whole = sm.ask(name, {"inputs": PROMPT, "parameters": {"max_new_tokens": 5}})
        assert whole["generated_text"] == said[-1]["generated_text"]

    def test_lmi_can_be_told_to_stream_events(self, sm: SageMaker) -> None:
        name = sm.serving(LMI, {"HF_MODEL_ID": SMALL, "OPTION_OUTPUT_FORMATTER": "sse"})
        said = events(sm.stream(name, {"inputs": PROMPT, "parameters": {"max_new_tokens": 3}, "stream": True}))
        assert [each["token"]["text"] for each in said] == tokens.pieces(said[-1]["generated_text"])

    def test_a_container_that_was_not_asked_to_stream_answers_in_one_part(self, sm: SageMaker) -> None:
        [part] = sm.stream(sm.serving(LMI), {"inputs": PROMPT, "parameters": {"max_new_tokens": 3}})
        assert json.loads(part)["generated_text"]

    def test_vllm_speaks_openais_chat(self, sm: SageMaker) -> None:
        name = sm.serving(VLLM, {"SM_VLLM_MODEL": SMALL, "SM_VLLM_MAX_MODEL_LEN": "4096"})
        said = sm.ask(name, chat(PROMPT, max_tokens=5))
        assert (said["object"], said["model"]) == ("chat.completion", SMALL)
        [choice] = said["choices"]
        assert (choice["message"]["role"], choice["finish_reason"]) == ("assistant", "length")
        assert said["usage"] == {
            "prompt_tokens": tokens.count(PROMPT) + 4,
            "completion_tokens": 5,
            "total_tokens": tokens.count(PROMPT) + 9,
        }
        streamed = events(
            sm.stream(name, chat(PROMPT, max_tokens=5, stream=True, stream_options={"include_usage": True}))
        )
        assert streamed[-1] == "DONE"
        assert streamed[-2]["usage"] == said["usage"]
        assert streamed[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        text = "".join(each["choices"][0]["delta"].get("content", "") for each in streamed[:-2])
        assert text == choice["message"]["content"]
        assert streamed[-3]["choices"][0]["finish_reason"] == "length"

    def test_vllm_completes_prompts(self, sm: SageMaker) -> None:
        said = sm.ask(sm.serving(VLLM, {"SM_VLLM_MODEL": SMALL}), {"prompt": PROMPT, "max_tokens": 3, "echo": True})
        assert said["choices"][0]["text"].startswith(PROMPT)

    def test_tgi_answers_in_a_list_and_streams_events(self, sm: SageMaker) -> None:
        name = sm.serving(TGI, {"HF_MODEL_ID": SMALL})
        body = {"inputs": PROMPT, "parameters": {"max_new_tokens": 4}}
        [said] = sm.ask(name, body)
        streamed = events(sm.stream(name, {**body, "stream": True}))
        assert streamed[-1]["generated_text"] == said["generated_text"]

    def test_triton_reads_and_writes_tensors(self, sm: SageMaker) -> None:
        text = {"name": "text_input", "datatype": "BYTES", "shape": [1], "data": [PROMPT]}
        limit = {"name": "max_tokens", "datatype": "INT32", "shape": [1], "data": [3]}
        said = sm.ask(sm.serving(TRITON), {"inputs": [text, limit]})
        assert tokens.count(said["outputs"][0]["data"][0]) == 3

    def test_stop_sequences_end_an_answer(self, sm: SageMaker) -> None:
        said = sm.ask(sm.serving(VLLM, {"SM_VLLM_MODEL": SMALL}), chat(PROMPT, max_tokens=50, stop=["a model]"]))
        [choice] = said["choices"]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("[stand-in answer, not ", "stop")

    @pytest.mark.parametrize(
        ("image", "body", "status", "words"),
        [
            (LMI, b"not json", 400, "is not JSON"),
            (LMI, [1], 400, "must be a JSON object"),
            (LMI, {"prompt": "x"}, 424, "reads {"),
            (VLLM, {"inputs": "x"}, 422, "vLLM reads"),
            (VLLM, {"messages": []}, 400, "at least one message"),
            (VLLM, {"messages": [{"role": "judge", "content": "x"}]}, 400, "must have a role"),
            (VLLM, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "read text only"),
            (VLLM, chat(max_tokens=0), 400, "must be at least 1"),
            (VLLM, chat(max_tokens=1_000_000), 400, "maximum context length is 2048 tokens"),
            (LMI, {"inputs": "x", "parameters": {"max_new_tokens": "many"}}, 400, "must be at least 1"),
        ],
    )
    def test_what_a_container_refuses_is_a_model_error(
        self, sm: SageMaker, image: str, body: Any, status: int, words: str
    ) -> None:
        name = sm.serving(
            image, {"HF_MODEL_ID": SMALL, "OPTION_MAX_MODEL_LEN": "2048", "SM_VLLM_MAX_MODEL_LEN": "2048"}
        )
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with pytest.raises(sm.runtime.exceptions.ModelError) as caught:
            sm.runtime.invoke_endpoint(EndpointName=name, Body=data)
        said = caught.value.response
        assert said["ResponseMetadata"]["HTTPStatusCode"] == 424
        assert said["OriginalStatusCode"] == status
        assert words in said["OriginalMessage"]
        assert said["LogStreamArn"].endswith(f"log-group:/aws/sagemaker/Endpoints/{name}")
        assert f"Received client error ({status}) from primary with message" in said["Error"]["Message"]


class TestTimes:
    """Latency is the engine's."""

    def test_an_answer_takes_the_engines_time(self, sm: SageMaker) -> None:
        name = sm.serving(LMI)
        assert sm.context is not None
        placed = of(sm.context, "123456789012", "us-east-1").endpoints[name].variants[0].placed
        assert placed is not None
        began = time.monotonic()
        sm.ask(name, {"inputs": PROMPT, "parameters": {"max_new_tokens": 20}})
        took_s = time.monotonic() - began
        spec: Any = placed.deployment.spec
        assert took_s >= 19 * spec.law.least_step_s
        [latency] = recorded(sm, "ModelLatency", EndpointName=name, VariantName="all")
        assert 19 * spec.law.least_step_s * 1e6 <= latency.total <= took_s * 1e6

    def test_a_full_server_queues(self, sm: SageMaker) -> None:
        name = sm.serving(LMI, {"HF_MODEL_ID": SMALL, "OPTION_MAX_ROLLING_BATCH_SIZE": "1"})
        assert sm.context is not None
        fleet = of(sm.context, "123456789012", "us-east-1").endpoints[name].variants[0].fleet
        assert fleet is not None
        before = fleet.submit(Request("before", input_tokens=5, output_tokens=150), 60, every_token=False)
        sm.ask(name, {"inputs": PROMPT, "parameters": {"max_new_tokens": 1}})
        returned = time.monotonic()
        # With one seat nobody overtakes: a single token waited for all of the answer before it.
        [ended] = list(before)
        assert ended.kind == "finished"
        assert ended.t <= returned

    def test_a_container_that_takes_too_long_is_cut_off(self, sm: SageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
        shorten(monkeypatch, "sagemaker.realtime.timeout_s", 0.15)
        name = sm.serving(LMI)
        with pytest.raises(sm.runtime.exceptions.ModelError) as caught:
            sm.ask(name, {"inputs": ESSAY, "parameters": {"max_new_tokens": 400}})
        said = caught.value.response
        assert said["OriginalStatusCode"] == 0
        assert (
            'Received server error (0) from primary with message "Your invocation timed out' in said["Error"]["Message"]
        )
        [errors] = recorded(sm, "Invocation5XXErrors", EndpointName=name, VariantName="all")
        assert errors.total == 1

    def test_a_stream_may_take_longer_than_that_but_not_for_ever(
        self, sm: SageMaker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shorten(monkeypatch, "sagemaker.realtime.timeout_s", 0.15)
        shorten(monkeypatch, "sagemaker.realtime.streaming_timeout_s", 0.4)
        name = sm.serving(VLLM, {"SM_VLLM_MODEL": SMALL})
        body = chat(ESSAY, max_tokens=400, stream=True)
        said = sm.runtime.invoke_endpoint_with_response_stream(EndpointName=name, Body=json.dumps(body).encode())
        first = next(stream := iter(said["Body"]))
        assert first["PayloadPart"]["Bytes"]  # cut in the middle, not refused
        with pytest.raises(EventStreamError, match=r"ModelStreamError.*did not finish its answer in time"):
            list(stream)


def shorten(monkeypatch: pytest.MonkeyPatch, fact: str, seconds: float) -> None:
    """Let a time limit of the register be shorter, so that a test need not wait for it."""
    number = facts.number
    short = lambda id: seconds if id == fact else number(id)  # noqa: E731
    for module in (sagemaker_runtime, sagemaker_targets):
        monkeypatch.setattr(module.facts, "number", short)


class TestLimits:
    """What is refused before a container sees it."""

    def test_a_body_beyond_the_limit(self, sm: SageMaker) -> None:
        name = sm.serving(LMI)
        limit = int(facts.number("sagemaker.realtime.payload_max_bytes"))
        code, message = refusal(sm.runtime.invoke_endpoint, EndpointName=name, Body=b"x" * (limit + 1))
        assert (code, message) == ("413", f"HTTP content length exceeded {limit} bytes.")

    def test_a_queue_that_is_full(self, sm: SageMaker) -> None:
        name = sm.serving(
            LMI, {"HF_MODEL_ID": SMALL, "OPTION_MAX_ROLLING_BATCH_SIZE": "1", "OPTION_JOB_QUEUE_SIZE": "1"}
        )
        assert sm.context is not None
        fleet = of(sm.context, "123456789012", "us-east-1").endpoints[name].variants[0].fleet
        assert fleet is not None
        full = [fleet.submit(Request(str(number), 5, 5000), 60, every_token=False) for number in range(2)]
        with pytest.raises(sm.runtime.exceptions.ModelError) as caught:
            sm.ask(name)
        assert caught.value.response["OriginalStatusCode"] == 503
        assert "queue of waiting requests is full" in caught.value.response["OriginalMessage"]
        for stream in full:
            stream.close()
        until(lambda: fleet.in_hand == 0)
        assert sm.ask(name)  # and there is room again

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            ({"TargetVariant": "nobody"}, "Variant nobody was not found"),
            ({"InferenceComponentName": "nobody"}, "hosts no inference components"),
            ({"InferenceId": "x" * 65}, "between 1 and 64"),
        ],
    )
    def test_a_target_that_is_not_there(self, sm: SageMaker, more: dict[str, str], words: str) -> None:
        code, message = refusal(sm.runtime.invoke_endpoint, EndpointName=sm.serving(LMI), Body=b"{}", **more)
        assert code == "ValidationError"
        assert words in message

    def test_a_real_time_endpoint_takes_no_asynchronous_requests(self, sm: SageMaker) -> None:
        code, message = refusal(
            sm.runtime.invoke_endpoint_async, EndpointName=sm.serving(LMI), InputLocation="s3://b/k"
        )
        assert (code, "is not asynchronous" in message) == ("ValidationError", True)


class TestVariants:
    """Weights, targets, shadows."""

    def two(self, sm: SageMaker, weight: float) -> str:
        model = sm.model()
        one, two = sm.variant(model), sm.variant(model, VariantName="other", InitialVariantWeight=weight)
        return sm.endpoint(sm.config(one, two))

    def test_traffic_follows_the_weights(self, sm: SageMaker) -> None:
        name = self.two(sm, 3.0)
        body = json.dumps({"inputs": "x", "parameters": {"max_new_tokens": 1}}).encode()
        met = [sm.runtime.invoke_endpoint(EndpointName=name, Body=body)["InvokedProductionVariant"] for _ in range(40)]
        assert met.count("other") > met.count("all") > 0
        said = sm.runtime.invoke_endpoint(EndpointName=name, Body=body, TargetVariant="all", CustomAttributes="trace=1")
        assert (said["InvokedProductionVariant"], said["CustomAttributes"]) == ("all", "trace=1")

    def test_a_weight_of_nothing_gets_nothing(self, sm: SageMaker) -> None:
        name = self.two(sm, 0.0)
        body = json.dumps({"inputs": "x", "parameters": {"max_new_tokens": 1}}).encode()
        for _ in range(5):
            assert sm.runtime.invoke_endpoint(EndpointName=name, Body=body)["InvokedProductionVariant"] == "all"

    def test_a_shadow_gets_a_copy_and_answers_nobody(self, sm: SageMaker) -> None:
        model = sm.model()
        config = sm.config(sm.variant(model), ShadowProductionVariants=[sm.variant(sm.model(), VariantName="shadow")])
        name = sm.endpoint(config)
        told = sm.control.describe_endpoint(EndpointName=name)
        assert [each["VariantName"] for each in told["ShadowProductionVariants"]] == ["shadow"]
        said = sm.runtime.invoke_endpoint(EndpointName=name, Body=json.dumps({"inputs": "x"}).encode())
        assert said["InvokedProductionVariant"] == "all"
        deadline = time.monotonic() + 10
        while not recorded(sm, "ModelLatency", EndpointName=name, VariantName="shadow"):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def test_shadows_have_their_rules(self, sm: SageMaker) -> None:
        model = sm.model()
        shadow = [sm.variant(model, VariantName="shadow")]
        output = {"OutputConfig": {"S3OutputPath": "s3://b/o"}}
        for more, words in (
            ({"AsyncInferenceConfig": output}, "not supported for asynchronous"),
            ({"ExecutionRoleArn": "arn:aws:iam::123456789012:role/hosting"}, "need a model"),
        ):
            first = sm.variant(None if "ExecutionRoleArn" in more else model)
            _, message = refusal(lambda f=first, m=more: sm.config(f, ShadowProductionVariants=shadow, **m))
            assert words in message
