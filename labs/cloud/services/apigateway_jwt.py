"""JSON Web Tokens, as an HTTP API's authorizer checks them: signature, issuer, audience, times and scopes.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html. The keys come from where the issuer's
OpenID configuration says. Here the issuer must be on this machine, as everything that the local cloud talks to.
"""

import base64
import json
import threading
import time
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

from labs.cloud.guard import is_loopback_url

FETCH_TIMEOUT_S = 1.5
MAX_KEYS_BYTES = 150_000
REFETCH_AFTER_S = 10.0
"""How soon keys are fetched again for a token whose key is not among them."""


class Refused(Exception):  # noqa: N818 - an answer
    """The token does not let its bearer in; `error` is OAuth's word for why."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


class Misconfigured(Exception):  # noqa: N818 - a statement about the authorizer
    """The issuer's keys cannot be had."""


class Issuers:
    """The keys of issuers, fetched when first needed and kept."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[float, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def key(self, issuer: str, key_id: str) -> dict[str, Any] | None:
        """The issuer's key of that name. Raises Misconfigured."""
        with self._lock:
            fetched_at, keys = self._keys.get(issuer, (0.0, {}))
            if key_id not in keys and time.monotonic() - fetched_at > (REFETCH_AFTER_S if keys else 0.0):
                keys = fetch_keys(issuer)
                self._keys[issuer] = (time.monotonic(), keys)
            return keys.get(key_id)


def fetch_keys(issuer: str) -> dict[str, Any]:
    configuration = fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    keys = fetch(str(configuration.get("jwks_uri", ""))).get("keys")
    if not isinstance(keys, list):
        raise Misconfigured(f"{issuer} lists no keys")
    return {str(key.get("kid")): key for key in keys if isinstance(key, dict)}


def fetch(url: str) -> dict[str, Any]:
    if not is_loopback_url(url):
        raise Misconfigured(f"the local cloud asks issuers on this machine only, not {url}")
    try:
        with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT_S) as answer:
            value = json.loads(answer.read(MAX_KEYS_BYTES))
    except (OSError, ValueError) as failed:
        raise Misconfigured(f"{url}: {failed}") from None
    if not isinstance(value, dict):
        raise Misconfigured(f"{url} is not an object")
    return value


def verify(
    token: str, issuers: Issuers, issuer: str, audience: Iterable[str], now: float | None = None
) -> dict[str, Any]:
    """The token's claims. Raises Refused, and Misconfigured."""
    header, claims, signed, signature = parse(token)
    algorithm = str(header.get("alg"))
    if algorithm not in HASHES:
        raise Refused("invalid_token", "only RSA-based signatures are accepted")
    if claims.get("iss") != issuer:
        raise Refused("invalid_token", "the token does not have a valid issuer")
    key = issuers.key(issuer, str(header.get("kid")))
    if key is None:
        raise Refused("invalid_token", "the token's key is not one of the issuer's")
    check_signature(key, algorithm, signed, signature)
    now = time.time() if now is None else now
    if not before(now, claims.get("exp"), missing=False):
        raise Refused("invalid_token", "the token has expired")
    for name in ("nbf", "iat"):
        if before(now, claims.get(name), missing=False):
            raise Refused("invalid_token", "the token is not valid yet")
    theirs = claims.get("aud", claims.get("client_id"))
    have = theirs if isinstance(theirs, list) else [theirs]
    if not set(map(str, have)) & set(audience):
        raise Refused("invalid_token", "the token does not have a valid audience")
    return claims


def scopes_of(claims: Mapping[str, Any]) -> list[str]:
    """The scopes that a token carries."""
    given = claims.get("scope", claims.get("scp", ""))
    return [str(part) for part in given] if isinstance(given, list) else str(given).split()


HASHES = {"RS256": "SHA256", "RS384": "SHA384", "RS512": "SHA512"}


def check_signature(key: Mapping[str, Any], algorithm: str, signed: bytes, signature: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    try:
        numbers = rsa.RSAPublicNumbers(number(str(key["e"])), number(str(key["n"])))
        chosen: hashes.HashAlgorithm = getattr(hashes, HASHES[algorithm])()
        numbers.public_key().verify(signature, signed, padding.PKCS1v15(), chosen)
    except (InvalidSignature, KeyError, ValueError):
        raise Refused("invalid_token", "signature verification failed") from None


def parse(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Header, claims, what is signed, the signature."""
    parts = token.split(".")
    try:
        header, claims = (json.loads(decoded(part)) for part in parts[:2])
        signature = decoded(parts[2])
    except (ValueError, IndexError, RecursionError):
        raise Refused("invalid_token", "the token is malformed") from None
    if len(parts) != 3 or not isinstance(header, dict) or not isinstance(claims, dict):
        raise Refused("invalid_token", "the token is malformed")
    return header, claims, f"{parts[0]}.{parts[1]}".encode(), signature


def before(now: float, moment: Any, *, missing: bool) -> bool:
    """Is `now` before the claim's time?"""
    return now < moment if isinstance(moment, int | float) and not isinstance(moment, bool) else missing


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def number(part: str) -> int:
    return int.from_bytes(decoded(part), "big")
