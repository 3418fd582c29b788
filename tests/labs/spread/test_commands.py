"""The commands that share their work out: what they find is what they find alone, each once, also when a worker is lost on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from labs import terminal
from labs.bench import spread_crew
from labs.bench.crew import Outcome, measure
from labs.bench.endpoints.openai import OpenAi
from labs.bench.records import Header, Record, read
from labs.bench.where import Place
from labs.check import confine
from labs.cli import cli
from labs.errors import Refusal
from labs.spread import clocks
from labs.spread.cluster import Workers, connect
from quizzes.cli import cli as quiz
from quizzes.marking import keys, spreading
from tests.labs.bench.kit import a_workload, fake_server
from tests.labs.check.handed_in import FIRST_TASK, cheat, notebook, save
from tests.labs.spread.conftest import ROOT, Up
from tests.quizzes.test_grade import RIGHT, TRIAL, answered, text

pytestmark = pytest.mark.timeout(300)
SLEEPER = "31536000.625"


def until(condition: Callable[[], bool], within_s: float = 60.0) -> bool:
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def grade(folder: Path, address: str, out: Path) -> "subprocess.Popen[str]":
    """`lab grade`, whose JSON goes into a file: a class's is more than a pipe holds."""
    command = ["grade", str(folder), "--sources", str(ROOT / "tests" / "notebooks"), "--scheduler", address, "--json"]
    with out.open("w") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "labs.cli", *command], stdout=file, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )


def gives_up_at_once(source: str) -> str:
    return source.replace('"maxReceiveCount": 5', '"maxReceiveCount": 1') if FIRST_TASK in source else source


def a_class(folder: Path, count: int) -> dict[str, float | None]:
    """`count` submissions, among them some that are half right, a corrupt one and one that leaves a process running: name → points."""
    wanted: dict[str, float | None] = {}
    right, half = notebook(), notebook(gives_up_at_once)
    for number in range(count - 2):
        name = f"student-{number:03}/lab.ipynb"
        save(folder / name, half if number % 4 == 3 else right)
        wanted[name] = 2.0 if number % 4 == 3 else 3.0
    save(folder / "corrupt" / "lab.ipynb", "{")
    save(
        folder / "left" / "lab.ipynb",
        cheat(f"import subprocess\nsubprocess.Popen(['sleep', '{SLEEPER}'], start_new_session=True)"),
    )
    return wanted | {"corrupt/lab.ipynb": None, "left/lab.ipynb": 0.0}


