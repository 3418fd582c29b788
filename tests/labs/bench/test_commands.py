"""`lab bench` on the command line: what it measures, what it prints, what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from labs import terminal
from labs.bench.commands import bench
from labs.bench.progress import Progress, sparkline
from labs.bench.records import Header, Record, read
from labs.bench.where import Clouds
from labs.cloud.state import ServerRecord
from labs.errors import NOT_READY, USAGE
from tests.labs.bench.kit import TOKENS, FakeServer

NAMED = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
pytestmark = pytest.mark.usefixtures("own_environment")


def lab(*args: str) -> int:
    return terminal.run(bench, "lab", args)


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_the_summary_has_the_shape_that_lab_simulate_has(
    any_fake: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv(NAMED, any_fake.url)
    records = tmp_path / "run.jsonl"
    status = lab(
        *("--bedrock-model", "fake", "--rate", "100", "--arrival", "constant", "--duration", "0.5", "--seed", "3"),
        *("--objective-ttft-ms", "15000", "--records", str(records), "--json"),
    )
    assert status == 0
    summary = printed(capsys)
    for name in ("ttft_ms", "tpot_ms", "e2e_ms"):
        assert {"mean", "p50", "p90", "p99"} <= set(summary[name])
        assert summary[name]["p50"] > 0
    assert summary["requests"] + summary["left_out"]["start_up"] == 50
    assert summary["errors"] == {}
    assert summary["provenance"] == "measured"
    assert summary["goodput_per_s"] == pytest.approx(summary["requests_per_s"])
    assert summary["output_tokens_per_s"] == pytest.approx(TOKENS * summary["requests_per_s"])
    assert {"cost", "schedule_lag_ms", "client_cpu"} <= set(summary)
    run = read(records)
    assert run.header.loop == "open"
    assert run.header.seed == 3
    assert run.header.objective == {"ttft_ms": 15000}
    assert run.header.target["endpoint"] == "bedrock-converse-stream"
    assert run.header.target["address"] == any_fake.url
    assert run.header.offered["arrival"] == "constant"
    assert "botocore" in run.header.versions
    assert sum(record.warmup for record in run.records) == 5


def test_a_fifth_refused_is_said(
    any_fake: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv(NAMED, any_fake.url)
    words = (
        "--rate",
        "100",
        "--arrival",
        "constant",
        "--duration",
        "0.5",
        "--warmup",
        "0.1",
        "--json",
        str(tmp_path / "s"),
    )
    assert lab("--bedrock-model", "throttle-every-5", *words) == 0
    summary = json.loads((tmp_path / "s").read_text())
    assert summary["errors"]["ThrottlingException"] + summary["left_out"]["start_up_errors"] == 10
    assert summary["left_out"]["warm_up_errors"] == 2
    out = capsys.readouterr().out
    assert "errors: ThrottlingException" in out
    assert "Too many requests, please wait" in out


def test_several_at_once_and_a_closed_loop(
    any_fake: FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(NAMED, any_fake.url)
    summary, records = tmp_path / "all.json", tmp_path / "run.jsonl"
    words = ("--concurrency", "2", "--requests", "4", "--records", str(records), "--json", str(summary))
    assert lab("--bedrock-model", "fake", "--openai-url", any_fake.url, "--model", "fake", *words) == 0
    runs = json.loads(summary.read_text())["runs"]
    assert [run["loop"] for run in runs.values()] == ["closed", "closed"]
    assert [run["requests"] for run in runs.values()] == [4, 4]  # too few to look for a start-up
    assert read(tmp_path / "run-fake.jsonl").header.offered["concurrency"] == 2


def test_nobody_answered_is_exit_status_one(any_fake: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert lab("--openai-url", any_fake.url, "--model", "server-error", "--rate", "50", "--duration", "0.2") == 1
    assert "Nobody was answered" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--rate", "1"), "name what to measure"),
        (("nowhere", "--rate", "1"), "there is no target 'nowhere'"),
        (("--openai-url", "http://127.0.0.1:1", "--rate", "1"), "--model NAME"),
        (("--openai-url", "nonsense", "--model", "m", "--rate", "1"), "is not the address of a server"),
        (
            ("--openai-url", "http://127.0.0.1:1", "--model", "m", "--api", "async", "--rate", "1"),
            "it has chat, completions, triton",
        ),
        (("--openai-url", "http://127.0.0.1:1", "--model", "m"), "say how much load"),
        (("--rate", "5", "--json", "bedrock-on-demand"), "put --json last"),
        (("--rate", "5", "--input-tokens", "many", "bedrock-on-demand"), "is no length in tokens"),
        (("--through", "squid", "--bedrock-model", "m", "--rate", "1"), "measures one stack"),
        (("--body", "oops", "bedrock-on-demand", "--rate", "1"), "write a JSON object"),
    ],
)
@pytest.mark.usefixtures("local_cloud")
def test_wrong_usage_is_one_sentence(args: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert lab(*args) == USAGE
    assert says in capsys.readouterr().err


def test_an_endpoint_elsewhere_must_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(NAMED, "https://bedrock-runtime.us-east-1.amazonaws.com")
    assert lab("--bedrock-model", "m", "--rate", "1") == NOT_READY
    assert "say --real" in capsys.readouterr().err


def test_a_server_that_is_not_there_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert lab("--openai-url", "http://127.0.0.1:1", "--model", "m", "--rate", "1", "--duration", "600") == NOT_READY
    assert "nothing answers there: 127.0.0.1:1: Connection refused" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["/dev/full", "/nonexistent/run.jsonl"])
def test_records_that_cannot_be_written_are_one_sentence(
    any_fake: FakeServer, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--rate", "50", "--duration", "600", "--records", file)
    assert lab("--openai-url", any_fake.url, "--model", "fake", *words) == NOT_READY
    assert "cannot be written to" in capsys.readouterr().err


def test_a_service_of_its_own_needs_no_local_cloud(any_fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAMED, any_fake.url)
    monkeypatch.setattr("labs.cloud.connect", lambda **_: pytest.fail("the local cloud was started"))
    assert Clouds(real=False, tell=lambda _: None).service(NAMED) == (any_fake.url, True)


def test_on_the_local_cloud_timing_is_predicted(local_cloud: ServerRecord, tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    words = ("--rate", "4", "--duration", "1", "--input-tokens", "40", "--output-tokens", "5", "--json", str(summary))
    assert lab("bedrock-on-demand", *words) == 0
    said = json.loads(summary.read_text())
    assert said["provenance"] == "predicted"
    assert "local cloud" in said["provenance_note"]
    assert said["target"]["address"] == local_cloud.endpoint_url
    assert said["cost"]["usd_per_request"] > 0  # at the register's price of Nova Lite
    assert said["errors"] == {}


def test_the_knee_is_looked_for_between_two_rates(any_fake: FakeServer, tmp_path: Path) -> None:
    found = tmp_path / "knee.json"
    words = (
        "--openai-url",
        any_fake.url,
        "--model",
        "fake",
        "--find-knee",
        "--rate",
        "20",
        "--rate-to",
        "40",
        "--duration",
        "0.5",
    )
    assert (
        lab(*words, "--objective-ttft-ms", "1", "--warmup", "0", "--json", str(found)) == 1
    )  # nobody answers within a millisecond
    said = json.loads(found.read_text())
    assert said["knee"]["rate_per_s"] is None
    assert said["objective"] == {"ttft_ms": 1}
    assert said["provenance"] == "measured"


def test_a_knee_without_an_objective_is_refused(any_fake: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--openai-url", any_fake.url, "--model", "fake", "--find-knee", "--rate", "20", "--rate-to", "40")
    assert lab(*words) == USAGE
    assert "--objective-ttft-ms" in capsys.readouterr().err


def test_a_sparkline_goes_from_the_least_to_the_most() -> None:
    assert sparkline([1.0, None, 2.0, 8.0]) == "▁ ▂█"
    assert sparkline([3.0, 3.0]) == "▁▁"
    assert sparkline([None]) == ""


def test_progress_says_how_many_and_how_fast() -> None:
    progress = Progress(terminal.err, "fake", 10, 30.0)
    ok = Record(0, 0.0, 0.0, 0.2, (0.2,), 0.2, 0.2, 1, 1, "ok", 200, "", False, 0, None)
    refused = Record(1, 0.0, 0.0, None, (), None, 0.1, None, None, "ThrottlingException", 429, "", False, 0, None)
    progress(0.5, [ok, refused])
    progress(2.2, [])
    line = str(progress.line(2.2))
    assert "1 answered of 10, 1 failed" in line
    assert "200 ms" in line


def test_a_header_says_what_the_file_needs_to_be_opened_again() -> None:
    assert Header({}, {}, "open", "measured").schema.endswith("/1")
