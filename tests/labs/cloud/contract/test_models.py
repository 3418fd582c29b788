"""What the labs rely on of Bedrock: models, and how they answer."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.labs.cloud.kit import Aws

SERVICES = ("bedrock", "bedrock-runtime")
MODEL = "amazon.nova-lite-v1:0"
ASKED: dict[str, Any] = {
    "modelId": MODEL,
    "messages": [{"role": "user", "content": [{"text": "Why does a queue help?"}]}],
    "inferenceConfig": {"maxTokens": 8},
}


def runtime(cloud: Aws) -> Any:
    return getattr(cloud, "bedrock-runtime")


def test_models_are_listed_and_described(cloud: Aws) -> None:
    listed = cloud.bedrock.list_foundation_models()["modelSummaries"]
    assert MODEL in {model["modelId"] for model in listed}
    details = cloud.bedrock.get_foundation_model(modelIdentifier=MODEL)["modelDetails"]
    assert (details["modelId"], details["modelArn"].rsplit("/", 1)[1]) == (MODEL, MODEL)


def test_a_conversation_has_an_answer_with_its_usage(cloud: Aws) -> None:
    answer = runtime(cloud).converse(**ASKED)
    message = answer["output"]["message"]
    assert (message["role"], bool(message["content"][0]["text"])) == ("assistant", True)
    usage = answer["usage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    assert 0 < usage["outputTokens"] <= 8


def test_a_stream_tells_its_story_in_order(cloud: Aws) -> None:
    events = [next(iter(event)) for event in runtime(cloud).converse_stream(**ASKED)["stream"]]
    assert events[0] == "messageStart"
    assert events[-3:] == ["contentBlockStop", "messageStop", "metadata"]
    assert events.count("contentBlockDelta") >= 1


def test_a_model_can_be_asked_in_its_own_words(cloud: Aws) -> None:
    body = {"messages": [{"role": "user", "content": [{"text": "hello"}]}], "inferenceConfig": {"maxTokens": 8}}
    answer = runtime(cloud).invoke_model(modelId=MODEL, body=json.dumps(body))
    said = json.loads(answer["body"].read())
    assert said["output"]["message"]["content"][0]["text"]
    assert said["usage"]["outputTokens"] > 0


def test_a_model_that_is_not_there_says_so(cloud: Aws) -> None:
    with pytest.raises(ClientError) as refused:
        runtime(cloud).converse(**{**ASKED, "modelId": "nobody.no-such-model-v1:0"})
    assert refused.value.response["Error"]["Code"] in ("ValidationException", "ResourceNotFoundException")


def test_a_conversation_needs_a_message(cloud: Aws) -> None:
    with pytest.raises(ClientError) as refused:
        runtime(cloud).converse(**{**ASKED, "messages": []})
    assert refused.value.response["Error"]["Code"] == "ValidationException"