@pytest.mark.parametrize("count", [8, pytest.param(400, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])])
def test_a_class_is_graded_although_a_worker_is_killed(two_workers: Up, tmp_path: Path, count: int) -> None:
    folder, out = tmp_path / "class", tmp_path / "results.json"
    wanted = a_class(folder, count)
    with connect(two_workers.address) as workers:
        workers_pids = workers.everywhere(os.getpid)
    with grade(folder, two_workers.address, out) as running:
        assert running.stderr is not None
        seen = [running.stderr.readline() for _ in range(count // 4)]
        victim = psutil.Process(min(workers_pids.values()))
        below = victim.children(recursive=True)
        victim.kill()
        seen += running.stderr.readlines()
    results = json.loads(out.read_text())["results"]
    assert running.returncode == 1  # one is corrupt
    assert Counter(result["submission"] for result in results) == dict.fromkeys(wanted, 1)
    assert {result["submission"]: None if result["problem"] else result["score"] for result in results} == wanted
    assert len([line for line in seen if "lab.ipynb" in line]) == count  # and each was told once
    kept = [json.loads(path.read_text()) for path in (folder / "_grades").glob("*.json")]
    assert {result["submission"]: result["score"] for result in kept} == {
        name: points or 0.0 for name, points in wanted.items()
    }
    assert {tuple(result["unconfined"]) for result in results} == {
        tuple(confine.available().missing())
    }  # as it would be here
    assert below
    assert until(lambda: not any(process.is_running() for process in below))  # its graders ended with it
    assert not any(
        SLEEPER in process.info["cmdline"] for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"]
    )


@pytest.mark.soak
def test_what_was_graded_elsewhere_is_kept(two_workers: Up, tmp_path: Path) -> None:
    folder, out = tmp_path / "class", tmp_path / "results.json"
    save(folder / "ann.ipynb", notebook())
    found = []
    for _ in range(2):
        grade(folder, two_workers.address, out).communicate()
        found += json.loads(out.read_text())["results"]
    assert found[1] == found[0] | {"kept": True}
    assert found[0]["score"] == 3.0


@pytest.mark.soak
def test_stopping_ends_what_the_workers_are_at(two_workers: Up, tmp_path: Path) -> None:
    folder = tmp_path / "class"
    save(folder / "slow.ipynb", cheat("import time\ntime.sleep(25)"))
    running = grade(folder, two_workers.address, tmp_path / "results.json")
    above = psutil.Process(two_workers.process.pid)

    def cells() -> list[Any]:
        return [
            each for each in above.children(recursive=True) if "labs.check.grader" in each.cmdline() and each.children()
        ]

    assert until(lambda: bool(cells()))
    running.send_signal(signal.SIGTERM)
    running.communicate()
    assert running.returncode == 143
    assert until(lambda: not cells(), 20)
    assert not (folder / "_grades").exists()


@pytest.mark.parametrize(
    "command",
    [["grade", "{folder}"], ["bench", "--openai-url", "http://127.0.0.1:9", "--model", "m", "--rate", "1"]],
    ids=["grade", "bench"],
)
def test_a_command_without_its_scheduler_says_so(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "ann.ipynb", "{}")
    asked = [*(part.format(folder=tmp_path) for part in command), "--scheduler", "tcp://127.0.0.1:9"]
    assert terminal.run(cli, "lab", asked) == 3
    assert "no scheduler answers at tcp://127.0.0.1:9" in capsys.readouterr().err
    assert terminal.run(cli, "lab", [*asked, "--workers", "2"]) == 2
    assert "--workers is for this machine" in capsys.readouterr().err


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`lab`, in this process: its exit status and what it prints."""

    def lab(*arguments: object) -> tuple[int, str]:
        status = terminal.run(cli, "lab", [*map(str, arguments)])
        return status, capsys.readouterr().out

    return lab


def test_a_sweep_is_the_same_wherever_it_runs(two_workers: Up, tmp_path: Path, run: Run) -> None:
    trace = save(tmp_path / "t.csv", "arrival_s,input_tokens,output_tokens\n0,100,10\n1,200,20\n")
    file = save(
        tmp_path / "s.yaml",
        f"model: llama-3.1-8b\nhardware: [ml.g5.2xlarge, nowhere]\ntrace: {trace}\nreplicas: [1, 2, 3]\n",
    )
    here, found = run("simulate", "--sweep", file, "--json")
    there, again = run(
        "simulate", "--sweep", file, "--json", "--scheduler", two_workers.address, "--into", tmp_path / "r.jsonl"
    )
    assert (here, there) == (1, 1)  # half of it is of no hardware
    assert json.loads(again) == json.loads(found)
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 6


def test_attempts_are_marked_the_same_wherever_that_is(
    two_workers: Up, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = keys.of_bank(TRIAL)
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    for number in range(9):
        (here / f"student-{number}.jsonl").write_text(text(answered(ring, RIGHT, f"reader{number}")), "utf-8")
    (here / "copied.jsonl").write_bytes((here / "student-4.jsonl").read_bytes())  # counts for neither
    (here / "cut.jsonl").write_bytes((here / "student-5.jsonl").read_bytes()[:-50])
    (here / "empty.jsonl").touch()
    with zipfile.ZipFile(here / "zoe.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zoe.jsonl", text(answered(ring, {**RIGHT, "trial-numeric": None}, "zoe0")))
    damaged = bytearray((here / "zoe.zip").read_bytes())
    damaged[60] ^= 0xFF
    (here / "damaged.zip").write_bytes(damaged)
    shutil.copytree(here, there)
    monkeypatch.setattr(spreading, "BATCH_FILES", 2)
    command = ["--bank", str(TRIAL), "--json"]
    plain = CliRunner().invoke(quiz, ["grade", str(here), *command])
    spread = CliRunner().invoke(quiz, ["grade", str(there), *command, "--scheduler", two_workers.address])
    assert plain.exit_code == spread.exit_code == 1
    assert len(json.loads(plain.stdout)["attempts"]) == 12
    assert spread.stdout == plain.stdout


def test_marking_without_its_scheduler_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.run(quiz, "quiz", ["grade", str(tmp_path), "--scheduler", "tcp://127.0.0.1:9"]) == 3
    assert "no scheduler answers at tcp://127.0.0.1:9" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def measured(workers: Workers, url: str, **more: Any) -> Outcome:
    endpoint = OpenAi(url, "fake")
    place = Place("fake", endpoint, url, "measured", "", only_loopback=False)
    header = Header({"name": "fake"}, {}, "open", "measured", workers=len(workers.there()), timeout_s=20)
    work = a_workload(arrival="poisson", rate_per_s=60, duration_s=1.5)
    gather = spread_crew.spread(workers, place, real=False)
    return measure(header, work, endpoint, only_loopback=False, gather=gather, **more)


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this machine were none of the workers', and what is measured none that is here alone."""
    monkeypatch.setattr(clocks, "_machine", lambda: "elsewhere")
    monkeypatch.setattr(spread_crew, "is_loopback_url", lambda _: False)


@pytest.mark.usefixtures("far_away")
def test_one_schedule_is_spread_over_workers_with_one_start(two_workers: Up, tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    with (
        fake_server("--ttft-ms", "20", "--token-ms", "2", "--tokens", "5") as server,
        connect(two_workers.address) as workers,
    ):
        places = [worker.address for worker in workers.there()]
        outcome = measured(workers, server.url, record_to=file)
        offsets = clocks.measure(workers)
    run, quality = outcome.run, outcome.run.quality
    due = a_workload(arrival="poisson", rate_per_s=60, duration_s=1.5).due_s
    assert due is not None
    assert quality is not None
    assert [record.intended_s for record in run.records] == pytest.approx([*due])
    assert [record.worker for record in run.records] == [record.id % 2 for record in run.records]
    assert all(record.ok and len(record.token_s) == 5 for record in run.records)
    assert quality.finished
    assert [worker.place for worker in quality.workers] == places
    assert all(worker.start_within_ms is not None and 0 < worker.start_within_ms < 1000 for worker in quality.workers)
    assert all(worker.lag_ms["p99"] is not None for worker in quality.workers)
    assert all(abs(offset.seconds) <= offset.within_s for offset in offsets.values())  # in truth it is one clock
    assert read(file).quality == quality


@pytest.mark.usefixtures("far_away")
def test_a_worker_lost_while_measuring_is_named_and_the_others_records_stand(two_workers: Up, tmp_path: Path) -> None:
    killed: list[str] = []
    with fake_server("--tokens", "5") as server, connect(two_workers.address) as workers:
        assert until(lambda: len(workers.there()) == 2)
        pids = workers.everywhere(os.getpid)

        def kill_one(elapsed_s: float, new: list[Record]) -> None:
            if not killed and elapsed_s > 0.3 and new:
                killed.append(workers.there()[1].address)
                os.kill(pids[killed[0]], signal.SIGKILL)

        outcome = measured(workers, server.url, record_to=tmp_path / "run.jsonl", watch=kill_one)
        assert until(lambda: len(workers.there()) == 2)
    quality = outcome.run.quality
    assert quality is not None
    assert not quality.valid
    assert not quality.finished
    assert f"worker 1 ({killed[0]}) was lost" in quality.reasons[0]
    assert [worker.worker for worker in quality.workers] == [0]
    of_first = [record for record in outcome.run.records if record.worker == 0]
    assert len(of_first) == quality.workers[0].requests
    assert all(record.ok for record in of_first)
    assert read(tmp_path / "run.jsonl").quality == quality


def test_what_is_on_this_machine_alone_is_not_asked_for_elsewhere(
    two_workers: Up, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "_machine", lambda: "elsewhere")
    with connect(two_workers.address) as workers:
        with pytest.raises(
            Refusal, match=r"fake answers at http://127\.0\.0\.1:9, on this machine alone, and the worker tcp://"
        ):
            measured(workers, "http://127.0.0.1:9")


def test_a_key_does_not_travel_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    place = Place("theirs", OpenAi("https://example.invalid", "m"), "https://example.invalid", "measured", "", False)
    with pytest.raises(
        Refusal, match=r"your credentials for theirs would travel to tcp://10\.0\.0\.5:8786 in the clear"
    ) as why:
        spread_crew.spread(Workers("tcp://10.0.0.5:8786", None), place, real=False)
    assert "sk-secret" not in str(why.value)


def test_the_command_offers_its_load_from_workers(two_workers: Up, run: Run) -> None:
    with fake_server("--tokens", "3") as server:
        asked = ["--openai-url", server.url, "--model", "m", "--rate", 20, "--duration", 1]
        status, said = run("bench", *asked, "--scheduler", two_workers.address, "--json")
    assert status == 0
    workers = json.loads(said)["workers"]
    assert len({worker["place"] for worker in workers}) == 2
    assert [worker["start_within_ms"] for worker in workers] == [0.0, 0.0]  # they have our clock
