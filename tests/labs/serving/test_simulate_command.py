"""`lab simulate`: the shared JSON shape, every kind of load, helpful refusals, a page that fits."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from labs import terminal
from labs.serving.commands import PricedRun, build_simulate

SHAPE = {
    "ttft_ms",
    "tpot_ms",
    "e2e_ms",
    "output_tokens_per_s",
    "requests_per_s",
    "requests",
    "goodput_per_s",
    "errors",
    "cost",
    "provenance",
}
GPU = "--model llama-3.1-8b --hardware h100"


def run(words: str, *more: str) -> int:
    return terminal.run(build_simulate(), "lab simulate", [*words.split(), *more])


def result(capsys: pytest.CaptureFixture[str], words: str, *more: str) -> dict[str, Any]:
    assert run(words, *more, "--json") == 0
    data: dict[str, Any] = json.loads(capsys.readouterr().out)
    return data


def refusal(capsys: pytest.CaptureFixture[str], words: str, *more: str) -> str:
    assert run(words, *more) == 2
    return " ".join(capsys.readouterr().err.split())


def test_json_has_the_shape_that_measured_runs_have(capsys: pytest.CaptureFixture[str]) -> None:
    data = result(
        capsys,
        "--model llama-3-8b --hardware inf2.48xlarge --tensor-parallel 24 --dtype int8 --concurrency 8 --requests 64 "
        "--input-tokens 128 --output-tokens 3968",
    )
    assert set(data) >= SHAPE
    assert set(data["ttft_ms"]) == {"mean", "p50", "p90", "p99"}
    assert (data["requests"], data["errors"], data["cost"], data["provenance"]) == (64, {}, None, "predicted")
    assert data["settings"]["max_num_seqs"] == 8


def test_the_same_words_give_the_same_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    words = f"{GPU} --rate 10 --requests 300 --length-cv 0.5 --seed 5"
    assert result(capsys, words) == result(capsys, words)


def test_a_trace_can_be_replayed_on_hardware_from_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    data = Path(__file__).parents[3] / "labs" / "serving" / "calibration" / "data"
    found = result(
        capsys,
        "--model llama-3.1-8b --kv-tokens 41408 --ingress-ms 0",
        "--hardware-file",
        str(data / "rtx4090.yaml"),
        "--trace",
        str(data / "vllm-0.19-rtx4090-llama-3.1-8b.csv"),
    )
    assert found["requests"] == 300
    assert found["ttft_ms"]["mean"] == pytest.approx(65_457, rel=0.05)
    assert found["ttft_ms"]["p99"] == pytest.approx(137_356, rel=0.10)
    assert found["tpot_ms"]["mean"] == pytest.approx(32.45, rel=0.05)
    assert found["e2e_ms"]["mean"] == pytest.approx(86_578, rel=0.05)


def test_more_load_on_one_replica_makes_everything_slower_and_more_replicas_mend_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    quiet = result(capsys, f"{GPU} --rate 2 --requests 300")
    busy = result(capsys, f"{GPU} --rate 25 --requests 300")
    shared = result(capsys, f"{GPU} --rate 25 --requests 300 --replicas 8")
    assert quiet["tpot_ms"]["p50"] < busy["tpot_ms"]["p50"]
    assert shared["tpot_ms"]["p50"] < busy["tpot_ms"]["p50"]
    assert shared["replica_hours"] > busy["replica_hours"]


def test_a_quota_throttles_and_an_oversized_max_tokens_throttles_more(capsys: pytest.CaptureFixture[str]) -> None:
    words = "--model nova-lite --hardware bedrock-on-demand --rate 10 --duration 120 --tokens-per-minute 500000"
    modest = result(capsys, words)
    greedy = result(capsys, words, "--max-tokens", "5000")
    assert modest["errors"] == {}
    assert greedy["errors"]["ThrottlingException"] > 50


def test_a_service_without_public_insides_shows_a_range_and_its_assumptions(capsys: pytest.CaptureFixture[str]) -> None:
    data = result(capsys, "--model nova-lite --hardware bedrock-on-demand --rate 5 --requests 200")
    low, high = (data["range"][end]["ttft_ms"]["p50"] for end in ("low", "high"))
    assert low < data["ttft_ms"]["p50"] < high
    assert any("assumed" in line for line in data["assumptions"])


def test_autoscaling_and_scale_to_zero_are_at_hand(capsys: pytest.CaptureFixture[str]) -> None:
    words = f"{GPU} --rate 40 --duration 1200 --cold-start 60"
    grown = result(capsys, words, "--autoscale", "concurrency=8", "--metric-period", "10")
    assert grown["cold_starts"] > 0
    steps = result(capsys, words, "--autoscale", "step:concurrency@8:0=+1,10=+3", "--metric-period", "10")
    assert steps["cold_starts"] > 0
    asleep = result(capsys, f"{GPU} --rate 0.001 --arrival constant --requests 3 --cold-start 60 --scale-to-zero 300")
    assert asleep["cold_starts"] == 2
    assert asleep["ttft_ms"]["p99"] > 60_000
    imported = result(
        capsys,
        "--model llama-3-8b --hardware bedrock-custom-import --rate 0.001 --arrival constant --requests 3 --scale-to-zero 300",
    )
    assert imported["errors"] == {"ModelNotReadyException": 2}


def test_goodput_needs_an_objective(capsys: pytest.CaptureFixture[str]) -> None:
    assert result(capsys, f"{GPU} --rate 5 --requests 100")["goodput_per_s"] is None
    assert result(capsys, f"{GPU} --rate 5 --requests 100 --objective-ttft-ms 1")["goodput_per_s"] == 0.0
    good = result(capsys, f"{GPU} --rate 5 --requests 100 --objective-e2e-ms 60000")
    assert good["goodput_per_s"] == pytest.approx(good["requests_per_s"])


def test_a_room_above_can_price_runs(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[PricedRun] = []

    def price(run: PricedRun) -> Mapping[str, Any]:
        seen.append(run)
        return {"usd_per_hour": 12.0, "usd_per_request": 0.001, "usd_per_million_output_tokens": 5.0}

    command = build_simulate(price)
    words = f"{GPU} --rate 5 --requests 100 --replicas 2".split()
    assert terminal.run(command, "lab simulate", [*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cost"]["usd_per_hour"] == 12.0
    assert (seen[0].hardware, seen[0].accelerators, seen[0].requests, seen[0].output_tokens) == (
        "h100",
        1.0,
        100,
        20_000,
    )
    assert seen[0].replica_hours == pytest.approx(2 * seen[0].duration_s / 3600, rel=0.05)
    assert terminal.run(command, "lab simulate", words) == 0
    assert "usd per request" in capsys.readouterr().out


@pytest.mark.parametrize("load", ["--rate 5 --requests 50", "--concurrency 4 --requests 20"])
@pytest.mark.parametrize(
    "place", [GPU, "--model nova-pro --hardware bedrock-on-demand", "--model llama-3-70b --hardware inf2.48xlarge"]
)
def test_people_get_a_page_of_at_most_100_columns_with_a_meaning_and_a_next_step(
    capsys: pytest.CaptureFixture[str], place: str, load: str
) -> None:
    assert run(f"{place} {load}") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if "│" in line or "┃" in line) <= 100
    assert any("first token within" in line for line in lines)
    assert lines[-1].startswith("Next: ")
    assert any("over requests, not over tokens" in line for line in lines)
    assert "predicted" in lines[0]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--rate 5", "name one model"),
        ("--model llama-3-8b --rate 5", "name one piece of hardware"),
        (GPU, "say how requests come"),
        (f"{GPU} --rate 5 --concurrency 8", "one way"),
        ("--model lama-3-8b --hardware h100 --rate 5", "nearest: llama-3-8b"),
        ("--model llama-3-8b --hardware h1000 --rate 5", "nearest: h100"),
        ("--model llama-3-70b --hardware g5.2xlarge --rate 5", "weights 141.1 GB"),
        (f"{GPU} --rate 5 --autoscale memory=5", "no metric 'memory'"),
        (f"{GPU} --rate 5 --autoscale concurrency", "METRIC=TARGET"),
        (f"{GPU} --rate 5 --buckets a,b", "whole numbers"),
        (f"{GPU} --rate 5 --replicas 0", "no replica would ever answer"),
        (f"{GPU} --rate 5 --max-num-seqs 100 --token-budget 50", "leaves no room"),
        (f"{GPU} --rate 0.001 --duration 1 --arrival gamma --seed 1", "make --duration longer"),
        (f"{GPU} --rate 5 --interconnect ethernet", "interconnect"),
        (f"{GPU} --trace /no/such/file.csv", "cannot be read"),
        ("--model nova-lite --hardware h100 --rate 5", "not public"),
    ],
)
def test_a_wrong_question_is_answered_with_a_sentence(
    capsys: pytest.CaptureFixture[str], words: str, says: str
) -> None:
    assert says in refusal(capsys, words)
