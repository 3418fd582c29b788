"""What was handed in: found in a folder, looked at before anything of it runs, and read into cells.

    for each in submissions.find(folder): ...
    notebook = submissions.read(each)          # Unreadable, with a sentence, when it cannot be graded

Nothing is unpacked onto the disk: a notebook in a zip file is read from there, up to a limit.
"""

import hashlib
import json
import resource
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from labs.check.source import CLEAN_UP, PREAMBLE, task_after

MOST_BYTES = 256 * 1024 * 1024
"""A notebook with more, outputs and all, is not read."""
MOST_MEMBERS = 2_000
MOST_READING_MB = 3_000
"""Memory to read a notebook with: a quarter of a gigabyte of nested brackets would take many."""
LARGE_OUTPUT_BYTES = 20 * 1024 * 1024
OWN_FOLDERS = (".ipynb_checkpoints", "_grades", "__MACOSX")


class Unreadable(Exception):  # noqa: N818 - the submission's state, told to its teacher
    """A submission that cannot be graded, and why, in a sentence."""


@dataclass(frozen=True)
class Submission:
    """One notebook that was handed in."""

    name: str
    """Its path below the class's folder; for one in a zip file, both."""
    path: Path
    member: str | None = None
    problem: str | None = None
    """Why it is not even opened."""

    @property
    def student(self) -> str:
        """Whose it is: the first folder below the class's, or else the file's own name."""
        parts = PurePosixPath(self.name.partition("!")[0]).parts
        return parts[0] if len(parts) > 1 else PurePosixPath(parts[0]).stem


@dataclass(frozen=True)
class CodeCell:
    """A cell as it will be run."""

    number: int
    """Its place among all cells, from 1, as Jupyter's users count."""
    id: str
    task: int
    source: str
    clean_up: bool = False


@dataclass
class Notebook:
    """A submission that was read."""

    lab: str | None
    """What it says it is, if it says so."""
    cells: list[CodeCell] = field(default_factory=list)
    tasks: set[int] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Of its code alone: the same for a copy with other outputs, other names of cells, other blanks at its lines' ends."""
        lines = [line.rstrip() for cell in self.cells for line in cell.source.splitlines() if line.strip()]
        return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()


def find(folder: Path) -> list[Submission]:
    """All submissions in a folder, by name."""
    found: list[Submission] = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if any(part in OWN_FOLDERS for part in inside.parts) or path.suffix.lower() not in (".ipynb", ".zip"):
            continue
        found += found_at(path, inside.as_posix())
    return found


def found_at(path: Path, name: str) -> list[Submission]:
    """The submission in this file; for a zip file, those in it."""
    if path.is_symlink():
        return [Submission(name, path, problem="is a link to somewhere else; hand the file itself in")]
    if not path.is_file():
        return [Submission(name, path, problem="is not a file")]
    return [*_in_zip(name, path)] if path.suffix.lower() == ".zip" else [Submission(name, path)]


def _in_zip(name: str, path: Path) -> Iterator[Submission]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member.filename for member in archive.infolist()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as broken:
        yield Submission(name, path, problem=f"is not a zip file that can be read: {broken}")
        return
    if len(members) > MOST_MEMBERS:
        yield Submission(name, path, problem=f"has {len(members):,} files in it; a lab is one notebook")
        return
    for member in members:
        parts = PurePosixPath(member.replace("\\", "/")).parts
        if ".." in parts or member.startswith(("/", "\\")) or (parts and parts[0].endswith(":")):
            yield Submission(
                name, path, problem=f"holds a file that would be unpacked outside its folder: '{member[:80]}'"
            )
            return
    notebooks = [
        member
        for member in members
        if member.lower().endswith(".ipynb") and not any(part in OWN_FOLDERS for part in PurePosixPath(member).parts)
    ]
    if not notebooks:
        yield Submission(name, path, problem="holds no notebook (.ipynb)")
    for member in notebooks:
        yield Submission(f"{name}!{member}", path, member)


