"""`lab decide` as somebody types it."""

import json
from pathlib import Path

import pytest

from labs import terminal
from labs.decide.commands import decide

FLAGSHIP = (
    "--model llama-3-70b --custom-weights --training-data-lost --control container --region us-east-1 "
    "--requests-per-minute 100 --input-tokens 500 --output-tokens 200"
)


def lab_decide(arguments: str) -> int:
    return terminal.run(decide, "lab decide", arguments.split())


def test_it_shows_both_views_first_then_the_table_then_what_flips_it_then_what_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert lab_decide(FLAGSHIP) == 0
    shown = capsys.readouterr().out
    order = [
        "Exam view",
        "Engineering view",
        "What would do",
        "What is out",
        "What would flip it",
        "What is unknown",
        "What next",
    ]
    places = [shown.index(title) for title in order]
    assert places == sorted(places)
    assert places[2] < 1_500  # the views take a few lines
    assert "lab deploy sagemaker-gpu" in shown
    assert "lab simulate --model llama-3-70b --hardware ml." in shown
    assert "$9,578" in shown


@pytest.mark.parametrize("columns", ["100", "80"])
def test_it_fits_the_terminal(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lab_decide("--model llama-3.1-8b --custom-weights --profile spiky --team platform --ttft-ms 900 --budget 100")
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("  lab ")]
    assert max(map(len, lines)) <= 100


def test_json_is_the_whole_advice(capsys: pytest.CaptureFixture[str]) -> None:
    assert lab_decide(f"{FLAGSHIP} --json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["requirements"]["training_data_kept"] is False
    assert data["exam"]["target"] == data["engineering"]["target"] == "sagemaker-gpu"
    assert len(data["targets"]) == 16


def test_every_requirement_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    everything = (
        "--parameters-b 8 --custom-weights --weights-format adapter --architecture LlamaForCausalLM --training-data-kept "
        "--dtype fp8 --region us-west-2 --requests-per-minute 10 --profile office-hours --input-tokens 300 --output-tokens 100 "
        "--ttft-ms 3000 --e2e-ms 30000 --guaranteed-throughput --control hardware --kubernetes --proprietary-engine "
        "--residency region --team platform --redundancy 2 --budget 9000 --json"
    )
    assert lab_decide(everything) == 0
    asked = json.loads(capsys.readouterr().out)["requirements"]
    assert asked == {
        "model": None,
        "parameters_b": 8.0,
        "custom_weights": True,
        "weights_format": "adapter",
        "architecture": "LlamaForCausalLM",
        "training_data_kept": True,
        "already_in_bedrock": False,
        "dtype": "fp8",
        "region": "us-west-2",
        "requests_per_minute": 10.0,
        "profile": "office-hours",
        "input_tokens": 300,
        "output_tokens": 100,
        "ttft_ms": 3000.0,
        "e2e_ms": 30000.0,
        "answer_can_wait": False,
        "guaranteed_throughput": True,
        "control": "hardware",
        "kubernetes_estate": True,
        "proprietary_engine": True,
        "residency": "region",
        "edge": False,
        "team": "platform",
        "redundancy": 2,
        "budget_usd_per_month": 9000.0,
    }


def test_a_record_is_written_and_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "decision.md"
    assert lab_decide(f"{FLAGSHIP} --record {path}") == 0
    assert str(path) in capsys.readouterr().out
    assert path.read_text("utf-8").startswith("# Where Llama 3 70B Instruct runs")
    assert lab_decide(f"{FLAGSHIP} --record {path} --json") == 2
    assert "--force" in capsys.readouterr().err
    assert lab_decide(f"{FLAGSHIP} --record {path} --force --json") == 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ("", 2, "give --model or --parameters-b"),
        ("--model llama-3-71b", 1, "nearest: llama-3-70b"),
        ("--model nova-lite --profile sometimes", 2, "sometimes"),
        ("--model nova-lite --answer-can-wait --ttft-ms 5", 2, "only one of the two can hold"),
        ("--model nova-lite --force", 2, "--record FILE"),
        ("--model nova-lite --requests-per-minute 0", 2, "requests per minute is 0"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    arguments: str, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lab_decide(arguments) == status
    error = capsys.readouterr().err
    assert said in " ".join(error.split())
    assert "Traceback" not in error


def test_when_nothing_satisfies_everything_the_status_is_1_and_the_way_out_is_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert lab_decide("--model claude-haiku-4.5 --edge") == 1
    shown = capsys.readouterr().out
    assert "None of the sixteen targets" in shown
    assert "If it need not run at the edge: bedrock-on-demand" in shown
