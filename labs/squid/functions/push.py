"""Push: partial answers to whoever listens, over an AppSync Event API. Nothing depends on them.

    voice = Push("https://.../event", "us-east-1", job_id, attempt=1)
    voice.hear("Because ")                      # goes out with what follows, ten times a second at most
    voice.end("DONE")                           # what is left, and the state

An event is `{"job_id", "attempt", "seq", "text"}`, the last one has `status` too. A channel promises neither order nor exactly one delivery:
`seq` puts the pieces in order and shows a gap, and `attempt` starts the text anew when another worker has taken the job over. An event that
does not go out is not sent again, and after the second such the voice falls silent: the answer is in the table, and polling finds it.
"""

import json
import time
from urllib.parse import urlsplit

import boto3
import urllib3
from aws_lambda_powertools import Logger
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from urllib3.exceptions import HTTPError

NAMESPACE = "jobs"
LEAST_APART_S = 0.1
PATIENCE_S = 2.0
FAILURES_BORNE = 2
PIECE_MAX_CHARACTERS = 50_000
"""of one event: four bytes a character and JSON's escapes fit into an event's 240 KB"""

logger = Logger(child=True)


class Push:
    """The voice of one attempt at one job. Publishing happens in the caller's thread, between two pieces: the stream waits in its socket."""

    def __init__(self, url: str, region: str, job_id: str, attempt: int) -> None:
        self._url, self._region, self._job_id, self._attempt = url, region, job_id, attempt
        self._seq = 0
        self._waiting: list[str] = []
        self._last_s = 0.0
        self._failures = 0

    def hear(self, piece: str) -> None:
        """A piece of the answer."""
        if not self._url:
            return
        self._waiting.append(piece)
        if time.monotonic() - self._last_s >= LEAST_APART_S:
            self._say({})

    def end(self, status: str) -> None:
        """The job's state has changed: to its end, or back to the queue."""
        if self._url:
            self._say({"status": status})

    def _say(self, more: dict[str, str]) -> None:
        text = "".join(self._waiting)[:PIECE_MAX_CHARACTERS]
        self._waiting.clear()
        event = {"job_id": self._job_id, "attempt": self._attempt, "seq": self._seq, "text": text, **more}
        self._seq += 1
        self._last_s = time.monotonic()
        if self._failures >= FAILURES_BORNE:
            return
        try:
            self._post(json.dumps({"channel": channel(self._job_id), "events": [json.dumps(event)]}).encode())
        except (HTTPError, OSError, ValueError) as refused:
            self._failures += 1
            logger.warning("an event did not go out", job_id=self._job_id, seq=event["seq"], reason=str(refused))

    def _post(self, body: bytes) -> None:
        request = AWSRequest("POST", self._url, {"Content-Type": "application/json"}, body)
        credentials = _session.get_credentials()
        if credentials is None:
            raise ValueError("there are no credentials to sign with")
        SigV4Auth(credentials, "appsync", self._region).add_auth(request)
        answered = _connections.request("POST", self._url, body=body, headers=dict(request.headers.items()))
        if answered.status != 200:
            raise ValueError(f"answered {answered.status}: {answered.data[:200].decode(errors='replace')}")


_session = boto3.Session()
_connections = urllib3.PoolManager(maxsize=10, timeout=PATIENCE_S, retries=False)
"""Kept open from job to job: a handshake each time would take longer than an event is worth."""


def channel(job_id: str) -> str:
    """Where a job is spoken of. A channel's segment is 50 letters, digits and hyphens at most."""
    return f"/{NAMESPACE}/{job_id}"


def url_of(host: str) -> str:
    """The address at which an Event API takes events, from its name in a stack. Loopback has no certificates, and browsers too take it for safe."""
    if not host:
        return ""
    name = urlsplit(f"//{host}").hostname or ""
    return f"{'http' if name in ('localhost', '::1') or name.startswith('127.') else 'https'}://{host}/event"