def content(submission: Submission) -> bytes:
    """The notebook's bytes. Raises Unreadable."""
    if submission.problem is not None:
        raise Unreadable(submission.problem)
    try:
        if submission.member is None:
            if submission.path.stat().st_size > MOST_BYTES:
                raise Unreadable(
                    f"has {submission.path.stat().st_size / 1e6:,.0f} MB; clear its outputs and save it again"
                )
            return submission.path.read_bytes()
        with zipfile.ZipFile(submission.path) as archive, archive.open(submission.member) as packed:
            data = packed.read(MOST_BYTES + 1)
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as failed:
        raise Unreadable(f"cannot be read: {failed}") from None
    if len(data) > MOST_BYTES:
        raise Unreadable(
            f"unpacks to more than {MOST_BYTES // 1024**2} MB, from {submission.path.stat().st_size / 1e6:.1f} MB: a zip bomb?"
        )
    return data


def read(data: bytes) -> Notebook:
    """The notebook in these bytes. Raises Unreadable."""
    with _little_memory():
        try:
            found = json.loads(data)
        except (ValueError, RecursionError) as wrong:
            raise Unreadable(f"is not a notebook: {_short(wrong)}") from None
        except MemoryError:
            raise Unreadable(f"takes more than {MOST_READING_MB:,} MB of memory to read") from None
        return _notebook(found, len(data))


def _notebook(found: Any, size: int) -> Notebook:
    if not isinstance(found, dict) or not isinstance(found.get("nbformat"), int):
        raise Unreadable("is not a notebook: it says no 'nbformat'")
    metadata = _dict(found.get("metadata"))
    notes = []
    if found["nbformat"] == 3:
        sheets = found.get("worksheets")
        found["cells"] = (
            [cell for sheet in sheets if isinstance(sheet, dict) for cell in sheet.get("cells") or []]
            if isinstance(sheets, list)
            else None
        )
        notes.append("It is in notebook format 3, of 2015; we read it as what it would be today.")
    elif found["nbformat"] != 4:
        raise Unreadable(
            f"is in notebook format {found['nbformat']}; hand it in as format 4 (any Jupyter of today saves that)"
        )
    cells = found.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise Unreadable("is not a notebook: its cells are not a list of cells")
    kernel, language = _dict(metadata.get("kernelspec")), _dict(metadata.get("language_info"))
    spoken = str(kernel.get("language") or language.get("name") or "python").lower()
    named = str(kernel.get("name") or "")[:60]
    if spoken not in ("python", "ipython") or named in ("ir", "xcpp17", "julia"):
        raise Unreadable(f"was written for another kernel, '{named or spoken}'; the labs are in Python")
    if named not in ("", "deployment-dilemma", "deployment-dilemma-real", "python3"):
        notes.append(f"It names another kernel, '{named}'; it was run in the course's own.")
    printed = (
        sum(len(str(output)) for cell in cells for output in _list(cell.get("outputs")))
        if size > LARGE_OUTPUT_BYTES
        else 0
    )
    if printed > LARGE_OUTPUT_BYTES:
        notes.append(f"It carries {printed / 1e6:,.0f} MB of outputs, which we dropped unread.")
    read = Notebook(str(_dict(metadata.get("deployment_dilemma")).get("lab") or "")[:60] or None, notes=notes)
    task = PREAMBLE
    for number, cell in enumerate(cells, 1):
        text = _text(cell, "input" if found["nbformat"] == 3 and cell.get("cell_type") == "code" else "source")
        identifier = str(cell.get("id") or "")[:64]
        read.ids.add(identifier)
        if cell.get("cell_type") in ("markdown", "heading"):
            heading = f"## {text}" if cell["cell_type"] == "heading" else text
            task = task_after(heading, task)
            read.tasks.add(task)
        elif cell.get("cell_type") == "code":
            tags = _list(_dict(cell.get("metadata")).get("tags"))
            read.cells.append(CodeCell(number, identifier, task, text, CLEAN_UP in tags))
    return read


def _text(cell: dict[str, Any], key: str) -> str:
    found = cell.get(key, "")
    if isinstance(found, list):
        found = "".join(part for part in found if isinstance(part, str))
    return found if isinstance(found, str) else ""


def _dict(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _short(wrong: Exception) -> str:
    return (str(wrong) or type(wrong).__name__).splitlines()[0][:120]


@contextmanager
def _little_memory() -> Iterator[None]:
    """For the time of reading; where the system does not count address space this does nothing."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MOST_READING_MB * 1024 * 1024, before[1]))
    try:
        yield
    finally:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, before)
