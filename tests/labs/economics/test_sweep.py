"""`lab simulate --sweep`: every combination once, each as the command alone would have it; a second run goes on where the first was."""

import json
from pathlib import Path
from typing import Any

import pytest

from labs import terminal
from labs.cli import cli
from labs.economics import sweep

SMALL = "model: llama-3.1-8b\nhardware: [ml.g5.2xlarge, ml.g6.2xlarge]\nrate: [1, 2]\nrequests: 20\n"


def lab(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = terminal.run(cli, "lab", ["simulate", *map(str, arguments)])
    said = capsys.readouterr()
    return status, said.out, " ".join(said.err.split())


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def points(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["points"]
    return found


def test_every_combination_is_run_as_the_command_alone_runs_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "s.yaml", SMALL)
    status, out, _ = lab(capsys, "--sweep", file, "--input-tokens", 300, "--seed", 7, "--json")
    assert status == 0
    found = points(out)
    assert [(each["given"]["hardware"], each["given"]["rate"]) for each in found] == [
        (hardware, rate) for hardware in ("ml.g5.2xlarge", "ml.g6.2xlarge") for rate in (1, 2)
    ]
    alone = "--model llama-3.1-8b --hardware ml.g6.2xlarge --rate 2 --requests 20 --input-tokens 300 --seed 7 --json"
    _, out, _ = lab(capsys, *alone.split())
    assert found[3]["result"] == json.loads(out)


def test_a_file_may_list_its_points_and_says_flags_with_true(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(
        tmp_path / "s.json",
        '[{"rate": 1, "reject-when-cold": true}, {"rate": 2, "reject_when_cold": [true, false]}, {"rate": 1.0, "rate": 1, "reject-when-cold": true}]',
    )
    base = ["--model", "llama-3.1-8b", "--hardware", "ml.g5.2xlarge", "--requests", "5"]
    status, out, _ = lab(capsys, *base, "--sweep", file, "--json")
    assert status == 0
    assert [each["given"] for each in points(out)] == [
        {"rate": 1, "reject-when-cold": True},
        {"rate": 2, "reject-when-cold": True},
        {"rate": 2, "reject-when-cold": False},
    ]


def test_a_table_has_a_column_for_what_varies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = lab(capsys, "--sweep", write(tmp_path / "s.yaml", SMALL))
    assert status == 0
    head = out.partition("┡")[0]
    assert "rate" in head
    assert "requests" not in head  # the same for all
    assert "4 points, predicted by the serving model" in out


def test_what_is_written_down_is_not_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, into = write(tmp_path / "s.yaml", SMALL), tmp_path / "results.jsonl"
    _, first, _ = lab(capsys, "--sweep", file, "--into", into, "--json")
    lines = into.read_text().splitlines(keepends=True)
    assert len(lines) == 4
    into.write_text("".join(lines[:2]) + lines[2][:40])  # as after a power cut
    ran: list[sweep.Point] = []
    run = sweep.run

    def counted(found: Any, files: Any) -> Any:
        ran.extend(found)
        return run(found, files)

    monkeypatch.setattr(sweep, "run", counted)
    status, again, _ = lab(capsys, "--sweep", file, "--into", into, "--json")
    assert status == 0
    assert len(ran) == 2
    assert again == first
    assert sorted(into.read_text().splitlines()) == sorted(line.strip() for line in lines)


def test_a_point_that_cannot_be_run_is_named_and_the_rest_is_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(
        tmp_path / "s.yaml",
        "model: llama-3.3-70b\nhardware: [ml.g5.2xlarge, ml.p4d.24xlarge]\nrate: 0.2\nrequests: 3\n",
    )
    status, out, _ = lab(capsys, "--sweep", file, "--json")
    assert status == 1
    assert ["refused" in each for each in points(out)] == [True, False]
    status, out, _ = lab(capsys, "--sweep", file)
    assert status == 1
    assert "1 cannot be run: " in out


def test_a_trace_travels_with_its_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = write(tmp_path / "t.csv", "arrival_s,input_tokens,output_tokens\n0,100,10\n1,200,20\n")
    file = write(
        tmp_path / "s.yaml", f"model: llama-3.1-8b\nhardware: ml.g5.2xlarge\ntrace: {trace}\nreplicas: [1, 2]\n"
    )
    into = tmp_path / "r.jsonl"
    status, out, _ = lab(capsys, "--sweep", file, "--into", into, "--json")
    assert status == 0
    assert [each["result"]["requests"] for each in points(out)] == [2, 2]
    write(trace, "arrival_s,input_tokens,output_tokens\n0,100,10\n")
    _, out, _ = lab(capsys, "--sweep", file, "--into", into, "--json")  # another trace of the same name
    assert [each["result"]["requests"] for each in points(out)] == [1, 1]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "says nothing to vary"),
        ("rate", "says nothing to vary"),
        ("rate: [1, 2", "is neither YAML nor JSON"),
        ("rates: [1, 2]", "varies 'rates', and lab simulate has no --rates"),
        ("sweep: other.yaml", "varies 'sweep', and lab simulate has no --sweep"),
        ("rate: []", "has no plain values for 'rate'"),
        ("rate: [[1], 2]", "has no plain values for 'rate'"),
        ("rate: [1, fast]", "Invalid value for '--rate': 'fast' is not a valid float"),
        ("requests: 5", "--requests stands on the command line and in"),
        (
            "seed: [1]\nrate: [" + "1," * 400 + "]\nreplicas: [" + "1," * 400 + "]",
            "has 160,000 points, and 100,000 are the most",
        ),
    ],
)
def test_a_file_that_is_no_sweep_is_refused_before_anything_runs(
    text: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into = tmp_path / "r.jsonl"
    file = write(tmp_path / "s.yaml", text)
    status, out, err = lab(
        capsys,
        "--model",
        "llama-3.1-8b",
        "--hardware",
        "ml.g5.2xlarge",
        "--requests",
        5,
        "--sweep",
        file,
        "--into",
        into,
    )
    assert status == 2
    assert why in err
    assert not out
    assert not into.exists()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--sweep", "nowhere.yaml"], "nowhere.yaml cannot be read: No such file"),
        (["--workers", "2"], "--workers goes with --sweep FILE"),
        (["--into", "r.jsonl"], "--into goes with --sweep FILE"),
        (["--sweep", "{file}", "--workers", "2", "--scheduler", "tcp://127.0.0.1:9"], "--workers is for this machine"),
        (["--sweep", "{file}", "--into", "{other}"], "holds something else than a sweep's results"),
    ],
)
def test_wrong_usage_is_said(more: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "s.yaml", SMALL)
    other = write(tmp_path / "letter.txt", "Dear Ada,\nall is well.\n")
    status, _, err = lab(capsys, *[each.format(file=file, other=other) for each in more])
    assert status == 2
    assert why in err
    assert other.read_text().startswith("Dear Ada")


def test_a_scheduler_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = lab(capsys, "--sweep", write(tmp_path / "s.yaml", SMALL), "--scheduler", "tcp://127.0.0.1:9")
    assert status == 3
    assert "no scheduler answers at tcp://127.0.0.1:9" in err


@pytest.mark.soak
def test_processes_of_this_machine_find_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "s.yaml", SMALL)
    _, alone, _ = lab(capsys, "--sweep", file, "--json")
    status, together, _ = lab(capsys, "--sweep", file, "--json", "--workers", 2)
    assert status == 0
    assert together == alone
