"""The bucket that deployment packages lie in: one per account and region, made with the first stack and removed with the last."""

from collections.abc import Mapping
from datetime import UTC, datetime

import boto3
from botocore.exceptions import ClientError

from labs.cloud import Cloud
from labs.errors import FALSE, Refusal
from labs.targets import ledger, stacks


def bucket_name(cloud: Cloud) -> str:
    """Bucket names are the whole world's; account and region make this one ours."""
    return f"{stacks.PROJECT}-{cloud.account_id}-{cloud.region}"


def exists(cloud: Cloud) -> bool:
    """Whether the bucket is there, and ours."""
    try:
        boto3.client("s3").head_bucket(Bucket=bucket_name(cloud), ExpectedBucketOwner=cloud.account_id)
    except ClientError as refused:
        status = refused.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 404:
            return False
        if status == 403:
            raise Refusal(
                f"the bucket {bucket_name(cloud)} is somebody else's, or these credentials may not use it", FALSE
            ) from refused
        raise
    return True


def put(cloud: Cloud, key: str, content: bytes, hours: float = 24) -> str:
    """Store `content` under `key`, which carries its hash: what is there already is not sent again. Returns the bucket's name."""
    s3, bucket = boto3.client("s3"), bucket_name(cloud)
    if not exists(cloud):
        marks = stacks.tags(hours)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        ledger.enter(ledger.Entry("bucket", bucket, cloud.account_id, cloud.region, cloud.real, now, marks["Expires"]))
        create_bucket(bucket, cloud.region, marks)
    if not _has(bucket, key):
        s3.put_object(Bucket=bucket, Key=key, Body=content, ExpectedBucketOwner=cloud.account_id)
    return bucket


def create_bucket(name: str, region: str, marks: Mapping[str, str]) -> None:
    """A bucket that nothing public reaches, with these tags; one that is ours already is brought to the same state."""
    s3 = boto3.client("s3")
    try:
        if region == "us-east-1":  # the one region that may not be named
            s3.create_bucket(Bucket=name)
        else:
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    except ClientError as refused:
        if refused.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in marks.items()]})


def remove(cloud: Cloud) -> bool:
    """Empty the bucket, remove it and look; False when there was none."""
    there, bucket = exists(cloud), bucket_name(cloud)
    if there:
        s3 = boto3.client("s3")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            if keys := [{"Key": entry["Key"]} for entry in page.get("Contents", [])]:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        s3.delete_bucket(Bucket=bucket)
        if exists(cloud):
            raise Refusal(f"the bucket {bucket} is still there; run 'lab teardown --all' again", FALSE)
    ledger.strike(cloud, "bucket", bucket)
    return there


def _has(bucket: str, key: str) -> bool:
    try:
        boto3.client("s3").head_object(Bucket=bucket, Key=key)
    except ClientError as refused:
        if refused.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True
