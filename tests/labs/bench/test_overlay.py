"""The engine laid over a run: a consistency check over the local cloud, a prediction with its error over anything measured."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from labs.bench import records
from labs.bench.compare_commands import compare as command
from labs.bench.overlay import CHECK, PREDICTION, engine_for, overlay
from labs.errors import Refusal
from labs.serving.arrivals import arrivals, lengths
from labs.serving.calibration.points import DATA, measured_trace
from labs.serving.engine import EngineConfig
from labs.serving.profiles import Choices, deployment, hardware_from_file, model_shape, plan
from labs.serving.requests import Table
from labs.serving.simulate import simulate
from tests.labs.bench import made

GPU = EngineConfig(deployment("llama-3.1-8b", "ml.g5.2xlarge").spec)


def served(config: EngineConfig = GPU, n: int = 400, rate: float = 1.0) -> Table:
    table = Table.of(arrivals("poisson", rate, requests=n, seed=2), lengths(500, n, 0.4, 1), lengths(100, n, 0.4, 2))
    simulate(config, table)
    return table


def test_over_the_local_cloud_it_is_a_consistency_check_and_agrees() -> None:
    laid = overlay(made.from_table(served()), GPU)
    assert laid.kind == CHECK
    assert "no evidence about AWS" in laid.says
    assert len(laid.rows) == 12
    assert all(row.error == pytest.approx(0, abs=1e-6) for row in laid.rows)
    assert all(row.inside is not False for row in laid.rows)


def test_over_a_recorded_trace_it_is_a_prediction_with_its_error() -> None:
    """vLLM on an RTX 4090, as it was measured."""
    run = made.from_table(measured_trace(), provenance="measured", provenance_note="a recorded trace")
    choices = Choices(dtype="bf16", max_num_seqs=256, token_budget=2048, kv_capacity_tokens=41_408, ingress_s=0.0)
    spec = plan(model_shape("llama-3.1-8b"), hardware_from_file(DATA / "rtx4090.yaml"), choices).spec
    laid = overlay(run, EngineConfig(spec))
    errors = {row.figure: row.error for row in laid.rows}
    assert laid.kind == PREDICTION
    for figure in ("TTFT mean", "TTFT p99", "TPOT mean", "E2E mean", "E2E p99"):
        assert errors[figure] == pytest.approx(0, abs=0.08), figure
    assert any(error for error in errors.values())  # it is a prediction, not a copy
    assert laid.says.startswith("The engine's prediction")


def test_a_wrong_deployment_has_a_large_error() -> None:
    laid = overlay(
        made.from_table(served(), provenance="measured"), EngineConfig(deployment("llama-3.1-8b", "h100").spec)
    )
    assert laid.worst is not None
    assert laid.worst.error is not None
    assert abs(laid.worst.error) > 0.5


def test_warm_up_is_load_and_no_figure() -> None:
    """What warmed up loads the engine as it loaded the server; its own latency is in no figure."""
    run = made.from_table(served())
    warm = [made.record(1000 + i, -3.0 + i / 10, warmup=True) for i in range(20)]
    laid = overlay(made.run([*warm, *run.records]), GPU)
    assert laid.rows[0].observed == pytest.approx(overlay(run, GPU).rows[0].observed)


def test_answers_in_one_piece_are_compared_as_such() -> None:
    table = served()
    run = made.run(
        made.record(
            row, table.arrival[row], first_token_s=table.finish[row], last_token_s=table.finish[row],
            token_s=(table.finish[row],), output_tokens=table.output_tokens[row], input_tokens=table.input_tokens[row],
        )
        for row in range(len(table))
    )  # fmt: skip
    laid = overlay(run, GPU)
    assert {row.figure.split()[0] for row in laid.rows} == {"TTFT", "E2E"}
    assert all(row.error == pytest.approx(0, abs=1e-6) for row in laid.rows)


def test_what_answered_is_read_from_the_run_or_asked_for() -> None:
    engine, notes = engine_for({"name": "bedrock-on-demand", "model": "amazon.nova-lite-v1:0"})
    assert engine.admission is not None or notes
    assert notes
    engine, _ = engine_for({"model": "llama-3.1-8b", "hardware": "ml.g5.2xlarge", "replicas": 2})
    assert engine.replicas == 2
    with pytest.raises(Refusal, match="add --model and --hardware"):
        engine_for({"name": "somewhere", "model": "llama-3.1-8b"})


def test_nothing_to_replay_is_one_sentence() -> None:
    with pytest.raises(Refusal, match="nothing to lay a prediction over"):
        overlay(made.run([made.throttle(0, 0.0)]), GPU)
    with pytest.raises(Refusal, match="how many input tokens"):
        overlay(made.run([made.record(0, 0.0, input_tokens=None)]), GPU)


def test_the_command_lays_it_over(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with path.open("wb") as file:
        records.write(file, made.from_table(served(n=100)))
    asked = [str(path), "--overlay", "--model", "llama-3.1-8b", "--hardware", "ml.g5.2xlarge"]
    said = CliRunner().invoke(command, asked, catch_exceptions=False).output
    assert "Consistency check" in said
    summary = tmp_path / "s.json"
    summary.write_text('{"ttft_ms": {}, "e2e_ms": {}, "requests": 1, "provenance": "measured"}', "utf-8")
    with pytest.raises(Refusal, match="records to replay"):
        CliRunner().invoke(command, [str(summary), "--overlay"], catch_exceptions=False)
