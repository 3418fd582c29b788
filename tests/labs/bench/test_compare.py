"""Runs side by side: opened from any file that holds one, judged within their intervals, refused in a sentence when they are none."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from labs.bench import cost, records
from labs.bench.compare import compare
from labs.bench.compare_commands import compare as command
from labs.bench.opened import load
from labs.bench.summary import summarise
from labs.economics.commands import simulate as simulate_command
from labs.errors import Refusal
from tests.labs.bench import made

PRICE = cost.hourly("sagemaker", "ml.g5.2xlarge").as_dict()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run as records, the same as a summary, a simulation, a measured run elsewhere, and a slow one."""
    folder = tmp_path_factory.mktemp("runs")
    gpu = made.steady_run(n=500, rate=10.0, price=PRICE, objective={"ttft_ms": 200})
    with (folder / "gpu.jsonl").open("wb") as file:
        records.write(file, gpu)
    (folder / "gpu.json").write_text(json.dumps(summarise(gpu)), "utf-8")
    bedrock = made.steady_run(
        n=500,
        rate=20.0,
        seed=2,
        target=made.target("bedrock-on-demand", model="amazon.nova-lite-v1:0"),
        price=cost.per_token("nova-lite").as_dict(),
        provenance="measured",
        provenance_note="on AWS",
    )
    (folder / "bedrock.json").write_text(json.dumps(summarise(bedrock)), "utf-8")
    slow = made.run(
        [made.record(i, i / 10, ttft_s=2.0) for i in range(400)],
        target=made.target("ec2-vllm", through="squid"),
        price=PRICE,
    )
    (folder / "slow.json").write_text(json.dumps(summarise(slow)), "utf-8")
    asked = "--model llama-3.1-8b --hardware ml.g5.2xlarge --rate 1 --requests 50 --json"
    (folder / "simulated.json").write_text(CliRunner().invoke(simulate_command, asked.split()).output, "utf-8")
    return {path.name: path for path in folder.iterdir()}


def run(*args: Any) -> Result:
    return CliRunner().invoke(command, [str(a) for a in args], catch_exceptions=False)


def test_records_and_their_summary_say_the_same(files: dict[str, Path]) -> None:
    (from_records,), (from_summary,) = load([files["gpu.jsonl"]]), load([files["gpu.json"]])
    for name in ("ttft_ms", "tpot_ms", "e2e_ms"):
        for of in ("mean", "p50", "p90", "p99"):
            # Records keep microseconds.
            assert from_records.figure(name, of) == pytest.approx(from_summary.figure(name, of), abs=2e-3)
            assert from_records.interval(name, of) == pytest.approx(from_summary.interval(name, of), abs=5e-3)
    assert from_records.cost == pytest.approx(from_summary.cost)
    assert from_records.run is not None
    assert (from_summary.series, from_summary.family, from_summary.load) == ("sagemaker-gpu", "sagemaker", "10/s")


def test_a_simulation_stands_beside_a_measurement_and_both_are_named(files: dict[str, Path]) -> None:
    compared = compare(load([files["simulated.json"], files["bedrock.json"]]))
    simulated, measured = compared.runs
    assert simulated.series == "llama-3.1-8b on ml.g5.2xlarge, simulated"
    assert simulated.origin.startswith("predicted")
    assert measured.origin == "measured (on AWS), 2026-11-20"
    assert any("some of these are predicted and some measured" in caution for caution in compared.cautions)


def test_a_file_may_hold_several_runs(files: dict[str, Path], tmp_path: Path) -> None:
    one, other = (json.loads(files[name].read_text("utf-8")) for name in ("gpu.json", "bedrock.json"))
    (tmp_path / "two.json").write_text(
        json.dumps({"runs": {"sagemaker-gpu": one, "bedrock-on-demand": other}}), "utf-8"
    )
    assert [run.series for run in load([tmp_path / "two.json"])] == ["sagemaker-gpu", "bedrock-on-demand"]


def test_runs_of_different_work_are_not_compared_in_silence(files: dict[str, Path], tmp_path: Path) -> None:
    other = json.loads(files["gpu.json"].read_text("utf-8"))
    other["offered"]["output_tokens"] = "400"
    (tmp_path / "other.json").write_text(json.dumps(other), "utf-8")
    compared = compare(load([files["gpu.json"], tmp_path / "other.json"]))
    assert any("the workloads differ" in caution for caution in compared.cautions)
    assert not compare(load([files["gpu.json"]])).cautions


