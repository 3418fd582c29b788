"""A class is graded: honest work gets its marks; cheats get none and harm nothing; what cannot be read is named, and the run goes on.

One run of `lab grade` over the whole class; the tests look at its results.
"""

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from nbformat import v4

from labs.check import confine, exports
from labs.check.grade import _keep, _kept
from labs.check.submissions import find
from labs.check.supervise import Allowed, Layout
from tests.labs.check.handed_in import FIRST_TASK, cheat, notebook, save

ROOT = Path(__file__).parents[3]
SLEEPER = "31536000.125"
"""So long does the process sleep that a submission leaves behind: a name to find it by."""

SECRET = "the-teachers-own"
"""In the environment of whoever grades."""

HARMFUL = ("start-up-files", "score-written")
"""Where files cannot be confined, these would write into this machine's; there the results have to say that they could."""

CHEATS = {
    "shadowed-names": [
        "check = lambda *_, **__: print('3 of 3 points')",
        "import labs.check, labs.check.model\n"
        "labs.check.model.run = labs.check.model.as_json = lambda *_: {'score': 3, 'max': 3, 'checks': []}",
    ],
    "patched-client": [
        "import boto3, botocore.client\n"
        "botocore.client.BaseClient._make_api_call = lambda self, name, arguments: {'QueueUrl': 'http://it/is/there', 'TableNames': ['small-answers']}",
        "boto3.client('sqs').create_queue(QueueName='small-jobs')",
    ],
    "patched-moto": [
        "from moto.sqs.models import sqs_backends\n"
        "sqs_backends['123456789012']['us-east-1'].create_queue('small-jobs', {'RedrivePolicy': '{\"maxReceiveCount\": 5, \"deadLetterTargetArn\": \"a\"}'})",
        "import moto.moto_api._internal.models as models\nmodels.moto_api_backend.reset()",
    ],
    "emulator-routes": [
        "import json, os, urllib.request\n"
        "seed = json.dumps({'score': 3, 'queues': ['small-jobs']}).encode()\n"
        "for route in ('moto-api/reset', 'moto-api/data.json', 'moto-api/seed?a=1', '_lab/reset', '_lab/seed', '_lab/faults'):\n"
        "    for token in ('', json.load(open(os.environ['LAB_HOME'] + '/server.json'))['token']):\n"
        "        try:\n"
        "            urllib.request.urlopen(urllib.request.Request(os.environ['AWS_ENDPOINT_URL'] + '/' + route, seed, {'X-Lab-Token': token}))\n"
        "            print('OPEN', route)\n"
        "        except Exception as refused:\n"
        "            print(refused)",
    ],
    "solutions-read": [
        "import pathlib, os\n"
        "found = []\n"
        f"for start in ({str(ROOT)!r}, '/tmp', '/root', '/home', os.getcwd()):\n"
        "    for folder, _, files in os.walk(start):\n"
        "        if 'site-packages' not in folder:\n"
        "            found += [os.path.join(folder, name) for name in files if name.endswith(('.md', '.ipynb')) or 'small_00' in name]\n"
        "found = [path for path in found if 'small-jobs' in pathlib.Path(path).read_text()]\n"
        "print('FOUND', found)\n"
        "for path in found:\n"
        "    for cell in pathlib.Path(path).read_text().split('```'):\n"
        "        try:\n"
        "            exec(cell.partition('\\n\\n')[2])\n"
        "        except Exception:\n"
        "            pass",
        "import labs.check.labs.small_00",
    ],
    "start-up-files": [
        "import pathlib, sys, site\n"
        'evil = \'import os; os.environ["PLANTED"] = "yes"\'\n'
        "for folder in [*sys.path, *site.getsitepackages(), site.getusersitepackages(), '.', '~/.ipython/profile_default/startup']:\n"
        "    for name in ('sitecustomize.py', 'usercustomize.py', 'planted.pth', '00-planted.py'):\n"
        "        try:\n"
        "            place = pathlib.Path(folder or '.').expanduser()\n"
        "            place.mkdir(parents=True, exist_ok=True)\n"
        "            (place / name).write_text(evil)\n"
        "        except OSError as refused:\n"
        "            pass",
    ],
    "score-written": [
        "import json, os, pathlib\n"
        "score = json.dumps({'score': 3.0, 'max': 3, 'problem': None, 'checks': [], 'notes': [], 'errors': []}).encode()\n"
        "for descriptor in range(1, 200):\n"
        "    try:\n"
        "        os.write(descriptor, b'\\n' + score + b'\\n')\n"
        "    except OSError:\n"
        "        pass\n"
        "for folder in ('.', '..', '/', '/lab', '/tmp', '_grades'):\n"
        "    try:\n"
        "        pathlib.Path(folder, 'score-written.json').write_bytes(score)\n"
        "    except OSError:\n"
        "        pass",
        "from labs.check import hand_in\nhand_in('00-small', task=1, score=3, queue=1.0, table=1.0)",
    ],
    "early-exit": ["import os\nos._exit(0)"],
    "left-running": [
        f"import subprocess, os\n"
        f"subprocess.Popen(['sleep', '{SLEEPER}'], start_new_session=True)\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        f"        os.execvp('sleep', ['sleep', '{SLEEPER}'])\n"
        "    os._exit(0)",
    ],
    "endless": ["import time\nwhile True:\n    time.sleep(0.5)"],
    "memory-hog": [
        "import os\n"
        "for _ in range(4):\n"  # one process is held by its own limit; several together are counted
        "    if os.fork() == 0:\n"
        "        kept = []\n"
        "        try:\n"
        "            while True:\n"
        "                kept.append(b'x' * 20_000_000)\n"
        "        except MemoryError:\n"
        "            import time; time.sleep(60)\n"
        "import time; time.sleep(60)",
    ],
    "ten-gigabytes-printed": ["while True:\n    print('x' * 1_000_000)"],
    "ten-gigabytes-written": [
        "with open('big', 'wb') as file:\n    for _ in range(10_000):\n        file.write(b'x' * 1_000_000)"
    ],
    "secrets": [
        "import os, pathlib\n"
        "for path in ('/proc/self/environ', '/proc/1/environ'):\n"
        "    try:\n"
        "        print(pathlib.Path(path).read_bytes().strip(b'\\0'))\n"
        "    except OSError as refused:\n"
        "        print(refused)\n"
        "print(dict(os.environ))\n"
        "import subprocess; print(subprocess.run(['env'], capture_output=True, text=True).stdout)",
    ],
    "the-network": [
        "import socket, urllib.request\n"
        "for address in (('93.184.216.34', 80), ('169.254.169.254', 80), ('8.8.8.8', 53)):\n"
        "    try:\n"
        "        socket.create_connection(address, timeout=3)\n"
        "        print('REACHED', address)\n"
        "    except OSError as refused:\n"
        "        print(refused)",
        "from labs import cloud\ncloud.connect(real=True)",
    ],
}


