"""Was this request signed by somebody this cloud knows? Signature Version 4, checked as AWS checks it.

    signature.check(request, service="lambda", credentials=known)   # the access key id; raises Refused with AWS's own sentence

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from botocore.utils import normalize_url_path

CLOCK_SKEW = timedelta(minutes=5)


class Refused(Exception):  # noqa: N818 - an answer
    """The signature is missing or wrong; `code` is AWS's name for how."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Signed:
    """What of a request a signature covers. `path` is as it was sent, still encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    """by lower-case name"""
    body: bytes


def check(
    request: Signed, *, service: str, region: str, secret_of: Callable[[str], str | None], now: datetime | None = None
) -> str:
    """The access key id that signed `request` for `service` in `region`. Raises Refused."""
    header = request.headers.get("authorization", "")
    if not header:
        raise Refused("MissingAuthenticationTokenException", "Missing Authentication Token")
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256\s+Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request\s*,\s*"
        r"SignedHeaders=([^,\s]+)\s*,\s*Signature=([0-9a-f]{64})\s*",
        header,
    )
    if found is None:
        raise Refused(
            "IncompleteSignatureException",
            "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters.",
        )
    key_id, day, signed_region, signed_service, names, signature = found.groups()
    if (signed_region, signed_service) != (region, service):
        raise Refused(
            "InvalidSignatureException",
            f"Credential should be scoped to a valid region and correct service: '{service}' in '{region}'.",
        )
    secret = secret_of(key_id)
    if secret is None:
        raise Refused("UnrecognizedClientException", "The security token included in the request is invalid.")
    stamp = request.headers.get("x-amz-date", "")
    check_time(stamp, day, now or datetime.now(UTC))
    signed_names = names.split(";")
    if "host" not in signed_names:
        raise Refused("InvalidSignatureException", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    expected = sign(request, signed_names, stamp, f"{day}/{region}/{service}/aws4_request", secret)
    if not hmac.compare_digest(expected, signature):
        raise Refused(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
            "and signing method. Consult the service documentation for details.",
        )
    return key_id


def check_time(stamp: str, day: str, now: datetime) -> None:
    try:
        signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refused(
            "IncompleteSignatureException", "Authorization header requires existence of 'X-Amz-Date'."
        ) from None
    if not stamp.startswith(day) or abs(now - signed_at) > CLOCK_SKEW:
        raise Refused("InvalidSignatureException", f"Signature expired: {stamp} is now earlier or later than allowed.")


def sign(request: Signed, names: list[str], stamp: str, scope: str, secret: str) -> str:
    """The signature that the request should have."""
    payload = request.headers.get("x-amz-content-sha256") or hashlib.sha256(request.body).hexdigest()
    if payload not in ("UNSIGNED-PAYLOAD", hashlib.sha256(request.body).hexdigest()):
        return ""  # the body is not the one that was signed
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in names)
    path = quote(normalize_url_path(request.path), safe="/~")
    canonical = "\n".join([request.method, path, canonical_query(request.query), headers, ";".join(names), payload])
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def canonical_query(query: str) -> str:
    pairs = [part.partition("=") for part in query.split("&") if part]
    encoded = [(quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~")) for name, _, value in pairs]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def secrets_of(account_id: str) -> Callable[[str], str | None]:
    """The secrets behind access key ids: the course's own, those that IAM made here, and those of assumed roles."""

    def secret_of(key_id: str) -> str | None:
        from labs.cloud.environment import ACCESS_KEY_ID, SECRET_ACCESS_KEY

        if key_id == ACCESS_KEY_ID:
            return SECRET_ACCESS_KEY
        from moto.iam.models import iam_backends
        from moto.sts.models import sts_backends

        for backend in iam_backends[account_id].values():
            for key in backend.access_keys.values():
                if key.access_key_id == key_id:
                    return str(key.secret_access_key) if key.status == "Active" else None
        for sts in sts_backends[account_id].values():
            role = sts.get_assumed_role_from_access_key(key_id)
            if role is not None:
                return str(role.secret_access_key)
        return None

    return secret_of
