"""The register that comes with the course: whole, sourced, and honest about it."""

import re
import subprocess
import sys
from datetime import date
from urllib.parse import urlparse

import pytest

from labs import facts
from labs.facts import register, units
from labs.facts.schema import CONFIDENCE, Fact

TODAY = date.today()
HOSTS = {
    "aws.amazon.com",
    "docs.aws.amazon.com",
    "pricing.us-east-1.amazonaws.com",
    "awsdocs-neuron.readthedocs-hosted.com",
    "repost.aws",
    "community.aws",
    "docs.djl.ai",
    "docs.nvidia.com",
    "docs.vllm.ai",
    "github.com",
    "huggingface.co",
    "glennklockwood.com",
    "grokipedia.com",
    "www.baseten.co",
    "www.mullet.se",
    "ttsugriy.github.io",
    "community.arm.com",
    "endoflife.date",
}
"""every host that a source may name: a new one is looked at by a person"""

ALL = facts.all()


def wrong(fact: Fact) -> list[str]:
    """What a reader would stumble over in one fact."""
    written = fact.readable.replace(",", "")
    checks = {
        "is not written": bool(fact.readable) and "None" not in fact.readable,
        "loses digits": not isinstance(fact.value, float) or f"{fact.value:.10f}".rstrip("0").rstrip(".") in written,
        "has no unit": fact.unit in units.UNITS,
        "has a confidence that we do not explain": fact.confidence in CONFIDENCE,
        "is dated in the future": fact.as_of_date <= TODAY,
        "does not say what it means in a sentence": fact.says[0].isupper() and fact.says.endswith("."),
        "names a host that nobody looked at": all(urlparse(source.url).netloc in HOSTS for source in fact.sources),
    }
    return [f"{fact.id} {reason}" for reason, fine in checks.items() if not fine]


def test_there_are_enough_facts_and_no_id_twice() -> None:
    assert len(ALL) >= 250
    assert len({fact.id for fact in ALL}) == len(ALL)


def test_every_fact_formats_and_is_sourced() -> None:
    assert [reason for fact in ALL for reason in wrong(fact)] == []


def test_ids_that_end_in_a_unit_are_in_that_unit() -> None:
    endings = {"_s": "s", "_bytes": "B", "_mb": "MB", "_kb": "KB", "_gb": "GB", "_percent": "percent", "_usd": "USD"}
    checked = 0
    for fact in ALL:
        last = fact.id.rpartition(".")[2]
        for ending, unit in endings.items():
            if last.endswith(ending) and "per_" not in last and "gb_s" not in last:
                assert fact.unit == unit, fact.id
                checked += 1
    assert checked > 60


def test_every_price_is_in_dollars_and_has_a_region() -> None:
    for fact in ALL:
        if ".price." in fact.id and isinstance(fact.value, int | float) and fact.unit not in ("KB", "percent"):
            assert fact.unit.startswith("USD"), fact.id
            assert fact.region != "any" or fact.id.startswith(("bedrock.pt.", "eks.")), fact.id


def test_no_source_names_a_place_that_only_we_know() -> None:
    for source in register.installed().sources.values():
        for text in (source.title, source.read, source.url):
            assert "/work" not in text
            assert "research" not in text.lower()


def test_a_price_from_a_package_names_package_and_version() -> None:
    for source in register.installed().sources.values():
        if source.confidence == "price-list":
            assert source.url.startswith("https://github.com/") or "aws" in source.url
            assert re.search(r"\d+\.\d+", source.title + source.read), source.id


def test_what_is_unverified_says_why() -> None:
    for fact in ALL:
        if fact.confidence == "unverified":
            sourced_so = fact.sources[0].confidence == "unverified"
            assert fact.note or sourced_so, fact.id


@pytest.mark.parametrize(
    ("id", "value"),
    [
        ("apigateway.rest.integration_timeout_s", 29),
        ("apigateway.http.timeout_s", 30),
        ("apigateway.websocket.integration_timeout_s", 29),
        ("apigateway.rest.streaming_timeout_s", 900),
        ("lambda.timeout_s", 900),
        ("lambda.payload.sync_max_bytes", 6 << 20),
        ("lambda.payload.async_max_bytes", 1 << 20),
        ("lambda.concurrency.default", 1000),
        ("sqs.message.max_bytes", 1 << 20),
        ("sqs.visibility.lambda_multiple", 6),
        ("sqs.redrive.min_receive_count", 5),
        ("dynamodb.item.max_bytes", 400 << 10),
        ("appsync.request.timeout_s", 30),
        ("alb.idle_timeout_default_s", 60),
        ("boto3.read_timeout_s", 60),
        ("network.idle_flow_s", 350),
        ("sagemaker.realtime.timeout_s", 60),
        ("sagemaker.realtime.streaming_timeout_s", 480),
        ("sagemaker.async.timeout_s", 3600),
        ("bedrock.price.llama-3-3-70b.input_per_million", 0.72),
        ("bedrock.price.claude-haiku-4-5-global.output_per_million", 5.0),
        ("sagemaker.price.inf2-48xlarge", 15.58),
        ("ec2.price.inf2-48xlarge", 12.98127),
        ("bedrock.import.price_per_cmu_minute", 0.05718),
    ],
)
def test_the_figures_that_the_lessons_stand_on(id: str, value: float) -> None:
    assert facts.value(id) == value


def test_what_the_sdk_says_is_what_its_model_says() -> None:
    """These limits are checked against the very package that they cite, so an upgrade of boto3 shows what moved."""
    import botocore.session

    session = botocore.session.get_session()
    function = session.get_service_model("lambda").shape_for("ScalingConfig").members["MaximumConcurrency"].metadata
    assert function["max"] == facts.value("lambda.sqs.maximum_concurrency_max")
    assert function["min"] == facts.value("lambda.sqs.maximum_concurrency_min")
    body = session.get_service_model("sagemaker-runtime").shape_for("BodyBlob").metadata["max"]
    conflict = facts.get("sagemaker.realtime.payload_max_bytes").conflict
    assert conflict is not None
    assert conflict.value == body
    errors = session.get_service_model("bedrock-runtime").operation_model("InvokeModel").error_shapes
    for error in errors:
        slug = "".join(f"-{c.lower()}" if c.isupper() else c for c in error.name).lstrip("-")
        assert facts.value(f"bedrock.error.{slug}") == error.metadata["error"]["httpStatusCode"]
    assert (
        facts.text("boto3.retry_mode")
        == session.create_client(
            "sqs", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
        ).meta.config.retries["mode"]
    )


def test_importing_the_register_imports_neither_numpy_nor_boto3() -> None:
    code = (
        "import sys\n"
        "from labs import facts\n"
        "from labs.facts import catalogue, claims\n"
        "facts.all(); catalogue.models(); claims.all()\n"
        "wrong = {'numpy', 'boto3', 'botocore', 'sphinx', 'rich', 'click'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(wrong)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
