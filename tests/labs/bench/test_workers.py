"""Several processes make one run: one start, one schedule, one set of records; and whatever ends them, what there is is kept."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
import pytest

from labs.bench import crew
from labs.bench.crew import Outcome, measure
from labs.bench.endpoints import Endpoint
from labs.bench.endpoints.bedrock import Bedrock
from labs.bench.endpoints.openai import OpenAi
from labs.bench.frames import Unpacker, pack
from labs.bench.records import Header, Record, read
from labs.errors import Refusal
from tests.labs.bench.kit import TOKENS, FakeServer, a_workload


def measured(
    endpoint: Endpoint, workers: int = 1, record_to: Path | None = None, watch: Any = None, **offered: Any
) -> Outcome:
    header = Header({"name": "fake"}, {}, "open", "measured", workers=workers, timeout_s=20)
    more = {} if watch is None else {"watch": watch}
    return measure(header, a_workload(**offered), endpoint, only_loopback=True, record_to=record_to, **more)


@pytest.mark.usefixtures("fake")
def test_two_workers_make_one_run(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    outcome = measured(Bedrock("fake"), workers=2, record_to=file, arrival="poisson", rate_per_s=100, duration_s=0.6)
    run, quality = outcome.run, outcome.run.quality
    assert [record.id for record in run.records] == list(range(len(run.records)))
    assert [record.worker for record in run.records] == [record.id % 2 for record in run.records]
    assert all(record.ok and len(record.token_s) == TOKENS for record in run.records)
    due = a_workload(arrival="poisson", rate_per_s=100, duration_s=0.6).due_s
    assert due is not None
    assert [record.intended_s for record in run.records] == pytest.approx(list(due))  # one start for both
    assert quality is not None
    assert quality.finished
    assert [worker.worker for worker in quality.workers] == [0, 1]
    assert sum(worker.requests for worker in quality.workers) == len(run.records)
    assert all(worker.lag_ms["p99"] is not None for worker in quality.workers)
    again = read(file)
    assert [r.id for r in again.records] == [r.id for r in run.records]
    assert again.quality == quality


@pytest.mark.usefixtures("fake")
def test_a_closed_loop_is_shared_by_its_workers() -> None:
    outcome = measured(Bedrock("fake"), workers=2, concurrency=3, requests=9)
    assert len(outcome.run.records) == 9
    assert {record.worker for record in outcome.run.records} == {0, 1}


@pytest.mark.usefixtures("fake")
def test_clock_steps_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    step_s, real = [0.0], time.time

    def step(elapsed_s: float, new: list[Record]) -> None:  # noqa: ARG001
        step_s[0] = 1e6 if new else step_s[0]

    monkeypatch.setattr(time, "time", lambda: real() + step_s[0])
    outcome = measured(Bedrock("fake"), watch=step, rate_per_s=50, duration_s=0.3)
    assert outcome.run.quality is not None
    assert outcome.run.quality.clock_steps_ms == pytest.approx(1e9, rel=1e-3)
    assert all(record.ok and 0 < (record.ttft_s or 0) < 20 for record in outcome.run.records)


def my_workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if "labs.bench.worker" in child.cmdline()]


@pytest.mark.usefixtures("fake")
def test_a_worker_that_dies_is_named_and_the_others_records_stand(tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_one(elapsed_s: float, new: list[Record]) -> None:
        if elapsed_s > 0.3 and not killed and new:
            killed.append(min(process.pid for process in my_workers()))
            os.kill(killed[0], signal.SIGKILL)

    outcome = measured(Bedrock("fake"), 2, tmp_path / "run.jsonl", kill_one, rate_per_s=40, duration_s=1.0)
    quality = outcome.run.quality
    assert quality is not None
    assert not quality.valid
    assert not quality.finished
    assert "was killed (SIGKILL)" in quality.reasons[0]
    assert len(quality.workers) == 1
    survivor = quality.workers[0].worker
    assert sum(record.worker == survivor for record in outcome.run.records) == 20
    assert read(tmp_path / "run.jsonl").quality == quality


class Filling(BytesIO):
    """A disk with room for so many bytes."""

    room = 3000

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self.room:
            raise OSError(28, "No space left on device")
        return super().write(data)


@pytest.mark.usefixtures("fake")
def test_a_disk_that_fills_up_stops_the_run_and_keeps_what_fitted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    disk = Filling()
    monkeypatch.setattr(disk, "close", lambda: None)
    monkeypatch.setattr(crew, "_open", lambda _: disk)
    outcome = measured(Bedrock("fake"), 1, tmp_path / "run.jsonl", rate_per_s=50, duration_s=600)
    assert outcome.full == "No space left on device"
    (tmp_path / "kept.jsonl").write_bytes(disk.getvalue())
    kept = read(tmp_path / "kept.jsonl")
    assert 1 <= len(kept.records) < len(outcome.run.records)
    assert kept.quality is None
    assert my_workers() == []


@pytest.mark.usefixtures("fake")
def test_a_run_that_cannot_begin_says_why() -> None:
    with pytest.raises(Refusal, match=r"nothing answers there: 127\.0\.0\.1:1: Connection refused"):
        measured(OpenAi("http://127.0.0.1:1", "m"), rate_per_s=10, duration_s=600)
    with pytest.raises(Refusal, match="does not say its family"):
        measured(Bedrock("unheard-of", "invoke"), workers=2, rate_per_s=10, duration_s=600)
    assert my_workers() == []


def start_bench(fake: FakeServer, records: Path, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "labs.cli", "bench", "--openai-url", fake.url, "--model", "fake", "--rate", "50"]
    return subprocess.Popen(
        [*command, "--arrival", "constant", "--warmup", "0", "--duration", "600", "--records", str(records), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def test_ctrl_c_keeps_the_records_and_leaves_nobody_behind(fake: FakeServer, tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    process = start_bench(fake, file, "--workers", "2", "--json")
    until(lambda: lines(file) > 20 or process.poll() is not None)
    workers = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "stopped by you" in err
    assert "Traceback" not in err
    summary = json.loads(out)
    run = read(file)
    assert run.torn is None
    assert run.quality is not None
    assert not run.quality.finished
    assert summary["valid"] is False
    assert summary["errors"] == {}  # those in flight are interrupted, which is no error of the server's
    assert {record.status for record in run.records} == {"ok", "Interrupted"}
    assert len(workers) == 2
    assert not any(worker.is_running() for worker in workers)


def test_a_killed_harness_leaves_readable_records_and_no_workers(fake: FakeServer, tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    process = start_bench(fake, file)
    until(lambda: lines(file) > 20 or process.poll() is not None)
    workers = psutil.Process(process.pid).children()
    process.kill()
    process.communicate()
    until(lambda: not any(worker.is_running() for worker in workers))
    run = read(file)
    assert run.quality is None
    assert len(run.records) >= 15
    assert len(workers) == 1


def test_frames_come_out_as_they_went_in_however_the_pipe_cuts_them() -> None:
    frames = [("ready",), ("rows", [(1, 2.0, "x" * 300)]), ("end", None)]
    data = b"".join(map(pack, frames))
    unpacker = Unpacker()
    assert [frame for n in range(0, len(data), 7) for frame in unpacker.feed(data[n : n + 7])] == frames
