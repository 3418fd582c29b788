"""A workshop without a network: a kit is made for this machine, and from it the course is set up, and a lab begun, where no packet gets out."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import labs
from labs.course.layout import Layout
from labs.targets import readiness
from labs.workshop import kit, packing
from labs.workshop.stock import Kind
from tests.labs.workshop import offline

ROOT = Path(labs.__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", "_build", "__pycache__", "kit", "runs", "*.egg-info", ".*_cache", ".hypothesis"
)
LAB = "01-decision"
PATIENCE_S = 600

KERNEL = """
import sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
first = next(cell for cell in notebook.cells if cell.cell_type == "code")
notebook.cells = [first]
NotebookClient(notebook, kernel_name=notebook.metadata.kernelspec.name, timeout=300).execute()
print("".join(output.get("text", "") for output in first.outputs))
"""

FIRST_LAB = """
PATH="$PWD/.venv/bin:$PATH"
trap 'lab cloud down >/dev/null' EXIT
lab doctor --code > "$HOME/code.txt" || true
lab notebook "$1" --folder "$HOME" --no-open
python -c "$2" "$HOME/$1.ipynb" > "$HOME/kernel.txt"
lab catch-up "$1" --task 2
lab check "$1" --task 1 --json > "$HOME/check.txt"
"""
"""In one shell, since a namespace of its own has a loopback of its own."""

SOLVED = """
import sys
import jupytext
from nbclient import NotebookClient
notebook = jupytext.read(sys.argv[1])
notebook.cells = [cell for cell in notebook.cells if "clean-up" not in cell.metadata.get("tags", [])]
NotebookClient(notebook, kernel_name=notebook.metadata.kernelspec.name, timeout=600).execute()
"""
WHOLE_LAB = """
PATH="$PWD/.venv/bin:$PATH"
trap 'lab cloud down >/dev/null' EXIT
python -c "$2" "notebooks/$1.md"
lab check "$1" --json > "$HOME/check.txt"
"""


@dataclass(frozen=True)
class Course:
    """Unpacked from the kit, on a machine that has nothing else."""

    root: Path
    kit: Path
    home: Path

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command in it, without a network."""
        environment = offline.surroundings(os.environ) | {"HOME": str(self.home), "LAB_HOME": str(self.home / "lab")}
        return run(offline.command(arguments), self.root, environment)

    def set_up(self) -> "subprocess.CompletedProcess[str]":
        """From the kit, by the Python that this environment was made from, as a student's machine has it."""
        python = getattr(sys, "_base_executable", sys.executable)
        return self.run("make", "setup", f"FROM={self.kit}", f"PYTHON={python}")


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )


def link_or_copy(source: str, to: str) -> None:
    try:
        os.link(source, to)
    except OSError:  # another file system
        shutil.copyfile(source, to)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of what is here, committed or not."""
    clone = tmp_path / "clone"
    shutil.copytree(ROOT, clone, symlinks=True, ignore=LEFT_OUT)
    (clone / "_build" / "html").mkdir(parents=True)
    (clone / "_build" / "html" / "index.html").write_text("the book")
    name = ("-c", "user.name=kit", "-c", "user.email=kit@localhost")
    for arguments in (["init", "-q"], ["add", "-A"], [*name, "commit", "-q", "-m", "as it is"]):
        assert run(["git", *arguments], clone).returncode == 0
    return clone


@pytest.fixture
def offline_course(clone: Path, tmp_path: Path) -> Iterator[Course]:
    """The kit's wheels stay in _build for the next time, and are checked again then."""
    wheels = ROOT / "_build" / "test-kit"
    wheels.mkdir(parents=True, exist_ok=True)
    packed = packing.pack(wheels, [Kind.named(kit.this_machine().name)], Layout(clone), print)
    assert [shelf.missing for shelf in packed.shelves] == [[]]
    stick = tmp_path / "NO NAME" / "kit"
    shutil.copytree(wheels, stick, copy_function=link_or_copy)
    home = tmp_path / "home"
    home.mkdir()
    assert run(["tar", "xzf", kit.SOURCE, "-C", str(home)], stick).returncode == 0
    yield Course(home / packing.FOLDER, stick, home)
    shutil.rmtree(tmp_path)  # a gigabyte and more, of which pytest would keep three


