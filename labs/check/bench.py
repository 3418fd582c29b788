"""How fast a class is graded: 200 submissions of the smallest lab, beside Otter and nbgrader on the same lab, in one run.

    python -m labs.check.bench

The peers live in an environment of their own, `_build/peers` (python -m venv _build/peers; its pip installs otter-grader, nbgrader and
moto[sqs,dynamodb]); without it they are left out. They grade notebooks that hold moto and their tests inside, one kernel each, and
confine nothing; so they do less. Processor seconds stand beside the clock's, since a busy machine stretches only the latter.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from labs import terminal
from labs.errors import NOT_READY, Refusal

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "tests" / "notebooks" / "00-small.md"
PEERS = ROOT / "_build" / "peers" / "bin"
SUBMISSIONS, WORKERS, PEERS_SUBMISSIONS = 200, 2, 4
LIMIT_S, EACH_S = 240.0, 0.7


@click.command()
@click.option("--submissions", type=click.IntRange(2), default=SUBMISSIONS)
@click.option("--workers", type=click.IntRange(1), default=WORKERS)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(submissions: int, workers: int, as_json: bool) -> int:
    """Grade a class, and print what it took."""
    if not SOURCE.exists():
        raise Refusal(f"{SOURCE} is not there: this runs in a checkout of the course", NOT_READY)
    found: dict[str, dict[str, float] | None] = {"lab grade": ours(submissions, workers)}
    for name, grade in (("Otter", otter), ("nbgrader", nbgrader)):
        found[name] = grade() if (PEERS / name.lower()).exists() else None
    if as_json:
        terminal.emit_json(found)
        return 0
    rows = [
        (
            name,
            f"{it['submissions']:.0f}",
            f"{it['wall_s']:.0f}",
            f"{it['wall_s'] / it['submissions']:.2f}",
            f"{it['cpu_s'] / it['submissions']:.2f}",
        )
        for name, it in found.items()
        if it is not None
    ]
    terminal.table(
        "A class of the smallest lab", ["with", "submissions (n)", "all (s)", "each (s)", "processor, each (s)"], rows
    )
    mine = found["lab grade"]
    assert mine is not None
    terminal.say(
        f"Wanted: {SUBMISSIONS} in {LIMIT_S:.0f} s with {WORKERS} workers, and one alone, warm, in {EACH_S} s: it took {mine['alone_s']:.2f} s, of a processor {mine['alone_cpu_s']:.2f} s. "
        f"Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors."
    )
    if None in found.values():
        terminal.say("Otter and nbgrader are not compared: they are not in _build/peers.")
    return 0


def filled_in(number: int) -> dict[str, Any]:
    """A student's notebook with both tasks done."""
    from labs.check import source, student

    copy: dict[str, Any] = student.copy_of(SOURCE.read_text("utf-8"), "00-small")
    solutions = {cell.task: cell.source for cell in source.cells(SOURCE) if cell.is_solution}
    task = 0
    for cell in copy["cells"]:
        if cell["cell_type"] == "markdown":
            task = source.task_after(cell["source"], task)
        elif "exercise" in cell["metadata"].get("tags", []):
            cell["source"] = f"{solutions[task]}\n# by student {number}"
    return copy