def test_what_intervals_do_not_tell_apart_is_not_told_apart(files: dict[str, Path]) -> None:
    apart = compare(load([files["gpu.json"], files["slow.json"]]))
    assert "sagemaker-gpu, 10/s ends soonest" in apart.says
    assert "not surely" not in apart.says
    alike = compare(load([files["gpu.json"], files["bedrock.json"]]))
    assert "not surely sooner than" in alike.says


def test_the_front_is_what_nothing_beats_in_both(files: dict[str, Path]) -> None:
    compared = compare(load([files["gpu.json"], files["bedrock.json"], files["slow.json"]]))
    front = {compared.runs[place].series for place in compared.front}
    assert "bedrock-on-demand" in front
    assert "ec2-vllm through SQUID" not in front


def test_repeated_runs_show_their_spread(tmp_path: Path) -> None:
    paths = []
    for seed in range(3):
        paths.append(tmp_path / f"{seed}.json")
        paths[-1].write_text(json.dumps(summarise(made.steady_run(n=400, seed=seed))), "utf-8")
    compared = compare(load(paths))
    assert [run.label for run in compared.runs] == [f"A sagemaker-gpu, 10/s, run {n}" for n in (1, 2, 3)]
    ((label, spread),) = compared.repeats
    assert label == "A sagemaker-gpu, 10/s, predicted"
    assert spread["runs"] == 3
    assert spread["ci"][0] < spread["mean"] < spread["ci"][1]


def test_a_spoiled_run_is_said_and_to_be_run_again(tmp_path: Path) -> None:
    spoiled = summarise(made.run(made.steady_run(n=50).records, quality=None))
    (tmp_path / "x.json").write_text(json.dumps(spoiled), "utf-8")
    compared = compare(load([tmp_path / "x.json"]))
    assert any("invalid" in caution for caution in compared.cautions)
    assert compared.next.startswith("run A sagemaker-gpu, 10/s again")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("   \n", "is empty"),
        ('{"ttft_ms": {"p50": 1', "cut off while it was written"),
        ('{"a": 1}', "not the summary of a run"),
        ("[]", "holds no run"),
        ('{"runs": [3]}', "not the summary of a run"),
        (
            '{"ttft_ms": {}, "e2e_ms": {}, "requests": 1, "provenance": "guessed"}',
            "predicted or measured, not 'guessed'",
        ),
        ('{"header": {"schema": "deployment-dilemma/bench-run/99"}}\n', "this version reads"),
    ],
)
def test_what_is_no_run_is_one_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(content, "utf-8")
    with pytest.raises(Refusal, match=sentence):
        load([path])


def test_files_that_are_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot be read"):
        load([tmp_path / "none.json"])
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(Refusal, match="no text"):
        load([tmp_path / "x"])
    with pytest.raises(Refusal, match="at least one run"):
        load([])


def test_torn_records_are_compared_and_said_to_be_torn(files: dict[str, Path], tmp_path: Path) -> None:
    whole = files["gpu.jsonl"].read_bytes().splitlines(keepends=True)
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(b"".join(whole[:300]) + whole[300][:40])
    compared = compare(load([torn]))
    assert compared.runs[0].summary["requests"] == 299
    assert any("was left out" in caution for caution in compared.cautions)


def test_the_table_fits_a_terminal_and_ends_with_meaning_and_next(files: dict[str, Path]) -> None:
    lines = run(files["gpu.json"], files["bedrock.json"], files["slow.json"]).output.splitlines()
    table = [line for line in lines if line[:1] in "┏┃┡│└"]
    assert max(map(len, table)) <= 100
    assert lines[-2].startswith("A sagemaker-gpu, 10/s ends soonest") or "ends soonest" in lines[-2]
    assert lines[-1].startswith("Next: ")


def test_json_has_everything(files: dict[str, Path]) -> None:
    data = json.loads(run(files["gpu.jsonl"], files["bedrock.json"], "--json").output)
    assert [entry["letter"] for entry in data["runs"]] == ["A", "B"]
    assert data["runs"][0]["ttft_ms"]["ci"]["p99"]
    assert data["says"]
    assert data["next"]
