"""Neo compilation jobs and batch transform jobs."""

import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from labs.cloud.context import Context
from tests.labs.cloud.kit import until
from tests.labs.cloud.sagemaker_kit import GPU, LMI, ROLE, SageMaker, cloud_of_a_module, fresh, refusal


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    yield from cloud_of_a_module(tmp_path_factory.mktemp("sagemaker"))


@pytest.fixture
def sm(cloud: Context) -> SageMaker:
    return fresh(cloud)


class TestNeo:
    """CreateCompilationJob and what becomes of it."""

    def create(self, sm: SageMaker, bucket: str, name: str = "job", **change: Any) -> None:
        given: dict[str, Any] = {
            "CompilationJobName": name,
            "RoleArn": ROLE,
            "InputConfig": {
                "S3Uri": f"s3://{bucket}/resnet.tar.gz",
                "DataInputConfig": '{"data": [1, 3, 224, 224]}',
                "Framework": "PYTORCH",
                "FrameworkVersion": "1.13",
            },
            "OutputConfig": {"S3OutputLocation": f"s3://{bucket}/compiled/", "TargetDevice": "jetson_xavier"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 900},
            **change,
        }
        sm.control.create_compilation_job(**given)

    def ended(self, sm: SageMaker, name: str = "job") -> dict[str, Any]:
        def told() -> dict[str, Any]:
            said: dict[str, Any] = sm.control.describe_compilation_job(CompilationJobName=name)
            return said

        until(lambda: told()["CompilationJobStatus"] in ("COMPLETED", "FAILED", "STOPPED"))
        return told()

    def test_leaves_an_artefact(self, sm: SageMaker) -> None:
        bucket = sm.bucket()
        sm.s3.put_object(Bucket=bucket, Key="resnet.tar.gz", Body=b"weights")
        assert sm.context is not None
        sm.context.time_scale = 300.0  # a minute of starting in a fifth of a second
        self.create(sm, bucket)
        assert sm.control.describe_compilation_job(CompilationJobName="job")["CompilationJobStatus"] == "STARTING"
        told = self.ended(sm)
        assert told["CompilationJobStatus"] == "COMPLETED"
        assert told["CompilationEndTime"] >= told["CompilationStartTime"]
        where = told["ModelArtifacts"]["S3ModelArtifacts"]
        assert where == f"s3://{bucket}/compiled/resnet-jetson_xavier.tar.gz"
        made = sm.s3.get_object(Bucket=bucket, Key="compiled/resnet-jetson_xavier.tar.gz")["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(made)) as archive:
            about = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        assert about["target"] == "jetson_xavier"
        assert "compiles nothing" in about["note"]
        [listed] = sm.control.list_compilation_jobs(NameContains="job")["CompilationJobSummaries"]
        assert listed["CompilationTargetDevice"] == "jetson_xavier"

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({}, "No S3 objects found under S3 URL"),
            ({"StoppingCondition": {"MaxRuntimeInSeconds": 60}}, "MaxRuntimeInSeconds exceeded"),
        ],
    )
    def test_fails_with_a_reason(self, sm: SageMaker, change: dict[str, Any], words: str) -> None:
        self.create(sm, sm.bucket(), **change)
        told = self.ended(sm)
        assert told["CompilationJobStatus"] == "FAILED"
        assert words in told["FailureReason"]

    def test_can_be_stopped_and_deleted(self, sm: SageMaker) -> None:
        assert sm.context is not None
        sm.context.time_scale = 100.0
        self.create(sm, sm.bucket())
        _, message = refusal(sm.control.delete_compilation_job, CompilationJobName="job")
        assert "must have ended" in message
        sm.control.stop_compilation_job(CompilationJobName="job")
        assert self.ended(sm)["CompilationJobStatus"] == "STOPPED"
        assert "has ended already" in refusal(sm.control.stop_compilation_job, CompilationJobName="job")[1]
        sm.control.delete_compilation_job(CompilationJobName="job")
        assert refusal(sm.control.describe_compilation_job, CompilationJobName="job")[0] == "ResourceNotFound"

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"InputConfig": None}, "Either InputConfig or ModelPackageVersionArn"),
            ({"OutputConfig": {"S3OutputLocation": "s3://b/o"}}, "Exactly one of TargetDevice and TargetPlatform"),
            ({"OutputConfig": {"S3OutputLocation": "s3://b/o", "TargetDevice": "toaster"}}, "enum value set"),
        ],
    )
    def test_refuses(self, sm: SageMaker, change: dict[str, Any], words: str) -> None:
        given = {
            "CompilationJobName": "x",
            "RoleArn": ROLE,
            "InputConfig": {"S3Uri": "s3://b/k", "Framework": "ONNX"},
            "OutputConfig": {"S3OutputLocation": "s3://b/o", "TargetDevice": "ml_inf2"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 900},
            **change,
        }
        call = {name: value for name, value in given.items() if value is not None}
        assert words in refusal(sm.control.create_compilation_job, **call)[1]


