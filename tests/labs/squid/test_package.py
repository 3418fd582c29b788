"""The worker's package is the same everywhere, runs anywhere, and has all it needs."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

from labs import facts
from labs.squid import package


def test_targets_are_called_there_as_they_are_here() -> None:
    built = zipfile.ZipFile(io.BytesIO(package.build().content))
    assert built.read("labs/targets/calling.py") == package.CALLING.read_bytes()


def test_the_same_content_gives_the_same_bytes_and_key() -> None:
    assert package.build() == package.build()


def test_other_content_gives_another_key(monkeypatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    before = package.build().key
    (tmp_path / "worker.py").write_text("def handler(event, context): ...\n")
    monkeypatch.setattr(package, "FUNCTIONS", tmp_path)
    assert package.build().key != before


def test_it_is_pure_python_and_small() -> None:
    built = zipfile.ZipFile(io.BytesIO(package.build().content))
    names = built.namelist()
    assert {"labs/squid/functions/worker.py", "labs/targets/calling.py"} <= set(names)
    assert not [name for name in names if name.endswith((".so", ".pyd", ".dylib", ".pyc"))]
    assert sum(entry.file_size for entry in built.infolist()) < facts.number("lambda.zip_unzipped_max_mb") * 2**20 / 10


def test_it_imports_with_nothing_else_but_boto3(tmp_path: Path) -> None:
    zipfile.ZipFile(io.BytesIO(package.build().content)).extractall(tmp_path)
    allowed = ("boto3", "botocore", "s3transfer", "dateutil", "six", "urllib3", "jmespath")
    code = f"""
import sys, importlib.abc
sys.path.insert(0, {str(tmp_path)!r})
class OnlyTheRuntimes(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        found = importlib.machinery.PathFinder.find_spec(name, path)
        origin = (found and found.origin) or ""
        if "site-packages" in origin and name.split(".")[0] not in {allowed!r}:
            raise ImportError(f"{{name}} comes from outside the package")
        return None
import importlib.machinery
sys.meta_path.insert(0, OnlyTheRuntimes())
from labs.squid.functions import asynchronous, batches, door, worker
assert "aws_xray_sdk" not in sys.modules, "an idle function's first request would pay for it"
assert worker.__file__.startswith({str(tmp_path)!r})
import aws_lambda_powertools
assert aws_lambda_powertools.__file__.startswith({str(tmp_path)!r})
import os
os.environ["TRACING"] = "Active"
from labs.squid.functions.tracing import traced
assert traced(dict) is not dict
assert sys.modules["wrapt"].__file__.startswith({str(tmp_path)!r})
"""
    names = (
        "TABLE_NAME",
        "DESK_NAME",
        "BUCKET_NAME",
        "QUEUE_URL",
        "DEAD_LETTER_QUEUE_URL",
        "STREAMS",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "TENANT_CLAIM",
        "TARGET_NAME",
        "POWERTOOLS_SERVICE_NAME",
        "MODEL_ID",
    )
    empty = ("EVENTS_HOST", "EVENTS_REALTIME_HOST", "EVENTS_KEY")
    numbers = (
        "MAX_TOKENS",
        "MAX_ANSWER_BYTES",
        "MAX_RECEIVES",
        "MODEL_TIMEOUT_S",
        "SILENCE_S",
        "BATCH_SIZE",
        "JOB_DAYS",
        "TENANT_CONCURRENCY",
        "MAX_PROMPT_BYTES",
        "ANSWER_WAIT_S",
        "BATCH_FEWEST",
        "BATCH_MOST",
        "BATCH_WAIT_S",
        "BATCH_LOOK_S",
    )
    environment = (
        dict.fromkeys(names, "us-east-1")
        | dict.fromkeys(empty, "")
        | dict.fromkeys(numbers, "5")
        | {"BATCH_PLACE": '{"model_id": "m", "bucket": "b", "role_arn": "r"}'}
        | {"POWERTOOLS_METRICS_NAMESPACE": "SQUID", "ADDRESS": '{"protocol": "sagemaker", "location": "an-endpoint"}'}
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