def hand_in(folder: Path) -> None:
    """A class of honest students, of cheats, and of files that are no notebooks."""
    save(folder / "ann" / "lab.ipynb", notebook())
    save(
        folder / "zoe" / "lab.ipynb",
        notebook(lambda source: source.replace('"maxReceiveCount": 5', '"maxReceiveCount": 1')),
    )
    save(folder / "twin" / "lab.ipynb", notebook(lambda source: source + "   \n"))
    save(folder / "blank" / "lab.ipynb", notebook(solved=False))
    confined = confine.available().namespaces
    for name, cells in CHEATS.items():
        if name in HARMFUL and not confined:
            continue
        save(folder / "cheats" / f"{name}.ipynb", cheat(*cells))

    odd = folder / "odd"
    save(odd / "syntax.ipynb", notebook(lambda source: source.replace("redrive = {", "redrive = = {")))
    without = notebook()
    start = next(n for n, cell in enumerate(without.cells) if cell.source.startswith("## Task 2"))
    del without.cells[start : start + 4]
    save(odd / "missing-task.ipynb", without)
    renamed = notebook()
    for number, cell in enumerate(renamed.cells):
        cell.id = f"renamed-{number}"
    save(odd / "renamed-cells.ipynb", renamed)
    large = notebook()
    large.cells[1].outputs = [v4.new_output("stream", text="x" * 100_000_000)]
    save(odd / "large-outputs.ipynb", large)
    in_r = notebook()
    in_r.metadata.kernelspec = {"name": "ir", "language": "R", "display_name": "R"}
    save(odd / "another-kernel.ipynb", in_r)
    save(odd / "format-3.ipynb", json.dumps(as_format_3(notebook())))
    save(odd / "format-9.ipynb", json.dumps({"nbformat": 9, "cells": []}))
    save(odd / "no-json.ipynb", '{"cells": [')
    save(odd / "brackets.ipynb", "[" * 200_000)
    (odd / "link.ipynb").symlink_to("/etc/passwd")
    unknown = notebook()
    del unknown.metadata["deployment_dilemma"]
    save(odd / "no-lab.ipynb", unknown)
    with zipfile.ZipFile(odd / "bomb.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("lab.ipynb", "w") as member:
            for _ in range(260):
                member.write(bytes(1024 * 1024))
    with zipfile.ZipFile(odd / "dots.zip", "w") as archive:
        archive.writestr("../../escaped.ipynb", "{}")
    with zipfile.ZipFile(folder / "zip.zip", "w") as archive:
        archive.writestr("work/lab.ipynb", (folder / "zoe" / "lab.ipynb").read_bytes())


def as_format_3(made: Any) -> dict[str, Any]:
    """A notebook in the format that IPython wrote before Jupyter."""
    cells = []
    for cell in made.cells:
        if cell.cell_type == "code":
            cells.append(
                {"cell_type": "code", "language": "python", "input": cell.source, "outputs": [], "metadata": {}}
            )
        else:
            cells.append({"cell_type": "markdown", "source": cell.source, "metadata": {}})
    metadata = {"name": "", "deployment_dilemma": made.metadata["deployment_dilemma"]}
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": metadata, "worksheets": [{"cells": cells, "metadata": {}}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("class")
    hand_in(made)
    return made


def grade(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-P",
        "-m",
        "labs.cli",
        "grade",
        str(folder),
        "--sources",
        str(ROOT / "tests" / "notebooks"),
    ]
    return subprocess.run(
        [*command, *options],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env={**os.environ, "TOKEN": SECRET},
    )


@pytest.fixture(scope="module")
def graded(folder: Path) -> dict[str, dict[str, Any]]:
    """Name: result, of the whole class in one run."""
    ended = grade(folder, "--json", "--workers", "4", "--memory", "512")
    assert ended.returncode == 1, ended.stderr[-3000:]  # some cannot be graded
    assert "Traceback" not in ended.stderr
    return {result["submission"]: result for result in json.loads(ended.stdout)["results"]}


pytestmark = pytest.mark.timeout(420)


def test_honest_work_has_its_marks_beside_all_that(graded: dict[str, dict[str, Any]]) -> None:
    assert (graded["ann/lab.ipynb"]["score"], graded["ann/lab.ipynb"]["max"]) == (3, 3)
    assert {check["id"]: check["score"] for check in graded["zoe/lab.ipynb"]["checks"]} == {"queue": 1, "table": 1}
    assert graded["zip.zip!work/lab.ipynb"]["score"] == 2
    assert graded["zip.zip!work/lab.ipynb"]["student"] == "zip"
    assert graded["zoe/lab.ipynb"]["errors"] == []


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_scores_nothing(name: str, graded: dict[str, dict[str, Any]]) -> None:
    unconfined = graded["ann/lab.ipynb"]["unconfined"]
    if unconfined and name in (*HARMFUL, "solutions-read", "the-network"):
        assert unconfined[0].startswith("files: a submission can read yours")
        assert unconfined[1].startswith("network: ")
        return
    result = graded[f"cheats/{name}.ipynb"]
    assert result["problem"] is None
    assert result["score"] == 0
    assert [check["id"] for check in result["checks"]] == ["queue", "table"], "the checks looked, and found nothing"
    assert "OPEN" not in result["output"]
    assert "REACHED" not in result["output"]


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("endless", "stopped after 30 s in cell"),
        ("memory-hog", "took more than 512 MB of memory"),
        ("ten-gigabytes-printed", "printed more than 50 MB"),
        ("early-exit", "ended by itself in cell"),
    ],
)
def test_what_was_stopped_says_why(name: str, note: str, graded: dict[str, dict[str, Any]]) -> None:
    assert any(note in each for each in graded[f"cheats/{name}.ipynb"]["notes"]), graded[f"cheats/{name}.ipynb"]


