"""Constants that are wrong are found again from what they do, on requests that were not fitted; and lab simulate reads them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from labs.bench import calibrate
from labs.bench.calibrate import Deployed, fit
from labs.bench.records import Run, write
from labs.economics.commands import simulate as simulate_command
from labs.errors import Refusal
from labs.serving.arrivals import arrivals, lengths
from labs.serving.profiles import Choices, hardware, hardware_from_file
from labs.serving.requests import Table
from labs.serving.simulate import simulate
from tests.labs.bench import made

TRUTH = {
    "bandwidth_efficiency": 0.62,
    "compute_efficiency": 0.5,
    "step_overhead_s": 2e-3,
    "per_sequence_s": 4e-5,
    "ingress_s": 0.03,
}
DEPLOYED = Deployed("llama-3.1-8b", hardware("ml.g5.2xlarge"))


def measured(rate: float, n: int = 240, seed: int = 1, deployed: Deployed = DEPLOYED) -> Run:
    """A 'measured' run of a server whose constants are TRUTH."""
    times = arrivals("poisson", rate, requests=n, seed=seed)
    table = Table.of(times, lengths(500, n, 0.6, seed), lengths(80, n, 0.5, seed + 1))
    simulate(deployed.engine(TRUTH), table)
    return made.from_table(table, provenance="measured", provenance_note="a server with known constants")


@pytest.fixture(scope="module")
def found() -> calibrate.Calibration:
    return fit([measured(0.5, 120), measured(3.0)], DEPLOYED)


def test_the_error_on_what_was_not_fitted_falls(found: calibrate.Calibration) -> None:
    before, after = found.mean_error(found.before), found.mean_error(found.after)
    assert before > 0.2
    assert after < 0.03
    assert found.improved
    assert f"from {100 * before:.1f} % to {100 * after:.1f} %" in found.says


def test_constants_that_the_runs_determine_are_found(found: calibrate.Calibration) -> None:
    for name in ("bandwidth_efficiency", "ingress_s", "compute_efficiency"):
        assert found.constants[name] == pytest.approx(TRUTH[name], rel=0.2), name


def test_lab_simulate_reads_the_file(found: calibrate.Calibration, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(found.hardware_file("mine"), "utf-8")
    on = hardware_from_file(path)
    assert (on.memory_bytes, on.flops_per_s, on.count) == pytest.approx(
        (DEPLOYED.on.memory_bytes, DEPLOYED.on.flops_per_s, DEPLOYED.on.count)
    )
    asked = ["--model", "llama-3.1-8b", "--rate", "3", "--requests", "200", "--output-tokens", "80", "--json"]
    mine = CliRunner().invoke(
        simulate_command,
        [*asked, "--hardware-file", str(path), "--ingress-ms", f"{1e3 * found.constants['ingress_s']}"],
        catch_exceptions=False,
    )
    table = Table.of(arrivals("poisson", 3, requests=200), lengths(500, 200), lengths(80, 200))
    truth = simulate(DEPLOYED.engine(TRUTH), table).statistics
    assert truth.tpot_ms is not None
    assert json.loads(mine.output)["tpot_ms"]["mean"] == pytest.approx(truth.tpot_ms.mean, rel=0.05)


def test_neuron_constants_are_fitted_too() -> None:
    on = hardware("ml.inf2.48xlarge")
    deployed = Deployed("llama-3-8b", on, Choices(tensor_parallel=24))
    times = arrivals("constant", 0.5, requests=90)
    table = Table.of(times, lengths(400, 90), lengths(60, 90))
    slower = {
        name: value * (1.5 if name == "layer_s" else 1.0) for name, value in calibrate.parameters(deployed)[1].items()
    }
    simulate(deployed.engine(slower), table)
    got = fit([made.from_table(table, provenance="measured")], deployed)
    assert got.mean_error(got.after) < 0.25 * got.mean_error(got.before)


def test_the_engine_is_not_fitted_to_itself() -> None:
    run = measured(1.0, 80)
    with pytest.raises(Refusal, match="says nothing"):
        fit([replace(run, header=replace(run.header, provenance="predicted"))], DEPLOYED)
    with pytest.raises(Refusal, match="needs 60 answered requests"):
        fit([replace(run, records=run.records[:40])], DEPLOYED)
    with pytest.raises(Refusal, match="at least one"):
        fit([], DEPLOYED)


def test_the_command_writes_the_file_and_says_what_next(tmp_path: Path) -> None:
    records, out = tmp_path / "run.jsonl", tmp_path / "fitted.yaml"
    with records.open("wb") as file:
        write(file, measured(1.0, 80))
    done = CliRunner().invoke(
        calibrate.main,
        [str(records), "--model", "llama-3.1-8b", "--hardware", "ml.g5.2xlarge", "--write", str(out)],
        catch_exceptions=False,
    )
    assert out.exists()
    assert "Next: lab simulate --hardware-file" in done.output
