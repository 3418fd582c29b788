"""Where an AWS service is and how a request to it is signed: all of it botocore's own, looked up once and then used cheaply.

The endpoint, the region and the credentials come from wherever boto3 would have them: AWS_ENDPOINT_URL..., profiles, roles. Nothing here knows
whether that is AWS or a cloud on this machine.
"""

import hmac
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import boto3
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError

from labs.bench.http1 import Origin
from labs.cloud.guard import is_loopback_url
from labs.errors import NOT_READY, Refusal

REFRESH_S = 60.0
"""how often credentials that expire are looked at again"""


class Sigv4:
    """Signature Version 4 of POST requests that differ in body and time only; the same as botocore's, which does the general case.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
    """

    def __init__(self, credentials: ReadOnlyCredentials, service: str, region: str) -> None:
        self._credentials, self._service, self._region = credentials, service, region
        self._day, self._scope, self._key = "", "", b""

    def headers(self, authority: str, path: str, signed: dict[str, str], body: bytes) -> dict[str, str]:
        """The headers that sign a POST of `body` to `path` (its parts quoted); `signed` are the other headers, which are signed with it."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        if moment[:8] != self._day:
            self._new_day(moment[:8])
        before, after, names = _canonical(authority, path, tuple(signed.items()), self._credentials.token)
        canonical = f"{before}{moment}{after}{sha256(body).hexdigest()}"
        to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{self._scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key, to_sign.encode(), "sha256").hex()
        credential = f"{self._credentials.access_key}/{self._scope}"
        added = {
            "X-Amz-Date": moment,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}",
        }
        if self._credentials.token:
            added["X-Amz-Security-Token"] = self._credentials.token
        return added

    def _new_day(self, day: str) -> None:
        """The key is good for a day, a region and a service."""
        key = f"AWS4{self._credentials.secret_key}".encode()
        for part in (day, self._region, self._service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._day, self._scope, self._key = day, f"{day}/{self._region}/{self._service}/aws4_request", key


@lru_cache(maxsize=64)
def _canonical(
    authority: str, path: str, signed: tuple[tuple[str, str], ...], token: str | None
) -> tuple[str, str, str]:
    """The canonical request before its time, and between its time and the body's hash; and the names of the signed headers."""
    lower = {name.lower(): value for name, value in signed} | {"host": authority, "x-amz-date": "\0"}
    if token:
        lower["x-amz-security-token"] = token
    names = ";".join(sorted(lower))
    lines = "".join(f"{name}:{lower[name]}\n" for name in sorted(lower))
    before, _, after = f"POST\n{quote(path, safe='/~')}\n\n{lines}\n{names}\n".partition("\0")
    return before, after, names


@dataclass
class Signer:
    """Makes signed requests to one service."""

    url: str
    region: str
    service: str
    """the name that it is signed for"""
    _credentials: Any
    _frozen: ReadOnlyCredentials
    _sigv4: Sigv4

    @staticmethod
    def of(service: str, *, only_loopback: bool) -> "Signer":
        """For the service as this process's environment names it. Raises Refusal when there is no region or there are no credentials."""
        try:
            session = boto3.Session()
            client = session.client(service)  # type: ignore[call-overload]
            credentials = session.get_credentials()
            frozen = None if credentials is None else credentials.get_frozen_credentials()
        except (BotoCoreError, ValueError) as wrong:
            raise Refusal(f"{service} cannot be called from here: {wrong}", NOT_READY) from None
        url: str = client.meta.endpoint_url
        if only_loopback and not is_loopback_url(url):
            raise Refusal(f"this run is for the local cloud, and {service} would be called at {url}", NOT_READY)
        if frozen is None:
            raise Refusal(
                f"there are no AWS credentials to call {service} with; 'aws configure' or AWS_PROFILE sets them",
                NOT_READY,
            )
        name: str = client.meta.service_model.signing_name
        region: str = client.meta.region_name
        signer = Signer(url.rstrip("/"), region, name, credentials, frozen, Sigv4(frozen, name, region))
        if hasattr(credentials, "refresh_needed"):
            # Asking for new ones is a call that would stall the event loop.
            threading.Thread(target=signer._refresh, daemon=True, name="credentials").start()
        return signer

    @property
    def origin(self) -> Origin:
        """The service's server."""
        return Origin.of(self.url)

    def request(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        """A signed POST as it goes over the wire. `path` is as in a URL, its parts quoted."""
        authority, slash, prefix = self.url.split("://", 1)[1].partition("/")
        path = f"{slash}{prefix}{path}"
        signature = self._sigv4.headers(authority, path, headers, body)
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers | signature).items())
        head = f"POST {path} HTTP/1.1\r\nHost: {authority}\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def _refresh(self) -> None:
        pause = threading.Event()
        while not pause.wait(REFRESH_S):
            frozen = self._credentials.get_frozen_credentials()
            if frozen != self._frozen:
                self._frozen, self._sigv4 = frozen, Sigv4(frozen, self.service, self.region)