def test_a_file_that_grows_without_end_ends_in_the_cell_that_writes_it(graded: dict[str, dict[str, Any]]) -> None:
    (error,) = graded["cheats/ten-gigabytes-written.ipynb"]["errors"]
    assert error["error"].startswith("OSError")


def test_solutions_and_checks_are_out_of_sight(graded: dict[str, dict[str, Any]]) -> None:
    result = graded["cheats/solutions-read.ipynb"]
    if not result["unconfined"]:
        assert "FOUND []" in result["output"]
        assert any("ModuleNotFoundError" in error["error"] for error in result["errors"])


def test_what_the_grader_has_in_the_environment_is_not_seen(graded: dict[str, dict[str, Any]]) -> None:
    result = graded["cheats/secrets.ipynb"]
    assert "LAB_HOME" in result["output"], "it printed its environment"
    assert SECRET not in json.dumps(result)


def test_nothing_that_a_cheat_left_is_left(graded: dict[str, dict[str, Any]], folder: Path) -> None:
    assert graded
    commands = (path for path in Path("/proc").glob("[0-9]*/cmdline"))
    assert not [path for path in commands if SLEEPER.encode() in (read(path) or b"")]
    planted = ("sitecustomize.py", "planted.pth", "00-planted.py")
    if not graded["ann/lab.ipynb"]["unconfined"]:
        for place in {Path(path) for path in sys.path if path} | {ROOT, folder, folder / "_grades"}:
            assert not [name for name in (*planted, "score-written.json") if (place / name).exists()], place
    assert not (folder.parent / "escaped.ipynb").exists()


