"""InvokeModel speaks each family's format, in and out, whole and streamed, and refuses another family's in AWS's words."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labs.cloud import tokens
from labs.cloud.services.bedrock_bodies import BODIES, parsed
from labs.cloud.services.bedrock_errors import ServiceError
from labs.cloud.services.bedrock_models import models
from tests.labs.cloud.bedrock_kit import checked, either

__all__ = ["either"]

PROMPT = "Summarise this: the router in the lighthouse blinks red."
CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"
NOVA = "amazon.nova-micro-v1:0"
MISTRAL = "mistral.mistral-7b-instruct-v0:2"
CHAT = "qwen.qwen3-32b-v1:0"
METRICS = "amazon-bedrock-invocationMetrics"

BODY: dict[str, dict[str, Any]] = {
    CLAUDE: {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 6,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": PROMPT}]}],
    },
    LLAMA: {
        "prompt": f"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n{PROMPT}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n",
        "max_gen_len": 6,
        "temperature": 0.5,
    },
    NOVA: {
        "schemaVersion": "messages-v1",
        "system": [{"text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"text": PROMPT}]}],
        "inferenceConfig": {"maxTokens": 6},
    },
    MISTRAL: {"prompt": f"<s>[INST] {PROMPT} [/INST]", "max_tokens": 6},
    CHAT: {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROMPT}],
        "max_tokens": 6,
    },
}
FIRST_WORDS = "[stand-in answer,"


def text_of(model_id: str, body: dict[str, Any]) -> str:
    """The answer's text in a whole body."""
    if model_id == CLAUDE:
        return str(body["content"][0]["text"])
    if model_id == LLAMA:
        return str(body["generation"])
    if model_id == NOVA:
        return str(body["output"]["message"]["content"][0]["text"])
    if model_id == MISTRAL:
        return str(body["outputs"][0]["text"])
    return str(body["choices"][0]["message"]["content"])


def text_of_chunk(model_id: str, chunk: dict[str, Any]) -> str:
    """The text in one chunk."""
    if model_id == CLAUDE:
        return str(chunk["delta"]["text"]) if chunk["type"] == "content_block_delta" else ""
    if model_id == LLAMA:
        return str(chunk["generation"])
    if model_id == NOVA:
        return str(chunk.get("contentBlockDelta", {}).get("delta", {}).get("text", ""))
    if model_id == MISTRAL:
        return str(chunk["outputs"][0]["text"])
    return str(chunk["choices"][0]["delta"].get("content", ""))


@pytest.mark.usefixtures("either")
class TestBothWays:
    """Whole and streamed, server and in-process."""

    @pytest.mark.parametrize("model_id", BODY)
    def test_each_family_answers_in_its_own_format(self, model_id: str) -> None:
        runtime, asked = checked("bedrock-runtime"), json.dumps(BODY[model_id])
        whole = runtime.invoke_model(modelId=model_id, body=asked)
        body = json.loads(whole["body"].read())
        headers = whole["ResponseMetadata"]["HTTPHeaders"]
        assert whole["contentType"] == "application/json"
        assert text_of(model_id, body) == FIRST_WORDS
        assert headers["x-amzn-bedrock-output-token-count"] == "6" == str(tokens.count(FIRST_WORDS))

        counted = runtime.count_tokens(modelId=model_id, input={"invokeModel": {"body": asked}})["inputTokens"]
        assert str(counted) == headers["x-amzn-bedrock-input-token-count"]

        stream = runtime.invoke_model_with_response_stream(modelId=model_id, body=asked)
        assert stream["contentType"] == "application/json"
        chunks = [json.loads(event["chunk"]["bytes"]) for event in stream["body"]]
        pieces = [text for chunk in chunks if (text := text_of_chunk(model_id, chunk))]
        assert "".join(pieces) == FIRST_WORDS
        assert len(pieces) == 6
        counts = chunks[-1][METRICS]
        assert counts["outputTokenCount"] == 6
        assert counts["inputTokenCount"] == int(headers["x-amzn-bedrock-input-token-count"])
        assert 0 < counts["firstByteLatency"] <= counts["invocationLatency"]
        assert all(METRICS not in chunk for chunk in chunks[:-1])

    def test_settings_in_headers_come_back(self) -> None:
        runtime = checked("bedrock-runtime")
        answer = runtime.invoke_model(
            modelId="amazon.nova-pro-v1:0",
            body=json.dumps(BODY[NOVA]),
            serviceTier="flex",
            performanceConfigLatency="standard",
        )
        assert (answer["serviceTier"], answer["performanceConfigLatency"]) == ("flex", "standard")


