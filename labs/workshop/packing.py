"""Making a kit: wheels, constraints, the course's source, the built book, notebooks, slides, and the manifest that vouches for them.

packed = packing.pack(Path("kit"), [Kind.named("linux-x86_64-3.11")], layout.find(), print)
"""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from labs.check import student
from labs.course import build
from labs.course.layout import Layout
from labs.errors import NOT_READY, USAGE, Refusal
from labs.workshop import kit, stock
from labs.workshop.stock import Kind, Say, Shelf, Workbench

README = """\
1. You need make and Python {pythons} on {platforms} (Windows: WSL); this folder may stay where it is.
2. In a terminal, in this folder:  tar xzf {source} -C ~ && make -C ~/deployment-dilemma setup FROM="$PWD"
3. Then:  cd ~/deployment-dilemma && .venv/bin/lab doctor --code  says whether you are ready. The book is {book}.
"""
OURS = re.compile(
    r"\..*|manifest\.json|constraints\.txt|wheels|site|notebooks|slides|reveal|.*\.reveal|README\.txt|deployment-dilemma\.tar\.gz"
)
"""What a kit may hold. Locked solutions (*.reveal) are the instructor's to add, and stay when the kit is made again."""
FOLDER = "deployment-dilemma"
"""What the source archive unpacks to."""


@dataclass(frozen=True)
class Packed:
    """What was made."""

    folder: Path
    shelves: Sequence[Shelf]
    built: Sequence[str]
    """Packages that were built here because the index has no wheel of them for some machine."""
    notes: Sequence[str]
    """What is not in it, or is older than it could be; a sentence each."""
    files: int
    size_bytes: int


def pack(folder: Path, kinds: Sequence[Kind], here: Layout, say: Say) -> Packed:
    """Make the kit in `folder`, over one that is there; wheels that are in it already are not fetched again. Raises Refusal."""
    _require_ours(folder)
    constraints = here.root / kit.CONSTRAINTS
    notes: list[str] = []
    commit = _commit(here.root, notes)
    say("Asking the index what there is ...")
    found = stock.packages(constraints)
    bench = Workbench(here.build / "kit", say)
    bench.folder.mkdir(parents=True, exist_ok=True)
    shelves = stock.plan(found, kinds, bench.build)

    folder.mkdir(parents=True, exist_ok=True)
    (folder / kit.MANIFEST).unlink(missing_ok=True)  # until it is whole again, it is no kit
    wheels = folder / kit.WHEELS
    stock.fill(wheels, shelves, say)
    built = {package.pinned: (package, file) for shelf in shelves for package, file in shelf.files if not file.url}
    for package, file in built.values():
        shutil.copyfile(bench.path(package), wheels / file.name)
    pip = stock.pip_wheel(wheels)
    (folder / kit.CONSTRAINTS).write_text(stock.with_digests(constraints.read_text("utf-8"), built.values()), "utf-8")

    notes += [_missing(shelf) for shelf in shelves if shelf.missing]
    _source(folder / kit.SOURCE, here.root)
    _book(folder / "site", here, notes)
    _notebooks(folder / "notebooks", here)
    _slides(folder / "slides", here.build / "slides", notes)
    _readme(folder, kinds)
    files = _manifest(folder, shelves, pip.name, constraints, commit)
    return Packed(
        folder,
        shelves,
        sorted(built),
        notes,
        files,
        sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    )


def _require_ours(folder: Path) -> None:
    """Raises Refusal for a folder that holds something else: what is not wanted in a kit is removed from it."""
    if folder.exists() and not folder.is_dir():
        raise Refusal(f"{folder} is a file; name a folder for the kit", USAGE)
    if folder.exists() and (others := sorted(path.name for path in folder.iterdir() if not OURS.fullmatch(path.name))):
        raise Refusal(f"{folder} holds other things ({others[0]}); name a folder of its own for the kit", USAGE)


