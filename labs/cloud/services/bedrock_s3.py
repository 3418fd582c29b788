"""What Bedrock's jobs read from S3 and write to it, inside the cloud."""

from typing import Any


class Unreadable(Exception):  # noqa: N818 - becomes a job's failure message
    """A bucket or object is not there, in a sentence for the job's owner."""


def split(uri: str) -> tuple[str, str]:
    """Bucket and key, or prefix, of "s3://bucket/key"."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


class Bucket:
    """One bucket of an account."""

    def __init__(self, account_id: str, name: str) -> None:
        from moto.s3.exceptions import MissingBucket
        from moto.s3.models import s3_backends

        self._s3: Any = s3_backends[account_id]["aws"]
        self.name = name
        try:
            self._s3.get_bucket(name)
        except MissingBucket:
            raise Unreadable(f"Could not find the S3 bucket {name}, or it may not be accessed.") from None

    def keys(self, prefix: str) -> list[str]:
        """Names of the objects that begin so, in order."""
        return sorted(key for key in dict(self._s3.get_bucket(self.name).keys) if key.startswith(prefix))

    def read(self, key: str) -> bytes:
        """An object's content."""
        found = self._s3.get_object(self.name, key)
        if found is None:
            raise Unreadable(f"Could not find s3://{self.name}/{key}.")
        content: bytes = found.value
        return content

    def write(self, key: str, content: bytes) -> None:
        """Put an object."""
        self._s3.put_object(self.name, key, content)


def folder(account_id: str, uri: str) -> tuple[Bucket, str]:
    """The bucket of a URI that means a folder, and its prefix, which ends in "/"."""
    name, prefix = split(uri)
    return Bucket(account_id, name), prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
