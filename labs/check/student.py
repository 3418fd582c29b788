"""Student copies of the labs: what a source becomes without its solutions, and nothing else.

    student.write(Path("notebooks/06-squid.md"), Path("06-squid.ipynb"))

The same source gives the same bytes, on every machine and every day. `python -m labs.check.student` writes them all (`make notebooks`).
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labs.errors import USAGE, Refusal

if TYPE_CHECKING:
    from nbformat.notebooknode import NotebookNode

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
SOLUTION = "solution"
KEPT_TAGS = ("exercise", "clean-up")
"""What the other tags say is for the book."""


def find(slug: str) -> Path:
    """A lab's source, by its slug or the beginning of it. Raises Refusal when there is none, or several."""
    known = sorted(NOTEBOOKS.glob("*.md"))
    fits = [path for path in known if path.stem == slug] or [
        path for path in known if slug and path.stem.startswith(slug)
    ]
    if len(fits) != 1:
        raise Refusal(f"there is no lab '{slug}'; there are {', '.join(path.stem for path in known)}", USAGE)
    return fits[0]


def copy_of(source: str, slug: str) -> "NotebookNode":
    """A lab's source as a notebook (nbformat 4.5) without solutions and without outputs."""
    import jupytext
    from nbformat import v4

    new: Any = v4  # nbformat declares no types
    read: Any = jupytext.reads(source, fmt="md:myst")  # type: ignore[no-untyped-call]
    cells = []
    for number, cell in enumerate(read.cells):
        tags = cell.metadata.get("tags", [])
        if SOLUTION in tags:
            continue
        kept = [tag for tag in tags if tag in KEPT_TAGS]
        metadata = {"tags": kept} if kept else {}
        made = {"code": new.new_code_cell, "markdown": new.new_markdown_cell, "raw": new.new_raw_cell}[cell.cell_type](
            cell.source, metadata=metadata
        )
        made["id"] = hashlib.sha256(f"{slug}/{number}".encode()).hexdigest()[:12]
        cells.append(made)
    kernel = dict(read.metadata.get("kernelspec", {}))
    made_of: NotebookNode = new.new_notebook(
        cells=cells,
        metadata={"kernelspec": kernel, "language_info": {"name": "python"}, "deployment_dilemma": {"lab": slug}},
    )
    return made_of


def render(source: Path) -> str:
    """The copy as the text of an .ipynb file."""
    made: dict[str, Any] = copy_of(source.read_text("utf-8"), source.stem)
    return json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write(source: Path, copy: Path) -> None:
    """Write a lab's copy, over one that is there."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(render(source), "utf-8")


def main() -> None:
    """Every lab's copy, into the folder named or `_build/notebooks`."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "_build" / "notebooks"
    for source in sorted(NOTEBOOKS.glob("*.md")):
        write(source, folder / f"{source.stem}.ipynb")
        print(folder / f"{source.stem}.ipynb")


if __name__ == "__main__":
    main()
