"""What a build was made from, as digests: to skip what is built already, and to throw away what no longer holds.

Three questions, three digests: is the site current (`everything`); must Sphinx forget what it has read (`machinery`); do the
labs' outputs still come from the code that is here (`lab_code`)?
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from labs.course.layout import Layout

SKIPPED = {"__pycache__", "_build", ".ipynb_checkpoints"}


def everything(layout: Layout) -> str:
    """Of all that may change a page: sources, configuration, extensions, register, question bank, code, locked versions."""
    return digest(
        layout.root,
        *(layout.root / name for name in ("book", "notebooks", "labs", "quizzes", "constraints.txt", "pyproject.toml")),
        salt=_surroundings(),
    )


def machinery(layout: Layout) -> str:
    """Of what reads and writes every page. Facts and questions are not in it: a page that shows one says so to Sphinx itself."""
    book, code = layout.book, (path for room in ("labs", "quizzes") for path in files(layout.root / room))
    return digest(
        layout.root,
        *(book / name for name in ("_config.yml", "_toc.yml", "_ext", "_templates", "_static/tokens.css")),
        *(path for path in code if path.suffix in (".py", ".js")),
        layout.root / "constraints.txt",
        salt=_surroundings(),
    )


def lab_code(layout: Layout) -> str:
    """Of what a lab's cells call: the package with its register and templates, and the locked versions."""
    course = layout.root / "labs" / "course"
    called = (path for path in files(layout.root / "labs") if course not in path.parents)
    return digest(layout.root, *called, layout.root / "constraints.txt", salt=_python())


def digest(root: Path, *paths: Path, salt: str = "") -> str:
    """A digest of the names and contents of files and folders."""
    found = hashlib.sha256(salt.encode())
    for file in sorted({file for path in paths for file in files(path)}):
        found.update(f"\0{file.relative_to(root)}\0".encode())
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()[:20]


def files(path: Path) -> Iterator[Path]:
    """A file itself, or a folder's files, without links, caches and hidden ones; nothing if there is no such path."""
    if path.is_file():
        yield path
        return
    for folder, subfolders, names in os.walk(path):
        subfolders[:] = [name for name in subfolders if name not in SKIPPED and not name.startswith(".")]
        yield from (Path(folder) / name for name in names if not name.startswith("."))


def read(path: Path) -> dict[str, str]:
    """A stamp from an earlier build; empty if there is none that can be read."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(path: Path, **entries: str) -> None:
    """Leave a stamp, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(entries, indent=2) + "\n", "utf-8")
    draft.replace(path)


def lines(entries: Iterable[str]) -> str:
    """Several digests as one."""
    return hashlib.sha256("\n".join(entries).encode()).hexdigest()[:20]


def _surroundings() -> str:
    """The Python, and where the site and its sources will stand, which pages say."""
    return " ".join([_python(), *(os.environ.get(name, "") for name in ("BOOK_URL", "BOOK_EDIT_URL"))])


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
