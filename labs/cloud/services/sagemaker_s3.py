"""What SageMaker reads from and writes to S3: model data, requests, answers. `s3://bucket/key` throughout."""

import io
import tarfile
from typing import Any

MOST_UNPACKED_BYTES = 64 * 1024 * 1024
"""An archive of model data is opened to look for its configuration only up to this size."""


class NotThere(Exception):  # noqa: N818 - an answer to the caller
    """No such bucket or object; the message says which."""


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of 's3://bucket/key' or of an https address of S3."""
    if uri.startswith("s3://"):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return bucket, key
    host, _, path = uri.partition("://")[2].partition("/")
    if host.startswith(("s3.", "s3-")):
        bucket, _, key = path.partition("/")
        return bucket, key
    return host.partition(".s3")[0], path


def read(account_id: str, uri: str) -> bytes:
    """The object's content. Raises NotThere."""
    bucket, key = split(uri)
    found = _backend(account_id, bucket).get_object(bucket, key)
    if found is None or not hasattr(found, "value"):
        raise NotThere(f"There is no object {uri}.")
    content: bytes = found.value
    return content


def write(account_id: str, uri: str, content: bytes) -> None:
    """Put an object. Raises NotThere when its bucket does not exist."""
    bucket, key = split(uri)
    _backend(account_id, bucket).put_object(bucket, key, content)


def keys(account_id: str, uri: str) -> list[str]:
    """Keys of the objects under a prefix. Raises NotThere when the bucket does not exist."""
    bucket, prefix = split(uri)
    return sorted(key for key in _backend(account_id, bucket).buckets[bucket].keys if key.startswith(prefix))


def is_there(account_id: str, uri: str) -> bool:
    """Is there an object of this name, or one under this prefix?"""
    try:
        key = split(uri)[1]
        found = keys(account_id, uri)
    except NotThere:
        return False
    return bool(found) if uri.endswith("/") or not key else any(k == key or k.startswith(f"{key}/") for k in found)


def member(archive: bytes, name: str) -> bytes | None:
    """A small file of a tar archive, compressed or not, wherever in it that is nearest the top; None when it has none."""
    if len(archive) > MOST_UNPACKED_BYTES:
        return None
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            found = [each for each in opened.getmembers() if each.isfile() and each.name.rpartition("/")[2] == name]
            best = min(found, key=lambda each: each.name.count("/"), default=None)
            content = opened.extractfile(best) if best is not None else None
            return content.read(1_000_000) if content is not None else None
    except (tarfile.TarError, EOFError, OSError):
        return None


def _backend(account_id: str, bucket: str) -> Any:
    from moto.s3.models import s3_backends

    backend = s3_backends[account_id]["aws"]
    if bucket not in backend.buckets:
        raise NotThere(f"There is no bucket {bucket}.")
    return backend
