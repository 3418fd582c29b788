"""The shortened request path gives the answers that moto's own gives, and is still needed."""

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from labs.cloud.services.core import MethodNames
from tests.labs.cloud.kit import Aws


def test_the_operations_of_a_class_are_those_that_moto_lists() -> None:
    from moto.core.utils import method_names_from_class
    from moto.sqs.responses import SQSResponse

    listed = set(method_names_from_class(SQSResponse))
    assert "send_message" in listed
    assert all(name in MethodNames(SQSResponse) for name in listed)
    assert not any(name in MethodNames(SQSResponse) for name in ("nosuch", "region_regex", "sqs_backend"))


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda aws: aws.dynamodb.describe_table(TableName="nosuch"), "ResourceNotFoundException"),
        (lambda aws: aws.sqs.get_queue_url(QueueName="nosuch"), "NonExistentQueue"),
        (lambda aws: aws.iam.get_role(RoleName="nosuch"), "NoSuchEntity"),
        (lambda aws: aws.lambda_.get_function(FunctionName="nosuch"), "ResourceNotFoundException"),
        (lambda aws: aws.logs.describe_log_streams(logGroupName="nosuch"), "ResourceNotFoundException"),
        (lambda aws: aws.cloudformation.describe_stacks(StackName="nosuch"), "ValidationError"),
        (lambda aws: aws.s3.get_object(Bucket="nosuch-bucket", Key="k"), "NoSuchBucket"),
    ],
)
def test_errors_arrive_with_their_code_in_every_wire_format(aws: Aws, call: Any, code: str) -> None:
    with pytest.raises(ClientError, match=code):
        call(aws)


def test_the_policies_of_aws_are_there(aws: Aws) -> None:
    arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
    assert aws.iam.get_policy(PolicyArn=arn)["Policy"]["PolicyName"] == "AWSLambdaSQSQueueExecutionRole"


# -- why moto's own is shortened: each of these fails once moto no longer needs it


def test_moto_still_lists_its_folder_and_its_classes_for_every_request() -> None:
    from moto import backends
    from moto.core import responses, utils
    from moto.moto_api._internal import moto_random
    from moto.moto_server import werkzeug_app

    assert "os.listdir" in inspect.getsource(backends.list_of_moto_modules)
    assert "backends.list_of_moto_modules()" in inspect.getsource(werkzeug_app.DomainDispatcherApplication)
    assert "getmembers" in inspect.getsource(utils.method_names_from_class)
    assert "cache" not in inspect.getsource(utils.method_names_from_class)
    assert "method_names_from_class(self.__class__)" in inspect.getsource(responses.BaseResponse.call_action)
    assert "self.choice(pool) for" in inspect.getsource(moto_random.MotoRandom.get_random_string)


def test_moto_still_looks_for_a_member_under_many_names(stock: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.core import serialize

    asked: list[str] = []
    get_value = serialize.get_value
    monkeypatch.setattr(serialize, "get_value", lambda *a, **k: asked.append(a[1]) or get_value(*a, **k))
    table = stock.table()
    stock.dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}})
    asked.clear()
    stock.dynamodb.get_item(TableName=table, Key={"id": {"S": "a"}})
    assert len(asked) > 20


def test_moto_still_leaves_the_policies_of_aws_out(stock: Aws) -> None:
    with pytest.raises(ClientError, match="NoSuchEntity"):
        stock.iam.get_policy(PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole")


OFFERINGS = "from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS as found; print(*(n for n in found['region'] if found['region'][n]))"


def test_moto_still_reads_every_regions_offerings_and_ours_only_its_own(tmp_path: Path) -> None:
    ours = f"from labs.cloud import extension; from labs.cloud.context import Context; from pathlib import Path; extension.install(Context(Path({str(tmp_path)!r})));"
    for setup, wanted in (("", False), (ours, True)):
        done = subprocess.run([sys.executable, "-c", setup + OFFERINGS], capture_output=True, text=True, check=True)
        regions = done.stdout.split()
        assert "us-east-1" in regions
        assert (regions == ["us-east-1"]) is wanted