def ours(submissions: int, workers: int) -> dict[str, float]:
    """`lab grade`, from its start to its end; and one submission alone, in a process that is warm."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(submissions):
            path = Path(folder) / f"student-{number:03}" / "00-small.ipynb"
            path.parent.mkdir()
            path.write_text(json.dumps(filled_in(number)), "utf-8")
        common = [
            sys.executable,
            "-m",
            "labs.cli",
            "grade",
            folder,
            "--sources",
            str(SOURCE.parent),
            "--json",
            "--again",
        ]
        took, said = _timed([*common, "--workers", str(workers)])
        results = json.loads(said)["results"]
        if len(results) != submissions or any(result["score"] != result["max"] for result in results):
            raise Refusal("not every submission was graded with full marks", NOT_READY)
        for number in range(3, submissions):
            shutil.rmtree(Path(folder) / f"student-{number:03}")
        _, said = _timed([*common, "--workers", "1"])
        alone = {name: min(result[name] for result in json.loads(said)["results"]) for name in ("seconds", "cpu_s")}
        return took | {"submissions": submissions, "alone_s": alone["seconds"], "alone_cpu_s": alone["cpu_s"]}


def _timed(command: list[str], cwd: Path | None = None) -> tuple[dict[str, float], str]:
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    surroundings = {
        **os.environ,
        "PATH": f"{Path(command[0]).parent}:{os.environ['PATH']}",
    }  # nbgrader calls its neighbours by name
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False, cwd=cwd, env=surroundings
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(time.monotonic() - began, 2), "cpu_s": round(cpu_s, 2)}, done.stdout


IN_MEMORY = "from moto import mock_aws\nmock_aws().start()\nimport json, os, boto3\nos.environ['AWS_DEFAULT_REGION'] = 'us-east-1'"
TESTS = {
    "queue": "assert 'RedrivePolicy' in boto3.client('sqs').get_queue_attributes(QueueUrl='small-jobs', AttributeNames=['All'])['Attributes']",
    "table": "assert boto3.client('dynamodb').describe_table(TableName='small-answers')['Table']['KeySchema'][0]['AttributeName'] == 'job_id'",
}


def _the_same_lab() -> list[str]:
    """Its code cells, with moto inside, as these graders need it."""
    from labs.check import source

    solutions = [cell.source for cell in source.cells(SOURCE) if cell.is_solution]
    return [IN_MEMORY, "sqs, dynamodb = boto3.client('sqs'), boto3.client('dynamodb')", *solutions]


def _write(path: Path, cells: list[Any]) -> None:
    from nbformat import v4, writes

    make: Any = v4
    notebook = make.new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(writes(notebook), "utf-8")  # type: ignore[no-untyped-call]


def otter() -> dict[str, float] | None:
    """`otter run`, which grades one notebook outside a container."""
    from nbformat import v4

    make: Any = v4
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for test, code in TESTS.items():
            case = {
                "name": test,
                "points": 1,
                "suites": [{"cases": [{"code": f">>> {code}"}], "scored": True, "type": "doctest"}],
            }
            (folder / "tests").mkdir(exist_ok=True)
            (folder / "tests" / f"{test}.py").write_text(f"OK_FORMAT = True\ntest = {case!r}\n", "utf-8")
        _write(folder / "lab.ipynb", [make.new_code_cell(cell) for cell in _the_same_lab()])
        _timed([str(PEERS / "otter"), "generate", "-t", "tests", "--no-environment"], folder)
        (folder / "out").mkdir()
        total = {"wall_s": 0.0, "cpu_s": 0.0}
        for _ in range(PEERS_SUBMISSIONS):
            took, _said = _timed(
                [str(PEERS / "otter"), "run", "-a", "autograder.zip", "-o", "out", "lab.ipynb"], folder
            )
            total = {key: total[key] + took[key] for key in total}
        return _if_full(folder / "out" / "results.json", total)


def _if_full(results: Path, total: dict[str, float]) -> dict[str, float] | None:
    """The time, if what it was for has happened."""
    try:
        tests = json.loads(results.read_text("utf-8"))["tests"]
    except (OSError, ValueError, KeyError):
        return None
    full = sum(test.get("score", 0) for test in tests) >= len(TESTS)
    return total | {"submissions": PEERS_SUBMISSIONS} if full else None


def nbgrader() -> dict[str, float] | None:
    """`nbgrader autograde`, over several students in one call."""
    from nbformat import v4

    make: Any = v4

    def cells() -> list[Any]:
        made = [make.new_code_cell(cell) for cell in _the_same_lab()]
        for test, code in TESTS.items():
            about = {
                "schema_version": 3,
                "grade": True,
                "grade_id": test,
                "locked": True,
                "points": 1,
                "solution": False,
                "task": False,
                "cell_type": "code",
            }
            made.append(make.new_code_cell(code, metadata={"nbgrader": about}))
        return made

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'small'\n", "utf-8")
        _write(folder / "source" / "small" / "lab.ipynb", cells())
        _timed([str(PEERS / "nbgrader"), "generate_assignment", "small", "--create"], folder)
        for number in range(PEERS_SUBMISSIONS):
            _write(folder / "submitted" / f"student{number}" / "small" / "lab.ipynb", cells())
        took, _ = _timed([str(PEERS / "nbgrader"), "autograde", "small", "--create"], folder)
        graded = len(list((folder / "autograded").glob("*/small/lab.ipynb")))
        return took | {"submissions": graded} if graded == PEERS_SUBMISSIONS else None


if __name__ == "__main__":
    sys.exit(terminal.run(main, "python -m labs.check.bench"))