def _missing(shelf: Shelf) -> str:
    said = []
    for package in shelf.missing:
        wanting = [name for name in stock.wanted_by(package.name) if name != package.name]
        said.append(package.pinned + (f" (wanted by {', '.join(wanting)})" if wanting else ""))
    return (
        f"{shelf.kind.name} lacks {'; '.join(said)}: no wheel fits, and none could be made without a compiler. "
        "A set-up there leaves it out, and what needs it will fail."
    )


def _commit(root: Path, notes: list[str]) -> str:
    """The commit whose files go into the kit. Raises Refusal where there is none, or its constraints are not the ones here."""
    commit = _git(root, "rev-parse", "--short=12", "HEAD")
    if commit is None:
        raise Refusal(
            "the course's source goes into the kit from git, and this folder is no clone; 'git clone' it, then 'make kit'",
            NOT_READY,
        )
    if _git(root, "status", "--porcelain", "--", kit.CONSTRAINTS):
        raise Refusal(
            f"{kit.CONSTRAINTS} is changed and not committed, so the kit's wheels would not fit the kit's source; commit it first",
            NOT_READY,
        )
    if _git(root, "status", "--porcelain", "--untracked-files=no"):
        notes.append(f"What is changed here and not committed is not in {kit.SOURCE}.")
    return commit


def _source(archive: Path, root: Path) -> None:
    archive.unlink(missing_ok=True)
    if _git(root, "archive", "--format=tar.gz", f"--prefix={FOLDER}/", "-o", str(archive.resolve()), "HEAD") is None:
        raise Refusal("'git archive' did not write the course's source; is the disk full?", NOT_READY)


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Refusal("git is not installed, and the course's source goes into the kit from it", NOT_READY) from None
    return done.stdout.strip() if done.returncode == 0 else None


def _book(to: Path, here: Layout, notes: list[str]) -> None:
    shutil.rmtree(to, ignore_errors=True)
    if not here.site.is_dir():
        notes.append("The book is not in it: 'make book' builds it, then make the kit again.")
        return
    shutil.copytree(here.site, to)
    if not build.is_current(here):
        notes.append("The book in it is older than the sources here: 'make book' builds it anew.")


def _notebooks(to: Path, here: Layout) -> None:
    shutil.rmtree(to, ignore_errors=True)
    for source in here.labs():
        student.write(source, to / f"{source.stem}.ipynb")


def _slides(to: Path, slides: Path, notes: list[str]) -> None:
    shutil.rmtree(to, ignore_errors=True)
    if slides.is_dir():
        shutil.copytree(slides, to)
    else:
        notes.append("Slides are not in it: 'make slides' builds them.")


def _readme(folder: Path, kinds: Sequence[Kind]) -> None:
    pythons = sorted({kind.python for kind in kinds}, key=kit.version)
    platforms = kit.in_words(dict.fromkeys(f"{kind.system}-{kind.processor}" for kind in kinds))
    book = (
        "site/index.html, in any browser" if (folder / "site").is_dir() else "at the address that the instructor names"
    )
    text = README.format(pythons=", ".join(pythons), platforms=platforms, source=kit.SOURCE, book=book)
    (folder / "README.txt").write_text(text, "utf-8")


def _manifest(folder: Path, shelves: Sequence[Shelf], pip: str, constraints: Path, commit: str) -> int:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    files = {
        path.relative_to(folder).as_posix(): {"sha256": kit.digest(path), "size_bytes": path.stat().st_size}
        for path in paths
    }
    environments = {
        shelf.kind.name: {
            "wheels": sorted(file.name for _, file in shelf.files),
            "missing": sorted(package.pinned for package in shelf.missing),
            "least": list(shelf.least),
        }
        for shelf in shelves
    }
    content = {
        "format": kit.FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": metadata.version("deployment-dilemma"),
        "commit": commit,
        "constraints_sha256": kit.digest(constraints),
        "pip": pip,
        "environments": environments,
        "files": files,
    }
    draft = folder / f".{kit.MANIFEST}"
    draft.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", "utf-8")
    draft.replace(folder / kit.MANIFEST)
    return len(files)
