"""What a run leaves behind: one line a request, in a file that can be read however the run ended.

    run = read(Path("run.jsonl"))
    ttft_ms = [1e3 * r.ttft_s for r in run.measured if r.ttft_s is not None]

The file is JSON lines. The first is the header (what was offered to what, by what), then comes one record a line as requests end, and last,
where the run came to its end, a line with the harness's own quality. A run that was killed has no last line and perhaps half a record.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import IO, Any, Literal

from labs.errors import USAGE, Refusal

SCHEMA = "deployment-dilemma/bench-run/1"
OK = "ok"
INTERRUPTED = "Interrupted"
"""Status of a request that was in flight when the run was stopped: neither an answer nor an error of the server."""

Provenance = Literal["predicted", "measured"]
Loop = Literal["open", "closed"]


@dataclass(frozen=True, slots=True)
class Record:
    """One attempt. Times are seconds since the run's start, on the monotonic clock; None where it did not come to that.

    An answer that comes in one piece (no streaming, or through a queue) has its first token when it has its last.
    """

    id: int
    """place in the workload, from 0; with several workers the ids interleave"""
    intended_s: float
    """when it was due; in a closed loop, when its client was free to send it"""
    sent_s: float | None
    """when its last byte was handed to the connection; None: it never was (no connection)"""
    first_token_s: float | None
    """arrival of the first event that carries content"""
    token_s: tuple[float, ...]
    """arrival of each event that carries content; an event may hold several tokens"""
    last_token_s: float | None
    ended_s: float | None
    """when the answer was complete, or was known to have failed"""
    input_tokens: int | None
    """as the server counted them; None: it did not say"""
    output_tokens: int | None
    status: str
    """"ok", or the class of the error: ThrottlingException, ConnectError, MalformedStream, Truncated, Timeout ..."""
    http_status: int | None
    message: str
    """what the server or the client said of an error; empty when it is ok"""
    warmup: bool
    """measured, and left out of every statistic"""
    worker: int
    session: str | None
    """requests of one session share the beginning of their prompts"""

    @property
    def ok(self) -> bool:
        """Was there a whole answer?"""
        return self.status == OK

    @property
    def ttft_s(self) -> float | None:
        """From when it was due to its first token."""
        return None if self.first_token_s is None else self.first_token_s - self.intended_s

    @property
    def e2e_s(self) -> float | None:
        """From when it was due to its last token."""
        return None if self.last_token_s is None else self.last_token_s - self.intended_s

    @property
    def tpot_s(self) -> float | None:
        """Mean time of a token after the first. None for an answer of one token, and for one that did not come token by token."""
        tokens = self.output_tokens or len(self.token_s)
        if self.first_token_s is None or self.last_token_s is None or len(self.token_s) < 2 or tokens < 2:
            return None
        return (self.last_token_s - self.first_token_s) / (tokens - 1)

    @property
    def lag_s(self) -> float | None:
        """From when it was due to when it was sent; a connection that had to be made first is in it."""
        return None if self.sent_s is None else self.sent_s - self.intended_s


@dataclass(frozen=True)
class Header:
    """What a run was, known before its first request."""

    target: Mapping[str, Any]
    """name, endpoint (kind), address, model, streaming (bool), through ("squid" or absent), and what else the endpoint says of itself"""
    offered: Mapping[str, Any]
    """the workload's words: arrival, rate_per_s, duration_s, requests, concurrency, input_tokens, output_tokens ..."""
    loop: Loop
    provenance: Provenance
    provenance_note: str = ""
    seed: int = 0
    workers: int = 1
    timeout_s: float = 0.0
    started_at: str = ""
    """wall clock, ISO 8601 with offset: for people; no time in the run is measured by it"""
    versions: Mapping[str, str] = field(default_factory=dict)
    price: Mapping[str, Any] | None = None
    """snapshot of the prices that a cost is made from, with their fact ids and dates"""
    objective: Mapping[str, float] | None = None
    """limits that a good request meets: ttft_ms, tpot_ms, e2e_ms"""
    schema: str = SCHEMA