@pytest.mark.usefixtures("in_process_cloud")
class TestFormats:
    """Details of one family's format."""

    def invoke(self, model_id: str, **change: Any) -> dict[str, Any]:
        body = BODY[model_id] | change
        answer = checked("bedrock-runtime").invoke_model(modelId=model_id, body=json.dumps(body))
        found: dict[str, Any] = json.loads(answer["body"].read())
        return found

    def stream(self, model_id: str) -> list[dict[str, Any]]:
        answer = checked("bedrock-runtime").invoke_model_with_response_stream(
            modelId=model_id, body=json.dumps(BODY[model_id])
        )
        return [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]

    def test_claude(self) -> None:
        body = self.invoke(CLAUDE, stop_sequences=["answer"])
        assert (body["type"], body["role"], body["model"]) == ("message", "assistant", "claude-haiku-4-5-20251001")
        assert body["content"] == [{"type": "text", "text": "[stand-in "}]
        assert (body["stop_reason"], body["stop_sequence"]) == ("stop_sequence", "answer")
        assert self.invoke(CLAUDE)["stop_reason"] == "max_tokens"
        kinds = [chunk["type"] for chunk in self.stream(CLAUDE)]
        deltas = ["content_block_delta"] * 6
        assert kinds == [
            "message_start", "content_block_start", *deltas, "content_block_stop", "message_delta", "message_stop",
        ]  # fmt: skip

    def test_llama(self) -> None:
        body = self.invoke(LLAMA, max_gen_len=400)
        assert body["stop_reason"] == "stop"
        assert body["generation_token_count"] == tokens.count(body["generation"])
        chunks = self.stream(LLAMA)
        assert chunks[0]["prompt_token_count"] == body["prompt_token_count"]
        assert [chunk["generation_token_count"] for chunk in chunks[:-1]] == [1, 2, 3, 4, 5, 6]
        assert [chunk["stop_reason"] for chunk in chunks] == [None] * 6 + ["length"]

    def test_a_template_in_a_prompt_is_not_taken_for_words(self) -> None:
        body = self.invoke(LLAMA, max_gen_len=200)
        assert "lighthouse" in body["generation"]
        assert "header" not in body["generation"]

    def test_nova(self) -> None:
        body = self.invoke(NOVA)
        usage = body["usage"]
        assert body["stopReason"] == "max_tokens"
        assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
        kinds = [next(iter(chunk)) for chunk in self.stream(NOVA)]
        deltas = ["contentBlockDelta"] * 6
        assert kinds == ["messageStart", *deltas, "contentBlockStop", "messageStop", "metadata"]

    def test_chat_completions(self) -> None:
        body = self.invoke(CHAT, stop="answer")
        assert body["object"] == "chat.completion"
        assert body["choices"][0] == {
            "index": 0,
            "message": {"role": "assistant", "content": "[stand-in "},
            "finish_reason": "stop",
        }
        assert {chunk["object"] for chunk in self.stream(CHAT)} == {"chat.completion.chunk"}


