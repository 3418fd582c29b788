"""Calls to a cloud, recorded with their answers and times, and answered again from the recording: for a room without network or quota.

    with exchanges.recording(Path("run.jsonl")):
        ...                                   # clients made in here are recorded
    with exchanges.answering(Path("run.jsonl"), speed=10):
        ...                                   # clients made in here are answered from the file, and reach nothing

A file is a line of JSON for each call, and every line says which cloud answered: what was recorded on the local cloud stays "predicted by the
serving model" wherever it is shown. Request headers, where signatures are, are not kept; of an AWS account its number is not, and no
credentials that a call returned.
"""

import base64
import json
import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from labs.cloud.context import ACCOUNT_ID
from labs.cloud.guard import is_loopback_url
from labs.cloud.state import PROVENANCE
from labs.errors import FALSE, USAGE, Refusal

LOCAL, AWS = "local", "aws"
LABELS = {LOCAL: f"recorded on the local cloud: {PROVENANCE}, not measured on AWS", AWS: "recorded on AWS"}
WITH_CREDENTIALS = re.compile(r"^(sts\.(?!GetCallerIdentity)|cognito-identity\.GetCredentials|sso\.)", re.IGNORECASE)
MOST_ASKED_BYTES = 4_000

_now = threading.local()
"""The operation that this thread is about to send."""


class Body:
    """What botocore reads a response from: chunks, each at its time. `told` gets what was read, once."""

    def __init__(self, chunks: Iterator[bytes], told: Any = None) -> None:
        self._chunks, self._told, self._rest = chunks, told, b""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """All chunks."""
        yield from self._chunks
        self.close()

    def read(self, amount: int | None = None, *_: Any, **__: Any) -> bytes:
        """So many bytes, or all."""
        while amount is None or len(self._rest) < amount:
            chunk = next(self._chunks, b"")
            if not chunk:
                self.close()
                break
            self._rest += chunk
        taken = self._rest[:amount]
        self._rest = self._rest[len(taken) :]
        return taken

    def close(self) -> None:
        """Nothing more will be read."""
        if self._told is not None:
            told, self._told = self._told, None
            told()

    release_conn = close


@contextmanager
def recording(path: Path) -> Iterator[None]:
    """Record every call of clients made meanwhile."""
    from botocore.httpsession import URLLib3Session

    began, lock, send = time.monotonic(), threading.Lock(), URLLib3Session.send
    open_: list[Body] = []
    with path.open("w", encoding="utf-8") as file:

        def write(said: dict[str, Any]) -> None:
            with lock:
                if not file.closed:
                    file.write(json.dumps(said, ensure_ascii=False) + "\n")

        def send_and_record(self: Any, request: Any) -> Any:
            operation, at = getattr(_now, "operation", "?"), time.monotonic()
            said = _asked(operation, request) | {"at_s": round(at - began, 4)}
            try:
                response = send(self, request)
            except Exception as failed:
                write(said | {"took_s": round(time.monotonic() - at, 4), "failed": type(failed).__name__})
                raise
            chunks: list[list[Any]] = []
            said |= {"took_s": round(time.monotonic() - at, 4), "status": response.status_code, "chunks": chunks}
            said["headers"] = {name: _masked(value, said) for name, value in response.headers.items()}
            if not request.stream_output:  # botocore has read it by now
                chunks.append([said["took_s"], _text(response.content, said)])
                write(said)
                return response
            raw = response.raw

            def read() -> Iterator[bytes]:
                for chunk in raw.stream():
                    chunks.append([round(time.monotonic() - at, 4), _text(chunk, said)])
                    yield chunk

            response.raw = Body(read(), lambda: write(said))
            open_.append(response.raw)
            return response

        URLLib3Session.send = send_and_record  # type: ignore[method-assign]
        try:
            with _handling(_note):
                yield
        finally:
            URLLib3Session.send = send  # type: ignore[method-assign]
            for body in open_:  # a stream that nobody read to its end
                body.close()


def _note(event_name: str = "", **_: Any) -> None:
    _now.operation = event_name.removeprefix("before-send.")


