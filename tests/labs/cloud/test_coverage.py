"""The coverage table is read from the code, and what it says is so."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from labs.cloud import coverage
from labs.cloud import sphinx as directives
from tests.labs.cloud.kit import Aws

FEW = ("cloudformation", "s3", "sqs", "sts")


@pytest.fixture(scope="module")
def few() -> dict[str, dict[str, Any]]:
    """The coverage of a few services, as the command prints it."""
    answer = CliRunner().invoke(coverage.command, [*FEW, "--json"], catch_exceptions=False)
    assert answer.exit_code == 0
    return {each["service"]: each for each in json.loads(answer.output)}


def test_each_operation_stands_in_one_place(few: dict[str, dict[str, Any]]) -> None:
    assert set(few) == set(FEW)
    for found in few.values():
        listed = [*found["ours"], *found["moto"], *found["refused"]]
        assert len(listed) == len(set(listed)) > 5
    assert "CreateStack" in few["cloudformation"]["ours"]
    assert few["cloudformation"]["moto"] == []
    assert "CreateStackSet" in few["cloudformation"]["refused"]
    assert "SendMessage" in [*few["sqs"]["ours"], *few["sqs"]["moto"]]
    assert few["sqs"]["changed"]
    assert few["sts"]["ours"] == []
    assert {"PutObject", "ListObjectsV2", "PutBucketLifecycleConfiguration", "CreateMultipartUpload"} <= set(
        few["s3"]["moto"]
    )
    assert {"GetBucketRequestPayment", "CreateSession", "RenameObject"} <= set(few["s3"]["refused"])


def test_looking_leaves_moto_as_it_was() -> None:
    from moto.cloudformation.responses import CloudFormationResponse

    before = CloudFormationResponse.create_stack
    coverage.coverage("cloudformation")
    assert CloudFormationResponse.create_stack is before


def test_what_is_refused_is_refused(aws: Aws) -> None:
    with pytest.raises(ClientError) as refused:
        aws.cloudformation.create_stack_set(StackSetName="s")
    assert refused.value.response["Error"]["Code"] == "NotImplemented"


def test_an_operation_of_s3_that_is_refused_is_not_taken_for_another(aws: Aws) -> None:
    for ask, given in (
        (aws.s3.get_bucket_request_payment, {"Bucket": "b"}),
        (aws.s3.put_bucket_abac, {"Bucket": "never-made", "AbacStatus": {"Status": "Enabled"}}),
        (aws.s3.get_object_torrent, {"Bucket": "b", "Key": "k/l"}),
    ):
        with pytest.raises(ClientError) as refused:
            ask(**given)
        assert refused.value.response["Error"]["Code"] == "NotImplemented"
    assert "never-made" not in [bucket["Name"] for bucket in aws.s3.list_buckets()["Buckets"]]


def test_moto_takes_it_for_another(stock: Aws) -> None:
    stock.s3.put_bucket_abac(Bucket="made-by-mistake", AbacStatus={"Status": "Enabled"})
    assert [bucket["Name"] for bucket in stock.s3.list_buckets()["Buckets"]] == ["made-by-mistake"]


def test_every_service_of_ours_is_in_the_table() -> None:
    from labs.cloud import extension

    shown = {moto_name for moto_name, _ in coverage.SERVICES.values()}
    assert set(extension.SERVICES) <= shown


def test_the_plain_output_counts() -> None:
    said = CliRunner().invoke(coverage.command, ["sts"], catch_exceptions=False).output
    assert "sts" in said
    assert "501" in said


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: dict[str, dict[str, Any]]) -> str:
    """A page with both directives, as HTML."""
    monkeypatch.setattr(directives, "covered", lambda: list(few.values()))
    source = tmp_path / "source"
    source.mkdir()
    (source / "index.md").write_text("# Cloud\n\n```{cloud-coverage}\n```\n\n## Types\n\n```{cloud-types}\n```\n")
    settings = {"extensions": ["myst_parser", "labs.cloud.sphinx"], "project": "x"}
    # What a Sphinx registers with docutils ends with the block, or another test's Sphinx in this process would meet it.
    with patch_docutils(), docutils_namespace():
        Sphinx(
            source, None, tmp_path / "out", tmp_path / "doctrees", "html", settings, status=None, warningiserror=True
        ).build()
    return (tmp_path / "out" / "index.html").read_text()


def test_the_page_shows_operations_and_types(page: str) -> None:
    assert "CreateStackSet" in page
    assert "AWS::SageMaker::InferenceComponent" in page
    assert "Dns.Realtime" in page
