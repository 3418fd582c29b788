"""What a Bedrock job needs beside itself: a bucket of the deployment's own, and a role with which Bedrock reads and writes there.

    bucket = bedrock_roles.bucket(site, "bedrock-batch")
    arn = bedrock_roles.role(site, "bedrock-batch", "model-invocation-job", bedrock_roles.reads(site, bucket, "in/") + ...)

Policies are those of AWS's pages on service roles for import and for batch, narrowed to one account, one Region and one bucket:
https://docs.aws.amazon.com/bedrock/latest/userguide/model-import-iam-role.html, .../batch-iam-sr.html
"""

import hashlib
import json
import re
from typing import Any

import boto3
from botocore.exceptions import ClientError

from labs.targets import stacks, staging
from labs.targets.base import Site
from labs.targets.handmade import once

POLICY = "what-its-job-needs"


def bucket_name(site: Site) -> str:
    """Bucket names are the whole world's, at most 63 characters, and small; the beginning lets a policy name ours and no other."""
    told = f"{site.name}/{site.cloud.account_id}/{site.cloud.region}"
    return f"{stacks.PROJECT}-{site.name.lower()[:31].rstrip('-')}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def bucket(site: Site, target: str) -> str:
    """The deployment's bucket: made if it is not there. Returns its name."""
    name = bucket_name(site)
    once(
        site,
        target,
        "bucket",
        name,
        lambda _: staging.create_bucket(name, site.cloud.region, stacks.tags(site.hours)),
    )
    return name


def role_name(site: Site) -> str:
    """Roles are the account's in every Region, so the Region is in the name; at most 64 characters."""
    return f"{site.name}-bedrock-{site.cloud.region}"


def role_arn(site: Site) -> str:
    """The ARN of the deployment's role, whether it exists or not."""
    return f"arn:{_partition(site)}:iam::{site.cloud.account_id}:role/{role_name(site)}"


def role(site: Site, target: str, source: str, statements: list[dict[str, Any]]) -> str:
    """The role that Bedrock takes on for jobs of the kind `source` ("model-import-job", or "*"). Returns its ARN."""
    name = role_name(site)
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "bedrock.amazonaws.com"},
                "Action": "sts:AssumeRole",
                # Without these, anybody's job could be made to use our role (the confused deputy).
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": site.cloud.account_id},
                    "ArnLike": {"aws:SourceArn": arn(site, source, "*")},
                },
            }
        ],
    }

    def create(_: str) -> str:
        iam = boto3.client("iam")
        marks = [{"Key": key, "Value": value} for key, value in stacks.tags(site.hours).items()]
        try:
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), Tags=marks)
        except ClientError as refused:
            if refused.response["Error"]["Code"] != "EntityAlreadyExists":
                raise
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
        policy = {"Version": "2012-10-17", "Statement": statements}
        iam.put_role_policy(RoleName=name, PolicyName=POLICY, PolicyDocument=json.dumps(policy))
        return role_arn(site)

    return once(site, target, "role", name, create)


def reads(site: Site, uri: str) -> list[dict[str, Any]]:
    """Statements: list the bucket of "s3://bucket/prefix" under the prefix, and read what is there."""
    bucket, prefix = split(uri)
    s3 = f"arn:{_partition(site)}:s3:::{bucket}"
    return [
        {
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": [s3],
            "Condition": {"StringLike": {"s3:prefix": [f"{prefix}*"]}},
        },
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [f"{s3}/{prefix}*"]},
    ]


def writes(site: Site, uri: str) -> list[dict[str, Any]]:
    """Statements: write under the prefix of "s3://bucket/prefix", in a bucket of this account."""
    bucket, prefix = split(uri)
    return [
        {
            "Effect": "Allow",
            "Action": ["s3:PutObject"],
            "Resource": [f"arn:{_partition(site)}:s3:::{bucket}/{prefix}*"],
            "Condition": {"StringEquals": {"aws:ResourceAccount": [site.cloud.account_id]}},
        }
    ]


def passing(site: Site) -> dict[str, Any]:
    """The statement that whoever creates a job needs to hand it the role."""
    return {
        "Effect": "Allow",
        "Action": ["iam:PassRole"],
        "Resource": [role_arn(site)],
        "Condition": {"StringEquals": {"iam:PassedToService": "bedrock.amazonaws.com"}},
    }


_CROSS_REGION = re.compile(r"(us|us-gov|eu|apac|jp|au|ca|global)\.(?P<model>[a-z0-9-]+\..+)")
"""A system inference profile's id is its geography, then the model's id."""


def model_arns(site: Site, model_id: str) -> list[str]:
    """What a caller of this model id, profile id or ARN must be allowed: a profile needs itself and its model in every Region that it may route to."""
    if ":application-inference-profile/" in model_id or ":inference-profile/" in model_id:
        profile = boto3.client("bedrock").get_inference_profile(inferenceProfileIdentifier=model_id)
        return [model_id, *(model["modelArn"] for model in profile["models"])]
    if model_id.startswith("arn:"):
        return [model_id]
    bedrock = f"arn:{_partition(site)}:bedrock"
    if profile_id := _CROSS_REGION.fullmatch(model_id):
        return [
            arn(site, "inference-profile", model_id),
            f"{bedrock}:*::foundation-model/{profile_id['model']}",
        ]
    return [f"{bedrock}:{site.cloud.region}::foundation-model/{model_id}"]


def invoking(*locations: str) -> list[dict[str, Any]]:
    """The statement of a caller of these ARNs. IAM knows no Converse: it is authorised by InvokeModel, ConverseStream by the second."""
    return [
        {
            "Effect": "Allow",
            "Action": ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"],
            "Resource": list(locations),
        }
    ]


def arn(site: Site, kind: str, id: str) -> str:
    """The ARN of something of Bedrock's in this account and Region."""
    suffix = f"{kind}/{id}" if kind != "*" else "*"
    return f"arn:{_partition(site)}:bedrock:{site.cloud.region}:{site.cloud.account_id}:{suffix}"


def tags(site: Site) -> list[dict[str, str]]:
    """The tags of everything of ours, as Bedrock writes them."""
    return [{"key": key, "value": value} for key, value in stacks.tags(site.hours).items()]


def split(uri: str) -> tuple[str, str]:
    """Bucket and prefix of "s3://bucket/prefix/". Raises ValueError for anything else."""
    parts = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", uri)
    if parts is None:
        raise ValueError(f"'{uri}' is no s3://bucket/prefix")
    return parts[1], parts[2] or ""


def _partition(site: Site) -> str:
    return boto3.Session().get_partition_for_region(site.cloud.region)
