"""What comes of an invocation: the function's answer or its error, in the words that AWS uses, and the lines it leaves in the log."""

import base64
import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass
class Outcome:
    """One invocation, finished."""

    request_id: str
    body: bytes
    error: bool
    """Was the invocation a failure (X-Amz-Function-Error: Unhandled)?"""
    log_stream: str
    lines: list[str] = field(default_factory=list)
    """What the invocation left in the log, START, END and REPORT included."""
    duration_ms: float = 0.0
    init_ms: float | None = None
    """How long the cold start took; None on a warm environment."""
    content_type: str = "application/json"
    """What the runtime said that the body is."""
    streamed: bool = False
    """Did the function stream its answer? Then a sink has it, or `body` has all of it."""

    @property
    def tail(self) -> bytes:
        """The last 4 KB of the log, as LogType=Tail shows it."""
        return "".join(f"{line}\n" for line in self.lines).encode()[-4096:]


def exited(request_id: str, returncode: int, error_type: str = "Runtime.ExitError") -> bytes:
    """The process ended before it answered."""
    if returncode == 0:
        return failure(error_type, f"RequestId: {request_id} Error: Runtime exited without providing a reason")
    how = f"exit status {returncode}" if returncode > 0 else f"signal: {SIGNALS.get(-returncode, -returncode)}"
    return failure(error_type, f"RequestId: {request_id} Error: Runtime exited with error: {how}")


SIGNALS = {6: "aborted", 9: "killed", 11: "segmentation fault", 15: "terminated"}


def timed_out(request_id: str, timeout_s: float) -> bytes:
    return failure("Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {timeout_s:.2f} seconds")


def too_large(limit_bytes: int) -> bytes:
    return failure(
        "Function.ResponseSizeTooLarge",
        f"Response payload size exceeded maximum allowed payload size ({limit_bytes} bytes).",
    )


def from_trailer(error_type: str, body: str) -> bytes:
    """The error that a streaming runtime reports after it has begun to answer: its type and, in base64, what the function said."""
    try:
        said = base64.b64decode(body, validate=True)
        json.loads(said)
    except ValueError:
        return failure(error_type, "The function failed while its answer was streamed.")
    return said


def failure(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def message_of(body: bytes) -> str:
    """The message of an error made here."""
    return str(json.loads(body)["errorMessage"])


def timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def text_frame(
    request_id: str,
    *,
    version: str,
    runtime: str | None,
    duration_ms: float,
    init_ms: float | None,
    memory_mb: int,
    peak_mb: int | None,
    status: str | None,
) -> tuple[list[str], list[str]]:
    """What Lambda itself logs before and after what the function says; `runtime` is given for a cold start."""
    before = [f"INIT_START Runtime Version: {runtime}.local\tRuntime Version ARN: local"] if runtime else []
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_ms:.2f} ms",
        f"Billed Duration: {billed_ms(duration_ms, init_ms)} ms",
        f"Memory Size: {memory_mb} MB",
    ]
    if peak_mb is not None:
        parts.append(f"Max Memory Used: {peak_mb} MB")
    if init_ms is not None:
        parts.append(f"Init Duration: {init_ms:.2f} ms")
    if status is not None:
        parts.append(f"Status: {status}")
    start = f"START RequestId: {request_id} Version: {version}"
    return [*before, start], [f"END RequestId: {request_id}", "\t".join(parts) + "\t"]


def json_frame(
    request_id: str,
    *,
    version: str,
    runtime: str | None,
    duration_ms: float,
    init_ms: float | None,
    memory_mb: int,
    peak_mb: int | None,
    status: str | None,
) -> tuple[list[str], list[str]]:
    """The same for functions whose LogFormat is JSON."""
    metrics = {
        "durationMs": round(duration_ms, 3),
        "billedDurationMs": billed_ms(duration_ms, init_ms),
        "memorySizeMB": memory_mb,
        "maxMemoryUsedMB": peak_mb,
        "initDurationMs": None if init_ms is None else round(init_ms, 3),
    }
    known = {name: value for name, value in metrics.items() if value is not None}
    kind, _, error_type = (status or "success").partition("\tError Type: ")
    report: dict[str, object] = {"requestId": request_id, "metrics": known, "status": kind}
    if error_type:
        report["errorType"] = error_type
    began = {"runtimeVersion": f"{runtime}.local", "initializationType": "on-demand", "phase": "init"}
    before = [platform_line("initStart", began)] if runtime else []
    return [*before, platform_line("start", {"requestId": request_id, "version": version})], [
        platform_line("report", report)
    ]


def platform_line(kind: str, record: dict[str, object] | dict[str, str]) -> str:
    return json.dumps({"time": timestamp(), "type": f"platform.{kind}", "record": record}, separators=(",", ":"))


def billed_ms(duration_ms: float, init_ms: float | None) -> int:
    """Since August 2025 the cold start is billed with the invocation that it serves."""
    return math.ceil(duration_ms + (init_ms or 0))
