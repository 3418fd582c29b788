"""Custom Model Import: jobs that look at the weights, models that are cold until called, copies that are billed by the minute."""

import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from labs import facts
from labs.cloud.context import Context
from labs.cloud.services.bedrock_import import ARCHITECTURES, nearest, units_per_copy
from labs.facts import catalogue
from tests.labs.cloud.bedrock_kit import ROLE, brief, checked, code_of, passes, user
from tests.labs.cloud.kit import until

__all__ = ["passes"]

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "max_position_embeddings": 8192,
}
FILES = {
    "config.json": json.dumps(LLAMA),
    "model.safetensors": "weights",
    "tokenizer_config.json": json.dumps({"chat_template": "{{ messages }}"}),
}


@pytest.fixture
def weights(in_process_cloud: Context) -> Callable[[dict[str, str]], str]:  # noqa: ARG001
    """Puts files into S3 and gives the address of their folder."""
    s3, number = boto3.client("s3"), iter(range(100))
    s3.create_bucket(Bucket="weights")

    def put(files: dict[str, str]) -> str:
        folder = f"model-{next(number)}"
        for name, content in files.items():
            s3.put_object(Bucket="weights", Key=f"{folder}/{name}", Body=content.encode())
        return f"s3://weights/{folder}/"

    return put


def job(uri: str, name: str = "mine") -> dict[str, Any]:
    return {
        "jobName": f"import-{name}",
        "importedModelName": name,
        "roleArn": ROLE,
        "modelDataSource": {"s3DataSource": {"s3Uri": uri}},
    }


def imported(bedrock: Any, passes: Callable[[float], None], uri: str, name: str = "mine") -> str:
    arn = bedrock.create_model_import_job(**job(uri, name))["jobArn"]
    passes(1200)
    found: str = bedrock.get_model_import_job(jobIdentifier=arn)["importedModelArn"]
    return found


def warm(runtime: Any, arn: str) -> None:
    """Call until a copy is up."""

    def answers() -> bool:
        try:
            runtime.invoke_model(modelId=arn, body=json.dumps({"prompt": "x", "max_gen_len": 1}))
        except runtime.exceptions.ModelNotReadyException:
            return False
        return True

    until(answers)


class TestJobs:
    """CreateModelImportJob and what comes of it."""

    def test_makes_a_model(self, weights: Callable[[dict[str, str]], str], passes: Callable[[float], None]) -> None:
        bedrock = checked("bedrock")
        uri = weights(FILES)
        arn = bedrock.create_model_import_job(**job(uri), clientRequestToken="same")["jobArn"]
        assert bedrock.create_model_import_job(**job(uri), clientRequestToken="same")["jobArn"] == arn
        assert bedrock.get_model_import_job(jobIdentifier=arn)["status"] == "InProgress"
        taken = job(uri) | {"jobName": "other"}
        assert code_of(bedrock.create_model_import_job, **taken) == "ConflictException"
        passes(1200)
        shown = bedrock.get_model_import_job(jobIdentifier="import-mine")
        assert shown["status"] == "Completed"
        [listed] = bedrock.list_model_import_jobs(statusEquals="Completed")["modelImportJobSummaries"]
        assert listed["importedModelArn"] == shown["importedModelArn"]
        model = bedrock.get_imported_model(modelIdentifier="mine")
        assert model["customModelUnits"]["customModelUnitsPerModelCopy"] == facts.number(
            "bedrock.import.cmu_llama-3-1-8b"
        )
        assert (model["modelArchitecture"], model["instructSupported"]) == ("LlamaForCausalLM", True)
        [summary] = bedrock.list_imported_models()["modelSummaries"]
        assert summary["modelArn"] == model["modelArn"]
        bedrock.tag_resource(resourceARN=model["modelArn"], tags=[{"key": "a", "value": "b"}])
        bedrock.delete_imported_model(modelIdentifier="mine")
        assert code_of(bedrock.get_imported_model, modelIdentifier="mine") == "ResourceNotFoundException"
        assert code_of(bedrock.delete_imported_model, modelIdentifier="mine") == "ResourceNotFoundException"

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"config.json": None}, "config.json was not found"),
            ({"config.json": None, "adapter_config.json": "{}"}, "merge it into its base model first"),
            (
                {"model.safetensors": None, "pytorch_model.bin": "x"},
                "No weights in the Hugging Face safetensors format",
            ),
            (
                {"config.json": json.dumps({"architectures": ["MambaForCausalLM"]})},
                "does not support the architecture (MambaForCausalLM)",
            ),
            ({"config.json": "{}"}, "does not support the architecture (None)"),
            ({"config.json": "[1]"}, "is not a JSON object"),
            ({"config.json": "{"}, "is not a JSON object"),
        ],
    )
    def test_fails_for_what_is_wrong_with_the_files(
        self,
        weights: Callable[[dict[str, str]], str],
        passes: Callable[[float], None],
        change: dict[str, str | None],
        words: str,
    ) -> None:
        bedrock = checked("bedrock")
        files = {name: content for name, content in (FILES | change).items() if content is not None}
        arn = bedrock.create_model_import_job(**job(weights(files)))["jobArn"]
        passes(1200)
        shown = bedrock.get_model_import_job(jobIdentifier=arn)
        assert shown["status"] == "Failed"
        assert words in shown["failureMessage"]
        assert bedrock.list_imported_models()["modelSummaries"] == []

    @pytest.mark.usefixtures("in_process_cloud")
    def test_bad_input(self, passes: Callable[[float], None]) -> None:
        bedrock = checked("bedrock")
        arn = bedrock.create_model_import_job(**job("s3://no-such-bucket/model/"))["jobArn"]
        passes(1200)
        assert "no-such-bucket" in bedrock.get_model_import_job(jobIdentifier=arn)["failureMessage"]
        create = bedrock.create_model_import_job
        assert code_of(create, **job("http://x")) == "ValidationException"
        assert code_of(create, **job("s3://weights/") | {"roleArn": "me"}) == "ValidationException"
        assert code_of(bedrock.get_model_import_job, jobIdentifier="nosuch") == "ResourceNotFoundException"
        elsewhere = checked("bedrock", "eu-west-1").create_model_import_job
        assert code_of(elsewhere, **job("s3://weights/")) == "ValidationException"