def read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bomb.zip!lab.ipynb", "unpacks to more than"),
        ("dots.zip", "outside its folder: '../../escaped.ipynb'"),
        ("another-kernel.ipynb", "another kernel, 'ir'"),
        ("format-9.ipynb", "notebook format 9"),
        ("no-json.ipynb", "is not a notebook"),
        ("brackets.ipynb", "is not a notebook"),
        ("link.ipynb", "is a link"),
        ("no-lab.ipynb", "does not say of which lab it is"),
    ],
)
def test_what_cannot_be_graded_is_named(name: str, said: str, graded: dict[str, dict[str, Any]]) -> None:
    assert said in graded[f"odd/{name}"]["problem"]
    assert graded[f"odd/{name}"]["score"] == 0


@pytest.mark.parametrize(
    ("name", "score", "note"),
    [
        ("odd/syntax.ipynb", 1, "does not parse: SyntaxError"),
        ("odd/missing-task.ipynb", 2, "Task 2 (A table of jobs) is not in it."),
        ("odd/renamed-cells.ipynb", 3, "carry other names"),
        ("odd/large-outputs.ipynb", 3, "carries 100 MB of outputs"),
        ("odd/format-3.ipynb", 3, "notebook format 3"),
        ("twin/lab.ipynb", 3, "the same as that of ann/lab.ipynb"),
        ("blank/lab.ipynb", 0, "nothing is filled in"),
    ],
)
def test_what_is_odd_is_noted_and_graded(name: str, score: float, note: str, graded: dict[str, dict[str, Any]]) -> None:
    result = graded[name]
    assert result["score"] == score, result
    assert any(note in each for each in result["notes"]), result["notes"]


def test_a_second_run_keeps_the_first_ones_results(
    graded: dict[str, dict[str, Any]], folder: Path, tmp_path: Path
) -> None:
    half_done = tmp_path / "class"
    for name in ("ann", "zoe", "_grades"):
        shutil.copytree(folder / name, half_done / name)
    ended = grade(
        half_done, "--csv", "--nbgrader", str(tmp_path / "nbgrader"), "--gradescope", str(tmp_path / "gradescope")
    )
    assert ended.returncode == 0, ended.stderr
    rows = list(csv.DictReader(io.StringIO(ended.stdout)))
    assert [(row["student"], row["score"], row["queue"]) for row in rows] == [("ann", "3.0", "2"), ("zoe", "2.0", "1")]
    assert "3 of 3" not in ended.stderr, "nothing was run"
    grades = list(csv.DictReader((tmp_path / "nbgrader" / "grades.csv").open()))
    assert tuple(grades[0]) == exports.NBGRADER
    assert [(row["student_id"], row["score"], row["max_score"]) for row in grades] == [
        ("ann", "3.0", "3"),
        ("zoe", "2.0", "3"),
    ]
    page = (tmp_path / "nbgrader" / "feedback" / "zoe" / "00-small" / "00-small.html").read_text()
    assert "gives a message up after 1 receives" in page
    found = json.loads((tmp_path / "gradescope" / "zoe_lab.ipynb" / "results.json").read_text())
    assert found["score"] == sum(test["score"] for test in found["tests"]) == 2
    assert [test["status"] for test in found["tests"]] == ["failed", "passed"]
    assert (
        graded["ann/lab.ipynb"]["sha256"]
        in (half_done / "_grades")
        .joinpath(next(path.name for path in (half_done / "_grades").iterdir() if path.name.startswith("ann_")))
        .read_text()
    )