class TestTransform:
    """CreateTransformJob over files in S3."""

    def create(self, sm: SageMaker, bucket: str, model: str, name: str = "job", **change: Any) -> None:
        given: dict[str, Any] = {
            "TransformJobName": name,
            "ModelName": model,
            "MaxConcurrentTransforms": 4,
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in/"}},
                "ContentType": "application/jsonlines",
                "SplitType": "Line",
            },
            "TransformOutput": {"S3OutputPath": f"s3://{bucket}/out", "AssembleWith": "Line"},
            "TransformResources": {"InstanceType": GPU, "InstanceCount": 1},
            **change,
        }
        sm.control.create_transform_job(**given)

    def ended(self, sm: SageMaker, name: str = "job") -> dict[str, Any]:
        def told() -> dict[str, Any]:
            said: dict[str, Any] = sm.control.describe_transform_job(TransformJobName=name)
            return said

        until(lambda: told()["TransformJobStatus"] in ("Completed", "Failed", "Stopped"))
        return told()

    def test_answers_every_line(self, sm: SageMaker) -> None:
        bucket = sm.bucket()
        asked = [{"inputs": f"Ticket {number}", "parameters": {"max_new_tokens": 3}} for number in range(5)]
        body = "\n".join(json.dumps(each) for each in asked).encode()
        sm.s3.put_object(Bucket=bucket, Key="in/a.jsonl", Body=body)
        sm.s3.put_object(Bucket=bucket, Key="in/b.jsonl", Body=body)
        self.create(sm, bucket, sm.model())
        told = self.ended(sm)
        assert told["TransformJobStatus"] == "Completed"
        for key in ("out/a.jsonl.out", "out/b.jsonl.out"):
            lines = sm.s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()
            assert len(lines) == 5
            assert all(json.loads(line)["generated_text"] for line in lines)
        [listed] = sm.control.list_transform_jobs(StatusEquals="Completed")["TransformJobSummaries"]
        assert listed["TransformJobName"] == "job"

    def test_fails_with_a_reason(self, sm: SageMaker) -> None:
        bucket, model = sm.bucket(), sm.model()
        self.create(sm, bucket, model)
        assert "No S3 objects found" in self.ended(sm)["FailureReason"]
        sm.s3.put_object(Bucket=bucket, Key="in/a.jsonl", Body=b"nonsense")
        self.create(sm, bucket, model, "second")
        assert "is not JSON" in self.ended(sm, "second")["FailureReason"]
        big = sm.model(LMI, {"HF_MODEL_ID": "meta-llama/Llama-3.3-70B-Instruct"})
        self.create(sm, bucket, big, "third")
        assert "CUDA out of memory" in self.ended(sm, "third")["FailureReason"]

    def test_can_be_stopped(self, sm: SageMaker) -> None:
        assert sm.context is not None
        sm.context.time_scale = 10.0
        self.create(sm, sm.bucket(), sm.model())
        sm.control.stop_transform_job(TransformJobName="job")
        assert self.ended(sm)["TransformJobStatus"] == "Stopped"
        assert "in status Stopped" in refusal(sm.control.stop_transform_job, TransformJobName="job")[1]

    def test_refuses(self, sm: SageMaker) -> None:
        bucket, model = sm.bucket(), sm.model()
        self.create(sm, bucket, model)
        assert refusal(lambda: self.create(sm, bucket, model))[0] == "ResourceInUse"
        assert "Could not find model" in refusal(lambda: self.create(sm, bucket, "nobody", "x"))[1]
        assert refusal(sm.control.describe_transform_job, TransformJobName="nobody")[0] == "ResourceNotFound"