WRONG: list[tuple[str, Any, str]] = [
    (NOVA, {"prompt": "x"}, "#: required key [messages] not found, #: extraneous key [prompt] is not permitted"),
    (LLAMA, {"messages": []}, "#: required key [prompt] not found, #: extraneous key [messages] is not permitted"),
    (LLAMA, {"prompt": ""}, "#/prompt: expected minLength: 1, actual: 0"),
    (LLAMA, {"prompt": 7}, "#/prompt: expected type: String, found: Integer"),
    (LLAMA, {"prompt": "x", "max_gen_len": 9000}, "#/max_gen_len: 9000 is not less or equal to 8192"),
    (LLAMA, {"prompt": "x", "max_gen_len": True}, "#/max_gen_len: expected type: Integer, found: Boolean"),
    (LLAMA, {"prompt": "x", "temperature": -1}, "#/temperature: -1 is not greater or equal to 0"),
    (MISTRAL, {"prompt": "x", "stop": "y"}, "#/stop: expected type: JSONArray, found: String"),
    (NOVA, {"messages": [{"role": "user", "content": "hi"}]}, "#/messages/0/content: expected type: JSONArray"),
    (NOVA, {"messages": [{"role": "bot", "content": [{"text": "hi"}]}]}, "#/messages/0/role: bot is not a valid enum"),
    (NOVA, {"messages": [{"role": "user", "content": [{"txt": "hi"}]}]}, "extraneous key [txt]"),
    (NOVA, BODY[NOVA] | {"inferenceConfig": {"max_tokens": 5}}, "#/inferenceConfig: extraneous key [max_tokens]"),
    (NOVA, BODY[NOVA] | {"schemaVersion": "v9"}, "#/schemaVersion: v9"),
    (NOVA, {"messages": [{"role": "assistant", "content": [{"text": "hi"}]}]}, "must start with a user message"),
    (CHAT, {"messages": [{"role": "user"}]}, "#/messages/0: required key [content] not found"),
    (CHAT, {"messages": [{"role": "system", "content": "x"}]}, "a message of the user is required"),
    (CLAUDE, {"messages": [], "max_tokens": 1}, "anthropic_version: Field required"),
    (CLAUDE, BODY[CLAUDE] | {"anthropic_version": "2023-06-01"}, "anthropic_version: Input should be"),
    (CLAUDE, BODY[CLAUDE] | {"model": "claude"}, "model: Extra inputs are not permitted"),
    (CLAUDE, BODY[CLAUDE] | {"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
    (CLAUDE, BODY[CLAUDE] | {"max_tokens": 64_001}, "max_tokens: 64001 > 64000"),
    (CLAUDE, BODY[CLAUDE] | {"messages": []}, "messages: at least one message is required"),
    (CLAUDE, BODY[CLAUDE] | {"messages": [{"role": "system", "content": "x"}]}, "messages.0.role: Input should be"),
    (
        CLAUDE,
        BODY[CLAUDE] | {"messages": [{"role": "user", "content": ""}]},
        "all messages must have non-empty content",
    ),
    (CLAUDE, BODY[CLAUDE] | {"messages": [{"role": "user", "content": [{"type": "gif"}]}]}, "Input tag 'gif' found"),
    (CLAUDE, BODY[CLAUDE] | {"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "Remove image at"),
    (CLAUDE, BODY[LLAMA], "anthropic_version: Field required"),
    (NOVA, "not JSON", "Malformed input request, please reformat your input and try again."),
    (NOVA, [1], "expected type: JSONObject, found: JSONArray"),
]


@pytest.mark.parametrize(("model_id", "body", "words"), WRONG)
def test_a_wrong_body_is_refused_in_awss_words(model_id: str, body: Any, words: str) -> None:
    model = models()[model_id.removeprefix("us.")]
    with pytest.raises(ServiceError) as refused:
        BODIES[model.body].read(parsed(body if isinstance(body, str) else json.dumps(body)), model)
    assert refused.value.code == "ValidationException"
    assert words in str(refused.value.message)


@pytest.mark.usefixtures("in_process_cloud")
class TestRefusals:
    """Wrong bodies through the API."""

    def test_of_an_empty_body_and_of_a_type_that_is_not_json(self) -> None:
        runtime = checked("bedrock-runtime")
        with pytest.raises(runtime.exceptions.ValidationException, match="Malformed input request"):
            runtime.invoke_model(modelId=NOVA)
        with pytest.raises(runtime.exceptions.ValidationException, match="content type text/plain"):
            runtime.invoke_model(modelId=NOVA, body=b"{}", contentType="text/plain")

    def test_that_comes_before_a_stream_begins(self) -> None:
        runtime = checked("bedrock-runtime")
        with pytest.raises(runtime.exceptions.ValidationException, match="required key"):
            runtime.invoke_model_with_response_stream(modelId=NOVA, body=b"{}")

    def test_of_a_guardrail_that_does_not_exist(self) -> None:
        runtime = checked("bedrock-runtime")
        with pytest.raises(ClientError, match="guardrail"):
            runtime.invoke_model(
                modelId=NOVA, body=json.dumps(BODY[NOVA]), guardrailIdentifier="gr1", guardrailVersion="1"
            )


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        "prompt",
        "messages",
        "system",
        "max_tokens",
        "max_gen_len",
        "inferenceConfig",
        "anthropic_version",
        "tools",
        "stop",
    ]
)


@given(body=st.dictionaries(KEYS, JSON_VALUES, max_size=5), model=st.sampled_from(sorted(models())))
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
def test_any_json_is_read_or_refused(body: dict[str, Any], model: str) -> None:
    served = models()[model]
    try:
        asked = BODIES[served.body].read(body, served)
    except ServiceError as refused:
        code = refused.code
    else:
        code = "ValidationException" if asked.turns and asked.input_tokens >= 1 else "nothing was asked"
    assert code == "ValidationException"


@given(messages=JSON_VALUES, system=JSON_VALUES, config=JSON_VALUES)
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_stands_in_messages_is_read_or_refused(messages: Any, system: Any, config: Any) -> None:
    for model_id in (CLAUDE.removeprefix("us."), NOVA, CHAT):
        served = models()[model_id]
        known = {
            "anthropic": {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 5, "system": system},
            "nova": {"system": system, "inferenceConfig": config},
            "chat": {"stop": config},
        }[served.body]
        code = "ValidationException"
        try:
            BODIES[served.body].read({"messages": messages, **known}, served)
        except ServiceError as refused:
            code = refused.code
        assert code == "ValidationException"