def test_names_that_are_formulas_or_markup_stay_text() -> None:
    result = {
        "student": "=cmd|' /C calc'!A0",
        "submission": "<script>alert(1)</script>/lab.ipynb",
        "lab": None,
        "score": 0,
        "max": 0,
        "problem": "It is odd.",
        "checks": [],
        "notes": [],
        "errors": [],
    }
    assert "'=cmd" in exports.as_csv([result])
    assert "<script>" not in exports.as_html([result])


def test_one_submission_is_looked_at_by_lab_check(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ann.zip", "w") as archive:
        archive.writestr("../lab.ipynb", "{}")
    command = [sys.executable, "-P", "-m", "labs.cli", "check", "00", "--submission", str(tmp_path / "ann.zip")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stdout.startswith("It holds a file that would be unpacked outside its folder")
    ended = subprocess.run([*command, "--task", "1"], capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 2
    assert "as a whole" in ended.stderr


WITHOUT = """
import json, sys
from pathlib import Path
from labs.check import confine, grade
confine.available = lambda: confine.Walls(False, "not in this test")
plan = grade.Plan(workers=2, sources=Path(sys.argv[2]))
print(json.dumps([result for result in grade.run(Path(sys.argv[1]), plan)]))
"""


def test_where_there_are_no_namespaces_the_rest_holds_and_the_result_says_what_does_not(tmp_path: Path) -> None:
    save(
        tmp_path / "ann.ipynb",
        notebook(
            lambda source: (
                source.replace('"maxReceiveCount": 5', '"maxReceiveCount": 1') if FIRST_TASK in source else source
            )
        ),
    )
    save(tmp_path / "left.ipynb", cheat(*CHEATS["left-running"]))
    ended = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT, str(tmp_path), str(ROOT / "tests" / "notebooks")],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ended.returncode == 0, ended.stderr
    results = {result["submission"]: result for result in json.loads(ended.stdout)}
    assert [results[name]["score"] for name in ("ann.ipynb", "left.ipynb")] == [2, 0]
    assert "solutions among them" in results["ann.ipynb"]["unconfined"][0]
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if SLEEPER.encode() in (read(path) or b"")]


def test_what_was_cut_short_is_run_again_with_other_limits_and_only_then(tmp_path: Path) -> None:
    path = save(tmp_path / "ann.ipynb", "{}")
    layout = Layout("00-small", 30, 3, {}, {}, "v1")
    kept = {"submission": "ann.ipynb", "lab": "00-small", "version": "v1", "sha256": hashlib.sha256(b"{}").hexdigest()}
    (ann,) = find(tmp_path)

    def is_kept(found: dict[str, Any], allowed: Allowed) -> bool:
        _keep(tmp_path, kept | found)
        return _kept(tmp_path, ann, {"00-small": layout}, allowed) is not None

    stopped = {"stopped": asdict(Allowed(30))}
    assert is_kept({}, Allowed(30))
    assert is_kept(stopped, Allowed(30))
    assert not is_kept(stopped, Allowed(60))
    assert not is_kept({"version": "v0"}, Allowed(30))
    path.write_text("{ }")
    assert not is_kept({}, Allowed(30))


def test_names_that_become_one_name_keep_two_files(tmp_path: Path) -> None:
    result = {"score": 0, "max": 0, "problem": None, "checks": [], "notes": [], "errors": []}
    results = [result | {"submission": "a b.ipynb"}, result | {"submission": "a_b.ipynb"}]
    assert len(set(exports.write_gradescope(results, tmp_path))) == len(list(tmp_path.glob("*/results.json"))) == 2