@pytest.mark.timeout(1200)
def test_from_a_kit_the_course_is_set_up_and_a_lab_begun_with_no_network(offline_course: Course) -> None:
    course = offline_course
    assert (course.kit / "site" / "index.html").read_text() == "the book"
    assert {path.stem for path in (course.kit / "notebooks").iterdir()} == {
        path.stem for path in Layout(course.root).labs()
    }
    assert (course.kit / "README.txt").read_text().count("\n") == 3
    kit.verify(course.kit, kit.read(course.kit), kit.read(course.kit).files)

    damaged = (
        course.kit
        / "wheels"
        / next(path.name for path in (course.kit / "wheels").iterdir() if path.name.startswith("click-"))
    )
    whole = damaged.read_bytes()
    damaged.unlink()
    damaged.write_bytes(whole[:-1])
    refused = course.set_up()
    assert refused.returncode != 0
    assert f"damaged on its way: wheels/{damaged.name}" in refused.stderr
    assert not (course.root / ".venv" / "bin").exists()
    damaged.write_bytes(whole)

    done = course.set_up()
    assert done.returncode == 0, done.stderr
    assert not (course.root / ".venv" / "kit").exists()
    first = course.run("sh", "-euc", FIRST_LAB, "sh", LAB, KERNEL)
    assert first.returncode == 0, first.stderr
    said = {path.name: path.read_text() for path in course.home.glob("*.txt")}
    ready = readiness.decode(said["code.txt"].split()[-1])
    assert ready.machine >= readiness.REQUIRED | {"packages"} - {"memory"}
    assert ready.course == readiness.course()
    assert "Local cloud at http://127.0.0.1:" in said["kernel.txt"]
    checks = json.loads(said["check.txt"])["checks"]
    assert checks
    assert all(each["passed"] for each in checks)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_whole_lab_runs_in_its_kernel_with_no_network(offline_course: Course) -> None:
    done = offline_course.set_up()
    assert done.returncode == 0, done.stderr
    lab = offline_course.run("sh", "-euc", WHOLE_LAB, "sh", LAB, SOLVED)
    assert lab.returncode == 0, lab.stderr
    graded = json.loads((offline_course.home / "check.txt").read_text())
    assert graded["score"] == graded["max"] > 0


UV_NAMES = {
    "linux-x86_64": "x86_64-manylinux_2_28",
    "linux-arm64": "aarch64-manylinux_2_28",
    "macos-arm64": "aarch64-apple-darwin",
    "macos-x86_64": "x86_64-apple-darwin",
}


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_uv_finds_everything_in_a_kit_for_every_kind_of_machine(clone: Path, tmp_path: Path) -> None:
    """Which wheels fit, and which packages a marker leaves out, uv says by itself."""
    kinds = [Kind.named(f"{platform}-{python}") for platform in kit.PLATFORMS for python in kit.PYTHONS]
    packed = packing.pack(tmp_path / "kit", kinds, Layout(clone), print)
    uv = str(Path(sys.executable).with_name("uv"))
    offered = ["--offline", "--no-config", "--no-index", "--find-links", str(packed.folder / kit.WHEELS)]
    for kind in kinds:
        target = ["--python-platform", UV_NAMES[f"{kind.system}-{kind.processor}"], "--python-version", kind.python]
        wanted = [
            "--no-deps",
            "--require-hashes",
            "-r",
            str(packed.folder / kit.CONSTRAINTS),
            "--target",
            str(tmp_path / "to"),
        ]
        done = run([uv, "pip", "install", "--dry-run", *offered, *target, *wanted], tmp_path)
        assert done.returncode == 0, f"{kind.name}: {done.stderr}"
    shutil.rmtree(tmp_path)
