"""`lab bench --all` in small, on the local cloud; and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from labs import cloud, terminal
from labs.bench import everything
from labs.bench.commands import bench
from labs.bench.records import read
from labs.bench.summary import summarise
from labs.errors import FALSE, USAGE, Refusal
from labs.facts import catalogue
from labs.targets import Site, Target, standing

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("own_environment")]


def lab(*args: str) -> int:
    return terminal.run(bench, "lab", args)


def run_all(name: str, into: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    """What `lab bench --all` prints as JSON, for one live target; nothing of it is left in the cloud."""
    assert lab("--all", name, *more, "--rates", "4", "--duration", "1", "--into", str(into), "--json") == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert said["left"] == []
    assert standing.deployments(cloud.connect()) == []
    assert {run["provenance"] for run in said["runs"]} == {"predicted"}
    assert all(Path(file).exists() for file in said["files"])
    return said


@pytest.mark.usefixtures("local_cloud")
def test_everything_in_small(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One target live, whatever else is online simulated or named with the reason why not."""
    pages: list[int] = []  # the page itself is `test_report.py`'s, and takes four seconds of processor time
    monkeypatch.setattr("labs.bench.commands.write_page", lambda _, compared, __: pages.append(len(compared.runs)))
    said = run_all("bedrock-on-demand", tmp_path, capsys, "--output-tokens", "5")
    live = [run for run in said["runs"] if "simulated" not in run["series"]]
    assert [run["series"] for run in live] == ["bedrock-on-demand"]
    assert live[0]["errors"] == {}
    online = {name for name, entry in catalogue.targets().items() if "online" in entry.kinds} - {"bedrock-on-demand"}
    simulated = {run["target"]["name"] for run in said["runs"] if "simulated" in run["series"]}
    assert "sagemaker-inferentia" in simulated
    assert simulated | {why.partition(",")[0] for why in said["not_simulated"]} == online
    assert pages == [1 + len(simulated)]


@pytest.mark.usefixtures("local_cloud")
def test_a_target_that_fails_does_not_end_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(target: Target, site: Site) -> None:
        raise Refusal(f"{target.name} has no room at {site.name}", FALSE)

    monkeypatch.setattr("labs.bench.everything.guard.deploy_admitted", refuse)
    monkeypatch.setattr("labs.bench.commands.write_page", lambda *_: None)
    assert lab("--all", "bedrock-on-demand", "--rates", "4", "--into", str(tmp_path), "--json") == FALSE
    said = json.loads(capsys.readouterr().out)
    assert said["failed"] == ["bedrock-on-demand: bedrock-on-demand has no room at bench-all-bedrock-on-demand"]
    assert said["left"] == []
    assert all("simulated" in run["series"] for run in said["runs"])
    assert said["runs"]


@pytest.mark.soak
@pytest.mark.usefixtures("local_cloud")
def test_everything_with_a_quota_and_a_queue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An endpoint whose quota is 0 at first, benched directly and through the queue."""
    said = run_all("sagemaker-inferentia", tmp_path, capsys, "--through", "squid", "--push", "--output-tokens", "5")
    ways = {run["series"]: run for run in said["runs"] if "simulated" not in run["series"]}
    queued = "sagemaker-inferentia through SQUID"
    assert set(ways) == {"sagemaker-inferentia", queued, f"{queued}, pushed"}
    assert ways[f"{queued}, pushed"]["ttft_ms"]["p50"] < ways[f"{queued}, pushed"]["e2e_ms"]["p50"]
    assert queued in Path(said["report"]).read_text("utf-8")
    for run in ways.values():
        assert run["errors"] == {}
        assert run["cost"]["usd_per_hour"] > 0.9  # the machine's price, which the queue does not change


def test_the_simulated_are_offered_the_same_requests(tmp_path: Path) -> None:
    trip = everything.Trip(rates_per_s=(5.0,), duration_s=30.0, seed=3)
    files = [
        everything._simulated(name, catalogue.target(name), trip, 5.0, tmp_path)
        for name in ("eks-vllm", "sagemaker-gpu")
    ]
    runs = [read(file) for file in files]
    assert [r.intended_s for r in runs[0].records] == [r.intended_s for r in runs[1].records]
    assert {r.ok for r in runs[0].records} == {True}
    summaries = [summarise(run) for run in runs]
    assert all(summary["valid"] for summary in summaries)
    assert all("simulated" in summary["provenance_note"] for summary in summaries)
    # The same engine on machines of another price: as fast, and not as cheap.
    assert summaries[0]["ttft_ms"]["p50"] == summaries[1]["ttft_ms"]["p50"]
    assert summaries[0]["cost"]["usd_per_hour"] != summaries[1]["cost"]["usd_per_hour"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--all", "--rate", "5"), "leave out --rate"),
        (("--all", "bedrock-batch"), "answers no calls"),
        (("--all", "nowhere"), "there is no target 'nowhere'"),
        (("bedrock-on-demand", "--rates", "1,2"), "--rates goes with --all"),
        (("bedrock-on-demand", "--rate", "1", "--push"), "say --through squid too"),
        (("--all", "--push"), "say --through squid too"),
    ],
)
@pytest.mark.usefixtures("local_cloud")
def test_wrong_usage_is_one_sentence(
    args: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lab(*args, *(("--into", str(tmp_path)) if "--all" in args else ())) == USAGE
    assert says in capsys.readouterr().err


def test_calibrate_is_a_command_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "run.jsonl"
    file.write_bytes(b"")
    assert lab("--calibrate", str(file), "--model", "llama-3.1-8b", "--hardware", "ml.g5.2xlarge") == USAGE
    assert "is empty" in capsys.readouterr().err
    assert lab("--calibrate", str(file), "--model", "llama-3.1-8b") == USAGE
    assert "name one piece of hardware" in capsys.readouterr().err
