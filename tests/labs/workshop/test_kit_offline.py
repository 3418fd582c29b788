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


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )


def python() -> str:
    """The Python that this environment was made from, as a student's machine has it."""
    return str(getattr(sys, "_base_executable", sys.executable))


def link_or_copy(source: str, to: str) -> None:
    try:
        os.link(source, to)
    except OSError:  # another file system
        shutil.copyfile(source, to)


@pytest.fixture
def offline_course(tmp_path: Path) -> Iterator[Course]:
    """The kit is made of what is here, committed or not; its wheels stay in _build for the next time, and are checked again then."""
    clone = tmp_path / "clone"
    shutil.copytree(ROOT, clone, symlinks=True, ignore=LEFT_OUT)
    (clone / "_build" / "html").mkdir(parents=True)
    (clone / "_build" / "html" / "index.html").write_text("the book")
    name = ("-c", "user.name=kit", "-c", "user.email=kit@localhost")
    for arguments in (["init", "-q"], ["add", "-A"], [*name, "commit", "-q", "-m", "as it is"]):
        assert run(["git", *arguments], clone).returncode == 0
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
    setup = ("make", "setup", f"FROM={course.kit}", f"PYTHON={python()}")
    refused = course.run(*setup)
    assert refused.returncode != 0
    assert f"damaged on its way: wheels/{damaged.name}" in refused.stderr
    assert not (course.root / ".venv" / "bin").exists()
    damaged.write_bytes(whole)

    done = course.run(*setup)
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