@dataclass(frozen=True)
class WorkerQuality:
    """How one process of the harness did."""

    worker: int
    requests: int
    cpu_s: float
    wall_s: float
    lag_ms: Mapping[str, float | None]
    """p50, p99, max: from when a request was due to when the client turned to it (its connection is not in it); measured requests only"""
    stalls: int
    """how often the event loop was not let in for longer than `clock.STALL_S`"""
    longest_stall_ms: float
    stalled_s: float = 0.0
    """all of them together"""
    place: str = ""
    """the worker's address at its scheduler; empty for a process of the command's own"""
    start_within_ms: float | None = None
    """how well its clock, and so its start, was known; None: it had the command's own clock"""

    @property
    def cpu_share(self) -> float:
        """Of one core."""
        return self.cpu_s / self.wall_s if self.wall_s > 0 else 0.0


@dataclass(frozen=True)
class Quality:
    """Did the client spoil its own measurement?"""

    valid: bool
    reasons: tuple[str, ...]
    """why it is not valid, a sentence each"""
    finished: bool
    """False: stopped early (by the user, a full disk, a worker that died); the records so far stand"""
    workers: tuple[WorkerQuality, ...]
    duration_s: float
    """from the first due time to the end of the last answer"""
    cpu_per_request_ms: float | None = None
    clock_steps_ms: float = 0.0
    """by how much the wall clock moved against the monotonic one; no time in the run depends on it"""


@dataclass(frozen=True)
class Run:
    """A run as its file holds it."""

    header: Header
    records: tuple[Record, ...]
    """in order of ids"""
    quality: Quality | None = None
    """None: the run never came to its end"""
    torn: str | None = None
    """what had to be left out of the file, in words"""

    @property
    def measured(self) -> list[Record]:
        """Records that count: warm-up and interrupted requests are left out."""
        return [record for record in self.records if not record.warmup and record.status != INTERRUPTED]


def header_line(header: Header) -> bytes:
    """The first line of a file."""
    return _line({"header": asdict(header)})


def quality_line(quality: Quality) -> bytes:
    """The last line of a file."""
    return _line({"end": asdict(quality)})


_FIELDS = tuple(f.name for f in fields(Record))


def record_line(record: Record) -> bytes:
    """One record. Times to the microsecond: finer is noise, and a run has millions of them."""
    return _line({name: _short(getattr(record, name)) for name in _FIELDS})


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    return [round(t, 6) for t in value] if isinstance(value, tuple) else value


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"


def write(file: IO[bytes], run: Run) -> None:
    """A whole run at once."""
    file.write(header_line(run.header))
    for record in run.records:
        file.write(record_line(record))
    if run.quality is not None:
        file.write(quality_line(run.quality))


def read(path: Path) -> Run:
    """Open a run again. Raises Refusal when the file is no run; a torn last line is left out and named in `torn`."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}", USAGE) from None
    return parse(lines, str(path))


def parse(lines: Iterable[bytes], name: str) -> Run:
    """A run from its lines; `name` is what a refusal calls it."""
    header: Header | None = None
    quality: Quality | None = None
    torn: str | None = None
    records: list[Record] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if torn is not None:
            raise Refusal(f"{torn}, and more follows it: this is not the end of a run that was killed", USAGE)
        try:
            data = json.loads(line)
            if header is None:
                header = _header(data["header"], name)
            elif "end" in data:
                quality = _quality(data["end"])
            else:
                records.append(_record(data))
        except (ValueError, TypeError, KeyError) as wrong:
            if header is None:
                raise Refusal(
                    f"{name} is not a run: its first line is no header; 'lab bench --records F.jsonl' writes one", USAGE
                ) from wrong
            torn = f"{name}:{number}: a record that is not whole was left out ({len(line):,} bytes)"
    if header is None:
        raise Refusal(f"{name} is empty: no run has been written to it", USAGE)
    return Run(header, tuple(sorted(records, key=lambda record: record.id)), quality, torn)


def _header(data: Mapping[str, Any], name: str) -> Header:
    if data["schema"] != SCHEMA:
        raise Refusal(f"{name} was written as {data['schema']}, and this version reads {SCHEMA}", USAGE)
    known = {f.name for f in fields(Header)}
    return Header(**{key: value for key, value in data.items() if key in known})


def _record(data: Mapping[str, Any]) -> Record:
    return Record(**{**data, "token_s": tuple(data["token_s"])})


def _quality(data: Mapping[str, Any]) -> Quality:
    return Quality(
        **{
            **data,
            "reasons": tuple(data["reasons"]),
            "workers": tuple(WorkerQuality(**worker) for worker in data["workers"]),
        }
    )