def _asked(operation: str, request: Any) -> dict[str, Any]:
    cloud = LOCAL if is_loopback_url(request.url) else AWS
    said = {"cloud": cloud, "operation": operation, "method": request.method, "path": urlsplit(request.url).path}
    said["path"] = _masked(said["path"], said)
    body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
    said["asked"] = _masked(body[:MOST_ASKED_BYTES].decode("utf-8", "replace"), said)
    return said


def _masked(text: str, said: dict[str, Any]) -> str:
    """Without the number of an account that is somebody's."""
    return re.sub(r"(?<!\d)\d{12}(?!\d)", ACCOUNT_ID, text) if said["cloud"] == AWS else text


def _text(chunk: bytes, said: dict[str, Any]) -> str | dict[str, str]:
    if said["cloud"] == AWS and WITH_CREDENTIALS.match(said["operation"]):
        return ""
    try:
        return _masked(chunk.decode("utf-8"), said)
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(chunk).decode()}


def _bytes(kept: Any) -> bytes:
    return base64.b64decode(kept["base64"]) if isinstance(kept, dict) else str(kept).encode()


def read(path: Path) -> list[dict[str, Any]]:
    """A recording's calls, in the order in which they began. Raises Refusal."""
    try:
        found = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
        for said in found:
            _ = said["operation"], float(said["at_s"]), float(said["took_s"]), LABELS[said["cloud"]]
            _ = said["failed"] if "failed" in said else (said["status"], said["headers"], said["chunks"])
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise Refusal(f"{path} is not a recording that can be read ({type(wrong).__name__}: {wrong})", USAGE) from None
    return sorted(found, key=lambda said: float(said["at_s"]))


@contextmanager
def answering(path: Path, speed: float = 1.0) -> Iterator[list[str]]:
    """Answer the calls of clients made meanwhile from a recording, each as long after it was asked as then, divided by `speed`.

    An operation's answers come in their order; after the last that one stays. Yields where the recording's answers came from. A call that
    the recording does not have raises Refusal.
    """
    waiting: dict[str, deque[dict[str, Any]]] = defaultdict(deque)
    recorded = read(path)
    for said in recorded:
        waiting[said["operation"]].append(said)
    lock = threading.Lock()

    def answer(request: Any, event_name: str = "", **_: Any) -> Any:
        from botocore import exceptions
        from botocore.awsrequest import AWSResponse

        operation = event_name.removeprefix("before-send.")
        with lock:
            mine = waiting.get(operation)
            if not mine:
                raise Refusal(f"the recording {path.name} has no call of {operation}", FALSE)
            said = mine.popleft() if len(mine) > 1 else mine[0]
        began = time.monotonic()
        _until(began + float(said["took_s"]) / speed)
        if "failed" in said:
            kind = getattr(exceptions, str(said["failed"]), exceptions.EndpointConnectionError)
            raise kind(endpoint_url=request.url, error="as recorded")
        return AWSResponse(request.url, said["status"], said["headers"], Body(_paced(said, began, speed)))

    with _handling(answer):
        yield sorted({LABELS[said["cloud"]] for said in recorded})


def _paced(said: dict[str, Any], began: float, speed: float) -> Iterator[bytes]:
    for at_s, kept in said["chunks"]:
        _until(began + float(at_s) / speed)
        yield _bytes(kept)


def _until(deadline: float) -> None:
    time.sleep(max(0.0, deadline - time.monotonic()))


@contextmanager
def _handling(handler: Any) -> Iterator[None]:
    """Have clients made from now on, and no client made before or after, call `handler` before they send."""
    import boto3
    from botocore.handlers import BUILTIN_HANDLERS

    entry = ("before-send", handler)
    BUILTIN_HANDLERS.append(entry)
    before, boto3.DEFAULT_SESSION = boto3.DEFAULT_SESSION, None
    try:
        yield
    finally:
        BUILTIN_HANDLERS.remove(entry)
        boto3.DEFAULT_SESSION = before