class TestCopies:
    """Calls of an imported model."""

    def test_start_cold_answer_and_are_billed(
        self,
        weights: Callable[[dict[str, str]], str],
        passes: Callable[[float], None],
        in_process_cloud: Context,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        bedrock, runtime = checked("bedrock"), checked("bedrock-runtime")
        monkeypatch.setattr("labs.cloud.services.bedrock_copies.IDLE_S", 36_000.0)  # however slow this machine is
        arn = imported(bedrock, passes, weights(FILES))
        body = json.dumps({"prompt": "Say it.", "max_gen_len": 3})
        with pytest.raises(runtime.exceptions.ModelNotReadyException, match="not ready for inference"):
            runtime.invoke_model(modelId=arn, body=body)
        assert code_of(runtime.converse, modelId=arn, messages=user("x")) == "ModelNotReadyException"
        warm(runtime, arn)
        answer = json.loads(runtime.invoke_model(modelId=arn, body=body)["body"].read())
        assert answer["generation_token_count"] == 3
        chat = json.dumps({"messages": [{"role": "user", "content": "Say it."}], "max_tokens": 3})
        answer = json.loads(runtime.invoke_model(modelId=arn, body=chat)["body"].read())
        assert answer["choices"][0]["finish_reason"] == "length"
        completion = json.dumps({"prompt": "Say it.", "max_tokens": 3})
        chunks = list(runtime.invoke_model_with_response_stream(modelId=arn, body=completion)["body"])
        assert json.loads(chunks[0]["chunk"]["bytes"])["choices"][0]["text"]
        assert brief(runtime, arn)["usage"]["outputTokens"] == 2
        [copies] = in_process_cloud.control_routes["GET", "bedrock/copies"](None).values()
        assert copies["ready"] == 1
        assert copies["cmu_minutes"] % (5 * 2) == 0  # windows of five minutes, two units a copy
        assert copies["cmu_minutes"] >= 5 * 2

    def test_are_gone_after_five_idle_minutes(
        self, weights: Callable[[dict[str, str]], str], passes: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bedrock, runtime = checked("bedrock"), checked("bedrock-runtime")
        monkeypatch.setattr("labs.cloud.services.bedrock_copies.IDLE_S", 30.0)  # half a second in this cloud
        arn = imported(bedrock, passes, weights(FILES))
        warm(runtime, arn)

        def cold() -> bool:
            time.sleep(0.7)  # idle for longer than that
            try:
                brief(runtime, arn)
            except runtime.exceptions.ModelNotReadyException:
                return True
            return False

        assert until(cold)

    def test_without_a_chat_template_there_is_no_converse(
        self, weights: Callable[[dict[str, str]], str], passes: Callable[[float], None]
    ) -> None:
        bedrock, runtime = checked("bedrock"), checked("bedrock-runtime")
        plain = imported(bedrock, passes, weights({k: v for k, v in FILES.items() if "tokenizer" not in k}))
        qwen = json.dumps({"architectures": ["Qwen3ForCausalLM"]})
        other = imported(bedrock, passes, weights(FILES | {"config.json": qwen}), "qwen")
        for arn in (plain, other):
            with pytest.raises(runtime.exceptions.ValidationException, match="doesn't support the model"):
                brief(runtime, arn)

    def test_an_unknown_one_is_not_found(self, in_process_cloud: Context) -> None:  # noqa: ARG002
        runtime = checked("bedrock-runtime")
        arn = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdef123456"
        assert code_of(runtime.converse, modelId=arn, messages=user("x")) == "ResourceNotFoundException"


def test_copies_are_as_fast_as_the_nearest_model_of_the_catalogue() -> None:
    for entry in catalogue.models().values():
        if entry.shape and entry.importable and entry.architecture in ARCHITECTURES:
            config = {"num_hidden_layers": entry.shape.layers, "hidden_size": entry.shape.hidden}
            found = catalogue.model(nearest(entry.architecture, config)).shape
            assert found
            assert (found.layers, found.hidden) == (entry.shape.layers, entry.shape.hidden)
    assert units_per_copy("llama-3-8b") == 2
    assert units_per_copy("llama-3.3-70b") == 8
    assert nearest("T5ForConditionalGeneration", {}) in catalogue.models()
