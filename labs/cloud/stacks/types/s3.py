"""AWS::S3::*"""

from typing import Any

from labs.cloud.stacks.types.base import ResourceType, Work, document


class Bucket(ResourceType):
    name = "AWS::S3::Bucket"
    properties = frozenset(
        {
            "BucketEncryption",
            "BucketName",
            "LifecycleConfiguration",
            "OwnershipControls",
            "PublicAccessBlockConfiguration",
            "Tags",
            "VersioningConfiguration",
        }
    )
    named_by = "BucketName"

    def create(self, work: Work) -> None:
        name = work.name("BucketName", longest=63, lower=True)
        work.call("s3", "CreateBucket", Bucket=name)
        work.made(
            name,
            Arn=f"arn:aws:s3:::{name}",
            DomainName=f"{name}.s3.amazonaws.com",
            RegionalDomainName=f"{name}.s3.us-east-1.amazonaws.com",
        )
        self._put_settings(work, {})

    def update(self, work: Work, before: dict[str, Any]) -> None:
        self._put_settings(work, before)

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("s3", "DeleteBucket", Bucket=work.physical_id))

    def _put_settings(self, work: Work, before: dict[str, Any]) -> None:
        bucket = work.physical_id
        new = {name: value for name, value in work.properties.items() if value != before.get(name)}
        if versioning := new.get("VersioningConfiguration"):
            work.call("s3", "PutBucketVersioning", Bucket=bucket, VersioningConfiguration=versioning)
        if block := new.get("PublicAccessBlockConfiguration"):
            work.call("s3", "PutPublicAccessBlock", Bucket=bucket, PublicAccessBlockConfiguration=block)
        if ownership := new.get("OwnershipControls"):
            work.call("s3", "PutBucketOwnershipControls", Bucket=bucket, OwnershipControls=ownership)
        if encryption := new.get("BucketEncryption"):
            rules = [
                {
                    "ApplyServerSideEncryptionByDefault" if key == "ServerSideEncryptionByDefault" else key: value
                    for key, value in rule.items()
                }
                for rule in encryption["ServerSideEncryptionConfiguration"]
            ]
            work.call("s3", "PutBucketEncryption", Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
        if lifecycle := new.get("LifecycleConfiguration"):
            rules = [lifecycle_rule(rule) for rule in lifecycle["Rules"]]
            work.call("s3", "PutBucketLifecycleConfiguration", Bucket=bucket, LifecycleConfiguration={"Rules": rules})
        elif "LifecycleConfiguration" in before and "LifecycleConfiguration" not in work.properties:
            work.call("s3", "DeleteBucketLifecycle", Bucket=bucket)
        if tags := work.tag_list():
            work.call("s3", "PutBucketTagging", Bucket=bucket, Tagging={"TagSet": tags})


def lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule as the API has it, from a template's."""
    made: dict[str, Any] = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "Id" in rule:
        made["ID"] = rule["Id"]
    if "ExpirationInDays" in rule:
        made["Expiration"] = {"Days": rule["ExpirationInDays"]}
    if "AbortIncompleteMultipartUpload" in rule:
        made["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    if "NoncurrentVersionExpiration" in rule:
        made["NoncurrentVersionExpiration"] = rule["NoncurrentVersionExpiration"]
    return made


class BucketPolicy(ResourceType):
    name = "AWS::S3::BucketPolicy"
    properties = frozenset({"Bucket", "PolicyDocument"})

    def create(self, work: Work) -> None:
        bucket = work.properties["Bucket"]
        work.call("s3", "PutBucketPolicy", Bucket=bucket, Policy=document(work.properties["PolicyDocument"]))
        work.made(bucket)

    def update(self, work: Work, before: dict[str, Any]) -> None:  # noqa: ARG002
        work.call("s3", "PutBucketPolicy", Bucket=work.physical_id, Policy=document(work.properties["PolicyDocument"]))

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("s3", "DeleteBucketPolicy", Bucket=work.physical_id))


TYPES = (Bucket(), BucketPolicy())
