"""What the labs rely on of DynamoDB, S3 and IAM."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError

from tests.labs.cloud.kit import TRUST, Aws

SERVICES = ("dynamodb", "s3", "iam")


@pytest.fixture(scope="module")
def table(cloud: Aws) -> str:
    return cloud.table()


def item(name: str, **more: str) -> dict[str, dict[str, str]]:
    return {"id": {"S": name}, **{key: {"S": value} for key, value in more.items()}}


def test_a_conditional_write_happens_once_and_shows_what_was_there(cloud: Aws, table: str) -> None:
    once = {"TableName": table, "ConditionExpression": "attribute_not_exists(id)"}
    cloud.dynamodb.put_item(Item=item("once", answer="a"), **once)
    with pytest.raises(ClientError) as refused:
        cloud.dynamodb.put_item(Item=item("once", answer="b"), ReturnValuesOnConditionCheckFailure="ALL_OLD", **once)
    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert refused.value.response["Item"]["answer"] == {"S": "a"}


def test_an_update_counts_and_answers_with_what_there_is_now(cloud: Aws, table: str) -> None:
    for times in ("1", "2"):
        answer = cloud.dynamodb.update_item(
            TableName=table,
            Key=item("counter"),
            UpdateExpression="ADD #n :one SET #w = if_not_exists(#w, :first)",
            ExpressionAttributeNames={"#n": "times", "#w": "when"},
            ExpressionAttributeValues={":one": {"N": "1"}, ":first": {"S": "first"}},
            ReturnValues="ALL_NEW",
        )
        assert (answer["Attributes"]["times"], answer["Attributes"]["when"]) == ({"N": times}, {"S": "first"})


def test_a_transaction_is_cancelled_as_a_whole_with_reasons(cloud: Aws, table: str) -> None:
    cloud.dynamodb.put_item(TableName=table, Item=item("there"))
    writes = [
        {"Put": {"TableName": table, "Item": item("new")}},
        {"Put": {"TableName": table, "Item": item("there"), "ConditionExpression": "attribute_not_exists(id)"}},
    ]
    with pytest.raises(ClientError) as refused:
        cloud.dynamodb.transact_write_items(TransactItems=writes)
    codes = [reason["Code"] for reason in refused.value.response["CancellationReasons"]]
    assert codes == ["None", "ConditionalCheckFailed"]
    assert "Item" not in cloud.dynamodb.get_item(TableName=table, Key=item("new"))


def test_a_scan_comes_in_pages(cloud: Aws) -> None:
    table = cloud.table()
    for number in range(5):
        cloud.dynamodb.put_item(TableName=table, Item=item(str(number)))
    pages = list(cloud.dynamodb.get_paginator("scan").paginate(TableName=table, PaginationConfig={"PageSize": 2}))
    assert sorted(found["id"]["S"] for page in pages for found in page["Items"]) == list("01234")
    assert len(pages) >= 3


def test_the_time_to_live_is_set(cloud: Aws, table: str) -> None:
    setting = {"AttributeName": "expires_at_s", "Enabled": True}
    cloud.dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=setting)
    told = cloud.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert told["TimeToLiveStatus"] in ("ENABLING", "ENABLED")


def test_a_table_that_is_not_there_says_so(cloud: Aws) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        cloud.dynamodb.get_item(TableName="nosuch", Key=item("x"))


@pytest.fixture(scope="module")
def bucket(cloud: Aws) -> str:
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    cloud.s3.create_bucket(Bucket=name)
    return name


def test_what_is_put_is_got_and_listed_by_prefix(cloud: Aws, bucket: str) -> None:
    for key in ("in/1", "in/2", "out/1"):
        cloud.s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), ContentType="text/plain")
    got = cloud.s3.get_object(Bucket=bucket, Key="in/1")
    assert (got["Body"].read(), got["ContentType"]) == (b"in/1", "text/plain")
    listed = cloud.s3.list_objects_v2(Bucket=bucket, Prefix="in/")
    assert [entry["Key"] for entry in listed["Contents"]] == ["in/1", "in/2"]
    assert listed["KeyCount"] == 2
    part = cloud.s3.get_object(Bucket=bucket, Key="in/1", Range="bytes=0-1")
    assert part["Body"].read() == b"in"


def test_what_is_not_there_says_so(cloud: Aws, bucket: str) -> None:
    with pytest.raises(ClientError, match="NoSuchKey"):
        cloud.s3.get_object(Bucket=bucket, Key="nosuch")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        cloud.s3.list_objects_v2(Bucket=f"nosuch-{uuid.uuid4().hex}")
    with pytest.raises(ClientError, match="404"):
        cloud.s3.head_object(Bucket=bucket, Key="nosuch")


def test_a_bucket_with_something_in_it_stays(cloud: Aws) -> None:
    name = f"full-{uuid.uuid4().hex[:8]}"
    cloud.s3.create_bucket(Bucket=name)
    cloud.s3.put_object(Bucket=name, Key="k", Body=b"x")
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        cloud.s3.delete_bucket(Bucket=name)
    cloud.s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "k"}]})
    cloud.s3.delete_bucket(Bucket=name)


def test_a_role_keeps_its_policies_and_cannot_go_before_them(cloud: Aws) -> None:
    name = f"role-{uuid.uuid4().hex[:8]}"
    arn = cloud.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    assert arn.endswith(f":role/{name}")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
    cloud.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    assert cloud.iam.get_role_policy(RoleName=name, PolicyName="own")["PolicyDocument"] == policy
    with pytest.raises(ClientError, match="DeleteConflict"):
        cloud.iam.delete_role(RoleName=name)
    cloud.iam.delete_role_policy(RoleName=name, PolicyName="own")
    cloud.iam.delete_role(RoleName=name)
    with pytest.raises(ClientError, match="NoSuchEntity"):
        cloud.iam.get_role(RoleName=name)


def test_a_role_has_its_name_alone(cloud: Aws) -> None:
    name = f"role-{uuid.uuid4().hex[:8]}"
    cloud.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    with pytest.raises(ClientError, match="EntityAlreadyExists"):
        cloud.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    cloud.iam.delete_role(RoleName=name)
